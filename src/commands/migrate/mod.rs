//! `migrate`: moves a repository from the predecessor, a submodule, to this plugin.

mod labels;
mod left;
mod links;

use super::set_up::{self, PipelineFile, Taken};
use crate::cli::MigrateArgs;
use crate::job::{Selection, configuration};
use anyhow::Result;
use labels::Steps;
use left::Left;
use links::Link;
use rust_vmm_ci_core::exit::{Exit, infrastructure, usage};
use rust_vmm_ci_core::model::shown::{block, line};
use rust_vmm_ci_core::pipeline::file::{self, Use};
use rust_vmm_ci_effects::files;
use rust_vmm_ci_effects::git::{Git, Kind, Submodule};
use rust_vmm_ci_effects::say;
use std::path::{Path, PathBuf};

/// The folder of the submodule in nearly all repositories.
const FOLDER: &str = "rust-vmm-ci";

/// Writes the pipeline file, removes the submodule and the links into it, and says what is left to do. The
/// change is in the index; nothing is committed.
///
/// # Errors
/// Exit 2 where there is nothing to move, or the repository's descriptions are wrong; exit 3 where work in the
/// submodule would be lost, or git refuses. Nothing is changed then.
pub fn migrate(selection: &Selection, args: MigrateArgs) -> Result<Exit> {
    // Who looks at the difference has not decided yet.
    let only_says = args.dry_run || args.check || args.diff;
    let state = State::read(selection)?;
    if state.submodule.is_none() && !only_says {
        return Err(usage(
            ".gitmodules names no submodule rust-vmm-ci to move off; `rust-vmm-ci migrate --check` says what \
             still speaks of it, and `rust-vmm-ci init` sets a repository up",
        ));
    }
    let lost = state.work_that_would_be_lost()?;
    if let (Some(lost), false) = (&lost, only_says) {
        return Err(infrastructure(lost.as_str()));
    }
    let steps = Steps::read(selection, &state)?;
    let left = Left::find(&state)?;
    if only_says {
        state.say("would remove", "would write");
        lost.iter().for_each(say::note);
    } else {
        state.change()?;
        state.say("removed", "wrote");
        say::line("Nothing is committed: `git diff --cached` shows the change.");
    }
    steps.say();
    if args.diff {
        steps.say_side_by_side();
    }
    left.say(&state);
    let is_left = state.submodule.is_some() || !state.links.is_empty() || !left.is_empty();
    Ok(if args.check && is_left { Exit::Failed } else { Exit::Passed })
}

/// What a repository has of the predecessor, and of this plugin.
struct State {
    root: PathBuf,
    git: Git,
    /// The submodule, and whether the index has a commit for it; none where it is gone.
    submodule: Option<(Submodule, bool)>,
    /// The folder of the submodule, gone or not.
    folder: String,
    /// Whether the repository has further submodules.
    has_others: bool,
    /// The links that lead into the submodule.
    links: Vec<Link>,
    /// The steps that upload what the generator uploaded.
    uses: Vec<Use>,
    /// What becomes of the pipeline file.
    pipeline: Pipeline,
}

