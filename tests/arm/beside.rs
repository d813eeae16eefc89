//! `run --docker` for another platform, on this machine, with stand-ins for the engines.

use super::{HERE, sample};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::arm::{emulator, said};
use support::sandbox::{Repository, Sandbox};

/// A machine with an engine that notes its calls and runs nothing.
struct Machine {
    sandbox: Sandbox,
    repository: Repository,
    programs: PathBuf,
}

impl Machine {
    fn new(configuration: &str) -> Self {
        let sandbox = Sandbox::new();
        let repository = sample(&sandbox, "");
        fs::create_dir(repository.path().join(".buildkite")).unwrap();
        let plugin = format!("rust-vmm/rust-vmm-ci#v1: {configuration}");
        let pipeline = format!("steps:\n  - label: checks\n    plugins: [{{{plugin}}}]\n");
        fs::write(repository.path().join(".buildkite/pipeline.yml"), pipeline).unwrap();
        let programs = sandbox.folder("programs");
        for name in ["docker", "podman"] {
            let program = programs.join(name);
            let script = "#!/bin/sh\necho \"$@\" >>\"$0.log\"\n[ \"$1\" = run ] || exit 0\necho 'Error: nothing runs' >&2\nexit 125\n";
            support::program::write(&program, script);
        }
        Self { sandbox, repository, programs }
    }

    /// `run --docker` with these words. `emulates` says whether programs of arm64 run.
    fn run(&self, emulator: &Path, emulates: bool, words: &[&str]) -> Command {
        let mut command = self.sandbox.command(emulator);
        let path = format!("{}:{}", self.programs.display(), std::env::var("PATH").unwrap());
        let way = if emulates { "beside" } else { "without" };
        command.arg(way).arg(HERE).args(["run", "--docker"]).args(words);
        command.env("PATH", path).current_dir(self.repository.path());
        command
    }

    /// The calls of an engine that were noted.
    fn calls(&self, engine: &str) -> String {
        fs::read_to_string(self.programs.join(format!("{engine}.log"))).unwrap_or_default()
    }
}

#[test]
fn a_platform_that_this_machine_cannot_run_is_refused_before_anything_starts() {
    let Some(emulator) = emulator() else { return };
    for (options, engine) in [("{}", "docker"), ("{docker: {runtime: podman}}", "podman")] {
        let machine = Machine::new(options);
        let run = said(&mut machine.run(emulator, false, &["--platform", "aarch64", "clippy"]));
        assert_eq!(run.code, Some(3), "{}", run.text);
        assert!(run.text.contains("binfmt --install arm64") && run.text.contains(engine), "{}", run.text);
        assert!(run.text.contains("apt-get install qemu-user-static binfmt-support"), "{}", run.text);
        assert_eq!(machine.calls(engine), "", "the engine was called");
    }
    // Of two platforms the first does not start either.
    let machine = Machine::new("{platform: [x86_64, aarch64]}");
    let run = said(&mut machine.run(emulator, false, &["clippy"]));
    assert_eq!((run.code, machine.calls("docker").as_str()), (Some(3), ""), "{}", run.text);
    assert!(run.text.contains("`--platform NAME` chooses one"), "{}", run.text);
}

#[test]
fn the_engine_is_told_the_platform_for_every_image() {
    let Some(emulator) = emulator() else { return };
    for (options, engine) in [("{}", "docker"), ("{docker: {runtime: podman}}", "podman")] {
        for (platform, machine_of_image) in [("x86_64", "linux/amd64"), ("aarch64", "linux/arm64")] {
            let machine = Machine::new(options);
            let run = said(&mut machine.run(emulator, true, &["--platform", platform, "clippy"]));
            assert_eq!(run.code, Some(3), "{}", run.text);
            let calls = machine.calls(engine);
            for call in ["pull", "run"] {
                let call = calls.lines().find(|line| line.starts_with(call)).unwrap_or_default();
                assert!(call.contains(&format!("--platform={machine_of_image}")), "{calls}");
            }
            let is_emulated = platform == "aarch64";
            assert_eq!(calls.contains("--env=RUST_VMM_CI_EMULATED=1"), is_emulated, "{calls}");
            assert_eq!(run.text.contains("/dev/kvm cannot be used"), is_emulated, "{}", run.text);
        }
    }
}

#[test]
fn several_platforms_are_done_one_after_the_other() {
    let Some(emulator) = emulator() else { return };
    let machine = Machine::new("{platform: [x86_64, aarch64]}");
    let run = said(&mut machine.run(emulator, true, &["clippy"]));
    assert_eq!(run.code, Some(3), "{}", run.text);
    let calls = machine.calls("docker");
    let at = |text: &str| calls.find(text).unwrap_or_else(|| panic!("{text}: {calls}"));
    assert!(at("run '--platform=x86_64' clippy") < at("run '--platform=aarch64' clippy"), "{calls}");
    let machine = Machine::new("{platform: [x86_64, aarch64]}");
    said(&mut machine.run(emulator, true, &["--platform", "aarch64", "clippy"]));
    assert!(!machine.calls("docker").contains("linux/amd64"), "{}", machine.calls("docker"));
}
