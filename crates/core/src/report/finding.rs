//! One thing that is wrong, at one place.

use serde::{Deserialize, Serialize};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// It made its check fail.
    #[default]
    Error,
    /// It is shown and decides nothing.
    Warning,
    /// It explains.
    Note,
}

/// Something that a check found. Two that say the same of the same place are one, whose
/// [`Finding::feature_sets`] are joined.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// How bad it is here: a warning that the check denies is an error.
    pub level: Level,
    /// The lint's, rule's or advisory's name, such as `clippy::undocumented_unsafe_blocks`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lint: Option<String>,
    /// What is wrong, in a sentence, without colours.
    pub message: String,
    /// The package, where one is to blame.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
    /// The file, from the repository's root, with `/`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// The column, from 1, in characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
    /// The tool's own words, frame and all, without colours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rendered: Option<String>,
    /// What mends it: a sentence or a command.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// The combinations of features that show it, as [`super::Combination::name`] names them.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub feature_sets: Vec<String>,
}

impl Finding {
    /// A finding that is no more than a sentence.
    pub fn error(message: impl Into<String>) -> Self {
        Self { message: message.into(), ..Self::default() }
    }

    /// `FILE:LINE:COLUMN`, as far as it is known.
    pub fn place(&self) -> Option<String> {
        let mut place = self.file.clone()?;
        for number in [self.line, self.column].into_iter().map_while(|n| n) {
            place.push(':');
            place.push_str(&number.to_string());
        }
        Some(place)
    }

    /// Whether `other` says the same of the same place.
    pub fn is_same(&self, other: &Self) -> bool {
        (self.level, &self.lint, &self.message, &self.file, self.line, self.column)
            == (other.level, &other.lint, &other.message, &other.file, other.line, other.column)
    }

    /// Adds `finding` to `all`, or its feature sets to the one that says the same.
    pub fn merge_into(self, all: &mut Vec<Self>) {
        match all.iter_mut().find(|known| known.is_same(&self)) {
            Some(known) => {
                for set in self.feature_sets {
                    if !known.feature_sets.contains(&set) {
                        known.feature_sets.push(set);
                    }
                }
            }
            None => all.push(self),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_of_two_feature_sets_is_one() {
        let finding = |set: &str| Finding {
            file: Some("src/lib.rs".into()),
            line: Some(3),
            feature_sets: vec![set.into()],
            ..Finding::error("unused")
        };
        let mut all = Vec::new();
        for set in ["a", "b", "a"] {
            finding(set).merge_into(&mut all);
        }
        Finding { line: Some(4), ..finding("a") }.merge_into(&mut all);
        assert_eq!(all.len(), 2);
        assert_eq!(all[0].feature_sets, ["a", "b"]);
        assert_eq!(all[0].place().as_deref(), Some("src/lib.rs:3"));
    }
}
