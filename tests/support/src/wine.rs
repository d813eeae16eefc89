//! Windows as far as Wine provides it: the program, the agent and the tools, and jobs that they run.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::{Value, json};

use super::buildkite::{Build, Buildkite, of_build};
use super::process::Running;
use super::sandbox::{File, Repository, Sandbox};
use super::{eventually, new_id, skip};
use crate::scripts::script;

/// Where the plugin seems to come from.
const PLUGIN: &str = "https://example.org/rust-vmm-ci-buildkite-plugin.git#v1.0.0";
/// What the agent calls its checkout.
const CHECKOUT: &str = "example-org-rust-vmm-ci-buildkite-plugin-git-v1-0-0";
/// The shell that an agent for Windows is started with by default (`clicommand/agent_start.go`).
const SHELL: &str = r"C:\windows\system32\cmd.exe /S /C";
/// Where an agent has its folders. The path has characters that end a word, a block or a command in cmd.
const AGENT: &str = "Program Files (x86) & co";
/// The longest that a job takes, with the start of Wine and the first build of a small crate.
pub const LIMIT: Duration = Duration::from_secs(600);
/// How many bytes the processes `family` and `alone` of `tests/wine/program.rs` add to their file.
const WHOLE: u64 = 6000;

/// What is built once for all tests.
pub struct Wine {
    /// `rust-vmm-ci.exe`.
    pub program: PathBuf,
    /// `buildkite-agent.exe`.
    agent: PathBuf,
    /// The Linux side of the bridge.
    bridge: PathBuf,
    /// The folder whose `bin` has the tools.
    pub toolchain: PathBuf,
    run: PathBuf,
}

/// Wine with all that the tests need in it. With `None` the test must return. It has been reported as skipped
/// then.
pub fn wine() -> Option<&'static Wine> {
    static WINE: OnceLock<Result<Wine, String>> = OnceLock::new();
    match WINE.get_or_init(Wine::prepare) {
        Ok(wine) => Some(wine),
        Err(lacking) => {
            skip(lacking);
            None
        }
    }
}

/// A path as programs under Wine have it.
pub fn windows(path: &Path) -> String {
    format!("Z:{}", path.display()).replace('/', "\\")
}

impl Wine {
    fn prepare() -> Result<Self, String> {
        // What a machine may lack comes first, because the two builds after it take minutes.
        script(".ci/wine-bridge", &["lacking"])?;
        let agent = script(".ci/build-agent", &["--windows"])?;
        let bridge = script(".ci/wine-bridge", &[])?;
        let mut lines = bridge.lines();
        let mut next = || lines.next().map(PathBuf::from).expect("four lines");
        let (run, bridge, toolchain, program) = (next(), next(), next(), next());
        Ok(Self { program, agent: agent.into(), bridge, toolchain, run })
    }

    /// A path below `%TEMP%`, which all of this Wine's programs share.
    pub fn temporary(&self, name: &str) -> PathBuf {
        let prefix =
            std::env::var_os("WINEPREFIX").map_or_else(|| self.run.with_file_name("prefix"), PathBuf::from);
        let users = std::fs::read_dir(prefix.join("drive_c/users")).expect("Wine's users");
        let folders = users.map(|user| user.expect("a user").path().join("Temp"));
        folders.filter(|folder| folder.is_dir()).map(|folder| folder.join(name)).next().expect("a Temp")
    }

    /// A program under Wine, with the tools and these folders on PATH.
    pub fn command(&self, sandbox: &Sandbox, program: impl AsRef<Path>, folders: &[PathBuf]) -> Command {
        self.bare_command(sandbox, program, &[folders, &[self.toolchain.join("bin")]].concat())
    }

    /// The same without the tools.
    fn bare_command(&self, sandbox: &Sandbox, program: impl AsRef<Path>, folders: &[PathBuf]) -> Command {
        let mut command = sandbox.command(&self.bridge);
        let path: Vec<_> = folders.iter().map(|folder| windows(folder)).collect();
        command.arg(&self.toolchain).arg(&self.run).arg(program.as_ref());
        command.env("WINE_RUN", &self.run).env("WINEPATH", path.join(";"));
        command
    }
}

/// A machine with an agent for Windows, the plugin laid where it would check it out, and a
/// repository that is checked out already.
pub struct Machine {
    pub wine: &'static Wine,
    pub sandbox: Sandbox,
    repository: Repository,
    buildkite: Buildkite,
    path: Vec<PathBuf>,
    has_tools: bool,
    env: Vec<(String, String)>,
}

