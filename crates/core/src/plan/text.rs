//! Commands as text: for people who copy them from a step, and for virtual machines.

use crate::model::Os;

/// The command with a change of folder before it.
pub fn change_folder(os: Os, folder: Option<&str>, text: &str) -> String {
    match (folder, os) {
        (None, _) => text.to_owned(),
        (Some(folder), Os::Linux) => format!("cd {} && {text}", shell_words::quote(folder)),
        (Some(folder), Os::Windows) => format!("cd \"{}\" && {text}", folder.replace('/', "\\")),
    }
}

/// The command with variables that are set for all of it. On Windows the step's own `env` sets them, because
/// `cmd` cannot quote every value.
pub fn set_variables(os: Os, env: &[(String, String)], text: String) -> String {
    if env.is_empty() || os == Os::Windows {
        return text;
    }
    let set: Vec<String> =
        env.iter().map(|(name, value)| format!("{name}={}", shell_words::quote(value))).collect();
    format!("export {}; {text}", set.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_and_variables_come_before_the_command() {
        let env = [("A".to_owned(), "it's $x".to_owned())];
        let linux =
            change_folder(Os::Linux, Some("a b"), &set_variables(Os::Linux, &env, "make && x".into()));
        assert_eq!(linux, r"cd 'a b' && export A='it'\''s $x'; make && x");
        let windows = change_folder(Os::Windows, Some("a/b"), &set_variables(Os::Windows, &env, "x".into()));
        assert_eq!(windows, r#"cd "a\b" && x"#);
    }
}
