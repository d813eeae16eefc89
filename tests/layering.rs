//! What cargo and clippy cannot enforce of the layers (docs/architecture.md): the order of the rooms
//! within a crate, where systems are told apart, what the core crate may depend on, and that nobody
//! switches off the lints that keep it pure.

#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]
#![allow(clippy::disallowed_methods, reason = "the rule is for src/")]

use std::collections::BTreeSet;
use std::process::Command;
use support::modules::modules;
use support::root;

/// The root file of each crate and its rooms, from the lowest. A room uses itself and those before it.
const ROOMS: &[(&str, &[&str])] = &[
    (
        "crates/core/src/lib.rs",
        &[
            "exit",
            "model",
            "options",
            "buildkite",
            "config",
            "workspace",
            "selection",
            "report",
            "predecessor",
            "checks",
            "plan",
            "pipeline",
        ],
    ),
    ("crates/effects/src/lib.rs", &["files", "say", "process", "git", "agent", "container", "run"]),
    ("src/main.rs", &["report_files", "log", "job", "cli", "commands"]),
];

/// The files that say what differs between systems. None is of the core crate.
const SYSTEMS: &[&str] = &[
    "crates/effects/src/container/owner.rs",
    "crates/effects/src/files.rs",
    "crates/effects/src/files/linux.rs",
    "crates/effects/src/files/no_linux.rs",
    "crates/effects/src/process.rs",
    "crates/effects/src/process/clean.rs",
    "crates/effects/src/process/cleaner.rs",
    "crates/effects/src/process/keep.rs",
    "crates/effects/src/process/keeper.rs",
    "crates/effects/src/process/linux.rs",
    "crates/effects/src/process/supervise.rs",
    "crates/effects/src/process/unix.rs",
    "crates/effects/src/process/windows.rs",
    "crates/effects/src/run/cargo/instrument.rs",
];

/// The files that read files by themselves, and why those are not the checkout's. Everything that a stranger's
/// change may have written is opened in `files`.
const READERS: &[(&str, &str)] = &[
    ("crates/effects/src/container/engine/variables.rs", "the agent's list of variables"),
    ("crates/effects/src/container/foreign.rs", "/proc"),
    ("crates/effects/src/container/inside/times.rs", "in the container"),
    ("crates/effects/src/container/owner.rs", "/proc"),
    ("crates/effects/src/container/policy.rs", "the administrator's policy"),
    ("crates/effects/src/process/keep.rs", "/proc"),
    ("crates/effects/src/process/linux.rs", "/proc"),
    ("crates/effects/src/run/cargo/configuration.rs", "cargo reads the same files"),
    ("crates/effects/src/run/cargo/debug.rs", "cargo reads the same files"),
    ("crates/effects/src/run/cargo/dependencies.rs", "what rustc has written"),
    ("crates/effects/src/run/cargo/facts.rs", "cargo reads the same files"),
    ("crates/effects/src/run/cargo/repeats.rs", "a temporary folder of this program's"),
    ("crates/effects/src/run/cargo/repeats/merge.rs", "a temporary folder of this program's"),
    ("crates/effects/src/run/cargo/repeats/merge/bundle.rs", "beside cargo, which compiles the same files"),
    ("crates/effects/src/run/cargo/repeats/merge/kept.rs", "a temporary folder of this program's"),
    ("crates/effects/src/run/cargo/repeats/shim.rs", "a temporary folder of this program's"),
    ("crates/effects/src/run/cargo/repeats/tell.rs", "a temporary folder of this program's"),
    ("crates/effects/src/run/cargo/toolchain.rs", "the settings of rustup"),
    ("src/commands/doctor/machine.rs", "a setting of the kernel, in /sys"),
    ("src/job/configuration.rs", "the file that a person names with --config"),
    ("src/job/machine.rs", "/proc and /sys"),
];

