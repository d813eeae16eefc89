//! `completions` and `man`: what a shell and a reader of man pages get. Both are made from the command line
//! itself.

use crate::cli::Cli;
use anyhow::Result;
use clap::CommandFactory as _;
use clap_complete::Shell;
use rust_vmm_ci_core::exit::{Exit, infrastructure};
use rust_vmm_ci_effects::say;
use std::path::Path;

/// Prints the completions for a shell.
pub fn print(shell: Shell) -> Exit {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "rust-vmm-ci", &mut text);
    say::out(String::from_utf8_lossy(&text));
    Exit::Passed
}

/// Writes a man page for the program and for each of its commands into a folder.
///
/// # Errors
/// Exit 3 where they cannot be written.
pub fn man_pages(dir: &Path) -> Result<Exit> {
    let written = std::fs::create_dir_all(dir)
        .and_then(|()| clap_mangen::generate_to(Cli::command().color(clap::ColorChoice::Never), dir));
    written.map_err(|error| infrastructure(format!("writing man pages to {}: {error}", dir.display())))?;
    say::progress(format_args!(
        "wrote the man pages to {}; `man {0}/rust-vmm-ci.1` shows the first",
        dir.display()
    ));
    Ok(Exit::Passed)
}
