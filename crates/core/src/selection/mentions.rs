//! Finds what the sources of a crate say about files outside of the crate's folder.
//!
//! No compiler reads the sources here. Every text that can be a path is taken for one: in `include_str!`, in
//! `#[path]`, in what a build script or a test opens, in scripts, and in comments too.

use super::paths::{Changed, parent};
use crate::workspace::path::{is_within, join};
use std::collections::BTreeSet;

/// Where a text stands: its file, and the folder of the crate that reads it.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The file.
    pub file: &'a str,
    /// The crate's folder.
    pub dir: &'a str,
}

/// What a text says.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Mentions {
    /// The first changed path that it names, or that is below a folder that it names.
    pub changed: Option<String>,
    /// Whether it may name any path above its crate's folder.
    pub above: bool,
    /// Sources outside the crate's folder that it may include.
    pub sources: BTreeSet<String>,
}

/// Texts in a source that lead above the folder of a crate without `..`: a folder, with a way up. The current
/// folder of a test is its crate's. Nobody here knows whether a way up starts at it or at a path in it.
const FOLDERS: [&str; 3] = ["CARGO_MANIFEST_DIR", "OUT_DIR", "current_dir()"];
const UPWARDS: [&str; 3] = [".parent()", ".ancestors()", ".pop()"];
/// Texts in a source that reads the whole workspace or builds it, or that starts what others have built.
const ANYWHERE: [&str; 8] = [
    "CARGO_WORKSPACE_DIR",
    "MetadataCommand",
    "show-toplevel",
    "current_exe()",
    "CARGO_TARGET_DIR",
    "Command::new(\"cargo\")",
    "env!(\"CARGO\")",
    "var(\"CARGO\")",
];
/// Cargo's folder for what it builds, from the root.
const TARGET: &str = "target";

/// Reads a text. `is_anothers` tells whether a path below the crate's folder is in another crate's folder.
pub fn read(
    text: &str,
    place: Place<'_>,
    changed: &Changed<'_>,
    is_anothers: &dyn Fn(&str) -> bool,
) -> Mentions {
    let is_rust = place.file.ends_with(".rs");
    let has_out_dir = text.contains("OUT_DIR");
    let mut found = Mentions {
        above: (UPWARDS.iter().any(|up| text.contains(up))
            && FOLDERS.iter().any(|folder| text.contains(folder)))
            || ANYWHERE.iter().any(|word| text.contains(word)),
        ..Mentions::default()
    };
    for (token, quoted) in tokens(text) {
        let leads_up = token.split(['/', '\\']).any(|part| part == "..");
        if token == ".." && is_rust && !quoted {
            continue;
        }
        found.above |= leads_up && has_out_dir;
        for path in candidates(token, place, leads_up) {
            found.above |= leads_up && is_within(&path, TARGET);
            if is_within(place.dir, &path) {
                // The crate's own folder has its owner. One above it has everything.
                found.above |= path != place.dir && leads_up;
                continue;
            }
            let is_outside = !is_within(&path, place.dir) || is_anothers(&path);
            if is_outside && is_rust && path.ends_with(".rs") {
                found.sources.insert(path.clone());
            }
            if found.changed.is_none() {
                found.changed = changed.at(&path).map(str::to_owned);
            }
        }
    }
    found
}

/// Whether a text has this file name as a whole literal, so that code may join it to any folder.
pub fn has_literal(text: &str, name: &str) -> bool {
    text.contains(&format!("\"{name}\""))
}

/// Whether a Rust source has modules in other files, or includes other files.
pub fn has_modules(text: &str) -> bool {
    text.contains("include")
        || text.contains("#[path")
        || text.lines().any(|line| {
            let line = line.trim();
            line.ends_with(';') && (line.starts_with("mod ") || line.contains(" mod "))
        })
}

/// The parts of a text that can be paths: those with a `/`, and `..` alone. Each has whether it is in quotes.
fn tokens(text: &str) -> impl Iterator<Item = (&str, bool)> {
    let is_end = |c: char| c.is_whitespace() || "\"'`()[]<>,;=|&!".contains(c);
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            let rest = text.get(at..).filter(|rest| !rest.is_empty())?;
            let start = at;
            let length = rest.find(is_end).unwrap_or(rest.len());
            let end = rest[length..].chars().next();
            at += length + end.map_or(0, char::len_utf8);
            let token = &rest[..length];
            if token == ".." || token.contains(['/', '\\']) {
                let before = text[..start].chars().next_back();
                let quoted = matches!(before, Some('"' | '\'')) && matches!(end, Some('"' | '\''));
                return Some((token, quoted));
            }
        }
    })
}

