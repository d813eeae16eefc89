//! The settings of a check's step. They come from the defaults, the check's description, the predecessor's
//! variables and the options, in this order. A later value replaces an earlier one, unless a function here
//! says otherwise.

use super::item::{Item, Kind};
use super::{StepSettings, Traced, TracedMap};
use crate::buildkite::{STEP_OPTIONS, plugin_list};
use crate::checks::{self, shard};
use crate::config::{Config, DockerChoice};
use crate::model::{Origin, Os, Platform, pinned_image};
use crate::predecessor::Variables;
use serde_json::{Map, Value};

/// The predecessor's time limit in minutes.
const TIMEOUT: u32 = 15;

/// The attributes that are not passed on unchanged, because other functions here create them.
const SETTLED: [&str; 3] = ["label", "agents", "plugins"];

/// The option that gives the steps the attribute `image`.
pub const AS_IMAGE: &str = "docker.as";

/// The settings of the steps of an item on a platform.
pub fn settle(
    item: &Item<'_>,
    platform: Option<Platform>,
    os: Os,
    config: &Config,
    variables: &Variables,
) -> StepSettings {
    let from = Sources { item, platform, os, config, variables, path: format!("checks.{}", item.name()) };
    StepSettings {
        source: item.origin(""),
        command: from.command(),
        agents: from.agents(),
        docker: from.docker(),
        timeout: from.timeout(),
        attributes: from.attributes(),
        plugins: item.test.attributes.get("plugins").map(plugin_list).unwrap_or_default(),
        overrides: Vec::new(),
        check: None,
    }
}

struct Sources<'a> {
    item: &'a Item<'a>,
    platform: Option<Platform>,
    os: Os,
    config: &'a Config,
    variables: &'a Variables,
    path: String,
}

