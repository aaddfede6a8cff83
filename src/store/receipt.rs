//! Receipts: kept first, applied later, in whatever order they come.

use super::log_event::insert_log_events;
use super::outcome::is_other;
use super::refusal::{Refused, facts};
use super::sequencing::LogScope;
use super::unit::{IncidentKey, Note, Wait};
use super::{Role, Store, StoreError, check_version, pool};
use crate::model::state::MessageState;
use crate::model::step::Cause;
use serde_json::json;
use sha2::{Digest, Sha256};
use sqlx::PgPool;
use std::collections::{BTreeMap, HashMap};
use uuid::Uuid;

/// A receipt as the endpoint found it.
#[derive(Debug, Clone)]
pub struct NewReceipt {
    /// Tenant of the URL; `None` where the URL leads nowhere: kept as refused, so that it costs as much as another.
    pub controller_id: Option<Uuid>,
    /// Lane of the URL.
    pub provider: String,
    /// Raw body, sealed to the controller; `None` where it did not prove itself.
    pub sealed: Option<Vec<u8>>,
    /// `verified`, `bad_signature`, `stale`, `malformed` or `too_large`.
    pub verdict: &'static str,
    /// The provider's id of the receipt.
    pub event_name: Option<String>,
    /// Our reference.
    pub reference: Option<String>,
    /// The provider's id of the message.
    pub provider_id: Option<String>,
    /// Neutral status.
    pub status: Option<MessageState>,
    /// Neutral status that its provider must confirm before it counts.
    pub claimed: Option<MessageState>,
    /// The provider's word, where it is not known.
    pub unknown_word: Option<String>,
    /// Whose word the status is.
    pub claimed_by: Option<&'static str>,
    /// The code by which its lane rests, where the word says that nobody's message is taken.
    pub stop_code: Option<&'static str>,
}

impl NewReceipt {
    /// One of which nothing is known but where it came and whether it proved itself.
    pub fn bare(controller_id: Option<Uuid>, provider: &str, verdict: &'static str) -> Self {
        Self {
            controller_id,
            provider: provider.to_owned(),
            sealed: None,
            verdict,
            event_name: None,
            reference: None,
            provider_id: None,
            status: None,
            claimed: None,
            unknown_word: None,
            claimed_by: None,
            stop_code: None,
        }
    }
}

/// The controller of a receipt's URL.
#[derive(Debug, Clone)]
pub struct ReceiptController {
    /// Tenant.
    pub controller_id: Uuid,
    /// X25519 public key that raw receipts are sealed to.
    pub public_key: [u8; 32],
}

/// Every controller by its name in URLs, at one moment.
#[derive(Debug, Clone, Default)]
pub struct ReceiptControllers {
    /// By name.
    pub by_slug: HashMap<String, ReceiptController>,
    /// The database's clock at the reading, microseconds since 1970 UTC.
    pub now_micros: i64,
}

/// The database as the receipts' role: it may insert receipts and read no contact.
#[derive(Debug, Clone)]
pub struct ReceiptStore {
    pool: PgPool,
}

/// Which lanes' receipts may come to the door of which lane, since they are one account at their vendor: pairs, `door` and `lane`
/// of one length. That a lane's own receipts come to its own door needs no pair.
#[derive(Debug, Clone, Default)]
pub struct Doors {
    /// Lane of the URL.
    pub door: Vec<String>,
    /// Lane of the call.
    pub lane: Vec<String>,
}

/// The message that a receipt speaks of, with the keys that seal the receipt again.
#[derive(Debug, Clone)]
pub struct Match {
    /// Place in every key.
    pub incident: IncidentKey,
    /// Message.
    pub message_id: Uuid,
    /// Person.
    pub person_id: Uuid,
    /// Lane of its call: that of the receipt's URL, or another one of the same account.
    pub lane: String,
    /// Our name for the message at this provider.
    pub reference: String,
    /// The provider's name for it, by its answer to our call.
    pub provider_id: Option<String>,
    /// Incident key under the master key.
    pub wrapped_incident_key: Vec<u8>,
    /// Person's key under the incident key; `None` once the person is erased.
    pub wrapped_person_key: Option<Vec<u8>>,
}

/// A stored receipt that waits to be applied.
#[derive(Debug, Clone)]
pub struct Waiting {
    /// Receipt.
    pub receipt_id: Uuid,
    /// Raw body, sealed to the controller.
    pub sealed: Vec<u8>,
    /// The controller's secret key under the master key.
    pub wrapped_controller_key: Vec<u8>,
    /// Its message, if the receipt proved itself and its reference is known.
    pub place: Option<Match>,
    /// Lane that it came to.
    pub lane: String,
    /// Neutral status that it claims, or that its provider confirmed; `None` where the word is not known.
    pub status: Option<MessageState>,
    /// Whose word that is.
    pub claimed_by: Option<String>,
    /// The code by which its lane rests.
    pub stop_code: Option<String>,
    /// The provider's id of the message, as the receipt names it.
    pub provider_id: Option<String>,
    /// Whether it came before.
    pub is_replay: bool,
    /// Whether it came before and is counted only when its period is over.
    pub is_early: bool,
}

