//! A page that stays on a terminal: what does not fit is left out from below, and said to be.

use crate::cli::output::seen;
use terminal_size::{Height, Width};

/// Cuts a page to the terminal, so that its answer, which stands first, never scrolls away.
pub fn fit(page: &str, size: Option<(Width, Height)>) -> String {
    let Some((Width(width), Height(height))) = size else { return page.to_owned() };
    // The last row is for what was left out, and the cursor stays above it.
    let (width, mut room) = (usize::from(width).max(1), usize::from(height).saturating_sub(2));
    let all: Vec<&str> = page.lines().collect();
    let mut shown = Vec::new();
    for line in &all {
        let rows = rows_of(line, width);
        if rows > room {
            break;
        }
        room -= rows;
        shown.push(*line);
    }
    let mut text = shown.join("\n");
    if shown.len() < all.len() {
        let left: usize = all.iter().skip(shown.len()).map(|line| rows_of(line, width)).sum();
        text.push_str(&format!("\n… {left} more lines: enlarge the window, or leave out --watch"));
    }
    text
}

/// Rows of a terminal that a line takes: one that is wider than it goes on in the next.
fn rows_of(line: &str, width: usize) -> usize {
    seen(line).div_ceil(width).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_cut_to_the_terminal_from_below_and_says_how_much_is_missing() {
        let page = format!("\x1b[1mten of ten\x1b[0m\n{}\nc\nd\n{}", "b".repeat(25), "e".repeat(25));
        let fits = |width, height| fit(&page, Some((Width(width), Height(height))));

        assert_eq!(fits(80, 24), page);
        assert_eq!(
            fits(10, 6),
            "\x1b[1mten of ten\x1b[0m\nbbbbbbbbbbbbbbbbbbbbbbbbb\n… 5 more lines: enlarge the window, or leave out --watch"
        );
        assert_eq!(fit(&page, None), page);
        assert_eq!(seen("\x1b[1mten of ten\x1b[0m"), 10);
    }
}
