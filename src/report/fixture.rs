//! A report with something in every field, for the tests of all forms.

use super::Report;

/// `tests/cases/report/full.json`, which is in the format that `docs/report.md` describes.
pub fn full() -> Report {
    serde_json::from_str(include_str!("../../tests/cases/report/full.json")).unwrap()
}
