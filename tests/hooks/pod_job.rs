//! Whole jobs in a pod as agent-stack-k8s makes it: one container with the agent, one that checks out, and one
//! that runs the command. The last has busybox and a Rust toolchain, and neither bash nor a container engine. Its
//! user is 1000, and the plugins belong to another and cannot be written to.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::json;
use support::agent::agent;
use support::buildkite::{Build, Buildkite};
use support::process::Running;
use support::sandbox::Sandbox;

use crate::download::hash_of;

const LIMIT: Duration = Duration::from_secs(240);
const BINARY: &str = env!("CARGO_BIN_EXE_rust-vmm-ci");

/// Makes the root folder of the container in a file system of its own, which ends with the process, and starts
/// the agent in it. Its arguments are the folder, the volume that all containers of the pod share, Rust's folder
/// and the agent.
const CONTAINER: &str = r#"set -e
root=$1 volume=$2 rust=$3 agent=$4
mount -t tmpfs -o mode=755 pod "$root"
mkdir -p "$root/usr/bin" "$root/usr/lib" "$root/usr/lib64" "$root/proc" "$root/dev" "$root/tmp" "$root/cargo" "$root/rust"
for name in bin lib lib64; do ln -s "usr/$name" "$root/$name"; done
chmod 1777 "$root/tmp" "$root/cargo"
cp "$(command -v busybox)" "$root/usr/bin/busybox"
for name in $(busybox --list | grep -vx busybox); do ln -sf busybox "$root/usr/bin/$name"; done
for name in cc ld as git; do rm -f "$root/usr/bin/$name"; cp -L "/usr/bin/$name" "$root/usr/bin/$name"; done
: >"$root/usr/bin/buildkite-agent"
mount --bind "$agent" "$root/usr/bin/buildkite-agent"
for name in null zero urandom; do : >"$root/dev/$name"; mount --bind "/dev/$name" "$root/dev/$name"; done
mount --bind /usr/lib "$root/usr/lib"
[ ! -d /usr/lib64 ] || mount --bind /usr/lib64 "$root/usr/lib64"
mount --bind "$rust" "$root/rust"
mount -t proc proc "$root/proc"
mkdir -p "$root$volume"
mount --bind "$volume" "$root$volume"
mount --bind "$volume/plugins" "$root$volume/plugins"
mount -o remount,bind,ro "$volume/plugins" "$root$volume/plugins"
exec chroot --userspec=1000:1000 "$root" /usr/bin/buildkite-agent kubernetes-bootstrap
"#;

/// Why this machine can have no such pod.
fn lacking() -> Option<&'static str> {
    if !rustix::process::geteuid().is_root() {
        return Some("root, for mounts and chroot");
    }
    let may_mount =
        Command::new("unshare").args(["--mount", "true"]).status().is_ok_and(|status| status.success());
    let tools = ["busybox", "chroot", "cc", "git"].iter().all(|tool| which::which(tool).is_ok());
    (!may_mount || !tools).then_some("a mount namespace, busybox, cc and git")
}

struct Pod {
    sandbox: Sandbox,
    volume: PathBuf,
    agent: &'static Path,
}

impl Pod {
    fn new() -> Option<Self> {
        if let Some(what) = lacking() {
            support::skip(what);
            return None;
        }
        let agent = agent()?;
        let sandbox = Sandbox::new();
        let volume = sandbox.folder("workspace").canonicalize().unwrap();
        Some(Self { sandbox, volume, agent })
    }

    /// The plugin with this program as its release, which a folder in the pod has, and its reference.
    fn plugin(&self) -> String {
        let plugin = self.sandbox.this_plugin();
        let program = fs::read(BINARY).unwrap();
        let hash = hash_of(&program);
        let triple = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
        let mirror = self.volume.join(format!("mirror/v{}", env!("CARGO_PKG_VERSION")));
        fs::create_dir_all(&mirror).unwrap();
        fs::write(mirror.join(format!("rust-vmm-ci-{triple}")), program).unwrap();
        plugin.commit(&[
            ("hooks/lib/releases", &format!("{hash}  {triple}\n")),
            ("Cargo.lock", ""),
            ("src/main.rs", ""),
            ("crates/core/src/lib.rs", ""),
        ]);
        format!("{}#{}", plugin.url(), plugin.head())
    }

