//! Messages that somebody takes back: what their provider confirms told nobody, and what it does not confirm counts as it did.

mod faces;

use crate::cli::desk::{Desk, Ran};
use crate::cli::rehearsed::SAID as REHEARSAL;
use crate::support::{Sandbox, Terminal, deadlines, missing, within};
use duly::model::step::{Cause, Recall};
use duly::store::Store;
use duly::store::unit::Note;
use duly_sandbox::{Fault, FaultKind, ProviderConfig};
use serde_json::{Value, json};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};
use uuid::Uuid;

const LONGEST: Duration = Duration::from_secs(120);
/// Longer than any test.
const NEVER_MS: u64 = 3_600_000;

/// A running plan, all of whose messages their providers hold: three texts that do not leave, a letter that left, of which
/// nobody here was told.
struct Held {
    desk: Desk,
    sandbox: Sandbox,
    serve: Child,
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.serve.kill().is_ok() && self.serve.wait().is_err() {
            eprintln!("a process was left behind");
        }
    }
}

impl Held {
    async fn new(name: &str) -> Self {
        let provider = |channel: &str, receipt_delay_ms| ProviderConfig {
            channel: channel.into(),
            receipts: false,
            receipt_delay_ms,
            ..ProviderConfig::default()
        };
        let providers = [("letters".to_owned(), provider("letter", 1)), ("sms-a".to_owned(), provider("sms", NEVER_MS))];
        let sandbox = Sandbox::start(providers.into()).await;
        let mut desk = Desk::with_plan(name, "1").await;
        for (lane, name, poll) in [("LETTERS", "letters", "3600"), ("SMS_A", "sms-a", "1")] {
            let url = format!("{}/{name}", sandbox.url);
            let settings = [("URL", url.as_str()), ("API_KEY", "sandbox-key"), ("LOOKUP", "true"), ("POLL_SECONDS", poll)];
            settings.iter().for_each(|(key, value)| desk.set(&format!("DULY_LANES__{lane}__{key}"), *value));
        }
        desk.duly("bob", &["plan", "approve", "--incident", "cards", "--people", "4"]).fine();
        desk.duly("bob", &["plan", "go", "--incident", "cards"]).fine();
        Self::serving(desk, sandbox, &["accepted"; 4]).await
    }

    /// Works the desk's running plan until its messages stand so.
    async fn serving(mut desk: Desk, sandbox: Sandbox, states: &[&str]) -> Self {
        desk.connect_broker().await;
        desk.set("DULY_WEB__LISTEN", "127.0.0.1:0");
        let log = std::fs::File::create(desk.path("serve.log")).unwrap();
        let serve = desk.command(&["serve", "scheduler", "worker"]).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        let held = Self { desk, sandbox, serve };
        held.until("all are with their providers", "select state from message", states).await;
        held
    }

    async fn state_of(&self, message: &str) -> String {
        let pool = sqlx::PgPool::connect(&self.desk.url).await.unwrap();
        let query = "select state from message where message_id = $1";
        sqlx::query_scalar(query).bind(Uuid::parse_str(message).unwrap()).fetch_one(&pool).await.unwrap()
    }

    async fn words(&self, query: &'static str) -> Vec<String> {
        let pool = sqlx::PgPool::connect(&self.desk.url).await.unwrap();
        sqlx::query_scalar(query).fetch_all(&pool).await.unwrap()
    }

    async fn until(&self, what: &str, query: &'static str, expected: &[&str]) {
        within(LONGEST, what, async || (self.words(query).await == expected).then_some(())).await;
    }

    /// Messages of a channel that a provider holds, oldest first.
    async fn messages(&self, route: &str) -> Vec<String> {
        let pool = sqlx::PgPool::connect(&self.desk.url).await.unwrap();
        let query = "select message_id::text from message join notice using (controller_id, incident_no, person_id, phase)
            where route = $1 order by message_id";
        sqlx::query_scalar(query).bind(route).fetch_all(&pool).await.unwrap()
    }

    fn cancel(&self, message: &str) -> Ran {
        let fixed = ["message", "cancel", message, "--incident", "cards", "--reason", "wrong enclosure", "--json"];
        self.desk.duly("bob", &fixed)
    }

    async fn told_of(&self, message: &str) -> Vec<String> {
        let pool = sqlx::PgPool::connect(&self.desk.url).await.unwrap();
        let query = "select kind || ' ' || coalesce(convert_from(body, 'UTF8')::jsonb -> 'd' ->> 'ground', '')
            from event where message_id = $1::uuid and (kind like 'message.recall%' or kind = 'receipt') order by n";
        sqlx::query_scalar(query).bind(Uuid::parse_str(message).unwrap()).fetch_all(&pool).await.unwrap()
    }

