//! The files and options that make up Cargo's configuration.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// How deep files may include each other. Cargo refuses files that include themselves.
const DEEPEST: usize = 16;

/// A place where Cargo is started.
#[derive(Clone, Debug)]
pub struct CargoPlace<'a> {
    /// The folder that Cargo is started in, as an absolute path.
    pub dir: &'a Path,
    /// Cargo's home folder, if there is one.
    pub home: Option<PathBuf>,
    /// The variables that Cargo sees.
    pub variables: BTreeMap<String, String>,
    /// The arguments of Cargo's command that stand before `--`.
    pub arguments: &'a [String],
}

/// The result of reading a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileText {
    /// The file's text.
    Text(String),
    /// There is no such file.
    Absent,
    /// There is one, and it cannot be read as text.
    Unreadable,
}

/// One file, or the value of one `--config`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Source {
    /// Its content. None if it is unknown.
    pub table: Option<Table>,
    /// The folder at which its relative paths start.
    pub base: PathBuf,
}

/// All sources, the one that Cargo prefers first, and how many of them come from `--config`.
pub(super) fn all(place: &CargoPlace<'_>, read: &dyn Fn(&Path) -> FileText) -> (Vec<Source>, usize) {
    let mut sources = Vec::new();
    // Of two options Cargo prefers the later one.
    for value in options(place.arguments).into_iter().rev() {
        let file = place.dir.join(value);
        match read(&file) {
            FileText::Absent => sources.push(Source { table: value.parse().ok(), base: place.dir.into() }),
            text => add(&mut sources, &file, text, read, DEEPEST),
        }
    }
    let from_arguments = sources.len();
    let above = place.dir.ancestors().map(|folder| folder.join(".cargo"));
    for folder in above.chain(place.home.clone()) {
        for name in ["config", "config.toml"] {
            let file = folder.join(name);
            let text = read(&file);
            add(&mut sources, &file, text, read, DEEPEST);
        }
    }
    (sources, from_arguments)
}

/// The values of `--config`, in both spellings.
fn options(arguments: &[String]) -> Vec<&str> {
    let mut values = Vec::new();
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        if word == "--config" {
            values.extend(words.next().map(String::as_str));
        } else {
            values.extend(word.strip_prefix("--config="));
        }
    }
    values
}

/// Adds a file, and after it the files that it includes. Cargo prefers a file to the files that it includes.
/// Of two included files, Cargo prefers the later one.
fn add(
    sources: &mut Vec<Source>,
    file: &Path,
    text: FileText,
    read: &dyn Fn(&Path) -> FileText,
    depth: usize,
) {
    let folder = file.parent().unwrap_or(file);
    let table = match text {
        FileText::Absent => return,
        FileText::Unreadable => None,
        FileText::Text(text) => text.parse::<Table>().ok(),
    };
    let listed = table.clone();
    let included = listed.as_ref().map_or(Some(Vec::new()), included);
    let unclear = included.is_none() || depth == 0;
    let base = folder.parent().unwrap_or(folder).to_owned();
    sources.push(Source { table: table.filter(|_| !unclear), base });
    if unclear {
        return;
    }
    for path in included.unwrap_or_default().into_iter().rev() {
        let path = folder.join(path);
        let text = read(&path);
        add(sources, &path, text, read, depth - 1);
    }
}

/// The files that a file includes: a path, or a list of paths and of tables with `path`. None if the value
/// has another form. A missing file adds nothing. If it is not optional, Cargo itself will fail.
fn included(table: &Table) -> Option<Vec<&str>> {
    let path = |value| -> Option<&str> {
        let value: &Value = value;
        value.as_str().or_else(|| value.get("path")?.as_str())
    };
    match table.get("include") {
        None => Some(Vec::new()),
        Some(Value::Array(list)) => list.iter().map(path).collect(),
        Some(one) => path(one).map(|path| vec![path]),
    }
}
