//! A machine with an agent on it, and the hooks started as the agent starts them.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use support::stub::Stub;

/// The programs that the hooks call besides cargo. PATH is a folder with these alone, because the machine's own
/// `cargo` may stand beside them.
const TOOLS: &[&str] = &[
    "cat",
    "chmod",
    "cp",
    "cut",
    "date",
    "env",
    "find",
    "grep",
    "head",
    "id",
    "mkdir",
    "mv",
    "ps",
    "rm",
    "sed",
    "sha256sum",
    "sleep",
    "sort",
    "sync",
    "tar",
    "tr",
    "uname",
    "wc",
    "xargs",
];

/// The shells that the hooks are sourced with.
#[derive(Clone, Copy)]
pub(crate) enum Shell {
    Bash,
    Dash,
    /// With busybox' programs in place of all others.
    Busybox,
}

/// Far more than any hook here needs on a loaded machine. A server that stands still is given up after 20 seconds.
const PATIENCE: Duration = Duration::from_secs(120);

/// An agent's machine with the plugin checked out.
pub(crate) struct Agent {
    _folder: TempDir,
    pub(crate) root: PathBuf,
    variables: Vec<(String, String)>,
    shell: Shell,
    by_hand: bool,
}

impl Agent {
    pub(crate) fn new() -> Self {
        Self::in_folder("agent")
    }

    pub(crate) fn in_folder(name: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let root = folder.path().canonicalize().unwrap().join(name);
        let agent = Self { _folder: folder, root, variables: Vec::new(), shell: Shell::Dash, by_hand: false };
        for folder in ["tools", "bin", "job", "home", "plugins", "tmp"] {
            fs::create_dir_all(agent.root.join(folder)).unwrap();
        }
        for tool in TOOLS {
            agent.tool(tool);
        }
        agent.tool("flock");
        let source = Path::new(env!("CARGO_MANIFEST_DIR"));
        let plugin = agent.root.join("plugins/agent-1/plugin");
        for file in ["hooks/command", "hooks/pre-exit", "Cargo.toml", "Cargo.lock"]
            .map(String::from)
            .into_iter()
            .chain(
                ["absolute-path", "agents-variables", "build", "build-image", "download", "find-binary"]
                    .map(|name| format!("hooks/lib/{name}")),
            )
        {
            let to = plugin.join(&file);
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::copy(source.join(&file), to).unwrap();
        }
        fs::create_dir(plugin.join("src")).unwrap();
        fs::create_dir(plugin.join("crates")).unwrap();
        fs::write(plugin.join("src/main.rs"), "fn main() {}").unwrap();
        fs::write(plugin.join("plugin.yml"), "name: rust-vmm-ci").unwrap();
        agent
    }

    pub(crate) fn tool(&self, name: &str) {
        symlink(which::which(name).unwrap(), self.root.join("tools").join(name)).unwrap();
    }

    pub(crate) fn without(self, tool: &str) -> Self {
        fs::remove_file(self.root.join("tools").join(tool)).unwrap();
        self
    }

    pub(crate) fn with(mut self, name: &str, value: impl AsRef<Path>) -> Self {
        self.variables.push((name.into(), value.as_ref().to_str().unwrap().into()));
        self
    }

    /// A stub on PATH.
    pub(crate) fn stub(&self, name: &str) -> Stub {
        Stub::at(&self.root.join("bin").join(name))
    }

    pub(crate) fn plugin(&self) -> PathBuf {
        self.root.join("plugins/agent-1/plugin")
    }

    /// The hooks are sourced with this shell; none where the machine lacks it.
    pub(crate) fn under(mut self, shell: Shell) -> Option<Self> {
        let Ok(program) = which::which(match shell {
            Shell::Bash => "bash",
            Shell::Dash => "dash",
            Shell::Busybox => "busybox",
        }) else {
            support::skip("a shell: bash, dash and busybox are needed");
            return None;
        };
        if let Shell::Busybox = shell {
            let applets = Command::new(&program).arg("--list").output().unwrap().stdout;
            let applets = String::from_utf8(applets).unwrap();
            for tool in TOOLS.iter().chain(&["flock", "wget"]) {
                let link = self.root.join("tools").join(tool);
                let _ = fs::remove_file(&link);
                // Debian's has no flock, Alpine's has.
                if applets.lines().any(|applet| applet == *tool) {
                    symlink(&program, link).unwrap();
                }
            }
        }
        self.shell = shell;
        Some(self)
    }

