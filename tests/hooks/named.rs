//! Which binary the hooks run where somebody names one, and who may name it.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::agent::{Agent, Shell, builds};
use support::stub::Stub;

#[test]
fn the_binary_that_the_variable_names_wins_and_its_status_is_the_jobs() {
    let agent = Agent::new();
    let on_path = agent.stub("rust-vmm-ci");
    let named = Stub::at(&agent.root.join("elsewhere/mine"));
    named.does("exit 7");
    let agent = agent.with("RUST_VMM_CI_BINARY", named.path());

    agent.run("command").with(7, &[]);

    assert_eq!(Stub::calls_at(named.path()), ["hook command"]);
    assert!(Stub::log_at(on_path.path()).is_empty());
}

#[test]
fn what_is_not_absolute_never_names_a_program() {
    for (name, value) in [
        ("RUST_VMM_CI_BINARY", "rust-vmm-ci"),
        ("RUST_VMM_CI_BINARY", "./rust-vmm-ci"),
        ("PATH", ":"),
        ("PATH", "."),
        ("PATH", "bin:"),
    ] {
        let agent = Agent::new();
        let tools = agent.root.join("tools");
        let (value, status) = match name {
            "PATH" => (format!("{value}:{}:", tools.display()), 0),
            _ => (value.to_owned(), 3),
        };
        let cargo = Stub::at(&agent.root.join("home/.cargo/bin/cargo"));
        // The checkout has programs of every name that a hook could look for.
        let job = agent.root.join("job");
        let planted: Vec<Stub> = ["", "bin/"]
            .iter()
            .flat_map(|folder| ["rust-vmm-ci", "sed", "cargo", "uname"].map(|name| format!("{folder}{name}")))
            .map(|name| Stub::at(&job.join(name)))
            .collect();
        let agent = agent.with(name, &value);

        agent.run("command").with(status, &[]);

        for stub in planted {
            assert!(Stub::log_at(stub.path()).is_empty(), "{name}={value} ran {}", stub.path().display());
        }
        if status == 0 {
            assert_eq!(builds(&cargo), 1);
            let log = Stub::log_at(&agent.the_kept());
            let path = format!("  PATH={}\n", tools.display());
            assert!(log.contains(&path), "the job's PATH has only absolute entries: {log}");
        }
    }
}

#[test]
fn a_pipeline_chooses_neither_the_binary_nor_where_it_comes_from() {
    for name in
        ["RUST_VMM_CI_BINARY", "RUST_VMM_CI_POLICY", "RUST_VMM_CI_MIRROR", "RUST_VMM_CI_INSTALL", "PATH"]
    {
        for shell in [Shell::Dash, Shell::Bash, Shell::Busybox] {
            let Some(agent) = Agent::new().under(shell) else { return };
            let planted =
                ["rust-vmm-ci", "sed", "date"].map(|name| Stub::at(&agent.root.join("strange").join(name)));
            let path =
                format!("{}:{}", agent.root.join("strange").display(), agent.root.join("tools").display());
            let value = if name == "PATH" { path } else { planted[0].path().display().to_string() };
            let list = agent.root.join("list");
            fs::write(&list, format!("CI=\"true\"\nPPID=\"1\"\n{name}=\"{value}\"")).unwrap();
            let agent = agent.with(name, value).with("BUILDKITE_ENV_FILE", list);

            let said = format!("the pipeline sets {name}, and only the agent's administrator may");
            agent.run("command").with(3, &[&said, "to mend it: take it out of the pipeline's `env`"]);
            agent.run("pre-exit").with(0, &[]);

            for stub in planted {
                assert!(Stub::log_at(stub.path()).is_empty(), "{name} ran {}", stub.path().display());
            }
        }
    }
}

#[test]
fn the_build_of_the_binary_obeys_nothing_that_the_pipeline_sets() {
    let agent = Agent::new();
    let cargo = agent.stub("cargo");
    let list = agent.root.join("list");
    fs::write(
        &list,
        "CARGO_HOME=\"/strange\"\nHTTPS_PROXY=\"a\\nCARGO_NET_OFFLINE=x\"\nbuild=\"\"\nroot=\"x\"\n",
    )
    .unwrap();
    let agent = agent
        .with("CARGO_HOME", "/strange")
        .with("HTTPS_PROXY", "strange")
        .with("CARGO_NET_OFFLINE", "true")
        .with("build", "")
        .with("BUILDKITE_ENV_FILE", list);

    agent.run("command").with(0, &["~~~ Building rust-vmm-ci"]);

    let build = Stub::log_at(cargo.path());
    assert!(!build.contains("CARGO_HOME=") && !build.contains("HTTPS_PROXY="), "{build}");
    assert!(build.contains("  CARGO_NET_OFFLINE=true"), "the agent's own: {build}");
    let job = Stub::log_at(&agent.the_kept());
    assert!(job.contains("  CARGO_HOME=/strange\n"), "the job's own code has it: {job}");
}

#[test]
fn a_binary_in_the_checkout_is_never_run_whoever_names_it() {
    for name in ["RUST_VMM_CI_BINARY", "PATH"] {
        for linked in [false, true] {
            let agent = Agent::new();
            let checkout = agent.root.join("job");
            let planted = Stub::at(&checkout.join("bin/rust-vmm-ci"));
            let link = agent.root.join("elsewhere");
            std::os::unix::fs::symlink(checkout.join("bin"), &link).unwrap();
            let folder = if linked { link } else { checkout.join("bin") };
            let value = match name {
                "PATH" => format!("{}:{}", folder.display(), agent.root.join("tools").display()),
                _ => folder.join("rust-vmm-ci").display().to_string(),
            };
            let agent = agent.with(name, value).with("BUILDKITE_BUILD_CHECKOUT_PATH", checkout);

            agent.run("command").with(3, &["is in the checkout, which holds the code of a stranger"]);

            assert!(Stub::log_at(planted.path()).is_empty(), "{name}");
        }
    }
}

#[test]
fn a_variable_that_names_no_file_is_refused_even_where_path_has_a_binary() {
    let agent = Agent::new().with("RUST_VMM_CI_BINARY", "/no/such/file");
    let on_path = agent.stub("rust-vmm-ci");

    agent
        .run("command")
        .with(3, &["RUST_VMM_CI_BINARY names '/no/such/file', which is no file", "to mend it"]);

    assert!(Stub::log_at(on_path.path()).is_empty());
}

#[test]
fn a_variable_that_names_a_file_without_the_run_bit_is_refused() {
    let agent = Agent::new();
    let file = agent.root.join("plain");
    fs::write(&file, "").unwrap();
    let agent = agent.with("RUST_VMM_CI_BINARY", &file);

    agent.run("command").with(3, &["may not be executed", "chmod +x"]);
}

#[test]
fn a_binary_of_another_machines_kind_is_an_infrastructure_failure() {
    let agent = Agent::new();
    let file = agent.root.join("foreign");
    fs::write(&file, b"\x7fELF\x00\x00 of another kind").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    let agent = agent.with("RUST_VMM_CI_BINARY", &file);

    agent.run("command").with(3, &["does not run on this machine", "to mend it"]);
}
