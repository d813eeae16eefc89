//! The plot of benchmarks: an SVG with a bar for each benchmark and the range of its difference.
//!
//! Bars, whiskers and labels are a dozen kinds of elements. Plotting libraries would add fonts and backends.
//! The XML itself is not written by hand: the crate that writes the `JUnit` report also writes this XML.

use super::bench::Comparison;
use quick_xml::Writer;
use quick_xml::events::BytesText;
use std::io;

/// In pixels: the width, the space for names, the height of a row, the height of the header.
const WIDTH: f64 = 900.0;
const NAMES: f64 = 340.0;
const ROW: f64 = 24.0;
const HEAD: f64 = 34.0;
/// The most bars that are drawn. The table has all benchmarks.
const MOST: usize = 60;
/// The longest name that is drawn whole, in characters.
const LONGEST_NAME: usize = 48;
/// The colours for slower, faster and possible noise. Colour-blind people can tell them apart too.
const SLOWER: &str = "#d55e00";
const FASTER: &str = "#0072b2";
const UNSURE: &str = "#999999";

/// The plot. It has its own background, because pages show it on light and dark backgrounds.
///
/// # Errors
/// None in practice, because it writes to memory.
pub fn svg(comparisons: &[Comparison]) -> io::Result<String> {
    let shown = &comparisons[..comparisons.len().min(MOST)];
    let reach = shown
        .iter()
        .flat_map(|c| [c.percent.abs(), c.range.0.abs(), c.range.1.abs()])
        .filter(|percent| percent.is_finite())
        .fold(1.0, f64::max);
    // There are at most `MOST` rows.
    #[allow(clippy::cast_precision_loss)]
    let row = |index: usize| HEAD + index as f64 * ROW;
    let height = row(shown.len()) + 10.0;
    let middle = f64::midpoint(NAMES, WIDTH);
    let scale = (WIDTH - middle - 70.0) / reach;
    let mut writer = Writer::new(Vec::new());
    let pixels = |number: f64| format!("{number:.1}");
    writer
        .create_element("svg")
        .with_attribute(("xmlns", "http://www.w3.org/2000/svg"))
        .with_attribute(("viewBox", format!("0 0 {WIDTH} {height}").as_str()))
        .with_attribute(("width", pixels(WIDTH).as_str()))
        .with_attribute(("height", pixels(height).as_str()))
        .with_attribute(("font-family", "sans-serif"))
        .with_attribute(("font-size", "12"))
        .write_inner_content(|writer| {
            rectangle(writer, [0.0, 0.0, WIDTH, height], "#ffffff")?;
            text(writer, middle, 20.0, "middle", "← faster   change of the mean   slower →")?;
            for (index, c) in shown.iter().enumerate() {
                let (top, bar) = (row(index), c.percent * scale);
                let colour = match c {
                    c if !c.is_sure() => UNSURE,
                    c if c.percent > 0.0 => SLOWER,
                    _ => FASTER,
                };
                text(writer, NAMES - 10.0, top + 15.0, "end", &shortened(&c.name))?;
                rectangle(writer, [middle + bar.min(0.0), top + 3.0, bar.abs(), ROW - 8.0], colour)?;
                let (from, to) = (middle + c.range.0 * scale, middle + c.range.1 * scale);
                rectangle(writer, [from, top + 10.0, to - from, 2.0], "#333333")?;
                text(writer, WIDTH - 8.0, top + 15.0, "end", &format!("{:+.1} %", c.percent))?;
            }
            rectangle(writer, [middle - 0.5, HEAD - 4.0, 1.0, height - HEAD], "#333333")
        })?;
    String::from_utf8(writer.into_inner()).map_err(io::Error::other)
}

/// Draws a rectangle: `place` is left, top, width and height.
fn rectangle(writer: &mut Writer<Vec<u8>>, place: [f64; 4], colour: &str) -> io::Result<()> {
    let [x, y, width, height] = place.map(|number| format!("{number:.1}"));
    let rect = writer.create_element("rect").with_attributes([
        ("x", x.as_str()),
        ("y", y.as_str()),
        ("width", width.as_str()),
        ("height", height.as_str()),
        ("fill", colour),
    ]);
    rect.write_empty().map(drop)
}

fn text(writer: &mut Writer<Vec<u8>>, x: f64, y: f64, anchor: &str, words: &str) -> io::Result<()> {
    let (x, y) = (format!("{x:.1}"), format!("{y:.1}"));
    let element = writer.create_element("text").with_attributes([
        ("x", x.as_str()),
        ("y", y.as_str()),
        ("text-anchor", anchor),
        ("fill", "#222222"),
    ]);
    element.write_text_content(BytesText::new(words)).map(drop)
}

fn shortened(name: &str) -> String {
    // XML does not allow control characters, escaped or not.
    let name: String = name.chars().filter(|c| !c.is_control()).collect();
    if name.chars().count() <= LONGEST_NAME {
        return name;
    }
    let tail: Vec<char> = name.chars().rev().take(LONGEST_NAME - 1).collect();
    std::iter::once('…').chain(tail.into_iter().rev()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::bench::Compared;
    use super::super::bench::tests::measured;
    use super::*;

    #[test]
    fn a_plot_is_well_formed_whatever_a_benchmark_is_called() {
        let name = "a<script>&'\\\"";
        let base = [measured(name, 100.0, 1.0), measured("b", 100.0, 1.0)].into();
        let change = [measured(name, 200.0, 1.0), measured("b", 90.0, 1.0)].into();
        let svg = svg(&Compared::of(&base, &change).both).unwrap();
        assert!(svg.contains("a&lt;script&gt;&amp;"), "{svg}");
        assert!(svg.contains("+100.0 %") && svg.contains(SLOWER) && svg.contains(FASTER));
        let mut reader = quick_xml::Reader::from_str(&svg);
        while reader.read_event().unwrap() != quick_xml::events::Event::Eof {}
    }

    #[test]
    fn a_long_name_keeps_its_end() {
        let name = format!("{}end", "x".repeat(100));
        assert!(shortened(&name).ends_with("xend"));
        assert_eq!(shortened(&name).chars().count(), LONGEST_NAME);
    }
}
