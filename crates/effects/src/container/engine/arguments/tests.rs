use super::*;
use crate::container::{Place, Wanted, resolve};
use rust_vmm_ci_core::config::Policy;
use rust_vmm_ci_core::config::{Cache, Change, DockerChoice};
use rust_vmm_ci_core::model::{Os, Platform, pinned_image};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;

fn default_image() -> String {
    pinned_image(None)
}

fn emulated_image() -> String {
    pinned_image(Some(Platform::Riscv64))
}

fn container_on(platform: Platform, options: Value, policy: &str) -> Result<Container> {
    let options: Map<String, Value> = serde_json::from_value(options).unwrap();
    let wanted = Wanted {
        os: Os::Linux,
        platform,
        here: Some(Platform::X86_64),
        privileged: false,
        cache: Some(Cache::None),
        nested: false,
        change: Change::Own,
    };
    let policy = Policy::parse("p.json", policy)?;
    match resolve(&DockerChoice::Options(options), wanted, &policy)? {
        Place::Container(container) => Ok(*container),
        Place::Host => panic!("a container is expected"),
    }
}

fn job(variables: &[(&str, &str)]) -> Job {
    let own = [("BUILDKITE_JOB_ID", "job-1"), ("BUILDKITE_COMMIT", "abc"), ("A_TOKEN", "secret")];
    let variables: BTreeMap<_, _> =
        own.iter().chain(variables).map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    Job::of(Path::new("/builds/my,repo"), PathBuf::from("/tmp"), variables)
}

fn words_of(container: &Container, job: &Job, command: &str) -> Result<Vec<String>> {
    arguments(container, job, command, &host())
}

fn host() -> Host<'static> {
    Host {
        binary: Path::new("/opt/rust-vmm-ci"),
        mailbox: Path::new("/tmp/job/inside"),
        owner: (1000, 1001),
        env_file: None,
        known_hosts: None,
        registry: Some("reg"),
        target: None,
        git_configs: &[],
        git: None,
    }
}

fn words(options: Value) -> Vec<String> {
    words_of(&container_on(Platform::X86_64, options, "{}").unwrap(), &job(&[]), "rust-vmm-ci run").unwrap()
}

#[test]
fn the_default_command_line_is_the_predecessors_made_safe() {
    let words = words(json!({}));
    let expected = [
        "run",
        "--rm",
        "--pull=never",
        "--init",
        "--label=com.github.rust-vmm.ci.job-id=job-1",
        "--label=com.buildkite.job-id=job-1",
        "--label=com.buildkite.job_id=job-1",
        "--platform=linux/amd64",
        "--mount=type=bind,\"source=/builds/my,repo\",target=/workdir",
        "--workdir=/workdir",
        "--mount=type=bind,source=/tmp/job/inside,target=/rust-vmm-ci/job",
        "--mount=type=bind,source=/opt/rust-vmm-ci,target=/usr/local/bin/rust-vmm-ci,readonly",
        "--mount=type=volume,source=reg,target=/rust-vmm-ci/kept-registry,volume-label=com.github.rust-vmm.ci=cache",
        "--env=RUST_VMM_CI_IN_CONTAINER=1",
        "--env=RUST_VMM_CI_REPORT=/rust-vmm-ci/job/report.json",
        &format!("--env=RUST_VMM_CI_IMAGE={}", default_image()),
        "--env=GIT_CONFIG_COUNT=1",
        "--env=GIT_CONFIG_KEY_0=safe.directory",
        "--env=GIT_CONFIG_VALUE_0=*",
        "--env=BUILDKITE_COMMIT",
        "--env=BUILDKITE_JOB_ID",
        &default_image(),
        "/usr/local/bin/rust-vmm-ci",
        "hook",
        "inside",
        "--checkout=/workdir",
        "--",
        "/bin/sh",
        "-e",
        "-c",
        "rust-vmm-ci run",
    ];
    assert_eq!(words, expected);
}

