//! The *word*: a file by which a run tells the hook that started it that a check has failed, while the other
//! checks still run. The file is beside the run's report and has the check's label. The run may be in a
//! container, where a stranger's code can write the file too. So the hook compares the label with its own plan.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

/// What the file's name adds to that of the report.
pub const ENDING: &str = ".failed";
/// How often the file is looked for. The build turns red at most two seconds after the failure.
const EVERY: Duration = Duration::from_millis(250);
/// The longest label that is read, in bytes.
const LONGEST: usize = 1_000;

/// The file for the word, beside this report.
pub fn word_of_failure(report: &Path) -> PathBuf {
    let mut name = report.as_os_str().to_owned();
    name.push(ENDING);
    name.into()
}

/// Does some work. Until the work ends, it calls `read` to look for the word. It calls `failed` once, with the
/// label.
pub fn watching_for_failure<T>(
    read: &(dyn Fn() -> Option<Vec<u8>> + Sync),
    failed: &(dyn Fn(&str) + Sync),
    work: impl FnOnce() -> T,
) -> T {
    let (ended, has_ended) = channel::<()>();
    thread::scope(|scope| {
        let watch = move || {
            loop {
                let is_over = has_ended.recv_timeout(EVERY) != Err(RecvTimeoutError::Timeout);
                if let Some(label) = read().as_deref().and_then(label) {
                    return failed(&label);
                }
                if is_over {
                    return;
                }
            }
        };
        // If the system cannot start a thread, the failure becomes known at the end of the run.
        let _ = thread::Builder::new().name("word".into()).spawn_scoped(scope, watch);
        let done = work();
        drop(ended);
        done
    })
}

/// The label in the file: its first line, once the line is whole.
fn label(bytes: &[u8]) -> Option<String> {
    let bytes = &bytes[..bytes.len().min(LONGEST)];
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    String::from_utf8(bytes[..end].to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;
    use std::sync::mpsc::Sender;

    #[test]
    fn a_word_is_passed_on_once_and_while_the_work_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let word = word_of_failure(&folder.path().join("report.json"));
        let (says, said): (Sender<String>, _) = channel();
        let (read, failed) =
            (|| std::fs::read(&word).ok(), |label: &str| says.send(label.to_owned()).unwrap());
        watching_for_failure(&read, &failed, || {
            std::fs::write(&word, "clippy\n").unwrap();
            let heard = said.recv_timeout(Duration::from_secs(60));
            assert_eq!(heard.as_deref(), Ok("clippy"), "while the work goes on");
        });
        assert_eq!(said.try_iter().count(), 0, "it is said once");
    }

    #[test]
    fn a_word_at_the_very_end_is_heard_and_half_a_word_is_not() {
        let heard = Mutex::new(0);
        watching_for_failure(&|| Some(b"clippy\n".to_vec()), &|_| *heard.lock().unwrap() += 1, || {});
        watching_for_failure(&|| Some(b"clip".to_vec()), &|_| *heard.lock().unwrap() += 10, || {});
        watching_for_failure(&|| Some(vec![b'x'; 5_000]), &|_| *heard.lock().unwrap() += 10, || {});
        assert_eq!(*heard.lock().unwrap(), 1);
    }
}
