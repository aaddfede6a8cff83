//! Lanes that write batches for somebody to carry: each message stands in one, whoever is killed, and what became of it is
//! what a named person signed.

mod older;

use crate::cli::desk::{Desk, run};
use crate::support::{Lane, Setup, Stage, deadlines, eventually, within};
use duly::model::state::MessageState;
use duly::provider::{Check, read_request};
use duly::store::Store;
use duly::store::audit::record::{Produced, compare};
use duly::store::declared::Declared;
use duly::store::quarantine::Decider;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;
use uuid::Uuid;

const LONGEST: Duration = Duration::from_secs(120);
const PEOPLE: u32 = 5;

/// Files of a folder that hold batches, each with its manifest.
fn batches(folder: &Path) -> Vec<(Value, Vec<u8>)> {
    let Ok(ready) = std::fs::read_dir(folder.join("ready")) else { return Vec::new() };
    let mut found = Vec::new();
    for batch in ready {
        let batch = batch.unwrap().path();
        let manifest: Value = serde_json::from_slice(&std::fs::read(batch.join("manifest.json")).unwrap()).unwrap();
        let file = std::fs::read(batch.join(manifest["file"].as_str().unwrap())).unwrap();
        assert_eq!(manifest["sha256"], hex::encode(Sha256::digest(&file)));
        found.push((manifest, file));
    }
    found
}

/// The ground truth of a folder: what a gateway would send.
fn texts(folder: &Path) -> Vec<Produced> {
    let mut all = Vec::new();
    for (_, file) in batches(folder) {
        for row in csv::Reader::from_reader(&file[..]).into_records() {
            let row = row.unwrap();
            all.push(Produced {
                account: "texts".into(),
                reference: row[0].to_owned(),
                channel: "sms".into(),
                destination: format!("+{}", &row[1]),
                content_sha256: hex::encode(Sha256::digest(&row[3])),
            });
        }
    }
    all
}

