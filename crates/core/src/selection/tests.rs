//! Planted faults: for each way in which a change of one place breaks another, a change of that kind and the
//! crates whose steps must run. What is not in the list must not run, so that the selection is worth having.

use super::{Before, Change, Rules, Selection, select};
use crate::workspace::{Files, Link, MemoryFiles};
use std::collections::BTreeMap;
use std::io;

mod links;

/// A workspace in which crates depend on each other in every way. `x` depends on nothing.
const WORKSPACE: [(&str, &str); 46] = [
    (
        "Cargo.toml",
        "[workspace]\nresolver = \"2\"\nmembers = [\"a\", \"b\", \"c\", \"d\", \"e\", \"f\", \"g\", \"l\", \"m\", \"s\", \"t\", \"u\", \"x\"]\n\
         [workspace.package]\nedition = \"2021\"\n[workspace.dependencies]\na = { path = \"a\" }\nserde = \"1\"\nlibc = \"0.2\"\n\
         [workspace.lints.rust]\nunused = \"deny\"\n[profile.release]\nlto = true\n",
    ),
    (
        "Cargo.lock",
        "version = 4\n\
         [[package]]\nname = \"a\"\nversion = \"0.1.0\"\ndependencies = [\"log\"]\n\
         [[package]]\nname = \"b\"\nversion = \"0.1.0\"\ndependencies = [\"a\"]\n\
         [[package]]\nname = \"c\"\nversion = \"0.1.0\"\ndependencies = [\"a\"]\n\
         [[package]]\nname = \"d\"\nversion = \"0.1.0\"\ndependencies = [\"a\"]\n\
         [[package]]\nname = \"e\"\nversion = \"0.1.0\"\ndependencies = [\"a\"]\n\
         [[package]]\nname = \"f\"\nversion = \"0.1.0\"\ndependencies = [\"a\"]\n\
         [[package]]\nname = \"g\"\nversion = \"0.1.0\"\ndependencies = [\"b\"]\n\
         [[package]]\nname = \"l\"\nversion = \"0.1.0\"\n\
         [[package]]\nname = \"m\"\nversion = \"0.1.0\"\ndependencies = [\"libc 0.2.1\", \"serde\"]\n\
         [[package]]\nname = \"s\"\nversion = \"0.1.0\"\ndependencies = [\"out\"]\n\
         [[package]]\nname = \"t\"\nversion = \"0.1.0\"\ndependencies = [\"libc 0.1.1\"]\n\
         [[package]]\nname = \"out\"\nversion = \"0.1.0\"\n\
         [[package]]\nname = \"u\"\nversion = \"0.1.0\"\n\
         [[package]]\nname = \"x\"\nversion = \"0.1.0\"\n\
         [[package]]\nname = \"libc\"\nversion = \"0.1.1\"\nsource = \"r\"\n\
         [[package]]\nname = \"libc\"\nversion = \"0.2.1\"\nsource = \"r\"\n\
         [[package]]\nname = \"log\"\nversion = \"0.4.0\"\nsource = \"r\"\n\
         [[package]]\nname = \"serde\"\nversion = \"1.0.0\"\nsource = \"r\"\ndependencies = [\"serde_core\"]\n\
         [[package]]\nname = \"serde_core\"\nversion = \"1.0.0\"\nsource = \"r\"\n",
    ),
    ("a/Cargo.toml", "[package]\nname = \"a\"\nedition.workspace = true\n[dependencies]\nlog = \"0.4\"\n"),
    ("a/build.rs", "fn main() {}"),
    ("a/src/lib.rs", "pub mod args;"),
    ("a/src/args.rs", "pub struct Args;"),
    ("a/README.md", "# a"),
    ("a/.buildkite/custom-tests.json", r#"{"tests": [{"command": "pytest rust-vmm-ci/t.py"}]}"#),
    (
        "b/Cargo.toml",
        "[package]\nname = \"b\"\n[dependencies]\na = { path = \"../a\", features = [\"f\"] }\n",
    ),
    ("b/src/lib.rs", ""),
    ("b/README.md", "# b"),
    ("c/Cargo.toml", "[package]\nname = \"c\"\n[build-dependencies]\na = { path = \"../a\" }\n"),
    ("c/src/lib.rs", "#![doc = include_str!(\"../README.md\")]"),
    ("c/README.md", "# c"),
    ("c/docs/x.md", "x"),
    ("d/Cargo.toml", "[package]\nname = \"d\"\n[dev-dependencies]\na = { path = \"../a\" }\n"),
    ("d/src/lib.rs", ""),
    ("d/tests/t.rs", "#[path = \"../../u/src/extra.rs\"] mod extra;"),
    (
        "e/Cargo.toml",
        "[package]\nname = \"e\"\n[target.'cfg(windows)'.dependencies]\na = { path = \"../a\", optional = true }\n",
    ),
    ("e/src/lib.rs", ""),
    ("e/LICENSE", "text"),
    (
        "f/Cargo.toml",
        "[package]\nname = \"f\"\n[lints]\nworkspace = true\n[dependencies]\na.workspace = true\n",
    ),
    ("f/src/lib.rs", ""),
    ("g/Cargo.toml", "[package]\nname = \"g\"\n[dependencies]\nb = { path = \"../b\" }\n"),
    ("g/src/lib.rs", ""),
    ("l/Cargo.toml", "[package]\nname = \"l\"\n[lib]\npath = \"../elsewhere/l/lib.rs\"\n"),
    ("elsewhere/l/lib.rs", "mod part;"),
    ("elsewhere/l/part.rs", ""),
    (
        "m/Cargo.toml",
        "[package]\nname = \"m\"\n[dependencies]\nserde.workspace = true\nlibc.workspace = true\n",
    ),
    ("m/src/lib.rs", ""),
    (
        "s/Cargo.toml",
        "[package]\nname = \"s\"\nbuild = \"../scripts/build.rs\"\n[dependencies]\nout = { path = \"../out\" }\n",
    ),
    ("scripts/build.rs", "fn main() { println!(\"cargo:rerun-if-changed=../proto/a.proto\"); }"),
    ("proto/a.proto", ""),
    ("proto/Cargo.toml", "[package]\nname = \"proto\"\n[workspace]\n"),
    (
        "s/src/main.rs",
        "static KEY: &[u8] = include_bytes!(concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/../testdata/key\"));",
    ),
    ("testdata/key", ""),
    ("testdata/Cargo.toml", "[package]\nname = \"testdata\"\n[workspace]\n"),
    ("out/Cargo.toml", "[package]\nname = \"out\"\n[workspace]\n"),
    ("out/src/lib.rs", ""),
    ("t/Cargo.toml", "[package]\nname = \"t\"\n[dependencies]\nlibc = \"0.1\"\n"),
    ("t/tests/t.rs", "fn dir() -> PathBuf { Path::new(\"../u/data\").join(\"x.json\") }"),
    ("u/Cargo.toml", "[package]\nname = \"u\"\n"),
    ("u/src/extra.rs", "include!(\"shared.rs\");"),
    ("u/src/shared.rs", ""),
    ("u/data/x.json", "{}"),
    ("x/Cargo.toml", "[package]\nname = \"x\"\n"),
];

/// Where a link leads that leads to nothing.
const NOWHERE: &str = "";

/// Files with links, which files in memory do not have.
struct Linked<'a> {
    files: MemoryFiles,
    links: &'a [(&'a str, &'a str)],
}

