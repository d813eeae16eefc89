use super::*;
use crate::report::{Artifact, Finding, Section, Timings, fixture};
use scraper::{Html, Selector};

fn page(report: &Report) -> Html {
    Html::parse_document(&render(report, &|_| Some(b"<svg/>".to_vec())))
}

fn texts(page: &Html, selector: &str) -> Vec<String> {
    page.select(&Selector::parse(selector).unwrap()).map(|element| element.text().collect()).collect()
}

#[test]
fn the_page_shows_checks_times_findings_tables_and_where_it_ran() {
    let report = fixture::full();
    let page = page(&report);
    assert_eq!(texts(&page, "h1"), ["Cancelled"]);
    assert_eq!(texts(&page, ".checks tbody tr").len(), report.outcomes.len());
    // One bar for each of four combinations, one for each other check that took time, and one for the time
    // that a check waited before it began.
    assert_eq!(texts(&page, ".timeline .row .track span").len(), 9);
    assert_eq!(texts(&page, ".file h3"), ["build.rs", "src/mmap/<script>alert(1)</script>.rs", "In no file"]);
    assert_eq!(
        texts(&page, "pre code"),
        [report.outcomes[1].findings[0].rendered.as_ref().unwrap().trim_end()]
    );
    assert_eq!(texts(&page, ".shown h4"), ["Lines of this change that no test runs", "Coverage by file"]);
    assert_eq!(texts(&page, ".shown td.number:has(.share)"), ["97.10", "75.00"]);
    let facts = texts(&page, "section:last-of-type dd");
    for fact in [&report.commit, &report.toolchain, &report.container] {
        assert!(facts.contains(fact.as_ref().unwrap()), "{facts:?}");
    }
}

#[test]
fn the_page_is_what_it_was() {
    let page = render(&fixture::full(), &|_| Some(b"<svg/>".to_vec()));
    // One line for each element that begins on a new line of the page. The style has a separate file.
    let (_, body) = page.split_once("<body>").unwrap();
    fixture::assert_text(
        "page",
        &body.replace("<tr", "\n<tr").replace("<section", "\n\n<section").replace("<div", "\n<div"),
    );
}

#[test]
fn an_image_is_in_the_page_and_other_files_are_named() {
    let image = |page: &Html| {
        let image = page.select(&Selector::parse("img").unwrap()).next()?.value();
        Some((image.attr("src")?.to_owned(), image.attr("alt")?.to_owned()))
    };
    let report = fixture::full();
    let url = "data:image/svg+xml;base64,PHN2Zy8+".to_owned();
    assert_eq!(image(&page(&report)), Some((url, "Benchmark <plot>".into())));
    let without = Html::parse_document(&render(&report, &|_| None));
    assert_eq!(image(&without), None);
    assert!(
        texts(&without, ".artifact")
            .contains(&"Benchmark <plot>: target/rust-vmm-ci/bench/plot one.svg".into())
    );
}

#[test]
fn markup_from_outside_is_text_wherever_it_stands() {
    let hostile = "<img src=x onerror=alert(1)>\"'></style></title><script>alert(1)</script>&amp;";
    let finding = Finding {
        lint: Some(hostile.into()),
        package: Some(hostile.into()),
        file: Some(hostile.into()),
        rendered: Some(hostile.into()),
        remedy: Some(hostile.into()),
        feature_sets: vec![hostile.into()],
        ..Finding::error(hostile)
    };
    let section = Section {
        title: hostile.into(),
        text: hostile.into(),
        columns: vec![hostile.into()],
        rows: vec![vec![hostile.into(), hostile.into()]],
    };
    let combination = Combination {
        package: hostile.into(),
        features: hostile.into(),
        stands_for: vec![hostile.into()],
        seconds: 1.0,
        ..Combination::default()
    };
    let outcome = Outcome {
        label: hostile.into(),
        name: hostile.into(),
        verdict: Verdict::Failed,
        reason: Some(hostile.into()),
        remedy: Some(hostile.into()),
        command: hostile.into(),
        seconds: 1.0,
        combinations: vec![combination],
        findings: vec![finding],
        sections: vec![section],
        artifacts: vec![Artifact { name: hostile.into(), path: hostile.into(), image: true }],
        ..Outcome::default()
    };
    let report = Report {
        tool: hostile.into(),
        platform: hostile.into(),
        os: hostile.into(),
        commit: Some(hostile.into()),
        toolchain: Some(hostile.into()),
        container: Some(hostile.into()),
        outcomes: vec![outcome],
        ..Report::default()
    };
    let page = page(&report);
    assert_eq!(texts(&page, "script, img, [onerror]").len(), 0);
    assert_eq!(texts(&page, "style").len(), 1);
    let everywhere = [
        "title",
        "footer",
        ".checks a",
        ".label",
        ".check h3",
        ".reason",
        "dt + dd code",
        ".shown h4",
        ".shown p",
        "th",
        ".shown td",
        ".artifact",
        "details td code",
        ".file h3",
        ".message",
        ".lint",
        "pre code",
        ".notes",
        ".remedy",
    ];
    for selector in everywhere {
        assert!(texts(&page, selector).iter().any(|text| text.contains(hostile)), "{selector}");
    }
}

