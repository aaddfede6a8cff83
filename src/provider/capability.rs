//! What providers promise, and what their words prove: all that is decided about a provider is decided by these.

use super::{Item, Refusal};
use crate::model::contact::email::is_address;
use crate::model::email::{is_header, is_subject};
use crate::model::state::{Channel, MessageState};
use std::time::Duration;

const DAY: Duration = Duration::from_secs(86_400);

/// What a provider promises; every figure is the vendor's own, or unconfirmed where its adapter says so.
#[derive(Debug, Clone)]
pub struct Capabilities {
    /// Its name for people.
    pub name: &'static str,
    /// Channels that it serves.
    pub channels: &'static [Channel],
    /// A repeat of the same bytes under the same key is safe for this long after the first claim.
    pub idempotent_for: Option<Duration>,
    /// What a look-up by our reference proves.
    pub lookup: LookupStrength,
    /// How its receipts prove themselves.
    pub receipts: ReceiptProof,
    /// Whether a receipt carries a signed time, so that an old one can be told from a new one.
    pub receipts_have_time: bool,
    /// Whether each message names the address that its receipts come to; else somebody enters that address at the provider.
    pub names_callback: bool,
    /// Whether the status of a message can be asked by its id: then what it shows is learned without an inbound connection.
    pub polling: bool,
    /// Requests a second that it takes; the lane's pace is never above it.
    pub per_second_max: Option<u32>,
    /// Messages a day (UTC) that it takes, where it names a number.
    pub per_day_max: Option<u32>,
    /// Longest text, characters; `None`: not a text provider, or no limit named.
    pub text_chars_max: Option<usize>,
    /// What a letter may be; `None`: no letters.
    pub letters: Option<LetterLimits>,
    /// Whether it shows the PDF of a letter that it took; `None`: it shows none, and nobody asks.
    pub shows_letter: Option<ShownLetter>,
    /// Until when a message may be taken back; `None`: never by request.
    pub cancel_within: Option<CancelWindow>,
    /// How long it can be asked about a message; `None`: not said.
    pub retention: Option<Duration>,
    /// What its best status proves, in a compliance officer's words.
    pub delivered_means: &'static str,
    /// Until when of a day what it took goes on its way that day, in words; empty: not said.
    pub cut_off: &'static str,
    /// What each of its words means, whose word it is, and what it proves; those that settings describe are not here.
    pub words: &'static [Word],
    /// How it is tried without reaching a person; empty: it cannot.
    pub test_mode: &'static str,
}

/// How long after its call news of a message may reasonably come. Nobody promises such a figure; each is our choice.
const fn news_for(channel: Channel) -> Duration {
    match channel {
        // The longest that a vendor says to try for is 72 hours (GOV.UK Notify's `temporary-failure`); twice that and a day.
        Channel::Sms => DAY.saturating_mul(7),
        // Relays try for four to five days (RFC 5321, 4.5.4.1), one behind the other; then a notice goes back.
        Channel::Email => DAY.saturating_mul(21),
        // A letter comes back "after a few weeks" (GOV.UK Notify, returned letters): as long as receipts that match nothing are
        // kept (`receipts.unmatched_retention_days`).
        Channel::Letter => DAY.saturating_mul(90),
    }
}

impl Capabilities {
    /// How long after its call a message is asked about; later nobody asks, and what is known stays as it is.
    pub fn asked_for(&self, channel: Channel) -> Duration {
        self.retention.map_or(news_for(channel), |retention| retention.min(news_for(channel)))
    }

    /// How long a message is left in peace at most between two questions: one that its provider may forget soon is asked about
    /// daily, the others less and less often, so that those of many incidents do not fill a lane's day.
    pub fn asked_at_least_every(&self) -> Duration {
        if self.retention.is_some() { DAY } else { DAY * 7 }
    }

    /// Whose word a status on this channel is; what only settings describe is the provider's own claim. `None`: nobody knows the
    /// word.
    pub fn claimed_by(&self, channel: Channel, word: &str) -> Option<ClaimedBy> {
        match self.words {
            [] => Some(ClaimedBy::Provider),
            // What came to another lane's door may be a word of that lane's channel.
            words => {
                find_word(words, channel, word).or_else(|| words.iter().find(|row| row.word == word)).map(|row| row.claimed_by)
            }
        }
    }

