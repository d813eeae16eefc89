//! Turns the written options into a container. Every default is filled in afterwards.

use super::engine::check_image;
use super::options::Given;
use super::settings::Settings;
use super::{Container, Engine, Place, Pull, Shell, User};
use anyhow::Result;
use rust_vmm_ci_core::config::Policy;
use rust_vmm_ci_core::config::untrusted;
use rust_vmm_ci_core::config::{Cache, Change, DockerChoice};
use rust_vmm_ci_core::exit;
use rust_vmm_ci_core::model::{Origin, Os, Platform, pinned_image};
use serde_json::{Map, Value, json};

/// The ending of an image's tag for an emulated platform (predecessor's rule).
const EMULATED: &str = "-riscv";
/// The folder of the checkout in a container (docker plugin's default).
const WORKDIR: &str = "/workdir";
/// The most that all kept target directories may take together, in gigabytes, unless the policy has a
/// value.
const TARGET_GIGABYTES: u64 = 20;

/// The properties of the work that decide about its container.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// The operating system that the work is for.
    pub os: Os,
    /// The platform that the work is for.
    pub platform: Platform,
    /// The platform of this machine, where it is one of ours.
    pub here: Option<Platform>,
    /// Whether the container is privileged unless an option says otherwise. This is so for tests and
    /// coverage (predecessor's rule).
    pub privileged: bool,
    /// The repository's option `cache`, if it is set.
    pub cache: Option<Cache>,
    /// Whether this process already runs in one of our containers. Containers are not nested.
    pub nested: bool,
    /// Whose change the work is for.
    pub change: Change,
}

/// Decides where the work is done.
///
/// # Errors
/// Exit 2 with the key path for a mistake in the repository's options, exit 3 for one in the policy. Exit 3
/// too for what the policy does not allow to a change that is not trusted.
pub fn resolve(choice: &DockerChoice, wanted: Wanted, policy: &Policy) -> Result<Place> {
    if wanted.nested {
        return Ok(Place::Host);
    }
    let place = place(choice, wanted, policy)?;
    if place == Place::Host && policy.untrusted.covers(wanted.change) {
        return Err(not_allowed("docker", "its jobs may not run on the host", wanted, policy));
    }
    Ok(place)
}

/// The error for something that the policy does not allow to a change that is not trusted.
fn not_allowed(key: &str, why: &str, wanted: Wanted, policy: &Policy) -> anyhow::Error {
    let (change, file) = (wanted.change, &policy.file);
    exit::infrastructure(format!(
        "{key}: this job builds {change}, which the agent's policy {file} does not trust (`untrusted`): {why}"
    ))
}

fn place(choice: &DockerChoice, wanted: Wanted, policy: &Policy) -> Result<Place> {
    if wanted.os == Os::Windows {
        return match choice {
            DockerChoice::Options(_) => {
                Err(exit::usage("docker: there is no container for Windows; write: false"))
            }
            _ => Ok(Place::Host),
        };
    }
    let defaults = defaults(wanted);
    let Some(mut settings) = Settings::of(choice, &defaults, policy)? else { return Ok(Place::Host) };
    if policy.untrusted.covers(wanted.change) {
        restrict(&mut settings, wanted, policy)?;
    }
    container(settings, wanted, policy).map(|container| Place::Container(Box::new(container)))
}

/// Removes from a container everything that a job of a change that is not trusted must not have.
///
/// # Errors
/// Exit 3 if the repository or the policy's flags ask for something that is not allowed.
fn restrict(settings: &mut Settings, wanted: Wanted, policy: &Policy) -> Result<()> {
    // An upload writes the defaults of a test's container into its step. They are nobody's choice.
    let written_out = wanted.privileged && settings.has_written_out_defaults();
    for (name, setting) in settings.iter() {
        if !matches!(setting.origin, Origin::Option(_)) || (name == "privileged" && written_out) {
            continue;
        }
        if let Some(why) = untrusted::refusal(name, &setting.given) {
            return Err(not_allowed(&format!("docker.{name}"), why, wanted, policy));
        }
    }
    if policy.run_options.iter().any(|flag| flag == "--privileged" || flag == "--privileged=true") {
        let key = "run-options of the policy";
        return Err(not_allowed(key, "its container may not be privileged", wanted, policy));
    }
    if settings.flag("privileged") {
        settings.notes.push(format!(
            "docker.privileged: this job builds {}, which the agent's policy {} does not trust: its container \
             is not privileged",
            wanted.change, policy.file
        ));
        settings.remove("privileged");
    }
    Ok(())
}

fn defaults(wanted: Wanted) -> Map<String, Value> {
    let mut map = Map::new();
    map.insert("image".into(), json!(pinned_image(Some(wanted.platform))));
    map.insert("always-pull".into(), json!(true));
    if wanted.privileged {
        map.insert("privileged".into(), json!(true));
    }
    map
}

