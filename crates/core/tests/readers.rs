//! Every reader of text from outside, with texts that are almost right: no panic, and an end within bounds.
//!
//! `PROPTEST_CASES` says how many texts each reader is given. A text that fails is written to
//! `readers.proptest-regressions` beside this file, and is tried first from then on: commit it.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "the rules are for src/")]

use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use rust_vmm_ci_core::checks::lock_file::LockFile;
use rust_vmm_ci_core::checks::messages::Messages;
use rust_vmm_ci_core::checks::style::StyleOutput;
use rust_vmm_ci_core::checks::test_output::{DOC, Packages, TestOutput};
use rust_vmm_ci_core::checks::{audit, commit_format, emulated, shard};
use rust_vmm_ci_core::config::{Config, Policy};
use rust_vmm_ci_core::predecessor::coverage_file::CoverageFile;
use rust_vmm_ci_core::predecessor::{Description, Legacy, platforms};
use rust_vmm_ci_core::report::{FORMATS, Finding, Outcome, Place, Report, Verdict, table};
use rust_vmm_ci_core::workspace::flags::Mentions;
use rust_vmm_ci_core::workspace::path::{from_folder, from_root, join};
use rust_vmm_ci_core::workspace::{Crates, MemoryFiles};
use serde_json::Value;
use std::path::Path;
use std::time::{Duration, Instant};

/// More than a hundred times what a reader needs on a slow and busy machine. A reader whose time grows with the
/// square of a text's length takes longer.
const MOST_TIME: Duration = Duration::from_secs(60);

/// A text that is put together of pieces of a right one, and of pieces that are right nowhere.
fn almost(seed: &'static str) -> impl Strategy<Value = String> {
    const WORDS: &[&str] = &[
        "\"",
        "'",
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\n",
        "\r\n",
        "\\",
        "\u{0}",
        "\u{1b}[31m",
        "\u{feff}",
        "\u{fffe}",
        "-1",
        "1e999",
        "18446744073709551616",
        "null",
        "true",
        "..",
        "/",
        "#",
        "%",
        "$$",
        "${X}",
        "*",
        "&a",
        "<<",
        "\u{202e}",
        "é",
        "🦀",
        "    ",
        "---- ",
        " stdout ----\n",
        "failures:\n",
        "thread '",
        "' panicked at ",
    ];
    let piece = prop_oneof![
        6 => (0..=seed.len(), 0..=seed.len()).prop_map(move |(a, b)| {
            let (from, to) = (a.min(b), a.max(b));
            seed.get(from..to).unwrap_or_default().to_owned()
        }),
        2 => proptest::sample::select(WORDS).prop_map(str::to_owned),
        1 => any::<String>(),
        1 => (proptest::sample::select(WORDS), 1..2000_usize).prop_map(|(word, count)| word.repeat(count)),
    ];
    let whole = Just(seed.to_owned());
    let cut = (0..=seed.len(), proptest::collection::vec(piece.clone(), 0..3), 0..=seed.len()).prop_map(
        move |(end, middle, begin)| {
            let (head, tail) = (seed.get(..end).unwrap_or_default(), seed.get(begin..).unwrap_or_default());
            format!("{head}{}{tail}", middle.concat())
        },
    );
    prop_oneof![1 => whole, 5 => cut, 4 => proptest::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())]
}

/// Does the work and holds it to the time.
fn in_time<T>(work: impl FnOnce() -> T) -> T {
    let begin = Instant::now();
    let made = work();
    assert!(begin.elapsed() < MOST_TIME, "{:?}", begin.elapsed());
    made
}

fn config() -> ProptestConfig {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/readers.proptest-regressions");
    let persistence = FileFailurePersistence::Direct(file);
    ProptestConfig { failure_persistence: Some(Box::new(persistence)), ..ProptestConfig::default() }
}

