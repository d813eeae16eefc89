//! cargo's JSON messages (`--message-format=json`) → findings.

use super::test_output::Packages;
use crate::report::{Finding, Findings, Level};
use crate::workspace::path::from_folder;
use cargo_metadata::diagnostic::{Diagnostic, DiagnosticLevel, DiagnosticSpan};
use cargo_metadata::{Artifact, CompilerMessage, Message, TargetKind};
use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

/// Reads the messages of one cargo command.
///
/// This reader denies warnings itself, without a flag. A flag would have three disadvantages. It would give
/// the unit its own place in the cache (facts: the same code built for the build check and for the tests). It
/// would replace the repository's own rustflags. It would hide everything after the first warning. The reader
/// denies what `RUSTFLAGS="-D warnings"` denies: lints in every package that is not from a registry (cargo
/// caps the lints of those), and in host code (build scripts, procedural macros) only if there is no
/// `--target`. If a source or a manifest sets the level of `warnings` itself, the messages do not show it.
/// Then the flag is given ([`crate::workspace::flags`]).
pub struct Messages<'a> {
    /// The folder that rustc's relative paths start at: the workspace's root.
    workspace_root: &'a Path,
    /// The folder that findings' paths start at: the repository's root.
    root: &'a Path,
    /// The triple of `--target`, if warnings are denied and a triple is given.
    target: Option<&'a str>,
    deny_warnings: bool,
    seen: Vec<Seen>,
    counts: HashMap<(UnitName, Level, bool), usize>,
    built_for_target: HashMap<UnitName, bool>,
    programs: BTreeSet<PathBuf>,
    packages: Packages,
}

/// The most messages of one unit and level that are kept, so that memory stays bounded. The report keeps
/// fewer.
const MOST_OF_UNIT: usize = 2000;

/// The lints about the linker's output. If they are on by default, `-D warnings` does not deny them. If
/// somebody turned them on, it does (seen with 1.95, in which they are off by default).
const OF_THE_LINKER: [&str; 2] = ["linker_messages", "linker_info"];

/// The package and the target, which cargo uses to name a unit. The name does not say for which machine the
/// unit is.
type UnitName = (String, String);

struct Seen {
    unit: UnitName,
    denied_if_built_for_target: bool,
    finding: Finding,
}

impl<'a> Messages<'a> {
    /// A reader for one command.
    pub fn new(
        workspace_root: &'a Path,
        root: &'a Path,
        deny_warnings: bool,
        target: Option<&'a str>,
    ) -> Self {
        Self {
            workspace_root,
            root,
            target,
            deny_warnings,
            seen: Vec::new(),
            counts: HashMap::new(),
            built_for_target: HashMap::new(),
            programs: BTreeSet::new(),
            packages: Packages::new(),
        }
    }

    /// The files of programs, examples and libraries for other linkers. cargo puts them where anything may
    /// start or load them. The programs of tests are not included.
    pub fn take_programs(&mut self) -> BTreeSet<PathBuf> {
        std::mem::take(&mut self.programs)
    }

    /// The packages of the test programs that were built.
    pub fn take_packages(&mut self) -> Packages {
        std::mem::take(&mut self.packages)
    }

