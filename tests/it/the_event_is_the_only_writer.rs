//! The application's role cannot change a fact but by an event, and an event must fit and say so in its bytes.

mod decisions;
mod elsewhere;
mod guards;
mod logs;
mod pairs;
mod role;

use crate::support::{World, world};
use duly::model::statement::plan_command;
use duly_ledger::{Event, leaf_hash};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use sqlx::{PgExecutor, PgPool};
use uuid::Uuid;

async fn as_role(world: &World, role: &'static str) -> PgPool {
    sqlx::postgres::PgPoolOptions::new()
        .after_connect(move |c, _| {
            Box::pin(async move { sqlx::raw_sql(sqlx::AssertSqlSafe(format!("set role {role}"))).execute(c).await.map(|_| ()) })
        })
        .connect(&world.url)
        .await
        .unwrap()
}

/// The code with which the database refused; empty where it did not.
fn code_of<T>(done: Result<T, sqlx::Error>) -> String {
    done.err().map(|e| e.into_database_error().unwrap().code().unwrap_or_default().into_owned()).unwrap_or_default()
}

#[tokio::test]
async fn a_hold_is_set_and_lifted_with_its_event_or_not_at_all() {
    let world = world("hold_event", 1).await;
    let app = as_role(&world, "duly_app").await;
    let by = world
        .users
        .ann
        .sign(&world.store, &duly::model::statement::hold_set(world.incident.incident_id, None, "x"))
        .await
        .unwrap();

    let silent = sqlx::query(
        "insert into hold (hold_id, controller_id, incident_no, reason, set_by, command_id)
         select gen_random_uuid(), controller_id, incident_no, 'x', $1, $2 from incident",
    );
    let refused = silent.bind(by.user_id).bind(by.command_id).execute(&app).await.unwrap_err();

    assert_eq!(refused.into_database_error().unwrap().code().as_deref(), Some("DU008"));
}

#[tokio::test]
async fn a_message_stays_on_its_lane_and_none_is_added_without_a_cause() {
    let world = world("message_walls", 2).await;
    let app = as_role(&world, "duly_app").await;
    let code = async |attack: &'static str| code_of(sqlx::raw_sql(attack).execute(&app).await);
    sqlx::raw_sql("update message set lane = 'sms-a'").execute(&app).await.unwrap();

    assert_eq!(code("update message set lane = 'sms-b'").await, "DU041");
    assert_eq!(code("update message set lane = null").await, "DU041");
    assert_eq!(code(ADDED_FIRST).await, "DU042");
    assert_eq!(code(ADDED_ESCALATION).await, "DU043");
    assert_eq!(code(ADDED_RESEND).await, "DU043");
}

macro_rules! added {
    ($channel:literal, $reason:literal, $ordinal:literal) => {
        concat!(
            "insert into message (controller_id, incident_no, message_id, person_id, phase, channel, reason, ordinal, plan_no, postage_class, due_at, expires_at)
             select controller_id, incident_no, gen_random_uuid(), person_id, 1, '", $channel, "', '", $reason, "', ", $ordinal, ", 1, 'first', now(), now() from message limit 1"
        )
    };
}
const ADDED_FIRST: &str = added!("sms", "first", 2);
const ADDED_ESCALATION: &str = added!("letter", "escalation", 1);
const ADDED_RESEND: &str = added!("sms", "resend", 1);

/// An event and the columns beside it.
struct Forged {
    event: Event,
    kind: String,
    n: Option<i64>,
    person: Option<Uuid>,
    message: Option<(Uuid, &'static str, &'static str)>,
    notice: Option<(&'static str, &'static str)>,
    plan: Option<(i32, &'static str, &'static str)>,
    due_in_ms: Option<i64>,
    lease_in_ms: Option<i64>,
}

