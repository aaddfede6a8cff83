//! Every event takes its place once, whatever happens to who gives the places, and nobody sees a size signed twice.

mod frozen;
mod seen;

use crate::support::{Setup, Stage, eventually};
use duly::evidence::{Archive, sequencer};
use duly::store::sequencing::LogScope;
use duly_ledger::{Checkpoint, Event, Frontier, Layer, Signer, Vkey, bundle_entries, entry_bundles, hash_tiles, leaf_hash};
use seen::Seen;
use serde_json::Map;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use uuid::Uuid;

/// Each step of a round at which the sequencer can die.
const STEPS: [&str; 6] = [
    "events_taken",
    "checkpoint_signed",
    "checkpoint_committed",
    "tiles_published",
    "checkpoint_compared",
    "checkpoint_published",
];

async fn stage() -> Stage {
    Stage::new(Setup { people: 3, ..Setup::default() }).await
}

fn archive(stage: &Stage) -> Arc<Archive> {
    Arc::new(Archive::open(&stage.office.settings, &stage.office.store).unwrap())
}

fn origin(stage: &Stage) -> String {
    format!("duly.test/{}", stage.incident.incident_id)
}

fn outside(stage: &Stage, name: &str) -> PathBuf {
    PathBuf::from(&stage.office.settings.evidence.outside).join(origin(stage)).join(name)
}

fn signer(stage: &Stage, origin: &str) -> Signer {
    Signer::new(origin, stage.office.settings.log_key().unwrap().bytes()).unwrap()
}

fn vkey(stage: &Stage) -> Vkey {
    signer(stage, &origin(stage)).vkey().clone()
}

async fn waiting(stage: &Stage) -> i64 {
    sqlx::query_scalar("select coalesce(sum(cardinality(ords)), 0)::bigint from event_inbox")
        .fetch_one(&stage.owner)
        .await
        .unwrap()
}

async fn checkpoints(stage: &Stage) -> i64 {
    sqlx::query_scalar("select count(*) from checkpoint").fetch_one(&stage.owner).await.unwrap()
}

/// What lies outside is one whole log, signed, and holds exactly the incident's events on record; returns its size.
async fn check_outside(stage: &Stage) -> u64 {
    let note = std::fs::read(outside(stage, "checkpoint")).unwrap();
    let checkpoint = Checkpoint::open(&note, &[vkey(stage)]).unwrap();
    assert_eq!(checkpoint.origin, origin(stage));
    let (mut tree, mut ids) = (Frontier::new(), BTreeMap::new());
    let mut hashes = Vec::new();
    for tile in entry_bundles(checkpoint.size) {
        let bundle = std::fs::read(outside(stage, &tile.to_string())).unwrap();
        for entry in bundle_entries(&bundle) {
            let entry = entry.unwrap();
            let event = Event::parse(entry).unwrap();
            ids.insert(event.id.clone(), event.kind.clone());
            hashes.extend(leaf_hash(entry));
            tree.append(leaf_hash(entry));
        }
    }
    assert_eq!((tree.size(), tree.root()), (checkpoint.size, checkpoint.root));
    for tile in hash_tiles(checkpoint.size).filter(|t| t.layer() == Layer::Hashes(0)) {
        let first = usize::try_from(tile.number()).unwrap() * 8192;
        let expected = &hashes[first..first + usize::from(tile.width()) * 32];
        assert_eq!(std::fs::read(outside(stage, &tile.to_string())).unwrap(), expected);
    }
    let bodies: Vec<Vec<u8>> =
        sqlx::query_scalar("select body from event where incident_no is not null").fetch_all(&stage.owner).await.unwrap();
    let on_record: BTreeMap<String, String> = bodies.iter().map(|b| Event::parse(b).unwrap()).map(|e| (e.id, e.kind)).collect();
    assert_eq!(ids, on_record);
    assert_eq!(ids.len() as u64, checkpoint.size);
    assert!(ids.values().any(|kind| kind == "log.opened"));
    checkpoint.size
}

/// Writes one more event of the incident.
async fn one_more_event(stage: &Stage) {
    let scope = LogScope::Incident(stage.incident.key.controller_id, stage.incident.key.incident_no);
    stage.office.store.insert_event(scope, "log.marked", Map::new()).await.unwrap();
}

