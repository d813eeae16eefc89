//! `.platform`: the platforms of a repository or crate, one on each line.

use crate::exit::usage;
use crate::model::Platform;
use crate::options::{self, Refusal, Source};
use anyhow::Result;

/// The platforms in a file's text, without duplicates, in the file's order. The text may have blank lines, no
/// newline at its end, and the line ends of Windows. Files of the predecessor's users have all of these.
///
/// # Errors
/// Exit 2, with the line, for a name that is not a platform. Exit 2 for a file without a platform. The
/// predecessor read both as "no platform" and printed three steps.
pub fn platforms(path: &str, text: &str) -> Result<Vec<Platform>> {
    let mut found = Vec::new();
    for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let name = line.trim();
        if name.is_empty() {
            continue;
        }
        let platform: Platform = options::read(&name.into())
            .map_err(|refusal| usage(refusal.at_source(Source::File(format!("{path}:{}", index + 1)))))?;
        if !found.contains(&platform) {
            found.push(platform);
        }
    }
    if found.is_empty() {
        let all = Platform::ALL.map(Platform::as_str).join(", ");
        let reason =
            format!("names no platform; write one a line ({all}), or remove the file for x86_64 and aarch64");
        return Err(usage(Refusal::because(reason).at_source(Source::File(path.to_owned()))));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blank_lines_blanks_and_a_missing_newline_do_no_harm() {
        for text in
            ["x86_64\nriscv64\n", "\u{feff}x86_64\r\n\r\n  riscv64", "\nx86_64\nx86_64\n\triscv64\n\n"]
        {
            assert_eq!(
                platforms(".platform", text).unwrap(),
                [Platform::X86_64, Platform::Riscv64],
                "{text:?}"
            );
        }
    }

    #[test]
    fn an_empty_file_and_a_slip_are_errors_with_their_place() {
        let told = |text| platforms("a/.platform", text).unwrap_err().to_string();
        assert_eq!(
            told("x86_64\n\naarch46\n"),
            "a/.platform:3: expected one of x86_64, aarch64, riscv64, got \"aarch46\"; did you mean `aarch64`?"
        );
        for empty in ["", "\n \n"] {
            assert!(told(empty).starts_with("a/.platform: names no platform; write one a line"), "{empty:?}");
        }
    }
}
