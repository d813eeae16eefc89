//! The runs that a cargo check consists of: one for each distinct result of feature resolution.

use super::dependencies;
use super::facts::{CARGO_ANSWERS_WITHIN, WorkspaceError, surroundings};
use super::once_map::OnceMap;
use crate::process::{self, Command};
use cargo_metadata::Metadata;
use rust_vmm_ci_core::checks::cargo::CargoCommand;
use rust_vmm_ci_core::model::FeatureMode;
use rust_vmm_ci_core::report::combination_name;
use rust_vmm_ci_core::workspace::features;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One run: a folder and flags, and which combinations it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CargoRun {
    /// The member whose features are combined. Empty where no features are combined, and where there is one
    /// member only.
    pub package: String,
    /// The features, joined with commas.
    pub features: String,
    /// The folder that cargo is started in. With resolver 1, the flags concern its package alone.
    pub dir: PathBuf,
    /// The flags that choose the features.
    pub flags: Vec<String>,
    /// The other combinations that resolve to the same, as `PACKAGE: FEATURES`. They are not run.
    pub stands_for: Vec<String>,
}

impl CargoRun {
    /// The run's name for people: `no features` or `a,b`, after the member where there are several.
    pub fn name(&self) -> String {
        combination_name(&self.package, &self.features)
    }
}

/// What cargo would build in a folder with given flags, kept for a job: several checks select the same
/// packages for the same target.
#[derive(Debug, Default)]
pub struct Resolutions {
    answers: OnceMap<(PathBuf, String), Result<Arc<str>, process::Error>>,
}

/// How cargo is asked what it would build.
pub struct Asking<'a> {
    /// cargo, with the variables of the check.
    pub cargo: Command,
    /// Everything besides features that can make cargo do something else in one folder than in another.
    pub place: &'a dyn Fn(&Path) -> String,
}

impl Resolutions {
    /// What cargo resolves, as `cargo tree` prints it: each package in the graph of each selected member,
    /// for the machine and target that it is built for, with its features. The answer is the whole text and
    /// not the set of its lines. With resolver 2 a package can stand in it twice, with other features for
    /// the host than for the target.
    ///
    /// Where cargo refuses, the answer is what it says. It names what it refuses, and so two refusals are
    /// seldom the same. At worst a run that was not needed fails.
    fn resolve(&self, cargo: Command, dir: &Path, flags: &[String]) -> Result<Arc<str>, process::Error> {
        let command = cargo
            .args(["tree", "--prefix=depth", "--format={p} {f}"])
            .args(flags)
            .dir(dir)
            .within(CARGO_ANSWERS_WITHIN);
        let refused = format!("refused {flags:?}: ");
        self.answers.get_or_make((dir.to_owned(), surroundings(&command)), || {
            let captured = process::ask(&command)?;
            let succeeded = captured.status.success();
            Ok(if succeeded { captured.text() } else { refused + &dependencies::complaint(&captured) }.into())
        })
    }
}

/// The runs of a cargo command in `dir`.
///
/// # Errors
/// [`WorkspaceError::Uncombinable`] where the packages' metadata contradict each other, and
/// [`WorkspaceError::NotAsked`].
pub fn runs(
    command: &CargoCommand,
    mode: FeatureMode,
    metadata: &Metadata,
    dir: &Path,
    asking: &Asking<'_>,
    resolutions: &Resolutions,
) -> Result<Vec<CargoRun>, WorkspaceError> {
    let plain = |features: &str, flags: &[&str]| CargoRun {
        package: String::new(),
        features: features.to_owned(),
        dir: dir.to_owned(),
        flags: flags.iter().map(ToString::to_string).collect(),
        stands_for: Vec::new(),
    };
    if !command.all_features {
        return Ok(vec![plain("", &[])]);
    }
    match mode {
        FeatureMode::All => {
            let flags: Vec<&str> = command.unless_given("--all-features").into_iter().collect();
            return Ok(vec![plain("all features", &flags)]);
        }
        FeatureMode::Default => return Ok(vec![plain("default features", &[])]),
        FeatureMode::Powerset | FeatureMode::PowersetAll | FeatureMode::Each => {}
    }
    if let Some(contradiction) = features::contradiction(&metadata.packages) {
        return Err(WorkspaceError::Uncombinable(contradiction));
    }
    let in_root = dir == metadata.workspace_root.as_std_path();
    let mut members = members_in(metadata, dir);
    if members.is_empty() {
        let reason = format!("{} is no package of the workspace and not its root", dir.display());
        return Err(WorkspaceError::Uncombinable(reason));
    }
    // Cargo refuses the features of a package that the command does not select.
    members.retain(|member| command.selects(&member.name));
    if members.is_empty() {
        let reason = "`packages` and `exclude` leave out every package: nothing would be checked";
        return Err(WorkspaceError::NothingSelected(reason));
    }
    if in_root && members.iter().all(|member| features::is_skipped(member)) {
        // The predecessor's tool fails too.
        let reason = "every package is left out by `skip_package`: nothing would be checked";
        return Err(WorkspaceError::Uncombinable(reason.into()));
    }
    let mut all = Vec::new();
    for member in &members {
        let sets = features::sets(member, mode, in_root).map_err(WorkspaceError::TooMuch)?;
        let member_dir = member.manifest_path.parent().map_or(dir, |parent| parent.as_std_path());
        all.extend(sets.into_iter().map(|set| {
            let mut flags: Vec<String> =
                command.unless_given("--no-default-features").map(str::to_owned).into_iter().collect();
            let features = set.join(",");
            if !features.is_empty() {
                flags.extend(["--features".to_owned(), features.clone()]);
            }
            let package = if members.len() == 1 { String::new() } else { member.name.to_string() };
            CargoRun { package, features, dir: member_dir.to_owned(), flags, stands_for: Vec::new() }
        }));
    }
    if mode == FeatureMode::PowersetAll {
        return Ok(all);
    }
    Ok(distinct(all, command, asking, resolutions)?)
}

