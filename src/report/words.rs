//! The one place that turns states and facts into words for people. A word says what is known and no more: what a
//! network or carrier reported is named as a report, and nothing is ever "received" or "read".

use super::figures::count;
use crate::model::person::ShownState;
use crate::model::state::{Channel, MessageState, Misfit, NoticeState, TellsOtherwise};
use serde_json::{Map, Value};

/// `letter`, `text`, `email`: what people call a message of this channel.
pub fn noun(channel: Channel) -> &'static str {
    match channel {
        Channel::Sms => "text",
        Channel::Letter => "letter",
        Channel::Email => "email",
    }
}

/// Who takes messages of this channel.
pub fn provider(channel: Channel) -> &'static str {
    match channel {
        Channel::Sms => "SMS provider",
        Channel::Letter => "print provider",
        Channel::Email => "email provider",
    }
}

/// What is said of a failed message that its provider gave back: nobody was to be told by it any more.
pub const TAKEN_BACK: &str = "Taken back before it left";

/// What a message's state says.
pub fn message(channel: Channel, state: MessageState, postage_class: Option<&str>) -> String {
    use MessageState::*;
    match (state, channel) {
        (Ready, _) => "Waiting".to_owned(),
        (Sending, _) => "Being handed to the provider".to_owned(),
        (Unknown, _) => "Not known".to_owned(),
        (Asked, _) => "Not known; a person must decide".to_owned(),
        (Accepted, _) => format!("Accepted by {}", provider(channel)),
        (Sent, Channel::Email) | (CarrierDelivered, Channel::Email) => "Accepted by recipient's mail server".to_owned(),
        (Sent, _) => "Sent".to_owned(),
        (Printed, _) => "Printed".to_owned(),
        (HandedToCarrier, _) => match postage_class {
            Some(class) => format!("Posted {class} class"),
            None => "Posted".to_owned(),
        },
        (DeliveredToHandset, _) => "Network reported delivered".to_owned(),
        (CarrierDelivered, _) => "Carrier reported delivered".to_owned(),
        (Returned, Channel::Email) => "Returned by a mail server".to_owned(),
        (Returned, _) => "Returned".to_owned(),
        (Failed | Expired, _) => "Not delivered".to_owned(),
        // Of an earlier call the state alone says nothing: it is never "not delivered", and nothing is said to have stayed here.
        (Rejected, _) => "Refused by the provider".to_owned(),
        (Exhausted, _) => "Given up: our time or our attempts for sending it ended".to_owned(),
        (Overdue, _) => "No news when news was due".to_owned(),
        (Superseded, _) => "Not known; the next step took its place".to_owned(),
        (Cancelled, _) => "Cancelled, no call follows".to_owned(),
    }
}

/// As `message`, where nobody knows whether an earlier call of it was taken.
pub fn after_unknown(channel: Channel, state: MessageState) -> String {
    match state {
        MessageState::Ready | MessageState::Rejected | MessageState::Exhausted | MessageState::Cancelled => {
            format!("{EARLIER_UNKNOWN}; {}", message(channel, state, None).to_lowercase())
        }
        _ => message(channel, state, None),
    }
}

/// What is said of a message that was sent again, while nobody knows of the call before.
pub const EARLIER_UNKNOWN: &str = "Not known whether an earlier call was taken";

/// Why a message cannot leave.
pub fn misfit(misfit: Misfit) -> &'static str {
    match misfit {
        Misfit::Sealed => "what is sealed of it does not open",
        Misfit::Render => "it cannot be made any more",
        Misfit::NotAsApproved => "what would be sent is not what was approved",
    }
}

/// What to do about a message that cannot leave.
pub fn misfit_remedy(misfit: Misfit) -> &'static str {
    match misfit {
        Misfit::Sealed => "give every worker the master key of this database, or restore the person from a backup",
        Misfit::Render => "give every worker the templates of the approved plan",
        Misfit::NotAsApproved => {
            "give every worker the templates, the program and the lanes' accounts of the approved plan: `duly plan show` names them"
        }
    }
}

/// What a change of the notice says, in a sentence.
pub fn notice(to: NoticeState) -> &'static str {
    match to {
        NoticeState::Notified => "Notified.",
        NoticeState::Open => "No longer counted as ended: the duty to notify is open.",
        NoticeState::Unreachable => "Unreachable: no step of the route is left. A substitute or public notice is due.",
        NoticeState::Exempt => "Exempt: no notice is owed. Nothing more is sent.",
        NoticeState::Withdrawn => "Withdrawn: told in another way, and not by us. Nothing more is sent.",
    }
}

/// What stands in the place of `Notified.` where the log has no call to the person.
pub const WITHOUT_CALL: &str = "The log calls this a notice, and has no call to this person.";

/// How somebody was told outside of Duly.
pub fn otherwise(how: TellsOtherwise) -> &'static str {
    match how {
        TellsOtherwise::InPerson => "in person",
        TellsOtherwise::ByPhone => "by phone",
        TellsOtherwise::ByOthers => "by others",
    }
}

/// How a person is shown in a summary.
pub fn person(state: ShownState) -> &'static str {
    match state {
        ShownState::Waiting => "waiting, nothing sent",
        ShownState::UnderWay => "under way",
        ShownState::NeedsDecision => "need a decision",
        ShownState::Held => "on hold",
        ShownState::Notified => "notified",
        ShownState::Unreachable => "unreachable",
        ShownState::Exempt => "exempt, no notice is owed",
        ShownState::Withdrawn => "withdrawn, told in another way",
    }
}

/// What a provider shows of a letter, beside what it was given.
pub fn shown(detail: &Map<String, Value>, lane: &str) -> String {
    let pages = |key: &str| count(detail.get(key).and_then(Value::as_u64).unwrap_or(0), "page", "pages");
    match detail.get("ground").and_then(Value::as_str) {
        Some("same_bytes") => format!("{lane} shows the very file that it was given, {}", pages("pages")),
        Some("as_many_pages") => {
            format!(
                "{lane} shows a file of its own with {}, as expected of the {} that it was given",
                pages("pages"),
                pages("given")
            )
        }
        Some("other_pages") => {
            format!("{lane} shows a file with {}, and was given {}. Alarm: shown pages differ", pages("pages"), pages("given"))
        }
        _ => format!("{lane} shows a file that cannot be read. Alarm: shown letter unreadable"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_word_claims_what_nobody_can_know() {
        const FORBIDDEN: &[&str] =
            &["received", "read", "seen", "reached", "success", "failed", "pending", "processing", "in progress", "done"];
        let mut texts: Vec<String> = NoticeState::ALL.iter().map(|&s| notice(s).to_owned()).collect();
        texts.extend(Misfit::ALL.iter().map(|&m| misfit(m).to_owned()));
        texts.extend(ShownState::ALL.iter().map(|&s| person(s).to_owned()));
        for &channel in Channel::ALL {
            texts.extend(MessageState::ALL.iter().map(|&s| message(channel, s, Some("first"))));
            texts.extend(MessageState::ALL.iter().map(|&s| after_unknown(channel, s)));
        }

        for text in texts {
            let words: Vec<String> = text.to_lowercase().split(|c: char| !c.is_alphabetic()).map(str::to_owned).collect();
            assert!(!FORBIDDEN.iter().any(|f| words.join(" ").split(' ').any(|w| w == *f)), "{text}");
        }
    }
}