/// An event in a transaction that is open: once it is committed, its order is that of an earlier one.
async fn open_event(stage: &Stage) -> sqlx::Transaction<'static, sqlx::Postgres> {
    let event = Event {
        id: Uuid::now_v7().to_string(),
        inc: stage.incident.incident_id.to_string(),
        kind: "log.marked".into(),
        n: None,
        person: None,
        prev: None,
        at_micros: 1_795_734_000_000_000,
        detail: Map::new(),
    };
    let mut open = stage.owner.begin().await.unwrap();
    sqlx::query("insert into event (controller_id, incident_no, kind, body, leaf) values ($1, $2, $3, $4, $5)")
        .bind(stage.incident.key.controller_id)
        .bind(stage.incident.key.incident_no)
        .bind(&event.kind)
        .bind(event.to_bytes().unwrap())
        .bind(leaf_hash(&event.to_bytes().unwrap()).as_slice())
        .execute(&mut *open)
        .await
        .unwrap();
    open
}

#[tokio::test]
async fn every_event_takes_its_place_once_and_the_copy_outside_verifies() {
    let stage = stage().await;
    let archive = archive(&stage);

    sequencer::run_once(archive.clone()).await.unwrap();
    let first = check_outside(&stage).await;
    for _ in 0..300 {
        one_more_event(&stage).await;
    }
    sequencer::run_once(archive.clone()).await.unwrap();
    let second = check_outside(&stage).await;

    assert_eq!(second, first + 300);
    assert_eq!(waiting(&stage).await, 0);
    // The partial tile of the first size went when the full one was there.
    assert!(!outside(&stage, "tile/0/000.p").exists() && !outside(&stage, "tile/entries/000.p").exists() || first >= 256);
    // Nothing new, nothing signed.
    let signed = checkpoints(&stage).await;
    sequencer::run_once(archive).await.unwrap();
    assert_eq!(checkpoints(&stage).await, signed);
}

#[tokio::test]
async fn a_sequencer_killed_at_any_step_loses_nothing_and_signs_no_size_twice() {
    for step in STEPS {
        let stage = stage().await;
        sequencer::run_once(archive(&stage)).await.unwrap();
        let seen = Seen::from_now(&stage);
        seen.look();
        // Whoever signs these places anew finds an event between them that was not there the first time.
        let late = open_event(&stage).await;
        one_more_event(&stage).await;
        let mut killed = stage.start_at(step, &["scheduler"]);
        killed.reached().await;
        seen.look();
        one_more_event(&stage).await;
        killed.kill();
        late.commit().await.unwrap();

        let _next = stage.start(&["scheduler"]);
        stage.drain_the_logs().await;

        check_outside(&stage).await;
        assert!(seen.holds(&stage, &origin(&stage)).await >= 2, "{step}");
    }
}

#[tokio::test]
async fn who_leads_again_after_another_goes_on_from_where_the_other_ended() {
    let stage = stage().await;
    let seen = Seen::from_now(&stage);
    let first = stage.start(&["scheduler"]);
    eventually("the first one leads", async || checkpoints(&stage).await > 0 && stage.is_published().await).await;
    first.freeze();
    seen.look();
    let mut second = stage.start(&["scheduler"]);
    one_more_event(&stage).await;
    stage.drain_the_logs().await;
    second.kill();
    seen.look();

    first.thaw();
    one_more_event(&stage).await;
    stage.drain_the_logs().await;

    check_outside(&stage).await;
    assert!(seen.holds(&stage, &origin(&stage)).await >= 3);
    assert!(!first.log().contains("set aside"), "{}", first.log());
}

