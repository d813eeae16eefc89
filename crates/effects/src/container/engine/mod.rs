//! Docker and Podman: the command line of `docker run`, every other call, and their failures.
//!
//! [`arguments`](mod@arguments) and `variables` are pure. The calls here start the engine's program.
//! A call that asks ends when the job is cancelled; a call of the clean-up ends at its deadline instead.

mod arguments;
mod failure;
mod variables;

pub use arguments::{Host, LABEL, arguments, bind, check_image, image};
pub use failure::{Cause, Failure, Said};
pub use variables::{env_file, names_passed};

use super::{Engine, Pull};
use crate::process::{self, Command, Ended, Stream};
use crate::say;
use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

/// The pause between two looks for a container that the engine may still create.
const LOOK: Duration = Duration::from_millis(200);
/// The wait before the second try of a pull. It doubles with every further try.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// Words that `docker run --network` takes for a mode and not for the name of a network.
const NETWORK_MODES: [&str; 6] = ["host", "none", "bridge", "default", "slirp4netns", "pasta"];

impl Engine {
    /// A call of the engine.
    pub fn call<'a>(self, args: impl IntoIterator<Item = &'a str>) -> Command {
        Command::new(self.program()).args(args).leaves_daemons()
    }

    /// The failure of a call that gave no result.
    pub fn no_result(self, error: &anyhow::Error) -> Failure {
        Failure::no_result(self, error)
    }

    /// Asks the engine and returns its standard output.
    pub fn ask<'a>(self, args: impl IntoIterator<Item = &'a str>) -> Result<String, Failure> {
        let command = self.call(args);
        let captured = process::capture(&command).map_err(|error| self.no_result(&error))?;
        if captured.status.success() {
            return Ok(captured.text().trim().to_owned());
        }
        let ended = Ended::Exited(captured.status.code().unwrap_or(-1));
        Err(Failure::of(format!("`{command}` failed"), ended, &captured.complaint()))
    }

    /// Makes a call of the clean-up and returns its standard output. It ends at the deadline and goes on
    /// when the job is cancelled.
    pub fn ask_by(self, args: &[&str], deadline: Instant) -> Result<String, Failure> {
        let command = self.call(args.iter().copied()).despite_cancel();
        let (mut out, mut said) = (Vec::new(), Said::default());
        let ended = process::supervise(&command, Some(deadline), &mut |stream, line| match stream {
            Stream::Stdout => out.extend_from_slice(line),
            Stream::Stderr => said.add(line),
        })
        .map_err(|error| self.no_result(&error))?;
        match ended {
            Ended::Exited(0) => Ok(String::from_utf8_lossy(&out).trim().to_owned()),
            _ => Err(Failure::of(format!("`{command}` failed"), ended, said.as_str())),
        }
    }

    /// Pulls an image for a platform. A pull that fails is tried again if that may help. An image that is pinned by its
    /// digest and is already on this machine is used if the registry does not answer.
    pub fn pull(
        self,
        image: &str,
        platform: &str,
        pull: Pull,
        wait: &dyn Fn(Duration),
        on_line: &mut dyn FnMut(Stream, &[u8]),
    ) -> Result<(), Failure> {
        let mut pause = FIRST_WAIT;
        let mut attempt = 1;
        loop {
            let mut said = Said::default();
            let call = self.call(["pull", &format!("--platform={platform}"), image]);
            let ended = process::supervise(&call, None, &mut |stream, line| {
                if stream == Stream::Stderr {
                    said.add(line);
                }
                on_line(stream, line);
            })
            .map_err(|error| self.no_result(&error))?;
            if ended == Ended::Exited(0) {
                return Ok(());
            }
            let times = if attempt == 1 { "once".to_owned() } else { format!("{attempt} times") };
            let tried = format!("{} cannot pull {image} (tried {times})", self.program());
            let failure = Failure::of(tried, ended, said.as_str());
            if failure.cause == Cause::Cancelled {
                return Err(failure);
            }
            if attempt >= pull.tries || !failure.cause.may_pass() {
                if !is_pinned(image) || self.image_id(image).is_err() {
                    return Err(failure);
                }
                say::note(format_args!(
                    "{image} could not be pulled; it is pinned by its digest and here already"
                ));
                return Ok(());
            }
            say::note(format_args!("pulling failed; trying again in {} s", pause.as_secs()));
            wait(pause);
            pause *= 2;
            attempt += 1;
        }
    }

    /// The digest of an image on this machine. It differs when a tag names another image.
    pub fn image_id(self, image: &str) -> Result<String, Failure> {
        self.ask(["image", "inspect", "--format", "{{.Id}}", image])
    }

    /// The names of an image on this machine by its digest (`NAME@sha256:…`). An image that was built here has
    /// none.
    pub fn image_digests(self, image: &str) -> Vec<String> {
        let listed = self.ask(["image", "inspect", "--format", "{{json .RepoDigests}}", image]);
        listed.ok().and_then(|listed| serde_json::from_str(&listed).ok()).unwrap_or_default()
    }

    /// The user that the image names for its containers. It is empty for root.
    pub fn image_user(self, image: &str) -> Result<String, Failure> {
        self.ask(["image", "inspect", "--format", "{{.Config.User}}", image])
    }

    /// Creates a network if there is none of this name (docker plugin's rule).
    pub fn make_network(self, name: &str) -> Result<(), Failure> {
        if is_network_mode(name) || self.ask(["network", "inspect", name]).is_ok() {
            return Ok(());
        }
        self.ask(["network", "create", name]).map(drop)
    }

    /// Removes a volume. A volume that a container uses stays.
    pub fn remove_volume(self, name: &str) -> Result<(), Failure> {
        // Not with `--force`: podman would then remove the containers that use the volume too.
        self.ask(["volume", "rm", name]).map(drop)
    }

    /// Kills and removes the containers that have a label (`KEY=VALUE`). It looks again until there is none,
    /// because the engine may be about to start one. Where there is none at first, it looks so many times
    /// (`looks`): the engine goes on to create a container after its program was ended.
    ///
    /// # Errors
    /// If the engine does not answer, or one is left at the deadline.
    pub fn remove_containers(self, label: &str, looks: u32, deadline: Instant) -> Result<(), Failure> {
        let filter = format!("label={label}");
        let find = ["ps", "--all", "--quiet", "--no-trunc", "--filter", &filter];
        let mut failed = None;
        let mut left = looks;
        loop {
            let found = self.ask_by(&find, deadline)?;
            let found: BTreeSet<&str> = found.split_whitespace().collect();
            if found.is_empty() {
                left = left.saturating_sub(1);
                if left == 0 || Instant::now() + LOOK >= deadline {
                    return Ok(());
                }
                thread::sleep(LOOK);
                continue;
            }
            left = 0;
            if Instant::now() >= deadline {
                let tried = format!("cannot remove the containers with the label {label}");
                return Err(failed.unwrap_or_else(|| Failure::of(tried, Ended::TimedOut, "")));
            }
            let words: Vec<&str> = ["rm", "--force", "--volumes"].into_iter().chain(found).collect();
            // It fails for a container that the engine is already removing, which will soon be gone.
            failed = self.ask_by(&words, deadline).err();
            if failed.is_some() {
                thread::sleep(Duration::from_millis(50));
            }
        }
    }
}

/// Whether the name of an image contains its digest, so that it always means the same image.
fn is_pinned(image: &str) -> bool {
    image.contains("@sha256:")
}

/// Whether a value of `docker run --network` is a mode and not the name of a network.
fn is_network_mode(name: &str) -> bool {
    NETWORK_MODES.contains(&name) || name.contains(':')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mode_is_no_network_to_create() {
        for mode in ["host", "none", "container:other", "slirp4netns:mtu=1500"] {
            assert!(is_network_mode(mode), "{mode}");
        }
        assert!(!is_network_mode("ci-network"));
    }

    #[test]
    fn only_a_digest_pins_an_image() {
        assert!(is_pinned("rust@sha256:00") && !is_pinned("rust:1"));
    }
}
