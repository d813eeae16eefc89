//! The places where a job's work can be done.

use super::settings::Settings;
use rust_vmm_ci_core::config::Cache;
use rust_vmm_ci_core::model::Platform;
use serde::{Deserialize, Serialize};

/// Where a job's work is done.
#[derive(Clone, Debug, PartialEq)]
pub enum Place {
    /// On the host, without a container.
    Host,
    /// In a container.
    Container(Box<Container>),
}

/// A container for the command of one job.
#[derive(Clone, Debug, PartialEq)]
pub struct Container {
    /// The program that runs it.
    pub engine: Engine,
    /// The name of the image, as the engine takes it.
    pub image: String,
    /// Which of the image's variants it is, as `docker run --platform` takes it. The engine is always told: a
    /// tag that is pulled for one machine replaces the one that was pulled for another.
    pub platform: String,
    /// The platform whose programs are in the image, where it is one of ours.
    pub machine: Option<Platform>,
    /// Whether this machine has to emulate that platform.
    pub is_foreign: bool,
    /// When and how often the image is pulled.
    pub pull: Pull,
    /// Whether the image's entrypoint runs the command in a virtual machine (riscv64).
    pub emulated: bool,
    /// The folder of the checkout in the container.
    pub workdir: String,
    /// Whether the first process in the container is an init process.
    pub init: bool,
    /// What reads the command.
    pub shell: Shell,
    /// A program that replaces the image's entrypoint. An empty text removes the entrypoint.
    pub entrypoint: Option<String>,
    /// The user that the command runs as.
    pub user: User,
    /// The network that the container joins. It is created if it does not exist.
    pub network: Option<String>,
    /// Further flags of `docker run`, one word each.
    pub flags: Vec<String>,
    /// What is kept between jobs.
    pub cache: Cache,
    /// Whether the job only reads what is kept. A pull request leaves nothing for other jobs.
    pub read_only: bool,
    /// The most that all kept target directories may take together, in bytes.
    pub target_bytes: u64,
    /// Every option with its origin.
    pub settings: Settings,
}

/// A program that runs containers and has docker's command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// Docker.
    Docker,
    /// Podman.
    Podman,
}

impl Engine {
    /// The name of the program.
    pub const fn program(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Podman => "podman",
        }
    }
}

/// When an image is pulled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pull {
    /// Whether it is pulled before every job. Otherwise it is pulled only when it is missing.
    pub always: bool,
    /// How often a pull is tried.
    pub tries: u32,
}

/// What reads the text of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shell {
    /// These words. The text follows as the last word.
    Words(Vec<String>),
    /// No shell: the whole text is one argument of the image's command or of the entrypoint.
    None,
    /// No shell: the words of the text are arguments of the image's command or of the entrypoint. This
    /// is for our own command, which needs no shell.
    Split,
}

/// The user in a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum User {
    /// The user that the image names.
    Image,
    /// The agent's user and group on the host, as numbers.
    Agent,
    /// A user as `docker run --user` takes it.
    Named(String),
}

impl Container {
    /// Whether the command runs under our wrapper, which reports how the command ended. It cannot when
    /// the entrypoint is the image's own, which we do not know, or starts a virtual machine.
    pub fn is_wrapped(&self) -> bool {
        let known = self.entrypoint.is_some() || matches!(self.shell, Shell::Words(_));
        known && !self.emulated
    }
}