/// A matched receipt, sealed again under its person's key.
#[derive(Debug, Clone)]
pub struct Matched {
    /// The receipt; its `place` is known.
    pub receipt: Waiting,
    /// Raw body under the person's key; `None` where nobody may read it any more.
    pub resealed: Option<Vec<u8>>,
    /// How it proved itself.
    pub scheme: &'static str,
}

impl Matched {
    /// What its event says of its bytes: their hash as they are kept, and how they proved themselves; and whose word it is.
    fn note(&self) -> Note {
        let mut note = Note::default();
        note.detail.insert("scheme".into(), json!(self.scheme));
        note.detail.extend(self.receipt.claimed_by.as_ref().map(|by| ("claimed_by".to_owned(), json!(by))));
        let body = self.resealed.as_ref().map(|sealed| ("body".to_owned(), json!(hex::encode(Sha256::digest(sealed)))));
        note.detail.extend(body);
        note
    }
}

impl ReceiptStore {
    /// Connects as the receipts' role.
    pub async fn connect(url: &str, connections: u32) -> Result<Self, StoreError> {
        let pool = pool(url, connections, Some(Role::Receipts)).await?;
        check_version(&pool).await?;
        Ok(Self { pool })
    }

    /// Reads every tenant that a receipt's URL may name.
    pub async fn list_receipt_controllers(&self) -> Result<ReceiptControllers, StoreError> {
        let rows = sqlx::query!(
            r#"select controller_id, slug, receipts_public_key, (extract(epoch from duly_now()) * 1000000)::bigint as "now_micros!"
                 from controller"#
        )
        .fetch_all(&self.pool)
        .await?;
        let mut read = ReceiptControllers::default();
        for row in rows {
            let public_key = row.receipts_public_key.try_into().map_err(|_| StoreError::Corrupt { what: "public key" })?;
            read.by_slug.insert(row.slug, ReceiptController { controller_id: row.controller_id, public_key });
            read.now_micros = row.now_micros;
        }
        Ok(read)
    }

