//! What the text of an example says about how it may be compiled.

use regex_lite::Regex;
use std::sync::LazyLock;

/// Words that an example must not mention if it is to be merged. With each of them it could behave
/// differently in a bundle: the word names the crate's root or the place of the code, it affects the whole
/// program or its linking, or it inspects the running program.
const TELLING: &[&str] = &[
    // Names of the root and its surroundings. `crate` has a rule of its own.
    "super",
    "macro_export",
    "macro_use",
    "module_path",
    "type_name",
    "type_name_of_val",
    // The place of the code.
    "Location",
    "location",
    "set_hook",
    "insta",
    "expect_test",
    // Files beside the source.
    "include",
    "include_str",
    "include_bytes",
    // The running program.
    "current_exe",
    "UNSTABLE_RUSTDOC_TEST_PATH",
    "UNSTABLE_RUSTDOC_TEST_LINE",
    // The whole program and its symbols.
    "global_allocator",
    "panic_handler",
    "alloc_error_handler",
    "no_mangle",
    "export_name",
    "link_name",
    "link_section",
    "linkage",
    "global_asm",
    "cfg_attr",
    "distributed_slice",
    "inventory",
    "linkme",
    "ctor",
    "dtor",
    // Attributes that a function may have, but not the `main` of a program.
    "track_caller",
    "target_feature",
];

/// Names in a source file that register something with the whole program.
const REGISTERING: &[&str] =
    &["no_mangle", "export_name", "link_section", "global_asm", "distributed_slice", "inventory", "ctor"];

/// The marks of an example that do not change how it is compiled, or that rustdoc handles by itself.
const ORDINARY_MARKS: &[&str] = &["rust", "no_run", "should_panic", "ignore", "edition2018", "edition2021"];

/// The most lines that rustdoc puts before an example that may be merged.
const PRELUDE: usize = 5;

/// The words of a text: everything that looks like an identifier.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

/// Whether the example has ordinary marks only. `line` is the line at which rustdoc lets rustc start
/// counting. The mark is some lines after it, because rustdoc has put lines before the example. The mark of
/// the example is directly before its first line. There may be no mark, for instance if a macro wrote the
/// documentation. Then nothing is known, and the answer is no.
pub(super) fn is_marked_as_ordinary(documentation: &str, line: i64, source: &str) -> bool {
    let first = usize::try_from(line.max(1) - 1).unwrap_or(0);
    let last = usize::try_from(line).unwrap_or(0).saturating_add(PRELUDE);
    let lines: Vec<&str> = documentation.lines().collect();
    let begins_here = |after: usize| {
        let Some(written) = lines[after..].iter().map(|line| content(line)).find(|line| !line.is_empty())
        else {
            return false;
        };
        // A line that begins with `# ` is hidden on the page, but it is part of the example.
        let written = written.strip_prefix("# ").unwrap_or(written).trim();
        source.lines().take(PRELUDE + 2).any(|line| line.trim() == written)
    };
    let ordinary = |mark: &str| {
        mark.split([',', ' ', '\t'])
            .all(|word| word.is_empty() || word.starts_with("ignore-") || ORDINARY_MARKS.contains(&word))
    };
    let mut found = false;
    for (at, line) in lines.iter().enumerate().take(last).skip(first) {
        if let Some(mark) = mark(line).filter(|_| begins_here(at + 1)) {
            found = true;
            if !ordinary(mark) {
                return false;
            }
        }
    }
    found
}

/// A line of documentation without its comment characters.
fn content(line: &str) -> &str {
    let line = line.trim();
    ["///", "//!", "/**", "/*!", "*"].iter().find_map(|start| line.strip_prefix(start)).unwrap_or(line).trim()
}

/// The text after the three backticks or tildes of a line of documentation.
fn mark(line: &str) -> Option<&str> {
    let at = line.find("```").or_else(|| line.find("~~~"))?;
    let before = &line[..at];
    let documentation = |c: char| c.is_whitespace() || "/!*>-+.#|".contains(c) || c.is_ascii_digit();
    before.chars().all(documentation).then(|| line[at..].trim_start_matches(['`', '~']).trim())
}

/// Whether the example's `main` is allowed both in a program and in a module.
pub(super) fn has_an_ordinary_main(source: &str) -> bool {
    static MAIN: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r"(?m)^\s*(pub\s+)?fn\s+main\s*\(\s*\)\s*(\{|->\s*([A-Za-z_:]+::)?Result\b)").ok()
    });
    // If the words occur twice, for instance in a comment, it is unknown which of the two is the function.
    words(source).zip(words(source).skip(1)).filter(|pair| *pair == ("fn", "main")).count() == 1
        && MAIN.as_ref().is_some_and(|main| main.is_match(source))
}

/// Whether nothing in the example could distinguish the bundle from a separate program.
pub(super) fn cannot_tell(source: &str) -> bool {
    let code = code(source);
    let telling = words(&code).any(|word| TELLING.contains(&word) || word.starts_with("__example_"));
    let inner = code.matches("#!").count() != usize::from(code.starts_with("#![allow(unused)]"));
    !telling
        && !inner
        && !code.contains("proc/self")
        && !mentions_its_root(&code)
        && !has_foreign_code(&code)
        && !has_telling_attribute(&code)
        && !["file", "line", "column"].iter().any(|name| calls_macro(&code, name))
}

