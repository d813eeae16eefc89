//! The one folder that a job of ours has outside the checkout: the report that the job's command
//! leaves, and a link to this program. Named after the job, so that `pre-exit` finds it whatever
//! became of the process that made it.

use super::environment::variable;
use crate::exit::infrastructure;
use anyhow::{Context as _, Result};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The report's file in the folder.
pub const REPORT: &str = "report.json";
/// The variable that tells `run` where to leave its report.
pub const REPORT_VARIABLE: &str = "RUST_VMM_CI_REPORT";

/// The folder of this job.
fn path() -> PathBuf {
    let job = variable("BUILDKITE_JOB_ID").unwrap_or_else(|| format!("pid-{}", std::process::id()));
    let job: String = job.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    std::env::temp_dir().join(format!("rust-vmm-ci-{job}"))
}

/// Makes the folder, empty, for this user alone.
///
/// # Errors
/// Exit 3 where it cannot be made: somebody else's of that name is never used.
pub fn make() -> Result<PathBuf> {
    remove();
    let path = path();
    folder_of_ones_own(&path)
        .map_err(|error| infrastructure(format!("cannot make {}: {error}", path.display())))?;
    Ok(path)
}

/// Takes the folder away, where it is.
pub fn remove() {
    let _ = std::fs::remove_dir_all(path());
}

/// `PATH` with a folder before it in which this program has the name that people type.
///
/// # Errors
/// Where this program cannot be found or linked.
pub fn path_with_this_program(files: &Path) -> Result<OsString> {
    let program = std::env::current_exe().context("finding this program")?;
    let name = format!("rust-vmm-ci{}", std::env::consts::EXE_SUFFIX);
    let folder = if program.file_name().is_some_and(|file| file == name.as_str()) {
        program.parent().map(Path::to_owned).unwrap_or_default()
    } else {
        let folder = files.join("bin");
        std::fs::create_dir(&folder).context("making a folder for this program")?;
        link(&program, &folder.join(name)).context("linking this program")?;
        folder
    };
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::join_paths(std::iter::once(folder).chain(std::env::split_paths(&path))).context("PATH")
}

#[cfg(unix)]
fn folder_of_ones_own(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().mode(0o700).create(path)
}

#[cfg(windows)]
fn folder_of_ones_own(path: &Path) -> std::io::Result<()> {
    // The folder for temporary files is each user's own there.
    std::fs::create_dir(path)
}

#[cfg(unix)]
fn link(program: &Path, link: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(program, link)
}

#[cfg(windows)]
fn link(program: &Path, link: &Path) -> std::io::Result<()> {
    // A symbolic link needs a privilege there.
    std::fs::copy(program, link).map(drop)
}
