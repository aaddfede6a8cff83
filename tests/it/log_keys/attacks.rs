//! Somebody with an old key, with a key of their own, or with the database.

use super::{audited, change, first_key, holds, make_key, name_keys, one_more, read_with, sequence, stage};
use crate::packs::incident_pack;
use crate::support::Stage;
use duly::evidence::EvidenceError;
use duly::report::pack::Audience;
use duly_ledger::{Checkpoint, Event, KEY_CHANGED, KeyChange, Note, Signer, leaf_hash};

const NEWEST: &str = "(select max(size) from checkpoint c join log l using (log_no) where l.incident_no is not null)";

/// As owner, past all guards.
async fn owner(stage: &Stage, statement: &str, bytes: &[&[u8]]) {
    let mut tx = stage.owner.begin().await.unwrap();
    sqlx::raw_sql("set local session_replication_role = replica").execute(&mut *tx).await.unwrap();
    let mut query = sqlx::query(sqlx::AssertSqlSafe(statement.to_owned()));
    for bytes in bytes {
        query = query.bind(bytes.to_vec());
    }
    query.execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
}

/// The incident's newest checkpoint as another key signs it.
async fn newest_by(stage: &Stage, seed: &[u8; 32]) -> String {
    let query =
        format!("select note from checkpoint join log l using (log_no) where l.incident_no is not null and size = {NEWEST}");
    let note: String = sqlx::query_scalar(sqlx::AssertSqlSafe(query)).fetch_one(&stage.owner).await.unwrap();
    let of: Checkpoint = Note::parse(note.as_bytes()).unwrap().text().parse().unwrap();
    Signer::new(&of.origin, seed).unwrap().sign_checkpoint(of.size, of.root)
}

#[tokio::test]
async fn the_old_key_that_signs_after_the_change_is_found_by_the_audit_and_by_whoever_reads_and_is_not_published() {
    let stage = stage().await;
    let (first, second) = (first_key(&stage), make_key(&stage, "second.key"));
    change(&stage, "log.key", "second.key").await;
    one_more(&stage).await;
    sequence(&stage).await.unwrap();
    holds(&stage, &[first, second]).await;

    let note = newest_by(&stage, &first).await;
    let put = format!(
        "update checkpoint c set note = convert_from($1, 'UTF8') from log l where l.log_no = c.log_no and l.incident_no is not null and size = {NEWEST}"
    );
    owner(&stage, &put, &[note.as_bytes()]).await;
    assert_eq!(audited(&stage).await, ["checkpoint_not_signed"]);
    let pack = incident_pack(&stage, Audience::Regulator, false).await;
    for seed in [first, second] {
        assert_eq!(read_with(&seed, &pack), ["signature"]);
    }

    // Nobody outside gets to see it, and what lies there is not taken for ours.
    owner(
        &stage,
        &format!(
            "delete from publication p using log l where l.log_no = p.log_no and l.incident_no is not null and size = {NEWEST}"
        ),
        &[],
    )
    .await;
    let refused = sequence(&stage).await.unwrap_err();
    assert!(matches!(&refused, EvidenceError::Contradiction { what, .. } if what.contains("not signed by the key")), "{refused}");
    let outside = std::path::PathBuf::from(&stage.office.settings.evidence.outside);
    let published = outside.join(format!("duly.test/{}/checkpoint", stage.incident.incident_id));
    let right = newest_by(&stage, &second).await;
    assert_eq!(std::fs::read_to_string(&published).unwrap(), right);
    owner(&stage, &put, &[right.as_bytes()]).await;
    sequence(&stage).await.unwrap();
    std::fs::write(&published, note).unwrap();
    one_more(&stage).await;
    let refused = sequence(&stage).await.unwrap_err();
    assert!(matches!(&refused, EvidenceError::Contradiction { what, .. } if what.contains("outside is not signed")), "{refused}");
}

/// A change of the incident's key that was not made by its sequencer.
fn made_up(stage: &Stage, origin: &str, size: u64, old: &[u8; 32], new: &[u8; 32]) -> (Vec<u8>, [u8; 32]) {
    let event = Event {
        id: uuid::Uuid::now_v7().to_string(),
        inc: stage.incident.incident_id.to_string(),
        kind: KEY_CHANGED.to_owned(),
        n: None,
        person: None,
        prev: None,
        at_micros: i64::try_from(time::OffsetDateTime::now_utc().unix_timestamp_nanos() / 1000).unwrap(),
        detail: KeyChange::sign(origin, size, old, new),
    };
    let body = event.to_bytes().unwrap();
    (body.clone(), leaf_hash(&body))
}

const INSERT: &str = "insert into event (controller_id, incident_no, kind, body, leaf) select controller_id, incident_no, 'log.key_changed', $1, $2 from incident";

#[tokio::test]
async fn a_made_up_change_is_refused_to_the_application_and_found_where_the_owner_writes_it() {
    let stage = stage().await;
    let (first, origin) = (first_key(&stage), format!("duly.test/{}", stage.incident.incident_id));
    let size: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(format!("select {NEWEST}"))).fetch_one(&stage.owner).await.unwrap();
    let size = u64::try_from(size).unwrap();
    // Even one that both keys signed, for the next place: it is the sequencer's alone to write it there.
    for (old, new) in [([3; 32], [4; 32]), (first, [4; 32])] {
        let (body, leaf) = made_up(&stage, &origin, size, &old, &new);
        let mut tx = stage.owner.begin().await.unwrap();
        sqlx::raw_sql("set local role duly_app").execute(&mut *tx).await.unwrap();
        sqlx::query(INSERT).bind(&body).bind(leaf.as_slice()).execute(&mut *tx).await.unwrap();
        let refused = tx.commit().await.unwrap_err();
        assert_eq!(refused.as_database_error().and_then(|e| e.code()).as_deref(), Some("DU036"), "{refused}");
    }

    for (origin, size, old, new) in [
        (origin.as_str(), size, [3; 32], [4; 32]),
        (origin.as_str(), size + 7, first, [4; 32]),
        ("duly.test/elsewhere", size, first, [4; 32]),
    ] {
        let (body, leaf) = made_up(&stage, origin, size, &old, &new);
        owner(&stage, INSERT, &[&body, &leaf]).await;
        let waits = "insert into event_inbox select max(ord), max(controller_id::text)::uuid, max(incident_no), array[max(ord)], now() from event where kind = 'log.key_changed'";
        owner(&stage, waits, &[]).await;
        assert_eq!(audited(&stage).await, ["log_key_not_changed"], "while it waits");
        sequence(&stage).await.unwrap();
        assert_eq!(audited(&stage).await, ["log_key_not_changed"], "at its place");
        let pack = incident_pack(&stage, Audience::Regulator, false).await;
        assert!(read_with(&first, &pack).iter().all(|code| *code == "log_key"), "{:?}", read_with(&first, &pack));
        assert_ne!(read_with(&first, &pack), Vec::<&str>::new());
    }

    // The key of the settings goes on as if nothing had been said.
    name_keys(&stage, "log.key", None);
    one_more(&stage).await;
    sequence(&stage).await.unwrap();
    assert_eq!(audited(&stage).await, ["log_key_not_changed"]);
}
