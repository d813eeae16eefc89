//! Planned checks → Buildkite's steps, as JSON for `buildkite-agent pipeline upload
//! --no-interpolation`: what stands in a step is what the step's job is given.

pub mod file;
mod group;
mod jobs;
mod options;
mod step;

pub use group::{Group, Groups};
pub use jobs::{JOBS_PER_BUILD, Uploads};
pub use options::of_check as job_options;
pub use step::{Renderer, Step};

/// The reference of this plugin where nobody says which one is in use: this version's own.
pub fn own_reference() -> String {
    format!("rust-vmm/rust-vmm-ci#v{}", env!("CARGO_PKG_VERSION"))
}
