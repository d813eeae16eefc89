//! Links: what leads through them is reached as what they lead to.

use super::*;
use crate::selection::links::Links;
use crate::selection::paths::Changed;
use std::sync::Mutex;

#[test]
fn a_link_reaches_as_far_as_what_it_leads_to() {
    for (link, to) in
        [("x/src/deep/l.rs", "u/src/shared.rs"), ("x/data", "u/data"), ("x/tests/k", "testdata/key")]
    {
        let changed = if to == "u/data" { "u/data/x.json" } else { to };
        let selection = selected(&[(changed, "changed")], &[(link, to)], &rules(&[]));
        assert!(selection.crates.contains_key("x"), "{link}: {selection:?}");
    }
}

#[test]
fn a_licence_that_a_crate_links_to_names_nothing() {
    let links = [("x/LICENSE", "e/LICENSE")];
    let edits = [("e/LICENSE", "includes everything, mod x;"), ("g/src/lib.rs", "new")];
    assert_eq!(told(&selected(&edits, &links, &rules(&["e/**"]))), "g");
}

#[test]
fn a_source_that_names_a_link_reaches_what_the_link_leads_to() {
    let links = [("u/key", "testdata/key"), ("u/all", "testdata")];
    for named in ["u/key", "u/all/key"] {
        let source = format!("const KEY: &str = include_str!(\"../../{named}\");");
        let edits = [("x/src/lib.rs", source.as_str()), ("testdata/key", "changed")];
        assert_eq!(told(&selected(&edits, &links, &rules(&["x/**"]))), "s u x", "{named}");
    }
}

#[test]
fn a_link_that_others_may_lead_through_reaches_everything() {
    let reached = |changed: &str, text: &str, to: &str| {
        let links = [("x/one", "testdata/key"), ("u/two", to)];
        told(&selected(&[(changed, text)], &links, &rules(&[])))
    };
    assert_eq!(reached("u/two", WAS_A_LINK, "testdata/key"), "all");
    assert_eq!(reached("u/two", "new", "testdata"), "all");
    // A new link to a file is the end of every way through it: of the link `x/one` too.
    assert_eq!(reached("u/two", "new", "testdata/key"), "u x");
    assert_eq!(reached("u/two", "new", "proto/a.proto"), "u");
}

#[test]
fn a_new_link_to_a_licence_reaches_nothing() {
    let links = [("x/LICENSE", "e/LICENSE"), ("u/LICENSE", "e/LICENSE")];
    assert_eq!(told(&selected(&[("u/LICENSE", "new")], &links, &rules(&[]))), "-");
}

#[test]
fn a_link_that_leads_nowhere_any_more_may_have_led_to_what_is_gone() {
    let without = [("x/key", NOWHERE)];
    assert_eq!(told(&selected(&[("testdata/key", "-")], &without, &rules(&[]))), "s x");
    assert_eq!(told(&selected(&[("testdata/key", "changed")], &without, &rules(&[]))), "s");
}

#[test]
fn a_folder_is_listed_once_however_many_links_it_has() {
    struct Counted(Mutex<Vec<String>>);
    impl Files for Counted {
        fn read(&self, _: &str) -> io::Result<Option<String>> {
            Ok(None)
        }

        fn list(&self, _: &str) -> io::Result<Vec<(String, bool)>> {
            Ok(Vec::new())
        }

        fn links(&self, path: &str) -> io::Result<Vec<Link>> {
            self.0.lock().unwrap().push(path.to_owned());
            let link = |name: &str| Link { name: name.into(), to: Some("to".into()), is_folder: false };
            Ok(["1", "2"].map(link).into())
        }
    }
    let files = Counted(Mutex::default());
    let paths = ["a/1", "a/2", "b/1", "a/gone"].map(str::to_owned);
    let links = Links::read(&paths, &files);
    assert_eq!(files.0.into_inner().unwrap(), ["a", "b"]);
    assert!(links.may_lead_on("a/gone", &|_| Before::Absent));
    let changed = Changed::new(["a/1", "a/2"]);
    let through = [("a/1", "a/2"), ("a/2", "a/1"), ("b/1", "a/1")];
    assert_eq!(links.to_changed(&changed, None), through);
}
