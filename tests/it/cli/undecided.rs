//! Calls of which nobody knows how they ended: a person decides once, signs, and sees what each choice risks.

use super::desk::Desk;
use crate::support::eventually;
use duly::model::health::Sign;
use duly::model::step::{Answer, Cause};
use duly::store::Store;
use duly::store::claim::Intent;
use duly::store::outcome::Outcome;
use duly::store::unit::Note;
use serde_json::json;
use uuid::Uuid;

/// Leads the text of one person whose route has a next step to `asked`.
pub async fn ask(desk: &Desk) -> (Uuid, Uuid) {
    let pool = sqlx::PgPool::connect(&desk.url).await.unwrap();
    let store = Store::connect(&desk.url, 2, crate::support::deadlines()).await.unwrap();
    let incident = store.load_incident("cards").await.unwrap();
    store.queue_due("sms-a", duly::model::state::Channel::Sms, crate::support::quota(10)).await.unwrap();
    let (message_id, person_id, commitment): (Uuid, Uuid, Vec<u8>) = sqlx::query_as(
        "select m.message_id, m.person_id, c.commitment from message m
           join prepared_content c using (controller_id, incident_no, person_id, phase, channel)
           join notice n using (controller_id, incident_no, person_id, phase) where n.route = 'sms-then-letter' limit 1",
    )
    .fetch_one(&pool)
    .await
    .unwrap();
    let intent = Intent {
        message_id,
        person_id,
        version: 1,
        repeat: None,
        per_day: None,
        lane: "sms-a".into(),
        reference: "07".repeat(16),
        request: vec![1],
        content: commitment.try_into().unwrap(),
        destination: [0; 32],
    };
    assert_eq!(store.claim(incident.key, &[intent], 1000).await.unwrap().len(), 1);
    for cause in [Cause::LeaseExpired { attempt: 1 }, Cause::Ask] {
        store.apply_one(incident.key, person_id, message_id, cause, Note::default()).await.unwrap();
    }
    (message_id, person_id)
}

#[tokio::test]
async fn a_message_whose_deadline_is_over_is_sent_again_only_with_a_new_one() {
    let mut desk = Desk::running("decide_deadline").await;
    desk.set("DULY_DISPATCH__REQUEST_TIMEOUT_MS", "100");
    desk.set("DULY_DISPATCH__NETWORK_MARGIN_MS", "100");
    let (message, _) = ask(&desk).await;
    desk.sabotage("update message set expires_at = now() - interval '1 hour' where state = 'asked'").await.unwrap();
    let pool = sqlx::PgPool::connect(&desk.url).await.unwrap();
    let signed = async || sqlx::query_scalar::<_, i64>("select count(*) from signed_command").fetch_one(&pool).await.unwrap();
    let (message, before) = (message.to_string(), signed().await);
    let decide = ["unknown", "decide", &message, "--incident", "cards", "--reason", "docket 7", "--choice"];

    let listed = desk.duly("ann", &["unknown", "list", "--incident", "cards"]).fine().out;
    assert!(listed.contains("its deadline is over, `--hours` gives a new one"), "{listed}");
    desk.duly("bob", &[&decide[..], &["send-again"]].concat())
        .refused("the deadline for sending this message is over", "--hours 48");
    desk.duly("bob", &[&decide[..], &["next-step", "--hours", "48"]].concat())
        .refused("only a message that is sent again", "leave");
    assert_eq!(signed().await, before, "what is refused leaves no signature");
    let listed = async || desk.duly("ann", &["unknown", "list", "--incident", "cards", "--json"]).fine().json();
    eventually("the call can arrive no more", async || listed().await[0]["send_again_refused_until"].is_null()).await;
    let decided = desk.duly("bob", &[&decide[..], &["send-again", "--hours", "48", "--json"]].concat()).fine();

    assert_eq!(decided.json()["state"], "ready");
    let until = "select count(*) from message where state = 'ready' and attempt = 1 and counted_from = 1 and expires_at between now() + interval '47 hours' and now() + interval '49 hours'";
    assert_eq!(sqlx::query_scalar::<_, i64>(until).fetch_one(&pool).await.unwrap(), 1);
    desk.duly("ann", &["audit"]).fine();
}

