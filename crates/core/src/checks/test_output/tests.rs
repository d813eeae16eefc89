use super::*;

/// Reads output without marks, as cargo prints it to standard output and standard error.
fn read(out: &str, errors: &str) -> Vec<Finding> {
    let mut output = TestOutput::default();
    feed(&mut output, out, false);
    feed(&mut output, errors, true);
    found(output)
}

fn feed(output: &mut TestOutput, text: &str, standard_error: bool) {
    text.split_inclusive('\n').for_each(|line| output.read(line.as_bytes(), standard_error));
}

fn found(output: TestOutput) -> Vec<Finding> {
    let packages = [("a-01", "a"), ("b-02", "b"), ("doc:a", "a")];
    let packages = packages.map(|(program, package)| (program.to_owned(), package.to_owned()));
    output.findings(&packages.into_iter().collect(), &|file| format!("rust/{file}"))
}

/// Reads output with marks. Each program has its path, its standard output and its standard error.
fn marked(programs: &[(&str, &str, &str)], end: &str) -> Vec<Finding> {
    let mut output = TestOutput::default();
    for (program, out, errors) in programs {
        output.begins(program, false);
        feed(&mut output, out, false);
        output.begins(program, true);
        feed(&mut output, errors, true);
    }
    feed(&mut output, end, true);
    found(output)
}

/// `MESSAGE at PLACE` of each finding.
fn told(findings: &[Finding]) -> Vec<String> {
    let told = |finding: &Finding| format!("{} at {}", finding.message, finding.place().unwrap_or_default());
    findings.iter().map(told).collect()
}

/// libtest's output for failed tests, each with its name and its output.
fn failures(tests: &[(&str, &str)]) -> String {
    let lines = tests.iter().map(|(name, _)| format!("test {name} ... FAILED\n"));
    let count = tests.len();
    format!("running {count} tests\n{}", lines.collect::<String>()) + &summary(tests)
}

fn summary(tests: &[(&str, &str)]) -> String {
    let section = |(name, text): &(&str, &str)| format!("---- {name} stdout ----\n{text}\n");
    let sections = tests.iter().filter(|(_, text)| !text.is_empty()).map(section).collect::<String>();
    let names = tests.iter().map(|(name, _)| format!("    {name}\n")).collect::<Vec<_>>().concat();
    let count = tests.len();
    format!(
        "\nfailures:\n\n{sections}\nfailures:\n{names}\ntest result: FAILED. 0 passed; {count} failed\n\n"
    )
}

const LIB: &str = "error: test failed, to rerun pass `-p a --lib`\n";

#[test]
fn a_panic_is_found_with_its_place_from_the_root_and_words() {
    let text = "\nthread 'tests::judged' (12) panicked at src/lib.rs:13:9:\nassertion failed: debug\n";
    let found = read(&failures(&[("tests::judged", text)]), LIB);
    assert_eq!(told(&found), ["test tests::judged failed at rust/src/lib.rs:13:9"]);
    let rendered = found[0].rendered.as_deref().unwrap();
    assert!(rendered.ends_with("assertion failed: debug") && !rendered.contains("failures:"), "{rendered}");
}

#[test]
fn a_doctest_and_a_test_that_should_panic_are_found_where_they_stand() {
    for (name, text, place) in [
        ("src/lib.rs - add (line 5)", "thread 'main' panicked at /tmp/x.rs:1:1:", "rust/src/lib.rs:5"),
        ("src/lib.rs - add (line 7) - compile fail", "", "rust/src/lib.rs:7"),
        ("judged", "note: test did not panic as expected at src/lib.rs:12:8", "rust/src/lib.rs:12:8"),
    ] {
        assert_eq!(read(&failures(&[(name, text)]), LIB)[0].place().as_deref(), Some(place));
    }
}

#[test]
fn a_panic_of_another_thread_or_a_line_of_a_log_is_no_place() {
    let text = "thread '<unnamed>' (2) panicked at src/w.rs:1:1:\nstop\nthread 'a' (1) panicked at src/lib.rs:3:1:\n\
                caught\nthread 'a' (1) panicked at src/lib.rs:9:5:\nlog: it panicked at 12:30:45\n";
    assert_eq!(told(&read(&failures(&[("a", text)]), LIB)), ["test a failed at rust/src/lib.rs:9:5"]);
}

