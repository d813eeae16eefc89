//! A job whose program ended before it could report.

use super::{Outcome, Verdict};

/// The outcome of such a job, for the annotation of its build. `status` is what the agent says about the job's
/// command: -1 where a signal ended it. `label` is that of the job's step, and `command` repeats the job.
pub fn outcome(status: i32, label: Option<&str>, command: &str) -> Outcome {
    let name = label.unwrap_or("rust-vmm-ci").to_owned();
    Outcome {
        label: name.clone(),
        name,
        verdict: Verdict::Broken,
        reason: Some(format!("the job ended {}, and left no report", how(status))),
        remedy: Some(remedy(status).to_owned()),
        command: command.to_owned(),
        ..Outcome::default()
    }
}

fn remedy(status: i32) -> &'static str {
    const KILLED: i32 = 128 + 9;
    match status {
        -1 | KILLED => {
            "read the end of the job's log; if it does not say why, the machine may have had no memory left: read the \
             log of its kernel (dmesg)"
        }
        _ => "read the end of the job's log",
    }
}

/// How a command with this status ended. As shells do, 128 and more stand for a signal.
fn how(status: i32) -> String {
    match status {
        -1 => "by a signal".to_owned(),
        129..=192 => format!("with status {status} (signal {})", status - 128),
        _ => format!("with status {status}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_is_said_with_the_signal_that_it_stands_for() {
        let reason = |status| outcome(status, Some("checks"), "rust-vmm-ci run").reason.unwrap();
        assert_eq!(reason(137), "the job ended with status 137 (signal 9), and left no report");
        assert_eq!(reason(3), "the job ended with status 3, and left no report");
        assert_eq!(reason(128), "the job ended with status 128, and left no report");
        assert_eq!(reason(-1), "the job ended by a signal, and left no report");
        assert_eq!(reason(-1_073_741_819), "the job ended with status -1073741819, and left no report");
    }
}
