//! The names of the options that can change what a check finds. A report has them, so that a person who repeats
//! the check learns what differs. Options that only say where, when and how long a job runs, or what it shows,
//! are left out.

use super::{CheckOptions, Config, DockerChoice};
use crate::model::FeatureMode;

/// Options of the container that change only how it comes about, and the image, which a report has by itself.
const OF_THE_ENGINE: [&str; 6] = ["always-pull", "debug", "image", "pull-retries", "run-labels", "runtime"];

impl Config {
    /// The key paths of the options that are set and can change what a check finds, in order and each once.
    pub fn mattering(&self) -> Vec<String> {
        let plain = [
            ("cache", self.cache.is_some()),
            ("features", self.features != FeatureMode::default()),
            ("merge-examples", !self.merge_examples),
            ("steps", !self.steps.is_empty()),
            ("tests", !self.tests.is_empty()),
        ];
        let mut all: Vec<String> =
            plain.iter().filter(|(_, is_set)| *is_set).map(|(name, _)| (*name).to_owned()).collect();
        all.extend(of_container("docker", &self.docker));
        for (name, options) in &self.checks {
            all.extend(options.mattering().into_iter().map(|key| format!("checks.{name}.{key}")));
        }
        all.sort();
        all.dedup();
        all
    }
}

impl CheckOptions {
    /// The keys of this check's options that can change what it finds.
    fn mattering(&self) -> Vec<String> {
        let plain = [
            ("args", !self.args.is_empty()),
            ("command", self.command.is_some()),
            ("exclude", !self.exclude.is_empty()),
            ("features", self.features.is_some()),
            ("packages", !self.packages.is_empty()),
            ("soft-fail", self.soft_fail.is_some()),
            ("working-directory", self.working_directory.is_some()),
        ];
        let plain = plain.iter().filter(|(_, is_set)| *is_set).map(|(name, _)| (*name).to_owned());
        let variables = self.env.keys().map(|name| format!("env.{name}"));
        plain
            .chain(variables)
            .chain(of_container("docker", &self.docker))
            .chain(self.own.keys().cloned())
            .collect()
    }
}

/// The key paths of the container's options, or the key itself where there is no container.
fn of_container(key: &str, choice: &DockerChoice) -> Vec<String> {
    match choice {
        DockerChoice::Unset => Vec::new(),
        DockerChoice::Off => vec![key.to_owned()],
        DockerChoice::Options(options) => {
            let matter = options.keys().filter(|name| !OF_THE_ENGINE.contains(&name.as_str()));
            matter.map(|name| format!("{key}.{name}")).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn options_that_change_a_result_are_named_without_their_values() {
        let options = json!({
            "platform": "x86_64", "timeout-in-minutes": 5, "features": "all", "skip": ["doc"],
            "docker": {"image": "i:1", "always-pull": false, "environment": ["A=s3cret"]},
            "checks": {"clippy": {"args": ["--x"], "env": {"B": "s3cret"}, "agents": {"os": "linux"}},
                "commit-format": {"title": 72}},
        });
        let names = Config::parse(&options).unwrap().mattering();
        assert_eq!(
            names,
            [
                "checks.clippy.args",
                "checks.clippy.env.B",
                "checks.commit-format.title",
                "docker.environment",
                "features"
            ]
        );
        assert_eq!(Config::parse(&json!({"docker": false})).unwrap().mattering(), ["docker"]);
        assert_eq!(Config::default().mattering(), [""; 0]);
    }
}
