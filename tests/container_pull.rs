//! Pulls of images from a registry that does not always answer.
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods, reason = "the rule is for src/")]
#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::docker::{Agent, docker};
use support::process::Finished;
use tiny_http::{Header, Response, Server};

const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// A registry on the loopback interface that has one image.
struct Registry {
    port: u16,
    digest: String,
    /// The statuses of the next answers to requests for the manifest. After them the registry gives the
    /// manifest.
    refusals: Arc<Mutex<Vec<u16>>>,
    /// Whether it refuses all connections.
    is_away: Arc<AtomicBool>,
}

fn digest(bytes: &[u8]) -> String {
    let hex: Vec<String> = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{}", hex.concat())
}

/// A shell and the libraries that our own program needs, as an image of a few megabytes.
fn layer() -> Vec<u8> {
    let ask = |program: &str, args: &[&str]| Command::new(program).args(args).output().unwrap().stdout;
    let mut files = vec!["/bin/sh".to_owned()];
    for program in ["/bin/sh", env!("CARGO_BIN_EXE_rust-vmm-ci")] {
        let libraries = String::from_utf8(ask("ldd", &[program])).unwrap();
        let paths = libraries.split_whitespace().filter(|word| word.starts_with('/') && !word.ends_with(':'));
        files.extend(paths.filter(|path| path.contains(".so")).map(ToOwned::to_owned));
    }
    files.sort();
    files.dedup();
    let arguments: Vec<_> = ["-C", "/", "-chP"].into_iter().chain(files.iter().map(String::as_str)).collect();
    ask("tar", &arguments)
}

fn registry() -> Registry {
    let server = Server::http("127.0.0.1:0").unwrap();
    let inner = server.server_addr().to_ip().unwrap().port();
    let layer = layer();
    let machine = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    let config = json!({
        "architecture": machine, "os": "linux", "config": {"Env": ["PATH=/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [digest(&layer)]}, "history": [],
    });
    let config = config.to_string().into_bytes();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(&layer).unwrap();
    let packed = packed.finish().unwrap();
    let blob =
        |kind: &str, bytes: &[u8]| json!({"mediaType": kind, "size": bytes.len(), "digest": digest(bytes)});
    let manifest = json!({
        "schemaVersion": 2, "mediaType": MANIFEST,
        "config": blob("application/vnd.docker.container.image.v1+json", &config),
        "layers": [blob("application/vnd.docker.image.rootfs.diff.tar.gzip", &packed)],
    });
    let manifest = manifest.to_string().into_bytes();
    let whole = digest(&manifest);
    let blobs: BTreeMap<String, Vec<u8>> =
        [config, packed].into_iter().map(|bytes| (digest(&bytes), bytes)).collect();
    let refusals = Arc::new(Mutex::new(Vec::new()));
    let (next, named) = (Arc::clone(&refusals), whole.clone());
    std::thread::spawn(move || {
        let header = |name: &str, value: &str| Header::from_bytes(name, value).unwrap();
        for request in server.incoming_requests() {
            let url = request.url().to_owned();
            if url.contains("/manifests/") {
                let refusal = next.lock().unwrap().pop();
                if let Some(status) = refusal {
                    let code = match status {
                        404 => "MANIFEST_UNKNOWN",
                        429 => "TOOMANYREQUESTS",
                        _ => "UNKNOWN",
                    };
                    let told = json!({"errors": [{"code": code, "message": "of the test"}]}).to_string();
                    let answer = Response::from_string(told).with_status_code(status);
                    let _ = request.respond(answer.with_header(header("Content-Type", "application/json")));
                    continue;
                }
                let answer = Response::from_data(manifest.clone())
                    .with_header(header("Content-Type", MANIFEST))
                    .with_header(header("Docker-Content-Digest", &named));
                let _ = request.respond(answer);
            } else if let Some(bytes) = url.rsplit('/').next().and_then(|name| blobs.get(name)) {
                let _ = request.respond(Response::from_data(bytes.clone()));
            } else {
                let version = header("Docker-Distribution-Api-Version", "registry/2.0");
                let _ = request.respond(Response::from_string("{}").with_header(version));
            }
        }
    });
    let is_away = Arc::new(AtomicBool::new(false));
    Registry { port: door(inner, Arc::clone(&is_away)), digest: whole, refusals, is_away }
}

/// A port that forwards to another port. It refuses TLS, which docker tries first, because the server
/// behind it would wait for more data that it does not understand.
fn door(inner: u16, is_away: Arc<AtomicBool>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for caller in listener.incoming().filter_map(Result::ok) {
            let mut first = [0];
            let is_tls = caller.peek(&mut first).is_err() || first == [0x16];
            if is_tls || is_away.load(Ordering::Relaxed) {
                continue;
            }
            let Ok(server) = TcpStream::connect(("127.0.0.1", inner)) else { continue };
            for (mut from, mut to) in
                [(caller.try_clone().unwrap(), server.try_clone().unwrap()), (server, caller)]
            {
                std::thread::spawn(move || {
                    let _ = std::io::copy(&mut from, &mut to);
                    let _ = to.shutdown(std::net::Shutdown::Write);
                });
            }
        }
    });
    port
}

