//! The container that the checks run in on Linux.

use super::Platform;

/// rust-vmm's container, by the tag that the predecessor used last (2026-08-14): Ubuntu 24.04, Rust
/// 1.90, the musl targets and the checks' tools.
const IMAGE: &str = "rustvmm/dev:g8b11be7";

/// The image for a platform's steps.
pub fn pinned_image(platform: Option<Platform>) -> String {
    format!("{IMAGE}{}", platform.map_or("", Platform::image_suffix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_emulated_platform_has_an_image_of_its_own() {
        assert_eq!(pinned_image(Some(Platform::Riscv64)), format!("{}-riscv", pinned_image(None)));
    }
}
