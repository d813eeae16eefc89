//! The variables that only the agent's administrator may set. The table is `hooks/lib/agents-variables`, which the
//! hooks read too.

const TABLE: &str = include_str!("../../../../hooks/lib/agents-variables");

/// The names in the agent's list of the pipeline's variables (the file that `BUILDKITE_ENV_FILE` names). Each line
/// is `NAME="value"`. The value is quoted as in Go (`%q` in `agent/job_runner.go`), so it never spans lines.
pub fn names_in(list: &str) -> impl Iterator<Item = &str> {
    list.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name).filter(|name| is_name(name))
}

/// Whether a text is the name of a variable, as shells have them.
pub fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The first variable in the agent's list of the pipeline's variables that only the administrator may set.
/// `on_host`: whether the job's own code runs on the host, and not in a container.
pub fn of_the_agent(list: &str, on_host: bool) -> Option<&str> {
    // Not only whole names: a shell's function is `BASH_FUNC_name%%`.
    let names = list.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name);
    let refused: Vec<&str> =
        rows().filter(|(_, jobs)| !on_host || *jobs == "every").map(|(pattern, _)| pattern).collect();
    names.into_iter().find(|name| refused.iter().any(|pattern| matches(pattern, name)))
}

/// The rows of the table: a name or its beginning with `*`, and which jobs are refused.
fn rows() -> impl Iterator<Item = (&'static str, &'static str)> {
    let lines = TABLE.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_once(' ')).map(|(pattern, jobs)| (pattern, jobs.trim()))
}

/// Whether a name is meant. Windows does not distinguish small and capital letters in it, and on Linux nobody needs
/// a variable that differs only in them.
fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.get(..start.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(start)),
        None => name.eq_ignore_ascii_case(pattern),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_is_a_name_and_the_jobs() {
        let whole: Vec<_> = TABLE.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
        assert_eq!(rows().count(), whole.len());
        for (pattern, jobs) in rows() {
            assert!(is_name(pattern.trim_end_matches('*')), "{pattern}");
            assert!(["every", "host"].contains(&jobs), "{pattern} {jobs}");
        }
    }

    #[test]
    fn what_only_the_administrator_may_set_is_found_by_name_and_by_its_beginning() {
        let found = |name: &str, on_host| {
            let list = format!("A=\"b\"\n{name}=\"x\"\n");
            of_the_agent(&list, on_host).map(ToOwned::to_owned)
        };
        for name in ["RUST_VMM_CI_BINARY", "RUST_VMM_CI_POLICY", "RUST_VMM_CI_IN_CONTAINER", "PATH", "Path"] {
            assert_eq!(found(name, true).as_deref(), Some(name));
            assert_eq!(found(name, false).as_deref(), Some(name));
        }
        for name in
            ["LD_PRELOAD", "HOME", "DOCKER_HOST", "GIT_SSH_COMMAND", "SSL_CERT_FILE", "BASH_FUNC_git%%"]
        {
            assert_eq!((found(name, true), found(name, false).as_deref()), (None, Some(name)));
        }
        for name in
            ["RUSTFLAGS", "CARGO_HOME", "DOCKER_PLUGIN_CONFIG", "GIT_LFS_SKIP_SMUDGE", "PATHS", "HOMES"]
        {
            assert_eq!(found(name, false), None);
        }
    }

    #[test]
    fn a_value_is_no_name() {
        let list = "A=\"b\\nPATH=x\"\nTEXT=\"RUST_VMM_CI_BINARY=\\\"/x\\\"\"\n";
        assert_eq!(of_the_agent(list, false), None);
        assert_eq!(names_in("A=\"b\"\n1B=\"c\"\nC D=\"e\"\n").collect::<Vec<_>>(), ["A"]);
    }
}
