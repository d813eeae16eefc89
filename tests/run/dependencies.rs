//! Dependencies that are compiled for tests, and not checked once more for clippy and documentation.

use super::{MANIFEST, Sample, said};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;

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

/// A package that depends on `middle`, which depends on `base`. `base` has a build script.
fn sample() -> Sample {
    let manifest = format!("{MANIFEST}[dependencies]\nmiddle = \"0.1\"\n");
    let library = "//! A.\n/// B.\npub fn b() -> u8 {\n    middle::number()\n}\n\
                   #[test]\nfn is_made_by_the_build_script() {\n    assert_eq!(b(), 7);\n}\n";
    let sample = Sample::new(&[("Cargo.toml", &manifest), ("src/lib.rs", library)]);
    let registry = sample.sandbox.folder("registry");
    let script = "fn main() { let out = std::env::var(\"OUT_DIR\").unwrap(); \
                  std::fs::write(out + \"/number.rs\", \"7\").unwrap(); }";
    let base = "pub fn number() -> u8 { include!(concat!(env!(\"OUT_DIR\"), \"/number.rs\")) }";
    publish(&registry, "base", None, &[("src/lib.rs", base), ("build.rs", script)]);
    publish(&registry, "middle", Some("base"), &[("src/lib.rs", "pub use base::number;")]);
    let config = format!(
        "[source.crates-io]\nreplace-with = \"here\"\n[source.here]\nlocal-registry = {:?}\n",
        registry.display()
    );
    fs::write(sample.sandbox.folder("cargo").join("config.toml"), config).unwrap();
    sample
}

/// Runs the checks as CI does, and returns how many names the metadata of each library has. A library has several
/// files where it was compiled or checked more than once.
fn names(sample: &Sample, variables: &[(&str, &str)]) -> BTreeMap<String, Vec<u64>> {
    let mut command = sample.command(&["run", "doc", "unittests-gnu", "clippy"]);
    command.env("CI", "true").env("CARGO_HOME", sample.sandbox.path().join("cargo"));
    command.env("BUILDKITE_PLUGIN_CONFIGURATION", "{\"docker\": false}");
    let said = said(command.envs(variables.iter().copied()));
    assert_eq!(said.code, Some(0), "{}", said.text);
    assert!(!said.text.contains("rustc-wrapper"), "a person would type none: {}", said.text);
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

#[test]
fn a_dependency_that_is_compiled_is_not_checked_once_more() {
    let sample = sample();
    let names = names(&sample, &[]);
    assert_eq!((&names["libbase"], &names["libmiddle"]), (&vec![2, 2], &vec![2, 2]), "{names:?}");
    assert!(names["libsample"].iter().all(|names| *names == 1), "a member is always checked: {names:?}");
    let again =
        sample.command(&["run", "clippy"]).env("CARGO_HOME", sample.sandbox.path().join("cargo")).output();
    let again = String::from_utf8(again.unwrap().stderr).unwrap();
    assert!(!again.contains("Checking base"), "cargo takes the file for its own: {again}");
}

#[test]
fn where_somebody_else_wraps_rustc_nothing_is_shared() {
    let sample = sample();
    let wrapper = sample.sandbox.folder("bin").join("wrapper");
    fs::write(&wrapper, "#!/bin/sh\nexec \"$@\"\n").unwrap();
    fs::set_permissions(&wrapper, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let names = names(&sample, &[("RUSTC_WRAPPER", wrapper.to_str().unwrap())]);
    assert_eq!(names["libbase"], [1, 1], "{names:?}");
}
