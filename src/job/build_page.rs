//! The one annotation of the whole build. Each job rewrites it as it ends, from the briefs that all jobs have
//! left in the build's meta-data.
//!
//! Buildkite has no compare-and-swap, and none is needed. A job first sets its own key. Then it reads all
//! briefs, posts the annotation that they make, and reads them again, until they are what it posted. So no
//! brief is missing at the end. If a job sets its brief after another job has read for the last time, it posts
//! the annotation later than that job.

use anyhow::Result;
use rust_vmm_ci_core::report::annotation::{self, BUILD_CONTEXT, BuildPage, Style};
use rust_vmm_ci_core::report::brief::Brief;
use rust_vmm_ci_core::report::{Report, lines, merge};
use rust_vmm_ci_effects::{agent, process};

/// What the keys of the briefs begin with. The hash of the job follows.
const KEY: &str = "rust-vmm-ci:report:";
/// The most briefs that are read. Any job of the build can make keys.
const MOST: usize = 500;
/// The most times that the annotation is posted. Each further time means that another job has ended meanwhile.
const ROUNDS: usize = 200;

/// The build's annotation and meta-data.
trait Build {
    /// Sets a value of the meta-data.
    fn set(&mut self, key: &str, value: &str) -> Result<()>;
    /// The value of a key; none where it is not set.
    fn get(&mut self, key: &str) -> Result<Option<String>>;
    /// All keys and values of briefs, in the order of the keys.
    fn briefs(&mut self) -> Result<Vec<(String, String)>>;
    /// Replaces the annotation.
    fn post(&mut self, body: &str, style: Style) -> Result<()>;
    /// Removes the annotation, if there is one.
    fn remove(&mut self) -> Result<()>;
    /// Whether the job is cancelled, and has no time for more.
    fn is_over(&self) -> bool;
}

/// The build of this process's job, through the agent.
struct OfAgent;

impl Build for OfAgent {
    fn set(&mut self, key: &str, value: &str) -> Result<()> {
        agent::set_meta_data(key, value)
    }

    fn get(&mut self, key: &str) -> Result<Option<String>> {
        agent::meta_data(key)
    }

    fn briefs(&mut self) -> Result<Vec<(String, String)>> {
        let keys = agent::meta_data_keys(KEY)?;
        let keys = keys.into_iter().take(MOST);
        keys.map(|key| Ok((key.clone(), agent::meta_data(&key)?.unwrap_or_default()))).collect()
    }

    fn post(&mut self, body: &str, style: Style) -> Result<()> {
        agent::annotate(body, BUILD_CONTEXT, style).map(drop)
    }

    fn remove(&mut self) -> Result<()> {
        agent::remove_annotation(BUILD_CONTEXT).map(drop)
    }

    fn is_over(&self) -> bool {
        process::cancelled()
    }
}

/// Adds the brief of this job to the annotation of its build.
///
/// # Errors
/// Exit 3 where the agent or Buildkite refuses a call.
pub fn tell(job: &annotation::Job, brief: &Brief, build: Option<&str>) -> Result<()> {
    let context = annotation::context(job);
    add(&mut OfAgent, &context, job.retries > 0, brief, build)
}

/// Does what [`tell`] does, unless this try of the job has left a brief.
///
/// # Errors
/// As [`tell`].
pub fn tell_unless_told(job: &annotation::Job, brief: &Brief, build: Option<&str>) -> Result<()> {
    add_unless_there(&mut OfAgent, &annotation::context(job), job.retries > 0, brief, build)
}

/// Puts the findings of this step on the lines of the pull request: those of this job, and of the other jobs of
/// a step that has several. What an earlier try put there is replaced.
///
/// # Errors
/// Exit 3 where the agent knows no such command or Buildkite refuses: the step may have no GitHub check.
pub fn show_on_lines(report: &Report, retried: bool) -> Result<()> {
    let step = report.jobs.first().and_then(|job| job.step.clone());
    // One job of several must not take away what the others found.
    let others = |known: &[(String, String)]| -> Vec<Report> {
        let briefs = known.iter().filter_map(|(_, text)| Brief::read(text)).map(|brief| brief.report);
        briefs
            .filter(|other| step.is_some() && other.jobs.first().and_then(|job| job.step.clone()) == step)
            .collect()
    };
    let mut build = OfAgent;
    let mut posted = None;
    for _ in 0..ROUNDS {
        let mut reports = others(&build.briefs().unwrap_or_default());
        reports.push(report.clone());
        let lines = lines::annotations(&merge(reports).findings);
        if posted.as_ref() == Some(&lines)
            || (posted.is_none() && lines == "[]" && !retried)
            || build.is_over()
        {
            return Ok(());
        }
        agent::update_step(lines::ATTRIBUTE, &lines)?;
        posted = Some(lines);
    }
    Ok(())
}

