//! A Docker daemon of the tests' own, with the images of `.ci/build-test-image`, and jobs whose
//! agent is not root.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::{Finished, Running};
use crate::{eventually, is_lacking, root, scratch, skip};

/// The image with a Rust toolchain.
pub const IMAGE: &str = "rust-vmm-ci-test:dev";
/// The image whose entrypoint is like the riscv64 image's.
pub const EMULATED: &str = "rust-vmm-ci-test:riscv";
/// The agent's user and group. No known machine has them.
pub const AGENT: u32 = 12_345;
/// The longest that the daemon and a build of the images take on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(600);
const LIMIT: Duration = Duration::from_secs(180);

/// A daemon under way, and where it listens.
pub struct Docker {
    folder: TempDir,
    data: PathBuf,
}

/// The daemon for the tests of this process; none if this machine can have none. It ends with the process.
pub fn docker() -> Option<&'static Docker> {
    static DOCKER: OnceLock<Result<Docker, String>> = OnceLock::new();
    match DOCKER.get_or_init(start) {
        Ok(docker) => Some(docker),
        Err(lacking) => {
            skip(lacking);
            None
        }
    }
}

/// A daemon without images on an emulated machine: it and its containers run beside this script of `.ci/emulate`. It
/// ends with the process, and only one test may use it.
pub fn emulated(emulator: &Path) -> Option<Docker> {
    if is_lacking([lacking()]) {
        return None;
    }
    Some(Docker::new("docker-emulated", &[emulator.as_os_str(), OsStr::new("beside")]))
}

/// Why this machine can have no daemon; none where it can. Nothing is started or built to find out.
pub fn lacking() -> Option<String> {
    const PROGRAMS: [&str; 4] = ["dockerd", "docker", "debootstrap", "setpriv"];
    let missing = PROGRAMS.into_iter().filter(|program| which::which(program).is_err());
    let missing = missing.collect::<Vec<_>>().join(", ");
    if !missing.is_empty() {
        Some(format!("the tests' own Docker daemon: not on PATH: {missing}"))
    } else if !rustix::process::geteuid().is_root() {
        Some("the tests' own Docker daemon: it needs root".into())
    } else {
        None
    }
}

fn start() -> Result<Docker, String> {
    if let Some(lacking) = lacking() {
        return Err(lacking);
    }
    let docker = Docker::new("docker", &[]);
    let built = docker.command("bash").arg(root().join(".ci/build-test-image")).arg("docker").status();
    if !built.expect("bash is there").success() {
        return Err("the test images could not be built (.ci/build-test-image docker)".into());
    }
    Ok(docker)
}

impl Docker {
    /// A daemon whose data has this name, started by these words and its own.
    fn new(data: &str, words: &[&OsStr]) -> Self {
        // A socket's path must be short.
        let folder = TempDir::with_prefix_in("rvc-", "/tmp").expect("a folder");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("a mode");
        let docker = Self { folder, data: scratch().join(data) };
        docker.keep_daemon(words);
        docker
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("docker.sock")
    }

    /// The address for `DOCKER_HOST`.
    pub fn host(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// A command that finds this daemon.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("DOCKER_HOST", self.host()).env_remove("DOCKER_CONTEXT");
        command
    }

