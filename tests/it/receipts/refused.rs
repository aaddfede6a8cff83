//! Receipts that count for nothing are facts too, told together: who floods the endpoint does not flood the log.

use super::{Post, SECRET, body};
use crate::support::{Setup, Stage, deadlines};
use duly::store::receipt::{Doors, NewReceipt, ReceiptStore};
use duly::store::{Deadlines, Store};

/// What the controller's log tells of refused receipts: lane, ground, count.
pub async fn told(stage: &Stage) -> Vec<(String, String, i64)> {
    let bodies: Vec<Vec<u8>> = sqlx::query_scalar(
        "select body from event where kind = 'receipt.refused' and controller_id is not null and incident_no is null order by ord",
    )
    .fetch_all(&stage.owner)
    .await
    .unwrap();
    let told = bodies.iter().map(|body| {
        let d = duly_ledger::Event::parse(body).unwrap().detail;
        let text = |name: &str| d[name].as_str().unwrap().to_owned();
        (text("lane"), text("ground"), d["count"].as_i64().unwrap())
    });
    told.collect()
}

#[tokio::test]
async fn a_flood_of_false_receipts_is_told_by_one_event_for_each_lane_and_reason_of_a_minute() {
    let stage = Stage::new(Setup::default()).await;
    let (store, controller_id) = (&stage.office.store, Some(stage.incident.key.controller_id));
    let receipts = ReceiptStore::connect(&stage.database.url, 2).await.unwrap();
    let false_one = |provider: &str, verdict| NewReceipt::bare(controller_id, provider, verdict);
    let flood = async || {
        for _ in 0..5 {
            receipts.insert_receipts(&vec![false_one("sms", "bad_signature"); 400], 60_000).await.unwrap();
        }
        receipts.insert_receipts(&[false_one("sms", "stale"), false_one("letters", "bad_signature")], 60_000).await.unwrap();
        receipts.insert_receipts(&[NewReceipt { controller_id: None, ..false_one("-", "bad_signature") }], 60_000).await.unwrap();
    };
    // The clock stands at the beginning of a minute, so that all of a flood lies within it.
    stage.stop_clock("2026-11-25 10:00:05Z").await;
    flood().await;
    assert_eq!(store.refuse_receipts(60_000).await.unwrap(), 0, "their minute is not over");
    assert_eq!(told(&stage).await, []);

    stage.stop_clock("2026-11-25 10:01:00Z").await;
    assert_eq!(store.refuse_receipts(60_000).await.unwrap(), 2002);
    assert_eq!(store.refuse_receipts(60_000).await.unwrap(), 0);

    let word = |lane: &str, ground: &str, n| (lane.to_owned(), ground.to_owned(), n);
    let first = [word("letters", "bad_signature", 1), word("sms", "bad_signature", 2000), word("sms", "stale", 1)];
    assert_eq!(told(&stage).await, first);
    flood().await;
    stage.stop_clock("2026-11-25 10:09:00Z").await;
    store.refuse_receipts(60_000).await.unwrap();
    assert_eq!(told(&stage).await, [first.clone(), first].concat());
    assert_eq!(stage.count("select count(*) from receipt where due_at is not null").await, 0);
}

