//! `select: changes` in real repositories: what is planned for a change, and what is said of it.

use super::BINARY;
use serde_json::{Value, json};
use support::case::{Case, Printed};

/// A workspace of three crates, committed on `main`, with a change on the branch `change`. `b` uses `a`.
fn changed(edits: &[(&str, &str)]) -> Case {
    let manifest =
        |name: &str, rest: &str| format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\n{rest}");
    let case = Case::new(
        BINARY,
        &json!({
            "files": {
                "Cargo.toml": "[workspace]\nmembers = [\"a\", \"b\", \"c\"]\n",
                "a/Cargo.toml": manifest("a", ""),
                "a/src/lib.rs": "",
                "b/Cargo.toml": manifest("b", "[dependencies]\na = { path = \"../a\" }\n"),
                "b/src/lib.rs": "",
                "c/Cargo.toml": manifest("c", ""),
                "c/src/lib.rs": "",
                "README.md": "",
                "Cargo.lock": "version = 4\n",
            },
            "config": {
                "mode": "upload", "platform": "x86_64", "workspace": "selective", "select": "changes",
                "only": ["crate", "all", "script", "own", "commit-format"],
                "steps": [
                    {"label": "crate", "command": "cd {crate_path} && cargo test"},
                    {"label": "all", "command": "cargo audit"},
                    {"label": "script", "command": "./check.sh"},
                    {"label": "own", "command": "cargo doc", "if_changed": "docs/**"},
                ],
            },
        }),
    );
    git(&case, &["init", "--quiet", "--initial-branch=main"]);
    commit(&case);
    git(&case, &["checkout", "--quiet", "-b", "change"]);
    for (path, text) in edits {
        let path = case.repository().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    if !edits.is_empty() {
        commit(&case);
    }
    case
}

fn commit(case: &Case) {
    git(case, &["add", "."]);
    git(case, &["commit", "--quiet", "-m", "Change"]);
}

fn git(case: &Case, args: &[&str]) {
    let output = case.program("git").args(args).current_dir(case.repository()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// What is printed with these variables.
fn printed(case: &Case, args: &[&str], variables: &[(&str, &str)]) -> Printed {
    let mut command = case.command(args);
    let output = command.envs(variables.iter().copied()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Printed { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// The labels of the steps that run, and what is said.
fn run(case: &Case, variables: &[(&str, &str)]) -> (Vec<String>, String) {
    let Printed { code, out, err } = printed(case, &["pipeline"], variables);
    assert_eq!(code, Some(0), "{err}");
    let pipeline: Value = serde_json::from_str(&out).unwrap();
    let steps = pipeline["steps"].as_array().unwrap();
    assert_eq!(steps.len(), 7, "{out}");
    let run = steps.iter().filter(|step| step.get("skip").is_none());
    (run.map(|step| step["label"].as_str().unwrap().to_owned()).collect(), err)
}

const ALWAYS: [&str; 3] = ["script", "own", "commit-format"];

#[test]
fn only_what_a_change_reaches_runs_and_the_rest_is_skipped_with_its_reason() {
    let case = changed(&[("a/src/lib.rs", "// new")]);
    let (labels, said) = run(&case, &[]);
    assert_eq!(labels.len(), 6, "{labels:?}");
    assert!(labels.contains(&"a: crate".into()) && labels.contains(&"b: crate".into()), "{labels:?}");
    assert!(said.contains("6 of 7 steps, by the change since `main`"), "{said}");
    assert!(said.contains(": a by a/src/lib.rs; b by a (a/src/lib.rs)"), "{said}");
    let pipeline: Value = serde_json::from_str(&printed(&case, &["pipeline"], &[]).out).unwrap();
    let step = |label: &str| {
        let steps = pipeline["steps"].as_array().unwrap();
        steps.iter().find(|step| step["label"] == label).unwrap().clone()
    };
    assert_eq!(step("c: crate")["skip"], "no change reaches c");
    assert_eq!(step("own")["if_changed"], "docs/**");
    assert_eq!(step("a: crate").get("if_changed"), None);
}

#[test]
fn a_change_of_nothing_but_words_runs_what_may_read_them() {
    let (labels, said) = run(&changed(&[("README.md", "new"), ("a/NOTES.md", "new")]), &[]);
    assert_eq!(labels.iter().filter(|label| !ALWAYS.contains(&label.as_str())).count(), 0, "{labels:?}");
    assert!(said.contains("none of its 2 paths reaches a crate"), "{said}");
}

#[test]
fn explain_says_which_change_brought_a_step_in_or_that_none_did() {
    let case = changed(&[("a/src/lib.rs", "// new")]);
    let told = |label: &str| printed(&case, &["explain", label], &[]).out;
    for (label, line) in [
        ("b: crate", "a (a/src/lib.rs)"),
        ("c: crate", "no change reaches c"),
        ("all", "a by a/src/lib.rs"),
        ("script", "its command is not only Cargo's"),
        ("commit-format", "it judges commits"),
    ] {
        let told = told(label);
        let line = told.lines().find(|told| told.contains(line)).unwrap_or_else(|| panic!("{label}: {told}"));
        assert!(line.ends_with("(option select)"), "{line}");
    }
}

#[test]
fn where_the_change_is_not_known_everything_runs_and_the_reason_is_said() {
    let edit = [("a/src/lib.rs", "// new")];
    let expect = |case: &Case, variables: &[(&str, &str)], why: &str| {
        let (labels, said) = run(case, variables);
        assert_eq!(labels.len(), 7, "{labels:?}");
        assert!(said.contains("all 7 steps: ") && said.contains(why), "{said}");
    };
    let case = changed(&edit);
    expect(&case, &[("BUILDKITE_BRANCH", "main")], "this is a build of the base branch `main`");
    let gone = "0123456789012345678901234567890123456789";
    expect(&case, &[("BUILDKITE_MERGE_QUEUE_BASE_COMMIT", gone)], "there is no base to compare with");
    expect(&changed(&[]), &[], "nothing differs from");
    expect(&changed(&[("Makefile", "all:")]), &[], "Makefile may concern every crate");
    git(&case, &["checkout", "--quiet", "--orphan", "other"]);
    commit(&case);
    expect(&case, &[], "HEAD has no commit in common with `main`");
}

#[test]
fn a_base_that_cannot_be_fetched_is_taken_as_it_is_and_a_change_that_was_taken_back_still_counts() {
    let case = changed(&[("c/src/lib.rs", "// wrong")]);
    git(&case, &["remote", "add", "origin", "file:///nowhere/at/all.git"]);
    std::fs::write(case.repository().join("c/src/lib.rs"), "").unwrap();
    std::fs::write(case.repository().join("a/src/lib.rs"), "// new").unwrap();
    commit(&case);
    let (labels, said) = run(&case, &[]);
    assert!(said.contains("it may be older than the base"), "{said}");
    assert_eq!(labels.len(), 7, "{labels:?} {said}");
    assert!(said.contains("c by c/src/lib.rs"), "{said}");
}

#[test]
fn a_platforms_job_runs_the_checks_that_the_change_reaches() {
    let steps = json!([{"label": "crate", "command": "cd {crate_path} && cargo test", "platform": "x86_64"}]);
    let config = json!({"mode": "upload", "workspace": "selective", "select": "changes", "jobs": "per-platform",
        "platform": "x86_64", "standard": false, "steps": steps});
    let with = |case: &Case, config: &str, args: &[&str]| {
        std::fs::write(case.repository().join("c.json"), config).unwrap();
        let args = args.iter().copied().chain(["--config", "c.json"]);
        let output = case.program(BINARY).args(args).current_dir(case.repository()).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Printed { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    };
    let planned = |case: &Case| {
        let said = with(case, &config.to_string(), &["pipeline"]);
        assert_eq!(said.code, Some(0), "{}", said.err);
        let pipeline: Value = serde_json::from_str(&said.out).unwrap();
        let [step] = &pipeline["steps"].as_array().unwrap()[..] else { panic!("{pipeline}") };
        step.clone()
    };
    let case = changed(&[("a/src/lib.rs", "// new"), (".gitignore", "c.json\n")]);
    let step = planned(&case);
    assert_eq!(step.get("skip"), None);
    let options = step["plugins"][0].as_object().unwrap().values().next().unwrap();
    assert_eq!(options["only"], json!(["a: crate-x86_64", "b: crate-x86_64"]), "{options}");
    // The job plans these checks, and no other.
    let listed = with(&case, &options.to_string(), &["list"]).out;
    let has = |name: &str| listed.contains(&format!(" {name}: crate-x86_64 "));
    assert!(has("a") && has("b") && !has("c"), "{listed}");
    let label = step["label"].as_str().unwrap();
    let told = with(&case, &config.to_string(), &["explain", label]).out;
    assert!(told.contains("c: crate-x86_64  left out: no change reaches c  (option select)"), "{told}");

    let case = changed(&[("README.md", "new"), (".gitignore", "c.json\n")]);
    assert_eq!(planned(&case)["skip"], "no change reaches a");
}
