//! What `migrate` cannot change for a person: every line and file that still mentions the submodule.

use super::{Pipeline, State, set_up};
use crate::job::facts;
use anyhow::Result;
use rust_vmm_ci_core::config::Config;
use rust_vmm_ci_core::model::shown::{block, line};
use rust_vmm_ci_core::predecessor::{Description, Mention, mention, mention_texts};
use rust_vmm_ci_effects::files;
use rust_vmm_ci_effects::git::{Kind, Line};
use rust_vmm_ci_effects::say;
use serde_json::Value;
use std::collections::BTreeSet;

/// The most characters of a line that are shown.
const MOST: usize = 120;

/// What is left to do.
pub struct Left {
    /// Places that a person must look at, each with why.
    places: Vec<String>,
    /// Files whose calls of the submodule's Python files are checks now: nothing to do.
    become_checks: BTreeSet<String>,
    /// Changelogs: they tell of the past.
    history: BTreeSet<String>,
}

impl Left {
    /// Finds what is left.
    ///
    /// # Errors
    /// Exit 3 where git fails.
    pub fn find(state: &State) -> Result<Self> {
        let read = read_files(state)?;
        let mut left = Self { places: Vec::new(), become_checks: BTreeSet::new(), history: BTreeSet::new() };
        let folder = state.folder.as_str();
        let mut texts: Vec<_> = mention_texts(folder);
        // Another file may name what a link stood for by the link's own path.
        texts.extend(state.links.iter().map(|link| link.path.clone().into()));
        for found in state.git.lines_with(texts.iter().map(AsRef::as_ref))? {
            left.take(state, &read, &found);
        }
        left.places.extend(descriptions_that_nobody_reads(state, &read)?);
        Ok(left)
    }

    /// Whether nothing is left that a search of the repository finds.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    fn take(&mut self, state: &State, read: &BTreeSet<String>, found: &Line) {
        if found.file == ".gitmodules" {
            return;
        }
        let by_link = state.links.iter().any(|link| found.text.contains(&link.path));
        let kind = mention(&found.text, &state.folder).or_else(|| by_link.then_some(Mention::Path));
        let Some(kind) = kind else { return };
        let name = found.file.rsplit('/').next().unwrap_or_default();
        if name.to_ascii_lowercase().starts_with("changelog") {
            self.history.insert(found.file.clone());
            return;
        }
        let why = match kind {
            Mention::Call(_) if read.contains(&found.file) => {
                self.become_checks.insert(found.file.clone());
                return;
            }
            Mention::General if state.has_others => return,
            Mention::General => "there is no submodule left for it to move or check out".to_owned(),
            Mention::Call(check) => {
                format!("calls the submodule's Python: `rust-vmm-ci run {check}` does it now")
            }
            Mention::Path => "what it names is gone with the submodule".to_owned(),
            Mention::Name if name == "CODEOWNERS" => "owns a folder that is gone".to_owned(),
            Mention::Name if name == "Cargo.toml" => "names a folder that is gone".to_owned(),
            Mention::Name => "speaks of the submodule".to_owned(),
        };
        let mut text: String = found.text.chars().take(MOST).collect();
        if text.len() < found.text.len() {
            text.push('…');
        }
        self.places.push(format!("{}:{}: {why}: {}", line(&found.file), found.line, line(&text)));
    }

    /// Says what is left.
    pub fn say(&self, state: &State) {
        say::line("\nLeft to do:");
        for place in &self.places {
            say::line(format_args!("- {place}"));
        }
        if let Pipeline::Other(path) = state.pipeline {
            say::line(format_args!(
                "- take these steps into {path}, in place of those that call the generator:\n"
            ));
            if let Ok(file) = set_up::PipelineFile::text_of(&state.uses) {
                say::out(format_args!("{}\n", block(file.steps())));
            }
        }
        say::line(
            "- in Buildkite, replace the pipeline's steps by one: `command: buildkite-agent pipeline upload`.",
        );
        say::line(
            "  Variables that are set there (TESTS_TO_SKIP …) keep working. TIMEOUTS_MIN had no effect before;",
        );
        say::line("  now it has");
        if state.uses.len() > 1 {
            say::line(
                "- several steps upload the repository's files, as Buildkite's settings may have done: where",
            );
            say::line("  they did not, or only in some builds, remove the step or give it an `if`");
        }
        if state.root.join(".buildkite/pipeline.windows.yml").is_file() {
            say::line("- .buildkite/pipeline.windows.yml can become a step with `os: windows`");
        }
        say::line("- `rust-vmm-ci list` shows the checks; `rust-vmm-ci run` runs them here");
        let files = |files: &BTreeSet<String>| {
            files.iter().map(|file| line(file).into_owned()).collect::<Vec<_>>().join(", ")
        };
        if !self.become_checks.is_empty() {
            let named = files(&self.become_checks);
            say::line(format_args!(
                "\nNothing to do: the calls of the submodule's Python in {named} are checks now."
            ));
        }
        if !self.history.is_empty() {
            say::line(format_args!("\nNothing to do: {} tells of the past.", files(&self.history)));
        }
    }
}

/// The descriptions that the new steps read, the crates' own among them.
fn read_files(state: &State) -> Result<BTreeSet<String>> {
    let mut read = BTreeSet::new();
    for step in &state.uses {
        let config = Config::parse(&Value::Object(step.options.clone()))?;
        let facts = facts::read(&state.root, &config, false)?;
        read.extend(facts.descriptions().map(|file| file.path.clone()));
    }
    Ok(read)
}

/// The descriptions in folders of crates that no step reads. Buildkite's settings may have uploaded them.
fn descriptions_that_nobody_reads(state: &State, read: &BTreeSet<String>) -> Result<Vec<String>> {
    let mut places = Vec::new();
    for entry in state.git.index()? {
        let is_nested = entry.path.contains("/.buildkite/") && entry.path.ends_with(".json");
        if entry.kind != Kind::File || !is_nested || read.contains(&entry.path) {
            continue;
        }
        let text = files::text(&state.root, &entry.path).ok().flatten().unwrap_or_default();
        let names = Description::names(&text);
        if !names.is_empty() {
            places.push(format!(
                "{}: no step reads this description ({}); if Buildkite's settings upload it, name it in `tests`",
                line(&entry.path),
                line(&names.join(", "))
            ));
        }
    }
    Ok(places)
}
