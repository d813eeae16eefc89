//! The third step: where the job runs. Nothing is started or read here: everything comes in as values.

use super::gather::Gathered;
use super::kvm::DEVICE as KVM;
use super::pod;
use super::request::{PlaceRule, Request, RunOptions, Task, Verbosity};
use anyhow::Result;
use rust_vmm_ci_core::config::{Config, DockerChoice, Mode};
use rust_vmm_ci_core::exit::usage;
use rust_vmm_ci_core::model::Os;
use rust_vmm_ci_core::plan::{Plan, PlannedCheck};
use rust_vmm_ci_effects::container::{self, Container, Shell, Wanted};
use serde_json::Value;
use tracing::debug;

/// Where a job runs.
#[derive(Debug)]
pub enum Place {
    /// On this machine.
    Host,
    /// In a container, in which this program runs again.
    Container(Contained),
    /// In a container whose image runs the command in a virtual machine of another platform. This program
    /// is not in that machine.
    Emulator(Contained),
}

/// A container with what runs in it.
#[derive(Debug)]
pub struct Contained {
    /// The container.
    pub container: Container,
    /// What runs in it, for a shell.
    pub script: String,
    /// What a person should know about the container.
    pub notes: Vec<String>,
}

/// Chooses the place of a job.
///
/// # Errors
/// Exit 2 where the configuration or the command line asks for what is not possible, and where the job
/// would run on this machine but is for another. Exit 3 where the agent's policy is wrong.
pub fn place(gathered: &Gathered, request: &Request, plan: &Plan) -> Result<Place> {
    let place = match request.place {
        PlaceRule::ThisMachine => Place::Host,
        PlaceRule::Container => {
            refuse_container(gathered)?;
            let mut docker = gathered.config().docker.clone();
            if docker == DockerChoice::Off {
                // A person who asks for a container gets the project's.
                docker = DockerChoice::Unset;
            }
            match of_options(gathered, docker, request, plan)? {
                Place::Host => {
                    let what = "--docker: there is no container for Windows, or the agent's policy has none";
                    return Err(usage(what));
                }
                place => place,
            }
        }
        PlaceRule::Configured => of_options(gathered, gathered.config().docker.clone(), request, plan)?,
    };
    match &place {
        Place::Host => {
            debug!("place: this machine ({:?})", request.place);
            if request.options().is_some() {
                gathered.target.require(&gathered.machine)?;
            }
        }
        Place::Container(Contained { container, script, .. })
        | Place::Emulator(Contained { container, script, .. }) => {
            let kind = if container.emulated { "emulator" } else { "container" };
            debug!("place: {kind} {} by {:?} ({:?})", container.image, container.engine, request.place);
            debug!("place: cache {}, flags {:?}, script {script}", container.cache.as_str(), container.flags);
        }
    }
    Ok(place)
}

/// Refuses `run --docker` where it cannot work.
fn refuse_container(gathered: &Gathered) -> Result<()> {
    if gathered.environment.in_container {
        return Err(usage("--docker: this is a container of rust-vmm-ci's already; leave it out"));
    }
    match &gathered.repository.config_file {
        None => Ok(()),
        Some(file) => Err(usage(format!(
            "--config {}: a container has only the repository: leave `--docker` out, or give the \
             configuration in the variable BUILDKITE_PLUGIN_CONFIGURATION",
            file.display()
        ))),
    }
}

