//! `list`: the checks by platform, with their commands and where each came from.

use crate::job::{Repository, Selection};
use anyhow::Result;
use comfy_table::{ContentArrangement, Table, presets};
use rust_vmm_ci_core::config::Purpose;
use rust_vmm_ci_core::exit::Exit;
use rust_vmm_ci_core::model::Platform;
use rust_vmm_ci_core::model::shown::line;
use rust_vmm_ci_core::plan::Planner;
use rust_vmm_ci_effects::say;
use std::collections::BTreeMap;

/// Prints the list of every configuration.
///
/// # Errors
/// Exit 2 for what is wrong in the configuration, in files or in variables.
pub fn run(selection: &Selection) -> Result<Exit> {
    let mut notes: Vec<String> = Vec::new();
    for (index, repository) in Repository::all(selection, Purpose::Show)?.iter().enumerate() {
        if index > 0 {
            say::line("");
        }
        for note in list(repository)? {
            if !notes.contains(&note) {
                notes.push(note);
            }
        }
    }
    notes.iter().for_each(say::note);
    Ok(Exit::Passed)
}

/// Prints the list of one configuration, and returns its notes.
fn list(repository: &Repository) -> Result<Vec<String>> {
    let (found, facts) = (&repository.found, repository.facts(false)?);
    let planner = Planner::for_upload(&found.config, &facts)?;
    let mut by_platform: BTreeMap<Option<Platform>, Table> = BTreeMap::new();
    planner.visit(&mut |check| {
        let table = by_platform.entry(check.platform).or_insert_with(|| table(["check", "command", "from"]));
        let (command, source) = (check.plain_command(), check.step.source.to_string());
        table.add_row([check.label.as_str(), &command, &source].map(line));
        Ok(())
    })?;
    say::line(format_args!("configuration: {}", found.from));
    for (platform, table) in &by_platform {
        let title = platform.map_or("any platform", Platform::as_str);
        say::line(format_args!("\n{title}\n{table}"));
    }
    if by_platform.is_empty() {
        say::line("no check: every check is left out, or the files describe none");
    }
    let mut opt_in = table(["check", "holds", "add it by"]);
    for check in planner.not_added() {
        opt_in.add_row([check.name, check.holds, &format!("checks: {{{}: true}}", check.name)]);
    }
    if !opt_in.is_empty() {
        say::line(format_args!("\nopt-in, and not in\n{opt_in}"));
    }
    Ok(planner.notes())
}

fn table(header: [&str; 3]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(header);
    table
}
