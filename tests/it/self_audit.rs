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

/// A decision about a job that never was: of all checks only the equation sees it.
const UNBALANCED: &str = "begin; set local session_replication_role = replica;
    insert into rejected_job_decision (rejected_id, fate, reason, decided_by, command_id)
    select gen_random_uuid(), 'discarded', 'none', prepared_by, gen_random_uuid() from plan limit 1; commit";

#[tokio::test]
async fn an_audit_by_hand_asks_and_tells_what_the_hourly_one_does() {
    let stage = told().await;
    let codes = "select convert_from(body, 'UTF8')::jsonb -> 'd' ->> 'codes' from event where kind = 'audit.failed' order by ord";
    let by_hand = || {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_duly"));
        let out = command.arg("--settings").arg(&stage.settings).args(["audit", "--json"]).output().unwrap();
        (out.status.code(), serde_json::from_slice::<serde_json::Value>(&out.stdout).unwrap())
    };
    let judges = Judges::open(&stage.office.settings).unwrap();
    let (code, said) = by_hand();
    assert_eq!((code, &said["incidents"][0]["told"]), (Some(0), &true.into()), "{said}");
    assert_eq!(stage.words(TOLD).await, ["audit.passed"]);

    sqlx::raw_sql(UNBALANCED).execute(&stage.owner).await.unwrap();
    let (code, said) = by_hand();
    assert_eq!((code, &said["incidents"][0]["equation_holds"]), (Some(1), &false.into()), "{said}");
    assert_eq!(stage.alarms().await, ["audit_failed"]);
    self_audit::audit_all(&stage.office.store, &judges, None).await.unwrap();
    assert_eq!(stage.alarms().await, ["audit_failed", "audit_failed"]);
    assert_eq!(stage.words(TOLD).await, ["audit.passed", "audit.failed", "audit.failed"]);
    let codes = stage.words(codes).await;
    assert_eq!(codes[0], codes[1], "both name the same");
    assert!(codes[0].split(',').any(|code| code == self_audit::EQUATION), "{codes:?}");
    sequence(&stage).await;
    let report = check(&stage, &crate::packs::incident_pack(&stage, Audience::Regulator, false).await);
    assert_eq!((report.verdict, report.failed_audits.len()), (Verdict::Good, 2), "{:?}", report.findings.kept);
}

/// Rows of a file that are still to come are no difference between tables and log.
#[tokio::test]
async fn an_import_that_goes_on_is_neither_a_failed_audit_nor_one_that_found_nothing() {
    let stage = told().await;
    let judges = Judges::open(&stage.office.settings).unwrap();
    let begun = "insert into affected_list (controller_id, incident_no, list_no, source, file_hash, row_count, wrapped_key)
        select controller_id, incident_no, 2, source, sha256('another'), 5, wrapped_key from affected_list";
    sqlx::raw_sql(begun).execute(&stage.owner).await.unwrap();
    let incident = stage.office.store.list_incidents().await.unwrap().remove(0);

    let audited = self_audit::audit_and_tell(&stage.office.store, &judges, None, &incident).await.unwrap();

    assert_eq!(audited.findings, []);
    assert_eq!((audited.balances(), audited.bad()), (false, 1));
    assert!(audited.told.is_ok());
    assert_eq!((stage.words(TOLD).await, stage.alarms().await), (vec![], vec![]));
}
