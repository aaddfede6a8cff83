//! Every fault of a call, for every account, with its outcome; each must have fired.

use super::*;
use crate::provider::{CancelOutcome, Check, Pause};

/// How long an answer is waited for where none comes in time: enough for a busy machine to write the request.
const SHORT: Duration = Duration::from_secs(3);
/// Faults whose answer comes too late or never.
const TIMED: &[FaultKind] = &[FaultKind::Hang, FaultKind::Late, FaultKind::Drip, FaultKind::HeadDrip];

/// What a fault means to a vendor, and how many messages it produces all the same.
fn means(who: Who, kind: FaultKind) -> (Answer, usize) {
    use Answer::{Accepted, LaneStopped, NotTaken, Rejected, Unknown};
    use FaultKind as F;
    match (kind, who.0) {
        (F::Reject, _) => (Rejected, 0),
        (F::TooMany, _) => (NotTaken, 0),
        // Neither of them has a word of its own for a day.
        (F::TooManyToday, Face::Stannp | Face::Plain) => (NotTaken, 0),
        // A service on trial: Notify says so by the error that it has for any message, and its texts may not be read.
        (F::NoCredit, Face::Notify) => (Rejected, 0),
        (F::TooManyToday | F::NoCredit | F::Unauthorised | F::Forbidden, _) => (LaneStopped, 0),
        // A text that failed at once, because the account is suspended.
        (F::ErrorInside, Face::Twilio) => (LaneStopped, 0),
        (F::ErrorInside, Face::Lob) => (Accepted, 0),
        (F::Redirect | F::RequestTimeout | F::ErrorBefore | F::Unavailable | F::CutBefore | F::ErrorInside, _) => (Unknown, 0),
        (F::ErrorAfter | F::CutAfter | F::NotJson | F::Gzip | F::HugeBody, _) => (Unknown, 1),
        (F::Hang | F::Late | F::Drip | F::HeadDrip, _) => (Unknown, 1),
        (F::Slow, _) => (Accepted, 1),
        _ => unreachable!("{kind:?} is no fault of a first call"),
    }
}

/// Faults of a first call; those of repeats, look-ups, receipts, letters and recalls have tests of their own.
const OF_A_CALL: &[FaultKind] = &[
    FaultKind::Reject,
    FaultKind::TooMany,
    FaultKind::TooManyToday,
    FaultKind::NoCredit,
    FaultKind::Unauthorised,
    FaultKind::Forbidden,
    FaultKind::Redirect,
    FaultKind::RequestTimeout,
    FaultKind::ErrorBefore,
    FaultKind::Unavailable,
    FaultKind::CutBefore,
    FaultKind::ErrorInside,
    FaultKind::ErrorAfter,
    FaultKind::CutAfter,
    FaultKind::NotJson,
    FaultKind::Gzip,
    FaultKind::HugeBody,
    FaultKind::Hang,
    FaultKind::Late,
    FaultKind::Drip,
    FaultKind::HeadDrip,
    FaultKind::Slow,
];

