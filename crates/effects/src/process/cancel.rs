//! A request to end this process: the agent's cancel (SIGTERM, on Windows Ctrl-Break), or a person's
//! Ctrl-C.
//!
//! A child leads a tree of its own, and so a request to end this process does not reach it. While a child
//! runs, this process therefore does not end at once: it notes the request, ends the child and goes on
//! with an error.

use super::system;
use anyhow::{Context as _, Result};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

/// How requests to end are handled.
pub(super) struct Requests {
    /// Whether a request has come after which this process went on.
    pub received: Arc<AtomicBool>,
    /// Whether this process ends at once when a request comes, as it would without a handler.
    pub ends_at_once: Arc<AtomicBool>,
}

/// How many children run.
static CHILDREN: AtomicUsize = AtomicUsize::new(0);
/// Whether [`heed_signals`] was called: requests are then noted even while no child runs.
static HEEDED: AtomicBool = AtomicBool::new(false);

fn requests() -> &'static Requests {
    static REQUESTS: OnceLock<Requests> = OnceLock::new();
    REQUESTS
        .get_or_init(|| Requests { received: Arc::default(), ends_at_once: Arc::new(AtomicBool::new(true)) })
}

/// Installs the handlers, once.
fn handle() -> Result<(), String> {
    static HANDLED: OnceLock<Result<(), String>> = OnceLock::new();
    HANDLED.get_or_init(|| system::handle(requests()).map_err(|error| error.to_string())).clone()
}

/// Makes a request to end this process end its children first. From now on this process outlives the request,
/// and [`cancelled`] returns true after it.
///
/// # Errors
/// Where the system refuses a handler.
pub fn heed_signals() -> Result<()> {
    HEEDED.store(true, Ordering::SeqCst);
    requests().ends_at_once.store(false, Ordering::SeqCst);
    handle().map_err(anyhow::Error::msg).context("handling signals")
}

/// Whether the job was cancelled.
pub fn cancelled() -> bool {
    requests().received.load(Ordering::Relaxed)
}

/// Sets the same flag as a request does.
#[cfg(all(test, windows))]
pub(super) fn pretend_cancelled() {
    requests().received.store(true, Ordering::Relaxed);
}

/// Lives while a child runs that must be ended before this process ends.
pub(super) struct HasChild;

impl HasChild {
    pub(super) fn new() -> Self {
        CHILDREN.fetch_add(1, Ordering::SeqCst);
        requests().ends_at_once.store(false, Ordering::SeqCst);
        // Without handlers the child outlives this process on a cancel. It is started all the same.
        let _ = handle();
        Self
    }
}

impl Drop for HasChild {
    fn drop(&mut self) {
        let last = CHILDREN.fetch_sub(1, Ordering::SeqCst) == 1;
        if last && !HEEDED.load(Ordering::SeqCst) {
            requests().ends_at_once.store(true, Ordering::SeqCst);
        }
    }
}
