//! `migrate`: moves a repository off the predecessor, which is a submodule.

use super::{configuration, set_up};
use crate::cli::Common;
use anyhow::Result;
use rust_vmm_ci_core::exit::{Exit, usage};
use rust_vmm_ci_core::pipeline::file;
use rust_vmm_ci_core::predecessor::Legacy;
use rust_vmm_ci_effects::git::{Git, Mention, Submodule};
use std::path::Path;

/// Writes the pipeline file, takes the submodule out, and says what is left to do. All is in the index and
/// nothing committed.
///
/// # Errors
/// Exit 2 where the submodule is not there, a file stands in the way, or the repository's descriptions are
/// wrong; exit 3 where git refuses. Nothing is changed then.
pub fn migrate(common: &Common, dry_run: bool) -> Result<Exit> {
    let root = configuration::root(common)?;
    let git = Git::at(&root)?;
    let top = git.toplevel()?;
    if dunce::canonicalize(&top).ok() != Some(root.clone()) {
        return Err(usage(format!(
            "{} is not the repository's root: use `-C {}`",
            root.display(),
            top.display()
        )));
    }
    let submodule = git.submodules()?.into_iter().find(is_the_predecessor).ok_or_else(|| {
        usage(
            ".gitmodules names no submodule rust-vmm-ci to move off; `rust-vmm-ci init` sets a repository up",
        )
    })?;
    let tests = set_up::descriptions(&root)?;
    let steps = file::uploads(&tests, &set_up::standard_names());
    let pipeline = set_up::PipelineFile::of(&root, &steps)?;
    let left = left_to_change(&git, &submodule)?;
    if dry_run {
        println!("would remove the submodule {}, and write {}:\n", submodule.path, set_up::PIPELINE);
        print!("{}", pipeline.text);
    } else {
        pipeline.write(&root)?;
        if let Err(error) = git.remove_submodule(&submodule.path) {
            set_up::PipelineFile::take_back(&root)?;
            return Err(error);
        }
        git.stage(set_up::PIPELINE)?;
        println!("removed the submodule {}, and wrote {}", submodule.path, set_up::PIPELINE);
        println!("Nothing is committed: `git diff --cached` shows it.");
    }
    say_what_is_left(&root, steps.len(), &left);
    Ok(Exit::Passed)
}

/// Whether a submodule is rust-vmm-ci, from wherever it comes.
fn is_the_predecessor(submodule: &Submodule) -> bool {
    let url = submodule.url.trim_end_matches('/');
    url.strip_suffix(".git").unwrap_or(url).rsplit(['/', ':']).next() == Some("rust-vmm-ci")
}

/// Lines that name what will not be there. Calls of its Python files in a description become checks of
/// ours, and a history stays one.
fn left_to_change(git: &Git, submodule: &Submodule) -> Result<Vec<Mention>> {
    let folder = format!("{}/", submodule.path);
    let mut mentions = git.mentions(&[&folder, "gitsubmodule"])?;
    mentions.retain(|mention| {
        let name = mention.file.rsplit('/').next().unwrap_or_default();
        let history = name.to_ascii_lowercase().starts_with("changelog");
        // A link to the predecessor's own page stays right.
        let link = mention.text.contains(&format!("rust-vmm/{folder}"));
        mention.file != ".gitmodules" && !history && !link && Legacy::check_of(&mention.text).is_none()
    });
    Ok(mentions)
}

fn say_what_is_left(root: &Path, steps: usize, left: &[Mention]) {
    println!("\nLeft to do:");
    for Mention { file, line, text } in left {
        let text = text.escape_debug();
        let why = if text.to_string().contains("gitsubmodule") {
            "dependabot has no submodule to move any more"
        } else {
            "the folder is not there any more"
        };
        println!("- {}:{line}: {why}: {text}", file.escape_debug());
    }
    println!(
        "- in Buildkite, replace the pipeline's steps by one: `command: buildkite-agent pipeline upload`;"
    );
    println!("  variables that are set there (TESTS_TO_SKIP …) keep working, and labels are the same");
    if steps > 1 {
        println!("- files with standard names in them replace the standard list here; where Buildkite's");
        println!("  settings called the generator for other files, take these steps out of the file");
    }
    if root.join(".buildkite/pipeline.windows.yml").is_file() {
        println!("- .buildkite/pipeline.windows.yml can become a step with `os: windows`");
    }
    println!("- `rust-vmm-ci list` shows the checks; `rust-vmm-ci run` runs them here");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_predecessor_is_known_by_its_url() {
        let cases = [
            ("https://github.com/rust-vmm/rust-vmm-ci.git", true),
            ("git@github.com:me/rust-vmm-ci", true),
            ("../rust-vmm-ci/", true),
            ("https://github.com/rust-vmm/rust-vmm-ci-buildkite-plugin", false),
            ("https://example.org/ci.git", false),
        ];
        for (url, expected) in cases {
            let submodule = Submodule { path: "ci".into(), url: url.into() };
            assert_eq!(is_the_predecessor(&submodule), expected, "{url}");
        }
    }
}
