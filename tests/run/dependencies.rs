//! Dependencies that are compiled for tests, and not checked once more for clippy and documentation.

use super::{MANIFEST, Said, Sample, said};
use serde_json::json;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;
use support::sandbox::Sandbox;

/// Puts a package into a registry in a folder, as cargo would download it.
fn publish(registry: &Path, name: &str, dependency: Option<&str>, files: &[(&str, &str)]) {
    let folder = registry.join(format!("{name}-0.1.0"));
    let needs = dependency.map(|name| format!("[dependencies]\n{name} = \"0.1\"\n")).unwrap_or_default();
    let manifest = MANIFEST.replace("\"sample\"", &format!("\"{name}\"")) + &needs;
    for (path, text) in [("Cargo.toml", manifest.as_str())].iter().chain(files) {
        fs::create_dir_all(folder.join(path).parent().unwrap()).unwrap();
        fs::write(folder.join(path), text).unwrap();
    }
    let run = |line: &str| {
        let output = Command::new("sh").args(["-c", line]).current_dir(registry).output().unwrap();
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let sum = run(&format!("tar -czf {name}-0.1.0.crate {name}-0.1.0 && sha256sum {name}-0.1.0.crate"));
    let needs: Vec<_> = dependency
        .iter()
        .map(|name| {
            serde_json::json!({"name": name, "req": "^0.1", "features": [], "optional": false,
                "default_features": true, "target": null, "kind": "normal"})
        })
        .collect();
    let entry = serde_json::json!({"name": name, "vers": "0.1.0", "deps": needs, "features": {},
        "cksum": sum.split_whitespace().next(), "yanked": false});
    let index = registry.join("index").join(&name[..2]).join(&name[2..4]);
    fs::create_dir_all(&index).unwrap();
    fs::write(index.join(name), entry.to_string()).unwrap();
}

/// A package with this library that depends on `middle`, which depends on `base`. The build script of `base` has a number
/// from the variable `NUMBER`.
fn sample(library: &str) -> Sample {
    let manifest = format!("{MANIFEST}[dependencies]\nmiddle = \"0.1\"\n");
    let sample = Sample::new(&[("Cargo.toml", &manifest), ("src/lib.rs", library)]);
    let registry = sample.sandbox.folder("registry");
    let script = "fn main() { println!(\"cargo:rerun-if-env-changed=NUMBER\"); \
                  let number = std::env::var(\"NUMBER\").unwrap_or(\"7\".into()); \
                  println!(\"cargo:rustc-cfg=is_{number}\"); \
                  let out = std::env::var(\"OUT_DIR\").unwrap(); std::fs::write(out + \"/number.rs\", number).unwrap(); }";
    let base = "pub fn number() -> u8 { include!(concat!(env!(\"OUT_DIR\"), \"/number.rs\")) }\n\
                #[cfg(is_7)] pub fn seven() {}\n#[cfg(is_8)] pub fn eight() {}";
    publish(&registry, "base", None, &[("src/lib.rs", base), ("build.rs", script)]);
    publish(&registry, "middle", Some("base"), &[("src/lib.rs", "pub use base::*;")]);
    let config = format!(
        "[source.crates-io]\nreplace-with = \"here\"\n[source.here]\nlocal-registry = {:?}\n",
        registry.display()
    );
    let home = sample.sandbox.home().join(".cargo");
    fs::create_dir_all(&home).unwrap();
    fs::write(home.join("config.toml"), config).unwrap();
    sample
}

const TESTED: &str = "//! A.\n/// B.\npub fn b() -> u8 {\n    middle::number()\n}\n\
                      #[test]\nfn is_made_by_the_build_script() {\n    assert_eq!(b(), 7);\n}\n";

/// Runs checks as CI does.
fn run(sample: &Sample, checks: &[&str], options: &str, variables: &[(&str, &str)]) -> Said {
    let mut command = sample.command(&["run"]);
    command.args(checks).env("CI", "true").env_remove("CARGO_HOME");
    command.env("BUILDKITE_PLUGIN_CONFIGURATION", options);
    said(command.envs(variables.iter().copied()))
}

/// How many names the metadata of each library has. A library has several files where it was compiled or checked more
/// than once.
fn names(sample: &Sample) -> BTreeMap<String, Vec<u64>> {
    let mut names: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for entry in fs::read_dir(sample.repository.path().join("target/debug/deps")).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if let Some((name, _)) = name.strip_suffix(".rmeta").and_then(|name| name.rsplit_once('-')) {
            names.entry(name.to_owned()).or_default().push(entry.metadata().unwrap().nlink());
        }
    }
    names
}

