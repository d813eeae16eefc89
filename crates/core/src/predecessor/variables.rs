//! The six variables that configured the predecessor.

use super::test::without_nulls;
use crate::buildkite::unescape;
use crate::exit::usage;
use crate::model::{HYPERVISORS, mistakes};
use crate::options::{self, Name, Positive, Refusal, Source};
use anyhow::Result;
use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::{Map, Value};

const SKIP: &str = "TESTS_TO_SKIP";
const TIMEOUTS: &str = "TIMEOUTS_MIN";
const X86_AGENTS: &str = "X86_LINUX_AGENT_TAGS";
const AARCH64_AGENTS: &str = "AARCH64_LINUX_AGENT_TAGS";
const DOCKER: &str = "DOCKER_PLUGIN_CONFIG";
const HYPERVISOR: &str = "DEFAULT_AGENT_TAG_HYPERVISOR";

/// The variables that [`Variables::read`] asks for.
pub const NAMES: [&str; 6] = [SKIP, TIMEOUTS, X86_AGENTS, AARCH64_AGENTS, DOCKER, HYPERVISOR];

/// A change to some tests: `{"tests": [ … ], "cfg": { … }}`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Selected {
    /// The tests' names.
    pub tests: Vec<String>,
    /// The values that change for them.
    pub config: Map<String, Value>,
}

impl Selected {
    /// Whether the change is for the test with this name.
    pub fn is_for(&self, name: &str) -> bool {
        self.tests.iter().any(|test| test == name)
    }
}

/// The values of the variables.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Variables {
    /// `TESTS_TO_SKIP`.
    pub skip: Vec<String>,
    /// `TIMEOUTS_MIN`: minutes by name. It had no effect in the predecessor (its defect 1).
    pub timeouts: IndexMap<String, u32>,
    /// `X86_LINUX_AGENT_TAGS`: replaces all tags of x86-64 steps.
    pub x86_agents: Option<Selected>,
    /// `AARCH64_LINUX_AGENT_TAGS`: the same for Arm.
    pub aarch64_agents: Option<Selected>,
    /// `DOCKER_PLUGIN_CONFIG`: merged over the container's options.
    pub docker: Option<Selected>,
    /// `DEFAULT_AGENT_TAG_HYPERVISOR`. If it is set to an empty value, the tag is removed.
    pub hypervisor: Option<String>,
}

impl Variables {
    /// Reads the variables. An empty variable counts as unset, except for that of the hypervisor.
    ///
    /// # Errors
    /// Exit 2, with the expected form, for a value that is not JSON or has another form. If there was a text
    /// instead of a list, the predecessor searched the text for names.
    pub fn read(get: &dyn Fn(&str) -> Option<String>) -> Result<Self> {
        let hypervisor = get(HYPERVISOR).map(|name| name.trim().to_owned());
        if let Some(name) =
            hypervisor.as_deref().filter(|name| !name.is_empty() && !HYPERVISORS.contains(name))
        {
            let refusal = Refusal::unknown_word(name, &HYPERVISORS);
            return Err(usage(refusal.at_source(Source::Variable(HYPERVISOR))));
        }
        let mut read = Self { hypervisor, ..Self::default() };
        for name in [SKIP, TIMEOUTS, X86_AGENTS, AARCH64_AGENTS, DOCKER] {
            let Some(text) = get(name).filter(|text| !text.trim().is_empty()) else { continue };
            let mut value: Value = serde_json::from_str(&text).map_err(|error| {
                let reason = format!("{error}; expected JSON such as {}", example(name));
                usage(Refusal::because(reason).at_source(Source::Variable(name)))
            })?;
            unescape(&mut value);
            read.set(name, &value).map_err(|refusal| {
                let refusal = refusal.at_source(Source::Variable(name));
                usage(format!("{refusal}; for example: {name}='{}'", example(name)))
            })?;
        }
        Ok(read)
    }

    fn set(&mut self, name: &str, value: &Value) -> Result<(), Refusal> {
        match name {
            SKIP => self.skip = names(value)?,
            TIMEOUTS => self.timeouts = timeouts(value)?,
            X86_AGENTS => self.x86_agents = Some(selected(value, true)?),
            AARCH64_AGENTS => self.aarch64_agents = Some(selected(value, true)?),
            _ => self.docker = Some(selected(value, false)?),
        }
        Ok(())
    }

