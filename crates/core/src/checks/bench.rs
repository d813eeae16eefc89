//! Benchmarks: criterion's estimates for a change and for its base, and the difference between them.

use super::check::{Check, Membership, OwnOption, Runs};
use super::own;
use super::work::{Logic, Needs};
use crate::report::{Finding, Section};
use anyhow::Result;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The check's name: its key under `checks`.
pub const NAME: &str = "bench";

/// The check.
pub const CHECK: Check = Check {
    name: NAME,
    holds: "the change's benchmarks are not slower than its base's",
    membership: Membership::OptInByName,
    advisory: false,
    options: &[
        OwnOption {
            name: "threshold",
            kinds: &["number", "integer"],
            doc: "by how many percent a benchmark may become slower",
            default: "any",
            example: "5",
        },
        OwnOption {
            name: "package",
            kinds: &["string"],
            doc: "the only package whose benchmarks run",
            default: "all",
            example: r#""vm-fdt""#,
        },
        OwnOption {
            name: "base",
            kinds: &["string"],
            doc: "what to compare with, as above",
            default: "the pull request's",
            example: r#""main""#,
        },
    ],
    runs: Runs::Logic {
        read: |own| options(own).map(Logic::Bench),
        needs: Needs { machine: true, manifest: true, ..Needs::NOTHING },
    },
    seconds: 120.0,
};

/// The baseline that criterion keeps this change's measurements under.
pub const CHANGE: &str = "rust-vmm-ci-change";
/// The baseline that criterion keeps the base's measurements under.
pub const BASE: &str = "rust-vmm-ci-base";

/// The options that only this check has.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// By how many percent a benchmark may become slower before the check fails. None for no limit.
    #[serde(deserialize_with = "percent")]
    pub threshold: Option<f64>,
    /// The only package whose benchmarks run (predecessor's `PACKAGE`). None for all.
    #[serde(deserialize_with = "own::text")]
    pub package: Option<String>,
    /// The branch or commit to compare with, instead of the change's usual base.
    #[serde(deserialize_with = "own::text")]
    pub base: Option<String>,
}

/// Reads the check's own options.
///
/// # Errors
/// Exit 2, with the key path.
pub fn options(own: &Map<String, Value>) -> Result<Options> {
    own::read(NAME, own)
}

fn percent<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    let number = value.as_f64().filter(|number| *number > 0.0);
    number.map(Some).ok_or_else(|| {
        serde::de::Error::invalid_value(
            serde::de::Unexpected::Other("another value"),
            &"a number of percent above 0",
        )
    })
}

/// Criterion's estimate of the time of one iteration, in nanoseconds (`estimates.json`, criterion 0.3 and
/// newer).
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
struct Estimate {
    confidence_interval: Interval,
    point_estimate: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
struct Interval {
    confidence_level: f64,
    lower_bound: f64,
    upper_bound: f64,
}

/// Criterion's measurement of one benchmark.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Measurement {
    mean: Estimate,
    std_dev: Estimate,
}

/// Measurements by the benchmark's full name.
pub type Measurements = BTreeMap<String, Measurement>;

/// Reads a benchmark's `benchmark.json` and `estimates.json`. Returns its name and its measurement.
///
/// # Errors
/// If a file is not in criterion's format: the message of the JSON reader.
pub fn read(benchmark: &str, estimates: &str) -> Result<(String, Measurement), String> {
    #[derive(Deserialize)]
    struct Benchmark {
        full_id: String,
    }
    let benchmark: Benchmark = serde_json::from_str(benchmark).map_err(|error| error.to_string())?;
    Ok((benchmark.full_id, serde_json::from_str(estimates).map_err(|error| error.to_string())?))
}

/// The difference of one benchmark.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// Its full name.
    pub name: String,
    /// The mean time of an iteration on the base, in nanoseconds.
    pub base: f64,
    /// The same on this change.
    pub change: f64,
    /// By how many percent this change is slower. Below 0 if it is faster.
    pub percent: f64,
    /// The range in which the difference lies, in percent, at the confidence of [`Comparison::confidence`].
    pub range: (f64, f64),
    /// How certain that range is, in percent.
    pub confidence: f64,
    /// The larger of the two standard deviations, in percent of their means.
    pub noise: f64,
}

