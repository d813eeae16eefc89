//! The command line of `docker run` for a job.

use super::super::git_config::Instead;
use super::super::job::Job;
use super::super::names::{
    BINARY, EMULATED, IMAGE_VARIABLE, IN_CONTAINER, KEPT_REGISTRY, KEPT_TARGET, MAILBOX, REPORT,
    REPORT_VARIABLE,
};
use super::super::options::Given;
use super::super::{Container, Engine, Shell, User};
use super::variables::{self, expand};
use crate::git::CommonFolder;
use anyhow::Result;
use rust_vmm_ci_core::exit;
use std::path::{Component, Path, PathBuf};

/// The label by which the clean-up finds the containers of a job.
pub const LABEL: &str = "com.github.rust-vmm.ci.job-id";
/// The docker plugin's labels (its README, "Container Labels"), each with the variable of its value.
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

/// What the command line needs to know about the host.
#[derive(Clone, Debug)]
pub struct Host<'a> {
    /// Our own program. It should be static, because it runs in any image.
    pub binary: &'a Path,
    /// The folder through which the container reports to the host.
    pub mailbox: &'a Path,
    /// The agent's user and group.
    pub owner: (u32, u32),
    /// The text of the file that `BUILDKITE_ENV_FILE` names.
    pub env_file: Option<&'a str>,
    /// The file `known_hosts` of the agent's user, if there is one.
    pub known_hosts: Option<&'a Path>,
    /// The volume for cargo's registry, if it is kept.
    pub registry: Option<&'a str>,
    /// The volume for the target directory, if it is kept.
    pub target: Option<&'a str>,
    /// Configurations of git without passwords.
    pub git_configs: &'a [Instead],
    /// Where the checkout is a worktree: the folder of git that it shares with others.
    pub git: Option<&'a CommonFolder>,
}

/// The name of the image. Variables in it are expanded if an option asks for it.
///
/// # Errors
/// Exit 2 if a variable is not set, or the name is not one of an image.
pub fn image(container: &Container, job: &Job) -> Result<String> {
    if container.settings.flag("expand-image-vars") {
        let image = expand("docker.image", &container.image, job)?;
        return check_image(&image).map(|()| image);
    }
    Ok(container.image.clone())
}

/// Checks that a text can be the name of an image and is not a flag of `docker run`.
///
/// # Errors
/// Exit 2 if it cannot.
pub fn check_image(text: &str) -> Result<()> {
    if text.is_empty() || text.starts_with('-') || text.contains(char::is_whitespace) {
        return Err(exit::usage(format!("docker.image: expected an image's name, got \"{text}\"")));
    }
    Ok(())
}

/// All words after `docker`. A value stands in one word with its flag, so that it cannot become a flag
/// itself. No shell of the host reads the words.
///
/// # Errors
/// Exit 2 with the key path, if an option needs something that the job does not have.
pub fn arguments(container: &Container, job: &Job, command: &str, host: &Host) -> Result<Vec<String>> {
    let workdir = workdir(container, job)?;
    let mut words: Vec<String> = ["run", "--rm", "--pull=never"].map(str::to_owned).into();
    if container.init {
        words.push("--init".into());
    }
    words.push(format!("--label={LABEL}={}", job.id));
    if container.settings.given("run-labels") != Some(&Given::Flag(false)) {
        words.push(format!("--label=com.buildkite.job-id={}", job.id));
        let labels = LABELS.iter().filter_map(|(label, name)| Some((label, job.variable(name)?)));
        words.extend(labels.map(|(label, value)| format!("--label={label}={value}")));
    }
    words.push(format!("--platform={}", container.platform));
    words.push(bind(&job.checkout, &workdir, false)?);
    words.push(format!("--workdir={workdir}"));
    words.extend(git_folder(host.git, &workdir)?);
    words.push(bind(host.mailbox, MAILBOX, false)?);
    words.push(bind(host.binary, BINARY, true)?);
    if let Some(mirror) = job.variable("BUILDKITE_REPO_MIRROR") {
        words.push(bind(Path::new(mirror), mirror, true)?);
    }
    for Instead { file, of } in host.git_configs {
        // A path from the root stays below it, and an absolute one stays as it is.
        let at = Path::new(&workdir).join(of);
        words.push(bind(file, &at.to_string_lossy(), true)?);
    }
    let read_only = container.read_only;
    let target = if read_only { KEPT_TARGET.to_owned() } else { format!("{workdir}/target") };
    for (volume, at) in [(host.registry, KEPT_REGISTRY), (host.target, &target)] {
        words.extend(volume.map(|volume| mount_volume(container.engine, volume, at, read_only)));
    }
    words.extend(user_flag(container, host));
    words.extend(environment(container, job, host)?);
    words.extend(volumes(container, job)?);
    words.extend(ssh_agent(container, job, host)?);
    words.extend(container.network.iter().map(|network| format!("--network={network}")));
    words.extend(container.flags.iter().cloned());
    let program = program(container, command, host.target.is_some(), &workdir)?;
    words.extend(program.entrypoint.map(|entrypoint| format!("--entrypoint={entrypoint}")));
    words.push(image(container, job)?);
    words.extend(program.words);
    Ok(words)
}

