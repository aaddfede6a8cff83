//! What a command prints: data to stdout, words for people to stderr, colours only on a terminal.

use std::io::{IsTerminal, Write};
use time::OffsetDateTime;

/// A terminal that says to be narrower is not asked again.
const NARROWEST: usize = 40;

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

/// Columns of the terminal that stdout is; `None` for files and pipes, which get whole lines.
fn width() -> Option<usize> {
    let size = std::io::stdout().is_terminal().then(terminal_size::terminal_size).flatten();
    size.map(|(width, _)| usize::from(width.0)).filter(|width| *width >= NARROWEST)
}

/// Writes lines for people: on a terminal none is wider than it is.
pub fn page(text: &str) {
    match width() {
        Some(width) => data(&fold(text, width)),
        None => data(text),
    }
}

/// Lines of at most so many columns: a longer one goes on below itself, two columns further in.
pub fn fold(text: &str, width: usize) -> String {
    text.lines().map(|line| fold_line(line, width)).collect::<Vec<_>>().join("\n")
}

fn fold_line(line: &str, width: usize) -> String {
    if seen(line) <= width {
        return line.to_owned();
    }
    let own = line.chars().take_while(|c| *c == ' ').count();
    let further = (own + 2).min(width / 2);
    let mut text = " ".repeat(own);
    let mut column = own;
    for (i, word) in line.trim_start().split(' ').enumerate() {
        let length = seen(word);
        if i > 0 && column + 1 + length > width {
            text = text.trim_end().to_owned();
            text.push_str(&format!("\n{:further$}", ""));
            column = further;
        } else if i > 0 {
            text.push(' ');
            column += 1;
        }
        text.push_str(word);
        column += length;
    }
    text
}

/// Characters that a terminal shows of a line: colours take no room.
pub fn seen(line: &str) -> usize {
    line.split('\x1b')
        .enumerate()
        .map(|(i, part)| if i == 0 { part } else { part.split_once('m').map_or("", |(_, rest)| rest) })
        .map(|part| part.chars().count())
        .sum()
}

/// Rows as aligned columns, the ones in `right` to the right; the first row is the heading. On a terminal wide cells go on
/// below themselves, so that columns stay columns.
pub fn table(rows: &[Vec<String>], right: &[usize]) -> String {
    table_within(rows, right, width())
}

fn table_within(rows: &[Vec<String>], right: &[usize], limit: Option<usize>) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widest = |i: usize, of: fn(&String) -> usize| rows.iter().filter_map(|r| r.get(i)).map(of).max().unwrap_or(0);
    let mut widths: Vec<usize> = (0..columns).map(|i| widest(i, |cell| seen(cell))).collect();
    // A word is never cut: ids and names are copied from here.
    let least: Vec<usize> = (0..columns).map(|i| widest(i, |cell| cell.split(' ').map(seen).max().unwrap_or(0))).collect();
    let spaces = 2 * columns.saturating_sub(1);
    while limit.is_some_and(|limit| widths.iter().sum::<usize>() + spaces > limit) {
        let may_shrink = (0..columns).filter(|i| !right.contains(i) && widths[*i] > least[*i]);
        let Some(i) = may_shrink.max_by_key(|i| widths[*i]) else { break };
        widths[i] -= 1;
    }
    let row_lines = |row: &Vec<String>| {
        let cells: Vec<Vec<String>> = row.iter().zip(&widths).map(|(cell, width)| folded_cell(cell, *width)).collect();
        let height = cells.iter().map(Vec::len).max().unwrap_or(0);
        let line = |n: usize| {
            let cell = |(i, (lines, &width)): (usize, (&Vec<String>, &usize))| {
                let text = lines.get(n).map_or("", String::as_str);
                let room = " ".repeat(width.saturating_sub(seen(text)));
                if right.contains(&i) { format!("{room}{text}") } else { format!("{text}{room}") }
            };
            let cells: Vec<String> = cells.iter().zip(&widths).enumerate().map(cell).collect();
            cells.join("  ").trim_end().to_owned()
        };
        (0..height).map(line).collect::<Vec<_>>().join("\n")
    };
    rows.iter().map(row_lines).collect::<Vec<_>>().join("\n")
}

/// A cell's lines in a column of this width.
fn folded_cell(cell: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in cell.split(' ') {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if seen(line) + 1 + seen(word) <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// Whoever reads counts or states must know where they are those of a rehearsal.
pub fn mind(rehearsal: &[String]) {
    rehearsal.iter().for_each(|line| eprintln!("Mind: {line}"));
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
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

    #[test]
    fn on_a_terminal_of_80_columns_no_line_is_wider_and_columns_stay_columns() {
        let row = |cells: [&str; 4]| cells.map(str::to_owned).to_vec();
        let id = "p_0f6c0f6c0f6c0f6c0f6c0f6c0f6c0f6c";
        let rows = [
            row(["row", "person", "what is wrong", "what to do now"]),
            row([
                "1/5",
                id,
                "the telephone number has too few digits",
                "correct it in a file of its own, with `duly quarantine correct`",
            ]),
        ];
        let text = table_within(&rows, &[], Some(80));

        assert!(text.lines().all(|line| seen(line) <= 80), "{text}");
        assert!(text.contains(id), "a word is never cut: {text}");
        let starts: Vec<Option<usize>> = text.lines().skip(2).map(|line| line.find(|c| c != ' ')).collect();
        assert!(starts.iter().all(|at| *at > Some(id.len())), "{text}");
        assert_eq!(table_within(&rows, &[], None).lines().count(), 2, "whoever reads by program gets whole lines");
        let long = format!("  \x1b[33m{}\x1b[0m duly plan approve", "word ".repeat(20).trim_end());
        let folded = fold(&long, 80);
        assert!(
            folded.lines().all(|line| seen(line) <= 80) && folded.lines().nth(1).unwrap().starts_with("    word"),
            "{folded}"
        );
    }
}
