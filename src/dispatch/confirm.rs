//! Receipts whose words nothing protects: whoever knows the token could write any of them, so their provider is asked, and
//! what it answers is believed instead.

use super::{Office, told};
use crate::model::state::{Channel, MessageState};
use crate::provider::{Account, ClaimedBy, ReceiptProof, Seen, StatusAnswer};
use crate::store::receipt::{Match, Waiting};
use futures::StreamExt;
use uuid::Uuid;

/// Questions at once.
const CONCURRENT: usize = 16;

/// What its provider makes of a receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Confirmed {
    /// What it claims.
    AsClaimed,
    /// This is how the message stands, and whose word that is; `None`: in a word that we do not know.
    As(Option<MessageState>, Option<ClaimedBy>),
    /// It is asked again later.
    NotYet,
    /// It was not asked: its vendor takes no more now.
    NotAsked,
}

/// Receipts after their providers were asked.
#[derive(Default)]
pub struct Sorted {
    /// Those to go on with.
    pub believed: Vec<Waiting>,
    /// Those of which their providers do not say what they claim, or not yet.
    pub unconfirmed: Vec<Uuid>,
    /// Those about which nobody could be asked now.
    pub unasked: Vec<Uuid>,
}

/// Has receipts confirmed where they must be.
pub async fn confirm_all(office: &Office, waiting: Vec<Waiting>) -> Sorted {
    let confirmed: Vec<(Waiting, Confirmed)> = futures::stream::iter(waiting)
        .map(|receipt| async move {
            let confirmed = confirm(office, &receipt).await;
            (receipt, confirmed)
        })
        .buffered(CONCURRENT)
        .collect()
        .await;
    let mut sorted = Sorted::default();
    for (mut receipt, confirmed) in confirmed {
        match confirmed {
            Confirmed::AsClaimed => sorted.believed.push(receipt),
            Confirmed::As(status, claimed_by) => {
                receipt.status = status;
                receipt.claimed_by = claimed_by.map(|by| by.as_str().to_owned());
                sorted.believed.push(receipt);
            }
            Confirmed::NotYet => sorted.unconfirmed.push(receipt.receipt_id),
            Confirmed::NotAsked => sorted.unasked.push(receipt.receipt_id),
        }
    }
    sorted
}

async fn confirm(office: &Office, receipt: &Waiting) -> Confirmed {
    // A copy and a word that nobody knows move nothing, and what matches nothing waits for its message first.
    let moves = receipt.status.is_some() && !receipt.is_replay;
    let (Some(place), true) = (&receipt.place, moves) else { return Confirmed::AsClaimed };
    let must_ask = |account: &&std::sync::Arc<Account>| matches!(account.capabilities().receipts, ReceiptProof::Confirmed(_));
    // Asked is the lane of the call, which may be another one of the account than that of the door: its words count.
    let Some(account) = office.accounts.get(&place.lane).filter(must_ask) else { return Confirmed::AsClaimed };
    let Some(id) = receipt.provider_id.as_deref() else { return Confirmed::NotYet };
    if !office.paces.may_ask(&account.name) {
        return Confirmed::NotAsked;
    }
    let answer = account.provider.fetch_status(id).await;
    if let StatusAnswer::Known(seen) = &answer
        && is_of(seen, id, place)
    {
        told::keep_confirmed(office, account, place, seen).await;
    }
    match judge((receipt.status, account.channel), id, place, answer) {
        Judged::AsClaimed => Confirmed::AsClaimed,
        Judged::AsSeen(seen) => Confirmed::As(seen.status, account.claimed_by(&seen.word)),
        Judged::NotYet => Confirmed::NotYet,
    }
}

/// An answer names our message by our reference, or else by the very id that the call for it was answered with: who holds
/// the token may put any id beside any reference.
fn is_of(seen: &Seen, id: &str, place: &Match) -> bool {
    seen.is_of(id, Some(&place.reference)) && (seen.reference.is_some() || place.provider_id.as_deref() == Some(id))
}

/// What an answer makes of a claim.
#[derive(Debug, PartialEq, Eq)]
enum Judged {
    AsClaimed,
    AsSeen(Seen),
    NotYet,
}