#[tokio::test]
async fn a_database_older_than_what_was_published_signs_nothing_more() {
    let stage = stage().await;
    let archive = archive(&stage);
    sequencer::run_once(archive.clone()).await.unwrap();
    let published = std::fs::read(outside(&stage, "checkpoint")).unwrap();
    // The database comes back as it was before anything was signed.
    for table in ["publication", "checkpoint", "log_tile", "sequenced", "log_generation"] {
        sqlx::raw_sql(sqlx::AssertSqlSafe(format!("delete from {table}"))).execute(&stage.owner).await.unwrap();
    }
    sqlx::query(
        "insert into event_inbox select min(ord), controller_id, incident_no, array_agg(ord order by ord), now()
           from event where kind <> 'log.opened' group by controller_id, incident_no, ord / 256",
    )
    .execute(&stage.owner)
    .await
    .unwrap();

    let refused = sequencer::run_once(archive).await.unwrap_err();

    assert!(refused.to_string().contains("were published"), "{refused}");
    assert!(refused.remedy().contains("duly restore reconcile"));
    assert_eq!(checkpoints(&stage).await, 0);
    assert_eq!(std::fs::read(outside(&stage, "checkpoint")).unwrap(), published);
}

#[tokio::test]
async fn the_published_log_is_served_at_the_paths_of_its_format() {
    let stage = stage().await;
    sequencer::run_once(archive(&stage)).await.unwrap();
    let size = check_outside(&stage).await;
    let receipts = stage.serve_receipts().await;
    let base = format!("{}/log/{}", receipts.trim_end_matches("/receipts/northmere"), origin(&stage));
    let get = async |path: &str| {
        let answer = reqwest::get(format!("{base}/{path}")).await.unwrap();
        let age = answer.headers().get("cache-control").map(|v| v.to_str().unwrap().to_owned());
        (answer.status().as_u16(), age, answer.bytes().await.unwrap().to_vec())
    };

    let paths = [format!("tile/0/000.p/{size}"), format!("tile/entries/000.p/{size}"), "tile/0/000.p/1".to_owned()];
    for path in &paths {
        let (status, age, bytes) = get(path).await;
        assert_eq!((status, age.as_deref()), (200, Some("public, max-age=31536000, immutable")), "{path}");
        if let Ok(copy) = std::fs::read(outside(&stage, path)) {
            assert_eq!(bytes, copy, "{path}");
        }
    }
    let (status, age, note) = get("checkpoint").await;
    assert_eq!((status, age.as_deref(), note), (200, Some("no-cache"), std::fs::read(outside(&stage, "checkpoint")).unwrap()));
    for path in [
        format!("tile/0/000.p/{}", size + 1),
        "x%00/checkpoint".to_owned(),
        "tile/0/001".into(),
        "tile/0/../0/000".into(),
        "tile/00/000.p/1".into(),
        "..%2f..%2fetc/checkpoint".into(),
    ] {
        assert_eq!(get(&path).await.0, 404, "{path}");
    }
}

#[tokio::test]
async fn the_audit_finds_what_an_owner_does_to_the_log() {
    let stage = stage().await;
    sequencer::run_once(archive(&stage)).await.unwrap();
    one_more_event(&stage).await;
    let codes = async || {
        let findings = stage.office.store.audit(stage.incident.key).await.unwrap();
        findings.into_iter().map(|f| f.code).collect::<Vec<_>>()
    };
    assert_eq!(codes().await, Vec::<&str>::new());

    let owner = async |statement: &'static str| {
        sqlx::raw_sql(statement).execute(&stage.owner).await.unwrap();
    };
    owner("update checkpoint set note = replace(note, 'duly.test', 'another.test')").await;
    let found = codes().await;
    assert!(!found.is_empty() && found.iter().all(|code| *code == "checkpoint_differs"), "a note of another log: {found:?}");
    owner("update checkpoint set note = replace(note, 'another.test', 'duly.test')").await;
    assert_eq!(codes().await, Vec::<&str>::new());

    for (attack, code) in [
        ("delete from event_inbox", "event_out_of_log"),
        (
            "update sequenced set ords = (select array_agg(o order by o desc) from unnest(ords) o) where cardinality(ords) > 1",
            "tile_differs",
        ),
        ("update sequenced set ords = (select array_agg(o order by o) from unnest(ords) o)", ""),
        ("update sequenced set first_seq = first_seq + 1000 where first_seq > 0", "tile_differs"),
        ("update sequenced set first_seq = first_seq - 1000 where first_seq > 0", ""),
        ("delete from sequenced where first_seq = 1", "event_out_of_log"),
        ("update log_tile set hashes = hashes || hashes", "tile_differs"),
        ("update checkpoint set root = sha256('other')", "checkpoint_differs"),
        ("update log_tile set hashes = sha256('other')", "tile_differs"),
    ] {
        let mut tx = stage.owner.begin().await.unwrap();
        sqlx::raw_sql("set local session_replication_role = replica").execute(&mut *tx).await.unwrap();
        sqlx::raw_sql(attack).execute(&mut *tx).await.unwrap();
        tx.commit().await.unwrap();
        let found = codes().await;
        assert!(code.is_empty() || found.contains(&code), "{attack}: {found:?}");
    }
}

