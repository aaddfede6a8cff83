//! Receipts whose words nothing protects: whoever knows the token could write any of them, so their provider is asked, and
//! what it answers is believed instead.

use super::Office;
use crate::model::state::MessageState;
use crate::provider::{Account, ReceiptProof, Seen, StatusAnswer};
use crate::store::receipt::{Match, Waiting};
use futures::StreamExt;
use uuid::Uuid;

/// Questions at once.
const CONCURRENT: usize = 16;

/// What its provider makes of a receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Confirmed {
    /// This is how the message stands; `None`: in a word that we do not know.
    As(Option<MessageState>),
    /// It is asked again later.
    NotYet,
}

/// Has receipts confirmed where they must be: those to go on with, and the ids of those to be asked about again.
pub async fn confirm_all(office: &Office, waiting: Vec<Waiting>) -> (Vec<Waiting>, Vec<Uuid>) {
    let confirmed: Vec<(Waiting, Confirmed)> = futures::stream::iter(waiting)
        .map(|receipt| async move {
            let confirmed = confirm(office, &receipt).await;
            (receipt, confirmed)
        })
        .buffered(CONCURRENT)
        .collect()
        .await;
    let (mut believed, mut later) = (Vec::new(), Vec::new());
    for (mut receipt, confirmed) in confirmed {
        match confirmed {
            Confirmed::As(status) => {
                receipt.status = status;
                believed.push(receipt);
            }
            Confirmed::NotYet => later.push(receipt.receipt_id),
        }
    }
    (believed, later)
}

async fn confirm(office: &Office, receipt: &Waiting) -> Confirmed {
    let account = office.accounts.get(&receipt.lane);
    let must_ask = |account: &&std::sync::Arc<Account>| matches!(account.capabilities().receipts, ReceiptProof::Confirmed(_));
    // A copy and a word that nobody knows move nothing, and what matches nothing waits for its message first.
    let moves = receipt.status.is_some() && !receipt.is_replay;
    let (Some(account), Some(place), true) = (account.filter(must_ask), &receipt.place, moves) else {
        return Confirmed::As(receipt.status);
    };
    let Some(id) = receipt.provider_id.as_deref() else { return Confirmed::NotYet };
    judge(receipt.status, id, place, account.provider.fetch_status(id).await)
}

/// What an answer makes of a claim about the message at `place` under this id.
fn judge(claimed: Option<MessageState>, id: &str, place: &Match, answer: StatusAnswer) -> Confirmed {
    let is_return = claimed == Some(MessageState::Returned);
    let was_posted = |seen: &Seen| seen.status.is_some_and(|s| s.report_rank() >= MessageState::HandedToCarrier.report_rank());
    match answer {
        StatusAnswer::Known(seen) if seen.reference.as_ref().is_some_and(|name| *name != place.reference) => Confirmed::NotYet,
        // Providers go on showing a letter that came back as posted; that it was posted is what can be confirmed.
        StatusAnswer::Known(seen) if is_return && was_posted(&seen) => Confirmed::As(claimed),
        StatusAnswer::Known(seen) => Confirmed::As(seen.status),
        // Letters come back when their provider has long forgotten them: then it must be the very id that we were given.
        StatusAnswer::NotFound if is_return && place.provider_id.as_deref() == Some(id) => Confirmed::As(claimed),
        StatusAnswer::NotFound | StatusAnswer::CannotKnow => Confirmed::NotYet,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::unit::IncidentKey;
    use MessageState::{DeliveredToHandset, Failed, HandedToCarrier, Returned, Sent};

    fn place() -> Match {
        Match {
            incident: IncidentKey { controller_id: Uuid::nil(), incident_no: 1 },
            message_id: Uuid::nil(),
            person_id: Uuid::nil(),
            reference: "ours".to_owned(),
            provider_id: Some("id-1".to_owned()),
            wrapped_incident_key: Vec::new(),
            wrapped_person_key: None,
        }
    }

    fn shown(reference: Option<&str>, status: Option<MessageState>) -> StatusAnswer {
        let reference = reference.map(str::to_owned);
        StatusAnswer::Known(Seen { provider_id: "id-1".to_owned(), reference, word: "word".to_owned(), status, cost: None })
    }

    #[test]
    fn what_the_provider_shows_is_believed_and_not_what_the_receipt_claims() {
        for (claimed, answer, becomes) in [
            (Some(DeliveredToHandset), shown(Some("ours"), Some(DeliveredToHandset)), Confirmed::As(Some(DeliveredToHandset))),
            (Some(DeliveredToHandset), shown(Some("ours"), Some(Failed)), Confirmed::As(Some(Failed))),
            (Some(DeliveredToHandset), shown(Some("ours"), None), Confirmed::As(None)),
            (Some(DeliveredToHandset), shown(Some("somebody's"), Some(DeliveredToHandset)), Confirmed::NotYet),
            (Some(DeliveredToHandset), StatusAnswer::NotFound, Confirmed::NotYet),
            (Some(DeliveredToHandset), StatusAnswer::CannotKnow, Confirmed::NotYet),
            (Some(Returned), shown(Some("ours"), Some(HandedToCarrier)), Confirmed::As(Some(Returned))),
            (Some(Returned), shown(Some("ours"), Some(Sent)), Confirmed::As(Some(Sent))),
            (Some(Returned), StatusAnswer::NotFound, Confirmed::As(Some(Returned))),
            (Some(Returned), StatusAnswer::CannotKnow, Confirmed::NotYet),
        ] {
            assert_eq!(judge(claimed, "id-1", &place(), answer.clone()), becomes, "{claimed:?} {answer:?}");
        }
        assert_eq!(judge(Some(Returned), "id-2", &place(), StatusAnswer::NotFound), Confirmed::NotYet);
    }
}
