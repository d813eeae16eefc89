//! The form of commit messages: git's log → commits → findings. Pure.
//!
//! The rules are the predecessor's (`integration_tests/test_commit_format.py` of rust-vmm-ci): a title
//! of at most 60 characters, a blank second line, three lines at least, a `Signed-off-by: ` line;
//! merges are not looked at, nor is what dependabot wrote. Its limit of 75 columns for the body has
//! long been off.

mod options;

pub use options::{CHECK, Options, options};

use crate::exit;
use crate::report::Finding;
use anyhow::Result;
use unicode_segmentation::UnicodeSegmentation;

/// The check's name: its key under `checks`.
pub const NAME: &str = "commit-format";

/// The key path of [`Options::base`].
pub const BASE: &str = "checks.commit-format.base";
/// What git is asked of each commit, for [`commits`]: full hash, parents' hashes, author's name and
/// address (no mailmap), the message as it was written.
pub const LOG_FORMAT: &str = "%H%x00%P%x00%an%x00%ae%x00%B";
/// How many fields [`LOG_FORMAT`] has; each ends with a NUL.
const LOG_FIELDS: usize = 5;
/// What git puts before the titles of commits that are to be melted into others (git-rebase(1),
/// `--autosquash`).
const AUTOSQUASH: [&str; 3] = ["fixup! ", "squash! ", "amend! "];
/// What a sign-off line begins with (predecessor's rule).
const SIGN_OFF: &[u8] = b"Signed-off-by: ";
/// The most of a title that is shown, in characters.
const SHOWN_TITLE: usize = 80;

/// A commit, as the check needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Its full hash.
    pub hash: String,
    /// How many parents it has.
    pub parents: usize,
    /// The author's name.
    pub author: String,
    /// The author's address.
    pub address: String,
    /// The message, in whatever encoding it was written.
    pub message: Vec<u8>,
}

/// Reads what git's log says in [`LOG_FORMAT`], each commit with a NUL at its end.
///
/// # Errors
/// Exit 3 where it is no such thing.
pub fn commits(log: &[u8]) -> Result<Vec<Commit>> {
    let fields: Vec<&[u8]> = match log.strip_suffix(b"\0") {
        Some(log) => log.split(|byte| *byte == 0).collect(),
        None => Vec::new(),
    };
    if !fields.len().is_multiple_of(LOG_FIELDS) || (fields.is_empty() && !log.is_empty()) {
        return Err(exit::infrastructure("git's log is not in the form that was asked for"));
    }
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let commit = |fields: &[&[u8]]| Commit {
        hash: text(fields[0]),
        parents: fields[1].split(|byte| *byte == b' ').filter(|parent| !parent.is_empty()).count(),
        author: text(fields[2]),
        address: text(fields[3]),
        message: fields[4].to_vec(),
    };
    Ok(fields.chunks_exact(LOG_FIELDS).map(commit).collect())
}

/// What the commits of a change came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judged {
    /// Every problem of every commit, the newest commit first.
    pub findings: Vec<Finding>,
    /// How many commits were looked at.
    pub checked: usize,
    /// How many were not, since they are merges.
    pub merges: usize,
    /// How many were not, since their authors are exempt.
    pub exempt: usize,
    /// What mends all of it, where that is more than one command.
    pub remedy: Option<String>,
}

/// Looks at the commits of a change: newest first, as git lists them, the first being `HEAD`. `base`
/// is the hash of what the change is compared with.
pub fn judge(commits: &[Commit], base: Option<&str>, options: &Options) -> Judged {
    let mut judged = Judged::default();
    let merged_onto = base.filter(|_| commits.iter().any(|commit| commit.parents > 1));
    let oldest = commits.last();
    let mut bad = 0;
    for (index, commit) in commits.iter().enumerate() {
        if commit.parents > 1 {
            judged.merges += 1;
        } else if options.exempt.iter().any(|address| address.eq_ignore_ascii_case(&commit.address)) {
            judged.exempt += 1;
        } else {
            judged.checked += 1;
            let place = Place { is_head: index == 0, merged_onto, oldest };
            let problems = problems(commit, options);
            bad += usize::from(!problems.is_empty());
            judged.findings.extend(problems.into_iter().map(|problem| problem.finding(commit, &place)));
        }
    }
    if bad > 1 {
        judged.remedy = Some(
            "mend the commits in the order shown, newest first: that leaves the older ones' hashes as they are"
                .to_owned(),
        );
    }
    judged
}

/// A rule that a commit breaks.
struct Problem {
    /// The option that the rule belongs to.
    rule: &'static str,
    what: String,
    mend: Mend,
}

/// The way to mend a problem.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mend {
    Reword,
    SignOff,
    Autosquash,
}

/// Where a commit stands in its change.
struct Place<'a> {
    is_head: bool,
    /// The base, where the change has merges: what they brought of the base is not to be written
    /// anew, as it would be from a commit's own parent on.
    merged_onto: Option<&'a str>,
    oldest: Option<&'a Commit>,
}

