//! Calls of which nobody knows how they ended: a person decides once, signs, and sees what each choice risks.

use super::desk::Desk;
use duly::model::step::Cause;
use duly::store::Store;
use duly::store::claim::Intent;
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
    let desk = Desk::running("decide_deadline").await;
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
    let decided = desk.duly("bob", &[&decide[..], &["send-again", "--hours", "48", "--json"]].concat()).fine();

    assert_eq!(decided.json()["state"], "ready");
    let until = "select count(*) from message where state = 'ready' and attempt = 1 and counted_from = 1 and expires_at between now() + interval '47 hours' and now() + interval '49 hours'";
    assert_eq!(sqlx::query_scalar::<_, i64>(until).fetch_one(&pool).await.unwrap(), 1);
    desk.duly("ann", &["audit"]).fine();
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
    let (_, asked) = ask(&desk).await;
    let pool = sqlx::PgPool::connect(&desk.url).await.unwrap();
    let signed = async || sqlx::query_scalar::<_, i64>("select count(*) from signed_command").fetch_one(&pool).await.unwrap();
    let before = signed().await;
    let told = |id: &'static str| ["person", "told", "--incident", "cards", "--how", "in-person", "--reason", id];
    let id = format!("p_{}", asked.simple());
    desk.duly("ann", &[&told("visit")[..], &["--person", &id]].concat())
        .refused(&format!("nobody knows whether a message left for {id}"), "duly unknown decide");
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
    desk.duly("ann", &["audit"]).fine();
}
