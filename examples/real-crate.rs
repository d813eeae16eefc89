//! The main job on a real crate of rust-vmm's: `cargo run --example real-crate [CHECK]...`
//!
//! The crate is a dependency of this project's tests, so cargo has brought its source. A copy of it,
//! under the target directory, becomes a git repository with one change, as a person would have it,
//! and `rust-vmm-ci run` checks it.

#![allow(clippy::disallowed_macros, reason = "an example prints for a person")]
#![allow(clippy::disallowed_methods, reason = "an example stands outside the program's house")]

use anyhow::{Context, Result, bail};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use std::process::{Command, ExitCode};

/// The crate that is checked.
const CRATE: &str = "vm-superio";
/// The change's commit message, as the check of commit messages wants it.
const MESSAGE: &str = "Bring the crate as it was published\n\nIt is what the checks are shown on.\n\n\
                       Signed-off-by: A Person <person@example.org>\n";

/// What the published crate lacks of the repository that it is from: the coverage that holds there, and
/// a pipeline. The advisories are left out, since their database comes over the network.
const FILES: [(&str, &str); 6] = [
    (".gitignore", "target\nCargo.lock\n"),
    ("coverage_config_x86_64.json", COVERAGE),
    ("coverage_config_aarch64.json", COVERAGE),
    (".buildkite/pipeline.yml", PIPELINE),
    // Without them, rustfmt and clippy would take this project's.
    ("rustfmt.toml", ""),
    ("clippy.toml", ""),
];
const COVERAGE: &str = "{\"coverage_score\": 96.06, \"exclude_path\": \"\", \"crate_features\": \"\"}\n";
const PIPELINE: &str = "steps:
  - label: all checks
    plugins:
      - rust-vmm/rust-vmm-ci#v1.0.0:
          skip: cargo-audit
";

fn main() -> Result<ExitCode> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let metadata = cargo_metadata::MetadataCommand::new().cargo_path(&cargo).current_dir(project).exec()?;
    let package = metadata.packages.iter().find(|package| package.name == CRATE);
    let manifest = &package.with_context(|| format!("{CRATE} is no dependency any more"))?.manifest_path;
    let source = manifest.parent().context("a manifest has a folder")?;
    let copy = metadata.target_directory.join("real-crate").join(CRATE).into_std_path_buf();

    if copy.exists() {
        // The copy's target directory stays: a second run is to be quick.
        clear(&copy)?;
    }
    copy_folder(source.as_std_path(), &copy)?;
    for (file, text) in FILES {
        let file = copy.join(file);
        fs::create_dir_all(file.parent().context("a file has a folder")?)?;
        fs::write(file, text)?;
    }
    git(&copy, &["init", "--quiet", "--initial-branch=main"])?;
    git(&copy, &["commit", "--quiet", "--allow-empty", "--message", MESSAGE])?;
    git(&copy, &["switch", "--quiet", "--create", "change"])?;
    git(&copy, &["add", "--all"])?;
    git(&copy, &["commit", "--quiet", "--message", MESSAGE])?;

    println!(
        "rust-vmm-ci run, on {CRATE} {} in {}",
        package.map_or(String::new(), |p| p.version.to_string()),
        copy.display()
    );
    let status = Command::new(cargo)
        .args(["run", "--quiet", "--bin", "rust-vmm-ci", "--manifest-path"])
        .arg(project.join("Cargo.toml"))
        .args(["--", "run", "-C"])
        .arg(&copy)
        .args(std::env::args_os().skip(1))
        .status()?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}

/// Runs git in a folder, with a configuration of its own.
fn git(folder: &Path, args: &[&str]) -> Result<()> {
    let person =
        ["-c", "user.name=A Person", "-c", "user.email=person@example.org", "-c", "commit.gpgsign=false"];
    let status = Command::new("git").args(person).args(args).current_dir(folder).status()?;
    if !status.success() {
        bail!("git {} failed", args.join(" "));
    }
    Ok(())
}

/// Takes away what an earlier run left, but for what cargo built.
fn clear(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path: PathBuf = entry?.path();
        if path.file_name() == Some(OsStr::new("target")) {
            continue;
        }
        if path.is_dir() { fs::remove_dir_all(path)? } else { fs::remove_file(path)? }
    }
    Ok(())
}

/// Copies a folder's files, and those of the folders in it.
fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
