//! Determines a check's work from its description and its options, and the command that a person would type
//! for it.

use super::Work;
use super::facts::{CrateFacts, Facts};
use super::item::{Item, Kind};
use super::text::{change_folder, set_variables};
use crate::checks::cargo::{CargoCommand, Overrides};
use crate::checks::{self, Check, Logic, Needs, Runs, shard};
use crate::config::{CheckOptions, Config};
use crate::exit::{infrastructure, usage};
use crate::model::{FeatureMode, Os, Platform};
use crate::predecessor::{Legacy, LegacyCheck};
use crate::workspace::path;
use anyhow::Result;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::cell::RefCell;

/// The result of planning a check's work.
#[derive(Clone, Debug)]
pub struct Made {
    /// What it does here.
    pub work: Work,
    /// The command that a person would type. It is also the step's command.
    pub command: String,
    /// The folder that it works in.
    pub directory: Option<String>,
    /// The package that it is restricted to.
    pub package: Option<String>,
    /// Its variables.
    pub env: Vec<(String, String)>,
    /// What it needs while other checks run.
    pub needs: Needs,
}

/// The input from which the work is determined.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    /// The item, as it was written.
    pub item: &'a Item<'a>,
    /// The platform of the step.
    pub platform: Option<Platform>,
    /// The platform that `{target_platform}` stands for: that of the step, else that of the job.
    pub target: Option<Platform>,
    /// The system.
    pub os: Os,
    /// The crate, if the step is for one crate.
    pub of_crate: Option<&'a CrateFacts>,
    /// The configuration.
    pub config: &'a Config,
    /// The facts.
    pub facts: &'a Facts,
    /// The commands of the item that were parsed for other steps.
    pub parsed: &'a Parsed,
}

/// Commands that were parsed. The steps of a thousand crates have few different ones.
#[derive(Default)]
pub struct Parsed(RefCell<Vec<(String, Option<CargoCommand>)>>);

/// How many commands are kept: one for each platform.
const KEPT: usize = Platform::DEFAULT.len() + 1;

impl Parsed {
    /// As [`CargoCommand::parse`].
    fn command(&self, text: &str) -> Option<CargoCommand> {
        let mut kept = self.0.borrow_mut();
        if let Some((_, command)) = kept.iter().find(|(known, _)| known == text) {
            return command.clone();
        }
        let command = CargoCommand::parse(text);
        if kept.len() == KEPT {
            kept.remove(0);
        }
        kept.push((text.to_owned(), command.clone()));
        command
    }
}

/// The options of a check that has none.
static NO_OPTIONS: std::sync::LazyLock<CheckOptions> = std::sync::LazyLock::new(CheckOptions::default);

