//! What is installed: this program, git, the agent, Rust and a container engine.

use super::{Line, State};
use crate::job::environment::variable;
use crate::job::policy;
use rust_vmm_ci_core::config::{DockerChoice, require_version};
use rust_vmm_ci_core::model::Os;
use rust_vmm_ci_effects::container::Engine;
use rust_vmm_ci_effects::process::{self, Command, TemporaryFolder};
use rust_vmm_ci_effects::run::Toolchain;
use semver::Version;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long a program may take to answer.
const WITHIN: Duration = Duration::from_secs(20);
/// The label of the container with which the engine is tried.
const LABEL: &str = "com.github.rust-vmm.ci=doctor";

/// Looks at what is installed.
pub fn look() -> Vec<Line> {
    let mut lines = vec![binary(), git(), agent()];
    let engine = engine();
    let has_engine = matches!(engine.state, State::Good);
    lines.extend(rust(has_engine));
    lines.push(engine);
    lines
}

/// Compares this program's version with the plugin's, which the hooks pass on.
fn binary() -> Line {
    let version = env!("CARGO_PKG_VERSION");
    let path =
        std::env::current_exe().map_or_else(|_| "an unknown path".into(), |path| path.display().to_string());
    let text = format!("{version}, {path}");
    let hooks = variable("RUST_VMM_CI_HOOKS_VERSION");
    let Ok(parsed) = Version::parse(version) else { return Line::good("binary", text) };
    match require_version(None, hooks.as_deref(), &parsed) {
        Ok(()) => Line::good("binary", text),
        Err(error) => Line::fault("binary", text, format!("{error:#}")),
    }
}

/// git, which must be 2.29 or newer (the first with all that this program asks of it).
fn git() -> Line {
    let mend = "install git 2.29 or newer";
    match ask("git", &["--version"]) {
        Err(_) => Line::fault("git", "it is not on PATH", mend),
        Ok(said) => match numbers(&said) {
            Some((major, minor)) if (major, minor) < (2, 29) => {
                Line::fault("git", format!("{major}.{minor} is too old"), mend)
            }
            Some((major, minor)) => Line::good("git", format!("{major}.{minor}")),
            None => Line::missing("git", format!("an unknown version: {}", said.trim()), mend),
        },
    }
}

/// The first two numbers of a version in a text.
fn numbers(text: &str) -> Option<(u64, u64)> {
    let word = text.split_whitespace().find(|word| word.starts_with(|first: char| first.is_ascii_digit()))?;
    let mut parts =
        word.split('.').map(|part| part.trim_end_matches(|last: char| !last.is_ascii_digit()).parse());
    Some((parts.next()?.ok()?, parts.next()?.ok()?))
}

fn agent() -> Line {
    match ask("buildkite-agent", &["--version"]) {
        Ok(said) => Line::good("agent", said.trim().to_owned()),
        Err(_) => Line::missing(
            "agent",
            "buildkite-agent is not on PATH",
            "on an agent, put its folder on PATH; elsewhere it is not needed",
        ),
    }
}

/// Cargo and the musl target. A job in a container uses those of the image.
fn rust(has_engine: bool) -> Vec<Line> {
    let cargo = match ask("cargo", &["--version"]) {
        Ok(said) => Line::good("cargo", said.trim().to_owned()),
        Err(_) if has_engine => {
            return vec![Line::missing(
                "cargo",
                "it is not on PATH",
                "install Rust for jobs without a container",
            )];
        }
        Err(_) => {
            let text = "it is not on PATH, and there is no container engine";
            return vec![Line::fault("cargo", text, "install Docker, Podman or Rust")];
        }
    };
    if Os::of_this_machine() != Some(Os::Linux) {
        return vec![cargo];
    }
    let target = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
    let folder = ask("rustc", &["--print", "target-libdir", "--target", &target]);
    let musl = match folder {
        Ok(folder) if Path::new(folder.trim()).is_dir() => {
            Line::good("target", format!("{target} is installed"))
        }
        _ => {
            let add = format!("target add {target}");
            let remedy = Toolchain::find(Path::new("."), &[]).map_or_else(
                |_| format!("rustup {add}"),
                |toolchain| toolchain.remedy(&add, &format!("the standard library of {target}")),
            );
            Line::missing("target", format!("{target} is not installed"), remedy)
        }
    };
    vec![cargo, musl]
}

