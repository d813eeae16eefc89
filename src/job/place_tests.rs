//! Every decision about a job's place, without a container engine.

use super::super::gather::Gathered;
use super::super::plan::plan;
use super::super::testing::{checks, gathered};
use super::*;
use crate::cli::{Cli, Command};
use clap::Parser as _;
use rust_vmm_ci_core::exit::{self, Exit};
use rust_vmm_ci_core::model::Platform;
use rust_vmm_ci_effects::container::{Emulation, Policy};

fn chosen(gathered: &Gathered, request: &Request) -> Result<Place> {
    place(gathered, request, &plan(gathered, request).unwrap())
}

/// The container of a job in one on its own platform.
fn container(gathered: &Gathered, request: &Request) -> Contained {
    match chosen(gathered, request) {
        Ok(Place::Container(contained)) => contained,
        other => panic!("a container, and not {other:?}"),
    }
}

fn emulator(gathered: &Gathered, request: &Request) -> Contained {
    match chosen(gathered, request) {
        Ok(Place::Emulator(contained)) => contained,
        other => panic!("an emulator, and not {other:?}"),
    }
}

fn refusal(gathered: &Gathered, request: &Request) -> (Exit, String) {
    let error = chosen(gathered, request).unwrap_err();
    (exit::of(&error), error.to_string())
}

fn own(command: &str) -> Request {
    Request { task: Task::OwnCommand(command.into()), place: PlaceRule::Configured, plain_run: None }
}

fn runs_on_the_machine(gathered: &Gathered, request: &Request) -> bool {
    matches!(chosen(gathered, request), Ok(Place::Host))
}

fn is_privileged_container(contained: &Contained) -> bool {
    contained.container.flags.iter().any(|flag| flag == "--privileged")
}

#[test]
fn a_job_has_the_pinned_image_where_nobody_says_otherwise() {
    let place = container(&gathered("{}"), &checks(&["clippy"]));
    assert_eq!(place.container.image, rust_vmm_ci_core::model::pinned_image(Some(Platform::X86_64)));
    assert_eq!(place.script, "rust-vmm-ci run clippy");
}

#[test]
fn the_image_is_the_configurations_and_the_policy_can_force_another() {
    let mut job = gathered("docker: {image: 'example.org/a:1'}");
    assert_eq!(container(&job, &checks(&["clippy"])).container.image, "example.org/a:1");
    let policy = r#"{"docker": {"image": "example.org/b:2"}, "forced": ["docker.image"]}"#;
    job.policy = Policy::parse("the policy", policy).unwrap();
    assert_eq!(container(&job, &checks(&["clippy"])).container.image, "example.org/b:2");
}

#[test]
fn a_container_is_privileged_where_one_of_its_checks_needs_it() {
    let job = gathered("{}");
    assert!(!is_privileged_container(&container(&job, &checks(&["clippy"]))));
    let tests = container(&job, &checks(&["clippy", "unittests-gnu"]));
    assert!(is_privileged_container(&tests), "{:?}", tests.container.flags);
    assert!(!is_privileged_container(&container(&job, &own("cargo test"))));
}

#[test]
fn the_command_of_a_step_goes_to_the_containers_shell_as_it_is() {
    let place = container(&gathered("{}"), &own("echo 'a b'\nmake"));
    assert_eq!(place.script, "echo 'a b'\nmake");
    assert!(matches!(place.container.shell, Shell::Words(_)));
}

#[test]
fn an_entrypoint_is_given_our_command_as_words_and_a_persons_as_one_text() {
    let job = gathered("docker: {entrypoint: /start}");
    assert_eq!(container(&job, &checks(&["clippy"])).container.shell, Shell::Split);
    assert_eq!(container(&job, &own("a b")).container.shell, Shell::None);
}

#[test]
fn a_job_without_a_container_runs_on_this_machine() {
    let job = gathered("docker: false");
    assert!(runs_on_the_machine(&job, &checks(&[])));
    assert!(runs_on_the_machine(&job, &own("true")));
}

