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

/// An image's name without its tag and its digest.
pub fn image_repository(image: &str) -> &str {
    let name = image.split('@').next().unwrap_or(image);
    match name.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => repository,
        _ => name,
    }
}

/// The digest in an image's name: `sha256:` and 64 hexadecimal digits. None if the name has none.
pub fn image_digest(image: &str) -> Option<&str> {
    let digest = image.split_once('@')?.1;
    let hash = digest.strip_prefix("sha256:")?;
    (hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(digest)
}

/// Whether two names are those of one repository of images. Podman writes the registry of a short name
/// (`docker.io/`), and an agent's policy may put a mirror before it.
pub fn is_same_repository(one: &str, other: &str) -> bool {
    let [one, other] = [one, other].map(|name| {
        let name = image_repository(name);
        name.strip_prefix("docker.io/").unwrap_or(name)
    });
    one == other || one.ends_with(&format!("/{other}"))
}

/// The image by its digest, from the engine's list of `NAME@sha256:…` for it. Where the list has several
/// names, the one that the image was pulled by. None for an image that was built here.
pub fn image_by_digest(image: &str, listed: &[String]) -> Option<String> {
    let known = || listed.iter().filter(|name| image_digest(name).is_some());
    let same = known().find(|name| is_same_repository(name, image) || is_same_repository(image, name));
    same.or_else(|| known().next()).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_named_by_the_digest_that_it_was_pulled_by() {
        let hash = "0".repeat(64);
        let listed = ["other/x", "docker.io/rustvmm/dev"].map(|name| format!("{name}@sha256:{hash}"));
        assert_eq!(image_by_digest("rustvmm/dev:v1", &listed).as_deref(), Some(listed[1].as_str()));
        assert_eq!(image_by_digest("local", &listed).as_deref(), Some(listed[0].as_str()));
        assert_eq!(image_by_digest("rustvmm/dev:v1", &["rustvmm/dev@sha256:12".to_owned()]), None);
        assert_eq!(image_digest(&listed[0]), Some(format!("sha256:{hash}").as_str()));
    }

    #[test]
    fn a_mirror_and_a_written_registry_are_the_same_repository() {
        for name in ["rustvmm/dev", "docker.io/rustvmm/dev:v1", "mirror.local:5000/rustvmm/dev@sha256:0"] {
            assert!(is_same_repository(name, "rustvmm/dev:v2"), "{name}");
        }
        assert!(!is_same_repository("evil/dev", "rustvmm/dev"));
        assert!(!is_same_repository("notrustvmm/dev", "rustvmm/dev"));
        assert_eq!(image_repository("localhost:5000/a"), "localhost:5000/a");
        assert_eq!(image_repository("localhost:5000/a:v1@sha256:0"), "localhost:5000/a");
    }

    #[test]
    fn an_emulated_platform_has_an_image_of_its_own() {
        assert_eq!(pinned_image(Some(Platform::Riscv64)), format!("{}-riscv", pinned_image(None)));
    }
}
