//! What becomes of a letter after its print house took it: found invalid, or waiting for days because the presses stand
//! still. Neither is a reason to send it again.

use crate::support::{Capability, Lane, Setup, Stage, eventually};
use duly::model::state::Route;
use duly_sandbox::{Fault, FaultKind, ProviderConfig};

/// Calls that left: on a busy machine one may come too late to start, and is made again.
const CALLS: &str = "select count(*) from attempt a where not exists (select from outcome o
    where o.message_id = a.message_id and o.attempt = a.attempt and o.kind = 'not_taken')";

async fn stage(people: u32, fault: Fault) -> Stage {
    let provider = ProviderConfig {
        channel: "letter".into(),
        receipts: true,
        receipt_delay_ms: 50,
        faults: vec![fault],
        ..Capability::Nothing.provider()
    };
    let lanes = vec![Lane { provider, ..Lane::named("letters") }];
    // Overdue soon, and far from any deadline.
    let dispatch = vec![("no_news_after_ms", 1500), ("overdue_again_ms", 60_000)];
    let stage = Stage::new(Setup { people, lanes, routes: vec![Route::Letter], dispatch, ..Setup::default() }).await;
    stage.serve_receipts().await;
    stage
}

#[tokio::test]
async fn a_letter_that_is_found_invalid_after_it_was_taken_counts_for_nobody_and_is_not_sent_again() {
    let stage = stage(3, Fault { times: Some(1), ..Fault::always(FaultKind::LetterInvalid) }).await;
    let _processes = [stage.start(&["scheduler"]), stage.start(&["worker"])];

    eventually("one has failed, two were posted", async || {
        stage.words("select state from message order by state").await == ["failed", "handed_to_carrier", "handed_to_carrier"]
    })
    .await;

    stage.drain().await;
    let notices = stage.words("select state from notice order by state").await;
    assert_eq!(notices, ["notified", "notified", "unreachable"], "who holds no letter was not told");
    assert_eq!((stage.count(CALLS).await, stage.produced()), (3, 2));
    assert_eq!(stage.sandbox.state.fired(FaultKind::LetterInvalid), 1);
    stage.audit().await;
}

#[tokio::test]
async fn a_letter_at_a_print_house_that_stands_still_is_overdue_and_not_sent_again_and_counts_once_it_is_posted() {
    let stage = stage(2, Fault::always(FaultKind::PrintOutage).lasting(12_000)).await;
    let _processes = [stage.start(&["scheduler"]), stage.start(&["worker"])];

    eventually("both are overdue", async || stage.states().await == ["overdue"; 2]).await;
    assert_eq!(stage.count("select count(*) from notice where state = 'notified'").await, 0);

    eventually("both are posted", async || stage.states().await == ["handed_to_carrier"; 2]).await;
    stage.drain().await;
    assert_eq!(stage.words("select state from notice").await, ["notified"; 2]);
    assert_eq!((stage.count(CALLS).await, stage.produced()), (2, 2));
    assert_eq!(stage.sandbox.state.fired(FaultKind::PrintOutage), 2);
    stage.audit().await;
}
