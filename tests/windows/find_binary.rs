//! Without a binary the hook downloads or builds one.

use super::{LIBRARY, machine};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use support::wine::{LIMIT, Machine, windows};

/// A machine without the binary, and what its cargo notes.
fn machine_without_binary() -> Option<(Machine, PathBuf)> {
    let machine = machine(LIBRARY)?.without("RUST_VMM_CI_BINARY");
    let folder = machine.sandbox.folder("cargo (x86) & more");
    fs::copy(machine.wine.toolchain.join("bin/stub.exe"), folder.join("cargo.exe")).unwrap();
    fs::write(machine.plugin().join("Cargo.toml"), "[package]\nversion = \"1.0.0\"\n").unwrap();
    let program = windows(&machine.wine.program);
    let log = folder.join("cargo.log");
    Some((machine.env("RUST_VMM_CI_TEST_PROGRAM", &program).on_path(folder), log))
}

fn kept(machine: &Machine) -> Vec<PathBuf> {
    let store = fs::read_dir(machine.plugins().join(".rust-vmm-ci")).into_iter().flatten();
    store.map(|entry| entry.unwrap().path().join("rust-vmm-ci.exe")).filter(|path| path.exists()).collect()
}

#[test]
fn two_jobs_at_once_without_a_binary_keep_one_that_both_use() {
    let Some((machine, log)) = machine_without_binary() else { return };
    let machine = machine.env("RUSTFLAGS", "-D warnings").env("CARGO_NET_OFFLINE", "true");
    let command = Some("echo it ran & echo %RUSTFLAGS%");
    let jobs = ["one", "another"].map(|name| machine.start(name, &json!({}), command));
    for job in jobs {
        let finished = job.finish(LIMIT);
        assert_eq!(finished.status, 0, "{}", finished.output);
        assert!(finished.output.contains("it ran"), "{}", finished.output);
        assert!(finished.output.contains("-D warnings"), "the job's variables stay: {}", finished.output);
    }
    assert_eq!(kept(&machine).len(), 1);
    assert_eq!(fs::read(&kept(&machine)[0]).unwrap(), fs::read(&machine.wine.program).unwrap());

    let calls = fs::read_to_string(&log).unwrap();
    assert!(calls.contains("build --release --locked --bin rust-vmm-ci"), "{calls}");
    assert!(calls.contains("  RUSTFLAGS=-C target-feature=+crt-static"), "{calls}");
    assert!(calls.contains("  CARGO_NET_OFFLINE=true"), "{calls}");
    let third = machine.run(&json!({}), command);
    assert_eq!(third.status, 0, "{}", third.log);
    assert_eq!(fs::read_to_string(&log).unwrap(), calls, "what is kept is not built again");
}

#[test]
fn another_version_of_the_plugin_has_a_program_of_its_own() {
    let Some((machine, log)) = machine_without_binary() else { return };
    assert_eq!(machine.run(&json!({}), Some("echo it ran")).status, 0);
    // Its cargo builds nothing where there is something: the first version's program would serve.
    fs::write(machine.plugin().join("another"), "version").unwrap();
    for args in [&["add", "--all"][..], &["commit", "--quiet", "--message", "Another version"]] {
        let mut git = machine.sandbox.command("git");
        assert!(git.args(args).current_dir(machine.plugin()).status().unwrap().success());
    }
    let other = machine.sandbox.path().join("other.exe");
    let program = [fs::read(&machine.wine.program).unwrap(), b"other".to_vec()].concat();
    fs::write(&other, &program).unwrap();
    let machine = machine.env("RUST_VMM_CI_TEST_PROGRAM", &windows(&other));
    let outcome = machine.run(&json!({}), Some("echo it ran"));
    assert_eq!(outcome.status, 0, "{}", outcome.log);
    let kept = kept(&machine);
    assert_eq!(kept.len(), 2, "{kept:?}");
    assert!(kept.iter().any(|path| fs::read(path).unwrap() == program), "{}", outcome.log);
    // What they compile is shared all the same.
    let calls = fs::read_to_string(&log).unwrap();
    assert_eq!(calls.matches(".rust-vmm-ci\\build\n").count(), 2, "{calls}");
}

#[test]
fn a_relative_name_of_the_binary_is_refused() {
    let Some(machine) = machine(LIBRARY) else { return };
    let machine = machine.env("RUST_VMM_CI_BINARY", "rust-vmm-ci.exe");
    let outcome = machine.run(&json!({}), Some("echo never"));
    assert_eq!(outcome.status, 3, "{}", outcome.log);
    assert!(outcome.log.contains("which is not absolute"), "{}", outcome.log);
}

#[test]
fn a_pipeline_does_not_choose_the_binary() {
    for (list, refused) in [("Rust_VMM_CI_BINARY=\"x\"\n", true), ("A=\"RUST_VMM_CI_BINARY=x\"\n", false)] {
        let Some(machine) = machine(LIBRARY) else { return };
        let file = machine.sandbox.path().join("list");
        fs::write(&file, list).unwrap();
        let machine = machine.env("BUILDKITE_ENV_FILE", &windows(&file));
        let outcome = machine.run(&json!({}), Some("echo it ran"));
        assert_eq!(outcome.status, if refused { 3 } else { 0 }, "{}", outcome.log);
        assert_eq!(outcome.log.contains("the pipeline sets RUST_VMM_CI_"), refused, "{}", outcome.log);
    }
}