impl Forged {
    fn new(world: &World, kind: &str, person: Option<Uuid>, detail: &Value) -> Self {
        let event = Event {
            id: Uuid::now_v7().to_string(),
            inc: world.incident.incident_id.to_string(),
            kind: kind.to_owned(),
            n: person.map(|_| 1),
            person: person.map(|id| *id.as_bytes()),
            prev: None,
            at_micros: 1_764_024_005_000_001,
            detail: detail.as_object().cloned().unwrap_or_else(Map::new),
        };
        Self {
            event,
            kind: kind.to_owned(),
            n: person.map(|_| 1),
            person,
            message: None,
            notice: None,
            plan: None,
            due_in_ms: None,
            lease_in_ms: None,
        }
    }

    async fn insert(&self, by: impl PgExecutor<'_>) -> Result<(), String> {
        self.insert_bytes(by, &self.event.to_bytes().unwrap()).await
    }

    async fn insert_bytes(&self, by: impl PgExecutor<'_>, body: &[u8]) -> Result<(), String> {
        self.insert_leaf(by, body, &leaf_hash(body)).await
    }

    async fn insert_leaf(&self, by: impl PgExecutor<'_>, body: &[u8], leaf: &[u8]) -> Result<(), String> {
        let done = sqlx::query(
            "insert into event (controller_id, incident_no, person_id, n, kind, message_id, message_from, message_to, notice_phase,
                    notice_from, notice_to, plan_no, plan_from, plan_to, body, leaf, due_in_ms, lease_in_ms)
             select controller_id, incident_no, $1, $2, $3, $4, $5, $6, case when $1::uuid is not null then 1 end, $7, $8, $9, $10, $11, $12, $13, $14, $15 from incident",
        )
        .bind(self.person)
        .bind(self.n)
        .bind(&self.kind)
        .bind(self.message.map(|(id, ..)| id))
        .bind(self.message.map(|(_, from, _)| from))
        .bind(self.message.map(|(.., to)| to))
        .bind(self.notice.map(|(from, _)| from))
        .bind(self.notice.map(|(_, to)| to))
        .bind(self.plan.map(|(no, ..)| no))
        .bind(self.plan.map(|(_, from, _)| from))
        .bind(self.plan.map(|(.., to)| to))
        .bind(body)
        .bind(leaf)
        .bind(self.due_in_ms)
        .bind(self.lease_in_ms)
        .execute(by)
        .await;
        done.map(|_| ()).map_err(|e| code_of(Err::<(), _>(e)))
    }
}

/// An escalation's cancellation, which this world's message may make.
fn cancelled(world: &World, detail: &Value) -> Forged {
    let message = Some((world.messages[0], "ready", "cancelled"));
    Forged { message, ..Forged::new(world, "message.cancelled", Some(world.people[0]), detail) }
}

#[tokio::test]
async fn an_event_that_does_not_fit_fails_as_a_whole() {
    let world = world("misfit", 1).await;
    let app = as_role(&world, "duly_app").await;
    for (from, to) in [("unknown", "ready"), ("ready", "accepted_not"), ("ready", "asked")] {
        let forged = Forged { message: Some((world.messages[0], from, to)), ..cancelled(&world, &json!({"to": to})) };
        assert_eq!(forged.insert(&app).await, Err("DU002".to_owned()), "{from} {to}");
    }
    for (from, to, code) in
        [("open", "open", "DU003"), ("notified", "open", "DU003"), ("open", "exempt", "DU031"), ("open", "withdrawn", "DU031")]
    {
        let forged = Forged { notice: Some((from, to)), ..cancelled(&world, &json!({"notice": to, "to": "cancelled"})) };
        assert_eq!(forged.insert(&app).await, Err(code.to_owned()), "{from} {to}");
    }

    assert_eq!(cancelled(&world, &json!({"to": "cancelled"})).insert(&app).await, Ok(()));
}

