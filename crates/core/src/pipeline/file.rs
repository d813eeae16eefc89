//! The pipeline file of a repository that uses this plugin: what `init` and `migrate` write.

use super::own_reference;
use crate::buildkite::escape;
use crate::model::{Os, Platform};
use serde_json::{Map, Value, json};

/// A step with this plugin.
#[derive(Clone, Debug, PartialEq)]
pub struct Use {
    /// The step's label.
    pub label: String,
    /// The agent tags. None if any agent may run the step.
    pub agents: Option<Value>,
    /// The plugin's options.
    pub options: Map<String, Value>,
}

/// A repository's descriptions of tests: each file's path, and the names in it.
pub type Descriptions = [(String, Vec<String>)];

/// The file in a workspace's root that describes the tests for each crate (the predecessor's convention).
const OF_CRATES: &str = ".buildkite/test_description.json";

/// A step for each platform. Its job runs all of the platform's checks, and the described tests for it.
pub fn one_job_each(platforms: &[Platform], tests: &Descriptions) -> Vec<Use> {
    let step = |platform: &Platform| {
        let mut options = Map::new();
        options.insert("platform".into(), platform.as_str().into());
        options.insert("os".into(), Os::Linux.as_str().into());
        add_tests(&mut options, tests.iter());
        Use {
            label: format!("{platform} linux"),
            agents: Some(json!({"os": Os::Linux.as_str(), "platform": platform.agent_tag()})),
            options,
        }
    };
    platforms.iter().map(step).collect()
}

/// The step for Windows: one job with all its checks, or an upload of one step for each check.
pub fn windows(upload: bool) -> Use {
    let os = Os::Windows.as_str();
    let platform = Platform::X86_64.as_str();
    let options = if upload {
        Map::from_iter([("mode".to_owned(), json!("upload")), ("os".to_owned(), json!(os))])
    } else {
        Map::from_iter([("platform".to_owned(), json!(platform)), ("os".to_owned(), json!(os))])
    };
    if upload {
        return Use { label: format!(":pipeline: {os}"), agents: None, options };
    }
    let agents = Some(json!({"os": os, "platform": platform}));
    Use { label: format!("{platform} {os}"), agents, options }
}

/// The steps that upload what the predecessor's generator uploaded, with the same labels. `standard` has the
/// names of the standard checks.
///
/// A file is a list of its own if it has a standard name, or if it describes the tests for each crate. Such a
/// file gets a step without the standard checks. If there is no such file, one step uploads the standard
/// checks and the tests of all files.
pub fn uploads(tests: &Descriptions, standard: &[String]) -> Vec<Use> {
    let upload = |label: &str| {
        let options = Map::from_iter([("mode".to_owned(), json!("upload"))]);
        Use { label: format!(":pipeline:{label}"), agents: None, options }
    };
    let of_its_own = |(path, names): &&(String, Vec<String>)| {
        path == OF_CRATES || names.iter().any(|name| standard.contains(name))
    };
    let own: Vec<_> = tests.iter().filter(of_its_own).collect();
    let mut steps = Vec::new();
    if own.is_empty() {
        let mut step = upload("");
        add_tests(&mut step.options, tests.iter());
        steps.push(step);
        return steps;
    }
    for &file in &own {
        let mut step = upload(&format!(" {}", stem(&file.0)));
        step.options.insert("standard".into(), false.into());
        if file.0 == OF_CRATES {
            step.options.insert("workspace".into(), "selective".into());
        }
        add_tests(&mut step.options, std::iter::once(file));
        steps.push(step);
    }
    let others: Vec<_> = tests.iter().filter(|file| !of_its_own(file)).collect();
    if !others.is_empty() {
        let mut step = match &others[..] {
            [only] => upload(&format!(" {}", stem(&only.0))),
            _ => upload(" custom"),
        };
        step.options.insert("standard".into(), false.into());
        add_tests(&mut step.options, others.into_iter());
        steps.push(step);
    }
    steps
}

/// The file name of a description, without its folder and `.json`.
fn stem(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.strip_suffix(".json").unwrap_or(name)
}

fn add_tests<'t>(options: &mut Map<String, Value>, tests: impl Iterator<Item = &'t (String, Vec<String>)>) {
    let paths: Vec<&str> = tests.map(|(path, _)| path.as_str()).collect();
    match paths.as_slice() {
        [] => {}
        [one] => drop(options.insert("tests".into(), (*one).into())),
        several => drop(options.insert("tests".into(), json!(several))),
    }
}

/// The pipeline with these steps. Each `$` is escaped, so that the agent replaces no variable.
pub fn pipeline(steps: &[Use]) -> Value {
    let steps = steps.iter().map(|step| {
        let plugin = Map::from_iter([(own_reference(), Value::Object(step.options.clone()))]);
        let mut written = Map::from_iter([("label".to_owned(), json!(step.label))]);
        written.extend(step.agents.clone().map(|agents| ("agents".to_owned(), agents)));
        written.insert("plugins".into(), json!([plugin]));
        Value::Object(written)
    });
    let mut pipeline = json!({"steps": steps.collect::<Vec<_>>()});
    escape(&mut pipeline);
    pipeline
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(of: &[(&str, &[&str])]) -> Vec<(String, Vec<String>)> {
        let names = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        of.iter().map(|(path, of)| ((*path).to_owned(), names(of))).collect()
    }

    fn options(steps: &[Use]) -> Value {
        steps.iter().map(|step| Value::Object(step.options.clone())).collect()
    }

    #[test]
    fn files_that_add_to_the_standard_list_go_up_with_it() {
        let tests =
            files(&[(".buildkite/custom-tests.json", &["bzimage"]), (".buildkite/bench-tests.json", &[])]);
        let expected = json!([{"mode": "upload",
            "tests": [".buildkite/custom-tests.json", ".buildkite/bench-tests.json"]}]);
        assert_eq!(options(&uploads(&tests, &["style".into()])), expected);
        assert_eq!(options(&uploads(&[], &["style".into()])), json!([{"mode": "upload"}]));
    }

    #[test]
    fn a_list_with_standard_names_stands_in_the_standard_ones_place() {
        let tests = files(&[("m/main-tests.json", &["style", "x"]), ("m/more.json", &["y"])]);
        let steps = uploads(&tests, &["style".into()]);
        let expected = json!([{"mode": "upload", "standard": false, "tests": "m/main-tests.json"},
            {"mode": "upload", "standard": false, "tests": "m/more.json"}]);
        assert_eq!(options(&steps), expected);
        assert_eq!(steps[0].label, ":pipeline: main-tests");
    }

    #[test]
    fn a_workspace_that_describes_its_crates_tests_is_selective() {
        let tests = files(&[(OF_CRATES, &["build"])]);
        let expected =
            json!([{"mode": "upload", "standard": false, "workspace": "selective", "tests": OF_CRATES}]);
        assert_eq!(options(&uploads(&tests, &[])), expected);
    }

    #[test]
    fn a_jobs_step_says_its_machine_and_no_name_is_a_variable() {
        let steps = one_job_each(&[Platform::Aarch64], &files(&[(".buildkite/$HOME.json", &[])]));
        let pipeline = pipeline(&steps);
        assert_eq!(pipeline["steps"][0]["agents"], json!({"os": "linux", "platform": "arm.metal"}));
        let options = &pipeline["steps"][0]["plugins"][0][own_reference()];
        assert_eq!(
            options,
            &json!({"platform": "aarch64", "os": "linux", "tests": ".buildkite/$$HOME.json"})
        );
    }
}
