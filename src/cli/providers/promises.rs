//! What a lane's provider promises and how much it takes: for people and for programs.

use super::callback::Doors;
use super::health::Health;
use super::{reaches, words_on};
use crate::cli::output::{figure, span};
use crate::model::state::{Channel, MessageState};
use crate::provider::{Account, CancelWindow, Capabilities, LookupStrength, ReceiptProof};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

fn seconds(time: Duration) -> String {
    span(i64::try_from(time.as_secs()).unwrap_or(i64::MAX))
}

/// Whole days.
fn days(time: Duration) -> String {
    format!("{} days", time.as_secs() / 86_400)
}

/// What is promised and how much is taken, in words.
pub fn promises(account: &Account) -> Vec<(&'static str, String)> {
    let Capabilities { idempotent_for, lookup, receipts, cancel_within, retention, cut_off, test_mode, .. } =
        account.capabilities();
    let lookup = match lookup {
        LookupStrength::None if idempotent_for.is_some() => {
            "there is none: a call without an answer is repeated under its key, else the lane's rule is taken".to_owned()
        }
        LookupStrength::Strong { lag } => format!("finds every message by our reference, {} after it was made", seconds(*lag)),
        LookupStrength::Weak { patience } => {
            format!("may not find what is there: after {} the lane's rule is taken", seconds(*patience))
        }
        LookupStrength::None => "there is none: the lane's rule is taken".to_owned(),
    };
    let receipts = match receipts {
        ReceiptProof::Signed(scheme) => format!("signed ({scheme})"),
        ReceiptProof::Confirmed(scheme) => format!("not signed ({scheme}): nothing moves before the provider was asked"),
        ReceiptProof::None => "it sends none".to_owned(),
    };
    let repeat = idempotent_for.map_or_else(
        || "never: the same request twice may be two messages".to_owned(),
        |life| format!("safe with the same bytes for {}", seconds(life)),
    );
    let cancel = match cancel_within {
        None => "not by request".to_owned(),
        Some(CancelWindow::Stated(time)) => format!("within {}", seconds(*time)),
        Some(CancelWindow::UntilMade) => "until it is made; only the provider knows when".to_owned(),
    };
    let asked = match account.poll {
        _ if !account.can_be_asked() => "never: nobody could answer".to_owned(),
        None => format!("when news are due, for {}", days(asked_for(account))),
        Some(every) => format!("every {} at first, for {}", seconds(every), days(asked_for(account))),
    };
    vec![
        ("takes", takes(account)),
        ("a message", a_message(account)),
        ("repeat", repeat),
        ("look-up", lookup),
        ("receipts", receipts),
        ("asked", asked),
        ("shows", shows(account)),
        ("cancel", cancel),
        ("remembers", retention.map_or_else(|| "not said".to_owned(), seconds)),
        ("cut-off", if cut_off.is_empty() { "not said".to_owned() } else { (*cut_off).to_owned() }),
        ("delivered", account.capabilities().delivered_means.to_owned()),
        ("test mode", if test_mode.is_empty() { "there is none".to_owned() } else { (*test_mode).to_owned() }),
    ]
}

/// How long after its call a message of the lane is asked about.
fn asked_for(account: &Account) -> Duration {
    account.capabilities().asked_for(account.channel)
}

/// Whether what it makes of a letter can be seen, and is.
fn shows(account: &Account) -> String {
    match account.capabilities().shows_letter {
        Some(_) => "the PDF of each letter: its pages are counted and compared".to_owned(),
        None => "nothing of what it makes".to_owned(),
    }
}

/// How many in a second, a minute and a day: the lane's own limits, which never pass the provider's.
fn takes(account: &Account) -> String {
    let capabilities = account.capabilities();
    let pace = |n: u32| format!("{} a second ({} a minute)", figure(n.into()), figure(i64::from(n) * 60));
    let own = format!("the lane {}", pace(account.per_second));
    let theirs = capabilities
        .per_second_max
        .map_or_else(|| "its provider names no pace".to_owned(), |n| format!("its provider {}", pace(n)));
    let day = match (account.per_day, capabilities.per_day_max) {
        (None, _) => "no limit a day is named".to_owned(),
        (Some(own), Some(theirs)) => format!("{} a day, its provider {}", figure_of(own), figure(theirs.into())),
        (Some(own), None) => format!("{} a day by the settings, its provider names no limit", figure_of(own)),
    };
    format!("{own}, {theirs}; {day}")
}

