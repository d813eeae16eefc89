//! Tests divided over a step's jobs. nextest takes minutes to build, so most tests use a program that stands in
//! for it. The last test uses the real one, if it is installed: `cargo test --test run -- --ignored`.

use super::{Said, Sample, said};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::Command;

const LIBRARY: &str = "//! A crate.\n\n/// Adds.\n///\n/// ```\n/// assert_eq!(sample::add(1, 2), 3);\n/// ```\npub fn add(a: u32, b: u32) -> u32 {\n    a + b\n}\n";

/// A crate with a doctest, and nextest's part in it.
struct Divided {
    sample: Sample,
    programs: PathBuf,
}

impl Divided {
    /// Without a nextest.
    fn new(files: &[(&str, &str)]) -> Self {
        let sample = Sample::new(&[&[("src/lib.rs", LIBRARY)], files].concat());
        let programs = sample.sandbox.folder("programs");
        Self { sample, programs }
    }

    /// With one that notes its arguments, writes `junit` where it is told to, and ends with `status`.
    fn with(status: i32, junit: &str) -> Self {
        let divided = Self::new(&[]);
        let folder = divided.programs.display();
        let script = format!(
            "#!/bin/sh\n[ \"$2\" = --version ] && exit\necho \"$@\" >>'{folder}/calls'\n\
             for arg; do case $arg in --tool-config-file=*) file=${{arg#*:}} ;; esac; done\n\
             [ -s '{folder}/junit' ] && cat '{folder}/junit' >\"$(sed -n 's/^path = \"\\(.*\\)\"/\\1/p' \"$file\")\"\n\
             echo 'error: what nextest says' >&2\nexit {status}\n"
        );
        let program = divided.programs.join("cargo-nextest");
        support::program::write(&program, &script);
        std::fs::write(divided.programs.join("junit"), junit).unwrap();
        divided
    }

    /// `run unittests-gnu` in a job of two, by its index.
    fn run(&self, job: Option<&str>) -> Said {
        let mut command = self.sample.command(&["run", "unittests-gnu"]);
        let sysroot = Command::new("rustc").args(["--print", "sysroot"]).output().unwrap().stdout;
        let sysroot = String::from_utf8(sysroot).unwrap();
        // Only this nextest is found, whatever the machine has.
        let path = format!("{}:{}/bin:/usr/bin:/bin", self.programs.display(), sysroot.trim());
        command.env("PATH", path).env("CARGO_HOME", self.sample.sandbox.folder("cargo"));
        in_job(command, job)
    }

    fn calls(&self) -> Vec<String> {
        let calls = std::fs::read_to_string(self.programs.join("calls")).unwrap_or_default();
        calls.lines().map(str::to_owned).collect()
    }
}

fn in_job(mut command: Command, job: Option<&str>) -> Said {
    let options = json!({"docker": false, "checks": {"unittests-gnu": {"parallelism": 2}}});
    command.env("BUILDKITE_PLUGIN_CONFIGURATION", options.to_string());
    if let Some(job) = job {
        command.env("BUILDKITE_PARALLEL_JOB", job).env("BUILDKITE_PARALLEL_JOB_COUNT", "2").env("CI", "true");
    }
    said(&mut command)
}

#[test]
fn each_job_runs_its_share_and_the_first_the_doctests_too() {
    for (job, share, doctests) in [("0", "--partition=hash:1/2", true), ("1", "--partition=hash:2/2", false)]
    {
        let divided = Divided::with(0, "");
        let Said { code, text } = divided.run(Some(job));
        assert_eq!(code, Some(0), "{text}");
        let [call] = &divided.calls()[..] else { panic!("one call of nextest: {text}") };
        assert!(call.starts_with("nextest run --workspace ") && call.contains(share), "{call}");
        for flag in ["--no-tests=pass", "--no-fail-fast", "--ignore-default-filter", "--retries=0"] {
            assert!(call.contains(flag), "{flag}: {call}");
        }
        assert_eq!(text.contains("test src/lib.rs - add (line 5) ... ok"), doctests, "{text}");
    }
}

#[test]
fn without_other_jobs_everything_runs_as_ever() {
    let divided = Divided::with(7, "");
    let Said { code, text } = divided.run(None);
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(divided.calls(), [""; 0]);
    assert!(text.contains("test src/lib.rs - add (line 5) ... ok"), "{text}");
}

#[test]
fn a_share_may_be_empty() {
    let Said { code, text } = Divided::with(4, "").run(Some("1"));
    assert_eq!(code, Some(0), "{text}");
}

