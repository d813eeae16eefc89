//! The pipeline file that `init` and `migrate` write.

use crate::job::facts;
use anyhow::{Context as _, Result};
use rust_vmm_ci_core::checks::STANDARD;
use rust_vmm_ci_core::config::{Config, entries};
use rust_vmm_ci_core::exit::{infrastructure, usage};
use rust_vmm_ci_core::pipeline::file::{self, Use};
use rust_vmm_ci_core::plan::{PlannedCheck, Planner};
use rust_vmm_ci_core::predecessor::Description;
use rust_vmm_ci_effects::files;
use serde_json::{Map, Value};
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

/// The file that they write.
pub const PIPELINE: &str = ".buildkite/pipeline.yml";
/// The files that `buildkite-agent pipeline upload` looks for (agent v3.138): where one of them exists, no
/// second is written.
const TAKEN: [&str; 9] = [
    "buildkite.yml",
    "buildkite.yaml",
    "buildkite.json",
    PIPELINE,
    ".buildkite/pipeline.yaml",
    ".buildkite/pipeline.json",
    "buildkite/pipeline.yml",
    "buildkite/pipeline.yaml",
    "buildkite/pipeline.json",
];
/// The beginning of the file.
const HEAD: &str = "# The checks of https://github.com/rust-vmm/rust-vmm-ci-buildkite-plugin: `rust-vmm-ci run` runs \
                    them here,\n# `rust-vmm-ci list` shows them.\n";

/// The names of the standard checks.
pub fn standard_names() -> Vec<String> {
    Description::names(STANDARD)
}

/// The repository's descriptions of tests: the files in `.buildkite` that are descriptions, each with the
/// names of its tests. `is_out` leaves files out by their path.
///
/// # Errors
/// Exit 2 where one is wrong; exit 3 where the folder cannot be read.
pub fn descriptions(root: &Path, is_out: &dyn Fn(&str) -> bool) -> Result<Vec<(String, Vec<String>)>> {
    let folder = root.join(".buildkite");
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))? {
        let path = entry?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        let is_json = path.extension().is_some_and(|extension| extension == "json") && !path.is_dir();
        if !is_json || is_out(&format!(".buildkite/{name}")) {
            continue;
        }
        let Some(text) = files::required(root, &format!(".buildkite/{name}"))? else { continue };
        let is_one = serde_json::from_str::<Value>(&text).is_ok_and(|value| value.get("tests").is_some());
        let path = format!(".buildkite/{name}");
        if is_one {
            let description = Description::read(&path, &text)?;
            found.push((path, description.tests.iter().map(|test| test.name.to_string()).collect()));
        }
    }
    found.sort();
    Ok(found)
}

/// A pipeline file that is ready to be written.
pub struct PipelineFile {
    /// Its text.
    pub text: String,
}

/// A pipeline file that a repository has already.
pub struct Taken {
    /// Its path.
    pub path: &'static str,
    /// Whether a step in it uses the plugin.
    pub uses_the_plugin: bool,
}

/// The pipeline file that a repository has already; none where it has none.
pub fn taken(root: &Path) -> Option<Taken> {
    let path = TAKEN.into_iter().find(|path| root.join(path).symlink_metadata().is_ok())?;
    let text = files::text(root, path).ok().flatten().unwrap_or_default();
    let pipeline = serde_saphyr::from_str::<Value>(&text).unwrap_or_default();
    Some(Taken { path, uses_the_plugin: !entries(&pipeline, false).is_empty() })
}

/// The checks that a step with these options would upload.
///
/// # Errors
/// Exit 2 where the step would be refused.
pub fn planned(root: &Path, options: &Map<String, Value>) -> Result<Vec<PlannedCheck>> {
    let config = Config::parse(&Value::Object(options.clone()))?;
    let facts = facts::read(root, &config, false)?;
    let mut checks = Vec::new();
    Planner::for_upload(&config, &facts)?.visit(&mut |check| {
        checks.push(check);
        Ok(())
    })?;
    Ok(checks)
}

impl PipelineFile {
    /// Makes the file with these steps, after it has checked that no other file is in the way and that each
    /// step works.
    ///
    /// # Errors
    /// Exit 2 where a file is in the way (it stays unchanged), or where a step would be refused.
    pub fn of(root: &Path, steps: &[Use]) -> Result<Self> {
        let file = Self::text_of(steps)?;
        if let Some(Taken { path, uses_the_plugin }) = taken(root) {
            let how = if uses_the_plugin {
                "it uses the plugin already; `rust-vmm-ci list` shows with which checks".to_owned()
            } else {
                format!("it stays as it is; take these steps into it by hand:\n{}", file.steps())
            };
            return Err(usage(format!("{path} is there: {how}")));
        }
        for step in steps {
            planned(root, &step.options)?;
        }
        Ok(file)
    }

    /// The file with these steps, whatever is there.
    ///
    /// # Errors
    /// If the steps cannot be written as YAML. All steps of ours can.
    pub fn text_of(steps: &[Use]) -> Result<Self> {
        let pipeline = file::pipeline(steps);
        let text = serde_saphyr::to_string(&pipeline).context("writing the pipeline as YAML")?;
        Ok(Self { text: format!("{HEAD}{text}") })
    }

    /// Its text without the comment at its beginning.
    pub fn steps(&self) -> &str {
        self.text.strip_prefix(HEAD).unwrap_or(&self.text)
    }

    /// Writes the file, which does not exist yet.
    ///
    /// # Errors
    /// Exit 3 where it cannot be written.
    pub fn write(&self, root: &Path) -> Result<()> {
        let path = root.join(PIPELINE);
        let written = fs::create_dir_all(root.join(".buildkite"))
            .and_then(|()| File::create_new(&path))
            // Half a pipeline would be taken for one.
            .and_then(|mut file| {
                file.write_all(self.text.as_bytes()).inspect_err(|_| drop(fs::remove_file(&path)))
            });
        written.map_err(|error| infrastructure(format!("writing {}: {error}", path.display())))
    }

    /// Removes what [`Self::write`] wrote.
    ///
    /// # Errors
    /// Exit 3 where it cannot be removed.
    pub fn take_back(root: &Path) -> Result<()> {
        fs::remove_file(root.join(PIPELINE)).context("taking back what was written")?;
        // A folder that holds other files stays.
        let _ = fs::remove_dir(root.join(".buildkite"));
        Ok(())
    }
}
