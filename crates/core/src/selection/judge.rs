//! The selection itself: what each changed path reaches.

use super::causes::Selection;
use super::change::{Before, Change, Rules};
use super::descriptions::differing_tests;
use super::links::Links;
use super::lock::{self, Lock};
use super::manifest::{self, Effect};
use super::mentions::{self, Place};
use super::paths::{
    Changed, Owners, above, is_coverage_file, is_for_people, is_of_whole, is_predecessor, name, parent,
};
use crate::model::shown::line;
use crate::workspace::path::{file_in, is_within};
use crate::workspace::{Crate, Crates, Files, Outside, Reach, parallel};
use anyhow::Result;
use std::collections::{BTreeMap, BTreeSet};
use toml::Table;

/// The file names that cargo, rustup and this program look for.
const MANIFEST: &str = "Cargo.toml";
const LOCK: &str = "Cargo.lock";

/// The folders of the root that are the root's package, if there is one.
const OF_ROOT: [&str; 4] = ["src", "tests", "benches", "examples"];

/// The endings of files whose text names no path.
const NO_TEXT: [&str; 8] = ["md", "lock", "png", "svg", "jpg", "gz", "bin", "elf"];

/// Decides what a change reaches. `before` tells what a file was in the base, and `files` are the files now.
///
/// # Errors
/// Exit 2 where a manifest is wrong, exit 3 where a file cannot be read.
pub fn select(
    change: &Change,
    before: &(dyn Fn(&str) -> Before + Sync),
    files: &dyn Files,
    rules: &Rules,
) -> Result<Selection> {
    let paths: Vec<&str> =
        change.paths.iter().map(String::as_str).filter(|path| !rules.ignores(path)).collect();
    let crates = Crates::read(files)?;
    let changed = Changed::new(paths.iter().copied());
    let tracked: BTreeSet<&str> = change.tracked.iter().map(String::as_str).collect();
    let links = Links::read(&change.links, files);
    let through = links.to_changed(&changed, changed.iter().find(|path| !tracked.contains(path)));
    let judge = Judge {
        change,
        before,
        files,
        rules,
        owners: Owners::new(crates.all().iter().map(|found| found.dir.as_str())),
        all: crates.all(),
        named: Changed::new(changed.iter().chain(through.iter().map(|(link, _)| *link))),
        changed,
        links,
        through,
        tracked,
    };
    let base = || change.base.clone();
    match judge.judge(&crates) {
        Ok(selection) => Ok(Selection { base: base(), paths: change.paths.len(), ..selection }),
        Err(All(why)) => Ok(Selection { base: base(), ..Selection::of_everything(why) }),
    }
}

/// Everything is reached, and why.
struct All(String);

struct Judge<'a> {
    change: &'a Change,
    before: &'a (dyn Fn(&str) -> Before + Sync),
    files: &'a dyn Files,
    rules: &'a Rules,
    all: &'a [Crate],
    owners: Owners<'a>,
    changed: Changed<'a>,
    /// The changed paths, and the links that lead to them: what a source may name.
    named: Changed<'a>,
    links: Links<'a>,
    /// The links that lead to a changed path, with this path.
    through: Vec<(&'a str, &'a str)>,
    tracked: BTreeSet<&'a str>,
}

/// The causes for crates, by index.
type Causes = BTreeMap<usize, String>;

