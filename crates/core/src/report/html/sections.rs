//! The tables and files of a check.

use crate::report::{Artifact, Section, text};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use maud::{Markup, html};

/// A table. Columns of numbers are aligned to the right. In a column with the name `%`, each cell has a bar.
pub fn table(section: &Section) -> Markup {
    let columns = section.rows.iter().map(Vec::len).max().unwrap_or_default().max(section.columns.len());
    let is_number = |row: &Vec<String>, column: usize| {
        row.get(column).is_none_or(|cell| cell.trim_end_matches('%').trim().parse::<f64>().is_ok())
    };
    let class = |column: usize| {
        let number = !section.rows.is_empty() && section.rows.iter().all(|row| is_number(row, column));
        number.then_some("number")
    };
    let classes: Vec<Option<&str>> = (0..columns).map(class).collect();
    let is_share = |column: usize| section.columns.get(column).is_some_and(|name| name == "%");
    html! {
        div class="shown" {
            h4 { (text::line(&section.title)) }
            @if !section.text.is_empty() { p { (text::line(&section.text)) } }
            div class="scroll" {
                table {
                    thead {
                        tr { @for (name, class) in section.columns.iter().zip(&classes) { th class=[class] { (text::line(name)) } } }
                    }
                    tbody {
                        @for row in &section.rows {
                            tr {
                                @for (column, cell) in row.iter().enumerate() {
                                    td class=[classes[column]] {
                                        @if is_share(column) { (share(cell)) }
                                        (text::line(cell))
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A bar as long as the percentage in a cell. Nothing if the cell has no percentage.
fn share(cell: &str) -> Markup {
    let share = cell.parse::<f64>().ok().filter(|share| (0.0..=100.0).contains(share));
    html! {
        @if let Some(share) = share {
            span class="share" aria-hidden="true" { span style=(format!("width:{share:.2}%")) {} }
        }
    }
}

/// A file. An image is shown if it can be read. For any other file, the path is shown.
pub fn artifact(artifact: &Artifact, read: &dyn Fn(&Artifact) -> Option<Vec<u8>>) -> Markup {
    let name = text::line(&artifact.name);
    html! {
        @if let Some(url) = data_url(artifact, read) {
            figure { img src=(url) alt=(name); figcaption { (name) } }
        } @else {
            p class="artifact" { (name) ": " code { (text::line(&artifact.path)) } }
        }
    }
}

/// An image as a URL that contains its bytes. In an `img` element, an SVG runs no script and loads nothing
/// (HTML, "The img element").
fn data_url(artifact: &Artifact, read: &dyn Fn(&Artifact) -> Option<Vec<u8>>) -> Option<String> {
    let (_, extension) = artifact.path.rsplit_once('.').filter(|_| artifact.image)?;
    let kind = match extension {
        "svg" => "svg+xml",
        "png" => "png",
        "jpg" | "jpeg" => "jpeg",
        _ => return None,
    };
    Some(format!("data:image/{kind};base64,{}", STANDARD.encode(read(artifact)?)))
}
