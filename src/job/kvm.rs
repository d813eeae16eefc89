//! Whether this machine's hypervisor can be used: the tests of most rust-vmm crates open `/dev/kvm`.

use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;

use rust_vmm_ci_core::report::{Outcome, Verdict};

/// The device.
pub const DEVICE: &str = "/dev/kvm";

/// Why the device cannot be used, and what to do about it; none where it can.
pub fn fault(device: &Path) -> Option<(String, String)> {
    let path = device.display();
    match File::options().read(true).write(true).open(device) {
        Ok(_) => None,
        Err(error) if error.kind() == ErrorKind::NotFound => Some((
            format!("{path} is not there"),
            "use a machine with virtualization on, nested if it is virtual itself, and load the module kvm"
                .into(),
        )),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Some((
            format!("{path} is there, but not for this user"),
            "add the agent's user to the group kvm, and start the agent again".into(),
        )),
        Err(error) => Some((format!("{path} cannot be opened: {error}"), "load the module kvm".into())),
    }
}

/// Adds a note to each failed test check whose findings look like a missing device: the machine may be the
/// reason. The verdict stays that of the tests.
pub fn note_beside(outcomes: &mut [Outcome], device: &Path, emulated: bool) {
    let fits = |outcome: &Outcome| {
        let findings = outcome.findings.iter();
        let texts =
            findings.flat_map(|finding| [Some(finding.message.as_str()), finding.rendered.as_deref()]);
        texts.flatten().map(str::to_ascii_lowercase).any(|text| SIGNS.iter().any(|sign| text.contains(sign)))
    };
    let failed = |outcome: &&mut Outcome| {
        outcome.verdict == Verdict::Failed
            && IS_TEST.iter().any(|part| outcome.name.contains(part))
            && fits(outcome)
    };
    for outcome in outcomes.iter_mut().filter(failed) {
        let Some((what, how)) = fault_of_tests(device, emulated) else { return };
        let note = format!("{what}, which may be why the tests fail; {how}");
        outcome.remedy = Some(match outcome.remedy.take() {
            Some(remedy) => format!("{remedy}; {note}"),
            None => note,
        });
    }
}

/// As [`fault`]. Emulated programs cannot use the device, although they can open it.
fn fault_of_tests(device: &Path, emulated: bool) -> Option<(String, String)> {
    if emulated {
        let what = format!("{} cannot be used, because this platform is emulated here", device.display());
        return Some((what, "run these tests on a machine of this platform".into()));
    }
    fault(device)
}

/// What tests print if they could not open the device: its name, or the system's errors ENOENT and EACCES as
/// the crates kvm-ioctls and std show them.
const SIGNS: [&str; 7] = [
    "kvm",
    "no such file or directory",
    "permission denied",
    "os error 2)",
    "os error 13)",
    "error(2)",
    "error(13)",
];

/// What is in the names of the checks that run tests.
const IS_TEST: [&str; 3] = ["test", "coverage", "bench"];

#[cfg(test)]
mod tests {
    use super::*;
    use rust_vmm_ci_core::report::Finding;

    fn outcome(name: &str, verdict: Verdict) -> Outcome {
        let finding = Finding {
            message: "called `Result::unwrap()` on an `Err` value: Error(2)".into(),
            ..Finding::default()
        };
        Outcome { name: name.into(), verdict, findings: vec![finding], ..Outcome::default() }
    }

    #[test]
    fn failed_tests_are_told_of_a_device_that_is_not_there() {
        let mut outcomes = [
            outcome("unittests-gnu", Verdict::Failed),
            outcome("clippy", Verdict::Failed),
            outcome("unittests-musl", Verdict::Passed),
            Outcome { findings: Vec::new(), ..outcome("unittests-gnu", Verdict::Failed) },
        ];
        note_beside(&mut outcomes, Path::new("/no/such/kvm"), false);
        assert!(
            outcomes[0].remedy.as_deref().unwrap().starts_with("/no/such/kvm is not there, which may be why")
        );
        assert_eq!(outcomes[0].verdict, Verdict::Failed);
        assert!(outcomes[1..].iter().all(|outcome| outcome.remedy.is_none()));
    }

    #[test]
    fn a_device_that_opens_is_no_reason() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut outcomes = [outcome("unittests-gnu", Verdict::Failed)];
        note_beside(&mut outcomes, file.path(), false);
        assert!(outcomes[0].remedy.is_none());
        note_beside(&mut outcomes, file.path(), true);
        assert!(outcomes[0].remedy.as_deref().unwrap().contains("is emulated here"));
    }
}
