//! What a letter's provider shows is fetched once after it took the letter, hashed, its pages counted, and kept as evidence;
//! another letter than it was given is an alarm. Nothing is sent, or waits, because of it.

use crate::support::{Capability, Lane, NOTIFY_KEY, PATIENT, Setup, Stage, eventually, skipped, within};
use crate::vendors::read_window;
use duly::model::state::Route;
use duly_sandbox::{Face, Fault, FaultKind, ProviderConfig};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

const LONGEST: Duration = Duration::from_secs(120);
const MINUTES: i32 = 60;
const SHOWN: &str = "select count(*) from event where kind = 'message.shown'";
const ASKED: &str = "select count(*) from letter_asked";
/// Ground, pages given and pages shown.
const TOLD: &str = "select distinct concat_ws(' ', d ->> 'ground', d ->> 'given', d ->> 'pages')
    from event e cross join lateral (select convert_from(e.body, 'UTF8')::jsonb -> 'd' as d) b where kind = 'message.shown'";

/// A lane of letters at a vendor's face, each at the end of its life at once; `receipt_delay_ms` between its steps.
fn lane(face: Face, receipt_delay_ms: u64, faults: Vec<Fault>) -> Lane {
    let provider = ProviderConfig {
        face,
        channel: "letter".into(),
        api_key: (face == Face::Notify).then(|| NOTIFY_KEY.to_owned()),
        idempotent: face != Face::Notify,
        receipts: false,
        receipt_delay_ms,
        faults,
        ..ProviderConfig::default()
    };
    Lane { provider, ..Lane::named("letters") }
}

async fn letters(people: u32, lane: Lane) -> Stage {
    let is_american = lane.provider.face == Face::Lob;
    let dispatch = PATIENT.to_vec();
    let setup = Setup { people, routes: vec![Route::Letter], lanes: vec![lane], is_american, dispatch, ..Setup::default() };
    let stage = Stage::new(setup).await;
    stage.sandbox.state.set_window_reader(Arc::new(read_window));
    stage
}

/// Whether somebody can read the windows of letters whose requests name no address; else says so.
fn has_reader() -> bool {
    let has_one = Command::new("pdftotext").arg("-v").output().is_ok();
    if !has_one {
        skipped("pdftotext is not installed, and nobody can read the windows of the letters");
    }
    has_one
}

async fn shown_by(face: Face, faults: Vec<Fault>) -> Stage {
    let stage = letters(3, lane(face, 0, faults)).await;
    let mut scheduler = stage.start(&["scheduler"]);
    let mut worker = stage.start(&["worker"]);
    let taken = "select count(*) from message where state not in ('ready', 'sending', 'unknown')";
    within(LONGEST, "all are taken", async || (stage.count(taken).await == 3).then_some(())).await;
    assert_eq!(stage.count(ASKED).await, 0, "no vendor has made it by now");
    stage.shift_clock(3 * MINUTES).await;
    within(LONGEST, "all are shown", async || (stage.count(SHOWN).await == 3).then_some(())).await;

    // Each was asked for once, and is not asked for again.
    stage.shift_clock(60 * MINUTES).await;
    stage.drain_the_logs().await;
    scheduler.terminate().await;
    worker.terminate().await;
    assert_eq!((stage.count(ASKED).await, stage.count(SHOWN).await), (3, 3));
    assert_eq!(stage.produced(), 3, "nothing is sent because of it");
    stage
}

/// Whether the bytes that were shown are those that were sent, by their commitments.
const SAME: &str =
    "select count(distinct s.ord) from event s cross join lateral (select convert_from(s.body, 'UTF8')::jsonb -> 'd' as d) b
     join event i on i.message_id = s.message_id and i.person_id = s.person_id and i.kind = 'message.intent'
    where s.kind = 'message.shown' and convert_from(i.body, 'UTF8')::jsonb -> 'd' ->> 'content' = d ->> 'content'";
const ALARMS: &str = "select code from alarm where message_id is not null order by code";

