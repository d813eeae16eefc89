//! Runs the check msrv: `cargo check` with the toolchain of each version that packages declare.

use super::JobFacts;
use super::cargo::LastWords;
use super::cargo::stopwatch::Purpose;
use super::cargo::toolchain::Toolchain;
use super::context::{Context, Judgement};
use super::preamble;
use crate::process::{self, Command, Ended, Stream};
use anyhow::Result;
use cargo_metadata::Metadata;
use rust_vmm_ci_core::checks::messages::Messages;
use rust_vmm_ci_core::checks::msrv::{Chosen, choose, declared, install};
use rust_vmm_ci_core::checks::outage;
use rust_vmm_ci_core::report::{Level, Verdict};
use rust_vmm_ci_core::workspace::path::from_folder;
use semver::Version;

/// Runs the check. A toolchain that is missing makes it broken, unless a package fails with another one.
///
/// # Errors
/// Exit 3 where cargo cannot be started.
pub fn run(context: &mut Context<'_>, package: Option<&str>, job: &JobFacts) -> Result<Judgement> {
    preamble::in_workspace(context, job, |context, toolchain, metadata| {
        check(context, package, toolchain, metadata)
    })
}

fn check(
    context: &mut Context<'_>,
    package: Option<&str>,
    toolchain: &Toolchain,
    metadata: &Metadata,
) -> Result<Judgement> {
    let declared = declared(metadata, package);
    if !declared.without.is_empty() {
        context.say(&format!("without `rust-version`, and left out: {}", declared.without.join(", ")));
    }
    if declared.by_version.is_empty() {
        let reason = Some("no package declares a `rust-version`".to_owned());
        return Ok(Judgement { reason, ..Judgement::by_findings(Vec::new()) });
    }
    let question = Command::new("rustup").args(["toolchain", "list"]).dir(&context.directory);
    // Without rustup there is only the toolchain that is in effect.
    let installed = process::ask_for_success(&question).map(|said| said.text()).unwrap_or_default();
    let mut all = Judgement { verdict: Verdict::Passed, ..Judgement::default() };
    let mut missing = Vec::new();
    for (version, packages) in &declared.by_version {
        let cargo = match choose(version, &toolchain.version, &installed) {
            Chosen::Here => context.cargo(),
            // The toolchain file and rustup itself must not install anything here.
            Chosen::Rustup(name) => {
                let rustup = context.command("rustup").env("RUSTUP_AUTO_INSTALL", "0");
                rustup.args(["run", &name, "cargo"])
            }
            Chosen::Missing => {
                missing.push((version, packages));
                continue;
            }
        };
        let judged = check_version(context, cargo, packages, metadata)?;
        all.findings.extend(judged.findings);
        if judged.verdict != Verdict::Passed && all.verdict != Verdict::Failed {
            all.verdict = judged.verdict;
            all.reason = judged.reason;
        }
        if judged.verdict == Verdict::Cancelled {
            return Ok(all);
        }
    }
    Ok(with_missing(all, &missing))
}

/// What was found, and the toolchains that are missing. A package that fails counts first.
fn with_missing(found: Judgement, missing: &[(&Version, &Vec<String>)]) -> Judgement {
    let Some((first, _)) = missing.first() else { return found };
    let words = missing.iter().map(|(version, packages)| format!("{version} for {}", packages.join(", ")));
    let what = format!("no toolchain of Rust {} is installed", words.collect::<Vec<_>>().join("; "));
    if found.verdict != Verdict::Failed {
        return Judgement { findings: found.findings, ..Judgement::missing(what, install(first)) };
    }
    let reasons: Vec<String> = found.reason.iter().cloned().chain([what]).collect();
    Judgement { reason: Some(reasons.join("; ")), ..found }
}

/// Checks the packages of one version.
fn check_version(
    context: &mut Context<'_>,
    cargo: Command,
    packages: &[String],
    metadata: &Metadata,
) -> Result<Judgement> {
    let mut command = cargo.args(["check", "--message-format=json"]);
    for package in packages {
        command = command.args(["--package", package]);
    }
    if command.program == "rustup" {
        context.say(&format!("$ {}", Command { env: Vec::new(), ..command.clone() }));
    } else {
        context.announce(&command);
    }
    let (root, workspace) = (context.root, metadata.workspace_root.as_std_path());
    let mut messages = Messages::new(workspace, root, false, None);
    let mut words = LastWords::default();
    let ended = context.run_cargo(&command, Purpose::Build, &mut |stream, line| match stream {
        Stream::Stdout => messages.read(line),
        Stream::Stderr => {
            words.read(line);
            Some(line.into())
        }
    })?;
    if ended == Ended::Exited(0) {
        // What an older compiler warns of is not what this check is about.
        return Ok(Judgement { verdict: Verdict::Passed, ..Judgement::default() });
    }
    let mut findings: Vec<_> =
        messages.findings().into_iter().filter(|finding| finding.level == Level::Error).collect();
    let outage = if findings.is_empty() { words.outage() } else { outage::of_findings(&findings) };
    if let Some(reason) = outage {
        return Ok(Judgement::broken(reason));
    }
    if findings.is_empty() {
        findings.extend(words.finding(ended, &|file| from_folder(root, workspace, file)));
    }
    Ok(Judgement::of_command(ended, findings))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_toolchain_that_is_missing_is_said_also_where_a_package_fails() {
        let (version, packages) = (Version::new(1, 60, 0), vec!["d".to_owned(), "e".to_owned()]);
        let missing = [(&version, &packages)];
        let judged = |verdict, missing: &[_]| {
            let judgement = with_missing(Judgement { verdict, ..Judgement::default() }, missing);
            (judgement.verdict, judgement.reason, judgement.remedy)
        };
        let words = Some("no toolchain of Rust 1.60.0 for d, e is installed".to_owned());
        assert_eq!(judged(Verdict::Failed, &missing), (Verdict::Failed, words.clone(), None));
        let (verdict, reason, remedy) = judged(Verdict::Passed, &missing);
        assert_eq!((verdict, reason, remedy), (Verdict::Skipped, words, Some(install(&version))));
        assert_eq!(judged(Verdict::Passed, &[]), (Verdict::Passed, None, None));
    }
}