/// Keeps the first of the runs that resolve to the same. It stands for the others.
fn distinct(
    all: Vec<CargoRun>,
    command: &CargoCommand,
    asking: &Asking<'_>,
    resolutions: &Resolutions,
) -> Result<Vec<CargoRun>, process::Error> {
    let selection = selection(command);
    // Without `--workspace` cargo builds the package of the folder that it is started in. An argument with a
    // relative path can mean another file in each folder.
    let same_everywhere = command.has("--workspace") && !command.args.iter().any(|arg| names_a_file(arg));
    let mut by_result: HashMap<(Arc<str>, String), usize> = HashMap::new();
    let mut kept: Vec<CargoRun> = Vec::new();
    for run in all {
        let flags: Vec<String> = selection.iter().chain(&run.flags).cloned().collect();
        let folder = if same_everywhere { String::new() } else { run.dir.display().to_string() };
        let place = format!("{folder}\n{}", (asking.place)(&run.dir));
        let key = (resolutions.resolve(asking.cargo.clone(), &run.dir, &flags)?, place);
        match by_result.get(&key) {
            Some(&first) => kept[first].stands_for.push(run.name()),
            None => {
                by_result.insert(key, kept.len());
                kept.push(run);
            }
        }
    }
    Ok(kept)
}

/// The flags that choose packages, features, target and the kinds of dependencies. `cargo tree` spells them
/// as the commands do that build.
fn selection(command: &CargoCommand) -> Vec<String> {
    const ALONE: [&str; 6] =
        ["--workspace", "--all-features", "--no-default-features", "--locked", "--frozen", "--offline"];
    const WITH_VALUE: [&str; 9] =
        ["--package", "-p", "--exclude", "--target", "--features", "-F", "--config", "--manifest-path", "-Z"];
    // Features of development dependencies count only where something is built that uses them.
    let edges = if command.needs_dev_dependencies() { "normal,build,dev" } else { "normal,build" };
    let mut flags = vec![format!("--edges={edges}")];
    let mut args = command.args.iter();
    while let Some(arg) = args.next() {
        let joined = || WITH_VALUE.iter().any(|flag| arg.starts_with(&format!("{flag}=")));
        if arg == "--all" {
            flags.push("--workspace".into());
        } else if ALONE.contains(&arg.as_str()) || joined() {
            flags.push(arg.clone());
        } else if WITH_VALUE.contains(&arg.as_str()) {
            flags.push(arg.clone());
            flags.extend(args.next().cloned());
        }
    }
    flags
}

/// Whether an argument may name a file by a path that counts from the folder that cargo is started in.
fn names_a_file(arg: &str) -> bool {
    arg.contains('/') || [".toml", ".json"].iter().any(|extension| arg.ends_with(extension))
}

/// The members whose features are combined: all of them in the workspace's root, and elsewhere the folder's
/// own package. `cargo all-features` chooses in the same way.
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
            "cargo all-features build --release --workspace --exclude a --exclude=b --target t --all-targets \
             --features x --locked --jobs 1",
        )
        .unwrap();
        let expected =
            "--edges=normal,build,dev --workspace --exclude a --exclude=b --target t --features x --locked";
        assert_eq!(selection(&command).join(" "), expected);
        let command = CargoCommand::parse("cargo all-features build --all").unwrap();
        assert_eq!(selection(&command), ["--edges=normal,build", "--workspace"]);
    }
}
