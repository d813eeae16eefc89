//! The container image in which the checks run on Linux.

use super::Platform;

/// The image of rust-vmm, with the last tag that the predecessor used (2026-08-14). It contains Ubuntu
/// 24.04, Rust 1.90, the musl targets and the tools of the checks.
const IMAGE: &str = "rustvmm/dev:g8b11be7";

/// The image for the steps of a platform. The image of an emulated platform is an x86-64 image that
/// boots an emulator.
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