    /// Every name of a test in a variable, with the name of the variable.
    pub fn mentioned(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let selected =
            [(X86_AGENTS, &self.x86_agents), (AARCH64_AGENTS, &self.aarch64_agents), (DOCKER, &self.docker)];
        let selected = selected.into_iter().flat_map(|(variable, selected)| {
            selected.iter().flat_map(|selected| &selected.tests).map(move |test| (variable, test.as_str()))
        });
        let skip = self.skip.iter().map(|test| (SKIP, test.as_str()));
        skip.chain(self.timeouts.keys().map(|test| (TIMEOUTS, test.as_str()))).chain(selected)
    }

    /// Compares the names with `known`, the names of this upload, and `elsewhere`, the names in the
    /// repository's other files. One variable often serves several uploads, so an unknown name is only a
    /// note.
    ///
    /// # Errors
    /// Exit 2 for a name that is probably a typing error for a known name.
    pub fn note_unknown_names(
        &self,
        known: &[&str],
        elsewhere: impl FnOnce() -> Vec<String>,
    ) -> Result<Vec<String>> {
        let mut unknown = self.mentioned().filter(|(_, test)| !known.contains(test)).peekable();
        if unknown.peek().is_none() {
            return Ok(Vec::new());
        }
        let elsewhere = elsewhere();
        let mut notes = Vec::new();
        for (variable, test) in unknown.filter(|(_, test)| !elsewhere.iter().any(|name| name == test)) {
            let all = known.iter().copied().chain(elsewhere.iter().map(String::as_str));
            if let Some(meant) = slip_of(test, all) {
                return Err(usage(format!("{variable}: no test is named `{test}`; did you mean `{meant}`?")));
            }
            notes.push(format!("{variable}: no test of this upload is named `{test}`"));
        }
        Ok(notes)
    }
}

/// The name that differs by a typing error: by one in a short name, by two in a longer one. This is stricter
/// than for our options, because there an unknown name is an error anyway.
fn slip_of<'a>(given: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    const LONG: usize = 8;
    let allowed = if given.chars().count() < LONG { 1 } else { 2 };
    let fold = |name: &str| name.to_lowercase().replace('_', "-");
    let folded = fold(given);
    names
        .filter(|name| name.len().abs_diff(given.len()) <= 2)
        .filter_map(|name| Some((mistakes(&folded, &fold(name))?, name)))
        .filter(|(slips, _)| *slips <= allowed)
        .min_by_key(|(slips, _)| *slips)
        .map(|(_, name)| name)
}

fn example(variable: &str) -> &'static str {
    match variable {
        SKIP => r#"["commit-format"]"#,
        TIMEOUTS => r#"{"style": 30}"#,
        DOCKER => r#"{"tests": ["coverage"], "cfg": {"privileged": true}}"#,
        _ => r#"{"tests": ["clippy"], "cfg": {"os": "linux", "queue": "big"}}"#,
    }
}

/// A change to some tests, as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    tests: Vec<Name>,
    cfg: Value,
}

fn names(value: &Value) -> Result<Vec<String>, Refusal> {
    let names: Vec<Name> = options::read(value)?;
    Ok(names.into_iter().map(|Name(name)| name).collect())
}

fn timeouts(value: &Value) -> Result<IndexMap<String, u32>, Refusal> {
    let minutes: IndexMap<String, Positive> = options::read(value)?;
    Ok(minutes.into_iter().map(|(name, Positive(minutes))| (name, minutes)).collect())
}