    /// The same of taking it back alone: a poll may tell something in between.
    async fn recalls_of(&self, message: &str) -> Vec<String> {
        let told = self.told_of(message).await;
        told.into_iter().filter(|line| line.starts_with("message.recall")).collect()
    }

    /// Audits, and has the pack verified.
    async fn prove(&self) {
        self.desk.duly("ann", &["audit", "--sealed"]).fine();
        within(LONGEST, "the pack can be made", async || {
            let pack = ["pack", "incident", "--incident", "cards", "--for", "regulator", "--out", "pack.zip"];
            (self.desk.duly("ann", &pack).code == 0).then_some(())
        })
        .await;
        self.desk.write("log.vkey", &self.desk.duly("ann", &["log", "key", "--incident", "cards"]).fine().out);
        let verified = self.desk.duly("ann", &["verify", "pack.zip", "--key", "log.vkey", "--json"]).fine().json();
        assert_eq!(verified["findings"], json!([]), "{verified}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_taken_back_told_nobody_and_the_next_step_takes_its_place() {
    let held = Held::new("taken_back").await;
    let messages = held.messages("sms-then-letter").await;
    assert_eq!((messages.len(), held.sandbox.state.record().len()), (2, 4));

    let person =
        held.words("select 'p_' || replace(person_id::text, '-', '') from message order by message_id limit 1").await.remove(0);
    let listed = held.desk.duly("ann", &["message", "list", "--incident", "cards", "--person", &person]).fine().out;
    assert!(listed.contains("can be taken back"), "{listed}");
    held.desk.refuses_unsigned(&["message", "cancel", &messages[0], "--incident", "cards", "--reason", "wrong enclosure"]);
    assert_eq!(held.told_of(&messages[0]).await, [""; 0], "nobody was asked");
    let done = held.cancel(&messages[0]).fine();

    assert_eq!((&done.json()["recalled"], &done.json()["rehearsal"]), (&json!("cancelled"), &json!([REHEARSAL])));
    assert!(done.err.contains(&format!("Mind: {REHEARSAL}")), "{}", done.err);
    assert_eq!(held.told_of(&messages[0]).await, ["message.recall ", "message.recalled cancelled"]);
    assert_eq!(held.state_of(&messages[0]).await, "failed", "and not notified");
    let listed = held.desk.duly("ann", &["message", "list", "--incident", "cards", "--message", &messages[0]]).fine().out;
    assert!(listed.contains("Taken back before it left") && !listed.contains("Not delivered"), "{listed}");
    held.until("a letter goes instead", "select state from message where reason = 'escalation'", &["accepted"]).await;
    let again = held.cancel(&messages[0]).fine();
    assert!(again.err.contains("was taken back before") && again.json()["recalled"] == "cancelled", "{again:?}");
    held.prove().await;
    let record = held.sandbox.state.record();
    assert_eq!(record.iter().filter(|made| made.channel == "sms").count(), 2, "{record:?}");
    let changed = "update signed_command set statement = convert_to(replace(convert_from(statement, 'UTF8'), 'enclosure', 'addressee'), 'UTF8')";
    held.desk.sabotage(changed).await.unwrap();
    let found = held.desk.duly("ann", &["audit", "--json"]);
    assert!(found.code == 1 && found.out.contains("event_not_signed"), "another reason than was signed: {found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_whose_answer_is_lost_is_unknown_until_its_provider_says_more() {
    let held = Held::new("lost_answer").await;
    let messages = held.messages("sms-then-letter").await;
    for (message, kind) in messages.iter().zip([FaultKind::CancelCut, FaultKind::CancelLost]) {
        held.sandbox.state.set_faults("sms-a", vec![Fault::once(kind)]);
        let unknown = held.cancel(message);
        assert!(unknown.code == 1 && unknown.err.contains("it may leave, and counts as it did"), "{kind:?} {unknown:?}");
        assert_eq!(held.sandbox.state.fired(kind), 1);
        assert_eq!(held.recalls_of(message).await, ["message.recall ", "message.recalled unknown"]);
    }

    // Its provider is asked how it stands: the one was taken back, the other was not.
    let states = "select state from message where reason = 'first' and channel = 'sms' order by state";
    held.until("the provider tells", states, &["accepted", "accepted", "failed"]).await;
    assert_eq!(held.told_of(&messages[1]).await.last().unwrap(), "receipt polled");
    held.prove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_plan_takes_back_what_its_providers_hold_and_says_of_each_what_became_of_it() {
    let held = Held::new("recall_plan").await;
    // The letter is being made, and nobody here was told.
    let ran = held.desk.duly("bob", &["plan", "pause", "--incident", "cards", "--recall", "--json"]).fine();

    let report: Value = ran.json();
    let mut words: Vec<&str> =
        report["recalled"][0]["messages"].as_array().unwrap().iter().map(|m| m["recalled"].as_str().unwrap()).collect();
    words.sort_unstable();
    assert_eq!(words, ["cancelled", "cancelled", "cancelled", "too_late"], "{}", ran.err);
    assert!(ran.err.contains("3 messages cancelled: they told nobody") && ran.err.contains("1 message too late"), "{}", ran.err);
    assert_eq!(held.words("select state from message where channel = 'letter' and reason = 'first'").await, ["accepted"]);
    assert_eq!(held.words("select state from notice where state = 'notified'").await, [""; 0], "nobody counts as told");
    let waits = "select state from message where reason = 'escalation' order by message_id";
    assert_eq!(held.words(waits).await, ["ready", "ready"], "the next steps wait for the plan");
    let again = held.desk.duly("bob", &["plan", "pause", "--incident", "cards", "--recall"]).fine();
    assert!(again.err.contains("paused already") && again.err.contains("1 message too late"), "{}", again.err);
    held.prove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pausing_and_taking_back_are_two_signatures_and_one_question() {
    if !Terminal::is_there() {
        return missing("nobody was asked for a passphrase: there is no script(1) here");
    }
    let held = Held::new("recall_asked").await;
    let mut command = held.desk.command(&["plan", "pause", "--incident", "cards", "--recall"]);
    command.env("DULY_USER_KEY", "bob.key").env_remove("DULY_PASSPHRASE_FILE");
    let mut terminal = Terminal::start(&command);
    terminal.shows("Passphrase of your key: ", 1).await;

    terminal.press(b"the long passphrase of bob\n");
    let left = terminal.ended().await;

    assert_eq!((left.code, left.shown.matches("Passphrase").count()), (0, 1), "{left:?}");
    assert!(left.shown.contains("3 messages cancelled: they told nobody"), "{left:?}");
    let signed = "select convert_from(statement, 'UTF8')::jsonb ->> 'command' from signed_command order by at desc limit 2";
    assert_eq!(held.words(signed).await, ["plan recall", "plan pause"]);
    held.prove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_dies_while_taking_a_message_back_leaves_it_unknown_and_not_cancelled() {
    let held = Held::new("recall_killed").await;
    let messages = held.messages("sms-then-letter").await;
    for (message, point) in messages.iter().zip(["recall_asked", "recall_answered"]) {
        let mut command = held.desk.command(&["message", "cancel", message, "--incident", "cards", "--reason", "x"]);
        command.env("DULY_USER_KEY", "bob.key").env("DULY_PASSPHRASE_FILE", "bob.pass");
        command.env("DULY_FAILPOINT", point).env("DULY_FAILPOINT_DIR", held.desk.folder.path());
        let mut child = command.spawn().unwrap();
        let (marker, end) = (held.desk.path(point), Instant::now() + LONGEST);
        while !marker.exists() {
            assert!(Instant::now() < end && child.try_wait().unwrap().is_none(), "{point} was not reached");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(held.told_of(message).await[..1], ["message.recall "], "{point}");
    }

    // Nothing was asked of the first, which can be asked again; the second's provider tells when it is asked.
    assert_eq!(held.cancel(&messages[0]).fine().json()["recalled"], "cancelled");
    let states = "select state from message where reason = 'first' and channel = 'sms' order by state";
    held.until("the provider tells", states, &["accepted", "failed", "failed"]).await;
    held.prove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_taken_back_without_a_signature_over_exactly_that() {
    let held = Held::new("recall_signed").await;
    let (store, pool) =
        (Store::connect(&held.desk.url, 1, deadlines()).await.unwrap(), sqlx::PgPool::connect(&held.desk.url).await.unwrap());
    let incident = store.load_incident("cards").await.unwrap();
    let (message, person): (Uuid, Uuid) =
        sqlx::query_as("select message_id, person_id from message limit 1").fetch_one(&pool).await.unwrap();
    let signer = held.desk.signer("bob").await;
    let other = json!({ "command": "message cancel", "incident": incident.incident_id, "message": Uuid::nil(), "reason": "x" });
    let by = signer.sign(&store, &other).await.unwrap();
    for cause in [Cause::RecallAsked, Cause::Recalled(Recall::Cancelled)] {
        for named in [None, Some(by)] {
            let mut note = Note::default();
            if let Some(by) = named {
                note.detail.insert("command".into(), json!(by.command_id.to_string()));
                note.detail.insert("user".into(), json!(by.user_id.to_string()));
            }
            let refused = store.apply_one(incident.key, person, message, cause, note).await;
            assert!(refused.is_err_and(|error| format!("{error:?}").contains("DU081")), "{cause:?}");
        }
    }
    assert_eq!(held.words("select state from message where state <> 'accepted'").await, [""; 0]);
    held.desk
        .duly("bob", &["message", "cancel", &message.to_string(), "--incident", "cards", "--reason", " "])
        .refused("the reason is empty", "say why");
}