/// The place that these options of the container and the agent's policy lead to.
fn of_options(gathered: &Gathered, docker: DockerChoice, request: &Request, plan: &Plan) -> Result<Place> {
    let config = gathered.config();
    let target = gathered.target;
    let nested = gathered.environment.in_container;
    let emulated = target.platform.is_emulated();
    let wanted = Wanted {
        os: target.os,
        platform: target.platform,
        here: gathered.machine.platform,
        privileged: plan.checks.iter().any(is_privileged),
        cache: config.cache,
        nested,
        change: gathered.environment.change,
    };
    let docker = if gathered.environment.kubernetes && !nested && target.os == Os::Linux {
        pod::choice(docker, target.platform, &gathered.policy)?
    } else {
        docker
    };
    let docker = if emulated { without_native_image(docker, config.mode) } else { docker };
    let mut container = match container::resolve(&docker, wanted, &gathered.policy)? {
        container::Place::Host if emulated && !nested => {
            return Err(usage(format!(
                "docker: {} is emulated in a container; take `docker: false` away",
                target.platform
            )));
        }
        container::Place::Host => return Ok(Place::Host),
        container::Place::Container(container) => *container,
    };
    if let Some(machine) = container.machine.filter(|_| container.is_foreign) {
        gathered.emulation.require(machine, container.engine)?;
    }
    let (script, mut notes) = match &request.task {
        Task::OwnCommand(command) => (command.clone(), Vec::new()),
        Task::Checks(_) if emulated => (PlannedCheck::script(&plan.checks), plan.notes.clone()),
        // The run in the container plans again, and says its own notes.
        Task::Checks(options) if container.is_foreign => {
            // This program stays one of this machine, so it must be told what it checks.
            (run_again(&RunOptions { platform: Some(target.platform), ..options.clone() }), Vec::new())
        }
        Task::Checks(options) => (run_again(options), Vec::new()),
    };
    if let Some(machine) = container.machine.filter(|_| container.is_foreign) {
        notes.push(format!(
            "this machine emulates {machine}: everything takes several times longer, and {KVM} cannot be \
             used, so tests that need it fail"
        ));
    }
    if request.options().is_some() {
        notes.extend(notes_on_containers(config, plan));
        if container.shell == Shell::None && !emulated {
            // Our command needs no shell. An image's entrypoint expects it as words.
            container.shell = Shell::Split;
        }
    }
    let place = if container.emulated { Place::Emulator } else { Place::Container };
    Ok(place(Contained { container, script, notes }))
}

/// The options without the image, where they are those of an upload: that image is for the native
/// platforms, and only the emulated platform's own image has the emulator.
fn without_native_image(mut docker: DockerChoice, mode: Mode) -> DockerChoice {
    if let (DockerChoice::Options(options), Mode::Upload) = (&mut docker, mode) {
        options.shift_remove("image");
    }
    docker
}

fn is_privileged(check: &PlannedCheck) -> bool {
    let docker = check.step.docker.as_ref();
    docker.and_then(|docker| docker.get("privileged")).is_some_and(|set| set.value == Value::Bool(true))
}

/// A note for each check that asks for a container of its own: the job has one for all of them.
fn notes_on_containers(config: &Config, plan: &Plan) -> Vec<String> {
    let asks = |check: &&PlannedCheck| {
        let options = config.checks.get(check.name.as_str());
        options.is_some_and(|options| options.docker != DockerChoice::Unset)
    };
    let note = |check: &PlannedCheck| {
        format!(
            "checks.{}.docker: this job has one container for all its checks; with `mode: upload` the check \
             has a step, and so a container, of its own",
            check.name
        )
    };
    plan.checks.iter().filter(asks).map(note).collect()
}

/// The command line of `rust-vmm-ci run` that repeats a run with these options in a container, for a shell.
fn run_again(options: &RunOptions) -> String {
    let mut words = vec!["rust-vmm-ci".to_owned(), "run".into()];
    words.extend(options.platform.map(|platform| format!("--platform={platform}")));
    words.extend(options.step.as_ref().map(|step| format!("--step={step}")));
    words.extend(options.packages.iter().map(|package| format!("--package={package}")));
    words.extend(options.part.combinations.iter().map(|name| format!("--combination={name}")));
    words.extend(options.part.tests.iter().map(|name| format!("--test={name}")));
    words.extend(options.jobs.map(|jobs| format!("--jobs={jobs}")));
    let flags = [
        (options.fail_fast, "--fail-fast"),
        (options.strict, "--strict"),
        (options.timings, "--timings"),
        (options.update, "--update"),
        (options.verbosity == Verbosity::Verbose, "--verbose"),
        (options.verbosity == Verbosity::Quiet, "--quiet"),
    ];
    words.extend(flags.iter().filter(|(set, _)| *set).map(|(_, flag)| (*flag).to_owned()));
    words.extend(options.names.iter().cloned());
    shell_words::join(words)
}

#[cfg(test)]
#[path = "place_tests.rs"]
mod tests;