impl Files for Linked<'_> {
    fn read(&self, path: &str) -> io::Result<Option<String>> {
        self.files.read(path)
    }

    fn list(&self, path: &str) -> io::Result<Vec<(String, bool)>> {
        self.files.list(path)
    }

    fn links(&self, path: &str) -> io::Result<Vec<Link>> {
        let link = |(at, to): &(&str, &str)| {
            let (folder, name) = at.rsplit_once('/')?;
            let is_folder = *to != NOWHERE && !self.files.0.contains_key(*to);
            let to = (*to != NOWHERE).then(|| (*to).to_owned());
            (folder == path).then(|| Link { name: name.into(), to, is_folder })
        };
        Ok(self.links.iter().filter_map(link).collect())
    }
}

/// The text of a file that was a link in the base.
const WAS_A_LINK: &str = "was a link";

/// What is reached when these files get these texts. `-` removes a file. An edit `old => new` replaces text.
fn selected(edits: &[(&str, &str)], links: &[(&str, &str)], rules: &Rules) -> Selection {
    let before: BTreeMap<&str, &str> = WORKSPACE.into_iter().collect();
    let mut files = MemoryFiles::of(&WORKSPACE);
    for (path, edit) in edits {
        let text = match (*edit, edit.split_once(" => ")) {
            ("-", _) => {
                files.0.remove(*path);
                continue;
            }
            (_, Some((old, new))) => {
                let text = before[path];
                assert!(text.contains(old), "{path} has no {old}");
                text.replace(old, new)
            }
            (text, None) => text.to_owned(),
        };
        files.0.insert((*path).to_owned(), text);
    }
    let change = Change {
        base: "the base".into(),
        paths: edits.iter().map(|(path, _)| (*path).to_owned()).collect(),
        tracked: files.0.keys().cloned().chain(links.iter().map(|(at, _)| (*at).to_owned())).collect(),
        links: links.iter().map(|(at, _)| (*at).to_owned()).collect(),
        submodules: vec!["rust-vmm-ci".into(), "other".into()],
    };
    let was_link = |path: &str| edits.iter().any(|(edited, text)| *edited == path && *text == WAS_A_LINK);
    let known = |path: &str| match before.get(path) {
        None if was_link(path) => Before::Text(String::new()),
        text => text.map_or(Before::Absent, |text| Before::Text((*text).into())),
    };
    select(&change, &known, &Linked { files, links }, rules).unwrap()
}

