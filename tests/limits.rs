//! A run under the limits of the system: little memory, small files, few files and a small stack; and the
//! signals that a run was started to ignore.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::Stdio;
use support::one_step::OneStep;
use support::process::Finished;

const BINARY: &str = env!("CARGO_BIN_EXE_rust-vmm-ci");

/// Runs the program in place of a shell that has done something before. Its output goes into pipes: the limit of
/// a file's size holds for a log too.
fn start(step: &OneStep, before: &str, args: &[String]) -> Finished {
    let mut command = step.sandbox.command("bash");
    command.args(["-c", &format!("{before}\nexec \"$0\" \"$@\""), BINARY]).args(args);
    let output = command.current_dir(step.repository.path()).stdin(Stdio::null()).output().unwrap();
    let status = output.status.code().or(output.status.signal().map(|signal| 128 + signal)).unwrap();
    let said = [output.stdout, output.stderr].concat();
    Finished { status, output: String::from_utf8_lossy(&said).into_owned() }
}

/// How a run ended.
fn run(step: &OneStep, before: &str) -> Finished {
    let _ = fs::remove_file(step.report());
    start(step, before, &step.arguments())
}

#[test]
fn a_run_without_memory_ends_with_a_status_of_ours_and_says_why() {
    let failing = OneStep::new("yes a long line of output | head -c 3000000; exit 7");
    // With less memory the system cannot even start the program.
    let starts =
        |kib: &u32| start(&failing, &format!("ulimit -v {kib}"), &["--version".to_owned()]).status == 0;
    let first = (16_000..400_000).step_by(1000).find(starts).unwrap();
    let mut aborted = 0;
    for kib in (first..first + 20_000).step_by(100) {
        let Finished { status, output } = run(&failing, &format!("ulimit -v {kib}"));
        assert!([1, 3].contains(&status), "{kib} KiB: {status}: {output}");
        aborted += usize::from(output.contains("memory allocation of"));
        if status == 1 {
            assert_eq!(failing.verdict().as_deref(), Some("failed"), "{kib} KiB: {output}");
            break;
        }
        assert!(!output.trim().is_empty(), "{kib} KiB");
    }
    assert!(aborted > 0, "no run had too little memory");
}

#[test]
fn a_stack_that_is_used_up_is_no_verdict() {
    let sample = OneStep::new("exit 7");
    let mut overflowed = 0;
    for kib in [16, 32, 64] {
        let Finished { status, output } = run(&sample, &format!("ulimit -s {kib}"));
        assert!([1, 3].contains(&status), "{kib} KiB: {status}: {output}");
        if output.contains("overflowed its stack") {
            assert_eq!(status, 3, "{kib} KiB: {output}");
            overflowed += 1;
        }
    }
    assert!(overflowed > 0, "no run had too small a stack");
}

#[test]
fn a_report_that_is_longer_than_a_file_may_be_is_said_and_a_failure_stays_one() {
    let fails = "yes a long line of output | head -c 20000 >&2; exit 7";
    for (command, expected, limits) in [(fails, 1, &[0, 1][..]), ("true", 3, &[0])] {
        let step = OneStep::new(command);
        let names = || {
            let entries = fs::read_dir(step.sandbox.path()).unwrap();
            entries.map(|entry| entry.unwrap().file_name()).collect::<BTreeSet<_>>()
        };
        let before = names();
        for limit in limits {
            // A report of another run that passed would be taken for this one.
            fs::write(step.report(), "{}").unwrap();
            let Finished { status, output } = start(&step, &format!("ulimit -f {limit}"), &step.arguments());
            assert_eq!(status, expected, "{output}");
            assert!(output.contains("the report was not written"), "{output}");
            assert_eq!(names(), before, "half a report is there, or the old one");
        }
    }
}

#[test]
fn a_page_that_is_longer_than_a_file_may_be_leaves_the_old_one_as_it_was() {
    let step = OneStep::new("exit 7");
    assert_eq!(run(&step, "").status, 1);
    let page = step.sandbox.path().join("page.html");
    fs::write(&page, "old").unwrap();
    let args = ["report".into(), step.report(), "--html".into(), page.clone()];
    let args = args.map(|arg: PathBuf| arg.into_os_string().into_string().unwrap());
    let Finished { status, output } = start(&step, "ulimit -f 1", &args);
    assert_eq!(status, 3, "{output}");
    assert!(output.contains("page.html: cannot be written"), "{output}");
    assert_eq!(fs::read_to_string(&page).unwrap(), "old");
}

#[test]
fn a_command_has_the_signal_of_a_file_that_is_too_long() {
    // The handler must not be passed on: the shell would say that the disk is full, and go on.
    let sample = OneStep::new("ulimit -f 0; sh -c 'exec dd if=/dev/zero of=long count=9' || test $? = 153");
    let Finished { status, output } = run(&sample, "");
    assert_eq!(status, 0, "{output}");
}

#[test]
fn a_run_with_few_open_files_ends_with_a_status_of_ours() {
    let sample = OneStep::new("exit 7");
    let statuses: Vec<i32> = (5..24)
        .map(|files| {
            let Finished { status, output } = run(&sample, &format!("ulimit -n {files}"));
            assert!([1, 3].contains(&status), "{files} files: {status}: {output}");
            status
        })
        .collect();
    assert!(statuses.contains(&1) && statuses.contains(&3), "{statuses:?}");
}

#[test]
fn a_signal_that_the_run_was_started_to_ignore_stays_ignored() {
    // `$PPID` of the check's shell is its keeper, and the keeper's parent is the run.
    // A command whose run is to end goes on until it is ended. The other waits for half a second, in which a run
    // that is not to end would.
    let to_the_run = |signal: &str, ends: bool| {
        let tenths = if ends { 6000 } else { 5 };
        format!(
            "kill -{signal} $(ps -o ppid= -p $PPID); for i in $(seq {tenths}); do sleep 0.1; done; exit 7"
        )
    };
    for (ignored, signal, expected) in [
        ("HUP INT", "HUP", 1),
        ("HUP INT", "INT", 1),
        ("HUP INT TERM", "TERM", 3),
        ("USR1", "HUP", 3),
        ("USR1", "INT", 3),
    ] {
        let Finished { status, output } =
            run(&OneStep::new(&to_the_run(signal, expected == 3)), &format!("trap '' {ignored}"));
        assert_eq!(status, expected, "{signal} with {ignored} ignored: {output}");
    }
}
