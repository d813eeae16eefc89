//! Compares the cost of a job of ours with that of the predecessor's separate jobs: `cargo test --release
//! --test perf -- DIR...`. Each `DIR` is the folder of a crate. It is copied, and a crate that is known to need
//! it is prepared. `--whole` leaves all sets of features in. `--checks a,b` measures these checks in place of
//! all. `--each` says what each check of ours adds to those before it. `--change FILE` names the file that is
//! changed in each crate, in place of a library's root. `--bounds` measures what grows with the input instead
//! (`bounds.rs`), and `--large` the pipelines of large workspaces (`large.rs`).
//!
//! Four measures a crate, both sides in one run: from an empty target directory, again with nothing changed,
//! again after one source file changed, and our own process apart from cargo and what cargo starts. Only times
//! and the verdict of the whole are compared here: `tests/parity` compares verdicts and findings.
#![allow(clippy::disallowed_macros, reason = "a test prints for a person")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::wrong_self_convention,
    reason = "what cannot be measured ends the run"
)]
#![allow(clippy::disallowed_methods, reason = "the rule is for src/")]

mod bounds;
mod large;
mod prepare;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use support::sandbox::Sandbox;
use support::usage::{self, Usage};
use support::{folder, predecessor};

/// The checks of a platform that compile, and need no other target. `coverage` needs cargo-llvm-cov
/// and LLVM's tools (`LLVM_COV`, `LLVM_PROFDATA`), and a coverage file in the crate.
const CHECKS: &str = "build-gnu,style,doc,unittests-gnu,unittests-gnu-release,clippy,coverage";

/// How the measures are taken.
#[derive(Clone)]
struct How {
    checks: Vec<String>,
    /// All sets of features of a crate that would be restricted.
    whole: bool,
    /// What each check of ours takes after those before it.
    each: bool,
    /// Tests are run, and not only compiled.
    tests: bool,
    /// The file that is changed for the last measure.
    change: Option<PathBuf>,
}

pub(crate) fn main() {
    let mut how = How { checks: Vec::new(), whole: false, each: false, tests: true, change: None };
    let mut checks = CHECKS.to_owned();
    let mut folders: Vec<PathBuf> = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--checks" => checks = arguments.next().unwrap(),
            "--whole" => how.whole = true,
            "--each" => how.each = true,
            "--change" => how.change = Some(arguments.next().unwrap().into()),
            "--bounds" => return bounds::measure(),
            "--large" => return large::measure(),
            _ if Path::new(&argument).join("Cargo.toml").is_file() => folders.push(argument.into()),
            // `cargo test` hands every test program the same arguments: a name's part, libtest's options.
            _ => {}
        }
    }
    how.checks = checks.split(',').map(ToOwned::to_owned).collect();
    if folders.is_empty() {
        println!("skipped: name crates' folders to measure: `cargo test --release --test perf -- DIR...`");
    }
    for folder in folders {
        measure(&folder, how.clone());
    }
}

fn measure(folder: &Path, mut how: How) {
    println!("# {}", folder.display());
    let sandbox = Sandbox::new();
    let root = sandbox.folder("work");
    folder::copy(folder, &root);
    let root = fs::canonicalize(root).unwrap();
    how.tests = prepare::prepare(&root, how.whole, &mut how.checks);
    // Both sides are to find the lock file and the registry as they will be.
    for arguments in [&["generate-lockfile"][..], &["fetch"]] {
        if arguments[0] == "fetch" || !root.join("Cargo.lock").exists() {
            let status = sandbox.command("cargo").args(arguments).arg("--quiet").current_dir(&root).status();
            assert!(status.unwrap().success(), "cargo {arguments:?}");
        }
    }
    let mut apart = Usage { success: true, ..Usage::default() };
    for check in &how.checks {
        folder::clean(&root);
        let mut shell = if check == "coverage" {
            coverage(&sandbox, &root, how.tests)
        } else {
            predecessor::shell(check, &root, |program| command(&sandbox, program, how.tests))
        };
        let log = sandbox.path().join(format!("{check}.log"));
        let usage = usage::measure(&mut shell, &log);
        print(&format!("apart: {check}"), &usage, None);
        show_failure(&usage, &log);
        apart.cpu += usage.cpu;
        apart.wall += usage.wall;
        apart.success &= usage.success;
    }
    print("apart: sum", &apart, None);
    folder::clean(&root);
    let first = together(&sandbox, &root, &how.checks, how.tests);
    print("together", &first, Some(&apart));
    let again = together(&sandbox, &root, &how.checks, how.tests);
    print("again, nothing changed", &again, Some(&apart));
    let source = how.change.as_ref().map_or_else(|| source(&root), |file| root.join(file));
    fs::OpenOptions::new().append(true).open(&source).unwrap().write_all(b"// Changed.\n").unwrap();
    let what = format!("again, {} changed", source.strip_prefix(&root).unwrap().display());
    let changed = together(&sandbox, &root, &how.checks, how.tests);
    print(&what, &changed, Some(&apart));
    println!("{}", row(folder, &apart, [&first, &again, &changed]));
    if how.each {
        folder::clean(&root);
        each(&sandbox, &root, &how, "added");
        // Nothing is left to compile but what is never kept: what is left is running tests.
        each(&sandbox, &root, &how, "again");
    }
}

