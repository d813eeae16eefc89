//! What this machine is and has, asked once.

use rust_vmm_ci_core::model::{Os, Platform};
use rust_vmm_ci_effects::run::Toolchain;
use std::path::{Path, PathBuf};

/// This machine.
#[derive(Clone, Copy, Debug)]
pub struct Machine {
    /// How many threads can run at once, as the scheduler, the affinity and the control groups allow; 1
    /// where the system does not say.
    pub cores: usize,
    /// How much memory processes can have, in bytes; none where the system does not say, as on Windows.
    pub memory: Option<u64>,
    /// The platform that rustc compiles for here; none where this program has no checks for it. Where no
    /// rustc was asked, the platform of this program.
    pub platform: Option<Platform>,
    /// The operating system; none where this program has no checks for it.
    pub os: Option<Os>,
}

impl Machine {
    /// Asks the system.
    pub fn read() -> Self {
        let read = |path: &Path| std::fs::read_to_string(path).ok();
        Self {
            cores: cores(),
            memory: available(&read),
            platform: Platform::of_this_machine(),
            os: Os::of_this_machine(),
        }
    }
}

impl Machine {
    /// The machine as the checks see it, which compile with this toolchain. The program may be of another
    /// platform than rustc where the system emulates one of the two.
    #[must_use]
    pub fn compiling_with(self, toolchain: Option<&Toolchain>) -> Self {
        Self { platform: toolchain.map_or(self.platform, Toolchain::platform), ..self }
    }
}

/// See [`Machine::cores`].
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The memory that Linux has available (`MemAvailable`, `proc_meminfo(5)`), or the limit of this process's
/// control groups (version 2 and 1, `cgroups(7)`) where that is lower. What a group uses already is not
/// subtracted: most of it is cache, which the kernel frees.
fn available(read: &dyn Fn(&Path) -> Option<String>) -> Option<u64> {
    let groups = read(Path::new("/proc/self/cgroup")).unwrap_or_default();
    let limits = groups.lines().flat_map(limit_files).filter_map(|file| read(&file)?.trim().parse().ok());
    let free = read(Path::new("/proc/meminfo")).and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
        let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kibibytes * 1024)
    });
    limits.chain(free).min()
}

/// The files with the limits of a group and of its parents. `group` is a line of `/proc/self/cgroup`. In a
/// container the path can be the host's; then only the topmost file exists.
fn limit_files(group: &str) -> Vec<PathBuf> {
    let mut parts = group.splitn(3, ':');
    let (Some(_), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next()) else {
        return Vec::new();
    };
    let (top, file) = if controllers.is_empty() {
        ("/sys/fs/cgroup", "memory.max")
    } else if controllers.split(',').any(|controller| controller == "memory") {
        ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
    } else {
        return Vec::new();
    };
    let path = Path::new(path.trim_start_matches('/'));
    path.ancestors().map(|folder| Path::new(top).join(folder).join(file)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEMINFO: &str = "MemTotal:       24000000 kB\nMemFree: 1 kB\nMemAvailable:   2048 kB\n";

    fn of_files(files: &[(&str, &str)]) -> Option<u64> {
        available(&|path| {
            let found = files.iter().find(|(name, _)| Path::new(name) == path);
            found.map(|(_, text)| (*text).to_owned())
        })
    }

    #[test]
    fn what_is_available_is_what_the_machine_has() {
        assert_eq!(of_files(&[("/proc/meminfo", MEMINFO)]), Some(2 << 20));
        assert_eq!(of_files(&[]), None);
        assert_eq!(of_files(&[("/proc/meminfo", "nothing of the kind")]), None);
    }

    #[test]
    fn a_groups_limit_holds_and_that_of_a_group_above_it() {
        let job = ("/proc/self/cgroup", "0::/agents/job\n");
        for (limit, expected) in [("1048576\n", 1 << 20), ("max\n", 2 << 20), ("99999999999\n", 2 << 20)] {
            for file in ["agents/job/memory.max", "agents/memory.max", "memory.max"] {
                let file = format!("/sys/fs/cgroup/{file}");
                assert_eq!(
                    of_files(&[("/proc/meminfo", MEMINFO), job, (&file, limit)]),
                    Some(expected),
                    "{file}"
                );
            }
        }
    }

    #[test]
    fn the_older_groups_are_known_too() {
        let groups = ("/proc/self/cgroup", "5:devices:/a\n4:cpu,memory:/docker/123\n0::/\n");
        let limit = ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "1024\n");
        assert_eq!(of_files(&[("/proc/meminfo", MEMINFO), groups, limit]), Some(1024));
    }

    #[test]
    fn this_machine_says_something() {
        let machine = Machine::read();
        assert!(machine.cores >= 1);
        // Wine lets programs read Linux' files.
        assert!(machine.memory.is_some() || !cfg!(target_os = "linux"));
    }
}
