//! One spelling of what Postgres shows: a database that came back from a dump has read `(a AND b) AND c`, as a migration made it
//! of `between`, once more, and shows `a AND b AND c`.

use std::iter::Peekable;
use std::str::Chars;

const AND: &str = " AND ";

/// A text in which no conjunction is bracketed within another one.
pub(super) fn flat(text: &str) -> String {
    let mut chars = text.chars().peekable();
    let mut whole = level(&mut chars).0;
    // A bracket that closes nothing: what follows is read on its own.
    while chars.peek().is_some() {
        whole.push(')');
        whole.push_str(&level(&mut chars).0);
    }
    whole
}

/// Reads on to the bracket that closes this level, or to the end; also says whether it is a conjunction.
fn level(chars: &mut Peekable<Chars<'_>>) -> (String, bool) {
    let (mut parts, mut part, mut inner) = (Vec::new(), String::new(), None);
    while let Some(c) = chars.next() {
        match c {
            ')' => break,
            '(' => {
                let (text, is_conjunction) = level(chars);
                let bracketed = format!("({text})");
                inner = (part.is_empty() && is_conjunction).then_some(text);
                part.push_str(&bracketed);
            }
            '\'' => {
                part.push(c);
                part.extend(chars.by_ref().take_while(|c| *c != '\''));
                part.push(c);
            }
            c => part.push(c),
        }
        if part.ends_with(AND) {
            part.truncate(part.len() - AND.len());
            parts.push((std::mem::take(&mut part), inner.take()));
        }
    }
    if parts.is_empty() {
        return (part, false);
    }
    parts.push((part, inner));
    // Only what is nothing but a conjunction in brackets.
    let opened = parts.into_iter().map(|(part, inner)| inner.filter(|inner| part.len() == inner.len() + 2).unwrap_or(part));
    (opened.collect::<Vec<_>>().join(AND), true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conjunction_within_a_conjunction_is_one_and_nothing_else_is_changed() {
        let once = "CHECK ((((length(ords) >= 1) AND (length(ords) <= 256)) AND (ords[1] = first)))";
        let again = "CHECK (((length(ords) >= 1) AND (length(ords) <= 256) AND (ords[1] = first)))";
        assert_eq!(flat(once), again);
        for kept in [
            again,
            "CHECK (((a OR b) AND c))",
            "CHECK ((a OR (b AND c)))",
            "CHECK ((NOT (a AND b) AND c))",
            "CHECK ((f((a AND b)) AND c))",
            "CHECK ((kind ~ '^(a AND b'::text))",
            "CHECK (((kind = 'a) AND ('::text) AND c))",
        ] {
            assert_eq!(flat(kept), kept);
        }
    }
}
