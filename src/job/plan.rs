//! The second step: which checks the job runs.

use super::gather::Gathered;
use super::request::{Request, Task};
use anyhow::Result;
use rust_vmm_ci_core::exit::usage;
use rust_vmm_ci_core::plan::{self, Asked, Plan};
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
    let asked = Asked { names: options.names.clone(), packages: options.packages.clone() };
    let mut plan = plan::for_run(gathered.config(), &gathered.facts, target.platform, target.os, asked)?;
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
