use super::*;
use crate::report::{Finding, Section, fixture};
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
    // A bar for each of four combinations, and for each of the other checks that took time.
    assert_eq!(texts(&page, ".timeline .row .track span").len(), 8);
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
