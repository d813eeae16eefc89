//! Upgrade, pin and go back, as docs/agents.md has them.

use std::fs;

use crate::agent::Agent;
use crate::download::{BINARY, folder, hash_of, released, triple};

/// Makes this version the plugin's, with a release of its own on the mirror, as another tag would.
fn name_the_tag(agent: &Agent, version: &str, file: &[u8]) {
    let manifest = agent.plugin().join("Cargo.toml");
    let text = fs::read_to_string(&manifest).unwrap();
    let old = text.lines().find(|line| line.starts_with("version = ")).unwrap().to_owned();
    fs::write(&manifest, text.replacen(&old, &format!("version = \"{version}\""), 1)).unwrap();
    fs::write(agent.plugin().join("hooks/lib/releases"), format!("{}  {}\n", hash_of(file), triple()))
        .unwrap();
    folder(agent, &format!("v{version}/rust-vmm-ci-{}", triple()), file);
}

#[test]
fn each_tag_has_its_own_binary_and_the_old_one_is_still_kept() {
    let (agent, _) = released(Agent::new(), BINARY.as_bytes());
    let mirror = agent.root.join("mirror");
    let agent = agent.with("RUST_VMM_CI_MIRROR", &mirror).with("RUST_VMM_CI_INSTALL", "download");
    let newer = BINARY.replace("1.0.0", "1.1.0");

    name_the_tag(&agent, "1.0.0", BINARY.as_bytes());
    agent.run("command").with(1, &["downloaded from"]);
    name_the_tag(&agent, "1.1.0", newer.as_bytes());
    agent.run("command").with(1, &["downloaded from"]);
    assert_eq!(agent.kept().len(), 2, "agents with different tags do not disturb each other");

    name_the_tag(&agent, "1.0.0", BINARY.as_bytes());
    fs::remove_dir_all(&mirror).unwrap();
    agent.run("command").with(1, &["/1.0.0-", "kept from an earlier job"]);
}

#[test]
fn a_version_that_the_mirror_lacks_ends_with_3_where_only_a_download_is_allowed() {
    let (agent, _) = released(Agent::new(), BINARY.as_bytes());
    let mirror = agent.root.join("mirror");
    let cargo = agent.stub("cargo");
    let agent = agent.with("RUST_VMM_CI_MIRROR", mirror).with("RUST_VMM_CI_INSTALL", "download");
    agent.run("command").with(3, &["could not be downloaded"]);
    assert!(support::stub::Stub::log_at(cargo.path()).is_empty());
}

#[test]
fn an_installed_binary_wins_over_the_tag_until_it_is_removed() {
    let (agent, path) = released(Agent::new(), BINARY.as_bytes());
    let mirror = folder(&agent, &path, BINARY.as_bytes());
    let agent = agent.with("RUST_VMM_CI_MIRROR", mirror);
    agent.run("command").with(1, &["downloaded from"]);
    let installed = agent.stub("rust-vmm-ci");
    agent.run("command").with(0, &["found on PATH"]);
    fs::remove_file(installed.path()).unwrap();
    agent.run("command").with(1, &["kept from an earlier job"]);
}
