//! A vendor's account has one address for the receipts of all that goes out through it: they count for every lane of the
//! account, each in the words of its own channel, and for nobody else.

use crate::support::{Lane, NOTIFY_KEY, Setup, Stage, eventually, within};
use duly::model::seal::generate_pair;
use duly::model::state::Route;
use duly::model::statement::controller_add;
use duly::store::controller::NewController;
use duly_sandbox::{Face, ProviderConfig};
use serde_json::json;
use std::time::Duration;

/// Asked once a day: within a test news come by receipts alone.
const STANNP: &str =
    "provider = \"stannp\"\napi_key = \"sandbox-key\"\nreceipt_secret = \"the account's\"\npoll_seconds = 86400\n";
const STANNP_URGENT: &str =
    "provider = \"stannp\"\napi_key = \"sandbox-key\"\nreceipt_secret = \"not used\"\npoll_seconds = 86400\n";
const MAILS: &str = "provider = \"notify\"\ntemplate = \"f33517ff-2a88-4f6e-b855-c550268ce08a\"\npoll_seconds = 86400\n\
    api_key = \"key-26785a09-ab16-4eb0-8407-a37497a57506-3d844edf-8d35-48ac-975b-e847b4f122b0\"\nreceipt_secret = \"of the mails\"\n";
const TEXTS: &str = "provider = \"notify\"\ntemplate = \"f33517ff-2a88-4f6e-b855-c550268ce08a\"\npoll_seconds = 86400\n\
    api_key = \"key-26785a09-ab16-4eb0-8407-a37497a57506-3d844edf-8d35-48ac-975b-e847b4f122b0\"\nreceipt_secret = \"of the texts\"\n";
/// Of another service.
const OTHERS: &str = "provider = \"notify\"\ntemplate = \"f33517ff-2a88-4f6e-b855-c550268ce08a\"\npoll_seconds = 86400\n\
    api_key = \"key-36785a09-ab16-4eb0-8407-a37497a57506-3d844edf-8d35-48ac-975b-e847b4f122b0\"\nreceipt_secret = \"of others\"\n";

fn stannp(name: &'static str, extra: &'static str) -> Lane {
    let provider = ProviderConfig {
        face: Face::Stannp,
        channel: "letter".into(),
        secret: Some("the account's".into()),
        door: Some("letters".into()),
        receipt_delay_ms: 20,
        ..ProviderConfig::default()
    };
    Lane { provider, extra, ..Lane::named(name) }
}

/// A lane whose messages have reached their end; told at `door`, or nowhere.
fn notify(name: &'static str, channel: &str, extra: &'static str, door: Option<&str>) -> Lane {
    let provider = ProviderConfig {
        face: Face::Notify,
        channel: channel.into(),
        api_key: Some(NOTIFY_KEY.to_owned()),
        secret: Some("of the mails".into()),
        receipts: door.is_some(),
        door: door.map(str::to_owned),
        receipt_delay_ms: 0,
        ..ProviderConfig::default()
    };
    Lane { provider, extra, ..Lane::named(name) }
}

#[tokio::test]
async fn an_urgent_lane_hears_through_the_door_of_the_other_lane_of_its_account() {
    let lanes = vec![stannp("letters", STANNP), stannp("letters-urgent", STANNP_URGENT)];
    let stage = Stage::new(Setup { people: 6, routes: vec![Route::Letter], lanes, ..Setup::default() }).await;
    stage.serve_receipts().await;
    let _process = stage.start(&["scheduler", "worker"]);

    let posted = "select count(*) from message where state = 'handed_to_carrier'";
    let settled = "select count(*) from receipt where due_at is not null or result = 'unmatched'";
    let longest = Duration::from_secs(60);
    within(longest, "all are posted", async || (stage.count(posted).await == 6).then_some(())).await;
    within(longest, "all is matched", async || (stage.count(settled).await == 0).then_some(())).await;

    assert_eq!(stage.words("select distinct lane from attempt order by 1").await, ["letters", "letters-urgent"]);
    assert_eq!(stage.words("select distinct provider from receipt").await, ["letters"]);
    assert_eq!(stage.count("select count(*) from lookup").await, 0, "nobody asked");
}

