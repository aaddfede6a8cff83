//! The store alone: a database with an incident, people and a running plan, and no process.

use super::approval::Users;
use super::database::{TestDatabase, migrated_database};
use duly::model::contact::{PersonRecord, RawPerson};
use duly::model::health::HealthRules;
use duly::model::seal::{Key, generate_pair};
use duly::store::claim::Intent;
use duly::store::controller::NewController;
use duly::store::due::Quota;
use duly::store::incident::{Incident, NewIncident};
use duly::store::list::{NewPerson, NewRow};
use duly::store::plan::{PreparedContent, PreparedNotice, Terms};
use duly::store::{Deadlines, Store};
use duly_ledger::{ManifestBuilder, ManifestLine};
use serde_json::json;
use std::collections::BTreeMap;
use uuid::Uuid;

/// A world to test in.
pub struct World {
    pub url: String,
    pub store: Store,
    pub incident: Incident,
    pub people: Vec<Uuid>,
    pub messages: Vec<Uuid>,
    pub users: Users,
    _database: TestDatabase,
}

pub fn deadlines() -> Deadlines {
    Deadlines {
        lease_ms: 60_000,
        queue_lease_ms: 60_000,
        unknown_ms: 0,
        no_news_ms: 60_000,
        asked_ms: 60_000,
        overdue_ms: 60_000,
        laid_aside_ms: 90 * 86_400_000,
        laid_aside_max: 1000,
        health: HealthRules { window_ms: 60_000, bad_min: 1_000_000, bad_percent: 100, rest_min_ms: 60_000, rest_max_ms: 60_000 },
    }
}

/// So many messages at once, and nothing that stops them.
pub fn quota(limit: i64) -> Quota {
    Quota { limit, outstanding_max: 1000, attempts_max: 20, takes_new: true }
}

/// A database with one running plan over `count` people on the route `sms-then-letter`.
pub async fn world(name: &str, count: u8) -> World {
    make_world(name, count, &[("GB", "uk-gdpr")], 1, async |_| {}).await
}

/// The same, of an incident whose plans need so many approvals, after `meddle` was at its database before the plan was made.
pub async fn world_after(name: &str, count: u8, approvals: i32, meddle: impl AsyncFnOnce(&str)) -> World {
    make_world(name, count, &[("GB", "uk-gdpr")], approvals, meddle).await
}

/// The same, of people who live in these places by turns, each with its profile. Under `us-ca` a text message ends no notice.
pub async fn world_under(name: &str, count: u8, places: &[(&str, &str)]) -> World {
    make_world(name, count, places, 1, async |_| {}).await
}

async fn make_world(name: &str, count: u8, places: &[(&str, &str)], approvals: i32, meddle: impl AsyncFnOnce(&str)) -> World {
    let database = migrated_database(name).await;
    let url = database.url.clone();
    let store = Store::connect(&url, 5, deadlines()).await.unwrap();
    let users = Users::new(&store).await;
    let incident = incident(&store, &users, approvals).await;
    let key = Key::generate();
    let list = store.open_list(incident.key, "file", Some(b"hash"), &key.wrap(&key, "list")).await.unwrap();
    let place = |i: usize| places[i % places.len()];
    let rows: Vec<NewRow> = (0..count).map(|i| row(i, place(usize::from(i)).0)).collect();
    store.insert_rows(incident.key, list.list_no, &rows).await.unwrap();
    let people: Vec<Uuid> = rows.iter().filter_map(|r| r.person.as_ref().map(|p| p.person_id)).collect();
    meddle(&url).await;
    let laws: Vec<(&str, &str)> = (0..people.len()).map(place).collect();
    let messages = plan(&store, &incident, &users, &people, &laws).await;
    World { url, store, incident, people, messages, users, _database: database }
}

impl World {
    /// The call of a message, as a worker would claim it.
    pub fn intent(&self, i: usize) -> Intent {
        Intent {
            message_id: self.messages[i],
            person_id: self.people[i],
            version: 1,
            repeat: None,
            per_day: None,
            lane: "sms-a".into(),
            reference: hex::encode(self.messages[i].as_bytes()),
            request: vec![1],
            content: [1; 32],
            destination: [0; 32],
        }
    }

    /// Sets a hold on the incident, or on one person of it.
    pub async fn hold(&self, person: Option<Uuid>) -> Uuid {
        self.users.hold(&self.store, &self.incident, person).await
    }

    /// Lifts a hold.
    pub async fn lift(&self, hold: Uuid) {
        self.users.lift(&self.store, hold).await;
    }
}

