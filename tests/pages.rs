//! How the page of a whole build looks in a browser: on a phone, on a dark screen and on paper.
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods, reason = "the rule is for src/")]
#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

use serde_json::Value;
use std::process::Command;
use support::sandbox::Sandbox;

const REPORT: &str = include_str!("cases/report/full.json");
const LOOK: &str = include_str!("cases/report/look.html");
const BROWSERS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// Reports of two jobs with long names and words in them.
fn reports() -> [Value; 2] {
    let mut report: Value = serde_json::from_str(REPORT).unwrap();
    let long = "a_name_without_any_place_to_break_it_".repeat(5);
    let mut failed = report["outcomes"][1].clone();
    for key in ["label", "reason", "remedy", "command"] {
        failed[key] = long.clone().into();
    }
    failed["findings"][0]["message"] = long.into();
    report["outcomes"].as_array_mut().unwrap().push(failed);
    let other = report.to_string().replace("0190a6cc-0000", "0190a6cc-1111");
    [report, serde_json::from_str(&other).unwrap()]
}

/// What the page is said to have wrong; none where there is no browser, which has been reported as skipped.
fn wrong_in(sandbox: &Sandbox, page: &str) -> Option<String> {
    let Some(browser) = BROWSERS.iter().find_map(|name| which::which(name).ok()) else {
        support::skip("chromium, which shows the pages");
        return None;
    };
    // As text in a script, the page must not end the script.
    let text = serde_json::to_string(page).unwrap().replace('<', "\\u003c");
    let look = sandbox.path().join("look.html");
    std::fs::write(&look, LOOK.replace("const page = PAGE;", &format!("const page = {text};"))).unwrap();
    let output = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=20000", "--dump-dom"])
        .arg(format!("--user-data-dir={}", sandbox.folder("browser").display()))
        .arg(format!("file://{}", look.display()))
        .output()
        .unwrap();
    let dom = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = dom.split_once("<pre id=\"said\">").and_then(|(_, rest)| rest.split_once("</pre>"));
    let Some((said, _)) = said else { panic!("{}", String::from_utf8_lossy(&output.stderr)) };
    Some(said.to_owned())
}

#[test]
fn the_page_of_a_build_is_readable_on_a_phone_on_a_dark_screen_and_on_paper() {
    let sandbox = Sandbox::new();
    let names = ["one.json", "two.json"].map(|name| sandbox.path().join(name));
    for (name, report) in names.iter().zip(reports()) {
        std::fs::write(name, report.to_string()).unwrap();
    }
    let page = sandbox.path().join("page.html");
    let mut command = sandbox.command(env!("CARGO_BIN_EXE_rust-vmm-ci"));
    let status = command.arg("report").args(&names).arg("--html").arg(&page).status().unwrap();
    assert!(status.success());
    let page = std::fs::read_to_string(page).unwrap();
    let Some(said) = wrong_in(&sandbox, &page) else { return };
    assert_eq!(said, "nothing is wrong");
    // What is looked for is found.
    let faint = page.replace("--ink: #e4e8ed", "--ink: #333").replace("--ink: #000", "--ink: #ccc");
    assert_ne!(faint, page);
    let wide = faint.replace("<footer", "<div style=\"width:700px\">x</div><footer");
    let said = wrong_in(&sandbox, &wide).unwrap();
    for fault in ["360: ", "360 dark: contrast", "720 print: contrast"] {
        assert!(said.contains(fault), "{fault}: {said}");
    }
}
