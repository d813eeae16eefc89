use super::*;

const CLIPPY: &str = "    Checking sample v0.1.0 (/root/workdir)\n\
    error: unsafe block missing a safety comment\n \
    --> src/lib.rs:3:5\n  |\n3 |     unsafe { x() }\n  |     ^^^^^^^^^^^^^^\n  |\n  \
    = note: requested on the command line with `-D clippy::undocumented-unsafe-blocks`\n\n\
    error: could not compile `sample` (lib) due to 1 previous error\n";

fn output(stream: &[(&str, bool)]) -> Output {
    let mut output = Output::default();
    for (text, standard_error) in stream {
        for line in text.split_inclusive('\n') {
            output.read(line.as_bytes(), *standard_error, 1.0);
        }
    }
    output
}

#[test]
fn a_check_that_failed_is_told_with_its_place_and_lint() {
    let output = output(&[
        ("--- build-gnu-riscv64\n", false),
        ("    Finished\n", true),
        ("--- clippy-riscv64\n", false),
        (CLIPPY, true),
        ("failed: clippy-riscv64\n", false),
    ]);
    let told = output.told(1, &["build-gnu-riscv64", "clippy-riscv64"], &[], 3.0);
    assert_eq!(told.iter().map(|told| told.verdict).collect::<Vec<_>>(), [Verdict::Passed, Verdict::Failed]);
    assert_eq!((told[1].findings.len(), told[1].seconds), (1, 2.0));
    let finding = &told[1].findings[0];
    assert_eq!(finding.place().as_deref(), Some("src/lib.rs:3:5"));
    assert_eq!(finding.lint.as_deref(), Some("clippy::undocumented_unsafe_blocks"));
    assert!(finding.rendered.as_ref().is_some_and(|words| words.contains("unsafe { x() }")));
}

#[test]
fn a_failed_test_is_told_where_it_panicked() {
    let text = "test a ... FAILED\n\nfailures:\n\n---- a stdout ----\n\
        thread 'a' panicked at src/lib.rs:9:5:\nno\n\nfailures:\n    a\n";
    let told = output(&[(text, false), ("error: test failed, to rerun pass `--lib`\n", true)]).told(
        101,
        &[],
        &[],
        3.0,
    );
    assert_eq!((told.len(), told[0].verdict), (1, Verdict::Failed));
    assert_eq!(told[0].findings.len(), 1);
    assert_eq!(told[0].findings[0].place().as_deref(), Some("src/lib.rs:9:5"));
}

#[test]
fn words_decide_nothing() {
    let told = output(&[("--- a\n--- b\nfailed: a b\n", false)]).told(0, &["a"], &[], 3.0);
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].verdict, Verdict::Passed);
    let told = output(&[("--- a\nfailed: all\n", false)]).told(1, &["a"], &[], 3.0);
    assert_eq!(told[0].verdict, Verdict::Broken);
    let told = output(&[("test a ... FAILED\n", false), (CLIPPY, true)]).told(0, &[], &[], 3.0);
    assert_eq!((told[0].verdict, told[0].findings.len()), (Verdict::Passed, 0));
}

#[test]
fn a_status_other_than_0_is_never_green_whatever_the_text_looks_like() {
    let labels = ["tests", "clippy"];
    let texts = [
        "--- tests\ntest a ... ok\nbye--- clippy\nerror: bad\nfailed: clippy\n",
        "--- tests\n  Building [=> ] 3/5: x\r\u{1b}[K--- clippy\nfailed: clippy\n",
        "--- tests\n--- clippy\nfailed: tests\nfailed: clippy\n",
        "riscv login: --- tests\ntest a ... FAILED\n--- clippy\nfailed: tests\n",
        "--- tests\n--- clippy\nfailed: \n",
        "--- tests\n--- clippy\nfailed: tests\nfailed softly: clippy\nfailed: all\n",
        "",
        "\u{0}\r\n--- tests--- clippy\n",
    ];
    for text in texts {
        for status in [1, 2, 101, 255] {
            let told = output(&[(text, false)]).told(status, &labels, &["clippy"], 3.0);
            let counts = |told: &&Told| told.label.as_deref() != Some("clippy");
            let failed = told.iter().filter(counts).any(|told| told.verdict != Verdict::Passed);
            assert!(failed, "{status} {text:?}: {told:?}");
        }
    }
}

#[test]
fn a_check_whose_heading_was_not_seen_is_told_by_the_last_words() {
    let output = output(&[("--- a\nbye--- b\nfailed: b\n", false)]);
    let told = output.told(1, &["a", "b"], &[], 3.0);
    let verdicts: Vec<_> = told.iter().map(|told| (told.label.as_deref(), told.verdict)).collect();
    assert_eq!(verdicts, [(Some("a"), Verdict::Passed), (Some("b"), Verdict::Failed)]);
}

#[test]
fn a_machine_that_ended_early_gives_no_verdict() {
    let told = output(&[("--- a\n", false)]).told(255, &["a", "b"], &[], 3.0);
    assert_eq!(told[0].verdict, Verdict::Broken);
    assert!(told[0].reason.as_ref().is_some_and(|reason| reason.contains("status 255")));
}

#[test]
fn an_error_of_cargos_own_is_told() {
    let told = output(&[("error: failed to parse manifest at `/root/workdir/Cargo.toml`\n", true)]);
    let told = told.told(101, &[], &[], 3.0);
    assert!(told[0].findings[0].message.starts_with("failed to parse manifest"));
}

#[cfg(unix)]
#[test]
fn the_script_runs_every_check_and_each_stops_at_its_first_failure() {
    let items = [
        Item { label: "it's first", command: "echo one\nfalse\necho two", soft_fail: false },
        Item { label: "soft", command: "exit 3", soft_fail: true },
        Item { label: "last", command: "echo 'three $HOME'", soft_fail: false },
    ];
    let ran = std::process::Command::new("/bin/sh").args(["-e", "-c", &script(&items)]).output().unwrap();
    let said = String::from_utf8(ran.stdout).unwrap();
    assert_eq!(ran.status.code(), Some(1));
    assert_eq!(
        said,
        "--- it's first\none\n--- soft\n--- last\nthree $HOME\nfailed softly: soft\nfailed: it's first\n"
    );
    let known = labels(&script(&items));
    let expected = [("it's first", false), ("soft", true), ("last", false)];
    assert_eq!(known, expected.map(|(label, soft)| (label.to_owned(), soft)));
    assert!(labels("cargo test\n").is_empty());
    let ran = std::process::Command::new("/bin/sh").args(["-e", "-c", &script(&items[1..])]).output();
    assert!(ran.unwrap().status.success());
}

#[test]
fn the_folder_of_a_check_is_known_by_its_command() {
    let items = [
        Item { label: "a", command: "cd 'it'\\''s rust' && cargo test", soft_fail: false },
        Item { label: "b", command: "cargo test\ncargo build", soft_fail: true },
        Item { label: "c", command: "cd rust && cargo test", soft_fail: true },
    ];
    let script = script(&items);
    let folders = ["a", "b", "c", "d"].map(|label| directory(&script, label));
    assert_eq!(folders, ["it's rust", "", "rust", ""]);
    assert_eq!(directory("cd rust && cargo test", "x"), "rust");
}