async fn incident(store: &Store, users: &Users, approvals: i32) -> Incident {
    let (public, secret) = generate_pair();
    let master = Key::generate();
    let controller = NewController {
        slug: "northmere".into(),
        name: "Northmere".into(),
        sms_sender: "NORTHMERE".into(),
        address: vec!["1 Station Road".into()],
        receipts_public_key: public,
        receipts_secret_key: master.wrap(&secret, "receipts"),
        added_by: None,
    };
    let controller_id = store.insert_controller(&controller).await.unwrap();
    let new = NewIncident {
        controller_id,
        incident_id: Uuid::now_v7(),
        slug: "test".into(),
        profile: "uk-gdpr".into(),
        texts: json!({}),
        wrapped_key: master.wrap(&Key::generate(), "incident"),
        intake_public_key: public,
        intake_secret_key: master.wrap(&secret, "intake"),
        approvals_required: approvals,
    };
    users.ann.add_incident(store, "northmere", &new).await.unwrap();
    store.load_incident("test").await.unwrap()
}

fn row(i: u8, jurisdiction: &str) -> NewRow {
    let raw = RawPerson {
        external_reference: format!("PN{i}"),
        last_name: "Price".into(),
        phone: "07400 123456".into(),
        ..RawPerson::default()
    };
    assert!(PersonRecord::check(&raw).is_ok());
    NewRow {
        identity: i64::from(i).to_be_bytes().to_vec(),
        row_no: Some(i64::from(i)),
        job: None,
        tombstone: None,
        person: Some(NewPerson {
            person_id: Uuid::from_bytes([i + 1; 16]),
            wrapped_key: vec![1],
            contact: vec![1],
            reference_hash: [i; 32],
            fields_hash: [i; 32],
            reference_code: format!("CODE-{i:04}"),
            language: "en".into(),
            format: "standard".into(),
            jurisdiction: jurisdiction.into(),
            has_phone: true,
            has_address: true,
            has_email: false,
            commitments: json!({"letter": "00".repeat(32), "sms": "00".repeat(32)}),
        }),
        faults: json!([]),
        sealed: vec![1],
    }
}

fn content(channel: &'static str, byte: u8) -> PreparedContent {
    PreparedContent { channel, content: "full", template_hash: [byte + 1; 32], parts: 1, commitment: [byte; 32] }
}

fn contents_root(notices: &[PreparedNotice]) -> [u8; 32] {
    let mut builder = ManifestBuilder::default();
    for notice in notices {
        let commitments = notice.contents.iter().map(|c| (c.channel.to_owned(), c.commitment)).collect();
        builder.push(&ManifestLine { person: *notice.person_id.as_bytes(), commitments }).unwrap();
    }
    builder.root()
}

fn closing(profile: &str) -> serde_json::Value {
    let letter = json!({"channel": "letter", "content": "full", "state": "handed_to_carrier"});
    let sms = json!({"channel": "sms", "content": "full", "state": "delivered_to_handset"});
    if profile == "us-ca" { json!([letter]) } else { json!([letter, sms]) }
}

async fn plan(store: &Store, incident: &Incident, users: &Users, people: &[Uuid], laws: &[(&str, &str)]) -> Vec<Uuid> {
    let by = users.prepare(store, incident).await;
    let mut draft = store.begin_plan(incident.key).await.unwrap();
    let messages: Vec<Uuid> = people.iter().map(|_| Uuid::now_v7()).collect();
    let notices: Vec<PreparedNotice> = people
        .iter()
        .zip(&messages)
        .zip(laws)
        .map(|((person_id, message_id), (_, profile))| PreparedNotice {
            person_id: *person_id,
            version: 1,
            profile: (*profile).to_owned(),
            route: "sms-then-letter",
            problem: None,
            contents: vec![content("sms", 1), content("letter", 3)],
            zones: vec!["Europe/London".into()],
            first: vec![(*message_id, "sms")],
        })
        .collect();
    let terms = Terms {
        message_deadline_ms: 3_600_000,
        postage_class: "first",
        accounts: BTreeMap::new(),
        unknown_rules: BTreeMap::new(),
        lanes: vec!["sms-a".into(), "letters".into()],
        is_urgent: false,
        quiet: None,
        zones: Vec::new(),
    };
    draft.insert_notices(1, &notices, &terms).await.unwrap();
    let profiles: serde_json::Map<_, _> = laws
        .iter()
        .map(|(place, profile)| ((*profile).to_owned(), json!({"closing": closing(profile), "jurisdictions": {*place: 1}})))
        .collect();
    let contents = json!({"people": people.len(), "root": hex::encode(contents_root(&notices))});
    let body = json!({"contents": contents, "profiles": profiles}).to_string();
    let hash: [u8; 32] = sha2::Digest::finalize(<sha2::Sha256 as sha2::Digest>::new_with_prefix(&body)).into();
    let plan_no = draft.finish(body.as_bytes(), &hash, &terms, by).await.unwrap();
    users.approve_and_start(store, incident, plan_no).await;
    messages
}
