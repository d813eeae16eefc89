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

/// Whether nothing besides the example's text, its arguments and its libraries can change what its compilation
/// gives, as far as its text and the arguments show it. A macro of the library itself may still hide the name of
/// a file.
pub fn may_keep(example: &Example) -> bool {
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
    let is_macro = |file: &str| [".so", ".dylib", ".dll"].iter().any(|end| file.ends_with(end));
    !example.args.iter().any(links)
        && !libraries(&example.args).any(is_macro)
        && !names_a_file(&text::code(&example.source))
}

/// Whether a macro or an attribute has a text.
fn names_a_file(code: &str) -> bool {
    let in_macro = code.match_indices('!').any(|(at, _)| {
        let name = text::words(&code[..at]).last().filter(|name| code[..at].ends_with(name));
        let is_message = name.is_none_or(|name| MESSAGES.contains(&name));
        !is_message && text::first_group(&code[at + 1..]).contains('"')
    });
    let in_attribute =
        code.match_indices("#[").any(|(at, _)| text::first_group(&code[at + 1..]).contains('"'));
    in_macro || in_attribute
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
        ] {
            assert!(may_keep(&example(code, &[])), "{code}");
        }
        for code in [
            "let a = sample::embed!(\"data.txt\");",
            "let a = embed! { \"data.txt\" };",
            "assert_eq!(embed!(\"data.txt\"), 1);",
            "core::arch::global_asm!(\".incbin \\\"data\\\"\");",
            "#[derive(Template)]\n#[template(path = \"a.html\")]\nstruct A;",
            "#[link(name = \"z\")] unsafe extern \"C\" {}",
        ] {
            assert!(!may_keep(&example(code, &[])), "{code}");
        }
    }

    #[test]
    fn an_example_with_a_procedural_macro_or_something_else_to_link_is_not_kept() {
        for args in
            [&["--extern=a=/t/liba.rlib", "-Ldependency=/t", "-Ccodegen-units=1"][..], &["-Copt-level=3"]]
        {
            assert!(may_keep(&example("", args)), "{args:?}");
        }
        for args in [
            &["--extern=a=/t/liba.so"][..],
            &["--extern", "a=/t/liba.so"],
            &["-lz"],
            &["-l", "z"],
            &["-Lnative=/t"],
            &["-L", "native=/t"],
            &["-Clink-arg=-Tscript"],
            &["-C", "link-arg=-Tscript"],
            &["-Clinker=/t/cc"],
            &["--emit=metadata"],
        ] {
            assert!(!may_keep(&example("", args)), "{args:?}");
        }
    }
}
