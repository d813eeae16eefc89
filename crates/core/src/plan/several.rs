//! The checks of a run, from one or several configurations: a pipeline file may use the plugin in several
//! steps. People may type names in several ways.

use super::names::is_meant;
use super::{Asked, Facts, Plan, PlannedCheck, Planner};
use crate::config::Config;
use crate::model::{Os, Platform, with_our_word};
use anyhow::Result;
use std::collections::HashSet;

/// A configuration, and the facts that were read for it.
type Part<'a> = (&'a Config, &'a Facts);

/// The checks to run here, from all configurations together. They are the ones that somebody asked for, else
/// all that the configurations have for the platform. If two checks have the same label, the first one is
/// used.
///
/// A name may be a check's name, a step's label, the beginning of one, or a pattern with `*` and `?`.
///
/// # Errors
/// Exit 2 for an unknown name, and for a check of another platform or system. The error says what to do.
pub fn for_run(parts: &[Part<'_>], platform: Platform, os: Os, asked: &Asked) -> Result<Plan> {
    let run = Run { parts, platform, os, asked };
    let mut plan = Plan { checks: Vec::new(), notes: Vec::new() };
    if asked.names.is_empty() {
        for part in parts {
            run.take(*part, Vec::new(), &mut plan)?;
        }
    } else {
        for (part, names) in parts.iter().zip(run.names_by_part()?) {
            if !names.is_empty() {
                run.take(*part, names, &mut plan)?;
            }
        }
        run.refuse_unplanned(&plan)?;
    }
    let mut seen = HashSet::new();
    plan.checks.retain(|check| seen.insert(check.label.clone()));
    let mut seen = HashSet::new();
    plan.notes.retain(|note| seen.insert(note.clone()));
    Ok(plan)
}

struct Run<'a> {
    parts: &'a [Part<'a>],
    platform: Platform,
    os: Os,
    asked: &'a Asked,
}