#[tokio::test]
async fn what_notify_shows_is_kept_and_has_our_pages_and_other_bytes() {
    if !has_reader() {
        return;
    }
    let stage = shown_by(Face::Notify, vec![]).await;
    assert_eq!(stage.words(TOLD).await, ["as_many_pages 1 1"]);
    assert_eq!((stage.count(SAME).await, stage.words(ALARMS).await), (0, vec![]));
    stage.audit().await;
}

#[tokio::test]
async fn what_lob_shows_is_kept_and_has_a_sheet_more_than_ours() {
    let stage = shown_by(Face::Lob, vec![]).await;
    assert_eq!(stage.words(TOLD).await, ["as_many_pages 1 2"]);
    assert_eq!((stage.count(SAME).await, stage.words(ALARMS).await), (0, vec![]));
    stage.audit().await;
}

#[tokio::test]
async fn what_stannp_shows_is_kept_and_is_said_to_be_equal_as_its_bytes_are() {
    if !has_reader() {
        return;
    }
    let stage = shown_by(Face::Stannp, vec![]).await;
    assert_eq!(stage.words(TOLD).await, ["same_bytes 1 1"]);
    assert_eq!((stage.count(SAME).await, stage.words(ALARMS).await), (3, vec![]));
    stage.audit().await;
}

#[tokio::test]
async fn another_letter_than_was_given_is_an_alarm_and_no_reason_to_send_again() {
    if !has_reader() {
        return;
    }
    for face in [Face::Notify, Face::Lob, Face::Stannp] {
        let stage = shown_by(face, vec![Fault::once(FaultKind::LetterShownOther)]).await;
        let told = stage.words(TOLD).await;
        assert!(told.contains(&"other_pages 1 4".to_owned()), "{face:?}: {told:?}");
        assert_eq!(stage.words(ALARMS).await, ["shown_pages_differ"], "{face:?}");
        stage.audit().await;
    }
}

#[tokio::test]
async fn a_letter_that_is_not_shown_yet_is_asked_for_later_and_later_and_then_no_more() {
    if !has_reader() {
        return;
    }
    let stage = letters(1, lane(Face::Notify, 3_600_000, vec![])).await;
    let _scheduler = stage.start(&["scheduler"]);
    let _worker = stage.start(&["worker"]);
    eventually("it is taken", async || stage.states().await == ["accepted"]).await;

    // Two minutes, ten, an hour, six, a day and a day, each since the time before.
    let mut moved = 0;
    for (n, minutes) in (1..).zip([3, 11, 61, 361, 1441, 1441]) {
        moved += minutes * MINUTES;
        stage.shift_clock(moved).await;
        within(LONGEST, "it is asked for again", async || (stage.count(ASKED).await == n).then_some(())).await;
    }
    stage.shift_clock(moved + 3000 * MINUTES).await;
    let remembered = Duration::from_secs(30 * 86_400);
    assert_eq!(stage.office.store.list_unshown("letters", remembered, 10).await.unwrap().len(), 0);
    assert_eq!((stage.count(SHOWN).await, stage.words(ALARMS).await), (0, vec![]));
    stage.audit().await;
}

#[tokio::test]
async fn a_provider_that_shows_no_letter_is_not_asked_for_one() {
    let provider = ProviderConfig { channel: "letter".into(), ..Capability::StrongLookup.provider() };
    let polled = "provider = \"sandbox\"\napi_key = \"sandbox-key\"\nreceipt_secret = \"sandbox-secret\"\npoll_seconds = 1\n";
    let stage = letters(1, Lane { provider, extra: polled, ..Lane::named("letters") }).await;
    let _scheduler = stage.start(&["scheduler"]);
    let _worker = stage.start(&["worker"]);
    eventually("it is taken", async || stage.states().await == ["accepted"]).await;
    stage.shift_clock(3 * MINUTES).await;

    let polled = "select count(*) from lookup where sent_at > now() + interval '2 minutes'";
    within(LONGEST, "a whole round went by", async || (stage.count(polled).await > 1).then_some(())).await;

    assert_eq!((stage.count(ASKED).await, stage.count(SHOWN).await), (0, 0));
    stage.audit().await;
}
