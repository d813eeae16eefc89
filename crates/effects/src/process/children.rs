//! Tests by real children, on every system alike: this very test program, which plays the part that
//! a variable names.

#![allow(clippy::disallowed_methods, reason = "a grandchild is nobody's to supervise")]
#![allow(clippy::zombie_processes, reason = "one is left running, which is what is tested")]

use super::*;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Names the part.
const PART: &str = "RUST_VMM_CI_TEST_PART";
/// Where a part writes.
const FILE: &str = "RUST_VMM_CI_TEST_FILE";
/// What a shell of one system or the other would take apart, drop or replace.
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

/// This program in a part.
fn child(part: &str, file: &Path) -> Command {
    Command::new(std::env::current_exe().unwrap())
        .args(["process::children::plays_its_part", "--exact", "--nocapture", "--"])
        .env(PART, part)
        .env(FILE, file)
}

/// No test: what the children do.
#[test]
fn plays_its_part() {
    let (Ok(part), Ok(file)) = (std::env::var(PART), std::env::var(FILE)) else { return };
    match part.as_str() {
        "notes its arguments" => {
            let args: Vec<String> = std::env::args().skip_while(|arg| arg != "--").skip(1).collect();
            fs::write(file, serde_json::to_string(&args).unwrap()).unwrap();
        }
        "talks" => {
            print!("\nout\nlast");
            std::io::stdout().flush().unwrap();
            eprintln!("err");
            std::process::exit(7);
        }
        "has a child that lives on" | "waits for its child" => {
            let mut grandchild = std::process::Command::new(std::env::current_exe().unwrap());
            grandchild.args(["process::children::plays_its_part", "--exact", "--nocapture"]);
            let mut grandchild = grandchild.env(PART, "lives on").spawn().unwrap();
            wait_until(|| fs::metadata(&file).is_ok_and(|file| file.len() > 0));
            if part == "waits for its child" {
                grandchild.wait().unwrap();
            }
        }
        "is cancelled" => {
            heed_signals().unwrap();
            let file = PathBuf::from(file);
            let begun = file.clone();
            thread::spawn(move || {
                wait_until(|| fs::metadata(&begun).is_ok_and(|file| file.len() > 0));
                #[cfg(unix)]
                signal_hook::low_level::raise(signal_hook::consts::SIGTERM).unwrap();
                // What the handler does: Wine has no Ctrl-Break to call it by.
                #[cfg(windows)]
                cancel_flag().store(true, Ordering::Relaxed);
            });
            let command = child("waits for its child", &file);
            assert_eq!(supervise(&command, None, &mut |_, _| {}).unwrap(), Ended::Cancelled);
        }
        "lives on" => {
            let mut file = OpenOptions::new().create(true).append(true).open(file).unwrap();
            for _ in 0..3000 {
                file.write_all(b".").unwrap();
                thread::sleep(Duration::from_millis(20));
            }
        }
        other => panic!("no part: {other}"),
    }
}

fn wait_until(what: impl Fn() -> bool) {
    let begin = Instant::now();
    while !what() {
        assert!(begin.elapsed() < Duration::from_secs(50));
        thread::sleep(Duration::from_millis(10));
    }
}

/// Whether nobody lives on, or within a second nobody does.
fn nobody_lives_on(file: &Path) -> bool {
    let length = || fs::metadata(file).unwrap().len();
    (0..5).any(|_| {
        let before = length();
        thread::sleep(Duration::from_millis(200));
        before == length()
    })
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
    // Wine's cmd replaces variables once more in what `%*` stood for; Windows' does not.
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
    let ended = supervise(&command, None, &mut |stream, line| seen.push((stream, line.to_owned()))).unwrap();
    assert_eq!(ended, Ended::Exited(7));
    for line in [(Stream::Stdout, "out\n"), (Stream::Stdout, "last"), (Stream::Stderr, "err\n")] {
        assert!(seen.contains(&(line.0, line.1.into())), "no {line:?} in {seen:?}");
    }
}

#[test]
fn a_grandchild_ends_with_the_time_limit() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("alive");
    let command = child("waits for its child", &file);
    // Until the grandchild has begun, there is nothing to see: on a busy machine that takes a while.
    for limit in [3, 10, 30].map(Duration::from_secs) {
        let begin = Instant::now();
        assert_eq!(supervise(&command, Some(begin + limit), &mut |_, _| {}).unwrap(), Ended::TimedOut);
        assert!(begin.elapsed() < limit + GRACE + STRAGGLERS + Duration::from_secs(10));
        if file.exists() {
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
    // Who is cancelled must be a process of its own: the flag is for good.
    let begin = Instant::now();
    let cancelled = capture(&child("is cancelled", &file)).unwrap();
    assert!(cancelled.status.success(), "{}", cancelled.text());
    assert!(begin.elapsed() < Duration::from_secs(50), "{:?}", begin.elapsed());
    assert!(nobody_lives_on(&file));
}

#[test]
fn what_cannot_be_started_names_itself() {
    let error = capture(&Command::new("no-such-program-here")).unwrap_err();
    assert!(error.to_string().contains("cannot start `no-such-program-here`"), "{error}");
    assert_eq!(exit::of(&error), exit::Exit::Infrastructure);
}

#[test]
fn a_command_is_shown_as_a_person_would_type_it() {
    let command = Command::new("cargo").args(["test", "a b", "it's"]).env("RUSTFLAGS", "-D warnings");
    assert_eq!(command.to_string(), r"RUSTFLAGS='-D warnings' cargo test 'a b' 'it'\''s'");
}