impl<'a> Run<'a> {
    fn planner(&self, (config, facts): Part<'a>, names: Vec<String>) -> Result<Planner<'a>> {
        let asked = Asked { names, packages: self.asked.packages.clone() };
        Planner::for_platform(config, facts, self.platform, self.os, asked)
    }

    /// Adds the checks of a configuration that have these names. Without names, adds all of them.
    fn take(&self, part: Part<'a>, names: Vec<String>, plan: &mut Plan) -> Result<()> {
        let planner = self.planner(part, names)?;
        planner.visit(&mut |check| {
            plan.checks.push(check);
            Ok(())
        })?;
        plan.notes.extend(planner.notes());
        Ok(())
    }

    /// Divides the names on the command line among the configurations. A name goes to each configuration that
    /// has planned a check for it. If there is none, it goes to the first one that knows the name, or else to
    /// the first one.
    fn names_by_part(&self) -> Result<Vec<Vec<String>>> {
        let mut wanted: Vec<Vec<String>> = vec![Vec::new(); self.parts.len()];
        for name in &self.asked.names {
            let mut known = None;
            let mut is_found = false;
            for (index, part) in self.parts.iter().enumerate() {
                let planner = self.planner(*part, Vec::new())?;
                let exact = spellings(name, self.platform, &planner);
                // If there is only one configuration, it gets every name that it knows, even if it has
                // planned no check for it.
                if let (Some(exact), 1) = (&exact, self.parts.len()) {
                    wanted[index].push(exact.clone());
                    is_found = true;
                    continue;
                }
                let mut meant = Vec::new();
                planner.visit(&mut |check| {
                    let by_name = exact.as_deref().map_or_else(
                        || is_typed(name, &check),
                        |exact| check.name.as_str() == exact || check.label.as_str() == exact,
                    );
                    if by_name {
                        meant.push(check.label.as_str().to_owned());
                    }
                    Ok(())
                })?;
                known = known.or_else(|| exact.map(|exact| (index, exact)));
                is_found |= !meant.is_empty();
                wanted[index].extend(meant);
            }
            if !is_found {
                let (index, exact) = known.unwrap_or_else(|| (0, name.clone()));
                wanted[index].push(exact);
            }
        }
        Ok(wanted)
    }

    /// Refuses a name that no check was planned for.
    fn refuse_unplanned(&self, plan: &Plan) -> Result<()> {
        let planned = |name: &str| plan.checks.iter().any(|check| is_asked(name, self.platform, check));
        let Some(name) = self.asked.names.iter().find(|name| !planned(name)) else { return Ok(()) };
        let mut first = Ok(());
        for part in self.parts {
            let known = spellings(name, self.platform, &self.planner(*part, Vec::new())?);
            let refused = self.planner(*part, vec![known.clone().unwrap_or_else(|| name.clone())])?;
            let refused = refused.refuse_unplanned(&|_| false);
            if known.is_some() {
                return refused;
            }
            first = first.and(refused);
        }
        first
    }
}

/// Whether a name on the command line means a planned check.
fn is_asked(name: &str, platform: Platform, check: &PlannedCheck) -> bool {
    let ours = with_our_word(name);
    let plain = ours.strip_suffix(&format!("-{platform}"));
    is_typed(name, check) || is_typed(&ours, check) || plain == Some(check.name.as_str())
}

/// Whether a name is the beginning of a check's name or label, or a pattern that matches one.
fn is_typed(name: &str, check: &PlannedCheck) -> bool {
    let known = [check.name.as_str(), check.label.as_str()];
    known.into_iter().any(|known| known.starts_with(name) || is_meant(name, known))
}

/// The planner's name or label that a typed name stands for. It is the same name, or the name with our word
/// for the platform (`clippy-arm64`), or the name without the platform if the check has none
/// (`style-x86_64`).
fn spellings(typed: &str, platform: Platform, planner: &Planner<'_>) -> Option<String> {
    let names = planner.names();
    let knows = |name: &str| names.contains(name) || planner.is_label(name);
    if knows(typed) {
        return Some(typed.to_owned());
    }
    let ours = with_our_word(typed);
    if knows(&ours) {
        return Some(ours);
    }
    let plain = ours.strip_suffix(&format!("-{platform}"))?;
    knows(plain).then(|| plain.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit;
    use crate::workspace::MemoryFiles;
    use serde_json::{Value, json};

    fn planned(options: &[Value], names: &[&str]) -> Result<Vec<String>> {
        let files = MemoryFiles::of(&[("Cargo.toml", "[package]\nname = \"a\"\n")]);
        let configs: Vec<Config> = options.iter().map(|options| Config::parse(options).unwrap()).collect();
        let facts: Vec<Facts> =
            configs.iter().map(|config| Facts::read(&files, &|_| None, config, false).unwrap()).collect();
        let parts: Vec<Part<'_>> = configs.iter().zip(&facts).collect();
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        let asked = Asked { names, packages: Vec::new() };
        let plan = for_run(&parts, Platform::X86_64, Os::Linux, &asked)?;
        Ok(plan.checks.iter().map(|check| check.label.as_str().to_owned()).collect())
    }

    #[test]
    fn names_are_understood_as_people_type_them() {
        let one = [json!({})];
        for (typed, expected) in [
            ("clippy", vec!["clippy-x86_64"]),
            ("clippy-amd64", vec!["clippy-x86_64"]),
            ("style-x86_64", vec!["style"]),
            ("cov", vec!["coverage-x86_64"]),
            ("unittests-gnu*", vec!["unittests-gnu-x86_64", "unittests-gnu-release-x86_64"]),
            ("build", vec!["build-gnu-x86_64", "build-musl-x86_64"]),
            ("bench", vec!["bench"]),
        ] {
            assert_eq!(planned(&one, &[typed]).unwrap(), expected, "{typed}");
        }
    }

    #[test]
    fn a_name_that_means_nothing_here_is_refused_with_why() {
        let told = |typed| {
            let error = planned(&[json!({}), json!({"standard": false})], &[typed]).unwrap_err();
            assert_eq!(exit::of(&error), exit::Exit::Usage);
            error.to_string()
        };
        assert!(told("cliippy").contains("did you mean `clippy`?"));
        assert!(told("clippy-arm64").contains("is for aarch64"), "{}", told("clippy-arm64"));
        assert!(told("nothing-*").contains("no check or step is called `nothing-*`"));
    }

    #[test]
    fn several_configurations_run_together_and_no_label_twice() {
        let extra = |label: &str| json!({"standard": false, "steps": [{"label": label, "command": "true"}]});
        let parts = [json!({"only": ["style", "doc"]}), extra("mine"), json!({"only": "style"})];
        assert_eq!(planned(&parts, &[]).unwrap(), ["style", "doc", "mine"]);
        assert_eq!(planned(&parts, &["mine"]).unwrap(), ["mine"]);
        // A name is known even if no configuration has planned a check for it.
        assert_eq!(planned(&parts, &["clippy"]).unwrap(), ["clippy-x86_64"]);
        // A configuration that has its own check of that name goes before one that only knows the name.
        let own = json!({"standard": false, "steps": [{"label": "clippy", "command": "make"}]});
        assert_eq!(planned(&[json!({"only": "style"}), own], &["clippy"]).unwrap(), ["clippy"]);
    }
}