#[tokio::test]
async fn a_text_is_told_at_the_door_of_the_emails_in_the_words_of_texts() {
    let lanes = vec![notify("mails", "email", MAILS, None), notify("texts", "sms", TEXTS, Some("mails"))];
    let stage = Stage::new(Setup { people: 3, lanes, ..Setup::default() }).await;
    stage.serve_receipts().await;
    let _process = stage.start(&["scheduler", "worker"]);

    let told = "select count(*) from message where state = 'delivered_to_handset'";
    within(Duration::from_secs(60), "all are told", async || (stage.count(told).await == 3).then_some(())).await;

    assert_eq!(stage.words("select distinct provider from receipt").await, ["mails"]);
    let by = "select distinct convert_from(body, 'UTF8')::jsonb -> 'd' ->> 'claimed_by' from event where kind = 'receipt'";
    assert_eq!(stage.words(by).await, ["network"]);
    stage.audit().await;
}

/// A delivery receipt as a service of Notify's sends it.
async fn post(url: &str, place: &str, token: &str, (id, reference): (&str, &str)) -> u16 {
    let at = "2026-11-26T08:00:00.000000Z";
    let body = json!({ "completed_at": at, "id": id, "reference": reference, "status": "delivered", "notification_type": "sms" });
    let request = reqwest::Client::new().post(format!("{url}/{place}")).bearer_auth(token).body(body.to_string());
    request.send().await.unwrap().status().as_u16()
}

async fn add_controller(stage: &Stage, slug: &str) {
    let (public, secret) = generate_pair();
    let address = vec!["1 Station Road".to_owned()];
    let command = controller_add(slug, slug, "SOUTHMERE", &address);
    let controller = NewController {
        slug: slug.into(),
        name: slug.into(),
        sms_sender: "SOUTHMERE".into(),
        address,
        receipts_public_key: public,
        receipts_secret_key: stage.office.master.wrap(&secret, "receipts"),
        added_by: Some(stage.users.ann.sign(&stage.office.store, &command).await.unwrap()),
    };
    stage.office.store.insert_controller(&controller).await.unwrap();
}

#[tokio::test]
async fn what_comes_to_another_account_or_another_controller_moves_nothing() {
    let lanes =
        vec![notify("mails", "email", MAILS, None), notify("others", "email", OTHERS, None), notify("texts", "sms", TEXTS, None)];
    let stage = Stage::new(Setup { lanes, ..Setup::default() }).await;
    let url = stage.serve_receipts().await;
    let base = url.trim_end_matches("/northmere");
    add_controller(&stage, "southmere").await;
    let _process = stage.start(&["scheduler", "worker"]);
    eventually("the message is accepted", async || stage.states().await == ["accepted"]).await;
    let reference = stage.words("select reference from attempt").await.remove(0);
    let id = stage.words("select provider_id from outcome").await.remove(0);
    let of = (id.as_str(), reference.as_str());

    assert_eq!(post(base, "northmere/others", "of others", of).await, 200);
    eventually("the other controller is known", async || post(base, "southmere/mails", "of the mails", of).await == 200).await;
    // The lane of the text has a secret of its own, which does not prove what comes to another door, nor the other way round.
    assert_eq!(post(base, "northmere/mails", "of the texts", of).await, 401);
    assert_eq!(post(base, "northmere/texts", "of the mails", of).await, 401);
    let looked_at = "select count(*) from receipt where verdict = 'verified' and due_at > received_at + interval '1 second'";
    eventually("both were looked at", async || stage.count(looked_at).await == 2).await;
    assert_eq!(stage.states().await, ["accepted"]);
    assert_eq!(stage.count("select count(*) from receipt where message_id is not null").await, 0);

    assert_eq!(post(base, "northmere/mails", "of the mails", of).await, 200);
    eventually("it is told", async || stage.states().await == ["delivered_to_handset"]).await;
    stage.audit().await;
}