const OPTIONS: &str = "{\"mode\": \"run\", \"docker\": {\"image\": \"a/b:v1\", \"environment\": [\"A\"]}, \"checks\": \
    {\"unittests-gnu\": {\"parallelism\": 3, \"env\": {\"A\": \"b\"}, \"args\": [\"-v\"]}, \"bench\": true}, \"retry\": \
    {\"automatic\": [{\"exit_status\": -1, \"limit\": 2}]}, \"timeout-in-minutes\": 5, \"agents\": {\"os\": \"linux\"}, \
    \"skip\": [\"style\"], \"only\": [\"clippy\"], \"workspace\": \"selective\", \"split\": {\"jobs\": 2}}";
const TESTS: &str = "{\"tests\": [{\"test_name\": \"build-gnu\", \"command\": \"cd a && RUSTFLAGS=\\\"-D warnings\\\" \
    cargo build --release {target_platform}\", \"platform\": [\"x86_64\", \"riscv64\"], \"timeout_in_minutes\": 20, \
    \"soft_fail\": true, \"if_changed\": [\"a/*\"], \"docker_plugin\": {\"privileged\": true}, \"agents\": {\"os\": 1}}]}";
const COMMAND: &str = "cd a && X='1 2' python3 $BUILDKITE_BUILD_CHECKOUT_PATH/rust-vmm-ci/integration_tests/test_coverage.py \
    --test-scope=crate --crate-name a | tee b; pytest rust-vmm-ci/integration_tests/test_commit_format.py::x";
const MESSAGE: &str = "{\"reason\":\"compiler-message\",\"package_id\":\"path+file:///r#s@0.1.0\",\"manifest_path\":\
    \"/r/Cargo.toml\",\"target\":{\"kind\":[\"lib\"],\"crate_types\":[\"lib\"],\"name\":\"s\",\"src_path\":\"/r/src/lib.rs\",\
    \"edition\":\"2021\",\"doc\":true,\"doctest\":true,\"test\":true},\"message\":{\"message\":\"unused\",\"code\":null,\
    \"level\":\"warning\",\"spans\":[{\"file_name\":\"../src/lib.rs\",\"byte_start\":0,\"byte_end\":1,\"line_start\":1,\
    \"line_end\":1,\"column_start\":1,\"column_end\":2,\"is_primary\":true,\"text\":[],\"label\":null,\
    \"suggested_replacement\":null,\"suggestion_applicability\":null,\"expansion\":null}],\"children\":[],\"rendered\":\"w\"}}\n";
const OUTPUT: &str = "--- a\nrunning 2 tests\ntest x::a ... FAILED\ntest src/lib.rs - f (line 5) - compile fail ... FAILED\n\n\
    failures:\n\n---- x::a stdout ----\nthread 'x::a' (3) panicked at 'no', src/lib.rs:3:5\nthread 'main' panicked at \
    src/x.rs:1:1:\n\nfailures:\n    x::a\n\ntest result: FAILED. 1 passed\nfailed: a\n     Running tests/a.rs \
    (target/debug/deps/a-01)\nerror: test failed, to rerun pass `-p a --lib`\n\nCaused by:\n  process didn't exit \
    successfully: `/t/a` (signal: 6, SIGABRT: process abort signal)\nerror: 1 target failed:\n    `-p a --lib`\n\
    error[E0308]: mismatched types\n --> /workdir/src/lib.rs:3:5\n  = note: `-D clippy::a-b` implied\n\n";
const JUNIT: &str = "<testsuites name=\"n\" tests=\"1\" failures=\"1\" errors=\"0\"><testsuite name=\"a::b\" tests=\"1\" \
    disabled=\"0\" errors=\"0\" failures=\"1\"><testcase name=\"t\" classname=\"a\" time=\"0.1\"><failure message=\"process \
    aborted with signal 6\" type=\"t\">thread &apos;t&apos; panicked at a.rs:1:1:&#10;</failure></testcase></testsuite></testsuites>";
