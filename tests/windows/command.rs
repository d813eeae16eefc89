//! What a job does: the checks, a step's own command, extra steps.

use super::{LIBRARY, machine};
use serde_json::json;
use support::wine::windows;

#[test]
fn every_check_of_windows_passes_on_a_sound_crate() {
    let Some(machine) = machine(LIBRARY) else { return };
    let only = json!(["build-msvc", "style", "doc", "unittests-msvc", "unittests-msvc-release", "clippy"]);
    let outcome = machine.run(&json!({"os": "windows", "platform": "x86_64", "only": only}), None);
    assert_eq!(outcome.status, 0, "{}", outcome.log);
    for check in only.as_array().unwrap() {
        let (name, log) = (check.as_str().unwrap(), &outcome.log);
        let passed = [": passed (", "-x86_64: passed ("].map(|end| format!("\n{name}{end}"));
        assert!(passed.iter().any(|line| log.replace('\r', "").contains(line)), "{name}: {log}");
    }
    assert!(outcome.build.annotations.is_empty(), "a job that passes has nothing to say");
}

#[test]
fn findings_name_files_with_slashes_and_the_right_lines_where_lines_end_as_on_windows() {
    let library = "//! A crate.\r\n\r\n/// Counts.\r\npub fn count() -> u32 {\r\n    let unused = 1;\r\n    2\r\n}\r\n\r\n\
                   #[test]\r\nfn fails() {\r\n    assert_eq!(count(), 1);\r\n}\r\n";
    let Some(machine) = machine("mod deep;\r\n") else { return };
    std::fs::create_dir(machine.checkout().join("src/deep")).unwrap();
    std::fs::write(machine.checkout().join("src/deep/mod.rs"), library).unwrap();
    let only = json!(["style", "unittests-msvc", "clippy"]);
    let outcome = machine.run(&json!({"only": only}), None);
    assert_eq!(outcome.status, 1, "{}", outcome.log);
    let annotation = outcome.build.annotations.first().expect(&outcome.log);
    assert_eq!(annotation.style, "error");
    for text in
        ["src/deep/mod.rs:5", "unused_variables", "src/deep/mod.rs:11", "rust-vmm-ci run unittests-msvc"]
    {
        assert!(annotation.body.contains(text), "no {text:?}: {}\n{}", annotation.body, outcome.log);
    }
    assert!(!annotation.body.contains(r"<code>src\"), "{}", annotation.body);
}

#[test]
fn a_file_that_is_not_formatted_is_named_from_the_repositorys_root() {
    let Some(machine) = machine("//! A crate.\r\n\r\n/// Counts.\r\npub fn  count() {}\r\n") else { return };
    let outcome = machine.run(&json!({"only": "style"}), None);
    assert_eq!(outcome.status, 1, "{}", outcome.log);
    let annotation = outcome.build.annotations.first().expect(&outcome.log);
    // rustfmt gives the whole path, and begins it with `\\?\`.
    assert!(annotation.body.contains("<code>src/lib.rs:4</code>"), "{}", annotation.body);
}

#[test]
fn a_misspelt_option_is_refused_with_what_was_meant() {
    let Some(machine) = machine(LIBRARY) else { return };
    let outcome = machine.run(&json!({"onyl": ["style"]}), None);
    assert_eq!(outcome.status, 2, "{}", outcome.log);
    assert!(outcome.log.contains("`only`"), "{}", outcome.log);
}

#[test]
fn options_as_large_as_windows_allows_arrive() {
    let Some(machine) = machine(LIBRARY) else { return };
    // A variable has at most 32,767 characters there.
    let long = "x".repeat(100);
    let mut steps: Vec<_> = (0..252).map(|n| json!({"label": format!("{n}"), "command": long})).collect();
    steps.push(json!({"label": "last", "command": "echo it is here"}));
    let configuration = json!({"only": ["last"], "standard": false, "steps": steps});
    assert!((32_000..32_600).contains(&configuration.to_string().len()));
    let outcome = machine.run(&configuration, None);
    assert_eq!(outcome.status, 0, "{}", outcome.log);
    assert!(outcome.log.contains("it is here"), "{}", outcome.log);
}

#[test]
fn a_steps_own_command_is_given_its_signs_as_they_are_and_keeps_its_status() {
    let Some(machine) = machine(LIBRARY) else { return };
    let command = r#"stub.exe print %OS% "a ^ b & c" ü wow! 100% & exit 42"#;
    let outcome = machine.run(&json!({}), Some(command));
    assert_eq!(outcome.status, 42, "{}", outcome.log);
    for line in ["<100%>", "<wow!>", "<a ^ b & c>", "<Windows_NT>", "<ü>"] {
        assert!(outcome.log.contains(line), "no {line}: {}", outcome.log);
    }
}

#[test]
fn of_a_command_of_several_lines_every_line_runs_until_one_fails() {
    let Some(machine) = machine(LIBRARY) else { return };
    let outcome =
        machine.run(&json!({}), Some("echo first\nset N=7\nstub.exe print second\nexit %N%\necho never"));
    assert_eq!(outcome.status, 7, "{}", outcome.log);
    for line in ["first", "<second>"] {
        assert!(outcome.log.contains(line), "no {line}: {}", outcome.log);
    }
    assert!(!outcome.log.contains("never"), "{}", outcome.log);
}

#[test]
fn after_a_line_that_is_a_batch_file_the_next_one_runs() {
    let Some(machine) = machine(LIBRARY) else { return };
    let folder = machine.sandbox.folder("on path");
    for name in ["bare.cmd", "with blank.bat"] {
        std::fs::write(folder.join(name), "@echo it is %~n0 %1\r\n").unwrap();
    }
    let quoted = format!("\"{}\" two", windows(&folder.join("with blank.bat")));
    let outcome = machine
        .on_path(folder)
        .run(&json!({}), Some(&format!("bare one\n{quoted}\nstub.exe print three\nexit 7")));
    assert_eq!(outcome.status, 7, "{}", outcome.log);
    for line in ["it is bare one", "it is with blank two", "<three>"] {
        assert!(outcome.log.contains(line), "no {line}: {}", outcome.log);
    }
}

#[test]
fn a_command_that_runs_a_check_is_annotated_like_a_step_without_one() {
    let fault = "//! A crate.\n\n/// Counts.\npub fn count() -> u32 {\n    let unused = 1;\n    2\n}\n";
    let Some(machine) = machine(fault) else { return };
    let outcome = machine.run(&json!({}), Some("rust-vmm-ci run clippy"));
    assert_eq!(outcome.status, 1, "{}", outcome.log);
    let annotation = outcome.build.annotations.first().expect(&outcome.log);
    assert!(annotation.body.contains("src/lib.rs:5"), "{}", annotation.body);
}

#[test]
fn an_extra_step_runs_by_cmd_and_may_fail_softly() {
    let Some(machine) = machine(LIBRARY) else { return };
    let steps = json!([
        {"label": "kept", "command": "if \"%OS%\"==\"Windows_NT\" (echo by cmd) else exit 1"},
        {"label": "soft", "command": "stub.exe print \"a b\" & exit 9", "soft_fail": true}
    ]);
    let outcome = machine.run(&json!({"standard": false, "steps": steps}), None);
    assert_eq!(outcome.status, 0, "{}", outcome.log);
    for text in ["by cmd", "<a b>", "soft: failed softly"] {
        assert!(outcome.log.contains(text), "no {text}: {}", outcome.log);
    }
}

#[test]
fn an_exit_status_of_32_bits_arrives_as_it_is_and_125_as_3() {
    let Some(machine) = machine(LIBRARY) else { return };
    for (command, status) in [
        ("stub.exe exit 3221225477", 3_221_225_477_u32),
        ("stub.exe exit 3221225477\necho never", 3_221_225_477),
        ("exit -1", u32::MAX),
        ("exit 256", 256),
        ("exit 125", 3),
    ] {
        let outcome = machine.run(&json!({}), Some(command));
        let told = format!("exited with status {status}");
        assert!(outcome.log.contains(&told), "{command:?}: no {told:?}: {}", outcome.log);
        assert!(!outcome.log.contains("never"), "{}", outcome.log);
    }
}

#[test]
fn a_binary_of_another_version_than_the_hooks_is_refused() {
    let Some(machine) = machine(LIBRARY) else { return };
    let manifest = "[package]\nname = \"rust-vmm-ci\"\nversion = \"99.0.0\"\n\n[dependencies]\na = { version = \"1\" }\n";
    std::fs::write(machine.plugin().join("Cargo.toml"), manifest).unwrap();
    let outcome = machine.env("RUST_VMM_CI_HOOKS_VERSION", "0.0.1").run(&json!({}), Some("echo never"));
    assert_eq!(outcome.status, 2, "{}", outcome.log);
    assert!(outcome.log.contains("99.0.0"), "{}", outcome.log);
}
