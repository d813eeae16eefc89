//! cargo-audit itself, on small repositories and an advisory database of three entries.

use super::*;
use crate::git::testing::Repository;
use crate::process;
use crate::run::testing::judged;
use rust_vmm_ci_core::exit::Exit;
use rust_vmm_ci_core::report::{Finding, Level, Verdict};
use serde_json::{Value, json};

const SOURCE: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Whether cargo-audit is on this machine; without it a test says that it was skipped.
fn is_there() -> bool {
    let there = process::capture(&process::Command::new("cargo").args(["audit", "--version"]))
        .is_ok_and(|said| said.status.success());
    if !there {
        crate::testing::skip("cargo-audit is not installed (cargo install --locked cargo-audit)");
    }
    there
}

/// A repository with an advisory database of three entries in `db`, crates `aa`, `bb` and `cc` in
/// `vendor` in place of the registry, and a package that depends on none of them yet.
fn repository() -> Repository {
    let repository = Repository::new();
    let advisories = [
        ("aa", "RUSTSEC-2020-0001", "", "[\">= 1.2.0\"]"),
        ("bb", "RUSTSEC-2021-0002", "informational = \"unmaintained\"", "[]"),
        ("cc", "RUSTSEC-2022-0003", "informational = \"unsound\"", "[\">= 2\"]"),
    ];
    for (name, id, more, patched) in advisories {
        let head = format!("[advisory]\nid = \"{id}\"\npackage = \"{name}\"\ndate = \"2020-01-02\"\n{more}");
        let text =
            format!("```toml\n{head}\n\n[versions]\npatched = {patched}\n```\n\n# About {name}\n\nWords.\n");
        repository.write(&format!("db/crates/{name}/{id}.md"), text);
        let manifest = format!("[package]\nname = \"{name}\"\nversion = \"1.0.0\"\nedition = \"2021\"\n");
        repository
            .write(&format!("vendor/{name}/Cargo.toml"), manifest)
            .write(&format!("vendor/{name}/src/lib.rs"), "")
            .write(
                &format!("vendor/{name}/.cargo-checksum.json"),
                json!({"files": {}, "package": "0".repeat(64)}).to_string(),
            );
    }
    let replaced =
        "[source.crates-io]\nreplace-with = \"vendored\"\n[source.vendored]\ndirectory = \"vendor\"\n";
    repository.write(".cargo/config.toml", replaced).write("src/lib.rs", "").write(".gitignore", "ignored");
    depend_on(&repository, &[]);
    repository.commit("one");
    repository
}

fn depend_on(repository: &Repository, names: &[&str]) {
    let dependencies = names.iter().map(|name| format!("{name} = \"1\"\n")).collect::<Vec<_>>().concat();
    let package = "[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[dependencies]\n";
    repository.write("Cargo.toml", format!("{package}{dependencies}"));
}

/// A lock file of the app with these crates.
fn locked(names: &[&str]) -> String {
    let entry = |name: &str| {
        let sum = "0".repeat(64);
        format!(
            "[[package]]\nname = \"{name}\"\nversion = \"1.0.0\"\nsource = \"{SOURCE}\"\nchecksum = \"{sum}\"\n"
        )
    };
    let all = names.iter().map(|name| entry(name)).collect::<Vec<_>>().concat();
    format!("version = 3\n[[package]]\nname = \"app\"\nversion = \"0.1.0\"\ndependencies = {names:?}\n{all}")
}

fn run_with(repository: &Repository, own: &Value) -> (Result<Judgement>, String) {
    judged(&repository.root, |context| run(context, &audit::options(own.as_object().unwrap())?))
}

fn by_level(findings: &[Finding]) -> Vec<(Level, &str)> {
    findings.iter().map(|finding| (finding.level, finding.lint.as_deref().unwrap_or_default())).collect()
}

const ALL: [(Level, &str); 3] = [
    (Level::Error, "RUSTSEC-2020-0001"),
    (Level::Error, "RUSTSEC-2021-0002"),
    (Level::Error, "RUSTSEC-2022-0003"),
];

#[test]
fn every_advisory_is_found_with_the_way_to_it() {
    if !is_there() {
        return;
    }
    let repository = repository();
    repository.write("Cargo.lock", locked(&["aa", "bb", "cc"])).commit("two");
    let before = repository.state();
    let (judgement, log) = run_with(&repository, &json!({"database": "db"}));
    let judgement = judgement.unwrap();
    assert_eq!(judgement.verdict, Verdict::Failed, "{log}");
    assert_eq!(by_level(&judgement.findings), ALL);
    assert!(judgement.findings[0].rendered.as_ref().unwrap().contains("app 0.1.0 > aa 1.0.0"));
    assert_eq!(judgement.findings[0].file.as_deref(), Some("Cargo.lock"));
    assert_eq!(repository.state(), before);
}

