//! Descriptions of tests: `{"tests": [ … ]}`. A repository has its own, and the standard list has the same
//! format.

use super::test::Test;
use crate::exit::usage;
use crate::options::{Refusal, Source};
use anyhow::Result;
use serde_json::Value;

/// The tests of one file.
#[derive(Clone, Debug, Default)]
pub struct Description {
    /// The file, from the repository's root.
    pub path: String,
    /// Its tests, in order. There may be none: kvm and vhost have such files.
    pub tests: Vec<Test>,
}

impl Description {
    /// Reads a file's text. If a key occurs twice, the last value counts, as in the predecessor.
    ///
    /// # Errors
    /// Exit 2 with file and key path for everything that the predecessor would have ignored, or that would
    /// have made it fail.
    pub fn read(path: &str, text: &str) -> Result<Self> {
        let tests = tests(text).map_err(|refusal| usage(refusal.at_source(Source::File(path.to_owned()))))?;
        Ok(Self { path: path.to_owned(), tests })
    }

    /// The names of the tests in a file. The file may be wrong in other ways.
    pub fn names(text: &str) -> Vec<String> {
        let value: Value = serde_json::from_str(without_mark(text)).unwrap_or_default();
        let tests = value.get("tests").and_then(Value::as_array);
        let name = |test: &Value| Some(test.get("test_name")?.as_str()?.to_owned());
        tests.into_iter().flatten().filter_map(name).collect()
    }
}

/// The text without a byte order mark at its beginning.
pub(super) fn without_mark(text: &str) -> &str {
    text.trim_start_matches('\u{feff}')
}

