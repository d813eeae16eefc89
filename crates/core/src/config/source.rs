//! Where the configuration comes from: a file that a person names, the agent, or the repository's
//! pipeline file. Pure: what the environment and the files say comes in as values.

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

/// A file's text and the path to name it by.
#[derive(Clone, Copy, Debug)]
pub struct Text<'a> {
    /// The path as the person knows it.
    pub path: &'a str,
    /// What the file holds.
    pub text: &'a str,
}

/// What a person is about to do: it decides between several entries of a pipeline file.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted {
    /// Run, or print what would be uploaded.
    pub mode: Mode,
    /// `--platform`, else this machine's.
    pub platform: Option<Platform>,
    /// `--os`, else this machine's.
    pub os: Option<Os>,
}

/// All that may hold a configuration.
#[derive(Clone, Copy, Debug, Default)]
pub struct Given<'a> {
    /// The file of `--config`, JSON or YAML.
    pub file: Option<Text<'a>>,
    /// `BUILDKITE_PLUGIN_CONFIGURATION`: the running plugin's options, during its hooks only.
    pub plugin_configuration: Option<&'a str>,
    /// `BUILDKITE_PLUGIN_NAME`: the running plugin's name, during its hooks only.
    pub plugin_name: Option<&'a str>,
    /// `BUILDKITE_PLUGINS`: all plugins of the job, with their options.
    pub plugins: Option<&'a str>,
    /// `.buildkite/pipeline.yml` or `.yaml`.
    pub pipeline: Option<Text<'a>>,
    /// The `plugin.yml` in the repository's root, where it is a plugin.
    pub plugin_yml: Option<&'a str>,
    /// What the configuration is for.
    pub wanted: Wanted,
}

/// A configuration, and where it was.
#[derive(Clone, Debug)]
pub struct Found {
    /// The configuration.
    pub config: Config,
    /// Where it was, in words for the log.
    pub from: String,
    /// The plugin's reference: resolved, where the agent told it; as written, from a pipeline file.
    pub reference: Option<String>,
}

impl Found {
    /// Where the running plugin's options are from.
    pub const RUNNING: &str = "BUILDKITE_PLUGIN_CONFIGURATION";
}

impl Given<'_> {
    /// The configuration that holds: of `--config`; else of the running plugin; else of the only entry
    /// that the job has of it; else of the pipeline file's entry that fits best; else the default.
    ///
    /// # Errors
    /// Exit 2 where what holds cannot be read or is wrong, and where the job has several entries and
    /// the agent does not say which one runs.
    pub fn find(&self) -> Result<Found> {
        let job = self.job_entries()?;
        if let Some(file) = self.file {
            let source = Source::ConfigFile(file.path.to_owned());
            let is_json = file.path.to_lowercase().ends_with(".json");
            let value = if is_json { options::json(file.text) } else { text::yaml(file.text) };
            let value = value.map_err(|error| not_read(&source, error))?;
            let from = source.to_string();
            let config = Config::read(&value, source).map_err(usage)?;
            return Ok(Found {
                config,
                from,
                reference: job.into_iter().next().map(|(reference, _)| reference),
            });
        }
        if let Some(told) = self.running_configuration(&job) {
            let value =
                options::json(told).map_err(|error| not_read(&Source::Variable(Found::RUNNING), error))?;
            // The author knows the options and never wrote the variable, so an error does not name it.
            let config = Config::parse(&value)?;
            // A step may use the plugin twice: the entry with these options is the one that runs.
            let running = job.iter().find(|(_, options)| *options == value).or(job.first());
            let reference = running.map(|(reference, _)| reference.clone());
            return Ok(Found { config, from: Found::RUNNING.into(), reference });
        }
        if !job.is_empty() {
            return of_the_job(&job);
        }
        match self.pipeline {
            Some(file) => self.of_the_file(file),
            None => Ok(default()),
        }
    }

    /// This plugin's entries in `BUILDKITE_PLUGINS`, with their options. Where none has its name, it
    /// runs under another, which the agent says.
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

    /// The running plugin's options, unless it is another one that started us (docker's `command`).
    fn running_configuration(&self, job: &[(String, Value)]) -> Option<&str> {
        let is_ours = match self.plugin_name {
            Some(running) if !job.is_empty() => job.iter().any(|(name, _)| is_running(name, running)),
            _ => true,
        };
        self.plugin_configuration.filter(|told| is_ours && !told.trim().is_empty())
    }

    fn of_the_file(&self, file: Text<'_>) -> Result<Found> {
        let path = file.path;
        let pipeline =
            text::yaml(file.text).map_err(|error| not_read(&Source::File(path.to_owned()), error))?;
        let entries = pipeline_file::entries(&pipeline, self.is_the_plugins_own());
        let Some(best) = entries.iter().map(|entry| entry.fit(self.wanted)).max() else {
            return Ok(default());
        };
        let mut fitting = entries.iter().filter(|entry| entry.fit(self.wanted) == best);
        let Some(Entry { step, reference, options }) = fitting.next() else { return Ok(default()) };
        let others = match fitting.count() {
            0 => String::new(),
            others => format!(" (the first of {} that fit)", others + 1),
        };
        let source = Source::PipelineFile { path: path.to_owned(), step: step.clone() };
        let from = format!("{source}{others}");
        let mut config = Config::read(options, source).map_err(usage)?;
        if best == Fit::OtherMachine {
            // It is taken for its other options.
            config.platforms = None;
            config.os = None;
        }
        Ok(Found { config, from, reference: Some(reference.clone()) })
    }

    /// Whether the repository is this plugin's own, by the name in its `plugin.yml`.
    fn is_the_plugins_own(&self) -> bool {
        let value = self.plugin_yml.and_then(|text| text::yaml(text).ok());
        value.is_some_and(|value| value.get("name").and_then(Value::as_str) == Some("rust-vmm-ci"))
    }
}

