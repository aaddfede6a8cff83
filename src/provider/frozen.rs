//! A request as it is frozen at the claim: bytes that say for themselves whose they are, and that carry no credentials.
//!
//! ```text
//! duly-request/1 sandbox
//! POST /v1/messages
//! content-type: application/json
//! .destination: "+447700900001"
//!
//! {"channel":"sms", …
//! ```
//! Lines that begin with a dot are for our own reading and are not sent.

/// First word of every frozen request.
const MAGIC: &str = "duly-request/1";

/// A request without credentials and without a host.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Request {
    /// `GET`, `POST`, `DELETE`.
    pub method: &'static str,
    /// Path and query below the account's URL, beginning with `/`; no personal data in what is frozen.
    pub path: String,
    /// Headers that are part of the request and no secret, in lower case.
    pub headers: Vec<(&'static str, String)>,
    /// Body; empty: none.
    pub body: Vec<u8>,
    /// Where it goes, for audits, where neither path nor body says so by itself.
    pub destination: Option<String>,
}

impl Request {
    /// A `GET`.
    pub fn get(path: impl Into<String>) -> Self {
        Self { method: "GET", path: path.into(), ..Self::default() }
    }

    /// A `POST` of this content type.
    pub fn post(path: impl Into<String>, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![("content-type", content_type.to_owned())];
        Self { method: "POST", path: path.into(), headers, body: body.into(), destination: None }
    }

    /// A `POST` of JSON.
    pub fn post_json(path: impl Into<String>, body: &serde_json::Value) -> Self {
        Self::post(path, "application/json", body.to_string())
    }

    /// With another header.
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Freezes it under the name of its provider's kind.
    pub fn freeze(&self, kind: &str) -> Frozen {
        let mut text = format!("{MAGIC} {kind}\n{} {}\n", self.method, self.path);
        for (name, value) in &self.headers {
            text.push_str(&format!("{name}: {value}\n"));
        }
        if let Some(destination) = &self.destination {
            text.push_str(&format!(".destination: {}\n", serde_json::Value::from(destination.as_str())));
        }
        text.push('\n');
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(&self.body);
        Frozen { bytes }
    }
}

/// Frozen bytes: sealed at the claim, replayed unchanged.
#[derive(Clone, PartialEq, Eq)]
pub struct Frozen {
    bytes: Vec<u8>,
}

impl std::fmt::Debug for Frozen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Frozen(…)")
    }
}

/// A frozen request, read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thawed<'a> {
    /// The kind of provider that it was frozen for.
    pub kind: &'a str,
    /// Method.
    pub method: &'a str,
    /// Path and query.
    pub path: &'a str,
    /// Headers.
    pub headers: Vec<(&'a str, &'a str)>,
    /// Where it goes, where the request does not say so by itself.
    pub destination: Option<String>,
    /// Body.
    pub body: &'a [u8],
}

impl Frozen {
    /// Bytes of the store.
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self { bytes }
    }

    /// The bytes to be sealed.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Reads it; `None` where it is none.
    pub fn thaw(&self) -> Option<Thawed<'_>> {
        thaw(&self.bytes)
    }
}

/// Reads frozen bytes; `None` where they are none.
pub fn thaw(bytes: &[u8]) -> Option<Thawed<'_>> {
    let end = bytes.windows(2).position(|pair| pair == b"\n\n")?;
    let (head, body) = (std::str::from_utf8(&bytes[..end]).ok()?, &bytes[end + 2..]);
    let mut lines = head.lines();
    let kind = lines.next()?.strip_prefix(MAGIC)?.strip_prefix(' ')?;
    let (method, path) = lines.next()?.split_once(' ')?;
    let (mut headers, mut destination) = (Vec::new(), None);
    for line in lines {
        let (name, value) = line.split_once(": ")?;
        match name {
            ".destination" => destination = Some(serde_json::from_str(value).ok()?),
            _ => headers.push((name, value)),
        }
    }
    Some(Thawed { kind, method, path, headers, destination, body })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_frozen_request_reads_back_as_it_was_written() {
        let mut request =
            Request::post("/v1/letters?x=1", "application/octet-stream", *b"\n\na\0b\n\n").header("idempotency-key", "0f");
        request.destination = Some("Ann Price\n1 High Street\nAB1 2CD".to_owned());

        let frozen = request.freeze("lob");
        let thawed = frozen.thaw().unwrap();

        assert_eq!((thawed.kind, thawed.method, thawed.path), ("lob", "POST", "/v1/letters?x=1"));
        assert_eq!(thawed.headers, [("content-type", "application/octet-stream"), ("idempotency-key", "0f")]);
        assert_eq!((thawed.destination, thawed.body), (request.destination, &request.body[..]));
        assert_eq!(thaw(b"{\"channel\":\"sms\"}\n\n"), None);
    }
}
