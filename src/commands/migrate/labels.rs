//! The steps before and after the move: which labels go away, which are new, and what else differs.

use super::{Pipeline, State, set_up};
use crate::job::{Repository, Selection, facts};
use anyhow::Result;
use comfy_table::{ContentArrangement, Table, presets};
use rust_vmm_ci_core::checks::STANDARD;
use rust_vmm_ci_core::config::{Config, Mode, Purpose};
use rust_vmm_ci_core::model::shown::{block, line};
use rust_vmm_ci_core::model::{Origin, Platform, pinned_image};
use rust_vmm_ci_core::plan::{PlannedCheck, Planner};
use rust_vmm_ci_core::predecessor::generator::{
    CHANGES, GENERATOR, Generated, LIST, container_version, generated,
};
use rust_vmm_ci_effects::say;
use serde_json::{Map, Value, json};
use std::path::Path;

/// The steps before and after the move.
pub struct Steps {
    before: Vec<Generated>,
    after: Vec<Generated>,
    /// What differs between the two in a step of one label, other than the command and the container.
    differences: Vec<String>,
    /// The platforms of the repository.
    platforms: Vec<Platform>,
    /// Whether the submodule's own list was read. If not, `before` holds the newest list of the predecessor.
    list_is_known: bool,
    /// Whether the submodule is still there.
    is_before: bool,
    /// Whether the standard checks are in the pipeline.
    standard: bool,
    /// Whether steps of crates depend on the files that changed.
    selective: bool,
    /// The container of the generator, where it is known.
    container: Option<String>,
}

impl Steps {
    /// Reads both.
    ///
    /// # Errors
    /// Exit 2 where a description or the pipeline file is wrong.
    pub fn read(selection: &Selection, state: &State) -> Result<Self> {
        let root = &state.root;
        let platforms = facts::read(root, &Config::default(), false)?.platforms;
        let platforms = platforms.unwrap_or_else(|| Platform::DEFAULT.to_vec());
        let list = state.of_submodule(LIST);
        let of_list = list.as_deref().and_then(|text| generated(text, &platforms));
        let list_is_known = of_list.is_some();
        let standard = of_list.or_else(|| generated(STANDARD, &platforms)).unwrap_or_default();
        let mut before = Vec::new();
        let is_standard = |options: &Map<String, Value>| !options.contains_key("standard");
        for step in &state.uses {
            if is_standard(&step.options) {
                before.extend(standard.iter().cloned());
            }
            let mut own = step.options.clone();
            own.insert("standard".into(), false.into());
            own.shift_remove("skip");
            before.extend(set_up::planned(root, &own)?.iter().map(of_check));
        }
        let after = match state.pipeline {
            Pipeline::Uses(_) => of_the_pipeline(selection)?,
            _ => of_uses(state)?,
        };
        let differences = if list_is_known { differences(state)? } else { Vec::new() };
        let image = |version: &str| format!("rustvmm/dev:{version}");
        let generator = state.of_submodule(GENERATOR);
        Ok(Self {
            before,
            after,
            differences,
            platforms,
            list_is_known,
            is_before: state.submodule.is_some(),
            standard: state.uses.iter().any(|step| is_standard(&step.options)),
            selective: state.uses.iter().any(|step| step.options.contains_key("workspace")),
            container: generator.as_deref().and_then(container_version).map(image),
        })
    }

    /// Says what differs.
    pub fn say(&self) {
        say::line("");
        let gone = without(&self.before, &self.after);
        let new = without(&self.after, &self.before);
        if gone.is_empty() && new.is_empty() {
            say::line(format_args!("The {} labels stay the same.", self.after.len()));
        }
        if !gone.is_empty() {
            say::line("These labels go away; branch protection may require them:");
            say_steps(&gone);
        }
        if !new.is_empty() {
            say::line("These labels are new; `skip` in the plugin's options leaves one out:");
            say_steps(&new);
        }
        if self.standard && self.is_before && !self.list_is_known {
            self.say_history();
        }
        if !self.is_before || (self.before.is_empty() && self.after.is_empty()) {
            return;
        }
        let before = self.container.as_ref().map_or_else(String::new, |image| format!(" (before: {image})"));
        say::line(
            "In every step this plugin takes the place of the docker plugin, and the command is the check's",
        );
        say::line(format_args!("(`--diff` shows it). The container is {}{before}.", pinned_image(None)));
        for difference in &self.differences {
            say::line(format_args!("- {}", line(difference)));
        }
        if self.selective {
            say::line(
                "The crates' steps have a wider `if_changed`: no rust-vmm-ci/**, but Cargo.lock, .cargo/**, the",
            );
            say::line("toolchain's and clippy's files, and the crates that a crate depends on by path.");
        }
    }

