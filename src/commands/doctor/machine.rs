//! What the machine is: its hypervisor, disk and clock, and the agent's policy.

use super::Line;
use super::tools::ask;
use crate::job::environment::variable;
use crate::job::{kvm, policy};
use rust_vmm_ci_core::model::Os;
use rust_vmm_ci_effects::container;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// The least free space for a job, in gigabytes (10⁹ bytes). A workspace of rust-vmm takes 1 to 3 with the
/// tests' programs in both profiles, and the container's image takes 5.
const GIGABYTES: u64 = 8;
/// 2026-08-01 in seconds after 1970. This program is younger.
const EARLIEST: u64 = 1_785_542_400;

/// Looks at the machine.
pub fn look() -> Vec<Line> {
    let mut lines = Vec::new();
    if Os::of_this_machine() == Some(Os::Linux) {
        lines.push(hypervisor());
        lines.extend(disk());
    }
    lines.push(clock());
    lines.extend(the_policy());
    lines
}

fn hypervisor() -> Line {
    if let Some((what, how)) = kvm::fault(Path::new(kvm::DEVICE)) {
        return Line::fault("kvm", what, how);
    }
    let nested = ["intel", "amd"]
        .iter()
        .find_map(|maker| std::fs::read_to_string(format!("/sys/module/kvm_{maker}/parameters/nested")).ok());
    let nested = match nested.as_deref().map(str::trim) {
        Some("Y" | "1") => "a virtual machine here can have its own",
        Some(_) => "a virtual machine here cannot have its own",
        None => "the system does not say whether a virtual machine here can have its own",
    };
    Line::good("kvm", format!("{} can be read and written; {nested}", kvm::DEVICE))
}

fn disk() -> Option<Line> {
    let folder = variable("BUILDKITE_BUILD_CHECKOUT_PATH").or_else(|| variable("BUILDKITE_BUILD_PATH"));
    let folder = folder.unwrap_or_else(|| ".".into());
    let said = ask("df", &["-Pk", "--", &folder]).ok()?;
    Some(free(&said, &folder))
}

/// The line about free space, from the output of `df -Pk` (POSIX: the fourth field, in kibibytes).
fn free(said: &str, folder: &str) -> Line {
    let field = said.lines().nth(1).and_then(|line| line.split_whitespace().nth(3)?.parse::<u64>().ok());
    match field.map(|kibibytes| kibibytes * 1024 / 1_000_000_000) {
        Some(free) if free < GIGABYTES => Line::fault(
            "disk",
            format!("{free} GB are free for {folder}"),
            format!("free at least {GIGABYTES} GB, for example with `rust-vmm-ci cache clean`"),
        ),
        Some(free) => Line::good("disk", format!("{free} GB are free for {folder}")),
        None => Line::missing("disk", format!("df says nothing about {folder}"), "name an existing folder"),
    }
}

fn clock() -> Line {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let mend = "set the clock, for example with chrony: certificates are refused otherwise";
    if now < EARLIEST {
        return Line::fault("clock", "it is before the release of this program", mend);
    }
    let newest =
        ask("git", &["log", "-1", "--format=%ct"]).ok().and_then(|said| said.trim().parse::<u64>().ok());
    match newest {
        // Clocks of two machines differ by some minutes at most.
        Some(commit) if commit > now + 600 => Line::fault("clock", "it is before the last commit here", mend),
        _ => Line::good("clock", "it is after this program's release and the last commit here"),
    }
}

fn the_policy() -> Vec<Line> {
    let file = variable(container::POLICY_VARIABLE).unwrap_or_else(|| container::POLICY_PATH.into());
    let policy = policy();
    let mut lines = vec![match &policy {
        Err(error) => Line::fault("policy", format!("{error:#}"), "correct the file: every job ends with 3"),
        Ok(policy) if policy.file.is_empty() => Line::good("policy", format!("none ({file} is not there)")),
        Ok(_) => Line::good("policy", format!("{file} is right")),
    }];
    if let (Ok(policy), Some(Os::Linux)) = (&policy, Os::of_this_machine()) {
        lines.push(install_image(which::which("cargo").is_ok(), policy.install_image.as_deref()));
    }
    if let Ok(said) = ask("ls", &["-ldnL", "--", &file]) {
        lines.push(author(&said, &file));
    }
    lines
}

/// The line about the image in which the hooks build this program. They use it where there is no Cargo.
fn install_image(has_cargo: bool, named: Option<&str>) -> Line {
    match (has_cargo, named) {
        (_, Some(image)) => Line::good("install-image", format!("the policy names {image}")),
        (true, None) => Line::good("install-image", "none is needed: Cargo is here"),
        (false, None) => Line::missing(
            "install-image",
            "there is no Cargo, and the policy names no image to build this program in",
            "add `install-image` to the policy, if this agent cannot download a release",
        ),
    }
}

/// The line about who may write the policy, from the output of `ls -ldn` (POSIX: mode, links, user).
fn author(said: &str, file: &str) -> Line {
    let mut fields = said.split_whitespace();
    let (mode, user) = (fields.next().unwrap_or_default(), fields.nth(1).unwrap_or_default());
    let others = [5, 8].iter().any(|at| mode.as_bytes().get(*at) == Some(&b'w'));
    let mend = format!("chown root {file}; chmod 644 {file}");
    match (user, others) {
        (_, true) => Line::fault("policy-owner", format!("others than its owner may write {file}"), mend),
        ("0", false) => Line::good("policy-owner", format!("root wrote {file}")),
        (user, false) => Line::fault(
            "policy-owner",
            format!("user {user} wrote {file}, and jobs may run as that user"),
            mend,
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    #[test]
    fn little_space_is_a_fault() {
        let said = |blocks: &str| {
            format!("Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/a 9 1 {blocks} 1% /\n")
        };
        assert!(matches!(free(&said("1000000"), "/b").state, State::Fault(_)));
        assert_eq!(free(&said("100000000"), "/b").text, "102 GB are free for /b");
        assert!(matches!(free("", "/b").state, State::Missing(_)));
    }

    #[test]
    fn without_cargo_the_policy_names_the_image_to_build_in() {
        assert_eq!(install_image(false, Some("rust.example/a:1")).text, "the policy names rust.example/a:1");
        assert_eq!(install_image(true, None).state, State::Good);
        assert!(matches!(install_image(false, None).state, State::Missing(_)));
    }

    #[test]
    fn a_policy_that_a_job_could_write_is_a_fault() {
        let of = |mode: &str, user: &str| {
            author(&format!("{mode} 1 {user} 0 10 Jan 1 00:00 p.json"), "p.json").state
        };
        assert_eq!(of("-rw-r--r--", "0"), State::Good);
        for (mode, user) in [("-rw-rw-r--", "0"), ("-rw-r--rw-", "0"), ("-rw-r--r--", "1000")] {
            assert!(matches!(of(mode, user), State::Fault(_)), "{mode} {user}");
        }
    }
}
