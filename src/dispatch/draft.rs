//! From a draft of the store to an intent: open, render, compare with what was approved, freeze, seal.

use super::Office;
use super::sender::Sender;
use crate::model::contact::PersonRecord;
use crate::model::seal::{Key, MessageName};
use crate::model::state::{MessageState, Misfit};
use crate::model::texts::{Facts, table};
use crate::provider::{Account, Frozen, Outbound};
use crate::render::Template;
use crate::render::message::{Rendered, Setting};
use crate::store::StoreError;
use crate::store::claim::{Intent, RepeatWindow};
use crate::store::draft::Draft;
use duly_ledger::{PersonKey, commit, verify};
use serde_json::Value;
use std::collections::BTreeSet;

/// A call that only waits for its claim.
pub struct Prepared {
    /// What the claim checks and stores.
    pub intent: Intent,
    /// The frozen bytes, open.
    pub frozen: Frozen,
}

/// Why a draft cannot be sent; the message stays and its lease runs out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit {
    /// A key or sealed value does not open.
    Sealed,
    /// Its lane is not configured here.
    Lane,
    /// The plan's body cannot be read.
    Plan,
    /// It does not render any more.
    Render,
    /// Its bytes are not the ones that were approved, or its lane is another account.
    NotAsApproved,
    /// Its provider can never take it: too long, too large, an address that it does not serve.
    Refused(&'static str),
    /// It is in no state that can be claimed.
    State,
}

impl Unfit {
    /// What somebody must see to; `None` where another worker or another moment may do.
    pub fn misfit(self) -> Option<Misfit> {
        match self {
            Self::Sealed => Some(Misfit::Sealed),
            Self::Plan | Self::Render | Self::Refused(_) => Some(Misfit::Render),
            Self::NotAsApproved => Some(Misfit::NotAsApproved),
            Self::Lane | Self::State => None,
        }
    }
}

/// Reads the date and texts that a plan fixed.
pub fn setting(draft: &Draft) -> Option<Setting> {
    let date: Vec<i64> = draft.context.plan.get("date")?.as_array()?.iter().filter_map(Value::as_i64).collect();
    let [year, month, day] = date[..] else { return None };
    Some(Setting {
        texts: draft.context.texts.clone(),
        controller_name: draft.context.controller_name.clone(),
        sms_sender: draft.context.sms_sender.clone(),
        controller_address: draft.context.controller_address.clone(),
        look: draft.context.look.clone(),
        date: (i32::try_from(year).ok()?, u8::try_from(month).ok()?, u8::try_from(day).ok()?),
        discreet: table::<Facts>(&draft.context.texts, "facts").discreet,
        watermark: String::new(),
    })
}

/// What a message is or was called at its provider; `None` where nothing of the person opens.
pub fn reference(office: &Office, draft: &Draft) -> Option<String> {
    open(office, draft).ok().map(|(key, _)| name(&key, draft))
}

fn name(key: &Key, draft: &Draft) -> String {
    key.send_reference(&MessageName {
        phase: draft.phase,
        channel: &draft.channel,
        reason: &draft.reason,
        ordinal: draft.ordinal,
        provider: &draft.lane,
    })
}

/// Prepares a first call for a job from the road. Pure CPU. A job that comes twice finds no `ready` message: what is
/// `unknown` is repeated by the resolver, or not at all.
pub fn prepare(office: &Office, draft: &Draft) -> Result<Prepared, Unfit> {
    freeze_or_replay(office, draft, None)
}

/// Prepares a repeat of an unknown call for the resolver, with the bytes of the original.
pub fn prepare_repeat(office: &Office, draft: &Draft, window: RepeatWindow) -> Result<Prepared, Unfit> {
    freeze_or_replay(office, draft, Some(window))
}

fn freeze_or_replay(office: &Office, draft: &Draft, repeat: Option<RepeatWindow>) -> Result<Prepared, Unfit> {
    let wanted = if repeat.is_some() { MessageState::Unknown } else { MessageState::Ready };
    // Spares a claim that would be refused: who may call is decided there, and both go where a test takes the claim away.
    let is_looked_at = repeat.is_some() || !crate::failpoint::is_sabotaged("claim_check");
    if draft.state != wanted.as_str() && is_looked_at {
        return Err(Unfit::State);
    }
    let (key, person) = open(office, draft)?;
    let account = office.accounts.get(&draft.lane).ok_or(Unfit::Lane)?;
    // Another account, or one that reaches people where the approved one did not.
    if !account.ground().is_approved(&draft.context.plan, &draft.lane) {
        return Err(Unfit::NotAsApproved);
    }
    let reference = name(&key, draft);
    // Some providers print twice when a byte changes under the same key: what was frozen once is replayed.
    let frozen = match (&draft.frozen, repeat) {
        (Some(sealed), Some(_)) => Frozen::from_bytes(key.open("request", sealed).map_err(|_| Unfit::Sealed)?),
        _ => freeze(office, account, draft, (&key, &person), &reference)?,
    };
    // Equal to the list's, so that "sent to the listed address" can be proved.
    let destination = person.destination(account.channel).unwrap_or_default();
    let destination = commit(&PersonKey::new(*key.bytes()), account.channel.as_str(), destination.as_bytes());
    let intent = Intent {
        message_id: draft.message_id,
        person_id: draft.person_id,
        version: draft.person.version,
        repeat,
        lane: draft.lane.clone(),
        per_day: account.per_day.and_then(|limit| i64::try_from(limit).ok()),
        reference,
        request: key.seal("request", frozen.bytes()),
        content: commitment(draft)?,
        destination,
    };
    Ok(Prepared { intent, frozen })
}