/// What the core crate must not depend on, even through others: crates that start processes, talk to a
/// network, drive a terminal, or make temporary files. Each group names the crates that Rust programs
/// use for it; a crate that is new and not in the list is for review.
const NOT_IN_CORE: &[(&str, &[&str])] = &[
    (
        "processes and signals",
        &[
            "async-process",
            "command-group",
            "ctrlc",
            "duct",
            "libc",
            "nix",
            "os_pipe",
            "process-wrap",
            "rustix",
            "shared_child",
            "signal-hook",
            "subprocess",
            "sysinfo",
            "which",
            "windows-sys",
        ],
    ),
    (
        "a network",
        &[
            "attohttpc",
            "curl",
            "git2",
            "gix",
            "hyper",
            "isahc",
            "mio",
            "native-tls",
            "openssl",
            "reqwest",
            "rustls",
            "smol",
            "socket2",
            "tiny_http",
            "tokio",
            "ureq",
        ],
    ),
    (
        "a terminal",
        &[
            "anstyle-query",
            "anstyle-wincon",
            "clap",
            "console",
            "crossterm",
            "dialoguer",
            "indicatif",
            "ratatui",
            "rustyline",
            "supports-color",
            "termcolor",
            "terminal_size",
            "termion",
            "termios",
        ],
    ),
    ("files", &["fs-err", "ignore", "memmap2", "notify", "tempfile", "walkdir"]),
    ("the effects", &["rust-vmm-ci", "rust-vmm-ci-effects"]),
];

/// The lints that keep the core crate pure, and the groups of lints that they are in.
const PURE: [&str; 6] = [
    "clippy::disallowed_methods",
    "clippy::disallowed_types",
    "clippy::disallowed_macros",
    "clippy::style",
    "clippy::all",
    "warnings",
];

/// The most lines of a source file.
const MOST_LINES: usize = 400;

#[test]
fn a_room_uses_only_those_below_it() {
    for (root_file, rooms) in ROOMS {
        let mut wrong = Vec::new();
        let mut found = BTreeSet::new();
        for module in modules(root_file) {
            let Some(room) = module.path.first() else { continue };
            found.insert(room.clone());
            let place = rooms.iter().position(|known| known == room).unwrap_or(rooms.len());
            for used in module.uses() {
                match rooms.iter().position(|known| *known == used) {
                    Some(below) if below <= place => {}
                    Some(_) => wrong.push(format!("{}: {room} uses {used}, which is above it", module.file)),
                    None => {
                        wrong.push(format!("{}: {room} uses crate::{used}, which is no room", module.file));
                    }
                }
            }
        }
        assert!(wrong.is_empty(), "{root_file}:\n{}", wrong.join("\n"));
        let rooms = rooms.iter().map(|room| (*room).to_owned()).collect();
        assert_eq!(found, rooms, "the rooms of {root_file} are not those of ROOMS");
    }
}

#[test]
fn what_differs_between_systems_stands_in_named_files() {
    let modules = ROOMS.iter().flat_map(|(root_file, _)| modules(root_file));
    let telling: BTreeSet<String> = modules
        .filter(|module| module.tells_systems_apart() || is_of_one_system(&module.file))
        .map(|module| module.file)
        .collect();
    assert_eq!(telling, SYSTEMS.iter().map(|path| (*path).to_owned()).collect());
}

/// Whether a file is compiled for one system alone, by its name.
fn is_of_one_system(file: &str) -> bool {
    ["unix.rs", "windows.rs", "linux.rs"].iter().any(|name| file.ends_with(name))
}

#[test]
fn files_of_the_checkout_are_opened_in_one_place() {
    let reads = ["fs::read(", "fs::read_to_string(", "File::open("];
    let mut found = BTreeSet::new();
    let modules = ROOMS[1..].iter().flat_map(|(root_file, _)| modules(root_file));
    for file in modules.map(|module| module.file).collect::<BTreeSet<_>>() {
        let text = std::fs::read_to_string(root().join(&file)).unwrap();
        let tests = ["#[cfg(test)]", "#[cfg(all(test"].into_iter().filter_map(|tests| text.find(tests)).min();
        if reads.iter().any(|read| text[..tests.unwrap_or(text.len())].contains(read)) {
            found.insert(file);
        }
    }
    assert_eq!(found, READERS.iter().map(|(file, _)| (*file).to_owned()).collect());
}

