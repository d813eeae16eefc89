//! What Buildkite defines for command steps. Both the options and the predecessor's descriptions
//! contain such steps.

/// The attributes of a command step. The sources are `commandStep` in Buildkite's pipeline schema
/// (June 2026) and, for `checkout`, the agent's object model. Any other key is taken for a spelling
/// mistake, because Buildkite ignores unknown keys without a message.
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

/// The values of the agent tag `hypervisor` on the agents of rust-vmm. The predecessor knows the same.
pub const HYPERVISORS: [&str; 2] = ["kvm", "mshv"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_attributes_are_sorted_and_each_stands_once() {
        assert!(BUILDKITE_STEP_KEYS.is_sorted_by(|a, b| a < b));
    }
}