    /// Says how the list changed over the years, if the submodule's own list is not here.
    fn say_history(&self) {
        let enabled = |labels: &[&'static str]| -> Vec<&'static str> {
            let is_enabled = |label: &&str| {
                Platform::ALL.into_iter().all(|p| !label.ends_with(p.as_str()) || self.platforms.contains(&p))
            };
            labels.iter().copied().filter(|label| is_enabled(label)).collect()
        };
        say::line(
            "The submodule is not checked out, so its own list of tests was not compared. `git submodule",
        );
        say::line("update --init` brings it. If it is older than these months, these labels differ too:");
        for change in CHANGES {
            let (new, gone) = (enabled(change.new), enabled(change.gone));
            let told = |what: &str, labels: &[&str]| {
                if labels.is_empty() { String::new() } else { format!("; {what}: {}", labels.join(", ")) }
            };
            if !(new.is_empty() && gone.is_empty()) {
                say::line(format_args!(
                    "- before {}{}{}",
                    change.since,
                    told("new now", &new),
                    told("gone now", &gone)
                ));
            }
        }
    }

    /// Shows the commands before and after by label.
    pub fn say_side_by_side(&self) {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
        table.set_header(["label", "before", "after"]);
        let command = |steps: &[Generated], label: &str| {
            let found = steps.iter().find(|step| step.label == label);
            found.map_or_else(|| "-".to_owned(), |step| line(&step.command).into_owned())
        };
        let new = without(&self.after, &self.before);
        for step in self.before.iter().chain(new) {
            let label = step.label.as_str();
            table.add_row([
                line(label).into_owned(),
                command(&self.before, label),
                command(&self.after, label),
            ]);
        }
        say::line(block(&format!("\n{table}")));
    }
}

fn say_steps(steps: &[&Generated]) {
    for step in steps {
        say::line(format_args!("- {}: {}", line(&step.label), line(&step.command)));
    }
}

/// The steps whose labels the other steps do not have.
fn without<'a>(steps: &'a [Generated], others: &[Generated]) -> Vec<&'a Generated> {
    steps.iter().filter(|step| others.iter().all(|other| other.label != step.label)).collect()
}

fn of_check(check: &PlannedCheck) -> Generated {
    Generated { label: check.label.as_str().to_owned(), command: check.command.clone() }
}

/// The steps that the new pipeline file uploads.
fn of_uses(state: &State) -> Result<Vec<Generated>> {
    let mut steps = Vec::new();
    for step in &state.uses {
        steps.extend(set_up::planned(&state.root, &step.options)?.iter().map(of_check));
    }
    Ok(steps)
}

/// The steps of the pipeline file that is there: those that it uploads, and those that run checks themselves.
fn of_the_pipeline(selection: &Selection) -> Result<Vec<Generated>> {
    let mut steps = Vec::new();
    for repository in Repository::all(selection, Purpose::Show)? {
        let config = repository.config();
        if config.mode == Mode::Run {
            let label = repository.found.step.clone().unwrap_or_default();
            steps.push(Generated { label, command: "rust-vmm-ci run".to_owned() });
            continue;
        }
        let facts = repository.facts(false)?;
        Planner::for_upload(config, &facts)?.visit(&mut |check| {
            steps.push(of_check(&check));
            Ok(())
        })?;
    }
    Ok(steps)
}

/// Leaves out of an upload what no version of the generator printed: a standard check on a platform that its
/// list does not have, which only a file in the repository brings.
///
/// # Errors
/// Exit 2 where the step would be refused.
pub fn leave_out_what_is_new(root: &Path, options: &mut Map<String, Value>) -> Result<()> {
    let listed = generated(STANDARD, &Platform::ALL).unwrap_or_default();
    let checks = set_up::planned(root, options)?;
    let is_new = |check: &&PlannedCheck| {
        check.step.source == Origin::Standard
            && check.if_changed.is_none()
            && listed.iter().all(|step| step.label != check.label.as_str())
    };
    let new: Vec<&str> = checks.iter().filter(is_new).map(|check| check.label.as_str()).collect();
    if !new.is_empty() {
        options.insert("skip".into(), if let [one] = new[..] { one.into() } else { json!(new) });
    }
    Ok(())
}

/// What differs in steps of one label between the submodule's list and ours: agents, the container's options
/// without its image, the time limit, and attributes. None where the list is of an older form.
fn differences(state: &State) -> Result<Vec<String>> {
    let path = format!("{}/{LIST}", state.folder);
    let options = Map::from_iter([
        ("mode".to_owned(), json!("upload")),
        ("standard".to_owned(), false.into()),
        ("tests".to_owned(), json!(path)),
    ]);
    // The generator may accept an entry that our reader refuses. Here that is no error.
    let Ok(before) = set_up::planned(&state.root, &options) else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for step in state.uses.iter().filter(|step| !step.options.contains_key("standard")) {
        for after in set_up::planned(&state.root, &step.options)? {
            let Some(before) = before.iter().find(|before| before.label == after.label) else { continue };
            let values = keys(before).into_iter().zip(keys(&after));
            found.extend(
                values
                    .filter(|(one, other)| one.1 != other.1)
                    .map(|(one, other)| format!("{}: {}: {} becomes {}", after.label, one.0, one.1, other.1)),
            );
        }
    }
    Ok(found)
}

/// The values of a step by key.
fn keys(check: &PlannedCheck) -> [(&'static str, Value); 4] {
    let step = &check.step;
    let mut docker = step.docker.as_ref().map(rust_vmm_ci_core::plan::TracedMap::to_map).unwrap_or_default();
    docker.shift_remove("image");
    [
        ("agents", step.agents.to_map().into()),
        ("docker", docker.into()),
        ("timeout_in_minutes", step.timeout.value.clone()),
        ("other keys", step.attributes.to_map().into()),
    ]
}
