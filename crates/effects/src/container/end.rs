//! How a job in a container ended. This is decided from what the host sees, and needs no daemon.

use super::Engine;
use super::engine::{Cause, Failure};
use crate::process::Ended;

/// How many of the engine's last lines an error message repeats.
const REPEATED: usize = 12;

/// What the host sees after the engine's program has ended.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// The engine.
    pub engine: Engine,
    /// Whether the command ran under our wrapper.
    pub wrapped: bool,
    /// How the engine's program ended.
    pub ended: Ended,
    /// What it wrote to standard error, together with what the command wrote there.
    pub said: &'a str,
    /// Whether our wrapper has started.
    pub started: bool,
    /// Why our wrapper could not start the command, if it said so.
    pub not_started: Option<&'a str>,
    /// The exit status of the command, if our wrapper wrote it.
    pub status: Option<u8>,
}

/// How a container ended.
#[derive(Debug, PartialEq, Eq)]
pub enum End {
    /// The command ended with this status, and the wrapper and the engine's program ended after it.
    InOrder(Ended),
    /// The command ended with this status, but something may be left to clean up.
    Otherwise(Ended),
    /// The container did not start, because its image is not on this machine, or is here for another one.
    NoImage(Failure),
}

/// Decides how a container ended. What our wrapper wrote cannot be trusted, because code in the container can
/// write it too. So a command has passed only if the engine's program reports success as well. For a failure
/// the wrapper's record counts more, for two reasons. The engine's program ends with 125 if the daemon crashed
/// after the command had failed. It also ends with 125 if that is the command's own status. Without our wrapper
/// in the container there is no record of ours.
///
/// # Errors
/// If there is no verdict: the engine failed, or something ended the container.
pub fn judge(seen: Seen<'_>) -> Result<End, Failure> {
    let Seen { engine, wrapped, ended, said, started, not_started, status } = seen;
    let program = engine.program();
    if ended == Ended::Cancelled {
        return Ok(End::Otherwise(ended));
    }
    if let Some(status) = status.filter(|_| wrapped) {
        let own = Ended::Exited(i32::from(status));
        if ended == own {
            return Ok(End::InOrder(own));
        }
        if status != 0 {
            return Ok(End::Otherwise(own));
        }
    }
    if let Some(why) = not_started.filter(|_| wrapped) {
        return Err(Failure::of("the container's command did not run", ended, why));
    }
    // Once the command has started, most lines come from the command.
    let lines: Vec<&str> = said.lines().filter(|line| !started || is_engines(line)).collect();
    let words = lines[lines.len().saturating_sub(REPEATED)..].join("\n");
    let tried = match ended {
        Ended::Exited(status) if !wrapped && !is_engines_failure(status, said) => {
            return Ok(End::Otherwise(ended));
        }
        Ended::Exited(ended) if wrapped && status == Some(0) => format!(
            "the command says that it passed, but `{program} run` ended with status {ended}, so there is no \
             verdict"
        ),
        Ended::Exited(status) if started => format!(
            "the container ended (status {status}) before the command: it was killed, it ran out of memory, \
             or the daemon ended"
        ),
        Ended::Exited(status) => format!("{program} could not run the container (status {status})"),
        _ => format!("the program `{program}` was killed while the job ran"),
    };
    let failure = Failure::of(tried, ended, &words);
    if matches!(failure.cause, Cause::NoImage | Cause::OtherVariant) && !started {
        return Ok(End::NoImage(failure));
    }
    Err(failure)
}

/// Whether a status of `docker run` is docker's own (docker's manual, "Exit status"). 125 always is. 126 and
/// 127 are if docker reports that it could not start the command.
fn is_engines_failure(status: i32, said: &str) -> bool {
    status == 125 || ((126..=127).contains(&status) && said.lines().any(is_engines))
}