/// What each check takes alone, on what those before it have compiled: where a ratio comes from.
fn each(sandbox: &Sandbox, root: &Path, how: &How, what: &str) {
    for check in &how.checks {
        let usage = together(sandbox, root, std::slice::from_ref(check), how.tests);
        print(&format!("{what}: {check}"), &usage, None);
    }
}

/// A program as both sides are started: where LLVM's tools are is no setting of the caller's. Where
/// tests are not to be run, cargo runs `true` in their place.
fn command(sandbox: &Sandbox, program: &str, tests: bool) -> Command {
    let mut command = sandbox.command(program);
    if !tests {
        let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH).to_uppercase().replace('-', "_");
        command.env(format!("CARGO_TARGET_{target}_RUNNER"), "true");
    }
    let tools = ["LLVM_COV", "LLVM_PROFDATA"];
    command.envs(tools.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
    command
}

/// The predecessor's measurement of coverage, with the features and exclusions of the crate's file.
fn coverage(sandbox: &Sandbox, root: &Path, tests: bool) -> Command {
    let file = root.join(format!("coverage_config_{}.json", std::env::consts::ARCH));
    let config: serde_json::Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    let mut cargo = command(sandbox, "cargo", tests);
    cargo.args(["llvm-cov", "test", "--json", "--summary-only", "--workspace"]).current_dir(root);
    match config["crate_features"].as_str() {
        None => cargo.arg("--all-features"),
        Some("") => &mut cargo,
        Some(features) => cargo.args(["--features", features]),
    };
    if let Some(excluded) = config["exclude_path"].as_str().filter(|excluded| !excluded.is_empty()) {
        cargo.args(["--ignore-filename-regex", excluded]);
    }
    cargo
}

/// All checks by `run`, in one job, as in CI.
fn together(sandbox: &Sandbox, root: &Path, checks: &[String], tests: bool) -> Usage {
    let mut run = command(sandbox, env!("CARGO_BIN_EXE_rust-vmm-ci"), tests);
    run.arg("run").args(checks).current_dir(root);
    run.env("CI", "true").env("BUILDKITE_PLUGIN_CONFIGURATION", r#"{"docker": false}"#);
    let log = sandbox.path().join("run.log");
    let usage = usage::measure(&mut run, &log);
    show_failure(&usage, &log);
    usage
}

/// The end of a failure's log: a measure of half the work is none.
fn show_failure(usage: &Usage, log: &Path) {
    if !usage.success {
        let said = String::from_utf8_lossy(&fs::read(log).unwrap()).into_owned();
        let lines: Vec<&str> = said.lines().collect();
        println!("{}", lines[lines.len().saturating_sub(15)..].join("\n"));
    }
}

/// A library's root file: of the package here, or of the last member that has one.
fn source(root: &Path) -> PathBuf {
    let members = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path());
    let mut folders: Vec<PathBuf> = members.filter(|path| path.is_dir()).collect();
    folders.sort();
    folders.push(root.to_owned());
    let sources = folders.into_iter().rev().map(|folder| folder.join("src/lib.rs"));
    sources.into_iter().find(|file| file.is_file()).expect("a crate has a library")
}

/// The crate's line of the table in `docs/performance.md`.
fn row(folder: &Path, apart: &Usage, ours: [&Usage; 3]) -> String {
    let name = folder.file_name().unwrap_or_default().display();
    let ratios = ours.map(|usage| {
        let failed = if usage.success { "" } else { ", FAILED" };
        format!("{:.2}{failed}", usage.cpu / apart.cpu)
    });
    let first = ours[0];
    let share = 100.0 * first.own_cpu / first.cpu;
    let memory = first.own_memory.div_ceil(1024);
    format!("| {name} | {:.0} s | {} | {share:.1} %, {memory} MB |", apart.cpu, ratios.join(" | "))
}

fn print(what: &str, usage: &Usage, against: Option<&Usage>) {
    let verdict = if usage.success { "passed" } else { "FAILED" };
    print!("{what:32} {verdict}  CPU {:7.2} s  wall {:7.2} s", usage.cpu, usage.wall);
    if let Some(apart) = against {
        print!("  ratio {:.3} CPU, {:.3} wall", usage.cpu / apart.cpu, usage.wall / apart.wall);
        print!("  {}", overhead(usage));
    }
    println!();
}

/// What our own process took of the CPU and held of memory, by the kernel's account of it, and whether
/// that is more than the goal. Of what is not cargo's and not ours, git and questions to rustc, nothing
/// is in it: some hundredths of a second.
fn overhead(usage: &Usage) -> String {
    const MOST_CPU: f64 = 0.5;
    const MOST_MEMORY: u64 = 50;
    let percent = 100.0 * usage.own_cpu / usage.cpu;
    let memory = usage.own_memory.div_ceil(1024);
    let over = if percent > MOST_CPU || memory > MOST_MEMORY { ", OVER" } else { "" };
    format!(
        "ours {:.2} s, {percent:.2} % CPU, {memory} MB (goal {MOST_CPU} %, {MOST_MEMORY} MB{over})",
        usage.own_cpu
    )
}
