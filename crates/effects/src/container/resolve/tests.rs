use super::*;

/// What a change of this kind gets under a policy.
fn resolved(options: Value, change: Change, privileged: bool, policy: &str) -> Result<Place> {
    let choice = match options {
        Value::Bool(false) => DockerChoice::Off,
        options => DockerChoice::Options(serde_json::from_value(options).unwrap()),
    };
    let wanted = Wanted {
        os: Os::Linux,
        platform: Platform::X86_64,
        here: Some(Platform::X86_64),
        privileged,
        cache: Some(Cache::Target),
        nested: false,
        change,
    };
    resolve(&choice, wanted, &Policy::parse("p.json", policy)?)
}

fn container(options: Value, change: Change, privileged: bool, policy: &str) -> Container {
    match resolved(options, change, privileged, policy).unwrap() {
        Place::Container(container) => *container,
        Place::Host => panic!("a container is expected"),
    }
}

fn refusal(options: Value, change: Change, privileged: bool, policy: &str) -> String {
    let error = resolved(options, change, privileged, policy).unwrap_err();
    assert_eq!(exit::of(&error), exit::Exit::Infrastructure, "{error:#}");
    error.to_string()
}

const FORKS: &str = r#"{"untrusted": "forks"}"#;
const ALL: &str = r#"{"untrusted": true}"#;

fn is_privileged(container: &Container) -> bool {
    container.flags.iter().any(|flag| flag.contains("privileged"))
}

#[test]
fn a_test_of_an_untrusted_change_is_not_privileged_and_the_log_says_so() {
    let uploaded =
        json!({"image": pinned_image(Some(Platform::X86_64)), "always-pull": true, "privileged": true});
    for options in [json!({}), uploaded] {
        for (change, policy) in [(Change::Fork, FORKS), (Change::Own, ALL), (Change::PullRequest, ALL)] {
            let container = container(options.clone(), change, true, policy);
            assert!(!is_privileged(&container) && container.read_only);
            assert!(container.settings.notes.iter().any(|note| note.contains("not privileged")));
        }
        assert!(is_privileged(&container(options.clone(), Change::PullRequest, true, FORKS)));
        assert!(is_privileged(&container(options, Change::Fork, true, "{}")));
    }
}

#[test]
fn what_an_untrusted_change_asks_for_beyond_that_is_refused_with_the_reason() {
    let cases = [
        (json!(false), "docker: ", "may not run on the host"),
        (json!({"privileged": true}), "docker.privileged: ", "may not be privileged"),
        (json!({"volumes": ["/:/host"]}), "docker.volumes: ", "something of the host's"),
        (json!({"network": "host"}), "docker.network: ", "`none` and `bridge`"),
        (json!({"environment": ["A_TOKEN"]}), "docker.environment: ", "NAME=VALUE"),
    ];
    for (options, key, why) in cases {
        for privileged in [false, true] {
            let said = refusal(options.clone(), Change::Fork, privileged, FORKS);
            assert!(said.starts_with(key) && said.contains(why) && said.contains("p.json"), "{said}");
            assert!(said.contains("a pull request from another repository"), "{said}");
        }
        assert!(resolved(options.clone(), Change::PullRequest, false, FORKS).is_ok(), "{options}");
        assert!(resolved(options, Change::Fork, false, "{}").is_ok());
    }
}

#[test]
fn the_policys_own_options_hold_but_for_what_it_promises() {
    let policy = r#"{"untrusted": "forks", "docker": {"devices": ["/dev/kvm"], "privileged": true}}"#;
    let kvm = container(json!({}), Change::Fork, true, policy);
    assert_eq!(kvm.flags, ["--device=/dev/kvm"]);
    let host = r#"{"untrusted": "forks", "docker": false}"#;
    assert!(
        refusal(
            json!({}),
            Change::Fork,
            false,
            r#"{"untrusted": "forks", "docker": false, "forced": ["docker"]}"#
        )
        .contains("host")
    );
    assert!(resolved(json!({}), Change::Fork, false, host).is_ok(), "the repository's container wins");
    let flags = r#"{"untrusted": "forks", "run-options": ["--privileged"]}"#;
    assert!(refusal(json!({}), Change::Fork, false, flags).contains("privileged"));
}

#[test]
fn only_builds_of_the_repositorys_own_branches_write_what_is_kept() {
    let read_only = |change| container(json!({}), change, false, "{}").read_only;
    assert!(!read_only(Change::Own) && read_only(Change::PullRequest) && read_only(Change::Fork));
}
