//! What the integration tests share: a machine of their own to run in, the real Buildkite agent, a
//! Buildkite for it to talk to, container engines, Wine, and the predecessor's commands.
//!
//! Cargo tells only the tests of the root package where its program is, so every function that runs the program
//! takes the path: `env!("CARGO_BIN_EXE_rust-vmm-ci")`.
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::return_self_not_must_use,
    clippy::unwrap_used,
    reason = "what cannot be set up fails the test where it stands"
)]

#[cfg(unix)]
pub mod agent;
#[cfg(target_os = "linux")]
pub mod arm;
#[cfg(unix)]
pub mod bootstrap;
#[cfg(unix)]
pub mod buildkite;
pub mod case;
#[cfg(target_os = "linux")]
pub mod docker;
#[cfg(target_os = "linux")]
pub mod folder;
pub mod modules;
pub mod one_step;
#[cfg(target_os = "linux")]
pub mod podman;
#[cfg(target_os = "linux")]
pub mod predecessor;
#[cfg(unix)]
pub mod process;
#[cfg(unix)]
pub mod program;
pub mod sandbox;
#[cfg(unix)]
mod scripts;
#[cfg(unix)]
pub mod stub;
#[cfg(target_os = "linux")]
pub mod transcript;
#[cfg(target_os = "linux")]
pub mod usage;
#[cfg(unix)]
pub mod wine;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// The repository's folder.
pub fn root() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.ancestors().nth(2).expect("this package stands two folders below")
}

/// A folder in the target directory that the tests keep things in from run to run.
pub fn scratch() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    let folder = root().join(target).join("tmp");
    fs::create_dir_all(&folder).expect("a folder in the target directory");
    folder
}

/// Says that a test was skipped, because this machine lacks something; fails instead where
/// `REQUIRE_ALL=1` says that nothing may be lacking.
pub fn skip(lacking: &str) {
    assert!(
        std::env::var_os("REQUIRE_ALL").is_none_or(|value| value != "1"),
        "REQUIRE_ALL=1, and this is lacking: {lacking}"
    );
    // This goes around the test harness, which shows the output of `println!` only for tests that fail.
    writeln!(std::io::stderr(), "skipped: {lacking}").expect("stderr is open");
}

/// Whether one of these is lacking. Each that is lacking is reported as [`skip`] does. Tests that need several
/// things ask this first, so that none of them is built for minutes in vain.
pub fn is_lacking(what: impl IntoIterator<Item = Option<String>>) -> bool {
    let lacking: Vec<String> = what.into_iter().flatten().collect();
    for what in &lacking {
        skip(what);
    }
    !lacking.is_empty()
}

/// An id in the form of Buildkite's ids, which no other job of this machine has. Everything that a job makes
/// outside its checkout is named after it.
pub fn new_id() -> String {
    static IDS: AtomicU32 = AtomicU32::new(0);
    format!("{:08x}-0000-4000-8000-{:012}", std::process::id(), IDS.fetch_add(1, Ordering::Relaxed))
}

/// Asks again and again until there is an answer; `None` when there is none within `limit`.
pub fn eventually<T>(limit: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + limit;
    loop {
        let answer = ask();
        if answer.is_some() || Instant::now() >= end {
            return answer;
        }
        thread::sleep(Duration::from_millis(10));
    }
}
