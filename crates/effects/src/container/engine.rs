//! Docker and Podman: the calls beside `run`.

use super::arguments::LABEL;
use super::{Engine, Pull, failure};
use crate::process::{self, Command, Ended, Stream};
use anyhow::Result;
use rust_vmm_ci_core::exit;
use std::thread;
use std::time::{Duration, Instant};

/// The wait before the second try of a pull; it doubles.
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// Words of the engine's standard error, kept to be shown again with an error.
#[derive(Debug, Default)]
pub struct Said(String);

impl Said {
    /// The most that is kept, in bytes, from the end.
    const KEPT: usize = 16 << 10;

    /// Adds a line.
    pub fn add(&mut self, line: &[u8]) {
        self.0.push_str(&String::from_utf8_lossy(line));
        if self.0.len() > 2 * Self::KEPT {
            let cut = self.0.len() - Self::KEPT;
            let cut = (cut..self.0.len()).find(|at| self.0.is_char_boundary(*at)).unwrap_or(cut);
            self.0.drain(..cut);
        }
    }

    /// The words.
    pub fn as_str(&self) -> &str {
        self.0.trim()
    }
}

/// The error of a failed call: what was tried, the engine's words, and the remedy.
pub fn error(tried: &str, said: &str) -> anyhow::Error {
    let remedy = failure::remedy(said).map_or(String::new(), |remedy| format!("\nto mend it: {remedy}"));
    let said = if said.is_empty() { "it said nothing" } else { said };
    exit::infrastructure(format!("{tried}: {said}{remedy}"))
}

impl Engine {
    /// A call of the engine.
    pub fn call<'a>(self, args: impl IntoIterator<Item = &'a str>) -> Command {
        Command::new(self.program()).args(args)
    }

    /// What a call answers on standard output.
    ///
    /// # Errors
    /// Exit 3 with the engine's words.
    pub fn answer<'a>(self, args: impl IntoIterator<Item = &'a str>) -> Result<String> {
        let command = self.call(args);
        let captured = process::capture(&command).map_err(|error| self.is_missing(error))?;
        if captured.status.success() {
            return Ok(captured.text().trim().to_owned());
        }
        Err(error(&format!("`{command}` failed"), &captured.complaint()))
    }

    /// What a call answers on standard output within a time, in a cancelled job too.
    ///
    /// # Errors
    /// Exit 3 with the engine's words.
    pub fn answer_by(self, args: &[&str], deadline: Instant) -> Result<String> {
        let command = self.call(args.iter().copied()).despite_cancel();
        let (mut out, mut said) = (Vec::new(), Said::default());
        let ended = process::supervise(&command, Some(deadline), &mut |stream, line| match stream {
            Stream::Stdout => out.extend_from_slice(line),
            Stream::Stderr => said.add(line),
        })
        .map_err(|error| self.is_missing(error))?;
        match ended {
            Ended::Exited(0) => Ok(String::from_utf8_lossy(&out).trim().to_owned()),
            Ended::TimedOut => Err(exit::infrastructure(format!("`{command}` did not answer in time"))),
            _ => Err(error(&format!("`{command}` failed"), said.as_str())),
        }
    }

    /// Adds what to do to the error that the engine's program cannot be started.
    pub fn is_missing(self, error: anyhow::Error) -> anyhow::Error {
        if which::which(self.program()).is_ok() {
            return error;
        }
        let program = self.program();
        exit::infrastructure(format!(
            "{error:#}\nto mend it: install {program} on the agent, or work on the host with `docker: false`"
        ))
    }

    /// Pulls an image, more than once where it may help. An image that is pinned by its digest and is
    /// here already will do where the registry does not answer.
    ///
    /// # Errors
    /// Exit 3 with the engine's words.
    pub fn pull(
        self,
        image: &str,
        pull: Pull,
        wait: &dyn Fn(Duration),
        on_line: &mut dyn FnMut(Stream, &[u8]),
    ) -> Result<()> {
        let mut pause = FIRST_WAIT;
        for attempt in 1.. {
            let mut said = Said::default();
            let ended = process::supervise(&self.call(["pull", image]), None, &mut |stream, line| {
                if stream == Stream::Stderr {
                    said.add(line);
                }
                on_line(stream, line);
            })
            .map_err(|error| self.is_missing(error))?;
            match ended {
                Ended::Exited(0) => return Ok(()),
                Ended::Cancelled => return Err(exit::infrastructure("cancelled while pulling the image")),
                _ => {}
            }
            if attempt >= pull.tries || !failure::is_passing(said.as_str()) {
                if image.contains("@sha256:") && self.image_id(image).is_ok() {
                    let note = format!(
                        "warning: {image} could not be pulled; it is pinned by its digest and here already\n"
                    );
                    on_line(Stream::Stderr, note.as_bytes());
                    return Ok(());
                }
                let tried = format!("{} cannot pull {image} (tried {attempt} times)", self.program());
                return Err(error(&tried, said.as_str()));
            }
            let note = format!("pulling failed; trying again in {} s\n", pause.as_secs());
            on_line(Stream::Stderr, note.as_bytes());
            wait(pause);
            pause *= 2;
        }
        Ok(())
    }

    /// An image's own digest, by which a change of what a tag names is noticed.
    ///
    /// # Errors
    /// Exit 3 with the engine's words.
    pub fn image_id(self, image: &str) -> Result<String> {
        self.answer(["image", "inspect", "--format", "{{.Id}}", image])
    }

    /// The user that an image's containers run as unless told otherwise; empty for root.
    ///
    /// # Errors
    /// Exit 3 with the engine's words.
    pub fn image_user(self, image: &str) -> Result<String> {
        self.answer(["image", "inspect", "--format", "{{.Config.User}}", image])
    }

    /// Makes a network where there is none of this name (docker plugin's rule).
    ///
    /// # Errors
    /// Exit 3 with the engine's words.
    pub fn make_network(self, name: &str) -> Result<()> {
        // Modes of the network, and no names.
        if ["host", "none", "bridge", "default", "slirp4netns", "pasta"].contains(&name) || name.contains(':')
        {
            return Ok(());
        }
        if self.answer(["network", "inspect", name]).is_ok() {
            return Ok(());
        }
        self.answer(["network", "create", name]).map(drop)
    }

    /// Kills and removes a job's containers, and says how many there were. Looks again until there is
    /// none, since one may have been about to be made.
    ///
    /// # Errors
    /// Exit 3 with the engine's words, where some are left.
    pub fn remove_containers(self, job: &str, deadline: Instant) -> Result<usize> {
        let filter = format!("label={LABEL}={job}");
        let mut removed = std::collections::BTreeSet::new();
        let mut failed = None;
        loop {
            let found =
                self.answer_by(&["ps", "--all", "--quiet", "--no-trunc", "--filter", &filter], deadline)?;
            let found: Vec<&str> = found.split_whitespace().collect();
            if found.is_empty() {
                return Ok(removed.len());
            }
            if Instant::now() >= deadline {
                break;
            }
            removed.extend(found.iter().map(|id| (*id).to_owned()));
            let words: Vec<&str> = ["rm", "--force", "--volumes"].into_iter().chain(found).collect();
            // One that is being removed already is an error, and soon gone.
            failed = self.answer_by(&words, deadline).err();
            if failed.is_some() {
                thread::sleep(Duration::from_millis(50));
            }
        }
        Err(failed.unwrap_or_else(|| exit::infrastructure(format!("containers of job {job} are left"))))
    }
}
