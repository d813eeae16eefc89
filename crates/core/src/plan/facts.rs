//! Facts from the repository's files and from the predecessor's variables. They are read once, before
//! planning.

use super::watched::{Globs, List, Watched};
use crate::checks::{self, STANDARD};
use crate::config::{Config, WorkspaceMode};
use crate::exit::usage;
use crate::model::Platform;
use crate::model::shown::{self, value};
use crate::predecessor::{self, Description, Legacy, LegacyCheck, Test, Variables};
use crate::selection::Selection;
use crate::workspace::path::{file_in, is_within, join};
use crate::workspace::{Crate, Crates, Files, Reach, parallel, unreadable};
use anyhow::Result;
use std::collections::HashMap;

/// The folder of descriptions and pipelines, in the root and in each crate.
const BUILDKITE: &str = ".buildkite";

/// The names of the files in which crates describe their own tests. The predecessor reads the first one.
/// Repositories use the second one for files that are uploaded by name.
const CRATES_FILES: [&str; 2] = ["test_description.json", "custom-tests.json"];

/// Facts for a plan.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The platforms of the root's `.platform`.
    pub platforms: Option<Vec<Platform>>,
    /// The predecessor's variables.
    pub variables: Variables,
    /// The standard checks' description.
    pub standard: Description,
    /// The files of the option `tests`, in order.
    pub tests: Vec<Description>,
    /// The platforms for which the root has a `coverage_config_ARCH.json`.
    pub coverage: Vec<Platform>,
    /// The members of the workspace, if the plan needs them.
    pub crates: Option<Vec<CrateFacts>>,
    /// The crates' indices by folder.
    crate_in: HashMap<String, usize>,
    /// Notes for the person who reads the log. They are not errors.
    pub notes: Vec<String>,
    /// What the change reaches. None where nobody asked: then every step is planned to run.
    pub selection: Option<Selection>,
}

/// A member of the workspace.
#[derive(Clone, Debug)]
pub struct CrateFacts {
    /// Its package's name.
    pub name: String,
    /// Its folder, from the root. `.` is the root.
    pub dir: String,
    /// The platforms of its own `.platform`.
    pub platforms: Option<Vec<Platform>>,
    /// Its own descriptions.
    pub tests: Vec<Description>,
    /// The globs for its files, and those for paths that concern every crate. With `dependents`, also the
    /// globs for the files of the crates that it depends on by path.
    pub watched: Watched,
}

impl Facts {
    /// Reads the facts that a plan needs. `variable` returns the predecessor's variables. `packages` asks for
    /// the workspace's members. In selective mode they are always read.
    ///
    /// # Errors
    /// Exit 2, with the place, if a file or a variable is wrong. Exit 3 if a file cannot be read.
    pub fn read(
        files: &dyn Files,
        variable: &dyn Fn(&str) -> Option<String>,
        config: &Config,
        packages: bool,
    ) -> Result<Self> {
        let variables = Variables::read(variable)?;
        let mut facts = Self {
            platforms: platforms(files, "")?,
            variables,
            standard: Description::read("the standard checks", STANDARD)?,
            ..Self::default()
        };
        for (index, path) in config.tests.iter().enumerate() {
            let Some(path) = join("", path) else {
                let error = usage(format!("tests[{index}]: {} leads out of the repository", value(path)));
                return Err(config.source.named_in(error));
            };
            let Some(text) = read(files, &path)? else {
                let error = usage(format!("tests[{index}]: there is no file {}", shown::name(&path)));
                return Err(config.source.named_in(error));
            };
            facts.tests.push(Description::read(&path, &text)?);
        }
        for platform in Platform::native() {
            if read(files, &format!("coverage_config_{platform}.json"))?.is_some() {
                facts.coverage.push(platform);
            }
        }
        let selective = config.workspace == WorkspaceMode::Selective;
        // These need the workspace's members: the option `packages` or `exclude` of a check, and a call of
        // the predecessor's coverage or benchmark for one crate. Such a call becomes a check of that package.
        let named =
            config.checks.values().any(|check| !check.packages.is_empty() || !check.exclude.is_empty());
        let scoped =
            facts.tests.iter().any(|file| file.tests.iter().any(|test| is_of_crate(&file.path, test)));
        let members = named || scoped;
        if packages || selective || (members && read(files, "Cargo.toml")?.is_some()) {
            facts.read_crates(files, config)?;
        }
        facts.note_variables(files, config)?;
        Ok(facts)
    }

    fn read_crates(&mut self, files: &dyn Files, config: &Config) -> Result<()> {
        let crates = Crates::read(files)?;
        let names = self.crates_files(config);
        let mut globs = Globs::of(files, &crates)?;
        let mut reach = Reach::new(&crates);
        let members = crates.members().into_iter();
        let listed: Vec<(&Crate, List)> =
            members.map(|member| (member, globs.list(member, &mut reach, config.dependents))).collect();
        let read = parallel::map(
            &listed,
            files.readers(),
            |(member, list)| -> Result<(CrateFacts, Option<String>)> {
                // Only selective mode has steps for the crates' own tests.
                let (tests, note) = match config.workspace {
                    WorkspaceMode::Selective => self.descriptions_of(files, member, &names)?,
                    WorkspaceMode::Whole => (Vec::new(), None),
                };
                let is_root = member.dir.is_empty();
                let found = CrateFacts {
                    name: member.name.clone(),
                    dir: if is_root { ".".into() } else { member.dir.clone() },
                    platforms: if is_root { self.platforms.clone() } else { platforms(files, &member.dir)? },
                    tests,
                    watched: globs.watched(list),
                };
                Ok((found, note))
            },
        );
        let mut found = Vec::with_capacity(read.len());
        for facts in read {
            let (facts, note) = facts?;
            self.notes.extend(note);
            self.crate_in.insert(facts.dir.clone(), found.len());
            found.push(facts);
        }
        self.crates = Some(found);
        Ok(())
    }

