//! Whether a compiled example may be kept and used again.
//!
//! rustc lists the files and variables that it reads while it compiles. It does not list what a procedural macro
//! or the linker reads. cargo would notice a change of these, because it compiles every example at every run. So
//! an example is kept only if nothing in it can name a file to them.

use super::{Example, libraries, text};

/// The macros of the standard library in which a text is a message, and never the name of a file.
const MESSAGES: &[&str] = &[
    "assert",
    "assert_eq",
    "assert_ne",
    "concat",
    "dbg",
    "debug_assert",
    "debug_assert_eq",
    "debug_assert_ne",
    "eprint",
    "eprintln",
    "format",
    "format_args",
    "matches",
    "panic",
    "print",
    "println",
    "stringify",
    "thread_local",
    "todo",
    "unimplemented",
    "unreachable",
    "vec",
    "write",
    "writeln",
];

/// The attributes of the language that hand nothing to a procedural macro.
const ATTRIBUTES: &[&str] = &[
    "allow",
    "cfg",
    "cold",
    "default",
    "deny",
    "deprecated",
    "derive",
    "expect",
    "forbid",
    "inline",
    "must_use",
    "non_exhaustive",
    "repr",
    "warn",
];

/// The traits that the standard library derives.
const DERIVES: &[&str] =
    &["Clone", "Copy", "Debug", "Default", "Eq", "Hash", "Ord", "PartialEq", "PartialOrd"];

/// Whether only the example's text, its arguments and its libraries can change what its compilation gives. This is
/// read from the text and the arguments: a macro of the library itself may still hide the name of a file.
/// `has_macros` says whether one of the libraries uses procedural macros, which it may pass on.
pub fn may_keep(example: &Example, has_macros: bool) -> bool {
    let links = |arg: &String| {
        ["-l", "-C", "--codegen", "-L", "--emit"].iter().any(|option| arg == option)
            || [
                "-l",
                "-Clink",
                "-Lnative",
                "-Lframework",
                "-Lall",
                "-L/",
                "--emit",
                "-Zlink",
                "-Cprofile-use",
            ]
            .iter()
            .any(|start| arg.starts_with(start))
            || arg.contains("link-arg")
    };
    let code = text::code(&example.source);
    let has_macros = has_macros || libraries(&example.args).any(is_macro);
    let may_read_files = names_a_file(&code) || (has_macros && may_call_foreign_macros(&code));
    !may_read_files && !example.args.iter().any(links)
}

/// Whether a library's file is that of procedural macros.
pub fn is_macro(file: &str) -> bool {
    [".so", ".dylib", ".dll"].iter().any(|end| file.ends_with(end))
}

/// Whether a path is that of a macro of the list above.
fn is_message(path: &str) -> bool {
    let (start, name) = path.rsplit_once("::").unwrap_or(("std", path));
    let root = start.trim_start_matches("::").split(':').next();
    MESSAGES.contains(&name) && matches!(root, Some("std" | "core" | "alloc"))
}

/// Whether a macro or an attribute has a text.
fn names_a_file(code: &str) -> bool {
    let has_text = |code: &str| text::first_group(code).contains('"');
    text::calls(code).any(|(path, after)| !is_message(path) && has_text(after))
        || text::attributes(code).any(|attribute| attribute.contains('"'))
}

/// Whether code may call a macro that is not of the standard library. Such a macro may be procedural.
fn may_call_foreign_macros(code: &str) -> bool {
    let foreign_attribute = |attribute: &str| {
        let mut words = text::words(attribute);
        match words.next() {
            Some("derive") => words.any(|word| !DERIVES.contains(&word)),
            word => word.is_none_or(|word| !ATTRIBUTES.contains(&word)),
        }
    };
    text::calls(code).any(|(path, _)| !is_message(path))
        || text::attributes(code).any(foreign_attribute)
        || imports_such_a_name(code)
}

