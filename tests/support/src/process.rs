//! A process that runs beside the test, in a process group of its own, its output in a file.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

use super::eventually;

/// A process under way. Dropping it ends it and all that it started.
pub struct Running {
    child: Child,
    log: PathBuf,
}

/// The result of a process.
pub struct Finished {
    /// The exit status, or 128 and the signal that ended it, as a shell has it.
    pub status: i32,
    /// Standard output and standard error, as they came.
    pub output: String,
}

impl Finished {
    /// Whether these lines were said, in this order; the other stream's may stand between them.
    pub fn has_lines(&self, lines: &str) -> bool {
        let mut said = self.output.lines();
        lines.lines().all(|line| said.any(|said| said == line))
    }
}

impl Running {
    /// Starts the command with nothing on standard input. Its output goes into the file: unlike
    /// a pipe, a file is not held open by what the process leaves behind.
    pub fn start(command: &mut Command, log: PathBuf) -> Self {
        use std::os::unix::process::CommandExt as _;
        let output = File::create(&log).expect("a log file");
        let child = command
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("the log file again"))
            .stderr(output)
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Self { child, log }
    }

    /// What it has said until now.
    pub fn output(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).expect("the log file")).into_owned()
    }

    /// Waits until it has said this; fails when it has not within the limit.
    pub fn wait_for(&mut self, text: &str, limit: Duration) {
        let said = eventually(limit, || {
            let ended = self.child.try_wait().expect("a child of ours").is_some();
            let said = self.output().contains(text);
            (said || ended).then_some(said)
        });
        assert!(said == Some(true), "{text:?} was not said within {limit:?}:\n{}", self.output());
    }

    /// What the agent does to a job that is cancelled: SIGTERM to the process's group.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// SIGKILL to the process alone: what it started goes on.
    pub fn kill(&self) {
        kill(i32::try_from(self.child.id()).expect("a process id"));
    }

    /// Waits for the end; fails when it has not come within the limit.
    pub fn finish(mut self, limit: Duration) -> Finished {
        use std::os::unix::process::ExitStatusExt as _;
        let status = eventually(limit, || self.child.try_wait().expect("a child of ours"));
        let output = self.output();
        let Some(status) = status else {
            panic!("not at its end within {limit:?}:\n{output}");
        };
        let status = status
            .code()
            .or_else(|| status.signal().map(|signal| 128 + signal))
            .expect("a process exits or is ended by a signal");
        Finished { status, output }
    }

    fn signal(&self, signal: Signal) {
        let group = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        // It is no error if the group is gone.
        let _ = kill_process_group(group.expect("a process id"), signal);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The agent waits for its job at the first request and ends it at the second. Only it knows the job's
        // process group, so it gets the time to do that.
        for _ in 0..2 {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            self.terminate();
            let ended = || self.child.try_wait().ok().flatten();
            if eventually(Duration::from_secs(2), ended).is_some() {
                return;
            }
        }
        self.signal(Signal::KILL);
        let _ = self.child.wait();
    }
}

/// The process whose command line contains this text. Shells and this process are left out.
pub fn find(words: &str) -> Option<i32> {
    let processes = fs::read_dir("/proc").expect("/proc").filter_map(Result::ok);
    let mut found = processes.filter(|process| {
        let line = fs::read(process.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).replace('\0', " ").contains(words)
    });
    found.find_map(|process| process.file_name().to_str()?.parse().ok())
}

/// SIGKILL to a process.
pub fn kill(process: i32) {
    let process = Pid::from_raw(process).expect("a process id");
    // It is no error if the process is gone.
    let _ = rustix::process::kill_process(process, Signal::KILL);
}
