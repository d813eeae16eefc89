//! A job's command in its container, from the pull to the verdict.

use super::arguments::{Found, arguments, image, is_wrapped};
use super::cache::{self, Held};
use super::clean_up::{self, settle};
use super::engine::{Said, error};
use super::folder::{Folder, REPORT, Record, STATUS, TARGET_BYTES};
use super::inside::{FOREIGN, STARTED};
use super::job::Job;
use super::{Container, User, failure, owner, variables};
use crate::process::{self, Ended, Stream};
use anyhow::Result;
use rust_vmm_ci_core::config::Cache;
use rust_vmm_ci_core::exit;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What the engine's client is given to end in after a cancel. The agent kills a hook after nine or
/// ten seconds, and what is left must be taken away before.
const GRACE: Duration = Duration::from_secs(4);
/// How much of docker's words an error repeats, in lines from the end.
const REPEATED: usize = 12;

/// How a job's command ended.
#[derive(Debug)]
pub struct Ran {
    /// With its own status, or cancelled.
    pub ended: Ended,
    /// The report that it wrote to [`super::REPORT`], where it did.
    pub report: Option<Vec<u8>>,
}

/// Runs a command in a container and takes the container away. `on_line` gets what the command and
/// the engine say, with line ends.
///
/// # Errors
/// Exit 2 where an option asks for what the job does not have, exit 3 where the engine fails: with its
/// words and, where it is known, the remedy.
pub fn run(
    container: &Container,
    command: &str,
    job: &Job,
    on_line: &mut dyn FnMut(Stream, &[u8]),
) -> Result<Ran> {
    clean_up::clean_up(job);
    for note in &container.settings.notes {
        on_line(Stream::Stderr, format!("note: {note}\n").as_bytes());
    }
    let image = image(container, job)?;
    if container.pull.always {
        container.engine.pull(&image, container.pull, &pause, on_line)?;
    }
    if let Some(network) = &container.network {
        container.engine.make_network(network)?;
    }
    let mut kept = Kept::of(container, job, &image, on_line)?;
    let record = Record {
        engine: container.engine,
        job: job.id.clone(),
        agent: job.agent.clone(),
        image: image.clone(),
        checkout: job.checkout.clone(),
        made: kept.made.clone(),
    };
    let folder = Folder::create(job, record)?;
    let run = attempt(container, command, job, &folder, &kept, on_line);
    let run = match run {
        Ok(End::NoImage(_)) => {
            container.engine.pull(&image, container.pull, &pause, on_line)?;
            attempt(container, command, job, &folder, &kept, on_line)
        }
        run => run,
    };
    let report = folder.read(REPORT);
    let bytes = folder.number(TARGET_BYTES);
    let in_order = matches!(run, Ok(End::Told(_))) && folder.read(FOREIGN).is_none();
    let deadline = clean_up::deadline();
    let settled = if in_order { clean_up::finish(&folder, deadline) } else { settle(folder, deadline) };
    if let Err(error) = settled {
        on_line(Stream::Stderr, format!("rust-vmm-ci: cleaning up: {error:#}\n").as_bytes());
    }
    if let Err(error) = kept.release(job, bytes, container.target_bytes) {
        on_line(Stream::Stderr, format!("rust-vmm-ci: what is kept between jobs: {error:#}\n").as_bytes());
    }
    match run? {
        End::Told(ended) | End::Other(ended) => Ok(Ran { ended, report }),
        End::NoImage(failure) => Err(failure),
    }
}

/// How an attempt ended.
enum End {
    /// As our wrapper in the container said: all is in order.
    Told(Ended),
    /// Otherwise: something may be left.
    Other(Ended),
    /// Not begun, since the image is not there.
    NoImage(anyhow::Error),
}

fn attempt(
    container: &Container,
    command: &str,
    job: &Job,
    folder: &Folder,
    kept: &Kept,
    on_line: &mut dyn FnMut(Stream, &[u8]),
) -> Result<End> {
    let env_file = variables::env_file(job);
    let known_hosts = job.variable("HOME").map(|home| Path::new(home).join(".ssh/known_hosts"));
    let found = Found {
        binary: &binary()?,
        folder: &folder.inside(),
        owner: owner::of(&folder.path)?,
        env_file: env_file.as_deref(),
        known_hosts: known_hosts.as_deref().filter(|file| file.is_file()),
        registry: kept.registry.as_deref(),
        target: kept.target.as_ref().map(|held| held.volume.name.as_str()),
    };
    let words = arguments(container, job, command, &found)?;
    let call = container.engine.call(words.iter().map(String::as_str)).grace(GRACE);
    if container.settings.flag("debug") {
        on_line(Stream::Stderr, format!("$ {call}\n").as_bytes());
    }
    let mut said = Said::default();
    let ended = process::supervise(&call, None, &mut |stream, line| {
        if stream == Stream::Stderr {
            said.add(line);
        }
        on_line(stream, line);
    })
    .map_err(|error| container.engine.is_missing(error))?;
    judge(container, folder, ended, said.as_str())
}

