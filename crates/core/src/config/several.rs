//! The configurations of a repository whose pipeline file uses the plugin in several steps.

use super::pipeline_file::Entry;
use super::source::of_the_entry;
use super::{Found, Given, Mode};
use crate::exit::usage;
use crate::model::did_you_mean;
use anyhow::Result;

/// What a command does with the plugin's steps in a pipeline file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// It runs the checks that are for this machine.
    Run,
    /// It prints what would be uploaded.
    Upload,
    /// It shows all of them.
    Show,
}

/// The configurations to use, and notes about the others.
#[derive(Clone, Debug)]
pub struct All {
    /// The configurations, in the order of the file. There is at least one.
    pub found: Vec<Found>,
    /// A sentence for each step of the file that is left out.
    pub left_out: Vec<String>,
}

impl Given<'_> {
    /// Every configuration that a command uses. Outside a pipeline file there is only one, the one that
    /// [`Given::find`] finds. `step` selects one step of the file by its label or number.
    ///
    /// `wanted` names a platform and a system if the command is for one.
    ///
    /// # Errors
    /// As [`Given::find`]. Also exit 2 if no step of the file has the label.
    pub fn all(&self, purpose: Purpose, step: Option<&str>) -> Result<All> {
        let one = || Ok(All { found: vec![self.find()?], left_out: Vec::new() });
        let Some(file) = self.is_in_the_file()? else {
            return match step {
                None => one(),
                Some(step) => Err(usage(format!(
                    "--step {step}: the configuration is not in a pipeline file, so there are no steps to \
                     choose from"
                ))),
            };
        };
        let entries = self.entries(file)?;
        if let Some(step) = step {
            let labels = entries.iter().map(Entry::plain_step);
            let chosen: Vec<&Entry> = entries.iter().filter(|entry| entry.plain_step() == step).collect();
            if chosen.is_empty() {
                let meant = did_you_mean(step, labels);
                return Err(usage(format!(
                    "--step {step}: no step of {} that uses the plugin has this label{meant}",
                    file.path
                )));
            }
            let found =
                chosen.into_iter().map(|entry| of_the_entry(file.path, entry)).collect::<Result<_>>()?;
            return Ok(All { found, left_out: Vec::new() });
        }
        let is_taken = |entry: &Entry| {
            let here = entry.is_for(self.wanted.platform, self.wanted.os);
            here && (purpose != Purpose::Upload || entry.is_upload())
        };
        if !entries.iter().any(is_taken) {
            let found = match purpose {
                // No entry is for the platform and the system on the command line. These replace what the
                // entries say.
                Purpose::Show => entries.iter().map(|entry| of_the_entry(file.path, entry)).collect(),
                _ => Ok(Vec::new()),
            }?;
            return if found.is_empty() { one() } else { Ok(All { found, left_out: Vec::new() }) };
        }
        let (taken, left): (Vec<&Entry>, Vec<&Entry>) = entries.iter().partition(|entry| is_taken(entry));
        Ok(All {
            found: taken.into_iter().map(|entry| of_the_entry(file.path, entry)).collect::<Result<_>>()?,
            left_out: left.into_iter().map(|entry| self.why_left_out(file.path, entry)).collect(),
        })
    }

    /// Why an entry is left out, and how to include it.
    fn why_left_out(&self, path: &str, entry: &Entry) -> String {
        let (step, plain) = (&entry.step, entry.plain_step());
        if entry.is_for(self.wanted.platform, self.wanted.os) {
            return format!("{path}: step {step} is left out: it runs its checks and uploads nothing");
        }
        let machine = |key: &str| entry.options.get(key).map(|value| value.to_string().replace('"', ""));
        let of: Vec<String> = ["platform", "os"].into_iter().filter_map(machine).collect();
        let of = of.join(" ");
        format!("{path}: step {step} is left out: it is for {of} (`--step {plain:?}` chooses it)")
    }
}

impl Purpose {
    /// The mode of the entry to use if no entry fits.
    pub const fn mode(self) -> Mode {
        match self {
            Self::Run | Self::Show => Mode::Run,
            Self::Upload => Mode::Upload,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Text, Wanted};
    use crate::model::{Os, Platform};

    const FILE: &str = "
- {label: x86, plugins: [{rust-vmm/rust-vmm-ci#v1: {platform: x86_64, os: linux}}]}
- {label: arm, plugins: [{rust-vmm/rust-vmm-ci#v1: {platform: aarch64}}]}
- {label: up, plugins: [{rust-vmm/rust-vmm-ci#v1: {mode: upload}}]}
- {label: more, plugins: [{rust-vmm/rust-vmm-ci#v1: {mode: upload, standard: false}}]}
";

    fn all(text: &str, purpose: Purpose, platform: Option<Platform>, step: Option<&str>) -> Result<All> {
        let wanted = Wanted { mode: purpose.mode(), platform, os: platform.map(|_| Os::Linux) };
        let pipeline = Some(Text { path: "p.yml", text });
        Given { pipeline, wanted, ..Given::default() }.all(purpose, step)
    }

    fn steps(all: &All) -> Vec<&str> {
        all.found.iter().filter_map(|found| found.step.as_deref()).collect()
    }

    #[test]
    fn each_purpose_takes_every_step_that_it_can() {
        let run = all(FILE, Purpose::Run, Some(Platform::X86_64), None).unwrap();
        assert_eq!(steps(&run), ["x86", "up", "more"]);
        assert_eq!(
            run.left_out,
            ["p.yml: step \"arm\" is left out: it is for aarch64 (`--step \"arm\"` chooses it)"]
        );
        let upload = all(FILE, Purpose::Upload, None, None).unwrap();
        assert_eq!((steps(&upload), upload.left_out.len()), (vec!["up", "more"], 2));
        let show = all(FILE, Purpose::Show, None, None).unwrap();
        assert_eq!((steps(&show).len(), show.left_out.len()), (4, 0));
    }

    #[test]
    fn a_step_is_chosen_by_its_label_and_a_wrong_label_is_refused() {
        let one = all(FILE, Purpose::Run, Some(Platform::X86_64), Some("arm")).unwrap();
        assert_eq!((steps(&one), one.left_out.len()), (vec!["arm"], 0));
        let error = all(FILE, Purpose::Run, None, Some("amr")).unwrap_err().to_string();
        assert!(error.contains("--step amr") && error.contains("did you mean `arm`?"), "{error}");
        let error = Given::default().all(Purpose::Show, Some("x")).unwrap_err().to_string();
        assert!(error.contains("not in a pipeline file"), "{error}");
    }

    #[test]
    fn where_no_step_fits_the_best_one_gives_its_options() {
        let run = all(FILE, Purpose::Run, Some(Platform::Riscv64), None).unwrap();
        assert_eq!(steps(&run), ["up", "more"], "an upload for any platform is for this one too");
        let only = "[{label: arm, plugins: [{rust-vmm/rust-vmm-ci#v1: {platform: aarch64, skip: doc}}]}]";
        let run = all(only, Purpose::Run, Some(Platform::X86_64), None).unwrap();
        assert_eq!((run.found[0].config.platforms.as_ref(), run.found[0].config.skip.len()), (None, 1));
        let none = all("[wait]", Purpose::Show, None, None).unwrap();
        assert_eq!(none.found[0].from, "the defaults");
    }
}
