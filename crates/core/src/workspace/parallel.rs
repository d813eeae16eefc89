//! Does the same work on many things in several threads. A workspace of a thousand crates has thousands
//! of small files to read.

use std::sync::mpsc::sync_channel;
use std::thread;

/// The smallest number of things for which threads are started. For fewer, starting threads takes longer
/// than the work.
pub const WORTHWHILE: usize = 64;

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

/// How many results of a thread wait until it is their turn. More would take memory, and fewer would make
/// the threads wait for one another.
const AHEAD: usize = 1;

/// Calls `work` with each thing, in at most `threads` threads, and `see` with each result, in the order of the
/// things. `see` is called in the thread of the caller, while the threads work on the next things. Each thing
/// should be work of some milliseconds.
///
/// # Errors
/// The first error of `see`. Then no further work is started.
pub fn in_order<T: Sync, R: Send, E>(
    things: &[T],
    threads: usize,
    work: impl Fn(&T) -> R + Sync,
    mut see: impl FnMut(R) -> Result<(), E>,
) -> Result<(), E> {
    let threads = threads.min(things.len());
    if threads < 2 {
        return things.iter().try_for_each(|thing| see(work(thing)));
    }
    let work = &work;
    thread::scope(|scope| {
        let start = |first: usize| {
            let (send, receive) = sync_channel(AHEAD);
            // The threads take turns, so that none gets far ahead of the others.
            let mut share = things.iter().skip(first).step_by(threads);
            // Nobody receives any more after an error.
            let do_share = move || while share.next().is_some_and(|thing| send.send(work(thing)).is_ok()) {};
            let thread = thread::Builder::new().spawn_scoped(scope, do_share);
            thread.ok().map(|thread| (thread, receive))
        };
        let mut started: Vec<_> = (0..threads).map(start).collect();
        for (index, thing) in things.iter().enumerate() {
            let thread = &mut started[index % threads];
            let made = match thread.as_ref().map(|(_, receive)| receive.recv()) {
                Some(Ok(made)) => made,
                // A panic in a thread continues in the caller, as without threads.
                Some(Err(_ended)) => match thread.take().map(|(thread, _)| thread.join()) {
                    Some(Err(panic)) => std::panic::resume_unwind(panic),
                    _ => work(thing),
                },
                None => work(thing),
            };
            see(made)?;
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn results_are_seen_in_order_whichever_thread_is_faster() {
        for (count, threads) in [(0, 2), (1, 2), (7, 1), (100, 2), (100, 3), (3, 8)] {
            let things: Vec<usize> = (0..count).collect();
            let mut seen = Vec::new();
            let work = |thing: &usize| {
                // Every second thing takes longer.
                let turns = if thing.is_multiple_of(2) { 10_000 } else { 1 };
                (0..turns).fold(*thing, |made, turn| std::hint::black_box(made + turn - turn))
            };
            let all: Result<(), ()> = in_order(&things, threads, work, |made| {
                seen.push(made);
                Ok(())
            });
            assert_eq!((all, seen), (Ok(()), things), "{count}, {threads}");
        }
    }

    #[test]
    fn the_first_error_in_order_ends_the_work() {
        let things: Vec<usize> = (0..10_000).collect();
        for threads in [1, 4] {
            let begun = AtomicUsize::new(0);
            let work = |thing: &usize| {
                begun.fetch_add(1, Ordering::Relaxed);
                if *thing >= 5 { Err(*thing) } else { Ok(()) }
            };
            assert_eq!(in_order(&things, threads, work, |made| made), Err(5));
            // At most what waits, what is being made, and what was taken.
            assert!(begun.into_inner() <= 6 + threads * (AHEAD + 2), "{threads}");
        }
    }

    #[test]
    fn a_panic_in_a_thread_is_one_of_the_caller() {
        let work = |thing: &usize| assert!(*thing != 7, "seven");
        let things: Vec<usize> = (0..20).collect();
        for threads in [1, 3] {
            let run = || in_order(&things, threads, work, |()| Ok::<(), ()>(()));
            let panic = std::panic::catch_unwind(run).unwrap_err();
            assert_eq!(panic.downcast_ref::<&str>(), Some(&"seven"), "{threads}");
        }
    }

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
