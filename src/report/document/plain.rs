//! A report as text for a terminal.

use super::{Block, Document};
use std::fmt::Write;

/// Figures with commas in them.
pub fn figure(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The report as text, without an end of line at its end.
pub fn text(document: &Document) -> String {
    let mut parts = vec![document.title.clone(), document.lead.clone(), pairs(&document.about)];
    for section in &document.sections {
        parts.push(capitals(&section.heading));
        parts.extend(section.blocks.iter().map(block));
    }
    parts.push(document.foot.clone());
    parts.retain(|part| !part.is_empty());
    parts.join("\n\n")
}

/// A heading in capitals, but for ids, which are copied and searched for as they are.
fn capitals(heading: &str) -> String {
    let word = |word: &str| if word.starts_with("p_") { word.to_owned() } else { word.to_uppercase() };
    heading.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

fn block(block: &Block) -> String {
    match block {
        Block::Text { text } => text.clone(),
        Block::List { items } => items.iter().map(|item| format!("- {item}")).collect::<Vec<_>>().join("\n"),
        Block::Facts { facts } => pairs(facts),
        Block::Table { caption, head, rows, right } => {
            let all: Vec<&Vec<String>> = std::iter::once(head).chain(rows).collect();
            format!("{caption}\n{}", columns(&all, right))
        }
        Block::Bar { caption, parts } => {
            let rows: Vec<Vec<String>> = parts.iter().map(|(word, n, _)| vec![word.clone(), figure(*n)]).collect();
            format!("{caption}\n{}", columns(&rows.iter().collect::<Vec<_>>(), &[1]))
        }
        Block::Days { caption, days } => {
            let rows: Vec<Vec<String>> = days.iter().map(|(day, n)| vec![day.clone(), figure(*n)]).collect();
            format!("{caption}\n{}", columns(&rows.iter().collect::<Vec<_>>(), &[1]))
        }
        Block::Copy { caption, text } => {
            let lines: Vec<String> = text.lines().map(|line| format!("  | {line}")).collect();
            format!("{caption}\n{}", lines.join("\n"))
        }
        Block::Signature { lines } => {
            lines.iter().map(|line| format!("\n________________________________\n{line}")).collect::<Vec<_>>().join("\n")
        }
    }
}

fn pairs(facts: &[(String, String)]) -> String {
    let width = facts.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
    facts.iter().map(|(name, value)| format!("{name:<width$}  {value}")).collect::<Vec<_>>().join("\n")
}

fn columns(rows: &[&Vec<String>], right: &[usize]) -> String {
    let count = rows.iter().map(|row| row.len()).max().unwrap_or_default();
    let width = |i: usize| rows.iter().filter_map(|row| row.get(i)).map(|cell| cell.chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..count).map(width).collect();
    let mut out = String::new();
    for (at, row) in rows.iter().enumerate() {
        let mut line = String::from(" ");
        for (i, (cell, width)) in row.iter().zip(&widths).enumerate() {
            // Writing to a string cannot fail.
            let written = if right.contains(&i) { write!(line, " {cell:>width$}") } else { write!(line, " {cell:<width$}") };
            line.push_str(if written.is_ok() { " " } else { "" });
        }
        out.push_str(if at > 0 { "\n" } else { "" });
        out.push_str(line.trim_end());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::capitals;

    #[test]
    fn a_heading_is_in_capitals_and_an_id_in_it_as_it_is() {
        assert_eq!(capitals("How it was drawn"), "HOW IT WAS DRAWN");
        assert_eq!(capitals("3. p_0a1b"), "3. p_0a1b");
    }
}
