//! How a run spent its time.

use serde::{Deserialize, Serialize};

/// The parts of the time that cargo took for a check or for one of its combinations, in seconds of real time.
/// The rest of the check's time is other work: resolving features, LLVM's tools, git.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Timings {
    /// Building, or finding out that there is nothing to build. It includes linking if `link` is unknown.
    pub compile: f64,
    /// Linking. An estimate from samples: if a linker and compilers run at the same time, linking gets its
    /// share of that time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<f64>,
    /// Test programs, doctests (which rustdoc compiles while it runs them) and benchmarks.
    pub run: f64,
    /// Waiting for another cargo to release a lock.
    pub waiting: f64,
}

impl Timings {
    /// The parts with their names, in the order of the table.
    pub fn parts(&self) -> [(&'static str, f64); 4] {
        let link = self.link.unwrap_or_default();
        [("waiting", self.waiting), ("compile", self.compile), ("link", link), ("run", self.run)]
    }

    /// The sum over several pieces of work. None if no piece has timings.
    pub fn total(pieces: impl Iterator<Item = Option<Self>>) -> Option<Self> {
        pieces.flatten().reduce(|mut all, piece| {
            all += piece;
            all
        })
    }

    /// The sum of the parts.
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

/// The CPU time and memory that a run used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// CPU time of this program and of all processes that it started and waited for, in seconds.
    pub cpu: f64,
    /// CPU time of this program alone, in seconds.
    pub own_cpu: f64,
    /// The most memory that this program alone held, in bytes.
    pub own_memory: u64,
}
