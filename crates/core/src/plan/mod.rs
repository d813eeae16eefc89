//! Turns the configuration and the facts into planned checks. Pure: it starts no process and reads no file.

mod check;
mod decide;
mod emulated;
mod explain;
mod facts;
mod item;
mod names;
mod notes;
mod placeholders;
mod planner;
mod select;
mod settings;
mod settle;
mod several;
mod shares;
mod split;
#[cfg(test)]
mod tests;
mod text;
mod watch;
mod watched;
mod work;

pub use crate::checks::Work;
pub use check::PlannedCheck;
pub use explain::Explained;
pub use facts::Facts;
pub use names::is_meant;
pub use planner::{Asked, Planner};
pub use settings::{StepSettings, Traced, TracedMap};
pub use settle::AS_IMAGE;
pub use several::for_run as for_run_of_all;
pub use shares::shares;
pub use split::split;
pub use watched::Watched;

use crate::config::Config;
use crate::model::{Os, Platform};
use anyhow::Result;

/// The checks to run, with notes for the person who reads the log.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The checks, in order.
    pub checks: Vec<PlannedCheck>,
    /// Notes for the log.
    pub notes: Vec<String>,
}

/// The checks to run here. They are the ones that somebody asked for, else all that the configuration has for
/// the platform.
///
/// # Errors
/// Exit 2 for an unknown name, and for a check of another platform or system. The error says what to do.
pub fn for_run(config: &Config, facts: &Facts, platform: Platform, os: Os, asked: &Asked) -> Result<Plan> {
    several::for_run(&[(config, facts)], platform, os, asked)
}
