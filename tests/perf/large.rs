//! Measures how long the pipeline of a large workspace takes to print: `cargo test --release --test perf --
//! --large`. The steps are those of `workspace: selective`, for each crate and each check.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use support::sandbox::Sandbox;
use support::usage;

/// How often each is printed to measure its time. The median counts.
const TIMES: usize = 21;
/// How often each is printed to measure its memory. The most counts.
const LOOKS: usize = 3;

/// A kind of workspace, its number of crates, and the goals in milliseconds and MB.
const KINDS: [(&str, usize, f64, u64); 3] =
    [("a tree", 1_000, 25.0, 20), ("a chain", 1_000, 60.0, 40), ("a tree", 10_000, 300.0, 100)];

pub(crate) fn measure() {
    for (kind, count, most_milliseconds, most_memory) in KINDS {
        let sandbox = Sandbox::new();
        let root = sandbox.folder("work");
        fs::create_dir(root.join(".git")).unwrap();
        fs::write(root.join("Cargo.toml"), "[workspace]\nmembers = [\"crates/*\"]\n").unwrap();
        for number in 0..count {
            let on = match kind {
                // Each crate depends on the one above it.
                "a tree" => (number > 0).then(|| (number - 1) / 2).into_iter().collect::<Vec<_>>(),
                _ => (number.saturating_sub(3)..number).collect(),
            };
            write_crate(&root, number, &on);
        }
        let print = || {
            let mut print = sandbox.command(env!("CARGO_BIN_EXE_rust-vmm-ci"));
            let options = r#"{"mode": "upload", "workspace": "selective"}"#;
            print.env("BUILDKITE_PLUGIN_CONFIGURATION", options).current_dir(&root).arg("pipeline");
            print
        };
        // Whoever looks at the memory all the time takes the time of a processor.
        let mut times: Vec<f64> = (0..TIMES).map(|_| usage::time(&mut print()) * 1e3).collect();
        times.sort_by(f64::total_cmp);
        let looks = (0..LOOKS).map(|_| usage::measure_closely(&mut print(), Path::new("/dev/null")));
        let memory = looks.map(|usage| usage.own_memory.div_ceil(1024)).max().unwrap();
        println!(
            "{:24} {:6.1} ms, fastest {:6.1} ms (goal {most_milliseconds} ms), {memory} MB (goal {most_memory} MB)",
            format!("{count} crates in {kind}"),
            times[TIMES / 2],
            times[0],
        );
    }
}

fn write_crate(root: &Path, number: usize, on: &[usize]) {
    let folder = root.join(format!("crates/c{number}"));
    fs::create_dir_all(folder.join("src")).unwrap();
    fs::write(folder.join("src/lib.rs"), "//! A crate.\n").unwrap();
    let mut manifest = format!("[package]\nname = \"c{number}\"\nversion = \"0.1.0\"\nedition = \"2021\"\n");
    manifest += "\n[dependencies]\n";
    for on in on {
        writeln!(manifest, "c{on} = {{ path = \"../c{on}\" }}").unwrap();
    }
    fs::write(folder.join("Cargo.toml"), manifest).unwrap();
}
