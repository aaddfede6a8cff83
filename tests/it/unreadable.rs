//! An event that nobody can read, put there by the owner of the database: it stops neither the audit of its own incident nor
//! that of others, and everybody still gets the log as it is.

use crate::packs::{incident_pack, person_pack};
use crate::restore::ground::{duly, may_sign};
use crate::support::{Lane, Setup, Stage};
use crate::told::{check, file, files, sequence};
use duly::evidence::anchor::Judges;
use duly::evidence::self_audit::audit_all;
use duly::report::pack::Audience;
use duly::store::audit::Finding;
use duly::store::sequencing::LogScope;
use duly_ledger::verify::Verdict;
use serde_json::Map;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

/// Writes an event without anything to it, and breaks its bytes while it waits for its place; returns its row.
async fn unreadable(stage: &Stage, scope: LogScope, kind: &'static str) -> i64 {
    stage.office.store.insert_event(scope, kind, Map::new()).await.unwrap();
    let broken = r#"convert_to(replace(convert_from(body, 'UTF8'), '"d":{}', '"d":{"a":}'), 'UTF8')"#;
    let statement = format!(
        "update event set body = {broken}, leaf = sha256('\\x00'::bytea || {broken})
          where ord = (select max(ord) from event where kind = '{kind}') returning ord"
    );
    sqlx::query_scalar(AssertSqlSafe(statement)).fetch_one(&stage.owner).await.unwrap()
}

/// Two incidents; the first one's log and the system's have each an event that is no JSON, in its place.
async fn stage() -> (Stage, i64, i64) {
    let mut stage = Stage::new(Setup { people: 2, lanes: vec![Lane::named("sms")], ..Setup::default() }).await;
    stage.add_incident("zoo", 1, false).await;
    may_sign(&stage);
    let key = stage.incident.key;
    let own = unreadable(&stage, LogScope::Incident(key.controller_id, key.incident_no), "list.frozen").await;
    let systems = unreadable(&stage, LogScope::System, "lane.stopped").await;
    sequence(&stage).await;
    (stage, own, systems)
}

fn places<'a>(findings: &'a [Finding], code: &str) -> Vec<&'a str> {
    findings.iter().filter(|finding| finding.code == code).map(|finding| finding.place.as_str()).collect()
}

#[tokio::test]
async fn an_event_that_cannot_be_read_is_a_finding_and_the_other_checks_are_made() {
    let (stage, own, systems) = stage().await;
    let store = &stage.office.store;

    let findings = store.audit(stage.incident.key).await.unwrap();
    assert_eq!(places(&findings, "event_not_canonical"), [own.to_string(), systems.to_string()]);
    let not_made = places(&findings, "not_auditable");
    assert!(not_made.iter().any(|place| place.starts_with("check `times`: ")), "{not_made:?}");
    assert!(not_made.iter().all(|place| place.starts_with("check `") && place.contains("json")), "{not_made:?}");

    // Before the check that fails and after it.
    sqlx::raw_sql(
        "update list_freeze set people = people + 1; update log_tile set hashes = hashes || sha256('x') where level = 0",
    )
    .execute(&stage.owner)
    .await
    .unwrap();
    let findings = store.audit(stage.incident.key).await.unwrap();
    for code in ["plan_names_another_list", "tile_differs", "event_not_canonical", "not_auditable"] {
        assert!(!places(&findings, code).is_empty(), "{code}: {findings:?}");
    }
}

