//! The command line of `docker run` for a job.

use super::folder::{MOUNTED, REPORT};
use super::inside;
use super::job::Job;
use super::variables::{self, expand};
use super::{Container, Engine, IMAGE_VARIABLE, IN_CONTAINER, Shell, User};
use anyhow::Result;
use rust_vmm_ci_core::exit;
use std::path::Path;

/// The label that [`super::clean_up`] finds a job's containers by.
pub const LABEL: &str = "com.github.rust-vmm.ci.job-id";
/// The folder of our binary in a container: on PATH in nearly every image.
pub const PROGRAMS: &str = "/usr/local/bin";
/// Our binary there.
const BINARY: &str = "/usr/local/bin/rust-vmm-ci";
/// The docker plugin's labels (its README, "Container Labels"), and the variables that they are of.
const LABELS: [(&str, &str); 8] = [
    ("com.buildkite.agent_id", "BUILDKITE_AGENT_ID"),
    ("com.buildkite.agent_name", "BUILDKITE_AGENT_NAME"),
    ("com.buildkite.build_number", "BUILDKITE_BUILD_NUMBER"),
    ("com.buildkite.job_id", "BUILDKITE_JOB_ID"),
    ("com.buildkite.job_label", "BUILDKITE_LABEL"),
    ("com.buildkite.pipeline_name", "BUILDKITE_PIPELINE_NAME"),
    ("com.buildkite.pipeline_slug", "BUILDKITE_PIPELINE_SLUG"),
    ("com.buildkite.step_key", "BUILDKITE_STEP_KEY"),
];

/// What a run has found on the host.
#[derive(Clone, Debug)]
pub struct Found<'a> {
    /// Our own binary, static.
    pub binary: &'a Path,
    /// The folder that is mounted for what the container has to say.
    pub folder: &'a Path,
    /// The agent's user and group.
    pub owner: (u32, u32),
    /// The text of `BUILDKITE_ENV_FILE`.
    pub env_file: Option<&'a str>,
    /// The hosts that the agent's user knows.
    pub known_hosts: Option<&'a Path>,
    /// The volume for cargo's registry.
    pub registry: Option<&'a str>,
    /// The volume for the target directory.
    pub target: Option<&'a str>,
}

/// The image's name, expanded where the options ask for it.
///
/// # Errors
/// Exit 2 where a variable is not set.
pub fn image(container: &Container, job: &Job) -> Result<String> {
    if container.settings.flag("expand-image-vars") {
        let image = expand("docker.image", &container.image, job)?;
        return check_image(&image).map(|()| image);
    }
    Ok(container.image.clone())
}

/// Whether a text can be an image's name, and is no flag of `docker run`.
///
/// # Errors
/// Exit 2 where it cannot.
pub fn check_image(text: &str) -> Result<()> {
    if text.is_empty() || text.starts_with('-') || text.contains(char::is_whitespace) {
        return Err(exit::usage(format!("docker.image: expected an image's name, got \"{text}\"")));
    }
    Ok(())
}

/// All words after `docker`. Values that we make stand in one word with their flag; no shell of the
/// host reads any of them.
///
/// # Errors
/// Exit 2 with the key path, where an option asks for what the job does not have.
pub fn arguments(container: &Container, job: &Job, command: &str, found: &Found) -> Result<Vec<String>> {
    let workdir = workdir(container, job)?;
    let mut words: Vec<String> = ["run", "--rm", "--pull=never"].map(str::to_owned).into();
    if container.init {
        words.push("--init".into());
    }
    words.push(format!("--label={LABEL}={}", job.id));
    if container.settings.given("run-labels") != Some(&super::options::Given::Flag(false)) {
        words.push(format!("--label=com.buildkite.job-id={}", job.id));
        let labels = LABELS.iter().filter_map(|(label, name)| Some((label, job.variable(name)?)));
        words.extend(labels.map(|(label, value)| format!("--label={label}={value}")));
    }
    words.push(bind(&job.checkout, &workdir, false)?);
    words.push(format!("--workdir={workdir}"));
    words.push(bind(found.folder, MOUNTED, false)?);
    words.push(bind(found.binary, BINARY, true)?);
    if let Some(mirror) = job.variable("BUILDKITE_REPO_MIRROR") {
        words.push(bind(Path::new(mirror), mirror, true)?);
    }
    for (volume, target) in
        [(found.registry, inside::CARGO_HOME.to_owned()), (found.target, format!("{workdir}/target"))]
    {
        words.extend(volume.map(|volume| mount_volume(container.engine, volume, &target)));
    }
    words.extend(user_flag(container, found));
    words.extend(environment(container, job, found)?);
    words.extend(volumes(container, job)?);
    words.extend(ssh_agent(container, job, found)?);
    words.extend(container.network.iter().map(|network| format!("--network={network}")));
    words.extend(container.flags.iter().cloned());
    let program = program(container, command, found.target.is_some(), &workdir)?;
    words.extend(program.entrypoint.map(|entrypoint| format!("--entrypoint={entrypoint}")));
    words.push(image(container, job)?);
    words.extend(program.words);
    Ok(words)
}