/// As many rows as were told, for as long as they are kept; then they go, and the log still tells of them.
#[tokio::test]
async fn laid_aside_receipts_are_as_many_as_were_told_and_go_after_their_time() {
    let stage = Stage::new(Setup::default()).await;
    let (store, controller_id) = (&stage.office.store, Some(stage.incident.key.controller_id));
    let receipts = ReceiptStore::connect(&stage.database.url, 2).await.unwrap();
    let false_one = NewReceipt::bare(controller_id, "sms", "bad_signature");
    let stranger = NewReceipt { controller_id: None, ..false_one.clone() };
    let found = async || {
        // The clock stands elsewhere than when the plan was made: other rules have their say, too.
        let found = store.audit(stage.incident.key).await.unwrap();
        let refusals = found.iter().filter(|finding| finding.code.starts_with("refusal"));
        refusals.map(|finding| format!("{} {}", finding.code, finding.place)).collect::<Vec<_>>()
    };
    stage.stop_clock("2026-11-25 23:59:30Z").await;
    receipts.insert_receipts(&[vec![false_one.clone(); 3], vec![stranger]].concat(), 60_000).await.unwrap();
    stage.stop_clock("2026-11-26 00:00:30Z").await;
    receipts.insert_receipts(&[false_one], 60_000).await.unwrap();
    stage.stop_clock("2026-11-26 00:05:00Z").await;
    assert_eq!(store.refuse_receipts(60_000).await.unwrap(), 4);
    assert_eq!(found().await, Vec::<String>::new());

    // Whoever owns the database deletes one, and makes one up.
    let owner = async |statement: &str| {
        let alone = format!("set local session_replication_role = replica; {statement}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(alone)).execute(&stage.owner).await.unwrap();
    };
    owner("create table kept as table receipt").await;
    owner("delete from receipt where receipt_id = (select max(receipt_id::text)::uuid from receipt)").await;
    assert_eq!(found().await, ["refusal_missing sms bad_signature: 0 of 1"]);
    owner("delete from receipt; insert into receipt select * from kept; update receipt set provider = 'letters' where verdict = 'bad_signature' and received_at > '2026-11-26'").await;
    assert_eq!(found().await.len(), 2, "one is missing, one was not told");
    owner("delete from receipt; insert into receipt select * from kept; drop table kept").await;

    // 90 days, by whole days.
    stage.stop_clock("2027-02-23 23:59:00Z").await;
    assert_eq!(store.forget_receipts(1000).await.unwrap(), 0);
    stage.stop_clock("2027-02-24 00:01:00Z").await;
    assert_eq!(store.forget_receipts(1000).await.unwrap(), 4, "those of 25 November, and the stranger's");
    assert_eq!(stage.count("select count(*) from receipt").await, 1);
    stage.stop_clock("2027-02-25 00:01:00Z").await;
    assert_eq!((store.forget_receipts(1000).await.unwrap(), store.forget_receipts(1000).await.unwrap()), (1, 0));
    assert_eq!(found().await, Vec::<String>::new(), "they went in their time");
    assert_eq!(told(&stage).await.iter().map(|(_, _, n)| n).sum::<i64>(), 4);
}

#[tokio::test]
async fn a_true_receipt_of_a_message_that_nobody_knows_is_told_once_it_is_given_up() {
    let stage = Stage::new(Setup::default()).await;
    let url = stage.serve_receipts().await;
    let body = body("ev_1", &"0".repeat(32), "sb_9", "delivered");
    let post = Post { url: &url, place: "/sms", body, age_seconds: 0, secret: SECRET, signed_for: None };
    assert_eq!(post.send().await, 200);
    let store = &stage.office.store;
    let waiting: Vec<uuid::Uuid> = store
        .list_waiting_receipts(10, 1000, &Doors::default())
        .await
        .unwrap()
        .into_iter()
        .map(|receipt| receipt.receipt_id)
        .collect();
    assert_eq!(waiting.len(), 1);

    store.settle_unmatched(&waiting, 1000, 86_400).await.unwrap();
    assert_eq!(
        (told(&stage).await, stage.words("select coalesce(result, 'waits') from receipt").await),
        (vec![], vec!["waits".to_owned()])
    );
    stage.shift_clock(86_500).await;
    store.settle_unmatched(&waiting, 1000, 86_400).await.unwrap();

    assert_eq!(told(&stage).await, [("sms".to_owned(), "unmatched".to_owned(), 1)]);
    assert_eq!(stage.words("select result from receipt where sealed is null").await, ["unmatched"]);
}

/// A stranger's flood, a provider's repeated and one of messages that nobody here knows: a row for each of the first, and the log
/// counts the rest. What somebody here knows waits on.
#[tokio::test]
async fn of_a_flood_the_first_are_kept_and_the_rest_is_counted() {
    let stage = Stage::new(Setup::default()).await;
    let terms = Deadlines { laid_aside_max: 100, ..deadlines() };
    let store = Store::connect(&stage.database.url, 2, terms).await.unwrap();
    let receipts = ReceiptStore::connect(&stage.database.url, 2).await.unwrap();
    let one = |controller_id, verdict, reference: Option<String>| NewReceipt {
        controller_id,
        provider: "sms".to_owned(),
        sealed: (verdict == "verified").then(|| vec![1]),
        verdict,
        event_name: Some(format!("{reference:?}")),
        reference,
        provider_id: None,
        status: None,
        claimed: None,
        unknown_word: None,
        claimed_by: None,
        stop_code: None,
    };
    let ours = Some(stage.incident.key.controller_id);
    let reference = |n: usize| Some(format!("{n:032x}"));
    let refusals = async || {
        let found = store.audit(stage.incident.key).await.unwrap();
        found.into_iter().filter(|f| f.code.starts_with("refusal")).map(|f| f.place).collect::<Vec<_>>()
    };
    stage.stop_clock("2026-11-25 10:00:05Z").await;
    receipts.insert_receipts(&vec![one(ours, "bad_signature", None); 250], 60_000).await.unwrap();
    receipts.insert_receipts(&vec![one(None, "bad_signature", None); 250], 60_000).await.unwrap();
    let unknown: Vec<NewReceipt> = (0..250).map(|n| one(ours, "verified", reference(n))).collect();
    receipts.insert_receipts(&unknown, 60_000).await.unwrap();

    // The newest receipt of all is of a call that was made here.
    receipts.insert_receipts(&[one(ours, "verified", reference(4711))], 60_000).await.unwrap();
    let known = "insert into attempt (controller_id, incident_no, message_id, attempt, person_id, lane, is_repeat, reference, request, send_by)
        select controller_id, incident_no, message_id, 1, person_id, 'sms', false, lpad(to_hex(4711), 32, '0'), 'x', duly_now() from message limit 1";
    assert_eq!(sqlx::raw_sql(known).execute(&stage.owner).await.unwrap().rows_affected(), 1);
    stage.stop_clock("2026-11-25 10:05:00Z").await;
    assert_eq!(store.refuse_receipts(60_000).await.unwrap(), 250);
    assert_eq!(store.thin_receipts().await.unwrap(), 300, "who is not believed, and who called nowhere");
    assert_eq!(stage.count("select count(*) from receipt where verdict = 'verified' and due_at is not null").await, 251);

    stage.stop_clock("2026-11-25 10:11:00Z").await;
    assert_eq!(store.thin_receipts().await.unwrap(), 50, "beyond the cap of those that were given up");
    assert_eq!(store.thin_receipts().await.unwrap(), 0);

    let word = |ground: &str, n| ("sms".to_owned(), ground.to_owned(), n);
    assert_eq!(told(&stage).await, [word("bad_signature", 250), word("unmatched", 150)]);
    assert_eq!(stage.count("select count(*) from receipt").await, 100 + 100 + 100 + 100 + 1);
    assert_eq!(
        stage.count("select count(*) from receipt where reference = lpad(to_hex(4711), 32, '0') and due_at is not null").await,
        1
    );
    assert_eq!(refusals().await, Vec::<String>::new());
    let deleted = "set local session_replication_role = replica; delete from receipt where result = 'unmatched'";
    sqlx::raw_sql(deleted).execute(&stage.owner).await.unwrap();
    assert_eq!(refusals().await, ["sms unmatched: 0 of 150"]);
}
