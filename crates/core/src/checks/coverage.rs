//! Line coverage: which files count, what `llvm-cov` reports for them, and the verdict.
//!
//! The figure is exactly that of `cargo llvm-cov --json --summary-only`: LLVM's own count of lines (`LF` and
//! `LH` of its lcov export), summed over the files that cargo-llvm-cov counts.

use super::check::{Check, Membership, Runs};
use super::own;
use super::work::{Compiles, Logic, Needs};
use crate::report::{Finding, Level, Section, Verdict};
use regex_lite::Regex;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::path::{Component, Path, PathBuf};

/// How far the figure may be above or below the score, in percent of lines (predecessor's rule).
pub const TOLERANCE: f64 = 0.5;

/// The check's name: its key under `checks`.
pub const NAME: &str = "coverage";

/// The check. Its score is in `coverage_config_ARCH.json`, so it has no options of its own.
pub const CHECK: Check = Check {
    name: NAME,
    holds: "line coverage is the score of `coverage_config_ARCH.json`, give or take half a percent",
    membership: Membership::Standard,
    advisory: false,
    options: &[],
    runs: Runs::Logic {
        read: |own| own::read_none(NAME, own).map(|()| Logic::Coverage),
        needs: Needs {
            // The dependencies are compiled as for the debug tests. Only the members are instrumented.
            compiles: Some(Compiles { target: None, release: false, checked: false }),
            tests: true,
            machine: false,
            manifest: true,
        },
    },
    seconds: 19.0,
};

/// The files that count. The other files are those that cargo-llvm-cov leaves out by default (version 0.9):
/// sources of tests, examples and benchmarks, generated files, and everything outside the measured packages.
#[derive(Debug)]
pub struct Sources {
    /// The workspace's root.
    pub root: PathBuf,
    /// Folders whose files do not count: cargo's target directory, the registry, the toolchains.
    pub foreign: Vec<PathBuf>,
    /// The folders of the workspace's members, with whether each is measured.
    pub members: Vec<(PathBuf, bool)>,
    /// The value of `exclude_path`.
    pub exclude: Option<Regex>,
}

impl Sources {
    /// Whether a file counts, by its absolute path.
    pub fn count(&self, file: &Path) -> bool {
        let excluded = self.exclude.as_ref().is_some_and(|regex| regex.is_match(&file.to_string_lossy()));
        let owner = self.members.iter().filter(|(folder, _)| file.starts_with(folder));
        let owner = owner.max_by_key(|(folder, _)| folder.components().count());
        !excluded
            && owner.is_none_or(|(_, measured)| *measured)
            && !self.foreign.iter().any(|folder| file.starts_with(folder))
            && !is_standard_library(file)
            && !file.strip_prefix(&self.root).is_ok_and(is_test)
    }
}

/// Whether a file belongs to the standard library, by the path in the compiled code: `/rustc/COMMIT/…` or
/// `/rustc/VERSION/…`.
fn is_standard_library(file: &Path) -> bool {
    let names: Vec<&str> = file.components().filter_map(|part| part.as_os_str().to_str()).collect();
    names.windows(2).any(|pair| {
        let numbers = || pair[1].split('.').all(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
        let version = || pair[1].split('.').count() == 3 && numbers();
        let commit = || !pair[1].is_empty() && pair[1].bytes().all(|b| b.is_ascii_hexdigit());
        pair[0] == "rustc" && (commit() || version())
    })
}

/// Whether a file of the workspace belongs to tests, examples or benchmarks, by its path from the root.
fn is_test(file: &Path) -> bool {
    let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let stem = name.strip_suffix("tests.rs").map(|stem| stem.strip_suffix(['_', '-']).ok_or(stem));
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    stem.is_some_and(|stem| match stem {
        Ok(stem) => !stem.is_empty() && stem.chars().all(word),
        Err(rest) => rest.is_empty(),
    }) || file.parent().is_some_and(|folder| {
        let tests = |part: Component<'_>| {
            ["tests", "examples", "benches"].iter().any(|name| part.as_os_str() == *name)
        };
        folder.components().any(tests)
    })
}