#[tokio::test]
async fn the_audit_goes_on_with_the_next_incident_whatever_becomes_of_one() {
    let (stage, ..) = stage().await;
    let (store, judges) = (&stage.office.store, Judges::open(&stage.office.settings).unwrap());
    let told = "select i.slug || ' ' || e.kind from event e join incident i using (controller_id, incident_no) where e.kind like 'audit.%' order by ord";

    audit_all(store, &judges, None).await.unwrap();
    assert_eq!(stage.words(told).await, ["test audit.failed", "zoo audit.failed"]);
    assert_eq!(stage.alarms().await, ["audit_failed", "audit_failed"]);
    let codes = "select convert_from(body, 'UTF8')::jsonb -> 'd' ->> 'codes' from event where kind = 'audit.failed' order by ord";
    let codes = stage.words(codes).await;
    // The system's log is everybody's; the checks that the first one's event ends are not the other's.
    assert_eq!(codes, ["event_not_canonical,not_auditable", "event_not_canonical"]);

    // Of the first one not even an alarm can be written, and a table that checks read is gone.
    let silent =
        format!("alter table alarm add constraint silent check (incident_no <> {}) not valid", stage.incident.key.incident_no);
    sqlx::raw_sql(AssertSqlSafe(silent)).execute(&stage.owner).await.unwrap();
    sqlx::raw_sql("alter table anchor rename to anchor_elsewhere").execute(&stage.owner).await.unwrap();
    audit_all(store, &judges, None).await.unwrap_err();
    assert_eq!(stage.words(told).await, ["test audit.failed", "zoo audit.failed", "zoo audit.failed"]);

    let ran = duly(&stage, &["audit", "--json"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    let incidents = ran.json()["incidents"].as_array().unwrap().clone();
    assert_eq!(incidents.len(), 2);
    for incident in incidents {
        let codes: Vec<&str> = incident["findings"].as_array().unwrap().iter().map(|f| f["code"].as_str().unwrap()).collect();
        assert!(codes.contains(&"not_auditable"), "{incident}");
    }

    // Who takes a controller away takes none of its incidents out of the audit.
    let gone = "alter table anchor_elsewhere rename to anchor; set session_replication_role = replica; delete from controller; reset session_replication_role";
    sqlx::raw_sql(gone).execute(&stage.owner).await.unwrap();
    let ran = duly(&stage, &["audit", "--json"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    let incidents = ran.json()["incidents"].as_array().unwrap().clone();
    assert_eq!(incidents.len(), 2);
    // In the first one that check still ends at the event which nobody can read.
    assert!(incidents[1]["findings"].to_string().contains("\"controller_missing\""), "{incidents:?}");
}

#[tokio::test]
async fn a_pack_has_the_whole_log_and_says_which_pages_could_not_be_made() {
    let (stage, ..) = stage().await;

    let pack = incident_pack(&stage, Audience::Regulator, false).await;
    let names: Vec<String> = files(&pack).into_iter().map(|(name, _)| name).collect();
    for name in ["checkpoint", "tile/0/", "tile/entries/", "manifest.jsonl", "plans/1.json", "contents.1.jsonl", "pack.json"] {
        assert!(names.iter().any(|there| there.starts_with(name)), "{name}: {names:?}");
    }
    for name in ["summary.html", "certificate.pdf"] {
        assert!(!names.contains(&name.to_owned()), "{names:?}");
    }
    let readme = String::from_utf8(file(&pack, "README.txt")).unwrap();
    let said = readme.split_once("could not be made for this pack").expect(&readme).1;
    assert!(said.contains("- summary.html and certificate.pdf: leaf ") && said.contains("no event that can be read"), "{said}");
    assert!(said.contains("- what an event of a list or plan names: "), "{said}");
    assert_eq!(check(&stage, &pack).verdict, Verdict::Bad, "a verifier names the leaf");

    let person: Uuid = sqlx::query_scalar("select person_id from person limit 1").fetch_one(&stage.owner).await.unwrap();
    let pack = person_pack(&stage, person, &[], false).await.unwrap();
    let readme = String::from_utf8(file(&pack, "README.txt")).unwrap();
    assert!(readme.contains("- story.txt and certificate.pdf: "), "{readme}");
    assert!(!file(&pack, "manifest-line.json").is_empty());

    let out = stage.folder.path().join("cards.zip");
    let ran = duly(&stage, &["pack", "incident", "--incident", "test", "--out", out.to_str().unwrap()]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.err.contains("with the whole log, and without ") && ran.err.contains("hint: run `duly audit`"), "{}", ran.err);
    assert_eq!(check(&stage, &std::fs::read(out).unwrap()).verdict, Verdict::Bad);
    duly(&stage, &["report", "regulator", "--incident", "test", "--profile", "uk-gdpr"])
        .refused("leaf ", "`duly pack incident` gives the log as it is");
}
