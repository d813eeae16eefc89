//! The failures of docker and podman as a type. [`Failure::of`] is the only place that reads what an
//! engine writes to standard error. Everything else decides by the [`Cause`].

use super::super::Engine;
use crate::process::{self, Ended};
use thiserror::Error;

/// Why a call of an engine failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The agent's user may not use the engine.
    NotAllowed,
    /// The daemon of docker does not answer.
    NoDaemon,
    /// The service of podman does not answer.
    NoService,
    /// The daemon ended while it worked on the call.
    DaemonEnded,
    /// A disk is full.
    DiskFull,
    /// The registry refuses further pulls for now.
    RateLimit,
    /// The registry does not have the image, or does not give it to this agent.
    ImageRefused,
    /// The image is not on this machine.
    NoImage,
    /// The name of the image lacks its registry, which podman needs.
    ShortName,
    /// The image is for another kind of machine.
    OtherMachine,
    /// The image that is on this machine is the variant for another one.
    OtherVariant,
    /// The agent does not have a device.
    NoDevice,
    /// The image does not have a program.
    NoProgram,
    /// Our program needs a C library that the image does not have.
    NotStatic,
    /// Our program may not be executed in the container.
    NotExecutable,
    /// The daemon maps users, which an option does not allow.
    MappedUsers,
    /// Podman has no init program.
    NoInit,
    /// The engine does not see a path of the agent.
    PathNotSeen,
    /// The network, or a server behind it, does not answer.
    Network,
    /// The volume does not exist.
    NoVolume,
    /// A container uses the volume.
    VolumeInUse,
    /// The program of the engine is not installed.
    NotInstalled(Engine),
    /// The call did not answer in time and was ended.
    TimedOut,
    /// The job was cancelled, and so the call was ended.
    Cancelled,
    /// No known cause.
    Unknown,
}

use Cause::{
    DaemonEnded, DiskFull, ImageRefused, MappedUsers, Network, NoDaemon, NoDevice, NoImage, NoInit,
    NoProgram, NoService, NoVolume, NotAllowed, NotExecutable, NotInstalled, NotStatic, OtherMachine,
    OtherVariant, PathNotSeen, RateLimit, ShortName, Unknown, VolumeInUse,
};

/// Words of an engine in lower case, and the cause that they tell. The first words that match decide,
/// so a special message stands before a general one. The texts are those of Docker 20.10 to 29 and
/// Podman 4.3; the two about an absent C library are the kernel's and the loader's.
const WORDS: [(&str, Cause); 43] = [
    ("permission denied while trying to connect", NotAllowed),
    ("cannot connect to the docker daemon", NoDaemon),
    ("failed to connect to the docker api", NoDaemon),
    ("error during connect", NoDaemon),
    ("cannot connect to podman", NoService),
    ("no space left on device", DiskFull),
    ("toomanyrequests", RateLimit),
    ("unexpected eof", DaemonEnded),
    ("does not match the specified platform", OtherVariant),
    ("does not match the expected platform", OtherVariant),
    ("does not provide the specified platform", OtherVariant),
    ("no matching manifest", OtherVariant),
    ("no image found in ", OtherVariant),
    ("manifest unknown", ImageRefused),
    ("manifest for ", ImageRefused),
    ("pull access denied", ImageRefused),
    ("unauthorized", ImageRefused),
    ("no such image", NoImage),
    ("unable to find image", NoImage),
    ("image not known", NoImage),
    ("no such volume", NoVolume),
    ("volume is in use", VolumeInUse),
    ("is being used by the following container", VolumeInUse),
    ("invalid reference format", ImageRefused),
    ("error gathering device information", NoDevice),
    ("executable file not found", NoProgram),
    ("version `glibc_", NotStatic),
    ("rust-vmm-ci: no such file or directory", NotStatic),
    ("rust-vmm-ci failed: no such file or directory", NotStatic),
    ("rust-vmm-ci failed: permission denied", NotExecutable),
    ("rust-vmm-ci: permission denied", NotExecutable),
    ("rust-vmm-ci\": permission denied", NotExecutable),
    ("incompatible with user namespaces", MappedUsers),
    ("exec format error", OtherMachine),
    ("short-name", ShortName),
    ("container-init", NoInit),
    ("bind source path does not exist", PathNotSeen),
    ("statfs /", PathNotSeen),
    ("no such host", Network),
    ("timeout", Network),
    ("connection refused", Network),
    ("connection reset", Network),
    (": eof", Network),
];

impl Cause {
    /// The cause that the words of an engine tell.
    fn told_by(said: &str) -> Self {
        let said = said.to_lowercase();
        WORDS.iter().find(|(words, _)| said.contains(words)).map_or(Unknown, |(_, cause)| *cause)
    }

