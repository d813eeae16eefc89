//! Suggestions for misspelt names.

/// The longest name that is compared, in bytes. The comparison takes as many steps as the product of the two
/// lengths, and nobody mistypes one letter of a longer name.
const LONGEST: usize = 200;

/// The number of mistakes that turn one name into another (Damerau-Levenshtein). There is no answer for names
/// that are too long to compare.
pub fn mistakes(given: &str, meant: &str) -> Option<usize> {
    (given.len().max(meant.len()) <= LONGEST).then(|| strsim::damerau_levenshtein(given, meant))
}

/// The candidate that is closest to `given`, or `None` if none is close enough. Close enough is one
/// mistake for every three letters, but at least one and at most three. A mistake is one step of the
/// Damerau-Levenshtein distance.
pub fn closest<'a>(given: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if given.len() > LONGEST {
        return None;
    }
    let allowed = (given.chars().count() / 3).clamp(1, 3);
    let folded = with_our_word(&given.to_lowercase()).replace('_', "-");
    candidates
        .into_iter()
        .filter_map(|candidate| {
            let slips = mistakes(&folded, &candidate.to_lowercase().replace('_', "-"))?;
            Some((slips, candidate))
        })
        .filter(|(slips, _)| *slips <= allowed)
        .min_by_key(|(slips, _)| *slips)
        .map(|(_, candidate)| candidate)
}

/// Names of platforms in other projects, with ours: Docker, Debian, Go and Rust do not agree.
const PLATFORMS: [(&str, &str); 5] = [
    ("arm64", "aarch64"),
    ("amd64", "x86_64"),
    ("x64", "x86_64"),
    ("x86-64", "x86_64"),
    ("riscv64gc", "riscv64"),
];

/// A name whose platform at the end is written as we write it: `clippy-arm64` is `clippy-aarch64`.
pub fn with_our_word(given: &str) -> String {
    let found = PLATFORMS.iter().find_map(|(theirs, ours)| Some((given.strip_suffix(theirs)?, ours)));
    let at_a_word = |before: &str| before.is_empty() || before.ends_with(['-', ' ']);
    match found {
        Some((before, ours)) if at_a_word(before) => format!("{before}{ours}"),
        _ => given.to_owned(),
    }
}

/// The end of an error about an unknown name. It is "; did you mean `x`?" if a candidate is close, and
/// "; one of: a, b, c" if not.
pub fn did_you_mean<'a>(given: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    let candidates: Vec<&str> = candidates.into_iter().collect();
    match closest(given, candidates.iter().copied()) {
        Some(candidate) => format!("; did you mean `{candidate}`?"),
        None if candidates.is_empty() => String::new(),
        None => format!("; one of: {}", candidates.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_hand_is_understood() {
        assert_eq!(closest("cliippy", ["style", "clippy"]), Some("clippy"));
        assert_eq!(closest("timeout_in_minutes", ["timeout-in-minutes"]), Some("timeout-in-minutes"));
        assert_eq!(closest("sytle", ["style", "clippy"]), Some("style"));
    }

    #[test]
    fn a_platform_is_known_by_the_names_that_others_give_it() {
        assert_eq!(closest("arm64", ["x86_64", "aarch64"]), Some("aarch64"));
        assert_eq!(closest("amd64", ["x86_64", "aarch64"]), Some("x86_64"));
        assert_eq!(with_our_word("clippy-arm64"), "clippy-aarch64");
        assert_eq!(with_our_word("farm64"), "farm64");
    }

    #[test]
    fn another_word_is_no_slip() {
        assert_eq!(closest("coverage", ["style", "clippy"]), None);
        assert_eq!(did_you_mean("coverage", ["style", "doc"]), "; one of: style, doc");
    }

    #[test]
    fn a_name_that_is_too_long_to_be_misspelt_is_compared_with_nothing() {
        let (given, meant) = ("x".repeat(LONGEST + 1), "x".repeat(LONGEST));
        assert_eq!(closest(&given, [meant.as_str()]), None);
        assert_eq!(closest(&meant, [given.as_str()]), None);
        assert_eq!(closest(&meant, [meant.as_str()]), Some(meant.as_str()));
    }
}