/// A person's key and record.
fn open(office: &Office, draft: &Draft) -> Result<(Key, PersonRecord), Unfit> {
    let incident_key = office.master.unwrap_key(&draft.context.wrapped_incident_key, "incident").map_err(|_| Unfit::Sealed)?;
    let key = incident_key.unwrap_key(&draft.person.wrapped_key, "person").map_err(|_| Unfit::Sealed)?;
    let contact = key.open("contact", &draft.person.contact).map_err(|_| Unfit::Sealed)?;
    let person = serde_json::from_slice(&contact).map_err(|_| Unfit::Sealed)?;
    Ok((key, person))
}

/// Fetches the templates of drafts whose files are gone or were changed: a plan keeps what was approved.
pub async fn keep_templates(office: &Office, drafts: &[Draft]) -> Result<(), StoreError> {
    let hashes: BTreeSet<[u8; 32]> =
        drafts.iter().filter_map(|draft| draft.prepared.template_hash.as_slice().try_into().ok()).collect();
    for hash in hashes.iter().filter(|hash| office.composer.of_hash(hash).is_none()) {
        let Some(text) = office.store.find_text(hash).await? else { continue };
        let source = String::from_utf8_lossy(&text.body);
        // One that does not compile any more stays unknown, and its messages are unfit.
        if let Ok(template) = Template::kept(text.name.trim_end_matches(".hbs"), &source)
            && template.hash == *hash
        {
            office.composer.keep(template);
        }
    }
    Ok(())
}

/// The approved bytes of a message, for whoever may read it.
pub fn approved_bytes(office: &Office, draft: &Draft) -> Result<Vec<u8>, Unfit> {
    let account = office.accounts.get(&draft.lane).ok_or(Unfit::Lane)?;
    let (key, person) = open(office, draft)?;
    Ok(render(office, account, draft, (&key, &person))?.bytes)
}

/// The commitment to what was approved.
fn commitment(draft: &Draft) -> Result<[u8; 32], Unfit> {
    draft.prepared.commitment.as_slice().try_into().map_err(|_| Unfit::Sealed)
}

/// Renders the approved bytes of a message again; refuses other bytes than were approved.
fn render(office: &Office, account: &Account, draft: &Draft, (key, person): (&Key, &PersonRecord)) -> Result<Rendered, Unfit> {
    let setting = setting(draft).ok_or(Unfit::Plan)?;
    // The very template that was approved: a message pins its version for ever.
    let hash = draft.prepared.template_hash.as_slice().try_into().map_err(|_| Unfit::Plan)?;
    let template = office.composer.of_hash(&hash).filter(|t| t.channel == account.channel).ok_or(Unfit::NotAsApproved)?;
    let composed = office.composer.compose(&setting, person, &draft.person.reference_code, &template);
    let rendered = composed.map_err(|_| Unfit::Render)?;
    let is_approved = verify(&PersonKey::new(*key.bytes()), "content", &rendered.content_hash, &commitment(draft)?);
    if !is_approved || draft.prepared.person_version != draft.person.version {
        return Err(Unfit::NotAsApproved);
    }
    Ok(rendered)
}

fn freeze(
    office: &Office,
    account: &Account,
    draft: &Draft,
    (key, person): (&Key, &PersonRecord),
    reference: &str,
) -> Result<Frozen, Unfit> {
    let rendered = render(office, account, draft, (key, person))?;
    let context = &draft.context;
    let sender = Sender::of(&context.texts, &context.controller_name, &context.controller_address, &context.sms_sender);
    let address = person.address_block();
    let item = sender.item(account.channel, person, &address, &rendered, draft.postage_class.as_deref()).ok_or(Unfit::Render)?;
    let callback = office.settings.receipts.url_of(&context.controller_slug, &draft.lane);
    let outbound = Outbound { reference, callback: callback.as_deref(), item };
    account.provider.prepare(&outbound).map_err(|refusal| Unfit::Refused(refusal.code))
}

/// The commitment to a content under the key of a draft's person; `None` where nothing of the person opens.
pub fn commit_content(office: &Office, draft: &Draft, content_sha256: &[u8; 32]) -> Option<[u8; 32]> {
    let (key, _) = open(office, draft).ok()?;
    Some(commit(&PersonKey::new(*key.bytes()), "content", content_sha256))
}

/// The frozen request of a draft's newest attempt, where it is still known.
pub fn frozen(office: &Office, draft: &Draft) -> Option<Frozen> {
    let (key, _) = open(office, draft).ok()?;
    Some(Frozen::from_bytes(key.open("request", draft.frozen.as_deref()?).ok()?))
}
