//! Tests of the rules, with written commits.

use super::*;
use serde_json::{Value, json};

const SIGNED: &str = "Title\n\nWhy.\n\nSigned-off-by: Ada <ada@example.org>\n";

fn commit(message: impl AsRef<[u8]>) -> Commit {
    Commit {
        hash: "0123456789abcdef0123456789abcdef01234567".into(),
        parents: 1,
        author: "Ada".into(),
        address: "ada@example.org".into(),
        message: message.as_ref().to_vec(),
    }
}

/// The rules that a message breaks.
fn broken(message: impl AsRef<[u8]>, own: &Value) -> Vec<String> {
    let options = options(own.as_object().unwrap()).unwrap();
    let findings = judge(&[commit(message)], None, &options).findings;
    let rule = |finding: Finding| finding.lint.unwrap().strip_prefix("commit-format::").unwrap().to_owned();
    findings.into_iter().map(rule).collect()
}

fn title(title: &str) -> String {
    SIGNED.replace("Title", title)
}

#[test]
fn the_predecessors_rules_hold_by_default() {
    let long = |character: &str, count: usize| title(&character.repeat(count));
    let cases: Vec<(String, &[&str])> = vec![
        (SIGNED.into(), &[]),
        ("Title\n\nSigned-off-by: Ada <ada@example.org>".into(), &[]),
        ("Title\r\n\r\nSigned-off-by: Ada <ada@example.org>\r\n".into(), &[]),
        (long("a", 60), &[]),
        (long("a", 61), &["title"]),
        // An e with a combining accent, a family of four, a flag: a person sees each as one character.
        (long("e\u{301}", 60), &[]),
        (long("\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}\u{200d}\u{1f466}", 60), &[]),
        (long("\u{1f1e9}\u{1f1ea}", 61), &["title"]),
        ("Title".into(), &["lines", "sign-off"]),
        ("Title\n\n\n\n".into(), &["lines", "sign-off"]),
        ("Title\n\nBody\n".into(), &["sign-off"]),
        ("Title\n\nBody\n Signed-off-by: Ada\n".into(), &["sign-off"]),
        ("Title\n\nBody\nsigned-off-by: Ada\n".into(), &["sign-off"]),
        ("Title\nmore\n\nSigned-off-by: Ada <ada@example.org>\n".into(), &["blank-line"]),
        ("Title\nSigned-off-by: Ada <ada@example.org>\n".into(), &["blank-line", "lines"]),
        (
            long("a", 61).replace("\n\nWhy", "\nWhy").replace("Signed", "Not"),
            &["title", "blank-line", "sign-off"],
        ),
        (title("fixup! other"), &[]),
        (SIGNED.replace("ada@example.org", "bob@example.org"), &[]),
        (String::new(), &["title", "lines", "sign-off"]),
        ("\n\nSigned-off-by: Ada\n".into(), &["title"]),
    ];
    for (message, expected) in cases {
        assert_eq!(broken(&message, &json!({})), expected, "{message:?}");
    }
}

#[test]
fn each_rule_is_an_option() {
    let long = title(&"a".repeat(72));
    assert_eq!(broken(&long, &json!({"title": 72})), [""; 0]);
    assert_eq!(broken(&long, &json!({"title": 71})), ["title"]);
    assert_eq!(broken(&long, &json!({"title": false})), [""; 0]);
    assert_eq!(broken("T\nx\n", &json!({"blank-line": false, "lines": false, "sign-off": false})), [""; 0]);
    assert_eq!(broken("T\n\nx\n", &json!({"lines": 4, "sign-off": false})), ["lines"]);
    let author = json!({"sign-off-matches-author": true});
    assert_eq!(broken(SIGNED, &author), [""; 0]);
    assert_eq!(broken(SIGNED.replace("ada@", "ADA@"), &author), [""; 0]);
    assert_eq!(broken(SIGNED.replace("ada@", "bob@"), &author), ["sign-off-matches-author"]);
    assert_eq!(broken(SIGNED.replace("<ada@example.org>", ""), &author), ["sign-off-matches-author"]);
    assert_eq!(broken("T\n\nx\n", &author), ["sign-off"]);
    for word in ["fixup!", "squash!", "amend!"] {
        assert_eq!(broken(title(&format!("{word} x")), &json!({"no-fixup": true})), ["no-fixup"]);
    }
}

