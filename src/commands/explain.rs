//! `explain`: says why a step is there or not, and where each of its values comes from.

use crate::job::environment::variable;
use crate::job::{self, Repository, Selection};
use anyhow::{Error, Result};
use rust_vmm_ci_core::checks::times::{Time, Times};
use rust_vmm_ci_core::config::{Change, Config, DockerChoice, Jobs, Purpose};
use rust_vmm_ci_core::exit::Exit;
use rust_vmm_ci_core::model::shown::block;
use rust_vmm_ci_core::model::{Origin, Platform};
use rust_vmm_ci_core::pipeline::{Group, Groups, job_options};
use rust_vmm_ci_core::plan::{Explained, PlannedCheck, Planner, is_meant, shares};
use rust_vmm_ci_effects::container::{self, Place, Policy, Wanted};
use rust_vmm_ci_effects::say;
use std::fmt::Write as _;

/// Explains the steps that have a label, or that a check of this name has, in every configuration.
///
/// # Errors
/// Exit 2 where no step and no check has this name, and for what is wrong in the configuration, in files or
/// in variables.
pub fn run(selection: &Selection, label: &str) -> Result<Exit> {
    let repositories = Repository::all(selection, Purpose::Show)?;
    let mut steps: Vec<String> = Vec::new();
    let mut absent: Vec<String> = Vec::new();
    let mut unknown = None;
    for repository in &repositories {
        match explain(repository, label)? {
            Answer::Steps(found) => {
                if let (Some(step), true) = (&repository.found.step, repositories.len() > 1) {
                    steps.push(block(&format!("in the pipeline's step {step:?}:\n")).into_owned());
                }
                steps.extend(found);
            }
            Answer::NoSteps(found) => absent.extend(found),
            Answer::Unknown(error) => unknown = unknown.or(Some(error)),
        }
    }
    // The reason for a missing step is shown only if no configuration has the step.
    if steps.is_empty() {
        steps.extend(absent);
    }
    if let (true, Some(error)) = (steps.is_empty(), unknown) {
        return Err(error);
    }
    say::line(steps.join("\n").trim_end_matches('\n'));
    Ok(Exit::Passed)
}

/// What a configuration says about a name.
enum Answer {
    /// The steps with this name.
    Steps(Vec<String>),
    /// Why there are no steps with this name.
    NoSteps(Vec<String>),
    /// The configuration has nothing with this name.
    Unknown(Error),
}

/// Explains the steps of one configuration.
fn explain(repository: &Repository, label: &str) -> Result<Answer> {
    let config = repository.config();
    let facts = repository.facts_of_upload()?;
    let planner = Planner::for_upload(config, &facts)?;
    let mut checks = Vec::new();
    // Where the whole cannot be planned, a single step can still be explained.
    let _ = planner.visit(&mut |check| {
        checks.push(check);
        Ok(())
    });
    let times = repository.times()?;
    let groups = groups(&checks, config, &times)?;
    let policy = job::policy()?;
    let jobs: Vec<String> = groups
        .iter()
        .filter(|group| is_meant(label, &group.label))
        .map(|group| job_lines(group, &times))
        .collect();
    if !jobs.is_empty() {
        return Ok(Answer::Steps(jobs));
    }
    let explained = planner.explain(label)?;
    if explained.is_empty() {
        return Ok(Answer::Unknown(planner.unknown(label)));
    }
    let is_there = explained.iter().any(|step| step.out.is_none());
    let mut steps = Vec::new();
    for step in explained {
        let group =
            groups.iter().find(|group| group.checks.iter().any(|check| check.label.as_str() == step.label));
        // Only checks of the same job share what they compile.
        let together = group.map_or(&checks, |group| &group.checks);
        let of_group = group.map_or_else(String::new, |group| group_line(&step, group, &times));
        let of_policy = policy_lines(&step, config, &policy)?;
        steps.push(step_lines(&step, config, together)? + &of_group + &of_policy);
    }
    Ok(if is_there { Answer::Steps(steps) } else { Answer::NoSteps(steps) })
}

/// The jobs of the platforms, where an upload has one step for each platform.
fn groups(checks: &[PlannedCheck], config: &Config, times: &Times) -> Result<Vec<Group>> {
    match config.jobs {
        Jobs::PerCheck => Ok(Vec::new()),
        Jobs::PerPlatform => Ok(Groups::of(checks.to_vec(), config, times)?.jobs),
    }
}

/// The time that a job takes, in seconds: platforms are split over jobs by it.
fn seconds(group: &Group, times: &Times) -> f64 {
    group.run().into_iter().map(|check| time(check, times).seconds).sum()
}

fn time(check: &PlannedCheck, times: &Times) -> Time {
    times.of(check.label.as_str(), check.name.as_str())
}

