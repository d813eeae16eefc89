//! `list`: the checks by platform, with their commands and where each came from.

use crate::job::{Repository, Selection};
use anyhow::Result;
use comfy_table::{ContentArrangement, Table, presets};
use rust_vmm_ci_core::config::Mode;
use rust_vmm_ci_core::exit::Exit;
use rust_vmm_ci_core::model::Platform;
use rust_vmm_ci_core::plan::{PlannedCheck, Planner, Work};
use std::collections::BTreeMap;

/// Prints the list.
///
/// # Errors
/// Exit 2 for what is wrong in the configuration, in files or in variables.
pub fn run(selection: &Selection) -> Result<Exit> {
    let repository = Repository::find(selection, Mode::Run)?;
    let (found, facts) = (&repository.found, repository.facts(false)?);
    let planner = Planner::for_upload(&found.config, &facts)?;
    let mut by_platform: BTreeMap<Option<Platform>, Table> = BTreeMap::new();
    planner.visit(&mut |check| {
        let table = by_platform.entry(check.platform).or_insert_with(table);
        table.add_row([check.label.as_str(), &what(&check), &check.step.source.to_string()]);
        Ok(())
    })?;
    println!("configuration: {}", found.from);
    for (platform, table) in &by_platform {
        let title = platform.map_or("any platform", Platform::as_str);
        println!("\n{title}\n{table}");
    }
    if by_platform.is_empty() {
        println!("no check: every one is left out, or the files describe none");
    }
    for note in planner.notes() {
        eprintln!("note: {note}");
    }
    Ok(Exit::Passed)
}

fn table() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["check", "command", "from"]);
    table
}

/// What a check runs, as a person would type it without this program where that can be said.
fn what(check: &PlannedCheck) -> String {
    match &check.work {
        Work::Cargo(command, _) => command.to_string(),
        Work::Shell(script) => script.clone(),
        Work::Coverage | Work::CommitFormat | Work::Audit | Work::Bench => check.command.clone(),
    }
}