const REPORT: &str = "{\"version\":1,\"tool\":\"1\",\"platform\":\"x86_64\",\"os\":\"linux\",\"started\":1,\"seconds\":1.5,\
    \"cancelled\":false,\"outcomes\":[{\"label\":\"a\",\"name\":\"a\",\"verdict\":\"failed\",\"command\":\"c\",\"started\":0.0,\
    \"seconds\":1e3,\"findings\":[{\"level\":\"error\",\"message\":\"m\",\"file\":\"a.rs\",\"line\":1,\"rendered\":\"r\"}],\
    \"combinations\":[{\"package\":\"p\",\"features\":\"f\",\"verdict\":\"passed\",\"started\":0,\"seconds\":1}],\
    \"sections\":[{\"title\":\"t\",\"columns\":[\"c\"],\"rows\":[[\"r\"]]}],\"artifacts\":[{\"name\":\"n\",\"path\":\"p\"}]}]}";
const LOCK: &str = "version = 4\n\n[[package]]\nname = \"a\"\nversion = \"0.1.0\"\ndependencies = [\n \"b 1.0.0\",\n \"a\",\n]\n\n\
    [[package]]\nname = \"b\"\nversion = \"1.0.0\"\nsource = \"registry+https://example.org\"\n";
const POLICY: &str = "docker:\n  network: none\n  volumes: [\"/a:/b\"]\nregistry-mirror: example.org\nrun-options: [\"--cpus=2\"]\ncache: off\n";
const COVERAGE: &str = "{\"coverage_score\": 80.5, \"exclude_path\": \"a|b(c\", \"crate_features\": \"x,y\"}";
const MANIFEST: &str = "[package]\nname = \"a\"\nbuild = \"../b.rs\"\n[lib]\npath = \"x.rs\"\n[dependencies]\nb = { path = \"b\" }\n\
    [workspace]\nmembers = [\"**/*\", \"b\"]\nexclude = [\"c\"]\n[patch.crates-io]\nd = { path = \"d\" }\n[replace]\n\"e:1\" = { path = \"e\" }\n";
const AUDIT: &str = "{\"database\":{\"advisory-count\":1,\"last-commit\":\"a\",\"last-updated\":null},\"lockfile\":{\"dependency-count\":1},\
    \"vulnerabilities\":{\"found\":true,\"count\":1,\"list\":[{\"advisory\":{\"id\":\"RUSTSEC-2020-0001\",\"package\":\"a\",\"title\":\"t\",\
    \"date\":\"2020-01-01\"},\"versions\":{\"patched\":[\">=1\"]},\"package\":{\"name\":\"a\",\"version\":\"0.1.0\"}}]},\"warnings\":{}}";
const LOG: &str = "0123456789012345678901234567890123456789\u{0}p\u{0}A\u{0}a@example.org\u{0}Fix it\n\nWhy\n\nSigned-off-by: A <a@example.org>\n\u{0}";
const DIFF: &str = "Diff in /r/src/lib.rs:3:\n-a\n+b\nDiff in src/x.rs at line 7:\n c\n";

