//! Runs commit-format: finds the base, asks git for the commits once, has them judged.

use super::base::{self, Found};
use super::{Context, Judgement};
use crate::git::{self, Git};
use anyhow::Result;
use rust_vmm_ci_core::checks::base::Surroundings;
use rust_vmm_ci_core::checks::commit_format::{self, BASE, Judged, LOG_FORMAT, Options};

/// Judges the messages of the change's commits.
///
/// # Errors
/// Exit 3 where git does not answer, or there is no base.
pub fn run(context: &mut Context<'_>, options: &Options) -> Result<Judgement> {
    if !git::is_there() {
        return Ok(Judgement::missing("git is not installed", "install git: https://git-scm.com/downloads"));
    }
    let git = Git::at(context.root)?;
    let known = base::surroundings(&git)?;
    judge(context, &git, options, &known)
}

/// Does what [`run`] does, in surroundings that the caller gives.
fn judge(context: &mut Context<'_>, git: &Git, options: &Options, known: &Surroundings) -> Result<Judgement> {
    let found = match base::find_or_missing(context, git, options.base.as_deref(), BASE, known)? {
        Ok(found) => found,
        Err(missing) => return Ok(missing),
    };
    let commits = commit_format::commits(&git.log(found.commit.as_deref(), "HEAD", LOG_FORMAT)?)?;
    let judged = commit_format::judge(&commits, found.commit.as_deref(), options);
    let reason = summary(&judged, &found);
    context.say(&reason);
    let remedy = judged.remedy;
    Ok(Judgement { reason: Some(reason), remedy, ..Judgement::by_findings(judged.findings) })
}

/// How many commits were looked at, and which were not.
fn summary(judged: &Judged, found: &Found) -> String {
    let commits = |count: usize| if count == 1 { "1 commit".to_owned() } else { format!("{count} commits") };
    let mut text = format!("{} since {}", commits(judged.checked), found.shown);
    for (count, what) in [(judged.merges, "merges"), (judged.exempt, "by exempt authors")] {
        if count > 0 {
            text = format!("{text}; {} not looked at: {what}", commits(count));
        }
    }
    text
}

#[cfg(test)]
mod tests;