#[test]
fn a_job_that_only_reads_cannot_write_to_what_is_kept() {
    let mut container = container_on(Platform::X86_64, json!({}), "{}").unwrap();
    let mounts = |container: &Container| -> Vec<String> {
        let words = arguments(container, &job(&[]), "true", &Host { target: Some("t"), ..host() }).unwrap();
        let is_kept = |word: &String| word.contains("type=volume") || word == "--read-only";
        words
            .into_iter()
            .filter(is_kept)
            .map(|word| word.replace(",volume-label=com.github.rust-vmm.ci=cache", ""))
            .collect()
    };
    let volume = |rest: &str| format!("--mount=type=volume,source={rest}");
    let (registry, target) = ("reg,target=/rust-vmm-ci/kept-registry", "t,target=/workdir/target");
    assert_eq!(mounts(&container), [volume(registry), volume(target)]);
    container.read_only = true;
    let read_only =
        ["reg,target=/rust-vmm-ci/kept-registry,readonly", "t,target=/rust-vmm-ci/kept-target,readonly"];
    assert_eq!(mounts(&container), [volume(read_only[0]), volume(read_only[1]), "--read-only".into()]);
}

#[test]
fn no_value_of_a_variable_stands_on_the_command_line() {
    let options = json!({"environment": ["A_TOKEN"]});
    let words = words(options);
    assert!(words.contains(&"--env=A_TOKEN".to_owned()));
    assert!(!words.iter().any(|word| word.contains("secret") || word.contains("abc")), "{words:?}");
}

/// What differs from the defaults: words that are new, in order.
fn new_words(options: Value) -> Vec<String> {
    let defaults = words(json!({}));
    words(options).into_iter().filter(|word| !defaults.contains(word)).collect()
}

#[test]
fn options_become_what_the_docker_plugin_makes_of_them() {
    let cases = [
        (json!({"privileged": true, "userns": "mine"}), vec!["--privileged", "--userns=host"]),
        (json!({"userns": "mine"}), vec!["--userns=mine"]),
        (json!({"user": "ci"}), vec!["--user=ci"]),
        (json!({"propagate-uid-gid": true}), vec!["--user=1000:1001"]),
        (json!({"devices": ["/dev/kvm"], "tmpfs": "/t"}), vec!["--device=/dev/kvm", "--tmpfs=/t"]),
        (json!({"volumes": ["./a:/b", "/c:/d"]}), vec!["--volume=/builds/my,repo/a:/b", "--volume=/c:/d"]),
        (json!({"volumes": [".:/b:ro"]}), vec!["--volume=/builds/my,repo:/b:ro"]),
        (json!({"volumes": false}), vec![]),
        (json!({"network": "none"}), vec!["--network=none"]),
        (json!({"runtime": "nvidia"}), vec!["--runtime=nvidia"]),
        (json!({"shell": ["/bin/bash", "-c"]}), vec!["/bin/bash"]),
        (json!({"log-opt": ["a=b"], "publish": [80]}), vec!["--log-opt=a=b", "--publish=80"]),
    ];
    for (options, expected) in cases {
        assert_eq!(new_words(options.clone()), expected, "{options}");
    }
    assert!(!words(json!({"init": false})).contains(&"--init".to_owned()));
    assert!(!words(json!({"run-labels": false})).iter().any(|word| word.contains("job_id")));
}

#[test]
fn an_entrypoint_runs_under_the_wrapper_and_an_images_own_does_not() {
    let given = words(json!({"entrypoint": "/bin/bash"}));
    assert!(given.contains(&"--entrypoint=/usr/local/bin/rust-vmm-ci".to_owned()));
    assert_eq!(given[given.len() - 3..], ["--", "/bin/bash", "rust-vmm-ci run"]);
    let own = words(json!({"shell": false}));
    assert_eq!(own[own.len() - 2..], [&*default_image(), "rust-vmm-ci run"]);
}

#[test]
fn a_command_reaches_the_emulated_machines_shell_as_it_is_written() {
    let container = container_on(Platform::Riscv64, json!({}), "{}").unwrap();
    assert_eq!(container.image, emulated_image());
    for command in ["cargo test", "echo \"$HOME\" 'a b'\n# é ✓ \\ `id` $(id) !x", ""] {
        let words = words_of(&container, &job(&[]), command).unwrap();
        let at = words.iter().position(|word| *word == container.image).unwrap();
        // The entrypoint joins the words with spaces. Then a shell reads the text.
        let read = shell_words::split(&words[at + 1..].join(" ")).unwrap();
        assert_eq!(read, ["/bin/sh", "-e", "-c", command]);
    }
}

