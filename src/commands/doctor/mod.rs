//! `doctor`: what this machine has for the plugin, a line each, and how to correct what is wrong.

mod machine;
mod tools;

use crate::cli::DoctorFormat;
use anyhow::Result;
use rust_vmm_ci_core::exit::Exit;
use rust_vmm_ci_core::model::shown;
use rust_vmm_ci_effects::say;
use serde_json::json;

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its name, which does not change: scripts read it.
    pub name: &'static str,
    /// What was found.
    pub text: String,
    /// How it is.
    pub state: State,
}

/// How something is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It is as jobs need it.
    Good,
    /// Some jobs need it, and this says how to get it.
    Missing(String),
    /// Jobs fail because of it, and this says how to correct it.
    Fault(String),
}

impl Line {
    /// Something that is as it should be.
    pub fn good(name: &'static str, text: impl Into<String>) -> Self {
        Self { name, text: text.into(), state: State::Good }
    }

    /// Something that only some jobs need.
    pub fn missing(name: &'static str, text: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { name, text: text.into(), state: State::Missing(mend.into()) }
    }

    /// Something that is wrong.
    pub fn fault(name: &'static str, text: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { name, text: text.into(), state: State::Fault(mend.into()) }
    }

    fn is_fault(&self) -> bool {
        matches!(self.state, State::Fault(_))
    }
}

/// Looks at this machine and prints what it has.
///
/// # Errors
/// None: what cannot be found out is a line.
#[allow(clippy::unnecessary_wraps, reason = "every command has this type")]
pub fn doctor(format: DoctorFormat) -> Result<Exit> {
    let mut lines = tools::look();
    lines.extend(machine::look());
    match format {
        DoctorFormat::Text => say::text(text(&lines)),
        DoctorFormat::Json => say::out(json(&lines)),
    }
    Ok(if lines.iter().any(Line::is_fault) { Exit::Infrastructure } else { Exit::Passed })
}

fn text(lines: &[Line]) -> String {
    let width = lines.iter().map(|line| line.name.len()).max().unwrap_or_default();
    let mut text = String::new();
    for line in lines {
        let (word, mend) = match &line.state {
            State::Good => ("ok     ", None),
            State::Missing(mend) => ("missing", Some(mend)),
            State::Fault(mend) => ("FAULT  ", Some(mend)),
        };
        text += &format!("{word}  {:width$}  {}", line.name, shown::line(&line.text));
        if let Some(mend) = mend {
            text += &format!("; to mend it: {}", shown::line(mend));
        }
        text.push('\n');
    }
    let faults = lines.iter().filter(|line| line.is_fault()).count();
    text + &match faults {
        0 => "no faults\n".to_owned(),
        1 => "1 fault\n".to_owned(),
        many => format!("{many} faults\n"),
    }
}

fn json(lines: &[Line]) -> String {
    let entry = |line: &Line| {
        let (state, mend) = match &line.state {
            State::Good => ("ok", None),
            State::Missing(mend) => ("missing", Some(mend)),
            State::Fault(mend) => ("fault", Some(mend)),
        };
        json!({"name": line.name, "state": state, "text": line.text, "mend": mend})
    };
    let faults = lines.iter().filter(|line| line.is_fault()).count();
    let lines: Vec<_> = lines.iter().map(entry).collect();
    format!("{:#}\n", json!({"version": env!("CARGO_PKG_VERSION"), "faults": faults, "lines": lines}))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines() -> Vec<Line> {
        vec![
            Line::good("git", "2.39"),
            Line::missing("cargo", "not there", "install Rust"),
            Line::fault("kvm", "a\u{1b}b", "load it"),
        ]
    }

    #[test]
    fn each_thing_has_a_line_and_faults_are_counted() {
        let expected = "ok       git    2.39\n\
                        missing  cargo  not there; to mend it: install Rust\n\
                        FAULT    kvm    a\u{241b}b; to mend it: load it\n\
                        1 fault\n";
        assert_eq!(text(&lines()), expected);
        assert!(text(&lines()[..1]).ends_with("no faults\n"));
    }

    #[test]
    fn a_program_reads_the_same_lines() {
        let value: serde_json::Value = serde_json::from_str(&json(&lines())).unwrap();
        assert_eq!((&value["faults"], &value["lines"][2]["state"]), (&json!(1), &json!("fault")));
        assert_eq!(value["lines"][1]["mend"], "install Rust");
    }
}
