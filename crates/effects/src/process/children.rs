//! Tests with real child processes, on every system. The children are this test program again: a variable
//! names the part that a child plays.

#![allow(clippy::disallowed_methods, reason = "a grandchild is started without supervision on purpose")]
#![allow(clippy::zombie_processes, reason = "one is left running, which is what is tested")]

use super::*;
use crate::files::Locked;
use crate::testing::eventually;
use rust_vmm_ci_core::exit;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

/// The variable that names the part.
const PART: &str = "RUST_VMM_CI_TEST_PART";
/// The variable that names the file to which a part writes.
const FILE: &str = "RUST_VMM_CI_TEST_FILE";
/// How often the child that lives on writes: for two minutes.
const WRITES: u64 = 6000;
/// Arguments that a shell of one system or another would split, drop or replace.
const HARD: [&str; 12] = [
    "plain",
    "two words",
    "",
    r#"a "quoted" word"#,
    r"back\slash\",
    r#"\"both\" \\"#,
    "100% %PATH% %%",
    "!PATH! wow!",
    "a^b ^^ c",
    "a&b|c<d>e",
    "(x) 'y' $HOME `z` ;,=",
    "zażółć 漢字 🦀",
];

/// A command that starts this program to play a part.
fn child(part: &str, file: &Path) -> Command {
    Command::new(std::env::current_exe().unwrap())
        .args(["process::children::plays_its_part", "--exact", "--nocapture", "--"])
        .env(PART, part)
        .env(FILE, file)
}

/// Not a test by itself: this is what the children do.
#[test]
fn plays_its_part() {
    let (Ok(part), Ok(file)) = (std::env::var(PART), std::env::var(FILE)) else { return };
    match part.as_str() {
        "notes its arguments" => {
            let args: Vec<String> = std::env::args().skip_while(|arg| arg != "--").skip(1).collect();
            fs::write(file, serde_json::to_string(&args).unwrap()).unwrap();
        }
        "aborts" | "aborts with a verdict" => {
            end_with_where_it_aborts(3);
            if part != "aborts" {
                status_is_known(1);
            }
            std::process::abort();
        }
        "talks" => {
            print!("\nout\nlast");
            io::stdout().flush().unwrap();
            eprintln!("err");
            std::process::exit(7);
        }
        "has a child that lives on" | "waits for its child" => {
            let mut grandchild = std::process::Command::new(std::env::current_exe().unwrap());
            grandchild.args(["process::children::plays_its_part", "--exact", "--nocapture"]);
            let mut grandchild = grandchild.env(PART, "lives on").spawn().unwrap();
            assert!(eventually(|| has_begun(Path::new(&file))));
            if part == "waits for its child" {
                grandchild.wait().unwrap();
            }
        }
        "is cancelled while it works" => {
            heed_signals().unwrap();
            let file = PathBuf::from(file);
            cancel_when_begun(&file);
            let command = child("waits for its child", &file);
            assert_eq!(supervise(&command, None, &mut |_, _| {}).unwrap(), Ended::Cancelled);
        }
        "is cancelled while it asks" => {
            // This process does not call `heed_signals`. A cancel must end its question all the same.
            let file = PathBuf::from(file);
            cancel_when_begun(&file);
            let error = capture(&child("waits for its child", &file)).unwrap_err();
            assert!(Error::is_cancel(&error), "{error}");
            // A cancelled job still gets short answers, and does not wait for long ones. It gives each a second,
            // in which a busy machine may not even start a program.
            assert!(eventually(|| {
                capture(&child("talks", &file)).is_ok_and(|answer| answer.status.code() == Some(7))
            }));
            let error = capture(&child("waits for its child", &file)).unwrap_err();
            assert!(Error::is_cancel(&error), "{error}");
        }
        #[cfg(unix)]
        "asks and is then asked to end" => {
            capture(&child("talks", Path::new("-"))).unwrap();
            signal_hook::low_level::raise(signal_hook::consts::SIGTERM).unwrap();
            thread::sleep(Duration::from_secs(60));
        }
        "lives on" => {
            let _alive = Locked::wait_for(File::create(alive(Path::new(&file))).unwrap()).unwrap();
            let mut file = OpenOptions::new().create(true).append(true).open(file).unwrap();
            for _ in 0..WRITES {
                file.write_all(b".").unwrap();
                thread::sleep(Duration::from_millis(20));
            }
        }
        other => panic!("no part: {other}"),
    }
}

