//! What the environment says about where this process runs.

use anyhow::Result;
use rust_vmm_ci_core::checks::base;
use rust_vmm_ci_core::checks::shard::Shard;
use rust_vmm_ci_core::config::Change;
use rust_vmm_ci_core::exit::usage;
use rust_vmm_ci_core::model::address::without_password;
use rust_vmm_ci_core::predecessor;
use rust_vmm_ci_core::report::annotation;
use rust_vmm_ci_effects::run::console::Kind;
use rust_vmm_ci_effects::{container, say};
use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::OnceLock;

/// The beginnings of the names of variables that the program reads.
const PREFIXES: [&str; 2] = ["BUILDKITE", "RUST_VMM_CI_"];
/// Variables with other names that the program reads as text, beside those of
/// [`predecessor::VARIABLES`] and [`base::VARIABLES`].
const OTHERS: [&str; 3] = ["CI", "CARGO_TERM_COLOR", "PACKAGE"];

/// Refuses variables that the program reads and whose value is not valid text. Without this they would
/// count as unset: a step's own command would not run.
///
/// # Errors
/// Exit 2 with the variable's name.
pub fn require_text() -> Result<()> {
    require_text_in(std::env::vars_os())
}

fn require_text_in(variables: impl Iterator<Item = (OsString, OsString)>) -> Result<()> {
    let is_read = |name: &str| {
        PREFIXES.iter().any(|prefix| name.starts_with(prefix))
            || OTHERS.contains(&name)
            || predecessor::VARIABLES.contains(&name)
            || base::VARIABLES.contains(&name)
    };
    for (name, value) in variables {
        let name = name.to_string_lossy();
        if value.to_str().is_none() && is_read(&name) {
            return Err(usage(format!("the variable {name}: its value is not valid UTF-8; set it to text")));
        }
    }
    Ok(())
}

/// A variable's value where it is set and not empty. [`require_text`] has refused one that is not valid
/// text.
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// What the variables and the standard outputs say, read once.
#[derive(Clone, Debug)]
pub struct Environment {
    /// Whether this is a job of a Buildkite agent.
    pub buildkite: bool,
    /// Whether this is CI and not a person's machine.
    pub ci: bool,
    /// Whether this process is in a container that this program started.
    pub in_container: bool,
    /// Whether that container's platform is emulated by the machine.
    pub emulated: bool,
    /// Whether the agent is in Kubernetes, and so in the container of the job
    /// (`clicommand/kubernetes_bootstrap.go` of the agent). A pipeline cannot set this variable.
    pub kubernetes: bool,
    /// The image of that container.
    pub image: Option<String>,
    /// The file that the hook around this process reads the report from.
    pub report_file: Option<PathBuf>,
    /// What the standard output is.
    pub console: Kind,
    /// Whether output may have colours.
    pub color: bool,
    /// The step of this job.
    pub step: Step,
    /// Whose change this job builds.
    pub change: Change,
}

/// What Buildkite's variables say about the step of a job.
#[derive(Clone, Debug, Default)]
pub struct Step {
    /// `BUILDKITE_STEP_KEY`.
    pub key: Option<String>,
    /// `BUILDKITE_LABEL`.
    pub label: Option<String>,
    /// `BUILDKITE_STEP_ID`.
    pub id: Option<String>,
    /// `BUILDKITE_PARALLEL_JOB`: the number of this job among the step's jobs, from 0.
    pub parallel_job: Option<String>,
    /// `BUILDKITE_PARALLEL_JOB_COUNT`: how many jobs the step has.
    pub parallel_jobs: Option<String>,
    /// `BUILDKITE_JOB_ID`.
    pub job_id: Option<String>,
    /// `BUILDKITE_BUILD_URL`: the page of the build.
    pub build: Option<String>,
    /// `BUILDKITE_REPO`, without a password.
    pub repository: Option<String>,
    /// `BUILDKITE_BRANCH`.
    pub branch: Option<String>,
    /// `BUILDKITE_RETRY_COUNT`: how often the job was retried.
    pub retries: u32,
}

impl Step {
    /// What distinguishes the job in the annotation of its build.
    pub fn of_annotation(&self) -> annotation::Job<'_> {
        annotation::Job {
            key: self.key.as_deref(),
            label: self.label.as_deref(),
            step_id: self.id.as_deref(),
            parallel: self.parallel_job.as_deref(),
            retries: self.retries,
        }
    }
}

impl Environment {
    /// Reads this process's environment.
    pub fn read() -> Self {
        let terminal = std::io::stdout().is_terminal() && std::io::stderr().is_terminal();
        let environment = Self::of(&variable, terminal);
        // A pipeline can set the variable. It must not move a job onto the host.
        let in_container = environment.in_container && container::is_inside();
        let emulated = environment.emulated && in_container;
        let environment = Self { in_container, emulated, ..environment };
        if say::is_quiet() { Self { console: Kind::Failures, ..environment } } else { environment }
    }

