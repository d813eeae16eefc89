//! The house's arrows: which module may know which (docs/architecture.md, "Layers").

#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Each module with those that it may use beside its own.
const ARROWS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("exit", &[]),
    ("config", &["model", "exit"]),
    ("workspace", &["model", "exit"]),
    ("report", &["model", "exit"]),
    ("predecessor", &["config", "model", "exit"]),
    ("checks", &["predecessor", "workspace", "config", "model", "report", "exit"]),
    ("plan", &["checks", "predecessor", "workspace", "config", "model", "exit"]),
    ("pipeline", &["plan", "checks", "predecessor", "config", "model", "exit"]),
    ("process", &["exit"]),
    ("git", &["process", "exit"]),
    ("agent", &["process", "report", "exit"]),
    ("venue", &["process", "config", "model", "exit"]),
    ("run", &["plan", "checks", "predecessor", "workspace", "model", "report", "process", "git", "exit"]),
    ("cli", &["model"]),
];

/// Modules that decide and do nothing: no process, no file, no environment.
const CORE: &[&str] =
    &["model", "config", "predecessor", "workspace", "checks", "plan", "pipeline", "report"];
/// The files that say what differs between systems (docs/architecture.md); none is of the core.
const SYSTEMS: &[&str] = &[
    "process.rs",
    "process/linux.rs",
    "process/unix.rs",
    "process/windows.rs",
    "run/instrument.rs",
    "venue/inside.rs",
    "venue/owner.rs",
];
/// How the source tells systems apart.
const TELLS_SYSTEMS_APART: &[&str] = &[
    "cfg(unix",
    "cfg(windows",
    "cfg(not(unix",
    "cfg(not(windows",
    "target_os",
    "target_family",
    "std::os::",
];
/// What only modules at the edge may name.
const EFFECTS: &[&str] =
    &["std::fs", "std::env::var", "env::var", "std::net", "println!", "eprintln!", "SystemTime::now"];

fn sources() -> Vec<(String, PathBuf, String)> {
    fn visit(folder: &Path, files: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                visit(&path, files);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    visit(&root, &mut files);
    files
        .into_iter()
        .map(|path| {
            let inside = path.strip_prefix(&root).unwrap();
            let module = inside.iter().next().unwrap().to_string_lossy().trim_end_matches(".rs").to_owned();
            // Tests may use whatever shows what they are to show.
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned();
            (module, path.clone(), code)
        })
        .filter(|(_, path, _)| !path.ends_with("tests.rs"))
        .collect()
}

/// The modules that a text names as `crate::MODULE` or in `use crate::{…}`.
fn named(text: &str) -> BTreeSet<String> {
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    let code = code.collect::<Vec<_>>().join("\n");
    let mut modules = BTreeSet::new();
    for rest in code.split("crate::").skip(1) {
        if let Some(group) = rest.strip_prefix('{') {
            let group = group.split(';').next().unwrap_or_default();
            let firsts = group.split(',').filter_map(|item| item.trim().split("::").next());
            modules.extend(firsts.map(|first| first.trim_matches(['}', '{', ' ', '\n']).to_owned()));
        } else {
            modules
                .extend(rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().map(ToOwned::to_owned));
        }
    }
    modules
}

#[test]
fn every_module_uses_only_those_below_it() {
    let mut wrong = Vec::new();
    for (module, path, text) in sources() {
        let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == module) else { continue };
        let known = |name: &String| ARROWS.iter().any(|(known, _)| known == name) || name == "commands";
        for used in named(&text).into_iter().filter(known) {
            if used != module && !allowed.contains(&used.as_str()) {
                wrong.push(format!("{}: {module} → {used}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "arrows that point up:\n{}", wrong.join("\n"));
}

#[test]
fn the_core_has_no_effects() {
    let mut wrong = Vec::new();
    for (module, path, text) in sources().into_iter().filter(|(module, ..)| CORE.contains(&module.as_str())) {
        for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
            wrong.extend(
                EFFECTS
                    .iter()
                    .filter(|effect| line.contains(**effect))
                    .map(|effect| format!("{} ({module}): {effect}", path.display())),
            );
        }
    }
    assert!(wrong.is_empty(), "effects in the core:\n{}", wrong.join("\n"));
}

#[test]
fn every_module_has_its_place_in_the_arrows() {
    let placed = |module: &str| {
        // `testing` is for tests, which may use whatever shows what they are to show.
        ARROWS.iter().any(|(name, _)| *name == module) || ["commands", "main", "testing"].contains(&module)
    };
    let homeless: BTreeSet<String> =
        sources().into_iter().map(|(module, ..)| module).filter(|m| !placed(m)).collect();
    assert!(homeless.is_empty(), "no arrows for {homeless:?}");
}

/// A text's lines without comments.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim_start).filter(|line| !line.starts_with("//"))
}

#[test]
fn what_differs_between_systems_stands_in_named_places() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut telling = BTreeSet::new();
    for (_, path, text) in sources() {
        let path = path.strip_prefix(root.join("src")).unwrap().to_string_lossy().replace('\\', "/");
        // A file of which every line is a test's.
        let tests =
            format!("#[cfg(test)]\nmod {};", path.rsplit('/').next().unwrap().trim_end_matches(".rs"));
        let parent = Path::new(&path).parent().map(|parent| root.join("src").join(parent));
        let parents =
            parent.into_iter().flat_map(|parent| [parent.join("mod.rs"), parent.with_extension("rs")]);
        if parents.filter_map(|parent| fs::read_to_string(parent).ok()).any(|parent| parent.contains(&tests))
        {
            continue;
        }
        let text = text.split("#[cfg(all(test, unix))]\nmod tests {").next().unwrap_or_default();
        let tells = |line: &str| TELLS_SYSTEMS_APART.iter().any(|words| line.contains(words));
        if code(text).any(tells) || file_is_of_one_system(&path) {
            telling.insert(path);
        }
    }
    let named: BTreeSet<String> = SYSTEMS.iter().map(|&path| path.to_owned()).collect();
    assert_eq!(telling, named);
    let in_core = |path: &&String| CORE.iter().any(|module| path.split(['/', '.']).next() == Some(module));
    assert!(!named.iter().any(|path| in_core(&path)), "the core knows no system");
    let told = fs::read_to_string(root.join("docs/architecture.md")).unwrap();
    for path in named {
        assert!(told.contains(&format!("`{path}`")), "docs/architecture.md does not name {path}");
    }
}

/// Whether a file's name says that it is compiled for one system.
fn file_is_of_one_system(path: &str) -> bool {
    ["unix.rs", "windows.rs", "linux.rs"].iter().any(|name| path.ends_with(&format!("/{name}")))
}
