//! Multipart forms (RFC 7578) whose bytes are the same each time: the boundary is derived and not drawn.

use sha2::{Digest, Sha256};

/// A form that is being written.
pub struct Multipart {
    boundary: String,
    body: Vec<u8>,
}

/// A part of a form, read back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part<'a> {
    /// Field's name.
    pub name: &'a str,
    /// Whether it is a file.
    pub is_file: bool,
    /// Content.
    pub content: &'a [u8],
}

impl Multipart {
    /// A form of the message with this reference. Nobody who writes into a field knows its boundary beforehand.
    pub fn new(reference: &str) -> Self {
        let boundary = format!("duly-{}", hex::encode(&Sha256::digest(format!("boundary {reference}"))[..16]));
        Self { boundary, body: Vec::new() }
    }

    /// With a text; an empty one is left out.
    pub fn text(mut self, name: &str, value: &str) -> Self {
        if !value.is_empty() {
            self.open(name, "");
            self.body.extend_from_slice(value.as_bytes());
            self.body.extend_from_slice(b"\r\n");
        }
        self
    }

    /// With a PDF.
    pub fn pdf(mut self, name: &str, content: &[u8]) -> Self {
        self.open(name, "; filename=\"letter.pdf\"\r\nContent-Type: application/pdf");
        self.body.extend_from_slice(content);
        self.body.extend_from_slice(b"\r\n");
        self
    }

    fn open(&mut self, name: &str, more: &str) {
        let head = format!("--{}\r\nContent-Disposition: form-data; name=\"{name}\"{more}\r\n\r\n", self.boundary);
        self.body.extend_from_slice(head.as_bytes());
    }

    /// Content type and body.
    pub fn finish(mut self) -> (String, Vec<u8>) {
        self.body.extend_from_slice(format!("--{}--\r\n", self.boundary).as_bytes());
        (format!("multipart/form-data; boundary={}", self.boundary), self.body)
    }
}

/// The parts of a form that [`Multipart`] wrote; `None` where it is none.
pub fn parts<'a>(content_type: &str, body: &'a [u8]) -> Option<Vec<Part<'a>>> {
    let fence = format!("--{}", content_type.strip_prefix("multipart/form-data; boundary=")?);
    let (mut rest, mut parts) = (body.strip_prefix(fence.as_bytes())?, Vec::new());
    while let Some(part) = rest.strip_prefix(b"\r\n") {
        let (head, content) = cut(part, b"\r\n\r\n")?;
        let (content, next) = cut(content, format!("\r\n{fence}").as_bytes())?;
        let head = std::str::from_utf8(head).ok()?.strip_prefix("Content-Disposition: form-data; name=\"")?;
        let (name, more) = head.split_once('"')?;
        parts.push(Part { name, is_file: more.starts_with("; filename="), content });
        rest = next;
    }
    rest.starts_with(b"--").then_some(parts)
}

fn cut<'a>(text: &'a [u8], at: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let start = text.windows(at.len()).position(|window| window == at)?;
    Some((&text[..start], &text[start + at.len()..]))
}

/// The text of a part.
pub fn text<'a>(parts: &[Part<'a>], name: &str) -> Option<&'a str> {
    let part = parts.iter().find(|part| part.name == name && !part.is_file)?;
    std::str::from_utf8(part.content).ok()
}

/// The one file of a form.
pub fn file<'a>(parts: &[Part<'a>]) -> Option<&'a [u8]> {
    parts.iter().find(|part| part.is_file).map(|part| part.content)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_form_reads_back_as_it_was_written_and_is_the_same_each_time() {
        let write =
            |reference| Multipart::new(reference).text("a", "ŵ\r\n--").text("b", "").pdf("file", b"%PDF\r\n--duly-").finish();
        let (kind, body) = write("0f");

        let parts = parts(&kind, &body).unwrap();

        assert_eq!((parts.len(), text(&parts, "a"), file(&parts)), (2, Some("ŵ\r\n--"), Some(&b"%PDF\r\n--duly-"[..])));
        assert_eq!(write("0f"), (kind.clone(), body));
        assert_ne!(write("10").0, kind);
    }
}
