//! A Buildkite on the loopback interface: it hands jobs to a real agent, takes what the agent
//! uploads, and remembers it. It knows one build, and evaluates nothing in it.

mod build;
mod job;
mod protocol;

use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};
use tiny_http::{Header, Response, Server};

pub use build::{Annotation, Artifact, Build, Promise, Refusal, StepUpdate};
pub use job::{Environment, Job, Phase, of_build};

use self::job::AGENT_NAME;
use self::protocol::{Answer, Request};
use super::eventually;
use super::process::Running;
use super::sandbox::{Repository, Sandbox};

/// An agent that asks for jobs, and ends by itself after ten minutes if nobody ends it.
const START: [&str; 10] = [
    "start",
    "--token",
    "of-the-registration",
    "--ping-mode",
    "poll-only",
    "--disconnect-after-uptime",
    "600",
    "--no-color",
    "--no-pty",
    "--no-ssh-keyscan",
];

/// The server. It ends when it is dropped, and the agents before it.
pub struct Buildkite {
    // Dropped first: an agent whose server is gone would try for a long time to disconnect.
    agent: Option<Running>,
    build: Arc<Mutex<Build>>,
    server: Arc<Server>,
    thread: Option<JoinHandle<()>>,
}

impl Buildkite {
    /// Listens, with an empty build of this repository.
    pub fn new(source: &Repository) -> Self {
        let server = Arc::new(Server::http("127.0.0.1:0").expect("a port of the loopback"));
        let build = Arc::new(Mutex::new(Build::new(source)));
        let thread = std::thread::spawn({
            let (server, build) = (Arc::clone(&server), Arc::clone(&build));
            move || serve(&server, &build)
        });
        Self { agent: None, build, server, thread: Some(thread) }
    }

    /// What the agent is given as its endpoint.
    pub fn endpoint(&self) -> String {
        format!("{}/v3", address(&self.server))
    }

    /// Adds a step to the end of the build.
    pub fn queue(&self, step: &Value) {
        let pipeline = json!({ "steps": [step] });
        lock(&self.build).insert(&pipeline, None).expect("a step that can be run here");
    }

    /// The next uploads are not taken: one request for each of these.
    pub fn refuse_uploads(&self, refusals: impl IntoIterator<Item = Refusal>) {
        lock(&self.build).refusals.extend(refusals);
    }

    /// Changes each step that is uploaded from now on, as an intruder in Buildkite could.
    pub fn change_steps(&self, change: fn(&mut Value)) {
        lock(&self.build).change = Some(change);
    }

    /// Changes the variables of each job whose step is uploaded from now on, and not the step.
    pub fn change_variables(&self, change: fn(&mut Environment)) {
        lock(&self.build).change_variables = Some(change);
    }

    /// Hands out only the next job, until [`Self::replace`]: an agent that is about to end still asks for one.
    pub fn hand_out_one(&self) {
        lock(&self.build).left = Some(1);
    }

    /// Ends the agent, and starts another one for the jobs that are left.
    pub fn replace(&mut self, agent: &Path, sandbox: &Sandbox, configure: impl FnOnce(&mut Command)) {
        self.agent = None;
        lock(&self.build).left = None;
        self.start(agent, sandbox, configure);
    }

    /// Cancels a job that is under way, which the agent learns within two seconds.
    pub fn cancel(&self, label: &str) {
        let mut build = lock(&self.build);
        let id = build.job(label).id.clone();
        if let Some(job) = build.job_mut(&id).filter(|job| job.phase == Phase::Running) {
            job.phase = Phase::Cancelling;
        }
    }

    /// Starts an agent that runs the build's jobs, one after another. What `configure` sets in
    /// its environment, its jobs have.
    pub fn start(&mut self, agent: &Path, sandbox: &Sandbox, configure: impl FnOnce(&mut Command)) {
        let configuration = sandbox.path().join("agent.cfg");
        std::fs::write(&configuration, "").expect("a configuration that says nothing");
        let mut command = sandbox.command(agent);
        command
            .args(START)
            .args(["--name", AGENT_NAME, "--endpoint", &self.endpoint()])
            .arg("--config")
            .arg(configuration);
        for folder in ["build", "plugins", "hooks", "sockets"] {
            command.arg(format!("--{folder}-path")).arg(sandbox.folder(folder));
        }
        command.env("BUILDKITE_NO_PLUGIN_VALIDATION", "false");
        // Agent v4 does not have it as an option.
        command.env("BUILDKITE_NO_ANSI_TIMESTAMPS", "true");
        configure(&mut command);
        self.agent = Some(Running::start(&mut command, sandbox.path().join("agent.log")));
    }

    /// The build as it stands.
    pub fn build(&self) -> Build {
        lock(&self.build).clone()
    }

    /// Waits until something is true of the build; fails when it is not within the limit, or
    /// will never be, because the build is over.
    pub fn wait_until(&self, limit: Duration, what: impl Fn(&Build) -> bool) -> Build {
        let build = eventually(limit, || {
            let build = lock(&self.build);
            (what(&build) || build.is_over()).then(|| build.clone())
        });
        build.filter(&what).unwrap_or_else(|| {
            let agent = self.agent.as_ref().map(Running::output).unwrap_or_default();
            panic!("not so within {limit:?}:\n{}=== the agent\n{agent}", self.build().story())
        })
    }

    /// Waits until every job has ended.
    pub fn finish(&self, limit: Duration) -> Build {
        self.wait_until(limit, Build::is_over)
    }
}

impl Drop for Buildkite {
    fn drop(&mut self) {
        self.agent = None;
        self.server.unblock();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn address(server: &Server) -> String {
    format!("http://{}", server.server_addr())
}

/// A test that fails while it reads the build must not end the server too.
fn lock(build: &Mutex<Build>) -> MutexGuard<'_, Build> {
    build.lock().unwrap_or_else(PoisonError::into_inner)
}

fn serve(server: &Server, build: &Mutex<Build>) {
    let address = address(server);
    // `unblock` ends this.
    for mut request in server.incoming_requests() {
        let mut body = Vec::new();
        if request.as_reader().read_to_end(&mut body).is_err() {
            continue;
        }
        let (path, query) = request.url().split_once('?').unwrap_or((request.url(), ""));
        let known = Request {
            method: request.method().to_string(),
            path: path.to_owned(),
            query: query.to_owned(),
            body,
        };
        let Answer { status, headers, body, file } = protocol::answer(&mut lock(build), &known, &address);
        let bytes = file.unwrap_or_else(|| body.to_string().into_bytes());
        let mut response = Response::from_data(bytes).with_status_code(status);
        for (name, value) in headers.into_iter().chain([("Content-Type", "application/json".into())]) {
            let header = Header::from_bytes(name, value).expect("a header of ours is ASCII");
            response.add_header(header);
        }
        // The process that asked may have ended meanwhile.
        let _ = request.respond(response);
    }
}
