//! A job's values, made without a repository, an environment or an agent.

use super::environment::Environment;
use super::gather::{Gathered, Repository, Target};
use super::machine::Machine;
use super::request::{PlaceRule, Request, RunOptions, Task};
use rust_vmm_ci_core::config::{Config, Found};
use rust_vmm_ci_core::model::{Os, Platform};
use rust_vmm_ci_core::plan::Facts;
use rust_vmm_ci_core::workspace::MemoryFiles;
use rust_vmm_ci_effects::container::{Emulation, Policy};
use rust_vmm_ci_effects::run::JobFacts;
use std::path::Path;

/// What is gathered for these options (YAML) on a Linux machine (`x86_64`) without a policy.
pub fn gathered(options: &str) -> Gathered {
    let config = Config::parse(&serde_saphyr::from_str(options).unwrap()).unwrap();
    let files = MemoryFiles::of(&[("Cargo.toml", "[package]\nname = \"a\"\n")]);
    let target = Target {
        platform: config.platforms.as_ref().map_or(Platform::X86_64, |platforms| platforms[0]),
        os: config.os.unwrap_or(Os::Linux),
    };
    Gathered {
        facts: Facts::read(&files, &|_| None, &config, false).unwrap(),
        repository: Repository {
            root: "/checkout".into(),
            found: Found { config, from: "the test".into(), reference: None, step: None },
            config_file: None,
        },
        others: Vec::new(),
        target,
        environment: Environment::of(&|_| None, false),
        machine: Machine { cores: 2, memory: None, platform: Some(Platform::X86_64), os: Some(Os::Linux) },
        emulation: Emulation::Unknown,
        policy: Policy::default(),
        job: JobFacts::new(Path::new("/checkout")),
    }
}

/// The command hook's request to run these checks.
pub fn checks(names: &[&str]) -> Request {
    let names = names.iter().map(|name| (*name).to_owned()).collect();
    Request {
        task: Task::Checks(RunOptions { names, ..RunOptions::default() }),
        place: PlaceRule::Configured,
        plain_run: None,
    }
}
