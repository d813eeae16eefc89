//! What the integration tests share: a machine of their own to run in, the real Buildkite
//! agent, and a Buildkite for it to talk to.

// Each test binary compiles this module whole and uses a part of it.
#![allow(dead_code, unused_imports)]
// A test's support fails the test where it stands, as a test does, and starts processes as users do.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::zombie_processes,
    clippy::needless_pass_by_value
)]

pub(crate) mod agent;
pub(crate) mod bootstrap;
pub(crate) mod buildkite;
#[cfg(target_os = "linux")]
pub(crate) mod docker;
#[cfg(target_os = "linux")]
pub(crate) mod podman;
pub(crate) mod process;
pub(crate) mod sandbox;
pub(crate) mod wine;

use std::io::Write as _;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Says that a test was skipped, because this machine lacks something; fails instead where
/// `REQUIRE_ALL=1` says that nothing may be lacking.
pub(crate) fn skip(lacking: &str) {
    assert!(
        std::env::var_os("REQUIRE_ALL").is_none_or(|value| value != "1"),
        "REQUIRE_ALL=1, and this is lacking: {lacking}"
    );
    // Past the test harness, which shows what `println!` says only of tests that fail.
    writeln!(std::io::stderr(), "skipped: {lacking}").expect("stderr is open");
}

/// An id of the shape that Buildkite's have, which no other job of this machine has: what a job makes
/// outside its checkout is named after it.
pub(crate) fn new_id() -> String {
    static IDS: AtomicU32 = AtomicU32::new(0);
    format!("{:08x}-0000-4000-8000-{:012}", std::process::id(), IDS.fetch_add(1, Ordering::Relaxed))
}

/// Asks again and again until there is an answer; `None` when there is none within `limit`.
pub(crate) fn eventually<T>(limit: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + limit;
    loop {
        let answer = ask();
        if answer.is_some() || Instant::now() >= end {
            return answer;
        }
        thread::sleep(Duration::from_millis(10));
    }
}
