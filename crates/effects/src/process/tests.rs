//! Tests with `sh`, which only Unix has. `children.rs` has the tests for every system.

use super::*;
use std::thread;
use std::time::{Duration, Instant};

/// A time limit within which a shell begins on a slow or emulated machine too.
const SOON: Duration = Duration::from_secs(2);

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
    let begin = Instant::now();
    let script = "trap '' TERM; (trap '' TERM; sleep 60) & echo $!; wait";
    let (ended, seen) = lines(script, Some(begin + SOON));
    assert_eq!(ended, Ended::TimedOut);
    let pid = seen[0].1.trim();
    assert!(is_gone(pid));
    assert!(begin.elapsed() < Duration::from_secs(30));
}

#[test]
fn a_question_that_ignores_the_request_to_end_is_killed_and_its_words_are_shown() {
    let script = "trap '' TERM; echo 'waiting for a lock' >&2; (trap '' TERM; sleep 60) & wait; sleep 60";
    let error = capture(&shell(script).within(SOON)).unwrap_err();
    let text = error.to_string();
    assert!(text.ends_with("did not answer within 2 s: waiting for a lock"), "{text}");
}

#[test]
fn a_question_ends_at_the_limit_of_the_work_that_it_is_for() {
    let begin = Instant::now();
    let limit = begin + Duration::from_millis(200);
    let error = with_limit(Some(limit), || capture(&shell("sleep 60"))).unwrap_err();
    assert!(matches!(Error::of(&error), Some(Error::TimedOut { .. })), "{error}");
    assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());
    with_limit(Some(limit), || capture(&shell("sleep 0.1").despite_cancel())).unwrap();
    capture(&shell("sleep 0.1")).unwrap();
}

#[test]
fn an_output_that_somebody_outside_the_tree_holds_open_keeps_no_question_waiting() {
    if which::which("setsid").is_err() {
        return crate::testing::skip("there is no setsid");
    }
    let begin = Instant::now();
    assert_eq!(capture(&shell("setsid sleep 5 & echo said")).unwrap().text(), "said\n");
    assert!(begin.elapsed() < Duration::from_secs(3), "{:?}", begin.elapsed());
}

#[test]
fn long_input_and_output_of_a_question_arrive_whole() {
    let input: Vec<u8> = (0..3_000_000_u32).map(|number| (number % 251) as u8).collect();
    assert_eq!(capture_with_input(&shell("cat"), input.clone()).unwrap().stdout, input);
}

#[test]
fn what_the_leader_leaves_running_ends_with_it() {
    let (ended, seen) = lines("sleep 60 & echo $!", None);
    assert_eq!(ended, Ended::Exited(0));
    let pid = seen[0].1.trim();
    assert!(is_gone(pid));
}

/// Whether a process has ended, now or within a second. Its outputs close before it has ended, and a zombie
/// has ended as well.
fn is_gone(pid: &str) -> bool {
    (0..100).any(|_| {
        thread::sleep(Duration::from_millis(10));
        std::fs::read_to_string(format!("/proc/{pid}/stat")).map_or(true, |stat| stat.contains(") Z "))
    })
}

#[test]
fn of_two_settings_of_a_variable_the_last_holds() {
    let command = shell("printf %s \"$X-$Y\"").env("X", "1").env("X", "2").env_remove("Y").env("Y", "3");
    assert_eq!(capture(&command).unwrap().text(), "2-3");
    let mut seen = Vec::new();
    supervise(&command, None, &mut |_, line| seen.extend_from_slice(line)).unwrap();
    assert_eq!(seen, b"2-3");
}
