//! What docker and podman say when they fail, and what to do about it.

/// Words of a failure, what mends it, and whether trying again may.
struct Known {
    /// Found in what was said, in lower case.
    words: &'static str,
    remedy: &'static str,
    passing: bool,
}

const fn known(words: &'static str, remedy: &'static str) -> Known {
    Known { words, remedy, passing: false }
}

const fn passing(words: &'static str, remedy: &'static str) -> Known {
    Known { words, remedy, passing: true }
}

const DAEMON: &str = "start docker on the agent (systemctl start docker), or check DOCKER_HOST";
const NETWORK: &str =
    "check the agent's network and proxy, or name a `registry-mirror` in the agent's policy";
const IMAGE: &str = "check `docker.image`, and `docker login` for a private one";

/// The first that is found decides: the special stand before the general. Texts of Docker 20.10 to 28
/// and Podman 4.3.
const FAILURES: [Known; 23] = [
    known("permission denied while trying to connect", "add the agent's user to the group docker"),
    known("cannot connect to the docker daemon", DAEMON),
    known("error during connect", DAEMON),
    known("cannot connect to podman", "start podman's service on the agent, or unset CONTAINER_HOST"),
    known(
        "no space left on device",
        "make room on the agent: `rust-vmm-ci cache clean`, `docker system prune`",
    ),
    passing("toomanyrequests", "log the agent in to the registry, or name a `registry-mirror` in its policy"),
    known("unexpected eof", "the daemon went away while the job ran: see its log (journalctl -u docker)"),
    known("manifest unknown", IMAGE),
    known("manifest for ", IMAGE),
    known("pull access denied", IMAGE),
    known("unauthorized", IMAGE),
    known("no such image", IMAGE),
    known("image not known", IMAGE),
    known("invalid reference format", IMAGE),
    known(
        "error gathering device information",
        "take the device out of `docker.devices`, or use an agent that has it",
    ),
    known(
        "executable file not found",
        "the image lacks that program: check `docker.shell`, `docker.entrypoint`",
    ),
    known(
        "version `glibc_",
        "this rust-vmm-ci is linked to this machine's C library: install a static one (RUSTFLAGS='-C \
         target-feature=+crt-static' cargo install --target x86_64-unknown-linux-gnu …)",
    ),
    known("bind source path does not exist", "check `docker.volumes`; docker must see the agent's files"),
    passing("no such host", NETWORK),
    passing("timeout", NETWORK),
    passing("connection refused", NETWORK),
    passing("connection reset", NETWORK),
    passing(": eof", NETWORK),
];

/// What mends a failure with these words, where it is known.
pub fn remedy(said: &str) -> Option<&'static str> {
    find(said).map(|known| known.remedy)
}

/// Whether a failure with these words may be gone at the next try; what is not known may.
pub fn is_passing(said: &str) -> bool {
    find(said).is_none_or(|known| known.passing)
}

/// Whether the image is not on this machine.
pub fn is_no_image(said: &str) -> bool {
    let said = said.to_lowercase();
    ["no such image", "unable to find image", "image not known"].iter().any(|words| said.contains(words))
}

fn find(said: &str) -> Option<&'static Known> {
    let said = said.to_lowercase();
    FAILURES.iter().find(|known| said.contains(known.words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_has_its_remedy() {
        let cases = [
            (
                "Got permission denied while trying to connect to the Docker daemon socket",
                "group docker",
                false,
            ),
            (
                "Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?",
                "start docker",
                false,
            ),
            ("toomanyrequests: You have reached your pull rate limit.", "registry-mirror", true),
            ("manifest for rustvmm/dev:x not found: manifest unknown", "docker.image", false),
            ("dial tcp: lookup registry on 1.1.1.1:53: no such host", "network", true),
            ("write /x: no space left on device", "cache clean", false),
            ("/lib/libc.so.6: version `GLIBC_2.39' not found (required by rust-vmm-ci)", "crt-static", false),
            ("error gathering device information while adding custom device \"/dev/kvm\"", "devices", false),
        ];
        for (said, expected, may_pass) in cases {
            assert!(remedy(said).is_some_and(|remedy| remedy.contains(expected)), "{said}");
            assert_eq!(is_passing(said), may_pass, "{said}");
        }
        assert_eq!(remedy("something new"), None);
        assert!(is_passing("something new"));
    }
}
