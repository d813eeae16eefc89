//! Finds the configuration: in a file that a person names, from the agent, or in the repository's pipeline
//! file. Pure: the caller passes in the environment and the texts of the files.

use super::parse::refuse_nulls;
use super::pipeline_file::{self, Entry, Fit};
use super::reference::{is_ours, is_running};
use super::{Config, Mode, text};
use crate::buildkite::plugins;
use crate::exit::usage;
use crate::model::{Os, Platform};
use crate::options::{self, Refusal, Source};
use anyhow::Result;
use serde_json::Value;

/// A file's text, and the path that messages show.
#[derive(Clone, Copy, Debug)]
pub struct Text<'a> {
    /// The path, as the person knows it.
    pub path: &'a str,
    /// What the file holds.
    pub text: &'a str,
}

/// What a person wants to do. It selects one of several entries in a pipeline file.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted {
    /// Run, or print what would be uploaded.
    pub mode: Mode,
    /// `--platform`, else this machine's.
    pub platform: Option<Platform>,
    /// `--os`, else this machine's.
    pub os: Option<Os>,
}

/// Everything that may contain a configuration.
#[derive(Clone, Copy, Debug, Default)]
pub struct Given<'a> {
    /// The file of `--config`, JSON or YAML.
    pub file: Option<Text<'a>>,
    /// `BUILDKITE_PLUGIN_CONFIGURATION`: the options of the plugin that is running. It exists only while a
    /// hook runs.
    pub plugin_configuration: Option<&'a str>,
    /// `BUILDKITE_PLUGIN_NAME`: the name of the plugin that is running. It exists only while a hook runs.
    pub plugin_name: Option<&'a str>,
    /// `BUILDKITE_PLUGINS`: all plugins of the job, with their options.
    pub plugins: Option<&'a str>,
    /// `.buildkite/pipeline.yml` or `.yaml`.
    pub pipeline: Option<Text<'a>>,
    /// The `plugin.yml` in the repository's root, if the repository is a plugin.
    pub plugin_yml: Option<&'a str>,
    /// What the configuration is for.
    pub wanted: Wanted,
}

/// A configuration, and where it was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// The configuration.
    pub config: Config,
    /// Where it was found, in words for the log.
    pub from: String,
    /// The plugin's reference. It is resolved if it comes from the agent, and as written if it comes from a
    /// pipeline file.
    pub reference: Option<String>,
    /// The step of the pipeline file that contains it: its label, or its number from 1.
    pub step: Option<String>,
}

impl Found {
    /// The source of the options of the plugin that is running.
    pub const RUNNING: &str = "BUILDKITE_PLUGIN_CONFIGURATION";
}