/// Cancels this process when a grandchild has begun to write to the file.
fn cancel_when_begun(file: &Path) {
    let begun = file.to_owned();
    thread::spawn(move || {
        assert!(eventually(|| has_begun(&begun)));
        #[cfg(unix)]
        signal_hook::low_level::raise(signal_hook::consts::SIGTERM).unwrap();
        // Wine cannot send Ctrl-Break, and so this does what the handler does.
        #[cfg(windows)]
        cancel::pretend_cancelled();
    });
}

/// Whether the child that lives on has begun to write to the file.
fn has_begun(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|file| file.len() > 0)
}

/// The file that the child that lives on has locked.
fn alive(file: &Path) -> PathBuf {
    file.with_extension("lock")
}

/// Whether the child that lives on has begun and was then ended. It has not come to its own end.
fn nobody_lives_on(file: &Path) -> bool {
    let is_free = || Locked::take(File::open(alive(file)).unwrap()).is_ok();
    has_begun(file) && eventually(is_free) && fs::metadata(file).unwrap().len() < WRITES
}

#[track_caller]
fn arrive(args: &[&str], command: Command, noted: &Path) {
    let command = command.args(args);
    assert_eq!(supervise(&command, None, &mut |_, _| {}).unwrap(), Ended::Exited(0));
    let supervised = fs::read_to_string(noted).unwrap();
    fs::remove_file(noted).unwrap();
    assert!(capture(&command).unwrap().status.success());
    assert_eq!(fs::read_to_string(noted).unwrap(), supervised);
    assert_eq!(serde_json::from_str::<Vec<String>>(&supervised).unwrap(), args, "{command}");
}

#[test]
fn arguments_arrive_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let noted = folder.path().join("noted");
    arrive(&HARD, child("notes its arguments", &noted), &noted);
}

#[cfg(windows)]
#[test]
fn a_batch_file_on_path_is_found_by_its_name_and_given_its_arguments_as_they_are() {
    let folder = tempfile::Builder::new().prefix("a (b) & c").tempdir().unwrap();
    let noted = folder.path().join("noted");
    let this = std::env::current_exe().unwrap();
    // Wine's cmd replaces variables in the arguments that `%*` stands for. That of Windows does not.
    let wine = std::env::var_os("WINEPREFIX").is_some();
    let args: Vec<_> = HARD.into_iter().filter(|arg| !wine || !arg.contains('%')).collect();
    for extension in ["bat", "cmd"] {
        let call = format!(
            "@\"{}\" process::children::plays_its_part --exact --nocapture -- %*\r\n@exit /b %errorlevel%\r\n",
            this.display()
        );
        fs::write(folder.path().join(format!("called-{extension}.{extension}")), call).unwrap();
        let command = Command::new(format!("called-{extension}"))
            .env("PATH", folder.path())
            .env(PART, "notes its arguments")
            .env(FILE, &noted);
        arrive(&args, command, &noted);
    }
}

