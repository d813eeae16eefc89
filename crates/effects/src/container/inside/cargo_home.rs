//! The volume for cargo's registry, made into a cargo home.

use anyhow::{Context as _, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// The entries of cargo's home that are kept in the volume. All others are the image's.
const KEPT: [&str; 6] =
    ["registry", "git", "advisory-db", "advisory-dbs", ".package-cache", ".package-cache-mutate"];

/// Makes the volume into a cargo home with links to all that the image's own cargo home has, except for
/// [`KEPT`]. Returns whether there is a volume.
///
/// # Errors
/// If the volume cannot be written to.
pub fn prepare(volume: &Path) -> Result<bool> {
    let home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".cargo")));
    if !volume.is_dir() {
        return Ok(false);
    }
    tempfile::tempfile_in(volume).context("the volume cannot be written to by the container's user")?;
    let Some(Ok(entries)) = home.map(fs::read_dir) else { return Ok(true) };
    for entry in entries {
        let entry = entry?;
        if KEPT.iter().any(|kept| entry.file_name() == *kept) {
            continue;
        }
        link(&entry.path(), &volume.join(entry.file_name()))?;
    }
    Ok(true)
}

/// Creates a symbolic link, or changes the target of a link. Anything else stays as it is.
fn link(to: &Path, at: &Path) -> Result<()> {
    if fs::read_link(at).is_ok_and(|there| there == to) {
        return Ok(());
    }
    if at.is_symlink() {
        fs::remove_file(at)?;
    }
    #[cfg(unix)]
    let made = std::os::unix::fs::symlink(to, at);
    #[cfg(not(unix))]
    let made = Err(std::io::Error::other(format!("no link from {} to {}", at.display(), to.display())));
    match made {
        // Another job of the same image has created it in the meantime.
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        made => made.with_context(|| format!("linking {}", at.display())),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_made_anew_where_it_leads_elsewhere() {
        let scratch = tempfile::tempdir().unwrap();
        let at = scratch.path().join("bin");
        for to in ["/a", "/b", "/b"] {
            link(Path::new(to), &at).unwrap();
            assert_eq!(fs::read_link(&at).unwrap(), Path::new(to));
        }
    }
}