/// What becomes of the pipeline file.
enum Pipeline {
    /// It is written.
    New(PipelineFile),
    /// There is one that uses the plugin.
    Uses(&'static str),
    /// There is one that does not use the plugin: the steps are left to a person.
    Other(&'static str),
}

impl State {
    fn read(selection: &Selection) -> Result<Self> {
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
        let index = git.index()?;
        let gitlinks: Vec<&str> = index
            .iter()
            .filter(|entry| entry.kind == Kind::Submodule)
            .map(|entry| entry.path.as_str())
            .collect();
        let mut described = git.submodules()?;
        let submodule = match described.iter().position(is_the_predecessor) {
            Some(at) => {
                let submodule = described.remove(at);
                let in_index = gitlinks.contains(&submodule.path.as_str());
                Some((submodule, in_index))
            }
            // A commit in the index without an entry in .gitmodules: half of the submodule is gone already.
            None => gitlinks
                .iter()
                .find(|path| path.rsplit('/').next() == Some(FOLDER))
                .map(|path| (Submodule { path: (*path).to_owned(), ..Submodule::default() }, true)),
        };
        let folder = submodule.as_ref().map_or_else(|| FOLDER.to_owned(), |(found, _)| found.path.clone());
        let links = links::into(&git, &index, &folder)?;
        let is_link = |path: &str| links.iter().any(|link| link.path == path);
        let tests = set_up::descriptions(&root, &is_link)?;
        let mut uses = file::uploads(&tests, &set_up::standard_names());
        for step in &mut uses {
            labels::leave_out_what_is_new(&root, &mut step.options)?;
        }
        let pipeline = match set_up::taken(&root) {
            Some(Taken { path, uses_the_plugin: true }) => Pipeline::Uses(path),
            Some(Taken { path, .. }) => Pipeline::Other(path),
            None => Pipeline::New(PipelineFile::of(&root, &uses)?),
        };
        let has_others = !described.is_empty();
        Ok(Self { root, git, submodule, folder, has_others, links, uses, pipeline })
    }

    /// What stands in the way of removing the submodule: a sentence; none where nothing does.
    fn work_that_would_be_lost(&self) -> Result<Option<String>> {
        let Some((submodule, true)) = &self.submodule else { return Ok(None) };
        let path = line(&submodule.path);
        if self.git.is_changed(&submodule.path)? {
            return Ok(Some(format!(
                "the submodule {path} holds work of yours: changed or new files, or another commit than the \
                 repository records. `git -C {path} status` shows it. Keep it elsewhere or discard it, for example \
                 by `git submodule update --force {path}`, and repeat. Nothing was changed"
            )));
        }
        if self.git.is_changed(".gitmodules")? {
            return Ok(Some(
                ".gitmodules has a change that is not staged: `git add .gitmodules` or `git restore .gitmodules`, \
                 and repeat. Nothing was changed"
                    .to_owned(),
            ));
        }
        Ok(None)
    }

    /// Changes the working tree and the index.
    fn change(&self) -> Result<()> {
        if let Pipeline::New(pipeline) = &self.pipeline {
            pipeline.write(&self.root)?;
        }
        if let Some((submodule, in_index)) = &self.submodule
            && let Err(error) = self.git.remove_submodule(submodule, *in_index)
        {
            if let Pipeline::New(_) = self.pipeline {
                PipelineFile::take_back(&self.root)?;
            }
            return Err(error);
        }
        let links: Vec<String> = self.links.iter().map(|link| link.path.clone()).collect();
        self.git.remove_links(&links)?;
        if let Pipeline::New(_) = self.pipeline {
            self.git.stage(set_up::PIPELINE)?;
        }
        Ok(())
    }

    /// Says what was done, or would be.
    fn say(&self, removed: &str, wrote: &str) {
        match &self.submodule {
            Some((submodule, _)) => {
                say::line(format_args!("{removed} the submodule {}", line(&submodule.path)));
            }
            None => say::line("the submodule is gone"),
        }
        for link in &self.links {
            say::line(block(&format!("{removed} the link {}: {}", line(&link.path), link.was(&self.folder))));
        }
        match &self.pipeline {
            Pipeline::New(pipeline) => {
                say::line(format_args!("{wrote} {}:\n", set_up::PIPELINE));
                say::out(format_args!("{}\n", block(pipeline.steps())));
            }
            Pipeline::Uses(path) => {
                say::line(format_args!("{path} uses the plugin already; it stays as it is"));
            }
            Pipeline::Other(path) => {
                say::line(format_args!("{path} is there and stays as it is; see below"));
            }
        }
    }

    /// Reads a file of the submodule; none where the submodule is not checked out.
    fn of_submodule(&self, path: &str) -> Option<String> {
        let (submodule, _) = self.submodule.as_ref()?;
        files::text(Path::new(&self.root), Path::new(&submodule.path).join(path)).ok().flatten()
    }
}

/// Whether a submodule is rust-vmm-ci: its name decides, at whatever address.
fn is_the_predecessor(submodule: &Submodule) -> bool {
    let url = submodule.url.trim_end_matches('/');
    url.strip_suffix(".git").unwrap_or(url).rsplit(['/', ':']).next() == Some("rust-vmm-ci")
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
            let submodule = Submodule { name: "ci".into(), path: "ci".into(), url: url.into() };
            assert_eq!(is_the_predecessor(&submodule), expected, "{url}");
        }
    }
}
