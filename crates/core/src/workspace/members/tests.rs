use super::*;
use crate::workspace::MemoryFiles;

fn package(name: &str, rest: &str) -> String {
    format!("[package]\nname = {name:?}\n{rest}")
}

/// A line for each member: its name, its folder and the folders of its path dependencies.
fn members(files: &[(&str, &str)]) -> Vec<String> {
    let crates = Crates::read(&MemoryFiles::of(files)).unwrap();
    let told = |member: &Crate| {
        let on: Vec<&str> =
            Reach::new(&crates).dependencies(member).into_iter().map(|on| on.dir.as_str()).collect();
        format!("{} {:?} {}", member.name, member.dir, on.join(",")).trim_end().to_owned()
    };
    crates.members().into_iter().map(told).collect()
}

fn refusal(files: &[(&str, &str)]) -> String {
    let error = Crates::read(&MemoryFiles::of(files)).unwrap_err();
    assert_eq!(crate::exit::of(&error), crate::exit::Exit::Usage);
    error.to_string()
}

#[test]
fn manifests_that_were_written_on_windows_are_read_as_any_other() {
    let root = "\u{feff}[workspace]\r\nmembers = ['crates\\a', \"crates/b\"]\r\n";
    let a = "\u{feff}[package]\r\nname = \"a\"\r\n[dependencies]\r\nb = { path = '..\\b' }\r\n";
    let files =
        [("Cargo.toml", root), ("crates/a/Cargo.toml", a), ("crates/b/Cargo.toml", &package("b", ""))];
    assert_eq!(members(&files), [r#"a "crates/a" crates/b"#, r#"b "crates/b""#]);
}

#[test]
fn globs_exclusions_the_root_and_implicit_members_are_cargos() {
    let root = package(
        "root",
        "[dependencies]\nfar = { path = \"far\" }\nout = { path = \"../out\" }\n[workspace]\nmembers = [\"crates/*\", \"z/\", \"./y/.\"]\nexclude = [\"crates/no\", \"far/ex\", \"y\"]",
    );
    let files = [
        ("Cargo.toml", root.as_str()),
        ("crates/b/Cargo.toml", &package("b", "")),
        ("crates/a/Cargo.toml", &package("a", "")),
        ("crates/no/Cargo.toml", "not even toml"),
        ("crates/docs/readme", ""),
        (
            "far/Cargo.toml",
            &package(
                "far",
                "[dev-dependencies]\nex.path = \"ex\"\n[build-dependencies]\nown.path = \"../own\"",
            ),
        ),
        ("far/ex/Cargo.toml", &package("ex", "")),
        ("own/Cargo.toml", &package("own", "[workspace]")),
        ("y/Cargo.toml", &package("y", "")),
        ("z/Cargo.toml", &package("z", "")),
    ];
    assert_eq!(
        members(&files),
        [
            r#"a "crates/a""#,
            r#"b "crates/b""#,
            r#"far "far" far/ex,own"#,
            r#"root "" far,far/ex,own"#,
            r#"y "y""#,
            r#"z "z""#
        ]
    );
}

#[test]
fn dependencies_of_every_kind_are_followed_through_cycles() {
    let files = [
        (
            "Cargo.toml",
            "[workspace]\nmembers = [\"a\", \"**/deep\"]\n[workspace.dependencies]\nc = { path = \"c\" }\nlibc = \"1\"",
        ),
        (
            "a/Cargo.toml",
            &package(
                "a",
                "[dependencies]\nb = { path = \"../b\", optional = true }\nlibc.workspace = true\n[target.'cfg(unix)'.dev-dependencies.c]\nworkspace = true",
            ),
        ),
        ("b/Cargo.toml", &package("b", "[dev-dependencies]\na = { path = \"../a\" }")),
        ("c/Cargo.toml", &package("c", "[build-dependencies]\nd = { path = \"../x/y/deep\" }")),
        ("x/y/deep/Cargo.toml", &package("d", "")),
    ];
    assert_eq!(
        members(&files),
        [r#"a "a" b,c,x/y/deep"#, r#"b "b" a,c,x/y/deep"#, r#"c "c" x/y/deep"#, r#"d "x/y/deep""#]
    );
}

#[test]
fn a_single_crate_is_its_own_workspace() {
    let root = package("root", "[dependencies]\na.path = \"a\"");
    assert_eq!(members(&[("Cargo.toml", &root), ("a/Cargo.toml", &package("a", ""))]), [r#"root "" a"#]);
}

#[test]
fn manifests_that_are_missing_or_wrong_are_errors_with_their_file() {
    let of = |members: &str| format!("[workspace]\nmembers = [{members}]");
    assert_eq!(refusal(&[]), "Cargo.toml: there is none in the repository's root");
    let root = of("\"a\"");
    assert_eq!(
        refusal(&[("Cargo.toml", &root)]),
        "Cargo.toml: workspace.members: \"a\": there is no a/Cargo.toml"
    );
    assert!(
        refusal(&[("Cargo.toml", &root), ("a/Cargo.toml", "[package\n")])
            .starts_with("a/Cargo.toml: TOML parse error at line 1")
    );
    assert!(
        refusal(&[("Cargo.toml", &root), ("a/Cargo.toml", "")])
            .starts_with("a/Cargo.toml: a member of the workspace without")
    );
    let a = package("a", "[dependencies]\nb.path = \"../b\"");
    assert_eq!(
        refusal(&[("Cargo.toml", &root), ("a/Cargo.toml", &a)]),
        "a/Cargo.toml: the path dependency `b`: there is no b/Cargo.toml"
    );
    let both = of("\"a\", \"b\"");
    let same = package("a", "");
    assert_eq!(
        refusal(&[("Cargo.toml", &both), ("a/Cargo.toml", &same), ("b/Cargo.toml", &same)]),
        "a/Cargo.toml and b/Cargo.toml: two members are named `a`"
    );
    let out = of("\"../a\"");
    assert!(refusal(&[("Cargo.toml", &out)]).contains("leads out of the repository"));
}

#[test]
fn a_chain_of_ten_thousand_crates_is_no_recursion() {
    let mut files = MemoryFiles::of(&[("Cargo.toml", "[workspace]\nmembers = [\"c0\"]")]);
    for index in 0..10_000 {
        let on = format!("[dependencies]\nc.path = \"../c{}\"", (index + 1) % 10_000);
        files.0.insert(format!("c{index}/Cargo.toml"), package(&format!("c{index}"), &on));
    }
    let crates = Crates::read(&files).unwrap();
    assert_eq!(Reach::new(&crates).dependencies(crates.members()[5]).len(), 9_999);
}