    /// A word that stands in no table of the provider's, and means nothing here.
    pub fn unknown_word<'a>(&self, channel: Channel, word: &'a str, status: Option<MessageState>) -> Option<&'a str> {
        let is_known = status.is_some() || find_word(self.words, channel, word).is_some();
        (!is_known && !word.is_empty()).then_some(word)
    }

    /// Refuses what the stated limits can never take.
    pub fn check(&self, item: &Item<'_>) -> Result<(), Refusal> {
        let refuse = |code| Err(Refusal { code });
        if !self.channels.contains(&item.channel()) {
            return refuse("channel");
        }
        match (item, self.letters, self.text_chars_max) {
            // A line end in a header would let whoever wrote it add recipients.
            (Item::Email { from, from_name, to, subject, .. }, ..)
                if !is_address(to) || !is_subject(subject) || ![*from, *from_name].into_iter().all(is_header) =>
            {
                refuse("header")
            }
            (Item::Letter { .. }, None, _) => refuse("channel"),
            (Item::Letter { pages, .. }, Some(limits), _) if *pages > limits.pages_max => refuse("pages"),
            (Item::Letter { pdf, .. }, Some(limits), _) if pdf.len() > limits.bytes_max => refuse("bytes"),
            (Item::Letter { postage_class, .. }, Some(limits), _) if !limits.postage_classes.contains(postage_class) => {
                refuse("postage_class")
            }
            (Item::Sms { text, .. }, _, Some(max)) if text.chars().count() > max => refuse("text_length"),
            _ => Ok(()),
        }
    }
}

/// What a provider takes as a letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LetterLimits {
    /// Pages.
    pub pages_max: u32,
    /// Bytes of the PDF.
    pub bytes_max: usize,
    /// Postage classes, in the words of the plan: `first`, `second`, `economy`.
    pub postage_classes: &'static [&'static str],
}

/// The PDF of a letter as its provider shows it: so many pages more than ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShownLetter {
    /// At least.
    pub added_min: u32,
    /// At most.
    pub added_max: u32,
}

impl ShownLetter {
    /// As many pages as it was given.
    pub const AS_GIVEN: Self = Self { added_min: 0, added_max: 0 };

    /// Whether a PDF of so many pages may be that of a letter of `given` pages.
    pub fn fits(self, pages: u32, given: u32) -> bool {
        (given.saturating_add(self.added_min)..=given.saturating_add(self.added_max)).contains(&pages)
    }
}

/// What a look-up by our reference proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LookupStrength {
    /// Finds every message of our reference `lag` after it was made: then "not there" proves that it was not taken.
    Strong {
        /// Visibility delay.
        lag: Duration,
    },
    /// What it finds is ours; what it does not find may be there all the same: "not there" proves nothing.
    Weak {
        /// How long to go on asking before the lane's rule is taken.
        patience: Duration,
    },
    /// There is none.
    None,
}

/// Until when a message may be taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancelWindow {
    /// So long after it was taken, by the provider's own word: later nobody asks.
    Stated(Duration),
    /// Until it is made or carried away. Only the provider knows when, and is asked however late it is.
    UntilMade,
}

/// How receipts prove themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReceiptProof {
    /// Signed: believed as it came. The scheme as its event names it.
    Signed(&'static str),
    /// The sender is known and the words are not protected: nothing moves before the status was asked for.
    Confirmed(&'static str),
    /// It sends none.
    None,
}

/// A provider's word for where a message stands, and what it proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Word {
    /// Channel.
    pub channel: Channel,
    /// The provider's word.
    pub word: &'static str,
    /// Neutral state; `None`: kept, counted, shown, and moves nothing.
    pub state: Option<MessageState>,
    /// Whose word it is.
    pub claimed_by: ClaimedBy,
    /// What it proves, in a compliance officer's words.
    pub proves: &'static str,
}

/// Whose word a status is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ClaimedBy {
    /// The provider, of its own work.
    Provider,
    /// The mobile network or mail server, passed on by the provider.
    Network,
    /// The postal carrier, passed on by the provider.
    Carrier,
    /// Nobody saw it: the provider calculates.
    Estimate,
    /// A named person declared it.
    Person,
}

impl ClaimedBy {
    /// As events and rows name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Network => "network",
            Self::Carrier => "carrier",
            Self::Estimate => "estimate",
            Self::Person => "person",
        }
    }
}

/// The row of a word in a provider's table; an unknown word has none.
pub fn find_word(words: &'static [Word], channel: Channel, word: &str) -> Option<&'static Word> {
    words.iter().find(|row| row.channel == channel && row.word == word)
}
