//! `pipeline` prints the same bytes on both systems.

use super::{BINARY, LIBRARY, MANIFEST};
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Stdio};
use support::case::Case;
use support::eventually;
use support::sandbox::Sandbox;
use support::wine::{LIMIT, Wine, windows, wine};

const WORKSPACE: &str = "[workspace]\nmembers = [\"crates/*\"]\nresolver = \"2\"\n";
const TESTS: &str = r#"{"tests": [{"test_name": "own \u00e9", "command": "echo $$X \"{target_platform}\"",
    "platform": ["x86_64", "aarch64"], "soft_fail": "true"}]}"#;

/// Configurations of uploads; each in a plain crate and in a workspace.
const CONFIGURATIONS: [&str; 9] = [
    "mode: upload",
    "{mode: upload, os: windows}",
    "{mode: upload, os: windows, jobs: per-platform, platform: x86_64}",
    "{mode: upload, platform: [x86_64, riscv64], docker: false}",
    "{mode: upload, workspace: selective}",
    "{mode: upload, tests: .buildkite/custom-tests.json, standard: false}",
    "{mode: upload, only: [style, clippy], checks: {clippy: {timeout-in-minutes: 5, env: {A: 'b c'}}}}",
    "{mode: upload, steps: [{label: 'x\"y', command: \"echo 100% $X ^ & !\", if: 'a == \"b\"'}]}",
    "{mode: upload, onyl: style}",
];

/// A repository's files: a plain crate's or a workspace's.
fn files(workspace: bool) -> Vec<(String, String)> {
    let mut files: Vec<_> = [(".platform", "x86_64\r\n\r\naarch64"), (".buildkite/custom-tests.json", TESTS)]
        .map(|(path, text)| (path.to_owned(), text.to_owned()))
        .into();
    if workspace {
        files.push(("Cargo.toml".into(), WORKSPACE.into()));
        for name in ["a", "b"] {
            let depends = if name == "b" { "\n[dependencies]\na = { path = \"../a\" }\n" } else { "" };
            let manifest = MANIFEST.replace("sample", name) + depends;
            files.push((format!("crates/{name}/Cargo.toml"), manifest));
            files.push((format!("crates/{name}/src/lib.rs"), LIBRARY.into()));
        }
    } else {
        files.push(("Cargo.toml".into(), MANIFEST.into()));
        files.push(("src/lib.rs".into(), LIBRARY.into()));
    }
    files
}

/// The exit status and what was said on both outputs.
type Said = (Option<i32>, [String; 2]);

/// A command's status and outputs. These go to files: what Wine leaves running holds a pipe.
fn said(sandbox: &Sandbox, command: &mut Command) -> Said {
    let paths = ["stdout", "stderr"].map(|name| sandbox.path().join(name));
    let [stdout, stderr] = paths.each_ref().map(|path| std::fs::File::create(path).unwrap());
    let mut child = command.stdin(Stdio::null()).stdout(stdout).stderr(stderr).spawn().unwrap();
    let status = eventually(LIMIT, || child.try_wait().unwrap()).unwrap();
    (status.code(), paths.map(|path| String::from_utf8(std::fs::read(path).unwrap()).unwrap()))
}

/// The cases of `tests/pipeline`: each with its file's name.
fn cases() -> Vec<(String, Value)> {
    let mut all = Vec::new();
    for folder in ["steps", "refused"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/pipeline").join(folder);
        let before = all.len();
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            match serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap() {
                Value::Array(many) => all.extend(many.into_iter().map(|case| (name.clone(), case))),
                one => all.push((name, one)),
            }
        }
        assert!(all.len() > before);
    }
    all
}

#[test]
fn of_every_case_that_the_tests_have_the_same_bytes_are_printed_on_both_systems() {
    let Some(wine) = wine() else { return };
    let (cases, sandbox) = (cases(), Sandbox::new());
    let begin = std::time::Instant::now();
    for (name, value) in &cases {
        let case = Case::new(BINARY, value);
        for format in ["json", "yaml"] {
            let args = ["pipeline", "--format", format];
            let here = told(said(&sandbox, &mut case.command(&args)));
            let there = wine.command(&sandbox, &wine.program, &[]);
            let there = told(said(&sandbox, &mut case.given(there, &args, &windows)));
            assert_eq!(here, there, "{name}, {format}: {}", value["about"]);
        }
    }
    eprintln!("{} cases in {:?}", cases.len(), begin.elapsed());
}

/// What was said, without the configuration's path, which differs.
fn told((status, [output, error]): Said) -> Said {
    let what = error.strip_prefix("rust-vmm-ci: --config ").and_then(|rest| rest.split_once("config.json: "));
    let error = what.map_or(error.clone(), |(_, what)| what.to_owned());
    (status, [output, error])
}

fn is_the_same(wine: &'static Wine, workspace: bool) {
    let sandbox = Sandbox::new();
    let files = files(workspace);
    let files: Vec<_> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let repository = sandbox.repository("work", &files);
    for configuration in CONFIGURATIONS {
        let config = sandbox.path().join("config.yml");
        std::fs::write(&config, configuration).unwrap();
        for format in ["json", "yaml"] {
            let args = ["pipeline", "--format", format, "--platform", "x86_64", "--config"];
            let mut here = sandbox.command(BINARY);
            let here = said(&sandbox, here.args(args).arg(&config).current_dir(repository.path()));
            let mut there = wine.command(&sandbox, &wine.program, &[]);
            let there = said(&sandbox, there.args(args).arg(windows(&config)).current_dir(repository.path()));
            // An error names the configuration's path, which differs between the systems.
            let outputs = [&here, &there].map(|(status, [output, _])| (status, output));
            assert_eq!(outputs[0], outputs[1], "{configuration}, {format}");
            assert_eq!(here.0 == Some(2), configuration.contains("onyl"), "{configuration}: {here:?}");
        }
    }
}

#[test]
fn of_a_crate_the_same_bytes_are_printed_on_both_systems() {
    let Some(wine) = wine() else { return };
    is_the_same(wine, false);
}

#[test]
fn of_a_workspace_the_same_bytes_are_printed_on_both_systems() {
    let Some(wine) = wine() else { return };
    is_the_same(wine, true);
}
