//! The audit of a whole run: what Duly says of itself, and the sandbox's own record beside it.

use super::stage::Stage;
use super::world::deadlines;
use duly::provider::sandbox::read_request;
use duly::store::Store;
use duly::store::audit::record::{Produced, compare};
use duly_sandbox::Physical;
use serde_json::Value;
use sqlx::Row;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// Channel, destination, SHA-256 of the content: what makes two physical messages one and the same.
type Triple = (String, String, String);

/// States that say that no provider was ever believed to have the message.
const NOT_TAKEN: &[&str] = &["ready", "sending", "unknown", "asked", "rejected", "exhausted", "superseded", "cancelled"];

/// How many send-once keys have frozen a triple, and how many of them say that a provider took it.
#[derive(Default)]
struct Keys {
    frozen: usize,
    taken: usize,
}

impl Stage {
    /// Panics unless everything holds.
    pub async fn audit(&self) {
        let findings = self.findings().await;
        assert!(findings.is_empty(), "{findings:#?}");
    }

    /// Every difference between what must hold and what is; sorted, without repeats.
    pub async fn findings(&self) -> BTreeSet<String> {
        // A connection of its own: the test may have broken all others.
        let store = Store::connect(&self.database.url, 1, deadlines()).await.unwrap();
        let own = store.audit(self.incident.key).await.unwrap();
        let mut findings: BTreeSet<String> = own.iter().map(|finding| finding.code.to_owned()).collect();
        if !store.equation(self.incident.key).await.unwrap().holds() {
            findings.insert("equation_does_not_hold".into());
        }
        findings.extend(self.audit_sealed(&store).await);
        findings.extend(self.compare_record().await);
        findings.extend(self.compare_requests().await);
        findings
    }

    /// What the keys show, and the sandbox's record beside it, by the product's own audit.
    async fn audit_sealed(&self, store: &Store) -> Vec<String> {
        let read = |_: &str, frozen: &[u8]| read_request(frozen);
        let sealed = store.audit_sealed(self.incident.key, &self.office.master, &read).await.unwrap();
        let produced = |p: Physical| Produced { channel: p.channel, destination: p.destination, content_sha256: p.content_sha256 };
        let record: Vec<Produced> = self.sandbox.state.record().into_iter().map(produced).collect();
        sealed.findings.iter().chain(&compare(&sealed.sends, &record)).map(|finding| finding.code.to_owned()).collect()
    }

    /// Each physical message against the send-once keys whose frozen request has it.
    async fn compare_record(&self) -> Vec<String> {
        let mut keys = self.frozen_triples().await;
        let mut findings = Vec::new();
        let mut produced: BTreeMap<Triple, usize> = BTreeMap::new();
        for Physical { channel, destination, content_sha256, .. } in self.sandbox.state.record() {
            *produced.entry((channel, destination, content_sha256)).or_default() += 1;
        }
        for (triple, n) in produced {
            let known = keys.remove(&triple).unwrap_or_default();
            if known.frozen == 0 {
                findings.push("physical_message_that_nobody_claimed".to_owned());
            } else if n > known.frozen {
                findings.push("physical_message_twice".to_owned());
            } else if n < known.taken {
                findings.push("taken_but_not_produced".to_owned());
            }
        }
        findings.extend(keys.values().filter(|known| known.taken > 0).map(|_| "taken_but_not_produced".to_owned()));
        findings
    }

    /// Opens the frozen requests with the people's own keys.
    async fn frozen_triples(&self) -> BTreeMap<Triple, Keys> {
        let rows = sqlx::query(
            "select distinct on (a.message_id) a.message_id, m.channel, m.state, a.request, encode(a.content_hash, 'hex') as hash, k.wrapped
               from attempt a join message m using (controller_id, incident_no, message_id, person_id)
               join person_key k using (controller_id, incident_no, person_id)
              order by a.message_id, a.attempt",
        )
        .fetch_all(&self.owner)
        .await
        .unwrap();
        let incident_key = self.office.master.unwrap_key(&self.incident.wrapped_key, "incident").unwrap();
        let mut keys: BTreeMap<Triple, Keys> = BTreeMap::new();
        for row in rows {
            let key = incident_key.unwrap_key(row.get("wrapped"), "person").unwrap();
            let request: Value = serde_json::from_slice(&key.open("request", row.get("request")).unwrap()).unwrap();
            let known = keys.entry((row.get("channel"), destination(&request), row.get("hash"))).or_default();
            known.frozen += 1;
            known.taken += usize::from(!NOT_TAKEN.contains(&row.get::<&str, _>("state")));
        }
        keys
    }

    /// No attempt may make more than one request: nothing in the HTTP client tries again by itself.
    async fn compare_requests(&self) -> Vec<String> {
        let rows = sqlx::query("select lane, reference, count(*) as attempts from attempt group by 1, 2")
            .fetch_all(&self.owner)
            .await
            .unwrap();
        let attempts: BTreeMap<String, i64> = rows
            .iter()
            .map(|row| (format!("{} {}", row.get::<&str, _>("lane"), row.get::<&str, _>("reference")), row.get("attempts")))
            .collect();
        let requests = self.sandbox.state.requests();
        let too_many = requests.iter().filter(|(name, n)| i64::from(**n) > attempts.get(*name).copied().unwrap_or(0));
        too_many.map(|_| "more_requests_than_attempts".to_owned()).collect()
    }

    /// Physical messages by reference.
    pub fn produced(&self) -> usize {
        self.sandbox.state.record().len()
    }

    /// Alarms by code.
    pub async fn alarms(&self) -> Vec<String> {
        self.words("select code from alarm order by alarm_id").await
    }

    /// Attempts of one message.
    pub async fn attempts(&self, message_id: Uuid) -> i64 {
        sqlx::query_scalar("select count(*) from attempt where message_id = $1")
            .bind(message_id)
            .fetch_one(&self.owner)
            .await
            .unwrap()
    }
}

fn destination(request: &Value) -> String {
    match (request["to"].as_str(), request["address"].as_array()) {
        (Some(number), _) => number.to_owned(),
        (None, Some(lines)) => lines.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("\n"),
        (None, None) => panic!("a frozen request has no destination"),
    }
}
