//! Cargo's registry is kept between jobs, so a crate is downloaded only once.
#![allow(clippy::disallowed_macros, reason = "a test prints for a person")]
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

use serde_json::json;
use sha2::{Digest as _, Sha256};
use std::sync::{Arc, Mutex};
use support::docker::{Agent, docker};
use tiny_http::{Response, Server};

const MANIFEST: &str = "[package]\nname = \"sample\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\n[dependencies]\nsmall = \"1\"\n";

/// A registry on the loopback interface that has one crate, and the requests that it got.
struct Registry {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
    checksum: String,
}

/// A crate in the format of `cargo package`.
fn packed() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let inside = folder.path().join("small-1.0.0");
    std::fs::create_dir_all(inside.join("src")).unwrap();
    let manifest = "[package]\nname = \"small\"\nversion = \"1.0.0\"\nedition = \"2021\"\n";
    std::fs::write(inside.join("Cargo.toml"), manifest).unwrap();
    std::fs::write(inside.join("src/lib.rs"), "pub const SMALL: u8 = 1;\n").unwrap();
    #[allow(clippy::disallowed_methods, reason = "the rule is for src/")]
    let tar =
        std::process::Command::new("tar").arg("-C").arg(folder.path()).args(["-cz", "small-1.0.0"]).output();
    tar.unwrap().stdout
}

fn registry() -> Registry {
    let server = Server::http("127.0.0.1:0").unwrap();
    let port = server.server_addr().to_ip().unwrap().port();
    let (asked, packed) = (Arc::new(Mutex::new(Vec::new())), packed());
    let digest = Sha256::digest(&packed);
    let checksum = digest.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
    let entry = json!({"name": "small", "vers": "1.0.0", "deps": [], "features": {}, "yanked": false, "cksum": checksum});
    let noted = Arc::clone(&asked);
    #[allow(clippy::disallowed_methods, reason = "the rule is for src/")]
    std::thread::spawn(move || {
        for request in server.incoming_requests() {
            let url = request.url().to_owned();
            noted.lock().unwrap().push(url.clone());
            let answer = match url.as_str() {
                "/config.json" => json!({"dl": format!("http://127.0.0.1:{port}/dl/{{crate}}-{{version}}")})
                    .to_string()
                    .into_bytes(),
                "/sm/al/small" => entry.to_string().into_bytes(),
                "/dl/small-1.0.0" => packed.clone(),
                _ => {
                    let _ = request.respond(Response::empty(404));
                    continue;
                }
            };
            let _ = request.respond(Response::from_data(answer));
        }
    });
    Registry { port, asked, checksum }
}

#[test]
fn the_second_job_asks_the_registry_for_nothing() {
    let Some(docker) = docker() else { return };
    let registry = registry();
    let config = format!(
        "[source.crates-io]\nreplace-with = \"near\"\n[source.near]\nregistry = \"sparse+http://127.0.0.1:{}/\"\n",
        registry.port
    );
    let lock = format!(
        "version = 4\n\n[[package]]\nname = \"sample\"\nversion = \"0.1.0\"\ndependencies = [\n \"small\",\n]\n\n\
         [[package]]\nname = \"small\"\nversion = \"1.0.0\"\n\
         source = \"registry+https://github.com/rust-lang/crates.io-index\"\nchecksum = \"{}\"\n",
        registry.checksum
    );
    let library = "pub use small::SMALL;\n";
    let files = [
        ("Cargo.toml", MANIFEST),
        ("Cargo.lock", lock.as_str()),
        ("src/lib.rs", library),
        (".cargo/config.toml", config.as_str()),
    ];
    let agent = Agent::new(env!("CARGO_BIN_EXE_rust-vmm-ci"), docker, &files);
    let mut options = Agent::options();
    options["network"] = json!("host");
    // The tests are privileged by default, and not every machine allows privileged containers.
    options["privileged"] = json!(false);
    let job = |name: &str, cache: &str| {
        registry.asked.lock().unwrap().clear();
        let configuration = json!({"docker": options, "cache": cache, "only": ["clippy", "unittests-gnu"]});
        let ran = agent.run_with(name, &configuration, "");
        assert_eq!(ran.status, 0, "{}", ran.output);
        std::fs::remove_dir_all(agent.path("checkout/target")).unwrap();
        let asked = registry.asked.lock().unwrap().len();
        println!("cache: {cache}, job {name}: {asked} requests");
        asked
    };
    assert!(job("first", "registry") > 0);
    assert_eq!(job("second", "registry"), 0, "{:?}", registry.asked.lock().unwrap());
    assert!(job("third", "none") > 0);
    let told = agent.start(&mut agent.cache("list")).finish(std::time::Duration::from_secs(60)).output;
    assert!(told.contains("rust-vmm-ci-registry-") && told.contains("rust-vmm-ci-test:dev"), "{told}");
    let cleaned = agent.start(&mut agent.cache("clean")).finish(std::time::Duration::from_secs(60));
    assert!(cleaned.status == 0 && cleaned.output.starts_with("removed:"), "{}", cleaned.output);
    let told = agent.start(&mut agent.cache("list")).finish(std::time::Duration::from_secs(60)).output;
    assert_eq!(told, "nothing is kept\n");
}
