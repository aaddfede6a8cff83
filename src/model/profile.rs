//! Legal profiles: versioned data that says what a message must hold and what ends the duty to tell.
//!
//! A profile is no legal advice: rules whose primary text nobody read are marked, and reports show the mark.

use super::state::{Channel, Content, MessageState};
use serde::Deserialize;
use time::Date;

/// The parts of a message that laws speak of; a template marks them with `{{#element "nature"}}`.
pub const ELEMENTS: &[&str] = &[
    "nature",
    "dates",
    "discovery_date",
    "data_types",
    "consequences",
    "measures",
    "measures.investigate",
    "measures.mitigate",
    "measures.prevent",
    "advice",
    "contact_dpo",
    "contact_general",
    "controller_identity",
    "other_entities",
    "delayed_by_le",
    "credit_agencies",
    "mitigation_offer",
    "freeze_howto",
    "police_report",
    "regulator_contacts",
    "number_affected",
    "complaint_right",
    "how_to_check_real",
    "notice_date",
    "ref_code",
    "marketing",
];

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
    /// First legal day, in the controller's zone.
    #[serde(deserialize_with = "day")]
    pub effective_from: Date,
    /// Last legal day, where a later version took its place; none: it is still in force.
    #[serde(default, deserialize_with = "last_day")]
    pub effective_to: Option<Date>,
    /// ISO 3166 codes of the people for whom it is the profile; empty where a sector decides and not a place.
    #[serde(default)]
    pub jurisdictions: Vec<String>,
    /// What the profile says of each part of a message.
    #[serde(rename = "element")]
    pub elements: Vec<ElementRule>,
    /// Form that the law prescribes word for word.
    #[serde(default)]
    pub form: Form,
    /// What ends a notice.
    pub closing: Vec<Closing>,
    /// Channels that end none, with the law's reason.
    #[serde(default)]
    pub not_closing: Vec<NotClosing>,
}

/// What a profile demands of one part of a message.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ElementRule {
    /// One of `ELEMENTS`.
    pub id: String,
    /// What is demanded.
    pub demand: Demand,
    /// Only where one of these kinds of data was exposed, such as `ssn`; empty: always.
    #[serde(default)]
    pub when_exposed: Vec<String>,
    /// Only where the controller itself was the source of the breach.
    #[serde(default)]
    pub when_source: bool,
    /// Months that an offer must last at least.
    #[serde(default)]
    pub months_min: u32,
    /// Statute or guidance.
    pub source: String,
    /// Whether the source's own text was read.
    #[serde(default = "yes")]
    pub confirmed: bool,
}

/// What a law says of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Demand {
    /// Must be there.
    Required,
    /// Must be there if the incident has a text for it.
    IfKnown,
    /// Should be there.
    Recommended,
    /// Must not be there.
    Forbidden,
}

/// Form that a law prescribes.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Form {
    /// The title, literally; empty: free.
    pub title: String,
    /// Headings, literally and in this order; empty: free.
    pub headings: Vec<String>,
    /// Smallest type, points; 0: free.
    pub font_pt_min: f64,
    /// Statute.
    pub source: String,
    /// Whether the source's own text was read.
    pub confirmed: bool,
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

/// A channel that ends no notice, or only under a condition of which Duly knows nothing.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotClosing {
    /// Channel word.
    pub channel: String,
    /// Why, in half a sentence.
    pub reason: String,
    /// Statute or guidance.
    pub source: String,
    /// Whether the source's own text was read.
    #[serde(default = "yes")]
    pub confirmed: bool,
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
        for row in &profile.not_closing {
            let channel = row.channel.parse::<Channel>().map_err(|e| e.to_string())?;
            if profile.closes(channel, Content::Full) {
                return Err(format!("`{channel}` stands under `closing` and under `not_closing`"));
            }
        }
        if profile.effective_to.is_some_and(|last| last < profile.effective_from) {
            return Err("`effective_to` comes before `effective_from`".to_owned());
        }
        match profile.elements.iter().find(|rule| !ELEMENTS.contains(&rule.id.as_str())) {
            Some(rule) => Err(format!("`{}` is no part of a message", rule.id)),
            None => Ok(profile),
        }
    }

    /// Whether messages of that date are written under it.
    pub fn is_in_force(&self, date: Date) -> bool {
        date >= self.effective_from && self.effective_to.is_none_or(|last| date <= last)
    }

    /// What the profile says of a part, whether or not its condition holds.
    pub fn element(&self, id: &str) -> Option<&ElementRule> {
        self.elements.iter().find(|rule| rule.id == id)
    }

    /// Whether a message of this channel and content can end a notice.
    pub fn closes(&self, channel: Channel, content: Content) -> bool {
        self.closing.iter().any(|row| row.channel == channel.as_str() && row.content == content.as_str())
    }

    /// Why a channel ends no notice, where the law says it.
    pub fn not_closing(&self, channel: Channel) -> Option<&NotClosing> {
        self.not_closing.iter().find(|row| row.channel == channel.as_str())
    }

    /// How closely it governs the people of a jurisdiction, 0 the closest; `None`: it is not theirs. `GB-WLS` belongs to
    /// `GB`, unless a profile names it; a profile of a sector governs whom no profile of a place does.
    pub fn governs(&self, jurisdiction: &str) -> Option<u8> {
        let country = jurisdiction.split('-').next().unwrap_or_default();
        let names = |code: &str| self.jurisdictions.iter().any(|own| own == code);
        match self.jurisdictions.is_empty() {
            true => Some(2),
            false if names(jurisdiction) => Some(0),
            false => names(country).then_some(1),
        }
    }
}

fn yes() -> bool {
    true
}

fn day<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Date, D::Error> {
    let text = String::deserialize(deserializer)?;
    Date::parse(&text, time::macros::format_description!("[year]-[month]-[day]")).map_err(serde::de::Error::custom)
}

fn last_day<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Date>, D::Error> {
    day(deserializer).map(Some)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn profile(id: &str) -> Profile {
        Profile::parse(&std::fs::read_to_string(format!("{}/config/profiles/{id}.toml", env!("CARGO_MANIFEST_DIR"))).unwrap())
            .unwrap()
    }

    #[test]
    fn a_subdivision_goes_before_its_country_and_a_place_before_a_sector() {
        let [uk, ca, hipaa] = ["uk-gdpr", "us-ca", "us-hipaa"].map(profile);
        assert_eq!(["GB", "GB-WLS", "FR", "US-CA"].map(|place| uk.governs(place)), [Some(0), Some(1), None, None]);
        assert_eq!(["US-CA", "US-NY", "US"].map(|place| ca.governs(place)), [Some(0), None, None]);
        assert_eq!(hipaa.governs("US-CA"), Some(2));
    }

    /// Of law.md section 4: what an American law accepts only by agreement is said so, and nothing is said to close by both.
    #[test]
    fn a_channel_that_closes_only_by_agreement_says_so_with_its_source() {
        for id in ["us-hipaa", "us-ca", "us-ma", "us-ny"] {
            for channel in [Channel::Email, Channel::Sms] {
                let profile = profile(id);
                let row = profile.not_closing(channel).unwrap();
                assert!(!row.reason.is_empty() && !row.source.is_empty(), "{id} {channel}");
            }
        }
        let both = std::fs::read_to_string(format!("{}/config/profiles/us-hipaa.toml", env!("CARGO_MANIFEST_DIR"))).unwrap();
        let both = both.replace("channel = \"sms\"", "channel = \"letter\"");
        assert_eq!(Profile::parse(&both).unwrap_err(), "`letter` stands under `closing` and under `not_closing`");
    }
}
