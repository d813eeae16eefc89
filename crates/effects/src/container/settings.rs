//! The options of a container and who set each: the defaults, the agent's policy, the repository, or the
//! policy again where it forces a value.

use super::options::{self, Given, OPTIONS, Use};
use anyhow::Result;
use indexmap::IndexMap;
use rust_vmm_ci_core::config::{DockerChoice, Policy};
use rust_vmm_ci_core::exit;
use rust_vmm_ci_core::model::Origin;
use rust_vmm_ci_core::options::Refusal;
use serde_json::{Map, Value};

/// The options that every uploaded step has, chosen or not.
const WRITTEN_OUT: [&str; 2] = ["image", "always-pull"];

/// An option's value and where it is from.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// The value.
    pub given: Given,
    /// Who set it.
    pub origin: Origin,
}

impl Setting {
    /// Whether the agent's policy set it.
    pub fn is_of_policy(&self) -> bool {
        matches!(self.origin, Origin::Policy(_))
    }
}

/// Every option that is set, by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    all: IndexMap<&'static str, Setting>,
    /// What a person should be told: which of the repository's options the policy overrode.
    pub notes: Vec<String>,
    /// Whether the repository's options have everything that an upload writes into a step, with the default
    /// values.
    written_out: bool,
}

impl Settings {
    /// The options of all layers, each over the one before it. There are none if the work is for the host.
    ///
    /// # Errors
    /// Exit 2 with the key path in the repository's options, exit 3 in the policy's.
    pub fn of(choice: &DockerChoice, defaults: &Map<String, Value>, policy: &Policy) -> Result<Option<Self>> {
        let forced = policy.forces("docker");
        let mut settings = Self::default();
        let options = match (choice, &policy.docker) {
            (_, DockerChoice::Off) if forced => return Ok(None),
            (DockerChoice::Unset, DockerChoice::Off) => return Ok(None),
            (DockerChoice::Off, _) if !forced => return Ok(None),
            (DockerChoice::Off, _) => {
                settings.notes.push(format!("docker: the agent's policy {} has a container", policy.file));
                None
            }
            (DockerChoice::Unset, _) => None,
            (DockerChoice::Options(options), _) => Some(options),
        };
        settings.lay(defaults, |_| Origin::Default, exit::infrastructure)?;
        let of_policy = |name: &str| Origin::Policy(format!("docker.{name}"));
        if let DockerChoice::Options(options) = &policy.docker {
            settings.lay(options, of_policy, exit::infrastructure)?;
        }
        if let Some(options) = options {
            settings.written_out = WRITTEN_OUT
                .iter()
                .all(|name| options.contains_key(*name) && options.get(*name) == defaults.get(*name));
            let options = &without_written_out(options, defaults);
            settings.lay(options, |name| Origin::Option(format!("docker.{name}")), exit::usage)?;
        }
        if let DockerChoice::Options(options) = &policy.docker {
            let mut won = Map::new();
            for (name, value) in options {
                if forced || policy.forces(&format!("docker.{name}")) {
                    settings.note_override(name, value, policy);
                    won.insert(name.clone(), value.clone());
                }
            }
            settings.lay(&won, of_policy, exit::infrastructure)?;
        }
        Ok(Some(settings))
    }

    fn lay(
        &mut self,
        options: &Map<String, Value>,
        origin: impl Fn(&str) -> Origin,
        refuse: impl Fn(Refusal) -> anyhow::Error,
    ) -> Result<()> {
        for (name, value) in options {
            let (entry, given) =
                options::read(name, value).map_err(|refusal| refuse(refusal.below("docker")))?;
            self.all.insert(entry.name, Setting { given, origin: origin(name) });
        }
        Ok(())
    }

    fn note_override(&mut self, name: &str, value: &Value, policy: &Policy) {
        let differs = self.all.get(name).is_some_and(|setting| {
            matches!(setting.origin, Origin::Option(_))
                && options::read(name, value).is_ok_and(|(_, given)| given != setting.given)
        });
        if differs {
            self.notes.push(format!("docker.{name}: the agent's policy {} says {value}", policy.file));
        }
    }