#[tokio::test]
async fn whoever_decides_sees_what_is_known_of_the_call_and_sends_again_only_once_it_can_arrive_no_more() {
    let desk = Desk::running("decide_known").await;
    let (message_id, person_id) = ask(&desk).await;
    let store = Store::connect(&desk.url, 2, crate::support::deadlines()).await.unwrap();
    let incident = store.load_incident("cards").await.unwrap().key;
    let late = Outcome { message_id, person_id, answer: Answer::Unknown, code: "timeout".into(), ..nothing() };
    store.record_outcomes(incident, &[late]).await.unwrap();
    store.insert_lookup(incident, message_id, 1).await.unwrap();
    let list = ["unknown", "list", "--incident", "cards"];
    let listed = async || desk.duly("ann", &[&list[..], &["--json"]].concat()).fine().json()[0].clone();
    assert_eq!(listed().await["look_ups"]["answer"], "no_answer");
    let lookup = store.insert_lookup(incident, message_id, 1).await.unwrap();
    store.record_absent(lookup).await.unwrap();

    let known = listed().await;
    assert_eq!((&known["outcome"], &known["code"]), (&json!("unknown"), &json!("timeout")), "{known}");
    assert_eq!((&known["look_ups"]["count"], &known["look_ups"]["answer"]), (&json!(2), &json!("nothing")), "{known}");
    assert_eq!(known["reference"], "07".repeat(16));
    let times = ["last_call", "answered_at", "may_have_left_until", "may_arrive_until"].map(|name| known[name].as_str().unwrap());
    assert!(times[0] < times[2] && times[2] < times[3] && known["look_ups"]["last_at"].is_string(), "{known}");
    assert_eq!(known["send_again_refused_until"], known["may_arrive_until"]);
    assert!(known["can_look_up"].as_str().unwrap().contains("no look-up"), "{known}");
    assert!(known["can_repeat"].as_str().unwrap().starts_with("no"), "{known}");
    let text = desk.duly("ann", &list).fine().out;
    for said in [
        "no answer came in time (code timeout)",
        "2 were made",
        "the provider has nothing under this reference",
        &"07".repeat(16),
        "no: the provider has no look-up",
        "gets it twice",
        "this person gets both",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }

    let message = message_id.to_string();
    let again = ["unknown", "decide", &message, "--incident", "cards", "--choice", "send-again", "--reason", "docket 7"];
    desk.duly("bob", &again).refused("the last call may still be on its way to the provider", "wait until");
    let next = ["unknown", "decide", &message, "--incident", "cards", "--choice", "next-step", "--reason", "docket 7"];
    desk.duly("bob", &next).fine();
}

/// The outcome of a first call that tells nothing.
fn nothing() -> Outcome {
    Outcome {
        message_id: Uuid::nil(),
        person_id: Uuid::nil(),
        attempt: 1,
        answer: Answer::NotTaken,
        provider_id: None,
        code: String::new(),
        pause: None,
        parts: None,
        cost: None,
        alarm: None,
        sign: Sign::Nothing,
        retry_in_ms: 0,
    }
}

#[tokio::test]
async fn an_asked_message_waits_for_a_signed_decision_and_takes_one_only() {
    let desk = Desk::running("decide").await;
    let (message, person) = ask(&desk).await;
    let message = message.to_string();

    let listed = desk.duly("ann", &["unknown", "list", "--incident", "cards", "--json"]).fine().json();
    assert_eq!((&listed[0]["message"], &listed[0]["state"]), (&json!(message), &json!("asked")));
    assert!(listed[0]["choices"]["send-again"].as_str().unwrap().contains("twice"), "{listed}");
    assert!(desk.duly("ann", &["status"]).fine().out.contains("1 message not known, none sent again"));

    let decide = [
        "unknown",
        "decide",
        &message,
        "--incident",
        "cards",
        "--choice",
        "next-step",
        "--reason",
        "docket 7 has no such letter",
    ];
    let decided = desk.duly("bob", &[&decide[..], &["--json"]].concat()).fine();
    assert_eq!(decided.json()["state"], "superseded");
    assert!(decided.err.contains("a letter goes out"), "{}", decided.err);
    desk.duly("bob", &decide).refused("the message is not asked about", "nothing needs to be decided");

    let id = format!("p_{}", person.simple());
    let story = desk.duly("ann", &["person", "show", "--incident", "cards", "--person", &id]).fine().out;
    assert!(story.contains("Not known whether SMS provider sms-a took the text. It was not sent again"), "{story}");
    assert!(story.contains("Bob Evans decided: go on with the next step") && story.contains("letter: Waiting"), "{story}");
    desk.duly("ann", &["audit"]).fine();
}

