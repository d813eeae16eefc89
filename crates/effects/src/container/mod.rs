//! Where a job's work is done: on the host, or in a container that this module starts, watches and
//! removes.
//!
//! | room | what it does | effects |
//! |---|---|---|
//! | [`resolve`], `settings`, `options`, `policy` | turn the written options into a [`Container`] | `policy` reads a file |
//! | `engine` | builds the command line of `docker run`, makes all other calls, and gives failures a type | starts docker or podman |
//! | [`foreign`](Emulation) | asks whether this machine runs another platform's programs | starts a program of its own |
//! | `git_config` | writes git's configurations without passwords | files, and a call of git |
//! | `inside` | wraps the job's command in the container | starts the command |
//! | `kept` | keeps volumes between jobs, and cleans up after a job | files, and calls of `engine` |
//! | `run`, `end` | run a job from the pull to the verdict | calls of the other rooms; `end` has none |
//!
//! `engine` and `inside` do not know each other: what both sides of a container must agree on stands
//! in `names`. Every room may use `place`, `job`, `owner` and `mailbox`.

mod end;
mod engine;
mod foreign;
mod git_config;
mod inside;
mod job;
mod kept;
mod mailbox;
mod names;
mod options;
mod owner;
mod place;
mod policy;
mod resolve;
mod run;
mod settings;
mod word;

pub use foreign::Emulation;
pub use inside::{Inside, inside};
pub use job::Job;
pub use kept::clean_up::clean_up;
pub use kept::job_folder::{self, JobFolder};
pub use kept::volumes::{Volume, clean, list};
pub use names::{EMULATED, IMAGE_VARIABLE, IN_CONTAINER, REPORT_VARIABLE as REPORT, is_inside};
pub use options::check as check_option;
pub use place::{Container, Engine, Place, Pull, Shell, User};
pub use policy::{
    PATH as POLICY_PATH, VARIABLE as POLICY_VARIABLE, of_this_machine as policy, refuse_agents_variables,
};
pub use resolve::{Wanted, resolve};
pub use run::{Ran, run};
pub use rust_vmm_ci_core::config::Policy;
pub use settings::Settings;
pub use word::{watching_for_failure, word_of_failure};
