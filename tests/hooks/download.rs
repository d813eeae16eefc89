//! The download of a released binary: from a folder, over HTTP and over HTTPS, from servers that work and
//! servers that fail in many ways.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use support::stub::Stub;

use crate::agent::{Agent, Ended, Shell, builds, wait_for};

/// A binary that is small and says who it is.
pub(crate) const BINARY: &str = "#!/bin/sh\n[ \"$1\" = --version ] && echo rust-vmm-ci 1.0.0\n";

pub(crate) fn triple() -> String {
    format!("{}-unknown-linux-gnu", std::env::consts::ARCH)
}

pub(crate) fn hash_of(file: &[u8]) -> String {
    Sha256::digest(file).iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}

/// An agent whose plugin has this file as its release, and the release's path below a mirror.
pub(crate) fn released(agent: Agent, file: &[u8]) -> (Agent, String) {
    let hash = hash_of(file);
    fs::write(
        agent.plugin().join("hooks/lib/releases"),
        format!("# A comment.\n{}  sparc64-unknown-linux-gnu\n{hash}  {}\n", "0".repeat(64), triple()),
    )
    .unwrap();
    agent.tool("curl");
    (agent, format!("v{}/rust-vmm-ci-{}", env!("CARGO_PKG_VERSION"), triple()))
}

/// A mirror that is a folder with this file in it.
pub(crate) fn folder(agent: &Agent, path: &str, file: &[u8]) -> PathBuf {
    let mirror = agent.root.join("mirror");
    let to = mirror.join(path);
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    fs::write(to, file).unwrap();
    mirror
}

#[derive(Clone, Copy)]
enum Answer {
    Whole,
    Truncated,
    Stalled,
    Redirected,
    Page,
    Missing,
}

/// A server of one file, which counts the requests for it.
struct Server {
    address: String,
    asked: Arc<AtomicUsize>,
}

impl Server {
    fn new(path: &str, file: &[u8], answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(AtomicUsize::new(0));
        let (counter, path, file) = (Arc::clone(&asked), format!("/{path}"), file.to_vec());
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (counter, path, file) = (Arc::clone(&counter), path.clone(), file.clone());
                thread::spawn(move || serve(stream.unwrap(), &path, &file, answer, &counter));
            }
        });
        Self { address, asked }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

fn serve(mut stream: TcpStream, path: &str, file: &[u8], answer: Answer, asked: &AtomicUsize) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let request = lines.next().unwrap().unwrap();
    while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
    let wanted = request.split(' ').nth(1).unwrap_or_default();
    let length = file.len();
    let ok = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    let mut send = |head: &str, body: &[u8]| {
        let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
    };
    if wanted == format!("/there{path}") {
        return send(&ok, file);
    }
    assert_eq!(wanted, path, "only the file itself is asked for");
    asked.fetch_add(1, Ordering::SeqCst);
    match answer {
        Answer::Whole => send(&ok, file),
        Answer::Truncated => send(&ok, &file[..length / 2]),
        Answer::Stalled => {
            send(&ok, &file[..length / 2]);
            thread::sleep(Duration::from_secs(600));
        }
        Answer::Redirected => {
            send(&format!("HTTP/1.1 302 Found\r\nLocation: /there{path}\r\nContent-Length: 0\r\n\r\n"), b"");
        }
        Answer::Page => {
            let page = b"<html>Sign in</html>";
            send("HTTP/1.1 200 OK\r\nContent-Length: 20\r\nConnection: close\r\n\r\n", page);
        }
        Answer::Missing => {
            send("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", b"");
        }
    }
}

#[track_caller]
fn nothing_is_left(agent: &Agent) {
    let folders = fs::read_dir(agent.store()).into_iter().flatten().map(|entry| entry.unwrap().path());
    for folder in folders.filter(|path| path.is_dir()) {
        let files: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(files.is_empty(), "{files:?}");
    }
}

#[test]
fn a_released_binary_comes_from_a_folder_without_any_program_for_networks() {
    let (agent, path) = released(Agent::new().without("flock"), BINARY.as_bytes());
    let agent = agent.without("curl");
    let cargo = agent.stub("cargo");
    let mirror = folder(&agent, &path, BINARY.as_bytes());
    let agent = agent.with("RUST_VMM_CI_MIRROR", mirror);

    agent.run("command").with(1, &["downloaded from"]);

    assert!(Stub::log_at(cargo.path()).is_empty());
    assert_eq!(fs::read_to_string(agent.the_kept()).unwrap(), BINARY);
}