    /// Whether the same call may succeed if it is tried again.
    pub const fn may_pass(self) -> bool {
        matches!(self, RateLimit | Network | Unknown)
    }

    /// What a person can do about it.
    const fn remedy(self) -> Option<&'static str> {
        Some(match self {
            NotAllowed => "add the agent's user to the group docker",
            NoDaemon => "start docker on the agent (systemctl start docker), or check DOCKER_HOST",
            NoService => "start podman's service on the agent, or unset CONTAINER_HOST",
            DaemonEnded => "the daemon ended while the job ran: see the daemon's log (journalctl -u docker)",
            DiskFull => "free some space on the agent: `rust-vmm-ci cache clean`, `docker system prune`",
            RateLimit => {
                "log the agent in to the registry, or name a `registry-mirror` in the agent's policy"
            }
            ImageRefused | NoImage => "check `docker.image`; for a private image, check `docker login` too",
            ShortName => "write the image's registry too, such as docker.io/library/rust:1",
            OtherMachine => {
                "the image is for another kind of machine: check `docker.image` and `docker.platform`, or let this \
                 machine emulate that one (docs/agents.md, \"Another machine's platform\")"
            }
            OtherVariant => {
                "the registry has no variant of this image for that machine, or the image here is another \
                 variant: check `docker.image` and `docker.platform`"
            }
            NoDevice => "remove the device from `docker.devices`, or use an agent that has the device",
            NoProgram => "the image does not have that program: check `docker.shell` and `docker.entrypoint`",
            NotStatic => {
                "this rust-vmm-ci needs the C library of the agent: install a static one \
                 (RUSTFLAGS='-C target-feature=+crt-static' cargo install --target x86_64-unknown-linux-gnu …)"
            }
            NotExecutable => {
                "let every user read and execute the agent's rust-vmm-ci; where SELinux is enforced, add \
                 --security-opt=label=disable to the policy's `run-options`"
            }
            MappedUsers => {
                "the daemon maps users (userns-remap): set `userns: host` in `docker` or in the agent's policy"
            }
            NoInit => "install catatonit, or name an `init_path` in containers.conf",
            PathNotSeen => {
                "docker must see the agent's files under the same paths: check `docker.volumes`; if docker or \
                 the agent has a /tmp of its own (PrivateTmp, snap, a remote DOCKER_HOST), set TMPDIR to a \
                 folder that both see"
            }
            Network => {
                "check the agent's network and proxy, or name a `registry-mirror` in the agent's policy"
            }
            NotInstalled(Engine::Docker) => {
                "install docker on the agent, or work on the host with `docker: false`"
            }
            NotInstalled(Engine::Podman) => {
                "install podman on the agent, or work on the host with `docker: false`"
            }
            NoVolume | VolumeInUse | Cause::TimedOut | Cause::Cancelled | Unknown => return None,
        })
    }
}

/// A failed call of an engine. The program ends with status 3 for it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{tried}: {}{}", .detail, mend(*.cause))]
pub struct Failure {
    /// Why it failed.
    pub cause: Cause,
    /// What was tried.
    tried: String,
    /// What the engine wrote, or what ended the call.
    detail: String,
}

fn mend(cause: Cause) -> String {
    cause.remedy().map_or_else(String::new, |remedy| format!("\nto mend it: {remedy}"))
}

impl Failure {
    /// The failure of a call, from the way it ended and the words that the engine wrote to standard
    /// error.
    pub fn of(tried: impl Into<String>, ended: Ended, said: &str) -> Self {
        let (cause, detail) = match ended {
            Ended::TimedOut => (Cause::TimedOut, "it did not answer in time".to_owned()),
            Ended::Cancelled => (Cause::Cancelled, "the job was cancelled".to_owned()),
            Ended::Exited(_) | Ended::Signaled(_) if said.is_empty() => {
                (Unknown, "it wrote nothing".to_owned())
            }
            Ended::Exited(_) | Ended::Signaled(_) => (Cause::told_by(said), said.to_owned()),
        };
        Self { cause, tried: tried.into(), detail }
    }

    /// The failure of a call that gave no result: its program could not be started, or it was ended.
    pub fn no_result(engine: Engine, error: &anyhow::Error) -> Self {
        let cause = match process::Error::of(error) {
            Some(process::Error::NotFound { .. }) => NotInstalled(engine),
            Some(process::Error::Cancelled { .. }) => Cause::Cancelled,
            Some(process::Error::TimedOut { .. }) => Cause::TimedOut,
            _ => Unknown,
        };
        Self { cause, tried: format!("cannot run {}", engine.program()), detail: format!("{error:#}") }
    }
}

/// The last words that an engine wrote to standard error, kept for an error message.
#[derive(Debug, Default)]
pub struct Said(String);

