//! The first step: everything that a job depends on is read here, once, as values.

use super::configuration;
use super::environment::Environment;
use super::facts;
use super::machine::Machine;
use super::request::{PlaceRule, Request, Selection, Task};
use super::selection;
use anyhow::Result;
use rust_vmm_ci_core::checks::times::Times;
use rust_vmm_ci_core::config::{Config, DockerChoice, Found, Purpose, Select};
use rust_vmm_ci_core::exit::{infrastructure, usage};
use rust_vmm_ci_core::model::{Os, Platform};
use rust_vmm_ci_core::plan::Facts;
use rust_vmm_ci_effects::container::{self, Emulation, Policy};
use rust_vmm_ci_effects::run::JobFacts;
use rust_vmm_ci_effects::say;
use std::path::{Path, PathBuf};
use tracing::debug;

/// A repository with its configuration.
#[derive(Debug)]
pub struct Repository {
    /// The repository's root.
    pub root: PathBuf,
    /// The configuration, with the platform and the operating system of the command line in it.
    pub found: Found,
    /// The file that `--config` names.
    pub config_file: Option<PathBuf>,
}

impl Repository {
    /// Finds the repository of a hook's job, and reads the job's configuration.
    ///
    /// # Errors
    /// Exit 2 where there is no such folder, where the configuration is wrong, or where it asks for another
    /// version of this program.
    pub fn of_the_job(selection: &Selection) -> Result<Self> {
        let root = configuration::root(selection)?;
        let found = configuration::find(selection, &root)?;
        Ok(Self::with(selection, root, found))
    }

    /// Finds the repository, with each configuration that a command takes. Says which it leaves out.
    ///
    /// # Errors
    /// As [`Self::of_the_job`]; and exit 2 where `--step` names no step of the pipeline file.
    pub fn all(selection: &Selection, purpose: Purpose) -> Result<Vec<Self>> {
        let root = configuration::root(selection)?;
        let all = configuration::all(selection, &root, purpose)?;
        all.left_out.iter().for_each(say::note);
        Ok(all.found.into_iter().map(|found| Self::with(selection, root.clone(), found)).collect())
    }

    fn with(selection: &Selection, root: PathBuf, mut found: Found) -> Self {
        debug!("repository {}, configuration from {}", root.display(), found.from);
        if let Some(platform) = selection.platform {
            found.config.platforms = Some(vec![platform]);
        }
        found.config.os = selection.os.or(found.config.os);
        Self { root, found, config_file: selection.config.clone() }
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.found.config
    }

    /// Reads the repository's facts. `packages` asks for the workspace's members.
    ///
    /// # Errors
    /// As [`Facts::read`].
    pub fn facts(&self, packages: bool) -> Result<Facts> {
        facts::read(&self.root, self.config(), packages)
    }

    /// Reads the facts for an upload: with what the change reaches, where the option `select` asks for it.
    ///
    /// # Errors
    /// As [`Self::facts`].
    pub fn facts_of_upload(&self) -> Result<Facts> {
        let mut facts = self.facts(false)?;
        if self.config().select == Select::Changes {
            facts.selection = Some(selection::read(&self.root, self.config())?);
        }
        Ok(facts)
    }

    /// Reads the times by which an upload splits a platform's checks over jobs.
    ///
    /// # Errors
    /// As [`Times::read`].
    pub fn times(&self) -> Result<Times> {
        facts::times(&self.root, self.config())
    }
}

/// All that a job depends on.
#[derive(Debug)]
pub struct Gathered {
    /// The repository with its configuration.
    pub repository: Repository,
    /// The repository's facts; empty for a step's own command, which needs none.
    pub facts: Facts,
    /// Further configurations whose checks the job runs, each with its facts.
    pub others: Vec<(Repository, Facts)>,
    /// What the job is for.
    pub target: Target,
    /// What the environment says.
    pub environment: Environment,
    /// What this machine is.
    pub machine: Machine,
    /// Whether containers of this machine run the programs of the platform that the job is for. It is asked
    /// only where that is another platform than this machine's.
    pub emulation: Emulation,
    /// What the agent's administrator decided; empty where no container is in question.
    pub policy: Policy,
    /// What the checks have in common.
    pub job: JobFacts,
}

impl Gathered {
    /// Reads what a job in a repository depends on.
    ///
    /// # Errors
    /// Exit 2 for what is wrong in the repository's files or in variables, and where checks are for another
    /// machine and must run on this one. Exit 3 where the agent's policy is wrong.
    pub fn read(repository: Repository, others: Vec<Repository>, request: &Request) -> Result<Self> {
        let job = JobFacts::new(&repository.root);
        let mut machine = Machine::read();
        if request.options().is_some() && runs_here(repository.config(), request, &machine) {
            machine = machine.compiling_with(job.toolchain(&repository.root, &[]).ok().as_deref());
        }
        let target = Target::of(repository.config(), &machine);
        if request.place == PlaceRule::ThisMachine {
            // Before the plan: what is planned for another machine says nothing useful here.
            target.require(&machine)?;
        }
        let facts = match &request.task {
            Task::Checks(options) => repository.facts(!options.packages.is_empty())?,
            Task::OwnCommand(_) => Facts::default(),
        };
        let of_other = |other: Repository| {
            let facts = other.facts(request.options().is_some_and(|options| !options.packages.is_empty()))?;
            Ok((other, facts))
        };
        let others = others.into_iter().map(of_other).collect::<Result<_>>()?;
        let policy = match request.place {
            PlaceRule::ThisMachine => Policy::default(),
            PlaceRule::Container | PlaceRule::Configured => policy()?,
        };
        let emulation = match request.place {
            PlaceRule::ThisMachine => Emulation::Unknown,
            PlaceRule::Container | PlaceRule::Configured => emulation(repository.config(), target, &machine),
        };
        debug!("the job is for {} {}; {machine:?}; emulation: {emulation:?}", target.platform, target.os);
        let environment = Environment::read();
        Ok(Self { repository, facts, others, target, environment, machine, emulation, policy, job })
    }