    /// A container of the pod that does these phases.
    fn container(&self, id: &str, phases: &str, command: &mut Command) -> Running {
        command
            .env("BUILDKITE_CONTAINER_ID", id)
            .env("BUILDKITE_BOOTSTRAP_PHASES", phases)
            .env("BUILDKITE_SOCKETS_PATH", self.volume.join("sockets").join(id))
            .env("BUILDKITE_JOB_CONTEXT_DIR", &self.volume);
        Running::start(command, self.sandbox.path().join(format!("container-{id}.log")))
    }

    /// Runs a job on a crate with this library.
    fn job(&self, library: &str) -> Build {
        let manifest = "[package]\nname = \"sample\"\nversion = \"0.1.0\"\nedition = \"2021\"\n";
        let files =
            [("Cargo.toml", manifest), ("src/lib.rs", library), (".gitignore", "target\nCargo.lock\n")];
        let source = self.sandbox.repository("source", &files);
        let mut buildkite = Buildkite::new(&source);
        let options = json!({"platform": std::env::consts::ARCH, "os": "linux",
            "only": ["build-gnu", "style", "unittests-gnu", "clippy"]});
        buildkite.queue(&json!({"label": "pod", "plugins": [{self.plugin(): options}]}));
        buildkite.start(self.agent, &self.sandbox, |agent| {
            let folder = |name: &str| self.volume.join(name);
            agent
                .args(["--kubernetes-exec", "--disconnect-after-job"])
                .env("BUILDKITE_CONTAINER_COUNT", "2")
                .env("BUILDKITE_JOB_CONTEXT_DIR", &self.volume)
                // What this agent has of Rust is not in the other containers.
                .env_remove("CARGO_HOME")
                .env_remove("RUSTUP_HOME")
                .env("RUST_VMM_CI_MIRROR", folder("mirror"));
            for name in ["build", "plugins", "sockets"] {
                fs::create_dir_all(folder(name)).unwrap();
                agent.arg(format!("--{name}-path")).arg(folder(name));
            }
        });
        buildkite.wait_until(LIMIT, |_| self.volume.join("buildkite.sock").exists());
        let mut checkout = self.sandbox.command(self.agent);
        let checkout =
            self.container("0", "plugin,checkout", checkout.arg("kubernetes-bootstrap")).finish(LIMIT);
        assert_eq!(checkout.status, 0, "{}", checkout.output);
        // A pod whose containers have different users gives the checkout to the command's user, and lets it read
        // the plugins: the agent makes their folder for its own user alone.
        let shared =
            r#"chown -R 1000:1000 "$1/build" && chmod -R a+rX "$1/plugins" && chmod a+rwx "$1/sockets""#;
        let given = Command::new("sh").args(["-c", shared, "sh"]).arg(&self.volume).status();
        assert!(given.unwrap().success());
        let rust = Command::new("rustc").args(["--print", "sysroot"]).output().unwrap().stdout;
        let mut command = Command::new("unshare");
        command
            .args(["--mount", "--propagation", "private", "sh", "-c", CONTAINER, "sh"])
            .arg(self.sandbox.folder("root"))
            .arg(&self.volume)
            .arg(String::from_utf8(rust).unwrap().trim())
            .arg(self.agent)
            .env_clear()
            .env("PATH", "/rust/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .env("HOME", "/")
            .env("CARGO_HOME", "/cargo")
            .env("BUILDKITE_SHELL", "/bin/sh -e -c");
        let command = self.container("1", "plugin,command", &mut command);
        let build = buildkite.finish(LIMIT);
        drop(command);
        build
    }
}

#[test]
fn a_whole_job_of_the_real_agent_passes_and_fails_rightly_in_a_pod() {
    let sound = "//! A crate.\n\n/// Adds.\npub fn add(a: u32, b: u32) -> u32 {\n    a + b\n}\n\n#[test]\nfn adds() {\n    assert_eq!(add(1, 2), 3);\n}\n";
    for (library, status) in [(sound.to_owned(), 0), (sound.replace("a + b", "a * b"), 1)] {
        let Some(pod) = Pod::new() else { return };
        let build = pod.job(&library);
        let job = build.job("pod");
        let container = fs::read_to_string(pod.sandbox.path().join("container-1.log")).unwrap();
        assert_eq!(job.exit_status, Some(status), "{}\n{container}", build.story());
        let log = job.log();
        for said in ["downloaded from", "build-gnu", "style", "clippy", "unittests-gnu"] {
            assert!(log.contains(said), "{said}: {log}");
        }
        let [verdict, summary] = match status {
            0 => ["test adds ... ok", "4 passed in "],
            _ => ["test adds ... FAILED", "3 passed, 1 failed in "],
        };
        assert!(log.contains(verdict) && log.contains(summary), "{log}");
    }
}