/// The folder of the checkout in the container.
///
/// # Errors
/// Exit 2 if a variable is not set, or the path is not absolute.
fn workdir(container: &Container, job: &Job) -> Result<String> {
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

/// The mount of the folder that a worktree shares with others. A job reads commits from it and writes nothing.
fn git_folder(common: Option<&CommonFolder>, workdir: &str) -> Result<Option<String>> {
    let Some(common) = common else { return Ok(None) };
    let mut target = PathBuf::new();
    for part in Path::new(workdir).join(&common.written).components() {
        match part {
            Component::ParentDir => drop(target.pop()),
            Component::CurDir => {}
            part => target.push(part),
        }
    }
    bind(&common.path, &target.to_string_lossy(), true).map(Some)
}

/// The program that the container runs, with its arguments.
struct Program {
    entrypoint: Option<String>,
    words: Vec<String>,
}

/// The command for its shell. The shell runs under our wrapper if it can ([`Container::is_wrapped`]).
fn program(container: &Container, command: &str, target: bool, workdir: &str) -> Result<Program> {
    let own: Vec<String> = match &container.shell {
        Shell::Words(words) => words.iter().cloned().chain([command.to_owned()]).collect(),
        Shell::None => vec![command.to_owned()],
        Shell::Split => shell_words::split(command)?,
    };
    if container.emulated {
        return Ok(Program { entrypoint: None, words: emulated(&container.shell, own) });
    }
    if !container.is_wrapped() {
        return Ok(Program { entrypoint: container.entrypoint.clone(), words: own });
    }
    let own = container.entrypoint.iter().filter(|program| !program.is_empty()).cloned().chain(own);
    let mut words: Vec<String> = ["hook", "inside"].map(str::to_owned).into();
    words.push(format!("--checkout={workdir}"));
    if target {
        words.push("--target".into());
    }
    if container.read_only {
        words.push("--read-only".into());
    }
    words.push("--".into());
    words.extend(own);
    Ok(match container.entrypoint {
        Some(_) => Program { entrypoint: Some(BINARY.into()), words },
        None => Program { entrypoint: None, words: [BINARY.to_owned()].into_iter().chain(words).collect() },
    })
}

/// Words for the entrypoint of the emulated image. It joins them with spaces, and a shell in its virtual
/// machine reads the result (`start_in_qemu.sh` of rust-vmm-container). The words are quoted, so that
/// they arrive there unchanged. With `shell: false` that shell reads the text itself.
fn emulated(shell: &Shell, words: Vec<String>) -> Vec<String> {
    match shell {
        Shell::Words(_) => words.iter().map(|word| shell_words::quote(word).into_owned()).collect(),
        Shell::None | Shell::Split => words,
    }
}

fn user_flag(container: &Container, host: &Host) -> Option<String> {
    match &container.user {
        User::Image => None,
        User::Agent => Some(format!("--user={}:{}", host.owner.0, host.owner.1)),
        User::Named(name) => Some(format!("--user={name}")),
    }
}

fn environment(container: &Container, job: &Job, host: &Host) -> Result<Vec<String>> {
    let passed = variables::passed(&container.settings, job, host.env_file)?;
    let ours = [
        format!("{IN_CONTAINER}=1"),
        format!("{REPORT_VARIABLE}={MAILBOX}/{REPORT}"),
        format!("{IMAGE_VARIABLE}={}", image(container, job)?),
        // The checkout and its submodules belong to the agent's user. Git refuses to read what belongs
        // to another user than its own.
        "GIT_CONFIG_COUNT=1".into(),
        "GIT_CONFIG_KEY_0=safe.directory".into(),
        "GIT_CONFIG_VALUE_0=*".into(),
    ];
    let emulated = container.is_foreign.then(|| format!("{EMULATED}=1"));
    let mut words: Vec<String> =
        ours.into_iter().chain(emulated).chain(passed.words).map(|word| format!("--env={word}")).collect();
    for path in &passed.mounts {
        words.push(bind(Path::new(path), path, true)?);
    }
    Ok(words)
}

/// The volumes of the option `volumes`. A source that is `.` or begins with `./` is a path in the checkout
/// (docker plugin's rule).
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

/// The mounts for the SSH agent and for the file `known_hosts` (docker plugin's rule).
fn ssh_agent(container: &Container, job: &Job, host: &Host) -> Result<Vec<String>> {
    let home = match container.settings.given("mount-ssh-agent") {
        Some(Given::Text(home)) => home.as_str(),
        Some(Given::Flag(true)) => "/root",
        _ => return Ok(Vec::new()),
    };
    let socket = job.variable("SSH_AUTH_SOCK").ok_or_else(|| {
        exit::usage(
            "docker.mount-ssh-agent: SSH_AUTH_SOCK is not set: does an SSH agent run on this machine?",
        )
    })?;
    let mut words =
        vec!["--env=SSH_AUTH_SOCK=/ssh-agent".into(), bind(Path::new(socket), "/ssh-agent", false)?];
    if let Some(known) = host.known_hosts {
        words.push(bind(known, &format!("{home}/.ssh/known_hosts"), true)?);
    }
    Ok(words)
}

/// Mounts a path of the host. Unlike `--volume`, this fails if the path does not exist.
///
/// # Errors
/// Exit 3 for a path that docker cannot take.
pub fn bind(source: &Path, target: &str, read_only: bool) -> Result<String> {
    let Some(source) = source.to_str() else {
        let shown = source.display();
        return Err(exit::infrastructure(format!("{shown}: docker takes no path that is not UTF-8")));
    };
    let read_only = if read_only { ",readonly" } else { "" };
    let (source, target) = (field("source", source), field("target", target));
    Ok(format!("--mount=type=bind,{source},{target}{read_only}"))
}

/// A field of `--mount`. The engine reads the whole value as a line of CSV.
fn field(name: &str, value: &str) -> String {
    if value.contains([',', '"', '\n']) {
        return format!("\"{name}={}\"", value.replace('"', "\"\""));
    }
    format!("{name}={value}")
}

/// Mounts a named volume. The engine creates it if it does not exist.
fn mount_volume(engine: Engine, name: &str, target: &str, read_only: bool) -> String {
    let label = match engine {
        Engine::Docker => ",volume-label=com.github.rust-vmm.ci=cache",
        // Podman 4.3 takes no label here.
        Engine::Podman => "",
    };
    let read_only = if read_only { ",readonly" } else { "" };
    format!("--mount=type=volume,{},{}{read_only}{label}", field("source", name), field("target", target))
}

#[cfg(test)]
mod tests;