    /// The repository's root.
    pub fn root(&self) -> &Path {
        &self.repository.root
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        self.repository.config()
    }
}

/// Whether the checks of a job run on this machine, as far as that is known before the place is chosen.
fn runs_here(config: &Config, request: &Request, machine: &Machine) -> bool {
    match request.place {
        PlaceRule::ThisMachine => true,
        PlaceRule::Container => false,
        PlaceRule::Configured => config.docker == DockerChoice::Off || machine.os == Some(Os::Windows),
    }
}

/// Whether containers of this machine run the programs of the platform that the job's image is for.
fn emulation(config: &Config, target: Target, machine: &Machine) -> Emulation {
    let named = match &config.docker {
        DockerChoice::Options(options) => options.get("platform").and_then(serde_json::Value::as_str),
        DockerChoice::Unset | DockerChoice::Off => None,
    };
    let image = match named {
        Some(name) => Platform::of_image_platform(name),
        None => Some(target.platform.of_image()),
    };
    match image {
        Some(image) if machine.os == Some(Os::Linux) && machine.platform != Some(image) => {
            Emulation::of(image)
        }
        _ => Emulation::Unknown,
    }
}

/// The agent's policy on this machine.
///
/// # Errors
/// Exit 3 where it is wrong, or where a variable names a file that is not there.
pub fn policy() -> Result<Policy> {
    let policy = container::policy(&container::Job::here(Path::new(".")))?;
    debug!("agent policy: {}", if policy.file.is_empty() { "none" } else { &policy.file });
    Ok(policy)
}

/// The platform and the operating system that a job is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// The platform.
    pub platform: Platform,
    /// The operating system.
    pub os: Os,
}

impl Target {
    /// The configured platform: this machine's where it is among several, else the first. Without
    /// configuration, this machine's platform and operating system.
    pub fn of(config: &Config, machine: &Machine) -> Self {
        let here = machine.platform.unwrap_or(Platform::X86_64);
        let configured = config.platforms.as_deref().unwrap_or_default();
        let other = if configured.contains(&here) { None } else { configured.first().copied() };
        Self { platform: other.unwrap_or(here), os: config.os.or(machine.os).unwrap_or(Os::Linux) }
    }

    /// Refuses a job that cannot run on this machine.
    ///
    /// # Errors
    /// Exit 2 where it is for another platform or operating system; exit 3 where no check runs on this
    /// machine.
    pub fn require(self, machine: &Machine) -> Result<()> {
        let here = machine.os.ok_or_else(|| {
            infrastructure(format!("checks run on Linux and Windows; this is {}", std::env::consts::OS))
        })?;
        if self.os != here {
            let other = self.os;
            return Err(usage(format!(
                "os: {other} is not this machine's ({here}); run it on an agent with `os={other}`, or print \
                 its steps with `rust-vmm-ci pipeline --os {other}`"
            )));
        }
        let here = machine.platform.ok_or_else(|| {
            infrastructure("checks run where rustc's host is x86_64 or aarch64; `rustc -vV` shows another")
        })?;
        let other = self.platform;
        if other == here {
            return Ok(());
        }
        let how = if other.is_emulated() {
            "it is emulated in a container: `rust-vmm-ci run --docker`".to_owned()
        } else {
            format!("run it on an agent with `platform={}`", other.agent_tag())
        };
        Err(usage(format!(
            "platform: {other} is not what rustc compiles for on this machine ({here}); {how}, or print its \
             steps with `rust-vmm-ci pipeline --platform {other}`"
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rust_vmm_ci_core::exit;

    const HERE: Machine =
        Machine { cores: 2, memory: None, platform: Some(Platform::X86_64), os: Some(Os::Linux) };

    fn target(platforms: &[Platform], os: Option<Os>) -> Target {
        let platforms = (!platforms.is_empty()).then(|| platforms.to_vec());
        Target::of(&Config { platforms, os, ..Config::default() }, &HERE)
    }

    #[test]
    fn a_job_is_for_this_machine_where_the_configuration_allows_it() {
        let here = Target { platform: Platform::X86_64, os: Os::Linux };
        assert_eq!(target(&[], None), here);
        assert_eq!(target(&[Platform::Aarch64, Platform::X86_64], None), here);
        assert_eq!(target(&[Platform::Aarch64, Platform::Riscv64], None).platform, Platform::Aarch64);
        assert_eq!(target(&[], Some(Os::Windows)).os, Os::Windows);
    }

    #[test]
    fn a_job_for_another_machine_is_refused_with_what_to_do() {
        let refusal = |platforms: &[Platform], os| {
            let error = target(platforms, os).require(&HERE).unwrap_err();
            assert_eq!(exit::of(&error), exit::Exit::Usage);
            error.to_string()
        };
        assert!(target(&[], None).require(&HERE).is_ok());
        assert!(refusal(&[Platform::Aarch64], None).contains("an agent with `platform=arm"));
        assert!(refusal(&[Platform::Riscv64], None).contains("`rust-vmm-ci run --docker`"));
        assert!(refusal(&[], Some(Os::Windows)).contains("an agent with `os=windows`"));
    }

    #[test]
    fn a_machine_that_no_check_runs_on_is_no_mistake_of_a_person() {
        let machine = Machine { platform: None, ..HERE };
        let error = Target::of(&Config::default(), &machine).require(&machine).unwrap_err();
        assert_eq!(exit::of(&error), exit::Exit::Infrastructure);
    }
}
