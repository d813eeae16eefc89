use super::*;

const LIBRARY: &str = "/// A.\n///\n/// ```\n/// let a = 1;\n/// ```\npub fn a() {}\n";

fn example(code: &str) -> Example {
    let source = format!(
        "#![allow(unused)]\nfn main() {{ #[allow(non_snake_case)] fn _doctest_main_src_lib_rs_3_0() {{\n{code}\n}} \
         _doctest_main_src_lib_rs_3_0() }}"
    );
    let args = ["--edition", "2021", "--extern=sample=/t/libsample.rlib", "--extern=other=/t/libother.rlib"];
    Example {
        compiler: "/rustc".into(),
        args: args.map(ToOwned::to_owned).into(),
        source,
        file: "src/lib.rs".into(),
        line: 1,
    }
}

fn documented(mark: &str, code: &str) -> String {
    format!("/// A.\n///\n/// ```{mark}\n/// {code}\n/// ```\npub fn a() {{}}\n")
}

#[test]
fn an_ordinary_example_is_merged() {
    assert!(example("let a = 1;").may_merge(LIBRARY));
    for mark in ["rust", "no_run", "should_panic", "rust,should_panic", "edition2018", "ignore-windows"] {
        assert!(example("let a = 1;").may_merge(&documented(mark, "let a = 1;")), "{mark}");
    }
}

#[test]
fn an_example_with_a_special_mark_or_an_unknown_one_is_not_merged() {
    for mark in
        ["compile_fail", "standalone_crate", "test_harness", "edition2024", "rust,compile_fail", "E0308"]
    {
        assert!(!example("let a = 1;").may_merge(&documented(mark, "let a = 1;")), "{mark}");
    }
    assert!(!example("let a = 1;").may_merge("macro_that_writes_documentation!();\n"));
    assert!(!example("let a = 1;").may_merge(&documented("", "let b = 1;")), "the mark of another example");
}

#[test]
fn an_example_that_could_tell_the_difference_is_not_merged() {
    for code in [
        "module_path!();",
        "let f = file !();",
        "std::line!();",
        "column!();",
        "std::env::current_exe();",
        "include!(\"a.rs\");",
        "include_str!(\"a\");",
        "include_bytes!(\"a\");",
        "#![feature(x)]",
        "#[macro_use] extern crate sample;",
        "#[macro_export] macro_rules! m { () => {} }",
        "#[no_mangle] fn f() {}",
        "#[unsafe(no_mangle)] fn f() {}",
        "#[unsafe(link_section = \"a\")] static A: u8 = 1;",
        "#[link(name = \"z\")] unsafe {}",
        "#[used] static A: u8 = 1;",
        "#[path = \"a.rs\"] mod a;",
        "#[cfg_attr(all(), path = \"a.rs\")] mod a;",
        "extern \"C\" { fn f(); }",
        "extern { fn f(); }",
        "#[global_allocator] static A: std::alloc::System = std::alloc::System;",
        "core::arch::global_asm!(\"nop\");",
        "use crate::m;",
        "mod inner { use super::super::*; }",
        "std::any::type_name::<u8>();",
        "std::panic::Location::caller();",
        "std::fs::read(\"/proc/self/exe\");",
    ] {
        let first = code.lines().next().unwrap();
        assert!(!example(code).may_merge(&documented("", first)), "{code}");
    }
    for code in ["let path = [1];", "pub(crate) fn f() {}", "extern crate sample;", "let online = 1;"] {
        assert!(example(code).may_merge(&documented("", code)), "{code}");
    }
}

