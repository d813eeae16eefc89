//! Runs `main.rs` on Linux only, because the predecessor runs only there.

#![allow(clippy::disallowed_macros, reason = "a test prints for a person")]
#[cfg(target_os = "linux")]
#[path = "main.rs"]
mod linux;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    linux::main()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("skipped: the predecessor's checks run on Linux");
}