/// Whether a line of standard error was written by docker or podman.
fn is_engines(line: &str) -> bool {
    let heads = ["docker: ", "Error: ", "Error response", "error during connect", "time=\"", "Unable to"];
    heads.iter().any(|head| line.starts_with(head)) || line.contains("level=error")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEEN: Seen = Seen {
        engine: Engine::Docker,
        wrapped: true,
        ended: Ended::Exited(0),
        said: "",
        started: true,
        not_started: None,
        status: None,
    };

    #[test]
    fn the_wrappers_word_of_a_failure_counts_more_than_the_engines_status() {
        let seen = Seen { status: Some(7), ended: Ended::Exited(7), ..SEEN };
        assert_eq!(judge(seen), Ok(End::InOrder(Ended::Exited(7))));
        let daemon_crashed = Seen { ended: Ended::Exited(125), status: Some(7), ..SEEN };
        assert_eq!(judge(daemon_crashed), Ok(End::Otherwise(Ended::Exited(7))));
        let client_was_killed = Seen { ended: Ended::Signaled(9), status: Some(1), ..SEEN };
        assert_eq!(judge(client_was_killed), Ok(End::Otherwise(Ended::Exited(1))));
    }

    #[test]
    fn a_command_passed_only_if_the_engine_says_so_too() {
        let word = Seen { status: Some(0), ..SEEN };
        assert_eq!(judge(word), Ok(End::InOrder(Ended::Exited(0))));
        for ended in [1, 3, 125, 137].map(Ended::Exited).into_iter().chain([Ended::Signaled(9)]) {
            assert!(judge(Seen { ended, ..word }).is_err(), "{ended:?}");
        }
    }

    #[test]
    fn without_our_wrapper_there_is_no_word_of_ours() {
        let forged = Seen { wrapped: false, status: Some(0), ended: Ended::Exited(1), ..SEEN };
        assert_eq!(judge(forged), Ok(End::Otherwise(Ended::Exited(1))));
    }

    #[test]
    fn a_container_that_ended_before_its_command_has_no_verdict() {
        for status in [0, 1, 125, 137] {
            let failure = judge(Seen { ended: Ended::Exited(status), ..SEEN }).unwrap_err().to_string();
            assert!(failure.contains(&format!("ended (status {status}) before the command")), "{failure}");
        }
    }

    #[test]
    fn the_commands_own_words_do_not_explain_the_engines_failure() {
        let said = "error: no space left on device\nError response from daemon: unexpected EOF\n";
        let failure = judge(Seen { ended: Ended::Exited(125), said, ..SEEN }).unwrap_err();
        assert_eq!(failure.cause, Cause::DaemonEnded);
        assert!(!failure.to_string().contains("no space"), "{failure}");
    }

    #[test]
    fn a_container_that_did_not_start_is_the_engines_failure() {
        let said = "docker: Error response from daemon: error gathering device information: x";
        let seen = Seen { ended: Ended::Exited(125), said, started: false, ..SEEN };
        assert_eq!(judge(seen).unwrap_err().cause, Cause::NoDevice);
    }

    #[test]
    fn an_image_that_is_not_here_is_told_from_other_failures() {
        let said = "docker: Error response from daemon: No such image: a:1";
        let seen = Seen { ended: Ended::Exited(125), said, started: false, ..SEEN };
        assert!(matches!(judge(seen), Ok(End::NoImage(_))));
        assert!(judge(Seen { started: true, ..seen }).is_err(), "the command had started");
    }

    #[test]
    fn an_image_that_is_here_for_another_machine_is_pulled_for_this_one() {
        let said = "docker: Error response from daemon: image with reference a:1 was found but does not match \
                    the specified platform: wanted linux/arm64, actual: linux/amd64.";
        let seen = Seen { ended: Ended::Exited(125), said, started: false, ..SEEN };
        assert!(matches!(judge(seen), Ok(End::NoImage(failure)) if failure.cause == Cause::OtherVariant));
    }

    #[test]
    fn a_command_that_could_not_be_started_was_not_killed() {
        for (why, cause) in [
            ("cannot start `/bin/sh`: Exec format error (os error 8)", Cause::OtherMachine),
            ("cannot start `/bin/sh`: No such file or directory (os error 2)", Cause::Unknown),
        ] {
            let seen = Seen { ended: Ended::Exited(3), said: "error: x", not_started: Some(why), ..SEEN };
            let failure = judge(seen).unwrap_err();
            assert_eq!(failure.cause, cause);
            let text = failure.to_string();
            assert!(text.contains(why) && !text.contains("killed"), "{text}");
        }
    }

    #[test]
    fn a_command_that_was_not_wrapped_has_the_status_of_the_engines_program() {
        let unwrapped = Seen { wrapped: false, started: false, ..SEEN };
        for status in [0, 1, 126, 127, 255] {
            let ended = Ended::Exited(status);
            assert_eq!(judge(Seen { ended, ..unwrapped }), Ok(End::Otherwise(ended)));
        }
        assert!(judge(Seen { ended: Ended::Exited(125), ..unwrapped }).is_err());
        let said = "docker: Error response from daemon: exec: \"x\": executable file not found in $PATH";
        let seen = Seen { ended: Ended::Exited(127), said, ..unwrapped };
        assert_eq!(judge(seen).unwrap_err().cause, Cause::NoProgram);
    }

    #[test]
    fn a_killed_client_and_a_cancel_are_told_apart() {
        let killed = judge(Seen { ended: Ended::Signaled(9), ..SEEN }).unwrap_err().to_string();
        assert!(killed.contains("`docker` was killed"), "{killed}");
        assert_eq!(judge(Seen { ended: Ended::Cancelled, ..SEEN }), Ok(End::Otherwise(Ended::Cancelled)));
    }
}
