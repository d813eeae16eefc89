//! Configuration and facts in, planned checks out. Pure: everything here can be printed and tested
//! without starting anything.

mod check;

pub use check::{PlannedCheck, Work};
