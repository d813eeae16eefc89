//! The flags of `run` that write the report to a file: one for each form that there is.

use clap::error::ErrorKind;
use clap::{Arg, ArgMatches, Args, Command, Error, FromArgMatches, value_parser};
use rust_vmm_ci_core::model::shown;
use rust_vmm_ci_core::report::{FORMATS, Format};
use std::path::PathBuf;

/// The files to write, each with its form.
#[derive(Clone, Debug, Default)]
pub struct ReportFiles(Vec<(&'static dyn Format, PathBuf)>);

impl From<ReportFiles> for Vec<(&'static dyn Format, PathBuf)> {
    /// Each file with its form, in the order of the forms.
    fn from(files: ReportFiles) -> Self {
        files.0
    }
}

impl Args for ReportFiles {
    fn augment_args(command: Command) -> Command {
        let flag = |format: &&dyn Format| {
            let parser = value_parser!(PathBuf);
            Arg::new(format.flag())
                .long(format.flag())
                .help(format.help())
                .value_name("FILE")
                .value_parser(parser)
        };
        command.args(FORMATS.iter().map(flag))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for ReportFiles {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let given = FORMATS.iter().filter_map(|format| {
            let path: &PathBuf = matches.try_get_one(format.flag()).ok()??;
            Some((*format, path.clone()))
        });
        let given: Vec<(&'static dyn Format, PathBuf)> = given.collect();
        for (at, (format, path)) in given.iter().enumerate() {
            if let Some((other, _)) = given[..at].iter().find(|(_, other)| other == path) {
                let what = format!(
                    "--{} and --{} name the same file {}; give each form a file of its own\n",
                    other.flag(),
                    format.flag(),
                    shown::value(&path.to_string_lossy())
                );
                return Err(Error::raw(ErrorKind::ArgumentConflict, what));
            }
        }
        Ok(Self(given))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_has_a_flag_and_the_files_come_in_the_order_of_the_forms() {
        let command = ReportFiles::augment_args(Command::new("run"));
        let args = FORMATS
            .iter()
            .rev()
            .flat_map(|format| [format!("--{}", format.flag()), format.flag().to_owned()]);
        let matches = command.get_matches_from(std::iter::once("run".to_owned()).chain(args));
        let files = ReportFiles::from_arg_matches(&matches).unwrap().0;
        let flags: Vec<&str> = files.iter().map(|(format, _)| format.flag()).collect();
        assert_eq!(flags, FORMATS.iter().map(|format| format.flag()).collect::<Vec<_>>());
        assert!(files.iter().all(|(format, path)| path.as_path() == std::path::Path::new(format.flag())));
    }

    #[test]
    fn two_forms_do_not_overwrite_each_other() {
        let command = ReportFiles::augment_args(Command::new("run"));
        let args =
            FORMATS.iter().take(2).flat_map(|format| [format!("--{}", format.flag()), "file".to_owned()]);
        let matches = command.get_matches_from(std::iter::once("run".to_owned()).chain(args));
        let error = ReportFiles::from_arg_matches(&matches).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains("name the same file"), "{error}");
    }
}
