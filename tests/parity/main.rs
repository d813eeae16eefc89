//! Compares verdicts, findings and tests with those of the predecessor's commands. Both sides run every check
//! of a crate: theirs each in an empty target directory, ours all in one run.
//!
//! `cargo test --test parity [NAME]` for the planted cases; `PARITY_CRATE=DIR cargo test --test
//! parity crate` for a crate of one's own, with `PARITY_CHECKS=a,b` in place of all.
#![allow(clippy::disallowed_macros, reason = "a test prints for a person")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::wrong_self_convention,
    reason = "what cannot be set up fails the test"
)]
#![allow(clippy::disallowed_methods, reason = "the rule is for src/")]

mod case;
mod compare;
mod ours;

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

use case::Case;
use libtest_mimic::{Arguments, Failed, Trial};
use support::sandbox::Sandbox;
use support::usage::{self, Usage};
use support::{folder, predecessor};

/// The checks for a crate of one's own. Those for musl run only if they are named.
const CHECKS: [&str; 6] = ["build-gnu", "style", "doc", "unittests-gnu", "unittests-gnu-release", "clippy"];

/// The linked toolchain with more targets (`.ci/env`).
const CROSS: &str = "cross";

pub(crate) fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let missing = missing();
    if let Some(what) = &missing {
        eprintln!("skipped: {what}");
        if std::env::var_os("REQUIRE_ALL").is_some_and(|value| value == "1") {
            eprintln!("REQUIRE_ALL=1: nothing may be skipped");
            return ExitCode::FAILURE;
        }
    }
    let mut trials: Vec<Trial> = Case::all()
        .into_iter()
        .map(|(name, case)| {
            let trial = Trial::test(name.clone(), move || planted(&name, &case));
            trial.with_ignored_flag(missing.is_some())
        })
        .collect();
    if let Some(folder) = std::env::var_os("PARITY_CRATE") {
        let checks = std::env::var("PARITY_CHECKS").unwrap_or_else(|_| CHECKS.join(","));
        let checks = checks.split(',').map(ToOwned::to_owned).collect::<Vec<_>>();
        trials.push(Trial::test("crate", move || own(Path::new(&folder), &checks)));
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// What this machine lacks to ask the predecessor.
fn missing() -> Option<&'static str> {
    let asked = Command::new("cargo-all-features").args(["all-features", "--help"]).output();
    asked.is_err().then_some("cargo-all-features is not on PATH, so there is nothing to compare with")
}

/// Both sides on a case's crate.
fn planted(name: &str, case: &Case) -> Result<(), Failed> {
    let mut machine = Machine { sandbox: Sandbox::new(), toolchain: None };
    if let Some(target) = &case.target {
        match toolchain_with(target) {
            Ok(toolchain) => machine.toolchain = toolchain,
            Err(lack) if std::env::var_os("REQUIRE_ALL").is_some_and(|value| value == "1") => {
                return Err(format!("REQUIRE_ALL=1, and {lack}").into());
            }
            Err(lack) => {
                eprintln!("skipped: {name}: {lack}");
                return Ok(());
            }
        }
    }
    let root = machine.sandbox.folder("work");
    case.write(&root);
    let (differences, failed) = both(name, &machine, &root, &root.join(&case.folder), &case.checks);
    if !differences.is_empty() {
        return Err(format!("{}\n{}", case.why, differences.join("\n")).into());
    }
    if failed != case.fails {
        return Err(format!("{}\nthe predecessor fails {failed:?}, not {:?}", case.why, case.fails).into());
    }
    Ok(())
}

/// Both sides on a copy of somebody's crate.
fn own(from: &Path, checks: &[String]) -> Result<(), Failed> {
    let machine = Machine { sandbox: Sandbox::new(), toolchain: None };
    let root = machine.sandbox.folder("work");
    folder::copy(from, &root);
    let (differences, failed) = both("crate", &machine, &root, &root, checks);
    eprintln!("the predecessor fails {failed:?}");
    if differences.is_empty() { Ok(()) } else { Err(differences.join("\n").into()) }
}

