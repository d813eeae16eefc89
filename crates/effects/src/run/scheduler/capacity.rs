//! How many checks run at once.

/// More checks than this never have work at the same time. There is one that compiles for debugging, one that
/// compiles for release, and one that compiles nothing.
const MOST: usize = 3;
/// The memory that a compiler takes, in bytes: rustc 1.95 took at most 357 MiB for vm-memory, 381 for
/// kvm and 281 for vmm-sys-util, with their dependencies, in both profiles.
const OF_A_COMPILER: u64 = 512 << 20;

/// How many checks run at once where nobody says: one for every two cores, three at most, and no more
/// than there is memory for, with a compiler on every core for each check.
///
/// One cargo keeps two cores busy except while it links or tests. A second one beside it saved 3 %
/// (event-manager) to 12 % (vmm-sys-util) of the time on two cores, and used up to 9 % more processor time.
/// With more cores more of them are idle. The cargo of each check may use every core. A fixed share of the
/// cores would be idle whenever the check links, runs tests or has ended.
pub fn at_once(cores: usize, memory: Option<u64>) -> usize {
    let of_a_check = OF_A_COMPILER.saturating_mul(u64::try_from(cores).unwrap_or(u64::MAX));
    let fitting = memory.map_or(MOST, |memory| usize::try_from(memory / of_a_check.max(1)).unwrap_or(MOST));
    MOST.min(cores / 2).min(fitting).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    #[test]
    fn as_many_run_at_once_as_cores_and_memory_allow_and_three_at_most() {
        for (cores, memory, expected) in [
            (1, Some(64 * GIB), 1),
            (2, Some(64 * GIB), 1),
            (4, Some(64 * GIB), 2),
            (4, Some(2 * GIB), 1),
            (8, Some(64 * GIB), 3),
            (8, Some(9 * GIB), 2),
            (64, Some(16 * GIB), 1),
            (8, None, 3),
            (8, Some(0), 1),
        ] {
            assert_eq!(at_once(cores, memory), expected, "{cores} cores, {memory:?} bytes");
        }
    }
}
