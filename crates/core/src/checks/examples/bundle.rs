//! The files of a bundle, and how rustc's messages about them are read.

use super::{Example, macros};
use cargo_metadata::diagnostic::{Diagnostic, DiagnosticLevel, DiagnosticSpan};
use regex_lite::Regex;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::LazyLock;

/// How the name of an example's module begins.
const BEFORE: &[u8] = b"__example_";

/// The exit status of a bundle that is started with a number that belongs to no example.
pub const NO_EXAMPLE: u8 = 7;

/// The bundle's main file. Example NUMBER is the module in the file that [`module_file`] names. To run one
/// example, a program `FILE` of the bundle is started, and `FILE.example` holds the example's number.
pub fn main_file(examples: &[Example]) -> String {
    let mut text = String::new();
    // All examples take the macros of the same crates.
    for name in examples.first().map(|example| macros::taken(&example.source).0).unwrap_or_default() {
        text.push_str(&format!("#[allow(unused_imports)]\n#[macro_use]\nextern crate {name};\n"));
    }
    let mut arms = String::new();
    for (number, example) in examples.iter().enumerate() {
        let (file, _) = module_file(number, example);
        let module = module(number);
        text.push_str(&format!("#[path = {file:?}]\nmod {module};\n"));
        // If one example could stand in for another, the bundle would prove nothing.
        text.push_str(&format!("const _: () = ::core::assert!({module}::__EXAMPLE == {number});\n"));
        arms.push_str(&format!("        {number} => {module}::__run_example(),\n"));
    }
    text + "fn main() -> ::std::process::ExitCode {\n    \
            let mut file = ::std::env::current_exe().unwrap().into_os_string();\n    \
            file.push(\".example\");\n    \
            let number = ::std::fs::read_to_string(file).unwrap();\n    \
            match number.parse::<usize>().unwrap() {\n"
        + &arms
        + &format!("        _ => ::std::process::ExitCode::from({NO_EXAMPLE}),\n    }}\n}}\n")
}

/// The path of an example's file, from the bundle's folder, and its text. Lines and columns are the same as
/// for the example alone. [`Example::shown_as`] sets the path that rustc shows.
pub fn module_file(number: usize, example: &Example) -> (String, String) {
    let name = Path::new(&example.file).file_name().unwrap_or_default().to_string_lossy();
    let text = format!(
        "{}\npub(crate) const __EXAMPLE: usize = {number};\npub(crate) fn __run_example() -> ::std::process::ExitCode {{\n    \
         ::std::process::Termination::report(main())\n}}\n",
        macros::taken(&example.source).1
    );
    (format!("{number}/{name}"), text)
}

fn module(number: usize) -> String {
    format!("__example_{number}_")
}

impl Example {
    /// The option that makes rustc show the example's file as if it were beside the documented file. Each
    /// example has a different name, because rustc treats two files of the same name as one.
    /// [`as_documented`] restores the name in what the example prints. `root` is the bundle's folder.
    pub fn shown_as(&self, number: usize, root: &str) -> String {
        format!("--remap-path-prefix={root}/{number}={}", self.shown_folder(number))
    }

    fn shown_folder(&self, number: usize) -> String {
        // With `/` on every system, as rustc shows the path of a file that it was given.
        match self.file.rsplit_once(['/', '\\']) {
            Some((folder, _)) => format!("{folder}/{}", module(number)),
            None => module(number),
        }
    }

    /// The path that rustc shows for the example's file.
    fn shown_file(&self, number: usize) -> String {
        let name = Path::new(&self.file).file_name().unwrap_or_default().to_string_lossy();
        format!("{}/{name}", self.shown_folder(number))
    }
}

/// A line that a test wrote. The names that [`Example::shown_as`] sets are replaced with the names of the
/// documented files.
pub fn as_documented(line: &[u8]) -> Cow<'_, [u8]> {
    static FOLDER: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new("__example_[0-9]+_/").ok());
    if !line.windows(BEFORE.len()).any(|window| window == BEFORE) {
        return line.into();
    }
    match (std::str::from_utf8(line), FOLDER.as_ref()) {
        (Ok(line), Some(folder)) => folder.replace_all(line, "").into_owned().into_bytes().into(),
        _ => line.into(),
    }
}

/// The numbers of the examples that rustc's messages (`--error-format=json`) are about. None if an error
/// belongs to no known example, for instance an error of the linker.
pub fn blamed(said: &[u8], examples: &[Example]) -> Option<BTreeSet<usize>> {
    let mut blamed = BTreeSet::new();
    for line in String::from_utf8_lossy(said).lines().filter(|line| !line.is_empty()) {
        let diagnostic: Diagnostic = serde_json::from_str(line).ok()?;
        let counts = diagnostic.spans.is_empty()
            && (diagnostic.message.starts_with("aborting due to ")
                || diagnostic.message.ends_with(" emitted")
                || diagnostic.level == DiagnosticLevel::FailureNote);
        if counts {
            continue;
        }
        let mut found = BTreeSet::new();
        for span in &diagnostic.spans {
            blame(span, examples, &mut found);
        }
        if found.is_empty() {
            return None;
        }
        blamed.extend(found);
    }
    Some(blamed)
}

/// Adds the examples that contain a place, and those that called the macros there.
fn blame(span: &DiagnosticSpan, examples: &[Example], found: &mut BTreeSet<usize>) {
    let here = |(number, example): &(usize, &Example)| span.file_name == example.shown_file(*number);
    found.extend(examples.iter().enumerate().filter(here).map(|(number, _)| number));
    if let Some(expansion) = &span.expansion {
        blame(&expansion.span, examples, found);
    }
}

/// The examples whose module's name is in the program as text. The cause is `module_path!()` or `type_name()`
/// inside a macro or a function. If such an example ran alone, its text would be different.
pub fn shows_its_module(program: &[u8]) -> BTreeSet<usize> {
    let path = [b"::", BEFORE].concat();
    let mut found = BTreeSet::new();
    let mut rest = program;
    while let Some(at) = rest.windows(path.len()).position(|window| window == path) {
        rest = &rest[at + path.len()..];
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let number: Option<usize> =
            std::str::from_utf8(&rest[..digits]).ok().and_then(|digits| digits.parse().ok());
        found.extend(number);
    }
    found
}
