//! A report as one file of HTML: it opens offline, has no script, prints well and follows the reader's colours.

use super::plain::figure;
use super::{Block, Document, Tone};
use maud::{DOCTYPE, Markup, PreEscaped, html as markup};

const STYLE: &str = include_str!("page.css");
/// Nothing is loaded, nothing runs; the one style sheet stands in the file.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";
/// Width of a chart in its own units.
const WIDTH: u64 = 1000;

/// The report as HTML.
pub fn html(document: &Document) -> String {
    let page = markup! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="referrer" content="no-referrer";
                title { (document.title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                a.skip href="#main" { "Skip to the report" }
                main #main {
                    header {
                        h1 { (document.title) }
                        @if !document.lead.is_empty() { p.lead { (document.lead) } }
                        (facts(&document.about))
                    }
                    @for section in &document.sections {
                        section { h2 { (section.heading) } @for piece in &section.blocks { (block(piece)) } }
                    }
                }
                @if !document.foot.is_empty() { footer { p { (document.foot) } } }
            }
        }
    };
    page.into_string()
}

fn block(block: &Block) -> Markup {
    match block {
        Block::Text { text } => markup! { p { (text) } },
        Block::List { items } => markup! { ul { @for item in items { li { (item) } } } },
        Block::Facts { facts: all } => facts(all),
        Block::Table { caption, head, rows, right } => table(caption, head, rows, right),
        Block::Bar { caption, parts } => bar(caption, parts),
        Block::Days { caption, days: all } => days(caption, all),
        Block::Copy { caption, text } => markup! { figure { figcaption { (caption) } pre tabindex="0" { (text) } } },
        Block::Signature { lines } => markup! { div.sign { @for line in lines { div { (line) } } } },
    }
}

fn facts(facts: &[(String, String)]) -> Markup {
    markup! { dl { @for (name, value) in facts { dt { (name) } dd { (value) } } } }
}

fn table(caption: &str, head: &[String], rows: &[Vec<String>], right: &[usize]) -> Markup {
    let class = |i: usize| if right.contains(&i) { "num" } else { "" };
    markup! {
        div.wide {
            table {
                caption { (caption) }
                thead { tr { @for (i, cell) in head.iter().enumerate() { th scope="col" class=(class(i)) { (cell) } } } }
                tbody { @for row in rows { tr { @for (i, cell) in row.iter().enumerate() { td class=(class(i)) { (cell) } } } } }
            }
        }
    }
}

/// Parts of a whole. One that is not nothing is never too small to be seen.
fn bar(caption: &str, parts: &[(String, u64, Tone)]) -> Markup {
    let whole = parts.iter().map(|(_, n, _)| *n).sum::<u64>().max(1);
    let mut at = 0;
    let drawn = parts.iter().filter(|(_, n, _)| *n > 0).map(|(_, n, tone)| {
        let (from, width) = (at, (n * WIDTH / whole).max(4));
        at += width;
        (from, width, *tone)
    });
    let drawn: Vec<_> = drawn.collect();
    let spoken: Vec<String> = parts.iter().map(|(word, n, _)| format!("{} {word}", figure(*n))).collect();
    markup! {
        figure {
            figcaption { (caption) }
            svg.bar viewBox={ "0 0 " (at.max(1)) " 30" } preserveAspectRatio="none" role="img" aria-label=(spoken.join(", ")) {
                @for (from, width, tone) in drawn { rect class=(tone.as_str()) x=(from) y="0" width=(width.saturating_sub(2).max(2)) height="30" {} }
            }
            ul.key {
                @for (word, n, tone) in parts {
                    li { svg viewBox="0 0 14 14" aria-hidden="true" { rect class=(tone.as_str()) width="14" height="14" rx="3" {} } b { (figure(*n)) } (word) }
                }
            }
        }
    }
}

/// A column for each day, with its figure above and the day below.
fn days(caption: &str, days: &[(String, u64)]) -> Markup {
    let highest = days.iter().map(|(_, n)| *n).max().unwrap_or_default().max(1);
    let (step, height) = (88, 130);
    let width = step * u64::try_from(days.len()).unwrap_or(1).max(4);
    let columns =
        days.iter().zip(0u64..).map(|((day, n), i)| (i * step, (n * height / highest).max(u64::from(*n > 0) * 2), day, *n));
    markup! {
        figure {
            figcaption { (caption) }
            svg.days viewBox={ "0 0 " (width) " 180" } role="img" aria-label=(days.iter().map(|(day, n)| format!("{day}: {}", figure(*n))).collect::<Vec<_>>().join(", ")) {
                line x1="0" y1="155" x2=(width) y2="155" {}
                @for (x, tall, day, n) in columns {
                    rect.told x=(x + 14) y=(155 - tall) width="60" height=(tall) {}
                    text.n x=(x + 44) y=(148 - tall) text-anchor="middle" { (figure(n)) }
                    text x=(x + 44) y="174" text-anchor="middle" { (day) }
                }
            }
        }
    }
}