    /// What docker answers.
    pub fn ask(&self, arguments: &[&str]) -> String {
        let output = self.command("docker").args(arguments).output().expect("docker is there");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Starts the daemon, and watches it as a service manager does: a daemon that dies is started again as soon
    /// as its containerd is gone too. Only one process at a time may use the data. Everything ends with this
    /// process.
    #[allow(clippy::zombie_processes, reason = "it watches this process, and ends after it")]
    fn keep_daemon(&self, words: &[&OsStr]) {
        const SCRIPT: &str = r#"
            mkdir -p "$DATA" && exec 9>"$DATA.lock" && flock 9
            while kill -0 "$TESTS" 2>/dev/null; do
                rm -f "$FOLDER/pid"
                "$@" dockerd --data-root "$DATA" --exec-root "$FOLDER/exec" --pidfile "$FOLDER/pid" \
                    --host "unix://$FOLDER/docker.sock" --group "$AGENT" --bridge none --iptables=false --ip-forward=false \
                    >>"$FOLDER/log" 2>&1 </dev/null 9>&- &
                daemon=$!
                while kill -0 "$TESTS" 2>/dev/null && kill -0 "$daemon" 2>/dev/null; do sleep 0.2; done
                kill "$daemon" 2>/dev/null; wait "$daemon"; sleep 1
            done
            rm -rf "$FOLDER"
        "#;
        use std::os::unix::process::CommandExt as _;
        Command::new("bash")
            .args(["-c", SCRIPT, "bash"])
            .args(words)
            .env("DATA", &self.data)
            .env("FOLDER", self.folder.path())
            .env("AGENT", AGENT.to_string())
            .env("TESTS", std::process::id().to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("bash is there");
        self.wait_for_daemon();
    }

    /// Waits until the daemon answers.
    pub fn wait_for_daemon(&self) {
        let up = || {
            let version =
                self.command("docker").args(["version", "--format", "{{.Server.Version}}"]).output();
            version.expect("docker is there").status.success().then_some(())
        };
        let log = || fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        assert!(eventually(PATIENCE, up).is_some(), "the daemon does not come up:\n{}", log());
    }

    /// The daemon's process.
    pub fn daemon(&self) -> i32 {
        let pid = fs::read_to_string(self.folder.path().join("pid")).expect("the daemon's pid");
        pid.trim().parse().expect("a number")
    }
}

/// An agent of its own with a checkout.
pub struct Agent {
    pub docker: &'static Docker,
    folder: TempDir,
    name: String,
}

impl Agent {
    /// An agent whose checkout has these files. It runs a copy of `binary`, this project's program.
    pub fn new(binary: &str, docker: &'static Docker, files: &[(&str, &str)]) -> Self {
        let folder = TempDir::with_prefix("rvc-agent-").expect("a folder");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("a mode");
        let name = folder.path().file_name().expect("a name").to_string_lossy().into_owned();
        let agent = Self { docker, folder, name };
        for name in ["home", "tmp", "checkout"] {
            fs::create_dir(agent.path(name)).expect("a folder");
            chown(agent.path(name), Some(AGENT), Some(AGENT)).expect("root");
        }
        for (name, text) in files {
            agent.write(name, text);
        }
        // Where the agent's user can reach it.
        crate::program::copy(Path::new(binary), &agent.path("rust-vmm-ci"));
        agent
    }

    /// A path in the agent's folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file of the checkout, as the agent's user.
    pub fn write(&self, name: &str, text: &str) {
        let path = self.path("checkout").join(name);
        let folders: Vec<_> = path.ancestors().skip(1).take_while(|folder| !folder.exists()).collect();
        for folder in folders.into_iter().rev() {
            fs::create_dir(folder).expect("a folder");
            chown(folder, Some(AGENT), Some(AGENT)).expect("root");
        }
        fs::write(&path, text).expect("a file");
        chown(&path, Some(AGENT), Some(AGENT)).expect("root");
    }

    /// A job's id: other tests' jobs have the same daemon.
    pub fn id(&self, job: &str) -> String {
        format!("{}-{job}", self.name)
    }

    /// The containers of a job, running or not.
    pub fn containers(&self, job: &str) -> usize {
        let filter = format!("label=com.github.rust-vmm.ci.job-id={}", self.id(job));
        self.docker.ask(&["ps", "--all", "--quiet", "--filter", &filter]).lines().count()
    }

    /// The options of docker unless a test sets others: the test image, from this machine.
    pub fn options() -> Value {
        json!({"image": IMAGE, "always-pull": false})
    }

    /// `rust-vmm-ci` as the agent's user types it, in the checkout and in no job.
    pub fn typed(&self, arguments: &[&str]) -> Command {
        let hook = self.hook("pre-exit", "none", &json!({}), "");
        let program = hook.get_args().take_while(|word| *word != "hook");
        let mut command = Command::new("setpriv");
        command.args(program).args(arguments).env_clear().current_dir(self.path("checkout"));
        let variables = hook.get_envs().filter_map(|(name, value)| Some((name, value?)));
        command.envs(variables.filter(|(name, _)| !name.to_string_lossy().starts_with("BUILDKITE")));
        command
    }

    /// `rust-vmm-ci cache`.
    pub fn cache(&self, what: &str) -> Command {
        self.typed(&["cache", what])
    }

    /// A hook of ours, as the agent's user, in a job with this configuration.
    pub fn hook(&self, hook: &str, job: &str, configuration: &Value, command: &str) -> Command {
        let mut hooked = Command::new("setpriv");
        let agent = AGENT.to_string();
        hooked
            .args(["--reuid", &agent, "--regid", &agent, "--clear-groups", "--"])
            .arg(self.path("rust-vmm-ci"))
            .args(["hook", hook])
            .current_dir(self.path("checkout"))
            .env_clear()
            .env("PATH", std::env::var_os("PATH").expect("a PATH"))
            .env("HOME", self.path("home"))
            .env("TMPDIR", self.path("tmp"))
            .env("DOCKER_HOST", self.docker.host())
            .env("BUILDKITE", "true")
            .env("BUILDKITE_JOB_ID", self.id(job))
            .env("BUILDKITE_AGENT_NAME", &self.name)
            .env("BUILDKITE_AGENT_ACCESS_TOKEN", "a-secret-of-the-agent")
            .env("BUILDKITE_PLUGIN_NAME", "RUST_VMM_CI")
            .env("BUILDKITE_PLUGIN_CONFIGURATION", configuration.to_string());
        if !command.is_empty() {
            hooked.env("BUILDKITE_COMMAND", command);
        }
        hooked
    }

    /// Starts a command.
    pub fn start(&self, command: &mut Command) -> Running {
        let name = format!("log-{}", fs::read_dir(self.folder.path()).expect("a folder").count());
        Running::start(command, self.path(&name))
    }

    /// Runs a command in the container, then `pre-exit`, as the agent does.
    pub fn run(&self, job: &str, docker: &Value, command: &str) -> Finished {
        self.run_with(job, &json!({"docker": docker}), command)
    }

    /// As [`Agent::run`], with the plugin's whole configuration.
    pub fn run_with(&self, job: &str, configuration: &Value, command: &str) -> Finished {
        let finished = self.start(&mut self.hook("command", job, configuration, command)).finish(LIMIT);
        let after = self.pre_exit(job);
        assert_eq!((after.status, after.output.as_str()), (0, ""), "pre-exit has nothing to say");
        finished
    }

    /// Runs `pre-exit`.
    pub fn pre_exit(&self, job: &str) -> Finished {
        self.start(&mut self.hook("pre-exit", job, &json!({}), "")).finish(LIMIT)
    }

    /// The files of the checkout that do not belong to the agent's user.
    pub fn foreign(&self) -> Vec<PathBuf> {
        let files = walkdir::WalkDir::new(self.path("checkout")).into_iter().filter_map(Result::ok);
        let others = files.filter(|file| {
            file.metadata().is_ok_and(|found| std::os::unix::fs::MetadataExt::uid(&found) != AGENT)
        });
        others.map(walkdir::DirEntry::into_path).collect()
    }

    /// Whether a job left nothing: no container, no file of root's, no folder.
    #[track_caller]
    pub fn assert_clean(&self, job: &str) {
        assert_eq!(self.containers(job), 0, "containers are left");
        assert_eq!(self.foreign(), Vec::<PathBuf>::new(), "files of others are left");
        let left: Vec<_> = fs::read_dir(self.path("tmp")).expect("a folder").collect();
        assert!(left.is_empty(), "{left:?}");
    }
}
