//! What the whole program speaks of: platforms, systems, checks' and steps' names. No I/O.

mod feature_mode;
mod image;
mod name;
mod origin;
mod platform;
pub mod shown;
mod step;
mod suggest;

pub use feature_mode::FeatureMode;
pub use image::pinned_image;
pub use name::{CheckName, StepLabel};
pub use origin::Origin;
pub use platform::{Os, Platform};
pub use step::{BUILDKITE_STEP_KEYS, HYPERVISORS};
pub use suggest::{closest, did_you_mean};