fn rules(ignore: &[&str]) -> Rules {
    let ignore: Vec<String> = ignore.iter().map(|glob| (*glob).to_owned()).collect();
    Rules::new(&ignore, true, &[".buildkite/own.json".to_owned()]).unwrap()
}

/// The crates that are reached, `all`, `whole` for steps of the whole workspace only, or `-`.
fn told(selection: &Selection) -> String {
    let crates: Vec<&str> = selection.crates.keys().map(String::as_str).collect();
    match (&selection.everything, &selection.whole) {
        (Some(_), _) => "all".into(),
        (None, _) if !crates.is_empty() => crates.join(" "),
        (None, Some(_)) => "whole".into(),
        (None, None) => "-".into(),
    }
}

/// Changes of one file: the file, its new text, what is reached.
const FAULTS: [(&str, &str, &str); 77] = [
    // The behaviour of a path dependency: of every kind, direct and indirect.
    ("a/src/lib.rs", "broken", "a b c d e f g"),
    ("a/src/args.rs", "broken", "a b c d e f g"),
    ("a/src/new.rs", "new", "a b c d e f g"),
    ("a/src/args.rs", "-", "a b c d e f g"),
    ("a/build.rs", "broken", "a b c d e f g"),
    ("a/data.bin", "new", "a b c d e f g"),
    ("a/.cargo/config.toml", "new", "a b c d e f g"),
    ("a/rust-toolchain.toml", "new", "a b c d e f g"),
    ("a/clippy.toml", "new", "a b c d e f g"),
    ("b/src/lib.rs", "broken", "b g"),
    ("g/src/lib.rs", "broken", "g"),
    ("out/src/lib.rs", "broken", "s"),
    ("x/src/lib.rs", "new", "x"),
    // A feature that a sibling switches on.
    ("a/Cargo.toml", "log = \"0.4\" => log = { version = \"0.4\", features = [\"std\"] }", "a b c d e f g"),
    ("b/Cargo.toml", "features = [\"f\"] => features = [\"f\", \"g\"]", "b g"),
    ("b/Cargo.toml", "features = [\"f\"] => default-features = false", "b g"),
    ("b/Cargo.toml", "[dependencies] => [features]\ndefault = [\"a/g\"]\n[dependencies]", "b g"),
    ("e/Cargo.toml", "optional = true => optional = false", "e"),
    ("e/Cargo.toml", "windows => unix", "e"),
    ("d/Cargo.toml", "dev-dependencies => dependencies", "d"),
    ("Cargo.toml", "a = { path = \"a\" } => a = { path = \"a\", features = [\"g\"] }", "f"),
    ("Cargo.toml", "serde = \"1\" => serde = { version = \"1\", features = [\"derive\"] }", "m"),
    // A version in the lock file.
    ("Cargo.lock", "\"log\"\nversion = \"0.4.0\" => \"log\"\nversion = \"0.4.9\"", "a b c d e f g"),
    ("Cargo.lock", "\"serde\"\nversion = \"1.0.0\" => \"serde\"\nversion = \"1.0.9\"", "m"),
    ("Cargo.lock", "\"serde_core\"\nversion = \"1.0.0\" => \"serde_core\"\nversion = \"1.0.9\"", "m"),
    ("Cargo.lock", "0.2.1 => 0.2.9", "m"),
    ("Cargo.lock", "0.1.1 => 0.1.9", "t"),
    ("Cargo.lock", "[\"libc 0.1.1\"] => [\"libc 0.2.1\"]", "t"),
    ("Cargo.lock", "\"0.4.0\"\nsource = \"r\" => \"0.4.0\"\nsource = \"git\"", "a b c d e f g"),
    (
        "Cargo.lock",
        "\"1.0.0\"\nsource = \"r\"\ndependencies => \"1.0.0\"\nsource = \"r\"\nchecksum = \"c\"\ndependencies",
        "m",
    ),
    ("Cargo.lock", "version = 4 => version = 3", "all"),
    ("Cargo.lock", "<<<<<<<", "all"),
    ("Cargo.lock", "-", "all"),
    // The root's manifest.
    ("Cargo.toml", "edition = \"2021\" => edition = \"2024\"", "a b c d e f g"),
    ("Cargo.toml", "edition = \"2021\" => edition = \"2021\"\nversion = \"2.0.0\"", "-"),
    ("Cargo.toml", "a = { path = \"a\" } => a = { path = \"a\", default-features = false }", "f"),
    (
        "Cargo.toml",
        "[profile.release] => [profile.release.package.log]\nopt-level = 0\n[profile.release]",
        "all",
    ),
    ("Cargo.toml", "unused = \"deny\" => unused = \"warn\"", "f"),
    ("Cargo.toml", "lto = true => lto = false", "all"),
    ("Cargo.toml", "resolver = \"2\" => resolver = \"3\"", "all"),
    ("Cargo.toml", "libc = \"0.2\" => libc = \"0.3\"", "m"),
    ("Cargo.toml", "[profile => # A comment.\n[profile", "-"),
    ("Cargo.toml", "[profile => [patch.r]\nserde_core = { path = \"out\" }\n[profile", "m"),
    (
        "Cargo.toml",
        "[profile => [patch.r]\nlog2 = { package = \"log\", git = \"g\" }\n[profile",
        "a b c d e f g",
    ),
    ("Cargo.toml", "[profile => [replace]\n\"libc:0.1.1\" = { git = \"g\" }\n[profile", "m t"),
    // What a build script reads outside of its crate, and the script itself.
    ("scripts/build.rs", "broken", "s"),
    ("proto/a.proto", "broken", "s"),
    ("proto/a.proto", "-", "s"),
    // What a source, a test or a manifest names in another folder.
    ("testdata/key", "broken", "s"),
    ("testdata/other", "new", "whole"),
    ("u/src/extra.rs", "broken", "d u"),
    ("u/src/shared.rs", "broken", "d u"),
    ("u/data/x.json", "broken", "t u"),
    ("u/data/new.json", "new", "t u"),
    ("elsewhere/l/lib.rs", "broken", "l"),
    ("elsewhere/l/part.rs", "broken", "l"),
    // What is for people, unless a source has it.
    ("c/README.md", "broken", "c"),
    ("c/docs/x.md", "other", "-"),
    ("a/README.md", "other", "-"),
    ("b/README.md", "-", "-"),
    ("e/LICENSE", "other", "-"),
    ("README.md", "new", "c"),
    (".github/workflows/x.yml", "new", "-"),
    ("a/.github/workflows/x.yml", "new", "-"),
    ("a/.gitmodules", "new", "-"),
    ("x/tests/fixtures/.github/workflows/ci.yml", "new", "x"),
    ("x/tests/fixtures/.gitmodules", "new", "x"),
    // What concerns every crate.
    (".cargo/config.toml", "new", "all"),
    ("rust-toolchain.toml", "new", "all"),
    ("clippy.toml", "new", "all"),
    (".buildkite/pipeline.yml", "new", "all"),
    ("Makefile", "new", "all"),
    ("other", "moved", "all"),
    // What only checks of the whole workspace see.
    ("deny.toml", "new", "whole"),
    (".buildkite/of-another-upload.json", "new", "whole"),
    ("rust-vmm-ci", "moved", "whole"),
    ("proto/unused", "new", "whole"),
];

