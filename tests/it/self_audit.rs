//! Duly audits itself without being asked: every hour what any role may read, once a day also what is sealed.

use crate::support::eventually;
use crate::told::{check, sequence, told};
use duly::evidence::anchor::Judges;
use duly::evidence::{Archive, self_audit};
use duly::report::pack::Audience;
use duly_ledger::verify::Verdict;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

const TOLD: &str = "select kind from event where kind like 'audit.%' order by ord";

#[tokio::test]
async fn the_audit_is_made_again_and_again_until_the_stop_and_opens_what_is_sealed_in_its_first_round_of_the_day() {
    let stage = told().await;
    let evidence = &stage.office.settings.evidence;
    assert_eq!((evidence.audit_every_minutes, evidence.audit_sealed_every_hours), (60, 24));
    assert_eq!(stage.words(TOLD).await, [""; 0]);
    // Only whoever opens the contact sees that it has another language.
    sqlx::raw_sql("begin; set local session_replication_role = replica; update person set language = 'cy'; commit")
        .execute(&stage.owner)
        .await
        .unwrap();
    // The next round is due at once; the day stays a day.
    let mut settings = stage.office.settings.clone();
    settings.evidence.audit_every_minutes = 0;
    let archive = Arc::new(Archive::open(&settings, &stage.office.store).unwrap());
    let (judges, stop) = (Judges::open(&settings).unwrap(), CancellationToken::new());

    let audits = tokio::spawn(self_audit::run(archive, judges, stage.office.master.clone(), stop.clone()));
    eventually("three audits were made", async || stage.words(TOLD).await.len() >= 3).await;
    stop.cancel();
    audits.await.unwrap();

    let kinds = stage.words(TOLD).await;
    assert_eq!(kinds[0], "audit.failed", "the first one opens");
    assert!(kinds[1..].iter().all(|kind| kind == "audit.passed"), "{kinds:?}");
    assert_eq!(stage.alarms().await, ["audit_failed"]);
    let codes = "select convert_from(body, 'UTF8')::jsonb -> 'd' ->> 'codes' from event where kind = 'audit.failed'";
    assert!(!stage.words(codes).await[0].is_empty(), "the event names what was found");
    // Who has the pack reads it there.
    sequence(&stage).await;
    let report = check(&stage, &crate::packs::incident_pack(&stage, Audience::Regulator, false).await);
    assert_eq!((report.verdict, report.failed_audits.len()), (Verdict::Good, 1), "{:?}", report.findings.kept);
    assert_eq!(report.events["audit.passed"], kinds.len() as u64 - 1);
}
