//! `semver`: the public API does not break more than the version in `Cargo.toml` says.
//!
//! `cargo-semver-checks` compares. Its command line, its texts and its exit codes are those of the sources of
//! [`VERSION`]: `src/main.rs`, `src/check_release.rs` and `src/rustdoc_gen.rs`.

use super::check::{Check, Membership, OwnOption, Runs};
use super::work::{Answer, Logic, Needs};
use super::{outage, own};
use crate::model::shown;
use crate::report::{Finding, Level};
use crate::workspace::path::file_in;
use cargo_metadata::{Metadata, Package, TargetKind};
use serde::Deserialize;
use std::path::Path;

/// The check's name: its key under `checks`.
pub const NAME: &str = "semver";

/// The version of cargo-semver-checks whose output is read here.
pub const VERSION: &str = "0.51.0";

/// The tool's folder in the target directory.
const FOLDER: &str = "semver-checks";

/// The check.
pub const CHECK: Check = Check {
    name: NAME,
    holds: "the public API does not break more than the version in `Cargo.toml` says",
    membership: Membership::OptIn,
    advisory: true,
    options: &[
        OwnOption {
            name: "baseline",
            kinds: &["string"],
            doc: "what the API is compared with: `registry` for the last release, or `base` for the merge base",
            default: "`registry`",
            example: r#""base""#,
        },
        OwnOption {
            name: "base",
            kinds: &["string"],
            doc: "with `baseline: base`, the branch or commit, as above",
            default: "the pull request's",
            example: r#""main""#,
        },
    ],
    runs: Runs::Logic {
        read: |own| own::read(NAME, own).map(Logic::Semver),
        // It compiles in a folder of its own below the target directory.
        needs: Needs { manifest: true, ..Needs::NOTHING },
    },
    seconds: 30.0,
};

/// The options that only this check has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// What the API is compared with.
    pub baseline: Baseline,
    /// The branch or commit to compare with, instead of the change's usual base.
    #[serde(deserialize_with = "own::text")]
    pub base: Option<String>,
}

/// What the API is compared with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Baseline {
    /// The last release on the registry that is not newer than the version in `Cargo.toml`.
    #[default]
    Registry,
    /// The merge base with the branch that the change is for.
    Base,
}

/// The command that installs cargo-semver-checks.
pub fn install() -> String {
    format!("cargo install --locked cargo-semver-checks@{VERSION}")
}

/// The arguments of cargo. `base` is the commit to compare with. None compares with the last release. Without
/// further options the tool takes all features but those that are unstable by their names.
pub fn args(package: &str, base: Option<&str>) -> Vec<String> {
    let args = ["semver-checks", "check-release", "--color", "never", "--package", package];
    args.into_iter()
        .chain(base.into_iter().flat_map(|base| ["--baseline-rev", base]))
        .map(str::to_owned)
        .collect()
}

/// The members of a workspace whose API is compared, and those that have none to compare.
#[derive(Debug, Default)]
pub struct Members<'a> {
    /// The members to compare.
    pub compared: Vec<&'a Package>,
    /// The members that are left out, each with the reason.
    pub left_out: Vec<(&'a str, &'static str)>,
}

/// Finds the members with an API that others can use. `only` restricts it to one package.
pub fn members<'a>(metadata: &'a Metadata, only: Option<&str>) -> Members<'a> {
    let mut members = Members::default();
    let packages = metadata.workspace_packages().into_iter();
    for package in packages.filter(|package| only.is_none_or(|only| package.name == only)) {
        // `publish = false` is an empty list of registries.
        if package.publish.as_ref().is_some_and(Vec::is_empty) {
            members.left_out.push((&package.name, "`publish = false`"));
        } else if !package.targets.iter().any(|target| target.kind.iter().any(is_library)) {
            members.left_out.push((&package.name, "no library"));
        } else {
            members.compared.push(package);
        }
    }
    members
}

/// Whether the tool can compare a target of this kind (its `is_lib_like_checkable_target`).
fn is_library(kind: &TargetKind) -> bool {
    use TargetKind::{CDyLib, DyLib, Lib, RLib, StaticLib};
    matches!(kind, Lib | RLib | DyLib | CDyLib | StaticLib)
}

/// What the tool's answer for one package means.
#[derive(Debug, PartialEq, Eq)]
pub enum Compared {
    /// It compared. An error among the findings makes the check fail.
    Done {
        /// The failed lints and the warnings, one for each item of the API.
        findings: Vec<Finding>,
        /// What the tool says of all of them, if it says something.
        summary: Option<String>,
    },
    /// There is nothing to compare with, for this reason.
    NoBaseline(&'static str),
    /// It could not do its work, for this reason.
    Broken(String),
}

/// Reads the tool's answer for a package. The answer's folder is the package's. Findings that it printed count
/// whatever its status is: not every version has a status of its own for them.
pub fn read(package: &str, answer: &Answer<'_>) -> Compared {
    let (stdout, words) = (String::from_utf8_lossy(answer.stdout), String::from_utf8_lossy(answer.stderr));
    let findings = findings(package, &stdout, answer);
    if answer.status == 0 || findings.iter().any(|finding| finding.level == Level::Error) {
        let summary = words.lines().find_map(|line| line.trim_start().strip_prefix("Summary "));
        return Compared::Done {
            findings,
            summary: summary.map(|text| shown::line(text.trim()).into_owned()),
        };
    }
    if let Some(reason) = no_baseline(package, &words) {
        return Compared::NoBaseline(reason);
    }
    Compared::Broken(outage::of_cargo(&words).unwrap_or_else(|| {
        let error = words.rfind("\nerror: ").map_or(&*words, |at| words.get(at..).unwrap_or_default());
        let said = format!("status {}: {}", answer.status, error.trim());
        format!("cargo-semver-checks could not do its work: {}", shown::block(&said))
    }))
}

/// Why there is nothing to compare a package with, if the tool says so. Its last error counts. What a build script
/// or a compiler prints comes before.
fn no_baseline(package: &str, words: &str) -> Option<&'static str> {
    let (before, causes) = words.rsplit_once("\nCaused by:\n")?;
    let error = before.lines().rev().find(|line| !line.trim().is_empty())?;
    let is_last = !causes.lines().any(|line| line.starts_with("error"));
    if !is_last || !error.starts_with("error: failed to retrieve ") {
        return None;
    }
    // The causes are numbered if there are several.
    let mut causes = causes.lines().map(|line| {
        let cause = line.trim_start();
        cause
            .split_once(": ")
            .filter(|(number, _)| number.parse::<u8>().is_ok())
            .map_or(cause, |(_, rest)| rest)
    });
    causes.find_map(|cause| {
        if cause.starts_with("possibly due to errors: [") {
            // A manifest that could not be read may be the package's.
            Some(None)
        } else if cause.starts_with(&format!("{package} not found in registry (")) {
            Some(Some("it was never released"))
        } else if cause.starts_with(&format!("No available baseline versions for {package}@")) {
            Some(Some("no release is older"))
        } else if cause.starts_with(&format!("package `{package}` not found in ")) {
            Some(Some("it is not in the base"))
        } else {
            None
        }
    })?
}

