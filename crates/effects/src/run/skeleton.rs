//! Makes a place in which cargo resolves a workspace's dependencies and writes its lock file. What cargo
//! writes there never reaches the checkout.

use super::instrument::link;
use crate::files;
use anyhow::{Context as _, Result};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// cargo's lock file.
pub const LOCK: &str = "Cargo.lock";

/// Shows the whole file system again below `to`, and returns the place of `folder` in it. The folders from
/// the top down to `folder` and to the workspace's root are real ones, without a lock file. Everything else
/// in them is a link. So cargo finds what it finds in the checkout: path dependencies anywhere, links, and
/// every file of its configuration.
///
/// # Errors
/// Exit 3 where a folder or a link cannot be made.
pub fn shadow(folder: &Path, workspace_root: &Path, to: &Path) -> Result<PathBuf> {
    let real: BTreeSet<&Path> = folder.ancestors().chain(workspace_root.ancestors()).collect();
    // A folder comes after those that it is in.
    for from in &real {
        let here = below(to, from);
        std::fs::create_dir_all(&here).with_context(|| format!("making {}", here.display()))?;
        // A folder of another user may be one to pass through and not to list.
        for entry in std::fs::read_dir(from).into_iter().flatten().filter_map(Result::ok) {
            let path = entry.path();
            if entry.file_name() != LOCK && !real.contains(path.as_path()) {
                // What cannot be linked, such as a folder of Windows itself, is left out. Cargo says so where
                // it needs it.
                let _ = link(&path, &here.join(entry.file_name()));
            }
        }
    }
    Ok(below(to, folder))
}

/// The place of an absolute path below a folder.
fn below(to: &Path, path: &Path) -> PathBuf {
    let parts = path.components().filter(|part| matches!(part, std::path::Component::Normal(_)));
    parts.fold(to.to_owned(), |place, part| place.join(part))
}

/// Files that are copied by their names. Others are copied by their extensions.
const NAMES: [&str; 2] = ["config", ".cargo-checksum.json"];

/// Copies as much of the workspace below a folder as cargo needs: manifests and configuration unchanged, and
/// empty sources. This is for systems where a link needs a privilege.
///
/// # Errors
/// Exit 3 where a file cannot be read or written, or is refused by [`files`].
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    copy_below(from, from, to)
}

fn copy_below(top: &Path, from: &Path, to: &Path) -> Result<()> {
    let copy_file = |path: &Path, copied: &Path| -> std::io::Result<()> {
        // A link that leads to nothing is left out.
        match files::bytes(top, path.strip_prefix(top).unwrap_or(path))? {
            Some(bytes) => std::fs::write(copied, bytes),
            None => Ok(()),
        }
    };
    std::fs::create_dir_all(to).with_context(|| format!("making {}", to.display()))?;
    let entries = std::fs::read_dir(from).with_context(|| format!("reading {}", from.display()))?;
    for entry in entries {
        let entry = entry.with_context(|| format!("reading {}", from.display()))?;
        let (path, copied) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type().with_context(|| format!("reading {}", path.display()))?.is_dir() {
            // cargo marks a target directory by the file CACHEDIR.TAG.
            if entry.file_name() != ".git" && !path.join("CACHEDIR.TAG").exists() {
                copy_below(top, &path, &copied)?;
            }
            continue;
        }
        // A pipe would keep the copy waiting, and a link may lead nowhere. cargo says what it lacks.
        if !path.is_file() {
            continue;
        }
        let name = entry.file_name();
        let extension = path.extension().and_then(|extension| extension.to_str());
        match extension {
            Some("rs") => std::fs::write(&copied, b""),
            Some("toml") => copy_file(&path, &copied),
            _ if NAMES.iter().any(|known| name == *known) => copy_file(&path, &copied),
            _ => Ok(()),
        }
        .with_context(|| format!("copying {}", path.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(windows, ignore = "links need a privilege")]
    fn a_shadow_leads_to_all_that_is_around_a_folder_and_has_no_lock_file() {
        let from = tempfile::tempdir().unwrap();
        let root = dunce::canonicalize(from.path()).unwrap();
        let to = tempfile::tempdir().unwrap();
        for file in ["beside/lib.rs", "top/Cargo.toml", "top/Cargo.lock", "top/a/b/c.rs", "top/other/d.rs"] {
            let path = root.join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, file).unwrap();
        }
        let folder = shadow(&root.join("top/a"), &root.join("top"), to.path()).unwrap();
        let read = |file: &str| std::fs::read_to_string(folder.join(file)).ok();
        for file in ["../Cargo.toml", "b/c.rs", "../other/d.rs", "../../beside/lib.rs"] {
            assert!(read(file).is_some(), "{file}");
        }
        assert_eq!(read("../Cargo.lock"), None);
        std::fs::write(folder.join("../Cargo.lock"), "new").unwrap();
        assert_eq!(std::fs::read_to_string(root.join("top/Cargo.lock")).unwrap(), "top/Cargo.lock");
    }

    #[test]
    fn a_skeleton_has_manifests_and_empty_sources_only() {
        let from = tempfile::tempdir().unwrap();
        let to = tempfile::tempdir().unwrap();
        let files =
            ["Cargo.toml", "a/src/lib.rs", "a/data.bin", ".git/config", "target/x.rs", ".cargo/config"];
        for file in files.iter().chain(&["target/CACHEDIR.TAG"]) {
            let path = from.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "text").unwrap();
        }
        copy(from.path(), to.path()).unwrap();
        let read = |file: &str| std::fs::read_to_string(to.path().join(file)).ok();
        let copied = files.map(read);
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(copied, [text("text"), text(""), None, None, None, text("text")]);
    }
    #[cfg(unix)]
    #[test]
    fn what_is_no_plain_file_is_left_out_and_stops_nothing() {
        let from = tempfile::tempdir().unwrap();
        let to = tempfile::tempdir().unwrap();
        let at = |name: &str| from.path().join(name);
        std::fs::write(at("Cargo.toml"), "text").unwrap();
        std::os::unix::fs::symlink("nowhere", at("a.toml")).unwrap();
        std::os::unix::fs::symlink("b.toml", at("b.toml")).unwrap();
        std::os::unix::fs::symlink("/dev/zero", at("c.toml")).unwrap();
        std::os::unix::fs::symlink("..", at("d.toml")).unwrap();
        std::os::unix::fs::symlink("Cargo.toml", at("e.toml")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(at("f.toml")).unwrap();
        copy(from.path(), to.path()).unwrap();
        let names = std::fs::read_dir(to.path()).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
        names.sort();
        assert_eq!(names, ["Cargo.toml", "e.toml"]);
    }
}
