//! The description of the check `commit-format`, and the options that only it has.

use super::NAME;
use crate::checks::check::{Check, Membership, OwnOption, Runs};
use crate::checks::own;
use crate::checks::work::{Logic, Needs};
use anyhow::Result;
use serde::Deserialize;
use serde_json::{Map, Value};

/// The addresses that dependabot uses for commits on GitHub: that of the app, and that of its predecessor,
/// which is in older histories. The number is that of the account, so nobody can get it by choosing a name.
/// Dependabot's sign-off has another address (`support@github.com`).
pub(super) const DEPENDABOT: [&str; 2] = [
    "49699333+dependabot[bot]@users.noreply.github.com",
    "27856297+dependabot-preview[bot]@users.noreply.github.com",
];
/// The check.
pub const CHECK: Check = Check {
    name: NAME,
    holds: "the change's commit messages have the form that rust-vmm asks for",
    membership: Membership::Standard,
    advisory: false,
    options: &[
        OwnOption {
            name: "title",
            kinds: &["integer", "boolean"],
            doc: "the greatest length of the title in characters, or `false` for no limit",
            default: "`60`",
            example: "72",
        },
        OwnOption {
            name: "blank-line",
            kinds: &["boolean"],
            doc: "whether the second line must be blank",
            default: "`true`",
            example: "false",
        },
        OwnOption {
            name: "lines",
            kinds: &["integer", "boolean"],
            doc: "the smallest number of lines in a message, or `false` for no limit",
            default: "`3`",
            example: "1",
        },
        OwnOption {
            name: "sign-off",
            kinds: &["boolean"],
            doc: "whether the message must have a `Signed-off-by:` line",
            default: "`true`",
            example: "false",
        },
        OwnOption {
            name: "sign-off-matches-author",
            kinds: &["boolean"],
            doc: "whether that line must have the author's address",
            default: "`false`",
            example: "true",
        },
        OwnOption {
            name: "no-fixup",
            kinds: &["boolean"],
            doc: "whether `fixup!`, `squash!` and `amend!` commits are refused",
            default: "`false`",
            example: "true",
        },
        OwnOption {
            name: "exempt",
            kinds: &["array"],
            doc: "a list of addresses; commits of these authors are not checked",
            default: "dependabot's",
            example: r#"["renovate@example.org"]"#,
        },
        OwnOption {
            name: "base",
            kinds: &["string"],
            doc: "what to compare with: a branch, `REMOTE/BRANCH` or a full hash",
            default: "the pull request's",
            example: r#""main""#,
        },
    ],
    runs: Runs::Logic { read: |own| options(own).map(Logic::CommitFormat), needs: Needs::NOTHING },
    seconds: 1.0,
};
/// The options that only this check has, under `checks.commit-format`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
#[allow(clippy::struct_excessive_bools, reason = "each is a rule that is on or off, as users write it")]
pub struct Options {
    /// The most characters of a title, as a person counts them. None for no limit.
    #[serde(deserialize_with = "own::limit")]
    pub title: Option<usize>,
    /// Whether the second line must be blank.
    pub blank_line: bool,
    /// The fewest lines of a message. None for no limit.
    #[serde(deserialize_with = "own::limit")]
    pub lines: Option<usize>,
    /// Whether a message needs a sign-off.
    pub sign_off: bool,
    /// Whether a sign-off must have the author's address.
    pub sign_off_matches_author: bool,
    /// Whether `fixup!`, `squash!` and `amend!` commits are refused.
    pub no_fixup: bool,
    /// The addresses of authors whose commits are not checked.
    pub exempt: Vec<String>,
    /// What the change is compared with: a branch, `REMOTE/BRANCH`, or the full hash of a commit.
    #[serde(deserialize_with = "own::text")]
    pub base: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            title: Some(60),
            blank_line: true,
            lines: Some(3),
            sign_off: true,
            sign_off_matches_author: false,
            no_fixup: false,
            exempt: DEPENDABOT.map(str::to_owned).to_vec(),
            base: None,
        }
    }
}

/// Reads the check's own options.
///
/// # Errors
/// Exit 2, with the key path, for an unknown option or a wrong value.
pub fn options(own: &Map<String, Value>) -> Result<Options> {
    own::read(NAME, own)
}