#[test]
#[cfg_attr(windows, ignore = "no check of Windows, which makes links to folders with a right of its own")]
fn where_there_is_no_lock_file_one_is_made_outside_the_checkout() {
    if !is_there() {
        return;
    }
    let repository = repository();
    depend_on(&repository, &["aa", "bb", "cc"]);
    repository.commit("two");
    let before = repository.state();
    let (judgement, log) = run_with(&repository, &json!({"database": "db"}));
    let judgement = judgement.unwrap_or_else(|error| panic!("{error:#} {log}"));
    assert_eq!(by_level(&judgement.findings), ALL);
    assert_eq!(judgement.findings[0].file, None);
    assert!(log.contains("this repository has no Cargo.lock"), "{log}");
    assert_eq!(repository.state(), before);
    assert!(!repository.root.join("Cargo.lock").exists());
}

#[test]
fn the_repositorys_own_audit_configuration_is_heeded() {
    if !is_there() {
        return;
    }
    let repository = repository();
    repository.write("Cargo.lock", locked(&["aa"]));
    repository.write(".cargo/audit.toml", "[advisories]\nignore = [\"RUSTSEC-2020-0001\"]\n");
    let (judgement, _) = run_with(&repository, &json!({"database": "db"}));
    assert_eq!(judgement.unwrap().verdict, Verdict::Passed);
}

#[test]
#[cfg_attr(windows, ignore = "no check of Windows, which makes links to folders with a right of its own")]
fn an_advisory_blocks_no_change_that_did_not_bring_it() {
    if !is_there() {
        return;
    }
    let own = json!({"database": "db", "new-only": true, "base": "main"});
    // With a lock file in the repository, and without.
    for is_locked in [true, false] {
        let repository = repository();
        let change = |names: &[&str], message: &str| {
            depend_on(&repository, names);
            if is_locked {
                repository.write("Cargo.lock", locked(names));
            } else {
                // Left over from an earlier build, and not part of the repository.
                repository.write(".gitignore", "Cargo.lock").write("Cargo.lock", locked(&["cc"]));
            }
            repository.commit(message);
        };
        change(&["aa"], "base");
        repository.git(&["checkout", "--quiet", "-b", "work"]);
        change(&["aa"], "nothing new");
        let judgement = run_with(&repository, &own).0.unwrap();
        assert_eq!(judgement.verdict, Verdict::Passed);
        assert_eq!(by_level(&judgement.findings), [(Level::Warning, "RUSTSEC-2020-0001")]);
        change(&["aa", "bb"], "new");
        let judgement = run_with(&repository, &own).0.unwrap();
        assert_eq!(judgement.verdict, Verdict::Failed);
        let expected = [(Level::Error, "RUSTSEC-2021-0002"), (Level::Warning, "RUSTSEC-2020-0001")];
        assert_eq!(by_level(&judgement.findings), expected);
    }
}

#[test]
fn what_cargo_audit_or_cargo_cannot_do_is_told_in_their_words_and_is_no_verdict() {
    if !is_there() {
        return;
    }
    let cases: [(&str, &str, Value, &str); 3] = [
        ("Cargo.lock", "garbage", json!({"database": "db"}), "Couldn't load"),
        ("Cargo.lock", "version = 3\n", json!({"database": "nowhere"}), "error loading advisory database"),
        ("Cargo.toml", "[package]\nname = 1\n", json!({"database": "db"}), "could not make a Cargo.lock"),
    ];
    for (file, text, own, says) in cases {
        let repository = repository();
        // cargo warns of a configuration without extension.
        let config = std::fs::read_to_string(repository.root.join(".cargo/config.toml")).unwrap();
        std::fs::remove_file(repository.root.join(".cargo/config.toml")).unwrap();
        repository.write(".cargo/config", config).write(file, text);
        let error = run_with(&repository, &own).0.unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
        assert!(!error.to_string().contains("warning"), "{error}");
        assert_eq!(exit::of(&error), Exit::Infrastructure);
    }
}

#[test]
#[cfg_attr(windows, ignore = "no check of Windows")]
fn a_cargo_without_audit_is_a_tool_that_is_missing() {
    let repository = repository();
    repository.write("Cargo.lock", locked(&[]));
    let (judgement, _) = judged(&repository.root, |context| {
        // cargo looks for subcommands on PATH and in its home.
        let cargo = process::Command::new(which::which("rustc").unwrap())
            .args(["--print", "sysroot"])
            .dir(context.root);
        let sysroot = process::answer(&cargo).unwrap().text();
        let cargo = Path::new(sysroot.trim()).join("bin").join("cargo");
        context.cargo =
            process::Command::new(cargo).env("PATH", context.root).env("CARGO_HOME", context.root);
        run(context, &Options::default())
    });
    let judgement = judgement.unwrap();
    assert_eq!(judgement.verdict, Verdict::Skipped);
    assert_eq!(judgement.remedy.as_deref(), Some("cargo install --locked cargo-audit"));
}
