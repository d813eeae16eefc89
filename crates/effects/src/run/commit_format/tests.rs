//! commit-format on real repositories.

use super::*;
use crate::git::testing::Repository;
use crate::process::{self, Command};
use crate::run::base::with_git;
use crate::run::testing::judged;
use rust_vmm_ci_core::exit::{self, Exit};
use rust_vmm_ci_core::report::Verdict;
use serde_json::{Value, json};

const GOOD: &str = "Title\n\nWhy.\n\nSigned-off-by: Ada <ada@example.org>\n";

/// Judges a repository's change, as with these variables and options.
fn judge_with(
    repository: &Repository,
    variables: &[(&str, &str)],
    own: &Value,
) -> (Result<Judgement>, String) {
    let read =
        |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    judged(&repository.root, |context| {
        let git = Git::at(context.root)?;
        let known = with_git(Surroundings::read(read), &git)?;
        judge(context, &git, &commit_format::options(own.as_object().unwrap())?, &known)
    })
}

/// The verdict, what broke which rules (oldest digits first), and the log.
fn verdict(repository: &Repository, variables: &[(&str, &str)]) -> (Verdict, Vec<String>, String) {
    let (judgement, log) = judge_with(repository, variables, &json!({}));
    let judgement = judgement.unwrap_or_else(|error| panic!("{error:#}\n{log}"));
    let findings = judgement.findings.into_iter().map(|finding| finding.message).collect();
    (judgement.verdict, findings, log)
}

/// A repository with one commit on `main`, and a clone of it on a branch.
fn pair() -> (Repository, Repository) {
    let origin = Repository::new();
    origin.commit("the beginning, in bad form");
    let clone = Repository::clone_of(&origin, &[]);
    clone.git(&["checkout", "--quiet", "-b", "work"]);
    (origin, clone)
}

#[test]
fn all_problems_of_all_commits_are_told_and_nothing_is_changed() {
    let (_origin, clone) = pair();
    let first = clone.commit("One");
    clone.commit(GOOD);
    let second = clone.commit(GOOD.replace("Title\n", "Two\nmore"));
    let before = clone.state();
    let (verdict, findings, log) = verdict(&clone, &[]);
    assert_eq!(verdict, Verdict::Failed);
    let (first, second) = (&first[..12], &second[..12]);
    assert_eq!(
        findings,
        [
            format!(
                "{second} \"Two\": the second line is not blank: the title is one line, then comes a blank one"
            ),
            format!(
                "{first} \"One\": the message has 1 line, at least 3 are needed: title, blank line, sign-off"
            ),
            format!("{first} \"One\": no line begins with `Signed-off-by: `"),
        ]
    );
    assert!(log.contains("3 commits since `main`"), "{log}");
    assert_eq!(clone.state(), before);
    assert!(!clone.root.join(".git/FETCH_HEAD").exists());
}

#[test]
fn the_base_is_fetched_since_the_one_that_is_here_is_old() {
    let (origin, clone) = pair();
    origin.commit("another in bad form");
    clone.git(&["fetch", "--quiet", &origin.url(), "main"]);
    clone.git(&["reset", "--quiet", "--hard", "FETCH_HEAD"]);
    clone.commit(GOOD);
    let pull = [
        ("BUILDKITE_REPO", &*origin.url()),
        ("BUILDKITE_PULL_REQUEST", "1"),
        ("BUILDKITE_PULL_REQUEST_BASE_BRANCH", "main"),
    ];
    clone.git(&["checkout", "--quiet", "--detach"]);
    let (verdict, findings, log) = verdict(&clone, &pull);
    assert_eq!((verdict, findings), (Verdict::Passed, vec![]), "{log}");
    assert!(log.contains("1 commit since `main`"), "{log}");
    assert!(log.contains("named by BUILDKITE_PULL_REQUEST_BASE_BRANCH"), "{log}");
}

#[test]
fn where_the_base_cannot_be_fetched_one_that_is_here_serves_and_the_log_says_so() {
    let (_origin, clone) = pair();
    clone.commit("Bad");
    let away = [("BUILDKITE_REPO", "file:///nowhere/at/all"), ("BASE_BRANCH", "main")];
    let (verdict, findings, log) = verdict(&clone, &away);
    assert_eq!((verdict, findings.len()), (Verdict::Failed, 2));
    assert!(log.contains("does not appear to be a git repository"), "{log}");
    assert!(log.contains("`refs/remotes/origin/main` serves as it is here"), "{log}");
}

