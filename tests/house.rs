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
        ARROWS.iter().any(|(name, _)| *name == module) || ["commands", "main"].contains(&module)
    };
    let homeless: BTreeSet<String> =
        sources().into_iter().map(|(module, ..)| module).filter(|m| !placed(m)).collect();
    assert!(homeless.is_empty(), "no arrows for {homeless:?}");
}
