//! The runs that a cargo check consists of: one for each distinct result of feature resolution.

use crate::process::{self, Command};
use anyhow::Result;
use cargo_metadata::Metadata;
use rust_vmm_ci_core::checks::cargo::CargoCommand;
use rust_vmm_ci_core::model::FeatureMode;
use rust_vmm_ci_core::report::combination_name;
use rust_vmm_ci_core::workspace::features;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// One run: a folder and flags, and which combinations it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CargoRun {
    /// The member whose features are combined; empty where none are.
    pub package: String,
    /// The features, joined with commas.
    pub features: String,
    /// The folder that cargo is started in: with resolver 1, flags concern its package alone.
    pub dir: PathBuf,
    /// The flags that choose the features.
    pub flags: Vec<String>,
    /// The other combinations that resolve to the same, as `PACKAGE: FEATURES`.
    pub stands_for: Vec<String>,
}

impl CargoRun {
    /// The run's name for people: `no features`, `a,b`, and the member where it matters.
    pub fn name(&self) -> String {
        combination_name(&self.package, &self.features)
    }
}

/// Answers, kept for a job, to what cargo would build with given flags: the same for every check that
/// selects the same packages for the same target.
#[derive(Debug, Default)]
pub struct Resolutions {
    answers: HashMap<(PathBuf, Vec<String>), String>,
}

impl Resolutions {
    /// What cargo resolves, as `cargo tree` prints it: every package in the graph of every selected
    /// member, for the machine and target it is built for, with its features. Its text, and not the
    /// set of its lines, is the answer: with resolver 2 a package can stand in it twice, with other
    /// features for the host than for the target. Where cargo refuses, its words are the answer.
    fn resolve(&mut self, cargo: &Command, dir: &Path, flags: Vec<String>) -> Result<String> {
        let key = (dir.to_owned(), flags);
        if let Some(answer) = self.answers.get(&key) {
            return Ok(answer.clone());
        }
        let command = cargo
            .clone()
            .args(["tree", "--edges=normal,build,dev", "--prefix=depth", "--format={p} {f}"])
            .args(&key.1)
            .dir(dir);
        let captured = process::capture(&command)?;
        let answer = if captured.status.success() {
            captured.text()
        } else {
            // cargo's refusal names what it refuses, so two refusals are seldom one; a run that fails
            // for itself is never wrong.
            format!("refused {:?}: {}", key.1, captured.complaint())
        };
        self.answers.insert(key, answer.clone());
        Ok(answer)
    }
}

/// The runs of a cargo command in `dir`.
///
/// # Errors
/// A sentence, where the packages' metadata make it impossible to say: the check has failed, as the
/// predecessor's tool fails then.
pub fn runs(
    command: &CargoCommand,
    mode: FeatureMode,
    metadata: &Metadata,
    dir: &Path,
    cargo: &Command,
    resolutions: &mut Resolutions,
) -> Result<Result<Vec<CargoRun>, String>> {
    let plain = |features: &str, flags: &[&str]| CargoRun {
        package: String::new(),
        features: features.to_owned(),
        dir: dir.to_owned(),
        flags: flags.iter().map(ToString::to_string).collect(),
        stands_for: Vec::new(),
    };
    if !command.all_features {
        return Ok(Ok(vec![plain("", &[])]));
    }
    match mode {
        FeatureMode::All => return Ok(Ok(vec![plain("all features", &["--all-features"])])),
        FeatureMode::Default => return Ok(Ok(vec![plain("default features", &[])])),
        FeatureMode::Powerset | FeatureMode::PowersetAll | FeatureMode::Each => {}
    }
    if let Some(contradiction) = features::contradiction(&metadata.packages) {
        return Ok(Err(contradiction));
    }
    let members = members_in(metadata, dir);
    if members.is_empty() {
        return Ok(Err(format!("{} is no package of the workspace and not its root", dir.display())));
    }
    if members.iter().all(|member| features::is_skipped(member)) {
        // The predecessor's tool fails too: it finds nothing to divide its work by.
        return Ok(Err("every package is left out by `skip_package`: nothing would be checked".into()));
    }
    let mut all = Vec::new();
    for member in &members {
        let sets = match features::sets(member, mode) {
            Ok(sets) => sets,
            Err(reason) => return Ok(Err(reason)),
        };
        let member_dir = member.manifest_path.parent().map_or(dir, |parent| parent.as_std_path());
        all.extend(sets.into_iter().map(|set| {
            let mut flags = vec!["--no-default-features".to_owned()];
            let features = set.join(",");
            if !features.is_empty() {
                flags.extend(["--features".to_owned(), features.clone()]);
            }
            // With one member its name would only be in the way.
            let package = if members.len() == 1 { String::new() } else { member.name.to_string() };
            CargoRun { package, features, dir: member_dir.to_owned(), flags, stands_for: Vec::new() }
        }));
    }
    if mode == FeatureMode::PowersetAll {
        return Ok(Ok(all));
    }
    Ok(Ok(distinct(all, command, cargo, resolutions)?))
}

/// The first of the runs that resolve to the same, standing for the others.
fn distinct(
    all: Vec<CargoRun>,
    command: &CargoCommand,
    cargo: &Command,
    resolutions: &mut Resolutions,
) -> Result<Vec<CargoRun>> {
    let selection = selection(command);
    let mut by_result: HashMap<String, usize> = HashMap::new();
    let mut kept: Vec<CargoRun> = Vec::new();
    for run in all {
        let flags = selection.iter().chain(&run.flags).cloned().collect();
        // Without a selection cargo builds the working folder's package, so the folder is part of it.
        let folder = if command.has("--workspace") { String::new() } else { run.dir.display().to_string() };
        let result = resolutions.resolve(cargo, &run.dir, flags)? + &folder;
        match by_result.get(&result) {
            Some(&first) => kept[first].stands_for.push(run.name()),
            None => {
                by_result.insert(result, kept.len());
                kept.push(run);
            }
        }
    }
    Ok(kept)
}

/// The flags that choose packages and target, in the spelling that `cargo tree` shares with the
/// building commands.
fn selection(command: &CargoCommand) -> Vec<String> {
    let mut flags = Vec::new();
    let mut args = command.args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--workspace" | "--all" => flags.push("--workspace".into()),
            "--package" | "-p" | "--exclude" | "--target" => {
                flags.push(arg.clone());
                flags.extend(args.next().cloned());
            }
            _ if ["--package=", "--exclude=", "--target="].iter().any(|flag| arg.starts_with(flag)) => {
                flags.push(arg.clone());
            }
            _ => {}
        }
    }
    flags
}

/// The members whose features are combined: all in the workspace's root, elsewhere the folder's own
/// package (as `cargo all-features` chooses).
fn members_in<'m>(metadata: &'m Metadata, dir: &Path) -> Vec<&'m cargo_metadata::Package> {
    let members = metadata.workspace_packages();
    if dir == metadata.workspace_root.as_std_path() {
        return members;
    }
    members.into_iter().filter(|package| package.manifest_path.parent().is_some_and(|p| p == dir)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_selection_of_packages_and_target_is_kept_and_nothing_else() {
        let command = CargoCommand::parse(
            "cargo all-features build --release --workspace --exclude a --exclude=b --target t --all-targets",
        )
        .unwrap();
        assert_eq!(selection(&command), ["--workspace", "--exclude", "a", "--exclude=b", "--target", "t"]);
    }
}
