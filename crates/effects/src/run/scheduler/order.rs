//! The order in which checks begin.

use rust_vmm_ci_core::checks::Work;
use rust_vmm_ci_core::checks::cargo::CargoCommand;
use rust_vmm_ci_core::plan::PlannedCheck;

/// The order in which the checks begin. It is that of the plan, with one exception. Checks that only need the metadata
/// of dependencies begin after those that compile dependencies in debug mode. Then the metadata is there, and rustc
/// does not run for it again (see the module `cargo::dependencies`).
pub(super) fn order(plan: &[PlannedCheck]) -> Vec<usize> {
    let command = |index: usize| match &plan[index].work {
        Work::Cargo { command, .. } => Some(command),
        _ => None,
    };
    let compiles = |index: &usize| {
        let in_debug = |command: &CargoCommand| {
            !command.has("--release") && !command.has("-r") && command.value_of("--profile").is_none()
        };
        command(*index)
            .is_some_and(|command| ["build", "test"].contains(&&*command.verb) && in_debug(command))
    };
    let checks = |index: &usize| {
        command(*index).is_some_and(|command| ["check", "clippy", "doc"].contains(&&*command.verb))
    };
    let end = (0..plan.len()).rev().find(compiles).map_or(0, |last| last + 1);
    let (later, mut order): (Vec<usize>, Vec<usize>) = (0..end).partition(checks);
    order.extend(later);
    order.extend(end..plan.len());
    order
}