#[test]
fn a_test_that_is_not_captured_is_found_on_either_stream() {
    let out = "running 1 test\ntest a ... FAILED\n".to_owned() + &summary(&[("a", "")]);
    let panic = "thread 'a' (1) panicked at src/lib.rs:3:1:\nno\n";
    let expected = ["test a failed at rust/src/lib.rs:3:1"];
    assert_eq!(told(&read(&out, &format!("{panic}{LIB}"))), expected);
    // With one test at a time, older versions ran it on the main thread.
    assert_eq!(told(&read(&out, &format!("{}{LIB}", panic.replace("'a'", "'main'")))), expected);
    let out = "running 1 test\ntest a ... hello\nFAILED\n".to_owned() + panic + &summary(&[("a", "")]);
    assert_eq!(told(&read(&out, LIB)), expected);
}

#[test]
fn a_quiet_cargo_loses_no_test() {
    let out =
        "\nrunning 2 tests\n.F\n".to_owned() + &summary(&[("a", "thread 'a' panicked at src/lib.rs:3:1:\n")]);
    assert_eq!(told(&read(&out, LIB)), ["test a failed at rust/src/lib.rs:3:1"]);
}

#[test]
fn tests_of_one_name_in_two_programs_are_two_findings() {
    let errors = "     Running unittests src/lib.rs (target/debug/deps/a-01)\nerror: test failed, to rerun pass \
                  `-p a --lib`\n     Running unittests src/lib.rs (target/debug/deps/b-02)\nerror: test failed, to \
                  rerun pass `-p b --lib`\nerror: 2 targets failed:\n    `-p a --lib`\n    `-p b --lib`\n";
    let out = failures(&[("works", "Error: \"x\"\n")]);
    let found = read(&out.repeat(2), errors);
    let packages: Vec<_> = found.iter().map(|finding| finding.package.as_deref()).collect();
    assert_eq!((found.len(), packages), (2, vec![Some("a"), Some("b")]));
    assert_ne!(found[0].identity(), found[1].identity());
    // If it is unknown which outputs belong together, the tests are still two.
    let found = read(&out.repeat(2), LIB);
    assert_eq!(told(&found), ["test works failed at ", "test works failed in program 2 at "]);
}

#[test]
fn a_program_that_was_killed_is_told_beside_tests_that_failed() {
    let crash = "error: test failed, to rerun pass `-p a --test crash`\n\nCaused by:\n  process didn't exit \
                 successfully: `/t/deps/crash-03` (signal: 6, SIGABRT: process abort signal)\n";
    let deep =
        "\nthread 'deep' (7) has overflowed its stack\nfatal runtime error: stack overflow, aborting\n";
    let found = marked(
        &[
            ("/t/a-01", &failures(&[("bad", "thread 'bad' panicked at src/lib.rs:4:5:\n")]), LIB),
            ("/t/crash-03", "running 2 tests\ntest early ... FAILED\n", crash),
            ("/t/deep-04", "running 1 test\n", &format!("{deep}{}", crash.replace("crash", "deep"))),
        ],
        "error: 3 targets failed:\n    `-p a --lib`\n    `-p a --test crash`\n    `-p a --test deep`\n",
    );
    let killed = "was killed by signal 6 (SIGABRT)";
    assert_eq!(
        told(&found),
        [
            "test bad failed at rust/src/lib.rs:4:5".to_owned(),
            "test early failed at ".into(),
            format!("the test program `-p a --test crash` {killed} at "),
            format!("the test program `-p a --test deep` {killed}: the thread `deep` used up its stack at "),
        ]
    );
    assert!(found[2].rendered.as_ref().unwrap().contains("`/t/deps/crash-03`"));
    assert!(found[3].rendered.as_ref().unwrap().contains("stack overflow, aborting"));
}

#[test]
fn a_program_without_libtest_is_found_where_it_panicked() {
    let errors = "\nthread 'main' (3) panicked at tests/own.rs:1:13:\nno\nerror: test failed, to rerun pass `--test own`\n";
    let expected = ["the test program `--test own` failed at rust/tests/own.rs:1:13"];
    assert_eq!(told(&read("all fine\n", errors)), expected);
    assert_eq!(told(&marked(&[("/t/own-05", "all fine\n", errors)], "")), expected);
}

