//! A map that makes each of its values once, however many threads ask for it.

use crate::process;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Values by key, each made by the first that asks for it. Others that ask for the same key meanwhile wait
/// for it. Those that ask for another key do not.
///
/// Nobody depends on another's time limit ([`process::with_limit`]). Who has waited until its own limit makes
/// the value itself, and is told by the question that the time is up. A value that was made by one whose limit
/// has passed since is given to nobody else.
#[derive(Debug)]
pub(super) struct OnceMap<K, V> {
    slots: Mutex<HashMap<K, Arc<Slot<V>>>>,
}

#[derive(Debug)]
struct Slot<V> {
    state: Mutex<State<V>>,
    changed: Condvar,
}

#[derive(Debug)]
enum State<V> {
    Empty,
    BeingMade,
    Made(V),
}

impl<K, V> Default for OnceMap<K, V> {
    fn default() -> Self {
        Self { slots: Mutex::default() }
    }
}

impl<V> Default for Slot<V> {
    fn default() -> Self {
        Self { state: Mutex::new(State::Empty), changed: Condvar::new() }
    }
}

impl<K: Eq + Hash, V: Clone> OnceMap<K, V> {
    /// The value of a key. `make` is called where nobody has asked for it before.
    pub fn get_or_make(&self, key: K, make: impl FnOnce() -> V) -> V {
        // The lock is held for as long as the look into the map takes, and not while the value is made.
        let slot =
            Arc::clone(self.slots.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default());
        slot.get_or_make(make)
    }
}

impl<V: Clone> Slot<V> {
    fn get_or_make(&self, make: impl FnOnce() -> V) -> V {
        let mut state = self.lock();
        loop {
            match &*state {
                State::Made(value) => return value.clone(),
                State::Empty => break,
                State::BeingMade => {}
            }
            state = match time_left() {
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(left) if left.is_zero() => {
                    drop(state);
                    return make();
                }
                Some(left) => {
                    self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        *state = State::BeingMade;
        drop(state);
        let mut maker = Maker { slot: self, made: None };
        let value = make();
        if time_left().is_none_or(|left| !left.is_zero()) {
            maker.made = Some(value.clone());
        }
        value
    }

    fn lock(&self) -> MutexGuard<'_, State<V>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The time until the limit of this thread's work; none where there is no limit.
fn time_left() -> Option<std::time::Duration> {
    process::limit().map(|limit| limit.saturating_duration_since(Instant::now()))
}

/// Ends the making of a value, also where it panics.
struct Maker<'s, V> {
    slot: &'s Slot<V>,
    made: Option<V>,
}

impl<V> Drop for Maker<'_, V> {
    fn drop(&mut self) {
        let mut state = self.slot.state.lock().unwrap_or_else(PoisonError::into_inner);
        *state = self.made.take().map_or(State::Empty, State::Made);
        self.slot.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::time::Duration;

    /// How long a test waits for what must happen, until it fails.
    const PATIENCE: Duration = Duration::from_secs(60);

    /// A value whose maker says that it has begun, and then waits until it may end.
    fn slow_value() -> (impl FnOnce() -> &'static str, Receiver<()>, Sender<()>) {
        let ((begins, begun), (ends, end)) = (channel(), channel());
        let make = move || {
            begins.send(()).unwrap();
            end.recv_timeout(PATIENCE).map_or("late", |()| "first")
        };
        (make, begun, ends)
    }

    #[test]
    fn askers_of_different_keys_do_not_wait_for_each_other() {
        let map = &OnceMap::default();
        let (make, begun, ends) = slow_value();
        std::thread::scope(|scope| {
            // Only the other key's answer ends the making of this value.
            let slow = scope.spawn(move || map.get_or_make("slow", make));
            begun.recv_timeout(PATIENCE).unwrap();
            assert_eq!(map.get_or_make("quick", || "quick"), "quick");
            ends.send(()).unwrap();
            assert_eq!(slow.join().unwrap(), "first", "the asker of the other key waited");
        });
    }

    #[test]
    fn one_that_waits_for_anothers_value_waits_until_its_own_limit() {
        let map = &OnceMap::default();
        let (make, begun, ends) = slow_value();
        std::thread::scope(|scope| {
            let slow = scope.spawn(move || map.get_or_make("key", make));
            begun.recv_timeout(PATIENCE).unwrap();
            let limit = Some(Instant::now() + Duration::from_millis(20));
            let own = process::with_limit(limit, || {
                map.get_or_make("key", || {
                    assert!(time_left().is_some_and(|left| left.is_zero()), "it did not wait");
                    "its own"
                })
            });
            assert_eq!(own, "its own");
            ends.send(()).unwrap();
            assert_eq!(slow.join().unwrap(), "first", "the one with the limit waited for the other");
            assert_eq!(map.get_or_make("key", || "again"), "first");
        });
    }

    #[test]
    fn a_value_of_one_whose_time_is_up_or_that_panicked_is_not_given_to_others() {
        let map = OnceMap::default();
        let over = Some(Instant::now());
        assert_eq!(process::with_limit(over, || map.get_or_make("key", || "time is up")), "time is up");
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            map.get_or_make("key", || panic!("a test's own panic"))
        }));
        assert!(panicked.is_err());
        assert_eq!(map.get_or_make("key", || "whole"), "whole");
    }

    #[test]
    fn a_value_is_made_once_for_all_that_ask_for_its_key() {
        let (map, asking, count) = (OnceMap::default(), AtomicUsize::new(0), AtomicUsize::new(0));
        let make = || {
            // Not before all of them are about to ask.
            let begin = Instant::now();
            while asking.load(Ordering::SeqCst) < 4 {
                assert!(begin.elapsed() < PATIENCE, "not all have asked");
                std::thread::yield_now();
            }
            count.fetch_add(1, Ordering::SeqCst)
        };
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    asking.fetch_add(1, Ordering::SeqCst);
                    assert_eq!(map.get_or_make("key", make), 0);
                });
            }
        });
        assert_eq!(count.load(Ordering::SeqCst), 1);
    }
}
