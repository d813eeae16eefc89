//! Runs a command to its end and measures its time and memory.

use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

/// How often a running process's memory is looked at.
const GLANCE: Duration = Duration::from_millis(20);
/// Clock ticks in a second, in which the kernel counts CPU time (`USER_HZ`, 100 on every
/// platform that Linux's `/proc` is read on here).
const TICKS: f64 = 100.0;

/// The result of a command, and the time and memory that it took.
#[derive(Clone, Debug, Default)]
pub struct Usage {
    /// Whether its status was 0.
    pub success: bool,
    /// Its exit status; 128 and the signal that ended it, as a shell has it.
    pub status: i32,
    /// CPU seconds, its descendants' included, as far as they were waited for.
    pub cpu: f64,
    /// CPU seconds of the process itself.
    pub own_cpu: f64,
    /// Seconds by the clock.
    pub wall: f64,
    /// The most memory that the process itself held, in KiB.
    pub own_memory: u64,
}

/// Runs the command; what it says goes into `log`, in the order in which it was said.
pub fn measure(command: &mut Command, log: &Path) -> Usage {
    measure_every(GLANCE, command, log)
}

/// As [`measure`], for a command that takes some milliseconds: its memory is looked at all the time.
pub fn measure_closely(command: &mut Command, log: &Path) -> Usage {
    measure_every(Duration::ZERO, command, log)
}

/// The seconds by the clock that a command takes. What it says is thrown away, and nothing else is done
/// meanwhile.
///
/// # Panics
/// If the command fails.
pub fn time(command: &mut Command) -> f64 {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let begin = Instant::now();
    let status = command.status();
    let time = begin.elapsed().as_secs_f64();
    assert!(status.as_ref().is_ok_and(ExitStatus::success), "{command:?}: {status:?}");
    time
}

fn measure_every(glance: Duration, command: &mut Command, log: &Path) -> Usage {
    let file = File::create(log).unwrap();
    let begin = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(file.try_clone().unwrap())
        .stderr(file)
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let proc = Path::new("/proc").join(child.id().to_string());
    let pid = Pid::from_child(&child);
    let mut usage = Usage::default();
    // Left as a zombie, so that its times can be read before it is gone.
    let flags = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
    while waitid(WaitId::Pid(pid), flags).unwrap().is_none() {
        usage.own_memory = usage.own_memory.max(memory(&proc));
        std::thread::sleep(glance);
    }
    usage.wall = begin.elapsed().as_secs_f64();
    let stat = fs::read_to_string(proc.join("stat")).unwrap();
    // After the name, which may hold anything: state, then eleven fields, then the four times.
    let fields = stat.rsplit(')').next().unwrap().split_whitespace().skip(11);
    let times: Vec<f64> =
        fields.take(4).map(|ticks| f64::from(ticks.parse::<u32>().unwrap()) / TICKS).collect();
    usage.own_cpu = times[0] + times[1];
    usage.cpu = times.iter().sum();
    let status = child.wait().unwrap();
    usage.success = status.success();
    usage.status = status.code().or(status.signal().map(|signal| 128 + signal)).unwrap();
    usage
}

/// The most memory that a process has held, in KiB.
fn memory(proc: &Path) -> u64 {
    let status = fs::read_to_string(proc.join("status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}
