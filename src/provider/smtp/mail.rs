//! The mail itself, RFC 5322: plain text in one part, the same bytes each time. Its date is that of the call and is put
//! before it then.

use crate::provider::Item;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue, MIME_VERSION_1_0};
use lettre::message::{Body, Mailbox};
use lettre::{Address, Message};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

/// Header by which machines know that nobody's answer is read by a machine, and send no notes of absence.
const AUTO_SUBMITTED: &str = "Auto-Submitted";
/// The header that lettre insists on; it goes out again, because a frozen mail has no date.
const DATE: &str = "Date: ";
const LINE_END: &str = "\r\n";

/// The mail of a message. Its name is made of our reference: 32 hexadecimal digits that tell nothing of anybody.
pub fn write(reference: &str, item: &Item<'_>) -> Option<Vec<u8>> {
    let Item::Email { from, from_name, to, subject, text } = *item else { return None };
    let name = (!from_name.is_empty()).then(|| from_name.to_owned());
    let from: Address = from.parse().ok()?;
    let id = format!("<{reference}@{}>", from.domain());
    let body = Body::new_with_encoding(text.to_owned(), ContentTransferEncoding::QuotedPrintable).ok()?;
    let message = Message::builder()
        .from(Mailbox::new(name, from))
        .to(Mailbox::new(None, to.parse().ok()?))
        .subject(subject)
        .message_id(Some(id))
        .header(MIME_VERSION_1_0)
        .header(ContentType::TEXT_PLAIN)
        .raw_header(HeaderValue::new(HeaderName::new_from_ascii_str(AUTO_SUBMITTED), "auto-generated".to_owned()))
        .body(body)
        .ok()?;
    let written = String::from_utf8(message.formatted()).ok()?;
    let at = written.find(DATE).filter(|at| *at == 0 || written[..*at].ends_with(LINE_END))?;
    let end = at + written[at..].find(LINE_END)? + LINE_END.len();
    // A line end of half its length ends a mail early at some servers (RUSTSEC-2026-0561).
    let is_bare = written.replace(LINE_END, "").contains(['\r', '\n']);
    (!is_bare).then(|| format!("{}{}", &written[..at], &written[end..]).into_bytes())
}

/// The same mail with the date of its call.
pub fn dated(mail: &[u8], now: OffsetDateTime) -> Option<Vec<u8>> {
    let date = now.replace_nanosecond(0).ok()?.format(&Rfc2822).ok()?;
    Some([DATE.as_bytes(), date.as_bytes(), LINE_END.as_bytes(), mail].concat())
}

/// The name by which a mail is known, without its brackets.
pub fn id(mail: &[u8]) -> Option<String> {
    let (head, _) = part(mail)?;
    Some(header(head, "Message-ID")?.trim_matches(['<', '>']).to_owned())
}

/// Subject and text of a mail that [`write`] wrote.
pub fn read(mail: &[u8]) -> Option<(String, String)> {
    let (head, body) = part(mail)?;
    let text = quoted_printable::decode(body, quoted_printable::ParseMode::Strict).ok()?;
    Some((words(&header(head, "Subject")?)?, String::from_utf8(text).ok()?.replace(LINE_END, "\n")))
}

fn part(mail: &[u8]) -> Option<(&str, &str)> {
    std::str::from_utf8(mail).ok()?.split_once("\r\n\r\n")
}

/// A header's value, unfolded.
fn header(head: &str, name: &str) -> Option<String> {
    let head = head.replace("\r\n ", " ");
    let value = head.split(LINE_END).find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    value.map(str::to_owned)
}

/// RFC 2047: words of an alphabet beyond ASCII; the space between two of them is none.
fn words(value: &str) -> Option<String> {
    let (mut out, mut pending, mut was_encoded) = (String::new(), Vec::new(), false);
    let flush = |bytes: &mut Vec<u8>, out: &mut String| {
        out.push_str(std::str::from_utf8(bytes).ok()?);
        bytes.clear();
        Some(())
    };
    for (n, word) in value.split(' ').enumerate() {
        let encoded = word.strip_prefix("=?utf-8?b?").and_then(|word| word.strip_suffix("?="));
        if n > 0 && !(was_encoded && encoded.is_some()) {
            flush(&mut pending, &mut out)?;
            out.push(' ');
        }
        match encoded {
            // A letter may be cut in two between two words.
            Some(encoded) => pending.extend(STANDARD.decode(encoded).ok()?),
            None => out.push_str(word),
        }
        was_encoded = encoded.is_some();
    }
    flush(&mut pending, &mut out)?;
    Some(out)
}