/// All that is wrong with a commit.
fn problems(commit: &Commit, options: &Options) -> Vec<Problem> {
    let lines = lines(&commit.message);
    let title = String::from_utf8_lossy(lines.first().copied().unwrap_or_default());
    let mut all = Vec::new();
    let mut add = |rule, mend, what: String| all.push(Problem { rule, what, mend });
    if let Some(limit) = options.title {
        let length = title.graphemes(true).count();
        if length > limit {
            let what = format!("the title has {length} characters, {limit} are allowed");
            add("title", Mend::Reword, what);
        } else if title.trim().is_empty() {
            add("title", Mend::Reword, "the first line is empty: it is the title's".to_owned());
        }
    }
    if options.blank_line && lines.get(1).is_some_and(|line| !line.is_empty()) {
        let what = "the second line is not blank: the title is one line, then comes a blank one".to_owned();
        add("blank-line", Mend::Reword, what);
    }
    let signed: Vec<&[u8]> = lines.iter().skip(1).filter_map(|line| line.strip_prefix(SIGN_OFF)).collect();
    let is_unsigned = options.sign_off && signed.is_empty();
    if let Some(limit) = options.lines
        && lines.len() < limit
    {
        let mend = if is_unsigned { Mend::SignOff } else { Mend::Reword };
        let count = if lines.len() == 1 { "1 line".to_owned() } else { format!("{} lines", lines.len()) };
        add(
            "lines",
            mend,
            format!("the message has {count}, at least {limit} are needed: title, blank line, sign-off"),
        );
    }
    if is_unsigned {
        add("sign-off", Mend::SignOff, "no line begins with `Signed-off-by: `".to_owned());
    } else if options.sign_off_matches_author
        && !signed.iter().any(|signer| address_of(signer).eq_ignore_ascii_case(commit.address.as_bytes()))
    {
        let what = format!("no sign-off is the author's, {} <{}>", commit.author, commit.address);
        add("sign-off-matches-author", Mend::Reword, what);
    }
    if let Some(word) = AUTOSQUASH.iter().find(|word| options.no_fixup && title.starts_with(*word)) {
        let what = format!("`{}` commits are to be melted into those that they mend", word.trim_end());
        add("no-fixup", Mend::Autosquash, what);
    }
    all
}

/// The lines of a message, without line ends and without the empty ones at its end.
fn lines(message: &[u8]) -> Vec<&[u8]> {
    let line = |line: &'_ [u8]| -> usize { line.len() - usize::from(line.ends_with(b"\r")) };
    let mut lines: Vec<&[u8]> =
        message.split(|byte| *byte == b'\n').map(|whole| &whole[..line(whole)]).collect();
    while lines.last().is_some_and(|line| line.is_empty()) {
        lines.pop();
    }
    lines
}

/// What stands between `<` and `>`; all of it where there are none.
fn address_of(signer: &[u8]) -> &[u8] {
    let begin = signer.iter().rposition(|byte| *byte == b'<').map_or(0, |at| at + 1);
    let rest = &signer[begin..];
    &rest[..rest.iter().position(|byte| *byte == b'>').unwrap_or(rest.len())]
}

impl Problem {
    fn finding(self, commit: &Commit, place: &Place<'_>) -> Finding {
        let title = String::from_utf8_lossy(lines(&commit.message).first().copied().unwrap_or_default());
        let short = short(&commit.hash);
        Finding {
            lint: Some(format!("{NAME}::{}", self.rule)),
            remedy: Some(self.mend.command(commit, place)),
            ..Finding::error(format!("{short} \"{}\": {}", shown(&title), shown_all(&self.what)))
        }
    }
}

impl Mend {
    /// The git command that mends a commit, for any shell: `~` is special to none within a word, `^`
    /// is to some.
    fn command(self, commit: &Commit, place: &Place<'_>) -> String {
        let onto = |commit: &Commit| match place.merged_onto {
            Some(base) => short(base).to_owned(),
            None if commit.parents == 0 => "--root".to_owned(),
            None => format!("{}~", short(&commit.hash)),
        };
        let melt =
            |onto: &str| format!("git -c sequence.editor=true rebase --interactive --autosquash {onto}");
        match self {
            Self::Autosquash => melt(&onto(place.oldest.unwrap_or(commit))),
            Self::SignOff if place.is_head => "git commit --amend --no-edit --signoff".to_owned(),
            Self::SignOff => format!("git rebase --signoff {}", onto(commit)),
            Self::Reword if place.is_head => "git commit --amend".to_owned(),
            Self::Reword => {
                format!("git commit --fixup=reword:{} && {}", short(&commit.hash), melt(&onto(commit)))
            }
        }
    }
}

/// The first 12 digits of a hash.
pub fn short(hash: &str) -> &str {
    hash.get(..12).unwrap_or(hash)
}

/// A title for people: cut where it is long, and with nothing that moves a terminal's cursor or
/// turns the text's direction.
fn shown(title: &str) -> String {
    match title.grapheme_indices(true).nth(SHOWN_TITLE) {
        Some((end, _)) => format!("{}\u{2026}", shown_all(&title[..end])),
        None => shown_all(title),
    }
}

/// A text without control characters.
fn shown_all(text: &str) -> String {
    let turns = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().map(|c| if c.is_control() || turns(c) { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests;
