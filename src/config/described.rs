//! A provider that is described in the settings alone.

use serde::Deserialize;
use std::collections::BTreeMap;

/// How a provider is spoken to that Duly does not know: `[lanes.NAME.http]`. It takes JSON and answers with JSON.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Described {
    /// Path of the request that hands a message over.
    pub path: String,
    /// Its body, a Handlebars template of JSON: `{{json to}}`, `{{json from}}`, `{{json text}}`, `{{json reference}}`,
    /// `{{json callback}}`; of an email also `{{json subject}}` and `{{json from_name}}`; of a letter `{{json address}}`, `{{json pdf}}` (base64), `{{pages}}`, `{{json postage_class}}`.
    pub body: String,
    /// Where in that body the text or the PDF stands, an RFC 6901 pointer: it is found again there, unchanged.
    pub content: String,
    /// Where an email's subject stands in it, likewise.
    pub subject: String,
    /// How the key is shown: `bearer` (also if empty), `basic` (`user:password` or a user alone), `x-api-key`.
    pub auth: String,
    /// Statuses by which a message is taken.
    pub taken: Vec<u16>,
    /// Statuses by which a message is refused for good; what is named nowhere is read as for every provider.
    pub never: Vec<u16>,
    /// Where the answer has the provider's id of the message.
    pub id: String,
    /// Path of the status of one message, `{id}` for its id; empty: it cannot be asked.
    pub status_path: String,
    /// Where that answer has the status word.
    pub status: String,
    /// What its words mean: `accepted`, `sent`, `printed`, `handed_to_carrier`, `delivered_to_handset`, `carrier_delivered`,
    /// `returned`, `failed`, `expired`; `""`: known, and moves nothing.
    pub words: BTreeMap<String, String>,
    /// Path that `duly provider check` asks for, by a `GET` with the key: one that reaches nobody and is shown to nobody
    /// without the key, such as the account's balance; empty: nothing can be proved before a message is sent.
    pub check_path: String,
    /// Its receipts.
    pub receipt: DescribedReceipt,
}

/// Receipts of such a provider: JSON, with a hexadecimal HMAC-SHA-256 over the body, or unsigned under our bearer token.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DescribedReceipt {
    /// Header of the signature; empty: unsigned, and nothing moves before the status was asked for, at `status_path`.
    pub signature: String,
    /// Where a receipt has the id of the message; empty: there are no receipts.
    pub id: String,
    /// Where it has the status word.
    pub word: String,
    /// Where it has our reference; may be empty.
    pub reference: String,
    /// Where it has a name of its own; empty: id and word are its name.
    pub event: String,
}