impl Given<'_> {
    /// The configuration to use. It is the first that exists of these: the file of `--config`; the options of
    /// the plugin that is running; the job's only entry of this plugin; the best entry in the pipeline file;
    /// the default.
    ///
    /// # Errors
    /// Exit 2 if the configuration cannot be read or is wrong. Exit 2 also if the job has several entries and
    /// the agent does not say which one is running.
    pub fn find(&self) -> Result<Found> {
        let job = self.job_entries()?;
        if let Some(file) = self.file {
            let source = Source::ConfigFile(file.path.to_owned());
            let is_json = file.path.to_lowercase().ends_with(".json");
            let value = if is_json { options::json(file.text) } else { text::yaml(file.text) };
            let value = value.map_err(|error| not_read(&source, error))?;
            let from = source.to_string();
            let config = Config::read(&value, source).map_err(usage)?;
            let reference = job.into_iter().next().map(|(reference, _)| reference);
            return Ok(Found { config, from, reference, step: None });
        }
        if let Some(told) = self.running_configuration(&job) {
            let value =
                options::json(told).map_err(|error| not_read(&Source::Variable(Found::RUNNING), error))?;
            // The author wrote options, and never this variable. So an error does not name the variable.
            let config = Config::parse(&value)?;
            // A step may use the plugin twice. The entry with these options is the one that is running.
            let running = job.iter().find(|(_, options)| *options == value).or(job.first());
            let reference = running.map(|(reference, _)| reference.clone());
            return Ok(Found { config, from: Found::RUNNING.into(), reference, step: None });
        }
        if !job.is_empty() {
            return of_the_job(&job);
        }
        match self.pipeline {
            Some(file) => self.of_the_file(file),
            None => Ok(default()),
        }
    }

    /// This plugin's entries in `BUILDKITE_PLUGINS`, with their options. If no entry has this plugin's name,
    /// the plugin runs under another name, which the agent gives in a variable.
    fn job_entries(&self) -> Result<Vec<(String, Value)>> {
        let Some(told) = self.plugins.filter(|told| !told.trim().is_empty()) else { return Ok(Vec::new()) };
        let value =
            text::json(told).map_err(|error| not_read(&Source::Variable("BUILDKITE_PLUGINS"), error))?;
        let select = |is_meant: &dyn Fn(&str) -> bool| -> Vec<(String, Value)> {
            let meant = plugins(&value).into_iter().filter(|(reference, _)| is_meant(reference));
            meant.map(|(reference, options)| (reference.to_owned(), options.clone())).collect()
        };
        let ours = select(&is_ours);
        match self.plugin_name {
            Some(running) if ours.is_empty() => Ok(select(&|reference| is_running(reference, running))),
            _ => Ok(ours),
        }
    }

    /// The options of the plugin that is running, unless it is another plugin that started this program (for
    /// instance with docker's `command`).
    fn running_configuration(&self, job: &[(String, Value)]) -> Option<&str> {
        let is_ours = match self.plugin_name {
            Some(running) if !job.is_empty() => job.iter().any(|(name, _)| is_running(name, running)),
            _ => true,
        };
        self.plugin_configuration.filter(|told| is_ours && !told.trim().is_empty())
    }

    fn of_the_file(&self, file: Text<'_>) -> Result<Found> {
        let entries = self.entries(file)?;
        let Some(best) = entries.iter().map(|entry| entry.fit(self.wanted)).max() else {
            return Ok(default());
        };
        let mut fitting = entries.iter().filter(|entry| entry.fit(self.wanted) == best);
        let Some(entry) = fitting.next() else { return Ok(default()) };
        let others = match fitting.count() {
            0 => String::new(),
            others => format!(" (the first of {} that fit)", others + 1),
        };
        let mut found = of_the_entry(file.path, entry)?;
        found.from += &others;
        if best == Fit::OtherMachine {
            // The entry is for another machine, but its other options are used.
            found.config.platforms = None;
            found.config.os = None;
        }
        Ok(found)
    }

    /// This plugin's entries in a pipeline file.
    pub(super) fn entries(&self, file: Text<'_>) -> Result<Vec<Entry>> {
        let source = || Source::File(file.path.to_owned());
        let pipeline = text::yaml(file.text).map_err(|error| not_read(&source(), error))?;
        Ok(pipeline_file::entries(&pipeline, self.is_the_plugins_own()))
    }

    /// The pipeline file, if only that file can contain the configuration.
    pub(super) fn is_in_the_file(&self) -> Result<Option<Text<'_>>> {
        let job = self.job_entries()?;
        let elsewhere = self.file.is_some() || !job.is_empty() || self.running_configuration(&job).is_some();
        Ok(self.pipeline.filter(|_| !elsewhere))
    }

    /// Whether the repository is that of this plugin, by the name in its `plugin.yml`.
    fn is_the_plugins_own(&self) -> bool {
        let value = self.plugin_yml.and_then(|text| text::yaml(text).ok());
        value.is_some_and(|value| value.get("name").and_then(Value::as_str) == Some("rust-vmm-ci"))
    }
}

/// The configuration of an entry in a pipeline file.
pub(super) fn of_the_entry(path: &str, entry: &Entry) -> Result<Found> {
    let Entry { step, reference, options, .. } = entry;
    let source = Source::PipelineFile { path: path.to_owned(), step: step.clone() };
    let from = source.to_string();
    let config = Config::read(options, source).map_err(usage)?;
    Ok(Found { config, from, reference: Some(reference.clone()), step: Some(entry.plain_step().to_owned()) })
}

/// The configuration of a job, if the agent does not give the options of the plugin that is running.
fn of_the_job(entries: &[(String, Value)]) -> Result<Found> {
    // The agent gives no options if one of the values is null.
    for (reference, options) in entries {
        if !options.is_null() {
            refuse_nulls(options)
                .map_err(|refusal| usage(refusal.at_source(Source::Plugin(reference.clone()))))?;
        }
    }
    match entries {
        [(reference, options), rest @ ..] if rest.iter().all(|(_, other)| other == options) => {
            let source = Source::Plugin(reference.clone());
            let from = source.to_string();
            let config = Config::read(options, source).map_err(usage)?;
            Ok(Found { config, from, reference: Some(reference.clone()), step: None })
        }
        _ => Err(usage(format!(
            "BUILDKITE_PLUGINS: names this plugin {} times with different options, and \
             BUILDKITE_PLUGIN_CONFIGURATION does not say which are meant: give them with --config FILE",
            entries.len()
        ))),
    }
}

fn default() -> Found {
    Found { config: Config::default(), from: "the defaults".into(), reference: None, step: None }
}

/// The error for a text that is not JSON or YAML.
fn not_read(source: &Source, reason: String) -> anyhow::Error {
    usage(Refusal::because(reason).at_source(source.clone()))
}

#[cfg(test)]
mod tests;
