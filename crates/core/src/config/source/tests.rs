use super::*;

const PIPELINE: Text<'_> = Text {
    path: ".buildkite/pipeline.yml",
    text: include_str!("../../../../../tests/cases/config/pipeline.yml"),
};
const OURS: &str = "https://github.com/rust-vmm/rust-vmm-ci-buildkite-plugin#v1.0.0";

fn found(given: &Given<'_>) -> Found {
    given.find().unwrap()
}

fn refusal(given: &Given<'_>) -> String {
    let error = given.find().unwrap_err();
    assert_eq!(crate::exit::of(&error), crate::exit::Exit::Usage);
    error.to_string()
}

/// The configuration that the pipeline file has for this mode, platform and system.
fn of_the_pipeline(mode: Mode, platform: Platform, os: Os) -> Found {
    let wanted = Wanted { mode, platform: Some(platform), os: Some(os) };
    found(&Given { pipeline: Some(PIPELINE), wanted, ..Given::default() })
}

#[test]
fn without_anything_the_defaults_hold() {
    let found = found(&Given::default());
    assert_eq!((found.from.as_str(), found.reference), ("the defaults", None));
    assert!(found.config.standard);
}

#[test]
fn a_file_that_is_named_wins_over_everything_and_may_be_json_or_yaml() {
    for (path, text) in [("a.json", r#"{"skip": ["x"]}"#), ("a.yml", "skip: x"), ("a", "{skip: [x]}")] {
        let found = found(&Given {
            file: Some(Text { path, text }),
            plugin_configuration: Some("{}"),
            pipeline: Some(PIPELINE),
            ..Given::default()
        });
        assert_eq!(found.config.skip, ["x"], "{path}");
        assert_eq!(found.from, format!("--config {path}"));
    }
}

#[test]
fn a_file_that_cannot_be_read_or_is_wrong_is_named() {
    let refusal = |path, text| refusal(&Given { file: Some(Text { path, text }), ..Given::default() });
    for (path, text, says) in [
        (
            "a.yml",
            "timeout-in-minutes: 1.0e400",
            "value `1.0e400` is not a finite number at line 1, column 21",
        ),
        ("a.yml", "timeout-in-minutes: .nan", "value `.nan` is not a finite number at line 1, column 21"),
        (
            "a.yml",
            "os: linux\nos: linux",
            "duplicate mapping key `os` is not allowed here at line 2, column 1",
        ),
        ("a.json", r#"{"os": "linux", "os": "linux"}"#, "the key \"os\" stands twice at line 1 column 20"),
    ] {
        assert_eq!(refusal(path, text), format!("--config {path}: {says}"));
    }
    assert_eq!(refusal("a.json", "{"), "--config a.json: EOF while parsing an object at line 1 column 1");
    assert_eq!(
        refusal("a.yml", "os: mac"),
        "--config a.yml: os: expected one of linux, windows, got \"mac\""
    );
}

#[test]
fn the_agents_word_wins_over_the_list_and_tells_which_entry_runs() {
    let plugins = format!(r#"[{{"{OURS}": {{"os": "linux"}}}}, {{"{OURS}x": {{"skip": "doc"}}}}]"#);
    let found = found(&Given {
        plugin_configuration: Some(r#"{"skip": "doc"}"#),
        plugin_name: Some("RUST_VMM_CI"),
        plugins: Some(&plugins),
        ..Given::default()
    });
    assert_eq!(found.config.skip, ["doc"]);
    assert_eq!(found.reference, Some(format!("{OURS}x")));
}

#[test]
fn another_plugins_options_are_not_ours() {
    let plugins = format!(r#"[{{"{OURS}": {{"skip": "doc"}}}}, {{"docker#v5.3.0": {{"image": "a"}}}}]"#);
    let found = found(&Given {
        plugin_configuration: Some(r#"{"image": "a"}"#),
        plugin_name: Some("DOCKER"),
        plugins: Some(&plugins),
        ..Given::default()
    });
    assert_eq!(found.config.skip, ["doc"]);
}

#[test]
fn a_fork_by_another_name_is_known_while_it_runs() {
    let found = found(&Given {
        plugin_configuration: Some("null"),
        plugin_name: Some("OUR_CI"),
        plugins: Some(r#"["file:///srv/our-ci#v1"]"#),
        ..Given::default()
    });
    assert_eq!(found.reference.as_deref(), Some("file:///srv/our-ci#v1"));
}

#[test]
fn a_nested_null_for_which_the_agent_told_nothing_is_named() {
    let plugins = format!(
        r#"["docker#v1", {{"{OURS}": {{"os": "linux"}}}}, {{"{OURS}": {{"docker": {{"user": null}}}}}}]"#
    );
    let refusal = refusal(&Given { plugins: Some(&plugins), pipeline: Some(PIPELINE), ..Given::default() });
    assert!(
        refusal.starts_with(&format!("BUILDKITE_PLUGINS, {OURS}: docker.user: no value (null); remove")),
        "{refusal}"
    );
}

#[test]
fn without_the_agents_word_one_entry_will_do_and_several_will_not() {
    let plugins = |second: &str| format!(r#"[{{"{OURS}": {{"skip": "doc"}}}}, {{"{OURS}": {second}}}]"#);
    let same = plugins(r#"{"skip": "doc"}"#);
    let same = found(&Given { plugins: Some(&same), ..Given::default() });
    assert_eq!((same.config.skip, same.reference.as_deref()), (vec!["doc".to_owned()], Some(OURS)));
    let other = plugins(r#"{"skip": "style"}"#);
    let refusal = refusal(&Given { plugins: Some(&other), ..Given::default() });
    assert!(
        refusal.starts_with("BUILDKITE_PLUGINS: names this plugin 2 times with different options"),
        "{refusal}"
    );
}

#[test]
fn no_options_at_all_are_no_null_within_them() {
    let plugins = format!(r#"[{{"{OURS}": null}}]"#);
    for plugin_configuration in [None, Some("null"), Some("")] {
        let found = found(&Given { plugin_configuration, plugins: Some(&plugins), ..Given::default() });
        assert_eq!(found.reference.as_deref(), Some(OURS));
    }
}

#[test]
fn the_pipeline_files_entry_that_fits_best_is_taken() {
    let x86 = of_the_pipeline(Mode::Run, Platform::X86_64, Os::Linux);
    assert_eq!(x86.from, ".buildkite/pipeline.yml, step \"x86\"");
    assert_eq!(x86.config.platforms, Some(vec![Platform::X86_64]));
    let arm = of_the_pipeline(Mode::Run, Platform::Aarch64, Os::Linux);
    assert_eq!(arm.from, ".buildkite/pipeline.yml, step \"arm\"");
    let any = of_the_pipeline(Mode::Run, Platform::Riscv64, Os::Linux);
    assert_eq!(any.from, ".buildkite/pipeline.yml, step 5");
    let upload = of_the_pipeline(Mode::Upload, Platform::Riscv64, Os::Linux);
    assert_eq!(upload.from, ".buildkite/pipeline.yml, step \"upload\"");
    assert_eq!(upload.reference.as_deref(), Some("rust-vmm/rust-vmm-ci#v1.0.0"));
}

#[test]
fn of_several_that_fit_the_first_is_taken_and_it_is_said() {
    let text = "[{plugins: [{rust-vmm/rust-vmm-ci#v1: {skip: a}}, {rust-vmm/rust-vmm-ci#v1: {skip: b}}]}]";
    let found = found(&Given { pipeline: Some(Text { path: "p.yml", text }), ..Given::default() });
    assert_eq!(found.config.skip, ["a"]);
    assert_eq!(found.from, "p.yml, step 1 (the first of 2 that fit)");
}

#[test]
fn an_entry_for_another_machine_is_taken_without_its_machine() {
    let text = "- plugins: [{rust-vmm/rust-vmm-ci#v1: {platform: aarch64, os: linux, skip: doc}}]";
    let wanted = Wanted { mode: Mode::Run, platform: Some(Platform::X86_64), os: Some(Os::Linux) };
    let pipeline = Some(Text { path: "p.yml", text });
    let found = found(&Given { pipeline, wanted, ..Given::default() });
    assert_eq!(found.config.skip, ["doc"]);
    assert_eq!((found.config.platforms, found.config.os), (None, None));
}

#[test]
fn the_plugins_own_pipeline_names_it_by_a_point() {
    let pipeline = Some(Text { path: "p.yml", text: "steps: [{plugins: [{.: {skip: doc}}]}]" });
    let given = Given { pipeline, plugin_yml: Some("name: rust-vmm-ci"), ..Given::default() };
    assert_eq!(found(&given).config.skip, ["doc"]);
    let elsewhere = Given { plugin_yml: Some("name: another"), ..given };
    assert_eq!(found(&elsewhere).from, "the defaults");
}

#[test]
fn what_is_wrong_in_a_pipeline_file_is_told_with_the_step() {
    let refusal = |text| refusal(&Given { pipeline: Some(Text { path: "p.yml", text }), ..Given::default() });
    let told = refusal("steps: [{label: a, plugins: [{rust-vmm/rust-vmm-ci#v1: {os: mac}}]}]");
    assert_eq!(told, "p.yml, step \"a\": os: expected one of linux, windows, got \"mac\"");
    assert_eq!(refusal("steps: ["), "p.yml: unclosed bracket '[' at line 1, column 8");
}