impl Comparison {
    fn of(name: &str, base: &Measurement, change: &Measurement) -> Self {
        let slower = |change: f64, base: f64| if base > 0.0 { (change / base - 1.0) * 100.0 } else { 0.0 };
        let noise = |of: &Measurement| {
            slower(of.mean.point_estimate + of.std_dev.point_estimate, of.mean.point_estimate)
        };
        let (before, after) = (base.mean.confidence_interval, change.mean.confidence_interval);
        Self {
            name: name.to_owned(),
            base: base.mean.point_estimate,
            change: change.mean.point_estimate,
            percent: slower(change.mean.point_estimate, base.mean.point_estimate),
            range: (
                slower(after.lower_bound, before.upper_bound),
                slower(after.upper_bound, before.lower_bound),
            ),
            confidence: before.confidence_level.min(after.confidence_level) * 100.0,
            noise: noise(base).max(noise(change)),
        }
    }

    /// Whether the difference is larger than what a repeated measurement can differ by.
    pub fn is_sure(&self) -> bool {
        self.range.0 > 0.0 || self.range.1 < 0.0
    }
}

/// The benchmarks of a change and of its base.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Compared {
    /// The benchmarks of both, the one that slowed down most first.
    pub both: Vec<Comparison>,
    /// The benchmarks that only the change has.
    pub new: Vec<String>,
    /// The benchmarks that only the base has.
    pub gone: Vec<String>,
}

impl Compared {
    /// Compares two sets of measurements.
    pub fn of(base: &Measurements, change: &Measurements) -> Self {
        let only = |these: &Measurements, those: &Measurements| {
            these.keys().filter(|name| !those.contains_key(*name)).cloned().collect()
        };
        let mut both: Vec<Comparison> = change
            .iter()
            .filter_map(|(name, change)| Some(Comparison::of(name, base.get(name)?, change)))
            .collect();
        both.sort_by(|a, b| b.percent.total_cmp(&a.percent));
        Self { both, new: only(change, base), gone: only(base, change) }
    }

    /// The benchmarks that became slower than the threshold allows. A difference that could be noise does not
    /// count: the whole range must be above 0.
    pub fn findings(&self, threshold: Option<f64>) -> Vec<Finding> {
        let Some(threshold) = threshold else { return Vec::new() };
        let slower = self.both.iter().filter(|c| c.percent > threshold && c.range.0 > 0.0);
        let finding = |c: &Comparison| Finding {
            lint: Some("bench".into()),
            ..Finding::error(format!(
                "`{}` is {:.1} % slower than on the base ({} → {}); {threshold} % are allowed",
                c.name,
                c.percent,
                time(c.base),
                time(c.change)
            ))
        };
        slower.map(finding).collect()
    }

    /// The table for people. `base` names what the change was compared with.
    pub fn section(&self, base: &str) -> Section {
        let list = |what: &str, names: &[String]| {
            if names.is_empty() { String::new() } else { format!(" {what}: {}.", names.join(", ")) }
        };
        let confidence = self.both.iter().map(|c| c.confidence).fold(f64::NAN, f64::min);
        let range = if confidence.is_nan() { "Range".into() } else { format!("Range ({confidence:.0} %)") };
        let columns = ["Benchmark", "Base", "This change", "Change"].map(Into::into).into_iter();
        Section {
            title: "Benchmarks".into(),
            text: format!(
                "Compared with {base}.{}{}",
                list("New, nothing to compare with", &self.new),
                list("No longer there", &self.gone)
            ),
            columns: columns.chain([range, "Noise".into()]).collect(),
            rows: self.both.iter().map(row).collect(),
        }
    }
}

