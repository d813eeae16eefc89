//! Copies folders of crates, and removes what was built in them.

use std::fs;
use std::path::Path;

/// Removes every target directory, wherever it is.
pub fn clean(root: &Path) {
    for entry in fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        if path.is_symlink() || !path.is_dir() {
            continue;
        }
        if was_built(&path) {
            fs::remove_dir_all(&path).unwrap();
        } else {
            clean(&path);
        }
    }
}

/// Whether a folder is a target directory. Cargo puts a tag into each one that it makes, and a note about the
/// compiler into all that it uses.
fn was_built(folder: &Path) -> bool {
    ["CACHEDIR.TAG", ".rustc_info.json"].iter().any(|name| folder.join(name).is_file())
}

/// Copies a folder, without what was built and without links, which may lead anywhere.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if was_built(&path) || path.is_symlink() {
            continue;
        }
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}