#[test]
fn a_released_binary_is_downloaded_once_and_never_asked_for_again() {
    // A measure names a released binary here, which is a tenth of a debug build.
    let program = std::env::var_os("RELEASED").unwrap_or_else(|| env!("CARGO_BIN_EXE_rust-vmm-ci").into());
    let program = fs::read(program).unwrap();
    let (agent, path) = released(Agent::new(), &program);
    let server = Server::new(&path, &program, Answer::Whole);
    let agent = agent.with("RUST_VMM_CI_MIRROR", &server.address).with("BUILDKITE_COMMAND", "echo it ran");
    let agent = agent.with("BUILDKITE_PLUGIN_CONFIGURATION", r#"{"docker": false}"#).with("SHELL", "/bin/sh");
    agent.tool("sh");
    let begin = Instant::now();
    agent.run("command").with(0, &["downloaded from http://127.0.0.1", "it ran"]);

    let took = begin.elapsed();
    eprintln!("from the start of the hook to the end of the first command: {took:?}");
    agent.run("command").with(0, &["kept from an earlier job", "it ran"]);
    assert_eq!(server.asked(), 1);
}

#[test]
fn what_is_not_the_released_file_is_refused_after_three_tries_and_built() {
    for (answer, said) in [
        (Answer::Truncated, "could not be downloaded"),
        (Answer::Page, "is not the released file"),
        (Answer::Missing, "could not be downloaded"),
    ] {
        let (agent, path) = released(Agent::new(), BINARY.as_bytes());
        let server = Server::new(&path, BINARY.as_bytes(), answer);
        let agent = agent.with("RUST_VMM_CI_MIRROR", &server.address);

        agent.run("command").with(3, &[said, "try 3 of 3", "no cargo to build it with"]);

        assert_eq!(server.asked(), 3);
        nothing_is_left(&agent);
        let cargo = agent.stub("cargo");
        agent.run("command").with(0, &[said, "~~~ Building rust-vmm-ci"]);
        assert_eq!(builds(&cargo), 1);
    }
}

#[test]
fn busyboxs_wget_serves_and_what_it_is_fed_is_held_against_the_hash() {
    for (answer, status) in
        [(Answer::Whole, 1), (Answer::Redirected, 1), (Answer::Truncated, 3), (Answer::Page, 3)]
    {
        let Some(agent) = Agent::new().under(Shell::Busybox) else { return };
        let (agent, path) = released(agent, BINARY.as_bytes());
        let server = Server::new(&path, BINARY.as_bytes(), answer);
        let agent = agent.without("curl").with("RUST_VMM_CI_MIRROR", &server.address);

        agent.run("command").with(status, &[]);

        if status == 3 {
            nothing_is_left(&agent);
        }
    }
}

#[test]
fn a_server_that_stands_still_is_given_up() {
    let (agent, path) = released(Agent::new(), BINARY.as_bytes());
    let server = Server::new(&path, BINARY.as_bytes(), Answer::Stalled);
    let agent = agent.with("RUST_VMM_CI_MIRROR", &server.address);
    let cargo = agent.stub("cargo");
    let hook = agent.start("command");

    wait_for("build", || builds(&cargo) == 1);

    Ended::of(hook).with(0, &["could not be downloaded", "try 3 of 3"]);
    assert_eq!(server.asked(), 3);
}

#[test]
fn a_redirect_is_followed() {
    let (agent, path) = released(Agent::new(), BINARY.as_bytes());
    let server = Server::new(&path, BINARY.as_bytes(), Answer::Redirected);
    agent.with("RUST_VMM_CI_MIRROR", &server.address).run("command").with(1, &["downloaded from"]);
}

#[test]
fn passwords_of_a_mirror_do_not_reach_the_log() {
    for answer in [Answer::Whole, Answer::Missing] {
        let (agent, path) = released(Agent::new(), BINARY.as_bytes());
        let server = Server::new(&path, BINARY.as_bytes(), answer);
        let address = server.address.replace("http://", "http://ci:hunter2@");
        let hook = agent.with("RUST_VMM_CI_MIRROR", address).run("command");
        assert!(!hook.said.contains("hunter2") && hook.said.contains("//…@127.0.0.1"), "{}", hook.said);
    }
}

/// A server of `openssl`, in a folder, with a certificate of its own.
struct Secure {
    process: Child,
    certificate: PathBuf,
    address: String,
}

impl Secure {
    fn new(folder: &Path) -> Option<Self> {
        let Ok(openssl) = which::which("openssl") else {
            support::skip("openssl");
            return None;
        };
        let (key, certificate) = (folder.join("key.pem"), folder.join("certificate.pem"));
        let made = Command::new(&openssl)
            .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"])
            .args(["-addext", "subjectAltName=IP:127.0.0.1", "-keyout"])
            .arg(&key)
            .arg("-out")
            .arg(&certificate)
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let log = folder.join("server.log");
        // The system chooses the port, and the server says which: a port that was free before may be taken.
        let process = Command::new(openssl)
            .args(["s_server", "-WWW", "-accept", "127.0.0.1:0", "-key"])
            .arg(key)
            .arg("-cert")
            .arg(&certificate)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(fs::File::create(&log).unwrap())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut said = String::new();
        wait_for("server", || {
            said = fs::read_to_string(&log).unwrap();
            said.contains("ACCEPT ") && said.ends_with('\n')
        });
        let address = format!("https://{}", said.trim_end().rsplit(' ').next().unwrap());
        Some(Self { process, certificate, address })
    }
}

impl Drop for Secure {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn https_is_checked_with_the_certificates_that_curl_is_told_of() {
    let (agent, path) = released(Agent::new(), BINARY.as_bytes());
    let mirror = folder(&agent, &path, BINARY.as_bytes());
    let Some(server) = Secure::new(&mirror) else { return };
    let agent = agent.with("RUST_VMM_CI_MIRROR", &server.address);

    agent.run("command").with(3, &["could not be downloaded"]);
    nothing_is_left(&agent);

    let agent = agent.with("CURL_CA_BUNDLE", &server.certificate);
    agent.run("command").with(1, &["downloaded from https://127.0.0.1"]);
}

#[test]
fn without_a_release_nothing_is_asked_for() {
    let (agent, path) = released(Agent::new(), BINARY.as_bytes());
    let server = Server::new(&path, BINARY.as_bytes(), Answer::Whole);
    let agent = agent.with("RUST_VMM_CI_MIRROR", &server.address);
    fs::write(agent.plugin().join("hooks/lib/releases"), "# No release.\n").unwrap();

    agent.run("command").with(3, &["hooks/lib/releases has no binary of version"]);

    assert_eq!(server.asked(), 0);
}

#[test]
fn what_the_administrator_forbids_is_not_done() {
    for (allowed, requests, built, status) in [("never", 0, 0, 3), ("build", 0, 1, 0), ("download", 3, 0, 3)]
    {
        let (agent, path) = released(Agent::new(), BINARY.as_bytes());
        let server = Server::new(&path, BINARY.as_bytes(), Answer::Page);
        let agent = agent.with("RUST_VMM_CI_MIRROR", &server.address).with("RUST_VMM_CI_INSTALL", allowed);
        let cargo = agent.stub("cargo");

        agent.run("command").with(status, &[]);

        assert_eq!((server.asked(), builds(&cargo)), (requests, built), "{allowed}");
    }
    Agent::new()
        .with("RUST_VMM_CI_INSTALL", "sometimes")
        .run("command")
        .with(3, &["download, build or never"]);
}

#[test]
fn a_mirror_that_is_not_absolute_is_refused() {
    let (agent, _) = released(Agent::new(), BINARY.as_bytes());
    agent
        .with("RUST_VMM_CI_MIRROR", "mirror")
        .run("command")
        .with(3, &["neither an address nor an absolute folder"]);
}

fn at_once(times: usize) {
    let (agent, path) = released(Agent::new(), BINARY.as_bytes());
    let server = Server::new(&path, BINARY.as_bytes(), Answer::Whole);
    let agent = agent.with("RUST_VMM_CI_MIRROR", &server.address);
    for time in 1..=times {
        let both = [agent.start("command"), agent.start("command")].map(Ended::of);
        for hook in both {
            hook.with(1, &["the binary is"]);
        }
        assert_eq!(server.asked(), time, "one download serves both");
        fs::remove_file(agent.the_kept()).unwrap();
    }
}

#[test]
fn two_agents_at_once_download_once() {
    at_once(5);
}

#[test]
#[ignore = "a measure, in about a minute"]
fn two_agents_at_once_download_once_a_hundred_times() {
    at_once(100);
}

/// Flips a byte in each of these many places; says how many were refused.
fn flipped(places: usize) {
    let mut file = BINARY.as_bytes().to_vec();
    file.resize(1000, b'\n');
    let (agent, path) = released(Agent::new(), &file);
    let mirror = folder(&agent, &path, &file);
    let agent = agent.with("RUST_VMM_CI_MIRROR", &mirror);
    let mut refused = 0;
    for place in (0..file.len()).step_by(file.len() / places) {
        let mut bad = file.clone();
        bad[place] ^= 1 << (place % 8);
        fs::write(mirror.join(&path), bad).unwrap();
        let hook = agent.run("command");
        hook.with(3, &["is not the released file"]);
        nothing_is_left(&agent);
        refused += 1;
    }
    eprintln!("refused: {refused} of {places}");
    fs::write(mirror.join(&path), file).unwrap();
    agent.run("command").with(1, &["downloaded from"]);
    assert_eq!(fs::metadata(agent.the_kept()).unwrap().permissions().mode() & 0o777, 0o755);
}

#[test]
fn a_flipped_byte_is_refused() {
    flipped(20);
}

#[test]
#[ignore = "a measure, in some minutes"]
fn a_flipped_byte_is_refused_in_each_of_a_thousand_places() {
    flipped(1000);
}
