//! Reads what is configured for cargo, in files of the repository and of the person, and in variables.

use crate::files;
use rust_vmm_ci_core::workspace::CargoConfig;
use rust_vmm_ci_core::workspace::cargo_config::{CargoPlace, FileText};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// The configuration that cargo finds if it is started in `dir`. `variables` are those that its command sets,
/// in addition to this process's. `arguments` are its arguments before `--`.
pub fn of(dir: &Path, variables: &[(String, String)], arguments: &[String]) -> CargoConfig {
    // cargo sees the folder that the system knows, without links.
    let dir = dunce::canonicalize(dir).unwrap_or_else(|_| dir.to_owned());
    let mut all: BTreeMap<String, String> = std::env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
        .collect();
    all.extend(variables.iter().cloned());
    let home = all.get("CARGO_HOME").filter(|home| !home.is_empty()).map(|home| dir.join(home));
    let person = || all.get("HOME").map(PathBuf::from).or_else(std::env::home_dir);
    let home = home.or_else(|| person().map(|home| home.join(".cargo")));
    CargoConfig::read(CargoPlace { dir: &dir, home, variables: all, arguments }, &read)
}

fn read(path: &Path) -> FileText {
    match text(path) {
        Ok(text) => FileText::Text(text),
        Err(error) if files::is_absent(&error) => FileText::Absent,
        Err(_) => FileText::Unreadable,
    }
}

/// The text of a file that may be anywhere, as an included one is. What is no plain file is not opened: a
/// pipe would keep this process waiting.
fn text(path: &Path) -> io::Result<String> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let bytes = files::bounded(&std::fs::File::open(path)?, files::LONGEST)?;
    String::from_utf8(bytes).map_err(|_| io::ErrorKind::InvalidData.into())
}
