//! Coverage as it is measured: small crates, cargo and LLVM's tools.

use super::*;
use crate::git::testing::Repository;
use crate::process;
use crate::run::testing::judged;
use crate::testing::skip;
use rust_vmm_ci_core::model::Platform;
use std::time::Duration;

/// The program, where cargo has built it beside these tests, and LLVM's tools are there.
fn program() -> Option<PathBuf> {
    let tests = std::env::current_exe().unwrap();
    let program = tests.ancestors().nth(2)?.join(format!("rust-vmm-ci{}", std::env::consts::EXE_SUFFIX));
    let job = JobFacts::new(Path::new("."));
    let lacks = if !program.is_file() {
        "the program is not built"
    } else if Platform::of_this_machine() != Some(Platform::X86_64) {
        "the samples are held to the score of x86_64"
    } else if Llvm::find(&job.toolchain(Path::new("."), &[]).unwrap(), &[]).is_none() {
        "LLVM's tools for coverage are not there (LLVM_COV, LLVM_PROFDATA)"
    } else {
        return Some(program);
    };
    skip(lacks);
    None
}

const LIB: &str = "//! A crate.\n\n/// Names.\npub fn sign(n: i32) -> &'static str {\n    if n < 0 {\n        \
    \"negative\"\n    } else {\n        \"positive\"\n    }\n}\n\n#[cfg(test)]\nmod tests {\n    #[test]\n    \
    fn positive() {\n        assert_eq!(super::sign(1), \"positive\");\n    }\n}\n";

/// A crate of 8 lines, 7 of which run, held to a score.
fn sample(file: &str) -> Repository {
    let repository = Repository::new();
    repository
        .write("Cargo.toml", "[package]\nname = \"sample\"\nversion = \"0.1.0\"\nedition = \"2024\"\n")
        .write("src/lib.rs", LIB)
        .write("coverage_config_x86_64.json", file)
        .write(".gitignore", "target\nCargo.lock\n")
        .commit("Plant");
    repository
}

fn run(repository: &Repository, package: Option<&str>, update: bool, program: &Path) -> (Judgement, String) {
    let job = JobFacts::new(&repository.root);
    let work = |context: &mut Context<'_>| run_as(context, package, &job, update, program);
    let (judgement, log) = judged(&repository.root, work);
    (judgement.unwrap(), log)
}

fn text(judgement: &Judgement) -> &str {
    judgement.sections.last().map_or("", |section| section.text.as_str())
}

#[test]
#[cfg_attr(windows, ignore = "no check of Windows")]
fn a_score_that_is_off_fails_and_update_mends_it() {
    let Some(program) = program() else { return };
    let repository = sample("{\"coverage_score\": 86.9,\r\n\"exclude_path\": \"\"}");
    repository.git(&["checkout", "--quiet", "-b", "work"]);
    let added = LIB.replace("#[cfg(test)]", "/// New.\npub fn new() -> u32 {\n    1\n}\n\n#[cfg(test)]");
    let (judgement, _) = run(&repository, None, false, &program);
    assert_eq!(judgement.verdict, Verdict::Failed);
    assert!(judgement.findings[0].message.contains("87.50 %, 0.60 above the score of 86.90 %"));
    let (judgement, _) = run(&repository, None, true, &program);
    assert_eq!(judgement.verdict, Verdict::Passed);
    let written = std::fs::read_to_string(repository.root.join("coverage_config_x86_64.json")).unwrap();
    assert_eq!(written, "{\"coverage_score\": 87.50,\r\n\"exclude_path\": \"\"}");
    repository.write("src/lib.rs", added);
    let (judgement, _) = run(&repository, None, false, &program);
    assert_eq!(judgement.verdict, Verdict::Failed);
    assert!(judgement.findings[0].message.contains("63.64 %, 23.86 below"), "{:?}", judgement.findings);
    assert_eq!(judgement.sections[0].rows, [["src/lib.rs", "13–15"]]);
    for artifact in &judgement.artifacts {
        let made = std::fs::read_to_string(repository.root.join(&artifact.path)).unwrap();
        assert!(made.contains("src/lib.rs"), "{artifact:?}");
    }
}