/// The configuration of a job whose agent has not told the running plugin's.
fn of_the_job(entries: &[(String, Value)]) -> Result<Found> {
    // A null is why the agent has not.
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
            Ok(Found { config, from, reference: Some(reference.clone()) })
        }
        _ => Err(usage(format!(
            "BUILDKITE_PLUGINS: names this plugin {} times with different options, and \
             BUILDKITE_PLUGIN_CONFIGURATION does not say which are meant: give them with --config FILE",
            entries.len()
        ))),
    }
}

fn default() -> Found {
    Found { config: Config::default(), from: "the defaults".into(), reference: None }
}

/// The error for a text that is no JSON or YAML.
fn not_read(source: &Source, reason: String) -> anyhow::Error {
    usage(Refusal::because(reason).at_source(source.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIPELINE: Text<'_> = Text {
        path: ".buildkite/pipeline.yml",
        text: include_str!("../../../../tests/cases/config/pipeline.yml"),
    };
    const OURS: &str = "https://github.com/rust-vmm/rust-vmm-ci-buildkite-plugin#v1.0.0";

    fn found(given: &Given<'_>) -> Found {
        given.find().unwrap()
    }

    fn refusal(given: &Given<'_>) -> String {
        let error = given.find().unwrap_err();
        assert_eq!(crate::exit::of(&error), crate::exit::Exit::Usage);
        error.to_string()
    }

    /// What is found for a run, or an upload, on a platform in the pipeline file.
    fn of_the_pipeline(mode: Mode, platform: Platform, os: Os) -> Found {
        let wanted = Wanted { mode, platform: Some(platform), os: Some(os) };
        found(&Given { pipeline: Some(PIPELINE), wanted, ..Given::default() })
    }

    #[test]
    fn without_anything_the_defaults_hold() {
        let found = found(&Given::default());
        assert_eq!((found.from.as_str(), found.reference), ("the defaults", None));
        assert!(found.config.standard);
    }

    #[test]
    fn a_file_that_is_named_wins_over_everything_and_may_be_json_or_yaml() {
        for (path, text) in [("a.json", r#"{"skip": ["x"]}"#), ("a.yml", "skip: x"), ("a", "{skip: [x]}")] {
            let found = found(&Given {
                file: Some(Text { path, text }),
                plugin_configuration: Some("{}"),
                pipeline: Some(PIPELINE),
                ..Given::default()
            });
            assert_eq!(found.config.skip, ["x"], "{path}");
            assert_eq!(found.from, format!("--config {path}"));
        }
    }

    #[test]
    fn a_file_that_cannot_be_read_or_is_wrong_is_named() {
        let refusal = |path, text| refusal(&Given { file: Some(Text { path, text }), ..Given::default() });
        for (path, text, says) in [
            (
                "a.yml",
                "timeout-in-minutes: 1.0e400",
                "value `1.0e400` is not a finite number at line 1, column 21",
            ),
            ("a.yml", "timeout-in-minutes: .nan", "value `.nan` is not a finite number at line 1, column 21"),
            (
                "a.yml",
                "os: linux\nos: linux",
                "duplicate mapping key `os` is not allowed here at line 2, column 1",
            ),
            (
                "a.json",
                r#"{"os": "linux", "os": "linux"}"#,
                "the key \"os\" stands twice at line 1 column 20",
            ),
        ] {
            assert_eq!(refusal(path, text), format!("--config {path}: {says}"));
        }
        assert_eq!(refusal("a.json", "{"), "--config a.json: EOF while parsing an object at line 1 column 1");
        assert_eq!(
            refusal("a.yml", "os: mac"),
            "--config a.yml: os: expected one of linux, windows, got \"mac\""
        );
    }

    #[test]
    fn the_agents_word_wins_over_the_list_and_tells_which_entry_runs() {
        let plugins = format!(r#"[{{"{OURS}": {{"os": "linux"}}}}, {{"{OURS}x": {{"skip": "doc"}}}}]"#);
        let found = found(&Given {
            plugin_configuration: Some(r#"{"skip": "doc"}"#),
            plugin_name: Some("RUST_VMM_CI"),
            plugins: Some(&plugins),
            ..Given::default()
        });
        assert_eq!(found.config.skip, ["doc"]);
        assert_eq!(found.reference, Some(format!("{OURS}x")));
    }

    #[test]
    fn another_plugins_options_are_not_ours() {
        let plugins = format!(r#"[{{"{OURS}": {{"skip": "doc"}}}}, {{"docker#v5.3.0": {{"image": "a"}}}}]"#);
        let found = found(&Given {
            plugin_configuration: Some(r#"{"image": "a"}"#),
            plugin_name: Some("DOCKER"),
            plugins: Some(&plugins),
            ..Given::default()
        });
        assert_eq!(found.config.skip, ["doc"]);
    }

    #[test]
    fn a_fork_by_another_name_is_known_while_it_runs() {
        let found = found(&Given {
            plugin_configuration: Some("null"),
            plugin_name: Some("OUR_CI"),
            plugins: Some(r#"["file:///srv/our-ci#v1"]"#),
            ..Given::default()
        });
        assert_eq!(found.reference.as_deref(), Some("file:///srv/our-ci#v1"));
    }

    #[test]
    fn a_nested_null_for_which_the_agent_told_nothing_is_named() {
        let plugins = format!(
            r#"["docker#v1", {{"{OURS}": {{"os": "linux"}}}}, {{"{OURS}": {{"docker": {{"user": null}}}}}}]"#
        );
        let refusal =
            refusal(&Given { plugins: Some(&plugins), pipeline: Some(PIPELINE), ..Given::default() });
        assert!(
            refusal.starts_with(&format!("BUILDKITE_PLUGINS, {OURS}: docker.user: no value (null); remove")),
            "{refusal}"
        );
    }

    #[test]
    fn without_the_agents_word_one_entry_will_do_and_several_will_not() {
        let plugins = |second: &str| format!(r#"[{{"{OURS}": {{"skip": "doc"}}}}, {{"{OURS}": {second}}}]"#);
        let same = plugins(r#"{"skip": "doc"}"#);
        let same = found(&Given { plugins: Some(&same), ..Given::default() });
        assert_eq!((same.config.skip, same.reference.as_deref()), (vec!["doc".to_owned()], Some(OURS)));
        let other = plugins(r#"{"skip": "style"}"#);
        let refusal = refusal(&Given { plugins: Some(&other), ..Given::default() });
        assert!(
            refusal.starts_with("BUILDKITE_PLUGINS: names this plugin 2 times with different options"),
            "{refusal}"
        );
    }

    #[test]
    fn no_options_at_all_are_no_null_within_them() {
        let plugins = format!(r#"[{{"{OURS}": null}}]"#);
        for plugin_configuration in [None, Some("null"), Some("")] {
            let found = found(&Given { plugin_configuration, plugins: Some(&plugins), ..Given::default() });
            assert_eq!(found.reference.as_deref(), Some(OURS));
        }
    }

    #[test]
    fn the_pipeline_files_entry_that_fits_best_is_taken() {
        let x86 = of_the_pipeline(Mode::Run, Platform::X86_64, Os::Linux);
        assert_eq!(x86.from, ".buildkite/pipeline.yml, step \"x86\"");
        assert_eq!(x86.config.platforms, Some(vec![Platform::X86_64]));
        let arm = of_the_pipeline(Mode::Run, Platform::Aarch64, Os::Linux);
        assert_eq!(arm.from, ".buildkite/pipeline.yml, step \"arm\"");
        let any = of_the_pipeline(Mode::Run, Platform::Riscv64, Os::Linux);
        assert_eq!(any.from, ".buildkite/pipeline.yml, step 5");
        let upload = of_the_pipeline(Mode::Upload, Platform::Riscv64, Os::Linux);
        assert_eq!(upload.from, ".buildkite/pipeline.yml, step \"upload\"");
        assert_eq!(upload.reference.as_deref(), Some("rust-vmm/rust-vmm-ci#v1.0.0"));
    }

    #[test]
    fn of_several_that_fit_the_first_is_taken_and_it_is_said() {
        let text =
            "[{plugins: [{rust-vmm/rust-vmm-ci#v1: {skip: a}}, {rust-vmm/rust-vmm-ci#v1: {skip: b}}]}]";
        let found = found(&Given { pipeline: Some(Text { path: "p.yml", text }), ..Given::default() });
        assert_eq!(found.config.skip, ["a"]);
        assert_eq!(found.from, "p.yml, step 1 (the first of 2 that fit)");
    }

    #[test]
    fn an_entry_for_another_machine_is_taken_without_its_machine() {
        let text = "- plugins: [{rust-vmm/rust-vmm-ci#v1: {platform: aarch64, os: linux, skip: doc}}]";
        let wanted = Wanted { mode: Mode::Run, platform: Some(Platform::X86_64), os: Some(Os::Linux) };
        let pipeline = Some(Text { path: "p.yml", text });
        let found = found(&Given { pipeline, wanted, ..Given::default() });
        assert_eq!(found.config.skip, ["doc"]);
        assert_eq!((found.config.platforms, found.config.os), (None, None));
    }

    #[test]
    fn the_plugins_own_pipeline_names_it_by_a_point() {
        let pipeline = Some(Text { path: "p.yml", text: "steps: [{plugins: [{.: {skip: doc}}]}]" });
        let given = Given { pipeline, plugin_yml: Some("name: rust-vmm-ci"), ..Given::default() };
        assert_eq!(found(&given).config.skip, ["doc"]);
        let elsewhere = Given { plugin_yml: Some("name: another"), ..given };
        assert_eq!(found(&elsewhere).from, "the defaults");
    }

    #[test]
    fn what_is_wrong_in_a_pipeline_file_is_told_with_the_step() {
        let refusal =
            |text| refusal(&Given { pipeline: Some(Text { path: "p.yml", text }), ..Given::default() });
        let told = refusal("steps: [{label: a, plugins: [{rust-vmm/rust-vmm-ci#v1: {os: mac}}]}]");
        assert_eq!(told, "p.yml, step \"a\": os: expected one of linux, windows, got \"mac\"");
        assert_eq!(refusal("steps: ["), "p.yml: unclosed bracket '[' at line 1, column 8");
    }
}
