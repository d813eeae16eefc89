//! `pipeline` and `mode: upload`: the steps of a repository, printed or uploaded.

use super::{configuration, facts};
use crate::cli::{Common, Format};
use anyhow::{Context as _, Result};
use rust_vmm_ci_core::checks::times::Times;
use rust_vmm_ci_core::config::{Config, Found, Jobs, Mode};
use rust_vmm_ci_core::exit::Exit;
use rust_vmm_ci_core::model::Origin;
use rust_vmm_ci_core::options::Source;
use rust_vmm_ci_core::pipeline::{Groups, JOBS_PER_BUILD, Renderer, Step, Uploads, own_reference};
use rust_vmm_ci_core::plan::{Facts, PlannedCheck, Planner, StepSettings, TracedMap};
use rust_vmm_ci_effects::agent;
use rust_vmm_ci_effects::container;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

/// Prints the pipeline that an upload would bring; notes go to the standard error.
///
/// # Errors
/// Exit 2 for what is wrong in the configuration, in files or in variables.
pub fn print(common: &Common, format: Format) -> Result<Exit> {
    let root = configuration::root(common)?;
    let found = configuration::find(common, &root, Mode::Upload)?;
    let found = with_command_line(found, common);
    let facts = facts::read(&root, &found.config, false)?;
    let times = facts::times(&root, &found.config)?;
    let mut out = BufWriter::with_capacity(HELD_BACK, std::io::stdout().lock());
    let written = write(&found, (&facts, &times), format, &mut out);
    let (notes, count) = match written {
        Ok(written) => written,
        Err(error) => {
            // Whoever reads the output must not take a part for the whole.
            let _ = out.into_parts();
            return Err(error);
        }
    };
    out.flush()?;
    say(&notes, count);
    // The process ends here; taking thousands of crates apart first would be a good part of its time.
    std::mem::forget(facts);
    Ok(Exit::Passed)
}

/// How much of the output is held back, in bytes, until nothing more can be wrong with it. Of the
/// pipelines that are longer, an error leaves a part that is no JSON.
const HELD_BACK: usize = 1 << 20;

/// Writes the pipeline; returns the notes and the number of steps.
fn write(
    found: &Found,
    facts: (&Facts, &Times),
    format: Format,
    out: &mut impl Write,
) -> Result<(Vec<String>, u64)> {
    let mut count = 0_u64;
    if format == Format::Json {
        out.write_all(b"{\"steps\":[")?;
        let notes = each_step(found, facts, &mut |step| {
            out.write_all(if count == 0 { b"\n" } else { b",\n" })?;
            count += 1;
            Ok(serde_json::to_writer(&mut *out, step)?)
        })?;
        out.write_all(if count == 0 { b"]}\n" } else { b"\n]}\n" })?;
        return Ok((notes, count));
    }
    let mut steps: Vec<serde_json::Value> = Vec::new();
    let notes = each_step(found, facts, &mut |step| {
        steps.push(serde_json::to_value(step)?);
        count += 1;
        Ok(())
    })?;
    let pipeline = serde_json::json!({"steps": steps});
    let text = serde_saphyr::to_string(&pipeline).context("writing the pipeline as YAML")?;
    out.write_all(text.as_bytes())?;
    Ok((notes, count))
}

/// Uploads the pipeline to the running build. Nothing to upload is no failure.
///
/// # Errors
/// Exit 2 for what is wrong in the configuration, in files or in variables; exit 3 where the agent is
/// not there or Buildkite does not take the upload, with all that the agent said.
pub fn upload(root: &Path, found: &Found) -> Result<Exit> {
    let facts = facts::read(root, &found.config, false)?;
    let times = facts::times(root, &found.config)?;
    let mut uploads = Uploads::default();
    let notes = each_step(found, (&facts, &times), &mut |step| uploads.add(step))?;
    let (steps, jobs) = (uploads.steps, uploads.all_jobs);
    say(&notes, steps);
    if jobs > JOBS_PER_BUILD {
        eprintln!(
            "note: {jobs} jobs, and Buildkite takes {JOBS_PER_BUILD} in a build: `jobs: per-platform` makes \
             one of each platform's"
        );
    }
    let pipelines = uploads.last_first();
    for pipeline in &pipelines {
        let said = agent::upload(pipeline)?;
        if !said.is_empty() {
            eprintln!("{said}");
        }
    }
    if steps > 0 {
        println!("uploaded {steps} steps in {} uploads", pipelines.len());
    }
    Ok(Exit::Passed)
}

/// The configuration with the platform and system of the command line.
pub fn with_command_line(mut found: Found, common: &Common) -> Found {
    if let Some(platform) = common.platform {
        found.config.platforms = Some(vec![platform]);
    }
    found.config.os = common.os.or(found.config.os);
    found
}

/// Calls `see` with every step, in order, and returns the plan's notes.
fn each_step(
    found: &Found,
    (facts, times): (&Facts, &Times),
    see: &mut dyn FnMut(&Step<'_>) -> Result<()>,
) -> Result<Vec<String>> {
    let config: &Config = &found.config;
    let reference = found.reference.clone().unwrap_or_else(own_reference);
    let planner = Planner::for_upload(config, facts)?;
    let mut containers = Containers::default();
    match config.jobs {
        Jobs::PerCheck => {
            let mut renderer = Renderer::new(config, &reference);
            planner.visit(&mut |check| {
                containers.check(&check)?;
                see(&renderer.step(&check)?)
            })?;
        }
        Jobs::PerPlatform => {
            let mut checks = Vec::new();
            planner.visit(&mut |check| {
                containers.check(&check)?;
                checks.push(check);
                Ok(())
            })?;
            Groups::of(checks, config, times)?.steps(config, &reference)?.iter().try_for_each(see)?;
        }
    }
    Ok(planner.notes())
}

/// The containers' options of the steps that were seen, those of descriptions and variables too.
#[derive(Default)]
struct Containers {
    /// Of a check on a platform; its steps for each crate have the same.
    seen: Option<Arc<StepSettings>>,
}

impl Containers {
    /// Refuses what the step's job would refuse.
    fn check(&mut self, check: &PlannedCheck) -> Result<()> {
        if self.seen.as_ref().is_some_and(|seen| Arc::ptr_eq(seen, &check.step)) {
            return Ok(());
        }
        for (name, set) in check.step.docker.iter().flat_map(TracedMap::iter) {
            // An origin's key path ends with the option's name, which the check adds.
            let above = |key: &str| key.strip_suffix(&format!(".{name}")).unwrap_or(key).to_owned();
            let (source, path) = match &set.origin {
                Origin::Option(key) => (Source::Step, above(key)),
                Origin::Variable(variable) => (Source::Variable(variable), "cfg".to_owned()),
                Origin::File(path, key) => (Source::File(path.clone()), above(key)),
                other => (Source::File(other.to_string()), String::new()),
            };
            container::check_option(source, &path, name, &set.value)?;
        }
        self.seen = Some(Arc::clone(&check.step));
        Ok(())
    }
}

/// Says what a person should know of the steps.
fn say(notes: &[String], steps: u64) {
    for note in notes {
        eprintln!("note: {note}");
    }
    if steps == 0 {
        eprintln!("note: there is no step to upload: every check is left out, or the files describe none");
    }
}
