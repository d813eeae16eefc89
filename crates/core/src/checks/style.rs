//! Turns the output of `cargo fmt -- --check` into findings.

use crate::report::Finding;
use crate::workspace::path::from_root;
use std::path::Path;

/// Reads the differences that rustfmt prints.
#[derive(Debug, Default)]
pub struct StyleOutput {
    findings: Vec<Finding>,
    /// Whether the latest difference has no changed line so far.
    is_before_the_change: bool,
}

impl StyleOutput {
    /// Reads a line of standard output. `Diff in FILE:LINE:` begins a difference, and the next lines show it.
    /// `root` is the repository's root.
    pub fn read(&mut self, line: &[u8], root: &Path) {
        // rustfmt prints colours even to a pipe.
        let text = anstream::adapter::strip_str(&String::from_utf8_lossy(line)).to_string();
        if let Some((file, line)) = text.strip_prefix("Diff in ").and_then(place) {
            self.findings.push(Finding {
                lint: Some("rustfmt".into()),
                file: Some(from_root(root, file)),
                line: Some(line),
                rendered: Some(String::new()),
                remedy: Some("cargo fmt --all -- --config format_code_in_doc_comments=true".into()),
                ..Finding::error("not formatted as rustfmt would")
            });
            self.is_before_the_change = true;
        } else if let Some(finding) = self.findings.last_mut() {
            // The lines before the first changed one only show its surroundings.
            self.is_before_the_change &= !text.starts_with(['-', '+']);
            if let (true, Some(line)) = (self.is_before_the_change, &mut finding.line) {
                *line += 1;
            }
            if let Some(rendered) = &mut finding.rendered {
                rendered.push_str(&text);
            }
        }
    }

    /// The findings.
    pub fn findings(self) -> Vec<Finding> {
        self.findings
    }
}

/// Reads `FILE:LINE:`, or `FILE at line LINE:`, the form before rustfmt 1.6.
fn place(text: &str) -> Option<(&str, u32)> {
    let text = text.trim_end().strip_suffix(':')?;
    let (file, line) = text.rsplit_once(" at line ").or_else(|| text.rsplit_once(':'))?;
    Some((file, line.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_difference_is_a_finding_at_its_first_changed_line() {
        let mut output = StyleOutput::default();
        for line in [
            "Diff in /r/it's/src/win.rs:1:\n",
            "\u{1b}[31m-pub   fn\n",
            "+pub fn\n",
            "Diff in /r/b.rs at line 7:\n",
            " fn x() {\n",
            "     y();\n",
            "-x\n",
            " }\n",
        ] {
            output.read(line.as_bytes(), Path::new("/r"));
        }
        let found = output.findings();
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].place().as_deref(), Some("it's/src/win.rs:1"));
        assert_eq!(found[0].rendered.as_deref(), Some("-pub   fn\n+pub fn\n"));
        assert_eq!(found[1].place().as_deref(), Some("b.rs:9"));
    }
}
