//! The second step: which checks the job runs.

use super::facts;
use super::gather::Gathered;
use super::request::{Request, Task};
use anyhow::Result;
use rust_vmm_ci_core::config::{Config, Jobs};
use rust_vmm_ci_core::exit::usage;
use rust_vmm_ci_core::pipeline::{Group, Groups};
use rust_vmm_ci_core::plan::{self, Asked, Facts, Plan, Planner};
use tracing::debug;

/// Plans a job. A step's own command has no checks.
///
/// # Errors
/// As [`plan::for_run`]; exit 2 where none of the checks runs on the emulated platform.
pub fn plan(gathered: &Gathered, request: &Request) -> Result<Plan> {
    let Task::Checks(options) = &request.task else {
        return Ok(Plan { checks: Vec::new(), notes: Vec::new() });
    };
    let target = gathered.target;
    let others = gathered.others.iter().map(|(other, facts)| (other.config(), facts));
    let parts: Vec<(&Config, &Facts)> =
        std::iter::once((gathered.config(), &gathered.facts)).chain(others).collect();
    let mut asked = Asked { names: Vec::new(), packages: options.packages.clone() };
    for name in &options.names {
        match of_job(gathered, name, &parts)? {
            Some(labels) => asked.names.extend(labels),
            None => asked.names.push(name.clone()),
        }
    }
    let mut plan = plan::for_run_of_all(&parts, target.platform, target.os, &asked)?;
    if target.platform.is_emulated() {
        // As in an upload: a check that is for no particular platform runs on another platform's machine.
        plan.checks.retain(|check| check.platform == Some(target.platform));
        if plan.checks.is_empty() {
            return Err(usage(format!(
                "there is no check of {} to run; `rust-vmm-ci list` shows them",
                target.platform
            )));
        }
    }
    for check in &plan.checks {
        debug!("planned: {}: {}", check.label, check.command);
    }
    Ok(plan)
}

/// The labels of the checks in a job of several checks, by the label of the job's step: `checks-x86_64`, or
/// `checks-x86_64 (1/3)` where a platform has several jobs. None where no job has the label.
fn of_job(gathered: &Gathered, name: &str, parts: &[(&Config, &Facts)]) -> Result<Option<Vec<String>>> {
    for (config, facts) in parts.iter().filter(|(config, _)| config.jobs == Jobs::PerPlatform) {
        let planner = Planner::for_upload(config, facts)?;
        if planner.names().contains(name) || planner.is_label(name) {
            continue;
        }
        let mut checks = Vec::new();
        planner.visit(&mut |check| {
            checks.push(check);
            Ok(())
        })?;
        let times = facts::times(gathered.root(), config)?;
        let groups = Groups::of(checks, config, &times)?.jobs;
        let is_meant = |group: &&Group| {
            let plain = group.label.rsplit_once(" (").map_or(group.label.as_str(), |(plain, _)| plain);
            group.label == name || plain == name
        };
        let labels = groups.iter().filter(is_meant).flat_map(|group| &group.checks);
        let labels: Vec<String> = labels.map(|check| check.label.as_str().to_owned()).collect();
        if !labels.is_empty() {
            return Ok(Some(labels));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{checks, gathered};
    use super::*;
    use rust_vmm_ci_core::model::Platform;

    #[test]
    fn an_emulated_platform_has_the_checks_that_are_for_it_and_no_others() {
        let gathered = gathered("platform: riscv64");
        let plan = plan(&gathered, &checks(&[])).unwrap();
        assert!(!plan.checks.is_empty());
        for check in plan.checks {
            assert_eq!(check.platform, Some(Platform::Riscv64), "{}", check.label);
        }
    }

    #[test]
    fn an_emulated_platform_without_checks_is_refused() {
        let gathered = gathered("{platform: riscv64, standard: false, steps: [{label: a, command: b}]}");
        let error = plan(&gathered, &checks(&[])).unwrap_err();
        assert!(error.to_string().contains("no check of riscv64"), "{error}");
    }

    #[test]
    fn the_command_of_a_step_needs_no_plan() {
        let request = Request { task: Task::OwnCommand("true".into()), ..checks(&[]) };
        assert!(plan(&gathered("{}"), &request).unwrap().checks.is_empty());
    }
}
