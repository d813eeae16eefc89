//! Turns planned checks into Buildkite steps, as JSON for `buildkite-agent pipeline upload
//! --no-interpolation`. With that flag the agent passes a step to its job unchanged.

pub mod file;
mod group;
mod jobs;
mod options;
mod step;

pub use group::{Group, Groups};
pub use jobs::{JOBS_PER_BUILD, Uploads, Written, write_each};
pub use options::of_check as job_options;
pub use step::{Renderer, Step, summary};

/// The plugin reference to use if the pipeline's own reference is unknown: that of this version.
pub fn own_reference() -> String {
    format!("rust-vmm/rust-vmm-ci#v{}", env!("CARGO_PKG_VERSION"))
}