#[test]
fn images_come_from_the_policys_mirror() {
    let cases = [
        (json!({}), &*format!("m:5000/{}", default_image())),
        (json!({"image": "rust:1"}), "m:5000/library/rust:1"),
        (json!({"image": "docker.io/a/b"}), "m:5000/a/b"),
        (json!({"image": "ghcr.io/a/b"}), "ghcr.io/a/b"),
        (json!({"image": "localhost/a"}), "localhost/a"),
    ];
    for (options, expected) in cases {
        let container = container_on(Platform::X86_64, options, r#"{"registry-mirror": "m:5000"}"#).unwrap();
        assert_eq!(container.image, expected);
    }
    let variable = json!({"image": "$REGISTRY/a", "expand-image-vars": true});
    let container = container_on(Platform::X86_64, variable, r#"{"registry-mirror": "m:5000"}"#).unwrap();
    assert_eq!(container.image, "$REGISTRY/a", "nobody knows yet whose it is");
    let podman = container_on(Platform::X86_64, json!({"runtime": "podman"}), "{}").unwrap();
    assert_eq!(podman.image, format!("docker.io/{}", default_image()));
}

#[test]
fn what_cannot_be_is_refused_with_its_place() {
    let says = |options: Value| {
        container_on(Platform::X86_64, options, "{}")
            .and_then(|container| words_of(&container, &job(&[]), "x"))
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        says(json!({"privilegd": true})),
        "docker.privilegd: unknown option; did you mean `privileged`?"
    );
    assert!(says(json!({"image": "--privileged"})).starts_with("docker.image: expected an image's name"));
    assert!(says(json!({"user": "a", "propagate-uid-gid": true})).starts_with("docker.user: cannot"));
    assert!(says(json!({"workdir": "here"})).starts_with("docker.workdir: expected an absolute path"));
    assert!(says(json!({"workdir": "$BUILDKITE_COMMIT"})).contains("is `expand-volume-vars` meant?"));
    let expanded = json!({"workdir": "$BUILDKITE_COMMIT", "expand-volume-vars": true});
    assert!(says(expanded).ends_with("expected an absolute path, got \"abc\""));
    assert!(says(json!({"mount-ssh-agent": true})).starts_with("docker.mount-ssh-agent: SSH_AUTH_SOCK"));
    assert!(says(json!({"image": "$X", "expand-image-vars": true})).contains("`X` is not set"));
}

#[test]
fn a_variable_makes_no_flag_of_an_image() {
    let container =
        container_on(Platform::X86_64, json!({"image": "$X", "expand-image-vars": true}), "{}").unwrap();
    let image = |value: &str| image(&container, &job(&[("X", value)]));
    assert_eq!(image("a/b:1").unwrap(), "a/b:1");
    for value in ["--privileged", "a b", ""] {
        let told = image(value).unwrap_err().to_string();
        assert!(told.starts_with("docker.image: expected an image's name"), "{value:?}: {told}");
    }
}

#[test]
fn the_ssh_agent_is_mounted_and_the_known_hosts_where_there_are_any() {
    let container = container_on(Platform::X86_64, json!({"mount-ssh-agent": "/home/ci"}), "{}").unwrap();
    let words = |known_hosts| {
        let job = job(&[("SSH_AUTH_SOCK", "/run/agent")]);
        let host = Host { known_hosts, ..host() };
        arguments(&container, &job, "x", &host).unwrap()
    };
    let socket = "--mount=type=bind,source=/run/agent,target=/ssh-agent".to_owned();
    let hosts =
        "--mount=type=bind,source=/h/known_hosts,target=/home/ci/.ssh/known_hosts,readonly".to_owned();
    assert!(words(None).contains(&socket) && !words(None).contains(&hosts));
    assert!(words(Some(Path::new("/h/known_hosts"))).contains(&hosts));
}

#[test]
fn our_own_command_reaches_an_entrypoint_in_words() {
    let mut container = container_on(Platform::X86_64, json!({"entrypoint": "/start"}), "{}").unwrap();
    container.shell = Shell::Split;
    let words = words_of(&container, &job(&[]), "rust-vmm-ci run 'a label'").unwrap();
    assert_eq!(words[words.len() - 5..], ["--", "/start", "rust-vmm-ci", "run", "a label"]);
}

#[test]
fn policy_flags_are_added_and_its_cache_is_forced() {
    let policy = r#"{"run-options": ["--cpuset-cpus=0"], "cache": "target", "forced": ["cache"],
        "target-gigabytes": 1}"#;
    let container = container_on(Platform::X86_64, json!({}), policy).unwrap();
    assert!(container.flags.contains(&"--cpuset-cpus=0".to_owned()));
    assert_eq!((container.cache, container.target_bytes), (Cache::Target, 1_000_000_000));
}

#[test]
fn no_container_is_nested_and_none_is_on_windows() {
    let on = |os, nested, choice: &DockerChoice| {
        let wanted = Wanted {
            os,
            platform: Platform::X86_64,
            here: Some(Platform::X86_64),
            privileged: true,
            cache: None,
            nested,
            change: Change::Own,
        };
        resolve(choice, wanted, &Policy::default())
    };
    assert_eq!(on(Os::Linux, true, &DockerChoice::Unset).unwrap(), Place::Host);
    assert_eq!(on(Os::Windows, false, &DockerChoice::Unset).unwrap(), Place::Host);
    assert_eq!(on(Os::Linux, false, &DockerChoice::Off).unwrap(), Place::Host);
    assert!(on(Os::Windows, false, &DockerChoice::Options(Map::new())).is_err());
    let Place::Container(container) = on(Os::Linux, false, &DockerChoice::Unset).unwrap() else { panic!() };
    assert!(container.flags.contains(&"--privileged".to_owned()) && container.pull.always);
    assert_eq!(container.cache, Cache::Registry);
}

#[test]
fn a_policys_image_has_a_twin_with_the_emulator() {
    let cases = [
        ("rustvmm/dev:v50", "rustvmm/dev:v50-riscv"),
        ("mine:1-riscv", "mine:1-riscv"),
        ("mine@sha256:00", &*emulated_image()),
    ];
    for (image, expected) in cases {
        let policy = json!({"docker": {"image": image}}).to_string();
        let of = |platform, options| container_on(platform, options, &policy).unwrap().image;
        assert_eq!(of(Platform::Riscv64, json!({})), expected);
        assert_eq!(of(Platform::X86_64, json!({})), image);
        // An upload writes defaults into a step. Nobody chose them.
        let step = json!({"image": emulated_image(), "always-pull": true});
        assert_eq!(of(Platform::Riscv64, step), expected);
        assert_eq!(of(Platform::Riscv64, json!({"image": "chosen:1"})), "chosen:1");
    }
}

#[test]
#[cfg_attr(windows, ignore = "no check of Windows, which has no containers of Linux")]
fn a_clean_configuration_of_git_stands_over_the_checkouts() {
    let instead = |of: &str| Instead { file: "/tmp/job/git-config-0".into(), of: of.into() };
    let configs = [instead(".git/config"), instead("/mirrors/r/config")];
    let container = container_on(Platform::X86_64, json!({"workdir": "/w"}), "{}").unwrap();
    let host = Host { git_configs: &configs, ..host() };
    let words = arguments(&container, &job(&[]), "true", &host).unwrap();
    for target in ["/w/.git/config", "/mirrors/r/config"] {
        let word = format!("--mount=type=bind,source=/tmp/job/git-config-0,target={target},readonly");
        assert!(words.contains(&word), "{words:?}");
    }
}

#[test]
#[cfg_attr(windows, ignore = "no check of Windows, which has no containers of Linux")]
fn a_worktree_has_the_folder_that_it_shares_where_its_file_says_and_to_read_only() {
    let container = container_on(Platform::X86_64, json!({}), "{}").unwrap();
    for (written, at) in [("/src/repo/.git", "/src/repo/.git"), ("../repo/.git", "/repo/.git")] {
        let common = CommonFolder { path: "/real/repo/.git".into(), written: written.into() };
        let host = Host { git: Some(&common), ..host() };
        let words = arguments(&container, &job(&[]), "true", &host).unwrap();
        let expected = format!("--mount=type=bind,source=/real/repo/.git,target={at},readonly");
        assert!(words.contains(&expected), "{words:?}");
    }
}
