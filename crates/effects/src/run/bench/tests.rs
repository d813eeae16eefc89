//! Benchmarks: what criterion leaves, and criterion itself where its crate is available.

use super::*;
use crate::git::testing::Repository;
use crate::process::{self, Command};
use crate::run::testing::judged;
use rust_vmm_ci_core::checks::bench::options;

fn run_with(repository: &Repository, package: Option<&str>, own: &str) -> (Result<Judgement>, String) {
    let job = JobFacts::new(&repository.root);
    let options = options(&serde_json::from_str(own).unwrap()).unwrap();
    judged(&repository.root, |context| run(context, package, &job, &options))
}

const MANIFEST: &str =
    "[package]\nname = \"sample\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[lib]\nbench = false\n";
const BENCH: &str = "\n[[bench]]\nname = \"main\"\nharness = false\n";

/// What criterion keeps of one benchmark under the baseline that its caller names, as a bench of our
/// own writes it: `TIME` is the mean in nanoseconds.
const LIKE_CRITERION: &str = r###"
fn main() {
    let words: Vec<String> = std::env::args().collect();
    let baseline = &words[words.iter().position(|word| word == "--save-baseline").unwrap() + 1];
    assert!(words.contains(&"--noplot".to_owned()));
    let folder = std::path::Path::new(&std::env::var("CRITERION_HOME").unwrap()).join("g/f").join(baseline);
    std::fs::create_dir_all(&folder).unwrap();
    let time = sample::TIME;
    let estimate = |mean: f64| format!(
        r##"{{"confidence_interval":{{"confidence_level":0.95,"lower_bound":{},"upper_bound":{}}},"point_estimate":{mean}}}"##,
        mean - 0.5, mean + 0.5);
    let estimates = format!(r##"{{"mean":{},"std_dev":{}}}"##, estimate(time), estimate(1.0));
    std::fs::write(folder.join("estimates.json"), estimates).unwrap();
    std::fs::write(folder.join("benchmark.json"), r##"{"full_id":"g/f"}"##).unwrap();
}
"###;

/// A repository whose `main` measures 100 ns and whose branch `work` measures 120.
fn slower() -> Repository {
    let repository = Repository::new();
    repository
        .write("Cargo.toml", format!("{MANIFEST}{BENCH}"))
        .write("src/lib.rs", "pub const TIME: f64 = 100.0;\n")
        .write("benches/main.rs", LIKE_CRITERION)
        .write(".gitignore", "target\nCargo.lock\n")
        .commit("Plant");
    repository.git(&["checkout", "--quiet", "-b", "work"]);
    repository.write("src/lib.rs", "pub const TIME: f64 = 120.0;\n").commit("Be slower");
    repository
}

#[test]
#[cfg_attr(windows, ignore = "no check of Windows")]
fn a_change_is_held_to_its_base_and_a_persons_tree_is_left_alone() {
    let repository = slower();
    repository.write("src/lib.rs", "pub const TIME: f64 = 121.0;\n").write("notes", "mine");
    let before = repository.state();
    for own in ["{}", r#"{"threshold": 25}"#, r#"{"threshold": 20}"#] {
        let (judgement, log) = run_with(&repository, None, own);
        let judgement = judgement.unwrap();
        // Each run measures both sides anew, though their files differ in nothing but content.
        assert_eq!(judgement.sections[0].rows[0][..4], ["g/f", "100.00 ns", "121.00 ns", "+21.0 %"], "{log}");
        let expected = if own.contains("20") { Verdict::Failed } else { Verdict::Passed };
        assert_eq!(judgement.verdict, expected);
        assert!(judgement.artifacts[0].image);
        let plot = std::fs::read_to_string(repository.root.join(&judgement.artifacts[0].path)).unwrap();
        assert!(plot.contains("+21.0 %"));
    }
    assert_eq!(repository.state(), before);
    assert_eq!(std::fs::read_to_string(repository.root.join("notes")).unwrap(), "mine");
}

#[test]
#[cfg_attr(windows, ignore = "no check of Windows")]
fn what_a_killed_run_left_is_cleaned_even_where_nothing_is_compared() {
    let repository = slower();
    let left = repository.root.join("target").join(FOLDER).join("base");
    std::fs::create_dir_all(left.parent().unwrap()).unwrap();
    repository.git(&["worktree", "add", "--quiet", "--detach", &left.to_string_lossy()]);
    let (judgement, _) = run_with(&repository, None, "{}");
    assert_eq!(judgement.unwrap().verdict, Verdict::Passed);
    assert!(!left.exists());
    assert_eq!(repository.git(&["worktree", "list"]).lines().count(), 1);
}

#[test]
#[cfg_attr(windows, ignore = "no check of Windows")]
fn what_has_no_bench_or_is_new_is_named_and_passes() {
    let repository = slower();
    repository.git(&["checkout", "--quiet", "main"]);
    repository.write("Cargo.toml", MANIFEST).git(&["rm", "--quiet", "benches/main.rs"]);
    repository.commit("Have no bench");
    let (judgement, _) = run_with(&repository, None, "{}");
    let judgement = judgement.unwrap();
    assert_eq!(judgement.verdict, Verdict::Passed);
    assert!(judgement.reason.unwrap().contains("no bench target `main`"));
    repository.git(&["checkout", "--quiet", "work"]);
    let (judgement, _) = run_with(&repository, Some("sample"), "{}");
    assert_eq!(
        judgement.unwrap().reason.as_deref(),
        Some("the base has no bench of sample: there is nothing to compare with")
    );
    let (judgement, _) = run_with(&repository, Some("sampel"), "{}");
    let error = judgement.unwrap_err();
    assert_eq!(error.to_string(), "bench: no package `sampel` in the workspace; did you mean `sample`?");
    assert_eq!(exit::of(&error), exit::Exit::Usage);
}

#[test]
#[cfg_attr(windows, ignore = "no check of Windows")]
fn a_bench_that_panics_fails_and_a_base_that_is_gone_or_does_not_run_is_broken() {
    let repository = slower();
    let (judgement, _) = run_with(&repository, None, r#"{"base": "gone"}"#);
    let error = judgement.unwrap_err();
    assert!(error.to_string().contains("`gone`, named by checks.bench.base"), "{error:#}");
    repository.write("benches/main.rs", "fn main() {\n    panic!(\"no\");\n}\n").commit("Panic");
    let (judgement, log) = run_with(&repository, None, "{}");
    let judgement = judgement.unwrap();
    assert_eq!(judgement.verdict, Verdict::Failed);
    assert!(judgement.findings[0].message.starts_with("the benchmarks fail: "), "{log}");
    assert!(log.contains("panicked at benches/main.rs"), "{log}");
    repository.git(&["branch", "--quiet", "--force", "main"]);
    repository.write("benches/main.rs", LIKE_CRITERION).commit("Mend");
    let (judgement, _) = run_with(&repository, None, "{}");
    let error = judgement.unwrap_err();
    assert!(error.to_string().contains("the benchmarks of the base (`main`"), "{error:#}");
    assert_eq!(repository.git(&["worktree", "list"]).lines().count(), 1);
}

#[test]
#[cfg_attr(windows, ignore = "no check of Windows")]
fn criterion_itself_is_read() {
    if std::env::var("REQUIRE_ALL").is_err() {
        println!("skipped: criterion takes a minute to build, twice; REQUIRE_ALL=1 does it");
        return;
    }
    let repository = slower();
    let bench = "use criterion::*;\nfn f(c: &mut Criterion) {\n    let mut g = c.benchmark_group(\"g\");\n    \
        g.warm_up_time(std::time::Duration::from_millis(50)).measurement_time(std::time::Duration::from_millis(100));\n    \
        g.sample_size(10).bench_function(\"sleep\", |b| b.iter(|| std::thread::sleep(std::time::Duration::from_nanos(\
        (sample::TIME * 10_000.0) as u64))));\n    g.finish();\n}\ncriterion_group!(benches, f);\n\
        criterion_main!(benches);\n";
    let manifest = format!(
        "{MANIFEST}{BENCH}\n[dev-dependencies]\ncriterion = {{ version = \"0.5\", default-features = false }}\n"
    );
    repository.git(&["checkout", "--quiet", "main"]);
    repository.write("Cargo.toml", manifest).write("benches/main.rs", bench).commit("Use criterion");
    let fetched = process::capture(&Command::new("cargo").arg("fetch").dir(&repository.root)).unwrap();
    assert!(fetched.status.success(), "criterion is not to be had: {}", fetched.complaint());
    repository.git(&["checkout", "--quiet", "-B", "work"]);
    repository.write("src/lib.rs", "pub const TIME: f64 = 300.0;\n").commit("Be slower");
    let (judgement, log) = run_with(&repository, None, r#"{"threshold": 50}"#);
    let judgement = judgement.unwrap();
    assert_eq!(judgement.verdict, Verdict::Failed, "{log}");
    assert_eq!(judgement.sections[0].rows[0][0], "g/sleep");
    assert!(judgement.findings[0].message.starts_with("`g/sleep` is "), "{:?}", judgement.findings);
}
