//! The form of commit messages: reads git's log into commits, and checks them. Pure.
//!
//! The rules are the predecessor's (`integration_tests/test_commit_format.py` of rust-vmm-ci): a title of at
//! most 60 characters, a blank second line, at least three lines, and a `Signed-off-by: ` line. Merges and
//! dependabot's commits are not checked. The predecessor's limit of 75 columns for the body has been disabled
//! for a long time.

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
/// The format that git prints each commit in, for [`commits`]: full hash, hashes of the parents, the author's
/// name and address (without mailmap), and the message as it was written.
pub const LOG_FORMAT: &str = "%H%x00%P%x00%an%x00%ae%x00%B";
/// How many fields [`LOG_FORMAT`] has. Each field ends with a NUL.
const LOG_FIELDS: usize = 5;
/// The beginning of the titles of commits that git will later combine with other commits (git-rebase(1),
/// `--autosquash`).
const AUTOSQUASH: [&str; 3] = ["fixup! ", "squash! ", "amend! "];
/// What a sign-off line begins with (predecessor's rule).
const SIGN_OFF: &[u8] = b"Signed-off-by: ";
/// The most characters of a title that are shown.
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
    /// The message, in its original encoding.
    pub message: Vec<u8>,
}

/// Reads the output of git's log in [`LOG_FORMAT`], with a NUL after each commit.
///
/// # Errors
/// Exit 3 if the text does not have this format.
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

/// The result for the commits of a change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judged {
    /// Every problem of every commit, the newest commit first.
    pub findings: Vec<Finding>,
    /// How many commits were checked.
    pub checked: usize,
    /// How many commits were not checked because they are merges.
    pub merges: usize,
    /// How many commits were not checked because their authors are exempt.
    pub exempt: usize,
    /// How to mend the commits, if more than one has a problem.
    pub remedy: Option<String>,
}

/// Checks the commits of a change. They are in git's order, newest first, so the first one is `HEAD`. `base`
/// is the hash of the commit that the change is compared with.
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

/// The position of a commit in its change.
struct Place<'a> {
    is_head: bool,
    /// The base, if the change has merges. A rebase must then start at the base: from a commit's own parent,
    /// it would also rewrite the commits that a merge brought in from the base.
    merged_onto: Option<&'a str>,
    oldest: Option<&'a Commit>,
}

/// Everything that is wrong with a commit.
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

/// The lines of a message, without line ends and without empty lines at its end.
fn lines(message: &[u8]) -> Vec<&[u8]> {
    let line = |line: &'_ [u8]| -> usize { line.len() - usize::from(line.ends_with(b"\r")) };
    let mut lines: Vec<&[u8]> =
        message.split(|byte| *byte == b'\n').map(|whole| &whole[..line(whole)]).collect();
    while lines.last().is_some_and(|line| line.is_empty()) {
        lines.pop();
    }
    lines
}

/// The text between `<` and `>`, or the whole text if it has no such brackets.
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
    /// The git command that mends a commit, for any shell. It uses `~`, which no shell treats specially
    /// inside a word. Some shells treat `^` specially.
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

/// A title for people. It is cut if it is long, and has no characters that move a terminal's cursor or change
/// the direction of the text.
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