/// The lines about a step that runs several checks: the checks with their times.
fn job_lines(group: &Group, times: &Times) -> String {
    let width = group.checks.iter().map(|check| check.label.as_str().chars().count()).max();
    let width = width.unwrap_or_default();
    let mut text = format!("{}\n  is a step with these checks (option jobs):\n", group.label);
    for check in &group.checks {
        if let Some(reason) = check.left_out() {
            let _ = writeln!(text, "  {:width$}  left out: {reason}  (option select)", check.label.as_str());
            continue;
        }
        let Time { seconds, origin } = time(check, times);
        let _ = writeln!(text, "  {:width$}  {seconds:.0} s  ({origin})", check.label.as_str());
    }
    let _ = writeln!(text, "  in all {:.0} s", seconds(group, times));
    text
}

/// The line about the job that runs a check, with the times that put the check there.
fn group_line(step: &Explained, group: &Group, times: &Times) -> String {
    let Some(check) = step.check.as_ref().filter(|check| check.left_out().is_none()) else {
        return String::new();
    };
    let Time { seconds: own, origin } = time(check, times);
    let all = seconds(group, times);
    format!("  runs in {}: {own:.0} s of its {all:.0} s  ({origin})\n", group.label)
}

/// The lines about one step.
fn step_lines(step: &Explained, config: &Config, checks: &[PlannedCheck]) -> Result<String> {
    let mut text = format!("{}\n", step.label);
    let enabled =
        step.enabled_by.as_ref().map_or(String::new(), |origin| format!("; its platform: {origin}"));
    let _ = match &step.out {
        None => writeln!(text, "  is a step: described by {}{enabled}", step.source),
        Some(reason) => writeln!(text, "  is no step: {reason} (described by {})", step.source),
    };
    let width = step.lines.iter().map(|line| line.key.chars().count()).max().unwrap_or_default();
    for line in &step.lines {
        let _ = writeln!(text, "  {:width$}  {}  ({})", line.key, line.value, line.origin);
    }
    // The container's options are among the step's own, above.
    let options =
        step.check.as_ref().map(|check| job_options(config, check)).transpose()?.unwrap_or_default();
    for (name, value) in options.into_iter().filter(|(name, _)| name != "docker") {
        let _ = writeln!(text, "  {:width$}  {value}  ({})", format!("options.{name}"), origin(&name, step));
    }
    for shared in step.check.iter().flat_map(|check| shares(check, checks)) {
        let _ = writeln!(text, "  shares in one job: {} with {}", shared.what, shared.with.join(", "));
    }
    Ok(text)
}

/// The lines about what this machine's policy changes in the step's container, if the step ran here.
fn policy_lines(step: &Explained, config: &Config, policy: &Policy) -> Result<String> {
    let Some(check) = &step.check else { return Ok(String::new()) };
    let choice = match &check.step.docker {
        Some(docker) => DockerChoice::Options(docker.to_map()),
        None => DockerChoice::Off,
    };
    let platform = check.platform.unwrap_or(Platform::X86_64);
    let privileged =
        matches!(&choice, DockerChoice::Options(options) if options.get("privileged") == Some(&true.into()));
    let change = Change::read(variable);
    let wanted = Wanted {
        os: check.os,
        platform,
        here: Some(platform),
        privileged,
        cache: config.cache,
        nested: false,
        change,
    };
    let mut lines = Vec::new();
    let mut here = |key: &str, value: String, of: &str| {
        lines.push(format!("  here: {key}  {value}  (agent policy, {of} of {})\n", policy.file));
    };
    match container::resolve(&choice, wanted, policy)? {
        Place::Host if choice != DockerChoice::Off => here("docker", "false".into(), "docker"),
        Place::Host => {}
        Place::Container(container) => {
            for (name, set) in container.settings.iter().filter(|(_, set)| set.is_of_policy()) {
                let key = format!("docker.{name}");
                let value = if name == "image" { container.image.clone() } else { set.given.to_string() };
                here(&key, value, &key);
            }
            if let Some(mirror) = &policy.registry_mirror
                && container.image.starts_with(mirror.as_str())
            {
                here("docker.image", container.image.clone(), "registry-mirror");
            }
            if !policy.run_options.is_empty() {
                here("run-options", policy.run_options.join(" "), "run-options");
            }
            if policy.cache == Some(container.cache) && config.cache != policy.cache {
                here("cache", container.cache.as_str().into(), "cache");
            }
        }
    }
    Ok(lines.concat())
}

/// Where an option of the step's job comes from. Its platform and operating system follow from the step, its
/// time limit has the step's origin, and the rest are options of the upload.
fn origin(name: &str, step: &Explained) -> Origin {
    match (name, &step.check) {
        ("platform" | "os", _) => Origin::Default,
        ("timeout-in-minutes", Some(check)) => check.step.timeout.origin.clone(),
        _ => Origin::Option(name.to_owned()),
    }
}