/// A source without its lines of comments and documentation.
pub(super) fn code(source: &str) -> String {
    let lines = source.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.fold(String::with_capacity(source.len()), |mut code, line| {
        code.push_str(line);
        code.push('\n');
        code
    })
}

/// Whether `crate` means the example's own root: it is used elsewhere than in `pub(crate)` and `extern
/// crate`.
fn mentions_its_root(code: &str) -> bool {
    static OTHER: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"pub\s*\(\s*crate\s*\)|extern\s+crate\b").ok());
    let Some(other) = OTHER.as_ref() else { return true };
    words(&other.replace_all(code, "")).any(|word| word == "crate")
}

/// Whether an attribute selects a file, a library, or what a linker keeps.
fn has_telling_attribute(code: &str) -> bool {
    static ATTRIBUTE: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r"^\[\s*(unsafe\s*\(\s*)?(path|link|used|lang|start|naked|rustc_\w*)\b").ok()
    });
    let tells = |text: &str| ATTRIBUTE.as_ref().is_none_or(|attribute| attribute.is_match(text));
    attributes(code).any(tells)
}

/// Whether the code declares or defines functions with the linkage of another language.
fn has_foreign_code(code: &str) -> bool {
    static CRATE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"extern\s+crate\b").ok());
    let Some(other) = CRATE.as_ref() else { return true };
    words(&other.replace_all(code, "")).any(|word| word == "extern")
}

fn calls_macro(code: &str, name: &str) -> bool {
    calls(code).any(|(path, _)| path.rsplit(':').next() == Some(name))
}

/// Words before a `!` that make it a negation.
const BEFORE_NEGATION: &[&str] = &["if", "while", "match", "return", "in", "else", "break", "move", "as"];

/// The macros that code calls or defines: the path as far as it stands together, and the text that follows the `!`. The
/// path is empty where a comment hides it. It begins with `:` where more of it may stand before a space. Text in a
/// string may look like a call, and then counts as one.
pub(super) fn calls(code: &str) -> impl Iterator<Item = (&str, &str)> {
    code.match_indices('!').filter_map(|(at, _)| {
        let (before, after) = (code[..at].trim_end(), &code[at + 1..]);
        let is_hidden =
            before.ends_with("*/") || before.lines().next_back().is_some_and(|line| line.contains("//"));
        let begin = before.trim_end_matches(|c: char| c.is_alphanumeric() || c == '_').len();
        let more = before[..begin].trim_end_matches(|c: char| c.is_alphanumeric() || "_:".contains(c)).len();
        let is_qualified = before[..begin].trim_end().ends_with(':');
        let path = match () {
            () if is_hidden => "",
            () if is_qualified && !before[..begin].ends_with(':') => ":",
            () => &before[more..],
        };
        let begins = after.trim_start().starts_with(['(', '[', '{', '/']) || path == "macro_rules";
        let is_call = begins && (is_hidden || !path.is_empty() && !BEFORE_NEGATION.contains(&path));
        is_call.then_some((path, after))
    })
}

/// The text in the brackets of each attribute.
pub(super) fn attributes(code: &str) -> impl Iterator<Item = &str> {
    code.match_indices('#').filter_map(|(at, _)| {
        let after = code[at + 1..].trim_start();
        let after = after.strip_prefix('!').unwrap_or(after).trim_start();
        // A comment may stand before the bracket.
        let begins = after.starts_with('[') || after.starts_with("/*");
        begins.then(|| first_group(&after[after.find('[').unwrap_or(after.len())..]))
    })
}

/// Whether the sources of a crate may have macros or functions with which its examples could distinguish a
/// bundle from a separate program, although the text of the examples does not show it. These are macros that
/// register something with the whole program or that name the file, and everything that asks for the place of
/// its caller.
pub fn may_tell_apart<'t>(sources: impl IntoIterator<Item = &'t str>) -> bool {
    let tells = |code: &str| words(code).any(|word| REGISTERING.contains(&word)) || calls_macro(code, "file");
    sources.into_iter().any(|source| {
        let code = code(source);
        let procedural = words(&code).any(|word| word == "proc_macro");
        words(&code).any(|word| word == "Location")
            || (procedural && tells(&code))
            || code.split("macro_rules!").skip(1).any(|rest| tells(first_group(rest)))
    })
}

/// The text up to the bracket that closes the first one, or all of it. Brackets in string literals are
/// ignored.
pub(super) fn first_group(text: &str) -> &str {
    let mut depth = 0_usize;
    let mut in_string = false;
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        match c {
            '"' if before != '\'' && (before != '\\' || !in_string) => in_string = !in_string,
            '(' | '[' | '{' if !in_string && before != '\'' => depth += 1,
            ')' | ']' | '}' if in_string || before == '\'' => {}
            ')' | ']' | '}' if depth <= 1 => return &text[..at],
            ')' | ']' | '}' => depth -= 1,
            _ => {}
        }
        before = c;
    }
    text
}
