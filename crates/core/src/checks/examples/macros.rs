//! Examples that take all macros of a crate, by `#[macro_use] extern crate`. rustc accepts that only at the root
//! of a program. A bundle of such examples has it at its own root, so all of them must take the same macros.

use std::borrow::Cow;

const ATTRIBUTE: &str = "#[macro_use]";

/// The crates whose macros an example takes, and its source without the attributes that say so. Spaces are in
/// their place, so that every other place stays. Only attributes at the beginning are read: there they are
/// certainly at the root, and not in a function, where rustc would refuse them.
pub(super) fn taken(source: &str) -> (Vec<&str>, Cow<'_, str>) {
    let (mut crates, mut attributes) = (Vec::new(), Vec::new());
    let mut pending = None;
    let mut begin = 0;
    for line in source.split_inclusive('\n') {
        let at = begin + line.len() - line.trim_start().len();
        begin += line.len();
        let text = line.trim();
        let is_comment = text.starts_with("//") && !text.starts_with("///") && !text.starts_with("//!");
        if pending.is_none() && (text.is_empty() || text == "#![allow(unused)]" || is_comment) {
            continue;
        }
        if pending.is_none() && text == ATTRIBUTE {
            pending = Some(at);
            continue;
        }
        let (attribute, rest) = match text.strip_prefix(ATTRIBUTE) {
            Some(rest) if pending.is_none() => (Some(at), rest.trim_start()),
            _ => (pending.take(), text),
        };
        let Some(name) = crate_of(rest) else { break };
        if let Some(attribute) = attribute {
            crates.push(name);
            attributes.push(attribute);
        }
    }
    if attributes.is_empty() {
        return (crates, source.into());
    }
    let mut plain = source.to_owned();
    for at in attributes {
        plain.replace_range(at..at + ATTRIBUTE.len(), &" ".repeat(ATTRIBUTE.len()));
    }
    (crates, plain.into())
}

/// The name in `extern crate NAME;`.
fn crate_of(text: &str) -> Option<&str> {
    let name = text.strip_prefix("extern crate ")?.strip_suffix(';')?.trim();
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    is_name.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn macros_are_taken_at_the_beginning_and_places_stay() {
        for source in [
            "#![allow(unused)]\n#[macro_use] extern crate a;\nfn main() {\n}",
            "#![allow(unused)]\n// Why.\n\n  #[macro_use]\n  extern crate a;\nextern crate b;\nfn main() {\n}",
        ] {
            let (crates, plain) = taken(source);
            assert_eq!(crates, ["a"], "{source}");
            assert!(!plain.contains("macro_use") && plain.contains(" extern crate a;"), "{plain}");
            assert_eq!(plain.len(), source.len());
            assert_eq!(plain.lines().count(), source.lines().count());
        }
    }

    #[test]
    fn what_may_be_elsewhere_or_says_more_is_left_as_it_is() {
        for source in [
            "fn main() {\n#[macro_use] extern crate a;\n}",
            "mod m {\n#[macro_use]\nextern crate a;\n}\nfn main() {\n}",
            "/* fn main() {\n*/ #[macro_use] extern crate a;\nfn main() {\n}",
            "#[macro_use]\n#[cfg(test)]\nextern crate a;\nfn main() {\n}",
            "#[macro_use(m)] extern crate a;\nfn main() {\n}",
            "#[macro_use] extern crate a as b;\nfn main() {\n}",
            "#[macro_use] mod m {}\nfn main() {\n}",
            "#[macro_use]\n",
        ] {
            let (crates, plain) = taken(source);
            assert_eq!((crates, &*plain), (Vec::new(), source));
        }
    }
}