fn tests(text: &str) -> Result<Vec<Test>, Refusal> {
    const SHAPE: &str = "{\"tests\": [ … ]}";
    let text = without_mark(text);
    if text.trim().is_empty() {
        return Err(Refusal::because(format!("is empty; the least that it can hold is {SHAPE}")));
    }
    let value: Value = serde_json::from_str(text).map_err(|error| Refusal::because(error.to_string()))?;
    let Value::Object(mut map) = value else { return Err(Refusal::expected(SHAPE, &value)) };
    let tests = map.shift_remove("tests");
    if let Some(key) = map.keys().next() {
        return Err(Refusal::unknown(key, ["tests"]));
    }
    let tests = match tests {
        Some(Value::Array(tests)) => tests,
        Some(other) => return Err(Refusal::expected("a list of tests", &other).below("tests")),
        None => return Err(Refusal::missing("tests")),
    };
    let read = |(index, test)| Test::read(format!("tests[{index}]"), test);
    tests.into_iter().enumerate().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Os, Platform};
    use crate::predecessor::Scope;
    use serde_json::json;

    fn read(text: &str) -> Description {
        Description::read("t.json", text).unwrap()
    }

    fn refusal(text: &str) -> String {
        let error = Description::read("t.json", text).unwrap_err();
        assert_eq!(crate::exit::of(&error), crate::exit::Exit::Usage);
        error.to_string()
    }

    #[test]
    fn the_standard_list_is_read_by_the_same_parser() {
        let standard = Description::read("the standard checks", crate::checks::STANDARD).unwrap();
        assert!(
            standard
                .tests
                .iter()
                .any(|test| test.name.as_str() == "build-msvc" && test.os == Some(Os::Windows))
        );
        assert!(standard.tests.iter().all(|test| test.interpolated.is_none() && test.attributes.is_empty()));
    }

    #[test]
    fn every_key_is_read() {
        let description = read(
            r#"{"tests": [{"test_name": "a", "command": "ROOT=$$PWD $X", "platform": ["x86_64", "x86_64"],
                "hypervisor": "mshv", "docker_plugin": {"privileged": true}, "conditional": "build.branch == 'm'",
                "timeout_in_minutes": 20, "queue": "q", "scope": "workspace", "crate_path": "c",
                "if_changed": "c/*", "soft_fail": "true", "retry": {"manual": false}}]}"#,
        );
        let test = &description.tests[0];
        assert_eq!((test.command.as_str(), test.interpolated.as_deref()), ("ROOT=$PWD $X", Some("X")));
        assert_eq!(test.platforms, Some(vec![Platform::X86_64]));
        assert_eq!((test.hypervisor.as_deref(), test.queue.as_deref()), (Some("mshv"), Some("q")));
        assert_eq!((test.scope, test.crate_path.as_deref()), (Scope::Workspace, Some("c")));
        assert_eq!(test.timeout, Some(json!(20)));
        assert_eq!(
            Value::Object(test.attributes.clone()),
            json!({"if": "build.branch == 'm'", "if_changed": "c/*", "soft_fail": "true", "retry": {"manual": false}})
        );
    }

    #[test]
    fn of_a_key_that_stands_twice_the_last_holds_and_null_is_none() {
        let description = read(
            r#"{"tests": [{"test_name": "a", "test_name": "b", "command": "c", "queue": null, "platform": []}]}"#,
        );
        let test = &description.tests[0];
        assert_eq!((test.name.as_str(), test.queue.as_ref(), test.platforms.as_ref()), ("b", None, None));
    }

    #[test]
    fn an_empty_list_is_no_error() {
        assert!(read("\u{feff}{\"tests\": []}").tests.is_empty());
    }

    #[test]
    fn what_the_predecessor_ignored_is_refused_with_its_place() {
        let test =
            |rest: &str| refusal(&format!(r#"{{"tests": [{{"test_name": "a", "command": "b"{rest}}}]}}"#));
        for (rest, told) in [
            (
                r#", "platform": "x86_64""#,
                r#"platform: expected a list of platforms such as ["x86_64"], got "x86_64""#,
            ),
            (
                r#", "platform": ["x86_64", "arm64"]"#,
                r#"platform[1]: expected one of x86_64, aarch64, riscv64, got "arm64"; did you mean `aarch64`?"#,
            ),
            (
                r#", "hypervisor": "kvmm""#,
                r#"hypervisor: expected one of kvm, mshv, got "kvmm"; did you mean `kvm`?"#,
            ),
            (
                r#", "timeout_in_minutes": 0"#,
                "timeout_in_minutes: expected a whole number from 1 to 4294967295, got 0",
            ),
            (
                r#", "timeout_in_minutes": "soon""#,
                "timeout_in_minutes: expected a whole number from 1 to 4294967295, got \"soon\"",
            ),
            (r#", "platfrom": ["x86_64"]"#, "platfrom: unknown option; did you mean `platform`?"),
            (r#", "docker_plugin": {"image": null}"#, "docker_plugin.image: no value (null)"),
            (r#", "if": "a", "conditional": "b""#, "conditional: `conditional` and `if` say the same"),
            (r#", "commands": ["a"]"#, "commands: a test says this by `command`"),
            (
                r#", "scope": "crates""#,
                r#"scope: expected one of crate, workspace, got "crates"; did you mean `crate`?"#,
            ),
        ] {
            let refusal = test(rest);
            assert!(refusal.starts_with(&format!("t.json: tests[0].{told}")), "{refusal}");
        }
    }

    #[test]
    fn a_file_of_another_shape_is_refused() {
        for (text, told) in [
            ("  ", "t.json: is empty"),
            ("[]", "t.json: expected {\"tests\": [ … ]}, got []"),
            ("{}", "t.json: has no `tests`"),
            (r#"{"test": []}"#, "t.json: test: unknown option; did you mean `tests`?"),
            (r#"{"tests": {}}"#, "t.json: tests: expected a list of tests, got {}"),
            (r#"{"tests": [5]}"#, "t.json: tests[0]: expected a test"),
            (r#"{"tests": [{"command": "a"}]}"#, "t.json: tests[0]: has no `test_name`"),
            (r#"{"tests": [{"test_name": "a"}]}"#, "t.json: tests[0]: has no `command`"),
            ("{", "t.json: EOF while parsing"),
        ] {
            let refusal = refusal(text);
            assert!(refusal.starts_with(told), "{refusal}");
        }
    }

    #[test]
    fn names_are_found_in_files_that_are_wrong_otherwise() {
        assert_eq!(Description::names(r#"{"tests": [{"test_name": "a", "x": 1}, 5]}"#), ["a"]);
        assert!(Description::names("{").is_empty());
    }
}