#[test]
fn what_nextest_says_is_the_verdict_and_its_failures_the_findings() {
    let junit = "<testsuites name=\"nextest-run\" tests=\"1\" failures=\"1\" errors=\"0\"><testsuite name=\"sample\" \
                 tests=\"1\" disabled=\"0\" errors=\"0\" failures=\"1\"><testcase name=\"tests::fails\"><failure \
                 type=\"x\">thread 'tests::fails' panicked at src/lib.rs:19:9:\n&lt;no&gt;</failure></testcase>\
                 </testsuite></testsuites>";
    for (status, junit, told) in [
        (100, junit, "src/lib.rs:19:9: error: test tests::fails failed [test]"),
        (104, "", "error: what nextest says"),
    ] {
        let Said { code, text } = Divided::with(status, junit).run(Some("1"));
        assert_eq!(code, Some(1), "{text}");
        assert!(text.contains(told), "{told} in\n{text}");
    }
}

#[test]
fn without_nextest_the_check_is_broken_and_says_what_installs_it() {
    let Said { code, text } = Divided::new(&[]).run(Some("0"));
    assert_eq!(code, Some(3), "{text}");
    assert!(text.contains("broken") && text.contains("cargo install --locked cargo-nextest"), "{text}");
}

#[test]
fn a_job_that_cannot_be_is_refused() {
    let Said { code, text } = Divided::with(0, "").run(Some("2"));
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("BUILDKITE_PARALLEL_JOB"), "{text}");
}

/// The tests that ran, by the lines of libtest and of nextest, each as often as it ran.
fn tests_of(text: &str) -> Vec<String> {
    let libtest = |line: &str| {
        let (name, verdict) = line.strip_prefix("test ")?.split_once(" ... ")?;
        Some(format!("{} {}", name.trim_end_matches(" - should panic"), verdict.to_lowercase()))
    };
    let nextest = |line: &str| {
        let (verdict, rest) = line.trim_start().split_once(" [")?;
        let verdict = match verdict {
            "PASS" => "ok",
            "FAIL" => "failed",
            _ => return None,
        };
        Some(format!("{} {verdict}", rest.rsplit(' ').next()?))
    };
    // What nextest sums up, it has told before.
    let mut all = Vec::new();
    let mut summary = false;
    for line in text.lines() {
        summary = (summary || line.contains(" Summary [")) && !line.starts_with('$');
        all.extend(libtest(line).or_else(|| nextest(line).filter(|_| !summary)));
    }
    all.retain(|test| !test.ends_with(" ignored"));
    all.sort();
    all
}

#[test]
#[ignore = "by hand: needs cargo-nextest, which takes minutes to build"]
fn the_jobs_together_run_every_test_once_and_find_what_one_job_finds() {
    let manifest =
        "[package]\nname = \"sample\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[features]\na = []\n";
    let many: Vec<String> = (0..20).map(|n| format!("    #[test]\n    fn t{n}() {{}}\n")).collect();
    let many = many.concat();
    let library = format!(
        "{LIBRARY}\n#[cfg(test)]\nmod tests {{\n{many}    #[cfg(feature = \"a\")]\n    #[test]\n    fn fails() {{ assert_eq!(1, 2) }}\n\
         \x20   #[test]\n    #[should_panic]\n    fn panics() {{ panic!() }}\n    #[test]\n    #[ignore]\n    fn ignored() {{ panic!() }}\n}}\n"
    );
    let files = [
        ("Cargo.toml", manifest),
        ("src/lib.rs", library.as_str()),
        ("tests/a.rs", "#[test]\nfn outside() { panic!(\"here\") }\n"),
        ("tests/empty.rs", ""),
        // What a repository sets for its own runs leaves nothing out.
        (
            ".config/nextest.toml",
            "[profile.default]\ndefault-filter = 'none()'\nretries = 3\nfail-fast = true\n",
        ),
    ];
    let sample = Sample::new(&files);
    let run = |job: Option<&str>| -> (Vec<String>, Vec<Value>) {
        let file = sample.sandbox.path().join("report.json");
        let said = in_job(sample.command(&["run", "unittests-gnu", "--report", file.to_str().unwrap()]), job);
        assert_eq!(said.code, Some(1), "{}", said.text);
        let report: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
        let findings = report["outcomes"][0]["findings"].as_array().cloned().unwrap_or_default();
        let told = |finding: &Value| {
            json!([finding["message"], finding["file"], finding["line"], finding["feature_sets"]])
        };
        (tests_of(&said.text), findings.iter().map(told).collect())
    };
    let (whole, findings) = run(None);
    // 20 and one that panics, a doctest and one outside, with the feature and without; one with it.
    assert_eq!((whole.len(), findings.len()), (47, 2), "{whole:?}\n{findings:?}");
    let ((first, found), (second, more)) = (run(Some("0")), run(Some("1")));
    assert!(!first.is_empty() && !second.is_empty());
    let sorted = |mut texts: Vec<String>| {
        texts.sort();
        texts
    };
    assert_eq!(sorted([first, second].concat()), whole);
    let texts = |found: &[Value]| sorted(found.iter().map(Value::to_string).collect());
    assert_eq!(texts(&[found, more].concat()), texts(&findings));
}
