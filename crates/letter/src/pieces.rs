//! A body in pieces: a paragraph that is the same in two letters is laid out once for both, as long as nothing before it in
//! its source moved.

use crate::SIGNATURE;

/// Pieces that a body may have; each takes one of Typst's paths.
const PIECES_MAX: usize = 64;

/// The pieces of a body, and before which of them the signature stands.
pub(crate) fn signed_pieces(body: &str) -> (Vec<(usize, &str)>, Vec<usize>) {
    let (mut all, mut signed, mut lines) = (Vec::new(), Vec::new(), 0);
    for (number, text) in body.split(SIGNATURE).enumerate() {
        if number > 0 {
            signed.push(all.len());
        }
        all.extend(pieces(text).into_iter().map(|(before, piece)| (lines + before, piece)));
        lines += text.matches('\n').count();
    }
    (all, signed)
}

/// The body as it is divided by empty lines, each piece with the lines before it. Together they say what the body says:
/// one whose markup may reach beyond an empty line stays whole.
fn pieces(body: &str) -> Vec<(usize, &str)> {
    let mut pieces = Vec::new();
    let (mut from, mut before, mut at) = (0, 0, 0);
    let mut is_after_empty = false;
    for (number, line) in body.split_inclusive('\n').enumerate() {
        let is_empty = line.trim_matches([' ', '\t', '\r', '\n']).is_empty();
        // What is indented may belong to an item of a list above.
        if is_after_empty && !is_empty && !line.starts_with([' ', '\t']) && at > from {
            pieces.push((before, &body[from..at]));
            (from, before) = (at, number);
        }
        is_after_empty = is_empty;
        at += line.len();
    }
    pieces.push((before, &body[from..]));
    if pieces.len() > PIECES_MAX || reaches_far(body) { vec![(0, body)] } else { pieces }
}

/// Code, raw text, mathematics and comments.
fn reaches_far(body: &str) -> bool {
    let mut characters = body.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '\\' => drop(characters.next()),
            '#' | '`' | '$' => return true,
            '/' if characters.peek() == Some(&'*') => return true,
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::{pieces, signed_pieces};

    #[test]
    fn pieces_together_are_the_body_and_know_their_lines() {
        let body = "Dear A,\n\n\nOne\ntwo \\# three.\n \n== Head\n- a\n\n  b\n\nEnd";
        let pieces = pieces(body);
        assert_eq!(pieces.iter().map(|(_, text)| *text).collect::<String>(), body);
        let begins: Vec<_> = pieces.iter().map(|(before, text)| (*before, text.lines().next())).collect();
        let wanted = [(0, "Dear A,"), (3, "One"), (6, "== Head"), (11, "End")].map(|(before, line)| (before, Some(line)));
        assert_eq!(begins, wanted);
    }

    #[test]
    fn the_signature_parts_a_body_and_is_no_piece_of_it() {
        let (pieces, signed) = signed_pieces("Yours,\n\n\u{e003}\n\nA\n\nB");
        let begins: Vec<_> = pieces.iter().map(|(before, text)| (*before, text.trim())).collect();
        assert_eq!((begins, signed), (vec![(0, "Yours,"), (2, ""), (4, "A"), (6, "B")], vec![1]));
        assert_eq!(signed_pieces("A\n\nB"), (super::pieces("A\n\nB"), Vec::new()));
    }

    #[test]
    fn markup_that_may_reach_beyond_an_empty_line_stays_whole() {
        for body in ["#set text(red)\n\nA", "A `raw\n\nraw`", "$ a\n\nb $", "A /* b\n\nc */"] {
            assert_eq!(pieces(body), [(0, body)], "{body}");
        }
    }
}
