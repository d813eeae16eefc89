//! The private folder of a job on the host: the report that the job's command leaves, a link to this
//! program, and the temporary files of this program. The folder itself is
//! [`rust_vmm_ci_effects::container::job_folder`]'s, and so is its removal after this process was killed.

use super::environment::variable;
use anyhow::{Context as _, Result};
use rust_vmm_ci_effects::container::{Job, JobFolder, job_folder};
use rust_vmm_ci_effects::run::instrument::link;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The longest that removing the folder may take. On Windows a process that has just ended, or a virus
/// scanner, may have a file open.
const LIMIT: Duration = Duration::from_secs(1);

/// The job's folder. Dropping it removes it.
#[derive(Debug)]
pub struct JobFiles(JobFolder);

impl JobFiles {
    /// Creates the folder, empty, for this user alone. From now on this program creates its temporary
    /// files in it.
    ///
    /// # Errors
    /// Exit 3 if it cannot be created. A folder of that name that another user created is never used.
    pub fn make() -> Result<Self> {
        let folder = JobFolder::create(&Job::here(Path::new(".")), None)?;
        keep_temporary_files_in(folder.path());
        Ok(Self(folder))
    }

    /// The file to which the job's command writes its report.
    pub fn report(&self) -> PathBuf {
        self.0.path().join("report.json")
    }

    /// `PATH` with a folder at its beginning in which this program has the name that people type.
    ///
    /// # Errors
    /// If this program cannot be found or linked.
    pub fn path_with_this_program(&self) -> Result<OsString> {
        let program = std::env::current_exe().context("finding this program")?;
        let name = format!("rust-vmm-ci{}", std::env::consts::EXE_SUFFIX);
        let folder = if program.file_name().is_some_and(|file| file == name.as_str()) {
            program.parent().map(Path::to_owned).unwrap_or_default()
        } else {
            let folder = self.0.path().join("bin");
            fs::create_dir(&folder).context("creating a folder for this program")?;
            link(&program, &folder.join(name)).context("linking this program")?;
            folder
        };
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::join_paths(std::iter::once(folder).chain(std::env::split_paths(&path))).context("PATH")
    }
}

impl Drop for JobFiles {
    fn drop(&mut self) {
        // If this fails, `pre-exit` or the next job removes the folder.
        let _ = self.0.remove_by(Instant::now() + LIMIT);
    }
}

/// Makes this program create its temporary files in the folder that the job's hook created, if this
/// process is a part of a job.
pub fn keep_temporary_files_together() {
    if variable("BUILDKITE_JOB_ID").is_some()
        && let Some(path) = job_folder::of_host(&Job::here(Path::new(".")))
    {
        keep_temporary_files_in(&path);
    }
}

fn keep_temporary_files_in(folder: &Path) {
    // The second call in a process names the same folder, and is refused.
    let _ = tempfile::env::override_temp_dir(folder);
}