/// The checkout's folder in the container.
///
/// # Errors
/// Exit 2 where a variable is not set, or it is no absolute path.
pub fn workdir(container: &Container, job: &Job) -> Result<String> {
    let written = &container.workdir;
    let expands = container.settings.flag("expand-volume-vars");
    let workdir = if expands { expand("docker.workdir", written, job)? } else { written.clone() };
    if !workdir.starts_with('/') {
        let hint =
            if !expands && written.starts_with('$') { " (is `expand-volume-vars` meant?)" } else { "" };
        return Err(exit::usage(format!(
            "docker.workdir: expected an absolute path, got \"{workdir}\"{hint}"
        )));
    }
    Ok(workdir)
}

/// What the container runs.
struct Program {
    entrypoint: Option<String>,
    words: Vec<String>,
}

/// The command under its shell, and that under our wrapper, unless it goes to an entrypoint that is
/// the image's own and unknown.
fn program(container: &Container, command: &str, target: bool, workdir: &str) -> Result<Program> {
    let own: Vec<String> = match &container.shell {
        Shell::Words(words) => words.iter().cloned().chain([command.to_owned()]).collect(),
        Shell::None => vec![command.to_owned()],
        Shell::Split => shell_words::split(command)?,
    };
    if container.emulated {
        return Ok(Program { entrypoint: None, words: emulated(&container.shell, own) });
    }
    if !is_wrapped(container) {
        return Ok(Program { entrypoint: container.entrypoint.clone(), words: own });
    }
    let own = container.entrypoint.iter().filter(|program| !program.is_empty()).cloned().chain(own);
    let mut words: Vec<String> = ["hook", "inside"].map(str::to_owned).into();
    words.push(format!("--checkout={workdir}"));
    if target {
        words.push("--target".into());
    }
    words.push("--".into());
    words.extend(own);
    Ok(match container.entrypoint {
        Some(_) => Program { entrypoint: Some(BINARY.into()), words },
        None => Program { entrypoint: None, words: [BINARY.to_owned()].into_iter().chain(words).collect() },
    })
}

/// Whether the command runs under our wrapper, which says how it ended.
pub fn is_wrapped(container: &Container) -> bool {
    let known = container.entrypoint.is_some() || matches!(container.shell, Shell::Words(_));
    known && !container.emulated
}

/// Words for the entrypoint of the emulated image, which joins them with spaces and lets a shell in
/// its virtual machine read the result (`start_in_qemu.sh` of rust-vmm-container): quoted, so that
/// they arrive there as they are here. Without shell the text is that shell's own.
fn emulated(shell: &Shell, words: Vec<String>) -> Vec<String> {
    match shell {
        Shell::Words(_) => words.iter().map(|word| shell_words::quote(word).into_owned()).collect(),
        Shell::None | Shell::Split => words,
    }
}

fn user_flag(container: &Container, found: &Found) -> Option<String> {
    match &container.user {
        User::Image => None,
        User::Agent => Some(format!("--user={}:{}", found.owner.0, found.owner.1)),
        User::Named(name) => Some(format!("--user={name}")),
    }
}

