//! Email addresses: the plain ones that every mail server takes.

use super::clean;
use super::fault::Fault;
use unicode_normalization::UnicodeNormalization;

/// RFC 5321 4.5.3.1: longest part before the `@`, longest label of a domain, longest address, bytes.
const LOCAL_MAX: usize = 64;
const LABEL_MAX: usize = 63;
const ADDRESS_MAX: usize = 254;

/// Reads an address. Nothing is guessed: two addresses in a cell, or one with a name around it, are a fault.
pub fn check(text: &str) -> Result<Option<String>, Fault> {
    let text = clean(text);
    if text.is_empty() {
        return Ok(None);
    }
    // Full-width letters of a Japanese keyboard are the same letters.
    let text: String = if text.is_ascii() { text } else { text.nfkc().collect() };
    match text.rsplit_once('@').filter(|(local, domain)| is_local(local) && is_domain(domain)) {
        // Who owns the domain decides whether capitals before the `@` count; those behind it never do.
        Some((local, domain)) if text.len() <= ADDRESS_MAX => Ok(Some(format!("{local}@{}", domain.to_ascii_lowercase()))),
        _ => Err(Fault { column: "email", code: "invalid_email" }),
    }
}

/// Whether a text is one address and nothing else, such as a sender's.
pub fn is_address(text: &str) -> bool {
    check(text).is_ok_and(|address| address.is_some_and(|address| address.eq_ignore_ascii_case(text)))
}

/// RFC 5322 `dot-atom`. Quoted parts and letters beyond ASCII exist, and most servers refuse them: better a question now
/// than a bounce later.
fn is_local(local: &str) -> bool {
    let is_atom =
        |atom: &str| !atom.is_empty() && atom.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&b));
    local.len() <= LOCAL_MAX && local.split('.').all(is_atom)
}

fn is_domain(domain: &str) -> bool {
    let is_label = |label: &str| {
        (1..=LABEL_MAX).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    // The last label of a name has letters: figures are an address of a machine.
    let ends_well = domain.rsplit('.').next().is_some_and(|last| last.len() >= 2 && !last.bytes().all(|b| b.is_ascii_digit()));
    domain.contains('.') && domain.split('.').all(is_label) && ends_well
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_as_it_is_and_nothing_is_guessed() {
        for (written, kept) in [
            ("ann@example.org", "ann@example.org"),
            (" Ann.Price+duly@Example.ORG ", "Ann.Price+duly@example.org"),
            ("o'brien@mail.example.co.uk", "o'brien@mail.example.co.uk"),
            ("ann\u{200b}@example.org", "ann@example.org"),
            ("ａｎｎ＠example.org", "ann@example.org"),
            ("ann@xn--mnchen-3ya.example", "ann@xn--mnchen-3ya.example"),
        ] {
            assert_eq!(check(written).unwrap().as_deref(), Some(kept), "{written}");
        }
        assert_eq!(check(" ").unwrap(), None);
    }

    #[test]
    fn whatever_is_no_single_plain_address_is_a_fault() {
        let (long, label) = ("a".repeat(65), "b".repeat(64));
        for text in [
            "ann",
            "ann@",
            "@example.org",
            "ann@example",
            "ann@example..org",
            "ann@-example.org",
            "ann@127.0.0.1",
            "ann@[127.0.0.1]",
            ".ann@example.org",
            "an n@example.org",
            "ann@example.org, bob@example.org",
            "ann@example.org;bob@example.org",
            "Ann Price <ann@example.org>",
            "mailto:ann@example.org",
            "\"ann\"@example.org",
            "ann@bob@example.org",
            "ann@example.org\r\nBcc: bob@example.org",
            "ännchen@example.org",
            &format!("{long}@example.org"),
            &format!("ann@{label}.org"),
            &format!("ann@{}", vec!["b".repeat(60); 5].join(".")),
        ] {
            assert_eq!(check(text), Err(Fault { column: "email", code: "invalid_email" }), "{text}");
            assert!(!is_address(text), "{text}");
        }
    }
}