/// The container engine, and whether it sees the folders that jobs mount.
fn engine() -> Line {
    if Os::of_this_machine() != Some(Os::Linux) {
        return Line::good("engine", "jobs have no container on this system");
    }
    if variable("BUILDKITE_KUBERNETES_EXEC").is_some_and(|value| value == "true") {
        return Line::good("engine", "none is needed: in Kubernetes a job runs in the container of its pod");
    }
    let mut complaints = Vec::new();
    for engine in [Engine::Docker, Engine::Podman] {
        let program = engine.program();
        if which::which(program).is_err() {
            continue;
        }
        match ask(program, &["info", "--format", "{{.ID}}{{.Host.Hostname}}"])
            .or_else(|_| ask(program, &["info"]))
        {
            Ok(_) if engine == Engine::Docker || podman_is_chosen() => return sees_folders(engine),
            Ok(_) => complaints.push(
                "podman answers, and jobs use Docker unless `docker: {runtime: podman}` says otherwise"
                    .to_owned(),
            ),
            Err(complaint) => {
                complaints.push(format!("{program}: {}", complaint.lines().last().unwrap_or_default()));
            }
        }
    }
    let mend = "start the daemon, and add the agent's user to the group docker; or write `docker: false`, or \
                `docker: {runtime: podman}`";
    if complaints.is_empty() {
        return Line::missing(
            "engine",
            "neither Docker nor Podman is on PATH",
            "install one; or write `docker: false`",
        );
    }
    Line::fault("engine", complaints.join("; "), mend)
}

/// Whether the agent's policy makes jobs use Podman.
fn podman_is_chosen() -> bool {
    let Ok(policy) = policy() else { return false };
    let DockerChoice::Options(options) = &policy.docker else { return false };
    options.get("runtime").and_then(|runtime| runtime.as_str()) == Some("podman")
}

/// Whether the engine mounts a new folder below the temporary folder. It is tried with an image that is there:
/// nothing is pulled, and the container is not started.
fn sees_folders(engine: Engine) -> Line {
    let program = engine.program();
    let works = |more: &str| Line::good("engine", format!("{program} answers; {more}"));
    let images = ask(program, &["image", "ls", "--quiet"]).unwrap_or_default();
    let (Some(image), Ok(folder)) = (images.lines().next(), TemporaryFolder::make()) else {
        return works("there is no image to try with whether it sees the agent's folders");
    };
    let mount = format!("type=bind,source={},target=/doctor", folder.path().display());
    let created = ask(program, &["create", "--label", LABEL, "--mount", &mount, image, "true"]);
    // By the label, because a killed doctor could not remove its own.
    let removed = engine.remove_containers(LABEL, 1, Instant::now() + WITHIN);
    match (created, removed) {
        (Err(complaint), _) => Line::fault(
            "engine",
            format!("{program} does not see {}: {complaint}", folder.path().display()),
            "set TMPDIR in the agent's environment hook to a folder that both see",
        ),
        (Ok(_), Err(failure)) => Line::fault(
            "engine",
            format!("{program} does not remove a container: {failure}"),
            format!("{program} rm --force $({program} ps --all --quiet --filter label={LABEL})"),
        ),
        (Ok(_), Ok(())) => works("it sees the agent's temporary folder"),
    }
}

/// What a program says on its standard output; else why it says nothing.
pub fn ask(program: &str, arguments: &[&str]) -> Result<String, String> {
    let command = Command::new(program).args(arguments.iter().copied()).within(WITHIN);
    match process::capture(&command) {
        Ok(said) if said.status.success() => Ok(said.text()),
        Ok(said) => Err(said.complaint()),
        Err(error) => Err(format!("{error:#}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_found_in_what_git_says_of_itself() {
        assert_eq!(numbers("git version 2.39.5 (Apple Git-154)"), Some((2, 39)));
        assert_eq!(numbers("git version 2.29.windows.1"), Some((2, 29)));
        assert_eq!(numbers("git"), None);
    }

    #[test]
    fn a_program_that_is_not_there_says_nothing() {
        assert!(ask("no-such-program-of-the-doctors", &[]).is_err());
    }
}