fn row(c: &Comparison) -> Vec<String> {
    vec![
        c.name.clone(),
        time(c.base),
        time(c.change),
        format!("{:+.1} %{}", c.percent, if c.is_sure() { "" } else { " (not sure)" }),
        format!("{:+.1} … {:+.1} %", c.range.0, c.range.1),
        format!("± {:.1} %", c.noise),
    ]
}

/// Nanoseconds, converted to a suitable unit.
fn time(nanoseconds: f64) -> String {
    let units = [(1e9, "s"), (1e6, "ms"), (1e3, "µs")];
    let (size, unit) = units.into_iter().find(|(size, _)| nanoseconds >= *size).unwrap_or((1.0, "ns"));
    format!("{:.2} {unit}", nanoseconds / size)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A measurement in criterion's form, from a mean and half of the range.
    pub(crate) fn measured(name: &str, mean: f64, half: f64) -> (String, Measurement) {
        let estimate = |point: f64| {
            format!(
                r#"{{"confidence_interval":{{"confidence_level":0.95,"lower_bound":{},"upper_bound":{}}},
                    "point_estimate":{point},"standard_error":0.1}}"#,
                point - half,
                point + half
            )
        };
        let estimates = format!(
            r#"{{"mean":{0},"median":{0},"median_abs_dev":{0},"slope":null,"std_dev":{1}}}"#,
            estimate(mean),
            estimate(mean / 50.0)
        );
        read(&format!(r#"{{"group_id":"g","full_id":"{name}","title":"t"}}"#), &estimates).unwrap()
    }

    fn compared() -> Compared {
        let base = [measured("a", 1000.0, 5.0), measured("b", 2e6, 3e5), measured("old", 1.0, 0.1)].into();
        let change =
            [measured("a", 1100.0, 5.0), measured("b", 2.3e6, 3e5), measured("new", 1.0, 0.1)].into();
        Compared::of(&base, &change)
    }

    #[test]
    fn a_difference_is_told_with_its_range_and_noise() {
        let section = compared().section("`main`");
        assert_eq!(
            section.text,
            "Compared with `main`. New, nothing to compare with: new. No longer there: old."
        );
        assert_eq!(section.columns[4], "Range (95 %)");
        let b = ["b", "2.00 ms", "2.30 ms", "+15.0 % (not sure)", "-13.0 … +52.9 %", "± 2.0 %"];
        assert_eq!(section.rows[0], b);
        assert_eq!(section.rows[1], ["a", "1.00 µs", "1.10 µs", "+10.0 %", "+9.0 … +11.1 %", "± 2.0 %"]);
    }

    #[test]
    fn only_what_is_surely_slower_than_the_threshold_fails() {
        assert_eq!(compared().findings(None), []);
        assert_eq!(compared().findings(Some(10.5)), []);
        let findings = compared().findings(Some(5.0));
        assert_eq!(findings.len(), 1);
        assert!(findings[0].message.starts_with("`a` is 10.0 % slower"), "{}", findings[0].message);
    }

    #[test]
    fn options_are_read_or_refused_with_their_path() {
        let read = |text: &str| options(&serde_json::from_str(text).unwrap());
        assert_eq!(read("{}").unwrap(), Options::default());
        let all = read(r#"{"threshold": 5, "package": "vm-memory", "base": "main"}"#).unwrap();
        assert_eq!((all.threshold, all.package.as_deref()), (Some(5.0), Some("vm-memory")));
        for (text, expected) in [
            (
                r#"{"threshold": "5"}"#,
                "checks.bench.threshold: expected a number of percent above 0, got \"5\"",
            ),
            (r#"{"threshold": -1}"#, "checks.bench.threshold: expected a number of percent above 0, got -1"),
            (
                r#"{"package": ""}"#,
                "checks.bench.package: expected one line of text that is not blank and has no control characters",
            ),
            (r#"{"treshold": 5}"#, "checks.bench.treshold: unknown option; did you mean `threshold`?"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn what_is_not_criterions_is_refused() {
        assert!(read("{}", "{}").is_err());
    }
}
