//! Tests with `sh`, which only Unix has. `children.rs` has the tests for every system.

use super::*;
use crate::testing::eventually;
use std::time::{Duration, Instant};

/// Time limits for a shell that must have begun before. The first does on most machines. A test goes on to the
/// next while its shell has not begun.
const LIMITS: [Duration; 4] =
    [Duration::from_secs(1), Duration::from_secs(3), Duration::from_secs(10), Duration::from_secs(60)];

fn shell(script: &str) -> Command {
    Command::new("sh").args(["-c", script])
}

fn lines(script: &str, deadline: Option<Instant>) -> (Ended, Vec<(Stream, String)>) {
    let mut seen = Vec::new();
    let ended = supervise(&shell(script), deadline, &mut |stream, block| {
        seen.extend(super::lines(block).map(|line| (stream, String::from_utf8_lossy(line).into_owned())));
    });
    (ended.unwrap(), seen)
}

#[test]
fn lines_of_both_outputs_arrive_with_the_status() {
    let (ended, seen) = lines("echo out; echo err >&2; printf last; exit 7", None);
    assert_eq!(ended, Ended::Exited(7));
    assert!(seen.contains(&(Stream::Stdout, "out\n".into())));
    assert!(seen.contains(&(Stream::Stderr, "err\n".into())));
    assert!(seen.contains(&(Stream::Stdout, "last".into())));
}

#[test]
fn a_signal_is_told_from_a_status() {
    assert_eq!(lines("kill -9 $$", None).0, Ended::Signaled(9));
}

#[test]
fn a_grandchild_that_ignores_the_request_ends_with_the_time_limit() {
    let script = "trap '' TERM; (trap '' TERM; sleep 600) & echo $!; wait; echo by itself";
    let begun = LIMITS.into_iter().find_map(|limit| {
        let (ended, seen) = lines(script, Some(Instant::now() + limit));
        assert_eq!(ended, Ended::TimedOut);
        (!seen.is_empty()).then_some(seen)
    });
    let [(Stream::Stdout, pid)] = &begun.unwrap()[..] else { panic!("it ended by itself") };
    assert!(is_gone(pid.trim()));
}

#[test]
fn a_question_that_ignores_the_request_to_end_is_killed_and_its_words_are_shown() {
    let script = "trap '' TERM; echo 'waiting for a lock' >&2; (trap '' TERM; sleep 600) & wait; sleep 600";
    let mut told = LIMITS.into_iter().map(|limit| {
        let error = capture(&shell(script).within(limit)).unwrap_err();
        (error.to_string(), format!("did not answer within {} s", limit.as_secs()))
    });
    let (text, limit) = told.find(|(text, limit)| !text.ends_with(limit)).unwrap();
    assert!(text.ends_with(&format!("{limit}: waiting for a lock")), "{text}");
}

#[test]
fn a_question_ends_at_the_limit_of_the_work_that_it_is_for() {
    let left = Duration::from_millis(200);
    let limit = Instant::now() + left;
    let error = with_limit(Some(limit), || capture(&shell("sleep 600"))).unwrap_err();
    assert!(matches!(Error::of(&error), Some(Error::TimedOut { after, .. }) if *after <= left), "{error}");
    assert!(Instant::now() >= limit);
    with_limit(Some(limit), || capture(&shell("sleep 0.1").despite_cancel())).unwrap();
    capture(&shell("sleep 0.1")).unwrap();
}

#[test]
fn an_output_that_somebody_outside_the_tree_holds_open_keeps_no_question_waiting() {
    if which::which("setsid").is_err() {
        return crate::testing::skip("there is no setsid");
    }
    let folder = tempfile::tempdir().unwrap();
    // The shell ends when the other one is out of its tree, and says the other's process id.
    let script = "setsid sh -c 'echo $$ >\"$1\"; exec sleep 600' sh \"$1\" &\n\
                  while [ ! -s \"$1\" ]; do sleep 0.1; done; cat \"$1\"";
    let said = capture(&shell(script).arg("sh").arg(folder.path().join("pid"))).unwrap().text();
    let outside = said.trim().parse().ok().and_then(rustix::process::Pid::from_raw).unwrap();
    let lives_on = rustix::process::kill_process(outside, rustix::process::Signal::KILL);
    assert!(lives_on.is_ok(), "the question waited for {outside:?}");
}

#[test]
fn long_input_and_output_of_a_question_arrive_whole() {
    let input: Vec<u8> = (0..3_000_000_u32).map(|number| (number % 251) as u8).collect();
    assert_eq!(capture_with_input(&shell("cat"), input.clone()).unwrap().stdout, input);
}

#[test]
fn what_the_leader_leaves_running_ends_with_it() {
    let (ended, seen) = lines("sleep 600 & echo $!", None);
    assert_eq!(ended, Ended::Exited(0));
    let pid = seen[0].1.trim();
    assert!(is_gone(pid));
}

/// Whether a process has ended, now or soon. Its outputs close before it has ended, and a zombie has ended as
/// well.
fn is_gone(pid: &str) -> bool {
    let stat = || std::fs::read_to_string(format!("/proc/{pid}/stat"));
    eventually(|| stat().map_or(true, |stat| stat.contains(") Z ")))
}

#[test]
fn of_two_settings_of_a_variable_the_last_holds() {
    let command = shell("printf %s \"$X-$Y\"").env("X", "1").env("X", "2").env_remove("Y").env("Y", "3");
    assert_eq!(capture(&command).unwrap().text(), "2-3");
    let mut seen = Vec::new();
    supervise(&command, None, &mut |_, line| seen.extend_from_slice(line)).unwrap();
    assert_eq!(seen, b"2-3");
}