#[cfg(windows)]
#[test]
fn a_batch_file_is_not_given_what_cmd_would_not_hand_over_as_it_is() {
    let folder = tempfile::Builder::new().prefix("100%").tempdir().unwrap();
    let plain = tempfile::tempdir().unwrap();
    for folder in [&folder, &plain] {
        fs::write(folder.path().join("called.bat"), "@exit /b 0\r\n").unwrap();
    }
    let refused = |folder: &Path, arg: &str| {
        let command = Command::new("called").env("PATH", folder).arg(arg);
        let errors = [
            capture(&command).map(drop).unwrap_err(),
            supervise(&command, None, &mut |_, _| {}).map(drop).unwrap_err(),
        ];
        errors.map(|error| error.to_string())
    };
    for told in refused(plain.path(), "two\nlines") {
        assert!(told.starts_with("cannot start `called`: it is the batch file "), "{told}");
        assert!(told.ends_with(r#"within the argument "two\nlines"; name a program instead"#), "{told}");
    }
    for told in refused(folder.path(), "plain") {
        assert!(told.contains("replace variables in its path"), "{told}");
    }
}

#[test]
fn lines_of_both_outputs_and_the_status_arrive() {
    let mut seen = Vec::new();
    let command = child("talks", Path::new("-"));
    let ended = supervise(&command, None, &mut |stream, block| {
        seen.extend(lines(block).map(|line| (stream, line.to_owned())));
    })
    .unwrap();
    assert_eq!(ended, Ended::Exited(7));
    for line in [(Stream::Stdout, "out\n"), (Stream::Stdout, "last"), (Stream::Stderr, "err\n")] {
        assert!(seen.contains(&(line.0, line.1.into())), "no {line:?} in {seen:?}");
    }
}

#[cfg(unix)]
#[test]
fn a_process_that_aborts_has_the_status_that_it_was_given_last() {
    let ended = |part| supervise(&child(part, Path::new("-")), None, &mut |_, _| {}).unwrap();
    assert_eq!(ended("aborts"), Ended::Exited(3));
    assert_eq!(ended("aborts with a verdict"), Ended::Exited(1));
}

#[test]
fn a_grandchild_ends_with_the_time_limit() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("alive");
    let command = child("waits for its child", &file);
    // On a busy machine it takes a while until the grandchild has begun.
    for limit in [3, 10, 60].map(Duration::from_secs) {
        let deadline = std::time::Instant::now() + limit;
        assert_eq!(supervise(&command, Some(deadline), &mut |_, _| {}).unwrap(), Ended::TimedOut);
        if has_begun(&file) {
            break;
        }
    }
    assert!(nobody_lives_on(&file));
}

#[test]
fn a_grandchild_that_is_left_running_ends_with_its_parent() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("alive");
    let command = child("has a child that lives on", &file);
    assert_eq!(supervise(&command, None, &mut |_, _| {}).unwrap(), Ended::Exited(0));
    assert!(nobody_lives_on(&file));
}

#[test]
fn a_grandchild_ends_with_a_cancel() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("alive");
    // A separate process is cancelled, because a cancel cannot be taken back.
    let cancelled = capture(&child("is cancelled while it works", &file)).unwrap();
    assert!(cancelled.status.success(), "{}", cancelled.text());
    assert!(nobody_lives_on(&file));
}

#[test]
#[cfg_attr(
    windows,
    ignore = "Wine gives the console's event to the question too, before this program sees it"
)]
fn a_question_that_hangs_ends_at_once_with_a_cancel_and_leaves_no_process() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("alive");
    let cancelled = capture(&child("is cancelled while it asks", &file)).unwrap();
    assert!(cancelled.status.success(), "{}{}", cancelled.text(), cancelled.complaint());
    assert!(nobody_lives_on(&file));
}

#[test]
fn a_question_that_hangs_ends_at_its_deadline_and_leaves_no_process() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("alive");
    for within in [1, 3, 10, 60].map(Duration::from_secs) {
        let error = capture(&child("waits for its child", &file).within(within)).unwrap_err();
        let timed_out = matches!(Error::of(&error), Some(Error::TimedOut { after, .. }) if *after == within);
        assert!(timed_out, "{error}");
        if has_begun(&file) {
            break;
        }
    }
    assert!(nobody_lives_on(&file));
}

#[cfg(unix)]
#[test]
fn a_process_that_has_only_asked_questions_ends_by_a_signal_as_any_other() {
    use std::os::unix::process::ExitStatusExt as _;
    let asked = capture(&child("asks and is then asked to end", Path::new("-"))).unwrap();
    assert_eq!(asked.status.signal(), Some(signal_hook::consts::SIGTERM), "{}", asked.text());
}

#[test]
fn what_cannot_be_started_names_itself() {
    let error = capture(&Command::new("no-such-program-here")).unwrap_err();
    assert!(error.to_string().contains("cannot start `no-such-program-here`"), "{error}");
    assert!(matches!(Error::of(&error), Some(Error::NotFound { .. })), "{error:?}");
    assert_eq!(exit::of(&error), exit::Exit::Infrastructure);
}

#[test]
fn a_command_is_shown_as_a_person_would_type_it() {
    let command = Command::new("cargo").args(["test", "a b", "it's"]).env("RUSTFLAGS", "-D warnings");
    assert_eq!(command.to_string(), r"RUSTFLAGS='-D warnings' cargo test 'a b' 'it'\''s'");
}