fn environment(container: &Container, job: &Job, found: &Found) -> Result<Vec<String>> {
    let passed = variables::passed(&container.settings, job, found.env_file)?;
    let ours = [
        format!("{IN_CONTAINER}=1"),
        format!("{}={MOUNTED}/{REPORT}", super::REPORT),
        format!("{IMAGE_VARIABLE}={}", image(container, job)?),
        // The checkout and its submodules are the agent's and the user here another: git would refuse
        // to read them.
        "GIT_CONFIG_COUNT=1".into(),
        "GIT_CONFIG_KEY_0=safe.directory".into(),
        "GIT_CONFIG_VALUE_0=*".into(),
    ];
    let mut words: Vec<String> =
        ours.into_iter().chain(passed.words).map(|word| format!("--env={word}")).collect();
    for path in &passed.mounts {
        words.push(bind(Path::new(path), path, true)?);
    }
    Ok(words)
}

/// The volumes that a person asked for; a source that is `.` or begins with `./` is the checkout or below
/// it (docker plugin's rule).
fn volumes(container: &Container, job: &Job) -> Result<Vec<String>> {
    let items = container.settings.list("volumes").iter().enumerate();
    items
        .map(|(at, item)| {
            let item = if container.settings.flag("expand-volume-vars") {
                expand(&format!("docker.volumes[{at}]"), item, job)?
            } else {
                item.clone()
            };
            let checkout = job.checkout.display();
            let item = match (item.strip_prefix("./"), item.strip_prefix(".:")) {
                (Some(below), _) => format!("{checkout}/{below}"),
                (_, Some(target)) => format!("{checkout}:{target}"),
                _ => item,
            };
            Ok(format!("--volume={item}"))
        })
        .collect()
}

/// The person's SSH agent, and the hosts that the Buildkite agent knows (docker plugin's rule).
fn ssh_agent(container: &Container, job: &Job, found: &Found) -> Result<Vec<String>> {
    let home = match container.settings.given("mount-ssh-agent") {
        Some(super::options::Given::Text(home)) => home.as_str(),
        Some(super::options::Given::Flag(true)) => "/root",
        _ => return Ok(Vec::new()),
    };
    let socket = job.variable("SSH_AUTH_SOCK").ok_or_else(|| {
        exit::usage("docker.mount-ssh-agent: SSH_AUTH_SOCK is not set: is there an SSH agent on this agent?")
    })?;
    let mut words =
        vec!["--env=SSH_AUTH_SOCK=/ssh-agent".into(), bind(Path::new(socket), "/ssh-agent", false)?];
    if let Some(known) = found.known_hosts {
        words.push(bind(known, &format!("{home}/.ssh/known_hosts"), true)?);
    }
    Ok(words)
}

/// A host path in the container. Unlike `--volume`, this fails where the path is not there.
///
/// # Errors
/// Exit 3 for a path that docker cannot be told.
pub fn bind(source: &Path, target: &str, read_only: bool) -> Result<String> {
    let Some(source) = source.to_str() else {
        let shown = source.display();
        return Err(exit::infrastructure(format!("{shown}: docker takes no path that is not UTF-8")));
    };
    let read_only = if read_only { ",readonly" } else { "" };
    let (source, target) = (field("source", source), field("target", target));
    Ok(format!("--mount=type=bind,{source},{target}{read_only}"))
}

/// A field of `--mount`, which is read as a line of CSV.
fn field(name: &str, value: &str) -> String {
    if value.contains([',', '"', '\n']) {
        return format!("\"{name}={}\"", value.replace('"', "\"\""));
    }
    format!("{name}={value}")
}

/// A named volume in the container, made where it is not there.
fn mount_volume(engine: Engine, name: &str, target: &str) -> String {
    let label = match engine {
        Engine::Docker => ",volume-label=com.github.rust-vmm.ci=cache",
        // Podman 4.3 knows no labels here.
        Engine::Podman => "",
    };
    format!("--mount=type=volume,{},{}{label}", field("source", name), field("target", target))
}

#[cfg(test)]
#[path = "arguments_tests.rs"]
mod tests;