#[test]
#[cfg_attr(windows, ignore = "no check of Windows")]
fn tests_that_fail_or_do_not_compile_fail_the_check() {
    let Some(program) = program() else { return };
    let repository = sample(r#"{"coverage_score": 87.5, "exclude_path": ""}"#);
    repository.write("src/lib.rs", LIB.replace("sign(1)", "sign(-1)"));
    let (judgement, log) = run(&repository, None, false, &program);
    assert_eq!(judgement.verdict, Verdict::Failed);
    assert_eq!(judgement.findings[0].message, "test tests::positive failed");
    assert!(log.contains("assertion `left == right` failed"), "{log}");
    repository.write("src/lib.rs", LIB.replace("sign(1)", "sing(1)"));
    let (judgement, _) = run(&repository, None, false, &program);
    assert_eq!(judgement.verdict, Verdict::Failed);
    assert!(judgement.findings[0].message.contains("cannot find function `sing`"));
}

#[test]
#[cfg_attr(windows, ignore = "no check of Windows")]
fn a_crate_without_tests_is_measured() {
    let Some(program) = program() else { return };
    let repository = sample(r#"{"coverage_score": 0, "exclude_path": ""}"#);
    repository.write("src/lib.rs", LIB.split("#[cfg(test)]").next().unwrap());
    let (judgement, _) = run(&repository, None, false, &program);
    assert_eq!(text(&judgement), "0.00 %: 0 of 5 lines run, held to 0.00 % ± 0.5.");
}

#[test]
fn a_file_that_cannot_be_followed_fails_before_anything_is_built() {
    for (file, expected) in [
        (r#"{"coverage_score": "87.5", "exclude_path": ""}"#, "coverage_score: expected a number"),
        (r#"{"coverage_score": 87.5, "exclude_path": "a("}"#, "`a(` is no regular expression"),
    ] {
        let repository = sample(file);
        let (judgement, _) = run(&repository, None, false, Path::new("none"));
        assert_eq!(judgement.verdict, Verdict::Failed);
        assert_eq!(judgement.findings[0].file.as_deref(), Some("coverage_config_x86_64.json"));
        assert!(judgement.findings[0].message.contains(expected), "{}", judgement.findings[0].message);
        assert!(!repository.root.join("target").exists());
    }
}

#[test]
fn without_a_file_the_way_to_make_one_is_told() {
    let repository = sample("");
    std::fs::remove_file(repository.root.join("coverage_config_x86_64.json")).unwrap();
    repository.write("other/coverage_config_x86_64.json", r#"{"coverage_score": 1, "exclude_path": ""}"#);
    let (judgement, _) = run(&repository, None, false, Path::new("none"));
    assert_eq!(judgement.verdict, Verdict::Failed);
    assert!(judgement.findings[0].remedy.as_ref().unwrap().contains("run coverage --update"));
    let scope = Scope { package: None, dir: repository.root.clone() };
    let judgement = scope::no_file(Platform::Aarch64, &scope, &repository.root);
    assert_eq!((judgement.verdict, judgement.remedy), (Verdict::Skipped, None));
    assert!(judgement.reason.unwrap().contains("coverage_config_aarch64.json"));
}

/// A workspace with a procedural macro, a package that uses it, and a dependency by path that is no
/// member.
fn workspace() -> Repository {
    let package = |name: &str, rest: &str| {
        format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n{rest}")
    };
    let repository = Repository::new();
    repository
        .write(
            "Cargo.toml",
            "[workspace]\nmembers = [\"mac\", \"user\"]\nexclude = [\"dep\"]\nresolver = \"3\"\n",
        )
        .write("dep/Cargo.toml", package("dep", ""))
        .write("dep/src/lib.rs", "pub fn one() -> u32 {\n    1\n}\n")
        .write("mac/Cargo.toml", package("mac", "[lib]\nproc-macro = true\n"))
        .write(
            "mac/src/lib.rs",
            "#[proc_macro]\npub fn answer(input: proc_macro::TokenStream) -> proc_macro::TokenStream {\n    \
             if input.is_empty() {\n        \"42\".parse().unwrap()\n    } else {\n        input\n    }\n}\n",
        )
        .write(
            "user/Cargo.toml",
            package("user", "[dependencies]\nmac = { path = \"../mac\" }\ndep = { path = \"../dep\" }\n"),
        )
        .write(
            "user/src/lib.rs",
            "pub fn f() -> u32 {\n    mac::answer!() + dep::one()\n}\n\n#[test]\nfn t() {\n    \
             assert_eq!(f(), if cfg!(coverage) { 43 } else { 0 });\n}\n",
        )
        .write("coverage_config_x86_64.json", r#"{"coverage_score": 90, "exclude_path": ""}"#)
        .write(".gitignore", "target\nCargo.lock\n")
        .commit("Plant");
    repository
}

#[test]
#[cfg_attr(windows, ignore = "no check of Windows")]
fn dependencies_of_other_builds_are_used_and_those_builds_are_left_alone() {
    let Some(program) = program() else { return };
    let repository = workspace();
    let cargo = |args: &[&str]| {
        process::capture(&Command::new("cargo").args(args.iter().copied()).dir(&repository.root)).unwrap()
    };
    let built = cargo(&["test", "--workspace", "--no-run"]);
    assert!(built.complaint().contains("Compiling dep"), "{}", built.complaint());
    let (judgement, log) = run(&repository, None, false, &program);
    assert!(log.contains("Compiling user") && !log.contains("Compiling dep"), "{log}");
    assert_eq!(text(&judgement), "90.91 %: 10 of 11 lines run, held to 90.00 % ± 0.5.");
    // Its compiler ran the macro in the first run only.
    let (again, log) = run(&repository, None, false, &program);
    assert!(!log.contains("Compiling"), "{log}");
    assert_eq!(text(&again), text(&judgement));
    let rebuilt = cargo(&["test", "--workspace", "--no-run"]);
    assert!(!rebuilt.complaint().contains("Compiling"), "{}", rebuilt.complaint());
}

#[test]
#[cfg_attr(windows, ignore = "no check of Windows")]
fn the_figure_is_cargo_llvm_covs() {
    let Some(program) = program() else { return };
    let told = process::capture(&Command::new("cargo").args(["llvm-cov", "--version"])).unwrap();
    if !told.status.success() {
        return skip("cargo-llvm-cov is not installed");
    }
    let repository = workspace();
    for (package, scope, dir) in [(None, "--workspace", "."), (Some("user"), "--all-features", "user")] {
        let args = ["llvm-cov", "test", "--json", "--summary-only", scope];
        let command = Command::new("cargo").args(args).dir(repository.root.join(dir));
        // A busy machine builds the workspace in minutes.
        let command = command.within(Duration::from_secs(900));
        let told: serde_json::Value =
            serde_json::from_str(&process::capture(&command).unwrap().text()).unwrap();
        let lines = &told["data"][0]["totals"]["lines"];
        let (judgement, _) = run(&repository, package, false, &program);
        let expected = format!("{} of {} lines", lines["covered"], lines["count"]);
        assert!(text(&judgement).contains(&expected), "{expected}: {}", text(&judgement));
    }
}

#[test]
#[cfg_attr(windows, ignore = "no check of Windows")]
fn a_wrapper_of_the_repositorys_own_is_called_with_rustc_itself() {
    let Some(program) = program() else { return };
    let repository = sample("{\"coverage_score\": 87.5, \"exclude_path\": \"\"}");
    // The wrapper asks the compiler that it is given, in another folder, as sccache's server does.
    let wrapper = "#!/bin/sh\necho \"$*\" >>\"$(dirname \"$0\")/../target/calls\"\n\
        (cd / && \"$1\" -vV) | grep -q '^rustc ' || exit 9\nexec \"$@\"\n";
    repository.write("tools/wrapper", wrapper).write("target/calls", "");
    let wrapper = repository.root.join("tools/wrapper");
    assert!(process::capture(&Command::new("chmod").arg("+x").arg(wrapper)).unwrap().status.success());
    repository.write(".cargo/config.toml", "[build]\nrustc-wrapper = \"tools/wrapper\"\n");
    let (judgement, log) = run(&repository, None, false, &program);
    assert_eq!(judgement.verdict, Verdict::Passed, "{log}");
    let calls = std::fs::read_to_string(repository.root.join("target/calls")).unwrap();
    assert!(calls.contains("-C instrument-coverage"), "{calls}");
}
