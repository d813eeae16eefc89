//! Measures what grows with the input. Each figure is a ratio, so that it means the same on every machine.
//! `cargo test --release --test perf -- --bounds`.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use rust_vmm_ci_core::checks::messages::Messages;
use rust_vmm_ci_core::checks::test_output::{Packages, TestOutput};
use rust_vmm_ci_core::workspace::{Crates, MemoryFiles, Reach};
use support::sandbox::Sandbox;

/// The size of the output that passes through, in bytes.
const OUTPUT: usize = 200_000_000;

pub(crate) fn measure() {
    per_thing("warnings", 3_000, |count| {
        let mut messages = Messages::new(Path::new("/r"), Path::new("/r"), true, None);
        for number in 0..count {
            messages.read(warning(number).as_bytes());
        }
        assert!(messages.findings().len() <= 1_001);
    });
    per_thing("failed tests", 3_000, |count| {
        let mut output = TestOutput::default();
        let names = || (0..count).map(|number| format!("t{number}"));
        let failed = names().map(|name| format!("test {name} ... FAILED\n"));
        let sections =
            names().map(|name| format!("---- {name} stdout ----\nthread '{name}' panicked at a.rs:1:1:\n"));
        let list = names().map(|name| format!("    {name}\n"));
        let text = failed.chain(["\nfailures:\n".into()]).chain(sections).chain(["\nfailures:\n".into()]);
        for line in text
            .chain(list)
            .chain(["\ntest result: FAILED.\n".into()])
            .collect::<String>()
            .split_inclusive('\n')
        {
            output.read(line.as_bytes(), false);
        }
        assert!(output.findings(&Packages::new(), &str::to_owned).len() <= 501);
    });
    per_thing("crates in a chain", 300, |count| {
        let mut files = MemoryFiles::of(&[("Cargo.toml", "[workspace]\nmembers = [\"c0\"]")]);
        for number in 0..count {
            let next = (number + 1) % count;
            let text = format!("[package]\nname = \"c{number}\"\n[dependencies]\nc.path = \"../c{next}\"");
            files.0.insert(format!("c{number}/Cargo.toml"), text);
        }
        let crates = Crates::read(&files).unwrap();
        assert_eq!(Reach::new(&crates).dependencies(crates.members()[0]).len(), count - 1);
    });
    pass_through();
}

/// Prints what ten times as many things take, for each of them, against so many: 1 is linear.
fn per_thing(what: &str, count: usize, work: impl Fn(usize)) {
    let seconds = |count| {
        let begin = Instant::now();
        work(count);
        begin.elapsed().as_secs_f64()
    };
    let (few, many) = (seconds(count), seconds(10 * count));
    println!("{:32} {many:7.3} s  ratio {:.2} for each", format!("{} {what}", 10 * count), many / few / 10.0);
}

/// Prints what a check's output takes to pass through, against `cat`.
fn pass_through() {
    let sandbox = Sandbox::new();
    let manifest = "[package]\nname = \"sample\"\nversion = \"0.1.0\"\nedition = \"2021\"\n";
    let repository = sandbox.repository("work", &[("Cargo.toml", manifest), ("src/lib.rs", "//! A.\n")]);
    let file = sandbox.path().join("output");
    let line = format!("{}\n", "x".repeat(79));
    fs::write(&file, line.repeat(OUTPUT / line.len())).unwrap();
    let tests = format!(
        r#"{{"tests":[{{"test_name":"talks","command":"cat {}","platform":["x86_64","aarch64"]}}]}}"#,
        file.display()
    );
    fs::write(repository.path().join("tests.json"), tests).unwrap();
    let seconds = |command: &mut Command| {
        let begin = Instant::now();
        let log = fs::File::create(sandbox.path().join("log")).unwrap();
        let status = command
            .current_dir(repository.path())
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(Stdio::null())
            .status();
        assert!(status.unwrap().success());
        begin.elapsed().as_secs_f64()
    };
    let mut piped = sandbox.command("sh");
    let cat = seconds(piped.args(["-c", &format!("cat {} | cat", file.display())]));
    let mut run = sandbox.command(env!("CARGO_BIN_EXE_rust-vmm-ci"));
    run.env("BUILDKITE_PLUGIN_CONFIGURATION", r#"{"docker": false, "tests": ["tests.json"]}"#);
    let ours = seconds(run.args(["run", "talks"]));
    println!("{:32} {ours:7.3} s  ratio {:.2} to `cat | cat` ({cat:.3} s)", "200 MB of output", ours / cat);
}

fn warning(number: usize) -> String {
    format!(
        r#"{{"reason":"compiler-message","package_id":"path+file:///r#s@0.1.0","manifest_path":"/r/Cargo.toml","target":{{"kind":["lib"],"crate_types":["lib"],"name":"s","src_path":"/r/src/lib.rs","edition":"2021","doc":true,"doctest":true,"test":true}},"message":{{"message":"unused variable: `x{number}`","code":{{"code":"unused_variables","explanation":null}},"level":"warning","spans":[{{"file_name":"src/lib.rs","byte_start":0,"byte_end":1,"line_start":{number},"line_end":{number},"column_start":1,"column_end":2,"is_primary":true,"text":[],"label":null,"suggested_replacement":null,"suggestion_applicability":null,"expansion":null}}],"children":[],"rendered":"warning: x{number}\n"}}}}"#
    )
}
