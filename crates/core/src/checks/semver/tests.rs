use super::*;
use serde_json::{Value, json};

/// What the tool prints for a function that is gone, an item with an error, and a warning.
const FAILED: &str = "
--- failure function_missing: pub fn removed or renamed ---

Description:
A publicly-visible function cannot be imported by its prior path.
        ref: https://example.org/semver.html#item-remove
       impl: https://example.org/function_missing.ron

Failed in:
  function a::gone, previously in file /home/x/.cargo/registry/src/i-1/a-0.1.0/src/lib.rs:10
  function a::old, previously in file /home/x/.cargo/registry/src/i-1/a-0.1.0/src/old.rs:3

--- failure feature_missing: package feature removed or renamed ---

Description:
A feature has been removed.

Failed in:
  feature fast in the package's Cargo.toml

--- warning trait_method_added: pub trait method added ---

Description:
A method.

Failed in:
  trait method a::T::f in file /w/crates/a/src/deep/t.rs:7
";

const SUMMARY: &str = "    Checking a v0.1.0 -> v0.1.0 (no change; assume minor)
     Checked [   0.004s] 196 checks: 194 pass, 2 fail, 0 warn, 49 skip

     Summary semver requires new major version: 2 major and 0 minor checks failed
    Finished [   1.000s] a
";

/// The answer for the package `a` in `crates/a`, which has two files.
fn read_with(status: i32, stdout: &str, stderr: &str) -> Compared {
    let is_file =
        |path: &str| ["crates/a/src/lib.rs", "crates/a/src/deep/t.rs", "src/old.rs"].contains(&path);
    let answer = Answer {
        status,
        stdout: stdout.as_bytes(),
        stderr: stderr.as_bytes(),
        folder: "crates/a",
        is_file: &is_file,
    };
    read("a", &answer)
}

#[test]
fn a_failed_lint_is_a_finding_for_each_item_with_its_place_and_name() {
    let Compared::Done { findings, summary } = read_with(100, FAILED, SUMMARY) else { panic!("it compared") };
    let told: Vec<(Level, Option<&str>, Option<String>, &str)> =
        findings.iter().map(|f| (f.level, f.lint.as_deref(), f.place(), f.message.as_str())).collect();
    assert_eq!(
        told,
        [
            (
                Level::Error,
                Some("semver::function_missing"),
                Some("crates/a/src/lib.rs:10".to_owned()),
                "pub fn removed or renamed: function a::gone, previously in file crates/a/src/lib.rs:10"
            ),
            (
                Level::Error,
                Some("semver::function_missing"),
                Some("crates/a/Cargo.toml".to_owned()),
                "pub fn removed or renamed: function a::old, previously in file \
                 /home/x/.cargo/registry/src/i-1/a-0.1.0/src/old.rs:3"
            ),
            (
                Level::Error,
                Some("semver::feature_missing"),
                Some("crates/a/Cargo.toml".to_owned()),
                "package feature removed or renamed: feature fast in the package's Cargo.toml"
            ),
            (
                Level::Warning,
                Some("semver::trait_method_added"),
                Some("crates/a/src/deep/t.rs:7".to_owned()),
                "pub trait method added: trait method a::T::f in file crates/a/src/deep/t.rs:7"
            ),
        ]
    );
    assert_eq!(
        summary.as_deref(),
        Some("semver requires new major version: 2 major and 0 minor checks failed")
    );
    let rendered = findings[0].rendered.as_deref().unwrap();
    assert!(
        rendered.starts_with("A publicly-visible function") && rendered.contains("ref: https"),
        "{rendered}"
    );
    assert_eq!(findings[0].package.as_deref(), Some("a"));
    // Older versions of the tool have one status for everything.
    assert!(matches!(read_with(1, FAILED, SUMMARY), Compared::Done { .. }));
}

#[test]
fn warnings_alone_and_no_lint_at_all_fail_nothing() {
    let warning = FAILED.split_once("--- warning").unwrap().1;
    let Compared::Done { findings, .. } = read_with(0, &format!("--- warning{warning}"), "") else {
        panic!()
    };
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].level, Level::Warning);
    let passed = Compared::Done { findings: Vec::new(), summary: Some("no semver update required".into()) };
    assert_eq!(read_with(0, "", "     Summary no semver update required\n"), passed);
}

/// The last words of the tool where it could not find a package.
fn not_retrieved(causes: &str) -> String {
    format!(
        "    Building a v0.1.0\nerror: failed to retrieve crate data from registry\n\nCaused by:\n{causes}\n"
    )
}

#[test]
fn a_package_without_a_release_or_a_base_has_nothing_to_compare_with() {
    for (causes, reason) in [
        ("    a not found in registry (crates.io). For workarounds check x", "it was never released"),
        ("    0: x\n    1: No available baseline versions for a@0.1.0", "no release is older"),
        ("    package `a` not found in /w/target/x", "it is not in the base"),
    ] {
        assert_eq!(read_with(101, "", &not_retrieved(causes)), Compared::NoBaseline(reason));
    }
    let unread =
        "    0: possibly due to errors: [\n         x,\n       ]\n    1: package `a` not found in /w";
    for words in [
        not_retrieved("    b not found in registry (crates.io)."),
        not_retrieved(unread),
        // What a compiler prints.
        format!("{}error: could not build\n", not_retrieved("    a not found in registry (crates.io).")),
        "error: no\n\nCaused by:\n    a not found in registry (crates.io).\n".to_owned(),
    ] {
        assert!(matches!(read_with(101, "", &words), Compared::Broken(_)), "{words}");
    }
}

