//! Legal profiles: versioned data that says what ends the duty to tell.

use super::state::{Channel, Content, MessageState, Route};
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

    /// Whether a route can end in `notified`, given what the SMS says.
    pub fn can_close(&self, route: Route, sms: Content) -> bool {
        route.channels().iter().any(|channel| {
            let content = if *channel == Channel::Sms { sms } else { Content::Full };
            self.closing.iter().any(|row| row.channel == channel.as_str() && row.content == content.as_str())
        })
    }
}