async fn is_produced(town: &Town, count: usize) -> bool {
    let produced = async {
        while town.state.record().len() < count {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(DEADLINE, produced).await.is_ok() && town.state.record().len() == count
}

#[tokio::test]
async fn every_fault_of_a_call_has_its_outcome_and_fired() {
    for who in ALL {
        for kind in OF_A_CALL.iter().filter(|kind| !TIMED.contains(kind)) {
            has_its_outcome(who, *kind).await;
        }
    }
    let waiting = ALL.iter().flat_map(|who| TIMED.iter().map(|kind| has_its_outcome(*who, *kind)));
    futures::future::join_all(waiting).await;
}

async fn has_its_outcome(who: Who, kind: FaultKind) {
    let fault = Fault::once(kind);
    let (fault, wait) = match kind {
        FaultKind::Hang => (fault, SHORT),
        FaultKind::Late => (fault.lasting(4_000), SHORT),
        FaultKind::Drip | FaultKind::HeadDrip => (fault.lasting(500), SHORT),
        FaultKind::Slow => (fault.lasting(20), DEADLINE),
        _ => (fault, DEADLINE),
    };
    let town = town_within(who, vec![fault], 60_000, wait).await;

    let result = town.submit().await;

    let (answer, produced) = means(who, kind);
    assert_eq!((result.answer, town.state.fired(kind)), (answer, 1), "{who:?} {kind:?}: {}", result.code);
    assert!(is_produced(&town, produced).await, "{who:?} {kind:?}: {:?}", town.state.record());
    let pauses = result.answer == Answer::LaneStopped || kind == FaultKind::Redirect;
    assert_eq!(result.pause.is_some(), pauses, "{who:?} {kind:?}");
    if produced == 1 && who != DESCRIBED {
        assert!(matches!(town.look_up().await, LookUp::Found(found) if found.len() == 1), "{who:?} {kind:?}");
    }
}

/// A new kind of fault finds its place here or is listed as none of a first call.
#[test]
fn no_fault_of_a_call_is_left_out() {
    let is_other = |name: &str| {
        ["Receipt", "LookUp", "Letter", "Cancel"].iter().any(|of| name.starts_with(of))
            || ["Undelivered", "Expired", "PrintOutage", "Conflict", "IdTwice", "Suspended"].contains(&name)
    };
    let left_out: Vec<_> =
        FaultKind::ALL.iter().filter(|kind| !OF_A_CALL.contains(kind) && !is_other(&format!("{kind:?}"))).collect();
    assert!(left_out.is_empty(), "{left_out:?}");
}

#[tokio::test]
async fn a_conflict_on_a_repeat_proves_nothing() {
    for who in ALL {
        let conflict = town(who, vec![Fault::once(FaultKind::Conflict)], 60_000).await;
        assert_eq!(conflict.submit().await.answer, Answer::Accepted, "{who:?}");
        assert_eq!(conflict.submit().await.answer, Answer::Unknown, "{who:?}");
        assert_eq!((conflict.state.fired(FaultKind::Conflict), conflict.state.record().len()), (1, 1), "{who:?}");
    }
}

#[tokio::test]
async fn a_limit_says_how_long_to_wait_in_the_vendors_own_way() {
    for who in ALL {
        let town = town(who, vec![Fault::once(FaultKind::TooMany).lasting(7_000)], 60_000).await;

        let wait = town.submit().await.retry_after;

        let is_told = |wait| (Duration::from_secs(5)..=Duration::from_secs(7)).contains(&wait);
        // Notify does not say how long.
        assert_eq!(wait.is_some_and(is_told), who.0 != Face::Notify, "{who:?} {wait:?}");
        assert!(who.0 != Face::Notify || wait.is_none(), "{who:?} {wait:?}");
    }
    for who in [TWILIO].into_iter().chain(NOTIFY) {
        let daily = town(who, vec![Fault::once(FaultKind::TooManyToday)], 60_000).await;
        assert_eq!(daily.submit().await.pause, Some(Pause::UtcDay), "{who:?}");
    }
    let told = town(DESCRIBED, vec![Fault::once(FaultKind::TooManyToday)], 60_000).await;
    assert_eq!(told.submit().await.retry_after, Some(Duration::from_secs(86_400)));
}

#[tokio::test]
async fn what_waits_is_taken_back_and_what_is_on_its_way_is_not() {
    for who in VENDORS {
        let waiting = town(who, vec![], 60_000).await;
        let id = waiting.submit().await.provider_id.unwrap();
        assert_eq!(waiting.provider.cancel(&id).await, CancelOutcome::Cancelled, "{who:?}");
        assert!(waiting.state.record().is_empty(), "{who:?}");
        assert_eq!(waiting.provider.cancel(&id).await, CancelOutcome::TooLate, "{who:?}");

        let mut gone = town(who, vec![], 1).await;
        let id = gone.submit().await.provider_id.unwrap();
        gone.receipt().await.unwrap();
        assert_eq!(gone.provider.cancel(&id).await, CancelOutcome::TooLate, "{who:?}");
        assert_eq!(gone.state.record().len(), 1, "{who:?}");
    }
    for who in NOTIFY.into_iter().chain([DESCRIBED]) {
        let town = town(who, vec![], 60_000).await;
        let id = town.submit().await.provider_id.unwrap();
        assert_eq!(town.provider.cancel(&id).await, CancelOutcome::Unsupported, "{who:?}");
        assert_eq!(town.state.record().len(), 1, "{who:?}");
    }
}

#[tokio::test]
async fn a_check_proves_the_credentials_and_produces_nothing() {
    for who in ALL {
        let town = town(who, vec![], 60_000).await;
        assert_eq!(town.provider.check().await, Check::Good, "{who:?}");
        let mut config = SandboxConfig::clone(&town.state.config());
        config.api_key = NOTIFY_KEY.replace("-3d", "-4d");
        town.state.set_config(config);
        assert_eq!(town.provider.check().await, Check::BadCredentials, "{who:?}");
        assert_eq!((town.submit().await.answer, town.state.record().len()), (Answer::LaneStopped, 0), "{who:?}");
    }
}

#[tokio::test]
async fn a_check_takes_a_standard_key_of_twilio_which_may_not_read_the_account() {
    let town = town(TWILIO, vec![], 60_000).await;
    let sid = "AC00000000000000000000000000000001";
    let check = async |key: &str| {
        let lane = format!("channel = \"sms\"\nurl = \"{}\"\naccount = \"{sid}\"\napi_key = \"{key}\"\n", town.place);
        let wire = Twilio::new(&toml::from_str(&lane).unwrap(), Channel::Sms).unwrap();
        HttpProvider::new(wire, &town.place, DEADLINE).unwrap().check().await
    };

    assert_eq!(check("SK00000000000000000000000000000004:sandbox-key").await, Check::Good);
    assert_eq!(check("sandbox-key").await, Check::Good);
    assert_eq!(check("SK00000000000000000000000000000004:another").await, Check::BadCredentials);
    assert!(town.state.record().is_empty());
}

/// Where whoever has no key is shown the same, the key is not proved; where nothing may be asked, nothing is.
#[tokio::test]
async fn a_check_of_a_described_provider_says_no_more_than_it_proves() {
    let (_, url) = listen().await;
    let town = town(DESCRIBED, vec![], 60_000).await;
    let place = town.place.clone();
    let account = |url: &str, check_path: &str| {
        let gateway = GATEWAY.replace("check_path = \"/v1/account\"", check_path);
        let lane = format!("channel = \"sms\"\nurl = \"{url}\"\napi_key = \"sandbox-key\"\n{gateway}");
        let wire = DescribedProvider::new(&toml::from_str(&lane).unwrap(), Channel::Sms).unwrap();
        HttpProvider::new(wire, url, SHORT).unwrap()
    };

    let open = account(&place, "check_path = \"/v1/messages?reference=check\"").check().await;
    assert_eq!(open, Check::KeyNotAsked);
    assert!(matches!(account(&place, "check_path = \"/v1/strange\"").check().await, Check::Unfit(_)));
    assert!(matches!(account(&place, "").check().await, Check::CannotCheck(remedy) if remedy.contains("check_path")));
    assert_eq!(account(&url, "check_path = \"/v1/account\"").check().await, Check::Unreachable);
    assert!(town.state.record().is_empty());
}
