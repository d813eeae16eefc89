//! A Podman of the tests' own, with the images of `.ci/build-test-image`. Its agent is root: Podman without
//! root needs a machine that was set up for it.

use std::fs;
use std::process::Command;

use crate::sandbox::Sandbox;
use crate::{is_lacking, root, scratch, skip};

/// Why this machine can have no Podman for the tests; none where it can. Nothing is built to find out.
pub fn lacking() -> Option<String> {
    let missing = ["podman", "debootstrap"].into_iter().filter(|program| which::which(program).is_err());
    let missing = missing.collect::<Vec<_>>().join(", ");
    if !missing.is_empty() {
        Some(format!("the tests' own Podman: not on PATH: {missing}"))
    } else if !rustix::process::geteuid().is_root() {
        Some("the tests' own Podman: it needs root".into())
    } else {
        None
    }
}

/// The variables by which commands in a sandbox find it; none where there can be none.
pub fn podman(sandbox: &Sandbox) -> Option<Vec<(&'static str, String)>> {
    let variables = without_images(sandbox, "podman")?;
    let script = root().join(".ci/build-test-image");
    let built = Command::new("bash").arg(script).arg("podman").envs(variables.clone()).status();
    if !built.expect("bash is there").success() {
        skip("a podman that runs as root (.ci/build-test-image podman)");
        return None;
    }
    Some(variables)
}

/// As [`podman`], but with a storage of this name, in which no image has been put.
pub fn without_images(sandbox: &Sandbox, storage: &str) -> Option<Vec<(&'static str, String)>> {
    if is_lacking([lacking()]) {
        return None;
    }
    let storage = scratch().join(storage);
    let init = which::which("docker-init").or_else(|_| which::which("catatonit")).unwrap_or_default();
    let containers = format!(
        "[containers]\ndefault_ulimits = [\"nofile=1024:1024\", \"nproc=4096:4096\"]\n\
         [engine]\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"file\"\ninit_path = \"{}\"\n",
        init.display()
    );
    let run = sandbox.path().join("run");
    let storage = format!(
        "[storage]\ndriver = \"overlay\"\ngraphroot = \"{}\"\nrunroot = \"{}\"\n",
        storage.display(),
        run.display()
    );
    fs::write(sandbox.path().join("containers.conf"), containers).expect("a file");
    fs::write(sandbox.path().join("storage.conf"), storage).expect("a file");
    let of = |name: &str| sandbox.path().join(name).display().to_string();
    Some(vec![("CONTAINERS_CONF", of("containers.conf")), ("CONTAINERS_STORAGE_CONF", of("storage.conf"))])
}