#[tokio::test]
async fn a_log_that_contradicts_itself_is_set_aside_loudly_and_the_others_go_on() {
    let stage = stage().await;
    let archive = archive(&stage);
    sequencer::run_once(archive.clone()).await.unwrap();
    let tiles = "select l.hashes from log_tile l join log g using (log_no) where g.incident_no is not null and l.level = 0";
    let whole: Vec<u8> = sqlx::query_scalar(tiles).fetch_one(&stage.owner).await.unwrap();
    let set_tile = async |hashes: &[u8]| {
        let mut tx = stage.owner.begin().await.unwrap();
        sqlx::raw_sql("set local session_replication_role = replica").execute(&mut *tx).await.unwrap();
        let query = "update log_tile l set hashes = $1 from log g where g.log_no = l.log_no and g.incident_no is not null and l.level = 0";
        sqlx::query(query).bind(hashes).execute(&mut *tx).await.unwrap();
        tx.commit().await.unwrap();
    };
    set_tile(&whole.iter().map(|byte| byte ^ 1).collect::<Vec<u8>>()).await;
    one_more_event(&stage).await;
    stage.office.store.insert_event(LogScope::System, "log.marked", Map::new()).await.unwrap();

    let refused = sequencer::run_once(archive.clone()).await.unwrap_err();

    assert!(refused.to_string().contains(&origin(&stage)), "{refused}");
    assert_eq!(stage.count("select count(*) from event_inbox where incident_no is null").await, 0, "the others go on");
    assert_eq!(stage.count("select count(*) from event_inbox where incident_no is not null").await, 1, "it waits");
    assert_eq!(stage.count("select count(*) from alarm where code = 'log_set_aside'").await, 1);

    set_tile(&whole).await;
    sequencer::run_once(archive).await.unwrap();
    assert_eq!(waiting(&stage).await, 0);
    check_outside(&stage).await;
}

#[tokio::test]
async fn the_application_cannot_change_what_is_signed() {
    let stage = stage().await;
    sequencer::run_once(archive(&stage)).await.unwrap();

    for (attack, code) in [
        ("delete from sequenced", "42501"),
        ("update sequenced set first_seq = first_seq + 1000", "42501"),
        ("insert into sequenced select log_no, generation, first_seq + 1000, ords from sequenced", "42501"),
        ("delete from checkpoint", "42501"),
        ("update checkpoint set note = 'x'", "42501"),
        ("delete from log_tile", "42501"),
        ("update log_tile set hashes = sha256('other')", "DU010"),
        ("update log_tile set tile_no = tile_no + 1", "42501"),
        ("delete from publication", "42501"),
        ("update log_generation set origin = 'x'", "42501"),
        ("update event set body = 'x'", "42501"),
        ("delete from event", "42501"),
        ("insert into event_inbox values (1, null, null, '{1}', now())", "42501"),
        ("delete from event_inbox", "42501"),
        (
            "insert into checkpoint (log_no, generation, size, root, note, epoch) select log_no, generation, size, root, note, epoch from checkpoint",
            "DU011",
        ),
        (
            "insert into checkpoint (log_no, generation, size, root, note, epoch) select log_no, generation, size - 1, root, note, epoch from checkpoint",
            "DU011",
        ),
    ] {
        let mut tx = stage.owner.begin().await.unwrap();
        sqlx::raw_sql("set local role duly_app").execute(&mut *tx).await.unwrap();
        let refused = sqlx::raw_sql(attack).execute(&mut *tx).await.expect_err(attack);
        assert_eq!(refused.into_database_error().unwrap().code().as_deref(), Some(code), "{attack}");
    }
}