const PLAIN: &str = "{\"docker\": false}";

#[test]
fn a_dependency_that_is_compiled_is_not_checked_once_more() {
    for check in ["doc", "clippy"] {
        let sample = sample(TESTED);
        let said = run(&sample, &[check, "unittests-gnu"], PLAIN, &[]);
        assert_eq!(said.code, Some(0), "{}", said.text);
        assert!(!said.text.contains("rustc-wrapper"), "a person would type none: {}", said.text);
        let names = names(&sample);
        assert_eq!(
            (&names["libbase"], &names["libmiddle"]),
            (&vec![2, 2], &vec![2, 2]),
            "{check}: {names:?}"
        );
        if check == "clippy" {
            assert!(
                names["libsample"].iter().all(|names| *names == 1),
                "a member is always checked: {names:?}"
            );
        }
        let again = run(&sample, &[check], PLAIN, &[]);
        assert!(!again.text.contains("Checking base"), "cargo takes the file for its own: {}", again.text);
    }
}

#[test]
fn a_check_with_another_variable_is_not_served_with_what_was_compiled() {
    let library = format!("{TESTED}#[cfg(clippy)]\npub use middle::eight;\n");
    let sample = sample(&library);
    let numbers = |build: &str, tests: &str, clippy: &str| {
        let env = |number: &str| json!({"NUMBER": number});
        let checks = json!({"build-gnu": {"command": "cargo build", "env": env(build)},
            "unittests-gnu": {"env": env(tests)}, "clippy": {"env": env(clippy)}});
        let options = json!({"docker": false, "checks": checks}).to_string();
        run(&sample, &["build-gnu", "unittests-gnu", "clippy"], &options, &[])
    };
    let said = numbers("7", "8", "7");
    assert!(said.code == Some(1) && said.text.contains("eight"), "{}", said.text);
    let said = numbers("8", "7", "8");
    assert_eq!(said.code, Some(0), "{}", said.text);
}

#[test]
fn where_somebody_else_wraps_rustc_nothing_is_shared() {
    let sample = sample(TESTED);
    let wrapper = sample.sandbox.folder("bin").join("wrapper");
    fs::write(&wrapper, "#!/bin/sh\nexec \"$@\"\n").unwrap();
    fs::set_permissions(&wrapper, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let theirs = [("RUSTC_WRAPPER", wrapper.to_str().unwrap())];
    let said = run(&sample, &["doc", "unittests-gnu"], PLAIN, &theirs);
    assert_eq!(said.code, Some(0), "{}", said.text);
    assert_eq!(names(&sample)["libbase"], [1, 1]);
}

#[test]
fn what_cargo_says_of_rustc_is_what_a_person_can_repeat() {
    let sample = sample(TESTED);
    let file = sample.sandbox.path().join("report.json");
    let checks = ["unittests-gnu", "--report", file.to_str().unwrap()];
    // rustc refuses the flag, and cargo shows the call that failed.
    let said = run(&sample, &checks, PLAIN, &[("RUSTFLAGS", "-Cnonsense=1")]);
    assert_eq!(said.code, Some(1), "{}", said.text);
    let report = fs::read_to_string(file).unwrap();
    assert!(said.text.contains("nonsense") && report.contains("nonsense"), "{}", said.text);
    for text in [&said.text, &report] {
        assert!(!text.contains("rust-vmm-ci-rustc"), "{text}");
    }
}

#[test]
fn a_compiler_that_a_signal_ends_ends_the_link_by_the_same_signal() {
    let sandbox = Sandbox::new();
    let folder = sandbox.folder("here");
    let (link, rustc) = (folder.join("rust-vmm-ci-rustc"), folder.join("rustc"));
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_rust-vmm-ci"), &link).unwrap();
    support::program::write(&rustc, "#!/bin/sh\ncase $3 in *killed*) kill -9 $$;; *) exit 3;; esac\n");
    let home = sandbox.folder("cargo");
    let ended = |name: &str| {
        let source = home.join(format!("registry/src/i/{name}-1/lib.rs"));
        let mut call = sandbox.command(&link);
        call.arg(&rustc).args(["--crate-name", name]).arg(source).args([
            "--json=artifacts",
            "--crate-type",
            "lib",
        ]);
        call.args([
            "--emit=dep-info,metadata,link",
            "-C",
            "extra-filename=-1",
            "--cap-lints",
            "allow",
            "--out-dir",
        ]);
        call.arg(&folder).env("CARGO_HOME", &home).status().unwrap()
    };
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&ended("killed")), Some(9));
    assert_eq!(ended("refused").code(), Some(3));
}