    pub(crate) fn start(&self, hook: &str) -> Hook {
        let (output, path) =
            tempfile::Builder::new().prefix("output-").tempfile_in(&self.root).unwrap().keep().unwrap();
        let hook = self.plugin().join("hooks").join(hook);
        let (program, arguments): (_, &[&str]) = match self.shell {
            Shell::Bash => ("bash", &[]),
            Shell::Dash => ("dash", &[]),
            Shell::Busybox => ("busybox", &["sh"]),
        };
        let mut command = Command::new(which::which(program).unwrap());
        command.args(arguments);
        if let Some(wrapper) = self.wrapper(&hook) {
            command.arg(wrapper);
        } else {
            command.args(["-c", r#". "$1""#, "wrapper"]).arg(&hook);
        }
        let child = command
            .current_dir(self.root.join("job"))
            .env_clear()
            .env("PATH", format!("{0}/bin:{0}/tools", self.root.display()))
            .env("HOME", self.root.join("home"))
            .env("TMPDIR", self.root.join("tmp"))
            .env("BUILDKITE_PLUGINS_PATH", self.root.join("plugins"))
            .envs(self.variables.iter().cloned())
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        Hook { child, output: path }
    }

    /// The file that the agent writes around a hook (`internal/job/hook/wrapper.go`, v3.138): it is $0, and
    /// sources the hook. None where the hook is sourced by hand, or has a path that the agent could not write
    /// so.
    fn wrapper(&self, hook: &Path) -> Option<PathBuf> {
        let hook = hook.to_str().unwrap();
        if self.by_hand || hook.contains(['"', '$', '`', '\\']) {
            return None;
        }
        let file = tempfile::Builder::new().prefix("wrapper-").tempfile_in(&self.root).unwrap();
        let (_, path) = file.keep().unwrap();
        fs::write(&path, format!("#!/bin/sh\n:\n. \"{hook}\"\nexport BUILDKITE_HOOK_EXIT_STATUS=$?\nexit $BUILDKITE_HOOK_EXIT_STATUS")).unwrap();
        Some(path)
    }

    /// The hooks are sourced by a person, with bash.
    pub(crate) fn by_hand(mut self) -> Self {
        self.by_hand = true;
        self.shell = Shell::Bash;
        self
    }

    pub(crate) fn run(&self, hook: &str) -> Ended {
        Ended::of(self.start(hook))
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.root.join("plugins/.rust-vmm-ci")
    }

    /// The binaries that were built and are kept.
    pub(crate) fn kept(&self) -> Vec<PathBuf> {
        let folders = fs::read_dir(self.store()).into_iter().flatten();
        let binaries = folders.map(|f| f.unwrap().path().join("rust-vmm-ci"));
        binaries.filter(|b| b.exists()).collect()
    }

    pub(crate) fn the_kept(&self) -> PathBuf {
        let kept = self.kept();
        assert_eq!(kept.len(), 1, "{kept:?}");
        kept.into_iter().next().unwrap()
    }
}

/// A hook under way.
pub(crate) struct Hook {
    child: Child,
    output: PathBuf,
}

impl Hook {
    /// What it has said until now.
    pub(crate) fn said(&self) -> String {
        String::from_utf8(fs::read(&self.output).unwrap()).unwrap()
    }
}

#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: Option<i32>,
    pub(crate) said: String,
}

impl Ended {
    pub(crate) fn of(mut hook: Hook) -> Self {
        let start = Instant::now();
        let status = loop {
            if let Some(status) = hook.child.try_wait().unwrap() {
                break status;
            }
            if start.elapsed() > PATIENCE {
                kill_group(&mut hook);
                panic!("the hook hangs: {}", hook.said());
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        Self { status: status.code(), said: hook.said() }
    }

    #[track_caller]
    pub(crate) fn with(&self, status: i32, words: &[&str]) {
        assert_eq!(self.status, Some(status), "{}", self.said);
        for word in words {
            assert!(self.said.contains(word), "no {word:?} in:\n{}", self.said);
        }
    }
}

pub(crate) fn kill_group(hook: &mut Hook) {
    let group = format!("-{}", hook.child.id());
    let killed = Command::new("kill").args(["-KILL", "--", &group]).status();
    assert!(killed.unwrap().success());
    hook.child.wait().unwrap();
}

pub(crate) fn builds(cargo: &Stub) -> usize {
    Stub::calls_at(cargo.path()).iter().filter(|call| call.starts_with("build ")).count()
}

#[track_caller]
pub(crate) fn wait_for(what: &str, mut there: impl FnMut() -> bool) {
    let start = Instant::now();
    while !there() {
        assert!(start.elapsed() < PATIENCE, "no {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