#[tokio::test]
async fn an_event_whose_bytes_tell_something_else_than_its_row_is_refused() {
    let world = world("bytes", 2).await;
    let app = as_role(&world, "duly_app").await;
    let good = json!({"to": "cancelled"});
    let bytes = |forged: &Forged| String::from_utf8(forged.event.to_bytes().unwrap()).unwrap();
    let refused = async |forged: Forged, body: String, code: &str| {
        assert_eq!(forged.insert_bytes(&app, body.as_bytes()).await, Err(code.to_owned()), "{body}");
    };

    refused(cancelled(&world, &good), "{}".into(), "DU001").await;
    for (is, told) in [
        ("message.cancelled", "message.rejected"),
        ("\"n\":1", "\"n\":2"),
        ("\"prev\":null", "\"prev\":\"abababababababababababababababababababababababababababababababab\""),
        ("\"v\":1}", "\"v\":1} "),
    ] {
        let forged = cancelled(&world, &good);
        let body = bytes(&forged).replace(is, told);
        refused(forged, body, "DU001").await;
    }
    let other =
        Forged { person: Some(world.people[0]), ..Forged::new(&world, "message.cancelled", Some(world.people[1]), &good) };
    let body = bytes(&other);
    refused(other, body, "DU001").await;
    // A pattern instead of a kind fits any bytes, and so none.
    refused(Forged { kind: "message.%".into(), ..cancelled(&world, &good) }, bytes(&cancelled(&world, &good)), "23514").await;
    for told in [json!({}), json!({"to": "rejected"}), json!({"notice": "notified", "to": "cancelled"})] {
        let forged = cancelled(&world, &told);
        let body = bytes(&forged);
        refused(forged, body, "DU006").await;
    }
    let of_incident = Forged { kind: "plan.paused".into(), ..Forged::new(&world, "plan.started", None, &json!({})) };
    let body = bytes(&of_incident);
    refused(of_incident, body, "DU006").await;
}

#[tokio::test]
async fn an_event_whose_leaf_is_not_the_hash_of_its_bytes_is_refused() {
    let world = world("leaf", 1).await;
    let app = as_role(&world, "duly_app").await;
    let forged = cancelled(&world, &json!({"to": "cancelled"}));
    let body = forged.event.to_bytes().unwrap();
    let mut other = leaf_hash(&body);
    other[31] ^= 1;
    let unmarked: [u8; 32] = Sha256::digest(&body).into();
    for (leaf, what) in [
        (leaf_hash(b"another event").to_vec(), "the hash of another event"),
        (other.to_vec(), "one bit changed"),
        (unmarked.to_vec(), "without the byte that marks a leaf"),
        (leaf_hash(&body)[..31].to_vec(), "cut"),
        (Vec::new(), "none"),
    ] {
        assert_eq!(forged.insert_leaf(&app, &body, &leaf).await, Err("23514".to_owned()), "{what}");
    }

    assert_eq!(forged.insert(&app).await, Ok(()), "the event itself was good");
}

const PLAN_STATES: [&str; 5] = ["prepared", "approved", "running", "paused", "withdrawn"];
const PLAN_MOVES: [(&str, &str, &[&str], &str); 5] = [
    ("plan.approved", "plan approve", &["prepared"], "approved"),
    ("plan.started", "plan go", &["approved"], "running"),
    ("plan.paused", "plan pause", &["running"], "paused"),
    ("plan.resumed", "plan resume", &["paused"], "running"),
    ("plan.withdrawn", "plan withdraw", &["prepared", "approved"], "withdrawn"),
];

/// A plan's event under bob's fresh signature.
async fn plan_event(world: &World, kind: &str, command: &str, from: &'static str, to: &'static str) -> Forged {
    let plan = world.store.load_plan(world.incident.key, 1).await.unwrap();
    let by = world.users.bob.sign(&world.store, &plan_command(command, world.incident.incident_id, 1, &plan.hash)).await.unwrap();
    let detail = json!({"command": by.command_id, "hash": hex::encode(&plan.hash), "plan": 1, "user": by.user_id});
    Forged { plan: Some((1, from, to)), ..Forged::new(world, kind, None, &detail) }
}

