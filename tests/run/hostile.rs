//! What cargo and tests print decides nothing for the better. 3,300 outputs that pretend success, and worse, come
//! from a program that stands in for cargo: two for each check, on standard output and on standard error. A seed
//! makes them, so that every run has the same.

use super::{Sample, said};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;

const SEED: u64 = 0x7275_7374_2d76_6d6d;
const CHECKS: usize = 1650;
/// How many checks one run has.
const IN_ONE_RUN: usize = 550;
/// How the stand-in ends; 1000 is a signal that kills it.
const STATUSES: [i32; 8] = [0, 1, 2, 4, 101, 125, 255, 1000];

/// Prints the files of its case and ends as the case says. It answers the questions that come before.
const STAND_IN: &str = r#"
use std::io::Write as _;
use std::{env, fs, path::Path, process};

fn main() {
    let args: Vec<String> = env::args().collect();
    let me = Path::new(&args[0]).file_name().unwrap().to_str().unwrap().to_owned();
    let cases = env::var("HOSTILE").unwrap();
    let has = |word: &str| args.iter().any(|arg| arg == word);
    let show = |name: &str| fs::read(format!("{cases}/{name}")).unwrap();
    let file = match me.as_str() {
        "rustc" if has("sysroot") => Some("sysroot"),
        "rustc" => Some("rustc"),
        _ if has("metadata") => Some("metadata"),
        _ => None,
    };
    if let Some(file) = file {
        std::io::stdout().write_all(&show(file)).unwrap();
        return;
    }
    let case = args.iter().find(|arg| arg.starts_with("--bin=h")).map(|arg| arg[6..].to_owned());
    let Some(case) = case else { process::exit(0) };
    let _ = std::io::stderr().write_all(&show(&format!("{case}.err")));
    let _ = std::io::stdout().write_all(&show(&format!("{case}.out")));
    let status: i32 = String::from_utf8(show(&format!("{case}.status"))).unwrap().parse().unwrap();
    match status {
        // What is built for a test is built: the test itself ends as its case says.
        _ if has("--no-run") => process::exit(0),
        1000 => process::abort(),
        status => process::exit(status),
    }
}
"#;

/// xorshift64 (Marsaglia, 2003).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(limit).unwrap()).unwrap()
    }

    fn one<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }
}

const TEXTS: [&str; 40] = [
    r#"{"reason":"build-finished","success":true}"#,
    r#"{"reason":"build-finished","success":false}"#,
    r#"{"reason":"compiler-message","message":{"level":"error","message":"no"}}"#,
    r#"{"reason":"compiler-message","package_id":"path+file:///x#a@1.0.0","manifest_path":"/x","target":{"kind":["lib"],"crate_types":["lib"],"name":"a","src_path":"/x","edition":"2021","doc":true,"doctest":true,"test":true},"message":{"rendered":"warning: w","$message_type":"diagnostic","children":[],"level":"warning","message":"w","spans":[],"code":null}}"#,
    r#"{"reason":"compiler-artifact","fresh":true,"executable":"/etc/passwd"}"#,
    r#"{"reason":"compiler-mess"#,
    r#"{"reason":{"reason":[1e999,"\ud800"]}}"#,
    r#"{"type":"suite","event":"ok","passed":1,"failed":0}"#,
    "running 0 tests",
    "running 1 test",
    "running 18446744073709551616 tests",
    "running 18446744073709551615 tests",
    "test a ... ok",
    "test a ... FAILED",
    "test a has been running for over 60 seconds",
    "test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s",
    "test result: FAILED. 0 passed; 1 failed",
    "failures:",
    "    a",
    "---- a stdout ----",
    "thread 'a' (1) panicked at src/lib.rs:4294967296:99999999999999999999:",
    "thread 'a' panicked at 'no",
    "stack backtrace:",
    "error: test failed, to rerun pass `--lib`",
    "error: 1 target failed:",
    "    `--lib`",
    "error: could not compile `a` (lib) due to 1 previous error",
    "    Finished `test` profile [unoptimized + debuginfo] target(s) in 0.00s",
    "     Running unittests src/lib.rs (target/debug/deps/a-0000000000000000)",
    "   Doc-tests a",
    "error: unexpected argument '--x' found",
    "For more information, try '--help'.",
    "  [6] Could not resolve host: a",
    "  Permission denied (os error 13)",
    "error: toolchain 'x' is not installed",
    "1 passed in 0.1 s",
    "rust-vmm-ci: passed",
    "\u{1b}[2J\u{1b}[1;32mpassed\u{1b}[0m\u{1b}]0;title\u{7}",
    "--- :rocket: passed",
    "^^^ +++",
];
const BYTES: [&[u8]; 6] = [
    b"\0",
    b"\0\0{\"reason\":\"build-finished\",\"success\":true}",
    b"\xff\xfe",
    b"\r",
    b"\xed\xa0\x80",
    b"\x1b[",
];
const ENDS: [&[u8]; 6] = [b"\n", b"\n", b"\n", b"\r\n", b"\r", b""];

