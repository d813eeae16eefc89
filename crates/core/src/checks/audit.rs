//! Compares the lock file with security advisories: turns the output of `cargo audit --json` into findings.
//! Pure.
//!
//! A finding is whatever makes `cargo audit --deny warnings` fail (predecessor's rule): vulnerabilities, and
//! crates that are unmaintained, unsound or yanked. The JSON is that of cargo-audit 0.22 (`rustsec`'s
//! `Report`). New kinds of warnings in later versions count as well.

mod options;

pub use options::{CHECK, Database, Ignored, Options, options};

use super::lock_file::LockFile;
use crate::exit;
use crate::report::{Finding, Level};
use anyhow::Result;
use chrono::NaiveDate;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// The check's name: its key under `checks`.
pub const NAME: &str = "cargo-audit";

/// The key path of [`Options::base`].
pub const BASE: &str = "checks.cargo-audit.base";
/// What cargo-audit prints if it cannot look up whether a crate is yanked.
pub const YANKED_UNKNOWN: &str = "couldn't check if the package is yanked";

/// What cargo-audit found.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Audit {
    vulnerabilities: Vulnerabilities,
    #[serde(default)]
    warnings: BTreeMap<String, Vec<Entry>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct Vulnerabilities {
    list: Vec<Entry>,
}

#[derive(Clone, Debug, Deserialize)]
struct Entry {
    package: Package,
    /// None for a yanked crate.
    advisory: Option<Advisory>,
    versions: Option<Versions>,
}

#[derive(Clone, Debug, Deserialize)]
struct Package {
    name: String,
    version: String,
}

#[derive(Clone, Debug, Deserialize)]
struct Advisory {
    id: String,
    title: String,
    date: String,
    url: Option<String>,
    #[serde(default)]
    aliases: Vec<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct Versions {
    #[serde(default)]
    patched: Vec<String>,
}

/// Reads what `cargo audit --json` printed. None if the text is not such JSON, for instance because
/// cargo-audit could not do its work.
pub fn parse(json: &[u8]) -> Option<Audit> {
    serde_json::from_slice(json).ok()
}

impl Audit {
    /// All entries, vulnerabilities first, each with its kind.
    fn entries(&self) -> impl Iterator<Item = (&str, &Entry)> {
        let warnings =
            self.warnings.iter().flat_map(|(kind, all)| all.iter().map(move |e| (kind.as_str(), e)));
        self.vulnerabilities.list.iter().map(|entry| ("vulnerable", entry)).chain(warnings)
    }

    /// What was found, as pairs of advisory and crate. If the base has the same pair, the change did not
    /// introduce it. A yanked version counts for that version of the crate only.
    pub fn known(&self) -> BTreeSet<(String, String)> {
        self.entries().map(|(_, entry)| (entry.id(), entry.package.name.clone())).collect()
    }
}

/// The facts that a judgement needs, besides what was found.
#[derive(Debug)]
pub struct Facts<'a> {
    /// The lock file that cargo-audit read.
    pub lock: Option<&'a LockFile>,
    /// Its path from the repository's root, if it is part of the checkout.
    pub lock_path: Option<&'a str>,
    /// Today.
    pub today: NaiveDate,
    /// What the base has too, if only new problems count.
    pub base: Option<&'a BTreeSet<(String, String)>>,
}

/// Turns what cargo-audit found into findings. They are errors, but warnings for what the base has too, and
/// notes for what is ignored. An ignored advisory that was not found becomes a warning, because the entry can
/// be removed.
pub fn judge(audit: &Audit, options: &Options, facts: &Facts<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut unused: BTreeSet<&str> = options.ignore.iter().map(|ignored| ignored.id.as_str()).collect();
    for (kind, entry) in audit.entries() {
        let id = entry.id();
        let mut finding = entry.finding(kind, facts);
        if let Some(ignored) = options.ignore.iter().find(|ignored| ignored.id == id) {
            unused.remove(ignored.id.as_str());
            finding.level = Level::Note;
            finding.message = format!("{}; ignored: {}", finding.message, ignored.reason);
        } else if facts.base.is_some_and(|base| base.contains(&(id, entry.package.name.clone()))) {
            finding.level = Level::Warning;
            finding.message += "; the base has it too";
        }
        findings.push(finding);
    }
    findings.sort_by_key(|finding| finding.level);
    findings.extend(unused.into_iter().map(|id| Finding {
        level: Level::Warning,
        lint: Some(id.to_owned()),
        remedy: Some(format!("remove it from checks.{NAME}.ignore")),
        ..Finding::error(format!("{id} is ignored and was not found"))
    }));
    findings
}

