//! The files of a bundle, and what rustc says of them.

use super::{Example, folder};
use cargo_metadata::diagnostic::{Diagnostic, DiagnosticLevel, DiagnosticSpan};
use std::collections::BTreeSet;
use std::path::Path;

/// The bundle's main file. Example NUMBER is the module in the file that [`module_file`] names. A program
/// `FILE` of the bundle is started for the example whose number is in `FILE.example`.
pub fn main_file(examples: &[Example]) -> String {
    let mut text = String::new();
    let mut arms = String::new();
    for (number, example) in examples.iter().enumerate() {
        let (file, _) = module_file(number, example);
        text.push_str(&format!("#[path = {file:?}]\nmod {};\n", module(number)));
        arms.push_str(&format!("        {number} => {}::__run_example(),\n", module(number)));
    }
    text + "fn main() -> ::std::process::ExitCode {\n    \
            let mut file = ::std::env::current_exe().unwrap().into_os_string();\n    \
            file.push(\".example\");\n    \
            let number = ::std::fs::read_to_string(file).unwrap();\n    \
            match number.parse::<usize>().unwrap() {\n"
        + &arms
        + "        _ => ::std::process::abort(),\n    }\n}\n"
}

/// The path of an example's file, from the bundle's folder, and its text. The lines and columns are those of
/// the example alone. rustc is to show the path as if it were the documented file's, see
/// [`Example::shown_as`].
pub fn module_file(number: usize, example: &Example) -> (String, String) {
    let name = Path::new(&example.file).file_name().unwrap_or_default().to_string_lossy();
    let text = format!(
        "{}\n#[doc(hidden)]\npub(crate) fn __run_example() -> ::std::process::ExitCode {{\n    \
         ::std::process::Termination::report(main())\n}}\n",
        example.source
    );
    (format!("{number}/{name}"), text)
}

fn module(number: usize) -> String {
    format!("__example_{number}_")
}

impl Example {
    /// The option that lets rustc show the example's file in a bundle as it shows the documented file, as it
    /// does for an example alone. `root` is the bundle's folder.
    pub fn shown_as(&self, number: usize, root: &str) -> String {
        format!("--remap-path-prefix={root}/{number}={}", folder(&self.file))
    }
}

/// The examples that rustc's messages (`--error-format=json`) are about, by number. There is no answer where
/// an error cannot be assigned, for instance the linker's.
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

/// Adds the examples that have this line at this place. They are several where the lines of two are equal.
fn blame(span: &DiagnosticSpan, examples: &[Example], found: &mut BTreeSet<usize>) {
    let text = span.text.first().map(|line| line.text.trim_end());
    for (number, example) in examples.iter().enumerate() {
        let (_, module) = module_file(number, example);
        let line = module.lines().nth(span.line_start.saturating_sub(1)).map(str::trim_end);
        if span.file_name == example.file && line.is_some() && (text.is_none() || text == line) {
            found.insert(number);
        }
    }
    if let Some(expansion) = &span.expansion {
        blame(&expansion.span, examples, found);
    }
}

/// The examples whose module's name is in the program as text: `module_path!()` or `type_name()` that a
/// macro or a function hides. Alone, their text would be another one.
pub fn shows_its_module(program: &[u8]) -> BTreeSet<usize> {
    const BEFORE: &[u8] = b"::__example_";
    let mut found = BTreeSet::new();
    let mut rest = program;
    while let Some(at) = rest.windows(BEFORE.len()).position(|window| window == BEFORE) {
        rest = &rest[at + BEFORE.len()..];
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let number: Option<usize> = std::str::from_utf8(&rest[..digits]).ok().and_then(|digits| digits.parse().ok());
        found.extend(number);
    }
    found
}