impl Said {
    /// The most that is kept, in bytes.
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

    /// The words without white space around them.
    pub fn as_str(&self) -> &str {
        self.0.trim()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAILED: Ended = Ended::Exited(1);

    fn failure(said: &str) -> Failure {
        Failure::of("tried", FAILED, said)
    }

    #[test]
    fn a_failure_has_its_cause_and_its_remedy() {
        let cases = [
            (
                "Got permission denied while trying to connect to the Docker daemon socket",
                NotAllowed,
                "group",
            ),
            ("permission denied while trying to connect to the docker API at unix:///x", NotAllowed, "group"),
            ("Cannot connect to the Docker daemon at unix:///x. Is it running?", NoDaemon, "start docker"),
            ("failed to connect to the docker API at unix:///x; check if the path", NoDaemon, "start docker"),
            ("toomanyrequests: You have reached your pull rate limit.", RateLimit, "registry-mirror"),
            ("manifest for rustvmm/dev:x not found: manifest unknown", ImageRefused, "docker.image"),
            ("docker: Error response from daemon: No such image: a:1", NoImage, "docker.image"),
            ("Unable to find image 'a:1' locally", NoImage, "docker.image"),
            ("Error: a:1: image not known", NoImage, "docker.image"),
            ("dial tcp: lookup registry on 1.1.1.1:53: no such host", Network, "network"),
            ("exec /usr/local/bin/rust-vmm-ci: no such file or directory", NotStatic, "crt-static"),
            ("/lib/libc.so.6: version `GLIBC_2.39' not found (required by x)", NotStatic, "crt-static"),
            ("exec /usr/local/bin/rust-vmm-ci: exec format error", OtherMachine, "docker.platform"),
            ("no matching manifest for linux/arm64/v8 in the manifest list", OtherVariant, "no variant"),
            ("no image found in image index for architecture \"arm64\"", OtherVariant, "no variant"),
            ("exec: \"/usr/local/bin/rust-vmm-ci\": permission denied", NotExecutable, "SELinux"),
            ("privileged mode is incompatible with user namespaces.", MappedUsers, "userns: host"),
            ("Error: statfs /tmp/x: no such file or directory", PathNotSeen, "TMPDIR"),
            ("short-name \"a\" did not resolve to an alias", ShortName, "docker.io"),
            ("container-init binary not found on the host", NoInit, "catatonit"),
            ("write /x: no space left on device", DiskFull, "cache clean"),
            ("error gathering device information while adding \"/dev/kvm\"", NoDevice, "docker.devices"),
        ];
        for (said, cause, remedy) in cases {
            let failure = failure(said);
            assert_eq!(failure.cause, cause, "{said}");
            let text = failure.to_string();
            assert!(text.contains(said) && text.contains("\nto mend it: "), "{text}");
            assert!(text.split_once("\nto mend it: ").unwrap().1.contains(remedy), "{text}");
        }
    }

    #[test]
    fn a_failure_of_a_volume_is_told_from_others() {
        let cases = [
            ("Error response from daemon: get a: no such volume", NoVolume),
            ("Error: no such volume a", NoVolume),
            ("Error response from daemon: remove a: volume is in use - [1]", VolumeInUse),
            ("Error: volume a is being used by the following container(s): 1", VolumeInUse),
        ];
        for (said, cause) in cases {
            assert_eq!(failure(said).cause, cause, "{said}");
        }
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        assert!(failure("something new").cause.may_pass());
        assert!(failure("toomanyrequests").cause.may_pass());
        assert!(failure("read: connection reset by peer").cause.may_pass());
        assert!(!failure("manifest unknown").cause.may_pass());
        assert!(!Failure::of("tried", Ended::Cancelled, "toomanyrequests").cause.may_pass());
    }

    #[test]
    fn a_call_that_was_ended_says_so_whatever_the_engine_wrote() {
        let timed_out = Failure::of("`docker ps` failed", Ended::TimedOut, "no such volume");
        assert_eq!(timed_out.cause, Cause::TimedOut);
        assert_eq!(timed_out.to_string(), "`docker ps` failed: it did not answer in time");
        assert_eq!(failure("").to_string(), "tried: it wrote nothing");
    }

    #[test]
    fn a_failure_ends_the_program_with_status_3() {
        use rust_vmm_ci_core::exit;
        assert_eq!(exit::of(&failure("manifest unknown").into()), exit::Exit::Infrastructure);
    }

    #[test]
    fn the_end_of_what_was_said_is_kept() {
        let mut said = Said::default();
        for number in 0..20_000 {
            said.add(format!("é {number}\n").as_bytes());
        }
        assert!(said.as_str().ends_with("é 19999") && said.as_str().len() <= 2 * Said::KEPT);
    }
}
