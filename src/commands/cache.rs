//! `cache`: lists and removes what is kept between the jobs of this machine.

use crate::cli::CacheCommand;
use anyhow::Result;
use comfy_table::{Table, presets};
use rust_vmm_ci_core::exit::Exit;
use rust_vmm_ci_core::model::shown;
use rust_vmm_ci_effects::container::{self, Job, Volume};
use rust_vmm_ci_effects::say;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// Lists or removes the volumes that are recorded for this user.
///
/// # Errors
/// Exit 3 if an engine cannot remove a volume.
pub fn cache(command: CacheCommand) -> Result<Exit> {
    let state = Job::here(Path::new(".")).state;
    let (volumes, none) = match (command, &state) {
        (CacheCommand::List, Some(state)) => (container::list(state), "nothing is kept"),
        (CacheCommand::Clean, Some(state)) => (container::clean(state)?, "nothing to remove"),
        (_, None) => (Vec::new(), "nothing is kept: this user has no home folder"),
    };
    if volumes.is_empty() {
        say::line(none);
        return Ok(Exit::Passed);
    }
    if let CacheCommand::Clean = command {
        say::line("removed:");
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    say::line(table(&volumes, now));
    Ok(Exit::Passed)
}

fn table(volumes: &[Volume], now: u64) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["volume", "of", "used", "size", ""]);
    for volume in volumes {
        let size = volume.bytes.map_or("not measured".into(), |bytes| format!("{} MB", bytes / 1_000_000));
        let in_use = if volume.locked { "in use" } else { "" };
        // The record is a file that other programs of this user can write.
        let (name, of) = (shown::line(&volume.name).to_string(), shown::line(&volume.of).to_string());
        table.add_row([name, of, ago(now.saturating_sub(volume.used)), size, in_use.into()]);
    }
    table.to_string()
}

/// A duration in its largest unit.
fn ago(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s ago"),
        60..3600 => format!("{} min ago", seconds / 60),
        3600..86400 => format!("{} h ago", seconds / 3600),
        _ => format!("{} d ago", seconds / 86400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_shown_in_its_largest_unit() {
        let cases = [(5, "5 s ago"), (3599, "59 min ago"), (7200, "2 h ago"), (200_000, "2 d ago")];
        for (seconds, expected) in cases {
            assert_eq!(ago(seconds), expected);
        }
    }
}