impl Machine {
    /// A machine with this repository. `None`: this machine has no Wine.
    pub fn new(files: &[File<'_>]) -> Option<Self> {
        let wine = wine()?;
        let sandbox = Sandbox::new();
        let source = sandbox.repository(&format!("{AGENT}/build/loopback/rust-vmm/crate-ci"), files);
        source.git(&["remote", "add", "origin", &source.url()]);
        let plugin = sandbox.this_plugin();
        // As a clone has it, so that the agent uses what is there.
        let checkout = sandbox.folder(&format!("{AGENT}/plugins/loopback")).join(CHECKOUT);
        std::fs::rename(plugin.path(), &checkout).expect("a folder for the plugin");
        let buildkite = Buildkite::new(&source);
        let env = of_build(&source).into_iter().collect();
        let repository = source;
        let machine = Self { wine, sandbox, repository, buildkite, path: Vec::new(), has_tools: true, env };
        Some(machine.env("RUST_VMM_CI_BINARY", &windows(&wine.program)))
    }

    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.retain(|(other, _)| other != name);
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Takes a variable away.
    pub fn without(mut self, name: &str) -> Self {
        self.env.retain(|(other, _)| other != name);
        self
    }

    /// Puts a folder before the tools on PATH.
    pub fn on_path(mut self, folder: PathBuf) -> Self {
        self.path.push(folder);
        self
    }

    /// Takes cargo, rustc and git away.
    pub fn without_tools(mut self) -> Self {
        self.has_tools = false;
        self
    }

    /// The repository, which the jobs run in.
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// The folder of the repository.
    pub fn checkout(&self) -> &Path {
        self.repository.path()
    }

    /// A folder of the agent's.
    fn folder(&self, name: &str) -> PathBuf {
        self.sandbox.folder(&format!("{AGENT}/{name}"))
    }

    /// The folder of all plugins.
    pub fn plugins(&self) -> PathBuf {
        self.sandbox.path().join(AGENT).join("plugins")
    }

    /// The folder of the plugin.
    pub fn plugin(&self) -> PathBuf {
        self.plugins().join("loopback").join(CHECKOUT)
    }

    /// Starts a job with this configuration and command by `bootstrap`, with the log in a file of
    /// this name.
    pub fn start(&self, log: &str, configuration: &Value, command: Option<&str>) -> Running {
        let tools = self.has_tools.then(|| self.wine.toolchain.join("bin"));
        let path: Vec<_> = self.path.iter().cloned().chain(tools).collect();
        let mut job = self.wine.bare_command(&self.sandbox, &self.wine.agent, &path);
        job.arg("bootstrap")
            .env("BUILDKITE_JOB_ID", new_id())
            .envs(self.env.iter().cloned())
            .env("BUILDKITE_STEP_ID", "33333333-0000-4000-8000-000000000000")
            .env("BUILDKITE_AGENT_ACCESS_TOKEN", "of-the-job")
            .env("BUILDKITE_AGENT_ENDPOINT", self.buildkite.endpoint())
            .env("BUILDKITE_PLUGINS", json!([{ PLUGIN: configuration }]).to_string())
            .env("BUILDKITE_SKIP_CHECKOUT", "true")
            .env("BUILDKITE_SHELL", SHELL)
            .env("BUILDKITE_COMMAND", command.unwrap_or_default())
            .env("BUILDKITE_BIN_PATH", windows(self.wine.agent.parent().expect("a folder")));
        for name in ["build", "plugins", "hooks", "sockets"] {
            let variable = format!("BUILDKITE_{}_PATH", name.to_uppercase());
            job.env(variable, windows(&self.folder(name)));
        }
        Running::start(&mut job, self.sandbox.path().join(log))
    }

    /// Runs a job to its end: its status, its log, and what the build was told.
    pub fn run(&self, configuration: &Value, command: Option<&str>) -> Outcome {
        let finished = self.start("log", configuration, command).finish(LIMIT);
        Outcome { status: finished.status, log: finished.output, build: self.buildkite.build() }
    }

    /// Runs a step by an agent that stays, as one on a real machine does; it can be cancelled. It
    /// does so as where it has no console, by ending its Job Object: Wine has no Ctrl-Break.
    pub fn start_agent(&self, step: &Value) -> Running {
        let mut step = step.clone();
        let configuration = step["plugins"].take();
        step["plugins"] = json!([{ PLUGIN: configuration }]);
        self.buildkite.queue(&step);
        let configuration = self.sandbox.path().join("agent.cfg");
        std::fs::write(&configuration, "").expect("a configuration that says nothing");
        let mut agent = self.wine.command(&self.sandbox, &self.wine.agent, &self.path);
        agent
            .args(["start", "--token", "of-the-registration", "--name", "loopback", "--no-color"])
            .args(["--ping-mode", "poll-only", "--disconnect-after-uptime", "600", "--skip-checkout"])
            .args(["--shell", SHELL, "--endpoint", &self.buildkite.endpoint()])
            .args(["--config", &windows(&configuration)]);
        for name in ["build", "plugins", "hooks", "sockets"] {
            agent.args([&format!("--{name}-path"), &windows(&self.folder(name))]);
        }
        // The loopback server gives the job all other values.
        for (name, value) in self.env.iter().filter(|(name, _)| !name.starts_with("BUILDKITE")) {
            agent.env(name, value);
        }
        Running::start(&mut agent, self.sandbox.path().join("agent.log"))
    }

    /// The Buildkite that its jobs talk to.
    pub fn buildkite(&self) -> &Buildkite {
        &self.buildkite
    }
}

/// What a job leaves.
pub struct Outcome {
    pub status: i32,
    pub log: String,
    pub build: Build,
}

/// Whether nobody adds to a file any more. Who added to it was ended: at its own end the file has `WHOLE` bytes.
pub fn is_left_alone(file: &Path) -> bool {
    let length = || std::fs::metadata(file).map_or(0, |file| file.len());
    let still = || {
        let before = length();
        std::thread::sleep(Duration::from_secs(1));
        (before == length()).then_some(())
    };
    eventually(Duration::from_secs(60), still).is_some() && length() < WHOLE
}
