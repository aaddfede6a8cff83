//! Legal profiles: versioned data that says what ends the duty to tell.

use super::state::{Channel, Content, MessageState};
use serde::Deserialize;

/// The rules of a jurisdiction.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Name.
    pub id: String,
    /// Version.
    pub version: String,
    /// Source.
    pub law: String,
    /// What ends a notice.
    pub closing: Vec<Closing>,
}

/// One channel and content, and the state that ends the notice.
#[derive(Debug, Clone, Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields)]
pub struct Closing {
    /// Channel word.
    pub channel: String,
    /// Content word.
    pub content: String,
    /// State word.
    pub state: String,
}

impl Profile {
    /// Reads a profile file; every word must be one that Duly knows.
    pub fn parse(text: &str) -> Result<Self, String> {
        let profile: Self = toml::from_str(text).map_err(|e| e.message().to_owned())?;
        for row in &profile.closing {
            row.channel.parse::<Channel>().map_err(|e| e.to_string())?;
            row.content.parse::<Content>().map_err(|e| e.to_string())?;
            row.state.parse::<MessageState>().map_err(|e| e.to_string())?;
        }
        Ok(profile)
    }
}

/// Whether `closing`, as stored with an incident, has a state of this channel and content that ends a notice.
pub fn closes(closing: &serde_json::Value, channel: Channel, content: Content) -> bool {
    let is = |row: &serde_json::Value, key: &str, word: &str| row.get(key).and_then(serde_json::Value::as_str) == Some(word);
    let rows = closing.as_array().map(Vec::as_slice).unwrap_or_default();
    rows.iter().any(|row| is(row, "channel", channel.as_str()) && is(row, "content", content.as_str()))
}
