//! Messages as pictures, for the eyes of whoever signs for them.

use super::Template;
use super::message::MessageError;
use super::preview::Preview;
use crate::model::email;
use crate::model::state::Channel;
use serde_json::json;

/// How a text message or an email is shown.
const LAYOUT: &str = include_str!("picture.typ");
/// Pixels per inch, as many as keep the picture small.
const PIXELS: [f32; 4] = [100.0, 84.0, 72.0, 60.0];
/// Bytes of a picture, where fewer pixels can keep it so.
const BYTES: usize = 80_000;

/// A PNG of what a person would hold in their hand: a letter's pages, or a message on a screen.
pub fn picture(template: &Template, preview: &Preview, sender: &str) -> Result<Vec<u8>, MessageError> {
    let rendered = &preview.rendered;
    let pdf = match template.channel {
        Channel::Letter => rendered.bytes.clone(),
        channel => {
            let is_email = channel == Channel::Email;
            let text = String::from_utf8_lossy(&rendered.bytes);
            let text = email::part(&rendered.bytes).filter(|_| is_email).map_or(&*text, |(_, text)| text);
            let first = template.titles.first().map(|(language, _)| language).or(template.languages.first());
            let data = json!({
                "title": template.name,
                "language": first.map_or("en", String::as_str),
                "fonts": duly_letter::FAMILIES,
                "notice": preview.notice,
                "sender": sender,
                "subject": is_email.then_some(&template.title),
                "text": text.trim(),
                "note": format!("{} segments, {} characters", rendered.parts, text.trim().chars().count()),
            });
            duly_letter::document(LAYOUT, &data, &template.name)?
        }
    };
    let mut drawn = Vec::new();
    for pixels in PIXELS {
        drawn = duly_letter::picture(&pdf, pixels)?;
        if drawn.len() <= BYTES {
            break;
        }
    }
    Ok(drawn)
}
