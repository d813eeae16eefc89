//! Suggestions for misspelt names.

/// The candidate that is closest to `given`, or `None` if none is close enough. Close enough is one
/// mistake for every three letters, but at least one and at most three. A mistake is one step of the
/// Damerau-Levenshtein distance.
pub fn closest<'a>(given: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = (given.chars().count() / 3).clamp(1, 3);
    let folded = given.to_lowercase().replace('_', "-");
    candidates
        .into_iter()
        .map(|candidate| {
            let slips = strsim::damerau_levenshtein(&folded, &candidate.to_lowercase().replace('_', "-"));
            (slips, candidate)
        })
        .filter(|(slips, _)| *slips <= allowed)
        .min_by_key(|(slips, _)| *slips)
        .map(|(_, candidate)| candidate)
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
    fn another_word_is_no_slip() {
        assert_eq!(closest("coverage", ["style", "clippy"]), None);
        assert_eq!(did_you_mean("coverage", ["style", "doc"]), "; one of: style, doc");
    }
}
