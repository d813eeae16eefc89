//! Tests of the judgement, with written answers of cargo-audit.

use super::*;
use crate::exit::{self, Exit};
use serde_json::{Value, json};

const LOCK: &str = r#"
    [[package]]
    name = "app"
    version = "0.1.0"
    dependencies = ["aa", "bb"]
    [[package]]
    name = "aa"
    version = "1.0.0"
    source = "registry"
    [[package]]
    name = "bb"
    version = "2.0.0"
    source = "registry"
    dependencies = ["aa"]
"#;

/// An answer in cargo-audit's form, with a vulnerability, an unmaintained crate and a yanked crate.
fn answer() -> Audit {
    let advisory = |id: &str, title: &str, date: &str| json!({"id": id, "title": title, "date": date, "url": null, "aliases": ["CVE-1"]});
    let package = |name: &str, version: &str| json!({"name": name, "version": version, "source": "registry"});
    let json = json!({
        "database": {"advisory-count": 3},
        "vulnerabilities": {"found": true, "count": 1, "list": [{
            "package": package("aa", "1.0.0"),
            "advisory": advisory("RUSTSEC-2020-0001", "Overflow in <b>aa</b>", "2020-01-02"),
            "versions": {"patched": [">=1.2.0", "^1.0.9"], "unaffected": []},
            "affected": null
        }]},
        "warnings": {
            "unmaintained": [{
                "kind": "unmaintained",
                "package": package("bb", "2.0.0"),
                "advisory": advisory("RUSTSEC-2021-0002", "bb is unmaintained", "2021-12-31"),
                "versions": {"patched": [], "unaffected": []}
            }],
            "yanked": [{"kind": "yanked", "package": package("cc", "3.0.0"), "advisory": null, "versions": null}]
        }
    });
    parse(json.to_string().as_bytes()).unwrap()
}

fn judged(own: &Value, base: Option<&BTreeSet<(String, String)>>) -> Vec<Finding> {
    let lock = LockFile::parse(LOCK);
    let today = NaiveDate::from_ymd_opt(2022, 1, 30).unwrap();
    let facts = Facts { lock: lock.as_ref(), lock_path: Some("Cargo.lock"), today, base };
    judge(&answer(), &options(own.as_object().unwrap()).unwrap(), &facts)
}

#[test]
fn each_advisory_says_where_it_comes_from_how_old_it_is_and_what_mends_it() {
    let findings = judged(&json!({}), None);
    let messages: Vec<&str> = findings.iter().map(|finding| finding.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "aa 1.0.0: Overflow in <b>aa</b> (RUSTSEC-2020-0001, vulnerable, published 2020-01-02, 2 years ago)",
            "bb 2.0.0: bb is unmaintained (RUSTSEC-2021-0002, unmaintained, published 2021-12-31, 30 days ago)",
            "cc 3.0.0: this version is yanked",
        ]
    );
    assert!(findings.iter().all(|finding| finding.level == Level::Error));
    let remedies: Vec<&str> = findings.iter().filter_map(|finding| finding.remedy.as_deref()).collect();
    assert_eq!(
        remedies,
        [
            "cargo update aa@1.0.0    # to >=1.2.0 or ^1.0.9",
            "no version of bb mends it: do without it, or ignore it with a reason",
            "cargo update cc@3.0.0",
        ]
    );
    let rendered = findings[0].rendered.as_deref().unwrap();
    assert!(
        rendered
            .starts_with("used by:  app 0.1.0 > aa 1.0.0\npatched:  >=1.2.0 or ^1.0.9\nalso:     CVE-1\n")
    );
    assert_eq!(findings[0].file.as_deref(), Some("Cargo.lock"));
}

