//! Who a message is from, as its outside says it, and the message as it is handed to a provider.

use crate::model::contact::PersonRecord;
use crate::model::email;
use crate::model::state::Channel;
use crate::model::texts::{Facts, Published, table};
use crate::provider::Item;
use crate::render::message::Rendered;
use serde_json::Value;

/// Who the messages of an incident are from.
#[derive(Debug, Clone)]
pub struct Sender {
    return_address: Vec<String>,
    sms_sender: String,
    email_sender: String,
    email_name: String,
    /// Nothing outside may tell who writes.
    pub discreet: bool,
}

impl Sender {
    /// Of an incident: its texts, and its controller's printed name, address and SMS sender. In discreet mode no name stands
    /// outside, and the return address is what the incident names for that, or none.
    pub fn of(texts: &Value, name: &str, address: &[String], sms_sender: &str) -> Self {
        let (facts, published): (Facts, Published) = (table(texts, "facts"), table(texts, "published"));
        Self {
            return_address: match facts.discreet {
                true => facts.return_address,
                false => std::iter::once(name.to_owned()).chain(address.iter().cloned()).collect(),
            },
            sms_sender: sms_sender.to_owned(),
            email_sender: published.email_sender,
            email_name: if facts.discreet { String::new() } else { name.to_owned() },
            discreet: facts.discreet,
        }
    }

    /// A rendered message as it is handed over; `None` where the person has no such address, or it is none of the channel's.
    /// `address`: the lines of a letter's window.
    pub fn item<'a>(
        &'a self,
        channel: Channel,
        person: &'a PersonRecord,
        address: &'a [String],
        rendered: &'a Rendered,
        postage_class: Option<&'a str>,
    ) -> Option<Item<'a>> {
        Some(match channel {
            Channel::Letter => Item::Letter {
                from: &self.return_address,
                address,
                pdf: &rendered.bytes,
                pages: rendered.parts,
                postage_class: postage_class?,
            },
            Channel::Email => {
                let (subject, text) = email::part(&rendered.bytes)?;
                let (from, from_name) = (self.email_sender.as_str(), self.email_name.as_str());
                Item::Email { from, from_name, to: person.email.as_deref()?, subject, text }
            }
            Channel::Sms => {
                let text = std::str::from_utf8(&rendered.bytes).ok()?;
                Item::Sms { from: &self.sms_sender, to: person.phone.as_deref()?, text }
            }
        })
    }
}