impl Registry {
    /// Sets the statuses of the next answers. The last one is answered first.
    fn refuse(&self, statuses: &[u16]) {
        *self.refusals.lock().unwrap() = statuses.to_vec();
    }
}

fn pulled(agent: &Agent, image: &str, tries: u32) -> Finished {
    let options = json!({"image": image, "always-pull": true, "pull-retries": tries});
    let configuration = json!({"docker": options, "cache": "none"});
    agent.run_with("job", &configuration, "echo \"in $RUST_VMM_CI_IMAGE\"")
}

#[test]
fn a_pull_is_tried_again_where_that_may_help_and_a_pinned_image_that_is_here_will_do() {
    let Some(docker) = docker() else { return };
    let agent = Agent::new(env!("CARGO_BIN_EXE_rust-vmm-ci"), docker, &[]);
    let registry = registry();
    let name = format!("127.0.0.1:{}/small/image", registry.port);
    let (tag, pinned) = (format!("{name}:1"), format!("{name}@{}", registry.digest));

    // Docker sends two requests for each try.
    registry.refuse(&[503, 503, 429, 429]);
    let ran = pulled(&agent, &tag, 3);
    assert!(ran.status == 0 && ran.has_lines(&format!("in {tag}")), "{}", ran.output);
    assert!(ran.output.contains("again in 1 s") && ran.output.contains("again in 2 s"), "{}", ran.output);

    registry.refuse(&[429; 20]);
    let ran = pulled(&agent, &tag, 2);
    assert_eq!(ran.status, 3, "it is here, but may have changed there: {}", ran.output);
    assert!(ran.output.contains("tried 2 times") && ran.output.contains("registry-mirror"), "{}", ran.output);

    registry.refuse(&[404; 20]);
    let ran = pulled(&agent, &tag, 3);
    assert_eq!(ran.status, 3, "{}", ran.output);
    assert!(!ran.output.contains("trying again"), "it would not help: {}", ran.output);
    assert!(ran.output.contains("check `docker.image`"), "{}", ran.output);

    registry.refuse(&[]);
    assert_eq!(pulled(&agent, &pinned, 1).status, 0);
    registry.is_away.store(true, Ordering::Relaxed);
    let ran = pulled(&agent, &pinned, 1);
    assert!(ran.status == 0 && ran.has_lines(&format!("in {pinned}")), "{}", ran.output);
    assert!(ran.output.contains("pinned by its digest and here already"), "{}", ran.output);
    assert_eq!(pulled(&agent, &tag, 1).status, 3, "what a tag names may have changed");
    registry.is_away.store(false, Ordering::Relaxed);

    // Without `always-pull` an image is pulled if it is missing.
    docker.ask(&["image", "rm", "--force", &tag, &pinned]);
    registry.refuse(&[]);
    let options: Value = json!({"image": tag, "always-pull": false});
    assert_eq!(agent.run("job", &options, "true").status, 0);
    let again = agent.run("job", &options, "true");
    assert!(again.status == 0 && !again.output.contains("Pulling"), "{}", again.output);

    // The agent's policy has a mirror, and the image is one of Docker Hub.
    let policy = agent.path("policy.json");
    let text = json!({"registry-mirror": format!("127.0.0.1:{}", registry.port)});
    std::fs::write(&policy, text.to_string()).unwrap();
    let configuration = json!({"docker": {"image": "small/image:1"}});
    let mut hook = agent.hook("command", "job", &configuration, "echo \"in $RUST_VMM_CI_IMAGE\"");
    let hook = hook.env("RUST_VMM_CI_POLICY", &policy);
    let ran = agent.start(hook).finish(Duration::from_secs(60));
    assert!(ran.status == 0 && ran.has_lines(&format!("in {tag}")), "{}", ran.output);
    docker.ask(&["image", "rm", "--force", &tag]);
}