    /// Reads a line of standard output. Returns what a person should see: a message as rustc renders it,
    /// nothing for other JSON messages, and any other line as it is.
    pub fn read<'l>(&mut self, line: &'l [u8]) -> Option<std::borrow::Cow<'l, [u8]>> {
        match serde_json::from_slice(line) {
            Ok(Message::CompilerMessage(message)) => {
                let rendered = message.message.rendered.clone();
                self.keep(message);
                rendered.map(|text| text.into_bytes().into())
            }
            Ok(Message::CompilerArtifact(artifact)) => {
                self.note_artifact(&artifact);
                None
            }
            Ok(Message::TextLine(_)) | Err(_) => Some(line.into()),
            Ok(_) => None,
        }
    }

    fn note_artifact(&mut self, artifact: &Artifact) {
        let alone = |kind: &TargetKind| {
            use TargetKind::{Bin, CDyLib, DyLib, Example, StaticLib};
            matches!(kind, Bin | CDyLib | DyLib | Example | StaticLib)
        };
        if !artifact.profile.test && artifact.target.kind.iter().any(alone) {
            self.programs.extend(artifact.filenames.iter().map(|file| file.as_std_path().to_owned()));
        }
        if let (true, Some(program)) = (artifact.profile.test, &artifact.executable)
            && let (Some(file), Some(package)) =
                (program.file_name(), package_name(&artifact.package_id.repr))
        {
            self.packages.insert(file.to_owned(), package);
        }
        let Some(target) = self.target else { return };
        let for_target =
            artifact.filenames.iter().any(|file| file.components().any(|part| part.as_str() == target));
        let unit = (artifact.package_id.repr.clone(), artifact.target.name.clone());
        *self.built_for_target.entry(unit).or_default() |= for_target;
    }

    fn keep(&mut self, message: CompilerMessage) {
        let diagnostic = message.message;
        if is_summary(&diagnostic) {
            return;
        }
        let package = message.package_id.repr;
        let lint = diagnostic.code.as_ref().map(|code| code.code.clone());
        let is_warning = diagnostic.level == DiagnosticLevel::Warning;
        let host_only = self.target.is_some()
            && message
                .target
                .kind
                .iter()
                .any(|kind| matches!(kind, TargetKind::CustomBuild | TargetKind::ProcMacro));
        let by_default = diagnostic.children.iter().any(|child| child.message.contains("on by default"));
        let deniable = lint.as_deref().is_some_and(|lint| !(by_default && OF_THE_LINKER.contains(&lint)));
        let denied = self.deny_warnings && is_warning && deniable && !host_only;
        let finding = self.finding(&package, &diagnostic, lint);
        let unit = (package, message.target.name);
        let count = self.counts.entry((unit.clone(), finding.level, denied)).or_default();
        *count += 1;
        if *count <= MOST_OF_UNIT {
            self.seen.push(Seen { unit, denied_if_built_for_target: denied, finding });
        }
    }

    fn finding(&self, package: &str, diagnostic: &Diagnostic, lint: Option<String>) -> Finding {
        let place = diagnostic.spans.iter().find(|span| span.is_primary).or(diagnostic.spans.first());
        let place = place.map(|span| (self.in_repository(span), span));
        let (file, span) = match place {
            Some((Some((file, span)), _)) => (Some(file), Some(span)),
            Some((None, span)) => (Some(self.located(&span.file_name)), Some(span)),
            None => (None, None),
        };
        Finding {
            level: match diagnostic.level {
                DiagnosticLevel::Error | DiagnosticLevel::Ice => Level::Error,
                DiagnosticLevel::Warning => Level::Warning,
                _ => Level::Note,
            },
            lint,
            message: plain(&diagnostic.message),
            package: package_name(package),
            file,
            line: span.and_then(|span| u32::try_from(span.line_start).ok()),
            column: span.and_then(|span| u32::try_from(span.column_start).ok()),
            rendered: diagnostic.rendered.as_deref().map(plain),
            remedy: None,
            feature_sets: Vec::new(),
        }
    }

    /// The place in the repository that a span stands for. If a macro was defined elsewhere, it is the place
    /// that called the macro.
    fn in_repository<'s>(&self, span: &'s DiagnosticSpan) -> Option<(String, &'s DiagnosticSpan)> {
        let mut span = span;
        loop {
            let path = self.located(&span.file_name);
            let is_outside = path.starts_with('/') || path.get(1..3) == Some(":/") || path.starts_with('<');
            if !is_outside && !path.starts_with("target/") {
                return Some((path, span));
            }
            span = &span.expansion.as_ref()?.span;
        }
    }

    fn located(&self, file: &str) -> String {
        // Names such as `<macro>` are not files.
        if file.starts_with('<') {
            file.to_owned()
        } else {
            from_folder(self.root, self.workspace_root, file)
        }
    }

    /// The merged findings, after the command has ended.
    pub fn findings(self) -> Vec<Finding> {
        let mut findings = Findings::default();
        for Seen { unit, denied_if_built_for_target, mut finding } in self.seen {
            // If a package was built for the host only, it never got the flags that go with `--target`.
            let for_target = self.built_for_target.get(&unit).copied().unwrap_or(true);
            if denied_if_built_for_target && (self.target.is_none() || for_target) {
                finding.level = Level::Error;
            }
            findings.add(finding);
        }
        for ((_, level, _), count) in self.counts {
            (MOST_OF_UNIT..count).for_each(|_| findings.leave_out(level));
        }
        findings.into_vec()
    }
}

/// Whether this is rustc's last message about a crate, which repeats earlier messages.
fn is_summary(diagnostic: &Diagnostic) -> bool {
    let text = &diagnostic.message;
    diagnostic.spans.is_empty()
        && diagnostic.code.is_none()
        && (text.starts_with("aborting due to")
            || text.starts_with("For more information about")
            || text.starts_with("Some errors have detailed explanations")
            || text.ends_with("warning emitted")
            || text.ends_with("warnings emitted"))
}

