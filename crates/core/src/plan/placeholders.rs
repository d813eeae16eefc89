//! The placeholders in a command: the platform, and the crate that a step is for.

use super::work::Source;
use crate::exit::usage;
use crate::model::Platform;
use anyhow::Result;
use std::borrow::Cow;

/// The placeholders of a command (predecessor's format).
const PLATFORM: &str = "{target_platform}";
const CRATE_PATH: &str = "{crate_path}";
const PLACEHOLDERS: [&str; 3] = [PLATFORM, CRATE_PATH, "{crate}"];

impl<'a> Source<'a> {
    /// Replaces the placeholders in a text. With `quote`, the text is for a shell: each value becomes one
    /// word, whatever characters are in a folder's name.
    ///
    /// # Errors
    /// Exit 2 for a placeholder that has no value in this step.
    pub(super) fn fill<'t>(&self, text: &'t str, quote: bool) -> Result<Cow<'t, str>> {
        self.fill_at(text, quote).map_err(|what| usage(format!("{}: {what}", self.item.origin("command"))))
    }

    /// As [`Self::fill`], but the error does not say where the text is. The caller knows that.
    pub(super) fn fill_at<'t>(&self, text: &'t str, quote: bool) -> Result<Cow<'t, str>, String> {
        if !text.contains('{') {
            return Ok(Cow::Borrowed(text));
        }
        let mut filled = String::with_capacity(text.len() + 32);
        let mut rest = text;
        while let Some(at) = rest.find('{') {
            filled.push_str(&rest[..at]);
            rest = &rest[at..];
            if let Some(placeholder) = PLACEHOLDERS.iter().find(|placeholder| rest.starts_with(**placeholder))
            {
                let value = self.value_of(placeholder)?;
                filled.push_str(&if quote { shell_words::quote(value) } else { Cow::Borrowed(value) });
                rest = &rest[placeholder.len()..];
            } else {
                filled.push('{');
                rest = &rest[1..];
            }
        }
        filled.push_str(rest);
        Ok(Cow::Owned(filled))
    }

    fn value_of(&self, placeholder: &str) -> Result<&'a str, String> {
        let of_crate = self.of_crate;
        let (value, missing) = match placeholder {
            PLATFORM => (self.target.map(Platform::as_str), "and the test names no `platform`"),
            CRATE_PATH => (
                self.item.test.crate_path.as_deref().or(of_crate.map(|found| found.dir.as_str())),
                "which only `workspace: selective` or the key `crate_path` gives",
            ),
            _ => (of_crate.map(|found| found.name.as_str()), "which only `workspace: selective` gives"),
        };
        value.ok_or_else(|| format!("has {placeholder}, {missing}"))
    }
}
