use super::*;
use std::collections::BTreeMap;

const GNU: &str = "x86_64-unknown-linux-gnu";

/// The configuration in `/w/a`, with files, variables and arguments.
fn config(files: &[(&str, &str)], variables: &[(&str, &str)], arguments: &[&str]) -> CargoConfig {
    let files: BTreeMap<PathBuf, String> =
        files.iter().map(|(path, text)| (PathBuf::from(path), (*text).to_owned())).collect();
    let arguments: Vec<String> = arguments.iter().map(|word| (*word).to_owned()).collect();
    let place = CargoPlace {
        dir: Path::new("/w/a"),
        home: Some("/home/.cargo".into()),
        variables: variables.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
        arguments: &arguments,
    };
    CargoConfig::read(place, &|path| match files.get(path).map(String::as_str) {
        None => FileText::Absent,
        Some("unreadable") => FileText::Unreadable,
        Some(text) => FileText::Text(text.to_owned()),
    })
}

fn of_file(text: &str) -> CargoConfig {
    config(&[("/w/a/.cargo/config.toml", text)], &[], &[])
}

#[test]
fn flags_for_another_target_are_not_in_effect() {
    let cases = [
        ("[target.aarch64-unknown-linux-musl]\nrustflags = [\"-C\", \"x\"]\n", false),
        ("[target.x86_64-unknown-linux-gnu]\nrustflags = [\"-C\", \"x\"]\n", true),
        ("[target.x86_64-unknown-linux-gnu]\nlinker = \"cc\"\n", false),
        ("[target.'cfg(unix)']\nrustflags = \"-C x\"\n", true),
        ("[build]\nrustflags = []\n", true),
        ("[build]\ntarget = \"x\"\n", true),
        ("[build]\njobs = 1\n", false),
        ("[net\n", true),
        ("unreadable", true),
    ];
    for (text, expected) in cases {
        assert_eq!(of_file(text).has_flags(GNU), expected, "{text}");
    }
}

#[test]
fn a_runner_or_a_rustdoc_of_somebodys_own_is_known() {
    let cases = [
        ("[target.x86_64-unknown-linux-gnu]\nrunner = \"qemu\"\n", true),
        ("[target.'cfg(unix)']\nrunner = [\"env\"]\n", true),
        ("[target.aarch64-unknown-linux-gnu]\nrunner = \"qemu\"\n", false),
        ("[build]\nrustdoc = \"mine\"\n", true),
        ("[build]\nrustflags = []\n", false),
        ("unreadable", true),
    ];
    for (text, expected) in cases {
        assert_eq!(of_file(text).sets_test_tools(GNU), expected, "{text}");
    }
}

#[test]
fn every_file_that_cargo_reads_counts() {
    let flags = "[build]\nrustflags = \"-C x\"\n";
    for file in [
        "/w/a/.cargo/config.toml",
        "/w/a/.cargo/config",
        "/w/.cargo/config.toml",
        "/.cargo/config.toml",
        "/home/.cargo/config.toml",
    ] {
        assert!(config(&[(file, flags)], &[], &[]).has_flags(GNU), "{file}");
    }
    assert!(!config(&[("/w/a/b/.cargo/config.toml", flags)], &[], &[]).has_flags(GNU));
}

#[test]
fn an_included_file_counts_in_every_form_that_names_it() {
    let flags = "[build]\nrustflags = \"-C x\"\n";
    for include in [
        "include = \"more/f.toml\"",
        "include = [\"other.toml\", \"more/f.toml\"]",
        "include = [{path = \"more/f.toml\", optional = true}]",
        "include = [\"more/g.toml\"]",
        "include = 1",
        "include = [1]",
        "include = [\"config.toml\"]",
    ] {
        let files = [
            ("/w/.cargo/config.toml", include),
            ("/w/.cargo/more/f.toml", flags),
            ("/w/.cargo/more/g.toml", "include = \"f.toml\""),
        ];
        assert!(config(&files, &[], &[]).has_flags(GNU), "{include}");
    }
    let absent = ("/w/.cargo/config.toml", "include = [{path = \"f.toml\", optional = true}]");
    assert!(!config(&[absent], &[], &[]).has_flags(GNU));
}

#[test]
fn a_variable_of_a_target_is_in_effect_for_it_alone() {
    let flags = |name| config(&[], &[(name, "-C x")], &[]).has_flags(GNU);
    assert!(flags("CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS"));
    assert!(!flags("CARGO_TARGET_X86_64_UNKNOWN_LINUX_MUSL_RUSTFLAGS"));
    for name in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_RUSTFLAGS", "CARGO_BUILD_TARGET"] {
        assert!(flags(name), "{name}");
    }
    assert!(!flags("CARGO_TARGET_DIR"));
    assert!(!config(&[], &[("RUSTFLAGS", "")], &[]).has_flags(GNU));
    let tools = |name| config(&[], &[(name, "x")], &[]).sets_test_tools(GNU);
    assert!(tools("CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER") && tools("RUSTDOC"));
    assert!(!tools("RUSTDOCFLAGS"));
}

#[test]
fn the_options_of_a_command_count_as_values_and_as_files() {
    let file = ("/w/a/own.toml", "[build]\nrustflags = \"-C x\"\n");
    for arguments in [
        ["--config", "build.rustflags='-C x'"].as_slice(),
        &["--config=build.rustflags='-C x'"],
        &["--config", "own.toml"],
        &["--config=own.toml"],
        &["--config=no toml at all"],
    ] {
        assert!(config(&[file], &[], arguments).has_flags(GNU), "{arguments:?}");
    }
    assert!(!config(&[file], &[], &["--config=net.retry=1"]).has_flags(GNU));
}

#[test]
fn a_wrapper_is_the_one_that_cargo_prefers() {
    let file = ("/w/.cargo/config.toml", "[build]\nrustc-wrapper = \"tools/w\"\n");
    let wrapper = |variables, arguments| config(&[file], variables, arguments).rustc_wrapper();
    assert_eq!(wrapper(&[], &[]), Some("/w/tools/w".into()));
    assert_eq!(wrapper(&[("CARGO_BUILD_RUSTC_WRAPPER", "sccache")], &[]), Some("sccache".into()));
    let arguments = ["--config=build.rustc-wrapper='./own'"];
    assert_eq!(wrapper(&[("CARGO_BUILD_RUSTC_WRAPPER", "x")], &arguments), Some("/w/a/./own".into()));
    assert_eq!(wrapper(&[("RUSTC_WRAPPER", "bin/x")], &arguments), Some("/w/a/bin/x".into()));
    assert_eq!(wrapper(&[("RUSTC_WRAPPER", "")], &arguments), None);
    assert_eq!(config(&[file], &[], &[]).rustc_workspace_wrapper(), None);
}

#[test]
fn places_with_the_same_files_have_the_same_fingerprint_and_others_have_not() {
    let at = |dir: &str, files: &[&str]| {
        let place =
            CargoPlace { dir: Path::new(dir), home: None, variables: BTreeMap::new(), arguments: &[] };
        let read = |path: &Path| {
            let known = files.iter().any(|file| Path::new(file) == path);
            if known { FileText::Text("[env]\nA = \"1\"\n".into()) } else { FileText::Absent }
        };
        CargoConfig::read(place, &read).fingerprint()
    };
    let shared = ["/w/.cargo/config.toml"];
    assert_eq!(at("/w/a", &shared), at("/w/b", &shared));
    let own = ["/w/.cargo/config.toml", "/w/b/.cargo/config.toml"];
    assert_ne!(at("/w/a", &own), at("/w/b", &own));
}
