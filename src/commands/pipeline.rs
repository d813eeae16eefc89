//! `pipeline` and `mode: upload`: prints or uploads the steps of a repository.

use crate::cli::Format;
use crate::job::{Repository, Selection, cores};
use anyhow::{Context as _, Result};
use rust_vmm_ci_core::checks::times::Times;
use rust_vmm_ci_core::config::{Config, Found, Jobs, Purpose};
use rust_vmm_ci_core::exit::Exit;
use rust_vmm_ci_core::model::{Origin, shown};
use rust_vmm_ci_core::options::Source;
use rust_vmm_ci_core::pipeline::{self, Groups, JOBS_PER_BUILD, Uploads, Written, own_reference};
use rust_vmm_ci_core::plan::{Facts, PlannedCheck, Planner, TracedMap};
use rust_vmm_ci_effects::{agent, container, say};
use std::collections::HashSet;
use std::io::{self, BufWriter, Write};
use std::sync::Arc;

/// Prints the pipeline that an upload would bring; notes go to standard error.
///
/// # Errors
/// Exit 2 for what is wrong in the configuration, in files or in variables.
pub fn print(selection: &Selection, format: Format) -> Result<Exit> {
    let repositories = Repository::all(selection, Purpose::Upload)?;
    let mut parts = Vec::with_capacity(repositories.len());
    for repository in &repositories {
        parts.push((&repository.found, repository.facts_of_upload()?, repository.times()?));
    }
    let mut out = BufWriter::with_capacity(HELD_BACK, io::stdout().lock());
    let (notes, count) = match write(&parts, format, &mut out) {
        Ok(written) => written,
        Err(error) => {
            // A reader of the output must not take a part for the whole.
            let _ = out.into_parts();
            return Err(error);
        }
    };
    out.flush()?;
    drop(out);
    say_notes(&notes, count);
    // The process ends here, and freeing the facts of thousands of crates takes time.
    std::mem::forget(parts);
    Ok(Exit::Passed)
}

/// How much of the output is held back, in bytes, until the whole pipeline is known to be right. Where a
/// longer pipeline has an error, a part of it is printed, which is not valid JSON.
const HELD_BACK: usize = 1 << 20;

/// A configuration whose steps are printed, with its facts and times.
type Part<'a> = (&'a Found, Facts, Times);

