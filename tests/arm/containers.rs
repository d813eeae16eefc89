//! `run --docker` for another platform, on this machine, with the real engines and an image of the emulated machine.

use super::{HERE, WARNING, sample};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use support::arm::{emulator, said};
use support::docker::emulated;
use support::podman::without_images;
use support::sandbox::Sandbox;

/// A crate passes in an image for arm64, a warning that only Arm has is found at its line, and checks for x86-64 are
/// refused. The engine is found by these variables.
fn checks_in_an_image_of_arm(emulator: &Path, sandbox: &Sandbox, engine: &str, variables: &[(&str, String)]) {
    let beside = |words: &[&str]| {
        let mut command = sandbox.command(emulator);
        command.arg("beside").args(words).envs(variables.iter().cloned());
        command
    };
    let image = said(&mut beside(&[emulator.to_str().unwrap(), "image", engine]));
    assert_eq!(image.code, Some(0), "{}", image.text);

    let repository = sample(sandbox, "");
    let report = sandbox.path().join("report.json");
    let read = || serde_json::from_slice::<Value>(&fs::read(&report).unwrap()).unwrap();
    let run = |words: &[&str]| {
        let docker = json!({
            "image": "rust-vmm-ci-test:arm64", "platform": "linux/arm64", "always-pull": false, "runtime": engine,
            "network": "none",
        });
        let mut command = beside(&[HERE, "run", "--docker", "--report", report.to_str().unwrap()]);
        command.args(words).current_dir(repository.path());
        said(command.env("BUILDKITE_PLUGIN_CONFIGURATION", json!({"docker": docker}).to_string()))
    };
    let passed = run(&["--platform", "aarch64", "clippy", "unittests-gnu"]);
    assert_eq!(passed.code, Some(0), "{}", passed.text);
    assert!(passed.text.contains("2 passed"), "{}", passed.text);
    assert_eq!(read()["host"], "aarch64-unknown-linux-gnu");

    let library = repository.path().join("src/lib.rs");
    let text = fs::read_to_string(&library).unwrap();
    fs::write(&library, format!("{text}{WARNING}")).unwrap();
    let failed = run(&["--platform", "aarch64", "clippy"]);
    assert_eq!(failed.code, Some(1), "{}", failed.text);
    let report = read();
    let finding = &report["outcomes"][0]["findings"][0];
    let place = (finding["file"].as_str(), finding["line"].as_u64());
    assert_eq!(place, (Some("src/lib.rs"), Some(18)), "{report}");

    // This program is of x86-64, and the code in the image would not be.
    let refused = run(&["clippy"]);
    assert_eq!(refused.code, Some(2), "{}", refused.text);
    assert!(refused.text.contains("x86_64 is not what rustc compiles for"), "{}", refused.text);

    let left = beside(&[engine, "ps", "--all", "--quiet"]).output().unwrap();
    assert!(left.status.success() && left.stdout.is_empty(), "{left:?}");
}

#[test]
fn podman_checks_in_an_image_of_arm() {
    let Some(emulator) = emulator() else { return };
    let sandbox = Sandbox::new();
    let Some(variables) = without_images(&sandbox, "podman-emulated") else { return };
    checks_in_an_image_of_arm(emulator, &sandbox, "podman", &variables);
}

#[test]
fn docker_checks_in_an_image_of_arm() {
    let Some(emulator) = emulator() else { return };
    let Some(docker) = emulated(emulator) else { return };
    checks_in_an_image_of_arm(emulator, &Sandbox::new(), "docker", &[("DOCKER_HOST", docker.host())]);
}
