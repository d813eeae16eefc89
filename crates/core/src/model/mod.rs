//! Values that every other room uses: platforms, operating systems, names of checks, labels of steps,
//! and how text from outside is shown.

pub mod address;
mod feature_mode;
pub mod git_config;
mod image;
mod name;
mod origin;
mod platform;
pub mod secrets;
pub mod shown;
mod step;
mod suggest;
mod variable;

pub use feature_mode::FeatureMode;
pub use image::{image_by_digest, image_digest, image_repository, is_same_repository, pinned_image};
pub use name::{CheckName, StepLabel};
pub use origin::Origin;
pub use platform::{Os, Platform};
pub use step::{BUILDKITE_STEP_KEYS, HYPERVISORS};
pub use suggest::{closest, did_you_mean, mistakes, with_our_word};
pub use variable::variable_matters;
