//! What a command prints: data to stdout, words for people to stderr, colours only on a terminal.

use std::io::{IsTerminal, Write};
use time::OffsetDateTime;

/// Colours, where they help and are wanted.
#[derive(Debug, Clone, Copy)]
pub struct Paint {
    is_on: bool,
}

impl Paint {
    /// For stdout.
    pub fn stdout() -> Self {
        Self { is_on: std::io::stdout().is_terminal() && wants_colour() }
    }

    /// For stderr.
    pub fn stderr() -> Self {
        Self { is_on: std::io::stderr().is_terminal() && wants_colour() }
    }

    /// For files.
    pub fn never() -> Self {
        Self { is_on: false }
    }

    fn with(self, code: &str, text: &str) -> String {
        if self.is_on { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// A heading or an answer.
    pub fn strong(self, text: &str) -> String {
        self.with("1", text)
    }

    /// What failed, and nothing else.
    pub fn bad(self, text: &str) -> String {
        self.with("1;31", text)
    }

    /// What holds.
    pub fn good(self, text: &str) -> String {
        self.with("32", text)
    }

    /// What waits for a person.
    pub fn asks(self, text: &str) -> String {
        self.with("33", text)
    }

    /// `error:` in red, other labels strong.
    pub fn label(self, text: &str) -> String {
        if text == "error:" { self.bad(text) } else { self.strong(text) }
    }
}

fn wants_colour() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()) && std::env::var_os("TERM").is_none_or(|t| t != "dumb")
}

/// Writes data to stdout. Whoever reads may have gone, as `head` does: that ends the program quietly.
pub fn data(text: &str) {
    let mut out = std::io::stdout().lock();
    if let Err(error) = writeln!(out, "{text}").and_then(|()| out.flush()) {
        if error.kind() != std::io::ErrorKind::BrokenPipe {
            eprintln!("error: the result cannot be written: {error}");
        }
        std::process::exit(if error.kind() == std::io::ErrorKind::BrokenPipe { 0 } else { 2 });
    }
}

/// Writes words for people to stderr. Whoever reads may have gone, as `head` does: the command does its work all the same.
pub fn words(text: &str) {
    let mut out = std::io::stderr().lock();
    drop(out.write_all(text.as_bytes()).and_then(|()| out.flush()));
}

/// A figure with commas.
pub fn figure(n: i64) -> String {
    let digits = n.unsigned_abs().to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3 + 1);
    if n < 0 {
        text.push('-');
    }
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `12 people`, `1 person`.
pub fn count(n: i64, one: &str, many: &str) -> String {
    format!("{} {}", figure(n), if n == 1 { one } else { many })
}

/// `Wed 11 Nov 2026, 14:06:12 UTC`.
pub fn when(at: OffsetDateTime) -> String {
    let at = at.to_offset(time::UtcOffset::UTC);
    let weekday = at.weekday().to_string();
    let month = at.month().to_string();
    let (hour, minute, second) = at.to_hms();
    format!("{} {} {} {}, {hour:02}:{minute:02}:{second:02} UTC", head(&weekday), at.day(), head(&month), at.year())
}

fn head(text: &str) -> &str {
    text.get(..3).unwrap_or(text)
}

/// `50 h 54 min`, `4 min`, `12 s`; a duration in seconds.
pub fn span(seconds: i64) -> String {
    let (hours, minutes) = (seconds / 3600, seconds % 3600 / 60);
    match seconds {
        ..60 => format!("{} s", seconds.max(0)),
        60..3600 => format!("{minutes} min"),
        _ => format!("{hours} h {minutes} min"),
    }
}

/// Rows as aligned columns, the ones in `right` to the right; the first row is the heading.
pub fn table(rows: &[Vec<String>], right: &[usize]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |i: usize| rows.iter().filter_map(|r| r.get(i)).map(|c| c.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cell = |(i, (cell, &width)): (usize, (&String, &usize))| {
            if right.contains(&i) { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
        };
        let cells: Vec<String> = row.iter().zip(&widths).enumerate().map(cell).collect();
        cells.join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_spans_and_times_read_as_people_write_them() {
        assert_eq!([figure(0), figure(999), figure(47_163), figure(-1_000_000)], ["0", "999", "47,163", "-1,000,000"]);
        assert_eq!([span(12), span(240), span(183_240)], ["12 s", "4 min", "50 h 54 min"]);
        assert_eq!(when(OffsetDateTime::UNIX_EPOCH), "Thu 1 Jan 1970, 00:00:00 UTC");
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [vec!["lane".to_owned(), "due".to_owned()], vec!["sms-a".to_owned(), "7".to_owned()]];
        assert_eq!(table(&rows, &[1]), "lane   due\nsms-a    7");
    }
}
