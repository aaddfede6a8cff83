//! What an answer to a question tells beside where its message stands: a price, a count, a text, a word that nobody knows. It is
//! kept with the question, whoever asked; what is not as we gave it is an alarm, once, and nothing is sent again because of it.

use super::draft;
use super::{DispatchError, Office};
use crate::model::causes::with_causes;
use crate::provider::{Account, Detail, Seen, is_as_given};
use crate::store::receipt::Match;
use crate::store::told::Told;
use crate::store::unit::IncidentKey;
use uuid::Uuid;

/// Keeps what the answer to this question tells. Of several messages under one name, which are an alarm already, the first.
pub async fn keep(
    office: &Office,
    account: &Account,
    (incident, message_id): (IncidentKey, Uuid),
    lookup_id: Uuid,
    seen: &[Seen],
) -> Result<(), DispatchError> {
    let Some(seen) = seen.first() else { return Ok(()) };
    let told = Told {
        cost: seen.detail.cost.as_ref().map(|cost| (cost.milli, cost.currency.as_str())),
        unknown_word: account.unknown_word(&seen.word, seen.status),
        parts: seen.detail.parts.map(|parts| parts.figure()),
        differs: compare(office, (incident, message_id), &seen.detail).await?,
    };
    if told.is_something() {
        office.store.record_told(lookup_id, &told).await?;
    }
    Ok(())
}

/// The same of the answer that confirmed a receipt, or did not; most of them tell nothing more, and leave no row.
pub async fn keep_confirmed(office: &Office, account: &Account, place: &Match, seen: &Seen) {
    let is_news =
        seen.detail.cost.is_some() || seen.detail.parts.is_some() || account.unknown_word(&seen.word, seen.status).is_some();
    if !is_news {
        return;
    }
    let kept = async {
        let lookup_id = office.store.insert_confirmation(place.incident, place.message_id).await?;
        keep(office, account, (place.incident, place.message_id), lookup_id, std::slice::from_ref(seen)).await
    };
    if let Err(error) = kept.await {
        tracing::warn!(message = %place.message_id, error = with_causes(&error), "what a provider told beside a receipt was not kept");
    }
}

/// What is shown otherwise than it was given; empty where nothing is, `None` where nothing is shown that was not compared before.
async fn compare(
    office: &Office,
    (incident, message_id): (IncidentKey, Uuid),
    detail: &Detail,
) -> Result<Option<&'static str>, DispatchError> {
    let is_shown = |detail: &Detail| detail.content.is_some() || detail.parts.is_some() || detail.differs.is_some();
    if !is_shown(detail) {
        return Ok(None);
    }
    let before = office.store.load_compared(incident, message_id).await?;
    let detail = Detail {
        content: detail.content.filter(|_| !before.is_compared),
        differs: detail.differs.filter(|_| !before.is_compared),
        parts: detail.parts.filter(|_| !before.is_counted),
        cost: None,
    };
    if !is_shown(&detail) {
        return Ok(None);
    }
    let drafts = office.store.list_drafts(&[message_id]).await?;
    // Of what a restored database forgot, or whose person was erased, there is nothing to compare with.
    let Some(frozen) = drafts.first().and_then(|draft| draft::frozen(office, draft)) else { return Ok(None) };
    let compared = tokio::task::spawn_blocking(move || is_as_given(frozen.bytes(), &detail)).await;
    Ok(compared.unwrap_or_default())
}