/// What an answer makes of a claim about the message at `place` under this id.
fn judge((claimed, channel): (Option<MessageState>, Channel), id: &str, place: &Match, answer: StatusAnswer) -> Judged {
    let is_return = claimed == Some(MessageState::Returned) && channel == Channel::Letter;
    let was_posted = |seen: &Seen| seen.status.is_some_and(|s| s.report_rank() >= MessageState::HandedToCarrier.report_rank());
    match answer {
        StatusAnswer::Known(seen) if !is_of(&seen, id, place) => Judged::NotYet,
        // Providers go on showing a letter that came back as posted; that it was posted is what can be confirmed.
        StatusAnswer::Known(seen) if is_return && was_posted(&seen) => Judged::AsClaimed,
        StatusAnswer::Known(seen) => Judged::AsSeen(seen),
        // Letters come back when their provider has long forgotten them: then it must be the very id that we were given.
        StatusAnswer::NotFound if is_return && place.provider_id.as_deref() == Some(id) => Judged::AsClaimed,
        StatusAnswer::NotFound | StatusAnswer::CannotKnow => Judged::NotYet,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::Detail;
    use crate::store::unit::IncidentKey;
    use MessageState::{DeliveredToHandset, Failed, HandedToCarrier, Returned, Sent};

    fn place() -> Match {
        Match {
            incident: IncidentKey { controller_id: Uuid::nil(), incident_no: 1 },
            message_id: Uuid::nil(),
            person_id: Uuid::nil(),
            lane: "lane".to_owned(),
            reference: "ours".to_owned(),
            provider_id: Some("id-1".to_owned()),
            wrapped_incident_key: Vec::new(),
            wrapped_person_key: None,
        }
    }

    fn seen(reference: &str, status: Option<MessageState>) -> Seen {
        let reference = Some(reference.to_owned());
        Seen { provider_id: "id-1".to_owned(), reference, word: "word".to_owned(), status, detail: Detail::default() }
    }

    fn shown(reference: &str, status: Option<MessageState>) -> StatusAnswer {
        StatusAnswer::Known(seen(reference, status))
    }

    fn as_seen(status: Option<MessageState>) -> Judged {
        Judged::AsSeen(seen("ours", status))
    }

    #[test]
    fn what_the_provider_shows_is_believed_and_not_what_the_receipt_claims() {
        for (claimed, answer, becomes) in [
            (Some(DeliveredToHandset), shown("ours", Some(DeliveredToHandset)), as_seen(Some(DeliveredToHandset))),
            (Some(DeliveredToHandset), shown("ours", Some(Failed)), as_seen(Some(Failed))),
            (Some(DeliveredToHandset), shown("ours", None), as_seen(None)),
            (Some(DeliveredToHandset), shown("somebody's", Some(DeliveredToHandset)), Judged::NotYet),
            (Some(DeliveredToHandset), StatusAnswer::NotFound, Judged::NotYet),
            (Some(DeliveredToHandset), StatusAnswer::CannotKnow, Judged::NotYet),
            (Some(Returned), shown("ours", Some(HandedToCarrier)), Judged::AsClaimed),
            (Some(Returned), shown("ours", Some(Sent)), as_seen(Some(Sent))),
            (Some(Returned), StatusAnswer::NotFound, Judged::AsClaimed),
            (Some(Returned), StatusAnswer::CannotKnow, Judged::NotYet),
        ] {
            assert_eq!(judge((claimed, Channel::Letter), "id-1", &place(), answer.clone()), becomes, "{claimed:?} {answer:?}");
        }
    }

    /// The claim may be read as another channel's: at one service an email's `permanent-failure` is a return, a text's is none.
    #[test]
    fn only_a_letter_is_believed_to_have_come_back_against_what_its_provider_shows() {
        for channel in [Channel::Sms, Channel::Email] {
            let judged = |answer| judge((Some(Returned), channel), "id-1", &place(), answer);
            assert_eq!(judged(shown("ours", Some(DeliveredToHandset))), as_seen(Some(DeliveredToHandset)), "{channel:?}");
            assert_eq!(judged(shown("ours", Some(Returned))), as_seen(Some(Returned)), "{channel:?}");
            assert_eq!(judged(StatusAnswer::NotFound), Judged::NotYet, "{channel:?}");
        }
    }

    #[test]
    fn an_answer_of_another_message_confirms_nothing_whatever_the_receipt_puts_beside_it() {
        let of = |provider_id: &str, reference: Option<&str>| {
            let (provider_id, reference) = (provider_id.to_owned(), reference.map(str::to_owned));
            let status = Some(DeliveredToHandset);
            StatusAnswer::Known(Seen { provider_id, reference, word: "word".to_owned(), status, detail: Detail::default() })
        };
        let claimed = (Some(DeliveredToHandset), Channel::Sms);
        let is_believed = |id, place: &Match, answer| judge(claimed, id, place, answer) != Judged::NotYet;
        for (asked, answer, expected) in [
            ("id-1", of("id-1", None), true),
            ("id-2", of("id-2", None), false),
            ("id-2", of("id-2", Some("ours")), true),
            ("id-1", of("id-2", None), false),
            ("id-1", of("id-2", Some("ours")), false),
        ] {
            assert_eq!(is_believed(asked, &place(), answer.clone()), expected, "{asked} {answer:?}");
        }
        let unnamed = Match { provider_id: None, ..place() };
        assert!(!is_believed("id-1", &unnamed, of("id-1", None)), "no call was answered with this id");
        assert_eq!(judge((Some(Returned), Channel::Letter), "id-2", &place(), StatusAnswer::NotFound), Judged::NotYet);
    }
}