/// The coverage of one file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileCoverage {
    /// Its absolute path.
    pub path: PathBuf,
    /// The number of lines that could run.
    pub lines: u64,
    /// The number of those that did run.
    pub covered: u64,
    /// The numbers of the lines that could run and did not, from 1. `llvm-cov` counts a line once for each
    /// function that it belongs to, so their number can differ from `lines - covered`.
    pub uncovered: BTreeSet<u32>,
}

/// Reads the lcov export of `llvm-cov`. Returns the files that count, and the export without the others.
///
/// # Errors
/// If the text is not lcov: the message of the reader.
pub fn read(lcov: &str, sources: &Sources) -> Result<(Vec<FileCoverage>, String), String> {
    use lcov::Record;
    let mut files = Vec::new();
    let (mut kept, mut file, mut text) = (String::new(), FileCoverage::default(), String::new());
    for record in lcov::Reader::new(lcov.as_bytes()) {
        let record = record.map_err(|error| error.to_string())?;
        text.push_str(&record.to_string());
        text.push('\n');
        match record {
            Record::SourceFile { path } => file.path = path,
            Record::LinesFound { found } => file.lines = found.into(),
            Record::LinesHit { hit } => file.covered = hit.into(),
            Record::LineData { line, count: 0, .. } => {
                file.uncovered.insert(line);
            }
            Record::EndOfRecord => {
                let file = std::mem::take(&mut file);
                let text = std::mem::take(&mut text);
                if sources.count(&file.path) {
                    kept.push_str(&text);
                    files.push(file);
                }
            }
            _ => {}
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok((files, kept))
}

/// The share of lines that ran, in percent. If there are no lines it is 0, which is LLVM's rule.
pub fn percent(lines: u64, covered: u64) -> f64 {
    // Counts of lines are far below 2^52.
    #[allow(clippy::cast_precision_loss)]
    if lines == 0 { 0.0 } else { covered as f64 / lines as f64 * 100.0 }
}

/// The figure for several files together, in percent.
pub fn total(files: &[FileCoverage]) -> f64 {
    percent(files.iter().map(|f| f.lines).sum(), files.iter().map(|f| f.covered).sum())
}

/// Compares a figure with the score in the file `name`. Returns the verdict, and a finding if they differ too
/// much.
pub fn judge(figure: f64, score: f64, name: &str) -> (Verdict, Option<Finding>) {
    let difference = figure - score;
    if difference.abs() <= TOLERANCE {
        return (Verdict::Passed, None);
    }
    let (side, advice) = if difference > 0.0 {
        ("above", "write the new score")
    } else {
        ("below", "test what this change added, or write the new score")
    };
    let finding = Finding {
        lint: Some("coverage".into()),
        file: Some(name.to_owned()),
        remedy: Some(format!(
            "{advice}: `\"coverage_score\": {figure:.2}` in {name}; `rust-vmm-ci run coverage --update` does it"
        )),
        ..Finding::error(format!(
            "line coverage is {figure:.2} %, {:.2} {side} the score of {score:.2} % (more than {TOLERANCE} either way \
             fails)",
            difference.abs()
        ))
    };
    (Verdict::Failed, Some(finding))
}

/// The lines that a change added to each file, from 1. The key is the file's path from the repository's root,
/// with `/`. The ranges are in order.
pub type AddedLines = BTreeMap<String, Vec<RangeInclusive<u32>>>;

/// A path from the repository's root, with `/`. A path outside the root stays as it is.
pub fn shown(path: &Path, root: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).to_string_lossy().replace('\\', "/")
}

/// The added lines that no test runs: a table, and a note for each group of adjacent lines. Notes do not make
/// the check fail.
pub fn uncovered_additions(
    files: &[FileCoverage],
    root: &Path,
    added: &AddedLines,
) -> (Option<Section>, Vec<Finding>) {
    let (mut rows, mut notes, mut count) = (Vec::new(), Vec::new(), 0);
    for file in files {
        let name = shown(&file.path, root);
        let Some(added) = added.get(&name) else { continue };
        let is_added = |line: &u32| added.iter().any(|range| range.contains(line));
        let missed: Vec<u32> = file.uncovered.iter().copied().filter(is_added).collect();
        if missed.is_empty() {
            continue;
        }
        count += missed.len();
        let stretches = stretches(&missed);
        rows.push(vec![
            name.clone(),
            stretches.iter().copied().map(stretch_text).collect::<Vec<_>>().join(", "),
        ]);
        notes.extend(stretches.iter().map(|stretch| Finding {
            level: Level::Note,
            lint: Some("coverage".into()),
            file: Some(name.clone()),
            line: Some(stretch.0),
            ..Finding::error(format!("added by this change, run by no test: {}", stretch_text(*stretch)))
        }));
    }
    let section = (!rows.is_empty()).then(|| Section {
        title: "Lines that this change added and no test runs".into(),
        text: format!("{count} in all."),
        columns: vec!["File".into(), "Lines".into()],
        rows,
    });
    (section, notes)
}

/// The first and last line of each group of adjacent lines. `lines` is sorted.
fn stretches(lines: &[u32]) -> Vec<(u32, u32)> {
    lines.chunk_by(|a, b| a + 1 == *b).map(|chunk| (chunk[0], chunk[chunk.len() - 1])).collect()
}

fn stretch_text((first, last): (u32, u32)) -> String {
    if first == last { first.to_string() } else { format!("{first}–{last}") }
}

/// The table of coverage by file, the least covered file first.
pub fn by_file(files: &[FileCoverage], root: &Path, held_to: Option<f64>) -> Section {
    let (lines, covered): (u64, u64) =
        (files.iter().map(|f| f.lines).sum(), files.iter().map(|f| f.covered).sum());
    let held = held_to.map_or(String::new(), |score| format!(", held to {score:.2} % ± {TOLERANCE}"));
    let mut order: Vec<&FileCoverage> = files.iter().collect();
    order.sort_by(|a, b| percent(a.lines, a.covered).total_cmp(&percent(b.lines, b.covered)));
    Section {
        title: "Coverage by file".into(),
        text: format!("{:.2} %: {covered} of {lines} lines run{held}.", percent(lines, covered)),
        columns: ["File", "Lines", "Covered", "%"].map(Into::into).into(),
        rows: order
            .into_iter()
            .map(|file| {
                let share = format!("{:.2}", percent(file.lines, file.covered));
                vec![shown(&file.path, root), file.lines.to_string(), file.covered.to_string(), share]
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources() -> Sources {
        Sources {
            root: "/w/tests/repo".into(),
            foreign: vec!["/w/tests/repo/target".into(), "/home/a/.cargo/registry".into()],
            members: vec![
                ("/w/tests/repo".into(), true),
                ("/w/tests/repo/other".into(), false),
                ("/w/tests/repo/other/inner".into(), true),
            ],
            exclude: Some(Regex::new(r"gen\.rs|_sys/").unwrap()),
        }
    }

    #[test]
    fn the_files_that_count_are_cargo_llvm_covs() {
        for (file, counts) in [
            ("/w/tests/repo/src/lib.rs", true),
            ("/w/tests/repo/src/mytests.rs", true),
            ("/w/tests/repo/src/tests/mod.rs", false),
            ("/w/tests/repo/tests/a.rs", false),
            ("/w/tests/repo/a/examples/b.rs", false),
            ("/w/tests/repo/benches/main/mod.rs", false),
            ("/w/tests/repo/src/tests.rs", false),
            ("/w/tests/repo/src/my_tests.rs", false),
            ("/w/tests/repo/src/my-tests.rs", false),
            ("/w/tests/repo/src/m.y-tests.rs", true),
            ("/w/tests/repo/target/debug/build/x/out/a.rs", false),
            ("/w/tests/repo/targets/a.rs", true),
            ("/w/tests/repo/src/gen.rs", false),
            ("/w/tests/repo/a_sys/lib.rs", false),
            ("/w/tests/repo/other/src/lib.rs", false),
            ("/w/tests/repo/other/inner/src/lib.rs", true),
            ("/home/a/.cargo/registry/src/x/lib.rs", false),
            ("/rustc/59807616e1fa/library/core/src/ops.rs", false),
            ("/rustc/1.95.0/library/core/src/ops.rs", false),
            ("/w/shared/rustc/lib.rs", true),
            ("/w/shared/lib.rs", true),
        ] {
            assert_eq!(sources().count(Path::new(file)), counts, "{file}");
        }
    }

    const LCOV: &str = "SF:/w/tests/repo/src/lib.rs\nFN:1,_RNv,x\nFNDA:3,_RNv,x\nFNF:1\nFNH:1\nDA:1,3\n\
        DA:2,0\nDA:3,0\nDA:5,0\nBRF:0\nBRH:0\nLF:8\nLH:7\nend_of_record\n\
        SF:/w/tests/repo/tests/a.rs\nDA:1,0\nLF:1\nLH:0\nend_of_record\n";

    #[test]
    fn an_export_is_read_without_what_does_not_count() {
        let (files, kept) = read(LCOV, &sources()).unwrap();
        assert_eq!(files.len(), 1);
        assert_eq!((files[0].lines, files[0].covered), (8, 7));
        assert_eq!(files[0].uncovered, BTreeSet::from([2, 3, 5]));
        assert!(kept.starts_with("SF:/w/tests/repo/src/lib.rs\nFN:1,_RNv,x\n"), "{kept}");
        assert!(!kept.contains("tests/a.rs"));
        assert!(read("no lcov", &sources()).is_err());
    }

    #[test]
    fn more_than_half_a_percent_either_way_fails_with_the_number_to_write() {
        for (score, verdict) in [
            (87.5, Verdict::Passed),
            (88.0, Verdict::Passed),
            (87.0, Verdict::Passed),
            (88.01, Verdict::Failed),
            (86.9, Verdict::Failed),
        ] {
            let (judged, finding) = judge(87.5, score, "coverage_config_x86_64.json");
            assert_eq!(judged, verdict, "{score}");
            assert_eq!(finding.is_some(), verdict == Verdict::Failed);
            if let Some(finding) = finding {
                assert!(finding.remedy.unwrap().contains("\"coverage_score\": 87.50"));
            }
        }
    }

    #[test]
    fn the_added_lines_that_no_test_runs_are_told_in_stretches() {
        let (files, _) = read(LCOV, &sources()).unwrap();
        let added = AddedLines::from([("src/lib.rs".into(), vec![1..=5, 9..=9])]);
        let (section, notes) = uncovered_additions(&files, Path::new("/w/tests/repo"), &added);
        let section = section.unwrap();
        assert_eq!(section.rows, [["src/lib.rs", "2–3, 5"]]);
        assert_eq!(notes.len(), 2);
        assert_eq!(notes[0].place().as_deref(), Some("src/lib.rs:2"));
        assert_eq!(uncovered_additions(&files, Path::new("/w"), &added).0, None);
    }

    #[test]
    fn the_table_begins_with_what_is_least_covered() {
        let file = |path: &str, lines, covered| FileCoverage {
            path: path.into(),
            lines,
            covered,
            uncovered: BTreeSet::new(),
        };
        let section = by_file(&[file("/r/a.rs", 4, 4), file("/r/b.rs", 4, 1)], Path::new("/r"), Some(60.0));
        assert_eq!(section.rows[0], ["b.rs", "4", "1", "25.00"]);
        assert_eq!(section.text, "62.50 %: 5 of 8 lines run, held to 60.00 % ± 0.5.");
        assert!(by_file(&[], Path::new("/r"), None).text.starts_with("0.00 %"));
    }

    #[test]
    fn an_option_that_there_is_not_is_refused() {
        let own = serde_json::from_str(r#"{"score": 1}"#).unwrap();
        let error = CHECK.check_options(&own).unwrap_err().to_string();
        assert!(error.starts_with("checks.coverage.score: unknown option"), "{error}");
    }
}
