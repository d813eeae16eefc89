//! A map that makes each of its values once, however many threads ask for it.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Values by key, each made by the first that asks for it. Others that ask for the same key meanwhile wait
/// for it. Those that ask for another key do not.
#[derive(Debug)]
pub(super) struct OnceMap<K, V> {
    slots: Mutex<HashMap<K, Arc<OnceLock<V>>>>,
}

impl<K, V> Default for OnceMap<K, V> {
    fn default() -> Self {
        Self { slots: Mutex::default() }
    }
}

impl<K: Eq + Hash, V: Clone> OnceMap<K, V> {
    /// The value of a key. `make` is called where nobody has asked for it before.
    pub fn get_or_make(&self, key: K, make: impl FnOnce() -> V) -> V {
        // The lock is held for as long as the look into the map takes, and not while the value is made.
        let slot =
            Arc::clone(self.slots.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default());
        slot.get_or_init(make).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc::channel;
    use std::time::Duration;

    #[test]
    fn askers_of_different_keys_do_not_wait_for_each_other() {
        let map = &OnceMap::default();
        let (answered, second_answered) = channel();
        std::thread::scope(|scope| {
            let slow = scope.spawn(move || {
                // Only the other key's answer ends the making of this value.
                map.get_or_make("slow", || second_answered.recv_timeout(Duration::from_secs(20)).is_ok())
            });
            while map.slots.lock().unwrap().is_empty() {
                std::thread::yield_now();
            }
            assert!(map.get_or_make("quick", || true));
            answered.send(()).unwrap();
            assert!(slow.join().unwrap(), "the asker of the other key waited");
        });
    }

    #[test]
    fn a_value_is_made_once_for_all_that_ask_for_its_key() {
        let (map, count) = (OnceMap::default(), AtomicUsize::new(0));
        let make = || {
            std::thread::sleep(Duration::from_millis(50));
            count.fetch_add(1, Ordering::SeqCst)
        };
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| assert_eq!(map.get_or_make("key", make), 0));
            }
        });
        assert_eq!(count.load(Ordering::SeqCst), 1);
    }
}