#[test]
fn bytes_that_are_no_text_are_counted_and_shown() {
    let mut message = vec![b'\xff'; 60];
    message.extend(b"\n\nSigned-off-by: \xe4\n");
    assert_eq!(broken(&message, &json!({})), [""; 0]);
    message.insert(0, b'\x1b');
    let judged = judge(&[commit(&message)], None, &Options::default());
    let expected =
        format!("0123456789ab \"{}\": the title has 61 characters, 60 are allowed", "\u{fffd}".repeat(61));
    assert_eq!(judged.findings[0].message, expected);
}

#[test]
fn a_title_without_end_is_shown_in_part() {
    let judged = judge(&[commit(title(&"a".repeat(100_000)))], None, &Options::default());
    let message = &judged.findings[0].message;
    assert!(message.contains(&format!("\"{}\u{2026}\": the title has 100000", "a".repeat(80))), "{message}");
}

#[test]
fn merges_and_dependabot_are_not_looked_at() {
    let merge = Commit { parents: 2, ..commit("Merge") };
    let by = |address: &str| Commit { address: address.into(), ..commit("Bump") };
    let all = [
        merge,
        by("49699333+dependabot[bot]@users.noreply.github.com"),
        by("27856297+Dependabot-preview[bot]@users.noreply.github.com"),
        by("not-dependabot@example.org"),
    ];
    let judged = judge(&all, None, &Options::default());
    assert_eq!((judged.checked, judged.merges, judged.exempt), (1, 1, 2));
    assert_eq!(judged.findings.len(), 2);
    let own = json!({"exempt": ["bot@example.org"]});
    let judged = judge(
        &[by("bot@example.org"), by(options::DEPENDABOT[0])],
        None,
        &options(own.as_object().unwrap()).unwrap(),
    );
    assert_eq!((judged.checked, judged.exempt), (1, 1));
}

#[test]
fn an_option_that_is_none_is_refused_with_its_path() {
    let cases = [
        (json!({"titel": 60}), "checks.commit-format.titel: unknown option; did you mean `title`?"),
        (
            json!({"sign_off": true}),
            "checks.commit-format.sign_off: unknown option; did you mean `sign-off`?",
        ),
        (
            json!({"title": "long"}),
            "checks.commit-format.title: expected a whole number from 1, or false, got \"long\"",
        ),
        (json!({"title": 0}), "checks.commit-format.title: expected a whole number from 1, or false, got 0"),
        (
            json!({"title": true}),
            "checks.commit-format.title: expected a whole number from 1, or false, got true",
        ),
        (
            json!({"sign-off": "yes"}),
            "checks.commit-format.sign-off: expected true or false, got \"yes\"; write true",
        ),
        (json!({"exempt": [1]}), "checks.commit-format.exempt[0]: expected text, got 1; write it in quotes"),
        (
            json!({"base": ""}),
            "checks.commit-format.base: expected one line of text that is not blank and has no control characters, got \"\"",
        ),
    ];
    for (own, expected) in cases {
        let error = options(own.as_object().unwrap()).unwrap_err();
        assert_eq!(error.to_string(), expected);
        assert_eq!(exit::of(&error), exit::Exit::Usage);
    }
}

#[test]
fn a_log_is_read_by_its_fields() {
    let log = b"aa\0bb cc\0Ada\0a@b\0One\n\nx\n\0bb\0\0\xff\0\0\0";
    let read = commits(log).unwrap();
    assert_eq!(read.iter().map(|commit| commit.parents).collect::<Vec<_>>(), [2, 0]);
    assert_eq!((read[0].message.as_slice(), read[1].message.as_slice()), (&b"One\n\nx\n"[..], &b""[..]));
    assert_eq!(read[1].author, "\u{fffd}");
    assert_eq!(commits(b"").unwrap(), []);
    assert!(commits(b"aa\0bb\0").is_err());
    assert!(commits(b"aa").is_err());
}