#[test]
fn every_planted_fault_reaches_the_crates_that_it_breaks_and_no_other() {
    let mut wrong = Vec::new();
    for (path, edit, expected) in FAULTS {
        let selection = selected(&[(path, edit)], &[], &rules(&[]));
        if told(&selection) != expected {
            wrong.push(format!("{path} {edit:?}: {}, not {expected}: {selection:?}", told(&selection)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_source_that_starts_to_read_elsewhere_is_its_own_change_and_what_it_reads_is_found_from_then_on() {
    for (source, read) in [
        ("const X: &str = include_str!(\"../../u/data/x.json\");", "u/data/x.json"),
        ("include!(\"../../u/src/shared.rs\");", "u/src/shared.rs"),
        ("fn f() { std::fs::read(\"../u/data/x.json\"); }", "u/data/x.json"),
        ("fn f() { format!(\"{}/../u/data\", env!(\"CARGO_MANIFEST_DIR\")); }", "u/data/x.json"),
        ("fn f() { Path::new(env!(\"CARGO_MANIFEST_DIR\")).parent(); }", "u/data/x.json"),
        ("fn f() { Path::new(\"..\").join(\"u\"); }", "u/data/x.json"),
        ("static X: Dir = include_dir!(\"$CARGO_MANIFEST_DIR/../u/data\");", "u/data/x.json"),
        ("include_proto!(\"../proto/a.proto\");", "proto/a.proto"),
        ("fn f() { MetadataCommand::new(); }", "u/data/x.json"),
        ("const N: &str = \"LICENSE\";", "e/LICENSE"),
        ("#![doc = include_str!(\"../../a/README.md\")]", "a/README.md"),
        ("fn f() { current_dir().unwrap().parent(); }", "u/data/x.json"),
    ] {
        let edits = [("x/src/main.rs", source), (read, "changed")];
        let mut files = selected(&edits, &[], &rules(&["x/**"]));
        let cause = files.crates.remove("x").unwrap_or_default();
        assert!(cause.starts_with(read), "{source}: {cause:?}");
    }
}

#[test]
fn what_the_option_ignores_reaches_nothing() {
    let ignored = |glob: &str, path: &str| told(&selected(&[(path, "new")], &[], &rules(&[glob]))) == "-";
    assert!(ignored("x/**", "x/src/deep/lib.rs") && ignored("*.nix", "flake.nix"));
    assert!(!ignored("*.nix", "x/flake.nix") && !ignored("x/*", "x/src/lib.rs"));
}

#[test]
fn a_file_that_moves_reaches_where_it_was_and_where_it_is() {
    let moved = |edits: &[(&str, &str)]| told(&selected(edits, &[], &rules(&[])));
    assert_eq!(moved(&[("u/data/x.json", "-"), ("x/x.json", "{}")]), "t u x");
    assert_eq!(moved(&[("u/src/shared.rs", "-"), ("b/src/shared.rs", "")]), "b d g u");
}

#[test]
fn a_member_that_is_new_reaches_itself() {
    let edits = [
        ("Cargo.toml", "\"x\"] => \"x\", \"n\"]"),
        ("n/Cargo.toml", "[package]\nname = \"n\"\n"),
        ("n/src/lib.rs", ""),
    ];
    assert_eq!(told(&selected(&edits, &[], &rules(&[]))), "n");
}

#[test]
fn a_description_reaches_the_tests_that_differ_in_it() {
    let change = Change {
        paths: vec![".buildkite/own.json".into()],
        tracked: WORKSPACE.iter().map(|(path, _)| (*path).to_owned()).collect(),
        ..Change::default()
    };
    let mut files = MemoryFiles::of(&WORKSPACE);
    let text = |command: &str| {
        format!(
            r#"{{"tests": [{{"test_name": "one", "command": "x"}}, {{"test_name": "two", "command": "{command}"}}]}}"#
        )
    };
    files.0.insert(".buildkite/own.json".into(), text("new"));
    let decided = |old: String| {
        let before = |_: &str| Before::Text(old.clone());
        select(&change, &before, &files, &rules(&[])).unwrap()
    };
    let selection = decided(text("old"));
    let names: Vec<&str> = selection.tests.keys().map(|(_, name)| name.as_str()).collect();
    assert_eq!((told(&selection).as_str(), names), ("-", vec!["two"]));
    assert_eq!(told(&decided("{\"tests\": [], \"more\": 1}".into())), "all");
}

#[test]
fn a_base_that_nobody_knows_makes_everything_run() {
    let change = |path: &str| Change {
        paths: vec![path.into()],
        tracked: WORKSPACE.iter().map(|(path, _)| (*path).to_owned()).collect(),
        ..Change::default()
    };
    let files = MemoryFiles::of(&WORKSPACE);
    let unknown =
        |path: &str| told(&select(&change(path), &|_| Before::Unknown, &files, &rules(&[])).unwrap());
    assert_eq!(unknown("Cargo.lock"), "all");
    assert_eq!(unknown("Cargo.toml"), "all");
    assert_eq!(unknown("x/src/lib.rs"), "x");
}