    /// A crate's own descriptions, and a note about a file that is not read.
    fn descriptions_of(
        &self,
        files: &dyn Files,
        member: &Crate,
        names: &[&str],
    ) -> Result<(Vec<Description>, Option<String>)> {
        let (mut tests, mut note) = (Vec::new(), None);
        // The files in the root do not belong to a single crate.
        for name in CRATES_FILES.into_iter().filter(|_| !member.dir.is_empty()) {
            let path = file_in(&member.dir, &format!("{BUILDKITE}/{name}"));
            // A file that `tests` names has been read already.
            let is_read = self.tests.iter().any(|file| file.path == path);
            let Some(text) = (if is_read { None } else { read(files, &path)? }) else { continue };
            if names.contains(&name) {
                tests.push(Description::read(&path, &text)?);
            } else {
                note = Some(format!(
                    "{path} is not read: the predecessor reads crates' {} only; name it in `tests` for its steps",
                    CRATES_FILES[0]
                ));
            }
        }
        Ok((tests, note))
    }

    /// The names of the crates' files that are read. The predecessor's name is always read. The other name is
    /// read if `tests` names a file with this name, or if `tests` names no file.
    fn crates_files(&self, config: &Config) -> Vec<&'static str> {
        let like = |name: &str| self.tests.iter().any(|file| file.path.ends_with(&format!("/{name}")));
        let wanted = |name: &&str| *name == CRATES_FILES[0] || config.tests.is_empty() || like(name);
        CRATES_FILES.into_iter().filter(wanted).collect()
    }

    /// Every description: of the standard checks, of the files in `tests`, and of the crates.
    pub fn descriptions(&self) -> impl Iterator<Item = &Description> {
        let crates = self.crates.iter().flatten().flat_map(|found| &found.tests);
        std::iter::once(&self.standard).chain(&self.tests).chain(crates)
    }

    /// The crate in a folder. `.` is the root.
    pub fn crate_in(&self, dir: &str) -> Option<&CrateFacts> {
        self.crates.as_ref()?.get(*self.crate_in.get(dir)?)
    }

    /// The crate whose folder contains a file. If there are several, it is the one with the longest path.
    pub fn crate_of(&self, path: &str) -> Option<usize> {
        let crates = self.crates.iter().flatten().enumerate();
        let within = crates.filter(|(_, found)| found.dir != "." && is_within(path, &found.dir));
        within.max_by_key(|(_, found)| found.dir.len()).map(|(index, _)| index)
    }

    fn note_variables(&mut self, files: &dyn Files, config: &Config) -> Result<()> {
        if self.variables.mentioned().next().is_none() {
            return Ok(());
        }
        let mut known: Vec<&str> =
            self.descriptions().flat_map(|file| &file.tests).map(|test| test.name.as_str()).collect();
        known.extend(config.steps.iter().map(|step| step.label.as_str()));
        known.extend(checks::opt_in().map(|check| check.name));
        let notes = self.variables.note_unknown_names(&known, || elsewhere(files))?;
        self.notes.extend(notes);
        Ok(())
    }
}

/// Whether a test in a file calls the predecessor's coverage or benchmark for one crate.
fn is_of_crate(path: &str, test: &Test) -> bool {
    let folder = || path.split_once(&format!("/{BUILDKITE}/")).is_some();
    match Legacy::check_of(&test.command) {
        Some(LegacyCheck::Coverage) => test.command.contains("--test-scope"),
        Some(LegacyCheck::Bench) => test.command.contains("cd ") || test.crate_path.is_some() || folder(),
        _ => false,
    }
}

/// The names of tests in the repository's other descriptions. A file that cannot be read counts as empty.
fn elsewhere(files: &dyn Files) -> Vec<String> {
    let listed = files.list(BUILDKITE).unwrap_or_default();
    let descriptions = listed.into_iter().filter(|(name, is_folder)| {
        !is_folder && name.rsplit_once('.').is_some_and(|(_, end)| end == "json")
    });
    let text = |(name, _): (String, bool)| files.read(&file_in(BUILDKITE, &name)).ok().flatten();
    descriptions.filter_map(text).flat_map(|text| Description::names(&text)).collect()
}

fn platforms(files: &dyn Files, dir: &str) -> Result<Option<Vec<Platform>>> {
    let path = file_in(dir, ".platform");
    read(files, &path)?.map(|text| predecessor::platforms(&path, &text)).transpose()
}

fn read(files: &dyn Files, path: &str) -> Result<Option<String>> {
    files.read(path).map_err(|error| unreadable(path, &error))
}