#[tokio::test]
async fn a_plan_moves_along_its_table_only_each_time_by_the_signature_for_that() {
    let world = world("plan_moves", 1).await;
    let (owner, app) = (PgPool::connect(&world.url).await.unwrap(), as_role(&world, "duly_app").await);
    for from in PLAN_STATES {
        for to in PLAN_STATES {
            for (kind, command, rule_from, rule_to) in PLAN_MOVES {
                sqlx::query("update plan set state = $1").bind(from).execute(&owner).await.unwrap();
                let done = plan_event(&world, kind, command, from, to).await.insert(&app).await;
                let expected = if rule_from.contains(&from) && to == rule_to { Ok(()) } else { Err("DU004".to_owned()) };
                assert_eq!(done, expected, "{kind}: {from} -> {to}");
            }
        }
    }
}

#[tokio::test]
async fn a_plan_is_not_approved_by_an_event_alone_nor_started_without_its_own_signed_command() {
    let world = world("plan_unsigned", 1).await;
    let (owner, app) = (PgPool::connect(&world.url).await.unwrap(), as_role(&world, "duly_app").await);
    let refused = async |forged: Forged, what: &str| assert_eq!(forged.insert(&app).await, Err("DU004".to_owned()), "{what}");

    // The plan runs. An empty event would have turned it back.
    let empty = Forged { plan: Some((1, "running", "prepared")), ..Forged::new(&world, "plan.turned", None, &json!({})) };
    refused(empty, "an empty event").await;

    sqlx::raw_sql("update plan set state = 'prepared'; update incident set approvals_required = 2")
        .execute(&owner)
        .await
        .unwrap();
    refused(plan_event(&world, "plan.approved", "plan approve", "prepared", "approved").await, "one approval of two").await;

    sqlx::raw_sql("update plan set state = 'approved'").execute(&owner).await.unwrap();
    refused(plan_event(&world, "plan.started", "plan pause", "approved", "running").await, "signed for something else").await;
    let mut other = plan_event(&world, "plan.started", "plan go", "approved", "running").await;
    other.event.detail.insert("user".into(), json!(world.users.ann.user_id));
    refused(other, "signed by somebody else").await;
    let mut another = plan_event(&world, "plan.started", "plan go", "approved", "running").await;
    another.event.detail.insert("hash".into(), json!("ab".repeat(32)));
    refused(another, "another hash").await;
}

#[tokio::test]
async fn an_approval_needs_exactly_its_own_command() {
    let world = world("approval_words", 1).await;
    let app = as_role(&world, "duly_app").await;
    let owner = PgPool::connect(&world.url).await.unwrap();
    sqlx::raw_sql("delete from plan_approval").execute(&owner).await.unwrap();
    let (id, plan) = (world.incident.incident_id, world.store.load_plan(world.incident.key, 1).await.unwrap());
    let hash = hex::encode(&plan.hash);
    let good = plan_command("plan approve", id, 1, &plan.hash);

    for (words, code) in [
        (json!({"command": "hold set", "incident": id, "plan": 1, "hash": hash}), "DU005"),
        (json!({"command": "plan approve", "incident": id, "plan": 2, "hash": hash}), "DU005"),
        (json!({"command": "plan approve", "incident": Uuid::nil(), "plan": 1, "hash": hash}), "DU005"),
        (json!({"command": "plan approve", "incident": id, "plan": 1, "hash": "00", "note": hash}), "DU005"),
        (json!({"command": "plan approve", "incident": id, "plan": 1, "hash": hash, "not": true}), "DU005"),
        (good, ""),
    ] {
        let by = world.users.bob.sign(&world.store, &words).await.unwrap();
        let done = sqlx::query(
            "insert into plan_approval (controller_id, incident_no, plan_no, user_id, command_id)
             select controller_id, incident_no, 1, $1, $2 from incident",
        )
        .bind(by.user_id)
        .bind(by.command_id)
        .execute(&app)
        .await;
        assert_eq!(code_of(done), code, "{words}");
    }
}