/// Writes the pipeline of all configurations; returns the notes and the number of steps.
fn write(parts: &[Part<'_>], format: Format, out: &mut impl Write) -> Result<(Vec<String>, u64)> {
    let mut count = 0_u64;
    if format == Format::Json {
        out.write_all(b"{\"steps\":[")?;
        let notes = each_step_of_all(parts, &mut |steps| {
            out.write_all(if count == 0 { b"\n" } else { b",\n" })?;
            count += steps.count();
            Ok(out.write_all(steps.text())?)
        })?;
        for step in last_steps_of_all(parts, count) {
            out.write_all(b",\n")?;
            serde_json::to_writer(&mut *out, &step)?;
        }
        out.write_all(if count == 0 { b"]}\n" } else { b"\n]}\n" })?;
        return Ok((notes, count));
    }
    let mut steps: Vec<serde_json::Value> = Vec::new();
    let notes = each_step_of_all(parts, &mut |written| {
        for (text, _jobs) in written.each() {
            steps.push(serde_json::from_slice(text)?);
        }
        count += written.count();
        Ok(())
    })?;
    steps.extend(last_steps_of_all(parts, count));
    let pipeline = serde_json::json!({"steps": steps});
    let text = serde_saphyr::to_string(&pipeline).context("writing the pipeline as YAML")?;
    out.write_all(text.as_bytes())?;
    Ok((notes, count))
}

/// The last steps of the first configuration that asks for them: one page is enough.
fn last_steps_of_all(parts: &[Part<'_>], count: u64) -> Vec<serde_json::Value> {
    parts
        .iter()
        .map(|(found, ..)| last_steps(found, count))
        .find(|steps| !steps.is_empty())
        .unwrap_or_default()
}

/// The steps that stand after all others: those of the option `summary`. A pipeline without steps has none.
fn last_steps(found: &Found, count: u64) -> Vec<serde_json::Value> {
    if !found.config.summary || count == 0 {
        return Vec::new();
    }
    let reference = found.reference.clone().unwrap_or_else(own_reference);
    pipeline::summary(&found.config, &reference).to_vec()
}

/// Calls `see` with the steps of every configuration, and returns the notes. Where there are several, a note
/// says which step uploads which part.
fn each_step_of_all(parts: &[Part<'_>], see: &mut dyn FnMut(&Written) -> Result<()>) -> Result<Vec<String>> {
    let mut all: Vec<String> = Vec::new();
    for (found, facts, times) in parts {
        let (mut count, mut labels) = (0, None);
        let notes = each_step(found, (facts, times), &mut |steps| {
            count += steps.count();
            if let Some([first, last]) = &steps.labels {
                let begin = labels.take().map_or_else(|| first.clone(), |[first, _]: [String; 2]| first);
                labels = Some([begin, last.clone()]);
            }
            see(steps)
        })?;
        if let (Some(label), true) = (&found.step, parts.len() > 1) {
            let range = match labels {
                None => String::new(),
                Some([only, _]) if count == 1 => format!(": {only}"),
                Some([first, last]) => format!(": {first} to {last}"),
            };
            all.push(format!("step {label:?} uploads {count} of these steps{range}"));
        }
        all.extend(notes);
    }
    let mut seen = HashSet::new();
    all.retain(|note| seen.insert(note.clone()));
    Ok(all)
}

/// Uploads the pipeline to the running build. A pipeline without steps is no failure.
///
/// # Errors
/// Exit 2 for what is wrong in the configuration, in files or in variables. Exit 3 where there is no agent
/// or Buildkite refuses the upload; the error has all that the agent said.
pub fn upload(repository: &Repository) -> Result<Exit> {
    let (facts, times) = (repository.facts_of_upload()?, repository.times()?);
    let mut uploads = Uploads::default();
    let notes = each_step(&repository.found, (&facts, &times), &mut |steps| {
        uploads.add(steps);
        Ok(())
    })?;
    let (steps, jobs) = (uploads.steps, uploads.all_jobs);
    if let [wait, summary] = &last_steps(&repository.found, steps)[..] {
        // All of them must be in one upload, because Buildkite puts a later upload before an earlier one.
        uploads.add_text(format!("{wait},\n{summary}").as_bytes(), 2);
    }
    say_notes(&notes, steps);
    if jobs > JOBS_PER_BUILD {
        say::note(format_args!(
            "the pipeline has {jobs} jobs, and Buildkite accepts {JOBS_PER_BUILD} in a build: `jobs: \
             per-platform` makes one job for each platform"
        ));
    }
    let pipelines = uploads.last_first();
    for pipeline in &pipelines {
        let said = agent::upload(pipeline)?;
        if !said.is_empty() {
            say::note(format_args!("buildkite-agent: {said}"));
        }
    }
    if steps > 0 {
        say::progress(format_args!("uploaded {steps} steps in {} uploads", pipelines.len()));
    }
    Ok(Exit::Passed)
}

/// Calls `see` with all steps, in order and some hundreds at once, and returns the plan's notes.
fn each_step(
    found: &Found,
    (facts, times): (&Facts, &Times),
    see: &mut dyn FnMut(&Written) -> Result<()>,
) -> Result<Vec<String>> {
    let (mut all, mut left_out) = (0, 0);
    let see = &mut |steps: &Written| {
        // A part of the plan may have no step.
        if steps.count() == 0 {
            return Ok(());
        }
        all += steps.count();
        left_out += steps.left_out;
        see(steps)
    };
    let config: &Config = &found.config;
    let reference = found.reference.clone().unwrap_or_else(own_reference);
    let planner = Planner::for_upload(config, facts)?;
    match config.jobs {
        Jobs::PerCheck => {
            pipeline::write_each(&planner, (config, &reference), cores(), &check_container, see)?;
        }
        Jobs::PerPlatform => {
            let mut checks: Vec<PlannedCheck> = Vec::new();
            planner.visit(&mut |check| {
                // The steps of all crates share the settings of a check: one for each platform.
                let mut recent = checks.iter().rev().take(REMEMBERED);
                if !recent.any(|known| Arc::ptr_eq(&known.step, &check.step)) {
                    check_container(&check)?;
                }
                checks.push(check);
                Ok(())
            })?;
            let mut written = Written::default();
            for step in Groups::of(checks, config, times)?.steps(config, &reference)? {
                written.add(&step)?;
            }
            see(&written)?;
        }
    }
    if let Some(selection) = &facts.selection {
        say::note(shown::line(&selection.summary(all - left_out, all)));
    }
    Ok(planner.notes())
}

/// How many checks are looked at for the same settings: one for each platform and one for none.
const REMEMBERED: usize = 4;

/// Refuses a container option that the step's job would refuse, wherever it comes from: options, descriptions
/// or variables.
fn check_container(check: &PlannedCheck) -> Result<()> {
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
    Ok(())
}

/// Says what a person should know about the steps.
fn say_notes(notes: &[String], steps: u64) {
    notes.iter().for_each(say::note);
    if steps == 0 {
        say::note("there is no step to upload: every check is left out, or the files describe none");
    }
}
