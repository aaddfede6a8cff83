//! Checks of all invariants by queries that share nothing with the rest of the store.

use super::unit::IncidentKey;
use super::{Store, StoreError};
use duly_ledger::{Event, leaf_hash};
use std::collections::HashMap;
use uuid::Uuid;

/// One difference between what must hold and what is.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// Stable code.
    pub code: &'static str,
    /// Person, message or count concerned; never personal data.
    pub place: String,
}

/// What a physical record must be compared with: channel, content hash (hex), and how many send-once keys have it.
pub type ExpectedSend = (String, String, i64);

impl Store {
    /// Checks an incident and returns every finding; none means that all of it holds.
    pub async fn audit(&self, incident: IncidentKey) -> Result<Vec<Finding>, StoreError> {
        let mut findings = self.audit_counts(incident).await?;
        findings.extend(self.audit_chains(incident).await?);
        Ok(findings)
    }

    async fn audit_counts(&self, incident: IncidentKey) -> Result<Vec<Finding>, StoreError> {
        let rows = sqlx::query!(
            r#"select 'person_without_row' as "code!", p.person_id::text as "place!" from person p
                where p.controller_id = $1 and p.incident_no = $2 and not exists (select from source_row s
                  where s.controller_id = $1 and s.incident_no = $2 and s.person_id = p.person_id and s.fate = 'person')
               union all select 'row_without_person', s.list_no || '/' || coalesce(s.row_no, 0) from source_row s
                where s.controller_id = $1 and s.incident_no = $2 and s.person_id is not null and not exists (select from person p
                  where p.controller_id = $1 and p.incident_no = $2 and p.person_id = s.person_id)
               union all select 'frozen_count_differs', f.list_no::text from list_freeze f
                where f.controller_id = $1 and f.incident_no = $2 and f.people <> (select count(*) from person p
                  where p.controller_id = $1 and p.incident_no = $2 and p.list_no = f.list_no)
               union all select 'outcome_without_attempt', o.message_id::text from outcome o
                where o.controller_id = $1 and o.incident_no = $2 and not exists (select from attempt a
                  where a.controller_id = $1 and a.incident_no = $2 and a.message_id = o.message_id and a.attempt = o.attempt)
               union all select 'attempt_without_intent', a.message_id::text from attempt a
                where a.controller_id = $1 and a.incident_no = $2 and (select count(*) from event e
                  where e.controller_id = $1 and e.incident_no = $2 and e.message_id = a.message_id and e.kind = 'message.intent'
                    and e.attempt = a.attempt) <> 1
               union all select 'two_provider_ids', o.message_id::text from outcome o
                where o.controller_id = $1 and o.incident_no = $2 and o.provider_id is not null
                group by o.message_id having count(distinct o.provider_id) > 1
               union all select 'open_without_deadline', m.message_id::text from message m
                where m.controller_id = $1 and m.incident_no = $2 and m.due_at is null
                  and m.state in ('ready', 'sending', 'unknown', 'asked', 'accepted', 'sent', 'printed', 'overdue')"#,
            incident.controller_id,
            incident.incident_no
        )
        .fetch_all(&self.pool)
        .await?;
        let code = |word: &str| CODES.iter().copied().find(|c| *c == word).unwrap_or("unknown_code");
        Ok(rows.into_iter().map(|r| Finding { code: code(&r.code), place: r.place }).collect())
    }

    /// Replays every person's events: bytes, chain, and the states that they lead to.
    async fn audit_chains(&self, incident: IncidentKey) -> Result<Vec<Finding>, StoreError> {
        let rows = sqlx::query!(
            "select person_id, n, body, leaf, message_id, message_from, message_to from event
              where controller_id = $1 and incident_no = $2 and person_id is not null order by person_id, n",
            incident.controller_id,
            incident.incident_no
        )
        .fetch_all(&self.pool)
        .await?;
        let mut findings = Vec::new();
        let mut heads: HashMap<Uuid, (i64, [u8; 32])> = HashMap::new();
        let mut states: HashMap<Uuid, String> = HashMap::new();
        for row in rows {
            let (Some(person_id), Some(n)) = (row.person_id, row.n) else { continue };
            let mut bad = |code| findings.push(Finding { code, place: format!("p_{}/{n}", person_id.simple()) });
            let before = heads.get(&person_id).copied();
            match Event::parse(&row.body) {
                Ok(event) if event.prev == before.map(|(_, leaf)| leaf) && n == before.map_or(1, |(n, _)| n + 1) => {}
                Ok(_) => bad("chain_broken"),
                Err(_) => bad("event_not_canonical"),
            }
            if leaf_hash(&row.body).as_slice() != row.leaf {
                bad("leaf_differs");
            }
            heads.insert(person_id, (n, leaf_hash(&row.body)));
            if let (Some(message_id), Some(from), Some(to)) = (row.message_id, row.message_from, row.message_to) {
                let state = states.entry(message_id).or_insert_with(|| "ready".to_owned());
                if *state != from {
                    bad("move_from_another_state");
                }
                *state = to;
            }
        }
        let stored = sqlx::query!("select message_id, state from message where controller_id = $1 and incident_no = $2", incident.controller_id, incident.incident_no)
            .fetch_all(&self.pool)
            .await?;
        for row in stored {
            if states.get(&row.message_id).map_or("ready", String::as_str) != row.state {
                findings.push(Finding { code: "state_differs_from_events", place: row.message_id.to_string() });
            }
        }
        Ok(findings)
    }

    /// What the providers' own record must be compared with.
    pub async fn list_expected_sends(&self, incident: IncidentKey) -> Result<Vec<ExpectedSend>, StoreError> {
        let rows = sqlx::query!(
            r#"select m.channel, encode(a.content_hash, 'hex') as "hash!", count(distinct a.message_id) as "n!"
                 from attempt a join message m using (controller_id, incident_no, message_id)
                where a.controller_id = $1 and a.incident_no = $2 group by 1, 2"#,
            incident.controller_id,
            incident.incident_no
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(|r| (r.channel, r.hash, r.n)).collect())
    }

    /// Content hashes (hex) of messages whose state says that a provider took them.
    pub async fn list_taken(&self, incident: IncidentKey) -> Result<Vec<(String, String)>, StoreError> {
        let rows = sqlx::query!(
            r#"select m.channel, encode(c.content_hash, 'hex') as "hash!" from message m
                 join prepared_content c using (controller_id, incident_no, person_id, phase, channel)
                where m.controller_id = $1 and m.incident_no = $2 and m.state in ('accepted', 'sent', 'printed', 'handed_to_carrier',
                  'delivered_to_handset', 'carrier_delivered', 'returned', 'failed', 'expired', 'overdue')"#,
            incident.controller_id,
            incident.incident_no
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(|r| (r.channel, r.hash)).collect())
    }
}

const CODES: &[&str] = &[
    "person_without_row",
    "row_without_person",
    "frozen_count_differs",
    "outcome_without_attempt",
    "attempt_without_intent",
    "two_provider_ids",
    "open_without_deadline",
];