#[test]
fn temporary_files_are_made_where_a_kill_leaves_none() {
    let makes = ["tempfile::tempdir(", ".tempdir(", ".tempfile(", "TempDir::new(", "NamedTempFile::new("];
    let mut found = BTreeSet::new();
    let modules = ROOMS.iter().flat_map(|(root_file, _)| modules(root_file));
    for file in modules.map(|module| module.file).collect::<BTreeSet<_>>() {
        let text = std::fs::read_to_string(root().join(&file)).unwrap();
        let tests = ["#[cfg(test)]", "#[cfg(all(test"].into_iter().filter_map(|tests| text.find(tests)).min();
        if makes.iter().any(|make| text[..tests.unwrap_or(text.len())].contains(make)) {
            found.insert(file);
        }
    }
    // A batch file, which only Windows has.
    found.remove("crates/effects/src/run/shell.rs");
    assert!(found.is_empty(), "use process::TemporaryFolder: {found:?}");
}

#[test]
fn the_core_depends_on_no_crate_with_effects() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut tree = Command::new(cargo);
    tree.args(["tree", "--package", "rust-vmm-ci-core", "--edges", "normal", "--prefix", "none"]);
    tree.args(["--format", "{p}", "--offline", "--locked"]).current_dir(root());
    let output = tree.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let names: BTreeSet<&str> = text.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(names.contains("rust-vmm-ci-core") && names.contains("serde"), "{text}");
    let refused: Vec<String> = NOT_IN_CORE
        .iter()
        .flat_map(|(what, crates)| crates.iter().map(move |name| (what, *name)))
        .filter(|(_, name)| names.contains(name))
        .map(|(what, name)| format!("{name} ({what}): `cargo tree -p rust-vmm-ci-core -e normal -i {name}`"))
        .collect();
    assert!(refused.is_empty(), "the core crate depends on:\n{}", refused.join("\n"));
}

#[test]
fn no_module_of_the_core_switches_off_what_keeps_it_pure() {
    let mut wrong = Vec::new();
    for module in modules("crates/core/src/lib.rs") {
        let allowed = module.allowed_lints();
        wrong.extend(
            PURE.iter()
                .filter(|lint| allowed.contains(**lint))
                .map(|lint| format!("{}: {lint}", module.file)),
        );
    }
    assert!(wrong.is_empty(), "allowed outside tests:\n{}", wrong.join("\n"));
    let manifest = std::fs::read_to_string(root().join("crates/core/Cargo.toml")).unwrap();
    let manifest: toml::Table = toml::from_str(&manifest).unwrap();
    let lints = manifest["lints"].as_table().unwrap();
    assert_eq!(lints.keys().collect::<Vec<_>>(), ["workspace"], "lints of its own in crates/core/Cargo.toml");
    let workspace = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let workspace: toml::Table = toml::from_str(&workspace).unwrap();
    let clippy = workspace["workspace"]["lints"]["clippy"].as_table().unwrap();
    for lint in PURE.iter().filter_map(|lint| lint.strip_prefix("clippy::")) {
        let level = clippy.get(lint).map(|level| level.get("level").unwrap_or(level).as_str().unwrap());
        assert!(level.is_none_or(|level| level != "allow"), "Cargo.toml allows {lint} everywhere");
    }
}

#[test]
fn no_source_file_has_over_400_lines() {
    let mut long = Vec::new();
    for folder in ["src", "crates", "tests", "examples"] {
        for entry in walkdir::WalkDir::new(root().join(folder)) {
            let path = entry.unwrap().into_path();
            if path.extension().is_some_and(|extension| extension == "rs") {
                let lines = std::fs::read_to_string(&path).unwrap().lines().count();
                if lines > MOST_LINES {
                    long.push(format!("{}: {lines}", path.strip_prefix(root()).unwrap().display()));
                }
            }
        }
    }
    assert!(long.is_empty(), "over {MOST_LINES} lines:\n{}", long.join("\n"));
}