#[test]
fn no_base_is_an_error_that_says_what_was_tried() {
    let (_origin, clone) = pair();
    clone.commit(GOOD);
    let (judgement, _) = judge_with(&clone, &[("BUILDKITE_PULL_REQUEST_BASE_BRANCH", "gone")], &json!({}));
    let error = judgement.unwrap_err();
    assert_eq!(exit::of(&error), Exit::Infrastructure);
    let said = error.to_string();
    let parts = [
        "`gone`, named by BUILDKITE_PULL_REQUEST_BASE_BRANCH",
        "couldn't find remote ref refs/heads/gone",
        "refs/remotes/origin/gone, refs/heads/gone",
        "none is named by checks.commit-format.base",
    ];
    for part in parts {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn a_repository_without_remote_or_main_has_no_base() {
    let repository = Repository::new();
    repository.commit("One");
    repository.git(&["branch", "-m", "trunk"]);
    let (judgement, _) = judge_with(&repository, &[], &json!({}));
    let judgement = judgement.unwrap();
    assert_eq!(judgement.verdict, Verdict::Skipped);
    assert!(judgement.reason.unwrap().contains("has no remote"));
}

#[test]
fn a_folder_without_repository_or_commit_is_no_pass() {
    for (folder, says) in
        [(Repository::nowhere(), "not a git repository"), (Repository::new(), "no commit yet")]
    {
        let (judgement, _) = judge_with(&folder, &[], &json!({}));
        let error = judgement.unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
        assert_eq!(exit::of(&error), Exit::Infrastructure);
    }
}

#[test]
fn a_shallow_clone_is_deepened_to_the_base() {
    let (origin, _) = pair();
    for _ in 0..60 {
        origin.commit(GOOD);
    }
    origin.git(&["branch", "work"]);
    for _ in 0..5 {
        origin.commit("later, in bad form");
    }
    origin.git(&["checkout", "--quiet", "work"]);
    let first = origin.commit("Bad");
    for _ in 0..60 {
        origin.commit(GOOD);
    }
    origin.git(&["checkout", "--quiet", "main"]);
    let clone = Repository::clone_of(&origin, &["--depth=1", "--branch=work"]);
    let (verdict, findings, log) = verdict(&clone, &[]);
    assert_eq!(verdict, Verdict::Failed, "{log}");
    assert_eq!(findings.len(), 2, "{findings:?}");
    assert!(findings[0].contains(&first[..12]));
    assert!(log.contains("61 commits since `main`"), "{log}");
    assert!(log.contains("this clone is shallow"), "{log}");
}

#[test]
fn a_worktree_of_a_shallow_clone_is_deepened_too() {
    let (origin, _) = pair();
    origin.git(&["checkout", "--quiet", "-b", "work"]);
    origin.commit("Bad");
    origin.commit(GOOD);
    origin.git(&["checkout", "--quiet", "main"]);
    let clone = Repository::clone_of(&origin, &["--depth=1", "--branch=work"]);
    clone.git(&["worktree", "add", "--quiet", "--detach", "tree"]);
    let (verdict, findings, log) = verdict(&Repository::within(&clone, "tree"), &[]);
    assert_eq!((verdict, findings.len()), (Verdict::Failed, 2), "{log}");
    assert!(log.contains("2 commits since `main`"), "{log}");
}

#[test]
fn a_shallow_clone_that_cannot_be_deepened_is_no_pass() {
    let (origin, _) = pair();
    origin.commit(GOOD);
    let clone = Repository::clone_of(&origin, &["--depth=1"]);
    clone.git(&["commit", "--quiet", "--amend", "--allow-empty", "-m", "other"]);
    clone.git(&["checkout", "--quiet", "--orphan", "lone"]);
    clone.commit("Lone");
    clone.git(&["remote", "set-url", "origin", "file:///nowhere/at/all"]);
    let (judgement, _) = judge_with(&clone, &[], &json!({}));
    let said = judgement.unwrap_err().to_string();
    assert!(said.contains("this clone is shallow") && said.contains("/nowhere/at/all"), "{said}");
}

#[test]
fn merges_are_not_looked_at_but_what_they_bring_is() {
    let (origin, clone) = pair();
    clone.commit("Bad");
    origin.commit("later on main, in bad form");
    clone.git(&["fetch", "--quiet", "origin"]);
    clone.git(&["merge", "--quiet", "--no-ff", "-m", "Merge", "origin/main"]);
    let (verdict, findings, log) = verdict(&clone, &[]);
    assert_eq!((verdict, findings.len()), (Verdict::Failed, 2), "{findings:?}");
    assert!(log.contains("1 commit since `main`"), "{log}");
    assert!(log.contains("1 commit not looked at: merges"), "{log}");
}

#[test]
fn a_push_to_the_base_checks_what_this_checkout_had_not_seen() {
    let (origin, clone) = pair();
    origin.commit("Bad");
    let head = origin.commit(GOOD);
    clone.git(&["fetch", "--quiet", "origin"]);
    clone.git(&["checkout", "--quiet", "--detach", &head]);
    let push = [
        ("BUILDKITE_REPO", &*origin.url()),
        ("BUILDKITE_BRANCH", "main"),
        ("BUILDKITE_PULL_REQUEST", "false"),
        ("BUILDKITE_PIPELINE_DEFAULT_BRANCH", "main"),
    ];
    let seen = verdict(&clone, &push);
    assert_eq!((seen.0, seen.1.len()), (Verdict::Failed, 2));
    assert!(seen.2.contains("2 commits since `main` as this checkout saw it last"), "{}", seen.2);

    for args in [&[][..], &["--depth=1"]] {
        let fresh = Repository::clone_of(&origin, args);
        let seen = verdict(&fresh, &push);
        assert_eq!(seen.0, Verdict::Passed, "{}", seen.2);
        assert!(seen.2.contains("1 commit since `main` before its last commit"), "{}", seen.2);
    }
}

#[test]
fn a_push_of_a_merge_checks_all_that_it_brought() {
    let (origin, _) = pair();
    origin.git(&["checkout", "--quiet", "-b", "topic"]);
    origin.commit("Bad");
    origin.commit(GOOD);
    origin.git(&["checkout", "--quiet", "main"]);
    origin.git(&["merge", "--quiet", "--no-ff", "-m", "Merge", "topic"]);
    let push = [("BUILDKITE_REPO", &*origin.url()), ("BUILDKITE_BRANCH", "main")];
    for args in [&[][..], &["--depth=1"]] {
        let (verdict, findings, log) = verdict(&Repository::clone_of(&origin, args), &push);
        assert_eq!((verdict, findings.len()), (Verdict::Failed, 2), "{log}");
        assert!(log.contains("2 commits since"), "{log}");
    }
}

#[test]
fn the_first_commit_of_all_is_checked_when_it_is_pushed() {
    let (origin, clone) = pair();
    let (verdict, findings, _) =
        verdict(&clone, &[("BUILDKITE_REPO", &*origin.url()), ("BUILDKITE_BRANCH", "main")]);
    assert_eq!((verdict, findings.len()), (Verdict::Failed, 2));
}

#[test]
fn a_merge_queues_base_is_the_entry_before() {
    let (origin, clone) = pair();
    let before = clone.commit("an earlier entry, in bad form");
    clone.commit(GOOD);
    let queue = [
        ("BUILDKITE_REPO", &*origin.url()),
        ("BUILDKITE_MERGE_QUEUE_BASE_BRANCH", "main"),
        ("BUILDKITE_MERGE_QUEUE_BASE_COMMIT", &*before),
    ];
    assert_eq!(verdict(&clone, &queue).0, Verdict::Passed);
    assert_eq!(verdict(&clone, &queue[..2]).0, Verdict::Failed);
}

#[test]
fn messages_are_bytes_and_old_encodings_are_read() {
    let (_origin, clone) = pair();
    clone.git(&["config", "i18n.commitEncoding", "ISO-8859-1"]);
    let mut latin = vec![b'\xe4'; 60];
    latin.extend(b"\n\nSigned-off-by: \xc4da <ada@example.org>\n");
    clone.commit(&latin);
    clone.git(&["config", "--unset", "i18n.commitEncoding"]);
    latin.insert(0, b'\xff');
    let commit = clone.commit_raw(&latin);
    let (verdict, findings, _) = verdict(&clone, &[]);
    assert_eq!(verdict, Verdict::Failed);
    let title = "\u{fffd}".repeat(61);
    assert_eq!(
        findings,
        [format!("{} \"{title}\": the title has 61 characters, 60 are allowed", &commit[..12])]
    );
}

#[test]
fn a_submodule_is_checked_by_its_own_history() {
    let (origin, _) = pair();
    let outer = Repository::new();
    outer.git(&["submodule", "--quiet", "add", &origin.url(), "sub"]);
    outer.commit(GOOD);
    let sub = Repository::within(&outer, "sub");
    sub.commit("Bad");
    let (verdict, findings, _) = verdict(&sub, &[]);
    assert_eq!((verdict, findings.len()), (Verdict::Failed, 2));
}

/// Follows the first remedy that is shown until there is none, and returns all that were followed.
fn mend(repository: &Repository) -> Vec<String> {
    repository.git(&["config", "user.name", "Ada"]);
    repository.git(&["config", "user.email", "ada@example.org"]);
    // Whoever is asked for a message writes one in good form.
    let editor = r#"sh -c '
        printf "Mended\n\nSigned-off-by: Ada <ada@example.org>\n" > "$1.new"
        case $(head -n 1 "$1") in amend!*) { head -n 1 "$1"; echo; cat "$1.new"; } > "$1.amend"; mv "$1.amend" "$1.new";; esac
        mv "$1.new" "$1"' --"#;
    let mut followed = Vec::new();
    for _ in 0..10 {
        let judgement = judge_with(repository, &[], &json!({"no-fixup": true})).0.unwrap();
        let Some(finding) = judgement.findings.into_iter().next() else { return followed };
        let remedy = finding.remedy.unwrap();
        let command = repository.command("sh").args(["-ec", &remedy]).env("GIT_EDITOR", editor);
        let said = process::capture(&command).unwrap();
        assert!(said.status.success(), "{remedy}: {}", said.complaint());
        followed.push(remedy);
    }
    panic!("still not mended: {followed:#?}");
}

#[test]
fn the_commands_that_are_shown_mend_what_they_are_shown_for() {
    let (_origin, clone) = pair();
    let messages = [
        GOOD.replace("Title\n", "Oldest\nmore\n"),
        "Unsigned".to_owned(),
        GOOD.to_owned(),
        GOOD.replace("Title", &"long ".repeat(20)),
        GOOD.replace("Title", "Fixed"),
        GOOD.replace("Title", "fixup! Fixed"),
        "Newest".to_owned(),
    ];
    for (number, message) in messages.iter().enumerate() {
        clone.write(&number.to_string(), "x").commit(message);
    }
    let followed = mend(&clone);
    let forms = [
        "git commit --amend --no-edit --signoff",
        "git -c ",
        "git commit --fixup",
        "git rebase",
        "git commit --fixup",
    ];
    assert_eq!(followed.len(), forms.len(), "{followed:#?}");
    for (command, form) in followed.iter().zip(forms) {
        assert!(command.starts_with(form), "{command}");
    }
    assert_eq!(clone.git(&["rev-list", "--count", "main..HEAD"]), "6");
}

#[test]
fn commits_of_the_base_that_were_merged_are_not_written_anew() {
    let (origin, clone) = pair();
    clone.write("a", "1").commit(GOOD.replace("Title\n", "Title\nmore\n"));
    clone.write("b", "1").commit("Unsigned");
    let theirs = origin.write("c", "1").commit("Bad form on main");
    clone.git(&["fetch", "--quiet", "origin"]);
    clone.git(&["merge", "--quiet", "--no-ff", "-m", "Merge", "origin/main"]);
    clone.write("d", "1").commit(GOOD);
    assert_eq!(mend(&clone).len(), 2);
    assert_eq!(clone.git(&["merge-base", "HEAD", "origin/main"]), theirs);
}

#[test]
fn five_thousand_commits_are_judged_with_a_few_questions() {
    let repository = Repository::new();
    let mut stream = b"reset refs/heads/main\n".to_vec();
    for number in 0..=5000 {
        let message = if number % 50 == 0 {
            "Bad\n".to_owned()
        } else {
            GOOD.replace("Title", &format!("Change {number}"))
        };
        let head = format!(
            "commit refs/heads/{}\ncommitter Ada <ada@example.org> {} +0000\ndata {}\n{message}\n",
            if number == 0 { "main" } else { "work" },
            1_700_000_000 + number,
            message.len()
        );
        stream.extend(head.into_bytes());
        if number == 1 {
            stream.extend(b"from refs/heads/main\n");
        }
    }
    let import: Command = repository.command("git").args(["fast-import", "--quiet"]);
    assert!(process::capture_with_input(&import, stream).unwrap().status.success());
    repository.git(&["checkout", "--quiet", "work"]);
    let begin = process::STARTED.get();
    let (verdict, findings, log) = verdict(&repository, &[]);
    let questions = process::STARTED.get() - begin;
    assert!(questions < 20, "{questions}");
    assert_eq!((verdict, findings.len()), (Verdict::Failed, 200));
    assert!(log.contains("5000 commits since `main`"), "{log}");
}
