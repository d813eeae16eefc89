//! Tests with real git, on repositories that the tests make.

use super::testing::Repository;
use super::*;
use rust_vmm_ci_core::exit::Exit;

#[test]
fn a_folder_in_no_repository_is_told_in_gits_words() {
    let folder = Repository::nowhere();
    let error = Git::at(&folder.root).unwrap_err();
    assert_eq!(exit::of(&error), Exit::Infrastructure);
    assert!(error.to_string().contains("not a git repository"), "{error}");
}

#[test]
fn a_revision_that_looks_like_an_option_is_none() {
    let repository = Repository::new();
    let commit = repository.commit("one");
    let git = Git::at(&repository.root).unwrap();
    assert_eq!(git.resolve("main").unwrap(), Some(commit));
    assert_eq!(git.resolve("--all").unwrap(), None);
    assert_eq!(git.resolve("gone").unwrap(), None);
}

#[test]
fn a_fetch_leaves_no_ref_and_changes_nothing_of_the_persons() {
    let origin = Repository::new();
    origin.commit("one");
    let clone = Repository::clone_of(&origin, &[]);
    clone.git(&["config", "fetch.prune", "true"]);
    origin.git(&["tag", "v1"]);
    let new = origin.commit("two");
    let before = clone.state();
    let git = Git::at(&clone.root).unwrap();
    assert_eq!(git.fetch("origin", Wanted::Branch("main"), Depth::Same, None).unwrap(), new);
    assert_eq!(clone.state(), before);
    assert!(!clone.root.join(".git/FETCH_HEAD").exists());
    assert_eq!(git.fetch(&origin.url(), Wanted::Commit(&new), Depth::Same, None).unwrap(), new);
}

#[test]
fn a_branch_that_is_gone_is_told_in_gits_words() {
    let origin = Repository::new();
    origin.commit("one");
    let clone = Repository::clone_of(&origin, &[]);
    let git = Git::at(&clone.root).unwrap();
    let error = git.fetch("origin", Wanted::Branch("gone"), Depth::Same, None).unwrap_err();
    assert!(error.to_string().contains("couldn't find remote ref"), "{error}");
}

#[test]
fn a_shallow_clone_is_deepened_below_commits_that_only_it_has() {
    let origin = Repository::new();
    let first = origin.commit("one");
    for number in 0..10 {
        origin.commit(number.to_string());
    }
    let clone = Repository::clone_of(&origin, &["--depth=1"]);
    clone.commit("mine");
    let git = Git::at(&clone.root).unwrap();
    assert!(git.is_shallow().unwrap());
    assert!(!git.is_whole(&clone.git(&["commit-tree", "HEAD^{tree}", "-m", "x"]), "HEAD").unwrap());
    git.fetch("origin", Wanted::Branch("main"), Depth::More(3), None).unwrap();
    assert_eq!(clone.git(&["rev-list", "--count", "HEAD"]), "5");
    git.fetch("origin", Wanted::Branch("main"), Depth::Whole, None).unwrap();
    assert_eq!(git.merge_base("HEAD", &first).unwrap(), Some(first));
}

#[test]
fn a_step_deepens_the_change_and_not_only_the_base() {
    let origin = Repository::new();
    origin.commit("one");
    origin.git(&["checkout", "--quiet", "-b", "work"]);
    for number in 0..10 {
        origin.commit(number.to_string());
    }
    let clone = Repository::clone_of(&origin, &["--depth=1", "--branch=work"]);
    let git = Git::at(&clone.root).unwrap();
    git.fetch("origin", Wanted::Branch("main"), Depth::More(3), None).unwrap();
    assert_eq!(clone.git(&["rev-list", "--count", "HEAD"]), "4");
    assert!(git.is_shallow().unwrap());
}

#[test]
fn added_lines_are_those_of_the_tree_against_a_commit() {
    let repository = Repository::new();
    // git quotes such a name. Windows does not allow it.
    let odd = if cfg!(windows) { "\u{e4}.rs" } else { "\u{e4}\"\t.rs" };
    repository.write("src/a b.rs", "1\n2\n3\n").write("gone", "x\n");
    let base = repository.commit("one");
    repository.write("src/a b.rs", "1\nnew\n3\nlast\n").write(odd, "1\n2");
    std::fs::remove_file(repository.root.join("gone")).unwrap();
    repository.commit("two");
    repository.write("src/a b.rs", "0\n1\nnew\n3\nlast\n");
    repository.git(&["config", "diff.noprefix", "true"]);
    repository.git(&["config", "diff.interHunkContext", "9"]);
    let added = Git::at(&repository.root).unwrap().added_lines(&base).unwrap();
    let expected = [("src/a b.rs".to_owned(), vec![1..=1, 3..=3, 5..=5]), (odd.to_owned(), vec![1..=2])];
    assert_eq!(added, expected.into());
}

#[test]
fn unrelated_commits_have_no_merge_base() {
    let repository = Repository::new();
    let one = repository.commit("one");
    let other = repository.git(&["commit-tree", "HEAD^{tree}", "-m", "other"]);
    let git = Git::at(&repository.root).unwrap();
    assert_eq!(git.merge_base(&one, &other).unwrap(), None);
    assert!(git.merge_base(&one, "gone").is_err());
    assert!(git.is_ancestor(&one, "HEAD").unwrap());
    assert!(!git.is_ancestor(&other, "HEAD").unwrap());
}