impl<'a> Source<'a> {
    /// The check's options.
    fn options(&self) -> &'a CheckOptions {
        self.config.checks.get(self.item.name()).unwrap_or(&NO_OPTIONS)
    }

    fn refuse(&self, key: &str, what: &str) -> anyhow::Error {
        self.config.source.named_in(usage(format!("checks.{}.{key}: {what}", self.item.name())))
    }

    /// The work.
    ///
    /// # Errors
    /// Exit 2 for a placeholder that has no value here, and for options that do not fit the command.
    pub fn make(&self) -> Result<Made> {
        let overridden = self.options().command.as_deref();
        if let (Some(legacy), None) = (&self.item.legacy, overridden) {
            return self.legacy(legacy);
        }
        let text = self.fill(overridden.unwrap_or(&self.item.test.command), true)?;
        if self.item.kind == Kind::Standard { self.standard(&text) } else { self.shell(text.into_owned()) }
    }

    fn directory(&self) -> Option<String> {
        let of_crate = self.of_crate.filter(|_| self.item.kind == Kind::Standard);
        let of_crate = of_crate.map(|found| found.dir.clone()).filter(|dir| dir != ".");
        self.options().working_directory.clone().or(of_crate)
    }

    /// The variables that the options set, with their placeholders replaced.
    fn variables(&self) -> Result<Vec<(String, String)>> {
        let filled = |(name, value): (&String, &String)| {
            let at = |what: String| self.refuse(&format!("env.{name}"), &what);
            let value = self.fill_at(value, false).map_err(at)?.into_owned();
            Ok((name.clone(), value))
        };
        self.options().env.iter().map(filled).collect()
    }

    /// The arguments that the options add, with their placeholders replaced.
    fn args(&self) -> Result<Vec<String>> {
        let filled = |(at, text): (usize, &String)| {
            let refused = |what: String| self.refuse(&format!("args[{at}]"), &what);
            Ok(self.fill_at(text, false).map_err(refused)?.into_owned())
        };
        self.options().args.iter().enumerate().map(filled).collect()
    }

    fn overrides(&self) -> Result<Overrides> {
        let options = self.options();
        let env = self.variables()?;
        let (packages, exclude) = match self.of_crate.filter(|_| self.item.kind == Kind::Standard) {
            // Without a workspace there are no packages to exclude.
            Some(found) => (vec![found.name.clone()], Vec::new()),
            None => (options.packages.clone(), options.exclude.clone()),
        };
        Ok(Overrides { args: self.args()?, env, packages, exclude })
    }

    fn standard(&self, text: &str) -> Result<Made> {
        let options = self.options();
        let logic = match &options.command {
            None => self.item.check.map_or(Ok(None), |check| logic(check, &options.own))?,
            Some(_) => None,
        };
        let divided = shard::parallelism(&options.own).is_some();
        let emulated = self.platform.is_some_and(Platform::is_emulated);
        let mut env = self.variables()?;
        // Only the step of an emulated platform has the command itself.
        let mut typed = if emulated { text.to_owned() } else { String::new() };
        let (work, needs) = match (logic, self.parsed.command(text)) {
            (Some((logic, needs)), _) => {
                if let Some(key) = self.cargo_option() {
                    return Err(self.refuse(key, "this check is no cargo command that could take it"));
                }
                (Work::Logic(logic), needs)
            }
            (None, Some(command)) => {
                let features = options.features.unwrap_or(self.config.features);
                let mut command = command.with(&self.overrides()?);
                if emulated && features == FeatureMode::Default {
                    command.args.retain(|arg| arg != "--all-features");
                }
                env.clear();
                if emulated {
                    typed = command.to_string();
                }
                let needs = Needs::of_cargo(&command);
                let merge_examples = self.config.merge_examples;
                (Work::Cargo { command, features, divided, merge_examples }, needs)
            }
            (None, None) => {
                if let Some(key) = self.cargo_option() {
                    return Err(self.refuse(key, "its command is no plain cargo command: write it there"));
                }
                (Work::Shell(text.to_owned()), Needs::of_shell())
            }
        };
        if divided {
            let command = if let Work::Cargo { command, .. } = &work { Some(command) } else { None };
            if let Some(reason) = shard::refusal(command) {
                return Err(self.refuse(shard::OPTION, reason));
            }
        }
        let directory = self.directory();
        let package = self.of_crate.map(|found| found.name.clone());
        let command = if emulated {
            // The virtual machine has nothing from the host, and so it does not have this program either.
            let text = if typed == self.plain_of(text) { text.to_owned() } else { typed };
            change_folder(self.os, directory.as_deref(), &set_variables(self.os, &env, text))
        } else {
            run_command(self.item.name(), package.as_deref(), None)
        };
        Ok(Made { work, command, directory, package, env, needs })
    }

    /// The text of a cargo command after it is parsed and written again. A comparison with it shows whether
    /// options have changed the command.
    fn plain_of(&self, text: &str) -> String {
        self.parsed.command(text).map_or_else(|| text.to_owned(), |command| command.to_string())
    }

    /// The first option that only a cargo command accepts.
    fn cargo_option(&self) -> Option<&'static str> {
        let options = self.options();
        [
            ("args", !options.args.is_empty()),
            ("packages", !options.packages.is_empty()),
            ("exclude", !options.exclude.is_empty()),
            ("features", options.features.is_some()),
        ]
        .into_iter()
        .find_map(|(key, given)| given.then_some(key))
    }

    /// Plans a shell command. The options must change its text, because the step shows the text and a person
    /// may copy it.
    fn shell(&self, text: String) -> Result<Made> {
        let options = self.options();
        if options.features.is_some() {
            return Err(self.refuse("features", "only the standard checks have sets of features"));
        }
        if options.own.contains_key(shard::OPTION) {
            return Err(self.refuse(shard::OPTION, "only the standard unit tests can be divided over jobs"));
        }
        let mut text = text;
        let mut env = self.variables()?;
        if let Some(key) = self.cargo_option() {
            let parsed = CargoCommand::parse(&text);
            let command = parsed.ok_or_else(|| {
                self.refuse(key, "the command is no plain cargo command: change it by `command`")
            })?;
            text = command.with(&self.overrides()?).to_string();
            env.clear();
        }
        let directory = self.directory();
        let shown = set_variables(self.os, &env, text.clone());
        Ok(Made {
            command: change_folder(self.os, directory.as_deref(), &shown),
            work: Work::Shell(text),
            directory,
            package: None,
            env,
            needs: Needs::of_shell(),
        })
    }

    /// A call of one of the predecessor's Python files becomes a check of this program.
    fn legacy(&self, legacy: &Legacy) -> Result<Made> {
        let options = self.options();
        let name = legacy.check.name();
        let mut own = self.config.checks.get(name).map(|options| options.own.clone()).unwrap_or_default();
        own.extend(options.own.clone());
        let mut env = Vec::new();
        for (name, value) in &legacy.env {
            env.push((name.clone(), self.fill(value, false)?.into_owned()));
        }
        env.extend(self.variables()?);
        let fill = |text: &Option<String>| -> Result<Option<String>> {
            text.as_deref().map(|text| self.fill(text, false).map(Cow::into_owned)).transpose()
        };
        let folder =
            options.working_directory.clone().map_or_else(|| fill(&legacy.directory), |dir| Ok(Some(dir)))?;
        // A path that leads out of the repository stays as it is. The step will report that it does not
        // exist.
        let folder = folder.map(|dir| path::join("", &dir).unwrap_or(dir)).filter(|dir| !dir.is_empty());
        let is_bench = legacy.check == LegacyCheck::Bench;
        let of_folder = || match folder.as_deref() {
            // The benchmarks of a crate. The folder of the call or of the description says which crate.
            _ if is_bench => self.crate_of_call(folder.as_deref()),
            folder if legacy.crate_scope => self.package_in(folder),
            _ => None,
        };
        let package = fill(&legacy.package)?.or_else(of_folder);
        let folder = folder.filter(|_| !is_bench);
        let set = env.iter().map(|(name, value)| format!("{name}={} ", shell_words::quote(value)));
        let mut command = set.collect::<String>();
        command += &run_command(name, package.as_deref(), folder.as_deref());
        let changes_folder = legacy.around.as_ref().is_some_and(|(before, _)| before.contains("cd "));
        if changes_folder && legacy.check == LegacyCheck::Coverage {
            // Without this, the program would check the whole repository.
            command += " -C .";
        }
        if legacy.update {
            command += " --update";
        }
        let Some((before, after)) = &legacy.around else {
            let logic = checks::find(name).map_or(Ok(None), |check| logic(check, &own))?;
            let (logic, needs) = logic.ok_or_else(|| infrastructure(format!("no check is called {name}")))?;
            let work = Work::Logic(logic);
            return Ok(Made { work, command, directory: folder, package, env, needs });
        };
        let (before, after) = (self.fill(before, true)?, self.fill(after, true)?);
        let gap = if after.is_empty() || after.starts_with([' ', ';', '\n']) { "" } else { " " };
        let text = format!("{before}{command}{gap}{after}");
        let work = Work::Shell(text.clone());
        let needs = Needs::of_shell();
        Ok(Made { work, command: text, directory: None, package: None, env: Vec::new(), needs })
    }

    /// The package in a folder: that of a member, else that of the step's crate.
    fn package_in(&self, folder: Option<&str>) -> Option<String> {
        let dir = folder.unwrap_or(".");
        let found = self.facts.crate_in(dir).or(self.of_crate).or_else(|| self.owner());
        found.map(|found| found.name.clone())
    }

    /// The package for a call that names none: the member in the folder that the call changed into, else the
    /// step's crate, else the crate whose description contains the call.
    fn crate_of_call(&self, folder: Option<&str>) -> Option<String> {
        let in_folder = folder.and_then(|dir| self.facts.crate_in(dir.trim_end_matches('/')));
        let found = in_folder.or(self.of_crate).or_else(|| self.owner());
        found.map(|found| found.name.clone())
    }

    /// The crate whose description contains the check.
    fn owner(&self) -> Option<&'a CrateFacts> {
        self.facts.crates.as_ref()?.get(self.item.owner?)
    }
}

/// The work and the needs of a check that has its own code in `checks/`. None for another check.
fn logic(check: &'static Check, own: &Map<String, Value>) -> Result<Option<(Logic, Needs)>> {
    match &check.runs {
        Runs::Logic { read, needs } => Ok(Some((read(own)?, needs.clone()))),
        Runs::Command { .. } => Ok(None),
    }
}

/// The command with which a person runs one check, for a package or else in a folder.
fn run_command(check: &str, package: Option<&str>, folder: Option<&str>) -> String {
    match (package, folder) {
        (Some(package), _) => format!("rust-vmm-ci run {check} --package {}", shell_words::quote(package)),
        (None, Some(folder)) => format!("rust-vmm-ci run {check} -C {}", shell_words::quote(folder)),
        (None, None) => format!("rust-vmm-ci run {check}"),
    }
}