#[test]
fn examples_that_take_the_macros_of_one_crate_are_a_program_of_their_own() {
    let source = |head: &str| format!("#![allow(unused)]\n{head}\nfn main() {{\nlet a = 1;\n}}");
    let with = |head: &str| Example { source: source(head), ..example("") };
    let macros = "#[macro_use] extern crate sample;";
    assert!(with(macros).may_merge(LIBRARY));
    let plain = (0..4).map(|n| with(&format!("extern crate sample; // {n}")));
    let of_macros = (0..4).map(|n| with(&format!("{macros}\n// {n}")));
    let groups = groups(plain.chain(of_macros).collect(), |_, _| false);
    assert_eq!(groups.iter().map(Vec::len).collect::<Vec<_>>(), [4, 4]);
    let roots: Vec<String> = groups.iter().map(|group| main_file(group)).collect();
    assert_eq!(roots.iter().filter(|root| root.contains("#[macro_use]\nextern crate sample;")).count(), 1);
    let (_, module) = module_file(0, &with(macros));
    assert!(module.contains("extern crate sample;") && !module.contains("macro_use"), "{module}");
}

#[test]
fn only_a_main_that_a_program_may_have_is_merged() {
    let with = |main: &str| Example { source: format!("#![allow(unused)]\n{main}"), ..example("") };
    for (main, expected) in [
        ("fn main() {\n}", true),
        ("fn main() -> Result<(), std::fmt::Error> {\n}", true),
        ("fn main() -> std::io::Result<()> {\n}", true),
        ("async fn main() {\n}", false),
        ("fn main<'a>() {\n}", false),
        ("extern \"C\" fn main() {\n}", false),
        ("fn main() -> impl std::process::Termination {\n}", false),
        ("fn main(x: u8) {\n}", false),
        ("// fn main() {\nfn main() {\n}", false),
        ("use sample::main;", false),
    ] {
        let first = main.lines().next().unwrap();
        assert_eq!(with(main).may_merge(&documented("", first)), expected, "{main}");
    }
}

#[test]
fn editions_that_rustdoc_merges_and_options_of_others_are_left_alone() {
    for arg in ["2015", "2024", "--edition=2024"] {
        let args = vec!["--edition".to_owned(), arg.to_owned()];
        assert!(!Example { args, ..example("let a = 1;") }.may_merge(LIBRARY), "{arg}");
    }
    for arg in ["-Zpolonius", "--remap-path-prefix=a=b"] {
        let mut other = example("let a = 1;");
        other.args.push(arg.into());
        assert!(!other.may_merge(LIBRARY), "{arg}");
    }
}

#[test]
fn examples_that_use_other_libraries_are_other_programs() {
    let mut examples: Vec<Example> = (0..4).map(|n| example(&format!("sample::f({n});"))).collect();
    examples.extend((0..4).map(|n| example(&format!("other::f({n});"))));
    examples.extend((0..2).map(|n| example(&format!("sample::f(other::f({n}));"))));
    examples.push(example("alone();"));
    let groups = |links: fn(&str, &str) -> bool| groups(examples.clone(), links);
    let sizes = |groups: Vec<Vec<Example>>| {
        let mut sizes: Vec<_> = groups.iter().map(Vec::len).collect();
        sizes.sort_unstable();
        sizes
    };
    let apart = groups(|_, _| false);
    assert!(apart.iter().all(|group| group.iter().all(|e| e.mentioned() == group[0].mentioned())));
    assert_eq!(sizes(apart), [2, 4, 4]);
    // `other` is linked wherever `sample` is.
    let links = |one: &str, file: &str| (one, file) == ("/t/libsample.rlib", "/t/libother.rlib");
    assert_eq!(sizes(groups(links)), [4, 6]);
}

#[test]
fn programs_that_save_too_little_are_not_made() {
    let pair = |name: &str| [1, 2].map(|n| example(&format!("{name}::f({n});")));
    let both = [pair("sample"), pair("other")].concat();
    let of_both = [1, 2].map(|n| example(&format!("sample::f(other::f({n}));")));
    let groups = |examples| groups(examples, |_, _| false);
    assert!(groups(both.clone()).is_empty());
    assert_eq!(groups([both, of_both.into()].concat()).len(), 3);
}

