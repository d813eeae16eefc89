//! `explain`: why a step is there or not, and where every value in it came from.

use super::{configuration, facts, pipeline};
use crate::cli::Common;
use crate::config::Mode;
use crate::exit::Exit;
use crate::plan::{Explained, Planner};
use anyhow::Result;
use std::fmt::Write as _;

/// Prints what there is to say of a label or a check's name.
///
/// # Errors
/// Exit 2 where nothing goes by it, and for what is wrong in the configuration, in files or in
/// variables.
pub fn run(common: &Common, label: &str) -> Result<Exit> {
    let root = configuration::root(common)?;
    let found = pipeline::with_command_line(configuration::find(common, &root, Mode::Upload)?, common);
    let facts = facts::read(&root, &found.config, false)?;
    let planner = Planner::for_upload(&found.config, &facts)?;
    let steps: Vec<String> = planner.explain(label)?.iter().map(told).collect();
    print!("{}", steps.join("\n"));
    Ok(Exit::Passed)
}

/// One step's lines.
fn told(step: &Explained) -> String {
    let mut text = format!("{}\n", step.label);
    let enabled =
        step.enabled_by.as_ref().map_or(String::new(), |origin| format!("; its platform: {origin}"));
    let _ = match &step.out {
        None => writeln!(text, "  is a step: described by {}{enabled}", step.source),
        Some(reason) => writeln!(text, "  is no step: {reason} (described by {})", step.source),
    };
    let width = step.lines.iter().map(|line| line.key.chars().count()).max().unwrap_or_default();
    for line in &step.lines {
        let _ = writeln!(text, "  {:width$}  {}  ({})", line.key, line.value, line.origin);
    }
    text
}
