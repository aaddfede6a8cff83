//! Postbird prints letters. It does not exist: this is the example of docs/write-a-provider.md.

use base64::{Engine, engine::general_purpose::STANDARD};
use duly::model::state::{Channel, MessageState};
use duly::provider::frozen::{Request, Thawed};
use duly::provider::wire::{Credential, Page, ReadBack, Reply, Wire, carries_bearer, name, segment, text_at, usual};
use duly::provider::{
    CallResult, Capabilities, ClaimedBy, Detail, Item, LetterLimits, LookupStrength, Outbound, RawReceipt, ReadReceipt,
    ReceiptProof, ReceiptRefusal, Refusal, Seen, Sought, StatusAnswer, Word, find_word,
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use std::time::Duration;
use time::OffsetDateTime;

/// What Postbird's words mean, whose they are, and what they prove.
const WORDS: &[Word] = &[
    row("taken", MessageState::Accepted, ClaimedBy::Provider, "Postbird holds it"),
    row("posted", MessageState::HandedToCarrier, ClaimedBy::Provider, "Postbird says that it gave it to the carrier"),
    row("returned", MessageState::Returned, ClaimedBy::Carrier, "the carrier brought it back to Postbird"),
];

const fn row(word: &'static str, state: MessageState, claimed_by: ClaimedBy, proves: &'static str) -> Word {
    Word { channel: Channel::Letter, word, state: Some(state), claimed_by, proves }
}

static CAPABILITIES: Capabilities = Capabilities {
    name: "Postbird",
    channels: &[Channel::Letter],
    idempotent_for: None, // its key is not documented, and so it is none
    lookup: LookupStrength::Strong { lag: Duration::from_secs(60) },
    receipts: ReceiptProof::Confirmed("bearer"), // a token and no signature: nothing moves before it was asked
    receipts_have_time: false,
    names_callback: false, // somebody enters the address of our receipts in its account
    polling: true,
    per_second_max: Some(10),
    per_day_max: None,
    text_chars_max: None,
    letters: Some(LetterLimits { pages_max: 10, bytes_max: 5 << 20, postage_classes: &["first", "second"] }),
    shows_letter: None, // no way to fetch the PDF that it prints
    cancel_within: None,
    retention: Some(Duration::from_secs(30 * 86_400)),
    delivered_means: "no word for it: its best one is that the carrier has the letter",
    cut_off: "",
    words: WORDS,
    test_mode: "",
};

pub struct Postbird {
    pub api_key: SecretString,
    pub receipt_token: SecretString,
}

fn seen(letter: &Value) -> Option<Seen> {
    let word = text_at(letter, "/state")?;
    let status = find_word(WORDS, Channel::Letter, &word).and_then(|row| row.state);
    let (provider_id, reference) = (text_at(letter, "/id")?, text_at(letter, "/key"));
    Some(Seen { provider_id, reference, word, status, detail: Detail::default() })
}

impl Wire for Postbird {
    fn kind(&self) -> &'static str {
        "postbird"
    }
    fn capabilities(&self) -> &Capabilities {
        &CAPABILITIES
    }
    fn authorise(&self, _: OffsetDateTime) -> Credential {
        Credential::bearer(self.api_key.expose_secret())
    }

    fn prepare(&self, outbound: &Outbound<'_>) -> Result<Request, Refusal> {
        let Item::Letter { address, pdf, postage_class, .. } = outbound.item else { return Err(Refusal { code: "channel" }) };
        let body = json!({ "class": postage_class, "key": outbound.reference, "lines": address, "pdf": STANDARD.encode(pdf) });
        Ok(Request::post_json("/letters", &body))
    }

    fn read_answer(&self, _: &Thawed<'_>, reply: &Reply) -> CallResult {
        match (reply.status, reply.text_at("/id")) {
            (201, Some(id)) => CallResult::accepted(id, "201"),
            _ => usual(reply, reply.text_at("/error").is_some()),
        }
    }

    fn look_up(&self, sought: &Sought<'_>, _: Option<&str>) -> Option<Request> {
        Some(Request::get(format!("/letters?key={}", sought.reference)))
    }

    fn read_look_up(&self, sought: &Sought<'_>, reply: &Reply) -> Page {
        let letters = reply.json().filter(|_| reply.status == 200).and_then(|json| json.get("letters")?.as_array().cloned());
        let all: Option<Vec<Seen>> = letters.and_then(|letters| letters.iter().map(seen).collect());
        let is_ours = |seen: &Seen| seen.reference.as_deref() == Some(sought.reference);
        all.map_or(Page::CannotKnow, |all| Page::Shows { seen: all.into_iter().filter(is_ours).collect(), next: None })
    }

    fn status(&self, id: &str) -> Option<Request> {
        segment(id).map(|id| Request::get(format!("/letters/{id}")))
    }

    fn read_status(&self, reply: &Reply) -> StatusAnswer {
        match (reply.status, reply.json().and_then(|letter| seen(&letter))) {
            (200, Some(seen)) => StatusAnswer::Known(seen),
            (404, _) => StatusAnswer::NotFound,
            _ => StatusAnswer::CannotKnow,
        }
    }

    fn check(&self) -> Option<Request> {
        Some(Request::get("/letters?key=check"))
    }

    fn parse_receipt(&self, raw: &RawReceipt<'_>) -> Result<Vec<ReadReceipt>, ReceiptRefusal> {
        if !carries_bearer(raw, &self.receipt_token) {
            return Err(ReceiptRefusal::BadSignature);
        }
        let told = serde_json::from_slice(raw.body).ok().and_then(|letter| seen(&letter)).ok_or(ReceiptRefusal::Malformed)?;
        let event_name = name(&format!("{}/{}", told.provider_id, told.word)).ok_or(ReceiptRefusal::Malformed)?;
        let Seen { provider_id, reference, word, status, .. } = told;
        Ok(vec![ReadReceipt { event_name, reference, provider_id: Some(provider_id), word, status, part: None }])
    }
}

/// What a frozen request holds, for audits and packs.
pub fn read_back(request: &Thawed<'_>) -> Option<ReadBack> {
    let body: Value = serde_json::from_slice(request.body).ok()?;
    let lines: Option<Vec<&str>> = body.get("lines")?.as_array()?.iter().map(Value::as_str).collect();
    Some(ReadBack::pdf(lines?.join("\n"), STANDARD.decode(body.get("pdf")?.as_str()?).ok()?))
}
