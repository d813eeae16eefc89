//! A file that this process has locked.

use std::fs::File;
use std::io;
use std::ops::{Deref, DerefMut};

/// A file with a lock on it, which nobody else has. Dropping it frees the lock at once.
///
/// Closing the file does not always do that: a process that another thread starts at this moment has each open file
/// too, and with it the lock, until its program begins (`fork(2)`, `flock(2)`).
#[derive(Debug)]
pub struct Locked(File);

impl Locked {
    /// Waits for the lock.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn wait_for(file: File) -> io::Result<Self> {
        file.lock()?;
        Ok(Self(file))
    }

    /// Takes the lock, or gives the file back where somebody has the lock.
    ///
    /// # Errors
    /// The file, also if the system refuses.
    pub fn take(file: File) -> Result<Self, File> {
        if file.try_lock().is_ok() { Ok(Self(file)) } else { Err(file) }
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        // If this fails, closing the file frees the lock.
        let _ = self.0.unlock();
    }
}

impl Deref for Locked {
    type Target = File;

    fn deref(&self) -> &File {
        &self.0
    }
}

impl DerefMut for Locked {
    fn deref_mut(&mut self) -> &mut File {
        &mut self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_free_as_soon_as_it_is_dropped_even_if_the_file_is_still_open() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let locked = Locked::take(File::create(&path).unwrap()).unwrap();
        // As a process has it that is being started.
        let still_open = locked.try_clone().unwrap();
        assert!(Locked::take(File::open(&path).unwrap()).is_err());
        drop(locked);
        assert!(Locked::take(File::open(&path).unwrap()).is_ok());
        drop(still_open);
    }
}