fn figure_of(n: u64) -> String {
    figure(i64::try_from(n).unwrap_or(i64::MAX))
}

/// What one message may be.
fn a_message(account: &Account) -> String {
    let capabilities = account.capabilities();
    match (account.channel, capabilities.letters, capabilities.text_chars_max) {
        (Channel::Letter, Some(limits), _) => format!(
            "at most {} pages and {} KB; postage {}",
            limits.pages_max,
            figure_of(limits.bytes_max as u64 / 1024),
            limits.postage_classes.join(", ")
        ),
        (Channel::Sms, _, Some(max)) => format!("at most {} characters", figure_of(max as u64)),
        _ => "no limit is named".to_owned(),
    }
}

/// What is promised, as figures.
fn capabilities(account: &Account) -> Value {
    let c = account.capabilities();
    let seconds = |time: Duration| time.as_secs();
    let (lookup, after) = match c.lookup {
        LookupStrength::Strong { lag } => ("strong", Some(lag)),
        LookupStrength::Weak { patience } => ("weak", Some(patience)),
        LookupStrength::None => ("none", None),
    };
    let (receipts, scheme) = match c.receipts {
        ReceiptProof::Signed(scheme) => ("signed", Some(scheme)),
        ReceiptProof::Confirmed(scheme) => ("confirmed", Some(scheme)),
        ReceiptProof::None => ("none", None),
    };
    let (cancel, within) = match c.cancel_within {
        Some(CancelWindow::Stated(time)) => ("stated", Some(time)),
        Some(CancelWindow::UntilMade) => ("until_made", None),
        None => ("never", None),
    };
    json!({
        "channels": c.channels.iter().map(|channel| channel.as_str()).collect::<Vec<_>>(),
        "idempotent_for_seconds": c.idempotent_for.map(seconds),
        "lookup": lookup, "lookup_after_seconds": after.map(seconds),
        "receipts": receipts, "receipt_scheme": scheme, "receipts_have_time": c.receipts_have_time,
        "names_callback": c.names_callback, "polling": c.polling,
        "cancel": cancel, "cancel_within_seconds": within.map(seconds), "retention_seconds": c.retention.map(seconds),
        "text_chars_max": c.text_chars_max,
        "letters": c.letters.map(|l| json!({ "pages_max": l.pages_max, "bytes_max": l.bytes_max, "postage_classes": l.postage_classes })),
        "shows_letter": c.shows_letter.is_some(), "cut_off": c.cut_off, "delivered_means": c.delivered_means, "test_mode": c.test_mode,
    })
}

/// A lane for programs.
pub fn as_json(account: &Account, health: &Health, doors: &Doors) -> Value {
    let c = account.capabilities();
    let minute = |per_second: u32| u64::from(per_second) * 60;
    json!({
        "lane": account.name,
        "kind": account.kind,
        "provider": c.name,
        "live": account.is_live,
        "reaches": reaches(account),
        "channel": account.channel.as_str(),
        "weight": account.weight,
        "reserve": account.is_reserve,
        "per_second": account.per_second,
        "per_minute": minute(account.per_second),
        "per_day": account.per_day,
        "per_second_max": c.per_second_max,
        "per_minute_max": c.per_second_max.map(minute),
        "per_day_max": c.per_day_max,
        "poll_seconds": account.poll.map(|every| every.as_secs()),
        "asked_for_seconds": account.can_be_asked().then(|| asked_for(account).as_secs()),
        "unknown_rule": account.unknown_rule.as_str(),
        "callbacks": doors.as_json(account),
        "health": health.to_json(),
        "capabilities": capabilities(account),
        "promises": promises(account).into_iter().collect::<BTreeMap<_, _>>(),
        "words": words_on(account).map(|word| json!({
            "word": word.word, "means": word.state.map(MessageState::as_str), "claimed_by": word.claimed_by, "proves": word.proves,
        })).collect::<Vec<_>>(),
    })
}