#[test]
fn the_page_loads_nothing() {
    let page = render(&fixture::full(), &|_| None);
    assert!(page.contains("default-src 'none'"));
    for loading in ["http:", "https:", "url(", "@import", "<script", "<link", " src=\"/"] {
        assert!(!page.contains(loading), "{loading}");
    }
}

#[test]
fn times_that_make_no_sense_stay_in_the_track() {
    let outcome = Outcome { started: -5.0, seconds: f64::INFINITY, ..Outcome::default() };
    let late = Outcome { started: 10.0, seconds: 2.0, ..Outcome::default() };
    assert!(!render(&Report { outcomes: vec![outcome], ..Report::default() }, &|_| None).contains("NaN"));
    let early = Outcome { started: -5.0, seconds: 6.0, ..Outcome::default() };
    let page = page(&Report { outcomes: vec![late, early], seconds: 1.0, ..Report::default() });
    let bars = Selector::parse(".row .track span").unwrap();
    let styles: Vec<_> = page.select(&bars).filter_map(|bar| bar.value().attr("style")).collect();
    assert_eq!(styles, ["left:83.333%;width:16.667%", "left:0.000%;width:50.000%"]);
}

fn styles(page: &Html, selector: &str) -> Vec<String> {
    let found = page.select(&Selector::parse(selector).unwrap()).collect::<Vec<_>>();
    let style = |element: scraper::ElementRef<'_>| {
        let class = element.value().attr("class").unwrap_or_default();
        format!("{class} {}", element.value().attr("style").unwrap_or_default())
    };
    found.into_iter().map(style).collect()
}

#[test]
fn a_bar_shows_what_its_time_went_into_and_a_wait_stands_before_it() {
    let outcome = Outcome {
        label: "tests".into(),
        verdict: Verdict::Passed,
        started: 50.0,
        seconds: 40.0,
        queued: 10.0,
        timings: Some(Timings { compile: 10.0, link: Some(2.0), run: 20.0, waiting: 6.0 }),
        ..Outcome::default()
    };
    let page = page(&Report { outcomes: vec![outcome], seconds: 100.0, ..Report::default() });
    let bars = ["bar queued left:40.000%;width:10.000%", "bar passed left:50.000%;width:40.000%"];
    assert_eq!(styles(&page, ".row .bar"), bars);
    let parts = [("waiting", 15.0), ("compile", 25.0), ("link", 5.0), ("run", 50.0), ("other", 5.0)];
    let parts = parts.map(|(part, share)| format!("{part} width:{share:.3}%"));
    assert_eq!(styles(&page, ".row .passed i"), parts);
    // The same is in words and numbers, for people who cannot see the picture.
    let title = page.select(&Selector::parse(".row .passed").unwrap()).next().unwrap();
    let told = "tests: 40 s; waiting 6.0 s; compile 10 s; link 2.0 s; run 20 s; other 2.0 s";
    assert_eq!(title.value().attr("title"), Some(told));
    let numbers = ["16.0", "10.0", "2.0", "20.0", "2.0", "50.0"];
    assert_eq!(texts(&page, ".profile tbody td.number"), numbers);
    assert_eq!(texts(&page, ".profile tfoot td"), numbers);
    assert_eq!(texts(&page, ".legend span"), ["waiting", "compile", "link", "run", "other", "passed"]);
}

#[test]
fn a_report_without_timings_has_no_legend_and_no_table_of_them() {
    let combination = Combination { seconds: 1.0, ..Combination::default() };
    let outcome = Outcome { seconds: 1.0, combinations: vec![combination], ..Outcome::default() };
    let page = page(&Report { outcomes: vec![outcome], ..Report::default() });
    assert_eq!(texts(&page, ".row .bar").len(), 1);
    assert_eq!(texts(&page, ".bar i, .legend, .profile, .used").len(), 0);
    assert_eq!(texts(&page, ".combinations th"), ["Features", "Verdict", "Stands for", "Time"]);
}

#[test]
fn combinations_say_what_their_time_went_into() {
    let page = page(&fixture::full());
    let cells = texts(&page, ".combinations:first-of-type tr:nth-child(2) td.wide");
    assert_eq!(cells[..5], ["", "40.4", "3.2", "0.0", "0.3"]);
    assert_eq!(
        texts(&page, ".used"),
        ["CPU time: 10 min 3 s, of which rust-vmm-ci itself 1.2 s (0.20 %) in 14 MB"]
    );
}

#[test]
fn a_finding_of_two_checks_is_shown_once_with_both() {
    let outcome = |label: &str| Outcome {
        label: label.into(),
        verdict: Verdict::Failed,
        findings: vec![Finding::error("x")],
        ..Outcome::default()
    };
    let page = page(&Report { outcomes: vec![outcome("a"), outcome("b")], ..Report::default() });
    assert_eq!(texts(&page, "article").len(), 1);
    assert_eq!(texts(&page, ".notes span"), ["a, b"]);
}