impl Entry {
    /// The advisory's id, or `yanked:NAME@VERSION` if there is no advisory.
    fn id(&self) -> String {
        let yanked = || format!("yanked:{}@{}", self.package.name, self.package.version);
        self.advisory.as_ref().map_or_else(yanked, |advisory| advisory.id.clone())
    }

    fn finding(&self, kind: &str, facts: &Facts<'_>) -> Finding {
        let Package { name, version } = &self.package;
        let what = match &self.advisory {
            Some(advisory) => {
                format!("{} ({}, {kind}, {})", advisory.title, advisory.id, advisory.published(facts.today))
            }
            None => format!("this version is {kind}"),
        };
        let patched =
            self.versions.as_ref().map(|versions| versions.patched.join(" or ")).unwrap_or_default();
        let update = format!("cargo update {name}@{version}");
        let remedy = match (&self.advisory, patched.is_empty()) {
            (None, _) => update,
            (Some(_), false) => format!("{update}    # to {patched}"),
            (Some(_), true) => {
                format!("no version of {name} mends it: do without it, or ignore it with a reason")
            }
        };
        let path = facts.lock.and_then(|lock| lock.path_to(name, version));
        Finding {
            lint: Some(self.id()),
            package: Some(name.clone()),
            file: facts.lock_path.map(str::to_owned),
            rendered: Some(self.rendered(path.as_deref(), &patched)),
            remedy: Some(remedy),
            ..Finding::error(format!("{name} {version}: {what}"))
        }
    }

    /// Everything that is known about the entry, one fact on each line.
    fn rendered(&self, path: Option<&[String]>, patched: &str) -> String {
        let mut lines = Vec::new();
        if let Some(path) = path {
            lines.push(format!("used by:  {}", path.join(" > ")));
        }
        if let Some(advisory) = &self.advisory {
            lines.push(format!("patched:  {}", if patched.is_empty() { "in no version" } else { patched }));
            if !advisory.aliases.is_empty() {
                lines.push(format!("also:     {}", advisory.aliases.join(", ")));
            }
            lines.push(format!("advisory: https://rustsec.org/advisories/{}", advisory.id));
            lines.extend(advisory.url.iter().map(|url| format!("more:     {url}")));
        }
        lines.join("\n")
    }
}

impl Advisory {
    /// When the advisory was published, and how long ago that is.
    fn published(&self, today: NaiveDate) -> String {
        let Ok(date) = self.date.parse::<NaiveDate>() else { return format!("published {}", self.date) };
        let days = (today - date).num_days();
        let age = match days {
            ..=0 => "today".to_owned(),
            1 => "1 day ago".to_owned(),
            2..=59 => format!("{days} days ago"),
            60..=729 => format!("{} months ago", days / 30),
            _ => format!("{} years ago", days / 365),
        };
        format!("published {date}, {age}")
    }
}

/// Today's date, from the number of seconds since 1970.
///
/// # Errors
/// Exit 3 if the number is not a date.
pub fn date_of(seconds: u64) -> Result<NaiveDate> {
    let seconds = i64::try_from(seconds).ok();
    let time = seconds.and_then(|seconds| chrono::DateTime::from_timestamp(seconds, 0));
    time.map(|time| time.date_naive())
        .ok_or_else(|| exit::infrastructure("the machine's clock shows no date"))
}

#[cfg(test)]
mod tests;
