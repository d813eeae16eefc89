//! The files of a checkout of which many are read. What its place is, is found out once. A path without links
//! costs one call of the system, and none where the folder that it would be in was listed and has no such name.

use super::listed::{Answer, Listed};
use super::system::{Folder, Kind};
use super::{LONGEST, as_text, is_absent, plain_bytes};
use rust_vmm_ci_core::workspace::{Files, Link};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The files of a checkout, or of a folder in it. They are taken to stay as they are as long as it is used.
#[derive(Debug)]
pub struct Checkout {
    root: PathBuf,
    /// The place of the root, with all links resolved. None if there is no such folder.
    real: Option<PathBuf>,
    /// The root, opened. None where the system cannot look below an open folder.
    folder: Option<Folder>,
    listed: Listed,
    readers: usize,
}

impl Checkout {
    /// The files below `root`. `readers` is the number of threads that may read at the same time.
    pub fn at(root: &Path, readers: usize) -> Self {
        let real = dunce::canonicalize(root).ok();
        let folder = real.as_deref().and_then(Folder::open);
        Self { root: root.to_owned(), real, folder, listed: Listed::default(), readers }
    }

    /// The sorted names in a folder, in the way that follows links.
    fn entries(&self, path: &str) -> io::Result<Arc<[(String, Kind)]>> {
        if let Some(known) = self.listed.names(path) {
            return Ok(known);
        }
        if is_plain(path) && self.listed.answer(path) == Answer::Absent {
            return Ok(Arc::default());
        }
        let sorted = |mut names: Vec<(String, Kind)>| -> Arc<[(String, Kind)]> {
            names.sort_by(|(one, _), (other, _)| one.cmp(other));
            names.into()
        };
        let quickly = self.folder.as_ref().and_then(|folder| folder.entries(Path::new(path)));
        let is_quick = quickly.is_some();
        match quickly.unwrap_or_else(|| entries(&self.root.join(path))).map(sorted) {
            Err(error) if is_absent(&error) => Ok(Arc::default()),
            // Only the quick way refuses links on the path.
            Ok(names) if is_quick && (path.is_empty() || is_plain(path)) => {
                self.listed.add(path, &names);
                Ok(names)
            }
            listed => listed,
        }
    }
}

impl Files for Checkout {
    fn read(&self, path: &str) -> io::Result<Option<String>> {
        let quickly = self.folder.as_ref().filter(|_| is_plain(path));
        if quickly.is_some() && self.listed.answer(path) == Answer::Absent {
            return Ok(None);
        }
        match quickly.and_then(|folder| folder.file(Path::new(path))) {
            Some(Ok(file)) => as_text(plain_bytes(&file, LONGEST)?).map(Some),
            Some(Err(_)) => Ok(None),
            None => super::text(&self.root, path),
        }
    }

    fn list(&self, path: &str) -> io::Result<Vec<(String, bool)>> {
        // Links are asked for separately: `**` could walk in circles.
        let entries = self.entries(path)?;
        Ok(entries.iter().map(|(name, kind)| (name.clone(), *kind == Kind::Folder)).collect())
    }

    fn links(&self, path: &str) -> io::Result<Vec<Link>> {
        let entries = self.entries(path)?;
        let links = entries.iter().filter(|(_, kind)| *kind == Kind::Link);
        let link = |(name, _): &(String, Kind)| {
            let at = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
            Link { name: name.clone(), to: self.real(&at), is_folder: self.root.join(at).is_dir() }
        };
        Ok(links.map(link).collect())
    }

    fn real(&self, path: &str) -> Option<String> {
        if let Some(folder) = self.folder.as_ref().filter(|_| is_plain(path)) {
            match self.listed.answer(path) {
                Answer::Absent => return None,
                Answer::Present => return Some(path.to_owned()),
                Answer::Unknown if folder.has_without_links(Path::new(path)) => return Some(path.to_owned()),
                Answer::Unknown => {}
            }
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
        let (long, deep) =
            (format!("folder/{}", "x".repeat(300)), format!("folder/{}", "x/".repeat(3000) + "x"));
        let quick = Checkout::at(&root, 1);
        let slow = Checkout { folder: None, ..Checkout::at(&root, 1) };
        assert_eq!(quick.folder.is_some(), cfg!(target_os = "linux"));
        let paths = [
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
            "folder/absent",
            "folder/inner/absent",
            "folder/inner/absent/below",
            "folder/link/below",
            "other/absent",
            "FILE",
            "file.",
            "fi\0le",
            "folder/fi\0le",
            long.as_str(),
            deep.as_str(),
        ];
        // The second time, the quick way knows the folders that it has listed.
        for path in paths.into_iter().chain(paths) {
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

    /// What appears later is not seen: the system is not asked again.
    #[test]
    #[cfg(target_os = "linux")]
    fn a_listed_folder_says_what_is_absent_in_it() {
        let (_scratch, root) = checkout();
        let files = Checkout::at(&root, 1);
        files.list("").unwrap();
        files.links("folder").unwrap();
        fs::create_dir_all(root.join("folder/new")).unwrap();
        for path in ["new", "folder/new/file", "folder/inner/file"] {
            fs::write(root.join(path), "text").unwrap();
        }
        for path in ["new", "folder/new", "folder/new/file"] {
            assert_eq!(files.read(path).unwrap(), None, "{path}");
            assert_eq!(files.real(path), None, "{path}");
            assert_eq!(files.list(path).unwrap(), [], "{path}");
        }
        // This folder was not listed.
        assert_eq!(files.read("folder/inner/file").unwrap().as_deref(), Some("text"));
        // What replaces a file is judged as without the list.
        fs::remove_file(root.join("file")).unwrap();
        symlink("../secret", root.join("file")).unwrap();
        assert!(files.read("file").unwrap_err().to_string().contains("out of the checkout"));
    }

    /// In such a folder, the system refuses to say what is absent.
    #[test]
    #[cfg(target_os = "linux")]
    fn a_folder_that_may_only_be_listed_says_nothing_about_other_names() {
        use std::os::unix::fs::PermissionsExt as _;
        if rustix::process::geteuid().is_root() {
            return;
        }
        let (_scratch, root) = checkout();
        fs::set_permissions(root.join("folder"), fs::Permissions::from_mode(0o444)).unwrap();
        let files = Checkout::at(&root, 1);
        assert_eq!(files.list("folder").unwrap().len(), 3);
        assert_eq!(files.read("folder/absent").unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        fs::set_permissions(root.join("folder"), fs::Permissions::from_mode(0o755)).unwrap();
    }
}