    /// The environment of these variables; `terminal` says whether the standard outputs look like one.
    pub fn of(get: &dyn Fn(&str) -> Option<String>, terminal: bool) -> Self {
        let buildkite = get("BUILDKITE").is_some_and(|value| value == "true");
        let kubernetes = get("BUILDKITE_KUBERNETES_EXEC").is_some_and(|value| value == "true");
        let console = match (buildkite, terminal) {
            // Under the agent the output looks like a terminal, but is a log.
            (true, _) => Kind::Buildkite,
            (false, true) => Kind::Terminal,
            (false, false) => Kind::Plain,
        };
        Self {
            buildkite,
            // `CI` is the variable that most other services set.
            ci: buildkite || get("CI").is_some_and(|value| value != "false" && value != "0"),
            in_container: get(container::IN_CONTAINER).is_some(),
            emulated: get(container::EMULATED).is_some(),
            kubernetes,
            // The second one is the image of the pod, where the step names it.
            image: get(container::IMAGE_VARIABLE)
                .or_else(|| if kubernetes { get("BUILDKITE_IMAGE") } else { None }),
            report_file: get(container::REPORT).map(PathBuf::from),
            console,
            color: color(get, console),
            change: Change::read(get),
            step: Step {
                key: get("BUILDKITE_STEP_KEY"),
                label: get("BUILDKITE_LABEL"),
                id: get("BUILDKITE_STEP_ID"),
                parallel_job: get("BUILDKITE_PARALLEL_JOB"),
                parallel_jobs: get("BUILDKITE_PARALLEL_JOB_COUNT"),
                job_id: get("BUILDKITE_JOB_ID"),
                build: get("BUILDKITE_BUILD_URL"),
                repository: get("BUILDKITE_REPO").map(|url| without_password(&url).into_owned()),
                branch: get("BUILDKITE_BRANCH"),
                retries: get("BUILDKITE_RETRY_COUNT").and_then(|count| count.parse().ok()).unwrap_or(0),
            },
        }
    }

    /// Which of its step's jobs this is; none where the step has one job.
    ///
    /// # Errors
    /// As [`Shard::of_job`].
    pub fn shard(&self) -> Result<Option<Shard>> {
        Shard::of_job(self.step.parallel_job.as_deref(), self.step.parallel_jobs.as_deref())
    }

    /// What comes before a summary: in Buildkite the heading of an open group.
    pub fn summary_heading(&self) -> &'static str {
        if self.buildkite { "+++ :clipboard: rust-vmm-ci\n" } else { "\n" }
    }
}

/// Whether output may have colours: by `--color`, else by cargo's own variable, else by
/// <https://no-color.org> and <https://bixense.com/clicolors>, else where the output can show them.
fn color(get: &dyn Fn(&str) -> Option<String>, console: Kind) -> bool {
    if let Some(Some(color)) = COLOR.get() {
        return *color;
    }
    match get("CARGO_TERM_COLOR").as_deref() {
        Some("always") => true,
        Some("never") => false,
        _ if get("NO_COLOR").is_some() => false,
        _ if get("CLICOLOR_FORCE").is_some_and(|force| force != "0") => true,
        _ => get("CLICOLOR").is_none_or(|color| color != "0") && console != Kind::Plain,
    }
}

/// What `--color` says; none for `auto`.
static COLOR: OnceLock<Option<bool>> = OnceLock::new();

/// Sets what `--color` says, once.
pub fn choose_color(choice: Option<bool>) {
    let _ = COLOR.set(choice);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)], terminal: bool) -> Environment {
        let get = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        Environment::of(&get, terminal)
    }

    #[test]
    fn the_output_of_an_agent_is_a_log_though_it_looks_like_a_terminal() {
        assert_eq!(of(&[("BUILDKITE", "true")], true).console, Kind::Buildkite);
        assert_eq!(of(&[], true).console, Kind::Terminal);
        assert_eq!(of(&[], false).console, Kind::Plain);
    }

    #[test]
    fn colours_are_as_the_variables_say_or_as_the_output_can_show() {
        assert!(of(&[], true).color && !of(&[], false).color);
        assert!(!of(&[("NO_COLOR", "1")], true).color);
        assert!(of(&[("NO_COLOR", "1"), ("CARGO_TERM_COLOR", "always")], false).color);
        assert!(!of(&[("CARGO_TERM_COLOR", "never")], true).color);
        assert!(of(&[("CLICOLOR_FORCE", "1")], false).color && !of(&[("CLICOLOR_FORCE", "0")], false).color);
        assert!(!of(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], true).color);
        assert!(!of(&[("CLICOLOR", "0")], true).color);
    }

    #[cfg(unix)]
    #[test]
    fn a_variable_that_is_read_and_is_no_text_is_refused_and_another_is_not() {
        use std::os::unix::ffi::OsStringExt as _;
        let refused = |name: &str, value: &[u8]| {
            let value = OsString::from_vec(value.to_vec());
            require_text_in([(name.into(), value)].into_iter()).err().map(|error| error.to_string())
        };
        for name in ["BUILDKITE_COMMAND", "BUILDKITE_PLUGIN_CONFIGURATION", "TESTS_TO_SKIP", "BASE_BRANCH"] {
            assert!(refused(name, b"echo \xff").unwrap().contains(name));
            assert_eq!(refused(name, "żółw".as_bytes()), None);
        }
        assert_eq!(refused("LS_COLORS", b"\xff"), None);
    }

    #[test]
    fn other_services_are_ci_too() {
        assert!(of(&[("CI", "1")], false).ci && of(&[("BUILDKITE", "true")], false).ci);
        assert!(!of(&[("CI", "false")], false).ci && !of(&[("CI", "0")], false).ci && !of(&[], false).ci);
    }
}
