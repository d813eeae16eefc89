//! `rust-vmm-ci hook inside`: our wrapper around the job's command, in the container.
//!
//! Before the command the wrapper prepares what is kept between jobs. After the command it gives the
//! files to their owner. The last thing that it does is to write the command's exit status to the
//! mailbox. A container without that file ended before its command did.

mod cargo_home;
mod copy;
mod sources;
mod times;

use super::names::{
    CARGO_HOME, FOREIGN, KEPT_REGISTRY, KEPT_TARGET, MAILBOX, NOT_STARTED, PROGRAMS, STARTED, STATUS,
    TARGET_BYTES,
};
use super::owner;
use crate::process::{self, Command, Ended};
use crate::say;
use anyhow::{Context as _, Result};
use cargo_home::Registry;
use rust_vmm_ci_core::exit::Exit;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The time that the command has to end in after a cancel. It is longer than the command gives its own
/// children, and shorter than the host waits for this process ([`super::run`]).
const GRACE: Duration = Duration::from_secs(3);
/// Where shells look for programs if `PATH` is not set.
const FALLBACK_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The options of the wrapper.
#[derive(Clone, Debug)]
pub struct Inside {
    /// The folder of the checkout in the container.
    pub checkout: PathBuf,
    /// Whether the target directory is a volume that is kept.
    pub target: bool,
    /// Whether the job only reads what is kept between jobs.
    pub read_only: bool,
    /// The command. Without a command the wrapper only gives the files to their owner.
    pub command: Vec<OsString>,
}

/// Runs the command, which writes to the outputs of this process.
///
/// # Errors
/// Exit 3 if the command cannot be started, or the mailbox cannot be written to.
pub fn inside(options: &Inside) -> Result<Exit> {
    process::heed_signals()?;
    let mailbox = Path::new(MAILBOX);
    let target = options.checkout.join("target");
    let is_volume = options.target && !options.read_only;
    let without: &[&Path] = if is_volume { &[&target] } else { &[] };
    let Some((program, args)) = options.command.split_first() else {
        owner::restore(&options.checkout, without)?;
        return Ok(Exit::Passed);
    };
    // If the mailbox cannot be written to, the host notices that files are missing from it.
    let _ = fs::write(mailbox.join(STARTED), "");
    let (command, registry) =
        prepared(Command::new(program).args(args.iter().cloned()).grace(GRACE), &options.checkout)?;
    if (is_volume || (options.target && copy_target(&target)))
        && let Err(error) = times::trust_no_times(&options.checkout, &target)
    {
        say::error(format_args!("the kept target directory is emptied: {error:#}"));
        times::empty(&target)?;
    }
    let ended = process::supervise_inheriting(&command, None);
    if let Err(error) = &ended {
        let _ = fs::write(mailbox.join(NOT_STARTED), format!("{error:#}"));
    }
    if let Err(error) = owner::restore(&options.checkout, without)
        && fs::write(mailbox.join(FOREIGN), "").is_err()
    {
        say::error(format_args!("{error:#}"));
    }
    // The host removes these files even if their owner stays another user.
    let _ = owner::restore(mailbox, &[]);
    if let Some(registry) = registry.filter(|_| !options.read_only)
        && let Err(error) = registry.keep()
    {
        say::note(format_args!("what was downloaded is not kept: {error:#}"));
    }
    if is_volume {
        let _ = fs::write(mailbox.join(TARGET_BYTES), times::size(&target).to_string());
    }
    let Some(status) = status_of(ended?) else { return Ok(Exit::Infrastructure) };
    // The host reads this file at any time, so it must appear whole.
    let whole = mailbox.join("status.new");
    fs::write(&whole, status.to_string())
        .and_then(|()| fs::rename(&whole, mailbox.join(STATUS)))
        .with_context(|| {
            format!(
                "cannot write to {MAILBOX}; the checkout's owner is {:?}",
                owner::of(&options.checkout).ok()
            )
        })?;
    Ok(Exit::Command(status.into()))
}

/// The command with the environment that it needs in the container, and the registry that it uses.
fn prepared(command: Command, checkout: &Path) -> Result<(Command, Option<Registry>)> {
    let command = command.env("PATH", path_with(PROGRAMS, std::env::var_os("PATH"))?);
    Ok(match Registry::prepare(Path::new(KEPT_REGISTRY), Path::new(CARGO_HOME), checkout) {
        Ok(Some(registry)) => (command.env("CARGO_HOME", CARGO_HOME), Some(registry)),
        Ok(None) => (command, None),
        Err(error) => {
            say::note(format_args!("cargo's registry is not kept: {error:#}"));
            (command, None)
        }
    })
}

/// Copies the kept target directory into the checkout's, unless something is there. Returns whether it did.
fn copy_target(target: &Path) -> bool {
    if fs::read_dir(target).is_ok_and(|mut entries| entries.next().is_some()) {
        return false;
    }
    if let Err(error) = copy::folder(Path::new(KEPT_TARGET), target) {
        say::note(format_args!("the kept target directory could not be copied: {error:#}"));
        let _ = times::empty(target);
        return false;
    }
    true
}

/// The exit status for the way that the command ended. There is none after a cancel: the host knows that
/// it cancelled, and the command did not end by itself.
fn status_of(ended: Ended) -> Option<u8> {
    match ended {
        Ended::Exited(status) => Some(u8::try_from(status).unwrap_or(u8::MAX)),
        // Shells report a signal in this way.
        Ended::Signaled(signal) => Some(u8::try_from(128 + signal).unwrap_or(u8::MAX)),
        Ended::Cancelled | Ended::TimedOut => None,
    }
}

/// `PATH` with the folder of our program, which some images do not have in it.
fn path_with(folder: &str, path: Option<OsString>) -> Result<OsString> {
    let path = path.unwrap_or_else(|| FALLBACK_PATH.into());
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    if !folders.iter().any(|known| known == Path::new(folder)) {
        folders.push(folder.into());
    }
    std::env::join_paths(folders).context("PATH")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_was_cancelled_has_no_status() {
        assert_eq!(status_of(Ended::Exited(125)), Some(125));
        assert_eq!(status_of(Ended::Signaled(9)), Some(137));
        assert_eq!(status_of(Ended::Cancelled), None);
    }

    #[test]
    #[cfg(unix)]
    fn our_program_is_on_every_path() {
        let path = |old: Option<&str>| path_with("/own/bin", old.map(OsString::from)).unwrap();
        assert_eq!(path(Some("/a:/b")), "/a:/b:/own/bin");
        assert_eq!(path(Some("/a:/own/bin:/b")), "/a:/own/bin:/b");
        assert!(path(None).to_string_lossy().ends_with("/bin:/own/bin"));
    }
}