#[test]
fn a_worktree_replaces_what_a_killed_run_left_and_goes_without_a_trace() {
    let repository = Repository::new();
    let base = repository.write("a", "1").commit("one");
    repository.write("a", "2").commit("two");
    repository.write("a", "uncommitted").write(".gitignore", "target");
    let other = repository.root.join("../elsewhere");
    repository.git(&["worktree", "add", "--quiet", "../elsewhere"]);
    std::fs::rename(&other, repository.root.join("../unmounted")).unwrap();
    let hook = repository.root.join(".git/hooks/post-checkout");
    std::fs::create_dir_all(hook.parent().unwrap()).unwrap();
    #[cfg(unix)]
    crate::testing::write_program(&hook, "#!/bin/sh\nexit 1\n");
    #[cfg(not(unix))]
    std::fs::write(&hook, "#!/bin/sh\nexit 1\n").unwrap();
    let before = repository.state();
    let git = Git::at(&repository.root).unwrap();
    let path = repository.root.join("target/base");
    for _ in 0..2 {
        drop(git.worktree_add(&path, &base).unwrap());
        assert_eq!(std::fs::read_to_string(path.join("a")).unwrap(), "1");
        std::fs::write(path.join("left"), "over").unwrap();
    }
    git.worktree_remove(&path).unwrap();
    git.worktree_remove(&path).unwrap();
    assert_eq!(repository.state(), before);
}

#[test]
fn a_commits_files_are_read_without_a_checkout() {
    let repository = Repository::new();
    let base = repository.write("a/Cargo.lock", "old").write("b", "1").commit("one");
    repository.write("a/Cargo.lock", "new").commit("two");
    let before = repository.state();
    let git = Git::at(&repository.root).unwrap();
    assert_eq!(git.file(&base, "a/Cargo.lock").unwrap().as_deref(), Some(&b"old"[..]));
    assert_eq!(git.file(&base, "Cargo.lock").unwrap(), None);
    assert_eq!(git.file(&base, "a").unwrap(), None);
    let into = tempfile::tempdir().unwrap();
    git.export(&base, &into.path().join("tree"), &into.path().join("index")).unwrap();
    assert_eq!(std::fs::read_to_string(into.path().join("tree/a/Cargo.lock")).unwrap(), "old");
    assert_eq!(repository.state(), before);
}

#[test]
fn a_submodule_and_a_worktree_are_repositories_too() {
    let inner = Repository::new();
    let commit = inner.commit("inner");
    let outer = Repository::new();
    outer.git(&["submodule", "--quiet", "add", &inner.url(), "sub"]);
    outer.commit("outer");
    let sub = Git::at(&outer.root.join("sub")).unwrap();
    assert_eq!(sub.resolve("HEAD").unwrap(), Some(commit));
    assert_eq!(sub.toplevel().unwrap(), outer.root.join("sub"));
    assert_eq!(sub.remotes().unwrap(), ["origin"]);
    assert_eq!(sub.remote_head("origin").unwrap().as_deref(), Some("main"));
}

#[test]
fn what_a_hook_says_of_its_repository_is_not_heeded() {
    let repository = Repository::new();
    repository.commit("one");
    let command = Git::at(&repository.root).unwrap().command(["status"]);
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"] {
        assert!(command.env.contains(&(name.into(), None)), "{name}");
    }
}

#[test]
fn a_change_has_every_path_that_differs_and_a_rename_has_two() {
    let repository = Repository::new();
    std::fs::write(repository.root.join("a"), "the same text in both places\n").unwrap();
    std::fs::write(repository.root.join("b ü"), "old").unwrap();
    repository.git(&["add", "."]);
    let base = repository.commit("one");
    repository.git(&["mv", "a", "moved"]);
    std::fs::write(repository.root.join("b ü"), "new").unwrap();
    repository.git(&["commit", "--quiet", "--all", "--message=two"]);
    let git = Git::at(&repository.root).unwrap();
    assert_eq!(git.changed(&base).unwrap(), ["a", "b ü", "moved"]);
    assert_eq!(git.tracked().unwrap().paths, ["b ü", "moved"]);
    let texts = git.texts(&base, &["moved", "b ü", "a"]).unwrap();
    assert_eq!(texts.get("b ü"), Some(&Some("old".to_owned())));
    assert_eq!(texts.get("a"), Some(&Some("the same text in both places\n".to_owned())));
    assert_eq!(texts.get("moved"), None);
}

#[test]
fn a_path_that_was_changed_back_is_touched_and_does_not_differ() {
    let repository = Repository::new();
    std::fs::write(repository.root.join("a"), "old").unwrap();
    repository.git(&["add", "."]);
    let base = repository.commit("one");
    for text in ["new", "old"] {
        std::fs::write(repository.root.join("a"), text).unwrap();
        repository.git(&["commit", "--quiet", "--all", "--message=more"]);
    }
    let git = Git::at(&repository.root).unwrap();
    assert_eq!(git.changed(&base).unwrap(), [""; 0]);
    assert_eq!(git.touched(&base).unwrap(), ["a"]);
}

#[test]
fn a_commit_is_what_its_hash_says_though_another_replaces_it() {
    let repository = Repository::new();
    repository.commit("one");
    let real = repository.commit("real");
    repository.git(&["reset", "--quiet", "--soft", "HEAD~"]);
    let other = repository.commit("other");
    repository.git(&["replace", &real, &other]);
    assert_eq!(repository.git(&["log", "-1", "--format=%s", &real]), "other");
    let git = Git::at(&repository.root).unwrap();
    let said = git.log(None, &real, "%s").unwrap();
    assert_eq!(String::from_utf8_lossy(&said).split('\0').next(), Some("real"));
}