#[test]
fn a_policy_can_put_every_job_on_the_machine() {
    let mut job = gathered("{}");
    job.policy = Policy::parse("the policy", r#"{"docker": false, "forced": ["docker"]}"#).unwrap();
    assert!(runs_on_the_machine(&job, &checks(&[])));
    let by_hand = Request { place: PlaceRule::Container, ..checks(&[]) };
    let (exit, text) = refusal(&job, &by_hand);
    assert_eq!((exit, text.starts_with("--docker: ")), (Exit::Usage, true), "{text}");
}

#[test]
fn in_a_container_of_ours_there_is_no_second_one() {
    let mut job = gathered("{}");
    job.environment.in_container = true;
    assert!(runs_on_the_machine(&job, &checks(&[])));
    assert!(runs_on_the_machine(&job, &own("true")));
    let (exit, text) = refusal(&job, &Request { place: PlaceRule::Container, ..checks(&[]) });
    assert_eq!((exit, text.contains("leave it out")), (Exit::Usage, true), "{text}");
}

#[test]
fn a_job_in_kubernetes_is_in_its_image_already() {
    let in_a_pod = |options: &str| {
        let mut job = gathered(options);
        job.environment.kubernetes = true;
        job
    };
    let default = rust_vmm_ci_core::model::pinned_image(Some(Platform::X86_64));
    let uploaded = format!("docker: {{image: '{default}', always-pull: true, privileged: true}}");
    for options in ["{}", "docker: false", "docker: {as: image, image: 'a:1'}", &uploaded] {
        assert!(runs_on_the_machine(&in_a_pod(options), &checks(&["clippy"])), "{options}");
        assert!(runs_on_the_machine(&in_a_pod(options), &own("true")), "{options}");
    }
    let (exit, text) = refusal(&in_a_pod("docker: {image: 'a:1'}"), &checks(&[]));
    assert_eq!(exit, Exit::Usage);
    assert!(text.contains("write `image: a:1` beside"), "{text}");
    let (exit, text) = refusal(&in_a_pod("platform: riscv64"), &own("true"));
    assert_eq!((exit, text.contains("a machine with Docker")), (Exit::Usage, true), "{text}");
    let mut forced = in_a_pod("{}");
    forced.policy =
        Policy::parse("the policy", r#"{"docker": {"image": "p:1"}, "forced": ["docker"]}"#).unwrap();
    assert_eq!(container(&forced, &checks(&["clippy"])).container.image, "p:1");
}

#[test]
fn a_step_for_kubernetes_has_a_container_of_the_same_image_elsewhere() {
    let job = gathered("docker: {as: image, image: 'a:1'}");
    assert_eq!(container(&job, &checks(&["clippy"])).container.image, "a:1");
}

#[test]
fn a_run_by_hand_stays_on_the_machine_or_asks_for_the_projects_container() {
    let here = Request { place: PlaceRule::ThisMachine, ..checks(&[]) };
    let by_hand = Request { place: PlaceRule::Container, ..checks(&["style"]) };
    assert!(runs_on_the_machine(&gathered("{}"), &here));
    assert_eq!(container(&gathered("docker: false"), &by_hand).script, "rust-vmm-ci run style");
    let mut job = gathered("{}");
    job.repository.config_file = Some("a.json".into());
    let (exit, text) = refusal(&job, &by_hand);
    assert_eq!((exit, text.starts_with("--config a.json: ")), (Exit::Usage, true), "{text}");
}

#[test]
fn an_emulated_platform_has_its_own_image_and_one_script_of_plain_commands() {
    let place = emulator(&gathered("platform: riscv64"), &checks(&[]));
    assert_eq!(place.container.image, rust_vmm_ci_core::model::pinned_image(Some(Platform::Riscv64)));
    assert!(place.script.contains("cargo ") && !place.script.contains("rust-vmm-ci run"), "{}", place.script);
    assert_eq!(emulator(&gathered("platform: riscv64"), &own("cargo test")).script, "cargo test");
}

#[test]
fn the_image_of_an_uploads_options_is_not_the_emulators() {
    let options = "{mode: upload, platform: riscv64, docker: {image: 'example.org/a:1', user: me}}";
    let place = emulator(&gathered(options), &checks(&[]));
    assert_eq!(place.container.image, rust_vmm_ci_core::model::pinned_image(Some(Platform::Riscv64)));
    let options = "{platform: riscv64, docker: {image: 'example.org/a:1'}}";
    assert_eq!(emulator(&gathered(options), &checks(&[])).container.image, "example.org/a:1");
}

#[test]
fn an_emulated_platform_without_a_container_is_refused() {
    for request in [checks(&[]), own("true")] {
        let (exit, text) = refusal(&gathered("{platform: riscv64, docker: false}"), &request);
        assert_eq!((exit, text.starts_with("docker: riscv64 is emulated")), (Exit::Usage, true), "{text}");
    }
}

#[test]
fn checks_for_another_machine_do_not_run_on_this_one() {
    let (exit, text) = refusal(&gathered("{platform: aarch64, docker: false}"), &checks(&[]));
    assert_eq!((exit, text.starts_with("platform: aarch64 is not")), (Exit::Usage, true), "{text}");
    assert!(runs_on_the_machine(&gathered("{platform: aarch64, docker: false}"), &own("true")));
}

#[test]
fn the_engine_is_always_told_for_which_machine_the_image_is() {
    for (options, platform, machine) in [
        ("{}", "linux/amd64", Platform::X86_64),
        ("platform: aarch64", "linux/arm64", Platform::Aarch64),
        ("docker: {platform: linux/arm64/v8}", "linux/arm64/v8", Platform::Aarch64),
    ] {
        let container = container(&gathered(options), &checks(&["clippy"])).container;
        assert_eq!((container.platform.as_str(), container.machine), (platform, Some(machine)));
        assert_eq!(container.is_foreign, machine == Platform::Aarch64, "{options}");
    }
    let container = emulator(&gathered("platform: riscv64"), &checks(&[])).container;
    assert_eq!((container.platform.as_str(), container.is_foreign), ("linux/amd64", false));
}

#[test]
fn a_job_for_another_machine_names_its_platform_and_what_it_cannot_do() {
    let place = container(&gathered("platform: aarch64"), &checks(&["clippy"]));
    assert_eq!(place.script, "rust-vmm-ci run '--platform=aarch64' clippy");
    assert!(place.notes.iter().any(|note| note.contains("/dev/kvm cannot be used")), "{:?}", place.notes);
    let here = container(&gathered("{}"), &checks(&["clippy"]));
    assert_eq!((here.script.as_str(), here.notes.len()), ("rust-vmm-ci run clippy", 0));
}

#[test]
fn a_job_that_this_machine_cannot_emulate_is_refused_before_it_starts() {
    let mut job = gathered("{platform: aarch64, docker: {runtime: podman}}");
    job.emulation = Emulation::Missing;
    for request in [checks(&["clippy"]), own("true")] {
        let (exit, text) = refusal(&job, &request);
        assert_eq!((exit, text.contains("binfmt --install arm64")), (Exit::Infrastructure, true), "{text}");
    }
    job.emulation = Emulation::Works;
    assert!(container(&job, &checks(&["clippy"])).container.is_foreign);
}

#[test]
fn a_check_that_asks_for_another_container_is_named() {
    let job = gathered("checks: {clippy: {docker: {image: 'example.org/a:1'}}}");
    let notes = container(&job, &checks(&["clippy", "style"])).notes;
    assert_eq!(notes.len(), 1);
    assert!(notes[0].starts_with("checks.clippy.docker: "), "{notes:?}");
}

#[test]
fn a_run_is_repeated_in_the_container_with_all_its_options() {
    for verbosity in ["--verbose", "--quiet"] {
        let words = "rust-vmm-ci run --platform=x86_64 --package=a --combination=x --test=y --jobs=2 --fail-fast --strict --timings \
                     --update";
        let mut words = shell_words::split(words).unwrap();
        words.extend([verbosity, "coverage", "a label"].map(str::to_owned));
        let (selection, verbosity, command) = Cli::parse_from(&words).into_parts();
        let Command::Run(args) = command else { panic!("{words:?} is a run") };
        let Task::Checks(options) = args.into_request(&selection, verbosity).task else { panic!("checks") };
        assert_eq!(shell_words::split(&run_again(&options)).unwrap(), words);
    }
}
