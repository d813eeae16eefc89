//! Does the same work on many things in several threads. A workspace of a thousand crates has thousands
//! of small files to read.

use std::thread;

/// The smallest number of things for which threads are started. For fewer, starting threads takes longer
/// than the work.
const WORTHWHILE: usize = 64;

/// Calls `work` with each thing, in at most `threads` threads. The results are in the order of the
/// things.
pub fn map<T: Sync, R: Send>(things: &[T], threads: usize, work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    if things.len() < WORTHWHILE || threads < 2 {
        return things.iter().map(work).collect();
    }
    let work = &work;
    thread::scope(|scope| {
        let share = things.len().div_ceil(threads);
        let do_share = |share: &[T]| share.iter().map(work).collect::<Vec<R>>();
        let start = |share| {
            let thread = thread::Builder::new().spawn_scoped(scope, move || do_share(share));
            thread.map_err(|_no_thread_to_be_had| share)
        };
        let started: Vec<_> = things.chunks(share).map(start).collect();
        let made = started.into_iter().map(|thread| match thread {
            // A panic in a thread continues in the caller, as without threads.
            Ok(thread) => thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            Err(share) => do_share(share),
        });
        made.flatten().collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_kept_for_few_and_for_many() {
        for count in [0, 1, 3, 1000] {
            let things: Vec<usize> = (0..count).collect();
            assert_eq!(
                map(&things, 2, |thing| thing * 2),
                (0..count).map(|thing| thing * 2).collect::<Vec<_>>()
            );
        }
    }
}