#[test]
fn a_tool_that_did_not_do_its_work_is_broken_with_its_words() {
    let broken = |status, words: &str| match read_with(status, "", words) {
        Compared::Broken(reason) => reason,
        other => panic!("{other:?}"),
    };
    let down =
        not_retrieved("    0: failed to read index metadata for crate 'a'\n    1: error sending request");
    assert!(broken(101, &down).starts_with("a registry or a git server could not be reached: "), "{down}");
    let crashed = broken(101, "    Building a\nerror: first\nerror: aborting due to a failure\n\u{1b}[2J");
    let said = "cargo-semver-checks could not do its work: status 101: error: aborting due to a failure";
    assert!(crashed.starts_with(said), "{crashed}");
    assert!(!crashed.contains('\u{1b}'));
    assert!(broken(2, "").contains("status 2"));
}

#[test]
fn the_place_of_an_item_is_found_and_stays_in_the_package() {
    assert_eq!(place("a::f in file src/lib.rs:10"), Some(("src/lib.rs", 10)));
    assert_eq!(place("a::f (src/lib.rs:10)."), Some(("src/lib.rs", 10)));
    assert_eq!(place("variant E::3 in C:\\a\\lib.rs:4"), Some(("C:\\a\\lib.rs", 4)));
    for none in ["feature x", "E::3", "x:0", ":7", ""] {
        assert_eq!(place(none), None, "{none}");
    }
    let all = |_: &str| true;
    let answer = Answer { status: 0, stdout: b"", stderr: b"", folder: "a", is_file: &all };
    assert_eq!(in_package("../../etc/passwd", &answer), None);
    assert_eq!(in_package(r"C:\x", &answer).as_deref(), Some("a/x"));
    // The tool's copy of the base, in the target directory of the package itself.
    let copy = "a/target/semver-checks/git-1/2/src/lib.rs";
    let is_file = |path: &str| ["a/src/lib.rs", copy].contains(&path);
    let answer = Answer { is_file: &is_file, ..answer };
    assert_eq!(in_package(&format!("/w/{copy}"), &answer).as_deref(), Some("a/src/lib.rs"));
    assert_eq!(in_package("/w/a/target/semver-checks/git-1/2/src/old.rs", &answer), None);
}

/// A package as `cargo metadata` prints it.
fn package(name: &str, publish: &Value, kind: &str) -> Value {
    json!({
        "name": name, "version": "0.1.0", "id": name, "dependencies": [], "features": {},
        "manifest_path": format!("/w/crates/{name}/Cargo.toml"), "publish": publish, "edition": "2021",
        "targets": [{"name": name, "kind": [kind], "crate_types": [kind], "src_path": "/w/x.rs", "edition": "2021"}],
    })
}

#[test]
fn members_that_nobody_can_depend_on_are_left_out() {
    let packages = [
        package("a", &Value::Null, "lib"),
        package("hidden", &json!([]), "lib"),
        package("program", &Value::Null, "bin"),
        package("private", &json!(["ours"]), "rlib"),
    ];
    let metadata: Metadata = serde_json::from_value(json!({
        "packages": packages, "workspace_members": ["a", "hidden", "program", "private"], "resolve": null,
        "workspace_root": "/w", "target_directory": "/w/target", "version": 1,
    }))
    .unwrap();
    let names =
        |members: &Members<'_>| members.compared.iter().map(|p| p.name.to_string()).collect::<Vec<_>>();
    let all = members(&metadata, None);
    assert_eq!(names(&all), ["a", "private"]);
    assert_eq!(all.left_out, [("hidden", "`publish = false`"), ("program", "no library")]);
    assert_eq!(names(&members(&metadata, Some("a"))), ["a"]);
    assert_eq!(folder(all.compared[0], Path::new("/w")), "crates/a");
    assert_eq!(folder(all.compared[0], Path::new("/w/crates/a")), "");
}

#[test]
fn the_arguments_and_the_options_are_those_of_the_baseline() {
    assert_eq!(args("a", None).join(" "), "semver-checks check-release --color never --package a");
    assert!(args("a", Some("0123")).join(" ").ends_with("--package a --baseline-rev 0123"));
    assert_eq!(install(), format!("cargo install --locked cargo-semver-checks@{VERSION}"));
    let read = |own: Value| own::read::<Options>(NAME, own.as_object().unwrap());
    assert_eq!(read(json!({})).unwrap().baseline, Baseline::Registry);
    assert_eq!(read(json!({"baseline": "base"})).unwrap().baseline, Baseline::Base);
    let error = read(json!({"baseline": "release"})).unwrap_err().to_string();
    assert!(error.starts_with("checks.semver.baseline: "), "{error}");
}