#[test]
fn what_is_ignored_is_shown_with_its_reason_and_what_was_not_found_can_go() {
    let own = json!({"ignore": [
        {"id": "RUSTSEC-2020-0001", "reason": "not reached"},
        {"id": "yanked:cc@3.0.0", "reason": "ours"},
        {"id": "RUSTSEC-2000-0000", "reason": "long gone"}
    ]});
    let findings = judged(&own, None);
    let seen: Vec<_> = findings.iter().map(|f| (f.lint.as_deref().unwrap(), f.level)).collect();
    let expected = [
        ("RUSTSEC-2021-0002", Level::Error),
        ("RUSTSEC-2020-0001", Level::Note),
        ("yanked:cc@3.0.0", Level::Note),
        ("RUSTSEC-2000-0000", Level::Warning),
    ];
    assert_eq!(seen, expected);
    assert!(findings[1].message.ends_with("; ignored: not reached"));
    assert!(findings[3].message.contains("was not found"));
}

#[test]
fn what_the_base_has_too_only_warns() {
    let mut known = answer().known();
    assert!(known.remove(&("RUSTSEC-2021-0002".to_owned(), "bb".to_owned())));
    let findings = judged(&json!({"new-only": true}), Some(&known));
    let levels: Vec<_> = findings.iter().map(|finding| finding.level).collect();
    assert_eq!(levels, [Level::Error, Level::Warning, Level::Warning]);
    assert_eq!(findings[0].package.as_deref(), Some("bb"));
    assert!(findings[1].message.ends_with("; the base has it too"));
}

#[test]
fn an_age_is_told_as_people_tell_it() {
    let advisory = |date: &str| Advisory {
        id: String::new(),
        title: String::new(),
        date: date.to_owned(),
        url: None,
        aliases: Vec::new(),
    };
    let today = date_of(1_700_000_000).unwrap();
    let cases = [
        ("2023-11-14", "published 2023-11-14, today"),
        ("2023-11-13", "published 2023-11-13, 1 day ago"),
        ("2023-08-14", "published 2023-08-14, 3 months ago"),
        ("2020-11-14", "published 2020-11-14, 3 years ago"),
        ("someday", "published someday"),
    ];
    for (date, expected) in cases {
        assert_eq!(advisory(date).published(today), expected);
    }
}

#[test]
fn an_option_that_is_none_is_refused_with_its_path() {
    let cases = [
        (json!({"ignores": []}), "checks.cargo-audit.ignores: unknown option; did you mean `ignore`?"),
        (json!({"ignore": "x"}), "checks.cargo-audit.ignore: expected a list, got \"x\""),
        (
            json!({"ignore": ["RUSTSEC-2020-0001"]}),
            "checks.cargo-audit.ignore[0]: expected {\"id\": …, \"reason\": …}, got \"RUSTSEC-2020-0001\"",
        ),
        (
            json!({"ignore": [{"id": "RUSTSEC-2020-0001", "reason": " "}]}),
            "checks.cargo-audit.ignore[0]: expected {\"id\": …, \"reason\": …}, got \
             {\"id\":\"RUSTSEC-2020-0001\",\"reason\":\" \"}",
        ),
        (
            json!({"database": "file:///x"}),
            "checks.cargo-audit.database: expected a path, or an address that begins with https:// \
             (cargo-audit takes no other), got \"file:///x\"",
        ),
    ];
    for (own, expected) in cases {
        let error = options(own.as_object().unwrap()).unwrap_err();
        assert_eq!(error.to_string(), expected);
        assert_eq!(exit::of(&error), Exit::Usage);
    }
    let read =
        |place: &str| options(json!({"database": place}).as_object().unwrap()).unwrap().database.unwrap();
    assert_eq!(read("db"), Database::Path("db".into()));
    assert_eq!(read("https://mirror/db.git"), Database::Mirror("https://mirror/db.git".into()));
}

#[test]
fn what_is_no_answer_is_none() {
    for text in ["", "error: couldn't fetch", "{}", "[]", "{\"vulnerabilities\": 1}"] {
        assert!(parse(text.as_bytes()).is_none(), "{text}");
    }
}
