//! `migrate`: moves a repository from the predecessor, a submodule, to this plugin.

use super::set_up;
use crate::job::Selection;
use crate::job::configuration;
use anyhow::Result;
use rust_vmm_ci_core::exit::{Exit, usage};
use rust_vmm_ci_core::model::shown::block;
use rust_vmm_ci_core::pipeline::file;
use rust_vmm_ci_core::predecessor::Legacy;
use rust_vmm_ci_effects::git::{Git, Mention, Submodule};
use rust_vmm_ci_effects::say;
use std::path::Path;

/// Writes the pipeline file, removes the submodule, and says what is left to do. The change is in the index;
/// nothing is committed.
///
/// # Errors
/// Exit 2 where the submodule is not there, a file stands in the way, or the repository's descriptions are
/// wrong; exit 3 where git refuses. Nothing is changed then.
pub fn migrate(selection: &Selection, dry_run: bool) -> Result<Exit> {
    let root = configuration::root(selection)?;
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
        let path = &submodule.path;
        say::line(format_args!("would remove the submodule {path}, and write {}:\n", set_up::PIPELINE));
        say::out(block(&pipeline.text));
    } else {
        pipeline.write(&root)?;
        if let Err(error) = git.remove_submodule(&submodule.path) {
            set_up::PipelineFile::take_back(&root)?;
            return Err(error);
        }
        git.stage(set_up::PIPELINE)?;
        say::line(format_args!("removed the submodule {}, and wrote {}", submodule.path, set_up::PIPELINE));
        say::line("Nothing is committed: `git diff --cached` shows the change.");
    }
    say_what_is_left(&root, steps.len(), &left);
    Ok(Exit::Passed)
}

/// Whether a submodule is rust-vmm-ci: its name decides, at whatever address.
fn is_the_predecessor(submodule: &Submodule) -> bool {
    let url = submodule.url.trim_end_matches('/');
    url.strip_suffix(".git").unwrap_or(url).rsplit(['/', ':']).next() == Some("rust-vmm-ci")
}

/// Lines that name the submodule, which will not be there. Calls of its Python files in a description are
/// not among them: they become our checks. Nor are changelogs: they tell of the past.
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
    say::line("\nLeft to do:");
    for Mention { file, line, text } in left {
        let text = text.escape_debug();
        let why = if text.to_string().contains("gitsubmodule") {
            "dependabot has no submodule to move any more"
        } else {
            "the folder is not there any more"
        };
        say::line(format_args!("- {}:{line}: {why}: {text}", file.escape_debug()));
    }
    say::line(
        "- in Buildkite, replace the pipeline's steps by one: `command: buildkite-agent pipeline upload`;",
    );
    say::line("  variables that are set there (TESTS_TO_SKIP …) keep working, and labels are the same");
    if steps > 1 {
        say::line(
            "- files that hold standard names replace the standard list here; where Buildkite's settings",
        );
        say::line("  called the generator for other files, remove these steps from the file");
    }
    if root.join(".buildkite/pipeline.windows.yml").is_file() {
        say::line("- .buildkite/pipeline.windows.yml can become a step with `os: windows`");
    }
    say::line("- `rust-vmm-ci list` shows the checks; `rust-vmm-ci run` runs them here");
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