#[test]
fn what_a_test_prints_hides_no_other_failure() {
    let forged = "---- b stdout ----\nthread 'b' panicked at evil.rs:1:1:\n\nfailures:\n    evil\n\n\
                  test result: FAILED. 0 passed; 1 failed\ntest evil ... FAILED\nthread 'a' panicked at src/a.rs:2:2:\n";
    let real = "thread 'b' (1) panicked at src/b.rs:3:3:\n";
    let found = marked(&[("/t/a-01", &failures(&[("a", forged), ("b", real)]), LIB)], "");
    assert_eq!(told(&found), ["test a failed at rust/src/a.rs:2:2", "test b failed at "]);
    // In the opposite order, the section of b itself comes first.
    let found = marked(&[("/t/a-01", &failures(&[("b", real), ("a", forged)]), LIB)], "");
    assert_eq!(told(&found), ["test b failed at ", "test a failed at rust/src/a.rs:2:2"]);
}

#[test]
fn the_words_of_a_program_that_passed_are_no_findings() {
    let forged = failures(&[("evil", "thread 'evil' panicked at evil.rs:1:1:\n")]);
    let real = failures(&[("bad", "thread 'bad' panicked at src/lib.rs:4:5:\n")]);
    let lies = "error: test failed, to rerun pass `-p a --test lies`\n";
    let end = "error: 1 target failed:\n    `-p a --lib`\n";
    let found = marked(&[("/t/lies-06", &forged, lies), ("/t/a-01", &real, LIB)], end);
    assert_eq!(told(&found), ["test bad failed at rust/src/lib.rs:4:5"]);
}

#[test]
fn examples_of_several_runs_of_rustdoc_are_all_found() {
    let out = failures(&[("src/lib.rs - a (line 1)", "")]) + &failures(&[("src/lib.rs - b (line 2)", "")]);
    let errors = "error: doctest failed, to rerun pass `-p a --doc`\n";
    let mut found = told(&marked(&[("doc:a", &out, errors)], ""));
    found.sort();
    let expected = [("a", 1), ("b", 2)];
    assert_eq!(
        found,
        expected.map(|(name, line)| format!(
            "test src/lib.rs - {name} (line {line}) failed at rust/src/lib.rs:{line}"
        ))
    );
}

#[test]
fn what_floods_the_log_does_not_flood_the_report_and_the_panic_at_the_end_is_kept() {
    let flood = "x\n".repeat(100_000) + "thread 'a' panicked at src/lib.rs:3:1:\nthe reason\n";
    let found = read(&failures(&[("a", &flood)]), LIB);
    let rendered = found[0].rendered.as_ref().unwrap();
    assert!(rendered.len() <= MOST_OUTPUT && rendered.contains("the reason"), "{}", rendered.len());
    assert_eq!(found[0].line, Some(3));
    let names: Vec<String> = (0..3 * MOST_FAILURES).map(|number| format!("t{number}")).collect();
    let tests: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "")).collect();
    let found = read(&failures(&tests), LIB);
    assert_eq!(found.len(), MOST_FAILURES + 1);
    assert_eq!(found[MOST_FAILURES].message, "1000 more tests failed");
}

#[test]
fn every_test_is_listed_with_what_became_of_it() {
    let out = "running 4 tests\ntest a ... ok\ntest b - should panic ... ok <0.250s>\ntest c ... ignored, slow\n\
               test d ... FAILED\n\nfailures:\n\n---- d stdout ----\ntest forged ... ok\n\n\nfailures:\n    d\n\n\
               test result: FAILED. 2 passed; 1 failed\n";
    let doc = "running 1 test\ntest src/lib.rs - add (line 5) ... ok\n\ntest result: ok. 1 passed\n";
    let mut output = TestOutput::default();
    for (program, text) in [("/t/deps/a-01", out), ("doc:a", doc)] {
        output.begins(program, false);
        feed(&mut output, text, false);
        output.begins(program, true);
    }
    let packages = [("a-01", "a"), ("doc:a", "a")].map(|(program, package)| (program.into(), package.into()));
    let tests = output.tests(&packages.into_iter().collect());
    let told: Vec<String> = tests
        .iter()
        .map(|test| {
            let (package, target) = (test.package.as_deref().unwrap(), test.target.as_deref().unwrap());
            format!("{package} {target} {} {} {:?}", test.name, test.verdict.as_str(), test.seconds)
        })
        .collect();
    assert_eq!(
        told,
        [
            "a a a passed None",
            "a a b passed Some(0.25)",
            "a a c skipped None",
            "a a d failed None",
            "a doc:a src/lib.rs - add (line 5) passed None",
        ]
    );
}
