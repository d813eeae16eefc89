//! References to plugins: `rust-vmm/rust-vmm-ci#v1.0.0`, `file:///path/to/plugin#sha`, `.`,
//! `https://host/repository.git/folder#v1`.

/// The names that the agent can have for this plugin: its own name, and the name that the agent derives from
/// a URL that ends in `.git` without `-buildkite-plugin` before it.
const NAMES: [&str; 2] = ["rust-vmm-ci", "rust-vmm-ci-git"];

/// Whether a reference names this plugin.
pub fn is_ours(reference: &str) -> bool {
    NAMES.contains(&name(reference).as_str())
}

/// Whether a reference names the plugin whose hook is running. `running` is the agent's
/// `BUILDKITE_PLUGIN_NAME`: the name in capitals, with `_`.
pub fn is_running(reference: &str, running: &str) -> bool {
    name(reference).to_uppercase().replace('-', "_") == running
}

/// Whether a reference means the repository itself. A plugin's own pipeline refers to the plugin in this way.
pub fn is_this_repository(reference: &str) -> bool {
    matches!(location(reference), "." | "./")
}

fn location(reference: &str) -> &str {
    reference.split_once('#').map_or(reference, |(location, _)| location)
}

/// A plugin's name, as the agent derives it (its `Plugin.Name`). It is the last segment of the location in
/// lower case, without `-buildkite-plugin`. Characters that are neither letters nor digits become `-`.
fn name(reference: &str) -> String {
    let location = location(reference).replace('\\', "/");
    let segment = location.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let plain: String = segment
        .trim_start_matches('.')
        .to_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    plain.replace("-buildkite-plugin-git", "").replace("-buildkite-plugin", "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_reference_to_this_plugin_is_known() {
        for reference in [
            "rust-vmm/rust-vmm-ci#v1.0.0",
            "github.com/rust-vmm/rust-vmm-ci-buildkite-plugin#v1.0.0",
            "https://github.com/rust-vmm/rust-vmm-ci-buildkite-plugin.git#v1.0.0",
            "git@github.com:rust-vmm/rust-vmm-ci-buildkite-plugin.git#v1.0.0",
            "https://github.com/rust-vmm/rust-vmm-ci.git#v1.0.0",
            "file:///srv/rust-vmm-ci-buildkite-plugin#0123abc",
            "/srv/Rust-VMM-CI-buildkite-plugin/",
            "C:\\plugins\\rust-vmm-ci-buildkite-plugin",
            "https://host/monorepo.git/plugins/rust-vmm-ci#v1",
            "./.buildkite/plugins/rust-vmm-ci",
        ] {
            assert!(is_ours(reference), "{reference}");
        }
    }

    #[test]
    fn another_plugin_is_not_ours() {
        for reference in ["docker#v5.3.0", "rust-vmm/rust-vmm-ci-other#v1", "rust-vmm-ci/docker#v1", "."] {
            assert!(!is_ours(reference), "{reference}");
        }
    }

    #[test]
    fn the_running_plugin_is_known_by_the_name_that_the_agent_says() {
        assert!(is_running("file:///srv/a.fork#v1", "A_FORK"));
        assert!(is_running("rust-vmm/rust-vmm-ci#v1", "RUST_VMM_CI"));
        assert!(!is_running("docker#v5.3.0", "RUST_VMM_CI"));
    }
}
