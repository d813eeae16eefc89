//! The check semver, with a program that stands in for cargo-semver-checks.

use super::*;
use crate::git::testing::Repository;
use crate::run::testing::judged;

/// What the tool prints for a function that is gone.
const GONE: &str = "cat <<'END'

--- failure function_missing: pub fn removed or renamed ---

Description:
A function is gone.

Failed in:
  function a::gone, previously in file /home/x/registry/a-0.1.0/src/lib.rs:2
END
echo '     Summary semver requires new major version: 1 major and 0 minor checks failed' >&2
exit 100";

/// A workspace of two packages with a library and one that is not published.
fn workspace() -> Repository {
    let repository = Repository::new();
    repository.write("Cargo.toml", "[workspace]\nmembers = [\"a\", \"b\", \"hidden\"]\nresolver = \"2\"\n");
    for (name, more) in [("a", ""), ("b", ""), ("hidden", "publish = false\n")] {
        let manifest =
            format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2021\"\n{more}");
        repository.write(&format!("{name}/Cargo.toml"), manifest).write(&format!("{name}/src/lib.rs"), "");
    }
    repository.write(".gitignore", "programs\nCargo.lock\n").commit("Begin");
    repository
}

/// Runs the check where the tool does `script` for the package `a` and passes for others. Without a script there is
/// no tool. The package is in `$package`, and the arguments are in `$*`.
fn run_with(repository: &Repository, script: Option<&str>, options: &Options) -> (Result<Judgement>, String) {
    let programs = repository.root.join("programs");
    if let Some(script) = script {
        let text = format!(
            "#!/bin/sh\ncase \"$*\" in *--version) echo cargo-semver-checks {}; exit;; esac\n\
             case \"$*\" in *'--package a'*) ;; *) exit 0;; esac\n{script}\n",
            semver::VERSION
        );
        std::fs::create_dir_all(&programs).unwrap();
        crate::testing::write_program(&programs.join("cargo-semver-checks"), &text);
    }
    let sysroot = process::capture(&process::Command::new("rustc").args(["--print", "sysroot"])).unwrap();
    // Only this tool is found, whatever the machine has.
    let path = format!("{}:{}/bin:/usr/bin:/bin", programs.display(), sysroot.text().trim());
    judged(&repository.root, |context| {
        let home = repository.root.join("programs/home");
        context.cargo =
            context.cargo.clone().env("PATH", path).env("CARGO_HOME", home.to_string_lossy().into_owned());
        run(context, None, &JobFacts::new(&repository.root), options)
    })
}

#[test]
fn an_api_that_breaks_too_much_fails_with_lint_and_place() {
    let repository = workspace();
    let (judgement, log) = run_with(&repository, Some(GONE), &Options::default());
    let judgement = judgement.unwrap();
    assert_eq!(judgement.verdict, Verdict::Failed, "{log}");
    let [finding] = &judgement.findings[..] else { panic!("{:?}", judgement.findings) };
    assert_eq!(finding.lint.as_deref(), Some("semver::function_missing"));
    assert_eq!(finding.place().as_deref(), Some("a/src/lib.rs:2"));
    let summary = "a: semver requires new major version: 1 major and 0 minor checks failed";
    assert_eq!(judgement.reason.as_deref(), Some(summary));
    assert!(log.contains("left out: hidden (`publish = false`)\n"), "{log}");
    let command = "$ cargo semver-checks check-release --color never --package";
    assert!(log.contains(&format!("{command} a\n")) && log.contains(&format!("{command} b\n")), "{log}");
    assert!(
        !log.contains(&format!("{command} hidden")) && log.contains("--- failure function_missing"),
        "{log}"
    );
}

#[test]
fn an_api_that_keeps_its_promise_passes_and_so_does_one_without_a_release() {
    let repository = workspace();
    let (judgement, log) = run_with(&repository, Some("exit 0"), &Options::default());
    let judgement = judgement.unwrap();
    assert_eq!((judgement.verdict, judgement.reason), (Verdict::Passed, None), "{log}");
    let new = "cat >&2 <<'END'\nerror: failed to retrieve crate data from registry\n\nCaused by:\n    \
               a not found in registry (crates.io).\nEND\nexit 101";
    let (judgement, log) = run_with(&repository, Some(new), &Options::default());
    assert_eq!(judgement.unwrap().verdict, Verdict::Passed, "{log}");
    assert!(log.contains("left out: a (it was never released)\n"), "{log}");
}

#[test]
fn a_tool_that_is_missing_or_fails_by_itself_is_no_verdict() {
    let repository = workspace();
    let (judgement, log) = run_with(&repository, None, &Options::default());
    let judgement = judgement.unwrap();
    assert_eq!(judgement.verdict, Verdict::Skipped, "{log}");
    assert_eq!(judgement.reason.as_deref(), Some("cargo-semver-checks is not installed"));
    assert_eq!(judgement.remedy, Some(semver::install()));
    for (script, reason) in [
        (
            "echo 'error: the crate does not build' >&2; exit 101",
            "a: cargo-semver-checks could not do its work: ",
        ),
        ("kill -9 $$", "a: cargo-semver-checks "),
    ] {
        let judgement = run_with(&repository, Some(script), &Options::default()).0.unwrap();
        assert_eq!(judgement.verdict, Verdict::Broken);
        assert!(judgement.reason.as_ref().is_some_and(|said| said.starts_with(reason)), "{judgement:?}");
    }
}

#[test]
fn the_base_is_the_commit_where_the_change_began() {
    let repository = workspace();
    let start = repository.git(&["rev-parse", "HEAD"]);
    repository.git(&["checkout", "--quiet", "-b", "work"]);
    repository.write("a/src/lib.rs", "pub fn f() {}\n").commit("Change");
    repository.git(&["checkout", "--quiet", "main"]);
    repository.write("b/src/lib.rs", "pub fn g() {}\n").commit("Go on");
    repository.git(&["checkout", "--quiet", "work"]);
    let options = Options { baseline: Baseline::Base, base: Some("main".into()) };
    let (judgement, log) = run_with(&repository, Some("exit 0"), &options);
    assert_eq!(judgement.unwrap().verdict, Verdict::Passed, "{log}");
    assert!(log.contains(&format!("--package a --baseline-rev {start}\n")), "{log}");
}