impl Judge<'_> {
    fn judge(&self, crates: &Crates) -> Result<Selection, All> {
        let mut selection = Selection::default();
        let mut causes = Causes::new();
        for path in self.changed.iter() {
            self.of_path(path, &mut causes, &mut selection)?;
        }
        self.of_workspace_files(&mut causes)?;
        self.of_outside(crates, &mut causes);
        self.of_mentions(&mut causes);
        let mut reach = Reach::new(crates);
        for member in crates.members() {
            let own = |found: &Crate| causes.get(&self.index(found)?).cloned();
            let of_dependency = |on: &Crate| own(on).map(|cause| format!("{} ({cause})", on.name));
            let cause = own(member).or_else(|| {
                let on = if self.rules.dependents { reach.dependencies(member) } else { Vec::new() };
                on.into_iter().find_map(of_dependency)
            });
            selection.crates.extend(cause.map(|cause| (member.name.clone(), cause)));
        }
        // A crate that is no member has no steps of its own, but steps of the whole workspace may build it.
        if selection.crates.is_empty() {
            selection.whole = selection.whole.or_else(|| causes.values().next().cloned());
        }
        Ok(selection)
    }

    fn index(&self, of: &Crate) -> Option<usize> {
        self.owners.of(&file_in(&of.dir, MANIFEST))
    }

    /// What a path reaches by where it is.
    fn of_path(&self, path: &str, causes: &mut Causes, selection: &mut Selection) -> Result<(), All> {
        let shown = line(path).into_owned();
        if self.change.submodules.iter().any(|module| module == path) {
            if is_predecessor(path) && !self.rules.tests.iter().any(|file| is_within(file, path)) {
                selection.whole.get_or_insert(shown);
                return Ok(());
            }
            return Err(All(format!("{shown} is a submodule, and its files are not looked at")));
        }
        if self.links.may_lead_on(path, self.before) {
            return Err(All(format!("{shown} is a link, and others may lead through it")));
        }
        if is_for_people(path, &self.owners) || matches!(path, MANIFEST | LOCK) {
            return Ok(());
        }
        if self.rules.tests.iter().any(|file| file == path) {
            return self.of_description(path, selection);
        }
        let owner = self.owners.of(path);
        if is_coverage_file(path) {
            let of = owner.filter(|_| path.contains('/')).map(|index| self.all[index].name.clone());
            selection.checks.insert((of.unwrap_or_default(), "coverage"), shown);
            return Ok(());
        }
        if is_of_whole(path) {
            selection.whole.get_or_insert(shown);
            return Ok(());
        }
        let own_dir = owner.map_or("", |index| self.all[index].dir.as_str());
        // A package that no member uses has a folder of its own.
        let stranger = above(path).take_while(|dir| !dir.is_empty() && *dir != own_dir).find(|dir| {
            let manifest = file_in(dir, MANIFEST);
            self.tracked.contains(manifest.as_str()) || self.change.paths.contains(&manifest)
        });
        match owner {
            Some(index) if !own_dir.is_empty() => drop(causes.entry(index).or_insert(shown)),
            _ if stranger.is_some() => drop(selection.whole.get_or_insert(shown)),
            Some(index) if path == "build.rs" || OF_ROOT.iter().any(|dir| is_within(path, dir)) => {
                causes.entry(index).or_insert(shown);
            }
            // What a manifest names elsewhere belongs to that crate.
            _ if self.all.iter().any(|found| found.outside.iter().any(|part| is_in(path, part))) => {}
            _ => return Err(All(format!("{shown} may concern every crate"))),
        }
        Ok(())
    }

    /// The tests that differ in a description that the option `tests` names.
    fn of_description(&self, path: &str, selection: &mut Selection) -> Result<(), All> {
        let all = || All(path.to_owned());
        let Before::Text(old) = (self.before)(path) else { return Err(all()) };
        let new = self.files.read(path).ok().flatten().ok_or_else(all)?;
        let names = differing_tests(&old, &new).ok_or_else(all)?;
        selection.tests.extend(names.into_iter().map(|name| ((path.to_owned(), name), path.to_owned())));
        Ok(())
    }

    /// What the root's manifest and lock file reach, and manifests where there is no lock file.
    fn of_workspace_files(&self, causes: &mut Causes) -> Result<(), All> {
        let mut replaced = BTreeSet::new();
        let has_lock = self.tracked.contains(LOCK);
        if self.changed.within(MANIFEST) == Some(MANIFEST) {
            let (old, new) = self.tables(MANIFEST)?;
            let old = old.ok_or_else(|| All(format!("{MANIFEST} is new")))?;
            if self.all.iter().any(|found| found.dir.is_empty()) {
                causes.entry(self.owners.of(MANIFEST).unwrap_or_default()).or_insert(MANIFEST.into());
            }
            for effect in manifest::of_root(&old, &new) {
                self.of_effect(effect, causes, &mut replaced)?;
            }
        }
        if self.changed.within(LOCK) == Some(LOCK) || (has_lock && !replaced.is_empty()) {
            self.of_lock(&replaced, causes)?;
        } else if let Some(name) = replaced.first() {
            return Err(All(format!("{MANIFEST} replaces {name} in another way, and there is no {LOCK}")));
        }
        if has_lock {
            return Ok(());
        }
        let manifests = self.changed.iter().filter(|path| name(path) == MANIFEST);
        for path in manifests.filter(|path| self.owners.is_crate(parent(path)) || *path == MANIFEST) {
            let (old, new) = self.tables(path)?;
            if let Some(bound) = manifest::binds_others(old.as_ref(), &new) {
                return Err(All(format!("there is no {LOCK}, and {path} binds {bound} for all crates")));
            }
        }
        Ok(())
    }

    fn of_effect(
        &self,
        effect: Effect,
        causes: &mut Causes,
        replaced: &mut BTreeSet<String>,
    ) -> Result<(), All> {
        match effect {
            Effect::All(key) => return Err(All(format!("{MANIFEST} ({key})"))),
            Effect::Replaced(name) => drop(replaced.insert(name)),
            Effect::Member(dir) => {
                for (index, _) in self.all.iter().enumerate().filter(|(_, found)| found.dir == dir) {
                    causes.entry(index).or_insert(format!("{MANIFEST} (a new member)"));
                }
            }
            Effect::Inherited(table, key) => {
                let shown = format!("{MANIFEST} ({})", if key.is_empty() { table } else { &key });
                for (index, found) in self.all.iter().enumerate() {
                    let path = file_in(&found.dir, MANIFEST);
                    let read =
                        self.files.read(&path).ok().flatten().and_then(|text| text.parse::<Table>().ok());
                    if read.is_none_or(|read| manifest::inherits(&read, table, &key)) {
                        causes.entry(index).or_insert_with(|| shown.clone());
                    }
                }
            }
        }
        Ok(())
    }

    /// A manifest's text in the base and now.
    fn tables(&self, path: &str) -> Result<(Option<Table>, Table), All> {
        let unsure = || All(format!("what {path} was in the base is not known"));
        let old = match (self.before)(path) {
            Before::Text(text) => Some(text.parse::<Table>().map_err(|_| unsure())?),
            Before::Absent => None,
            Before::Unknown => return Err(unsure()),
        };
        let new = self.files.read(path).ok().flatten().and_then(|text| text.parse::<Table>().ok());
        Ok((old, new.unwrap_or_default()))
    }

    fn of_lock(&self, replaced: &BTreeSet<String>, causes: &mut Causes) -> Result<(), All> {
        let before = match (self.before)(LOCK) {
            Before::Text(text) => Lock::parse(&text),
            Before::Absent | Before::Unknown => None,
        };
        let now = self.files.read(LOCK).ok().flatten().and_then(|text| Lock::parse(&text));
        let (Some(before), Some(now)) = (before, now) else {
            return Err(All(format!("what differs in {LOCK} is not known")));
        };
        match lock::reached(&before, &now, replaced) {
            lock::Reached::All(why) => Err(All(format!("{LOCK}: {why}"))),
            lock::Reached::Members(members) => {
                for (index, found) in self.all.iter().enumerate() {
                    if let Some(why) = members.get(&found.name) {
                        causes.entry(index).or_insert_with(|| format!("{LOCK} ({})", line(why)));
                    }
                }
                Ok(())
            }
        }
    }

    /// The crates' parts outside their folders that manifests, links and Cargo's configuration name.
    fn of_outside(&self, crates: &Crates, causes: &mut Causes) {
        let hit = |outside: &Outside| match outside {
            Outside::Folder(folder) => self.changed.within(folder),
            Outside::FilesIn(folder) => self.changed.directly_in(folder),
            Outside::File(file) => self.changed.within(file),
        };
        let configured = crates.configured.iter().find_map(hit);
        for (index, found) in self.all.iter().enumerate() {
            if let Some(path) = found.outside.iter().find_map(hit).or(configured) {
                causes.entry(index).or_insert_with(|| path.to_owned());
            }
        }
        for (link, path) in &self.through {
            if let Some(index) = self.owners.of(link).filter(|_| !is_for_people(link, &self.owners)) {
                causes.entry(index).or_insert_with(|| (*path).to_owned());
            }
        }
    }

    /// The crates whose sources name a changed path.
    fn of_mentions(&self, causes: &mut Causes) {
        let mut by_crate: BTreeMap<usize, Vec<&str>> = BTreeMap::new();
        for path in &self.tracked {
            let ending = path.rsplit_once('.').map_or("", |(_, ending)| ending);
            if NO_TEXT.contains(&ending) || is_for_people(path, &self.owners) || name(path) == MANIFEST {
                continue;
            }
            let elsewhere = self.all.iter().enumerate().filter(|(_, found)| !found.outside.is_empty());
            let elsewhere = elsewhere.filter(|(_, found)| found.outside.iter().any(|part| is_in(path, part)));
            for index in self.owners.of(path).into_iter().chain(elsewhere.map(|(index, _)| index)) {
                if !causes.contains_key(&index) {
                    by_crate.entry(index).or_default().push(path);
                }
            }
        }
        let work: Vec<(usize, &str)> =
            by_crate.iter().flat_map(|(index, paths)| paths.iter().map(|path| (*index, *path))).collect();
        let found = parallel::map(&work, self.files.readers(), |(index, path)| self.mentioned(*index, path));
        for ((index, _), cause) in work.into_iter().zip(found) {
            if let Some(cause) = cause {
                causes.entry(index).or_insert(cause);
            }
        }
    }

    /// The cause for a crate with a source that may read any file.
    fn by_any(&self, source: &str) -> Option<String> {
        let path = self.changed.iter().find(|path| !is_for_people(path, &self.owners))?;
        Some(format!("{path}: {source} may read any file"))
    }

    /// The changed path that a source of a crate names, and where.
    fn mentioned(&self, index: usize, file: &str) -> Option<String> {
        let dir = self.all[index].dir.as_str();
        let is_anothers =
            |path: &str| self.owners.of(&format!("{path}/x")).is_some_and(|owner| owner != index);
        // A description only starts the predecessor's programs, and no step with such a command is left out.
        let of_cargo = || Changed::new(self.named.iter().filter(|path| !is_predecessor(path)));
        let of_cargo = (name(parent(file)) == ".buildkite").then(of_cargo);
        let named = of_cargo.as_ref().unwrap_or(&self.named);
        let mut pending = vec![file.to_owned()];
        let mut seen = BTreeSet::new();
        while let Some(file) = pending.pop() {
            if !seen.insert(file.clone()) {
                continue;
            }
            let text = match self.files.read(&file) {
                Ok(Some(text)) => text,
                // A source that cannot be read here may still be compiled.
                Err(_) if file.ends_with(".rs") => return self.by_any(&file),
                // What is no text names no path. A file that is not there names none either.
                _ => continue,
            };
            let place = Place { file: &file, dir };
            let mentions = mentions::read(&text, place, named, &is_anothers);
            let said = |path: &str| Some(format!("{path}, which {file} names"));
            if let Some(path) = mentions.changed {
                return said(&path);
            }
            if file.ends_with(".rs") {
                let literal = self.named.iter().filter(|path| is_for_people(path, &self.owners));
                if let Some(path) = literal.into_iter().find(|path| {
                    mentions::has_literal(&text, name(path))
                        || (text.contains("CARGO_PKG_README") && self.owners.of(path) == Some(index))
                }) {
                    return said(path);
                }
            }
            if mentions.above
                && let Some(cause) = self.by_any(&file)
            {
                return Some(cause);
            }
            if file.ends_with(".rs") && !is_within(&file, dir) && mentions::has_modules(&text) {
                // Its modules are beside it.
                if let Some(path) = self.changed.within(parent(&file)) {
                    return said(path);
                }
            }
            pending.extend(mentions.sources);
        }
        None
    }
}

/// Whether a path is in a part of a crate that is outside the crate's folder.
fn is_in(path: &str, outside: &Outside) -> bool {
    match outside {
        Outside::Folder(folder) => is_within(path, folder),
        Outside::FilesIn(folder) => parent(path) == folder,
        Outside::File(file) => path == file,
    }
}