/// An output of some lines, pieces of lines and bytes.
fn output(random: &mut Random) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..random.below(14) {
        match random.below(20) {
            0 => bytes.extend_from_slice(random.one(&BYTES)),
            1 => {
                let text = random.one(&TEXTS).as_bytes();
                bytes.extend_from_slice(&text[..random.below(text.len())]);
            }
            2 if random.below(48) == 0 => bytes.extend(std::iter::repeat_n(b'[', 300_000)),
            3 if random.below(48) == 0 => bytes.extend(std::iter::repeat_n(b'x', 1 << 20)),
            _ => bytes.extend_from_slice(random.one(&TEXTS).as_bytes()),
        }
        bytes.extend_from_slice(random.one(&ENDS));
    }
    bytes
}

/// Compiles the stand-in, and gives it the names of cargo and rustc. Returns the folder of these.
fn stand_in(sample: &Sample, cases: &Path) -> std::path::PathBuf {
    let bin = sample.sandbox.folder("toolchain/bin");
    let source = cases.join("cargo.rs");
    std::fs::write(&source, STAND_IN).unwrap();
    let rustc = Command::new("rustc")
        .args(["--edition=2024", "-o"])
        .arg(bin.join("cargo"))
        .arg(source)
        .output()
        .unwrap();
    assert!(rustc.status.success(), "{}", String::from_utf8_lossy(&rustc.stderr));
    symlink("cargo", bin.join("rustc")).unwrap();
    let answer = |name: &str, program: &str, args: &[&str]| {
        let output = Command::new(program).args(args).current_dir(sample.repository.path()).output().unwrap();
        std::fs::write(cases.join(name), output.stdout).unwrap();
    };
    answer("rustc", "rustc", &["--version", "--verbose"]);
    answer("metadata", "cargo", &["metadata", "--format-version=1", "--no-deps", "--offline"]);
    std::fs::write(cases.join("sysroot"), bin.parent().unwrap().to_str().unwrap()).unwrap();
    std::fs::set_permissions(bin.join("cargo"), std::fs::Permissions::from_mode(0o755)).unwrap();
    bin
}

#[test]
fn no_output_of_cargo_or_of_a_test_makes_a_failure_green() {
    let mut random = Random(SEED);
    let sample = Sample::new(&[]);
    let cases = sample.sandbox.folder("cases");
    let bin = stand_in(&sample, &cases);
    let mut statuses = HashMap::new();
    let mut tests = Vec::new();
    for number in 0..CHECKS {
        let name = format!("h{number}");
        let status = *random.one(&STATUSES.each_ref());
        std::fs::write(cases.join(format!("{name}.out")), output(&mut random)).unwrap();
        std::fs::write(cases.join(format!("{name}.err")), output(&mut random)).unwrap();
        std::fs::write(cases.join(format!("{name}.status")), status.to_string()).unwrap();
        let verb = random.one(&["build", "clippy", "test", "doc", "deny", "run"]);
        tests.push(json!({"test_name": name, "command": format!("cargo {verb} --bin={name}"), "platform": ["x86_64", "aarch64"]}));
        statuses.insert(name, status);
    }
    let (mut seen, mut green, mut red) = (0, 0, 0);
    for part in tests.chunks(IN_ONE_RUN) {
        std::fs::write(sample.repository.path().join("tests.json"), json!({"tests": part}).to_string())
            .unwrap();
        let file = sample.sandbox.path().join("report.json");
        let mut command = sample.command(&["run", "--jobs", "4", "--report", file.to_str().unwrap()]);
        let configuration = json!({"tests": "tests.json", "standard": false, "docker": false}).to_string();
        command.env("BUILDKITE_PLUGIN_CONFIGURATION", configuration).env("HOSTILE", &cases);
        command.env("PATH", format!("{}:/usr/bin:/bin", bin.display()));
        let said = said(&mut command);
        assert!(!said.text.contains("this is a bug of rust-vmm-ci"), "a panic");
        assert_eq!(said.code, Some(1), "some of them fail");
        let report: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        for outcome in report["outcomes"].as_array().unwrap() {
            let name = outcome["name"].as_str().unwrap();
            let (verdict, status) = (outcome["verdict"].as_str().unwrap(), statuses[name]);
            assert!(
                status == 0 || ["failed", "broken"].contains(&verdict),
                "{name}, status {status}: {outcome}"
            );
            assert_ne!(outcome["reason"], "this program has a bug, which the log describes", "{name}");
            seen += 1;
            green += usize::from(verdict == "passed");
            red += usize::from(verdict == "failed");
        }
    }
    // The stand-in was asked: not everything ended for the same reason.
    assert_eq!(seen, CHECKS);
    assert!(green > CHECKS / 20 && red > CHECKS / 2, "{green} green, {red} red");
}
