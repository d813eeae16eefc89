//! The names that the host and our wrapper in the container must agree on. The two are separate
//! processes of the same program.

/// The variable that tells our program that it runs in one of our containers.
pub const IN_CONTAINER: &str = "RUST_VMM_CI_IN_CONTAINER";
/// The variable that holds the name of the container's image. It is for the report.
pub const IMAGE_VARIABLE: &str = "RUST_VMM_CI_IMAGE";
/// The variable that tells our program that the machine emulates the platform of the container.
pub const EMULATED: &str = "RUST_VMM_CI_EMULATED";
/// The variable that names the file for the report as JSON. It is set on the host and in a container.
pub const REPORT_VARIABLE: &str = "RUST_VMM_CI_REPORT";

/// The folder of our program in a container. It is on PATH in nearly every image.
pub const PROGRAMS: &str = "/usr/local/bin";
/// Our program in a container.
pub const BINARY: &str = "/usr/local/bin/rust-vmm-ci";
/// Cargo's home in a container where a registry is kept. It is the container's own and ends with it. Its path
/// must stay the same: cargo compiles anew what has another path.
pub const CARGO_HOME: &str = "/rust-vmm-ci/cargo";
/// The mount point of the volume for cargo's registry.
pub const KEPT_REGISTRY: &str = "/rust-vmm-ci/kept-registry";
/// The mount point of the volume for the target directory, where the job only reads what is kept.
pub const KEPT_TARGET: &str = "/rust-vmm-ci/kept-target";
/// The mount point of the folder through which the container reports to the host.
pub const MAILBOX: &str = "/rust-vmm-ci/job";

/// Whether this process is in one of our containers: only they have this folder.
pub fn is_inside() -> bool {
    std::path::Path::new(MAILBOX).is_dir()
}

/// The file for the report, in [`MAILBOX`].
pub const REPORT: &str = "report.json";
/// The file that says that the wrapper has started, in [`MAILBOX`].
pub const STARTED: &str = "started";
/// The file that says why the command could not be started, in [`MAILBOX`].
pub const NOT_STARTED: &str = "not-started";
/// The file for the command's exit status, in [`MAILBOX`]. When it exists, the command has ended and its
/// files have been given to their owner.
pub const STATUS: &str = "status";
/// The file that says that the wrapper could not change the owner of all files, because it is not root.
/// The host must do it then. It is in [`MAILBOX`].
pub const FOREIGN: &str = "foreign";
/// The file for the size of the target directory in bytes, in [`MAILBOX`].
pub const TARGET_BYTES: &str = "target-bytes";