/// The paths that a token may mean: from the file's folder, from the crate's folder, and from the root.
fn candidates(token: &str, place: Place<'_>, leads_up: bool) -> Vec<String> {
    let token = token.replace('\\', "/");
    // `concat!(env!("CARGO_MANIFEST_DIR"), "/x")` and `cargo:rerun-if-changed=x` are paths of the folder.
    let token = token.rsplit(':').next().unwrap_or(&token);
    let is_open = |part: &&str| part.contains(['{', '}', '$', '*', '?', '%', '@']);
    let parts: Vec<&str> = token.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    // What stands before is a folder that only the program knows. It counts as the crate's own.
    let start = parts.iter().take_while(|part| is_open(part)).count();
    let known: Vec<&str> = parts[start..].iter().copied().take_while(|part| !is_open(part)).collect();
    let mut paths = Vec::new();
    let mut add = |base: &str, parts: &[&str]| paths.extend(join(base, &parts.join("/")));
    if known.is_empty() {
        return paths;
    }
    for base in [parent(place.file), place.dir] {
        add(base, &known);
        if let Some(up) = known.iter().position(|part| *part == "..").filter(|up| *up > 0) {
            add(base, &known[up..]);
        }
    }
    if !leads_up {
        add("", &known);
    }
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a text in `c/src/lib.rs` says where these paths have changed.
    fn said(text: &str, changed: &[&str]) -> (Option<String>, bool) {
        let place = Place { file: "c/src/lib.rs", dir: "c" };
        let found = read(text, place, &Changed::new(changed.iter().copied()), &|_| false);
        (found.changed, found.above)
    }

    #[test]
    fn a_path_is_found_in_every_way_to_write_one() {
        for text in [
            "include_str!(\"../../d/x\")",
            "#[path = \"../../d/x\"] mod x;",
            "include_bytes!(concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/../d/x\"))",
            "println!(\"cargo:rerun-if-changed=../d/x\");",
            "format!(\"{}/../d\", env!(\"CARGO_MANIFEST_DIR\"))",
            "include_dir!(\"$CARGO_MANIFEST_DIR/../d\")",
            "Path::new(\"..\\\\d\\\\x\")",
            "glob(\"../d/*.bin\")",
            "open(\"d/x\")",
        ] {
            assert_eq!(said(text, &["d/x"]).0.as_deref(), Some("d/x"), "{text}");
            assert_eq!(said(text, &["e/x", "dx"]).0, None, "{text}");
        }
    }

    #[test]
    fn a_way_above_the_crate_is_a_way_to_everything() {
        for text in [
            "Path::new(\"..\").join(\"d\")",
            "Path::new(env!(\"CARGO_MANIFEST_DIR\")).parent()",
            "concat!(env!(\"OUT_DIR\"), \"/../../x\")",
            "MetadataCommand::new()",
            "read_dir(\"../../\")",
            "Command::new(\"../target/debug/other\")",
            "current_exe()",
            "Command::new(env!(\"CARGO\"))",
            "PathBuf::from(var(\"OUT_DIR\")).ancestors()",
        ] {
            assert!(said(text, &[]).1, "{text}");
        }
        for text in ["[1, ..]", "a[..]", "0..10", "include_str!(\"../README.md\")", "// a/b", "x.parent()"] {
            assert!(!said(text, &[]).1, "{text}");
        }
    }

    #[test]
    fn a_way_up_may_start_at_the_current_folder() {
        for text in [
            "let path = current_dir()?;\nlet up = path.parent();",
            "let name = \"Cargo.toml\"; let cwd = current_dir()?; let m = cwd.join(name);\n\
             let root = m.parent().unwrap().parent().unwrap();",
            "let cwd = current_dir()?; let p = cwd.join(rel); p.ancestors().find(|dir| dir.exists());",
            "let name = \"\"; let cwd = current_dir()?; let m = cwd.join(name); let up = m.parent();",
            "let mut p = current_dir()?.join(name); while p.pop() {}",
        ] {
            assert!(said(text, &[]).1, "{text}");
        }
        assert!(!said("let path = current_dir()?.join(name);", &[]).1);
    }

    #[test]
    fn a_source_that_is_included_is_named() {
        let place = Place { file: "c/src/lib.rs", dir: "c" };
        let text = "#[path = \"../../d/args.rs\"] mod args;";
        let found = read(text, place, &Changed::new([]), &|_| false);
        assert!(found.sources.contains("d/args.rs"), "{found:?}");
        assert!(has_modules("pub(crate) mod x;") && !has_modules("mod x { }\nlet modx = 1;"));
    }
}
