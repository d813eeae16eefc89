//! Where a job's work is done: on the host, or in a container that this module starts, watches and
//! takes away.
//!
//! [`resolve`] is pure: it says which. [`run`] does it: the whole command of the job in one
//! container, under a wrapper (our own binary, `rust-vmm-ci hook inside`) that hands signals on,
//! gives the files to their owner, and says how the command ended, so that no failure of docker's is
//! taken for a verdict. [`clean_up`] takes away what a job that did not end in order has left.
//!
//! A job has a private folder beside the system's temporary files: what the container's side reports
//! comes back through it, and its `job.json`, written before anything is started, is what
//! [`clean_up`] goes by.

mod arguments;
mod cache;
mod clean_up;
mod engine;
mod failure;
mod folder;
mod inside;
mod job;
mod options;
mod owner;
mod policy;
mod resolve;
mod settings;
mod sources;
mod start;
mod variables;

pub use cache::{Volume, clean, list};
pub use clean_up::clean_up;
pub use inside::{Inside, inside};
pub use job::Job;
pub use options::check as check_option;
pub use owner::create_private_folder;
pub use policy::{VARIABLE as POLICY_VARIABLE, read as read_policy};
pub use resolve::{Wanted, resolve};
pub use rust_vmm_ci_core::config::Policy;
pub use settings::Settings;
pub use start::run;

use rust_vmm_ci_core::config::Cache;
use serde::{Deserialize, Serialize};

/// The variable by which our binary knows that it is in a container of ours.
pub const IN_CONTAINER: &str = "RUST_VMM_CI_IN_CONTAINER";
/// The variable that names the container's image, for the report.
pub const IMAGE_VARIABLE: &str = "RUST_VMM_CI_IMAGE";
/// The variable that names the file for the report, as JSON, within a container and without.
pub const REPORT: &str = "RUST_VMM_CI_REPORT";

/// Where work is done.
#[derive(Clone, Debug, PartialEq)]
pub enum Venue {
    /// Here.
    Host,
    /// In a container.
    Container(Box<Container>),
}

/// A container for one job's command.
#[derive(Clone, Debug, PartialEq)]
pub struct Container {
    /// What runs it.
    pub engine: Engine,
    /// The image's name, as the engine takes it.
    pub image: String,
    /// When and how often the image is pulled.
    pub pull: Pull,
    /// Whether the image's entrypoint runs the command in a virtual machine (riscv64).
    pub emulated: bool,
    /// The checkout's folder in it.
    pub workdir: String,
    /// Whether an init process is its first.
    pub init: bool,
    /// What reads the command.
    pub shell: Shell,
    /// A program in place of the image's entrypoint; empty for none.
    pub entrypoint: Option<String>,
    /// The user that the command runs as.
    pub user: User,
    /// The network that it joins, made where it is not there.
    pub network: Option<String>,
    /// Further flags of `docker run`, a word each.
    pub flags: Vec<String>,
    /// What is kept between jobs.
    pub cache: Cache,
    /// What all kept target directories may take together, in bytes.
    pub target_bytes: u64,
    /// Every option, with where it is from.
    pub settings: Settings,
}

/// A program that runs containers, with docker's command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// Docker.
    Docker,
    /// Podman.
    Podman,
}

impl Engine {
    /// The program's name.
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
    /// Before every job, and not only where the image is not there.
    pub always: bool,
    /// How often it is tried.
    pub tries: u32,
}

/// What reads a command's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shell {
    /// These words, and the text as the last.
    Words(Vec<String>),
    /// Nothing: the text is the image's or the entrypoint's one argument.
    None,
    /// Nothing: the text's words are the image's or the entrypoint's arguments. So where the command is
    /// ours, which needs no shell.
    Split,
}

/// The user within a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum User {
    /// The image's.
    Image,
    /// The one that the agent has on the host, by number.
    Agent,
    /// As `docker run --user` takes it.
    Named(String),
}