    /// Every option that is set, with where it is from, for `explain`.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Setting)> {
        self.all.iter().map(|(name, setting)| (*name, setting))
    }

    /// Whether the options are those that an upload writes into every step, with the defaults' values.
    pub fn has_written_out_defaults(&self) -> bool {
        self.written_out
    }

    /// Takes an option away.
    pub fn remove(&mut self, name: &str) {
        self.all.shift_remove(name);
    }

    /// Whether an option is `true`.
    pub fn flag(&self, name: &str) -> bool {
        self.given(name) == Some(&Given::Flag(true))
    }

    /// An option's value.
    pub fn given(&self, name: &str) -> Option<&Given> {
        self.all.get(name).map(|setting| &setting.given)
    }

    /// Who set an option's value.
    pub fn origin(&self, name: &str) -> Option<&Origin> {
        self.all.get(name).map(|setting| &setting.origin)
    }

    /// An option's text.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.given(name) {
            Some(Given::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// An option's list, empty where it is not set.
    pub fn list(&self, name: &str) -> &[String] {
        match self.given(name) {
            Some(Given::List(list)) => list,
            _ => &[],
        }
    }

    /// The options that only become flags of `docker run`. Each flag is one word with its value, so that no
    /// value is taken for a flag.
    pub fn run_flags(&self) -> Vec<String> {
        let mut words = Vec::new();
        for entry in &OPTIONS {
            let Use::Run(flag) = entry.does else { continue };
            match self.given(entry.name) {
                Some(Given::Flag(true)) => words.push(flag.to_owned()),
                Some(Given::Text(text)) => words.push(format!("{flag}={text}")),
                Some(Given::List(items)) => words.extend(items.iter().map(|item| format!("{flag}={item}"))),
                _ => {}
            }
        }
        words
    }
}

/// A repository's options without the defaults that an upload writes into its steps. Nobody chose these
/// defaults, so the policy's values win over them.
fn without_written_out(options: &Map<String, Value>, defaults: &Map<String, Value>) -> Map<String, Value> {
    let written_out = |name: &str, value| WRITTEN_OUT.contains(&name) && defaults.get(name) == Some(value);
    let own = options.iter().filter(|(name, value)| !written_out(name, value));
    own.map(|(name, value)| (name.clone(), value.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn map(value: Value) -> Map<String, Value> {
        serde_json::from_value(value).unwrap()
    }

    fn settings(choice: Value, policy: &str) -> Option<Settings> {
        let choice = DockerChoice::Options(map(choice));
        let policy = Policy::parse("p.json", policy).unwrap();
        Settings::of(&choice, &map(json!({"image": "default:1", "privileged": true})), &policy).unwrap()
    }

    #[test]
    fn a_repository_wins_over_the_policy_and_that_over_the_defaults() {
        let settings = settings(json!({"cpus": 2}), r#"{"docker": {"image": "p:1", "cpus": 1}}"#).unwrap();
        assert_eq!(settings.text("image"), Some("p:1"));
        assert_eq!(settings.text("cpus"), Some("2"));
        assert!(settings.flag("privileged"));
        let origins: Vec<_> = settings.iter().map(|(name, set)| format!("{name} {}", set.origin)).collect();
        assert_eq!(
            origins,
            ["image agent policy, docker.image", "privileged default", "cpus option docker.cpus"]
        );
    }

    #[test]
    fn a_default_that_an_upload_wrote_out_is_no_choice_of_the_repositorys() {
        let of = |image: &str| {
            let policy = r#"{"docker": {"image": "p:1", "privileged": false}}"#;
            let settings = settings(json!({"image": image, "privileged": true}), policy).unwrap();
            (settings.text("image").map(ToOwned::to_owned), settings.flag("privileged"))
        };
        assert_eq!(of("default:1"), (Some("p:1".into()), true));
        assert_eq!(of("r:1"), (Some("r:1".into()), true));
    }

    #[test]
    fn what_the_policy_forces_wins_and_the_person_is_told() {
        let policy = r#"{"docker": {"privileged": false, "image": "p:1"}, "forced": ["docker.privileged"]}"#;
        let settings = settings(json!({"privileged": true, "image": "r:1"}), policy).unwrap();
        assert!(!settings.flag("privileged"));
        assert_eq!(settings.text("image"), Some("r:1"));
        assert_eq!(settings.notes, ["docker.privileged: the agent's policy p.json says false"]);
    }

    #[test]
    fn whether_there_is_a_container_at_all() {
        let off = r#"{"docker": false}"#;
        let off_forced = r#"{"docker": false, "forced": ["docker"]}"#;
        let on_forced = r#"{"docker": {"image": "p:1"}, "forced": ["docker"]}"#;
        let options = || DockerChoice::Options(Map::new());
        let cases = [
            (DockerChoice::Unset, "{}", true),
            (DockerChoice::Off, "{}", false),
            (options(), "{}", true),
            (DockerChoice::Unset, off, false),
            (options(), off, true),
            (options(), off_forced, false),
            (DockerChoice::Off, on_forced, true),
        ];
        for (choice, policy, expected) in cases {
            let policy = Policy::parse("p.json", policy).unwrap();
            let settings = Settings::of(&choice, &Map::new(), &policy).unwrap();
            assert_eq!(settings.is_some(), expected, "{choice:?} {policy:?}");
        }
    }

    #[test]
    fn a_flag_and_its_value_are_one_word() {
        let given = json!({"devices": ["/dev/kvm", "--privileged"], "cpus": 0.5, "tty": false});
        let settings = settings(given, "{}").unwrap();
        assert_eq!(
            settings.run_flags(),
            ["--cpus=0.5", "--device=/dev/kvm", "--device=--privileged", "--privileged"]
        );
    }
}
