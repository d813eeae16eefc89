//! Tests by `sh`, which is on Unix alone; `children.rs` has those for every system.

use super::*;

fn shell(script: &str) -> Command {
    Command::new("sh").args(["-c", script])
}

fn lines(script: &str, deadline: Option<Instant>) -> (Ended, Vec<(Stream, String)>) {
    let mut seen = Vec::new();
    let ended = supervise(&shell(script), deadline, &mut |stream, line| {
        seen.push((stream, String::from_utf8_lossy(line).into_owned()));
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
    let (ended, seen) = lines(script, Some(begin + Duration::from_millis(200)));
    assert_eq!(ended, Ended::TimedOut);
    let pid = seen[0].1.trim();
    assert!(is_gone(pid));
    assert!(begin.elapsed() < Duration::from_secs(10));
}

#[test]
fn what_the_leader_leaves_running_ends_with_it() {
    let (ended, seen) = lines("sleep 60 & echo $!", None);
    assert_eq!(ended, Ended::Exited(0));
    let pid = seen[0].1.trim();
    assert!(is_gone(pid));
}

/// Whether a process has ended, or does so within a second: its outputs close before it is dead,
/// and a zombie is init's to wait for.
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
