//! The predecessor's checks that are cargo commands, word for word.

use std::path::Path;
use std::process::Command;

use super::transcript::{Run, Transcript};

/// A check's command, as the predecessor's list of tests has it; `{target}` is this machine's
/// architecture there.
pub fn command(check: &str) -> Option<String> {
    let text = match check {
        "build-gnu" => {
            r#"RUSTFLAGS="-D warnings" cargo all-features build --release --workspace --all-targets"#
        }
        "build-musl" => {
            r#"RUSTFLAGS="-D warnings" cargo all-features build --release --target {target}-unknown-linux-musl --workspace --all-targets"#
        }
        "style" => "cargo fmt --all -- --check --config format_code_in_doc_comments=true",
        "doc" => {
            r#"RUSTDOCFLAGS="-D warnings" RUSTFLAGS="--cfg RUSTDOC_disable_feature_compat_errors" cargo doc --workspace --all-features --no-deps"#
        }
        "unittests-gnu" => "cargo all-features test --workspace",
        "unittests-musl" => "cargo all-features test --workspace --target {target}-unknown-linux-musl",
        "unittests-gnu-release" => "cargo all-features test --release --workspace",
        "unittests-musl-release" => {
            "cargo all-features test --release --workspace --target {target}-unknown-linux-musl"
        }
        "clippy" => {
            "cargo all-features clippy --workspace --all-targets -- -D warnings -D clippy::undocumented_unsafe_blocks"
        }
        _ => return None,
    };
    Some(text.replace("{target}", std::env::consts::ARCH))
}

/// The command in a folder. It runs in a shell, started as the docker plugin starts one.
pub fn shell(check: &str, folder: &Path, mut command_of: impl FnMut(&str) -> Command) -> Command {
    let mut shell = command_of("/bin/sh");
    let text = command(check).unwrap_or_else(|| panic!("{check} is no cargo check"));
    shell.args(["-e", "-c", &text]).current_dir(folder);
    shell
}

/// What the command said, by combination of features: `cargo all-features` says which it is at.
pub fn read(log: &str, root: &Path) -> Vec<Run> {
    let mut runs = vec![Run::default()];
    let mut transcript = Transcript::new(root);
    for line in log.lines() {
        if let Some((package, features)) = heading(line) {
            runs.last_mut().unwrap().said = std::mem::replace(&mut transcript, Transcript::new(root));
            runs.push(Run { package, features, ..Run::default() });
        } else {
            transcript.read(line);
        }
    }
    runs.last_mut().unwrap().said = transcript;
    // Lines before the first combination are about the workspace.
    if runs.len() > 1 {
        runs.remove(0);
    }
    runs
}

/// `     Running build crate=NAME features=[a,b]`.
fn heading(line: &str) -> Option<(String, String)> {
    let rest = line.trim_start().strip_prefix("Running ")?;
    let (package, features) = rest.split_once("crate=")?.1.split_once(" features=[")?;
    Some((package.to_owned(), features.strip_suffix(']')?.to_owned()))
}
