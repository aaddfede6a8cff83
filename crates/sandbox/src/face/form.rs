//! Forms, as browsers and curl send them.

use super::{Request, Trouble};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Pairs of a URL-encoded form or query.
pub(super) fn pairs(body: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(body).into_owned().collect()
}

/// A form's pairs, written.
pub(super) fn write(pairs: &[(&str, String)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// The first value of a name.
pub(super) fn get<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

/// One part of a multipart form.
pub(super) struct Part {
    pub name: String,
    pub file_name: Option<String>,
    pub content: Vec<u8>,
}

/// The parts of a multipart form (RFC 7578), by the boundary of its content type.
pub(super) fn parts(content_type: &str, body: &[u8]) -> Option<Vec<Part>> {
    let boundary = content_type.strip_prefix("multipart/form-data")?.split("boundary=").nth(1)?.trim_matches('"');
    let fence = format!("--{boundary}");
    let mut rest = body.strip_prefix(fence.as_bytes())?;
    let mut parts = Vec::new();
    while let Some(part) = rest.strip_prefix(b"\r\n") {
        let head_end = find(part, b"\r\n\r\n")?;
        let content = &part[head_end + 4..];
        let content_end = find(content, format!("\r\n{fence}").as_bytes())?;
        let head = std::str::from_utf8(&part[..head_end]).ok()?;
        let named = |key: &str| head.split(&format!("; {key}=\"")).nth(1)?.split('"').next().map(str::to_owned);
        parts.push(Part { name: named("name")?, file_name: named("filename"), content: content[..content_end].to_vec() });
        rest = &content[content_end + 2 + fence.len()..];
    }
    (rest.strip_prefix(b"--").is_some()).then_some(parts)
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

/// User and password of an `Authorization: Basic` header.
pub(super) fn basic(header: Option<&str>) -> Option<(String, String)> {
    let bytes = STANDARD.decode(header?.strip_prefix("Basic ")?).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    text.split_once(':').map(|(user, password)| (user.to_owned(), password.to_owned()))
}

/// Whether a request names the API key as the user of an `Authorization: Basic` header, without a password.
pub(super) fn has_key(request: &Request<'_>, api_key: &str) -> Result<(), Trouble> {
    let user = basic(request.header("Authorization"));
    let is_it = user.is_some_and(|(user, password)| user == api_key && password.is_empty());
    is_it.then_some(()).ok_or(Trouble::Unauthorised)
}

/// `hex(hmac_sha256(secret, parts))`.
pub(super) fn hmac_sha256(secret: &str, parts: &[&str]) -> Vec<u8> {
    use hmac::{Hmac, KeyInit, Mac};
    let Ok(mut mac) = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()) else { return Vec::new() };
    parts.iter().for_each(|part| mac.update(part.as_bytes()));
    mac.finalize().into_bytes().to_vec()
}