#[test]
fn where_there_is_neither_a_binary_nor_cargo_the_job_says_how_to_mend_it() {
    let Some(machine) = machine(LIBRARY) else { return };
    let machine = machine.without("RUST_VMM_CI_BINARY").without_tools();
    let outcome = machine.run(&json!({}), Some("echo never"));
    assert_eq!(outcome.status, 3, "{}", outcome.log);
    assert!(outcome.log.contains("no cargo to build it with"), "{}", outcome.log);
    assert!(!outcome.log.contains("never"), "{}", outcome.log);
}

#[test]
fn a_variable_that_names_no_file_is_refused() {
    let Some(machine) = machine(LIBRARY) else { return };
    let machine = machine.env("RUST_VMM_CI_BINARY", r"Z:\no\such file.exe");
    let outcome = machine.run(&json!({}), Some("echo never"));
    assert_eq!(outcome.status, 3, "{}", outcome.log);
    assert!(outcome.log.contains("which is no file"), "{}", outcome.log);
    assert!(!outcome.log.contains("never"), "{}", outcome.log);
}

#[test]
fn a_variable_with_quotes_names_the_file_all_the_same() {
    let Some(machine) = machine(LIBRARY) else { return };
    let program = machine.sandbox.folder("Program Files (x86) & more").join("rust-vmm-ci.exe");
    fs::copy(&machine.wine.program, &program).unwrap();
    let machine = machine.env("RUST_VMM_CI_BINARY", &format!("\"{}\"", windows(&program)));
    let outcome = machine.run(&json!({}), Some("echo it ran"));
    assert_eq!(outcome.status, 0, "{}", outcome.log);
    assert!(outcome.log.contains("it ran"), "{}", outcome.log);
}

/// A machine without the binary whose plugin has this project's program as its release, and the release's path
/// below a mirror. Its cargo notes its calls in the file.
fn released() -> Option<(Machine, String, PathBuf)> {
    let (machine, cargo) = machine_without_binary()?;
    let program = fs::read(&machine.wine.program).unwrap();
    let hash = Sha256::digest(&program).iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
    let line = format!("# A comment.\r\n{hash}  x86_64-pc-windows-gnu\r\n");
    fs::write(machine.plugin().join("hooks/lib/releases"), line).unwrap();
    Some((machine, "v1.0.0/rust-vmm-ci-x86_64-pc-windows-gnu.exe".into(), cargo))
}

/// A mirror over HTTP that gives out these bytes, whatever is asked for, and counts the requests.
fn mirror(file: Vec<u8>) -> (String, Arc<AtomicUsize>) {
    let server = tiny_http::Server::http("127.0.0.1:0").unwrap();
    let address = format!("http://{}", server.server_addr());
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    std::thread::spawn(move || {
        for request in server.incoming_requests() {
            counter.fetch_add(1, Ordering::SeqCst);
            let _ = request.respond(tiny_http::Response::from_data(file.clone()));
        }
    });
    (address, asked)
}

#[test]
fn a_released_binary_comes_from_a_folder() {
    let Some((machine, path, cargo)) = released() else { return };
    let folder = machine.sandbox.folder("mirror (x86) & more");
    let file = folder.join(path);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::copy(&machine.wine.program, file).unwrap();
    let machine = machine.env("RUST_VMM_CI_MIRROR", &windows(&folder));
    for said in ["downloaded from the mirror", "kept from an earlier job"] {
        let outcome = machine.run(&json!({}), Some("echo it ran"));
        assert_eq!(outcome.status, 0, "{}", outcome.log);
        assert!(outcome.log.contains(said) && outcome.log.contains("it ran"), "{said}: {}", outcome.log);
    }
    assert_eq!(fs::read(&kept(&machine)[0]).unwrap(), fs::read(&machine.wine.program).unwrap());
    assert!(!cargo.exists(), "nothing is built");
}

#[test]
fn two_jobs_at_once_download_once_over_http() {
    let Some((machine, _, cargo)) = released() else { return };
    let (address, asked) = mirror(fs::read(&machine.wine.program).unwrap());
    let machine = machine.env("RUST_VMM_CI_MIRROR", &address);
    let jobs = ["one", "another"].map(|name| machine.start(name, &json!({}), Some("echo it ran")));
    for job in jobs {
        let finished = job.finish(LIMIT);
        assert_eq!(finished.status, 0, "{}", finished.output);
        assert!(finished.output.contains("it ran"), "{}", finished.output);
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1, "one download serves both");
    assert!(!cargo.exists(), "nothing is built");
}

#[test]
fn what_is_not_the_released_file_is_refused_after_three_tries_and_built() {
    let Some((machine, _, cargo)) = released() else { return };
    let mut program = fs::read(&machine.wine.program).unwrap();
    program[1000] ^= 1;
    let (address, asked) = mirror(program);
    let machine = machine.env("RUST_VMM_CI_MIRROR", &address);

    let only = machine.env("RUST_VMM_CI_INSTALL", "download");
    let outcome = only.run(&json!({}), Some("echo never"));
    assert_eq!(outcome.status, 3, "{}", outcome.log);
    assert!(
        outcome.log.contains("is not the released one") && !outcome.log.contains("never"),
        "{}",
        outcome.log
    );
    assert_eq!(asked.load(Ordering::SeqCst), 3, "{}", outcome.log);
    assert!(kept(&only).is_empty() && !cargo.exists());

    let outcome = only.without("RUST_VMM_CI_INSTALL").run(&json!({}), Some("echo it ran"));
    assert_eq!(outcome.status, 0, "{}", outcome.log);
    assert!(outcome.log.contains("try 3 of 3") && outcome.log.contains("it ran"), "{}", outcome.log);
}
