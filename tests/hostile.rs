//! Options and descriptions that a hostile person may write: thousands in this process, and some of them
//! through the binary. Each ends without a panic, in bounded time and memory, with an error that says where.
//!
//! `SEED=N` sets the first seed. A failure names the seed of its text.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

use rust_vmm_ci_core::checks::times::Times;
use rust_vmm_ci_core::config::{Config, Jobs};
use rust_vmm_ci_core::exit::{self, Exit};
use rust_vmm_ci_core::pipeline::{Groups, Renderer};
use rust_vmm_ci_core::plan::{Facts, Planner};
use rust_vmm_ci_core::workspace::MemoryFiles;
use serde_json::{Map, Value, json};
use std::fs;
use std::sync::LazyLock;
use std::time::{Duration, Instant};
use support::sandbox::Sandbox;
use support::usage;

const EVERY_OPTION: &str = include_str!("cases/config/every-option.yml");
const STANDARD: &str = include_str!("../crates/core/src/checks/standard.json");
const MANIFEST: &str = "[package]\nname = \"a\"\nversion = \"0.1.0\"\n";
/// More than a hundred times what a slow and busy machine needs.
const MOST_TIME: Duration = Duration::from_secs(60);
/// In KiB.
const MOST_MEMORY: u64 = 100 << 10;
/// The longest message that says what is wrong, in characters.
const LONGEST: usize = 4000;

/// Pseudo-random numbers (xorshift). The same seed gives the same texts.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap() % limit.max(1)
    }

    /// A value that belongs nowhere, or nearly somewhere.
    fn value(&mut self) -> Value {
        let text = |text: &str| Value::from(text);
        match self.below(26) {
            0 => Value::Null,
            1 => json!(true),
            2 => json!(-1),
            3 => json!(u64::MAX),
            4 => json!(1e300),
            5 => json!(0),
            6 => text(""),
            7 => text("\0"),
            8 => text("a\0b\u{1b}[31m\u{7}\u{202e}\u{feff}\u{fffe}"),
            9 => text("\r\n- steps\n  :::\t"),
            10 => text(&"x".repeat(50_000)),
            11 => text(&"🦀".repeat(3000)),
            12 => text("../../../etc/passwd"),
            13 => text("$(touch /tmp/x) `x` ${X:-y} $$ %PATH% '\"\\"),
            14 => text("*".repeat(500).as_str()),
            15 => json!([]),
            16 => json!({}),
            17 => Value::from(vec![json!("a"); 3000]),
            18 => (0..2000).map(|key| (format!("key{key}"), json!(key))).collect::<Map<_, _>>().into(),
            19 => (0..100).fold(json!(1), |inner, _| json!([inner])),
            20 => (0..100).fold(json!(1), |inner, _| json!({"steps": inner})),
            21 => json!(["x86_64", "riscv64", "x86_64", 5, null]),
            22 => json!({"\0": "\0", "": {"": ""}}),
            23 => text("x86_64"),
            24 => text("true"),
            _ => text("99999999999999999999999"),
        }
    }

    /// A place between two characters.
    fn place_in(&mut self, text: &str) -> usize {
        let mut place = self.below(text.len() + 1);
        while !text.is_char_boundary(place) {
            place -= 1;
        }
        place
    }

    fn key(&mut self) -> String {
        let keys =
            ["", "\0", "a\nb", "Label", "label ", "__proto__", "command", "checks", "docker", "🦀\u{202e}"];
        match self.below(keys.len() + 1) {
            at if at < keys.len() => keys[at].to_owned(),
            _ => "k".repeat(20_000),
        }
    }

    /// Changes one place somewhere in a value.
    fn spoil(&mut self, value: &mut Value) {
        match value {
            Value::Object(map) if !map.is_empty() && self.below(6) > 0 => {
                let at = self.below(map.len());
                let key = map.keys().nth(at).unwrap().clone();
                match self.below(8) {
                    0 => drop(map.remove(&key)),
                    1 => {
                        let moved = map.remove(&key).unwrap();
                        map.insert(self.key(), moved);
                    }
                    2 => drop(map.insert(self.key(), self.value())),
                    _ => self.spoil(map.get_mut(&key).unwrap()),
                }
            }
            Value::Array(list) if !list.is_empty() && self.below(6) > 0 => {
                let at = self.below(list.len());
                match self.below(6) {
                    0 => list.extend(vec![list[at].clone(); 300]),
                    1 => list[at] = self.value(),
                    _ => self.spoil(&mut list[at]),
                }
            }
            Value::String(text) if self.below(3) == 0 => {
                let odd = ["\0", "\n", "\u{1b}]0;x\u{7}", "$$", "'", "\"", " ", "é"];
                let place = self.place_in(text);
                text.insert_str(place, odd[self.below(odd.len())]);
            }
            other => *other = self.value(),
        }
    }

    fn spoilt(&mut self, mut value: Value) -> Value {
        for _ in 0..=self.below(3) {
            self.spoil(&mut value);
        }
        value
    }

    /// The text of a value, sometimes cut or with a piece of nonsense.
    fn text(&mut self, value: &Value) -> String {
        let mut text = value.to_string();
        let place = self.place_in(&text);
        match self.below(10) {
            0 => text.truncate(place),
            1 => text.insert(place, '\0'),
            2 => text.insert_str(place, &"[".repeat(5000)),
            _ => {}
        }
        text
    }
}