#[tokio::test]
async fn somebody_is_exempt_or_told_otherwise_by_a_signed_reason_and_not_while_a_message_is_in_question() {
    let desk = Desk::running("exempt").await;
    let (message, asked) = ask(&desk).await;
    let pool = sqlx::PgPool::connect(&desk.url).await.unwrap();
    let signed = async || sqlx::query_scalar::<_, i64>("select count(*) from signed_command").fetch_one(&pool).await.unwrap();
    let before = signed().await;
    let told = |id: &'static str| ["person", "told", "--incident", "cards", "--how", "in-person", "--reason", id];
    let id = format!("p_{}", asked.simple());
    desk.duly("ann", &[&told("visit")[..], &["--person", &id]].concat())
        .refused(&format!("nobody knows whether a message left for {id}"), "duly unknown decide");
    // An audit names messages; the provider is asked by our reference.
    let named = desk.duly("ann", &["message", "list", "--incident", "cards", "--message", &message.to_string(), "--json"]).fine();
    assert_eq!(named.json()[0]["person"], id.as_str());
    assert_eq!(named.json()[0]["reference"].as_str().map(str::len), Some(32), "{}", named.out);
    assert!(named.err.contains(&format!("duly person show --incident cards --person {id}")), "{}", named.err);
    let exempt = ["person", "exempt", "--incident", "cards", "--reason"];
    desk.duly_with("ann", &[&exempt[..], &[" "]].concat(), "PN3\n").refused("a decision needs a reason", "--reason");
    assert_eq!(signed().await, before, "what is refused leaves no signature");

    // PN3 has a letter that waits, PN5 a text.
    let done = desk.duly_with("ann", &[&exempt[..], &["never issued", "--json"]].concat(), "PN3\n").fine();
    assert_eq!(done.json()["notice"], "exempt");
    assert!(done.err.contains("no notice is owed"), "{}", done.err);
    let again = desk.duly_with("bob", &[&exempt[..], &["never issued"]].concat(), "PN3\n").fine();
    assert!(again.err.contains("is exempt already; nothing was changed"), "{}", again.err);
    desk.duly_with("bob", &told("home visit"), "PN3\n").refused("the notice of p_", "duly person show");
    desk.duly_with("bob", &told("home visit"), "PN5\n").fine();

    let story = desk.duly_with("ann", &["person", "show", "--incident", "cards"], "PN5\n").fine().out;
    assert!(story.contains("Bob Evans said that this person was told in person: home visit"), "{story}");
    let status = desk.duly("ann", &["status", "--incident", "cards"]).fine().out;
    assert!(status.contains("exempt, no notice is owed") && status.contains("withdrawn, told in another way"), "{status}");

    let reopen = ["person", "reopen", "--incident", "cards", "--reason", "another of the same name"];
    let back = desk.duly_with("bob", &[&reopen[..], &["--json"]].concat(), "PN3\n").fine();
    assert_eq!((&back.json()["notice"], &back.json()["changed"]), (&serde_json::json!("open"), &serde_json::json!(true)));
    assert!(back.err.contains("the decision is taken back. No longer counted as ended"), "{}", back.err);
    let again = desk.duly_with("bob", &reopen, "PN3\n").fine();
    assert!(again.err.contains("is open, and by nobody's decision; nothing was changed"), "{}", again.err);
    let story = desk.duly_with("ann", &["person", "show", "--incident", "cards"], "PN3\n").fine().out;
    assert!(story.contains("Bob Evans took back the decision about this notice: another of the same name"), "{story}");
    assert!(story.contains("letter: Waiting"), "{story}");
    desk.duly("ann", &["audit"]).fine();
}