/// Whether code takes a name of the lists above from a library that is not the standard one.
fn imports_such_a_name(code: &str) -> bool {
    let listed = |word: &str| [MESSAGES, ATTRIBUTES, DERIVES].iter().any(|list| list.contains(&word));
    code.split(';').any(|statement| {
        let mut words = text::words(statement).skip_while(|word| *word != "use").skip(1);
        !matches!(words.next(), Some("std" | "core" | "alloc")) && words.any(listed)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(code: &str, args: &[&str]) -> Example {
        Example {
            compiler: "/rustc".into(),
            args: args.iter().map(|arg| (*arg).to_owned()).collect(),
            source: format!("#![allow(unused)]\nfn main() {{\n{code}\n}}"),
            file: "src/lib.rs".into(),
            line: 1,
        }
    }

    #[test]
    fn an_example_that_may_name_a_file_to_a_macro_is_not_kept() {
        for code in [
            "assert_eq!(a, 1, \"words\");",
            "let a = \"words\"; sample::number!(1); let b = \"words\";",
            "let a = !\"words\".is_empty();",
            "#[derive(Clone)] struct A;\nlet a = \"words\";",
            "// embed!(\"data\")",
            "let a = number!(1); let b = !(c == \"words\");",
        ] {
            assert!(may_keep(&example(code, &[]), false), "{code}");
        }
        for code in [
            "let a = sample::embed!(\"data.txt\");",
            "let a = embed! { \"data.txt\" };",
            "let a = embed ! (\"data.txt\");",
            "assert_eq!(embed!(\"data.txt\"), 1);",
            "core::arch::global_asm!(\".incbin \\\"data\\\"\");",
            "#[derive(Template)]\n#[template(path = \"a.html\")]\nstruct A;",
            "#[link(name = \"z\")] unsafe extern \"C\" {}",
        ] {
            assert!(!may_keep(&example(code, &[]), false), "{code}");
        }
    }

    #[test]
    fn beside_a_procedural_macro_an_example_that_may_call_it_is_not_kept() {
        let args = ["--extern=a=/t/liba.rlib", "--extern=m=/t/libm.so"];
        for code in [
            "let a = vec![1]; assert!(!a.is_empty(), \"words\");",
            "if !(a != b) { return; }",
            "::std::assert!(a); std::vec![1]; core::write!(a, \"words\");",
            "#[derive(Clone, Debug, PartialEq)]\n#[repr(u8)] enum A { B }",
            "use std::fmt::{Debug, write}; use a::Sample;",
            "use std::panic; let a = use_it(Debug);",
        ] {
            assert!(may_keep(&example(code, &args), false), "{code}");
        }
        for code in [
            "let a = a::number!();",
            "let a = number ! {};",
            "let a = m::number/* */!();",
            "let a = m::number // vec\n!();",
            "m::concat!(1);",
            "m :: concat!(1);",
            "::m::vec![1];",
            "m::std::vec![1];",
            "macro_rules! a { () => {} }",
            "# [derive(Serialize)] struct A;",
            "#[derive(Clone, m::Sample)] struct A;",
            "#[m::main] fn a() {}",
            "# /* */ [sample] fn a() {}",
            "#[macro_use] extern crate m;",
            "use m::println; println!();",
            "use m::{a, Debug}; #[derive(Debug)] struct A;",
            "use m::sample as vec; vec![];",
        ] {
            assert!(!may_keep(&example(code, &args), false), "{code}");
            assert!(!may_keep(&example(code, &[]), true), "a library may pass on macros: {code}");
        }
    }

    #[test]
    fn an_example_with_something_else_to_link_is_not_kept() {
        for args in [
            &["--extern=a=/t/liba.rlib", "-Ldependency=/t", "-Ccodegen-units=1"][..],
            &["--extern", "m=/t/libm.so"],
            &["-Copt-level=3"],
        ] {
            assert!(may_keep(&example("", args), false), "{args:?}");
        }
        for args in [
            &["-lz"][..],
            &["-l", "z"],
            &["-Lnative=/t"],
            &["-L", "native=/t"],
            &["-Clink-arg=-Tscript"],
            &["-C", "link-arg=-Tscript"],
            &["-Clinker=/t/cc"],
            &["--emit=metadata"],
        ] {
            assert!(!may_keep(&example("", args), false), "{args:?}");
        }
    }
}
