//! Where a run's time went.

use serde::{Deserialize, Serialize};

/// What cargo's work on a check, or on one of its combinations, was spent on, in seconds by the clock.
/// The rest of the check's time is other work: what cargo resolves, LLVM's tools, git.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Timings {
    /// Building, and finding that there is nothing to build. Linking is part of it where `link` is not
    /// known.
    pub compile: f64,
    /// The part of building in which the linker ran, shared out where compilers ran beside it: an
    /// estimate, from samples.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<f64>,
    /// Test programs, doctests (which rustdoc compiles while it runs them) and benchmarks.
    pub run: f64,
    /// Waiting for another cargo to release a lock.
    pub waiting: f64,
}

impl Timings {
    /// The parts with their names, in the order in which they are shown.
    pub fn parts(&self) -> [(&'static str, f64); 4] {
        let link = self.link.unwrap_or_default();
        [("waiting", self.waiting), ("compile", self.compile), ("link", link), ("run", self.run)]
    }

    /// Those of several pieces of work as one's; none where none has any.
    pub fn total(pieces: impl Iterator<Item = Option<Self>>) -> Option<Self> {
        pieces.flatten().reduce(|mut all, piece| {
            all += piece;
            all
        })
    }

    /// All of it together.
    pub fn sum(&self) -> f64 {
        self.parts().iter().map(|(_, seconds)| seconds).sum()
    }
}

impl std::ops::AddAssign for Timings {
    fn add_assign(&mut self, other: Self) {
        self.compile += other.compile;
        self.run += other.run;
        self.waiting += other.waiting;
        if let Some(link) = other.link {
            *self.link.get_or_insert(0.0) += link;
        }
    }
}

/// What a run used of its machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// CPU time, in seconds: of this program and all that it started and waited for.
    pub cpu: f64,
    /// CPU time of this program alone, in seconds.
    pub own_cpu: f64,
    /// The most memory that this program alone held, in bytes.
    pub own_memory: u64,
}
