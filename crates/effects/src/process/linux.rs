//! Reads `/proc`: which compilers run and what this process has used, for the profile of a run, and which
//! signals it ignores.

use super::Usage;
use std::fs;
use std::path::{Path, PathBuf};

/// The names of compilers' processes. A wrapper of a compiler replaces itself by one of them.
const COMPILERS: [&str; 3] = ["rustc", "clippy-driver", "rustdoc"];
/// How far below the leader of a tree a compiler is looked for. cargo, `cargo-clippy` or a wrapper may be
/// in between.
const DEPTH: usize = 3;

/// How many compilers run in a tree now, and how many of them have called the linker. A compiler that has a
/// child has called the linker: it starts no other process. There is no answer where the kernel does not
/// tell the children of a process (`CONFIG_PROC_CHILDREN`).
///
/// The kernel may leave out a child while a sibling of it ends (`proc_tid_children(5)`). That is good
/// enough for a sample.
pub(super) fn compilers(leader: u32) -> Option<(usize, usize)> {
    let proc = Path::new("/proc");
    proc.join(format!("self/task/{}/children", std::process::id())).exists().then(|| {
        let mut found = (0, 0);
        count(&proc.join(leader.to_string()), DEPTH, &mut found);
        found
    })
}

fn count(process: &Path, depth: usize, found: &mut (usize, usize)) {
    let name = fs::read_to_string(process.join("comm")).unwrap_or_default();
    let mut children = children(process);
    if COMPILERS.contains(&name.trim_end()) {
        found.0 += 1;
        found.1 += usize::from(children.next().is_some());
    } else if depth > 0 {
        children.for_each(|child| count(&child, depth - 1, found));
    }
}

/// The folders in `/proc` of the children of a process, whichever of its threads started them.
fn children(process: &Path) -> impl Iterator<Item = PathBuf> + use<'_> {
    let threads = fs::read_dir(process.join("task")).into_iter().flatten().filter_map(Result::ok);
    threads.flat_map(move |thread| {
        let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
        children.split_whitespace().map(|child| process.with_file_name(child)).collect::<Vec<_>>()
    })
}

/// What this process and its children have used so far.
pub(super) fn usage() -> Option<Usage> {
    read_usage(&fs::read_to_string("/proc/self/stat").ok()?, &fs::read_to_string("/proc/self/status").ok()?)
}

/// Reads `proc_pid_stat(5)` and `proc_pid_status(5)`. An emulator of one program (qemu-user,
/// `linux-user/syscall.c`) writes 0 for each time. That is taken for no answer, as in the first hundredth of a
/// second.
fn read_usage(stat: &str, status: &str) -> Option<Usage> {
    // The name may hold any character. After it come the state, ten further fields, and the four times.
    let fields = stat.rsplit(')').next()?.split_whitespace().skip(11);
    #[allow(clippy::cast_precision_loss, reason = "ticks of years fit")]
    let ticks = rustix::param::clock_ticks_per_second() as f64;
    let times: Vec<f64> =
        fields.take(4).map_while(|time| Some(f64::from(time.parse::<u32>().ok()?) / ticks)).collect();
    let [user, system, of_children, system_of_children] = times[..] else { return None };
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let peak: u64 = peak.split_whitespace().next()?.parse().ok()?;
    let own_cpu = user + system;
    if times.iter().sum::<f64>() <= 0.0 {
        return None;
    }
    Some(Usage { cpu: own_cpu + of_children + system_of_children, own_cpu, own_memory: peak * 1024 })
}

/// The signals that this process ignores: bit 0 stands for signal 1 (`proc_pid_status(5)`). There are none
/// where `/proc` does not tell.
pub(super) fn ignored_signals() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::{Command, Ended, supervise_watching};
    use crate::testing::write_program;
    use std::time::{Duration, Instant};

    #[test]
    fn times_and_memory_are_read_whatever_the_process_is_called() {
        let stat = "7 (a ) b) S 1 7 7 0 -1 4194304 100 200 0 0 150 50 1000 800 20 0 1 0 5 1 1";
        let usage = read_usage(stat, "Name:\ta\nVmHWM:\t    2048 kB\n").unwrap();
        assert_eq!(usage, Usage { cpu: 20.0, own_cpu: 2.0, own_memory: 2 << 20 });
        assert_eq!(read_usage("7 (a) S 1", "VmHWM: 1 kB"), None);
        let emulated = "7 (a) R 1 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 5 0 0";
        assert_eq!(read_usage(emulated, "VmHWM: 1 kB"), None);
    }

    #[test]
    fn this_process_has_used_something() {
        // A hundredth of a second is used up long before, however slow or busy the machine is.
        let Some(own) = std::iter::repeat_with(usage).take(20_000).find_map(|usage| usage) else {
            return crate::testing::skip("this machine is emulated: it does not tell what a process uses");
        };
        assert!(own.own_memory > 100_000 && own.cpu >= own.own_cpu, "{own:?}");
    }

    /// A tree in which a "rustc" waits for what it started, as it does for its linker.
    #[test]
    fn a_compiler_that_waits_for_its_linker_is_told_from_one_that_compiles() {
        if compilers(std::process::id()).is_none() {
            return crate::testing::skip("this kernel does not tell children (CONFIG_PROC_CHILDREN)");
        }
        let folder = tempfile::tempdir().unwrap();
        let rustc = folder.path().join("rustc");
        // As a linking compiler it has a child (`cat`). As a compiling one it has none, because `read` is part of
        // the shell. Both go on until they are told to end.
        let script = "#!/bin/sh\ncase $1 in link) cat \"$2\"; :;; *) read line <\"$2\";; esac\n";
        write_program(&rustc, script);
        let script = "mkfifo \"$2\" \"$3\"; \"$1\" compile \"$2\" & \"$1\" link \"$3\"; echo >\"$2\"; wait";
        let fifos = ["compile", "link"].map(|name| folder.path().join(name));
        let tree = Command::new("sh").args(["-c", script, "sh"]).arg(&rustc).args(&fifos);
        let (mut seen, mut linker) = (Vec::new(), Some(&fifos[1]));
        let limit = Instant::now() + Duration::from_secs(60);
        let ended = supervise_watching(&tree, Some(limit), &mut |_, _| {}, &mut |leader| {
            seen.extend(compilers(leader));
            if seen.last() == Some(&(2, 1))
                && let Some(linker) = linker.take()
            {
                fs::write(linker, "").unwrap();
            }
        });
        assert_eq!(ended.unwrap(), Ended::Exited(0), "{seen:?}");
        assert!(seen.contains(&(2, 1)), "{seen:?}");
    }
}
