//! The hooks in a container as Kubernetes has it: busybox and nothing else, no bash, no container engine, a user
//! who owns nothing, plugins that belong to root.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::download::hash_of;

/// A released binary that prints its arguments, and fails if a test wants that.
const BINARY: &str = "#!/bin/sh\n[ \"$1\" = --version ] && echo rust-vmm-ci 1.0.0 && exit 0\n\
                      echo \"asked: $*, as $(id -u)\"\nexit ${FAILS:-0}\n";

/// The root folder of such a container; none where this machine cannot have one.
fn container() -> Option<TempDir> {
    let Ok(busybox) = which::which("busybox") else {
        support::skip("busybox");
        return None;
    };
    if !rustix::process::geteuid().is_root() {
        support::skip("root, for chroot");
        return None;
    }
    let root = TempDir::new().unwrap();
    let at = |name: &str| root.path().join(name);
    for folder in [
        "bin",
        "plugins/agent/plugin/hooks/lib",
        "plugins/agent/plugin/src",
        "plugins/agent/plugin/crates",
        "mirror",
        "job",
        "proc",
        "dev",
    ] {
        fs::create_dir_all(at(folder)).unwrap();
    }
    fs::create_dir(at("tmp")).unwrap();
    fs::set_permissions(at("tmp"), fs::Permissions::from_mode(0o1777)).unwrap();
    fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(at("dev/null"), "").unwrap();
    fs::set_permissions(at("dev/null"), fs::Permissions::from_mode(0o666)).unwrap();
    fs::copy(&busybox, at("bin/busybox")).unwrap();
    let applets = Command::new(busybox).arg("--list").output().unwrap().stdout;
    for applet in String::from_utf8(applets).unwrap().lines().filter(|name| *name != "busybox") {
        symlink("busybox", at("bin").join(applet)).unwrap();
    }
    let plugin = at("plugins/agent/plugin");
    let source = Path::new(env!("CARGO_MANIFEST_DIR"));
    for file in ["hooks/command", "hooks/pre-exit", "Cargo.toml", "Cargo.lock", "plugin.yml"] {
        fs::copy(source.join(file), plugin.join(file)).unwrap();
    }
    for file in ["absolute-path", "build", "build-image", "download", "find-binary"] {
        fs::copy(source.join("hooks/lib").join(file), plugin.join("hooks/lib").join(file)).unwrap();
    }
    fs::write(plugin.join("src/main.rs"), "fn main() {}").unwrap();
    let hash = hash_of(BINARY.as_bytes());
    let triple = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    fs::write(plugin.join("hooks/lib/releases"), format!("{hash}  {triple}\n")).unwrap();
    let file = at("mirror").join(format!("v{}/rust-vmm-ci-{triple}", env!("CARGO_PKG_VERSION")));
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, BINARY).unwrap();
    for hook in ["command", "pre-exit"] {
        let wrapper = format!("#!/bin/sh\n. \"/plugins/agent/plugin/hooks/{hook}\"\nexit $?\n");
        fs::write(at(hook), wrapper).unwrap();
    }
    Some(root)
}

fn run(root: &Path, hook: &str, fails: &str) -> Output {
    Command::new("chroot")
        .arg("--userspec=1000:1000")
        .arg(root)
        .args(["/bin/sh", &format!("/{hook}")])
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("BUILDKITE_KUBERNETES_EXEC", "true")
        .env("BUILDKITE_PLUGINS_PATH", "/plugins")
        .env("RUST_VMM_CI_MIRROR", "/mirror")
        .env("FAILS", fails)
        .output()
        .unwrap()
}

#[test]
fn a_job_in_a_pod_passes_and_fails_rightly() {
    let Some(root) = container() else { return };
    for (fails, way) in
        [("0", "downloaded from /mirror"), ("1", "kept from an earlier job"), ("7", "kept from")]
    {
        let done = run(root.path(), "command", fails);
        let said = [done.stdout, done.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert_eq!(done.status.code(), fails.parse().ok(), "{said}");
        assert!(said.contains("asked: hook command, as 1000") && said.contains(way), "{said}");
    }
    let done = run(root.path(), "pre-exit", "0");
    assert_eq!(done.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&done.stdout), "asked: hook pre-exit, as 1000\n");
}