/// The text without the escape sequences for colours.
fn plain(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

/// The name in a package id: `path+file:///a/NAME#0.1.0`, `path+file:///a#NAME@0.1.0`.
fn package_name(id: &str) -> Option<String> {
    let (place, fragment) = id.rsplit_once('#')?;
    let name = match fragment.split_once('@') {
        Some((name, _)) => name,
        None => place.rsplit('/').next()?,
    };
    Some(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn message(level: &str, lint: Option<&str>, kind: &str, file: &str, children: &[&str]) -> Value {
        let span = json!({"file_name": file, "byte_start": 0, "byte_end": 1, "line_start": 5, "line_end": 5,
            "column_start": 9, "column_end": 10, "is_primary": true, "text": [], "label": null,
            "suggested_replacement": null, "suggestion_applicability": null, "expansion": null});
        let child = |text: &&str| json!({"message": text, "code": null, "level": "note", "spans": [], "children": [], "rendered": null});
        json!({"reason": "compiler-message", "package_id": "path+file:///r/helper#0.1.0", "manifest_path": "/r/helper/Cargo.toml",
            "target": {"kind": [kind], "crate_types": ["lib"], "name": "helper", "src_path": "/r/helper/src/lib.rs", "edition": "2021", "doc": true, "doctest": true, "test": true},
            "message": {"message": "unused variable: `x`", "code": lint.map(|code| json!({"code": code, "explanation": null})),
                "level": level, "spans": [span], "children": children.iter().map(child).collect::<Vec<_>>(), "rendered": "\u{1b}[33mwarning\u{1b}[0m: unused\n"}})
    }

    fn read(messages: &[Value], deny: bool, target: Option<&str>) -> Vec<Finding> {
        let mut reader = Messages::new(Path::new("/r"), Path::new("/r"), deny, target);
        for message in messages {
            reader.read(message.to_string().as_bytes());
        }
        reader.findings()
    }

    #[test]
    fn a_lint_is_denied_where_the_check_denies_and_once_for_two_units() {
        let warning = message("warning", Some("unused_variables"), "lib", "helper/src/lib.rs", &[]);
        let found = read(&[warning.clone(), warning.clone()], true, None);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].level, Level::Error);
        assert_eq!(found[0].place().as_deref(), Some("helper/src/lib.rs:5:9"));
        assert_eq!(found[0].package.as_deref(), Some("helper"));
        assert_eq!(found[0].rendered.as_deref(), Some("warning: unused\n"));
        assert_eq!(read(&[warning], false, None)[0].level, Level::Warning);
    }

    #[test]
    fn a_warning_that_is_no_lint_is_never_denied() {
        let found = read(&[message("warning", None, "lib", "a.rs", &[])], true, None);
        assert_eq!(found[0].level, Level::Warning);
    }

    #[test]
    fn what_the_linker_says_is_denied_only_where_somebody_asked_for_it() {
        for (note, level) in [
            ("`#[warn(linker_messages)]` on by default", Level::Warning),
            ("requested on the command line with `-W linker-messages`", Level::Error),
        ] {
            let found =
                read(&[message("warning", Some("linker_messages"), "bin", "a.rs", &[note])], true, None);
            assert_eq!(found[0].level, level, "{note}");
        }
    }

    #[test]
    fn host_code_is_not_denied_under_a_target() {
        let lint = Some("unused_variables");
        let triple = "x86_64-unknown-linux-musl";
        for kind in ["custom-build", "proc-macro"] {
            let warning = message("warning", lint, kind, "a.rs", &[]);
            assert_eq!(read(std::slice::from_ref(&warning), true, Some(triple))[0].level, Level::Warning);
            assert_eq!(read(&[warning], true, None)[0].level, Level::Error);
        }
    }

    #[test]
    fn a_library_that_is_built_for_the_host_alone_is_not_denied_under_a_target() {
        let triple = "x86_64-unknown-linux-musl";
        let artifact = |file: &str| {
            let target = message("warning", None, "lib", "a", &[])["target"].clone();
            json!({"reason": "compiler-artifact", "package_id": "path+file:///r/helper#0.1.0", "manifest_path": "/r/helper/Cargo.toml",
                "target": target, "profile": {"opt_level": "3", "debuginfo": 0, "debug_assertions": false, "overflow_checks": false, "test": false},
                "features": [], "filenames": [file], "executable": null, "fresh": false})
        };
        let warning = message("warning", Some("unused_variables"), "lib", "a.rs", &[]);
        let host = artifact("/r/target/release/deps/libhelper.rlib");
        let cross = artifact("/r/target/x86_64-unknown-linux-musl/release/deps/libhelper.rlib");
        assert_eq!(read(&[warning.clone(), host.clone()], true, Some(triple))[0].level, Level::Warning);
        assert_eq!(read(&[warning, host, cross], true, Some(triple))[0].level, Level::Error);
    }

    #[test]
    fn a_line_that_is_no_message_is_shown_as_it_is() {
        let mut reader = Messages::new(Path::new("/r"), Path::new("/r"), true, None);
        assert_eq!(reader.read(b"hello\n").as_deref(), Some(b"hello\n".as_slice()));
        assert_eq!(reader.read(b"{\"reason\":\"build-finished\",\"success\":true}\n"), None);
        assert!(reader.findings().is_empty());
    }
}
