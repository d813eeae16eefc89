//! Compares the table of checks with the types, with the list of standard checks and with the pages of
//! documentation. A failing test names the check that is missing somewhere.

use super::*;
use crate::config::{COMMON_CHECK_KEYS, Config};
use crate::predecessor::Description;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const OPTIONS_PAGE: &str = include_str!("../../../../docs/options.md");
const PLUGIN_YML: &str = include_str!("../../../../plugin.yml");

type Set = BTreeSet<String>;

fn one(name: &str, value: Value) -> Map<String, Value> {
    [(name.to_owned(), value)].into_iter().collect()
}

/// The names in the error for an unknown option, without those that every check has.
fn known_to_the_reader(check: &Check) -> Set {
    let told = check.check_options(&one("?", json!(1))).unwrap_err().to_string();
    let names = told.split_once("one of: ").unwrap().1.split(", ").map(str::to_owned);
    names.filter(|name| !COMMON_CHECK_KEYS.contains(&name.as_str())).collect()
}

#[test]
fn every_check_stands_once_and_says_what_it_holds_and_how_long_it_takes() {
    let mut names = BTreeSet::new();
    for check in &CHECKS {
        assert!(names.insert(check.name), "{} stands twice", check.name);
        let sentence = !check.holds.is_empty() && !check.holds.ends_with('.') && !check.holds.contains('\n');
        assert!(sentence, "{}: `holds` is one sentence without a full stop", check.name);
        assert!(check.seconds > 0.0, "{}: `seconds` is 0", check.name);
    }
}

#[test]
fn the_standard_list_has_exactly_the_checks_that_are_always_in() {
    let listed = Description::read("the standard checks", STANDARD).unwrap();
    let listed: Set = listed.tests.iter().map(|test| test.name.to_string()).collect();
    let always = CHECKS.iter().filter(|check| !check.is_opt_in());
    assert_eq!(listed, always.map(|check| check.name.to_owned()).collect::<Set>(), "standard.json");
}

#[test]
fn a_command_of_the_standard_list_is_no_logic_and_the_other_way_round() {
    for test in Description::read("the standard checks", STANDARD).unwrap().tests {
        let check = find(test.name.as_str()).unwrap();
        let is_ours = test.command == check.command();
        assert_eq!(
            is_ours,
            matches!(check.runs, Runs::Logic { .. }),
            "{}: its command in standard.json",
            test.name
        );
    }
}

#[test]
fn every_option_in_the_table_is_one_that_the_check_reads() {
    for check in &CHECKS {
        let table: Set = check.options.iter().map(|option| option.name.to_owned()).collect();
        assert_eq!(table, known_to_the_reader(check), "the options of {}", check.name);
        for option in check.options {
            let (check, name) = (check.name, option.name);
            let example: Value = serde_json::from_str(option.example).unwrap();
            let told = check_options(check, &one(name, example.clone()));
            assert!(told.is_ok(), "{check}.{name}: its example is refused: {told:?}");
            assert!(option.kinds.contains(&kind(&example)), "{check}.{name}: its example is of another kind");
            for other in
                [json!(null), json!(true), json!(-7), json!("\u{0} \u{0}"), json!([[]]), json!({"\u{0}": []})]
            {
                let is_number = option.kinds.contains(&"number") && kind(&other) == "integer";
                if !option.kinds.contains(&kind(&other)) && !is_number {
                    let told = check_options(check, &one(name, other.clone()));
                    assert!(
                        told.is_err(),
                        "{check}.{name}: takes {other}, which is none of {:?}",
                        option.kinds
                    );
                }
            }
            assert!(
                !COMMON_CHECK_KEYS.contains(&name),
                "{check}.{name}: every check has an option of this name"
            );
        }
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// The rows that a check must have in the page's table of own options.
fn rows(name: &str, check: &Check) -> Vec<String> {
    let cell = |index| if index == 0 { format!("`{name}`") } else { String::new() };
    let rows = check.options.iter().enumerate();
    rows.map(|(index, option)| {
        let row = format!("| {} | `{}` | {} | {} |", cell(index), option.name, option.doc, option.default);
        row.replacen("|  |", "| |", 1)
    })
    .collect()
}

#[test]
fn the_page_of_options_has_a_row_for_every_option_of_a_check() {
    let mut held = 0;
    for check in CHECKS.iter().filter(|check| !check.options.is_empty()) {
        // All unit tests share one row.
        if check.has_option(shard::OPTION) && check.name != "unittests-gnu" {
            continue;
        }
        let mut rows = rows(check.name, check).join("\n");
        if check.has_option(shard::OPTION) {
            rows = rows.replacen("` |", "`, and the other unit tests |", 1);
        }
        assert!(OPTIONS_PAGE.contains(&format!("\n{rows}\n")), "docs/options.md lacks:\n{rows}");
        held += 1;
    }
    assert!(held >= 4, "{held}");
}

#[test]
fn the_page_of_options_says_what_every_opt_in_check_holds() {
    for check in opt_in() {
        let row = format!("| `{}` | {} |", check.name, check.holds);
        assert!(OPTIONS_PAGE.contains(&format!("\n{row}\n")), "docs/options.md lacks:\n{row}");
    }
}

#[test]
fn the_plugins_schema_takes_true_and_options_for_a_check() {
    let plugin = serde_saphyr::from_str::<Value>(PLUGIN_YML).unwrap();
    let of_checks = &plugin["configuration"]["properties"]["checks"]["additionalProperties"];
    assert_eq!(of_checks["type"], json!(["boolean", "object"]));
    // The schema does not list the options of single checks. The program checks them.
    assert!(of_checks.get("additionalProperties").is_none());
}

#[test]
fn a_check_is_left_out_by_skip_and_not_by_false() {
    let error = Config::parse(&json!({"checks": {"style": false}})).unwrap_err().to_string();
    assert!(error.starts_with("checks.style: ") && error.contains("`skip`"), "{error}");
}

#[test]
fn an_option_of_another_check_is_refused_with_what_the_check_has() {
    for (check, own, told) in [
        ("bench", json!({"title": 72}), "checks.bench.title: unknown option"),
        ("coverage", json!({"title": 72}), "checks.coverage.title: unknown option"),
        ("mine", json!({"title": 72}), "checks.mine.title: unknown option"),
        ("clippy", json!({"parallelism": 2}), "checks.clippy.parallelism: only the standard unit tests can"),
    ] {
        let error = check_options(check, own.as_object().unwrap()).unwrap_err().to_string();
        assert!(error.starts_with(told), "{error}");
    }
}