/// What an end of the engine's client means. What our wrapper said goes before the client's own
/// status: that is 125 where the daemon died after the command had ended well, and the command's where
/// it is 125 itself.
fn judge(container: &Container, folder: &Folder, ended: Ended, said: &str) -> Result<End> {
    let program = container.engine.program();
    if ended == Ended::Cancelled {
        return Ok(End::Other(ended));
    }
    if let Some(status) = folder.number::<u8>(STATUS) {
        let told = Ended::Exited(i32::from(status));
        return Ok(if ended == told { End::Told(told) } else { End::Other(told) });
    }
    let begun = folder.read(STARTED).is_some();
    let words: Vec<&str> = said.lines().filter(|line| !begun || is_engines(line)).collect();
    let words = words[words.len().saturating_sub(REPEATED)..].join("\n");
    match ended {
        Ended::Exited(status) if !is_wrapped(container) && !is_engines_failure(status, said) => {
            Ok(End::Other(ended))
        }
        _ if !begun && failure::is_no_image(&words) => {
            Ok(End::NoImage(error(&format!("{program} does not have the image"), &words)))
        }
        Ended::Exited(status) if begun => {
            let tried = format!(
                "the container ended (status {status}) before the command had: it was killed, ran out of \
                 memory, or the daemon went away"
            );
            Err(error(&tried, &words))
        }
        Ended::Exited(status) => {
            Err(error(&format!("{program} could not run the container (status {status})"), &words))
        }
        _ => Err(exit::infrastructure(format!("the program `{program}` was killed while the job ran"))),
    }
}

/// Whether a status of `docker run` is docker's own (its manual, "Exit status"): 125, and 126 and 127
/// where it says that it could not start the command.
fn is_engines_failure(status: i32, said: &str) -> bool {
    status == 125 || ((126..=127).contains(&status) && said.lines().any(is_engines))
}

/// Whether a line is docker's or podman's own.
fn is_engines(line: &str) -> bool {
    let heads = ["docker: ", "Error: ", "Error response", "error during connect", "time=\"", "Unable to"];
    heads.iter().any(|head| line.starts_with(head)) || line.contains("level=error")
}

/// Our own program, as it is to be mounted.
fn binary() -> Result<PathBuf> {
    let path = std::env::current_exe()
        .map_err(|error| exit::infrastructure(format!("where this program is: {error}")))?;
    if !path.is_file() {
        // An upgrade took its place while it ran; the kernel's name for it then ends in " (deleted)".
        return Err(exit::infrastructure(format!(
            "{}: this program was replaced while it ran; retry the job",
            path.display()
        )));
    }
    Ok(path)
}

fn pause(time: Duration) {
    let end = Instant::now() + time;
    while Instant::now() < end && !process::cancelled() {
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// What is kept between jobs, for this one.
#[derive(Debug, Default)]
struct Kept {
    registry: Option<String>,
    target: Option<Held>,
    /// The folder `target` of the checkout, where it was made for the volume.
    made: Option<PathBuf>,
}

impl Kept {
    /// The volumes for a job. Where one cannot be had the job runs without it.
    fn of(
        container: &Container,
        job: &Job,
        image: &str,
        on_line: &mut dyn FnMut(Stream, &[u8]),
    ) -> Result<Self> {
        let mut kept = Self::default();
        if container.emulated || container.cache == Cache::None {
            return Ok(kept);
        }
        let (user, _) = owner::of(&job.checkout)?;
        match cache::registry(job, container.engine, image, user) {
            Ok(name) => kept.registry = Some(name),
            Err(error) => {
                on_line(
                    Stream::Stderr,
                    format!("note: nothing is kept between jobs: {error:#}\n").as_bytes(),
                );
                return Ok(kept);
            }
        }
        if container.cache != Cache::Target || !is_wrapped(container) {
            return Ok(kept);
        }
        let id = match container.engine.image_id(image) {
            Err(error) if failure::is_no_image(&error.to_string()) => {
                container.engine.pull(image, container.pull, &pause, on_line)?;
                container.engine.image_id(image)?
            }
            id => id?,
        };
        if !is_root(container, image, user)? {
            on_line(
                Stream::Stderr,
                b"note: the container's user is not root, and so `target` is not kept between jobs\n",
            );
            return Ok(kept);
        }
        let folder = job.checkout.join("target");
        kept.made = make_mount_point(&folder);
        if folder.is_symlink() || !folder.is_dir() {
            on_line(Stream::Stderr, b"note: `target` is no folder here, so it is not kept between jobs\n");
            return Ok(kept);
        }
        kept.target = cache::target(job, container.engine, &id)?;
        if kept.target.is_none() {
            on_line(
                Stream::Stderr,
                b"note: another job uses the kept target directory; this one has its own\n",
            );
        }
        Ok(kept)
    }

    fn release(&mut self, job: &Job, bytes: Option<u64>, limit: u64) -> Result<()> {
        if let Some(held) = self.target.take() {
            held.release(bytes)?;
            cache::evict(&job.state, limit)?;
        }
        Ok(())
    }
}

/// Whether the container's user is root, to whom a new volume belongs.
fn is_root(container: &Container, image: &str, agent: u32) -> Result<bool> {
    let user = match &container.user {
        User::Agent => agent.to_string(),
        User::Named(name) => name.clone(),
        User::Image => container.engine.image_user(image)?,
    };
    Ok(["", "0", "root"].contains(&user.split(':').next().unwrap_or_default()))
}

/// Makes the folder that a volume is mounted on: docker would make it as root.
fn make_mount_point(folder: &Path) -> Option<PathBuf> {
    std::fs::create_dir(folder).is_ok().then(|| folder.to_owned())
}
