//! `reproduce`: repeats what failed in a report, at the report's commit, in a worktree beside the checkout.
//!
//! A report may come from a stranger. So only names are taken from it: of checks, combinations, tests, a commit
//! and an image. The commands are planned anew, and the container's options are those of this checkout. What
//! goes beyond them needs `--yes`: another image than this repository's, and a privileged container for a
//! commit that is not in the history of this checkout.

use super::report;
use crate::job::{self, PlaceRule, Repository, Request, RunOptions, Selection, Task, Verbosity};
use anyhow::{Context as _, Result};
use rust_vmm_ci_core::config::{Config, DockerChoice, Purpose};
use rust_vmm_ci_core::exit::{Exit, infrastructure, usage};
use rust_vmm_ci_core::model::{
    Os, Platform, image_digest, image_repository, is_same_repository, pinned_image, shown,
};
use rust_vmm_ci_core::report::repeat::Repeat;
use rust_vmm_ci_core::report::{Job, merge};
use rust_vmm_ci_effects::git::Git;
use rust_vmm_ci_effects::process::{TemporaryFolder, Undo};
use rust_vmm_ci_effects::run::Part;
use rust_vmm_ci_effects::{process, say};
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

/// Repeats what failed. The exit code is that of the new runs: the worst of them.
///
/// # Errors
/// Exit 2 where the report cannot be read, or its commit is not in this repository. Exit 3 where git fails.
pub fn run(selection: &Selection, file: &Path, yes: bool) -> Result<Exit> {
    process::heed_signals()?;
    let root = job::configuration::root(selection)?;
    let report = merge(vec![report::read(file)?]);
    let repeats = Repeat::of(&report);
    if repeats.is_empty() {
        let file = file.display();
        if report.exit() == Exit::Passed {
            say::line(format_args!("{file}: nothing failed, so there is nothing to repeat"));
            return Ok(Exit::Passed);
        }
        return Err(infrastructure(format!(
            "{file}: no check failed, but none has a verdict either: they were cancelled or skipped; run them again \
             with `rust-vmm-ci run`"
        )));
    }
    let git = Git::at(&root)?;
    let own = own_options(selection, &root)?;
    let mut worst = Exit::Passed;
    for (index, of_job) in report.jobs.iter().enumerate() {
        let repeats: Vec<&Repeat> = repeats.iter().filter(|repeat| repeat.job == index).collect();
        if repeats.is_empty() {
            continue;
        }
        let commit = commit(&git, of_job, file)?;
        let history = git.resolve("HEAD")?.map_or(Ok(false), |head| git.is_ancestor(&commit, &head))?;
        let place = Place::of(of_job, &own, history, yes);
        say_differences(&git, of_job, &commit, &place)?;
        for line in differences(of_job, &own, &place) {
            say::line(format_args!("reproduce: {line}"));
        }
        let worktree = Worktree::make(&git, &commit)?;
        for repeat in repeats {
            if process::cancelled() {
                return Ok(Exit::Infrastructure);
            }
            say::line(format_args!("reproduce: {}", shown::line(&repeat.command())));
            worst = worse(worst, repeat_one(selection, &worktree.root, of_job, repeat, &place)?);
        }
    }
    Ok(worst)
}

/// The options of this checkout, or the default ones where its pipeline has none.
fn own_options(selection: &Selection, root: &Path) -> Result<Config> {
    let all = job::configuration::all(selection, root, Purpose::Run)?;
    Ok(all.found.into_iter().next().map_or_else(Config::default, |found| found.config))
}

/// The commit of a job, as git knows it here.
fn commit(git: &Git, of_job: &Job, file: &Path) -> Result<String> {
    let wrong = |what: String| usage(format!("{}: {what}", file.display()));
    let name = of_job.commit.as_deref().unwrap_or_default();
    let is_hash = [40, 64].contains(&name.len()) && name.chars().all(|c| c.is_ascii_hexdigit());
    if !is_hash {
        return Err(wrong(format!("the commit {} is no full hash", shown::value(name))));
    }
    if let Some(commit) = git.resolve(name)? {
        return Ok(commit);
    }
    let remotes = git.remotes()?;
    let remote = remotes.iter().find(|name| *name == "origin").or(remotes.first());
    let remote = remote.map_or("REMOTE", String::as_str);
    Err(wrong(format!(
        "the commit {name} is not in this repository; `git fetch {} {name}` brings it",
        shell_words::quote(remote)
    )))
}