fn container(settings: Settings, wanted: Wanted, policy: &Policy) -> Result<Container> {
    let (engine, oci_runtime) = match settings.text("runtime") {
        None | Some("docker") => (Engine::Docker, None),
        Some("podman") => (Engine::Podman, None),
        // In the docker plugin this option names the OCI runtime of docker.
        Some(other) => (Engine::Docker, Some(other.to_owned())),
    };
    let image = image(&settings, engine, wanted.platform, policy)?;
    let platform = settings
        .text("platform")
        .map_or_else(|| format!("linux/{}", wanted.platform.of_image().image_architecture()), str::to_owned);
    let machine = Platform::of_image_platform(&platform);
    let entrypoint = settings.text("entrypoint").map(str::to_owned);
    let shell = match settings.given("shell") {
        Some(Given::List(words)) if !words.is_empty() => Shell::Words(words.clone()),
        None if entrypoint.is_none() => Shell::Words(["/bin/sh", "-e", "-c"].map(str::to_owned).into()),
        _ => Shell::None,
    };
    let user = match (settings.text("user"), settings.flag("propagate-uid-gid")) {
        (Some(_), true) => {
            return Err(exit::usage("docker.user: cannot be set together with `propagate-uid-gid`"));
        }
        (Some(user), false) => User::Named(user.to_owned()),
        (None, true) => User::Agent,
        (None, false) => User::Image,
    };
    let workdir = settings.text("workdir").unwrap_or(WORKDIR).to_owned();
    let mut flags = settings.run_flags();
    flags.extend(oci_runtime.map(|name| format!("--runtime={name}")));
    if let Some(namespace) = settings.text("userns") {
        // Docker accepts only this one for a privileged container.
        let namespace = if settings.flag("privileged") { "host" } else { namespace };
        flags.push(format!("--userns={namespace}"));
    }
    flags.extend(policy.run_options.iter().cloned());
    let forced = policy.cache.filter(|_| policy.forces("cache"));
    let tries = match settings.given("pull-retries") {
        Some(Given::Count(tries)) => *tries,
        _ => 3,
    };
    Ok(Container {
        engine,
        image,
        is_foreign: machine.is_some() && wanted.here.is_some() && machine != wanted.here,
        platform,
        machine,
        pull: Pull { always: settings.flag("always-pull"), tries },
        emulated: wanted.platform.is_emulated() && entrypoint.is_none(),
        workdir,
        init: settings.given("init") != Some(&Given::Flag(false)),
        shell,
        entrypoint,
        user,
        network: settings.text("network").map(str::to_owned),
        flags,
        cache: forced.or(wanted.cache).or(policy.cache).unwrap_or_default(),
        read_only: wanted.change != Change::Own || policy.untrusted.covers(wanted.change),
        target_bytes: policy.target_gigabytes.unwrap_or(TARGET_GIGABYTES).saturating_mul(1_000_000_000),
        settings,
    })
}

/// The name of the image. An image of Docker Hub is taken from the policy's mirror, if there is one.
fn image(settings: &Settings, engine: Engine, platform: Platform, policy: &Policy) -> Result<String> {
    let pinned = pinned_image(Some(platform));
    let mut written = settings.text("image").unwrap_or(&pinned).to_owned();
    check_image(&written)?;
    // The policy names one image for every job, but only the image with this ending has the emulator.
    let of_policy = matches!(settings.origin("image"), Some(Origin::Policy(_)));
    if platform.is_emulated() && of_policy && !written.ends_with(EMULATED) {
        // An image that is named by its digest has no variant with the emulator.
        if written.contains('@') { written.clone_from(&pinned) } else { written.push_str(EMULATED) }
    }
    if settings.flag("expand-image-vars") && written.contains('$') {
        return Ok(written);
    }
    // The first part of a name is a registry if it can be a host name (docker's rule).
    let first = written.split_once('/').map(|(first, _)| first);
    let of_registry = first.is_some_and(|host| host.contains(['.', ':']) || host == "localhost");
    let of_hub = written.strip_prefix("docker.io/").or((!of_registry).then_some(written.as_str()));
    Ok(match (&policy.registry_mirror, of_hub) {
        (Some(mirror), Some(name)) if name.contains('/') => format!("{mirror}/{name}"),
        (Some(mirror), Some(name)) => format!("{mirror}/library/{name}"),
        // Podman would ask the user which registry a short name belongs to.
        (None, Some(name)) if engine == Engine::Podman && written == pinned => format!("docker.io/{name}"),
        _ => written,
    })
}

#[cfg(test)]
mod tests;
