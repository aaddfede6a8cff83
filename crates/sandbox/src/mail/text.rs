//! A mail as its reader sees it, RFC 2045 and 2047: written from the standards, for mail of one plain part.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// What a mail says, as far as the record needs it.
pub(super) struct Mail {
    pub subject: String,
    pub text: String,
    /// What stands before the `@` of its `Message-ID`.
    pub id: String,
}

/// Reads a mail as it came over the wire, its dots taken back, without the line end that closes it.
pub(super) fn read(mail: &[u8]) -> Option<Mail> {
    let mail = std::str::from_utf8(mail).ok()?;
    let (head, body) = mail.split_once("\r\n\r\n")?;
    let headers = headers(head);
    let get = |name: &str| headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str());
    // Nobody takes a mail without the two headers that each must have.
    get("Date").filter(|date| date.ends_with("+0000"))?;
    get("From")?;
    let text = match get("Content-Transfer-Encoding").unwrap_or("7bit").to_ascii_lowercase().as_str() {
        "quoted-printable" => unquoted(body.as_bytes())?,
        "base64" => STANDARD.decode(body.replace("\r\n", "")).ok()?,
        _ => body.as_bytes().to_vec(),
    };
    let id = get("Message-ID")?.trim_start_matches('<').split('@').next()?.to_owned();
    Some(Mail { subject: decoded(get("Subject")?)?, text: String::from_utf8(text).ok()?.replace("\r\n", "\n"), id })
}

/// Names and values; a line that begins with a space goes on with the value before it.
fn headers(head: &str) -> Vec<(String, String)> {
    let mut headers: Vec<(String, String)> = Vec::new();
    for line in head.split("\r\n") {
        match (line.starts_with([' ', '\t']), headers.last_mut(), line.split_once(':')) {
            (true, Some((_, value)), _) => value.push_str(&format!(" {}", line.trim_start())),
            (_, _, Some((name, value))) => headers.push((name.to_owned(), value.trim_start().to_owned())),
            _ => {}
        }
    }
    headers
}

/// Quoted-printable.
fn unquoted(body: &[u8]) -> Option<Vec<u8>> {
    let (mut out, mut rest) = (Vec::with_capacity(body.len()), body);
    loop {
        rest = match rest {
            [] => return Some(out),
            [b'=', b'\r', b'\n', after @ ..] => after,
            [b'=', high, low, after @ ..] => {
                out.push(u8::from_str_radix(std::str::from_utf8(&[*high, *low]).ok()?, 16).ok()?);
                after
            }
            [byte, after @ ..] => {
                out.push(*byte);
                after
            }
        };
    }
}

/// Encoded words, base64 in UTF-8 only; white space between two of them is none.
fn decoded(value: &str) -> Option<String> {
    let mut out = Vec::new();
    let mut gap = "";
    for word in value.split_inclusive(' ') {
        let bare = word.trim_end();
        let inner = bare.strip_prefix("=?utf-8?b?").and_then(|inner| inner.strip_suffix("?="));
        if inner.is_none() {
            out.extend_from_slice(gap.as_bytes());
        }
        match inner {
            Some(inner) => out.extend(STANDARD.decode(inner).ok()?),
            None => out.extend_from_slice(word.as_bytes()),
        }
        gap = if inner.is_some() { &word[bare.len()..] } else { "" };
    }
    String::from_utf8(out).ok()
}
