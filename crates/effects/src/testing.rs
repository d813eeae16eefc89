//! What tests of every module share.

/// Says that a test was skipped, and what this machine lacks. Under `REQUIRE_ALL=1`, which CI sets, it fails: a
/// skipped test must not look like a passed one.
#[track_caller]
pub fn skip(lacks: &str) {
    println!("skipped: {lacks}");
    assert!(std::env::var_os("REQUIRE_ALL").is_none_or(|value| value != "1"), "{lacks}");
}
