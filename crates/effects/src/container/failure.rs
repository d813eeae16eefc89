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

const PATHS: &str = "docker must see the agent's files under the same paths: check `docker.volumes`; where one \
    of them has a /tmp of its own (PrivateTmp, snap, a remote DOCKER_HOST), set TMPDIR to a folder that both see";
const STATIC: &str = "this rust-vmm-ci is linked to this machine's C library: install a static one \
    (RUSTFLAGS='-C target-feature=+crt-static' cargo install --target x86_64-unknown-linux-gnu …)";
const FORBIDDEN: &str = "let every user read and execute the agent's rust-vmm-ci; where SELinux is enforced, \
    add --security-opt=label=disable to the policy's `run-options`";

/// The first that is found decides: the special stand before the general. Texts of Docker 20.10 to 29
/// and Podman 4.3.
const FAILURES: [Known; 34] = [
    known("permission denied while trying to connect", "add the agent's user to the group docker"),
    known("cannot connect to the docker daemon", DAEMON),
    known("failed to connect to the docker api", DAEMON),
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
    known("version `glibc_", STATIC),
    // So says the kernel where an image lacks the C library's loader.
    known("rust-vmm-ci: no such file or directory", STATIC),
    known("rust-vmm-ci failed: no such file or directory", STATIC),
    known("rust-vmm-ci failed: permission denied", FORBIDDEN),
    known("rust-vmm-ci: permission denied", FORBIDDEN),
    known("rust-vmm-ci\": permission denied", FORBIDDEN),
    known(
        "incompatible with user namespaces",
        "the daemon maps users (userns-remap): set `userns: host` in `docker` or in the agent's policy",
    ),
    known(
        "exec format error",
        "the image is for another kind of machine: check `docker.image` and `docker.platform`",
    ),
    known("short-name", "write the image's registry too, such as docker.io/library/rust:1"),
    known("container-init", "install catatonit, or name an `init_path` in containers.conf"),
    known("bind source path does not exist", PATHS),
    known("statfs /", PATHS),
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

/// Whether a volume is not there, so that it need not be removed.
pub fn is_no_volume(said: &str) -> bool {
    said.to_lowercase().contains("no such volume")
}

/// Whether a container has a volume, which so cannot be removed.
pub fn is_volume_in_use(said: &str) -> bool {
    let said = said.to_lowercase();
    said.contains("volume is in use") || said.contains("is being used by the following container")
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
            (
                "permission denied while trying to connect to the docker API at unix:///x",
                "group docker",
                false,
            ),
            ("failed to connect to the docker API at unix:///x; check if the path", "start docker", false),
            ("exec /usr/local/bin/rust-vmm-ci: no such file or directory", "crt-static", false),
            ("exec /usr/local/bin/rust-vmm-ci: exec format error", "docker.platform", false),
            ("exec: \"/usr/local/bin/rust-vmm-ci\": permission denied", "SELinux", false),
            ("privileged mode is incompatible with user namespaces.", "userns: host", false),
            ("Error: statfs /tmp/x: no such file or directory", "TMPDIR", false),
            ("short-name \"a\" did not resolve to an alias", "docker.io", false),
            ("container-init binary not found on the host", "catatonit", false),
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
