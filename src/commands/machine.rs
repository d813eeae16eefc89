//! What this machine has to give: asked of the system, here and nowhere else.

use std::path::{Path, PathBuf};

/// How many threads run at once: as the system's scheduler, affinity and control groups have it; 1
/// where it does not say.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// How much memory processes can have, in bytes; none where the system does not say, as Windows does
/// not here.
pub fn memory() -> Option<u64> {
    let read = |path: &Path| std::fs::read_to_string(path).ok();
    available(&read)
}

/// The least of what Linux has available (`MemAvailable`, `proc_meminfo(5)`) and what the control groups
/// of this process allow (version 2 and 1, `cgroups(7)`). What a group uses already is not taken off:
/// most of it is cache, which gives way.
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

/// The files with the limits of a group, a line of `/proc/self/cgroup`, and of those above it. In a
/// container the path can be the host's, and only its top is there.
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

    fn told(files: &[(&str, &str)]) -> Option<u64> {
        available(&|path| {
            let found = files.iter().find(|(name, _)| Path::new(name) == path);
            found.map(|(_, text)| (*text).to_owned())
        })
    }

    #[test]
    fn what_is_available_is_what_the_machine_has() {
        assert_eq!(told(&[("/proc/meminfo", MEMINFO)]), Some(2 << 20));
        assert_eq!(told(&[]), None);
        assert_eq!(told(&[("/proc/meminfo", "nothing of the kind")]), None);
    }

    #[test]
    fn a_groups_limit_holds_and_that_of_a_group_above_it() {
        let job = ("/proc/self/cgroup", "0::/agents/job\n");
        for (limit, expected) in [("1048576\n", 1 << 20), ("max\n", 2 << 20), ("99999999999\n", 2 << 20)] {
            for file in ["agents/job/memory.max", "agents/memory.max", "memory.max"] {
                let file = format!("/sys/fs/cgroup/{file}");
                assert_eq!(
                    told(&[("/proc/meminfo", MEMINFO), job, (&file, limit)]),
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
        assert_eq!(told(&[("/proc/meminfo", MEMINFO), groups, limit]), Some(1024));
    }

    #[test]
    fn this_machine_says_something() {
        assert!(cores() >= 1);
        // Wine lets programs read Linux' files.
        assert!(memory().is_some() || !cfg!(target_os = "linux"));
    }
}