/// Where the checks run again.
#[derive(Debug, PartialEq)]
enum Place {
    /// On this machine, and why not in the job's container.
    Host(Option<&'static str>),
    /// In a container with these options; and what differs from the job's.
    Container(DockerChoice, Vec<String>),
}

impl Place {
    /// The place where the checks of a job run again. `history` says whether the job's commit is in the history
    /// of this checkout.
    fn of(of_job: &Job, own: &Config, history: bool, yes: bool) -> Self {
        let Some(image) = &of_job.container else { return Self::Host(None) };
        if !["docker", "podman"].iter().any(|engine| process::is_there(engine)) {
            return Self::Host(Some("there is no docker or podman here"));
        }
        let (options, notes) = container(of_job, image, own, history, yes);
        Self::Container(options, notes)
    }
}

/// The options of the container: those of this checkout, with the job's image.
fn container(
    of_job: &Job,
    image: &str,
    own: &Config,
    history: bool,
    yes: bool,
) -> (DockerChoice, Vec<String>) {
    let mut options = match &own.docker {
        DockerChoice::Options(options) => options.clone(),
        DockerChoice::Unset | DockerChoice::Off => Map::new(),
    };
    let mut notes = Vec::new();
    let platform: Option<Platform> = of_job.platform.parse().ok();
    let known = options.get("image").and_then(Value::as_str).map(str::to_owned);
    let known = known.unwrap_or_else(|| pinned_image(platform));
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-/:@".contains(c);
    let is_image =
        |image: &str| image.chars().all(plain) && image.starts_with(|c: char| c.is_ascii_alphanumeric());
    let by_digest = of_job.digest.as_deref().filter(|image| is_image(image));
    let digest = by_digest.and_then(|image| Some((image, image_digest(image)?)));
    if let Some((_, digest)) = digest.filter(|(image, _)| is_same_repository(image, &known)) {
        // Only the digest is the report's word: the image is one of this repository's whatever it says.
        options.insert("image".into(), format!("{}@{digest}", image_repository(&known)).into());
    } else if is_image(image) && is_same_repository(image, &known) {
        notes.push("the report has no digest of the image, so it may have changed since the job".to_owned());
        options.insert("image".into(), image.into());
    } else if is_image(image) && yes {
        options.insert("image".into(), by_digest.unwrap_or(image).into());
    } else {
        notes.push(format!(
            "the job's image was {}, which is not this repository's; {known} is used (`--yes` uses the job's)",
            shown::value(image)
        ));
    }
    if !history && !yes {
        options.insert("privileged".into(), false.into());
        for more in ["devices", "volumes", "add-caps"] {
            options.shift_remove(more);
        }
        notes.push(
            "the commit is not in the history of this checkout, so the container has no privileges, devices \
             and volumes (`--yes` gives it those of this repository's options)"
                .to_owned(),
        );
    }
    (DockerChoice::Options(options), notes)
}

/// Says what is not as it was in the job.
fn say_differences(git: &Git, of_job: &Job, commit: &str, place: &Place) -> Result<()> {
    say::line(format_args!("reproduce: commit {commit}, in a worktree beside {}", git.toplevel()?.display()));
    match place {
        Place::Host(None) => say::line("reproduce: on this machine, as the job was on its own"),
        Place::Host(Some(why)) => {
            let image = shown::value(of_job.container.as_deref().unwrap_or_default());
            say::line(format_args!("reproduce: on this machine; the job ran in {image}, and {why}"));
        }
        Place::Container(_, notes) => {
            say::line("reproduce: in a container");
            for note in notes {
                say::line(format_args!("reproduce: {note}"));
            }
        }
    }
    if let Some(toolchain) = &of_job.toolchain {
        say::line(format_args!("reproduce: the job's toolchain was {}", shown::line(toolchain)));
    }
    Ok(())
}

/// The options and variables that the job had and this run has not, or the other way round.
fn differences(of_job: &Job, own: &Config, place: &Place) -> Vec<String> {
    // What of the job's container is used has been said already.
    let of_place = |name: &&String| name.as_str() != "docker" && name.as_str() != "docker.privileged";
    let options = own.mattering();
    let of_options = match &own.docker {
        DockerChoice::Options(docker) => docker.get("environment").and_then(Value::as_array),
        DockerChoice::Unset | DockerChoice::Off => None,
    };
    let of_options = of_options.into_iter().flatten().filter_map(Value::as_str);
    let of_options = of_options.filter_map(|word| Some(word.split_once('=')?.0.to_owned()));
    let here: Vec<String> = job::variables_that_matter().into_iter().chain(of_options).collect();
    let missing = |all: &[String], from: &[String]| -> Vec<String> {
        let all = all.iter().filter(of_place).filter(|name| !from.contains(name));
        all.map(|name| shown::line(name).into_owned()).collect()
    };
    let mut said = Vec::new();
    let mut say = |what: &str, names: Vec<String>| {
        if !names.is_empty() {
            said.push(format!("{what}: {}", names.join(", ")));
        }
    };
    say("options that the job had and this checkout has not", missing(&of_job.options, &options));
    say("options that this checkout has and the job had not", missing(&options, &of_job.options));
    say("variables that were set in the job and are not here", missing(&of_job.variables, &here));
    // A container gets only the variables that the options name.
    if matches!(place, Place::Host(_)) {
        say("variables that are set here and were not in the job", missing(&here, &of_job.variables));
    }
    said
}

/// Repeats one check.
fn repeat_one(
    selection: &Selection,
    root: &Path,
    of_job: &Job,
    repeat: &Repeat,
    place: &Place,
) -> Result<Exit> {
    let selection = Selection {
        dir: Some(root.to_owned()),
        config: selection.config.clone(),
        step: selection.step.clone(),
        platform: selection.platform.or_else(|| of_job.platform.parse().ok()),
        os: selection.os.or_else(|| of_job.os.parse::<Os>().ok()),
    };
    let mut repositories = Repository::all(&selection, Purpose::Run)?.into_iter();
    let mut repository = repositories.next().context("there is no configuration")?;
    let rule = match place {
        Place::Host(_) => PlaceRule::ThisMachine,
        Place::Container(options, _) => {
            repository.found.config.docker = options.clone();
            PlaceRule::Container
        }
    };
    let options = RunOptions {
        names: vec![repeat.check.clone()],
        part: Part { combinations: repeat.combinations.clone(), tests: repeat.tests.clone() },
        platform: selection.platform,
        verbosity: if say::is_quiet() { Verbosity::Quiet } else { Verbosity::Normal },
        ..RunOptions::default()
    };
    job::run(
        repository,
        repositories.collect(),
        &Request { task: Task::Checks(options), place: rule, plain_run: None },
    )
}

/// The worse of two results: a failed check counts more than a broken one.
fn worse(one: Exit, other: Exit) -> Exit {
    match (one, other) {
        (Exit::Failed, _) | (_, Exit::Failed) => Exit::Failed,
        (Exit::Passed, other) => other,
        (one, _) => one,
    }
}

/// A worktree beside the checkout. It is removed when this value is dropped.
struct Worktree {
    git: Git,
    root: PathBuf,
    folder: TemporaryFolder,
    /// Makes git forget the worktree where this process is killed.
    _undo: Undo,
}

impl Worktree {
    fn make(git: &Git, commit: &str) -> Result<Self> {
        let top = git.toplevel()?;
        let name = top.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        // Where the folder above the checkout cannot be written to, that of temporary files can.
        let beside =
            top.parent().map(|parent| TemporaryFolder::make_in(parent, &format!("{name}-reproduce-")));
        let folder = match beside {
            Some(Ok(made)) => made,
            _ => TemporaryFolder::make().context("a folder for the worktree")?,
        };
        let root = folder.path().join(if name.is_empty() { "checkout" } else { &name });
        let undo = git.worktree_add(&root, commit)?;
        Ok(Self { git: git.clone(), root, folder, _undo: undo })
    }
}

impl Drop for Worktree {
    fn drop(&mut self) {
        if let Err(error) = self.git.worktree_remove(&self.root) {
            say::error(format_args!("{} was not removed: {error:#}", self.folder.path().display()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(image: &str) -> Job {
        Job { container: Some(image.into()), platform: "x86_64".into(), ..Job::default() }
    }

    fn options(of_job: &Job, own: &str, history: bool, yes: bool) -> (Map<String, Value>, usize) {
        let own = Config::parse(&serde_saphyr::from_str(own).unwrap()).unwrap();
        let image = of_job.container.clone().unwrap();
        match container(of_job, &image, &own, history, yes) {
            (DockerChoice::Options(options), notes) => (options, notes.len()),
            (other, _) => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_jobs_image_is_used_where_it_is_this_repositorys_and_else_needs_a_yes() {
        let pinned = pinned_image(None);
        let by_digest = format!("{}@sha256:{}", image_repository(&pinned), "0".repeat(64));
        let through_a_mirror = Job { digest: Some(format!("mirror:5000/{by_digest}")), ..job("m/x:1") };
        assert_eq!(options(&through_a_mirror, "{}", true, false).0["image"], by_digest.as_str());
        let other_tag = format!("{}:other", image_repository(&pinned));
        assert_eq!(options(&job(&other_tag), "{}", true, false).0["image"], other_tag.as_str());
        let evil = job("example.org/evil:1");
        assert_eq!(options(&evil, "{}", true, false), (Map::new(), 1));
        assert_eq!(options(&evil, "{}", true, true).0["image"], "example.org/evil:1");
        // Even with `--yes`, an image must not be read as an option.
        assert_eq!(options(&job("--privileged"), "{}", true, true), (Map::new(), 1));
    }

    #[test]
    fn what_differs_from_the_job_is_named_and_an_image_by_its_digest_is_no_difference() {
        let own = Config::parse(&serde_json::json!({"features": "all"})).unwrap();
        let job = Job {
            options: vec!["checks.clippy.args".into(), "docker.privileged".into()],
            variables: vec!["RUST_OF_THE_JOB\u{1b}".into()],
            ..Job::default()
        };
        let said = differences(&job, &own, &Place::Container(DockerChoice::Unset, Vec::new()));
        assert_eq!(
            said,
            [
                "options that the job had and this checkout has not: checks.clippy.args",
                "options that this checkout has and the job had not: features",
                "variables that were set in the job and are not here: RUST_OF_THE_JOB␛",
            ]
        );
    }

    #[test]
    fn a_commit_from_elsewhere_gets_no_privileges_without_a_yes() {
        let own = "docker: {privileged: true, devices: [/dev/kvm], volumes: ['/a:/b'], image: 'i:1'}";
        let (strict, _) = options(&job("i:2"), own, false, false);
        assert_eq!(strict.keys().collect::<Vec<_>>(), ["privileged", "image"]);
        assert_eq!(strict["privileged"], false);
        for (history, yes) in [(true, false), (false, true)] {
            let (options, _) = options(&job("i:2"), own, history, yes);
            assert_eq!((&options["privileged"], options.len()), (&Value::Bool(true), 4));
        }
    }

    #[test]
    fn a_failed_check_decides_how_all_end() {
        assert_eq!(worse(Exit::Infrastructure, Exit::Failed), Exit::Failed);
        assert_eq!(worse(Exit::Failed, Exit::Passed), Exit::Failed);
        assert_eq!(worse(Exit::Passed, Exit::Infrastructure), Exit::Infrastructure);
        assert_eq!(worse(Exit::Passed, Exit::Passed), Exit::Passed);
    }
}
