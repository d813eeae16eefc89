//! The names in a command step that this program checks, in whatever input they are.

/// The attributes of a command step (`commandStep` in Buildkite's pipeline schema, June 2026, and
/// `checkout`, which the agent's object model has). Buildkite silently ignores a key that is not in the
/// list, so that it must be a slip.
pub const BUILDKITE_STEP_KEYS: [&str; 34] = [
    "agents",
    "allow_dependency_failure",
    "artifact_paths",
    "branches",
    "cache",
    "cancel_on_build_failing",
    "checkout",
    "command",
    "commands",
    "concurrency",
    "concurrency_group",
    "concurrency_method",
    "depends_on",
    "env",
    "id",
    "identifier",
    "if",
    "if_changed",
    "image",
    "key",
    "label",
    "matrix",
    "name",
    "notify",
    "parallelism",
    "plugins",
    "priority",
    "retry",
    "secrets",
    "signature",
    "skip",
    "soft_fail",
    "timeout_in_minutes",
    "type",
];

/// The values of the agent tag `hypervisor` that rust-vmm's agents have (the predecessor's rule).
pub const HYPERVISORS: [&str; 2] = ["kvm", "mshv"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_attributes_are_sorted_and_each_stands_once() {
        assert!(BUILDKITE_STEP_KEYS.is_sorted_by(|a, b| a < b));
    }
}
