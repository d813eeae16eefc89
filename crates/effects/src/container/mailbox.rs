//! The folder through which the container reports to the host. It is mounted into the container, and the
//! job's own code can write anything to it. So it is read with care.

use super::owner;
use crate::files;
use anyhow::Result;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// The name of the folder within the job's private folder.
const NAME: &str = "inside";

/// A mailbox on the host.
#[derive(Debug)]
pub struct Mailbox(PathBuf);

impl Mailbox {
    /// Creates the mailbox in the private folder of a job.
    ///
    /// # Errors
    /// If it exists, or the system refuses.
    pub fn create(job_folder: &Path) -> Result<Self> {
        let path = job_folder.join(NAME);
        fs::create_dir(&path)?;
        // The user in the container can be any.
        owner::open_to_everyone(&path)?;
        Ok(Self(path))
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The content of a file. There is none if it is not a plain file, or is too long.
    pub fn read(&self, name: &str) -> Option<Vec<u8>> {
        self.read_or_refuse(name).ok().flatten()
    }

    /// The content of a file; none if there is none.
    ///
    /// # Errors
    /// If it is not a plain file, or is too long.
    pub fn read_or_refuse(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        match files::open_plain(&self.0.join(name)) {
            Ok(file) => files::bounded(&file, files::LONGEST_REPORT).map(Some),
            Err(error) if files::is_absent(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether there is a plain file of this name.
    pub fn has(&self, name: &str) -> bool {
        files::open_plain(&self.0.join(name)).is_ok()
    }

    /// The number that is the content of a file.
    pub fn number<T: FromStr>(&self, name: &str) -> Option<T> {
        String::from_utf8(self.read(name)?).ok()?.trim().parse().ok()
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_file_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let mailbox = Mailbox::create(folder.path()).unwrap();
        let secret = folder.path().join("secret");
        fs::write(&secret, "1").unwrap();
        std::os::unix::fs::symlink(&secret, mailbox.path().join("link")).unwrap();
        let pipe = mailbox.path().join("pipe");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &pipe,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
            0,
        )
        .unwrap();
        fs::create_dir(mailbox.path().join("folder")).unwrap();
        fs::write(mailbox.path().join("status"), "7\n").unwrap();
        assert_eq!(mailbox.number("status"), Some(7));
        for name in ["link", "pipe", "folder", "absent"] {
            assert_eq!(mailbox.read(name), None, "{name}");
            assert!(!mailbox.has(name), "{name}");
        }
    }
}