/// A lint that the tool tells of.
struct Lint {
    level: Level,
    name: String,
    title: String,
    /// The lines of its description.
    about: Vec<String>,
    /// Whether the items have begun.
    items: bool,
}

impl Lint {
    /// Reads `--- failure NAME: TITLE ---`.
    fn read(line: &str) -> Option<Self> {
        let rest = line.strip_prefix("--- ")?.strip_suffix(" ---")?;
        let (level, rest) = match rest.strip_prefix("failure ") {
            Some(rest) => (Level::Error, rest),
            None => (Level::Warning, rest.strip_prefix("warning ")?),
        };
        let (name, title) = rest.split_once(": ")?;
        let is_name = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        is_name.then(|| Self {
            level,
            name: name.to_owned(),
            title: title.to_owned(),
            about: Vec::new(),
            items: false,
        })
    }
}

fn findings(package: &str, stdout: &str, answer: &Answer<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut lint: Option<Lint> = None;
    for line in stdout.lines() {
        if let Some(next) = Lint::read(line) {
            lint = Some(next);
            continue;
        }
        let Some(lint) = &mut lint else { continue };
        match (lint.items, line) {
            (false, "Failed in:") => lint.items = true,
            (false, "Description:" | "") | (true, "") => {}
            (false, about) => lint.about.push(about.trim().to_owned()),
            (true, item) => {
                let told = item.strip_prefix("  ").map(|item| finding(package, lint, item, answer));
                findings.extend(told);
            }
        }
    }
    findings
}

fn finding(package: &str, lint: &Lint, words: &str, answer: &Answer<'_>) -> Finding {
    let place = place(words);
    let here = place.and_then(|(path, number)| Some((path, in_package(path, answer)?, number)));
    let (told, file, number) = match here {
        Some((path, file, number)) => (words.replacen(path, &file, 1), file, Some(number)),
        // The file is gone, or the lint is about the manifest.
        None => (words.to_owned(), file_in(answer.folder, "Cargo.toml"), None),
    };
    Finding {
        level: lint.level,
        lint: Some(format!("semver::{}", lint.name)),
        package: Some(package.to_owned()),
        file: Some(file),
        line: number,
        rendered: Some(shown::block(&lint.about.join("\n")).into_owned()).filter(|text| !text.is_empty()),
        ..Finding::error(shown::line(&format!("{}: {told}", lint.title)).into_owned())
    }
}

/// The last word of an item that is a place, `FILE:LINE`. It lacks the beginning of a path with spaces.
fn place(item: &str) -> Option<(&str, u32)> {
    item.split_whitespace().rev().find_map(|word| {
        let (path, line) = word.trim_matches(['(', ')', ',', '.']).rsplit_once(':')?;
        let line = line.parse().ok().filter(|line| *line > 0)?;
        (!path.is_empty() && !path.ends_with(':')).then_some((path, line))
    })
}

/// The file of the package that a path means. The path is in the package, in a release that Cargo has unpacked,
/// or in a copy of the base. So its longest end that is a file of the package counts. The copy is below the
/// tool's own folder in the target directory, which may itself be in the package.
fn in_package(path: &str, answer: &Answer<'_>) -> Option<String> {
    let path = path.replace('\\', "/");
    // A drive is no folder.
    let is_part = |part: &&str| !part.is_empty() && *part != "." && !part.contains(':');
    let parts: Vec<&str> = path.split('/').filter(is_part).collect();
    if parts.contains(&"..") {
        return None;
    }
    let copied = parts.iter().rposition(|part| *part == FOLDER).map_or(0, |at| at + 1);
    let mut ends = (copied..parts.len())
        .map(|from| file_in(answer.folder, &parts.get(from..).unwrap_or_default().join("/")));
    ends.find(|file| (answer.is_file)(file))
}

/// The folder of a package, from the repository's root, with `/`. Empty for the root.
pub fn folder(package: &Package, root: &Path) -> String {
    let folder = package.manifest_path.parent().map(cargo_metadata::camino::Utf8Path::as_std_path);
    let below = folder.and_then(|folder| folder.strip_prefix(root).ok());
    below.map(|below| below.to_string_lossy().replace('\\', "/")).unwrap_or_default()
}

#[cfg(test)]
mod tests;
