//! What a change of a description of tests reaches.

use serde_json::Value;
use std::collections::BTreeSet;

/// The names of the tests that differ between two versions of a description. None if more than tests
/// differs.
pub fn differing_tests(old: &str, new: &str) -> Option<BTreeSet<String>> {
    let read = |text: &str| -> Option<(Value, Vec<Value>)> {
        let mut file: Value = serde_json::from_str(text).ok()?;
        let Value::Array(tests) = file.as_object_mut()?.shift_remove("tests")? else { return None };
        Some((file, tests))
    };
    let ((old_rest, old), (new_rest, new)) = (read(old)?, read(new)?);
    if old_rest != new_rest {
        return None;
    }
    let without = |all: &[Value], other: &[Value]| -> Option<Vec<String>> {
        let lost = all.iter().filter(|test| !other.contains(test));
        lost.map(|test| Some(test.get("test_name")?.as_str()?.to_owned())).collect()
    };
    Some(without(&old, &new)?.into_iter().chain(without(&new, &old)?).collect())
}
