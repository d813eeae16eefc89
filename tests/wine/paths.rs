//! Paths as Linux has them and as Windows would: arguments and folders one way, a tool's output the
//! other, so that what is tested reads what it would read on Windows.

use std::borrow::Cow;

/// Wine's drive C.
fn drive_c() -> String {
    let prefix = std::env::var("WINEPREFIX").unwrap_or_else(|_| {
        let run = std::env::var("WINE_RUN").unwrap_or_default();
        format!("{}/prefix", run.rsplit_once('/').map_or("", |(folder, _)| folder))
    });
    format!("{prefix}/drive_c")
}

/// A text with a Windows path in it, at its beginning or after a `=`, such as an option's value.
pub fn to_linux(text: &str) -> String {
    let (option, path) = match text.split_once('=') {
        Some((option, path)) if has_drive(path) => (format!("{option}="), path),
        _ => (String::new(), text),
    };
    let (scheme, path) = match path.strip_prefix("file:///").filter(|path| has_drive(path)) {
        Some(path) => ("file://", path),
        None => ("", path.strip_prefix(r"\\?\").unwrap_or(path)),
    };
    if !has_drive(path) {
        return text.to_owned();
    }
    let root = if path.starts_with(['C', 'c']) { drive_c() } else { String::new() };
    format!("{option}{scheme}{root}{}", path[2..].replace('\\', "/"))
}

fn has_drive(path: &str) -> bool {
    let path = path.strip_prefix(r"\\?\").unwrap_or(path).as_bytes();
    path.len() > 2 && path[0].is_ascii_alphabetic() && path[1] == b':' && matches!(path[2], b'/' | b'\\')
}

/// An absolute path.
pub fn to_windows(path: &str) -> String {
    let (drive, path) = path.strip_prefix(&drive_c()).map_or(("Z:", path), |path| ("C:", path));
    format!("{drive}{}", path.replace('/', "\\"))
}

/// A line of a tool's output, as the tool on Windows has it.
pub fn said_on_windows<'l>(tool: &str, line: &'l [u8]) -> Cow<'l, [u8]> {
    let Ok(text) = std::str::from_utf8(line) else { return Cow::Borrowed(line) };
    let said = match tool {
        "git" if text.starts_with('/') => to_windows(text).replace('\\', "/"),
        "certutil" => match text.split_once("  ") {
            Some((hash, file)) => format!(
                "SHA256 hash of {}:\r\n{hash}\r\nCertUtil: -hashfile command completed successfully.\r\n",
                file.trim_end()
            ),
            None => text.to_owned(),
        },
        "rustc" if text.starts_with("host: ") => "host: x86_64-pc-windows-gnu\n".to_owned(),
        "cargo" if text.starts_with('{') => json(text),
        // rustfmt shows paths as Windows gives them where they are made canonical.
        "cargo" if text.starts_with("Diff in /") => {
            text.replacen("Diff in ", r"Diff in \\?\", 1).replacen(&text[8..], &to_windows(&text[8..]), 1)
        }
        "cargo" if text.contains(" panicked at ") => match text.split_once(" panicked at ") {
            Some((thread, place)) => format!("{thread} panicked at {}", place.replace('/', "\\")),
            None => text.to_owned(),
        },
        _ => return Cow::Borrowed(line),
    };
    Cow::Owned(said.into_bytes())
}

/// JSON in which every text that is an absolute path, and every file of a message, is Windows'.
fn json(text: &str) -> String {
    let mut out = String::new();
    let mut key = "";
    let mut rest = text;
    while let Some(begin) = rest.find('"') {
        out.push_str(&rest[..=begin]);
        rest = &rest[begin + 1..];
        let mut escaped = false;
        let end = rest.find(|c| {
            let ends = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        });
        let Some(end) = end else { break };
        let string = &rest[..end];
        if string.starts_with('/') && !string.starts_with("//") {
            out.push_str(&to_windows(string).replace('\\', r"\\"));
        } else if key == "file_name" {
            out.push_str(&string.replace('/', r"\\"));
        } else {
            out.push_str(string);
        }
        key = string;
        rest = &rest[end..];
        out.push('"');
        rest = &rest[1..];
    }
    out.push_str(rest);
    out
}