fn options(seed: u64) -> Value {
    static EVERY: LazyLock<Value> = LazyLock::new(|| serde_saphyr::from_str(EVERY_OPTION).unwrap());
    Random::new(seed).spoilt(EVERY.clone())
}

fn description(seed: u64) -> String {
    static CHECKS: LazyLock<Value> = LazyLock::new(|| serde_json::from_str(STANDARD).unwrap());
    let mut random = Random::new(seed);
    let spoilt = random.spoilt(CHECKS.clone());
    random.text(&spoilt)
}

/// What an upload does with options and a description, without a disk and processes.
fn upload(options: &Value, description: &str) -> anyhow::Result<usize> {
    let config = Config::parse(options)?;
    let times = r#"{"version":1}"#;
    let files = [
        ("a.json", description),
        ("b.json", r#"{"tests":[]}"#),
        ("Cargo.toml", MANIFEST),
        ("times.json", times),
    ];
    let facts = Facts::read(&MemoryFiles::of(&files), &|_| None, &config, false)?;
    let mut checks = Vec::new();
    Planner::for_upload(&config, &facts)?.visit(&mut |check| {
        checks.push(check);
        Ok(())
    })?;
    let mut text = Vec::new();
    match config.jobs {
        Jobs::PerPlatform => {
            let groups = Groups::of(checks, &config, &Times::default())?;
            for step in groups.steps(&config, "r")? {
                step.write(&mut text)?;
            }
        }
        Jobs::PerCheck => {
            let mut renderer = Renderer::new(&config, "r");
            for check in &checks {
                renderer.step(check)?.write(&mut text)?;
            }
        }
    }
    Ok(text.len())
}

/// Does an upload. Returns the message where it was refused, as it must be: with exit 2, and not too long.
#[track_caller]
fn refusal(options: &Value, description: &str, seed: u64) -> Option<String> {
    let begin = Instant::now();
    let uploaded = upload(options, description);
    assert!(begin.elapsed() < MOST_TIME, "seed {seed}: {:?}", begin.elapsed());
    let error = uploaded.err()?;
    let text = format!("{error:#}");
    assert_eq!(exit::of(&error), Exit::Usage, "seed {seed}: {text:.400}");
    let length = text.chars().count();
    assert!((1..LONGEST).contains(&length), "seed {seed}: {length} characters: {text:.400}");
    Some(text)
}

fn first_seed() -> u64 {
    std::env::var("SEED").map_or(1, |seed| seed.parse().unwrap())
}

#[test]
fn two_thousand_options_are_taken_or_refused_with_a_message() {
    let description = r#"{"tests":[{"test_name":"t","command":"true","platform":["x86_64"]}]}"#;
    let seeds = first_seed()..first_seed() + 2000;
    let refused = seeds.filter_map(|seed| refusal(&options(seed), description, seed)).count();
    // Otherwise the texts are too wild, or not wild enough.
    assert!((1000..2000).contains(&refused), "{refused} of 2000 were refused");
}

#[test]
fn a_thousand_descriptions_are_taken_or_refused_with_the_name_of_the_file() {
    let options = json!({"tests": "a.json", "standard": false});
    let mut refused = 0;
    for seed in first_seed()..first_seed() + 1000 {
        let description = description(seed);
        if let Some(error) = refusal(&options, &description, seed) {
            refused += 1;
            assert!(error.contains("a.json"), "seed {seed}: {error:.400}");
        }
    }
    assert!((300..1000).contains(&refused), "{refused} of 1000 were refused");
}

#[test]
fn a_nul_is_named_with_its_place() {
    let tests = |test: &Value| json!({"tests": [{"test_name": "t", "command": "true", "platform": ["x86_64"]}, test]});
    let with = |key: &str, value: Value| {
        let mut test = json!({"test_name": "u", "command": "true", "platform": ["x86_64"]});
        test[key] = value;
        tests(&test).to_string()
    };
    for (options, description, place) in [
        (json!({"only": ["a", "b\0"]}), None, "only[1]"),
        (json!({"a\0b": 1}), None, "a␀b"),
        (json!({"checks": {"style": {"\0": 1}}}), None, "checks.style.␀"),
        (json!({"steps": [{"label": "a", "command": "b\0"}]}), None, "steps[0].command"),
        (json!({"tests": "a.json"}), Some(with("command", json!("a\0"))), "tests[1].command"),
        (json!({"tests": "a.json"}), Some(with("test_name", json!("a\0"))), "tests[1].test_name"),
        (json!({"tests": "a.json"}), Some(with("a\0b", json!(1))), "tests[1].a␀b"),
        (json!({"tests": "a.json"}), Some(with("platform", json!(["\0"]))), "tests[1].platform[0]"),
    ] {
        let error = upload(&options, description.as_deref().unwrap_or(r#"{"tests":[]}"#)).unwrap_err();
        let shown = rust_vmm_ci_core::model::shown::message(&error.to_string());
        assert!(shown.contains(place), "{options}: {shown}");
    }
}

#[test]
fn a_sample_through_the_binary_ends_with_a_status_of_ours_in_bounded_time_and_memory() {
    let sandbox = Sandbox::new();
    let repository = sandbox.repository("sample", &[("Cargo.toml", MANIFEST), ("src/lib.rs", "")]);
    let (config, log) = (sandbox.path().join("options.json"), sandbox.path().join("log"));
    fs::write(repository.path().join("b.json"), r#"{"tests":[]}"#).unwrap();
    let run = |seed: u64, options: &Value, description: &str| {
        fs::write(&config, options.to_string()).unwrap();
        fs::write(repository.path().join("a.json"), description).unwrap();
        for subcommand in ["pipeline", "list"] {
            let mut command = sandbox.command(env!("CARGO_BIN_EXE_rust-vmm-ci"));
            command.arg(subcommand).arg("--config").arg(&config).current_dir(repository.path());
            let used = usage::measure(&mut command, &log);
            let said = fs::read_to_string(&log).unwrap();
            let status = used.status;
            assert!((0..=3).contains(&status), "seed {seed}, {subcommand}: {status}: {said:.2000}");
            assert!(!said.contains("this is a bug"), "seed {seed}, {subcommand}: {said:.2000}");
            assert!(used.cpu < MOST_TIME.as_secs_f64(), "seed {seed}, {subcommand}: {used:?}");
            assert!(used.own_memory < MOST_MEMORY, "seed {seed}, {subcommand}: {used:?}");
        }
    };
    for seed in first_seed()..first_seed() + 40 {
        run(seed, &options(seed), r#"{"tests":[]}"#);
        run(seed, &json!({"tests": "a.json", "standard": false}), &description(seed));
    }
}