/// Runs the checks by both sides; returns where they differ, and what the predecessor fails. Prints
/// what each took.
fn both(
    name: &str,
    machine: &Machine,
    root: &Path,
    work: &Path,
    checks: &[String],
) -> (Vec<String>, Vec<String>) {
    let root = &fs::canonicalize(root).unwrap();
    let work = &fs::canonicalize(work).unwrap();
    let mut theirs: Vec<(Usage, String)> = Vec::new();
    for check in checks {
        folder::clean(root);
        let mut shell = predecessor::shell(check, work, |program| machine.command(program));
        let log = machine.sandbox.path().join(format!("{check}.log"));
        let usage = usage::measure(&mut shell, &log);
        theirs.push((usage, read(&log)));
    }
    folder::clean(root);
    let report = machine.sandbox.path().join("report.json");
    let binary = machine.command(env!("CARGO_BIN_EXE_rust-vmm-ci"));
    let log = machine.sandbox.path().join("run.log");
    let usage = usage::measure(&mut ours::command(binary, checks, &report, work), &log);
    let said = read(&log);
    let report = fs::read(&report).map_err(|error| format!("no report: {error}\n{said}"));
    let report: serde_json::Value = match report {
        Ok(report) => serde_json::from_slice(&report).unwrap(),
        Err(error) => return (vec![error], Vec::new()),
    };

    let mut differences = Vec::new();
    let mut failed = Vec::new();
    for (check, (usage, their_log)) in checks.iter().zip(&theirs) {
        let outcome = ours::outcome(&report, &said, check, root);
        let found = compare::differences(check, usage.success, their_log, &outcome, root);
        if !found.is_empty() {
            differences.extend(found);
            differences.push(format!("--- the predecessor said:\n{their_log}"));
        }
        if !usage.success {
            failed.push(check.clone());
        }
    }
    if !differences.is_empty() {
        differences.push(format!("--- we said:\n{said}"));
    }
    let cpu = theirs.iter().map(|(usage, _)| usage.cpu).sum::<f64>();
    let wall = theirs.iter().map(|(usage, _)| usage.wall).sum::<f64>();
    eprintln!(
        "{name}: CPU {:.2} s of {cpu:.2} s ({:.2}), wall {:.2} s of {wall:.2} s ({:.2})",
        usage.cpu,
        usage.cpu / cpu,
        usage.wall,
        usage.wall / wall
    );
    (differences, failed)
}

/// What both sides are started on.
struct Machine {
    sandbox: Sandbox,
    /// A toolchain in place of the one in effect.
    toolchain: Option<&'static str>,
}

impl Machine {
    /// A program as both sides are started.
    fn command(&self, program: &str) -> Command {
        let mut command = self.sandbox.command(program);
        command.env("CARGO_TERM_COLOR", "never").env("CARGO_NET_OFFLINE", "true");
        command.envs(self.toolchain.map(|name| ("RUSTUP_TOOLCHAIN", name)));
        command
    }
}

fn read(log: &Path) -> String {
    let text = String::from_utf8_lossy(&fs::read(log).unwrap()).into_owned();
    anstream::adapter::strip_str(&text).to_string()
}

/// The toolchain that has a target's standard library: none in place of the one in effect where that
/// has it, else the one that `.ci/install` links for targets; what is lacking otherwise.
fn toolchain_with(target: &str) -> Result<Option<&'static str>, String> {
    let has = |toolchain: Option<&'static str>| {
        let mut rustc = Command::new("rustc");
        rustc.args(["--print", "target-libdir", "--target", target]);
        rustc.envs(toolchain.map(|name| ("RUSTUP_TOOLCHAIN", name)));
        let output = rustc.output();
        output.is_ok_and(|output| Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir())
    };
    let toolchain = [None, Some(CROSS)].into_iter().find(|toolchain| has(*toolchain));
    toolchain.ok_or_else(|| format!("no toolchain has the target {target}"))
}
