//! What cargo and clippy cannot hold of the layers (docs/architecture.md): the order of the rooms
//! within a crate, and where systems are told apart.

#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The rooms of each crate, from the lowest. A room uses itself and those before it.
const ROOMS: &[(&str, &[&str])] = &[
    (
        "crates/core/src",
        &[
            "exit",
            "model",
            "options",
            "config",
            "workspace",
            "report",
            "predecessor",
            "checks",
            "plan",
            "pipeline",
        ],
    ),
    ("crates/effects/src", &["say", "process", "git", "agent", "container", "run"]),
];

/// The files that say what differs between systems; none is of the core crate.
const SYSTEMS: &[&str] = &[
    "crates/effects/src/container/inside.rs",
    "crates/effects/src/container/owner.rs",
    "crates/effects/src/process.rs",
    "crates/effects/src/process/linux.rs",
    "crates/effects/src/process/unix.rs",
    "crates/effects/src/process/windows.rs",
    "crates/effects/src/run/instrument.rs",
];

/// How source code tells systems apart.
const TELLS_SYSTEMS_APART: &[&str] = &[
    "cfg(unix",
    "cfg(windows",
    "cfg(not(unix",
    "cfg(not(windows",
    "target_os",
    "target_family",
    "std::os::",
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The source files below a folder, with their paths from the repository's root and their code: no
/// comments, no test modules.
fn sources(folder: &str) -> Vec<(String, String)> {
    let mut files = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") && !is_a_tests(&path) {
                let text = fs::read_to_string(&path).unwrap();
                let name = path.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/");
                files.push((name, without_tests(&text)));
            }
        }
    }
    files
}

/// Whether a whole file is a test module of its parent.
fn is_a_tests(path: &Path) -> bool {
    let name = path.file_stem().unwrap().to_string_lossy();
    let declared = format!("#[cfg(test)]\nmod {name};");
    let folder = path.parent().unwrap();
    let parents = [folder.join("mod.rs"), folder.join("lib.rs"), folder.with_extension("rs")];
    parents.iter().filter_map(|file| fs::read_to_string(file).ok()).any(|text| text.contains(&declared))
}

fn without_tests(text: &str) -> String {
    let marks = ["#[cfg(test)]\nmod tests {", "#[cfg(all(test, unix))]\nmod tests {"];
    let end = marks.iter().filter_map(|mark| text.find(mark)).min().unwrap_or(text.len());
    let code = text[..end].lines().filter(|line| !line.trim_start().starts_with("//"));
    code.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_room_uses_only_those_below_it() {
    for (folder, rooms) in ROOMS {
        let mut wrong = Vec::new();
        let mut found = BTreeSet::new();
        for (path, code) in sources(folder) {
            let inside = path.strip_prefix(&format!("{folder}/")).unwrap();
            let room = inside.split('/').next().unwrap().trim_end_matches(".rs");
            if ["lib", "testing"].contains(&room) {
                continue;
            }
            found.insert(room.to_owned());
            let Some(place) = rooms.iter().position(|known| *known == room) else { continue };
            for above in &rooms[place + 1..] {
                let named = code.split("crate::").skip(1).any(|rest| {
                    rest.strip_prefix(above)
                        .is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
                        || rest.starts_with('{') && rest[..rest.find(';').unwrap_or(0)].contains(above)
                });
                if named {
                    wrong.push(format!("{path}: {room} uses {above}"));
                }
            }
        }
        assert!(wrong.is_empty(), "arrows that point up:\n{}", wrong.join("\n"));
        assert_eq!(found, rooms.iter().map(|room| (*room).to_owned()).collect(), "the rooms of {folder}");
    }
}

#[test]
fn what_differs_between_systems_stands_in_named_files() {
    let mut telling = BTreeSet::new();
    for folder in ["src", "crates/core/src", "crates/effects/src"] {
        for (path, code) in sources(folder) {
            let is_of_one_system =
                ["unix.rs", "windows.rs", "linux.rs"].iter().any(|name| path.ends_with(name));
            if is_of_one_system || TELLS_SYSTEMS_APART.iter().any(|words| code.contains(words)) {
                telling.insert(path);
            }
        }
    }
    assert_eq!(telling, SYSTEMS.iter().map(|path| (*path).to_owned()).collect());
}
