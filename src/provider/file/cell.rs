//! Cells of a CSV file that a spreadsheet computes nothing from, and that read back as they were.
//!
//! A spreadsheet takes a cell that begins with `=`, `+`, `-`, `@`, a tab or a line end for a formula, quoted or not. Such
//! a cell gets an apostrophe before it; one that begins with an apostrophe gets one too, so that taking one away always
//! gives back what was written.

/// What is put before a cell.
const MARK: char = '\'';

/// Whether a spreadsheet could compute a cell, or an apostrophe be taken for ours. Blanks before it are skipped by some.
fn is_marked(text: &str) -> bool {
    text.starts_with(['\t', '\r', '\n', MARK]) || text.trim_start().starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠'])
}

/// A text as a safe cell.
pub fn safe(text: &str) -> String {
    if is_marked(text) { format!("{MARK}{text}") } else { text.to_owned() }
}

/// A safe cell as the text that it was made from.
pub fn plain(cell: &str) -> &str {
    cell.strip_prefix(MARK).filter(|rest| is_marked(rest)).unwrap_or(cell)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula_and_each_reads_back() {
        let starts = ["", " ", "\t", "\r", "\n", "'", "''", "\u{a0}"];
        let bodies = ["", "=1+1", "+44", "-1", "@SUM(A1)", "＝1", "'x", "\u{201c}Dear Ann", "a=b", "7"];
        for text in starts.iter().flat_map(|start| bodies.iter().map(move |body| format!("{start}{body}"))) {
            let cell = safe(&text);
            assert!(!cell.trim_start().starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']), "{text:?}: {cell:?}");
            assert!(!cell.starts_with(['\t', '\r', '\n']), "{text:?}: {cell:?}");
            assert_eq!(plain(&cell), text, "{cell:?}");
        }
    }
}
