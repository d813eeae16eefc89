//! A job of an agent in Kubernetes. Its hooks run in the pod's container, which has the image of the step's
//! attribute `image` and no container engine. (Buildkite's documentation of agent-stack-k8s.)

use anyhow::Result;
use rust_vmm_ci_core::config::{DockerChoice, Policy};
use rust_vmm_ci_core::exit::usage;
use rust_vmm_ci_core::model::{Platform, pinned_image};
use serde_json::Value;

/// The option `docker` of a job in a pod: off, unless the agent's policy forces a container. An upload writes
/// the default image into every step. That is nobody's choice, so it is not refused.
///
/// # Errors
/// Exit 2 where the job asks for an image of its own, or for an emulated platform.
pub fn choice(docker: DockerChoice, platform: Platform, policy: &Policy) -> Result<DockerChoice> {
    if policy.forces("docker") {
        return Ok(docker);
    }
    if platform.is_emulated() {
        return Err(usage(format!(
            "docker: {platform} is emulated in a container, and a job in Kubernetes cannot start one; give its \
             steps `agents` of a machine with Docker"
        )));
    }
    let DockerChoice::Options(options) = &docker else { return Ok(DockerChoice::Off) };
    let image = options.get("image").and_then(Value::as_str);
    match image {
        Some(image) if !options.contains_key("as") && image != pinned_image(Some(platform)) => {
            Err(usage(format!(
                "docker.image: this agent runs in Kubernetes, where a job is in its image already; write `image: \
                 {image}` beside the step's `plugins`, or `docker: {{as: image, image: {image}}}` in the options \
                 of the upload"
            )))
        }
        _ => Ok(DockerChoice::Off),
    }
}
