//! What Buildkite answers to each request of an agent (its REST interface, version 3).

use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::build::{Annotation, Artifact, Build, Promise, Refusal, StepUpdate};
use super::job::Phase;
use crate::new_id;
use std::time::Instant;

/// Buildkite's limits on an annotation. (The agent itself refuses a larger body, but sends parts
/// that add up to one.)
const ANNOTATION_BYTES: usize = 1024 * 1024;
const CONTEXT_CHARACTERS: usize = 100;

/// A request as far as it matters here.
pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: String,
    /// What follows the path's question mark.
    pub(super) query: String,
    pub(super) body: Vec<u8>,
}

/// An answer: a status, headers, a body in JSON.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Value,
    /// The bytes of a file, in place of the JSON.
    pub(super) file: Option<Vec<u8>>,
}

impl Answer {
    fn ok(body: Value) -> Self {
        Self { status: 200, headers: Vec::new(), body, file: None }
    }

    fn done() -> Self {
        Self::ok(json!({}))
    }

    fn refused(status: u16, message: &str) -> Self {
        Self { status, headers: Vec::new(), body: json!({ "message": message }), file: None }
    }

    fn with(mut self, status: u16, headers: Vec<(&'static str, String)>) -> Self {
        self.status = status;
        self.headers = headers;
        self
    }
}

/// Answers one request. `address` is where this server is.
pub(super) fn answer(build: &mut Build, request: &Request, address: &str) -> Answer {
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let path: Vec<_> = request.path.trim_matches('/').split('/').collect();
    let known = match (request.method.as_str(), path.as_slice()) {
        ("POST", ["v3", "register"]) => Some(registration(&body)),
        ("POST", ["v3", "connect" | "disconnect" | "stop" | "heartbeat"]) => Some(Answer::done()),
        ("GET", ["v3", "ping"]) => Some(Answer::ok(match build.next_job() {
            Some(job) => json!({ "job": { "id": job.id, "state": "assigned" } }),
            None => json!({}),
        })),
        (method, ["v3", "jobs", job, rest @ ..]) => of_job(build, method, job, rest, &body, request, address),
        ("POST", ["v3", "builds", _, "data", what]) => meta_data(build, what, &body),
        ("GET", ["v3", "builds", _, "artifacts", "search"]) => Some(search(build, &request.query, address)),
        ("GET", ["artifacts", id]) => build
            .artifacts
            .iter()
            .find(|artifact| artifact.id == *id)
            .map(|found| Answer { file: Some(found.bytes.clone().unwrap_or_default()), ..Answer::done() }),
        ("PUT", ["v3", "steps", step]) => Some(update_step(build, step, &body)),
        ("PUT", ["artifacts", id]) => store(build, id, &request.body),
        _ => None,
    };
    known.unwrap_or_else(|| {
        build.unanswered.push(format!("{} {}", request.method, request.path));
        Answer::refused(404, "the loopback does not know this")
    })
}

fn of_job(
    build: &mut Build,
    method: &str,
    job: &str,
    rest: &[&str],
    body: &Value,
    request: &Request,
    address: &str,
) -> Option<Answer> {
    match (method, rest) {
        ("GET", []) => build.job_mut(job).map(|job| {
            let is_cancelled = job.phase == Phase::Cancelling;
            Answer::ok(json!({ "state": if is_cancelled { "canceling" } else { "running" } }))
        }),
        ("PUT", ["accept"]) => build.job_mut(job).map(|job| {
            let mut accepted = json!({
                "id": job.id, "state": "accepted", "env": job.env,
                "chunks_interval_seconds": 1, "chunks_max_size_bytes": 1_000_000,
            });
            // The agent holds the job against a signed step.
            if job.step.get("signature").is_some() {
                accepted["step"] = job.signed.clone();
            }
            if let Some(value) = &job.permutation {
                // The dimension without a name (`api.Job` of the agent).
                accepted["matrix_permutation"] = json!({ "": value });
            }
            Answer::ok(accepted)
        }),
        ("PUT", ["start" | "artifacts"]) | ("POST", ["header_times"]) => Some(Answer::done()),
        ("PUT", ["finish"]) => build.job_mut(job).map(|job| {
            job.phase = Phase::Finished;
            job.ended = Some(Instant::now());
            job.exit_status = body["exit_status"].as_str().and_then(|status| status.parse().ok());
            Answer::done()
        }),
        ("POST", ["chunks"]) => build.job_mut(job).map(|job| {
            let mut parameters = request.query.split('&');
            let offset = parameters.find_map(|p| p.strip_prefix("offset=")?.parse().ok());
            match job.take_log(&request.body, offset.unwrap_or_default()) {
                Ok(()) => Answer::done(),
                Err(error) => Answer::refused(422, &error.to_string()),
            }
        }),
        ("POST", ["pipelines"]) => Some(upload(build, job, body, address)),
        ("GET", ["pipelines", id]) => build.verdicts.get(*id).map(|verdict| {
            Answer::ok(match verdict {
                Ok(()) => json!({ "state": "applied" }),
                Err(why) => json!({ "state": "rejected", "message": why }),
            })
        }),
        ("POST", ["annotations"]) => Some(annotate(build, job, body)),
        ("DELETE", ["annotations", context]) => {
            let context = percent_decode_str(context).decode_utf8_lossy();
            build.annotations.retain(|annotation| annotation.context != context);
            Some(Answer::done())
        }
        ("POST", ["artifacts"]) => Some(expect_artifacts(build, job, body, address)),
        ("POST", ["data", what]) => meta_data(build, what, body),
        ("PUT", ["promise_failure"]) => Some(promise(build, job, body)),
        _ => None,
    }
}

fn registration(agent: &Value) -> Answer {
    // A second is the shortest interval that the agent knows.
    Answer::ok(json!({
        "id": "22222222-0000-4000-8000-000000000000", "name": agent["name"],
        "access_token": "of-the-session", "ping_interval": 1, "job_status_interval": 1,
        "heartbeat_interval": 60,
    }))
}

fn upload(build: &mut Build, job: &str, body: &Value, address: &str) -> Answer {
    let id = body["uuid"].as_str().unwrap_or_default().to_owned();
    let pipeline = &body["pipeline"];
    build.uploads.push(pipeline.clone());
    let refusal = build.refusals.pop_front();
    if let Some(Refusal::Status(status)) = refusal {
        return Answer::refused(status, "refused, as the test wants it");
    }
    if !build.verdicts.contains_key(&id) {
        let verdict = match refusal {
            Some(Refusal::Rejected(why)) => Err(why),
            _ => build.insert(pipeline, Some(job)),
        };
        build.verdicts.insert(id.clone(), verdict);
    }
    let location = format!("{address}/v3/jobs/{job}/pipelines/{id}");
    let headers = vec![("Location", location), ("Retry-After", "0".to_owned())];
    Answer::done().with(202, headers)
}

fn annotate(build: &mut Build, job: &str, body: &Value) -> Answer {
    let field = |key: &str, default: &str| body[key].as_str().unwrap_or(default).to_owned();
    let mut new = Annotation {
        job: job.to_owned(),
        scope: field("scope", "build"),
        context: field("context", "default"),
        style: field("style", ""),
        body: field("body", ""),
    };
    let of_job = new.scope == "job";
    let old = build
        .annotations
        .iter_mut()
        .find(|old| (&old.scope, &old.context) == (&new.scope, &new.context) && (!of_job || old.job == job));
    if let (Some(old), Some(true)) = (&old, body["append"].as_bool()) {
        new.body.insert_str(0, &old.body);
    }
    if new.body.len() > ANNOTATION_BYTES || new.context.chars().count() > CONTEXT_CHARACTERS {
        return Answer::refused(422, "the annotation is too large");
    }
    match old {
        Some(old) => *old = new,
        None => build.annotations.push(new),
    }
    Answer::done()
}

/// Files are asked for one by one, as the single part of an upload in parts: then they come as
/// they are, and not wrapped in a form.
fn expect_artifacts(build: &mut Build, job: &str, body: &Value, address: &str) -> Answer {
    let mut ids = Vec::new();
    let mut instructions = serde_json::Map::new();
    for file in body["artifacts"].as_array().into_iter().flatten() {
        let id = new_id();
        let url = format!("{address}/artifacts/{id}");
        let action = json!({ "method": "PUT", "url": url, "part_number": 1 });
        instructions.insert(id.clone(), json!({ "actions": [action] }));
        ids.push(id.clone());
        let path = file["path"].as_str().unwrap_or_default().to_owned();
        build.artifacts.push(Artifact { job: job.to_owned(), path, bytes: None, id });
    }
    Answer::ok(json!({
        "id": body["id"], "artifact_ids": ids, "per_artifact_instructions": instructions,
    }))
}

/// The files whose paths match the pattern of a search: a text with one `*`.
fn search(build: &Build, query: &str, address: &str) -> Answer {
    let pattern = query.split('&').find_map(|part| part.strip_prefix("query=")).unwrap_or_default();
    let pattern = percent_decode_str(pattern).decode_utf8_lossy();
    let (begin, end) = pattern.split_once('*').unwrap_or((&pattern, ""));
    let found = build.artifacts.iter().filter(|artifact| {
        artifact.bytes.is_some() && artifact.path.starts_with(begin) && artifact.path.ends_with(end)
    });
    let found = found.map(|artifact| {
        json!({
            "id": artifact.id, "path": artifact.path, "absolute_path": artifact.path, "job_id": artifact.job,
            "file_size": artifact.bytes.as_ref().map_or(0, Vec::len), "state": "finished",
            "url": format!("{address}/artifacts/{}", artifact.id),
        })
    });
    Answer::ok(found.collect())
}

/// Takes the promise of a running job. A second promise with another status is refused.
fn promise(build: &mut Build, job: &str, body: &Value) -> Answer {
    let is_running = build.jobs.iter().all(|known| known.id != job || known.phase == Phase::Running);
    let status = body["exit_status"].as_i64().unwrap_or_default();
    let others = build.promises.iter().filter(|known| known.job == job).any(|known| known.status != status);
    if !is_running || status == 0 {
        return Answer::refused(422, "the job is not running, or this is no failure");
    }
    if others {
        return Answer::refused(409, "another status was promised");
    }
    let reason = body["reason"].as_str().unwrap_or_default().to_owned();
    build.promises.push(Promise { job: job.to_owned(), status, reason, at: Instant::now() });
    Answer::done()
}

/// Notes what an attribute of a step was set to, or what was added to it.
fn update_step(build: &mut Build, step: &str, body: &Value) -> Answer {
    let field = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
    build.step_updates.push(StepUpdate {
        step: step.to_owned(),
        attribute: field("attribute"),
        value: field("value"),
        append: body["append"].as_bool() == Some(true),
    });
    Answer::done()
}

fn store(build: &mut Build, id: &str, bytes: &[u8]) -> Option<Answer> {
    let artifact = build.artifacts.iter_mut().find(|artifact| artifact.id == id)?;
    artifact.bytes = Some(bytes.to_owned());
    Some(Answer::done().with(200, vec![("ETag", format!("\"{id}\""))]))
}

fn meta_data(build: &mut Build, what: &str, body: &Value) -> Option<Answer> {
    let key = body["key"].as_str().unwrap_or_default();
    let value = build.meta_data.get(key);
    match (what, value) {
        ("set", _) => {
            let value = body["value"].as_str().unwrap_or_default().to_owned();
            build.meta_data.insert(key.to_owned(), value);
            Some(Answer::done())
        }
        ("get", Some(value)) => Some(Answer::ok(json!({ "key": key, "value": value }))),
        ("get", None) => Some(Answer::refused(404, "no such key")),
        ("exists", value) => Some(Answer::ok(json!({ "exists": value.is_some() }))),
        ("keys", _) => Some(Answer::ok(json!(build.meta_data.keys().collect::<Vec<_>>()))),
        _ => None,
    }
}