fn feed(text: &str, mut line: impl FnMut(&[u8], bool)) {
    for (number, part) in text.split_inclusive('\n').enumerate() {
        line(part.as_bytes(), number % 3 == 2);
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn options(written in almost(OPTIONS)) {
        in_time(|| {
            let values = [serde_json::from_str::<Value>(&written).ok(), serde_saphyr::from_str::<Value>(&written).ok()];
            for value in values.into_iter().flatten() {
                if let Err(error) = Config::parse(&value) {
                    assert!(!error.to_string().is_empty());
                }
            }
        });
    }

    #[test]
    fn descriptions_and_their_commands(written in almost(TESTS), command in almost(COMMAND)) {
        in_time(|| {
            let _ = Description::read("t.json", &written);
            Description::names(&written);
            Legacy::parse(&command);
        });
    }

    #[test]
    fn messages_of_cargo(said in almost(MESSAGE)) {
        in_time(|| {
            let mut messages = Messages::new(Path::new("/r/w"), Path::new("/r"), true, Some("x"));
            feed(&said, |line, _| drop(messages.read(line)));
            messages.findings()
        });
    }

    #[test]
    fn output_of_tests(said in almost(OUTPUT), marks in proptest::collection::vec(0..40_usize, 0..3)) {
        in_time(|| {
            let mut output = TestOutput::default();
            let mut number = 0;
            feed(&said, |line, is_error| {
                if marks.contains(&number) {
                    output.begins("/t/a-01", is_error);
                    output.begins(&format!("{DOC}a"), !is_error);
                }
                number += 1;
                output.read(line, is_error);
            });
            let found = output.findings(&Packages::new(), &|file| file.to_owned());
            assert!(found.iter().all(|finding| finding.rendered.as_ref().is_none_or(|text| text.len() < 20_000)));
        });
    }

    #[test]
    fn output_of_an_emulated_machine(said in almost(OUTPUT), status in -1..300_i32) {
        in_time(|| {
            let mut output = emulated::Output::default();
            feed(&said, |line, is_error| output.read(line, is_error, 1.0));
            output.told(status, &["a"], &[], 2.0)
        });
    }

    #[test]
    fn scripts_of_an_emulated_machine(script in almost("failed=\necho '---' a\n/bin/sh -e -c 'x' || softly=$softly' a'\n")) {
        in_time(|| emulated::labels(&script));
    }

    #[test]
    fn reports_in_every_form(written in almost(REPORT), word in any::<String>()) {
        in_time(|| {
            let read = serde_json::from_str::<Report>(&written).ok();
            let outcome = Outcome {
                label: word.clone(),
                verdict: Verdict::Failed,
                findings: vec![Finding { file: Some(word.clone()), rendered: Some(word.clone()), ..Finding::error(word.clone()) }],
                ..Outcome::default()
            };
            for report in read.into_iter().chain([Report { outcomes: vec![outcome], ..Report::default() }]) {
                for format in FORMATS {
                    format.render(&report, &|_| None).unwrap();
                }
                let summary = table::summary(&report, false);
                assert!(!summary.contains(|c: char| c.is_control() && c != '\n' && c != '\t'), "{summary:?}");
            }
        });
    }

    #[test]
    fn junit_of_nextest(written in almost(JUNIT)) {
        in_time(|| shard::findings(&written, &str::to_owned));
    }

    #[test]
    fn lock_files_and_audits(lock in almost(LOCK), audited in almost(AUDIT)) {
        in_time(|| {
            if let Some(lock) = LockFile::parse(&lock) {
                lock.path_to("b", "1.0.0");
            }
            audit::parse(audited.as_bytes());
        });
    }

    #[test]
    fn policies(written in almost(POLICY)) {
        in_time(|| drop(Policy::parse("p.yml", &written)));
    }

    #[test]
    fn files_of_the_predecessor(coverage in almost(COVERAGE), platform in almost("x86_64\nriscv64\n")) {
        in_time(|| {
            let _ = CoverageFile::parse(&coverage);
            let _ = platforms(".platform", &platform);
        });
    }

    #[test]
    fn manifests(root in almost(MANIFEST), member in almost(MANIFEST), cargo in almost("paths = [\"a\"]\n[patch.x]\na = { path = \"b\" }\n")) {
        in_time(|| {
            let files = [("Cargo.toml", &root), ("b/Cargo.toml", &member), ("c/d/Cargo.toml", &member), (".cargo/config.toml", &cargo)];
            let files = files.map(|(path, text)| (path, text.as_str()));
            let _ = Crates::read(&MemoryFiles::of(&files));
            Mentions::of_manifest(&root);
            Mentions::of_source(&member);
        });
    }

    #[test]
    fn commits_and_differences(log in almost(LOG), diff in almost(DIFF)) {
        in_time(|| {
            let _ = commit_format::commits(log.as_bytes());
            let mut output = StyleOutput::default();
            feed(&diff, |line, _| output.read(line, Path::new("/r")));
            output.findings()
        });
    }

    #[test]
    fn paths_and_places(text in almost("../a/./b.rs:3:5:"), dir in almost("/r/w/..")) {
        in_time(|| {
            join(&dir, &text);
            Place::parse(&text);
            from_root(Path::new("/r"), &text);
            from_folder(Path::new("/r"), Path::new(&dir), &text)
        });
    }
}
