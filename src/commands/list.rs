//! `list`: the checks by platform, with their commands and where each came from.

use crate::job::{Repository, Selection};
use anyhow::Result;
use comfy_table::{Cell, ContentArrangement, Row, Table, presets};
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
        say::line(format_args!("\n{title}\n{}", fitted(table, say::width())));
    }
    if by_platform.is_empty() {
        say::line("no check: every check is left out, or the files describe none");
    }
    let mut opt_in = table(["check", "holds", "add it by"]);
    for check in planner.not_added() {
        opt_in.add_row([check.name, check.holds, &format!("checks: {{{}: true}}", check.name)]);
    }
    if !opt_in.is_empty() {
        say::line(format_args!("\nopt-in, and not in\n{}", fitted(&opt_in, say::width())));
    }
    Ok(planner.notes())
}

/// The table. Where it is wider than the terminal, the cells of a row are below each other, so that no word is
/// broken.
fn fitted(table: &Table, width: Option<usize>) -> String {
    let whole = table.to_string();
    if width.is_none_or(|width| whole.lines().all(|line| line.trim_end().chars().count() <= width)) {
        return whole;
    }
    let names: Vec<String> = table.header().into_iter().flat_map(Row::cell_iter).map(Cell::content).collect();
    let mut lines = Vec::new();
    for row in table.row_iter() {
        for (name, cell) in names.iter().zip(row.cell_iter()) {
            let first = *name == names[0];
            lines.push(if first { cell.content() } else { format!("  {name}: {}", cell.content()) });
        }
    }
    lines.join("\n")
}

fn table(header: [&str; 3]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(header);
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_that_is_too_wide_has_its_cells_below_each_other() {
        let mut wide = table(["check", "command", "from"]);
        wide.add_row(["style", "cargo fmt", "standard"]);
        assert_eq!(fitted(&wide, Some(20)), "style\n  command: cargo fmt\n  from: standard");
        assert_eq!(fitted(&wide, Some(80)), wide.to_string());
        assert_eq!(fitted(&wide, None), wide.to_string());
    }
}