async fn kill_at(point: &'static str) {
    let lane = Lane {
        extra: "provider = \"file\"\nfolder = \"{folder}/texts\"\nbatch_messages_max = 2\nbatch_seconds = 1\ndocket_minutes = 5\n",
        ..Lane::named("texts")
    };
    let stage = Stage::new(Setup { people: PEOPLE, lanes: vec![lane], ..Setup::default() }).await;
    let folder = stage.folder.path().join("texts");
    assert_eq!(stage.office.accounts["texts"].provider.check().await, Check::Good);
    let _scheduler = stage.start(&["scheduler"]);
    let mut worker = stage.start_at(point, &["worker"]);
    worker.reached().await;
    worker.kill();
    let _next = stage.start(&["worker"]);

    let what = format!("all stand in batches after a kill at {point}");
    within(LONGEST, &what, async || (texts(&folder).len() >= PEOPLE as usize).then_some(())).await;
    stage.drain().await;

    let mut copies: BTreeMap<String, usize> = BTreeMap::new();
    let record = texts(&folder);
    record.iter().for_each(|made| *copies.entry(made.reference.clone()).or_default() += 1);
    assert!(copies.len() == PEOPLE as usize && copies.values().all(|n| *n == 1), "{point}: {copies:?}");
    assert_eq!(stage.count("select count(*) from message where state = 'accepted'").await, i64::from(PEOPLE), "{point}");
    let store = Store::connect(&stage.database.url, 1, deadlines()).await.unwrap();
    let sealed = store.audit_sealed(stage.incident.key, &stage.office.master, &|_, frozen| read_request(frozen)).await.unwrap();
    assert_eq!((sealed.findings, compare(&sealed.sends, &record)), (vec![], vec![]), "{point}");
    assert_eq!(store.audit(stage.incident.key).await.unwrap(), [], "{point}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_at_any_step_leaves_each_message_in_one_batch() {
    for point in ["entry_written", "entry_placed", "response_read", "batch_made", "batch_closed", "batch_ready"] {
        kill_at(point).await;
    }
}

/// `duly serve`, ended with the test.
struct Serve(Child);

impl Drop for Serve {
    fn drop(&mut self) {
        if self.0.kill().is_ok() && self.0.wait().is_err() {
            eprintln!("a process was left behind");
        }
    }
}

/// A desk whose letters and texts go into folders; everybody stands in a batch.
async fn desk(name: &str, live: &str) -> (Desk, Serve) {
    let mut desk = Desk::with_incident(name, "1").await;
    desk.set("DULY_EVIDENCE__HOST", "log.northmere.example");
    for (lane, folder) in [("LETTERS", "letters"), ("SMS_A", "texts")] {
        for (key, value) in [("PROVIDER", "file"), ("FOLDER", folder), ("BATCH_SECONDS", "1"), ("URL", ""), ("LIVE", live)] {
            desk.set(&format!("DULY_LANES__{lane}__{key}"), value);
        }
    }
    for lane in ["letters", "sms-a"] {
        desk.duly("ann", &["provider", "check", lane]).fine();
    }
    desk.prepare();
    desk.duly("bob", &["plan", "approve", "--incident", "cards", "--people", "4"]).fine();
    desk.duly("bob", &["plan", "go", "--incident", "cards"]).fine();
    desk.connect_broker().await;
    desk.set("DULY_WEB__LISTEN", "127.0.0.1:0");
    let log = std::fs::File::create(desk.path("serve.log")).unwrap();
    let serve = desk.command(&["serve", "scheduler", "worker"]).stdout(Stdio::null()).stderr(log).spawn().unwrap();
    let (letters, texts) = (desk.path("letters"), desk.path("texts"));
    within(LONGEST, "everybody stands in a batch", async || {
        let count =
            |folder: &Path| -> usize { batches(folder).iter().map(|(m, _)| m["messages"].as_array().unwrap().len()).sum() };
        (count(&letters) + count(&texts) == 4).then_some(())
    })
    .await;
    (desk, Serve(serve))
}

fn listed(desk: &Desk, lane: &str) -> Value {
    desk.duly("ann", &["batch", "list", "--lane", lane, "--json"]).fine().json()[0]["batches"][0].clone()
}

async fn words(desk: &Desk, query: &'static str) -> Vec<String> {
    let pool = sqlx::PgPool::connect(&desk.url).await.unwrap();
    sqlx::query_scalar(query).fetch_all(&pool).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_count_as_handed_to_the_carrier_once_somebody_signed_the_docket() {
    let (desk, serve) = desk("docket", "true").await;
    let batch = listed(&desk, "letters");
    let name = batch["batch"].as_str().unwrap();
    let (manifest, pdf) = batches(&desk.path("letters")).remove(0);
    assert!(pdf.starts_with(b"%PDF-") && manifest["messages"][0]["pages"][0] == 1, "{manifest}");
    assert!(!manifest["file"].as_str().unwrap().starts_with("NOT-LIVE-"), "{manifest}");
    let fixed = ["batch", "handed-over", name, "--lane", "letters", "--to", "carrier", "--carried-by", "post room"];
    let docket = |count: &str, when: &str| {
        desk.duly("bob", &[&fixed[..], &["--place", "Leeds Mail Centre", "--count", count, "--when", when]].concat())
    };
    let now = time::OffsetDateTime::now_utc() + time::Duration::seconds(1);
    let now = now.format(&time::format_description::well_known::Rfc3339).unwrap();

    let status = desk.duly("ann", &["status"]).fine().out;
    assert!(status.contains(&format!("batch {name} with 1 message waits to be carried")), "{status}");
    docket("2", &now).refused("the batch has 1 message, and the docket says 2", "count again");
    docket("1", "2026-01-01T00:00:00Z").refused("the batch was not handed over at that time", "it was closed");
    desk.refuses_unsigned(&[&fixed[..], &["--place", "Leeds Mail Centre", "--count", "1", "--when", &now]].concat());
    let file = desk.path(batch["file"].as_str().unwrap());
    std::fs::write(&file, [&pdf[..], b"another page"].concat()).unwrap();
    docket("1", &now).refused("the file", "bring the file of the backup back");
    std::fs::write(&file, &pdf).unwrap();
    let before = words(&desk, "select state from message where channel = 'letter'").await;
    assert_eq!(before, ["accepted"], "nothing counts before somebody signed");
    docket("1", &now).fine();

    assert_eq!(words(&desk, "select state from message where channel = 'letter'").await, ["handed_to_carrier"]);
    let told = words(&desk, "select convert_from(body, 'UTF8') from event where kind = 'receipt'").await;
    let told: Value = serde_json::from_str(&told[0]).unwrap();
    assert_eq!((&told["d"]["ground"], &told["d"]["notice"]), (&json!("declared"), &json!("notified")));
    let signed = words(&desk, "select convert_from(statement, 'UTF8') from signed_command order by at desc limit 1").await;
    assert!(
        signed[0].contains(manifest["sha256"].as_str().unwrap()) && signed[0].contains("\"file_is_there\":true"),
        "{signed:?}"
    );
    assert!(signed[0].contains("post room") && signed[0].contains(batch["manifest"].as_str().unwrap()), "{signed:?}");
    docket("1", &now).refused("somebody signed for this batch already", "duly batch list");
    assert_eq!(listed(&desk, "letters")["handed_over"], true);
    assert!(!desk.duly("ann", &["status"]).fine().out.contains(&format!("batch {name}")), "nobody waits for it any more");
    let story = desk.duly_with("ann", &["person", "show", "--incident", "cards"], "PN3\n").fine().out;
    assert!(story.contains("Bob Evans declared and signed"), "{story}");

    drop(serve);
    desk.duly("ann", &["audit", "--sealed"]).fine();
    let serve = desk.command(&["serve", "scheduler"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let _serve = Serve(serve);
    eventually("the pack can be made", async || {
        let pack = ["pack", "incident", "--incident", "cards", "--for", "regulator", "--out", "pack.zip"];
        desk.duly("ann", &pack).code == 0
    })
    .await;
    desk.write("log.vkey", &desk.duly("ann", &["log", "key", "--incident", "cards"]).fine().out);
    let verified = run(desk.command(&["verify", "pack.zip", "--key", "log.vkey", "--json"]), "").fine().json();
    assert_eq!(verified["findings"], json!([]), "{verified}");
    let changed =
        "update signed_command set statement = convert_to(replace(convert_from(statement, 'UTF8'), 'Leeds', 'Derby'), 'UTF8')";
    desk.sabotage(changed).await.unwrap();
    let found = desk.duly("ann", &["audit", "--json"]);
    assert!(found.code == 1 && found.out.contains("event_not_signed"), "another place than was signed: {found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_file_moves_what_it_names_and_nothing_where_a_row_is_wrong() {
    let (desk, _serve) = desk("result", "true").await;
    let (manifest, file) = batches(&desk.path("texts")).remove(0);
    let references: Vec<&str> =
        manifest["messages"].as_array().unwrap().iter().map(|m| m["reference"].as_str().unwrap()).collect();
    assert_eq!(csv::Reader::from_reader(&file[..]).into_records().count(), references.len());
    let result = |text: String| {
        desk.write("result.csv", &text);
        desk.duly("bob", &["batch", "result", "result.csv", "--lane", "sms-a"])
    };

    let strange = "f".repeat(32);
    for (rows, what) in [
        (format!("{},lost\n", references[0]), "row 2 of the result file has another word"),
        (format!("{},delivered\n{strange},sent\n", references[0]), "row 3 names no message of a batch"),
        (format!("{r},delivered\n{r},failed\n", r = references[0]), "row 3 of the result file names a message again"),
    ] {
        result(format!("reference,status\n{rows}")).refused(what, "");
    }
    result("id,state\n".into()).refused("row 1 of the result file has no columns", "one row for each message");
    desk.write("result.csv", &format!("reference,status\n{},delivered\n", references[0]));
    desk.refuses_unsigned(&["batch", "result", "result.csv", "--lane", "sms-a"]);
    assert!(words(&desk, "select state from message where state <> 'accepted'").await.is_empty(), "nothing was taken");

    result(format!("reference,status\n{},delivered\n{},failed\n", references[0], references[1])).fine();
    let moved = words(&desk, "select state from message where state <> 'accepted' and channel = 'sms' order by state").await;
    assert_eq!(moved, ["delivered_to_handset", "failed"]);
    let again = result(format!("reference,status\n{},delivered\n", references[0])).fine();
    assert!(again.err.contains("0 are not known before"), "{again:?}");
    desk.duly("ann", &["audit"]).fine();
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_declared_without_a_signature_for_it() {
    let (desk, _serve) = desk("declared", "true").await;
    let pool = sqlx::PgPool::connect(&desk.url).await.unwrap();
    let store = Store::connect(&desk.url, 1, deadlines()).await.unwrap();
    let incident = store.load_incident("cards").await.unwrap();
    let (message_id, person_id): (Uuid, Uuid) =
        sqlx::query_as("select message_id, person_id from message where channel = 'letter'").fetch_one(&pool).await.unwrap();
    let (user_id, command_id): (Uuid, Uuid) =
        sqlx::query_as("select user_id, command_id from signed_command limit 1").fetch_one(&pool).await.unwrap();
    let declared = [Declared { message_id, person_id, report: MessageState::HandedToCarrier }];

    for by in [Decider { user_id, command_id }, Decider { user_id, command_id: Uuid::now_v7() }] {
        let refused = store.declare(incident.key, &declared, by).await;
        assert!(refused.is_err_and(|error| format!("{error:?}").contains("DU080")), "another command's signature");
    }
    assert_eq!(words(&desk, "select state from message where channel = 'letter'").await, ["accepted"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_rehearsal_wrote_nobody_can_sign_for_and_nobody_waits_for_it() {
    let (mut desk, _serve) = desk("rehearsed", "false").await;
    let batch = listed(&desk, "letters");
    let name = batch["batch"].as_str().unwrap().to_owned();
    let (manifest, _) = batches(&desk.path("texts")).remove(0);
    assert!(manifest["file"].as_str().unwrap().starts_with("NOT-LIVE-"), "{manifest}");
    let now = time::OffsetDateTime::now_utc() + time::Duration::seconds(1);
    let now = now.format(&time::format_description::well_known::Rfc3339).unwrap();
    let docket = ["batch", "handed-over", &name, "--lane", "letters", "--to", "carrier", "--carried-by", "post room"];
    let docket = [&docket[..], &["--place", "Leeds Mail Centre", "--count", "1", "--when", &now]].concat();
    let row = format!("reference,status\n{},delivered\n", manifest["messages"][0]["reference"].as_str().unwrap());
    desk.write("result.csv", &row);
    let result = ["batch", "result", "result.csv", "--lane", "sms-a"];

    for live in ["false", "true"] {
        // What was a rehearsal stays one, whatever the lane is afterwards.
        desk.set("DULY_LANES__LETTERS__LIVE", live);
        desk.set("DULY_LANES__SMS_A__LIVE", live);
        let refused = "is a rehearsal: lane letters was not live, and nothing of it was handed to anybody";
        desk.duly("bob", &docket).refused(&format!("batch {name} {refused}"), "people are told by a plan");
        desk.duly("bob", &result).refused(&format!("batch {}", manifest["batch"].as_str().unwrap()), "sign for nothing of it");
    }

    assert!(words(&desk, "select state from message where state <> 'accepted'").await.is_empty(), "nothing moved");
    assert!(words(&desk, "select kind from event where kind like 'receipt%'").await.is_empty());
    assert!(!desk.duly("ann", &["status"]).fine().out.contains("handed-over"), "nobody waits for it");
    assert!(desk.duly("ann", &["batch", "list"]).fine().out.contains("never: a rehearsal"));
    assert_eq!((&batch["live"], &batch["handed_over"]), (&json!(false), &json!(false)));
}
