//! Makes Buildkite's steps of planned checks, as JSON for `buildkite-agent pipeline upload
//! --no-interpolation`: the agent changes nothing in a step before the step's job gets it.

pub mod file;
mod group;
mod jobs;
mod options;
mod step;

pub use group::{Group, Groups};
pub use jobs::{JOBS_PER_BUILD, Uploads};
pub use options::of_check as job_options;
pub use step::{Renderer, Step, summary};

/// The reference of this plugin, if it is not known which one a pipeline uses: that of this version.
pub fn own_reference() -> String {
    format!("rust-vmm/rust-vmm-ci#v{}", env!("CARGO_PKG_VERSION"))
}
