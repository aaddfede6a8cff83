//! Receipts: kept first, applied later, in whatever order they come.

use super::outcome::is_other;
use super::unit::{IncidentKey, Note, Wait, word};
use super::{Store, StoreError};
use crate::model::state::MessageState;
use crate::model::step::Cause;
use serde_json::json;
use uuid::Uuid;

/// A receipt as the endpoint found it.
#[derive(Debug, Clone)]
pub struct NewReceipt {
    /// Tenant of the URL.
    pub controller_id: Uuid,
    /// Lane of the URL.
    pub provider: String,
    /// Raw body, sealed to the controller.
    pub sealed: Vec<u8>,
    /// `verified`, `bad_signature`, `stale` or `malformed`.
    pub verdict: &'static str,
    /// The provider's id of the receipt.
    pub event_name: Option<String>,
    /// Our reference.
    pub reference: Option<String>,
    /// The provider's id of the message.
    pub provider_id: Option<String>,
    /// Neutral status.
    pub status: Option<MessageState>,
}

/// A stored receipt that waits to be applied.
#[derive(Debug, Clone)]
struct Waiting {
    receipt_id: Uuid,
    verdict: String,
    status: Option<String>,
    provider_id: Option<String>,
    is_replay: bool,
    age_seconds: i64,
    place: Option<(IncidentKey, Uuid, Uuid)>,
}

impl Store {
    /// Finds the tenant of a receipt's URL: id and public key.
    pub async fn find_receipt_controller(&self, slug: &str) -> Result<Option<(Uuid, Vec<u8>)>, StoreError> {
        let row = sqlx::query!("select controller_id, receipts_public_key from controller where slug = $1", slug)
            .fetch_optional(&self.pool)
            .await?;
        Ok(row.map(|row| (row.controller_id, row.receipts_public_key)))
    }

    /// Keeps a receipt; the answer to the provider waits for this commit and for nothing else.
    pub async fn insert_receipt(&self, new: &NewReceipt) -> Result<(), StoreError> {
        sqlx::query!(
            "insert into receipt (receipt_id, controller_id, provider, sealed, verdict, event_name, reference, provider_id, status)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            Uuid::now_v7(),
            new.controller_id,
            new.provider,
            new.sealed,
            new.verdict,
            new.event_name,
            new.reference,
            new.provider_id,
            new.status.map(MessageState::as_str)
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Applies receipts that are due, by incident in one transaction each; returns how many were looked at.
    pub async fn apply_receipts(&self, limit: i64, retry_ms: i64, keep_unmatched_seconds: i64) -> Result<usize, StoreError> {
        let waiting = self.list_waiting_receipts(limit).await?;
        let looked_at = waiting.len();
        let mut places: Vec<IncidentKey> = waiting.iter().filter_map(|w| w.place.map(|(key, _, _)| key)).collect();
        places.sort_unstable();
        places.dedup();
        for place in places {
            let rows: Vec<&Waiting> = waiting.iter().filter(|w| w.place.is_some_and(|(key, _, _)| key == place)).collect();
            self.apply_matched(place, &rows).await?;
        }
        for row in waiting.iter().filter(|w| w.place.is_none()) {
            self.settle_unmatched(row, retry_ms, keep_unmatched_seconds).await?;
        }
        Ok(looked_at)
    }

    async fn list_waiting_receipts(&self, limit: i64) -> Result<Vec<Waiting>, StoreError> {
        let rows = sqlx::query!(
            r#"select r.receipt_id, r.verdict, r.status, r.provider_id,
                      (extract(epoch from duly_now() - r.received_at))::bigint as "age_seconds!",
                      exists (select from receipt e where e.controller_id = r.controller_id and e.provider = r.provider
                         and e.event_name = r.event_name and e.verdict = 'verified' and e.receipt_id < r.receipt_id) as "is_replay!",
                      a.incident_no as "incident_no?", a.message_id as "message_id?", a.person_id as "person_id?", r.controller_id
                 from receipt r
                 left join lateral (select incident_no, message_id, person_id from attempt a
                       where a.reference = r.reference and a.controller_id = r.controller_id and a.lane = r.provider limit 1) a on true
                where r.due_at <= duly_now() order by r.due_at limit $1"#,
            limit
        )
        .fetch_all(&self.pool)
        .await?;
        let waiting = rows.into_iter().map(|row| Waiting {
            receipt_id: row.receipt_id,
            place: match (row.incident_no, row.message_id, row.person_id) {
                (Some(incident_no), Some(message_id), Some(person_id)) if row.verdict == "verified" => {
                    Some((IncidentKey { controller_id: row.controller_id, incident_no }, message_id, person_id))
                }
                _ => None,
            },
            verdict: row.verdict,
            status: row.status,
            provider_id: row.provider_id,
            is_replay: row.is_replay,
            age_seconds: row.age_seconds,
        });
        Ok(waiting.collect())
    }

    async fn apply_matched(&self, place: IncidentKey, rows: &[&Waiting]) -> Result<(), StoreError> {
        let people: Vec<Uuid> = rows.iter().filter_map(|w| w.place.map(|(_, _, person)| person)).collect();
        let messages: Vec<Uuid> = rows.iter().filter_map(|w| w.place.map(|(_, message, _)| message)).collect();
        let mut unit = self.unit(place, &people, Wait::Wait).await?;
        let known = unit.provider_ids(&messages).await?;
        let mut results: Vec<String> = Vec::with_capacity(rows.len());
        for (row, message_id) in rows.iter().zip(&messages) {
            let report: Option<MessageState> = row.status.as_deref().map(word).transpose()?;
            results.push(match (row.is_replay, report) {
                (true, _) => "replay".to_owned(),
                // A word that we do not know is kept and counted, and moves nothing.
                (false, None) => "no_change".to_owned(),
                (false, Some(report)) => {
                    let other_id = is_other(known.get(message_id), row.provider_id.as_deref());
                    let mut note = Note::default();
                    note.detail.insert("status".into(), json!(report.as_str()));
                    let decided = unit.apply(*message_id, Cause::Reported { report, other_id }, note)?;
                    if decided.message.is_some() { "applied".to_owned() } else { "no_change".to_owned() }
                }
            });
        }
        let ids: Vec<Uuid> = rows.iter().map(|w| w.receipt_id).collect();
        sqlx::query!(
            "update receipt r set due_at = null, result = j.result, message_id = j.message_id
               from unnest($1::uuid[], $2::text[], $3::uuid[]) as j (receipt_id, result, message_id)
              where r.receipt_id = j.receipt_id",
            &ids,
            &results,
            &messages
        )
        .execute(&mut *unit.tx)
        .await?;
        unit.commit().await
    }

    async fn settle_unmatched(&self, row: &Waiting, retry_ms: i64, keep_seconds: i64) -> Result<(), StoreError> {
        let result = match (row.verdict.as_str(), row.age_seconds > keep_seconds) {
            ("verified", false) => None,
            ("verified", true) => Some("unmatched"),
            _ => Some("refused"),
        };
        sqlx::query!(
            "update receipt set result = $2,
                    due_at = case when $2::text is null then duly_now() + $3::bigint * interval '1 millisecond' end
              where receipt_id = $1",
            row.receipt_id,
            result,
            retry_ms
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}
