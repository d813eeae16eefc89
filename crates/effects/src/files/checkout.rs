//! The files of a checkout of which many are read. What its place is, is found out once, and a path without
//! links costs one call of the system.

use super::system::{Folder, Kind};
use super::{LONGEST, as_text, bounded, is_absent, plain};
use rust_vmm_ci_core::workspace::{Files, Link};
use std::io;
use std::path::{Path, PathBuf};

/// The files of a checkout, or of a folder in it.
#[derive(Debug)]
pub struct Checkout {
    root: PathBuf,
    /// The place of the root, with all links resolved. None if there is no such folder.
    real: Option<PathBuf>,
    /// The root, opened. None where the system cannot look below an open folder.
    folder: Option<Folder>,
    readers: usize,
}

impl Checkout {
    /// The files below `root`. `readers` is the number of threads that may read at the same time.
    pub fn at(root: &Path, readers: usize) -> Self {
        let real = dunce::canonicalize(root).ok();
        let folder = real.as_deref().and_then(Folder::open);
        Self { root: root.to_owned(), real, folder, readers }
    }

    /// The names in a folder, in the way that follows links.
    fn entries(&self, path: &str) -> io::Result<Vec<(String, Kind)>> {
        let quickly = self.folder.as_ref().and_then(|folder| folder.entries(Path::new(path)));
        match quickly.unwrap_or_else(|| entries(&self.root.join(path))) {
            Err(error) if is_absent(&error) => Ok(Vec::new()),
            listed => listed,
        }
    }
}

impl Files for Checkout {
    fn read(&self, path: &str) -> io::Result<Option<String>> {
        let quickly = self.folder.as_ref().filter(|_| is_plain(path));
        match quickly.and_then(|folder| folder.file(Path::new(path))) {
            Some(Ok(file)) => as_text(bounded(&plain(file)?, LONGEST)?).map(Some),
            Some(Err(_)) => Ok(None),
            None => super::text(&self.root, path),
        }
    }

    fn list(&self, path: &str) -> io::Result<Vec<(String, bool)>> {
        // Links are asked for separately: `**` could walk in circles.
        let listed = self.entries(path)?.into_iter().map(|(name, kind)| (name, kind == Kind::Folder));
        let mut names: Vec<(String, bool)> = listed.collect();
        names.sort();
        Ok(names)
    }

    fn links(&self, path: &str) -> io::Result<Vec<Link>> {
        let links = self.entries(path)?.into_iter().filter(|(_, kind)| *kind == Kind::Link);
        let link = |(name, _)| {
            let at = if path.is_empty() { String::clone(&name) } else { format!("{path}/{name}") };
            Link { to: self.real(&at), is_folder: self.root.join(at).is_dir(), name }
        };
        let mut links: Vec<Link> = links.map(link).collect();
        links.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(links)
    }

    fn real(&self, path: &str) -> Option<String> {
        let quick = self.folder.as_ref().filter(|_| is_plain(path));
        if quick.is_some_and(|folder| folder.has_without_links(Path::new(path))) {
            return Some(path.to_owned());
        }
        let whole = dunce::canonicalize(self.root.join(path)).ok()?;
        Some(whole.strip_prefix(self.real.as_ref()?).ok()?.to_str()?.replace('\\', "/"))
    }

    fn readers(&self) -> usize {
        self.readers
    }
}

/// Whether a path is only names with one `/` between them. Then it is the same text as its real path, if it leads
/// through no link.
fn is_plain(path: &str) -> bool {
    path.split('/').all(|part| !["", ".", ".."].contains(&part))
}

/// The names in a folder.
fn entries(folder: &Path) -> io::Result<Vec<(String, Kind)>> {
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        let kind = match kind {
            _ if kind.is_dir() => Kind::Folder,
            _ if kind.is_symlink() => Kind::Link,
            _ => Kind::Other,
        };
        // No manifest and no glob can hold a name that is not valid text.
        entries.extend(entry.file_name().into_string().ok().map(|name| (name, kind)));
    }
    Ok(entries)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    /// A checkout with links of every kind, and a file beside it.
    fn checkout() -> (tempfile::TempDir, PathBuf) {
        let scratch = tempfile::tempdir().unwrap();
        let root = scratch.path().join("checkout");
        fs::create_dir_all(root.join("folder/inner")).unwrap();
        fs::create_dir(root.join(".git")).unwrap();
        fs::write(root.join("file"), "text").unwrap();
        fs::write(root.join("folder/bytes"), b"\xff").unwrap();
        fs::write(scratch.path().join("secret"), "s3cr3t").unwrap();
        symlink("../file", root.join("folder/link")).unwrap();
        symlink("folder", root.join("other")).unwrap();
        symlink("../secret", root.join("out")).unwrap();
        symlink("..", root.join("above")).unwrap();
        symlink("nothing", root.join("dangling")).unwrap();
        symlink("round", root.join("round")).unwrap();
        (scratch, root)
    }

    /// The answers of the two ways must be the same: with the folder opened, and without.
    #[test]
    fn the_quick_way_answers_as_the_other_one() {
        let (_scratch, root) = checkout();
        let quick = Checkout::at(&root, 1);
        let slow = Checkout { folder: None, ..Checkout::at(&root, 1) };
        assert_eq!(quick.folder.is_some(), cfg!(target_os = "linux"));
        for path in [
            "",
            ".",
            "file",
            "file/below",
            "absent",
            "absent/below",
            "folder",
            "folder/",
            "folder/../file",
            "./file",
            "folder/inner",
            "folder/bytes",
            "folder/link",
            "other",
            "other/link",
            "out",
            "../secret",
            "above",
            "above/checkout/file",
            "above/secret",
            "dangling",
            "round",
        ] {
            let shown = |answer: io::Result<Option<String>>| answer.map_err(|error| error.to_string());
            assert_eq!(shown(quick.read(path)), shown(slow.read(path)), "{path}");
            assert_eq!(quick.real(path), slow.real(path), "{path}");
            let all = |files: &Checkout| {
                let listed = files.list(path).map_err(|error| error.to_string());
                (listed, files.links(path).map_err(|error| error.to_string()))
            };
            assert_eq!(all(&quick), all(&slow), "{path}");
        }
        assert_eq!(quick.read("file").unwrap().as_deref(), Some("text"));
        assert_eq!(quick.real("other/inner").as_deref(), Some("folder/inner"));
    }
}
