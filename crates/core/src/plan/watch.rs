//! The globs of `if_changed` in selective mode.
//!
//! The agent matches a glob against the whole path. So `crate/*` matches no file in the subfolders of the
//! crate (shared facts of the agent).

use crate::workspace::{Crates, Outside};

/// The paths that concern every crate: the predecessor's paths without its submodule, and those that it left
/// out (its defect 5).
pub const SHARED: [&str; 8] = [
    "Cargo.toml",
    "Cargo.lock",
    "rust-toolchain",
    "rust-toolchain.toml",
    ".cargo/**",
    ".buildkite/**",
    "clippy.toml",
    ".clippy.toml",
];

/// The folders of a package that cargo knows. In the root they are watched even if they do not exist, because
/// a change may remove them.
const CARGOS: [&str; 4] = ["benches", "examples", "src", "tests"];

/// The glob for everything in a folder.
pub fn of_folder(dir: &str) -> String {
    escaped(dir) + "/**"
}

/// A glob that matches only this path.
fn escaped(path: &str) -> String {
    const SPECIAL: &[u8] = b"*?[]{}\\";
    let mut glob = String::with_capacity(path.len() + 3);
    let mut rest = path;
    while let Some(at) = rest.bytes().position(|byte| SPECIAL.contains(&byte)) {
        glob.push_str(&rest[..at]);
        glob.push('\\');
        glob.push_str(&rest[at..=at]);
        rest = &rest[at + 1..];
    }
    glob.push_str(rest);
    glob
}

/// The globs for the parts of a crate that are outside its folder.
pub fn of_outside(outside: &Outside) -> String {
    match outside {
        Outside::Folder(folder) if folder.is_empty() => "**".into(),
        Outside::Folder(folder) => of_folder(folder),
        Outside::FilesIn(folder) if folder.is_empty() => "*".into(),
        Outside::FilesIn(folder) => escaped(folder) + "/*",
        Outside::File(file) => escaped(file),
    }
}

/// The globs for the package in the root: its files, and its folders without those of other members. `listed`
/// is the content of the root.
pub fn of_root(listed: &[(String, bool)], crates: &Crates) -> Vec<String> {
    let members = crates.members();
    let is_anothers = |name: &str| {
        members.iter().any(|member| member.dir == name || member.dir.starts_with(&format!("{name}/")))
    };
    let folders = listed.iter().filter(|(_, is_folder)| *is_folder).map(|(name, _)| name.as_str());
    let own = folders
        .filter(|name| !CARGOS.contains(name) && !matches!(*name, ".git" | "target") && !is_anothers(name));
    std::iter::once("*".to_owned()).chain(CARGOS.into_iter().chain(own).map(of_folder)).collect()
}

/// What to write instead of a hand-written glob that looks as if it matched a folder's whole content, but
/// does not. None for other globs.
pub fn too_shallow(glob: &str) -> Option<String> {
    let folder = glob.strip_suffix("/*")?;
    (!folder.is_empty() && !folder.ends_with("**")).then(|| format!("{folder}/**"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::{Files, MemoryFiles};

    #[test]
    fn a_folders_glob_reaches_into_it_and_takes_its_name_as_it_is() {
        assert_eq!(of_folder("crates/a"), "crates/a/**");
        assert_eq!(of_folder("a[1]"), "a\\[1\\]/**");
    }

    #[test]
    fn the_roots_package_is_watched_without_the_other_members() {
        let files = MemoryFiles::of(&[
            ("Cargo.toml", "[package]\nname = \"r\"\n[workspace]\nmembers = [\"crates/a\"]"),
            ("crates/a/Cargo.toml", "[package]\nname = \"a\""),
            ("docs/x", ""),
            ("src/lib.rs", ""),
            ("target/x", ""),
        ]);
        let globs = of_root(&files.list("").unwrap(), &Crates::read(&files).unwrap());
        assert_eq!(globs, ["*", "benches/**", "examples/**", "src/**", "tests/**", "docs/**"]);
    }

    #[test]
    fn a_glob_that_stops_at_the_folder_is_pointed_out() {
        assert_eq!(too_shallow("vm-memory/*").as_deref(), Some("vm-memory/**"));
        for fine in ["vm-memory/**", "*", "a/**/*", "Cargo.toml"] {
            assert_eq!(too_shallow(fine), None, "{fine}");
        }
    }
}