fn selected(value: &Value, tags: bool) -> Result<Selected, Refusal> {
    let Written { tests, cfg } = options::read(value)?;
    let config = without_nulls(&cfg).map_err(|refusal| refusal.below("cfg"))?;
    if tags && config.is_empty() {
        return Err(Refusal::because("has no agent tag: any agent would take the steps").below("cfg"));
    }
    Ok(Selected { tests: tests.into_iter().map(|Name(name)| name).collect(), config })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Variables> {
        Variables::read(&|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).into())
        })
    }

    fn refusal(name: &str, value: &str) -> String {
        let error = read(&[(name, value)]).unwrap_err();
        assert_eq!(crate::exit::of(&error), crate::exit::Exit::Usage);
        error.to_string()
    }

    #[test]
    fn every_variable_is_read() {
        let read = read(&[
            (SKIP, r#"["a"]"#),
            (TIMEOUTS, r#"{"b": 30}"#),
            (X86_AGENTS, r#"{"tests": ["c"], "cfg": {"queue": "q"}}"#),
            (AARCH64_AGENTS, " "),
            (DOCKER, r#"{"tests": ["d"], "cfg": {"volumes": ["$$HOME:/h"]}}"#),
            (HYPERVISOR, "mshv"),
        ])
        .unwrap();
        let mentioned: Vec<_> = read.mentioned().collect();
        assert_eq!(mentioned, [(SKIP, "a"), (TIMEOUTS, "b"), (X86_AGENTS, "c"), (DOCKER, "d")]);
        assert_eq!(read.timeouts["b"], 30);
        assert_eq!(read.docker.unwrap().config["volumes"][0], "$HOME:/h");
        assert_eq!((read.hypervisor.as_deref(), read.aarch64_agents), (Some("mshv"), None));
    }

    #[test]
    fn an_empty_hypervisor_takes_the_tag_away_and_other_empty_ones_say_nothing() {
        let empty = NAMES.map(|name| (name, ""));
        let expected = Variables { hypervisor: Some(String::new()), ..Variables::default() };
        assert_eq!(read(&empty).unwrap(), expected);
        assert_eq!(read(&[]).unwrap(), Variables::default());
    }

    #[test]
    fn another_shape_is_refused_with_its_place_and_an_example() {
        for (name, value, told) in [
            (
                SKIP,
                "style",
                "TESTS_TO_SKIP: expected value at line 1 column 1; expected JSON such as [\"commit-format\"]",
            ),
            (
                SKIP,
                r#""style""#,
                "TESTS_TO_SKIP: expected a list, got \"style\"; for example: TESTS_TO_SKIP='",
            ),
            (SKIP, "[5]", "TESTS_TO_SKIP[0]: expected text, got 5; write it in quotes"),
            (TIMEOUTS, r#"["style"]"#, "TIMEOUTS_MIN: expected a map, got"),
            (
                TIMEOUTS,
                r#"{"style": 0}"#,
                "TIMEOUTS_MIN.style: expected a whole number from 1 to 4294967295, got 0",
            ),
            (
                X86_AGENTS,
                r#"{"tests": "style", "cfg": {"a": 1}}"#,
                "X86_LINUX_AGENT_TAGS.tests: expected a list",
            ),
            (X86_AGENTS, r#"{"tests": ["style"], "cfg": {}}"#, "X86_LINUX_AGENT_TAGS.cfg: has no agent tag"),
            (DOCKER, r#"{"tests": []}"#, "DOCKER_PLUGIN_CONFIG: has no `cfg`"),
            (
                DOCKER,
                r#"{"tests": [], "cfg": {}, "cgf": {}}"#,
                "DOCKER_PLUGIN_CONFIG.cgf: unknown option; did you mean `cfg`?",
            ),
            (
                HYPERVISOR,
                "hvm",
                "DEFAULT_AGENT_TAG_HYPERVISOR: expected one of kvm, mshv, got \"hvm\"; did you mean `kvm`?",
            ),
        ] {
            let refusal = refusal(name, value);
            assert!(refusal.starts_with(told), "{refusal}");
        }
    }

    #[test]
    fn a_name_of_another_file_is_fine_a_slip_an_error_and_another_word_a_note() {
        let known = ["clippy", "unittests-gnu"];
        let check = |names: &str| {
            let read = read(&[(SKIP, names)]).unwrap();
            read.note_unknown_names(&known, || vec!["bench".into()])
        };
        assert_eq!(check(r#"["clippy", "bench"]"#).unwrap(), [""; 0]);
        assert_eq!(
            check(r#"["build-alloc"]"#).unwrap(),
            ["TESTS_TO_SKIP: no test of this upload is named `build-alloc`"]
        );
        for slip in ["cliipy", "unitests_gnu", "benhc"] {
            let told = check(&format!("[{slip:?}]")).unwrap_err().to_string();
            assert!(
                told.starts_with(&format!("TESTS_TO_SKIP: no test is named `{slip}`; did you mean `")),
                "{told}"
            );
        }
    }
}
