//! How long a person's last run took, so that the next one can say how long it will take. The times are in
//! the target directory, which is never committed, and are lost with it.

use super::gather::Gathered;
use rust_vmm_ci_core::plan::PlannedCheck;
use rust_vmm_ci_core::report::Report;
use rust_vmm_ci_effects::files;
use serde_json::{Map, Value, json};
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// The file, in the target directory.
const FILE: &str = "rust-vmm-ci/last-run.json";

/// Says what a run will do: how many checks there are. If all of them were in the last run, it also says how
/// long they took there.
pub fn announcement(gathered: &Gathered, checks: &[PlannedCheck]) -> String {
    let count = match checks.len() {
        1 => "1 check".to_owned(),
        count => format!("{count} checks"),
    };
    let text = read(&file(gathered));
    let known: Value = serde_json::from_str(&text).unwrap_or_default();
    match estimate(&known, checks.iter().map(|check| check.label.as_str())) {
        Some(seconds) => format!("{count}, {} by the last run", about(seconds)),
        None => count,
    }
}

/// Keeps the times of a run. Times of checks that were not in it stay. A failure to keep them is no error.
pub fn keep(gathered: &Gathered, report: &Report) {
    let file = file(gathered);
    // Where there is no target directory yet, none is made for this.
    let Some(target) = file.parent().and_then(|folder| folder.parent()).filter(|target| target.is_dir())
    else {
        return;
    };
    let text = read(&file);
    let known: Value = serde_json::from_str(&text).unwrap_or_default();
    let mut checks = known.get("checks").and_then(Value::as_object).cloned().unwrap_or_default();
    let sum: f64 = report.outcomes.iter().map(|outcome| outcome.seconds).sum();
    if report.cancelled || sum <= 0.0 {
        return;
    }
    // Several checks run at once: each has the share of the whole that it took.
    let share = report.seconds / sum;
    let timed = report.outcomes.iter().filter(|outcome| outcome.seconds > 0.0);
    checks.extend(timed.map(|outcome| (outcome.label.clone(), json!(outcome.seconds * share))));
    let written = Value::Object(Map::from_iter([("checks".to_owned(), Value::Object(checks))])).to_string();
    let folder = target.join("rust-vmm-ci");
    // Moved into place, so that a link that stands there is replaced and not followed.
    if std::fs::create_dir_all(&folder).is_ok()
        && let Ok(mut new) = tempfile::NamedTempFile::new_in(&folder)
        && new.write_all(written.as_bytes()).is_ok()
    {
        let _ = new.persist(file);
    }
}

/// The text of the file; empty where it cannot be read.
fn read(file: &Path) -> String {
    let bytes = files::open_plain(file).and_then(|file| files::bounded(&file, files::LONGEST));
    String::from_utf8(bytes.unwrap_or_default()).unwrap_or_default()
}

fn file(gathered: &Gathered) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
    gathered.root().join(target).join(FILE)
}

/// The seconds of these checks; none where the time of one is not known.
fn estimate<'l>(known: &Value, labels: impl Iterator<Item = &'l str>) -> Option<f64> {
    let checks = known.get("checks")?.as_object()?;
    labels.map(|label| checks.get(label)?.as_f64()).sum()
}

/// A time as a person says it.
fn about(seconds: f64) -> String {
    if seconds < 90.0 {
        return match seconds.ceil() {
            whole if whole <= 1.0 => "about a second".to_owned(),
            whole => format!("about {whole:.0} seconds"),
        };
    }
    format!("about {:.0} minutes", (seconds / 60.0).round())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_estimate_needs_the_time_of_every_check() {
        let known = json!({"checks": {"a": 100.0, "b": 200.5}});
        assert_eq!(estimate(&known, ["a", "b"].into_iter()), Some(300.5));
        assert_eq!(estimate(&known, ["a", "c"].into_iter()), None);
        assert_eq!(estimate(&Value::Null, ["a"].into_iter()), None);
        assert_eq!(about(238.0), "about 4 minutes");
        assert_eq!((about(0.2).as_str(), about(2.0).as_str()), ("about a second", "about 2 seconds"));
    }
}