    /// Keeps receipts; the answers to the providers wait for this commit and for nothing else. Those that are not believed
    /// are due when their period of `every_ms` is over.
    pub async fn insert_receipts(&self, new: &[NewReceipt], every_ms: i64) -> Result<(), StoreError> {
        fn column<T>(new: &[NewReceipt], f: impl Fn(&NewReceipt) -> T) -> Vec<T> {
            new.iter().map(f).collect()
        }
        let ids: Vec<Uuid> = new.iter().map(|_| Uuid::now_v7()).collect();
        sqlx::query!(
            "insert into receipt (receipt_id, controller_id, provider, sealed, verdict, event_name, reference, provider_id, status, claimed, unknown_word, claimed_by, stop_code, due_at, result)
             select j.*, case when s.is_stranger then null when j.verdict = 'verified' then duly_now()
                         else to_timestamp((floor(extract(epoch from duly_now()) * 1000 / $14::bigint) + 1) * $14 / 1000) end,
                    case when s.is_stranger then 'refused' end
               from unnest($1::uuid[], $2::uuid[], $3::text[], $4::bytea[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[])
                    as j (receipt_id, controller_id, provider, sealed, verdict, event_name, reference, provider_id, status, claimed, unknown_word, claimed_by, stop_code)
               cross join lateral (select j.controller_id = '00000000-0000-0000-0000-000000000000' as is_stranger) s",
            &ids,
            &column(new, |r| r.controller_id.unwrap_or_default()),
            &column(new, |r| r.provider.clone()),
            &column(new, |r| r.sealed.clone()) as &[Option<Vec<u8>>],
            &column(new, |r| r.verdict.to_owned()),
            &column(new, |r| r.event_name.clone()) as &[Option<String>],
            &column(new, |r| r.reference.clone()) as &[Option<String>],
            &column(new, |r| r.provider_id.clone()) as &[Option<String>],
            &column(new, |r| r.status.map(|s| s.as_str().to_owned())) as &[Option<String>],
            &column(new, |r| r.claimed.map(|s| s.as_str().to_owned())) as &[Option<String>],
            &column(new, |r| r.unknown_word.clone()) as &[Option<String>],
            &column(new, |r| r.claimed_by.map(str::to_owned)) as &[Option<String>],
            &column(new, |r| r.stop_code.map(str::to_owned)) as &[Option<String>],
            every_ms
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}

impl Store {
    /// Verified receipts that are due, oldest first. The few are chosen before anything is looked up for them: in a burst
    /// the planner believes in a table that is still small, and would look it all up for every receipt that waits. One that
    /// names our message by its reference and another one by its id speaks of neither.
    pub async fn list_waiting_receipts(&self, limit: i64, every_ms: i64, doors: &Doors) -> Result<Vec<Waiting>, StoreError> {
        let rows = sqlx::query!(
            r#"with due as materialized (
                 select r.*, r.provider || array(select d.lane from unnest($3::text[], $4::text[]) as d (door, lane) where d.door = r.provider) as lanes
                   from receipt r where r.due_at <= (select duly_now()) and r.verdict = 'verified' order by r.due_at limit $1)
               select r.receipt_id, coalesce(r.sealed, '') as "sealed!", coalesce(r.claimed, r.status) as status, r.claimed_by, r.stop_code, r.provider as "lane!", r.provider_id, c.receipts_secret_key, s.is_replay as "is_replay!",
                      s.is_replay and r.received_at >= to_timestamp(floor(extract(epoch from duly_now()) * 1000 / $2::bigint) * $2 / 1000) as "is_early!",
                      a.incident_no as "incident_no?", a.message_id as "message_id?", a.person_id as "person_id?", a.lane as "called_lane?", a.reference as "known_as?", r.controller_id,
                      (select o.provider_id from outcome o where o.controller_id = r.controller_id and o.incident_no = a.incident_no and o.message_id = a.message_id and o.provider_id is not null
                          and not exists (select from outcome p join message n on n.controller_id = p.controller_id and n.incident_no = p.incident_no and n.message_id = p.message_id
                              where p.provider_id = o.provider_id and p.message_id <> o.message_id and n.lane = any(r.lanes)) limit 1) as known_id,
                      i.wrapped_key as "wrapped_incident_key?", k.wrapped as "wrapped_person_key?"
                 from due r
                 join controller c on c.controller_id = r.controller_id
                 cross join lateral (select exists (select from receipt e where e.controller_id = r.controller_id and e.provider = r.provider
                         and e.event_name = r.event_name and e.reference is not distinct from r.reference and e.verdict = 'verified' and e.receipt_id < r.receipt_id) as is_replay) s
                 left join lateral (
                       (select incident_no, message_id, person_id, lane, reference from attempt a
                         where a.reference = r.reference and a.controller_id = r.controller_id and a.lane = any(r.lanes)
                           and (not exists (select from outcome p join message n on n.controller_id = p.controller_id and n.incident_no = p.incident_no and n.message_id = p.message_id
                                    where p.provider_id = r.provider_id and p.message_id <> a.message_id and n.lane = any(r.lanes))
                                or exists (select from outcome o where o.provider_id = r.provider_id and o.message_id = a.message_id)) limit 1)
                       union all
                       (select a.incident_no, a.message_id, a.person_id, a.lane, a.reference from outcome o
                          join attempt a on a.controller_id = o.controller_id and a.incident_no = o.incident_no
                               and a.message_id = o.message_id and a.attempt = o.attempt
                         where r.reference is null and o.provider_id = r.provider_id and o.controller_id = r.controller_id and a.lane = any(r.lanes)
                           and not exists (select from outcome p join message n on n.controller_id = p.controller_id and n.incident_no = p.incident_no and n.message_id = p.message_id
                                where p.provider_id = o.provider_id and p.message_id <> o.message_id and n.lane = any(r.lanes)) limit 1)
                       limit 1) a on true
                 left join incident i on i.controller_id = r.controller_id and i.incident_no = a.incident_no
                 left join person_key k on k.controller_id = r.controller_id and k.incident_no = a.incident_no and k.person_id = a.person_id
                order by r.due_at"#,
            limit,
            every_ms,
            &doors.door,
            &doors.lane
        )
        .fetch_all(&self.pool)
        .await?;
        let waiting = rows.into_iter().map(|row| {
            let place = row.incident_no.zip(row.message_id).zip(row.person_id).zip(row.called_lane).zip(row.known_as);
            let place = place.zip(row.wrapped_incident_key).map(
                |(((((incident_no, message_id), person_id), lane), reference), wrapped_incident_key)| Match {
                    incident: IncidentKey { controller_id: row.controller_id, incident_no },
                    message_id,
                    person_id,
                    lane,
                    reference,
                    provider_id: row.known_id,
                    wrapped_incident_key,
                    wrapped_person_key: row.wrapped_person_key,
                },
            );
            Waiting {
                receipt_id: row.receipt_id,
                sealed: row.sealed,
                wrapped_controller_key: row.receipts_secret_key,
                place,
                lane: row.lane,
                status: row.status.and_then(|word| word.parse().ok()),
                claimed_by: row.claimed_by,
                stop_code: row.stop_code,
                provider_id: row.provider_id,
                is_replay: row.is_replay,
                is_early: row.is_early,
            }
        });
        Ok(waiting.collect())
    }

    /// Applies matched receipts of one incident in one transaction; the copies sealed to the controller go.
    pub async fn apply_receipts(&self, incident: IncidentKey, matched: &[Matched], every_ms: i64) -> Result<(), StoreError> {
        let places: Vec<&Match> = matched.iter().filter_map(|m| m.receipt.place.as_ref()).collect();
        let people: Vec<Uuid> = places.iter().map(|p| p.person_id).collect();
        let messages: Vec<Uuid> = places.iter().map(|p| p.message_id).collect();
        let mut unit = self.unit(incident, &people, Wait::Wait).await?;
        let mut known = unit.provider_ids(&messages).await?;
        let settled = unit.settled_receipts(matched).await?;
        let mut results: Vec<String> = Vec::with_capacity(matched.len());
        for (row, message_id) in matched.iter().zip(&messages) {
            // A deposed scheduler was faster: what it applied is not applied again.
            if let Some(result) = settled.get(&row.receipt.receipt_id) {
                results.push(result.clone());
                continue;
            }
            let report = row.receipt.status.filter(|status| status.is_report());
            results.push(match (row.receipt.is_replay, report) {
                (true, _) => "replay".to_owned(),
                // A word that we do not know is kept and counted, and moves nothing.
                (false, None) => "no_change".to_owned(),
                (false, Some(report)) => {
                    let other_id = is_other(&mut known, *message_id, row.receipt.provider_id.as_deref());
                    let decided = unit.apply(*message_id, Cause::Reported { report, other_id }, row.note())?;
                    unit.stop_lane_of(*message_id, row.receipt.stop_code.as_deref());
                    if decided.message.is_some() { "applied".to_owned() } else { "no_change".to_owned() }
                }
            });
        }
        let ids: Vec<Uuid> = matched.iter().map(|m| m.receipt.receipt_id).collect();
        let resealed: Vec<Option<Vec<u8>>> = matched.iter().map(|m| m.resealed.clone()).collect();
        let confirmed = matched.iter().map(|m| m.receipt.status.filter(|_| !m.receipt.is_replay).map(|s| s.as_str().to_owned()));
        let confirmed: Vec<Option<String>> = confirmed.collect();
        let written = sqlx::query!(
            r#"update receipt r set due_at = null, result = j.result, message_id = j.message_id, sealed = j.sealed, sealed_under = 'person',
                      status = case when r.claimed is null or r.result is not null then r.status else j.confirmed end
               from unnest($1::uuid[], $2::text[], $3::uuid[], $4::bytea[], $6::text[]) as j (receipt_id, result, message_id, sealed, confirmed)
              where r.receipt_id = j.receipt_id
             returning r.receipt_id, r.provider, j.result as "result!",
                       (floor(extract(epoch from r.received_at) * 1000 / $5::bigint) * $5 / 1000)::bigint as "since!""#,
            &ids,
            &results,
            &messages,
            &resealed as &[Option<Vec<u8>>],
            every_ms,
            &confirmed as &[Option<String>]
        )
        .fetch_all(&mut *unit.tx)
        .await?;
        let mut replays = BTreeMap::new();
        for row in written.into_iter().filter(|row| row.result == "replay" && !settled.contains_key(&row.receipt_id)) {
            *replays.entry(Refused { lane: row.provider, ground: row.result, since: row.since }).or_insert(0) += 1;
        }
        insert_log_events(&mut unit.tx, LogScope::Controller(incident.controller_id), facts(replays)).await?;
        unit.commit().await
    }
}

impl super::unit::Unit {
    /// Results of those receipts that somebody applied since they were read; their people are locked now.
    async fn settled_receipts(&mut self, matched: &[Matched]) -> Result<HashMap<Uuid, String>, StoreError> {
        let ids: Vec<Uuid> = matched.iter().map(|m| m.receipt.receipt_id).collect();
        let rows = sqlx::query!(
            r#"select receipt_id, result as "result!" from receipt where receipt_id = any($1) and result is not null"#,
            &ids
        )
        .fetch_all(&mut *self.tx)
        .await?;
        Ok(rows.into_iter().map(|row| (row.receipt_id, row.result)).collect())
    }
}