#[test]
fn a_call_is_read_without_what_only_our_options_add() {
    let words: Vec<String> =
        "/rustc @/t/cfgs --edition 2021 -Z unstable-options --crate-type=bin -o /t/rust_out -"
            .split(' ')
            .map(ToOwned::to_owned)
            .collect();
    let read = |file: &str| {
        assert_eq!(file, "/t/cfgs");
        Some("--extern=a=/a b.rlib\n-Zunstable-options\n-Zallow-features=".to_owned())
    };
    let call = Call::read(&words, read).unwrap();
    assert!(call.from_input && !call.only_checks() && !call.makes_rustdocs_runner());
    assert_eq!(call.args, ["--extern=a=/a b.rlib", "--edition", "2021", "--crate-type=bin"]);
    assert_eq!(call.plain_args()[4..], ["-o", "/t/rust_out", "-"]);
    assert_eq!(Call::read(&words, |_| None), None);
    let runner = ["/rustc", "/t/doctest_runner_2024.rs"].map(ToOwned::to_owned);
    assert!(Call::read(&runner, |_| None).unwrap().makes_rustdocs_runner());
    let bundle = ["/rustc", "/t/doctest_bundle_2024.rs"].map(ToOwned::to_owned);
    assert!(!Call::read(&bundle, |_| None).unwrap().makes_rustdocs_runner());
}

#[test]
fn what_rustc_says_is_assigned_to_the_examples_or_to_none() {
    let examples = [example("a();"), example("b();")];
    let said = |file: &str| {
        let span = format!(
            "{{\"file_name\":\"{file}\",\"byte_start\":0,\"byte_end\":1,\"line_start\":3,\"line_end\":3,\
             \"column_start\":1,\"column_end\":2,\"is_primary\":true,\"text\":[],\"label\":null,\
             \"suggested_replacement\":null,\"suggestion_applicability\":null,\"expansion\":null}}"
        );
        format!(
            "{{\"message\":\"wrong\",\"code\":null,\"level\":\"error\",\"spans\":[{span}],\"children\":[],\
             \"rendered\":null}}\n{{\"message\":\"aborting due to 1 previous error\",\"code\":null,\
             \"level\":\"error\",\"spans\":[],\"children\":[],\"rendered\":null}}\n"
        )
    };
    let shown = examples[1].shown_as(1, "/t");
    assert_eq!(shown, "--remap-path-prefix=/t/1=src/__example_1_");
    assert_eq!(blamed(said("src/__example_1_/lib.rs").as_bytes(), &examples), Some(BTreeSet::from([1])));
    assert_eq!(blamed(said("/t/main.rs").as_bytes(), &examples), None);
    assert_eq!(blamed(b"error: linking failed\n", &examples), None);
    assert_eq!(blamed(b"", &examples), Some(BTreeSet::new()));
}

#[test]
fn what_an_example_prints_names_the_documented_file() {
    let line = b"thread 'main' panicked at src/__example_12_/lib.rs:5:1:\n";
    assert_eq!(as_documented(line).as_ref(), b"thread 'main' panicked at src/lib.rs:5:1:\n");
    assert_eq!(as_documented(b"__example_ \xff").as_ref(), b"__example_ \xff");
}

#[test]
fn a_program_that_shows_the_name_of_a_module_is_noticed() {
    assert_eq!(
        shows_its_module(b"..rust_out::__example_3_::a..src/__example_4_/lib.rs"),
        BTreeSet::from([3])
    );
}

#[test]
fn a_crate_whose_macros_tell_the_difference_is_noticed() {
    let quiet = "pub fn a() { file!(); }\nmacro_rules! b { () => { \"}\" } }\n#[no_mangle] fn c() {}\n";
    assert!(!may_tell_apart([quiet]));
    for source in [
        "macro_rules! a { () => { \"}\"; file!() } }",
        "macro_rules! a { () => { #[no_mangle] fn a() {} } }",
        "#[track_caller] fn a() { std::panic::Location::caller(); }",
    ] {
        assert!(may_tell_apart([quiet, source]), "{source}");
    }
}
