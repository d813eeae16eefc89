use crate::workspace::{Crates, Files, Link, MemoryFiles, Outside, Reach};
use std::collections::BTreeMap;
use std::io;

/// Files in which some folders are links. The map leads from the link to the folder.
struct Linked {
    files: MemoryFiles,
    links: BTreeMap<String, String>,
}

impl Files for Linked {
    fn read(&self, path: &str) -> io::Result<Option<String>> {
        self.files.read(&self.real(path).unwrap())
    }

    fn list(&self, path: &str) -> io::Result<Vec<(String, bool)>> {
        self.files.list(&self.real(path).unwrap())
    }

    fn links(&self, path: &str) -> io::Result<Vec<Link>> {
        let links = self.links.iter().filter(|(link, _)| super::parent(link) == path);
        let link = |(link, to): (&String, &String)| Link {
            name: link.rsplit('/').next().unwrap().to_owned(),
            to: Some(to.clone()),
            is_folder: !to.ends_with(".rs"),
        };
        Ok(links.map(link).collect())
    }

    fn real(&self, path: &str) -> Option<String> {
        let link = self.links.iter().find(|(link, _)| super::is_within(path, link));
        Some(link.map_or_else(|| path.to_owned(), |(link, to)| format!("{to}{}", &path[link.len()..])))
    }
}

fn files(files: &[(&str, &str)], links: &[(&str, &str)]) -> Linked {
    let links = links.iter().map(|(link, to)| ((*link).to_owned(), (*to).to_owned())).collect();
    Linked { files: MemoryFiles::of(files), links }
}

/// A line for each member: its name, what is outside its folder, and the folders of everything that it
/// depends on.
fn told(files: &Linked) -> Vec<String> {
    let crates = Crates::read(files).unwrap();
    let mut reach = Reach::new(&crates);
    let told = |outside: &Outside| match outside {
        Outside::Folder(folder) => format!("{folder}/**"),
        Outside::FilesIn(folder) => format!("{folder}/*"),
        Outside::File(file) => file.clone(),
    };
    crates
        .members()
        .into_iter()
        .map(|member| {
            let on = reach.dependencies(member);
            let outside = std::iter::once(&member).chain(&on).flat_map(|found| &found.outside);
            let outside: Vec<String> = outside.chain(&crates.configured).map(told).collect();
            let on: Vec<&str> = on.iter().map(|on| on.dir.as_str()).collect();
            format!("{}: {}; {}", member.name, outside.join(" "), on.join(" "))
        })
        .collect()
}

const A: &str = "[package]\nname = \"a\"\n";
const B: &str = "[package]\nname = \"b\"\n";

#[test]
fn a_member_that_is_a_link_is_found_and_its_real_folder_is_known() {
    for members in ["crates/*", "**", "crates/b\", \"crates/a"] {
        let root = format!("[workspace]\nmembers = [\"{members}\"]\nexclude = [\"vendored\"]");
        let tree = [("Cargo.toml", root.as_str()), ("crates/a/Cargo.toml", A), ("vendored/b/Cargo.toml", B)];
        let linked = files(&tree, &[("crates/b", "vendored/b")]);
        assert_eq!(told(&linked), ["a: ; ", "b: vendored/b/** crates/b; "], "{members}");
    }
    // A link above the member, and a link that leads back up.
    let tree = [("Cargo.toml", "[workspace]\nmembers = [\"**/b\"]"), ("vendored/b/Cargo.toml", B)];
    let linked = files(&tree, &[("crates", "vendored"), ("vendored/up", "")]);
    let error = Crates::read(&linked).unwrap_err().to_string();
    assert_eq!(error, "crates/b/Cargo.toml and vendored/b/Cargo.toml: two members are named `b`");
}

#[test]
fn links_in_a_crate_are_a_part_of_it() {
    let tree = [("Cargo.toml", "[workspace]\nmembers = [\"a\"]"), ("a/Cargo.toml", A)];
    let linked = files(&tree, &[("a/tests", "common/tests"), ("a/src/x.rs", "common/x.rs"), ("a/b", "a/c")]);
    assert_eq!(told(&linked), ["a: common/tests/** common/x.rs; "]);
}

#[test]
fn targets_and_build_scripts_outside_the_folder_are_known_with_the_modules_beside_them() {
    let a = format!(
        "{A}build = \"../b.rs\"\n[lib]\npath = \"../shared/x.rs\"\n[[test]]\nname = \"t\"\npath = \"tests/t.rs\""
    );
    let tree = [("Cargo.toml", "[workspace]\nmembers = [\"a\"]"), ("a/Cargo.toml", a.as_str())];
    assert_eq!(told(&files(&tree, &[])), ["a: shared/** /* b.rs shared/x.rs; "]);
    for build in ["false", "true", "[\"build.rs\", \"c.rs\"]"] {
        let a = format!("{A}build = {build}");
        let tree = [("Cargo.toml", "[workspace]\nmembers = [\"a\"]"), ("a/Cargo.toml", a.as_str())];
        assert_eq!(told(&files(&tree, &[])), ["a: ; "]);
    }
}

#[test]
fn crates_that_replace_others_are_a_part_of_every_member_and_no_members() {
    let root = "[workspace]\nmembers = [\"a\"]\n[patch.crates-io]\nitoa = { path = \"patched/itoa\" }\nout = { path = \"../out\" }\n\
                git = { git = \"https://example.org\" }\n[replace]\n\"libc:0.2.0\" = { path = \"libc\" }";
    let itoa = "[package]\nname = \"itoa\"\n[dependencies]\nhelp = { path = \"../help\" }";
    let tree = [
        ("Cargo.toml", root),
        ("a/Cargo.toml", A),
        ("patched/itoa/Cargo.toml", itoa),
        ("patched/help/Cargo.toml", "[package]\nname = \"help\""),
        ("libc/Cargo.toml", "[package]\nname = \"libc\""),
    ];
    let found = told(&files(&tree, &[]));
    assert_eq!(found, ["a: ; patched/itoa patched/help libc"]);
}

#[test]
fn folders_of_cargos_configuration_are_a_part_of_every_member() {
    let configuration = "paths = [\"over\", \"/elsewhere\"]\n[patch.crates-io]\nx = { path = \"px\" }\n\
                         [source.crates-io]\nreplace-with = \"v\"\n[source.v]\ndirectory = \"vendor\"";
    let tree = [
        ("Cargo.toml", "[workspace]\nmembers = [\"a\"]"),
        ("a/Cargo.toml", A),
        (".cargo/config.toml", configuration),
        (".cargo/config", "no toml ["),
    ];
    assert_eq!(told(&files(&tree, &[])), ["a: over/** px/** vendor/**; "]);
}

#[test]
fn the_manifest_of_another_workspace_is_a_part_of_a_crate_in_it() {
    let a = format!("{A}[dependencies]\nb = {{ path = \"../other/b\" }}");
    let tree = [
        ("Cargo.toml", "[workspace]\nmembers = [\"a\"]\nexclude = [\"other\"]"),
        ("a/Cargo.toml", &a),
        ("other/Cargo.toml", "[workspace]\nmembers = [\"b\"]"),
        ("other/b/Cargo.toml", B),
    ];
    assert_eq!(told(&files(&tree, &[])), ["a: other/Cargo.toml; other/b"]);
}