/// Makes the annotation again, of what all jobs have left. `page` is the artifact with the whole build.
///
/// # Errors
/// Exit 3 where the agent or Buildkite refuses a call.
pub fn renew(build: Option<&str>, page: Option<&str>) -> Result<()> {
    settle(&mut OfAgent, None, true, build, page)
}

/// A brief of an earlier try has the id of another job, and is replaced.
fn add_unless_there(
    to: &mut dyn Build,
    job: &str,
    retried: bool,
    brief: &Brief,
    build: Option<&str>,
) -> Result<()> {
    let id = |brief: &Brief| brief.report.jobs.first().and_then(|job| job.id.clone());
    let there = to.get(&format!("{KEY}{job}"))?;
    if there.and_then(|text| Brief::read(&text)).is_some_and(|there| id(&there) == id(brief)) {
        return Ok(());
    }
    add(to, job, retried, brief, build)
}

fn add(to: &mut dyn Build, job: &str, retried: bool, brief: &Brief, build: Option<&str>) -> Result<()> {
    let own = (format!("{KEY}{job}"), brief.text());
    to.set(&own.0, &own.1)?;
    settle(to, Some(&own), retried, build, None)
}

/// Posts the annotation until it says what the briefs say. `own` is in it even where the meta-data does not
/// show it yet. `may_remain` says whether an earlier annotation may be there to which no brief belongs any
/// more.
fn settle(
    to: &mut dyn Build,
    own: Option<&(String, String)>,
    mut may_remain: bool,
    build: Option<&str>,
    page: Option<&str>,
) -> Result<()> {
    let read = |to: &mut dyn Build| -> Result<Vec<(String, String)>> {
        let mut all = to.briefs()?;
        // A secret in it may have been replaced on the way: what the meta-data has counts.
        if let Some(own) = own.filter(|own| !all.iter().any(|(key, _)| *key == own.0)) {
            all.push(own.clone());
        }
        Ok(all)
    };
    let mut known = read(to)?;
    for _ in 0..ROUNDS {
        let briefs: Vec<Brief> = known.iter().filter_map(|(_, text)| Brief::read(text)).collect();
        match (BuildPage { briefs: &briefs, build, whole: page }).render() {
            Some((body, style)) => {
                to.post(&body, style)?;
                may_remain = true;
            }
            None if may_remain => to.remove()?,
            None => return Ok(()),
        }
        let now = read(to)?;
        if now == known || to.is_over() {
            return Ok(());
        }
        known = now;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rust_vmm_ci_core::report::{Finding, Job, Outcome, Verdict};
    use std::collections::BTreeMap;
    use std::sync::{Arc, Mutex};

    #[derive(Default)]
    struct State {
        data: BTreeMap<String, String>,
        annotation: Option<String>,
        posts: usize,
    }

    /// A build in memory, which other jobs use at the same time. Each call waits, so that calls interleave.
    #[derive(Clone, Default)]
    struct Memory(Arc<Mutex<State>>);

    impl Memory {
        fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
            std::thread::yield_now();
            let done = act(&mut self.0.lock().unwrap());
            std::thread::yield_now();
            done
        }
    }

    impl Build for Memory {
        fn set(&mut self, key: &str, value: &str) -> Result<()> {
            self.with(|state| state.data.insert(key.into(), value.into()));
            Ok(())
        }

        fn get(&mut self, key: &str) -> Result<Option<String>> {
            Ok(self.with(|state| state.data.get(key).cloned()))
        }

        fn briefs(&mut self) -> Result<Vec<(String, String)>> {
            let keys: Vec<String> = self.with(|state| state.data.keys().cloned().collect());
            Ok(keys
                .into_iter()
                .map(|key| self.with(|state| (key.clone(), state.data[&key].clone())))
                .collect())
        }

        fn post(&mut self, body: &str, _: Style) -> Result<()> {
            self.with(|state| {
                state.annotation = Some(body.to_owned());
                state.posts += 1;
            });
            Ok(())
        }

        fn remove(&mut self) -> Result<()> {
            self.with(|state| state.annotation = None);
            Ok(())
        }

        fn is_over(&self) -> bool {
            false
        }
    }

    fn brief(job: usize, fails: bool) -> Brief {
        let finding =
            Finding { file: Some("src/lib.rs".into()), line: Some(5), ..Finding::error("the fault") };
        let outcome = Outcome {
            name: "clippy".into(),
            verdict: if fails { Verdict::Failed } else { Verdict::Passed },
            findings: if fails { vec![finding] } else { Vec::new() },
            ..Outcome::default()
        };
        let name = Some(format!("job-{job}."));
        let job = Job { label: name.clone(), step: name, ..Job::default() };
        Brief::of(&Report { jobs: vec![job], outcomes: vec![outcome], ..Report::default() }, None)
    }

    #[test]
    fn of_jobs_that_end_at_once_none_is_lost() {
        for _ in 0..100 {
            let build = Memory::default();
            std::thread::scope(|scope| {
                for job in 0..20 {
                    let mut build = build.clone();
                    scope.spawn(move || {
                        add(&mut build, &job.to_string(), false, &brief(job, job % 3 != 0), None).unwrap();
                    });
                }
            });
            let body = build.0.lock().unwrap().annotation.clone().unwrap();
            for job in 0..20 {
                assert!(body.contains(&format!("job-{job}.")), "job {job} is lost: {body}");
            }
            assert_eq!(body.matches("the fault").count(), 1);
        }
    }

    #[test]
    fn a_retry_that_passes_leaves_nothing_even_while_another_job_posts() {
        for _ in 0..100 {
            let build = Memory::default();
            add(&mut build.clone(), "0", false, &brief(0, true), None).unwrap();
            std::thread::scope(|scope| {
                for job in 0..6 {
                    let mut build = build.clone();
                    scope.spawn(move || {
                        add(&mut build, &job.to_string(), job == 0, &brief(job, false), None).unwrap();
                    });
                }
            });
            assert_eq!(build.0.lock().unwrap().annotation, None);
        }
    }

    #[test]
    fn a_green_build_posts_nothing_and_a_red_one_posts_once_a_job() {
        let mut build = Memory::default();
        for job in 0..3 {
            add(&mut build, &job.to_string(), false, &brief(job, false), None).unwrap();
        }
        assert_eq!(build.0.lock().unwrap().posts, 0);
        add(&mut build, "3", false, &brief(3, true), None).unwrap();
        assert_eq!(build.0.lock().unwrap().posts, 1);
    }

    #[test]
    fn a_job_without_a_report_is_added_unless_this_try_of_it_has_told() {
        let of_try = |id: &str, message: &str| {
            let mut brief = brief(0, true);
            brief.report.jobs[0].id = Some(id.into());
            brief.report.outcomes[0].findings[0].message = message.into();
            brief
        };
        let mut build = Memory::default();
        let mut shown = |retried, brief: &Brief| {
            add_unless_there(&mut build, "0", retried, brief, None).unwrap();
            build.0.lock().unwrap().annotation.clone().unwrap()
        };
        assert!(shown(false, &of_try("first", "the fault")).contains("the fault"));
        assert!(shown(false, &of_try("first", "no report")).contains("the fault"));
        let retried = shown(true, &of_try("second", "no report"));
        assert!(retried.contains("no report") && !retried.contains("the fault"), "{retried}");
    }

    #[test]
    fn what_another_step_writes_under_our_keys_does_no_harm() {
        let mut build = Memory::default();
        build.set(&format!("{KEY}x"), "no brief").unwrap();
        build.set(&format!("{KEY}y"), "{\"report\": 1}").unwrap();
        add(&mut build, "0", false, &brief(0, true), None).unwrap();
        assert!(build.0.lock().unwrap().annotation.as_ref().unwrap().contains("the fault"));
    }
}
