//! A database that comes back older sends nobody twice, and has its log again as it was published.

mod beyond;
mod crashes;
mod decisions;
mod forgotten;
pub mod ground;
mod keys;
mod noticed;
mod outside_lost;

use crate::packs::person_pack;
use crate::support::{Capability, Lane, Setup, Stage, eventually, lane};
use crate::told;
use duly::cli::restore::{Ground, reconcile};
use duly::dispatch::Office;
use duly::evidence::Archive;
use duly::evidence::restore::list_lost;
use duly::report::replay::replay;
use duly_ledger::verify::Verdict;
use ground::{PEOPLE, come_back, come_back_with_a_gap, duly, holds, office, serve, serve_to_the_end, stage, verdict};
use uuid::Uuid;

/// Processes that find the restore send nothing and sequence nothing.
async fn is_stopped(stage: &Stage, office: &Office) {
    let mut early = serve(stage);
    eventually("the restore is noticed", async || office.store.open_restore().await.is_ok_and(|found| found.is_some())).await;
    let (before, events) =
        (stage.sandbox.state.requests(), stage.count("select count(*) from event where person_id is not null").await);
    // A lead that was renewed has gone round many times.
    for role in ["scheduler", "sweep"] {
        let renewed = format!("select count(*) from leadership where role = '{role}' and expires_at > $1");
        let first: time::OffsetDateTime = sqlx::query_scalar("select now()").fetch_one(&stage.owner).await.unwrap();
        eventually("the lead is renewed", async || {
            let later = first + std::time::Duration::from_secs(8);
            sqlx::query_scalar::<_, i64>(sqlx::AssertSqlSafe(renewed.clone())).bind(later).fetch_one(&stage.owner).await.unwrap()
                == 1
        })
        .await;
    }
    assert!(stage.count("select count(*) from message where state = 'ready' and due_at <= now()").await > 0);
    assert_eq!(stage.sandbox.state.requests(), before);
    assert_eq!(stage.count("select count(*) from event where person_id is not null").await, events);
    early.terminate().await;
}

#[tokio::test]
async fn after_a_restore_nothing_is_sent_until_it_is_reconciled_and_then_the_published_log_is_here_again() {
    let stage = stage(vec![lane(Capability::StrongLookup)], Setup::default()).await;
    come_back(&stage).await;
    let office = office(&stage).await;
    is_stopped(&stage, &office).await;

    let archive = Archive::open(&office.settings, &office.store).unwrap();
    let lost = list_lost(&archive, false).await.unwrap();
    let log = lost.iter().find(|log| log.head.log_id == stage.incident.incident_id).unwrap();
    let bodies: Vec<Vec<u8>> = log.leaves().map(|leaf| leaf.body.clone()).collect();
    assert!(!log.people("message.intent").is_empty());
    let done = reconcile(&office, &archive, &stage.users.ann, Ground::default()).await.unwrap();
    assert!(office.store.open_restore().await.unwrap().is_none());
    assert!(list_lost(&archive, false).await.unwrap().is_empty());

    // Byte for byte at their places, in the generation in which they were published; nobody is held.
    let (from, end) = (log.head.size, i64::try_from(log.parts[0].checkpoint.size).unwrap());
    assert_eq!(office.store.list_entries(log.head.log_no, 1, from, end).await.unwrap(), bodies);
    assert_eq!((done[0].1.imported, done[0].1.held, done[0].1.unknown), (end - from, 0, 0));
    assert_eq!(stage.count("select max(generation)::bigint from log_generation").await, 1);
    assert_eq!(stage.count("select count(*) from message where state = 'accepted'").await, i64::from(PEOPLE));

    serve_to_the_end(&stage).await;
    assert_eq!(ground::told(&stage), PEOPLE as usize);
    holds(&stage).await;
    proofs_and_reports_hold(&stage).await;
}

/// Of somebody who was told in the lost time, and of all of them.
async fn proofs_and_reports_hold(stage: &Stage) {
    let somebody: Uuid =
        sqlx::query_scalar("select person_id from event where restored_id is not null and kind = 'message.accepted' limit 1")
            .fetch_one(&stage.owner)
            .await
            .unwrap();
    let pack = person_pack(stage, somebody, &["sms"], false).await.unwrap();
    let report = told::check(stage, &pack);
    assert_eq!(report.verdict, Verdict::Good, "{:?}", report.findings.kept);

    let now = stage.office.store.now().await.unwrap();
    let replayed = replay(&stage.office.store, stage.incident.incident_id, now).await.unwrap();
    assert_eq!(replayed.tally.people.people, u64::from(PEOPLE));
    assert_eq!(replayed.tally.traffic[&duly::model::state::Channel::Sms].taken, u64::from(PEOPLE));
    assert_eq!(verdict(stage).await.events["restore.reconciled"], 1);
}

#[tokio::test]
async fn what_was_sent_and_never_published_is_found_at_the_provider_or_decided_by_the_lanes_rule() {
    for (capability, rule, found) in [
        (Capability::StrongLookup, "ask", "accepted"),
        (Capability::LaggingLookup, "ask", "accepted"),
        (Capability::Nothing, "next_step", "superseded"),
        (Capability::Nothing, "ask", "asked"),
        (Capability::Idempotent, "ask", "asked"),
    ] {
        let stage = stage(vec![Lane { unknown_rule: rule, ..lane(capability) }], Setup::default()).await;
        come_back_with_a_gap(&stage).await;
        duly(&stage, &["restore", "reconcile"]).fine();
        let published = stage.count("select count(*) from message where state = 'accepted'").await;
        assert!(published >= 20, "{capability:?}: {published}");

        serve_to_the_end(&stage).await;
        assert_eq!(ground::told(&stage), PEOPLE as usize, "{capability:?} {rule}");
        assert!(stage.count("select count(*) from message where state in ('ready', 'sending', 'unknown')").await == 0);
        let settled = stage.words("select state from message group by state order by state").await;
        assert!(
            settled.iter().all(|state| state == "accepted" || state == found) && settled.contains(&found.to_owned()),
            "{settled:?}"
        );
        holds(&stage).await;
    }
}