impl Sources<'_> {
    fn option(&self, key: &str) -> Origin {
        Origin::Option(format!("{}.{key}", self.path))
    }

    fn command(&self) -> Origin {
        match self.config.checks.get(self.item.name()) {
            Some(check) if check.command.is_some() => self.option("command"),
            _ => self.item.origin("command"),
        }
    }

    fn agents(&self) -> TracedMap {
        let mut tags = TracedMap::default();
        let check = self.config.checks.get(self.item.name());
        if let Some(agents) = check.and_then(|check| check.agents.as_ref()) {
            tags.lay_over(agents, |tag| self.option(&format!("agents.{tag}")));
            return tags;
        }
        if let Some(Value::Object(agents)) = self.item.test.attributes.get("agents") {
            // A check for several platforms has a step for each. The step needs an agent with its platform,
            // whatever other tags it has.
            if let (false, Some(platform)) = (agents.contains_key("platform"), self.platform) {
                tags.set("platform", self.agent_platform(platform), Origin::Default);
            }
            tags.lay_over(agents, |tag| self.item.origin(&format!("agents.{tag}")));
            return tags;
        }
        let emulated = self.platform.is_some_and(Platform::is_emulated);
        match (&self.config.agents, self.variable_agents()) {
            (Some(agents), _) => tags.lay_over(agents, |tag| Origin::Option(format!("agents.{tag}"))),
            (None, Some((name, agents))) => {
                tags.lay_over(agents, |_| Origin::Variable(name));
                return tags;
            }
            (None, None) => self.default_agents(&mut tags),
        }
        match (&self.item.test.hypervisor, &self.config.hypervisor) {
            _ if emulated || self.os == Os::Windows => {}
            (Some(own), _) => tags.set("hypervisor", own.as_str(), self.item.origin("hypervisor")),
            (None, Some(option)) => {
                tags.set("hypervisor", option.as_str(), Origin::Option("hypervisor".into()));
            }
            (None, None) => {}
        }
        if let Some(queue) = &self.item.test.queue {
            tags.set("queue", queue.as_str(), self.item.origin("queue"));
        }
        tags
    }

    fn default_agents(&self, tags: &mut TracedMap) {
        tags.set("os", self.os.as_str(), Origin::Default);
        match self.platform {
            Some(platform) => tags.set("platform", self.agent_platform(platform), Origin::Default),
            // All Windows agents are x86-64 (the predecessor's list of 2020).
            None if self.os == Os::Windows => {
                tags.set("platform", Platform::X86_64.as_str(), Origin::Default);
            }
            None => {}
        }
        if self.os == Os::Windows || self.platform.is_some_and(Platform::is_emulated) {
            return;
        }
        match &self.variables.hypervisor {
            Some(name) if name.is_empty() => {}
            Some(name) => {
                tags.set("hypervisor", name.as_str(), Origin::Variable("DEFAULT_AGENT_TAG_HYPERVISOR"));
            }
            None => tags.set("hypervisor", "kvm", Origin::Default),
        }
    }

    fn agent_platform(&self, platform: Platform) -> &'static str {
        if self.os == Os::Windows { platform.as_str() } else { platform.agent_tag() }
    }

    /// The agent tags from a variable. They are for Linux steps only. As in the predecessor, the variable for
    /// x86-64 also applies to riscv64, whose steps run on the same machines.
    fn variable_agents(&self) -> Option<(&'static str, &Map<String, Value>)> {
        if self.os != Os::Linux {
            return None;
        }
        let platform = self.platform?;
        let (name, selected) = if platform.agent_tag() == Platform::X86_64.agent_tag() {
            ("X86_LINUX_AGENT_TAGS", &self.variables.x86_agents)
        } else {
            ("AARCH64_LINUX_AGENT_TAGS", &self.variables.aarch64_agents)
        };
        let selected = selected.as_ref().filter(|selected| selected.is_for(self.item.name()))?;
        Some((name, &selected.config))
    }

    fn docker(&self) -> Option<TracedMap> {
        let emulated = self.platform.is_some_and(Platform::is_emulated);
        let check =
            self.config.checks.get(self.item.name()).map_or(&DockerChoice::Unset, |check| &check.docker);
        let used = match (check, &self.config.docker) {
            // The emulator is in the image. Without the image, the step would check the host's platform.
            _ if emulated => true,
            (DockerChoice::Off, _) | (DockerChoice::Unset, DockerChoice::Off) => false,
            (DockerChoice::Unset, DockerChoice::Unset) => self.os == Os::Linux,
            _ => true,
        };
        if !used {
            return None;
        }
        let mut options = TracedMap::default();
        if self.os == Os::Linux {
            options.set("image", pinned_image(self.platform), Origin::Default);
            options.set("always-pull", true, Origin::Default);
            options.lay_over(&self.item.test.docker, |key| self.item.origin(&format!("docker_plugin.{key}")));
            if let Some(selected) =
                self.variables.docker.as_ref().filter(|docker| docker.is_for(self.item.name()))
            {
                options.lay_over(&selected.config, |_| Origin::Variable("DOCKER_PLUGIN_CONFIG"));
            }
        }
        let image = options.get("image").cloned();
        if let DockerChoice::Options(map) = &self.config.docker {
            options.lay_over(map, |key| Origin::Option(format!("docker.{key}")));
        }
        // The image that the option sets for all steps has no emulator.
        if let (true, Some(image)) = (emulated, image) {
            options.set("image", image.value, image.origin);
        }
        if let DockerChoice::Options(map) = check {
            options.lay_over(map, |key| self.option(&format!("docker.{key}")));
        }
        Some(options)
    }

    fn timeout(&self) -> Traced<Value> {
        let name = self.item.name();
        let check = self.config.checks.get(name).and_then(|check| check.timeout_in_minutes);
        if let Some(minutes) = check {
            return Traced::new(minutes, self.option("timeout-in-minutes"));
        }
        if let (Kind::Step, Some(minutes)) = (self.item.kind, &self.item.test.timeout) {
            return Traced::new(minutes.clone(), self.item.origin("timeout_in_minutes"));
        }
        if let Some(minutes) = self.config.timeout_in_minutes {
            return Traced::new(minutes, Origin::Option("timeout-in-minutes".into()));
        }
        if let Some(minutes) = self.variables.timeouts.get(name) {
            return Traced::new(*minutes, Origin::Variable("TIMEOUTS_MIN"));
        }
        match &self.item.test.timeout {
            Some(minutes) => Traced::new(minutes.clone(), self.item.origin("timeout_in_minutes")),
            None => Traced::new(TIMEOUT, Origin::Default),
        }
    }

    fn attributes(&self) -> TracedMap {
        let mut attributes = TracedMap::default();
        for option in STEP_OPTIONS {
            let given = self.config.step_options.get(option.name).cloned();
            let origin = if given.is_some() { Origin::Option(option.name.into()) } else { Origin::Default };
            if let Some(value) = given.or_else(|| Some(option.default?())) {
                attributes.set(option.attribute, value, origin);
            }
        }
        for (key, value) in &self.item.test.attributes {
            if !SETTLED.contains(&key.as_str()) {
                attributes.set(key, value.clone(), self.item.origin(key));
            }
        }
        let check = self.config.checks.get(self.item.name());
        if let (Os::Windows, Some(check)) = (self.os, check.filter(|_| self.item.kind != Kind::Standard)) {
            // On Linux, the text of the command sets the variables. On Windows, `cmd` cannot quote every
            // value.
            let own = attributes.remove("env").and_then(|env| env.value.as_object().cloned());
            let mut env = own.unwrap_or_default();
            env.extend(check.env.iter().map(|(name, value)| (name.clone(), value.as_str().into())));
            if !env.is_empty() {
                attributes.set("env", env, self.option("env"));
            }
        }
        let divided = check.and_then(|check| shard::parallelism(&check.own));
        // The step of an emulated platform is a plain cargo command. If it had several jobs, each would run
        // every test.
        let emulated = self.platform.is_some_and(Platform::is_emulated);
        if let (Some(jobs), Kind::Standard, false) = (divided, self.item.kind, emulated) {
            attributes.set(shard::OPTION, jobs, self.option(shard::OPTION));
        }
        // Kubernetes starts the job in the image that this attribute names. An image with an emulator does
        // not run there.
        if let (Some(docker), false) = (self.docker(), emulated)
            && docker.get("as").is_some()
            && let Some(image) = docker.get("image")
        {
            attributes.set("image", image.value.clone(), Origin::Option(AS_IMAGE.into()));
        }
        match check.and_then(|check| check.soft_fail) {
            Some(true) => attributes.set("soft_fail", true, self.option("soft-fail")),
            Some(false) => {
                attributes.remove("soft_fail");
            }
            None => {
                // A step of the repository that has the name of a check is not that check.
                let known = checks::find(self.item.name()).filter(|_| self.item.kind == Kind::Standard);
                if known.is_some_and(|known| known.advisory) {
                    attributes.set("soft_fail", true, Origin::Default);
                }
            }
        }
        attributes
    }
}
