//! The controller's signatures over frozen lists, and the key by which it signs: pinned when it is first seen.

use super::log_event::insert_log_events;
use super::quarantine::Decider;
use super::sequencing::LogScope;
use super::unit::{IncidentKey, Wait, hash};
use super::{Store, StoreError};
use crate::model::list_key::{ListStatement, SignedList};
use crate::model::user_key::verify;
use duly_ledger::Event;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use uuid::Uuid;

/// The key that counts for a controller.
#[derive(Debug, Clone, serde::Serialize)]
pub struct PinnedKey {
    /// 1.. of the controller.
    pub key_no: i32,
    /// Ed25519.
    #[serde(serialize_with = "as_hex")]
    pub public_key: [u8; 32],
    /// Who brought it.
    pub pinned_by: String,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub pinned_at: OffsetDateTime,
}

fn as_hex<S: serde::Serializer>(bytes: &[u8; 32], to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&hex::encode(bytes))
}

/// What became of a signature.
#[derive(Debug, Clone)]
pub enum Signed {
    /// It is an event now; `pinned` where its key was seen for the first time.
    Written {
        /// Whether the key was pinned by this.
        pinned: bool,
    },
    /// This key signed this list before; nothing was changed.
    Before,
    /// Another key is pinned; nothing was changed.
    OtherKey(PinnedKey),
}

impl Store {
    /// What is to be signed of a frozen list.
    pub async fn load_list_statement(&self, incident: IncidentKey, list_no: i32) -> Result<ListStatement, StoreError> {
        let row = sqlx::query!(
            "select i.incident_id, f.people, f.manifest_root from list_freeze f join incident i using (controller_id, incident_no)
              where f.controller_id = $1 and f.incident_no = $2 and f.list_no = $3",
            incident.controller_id,
            incident.incident_no,
            list_no
        )
        .fetch_optional(&self.pool)
        .await?
        .ok_or_else(|| StoreError::missing("frozen list of this incident", &list_no.to_string()))?;
        Ok(ListStatement { incident_id: row.incident_id, list_no, people: row.people, root: hash(&row.manifest_root)? })
    }

    /// The key that counts for a controller, once there is one.
    pub async fn find_list_key(&self, controller_id: Uuid) -> Result<Option<PinnedKey>, StoreError> {
        let row = sqlx::query!(
            "select k.key_no, k.public_key, u.name, k.pinned_at from controller_list_key k join app_user u using (user_id)
              where k.controller_id = $1 order by k.key_no desc limit 1",
            controller_id
        )
        .fetch_optional(&self.pool)
        .await?;
        row.map(|row| {
            Ok(PinnedKey {
                key_no: row.key_no,
                public_key: hash(&row.public_key)?,
                pinned_by: row.name,
                pinned_at: row.pinned_at,
            })
        })
        .transpose()
    }

    /// Pins a key in place of the one that counted; the signed command must be the one that names it.
    pub async fn replace_list_key(&self, controller_id: Uuid, public_key: &[u8; 32], by: Decider) -> Result<i32, StoreError> {
        let mut tx = self.pool.begin().await?;
        let key_no = pin(&mut tx, controller_id, None, public_key, by).await?;
        tx.commit().await?;
        Ok(key_no)
    }

    /// Refuses a signature that does not hold for the list as it is frozen here; answers whether it is on record already.
    pub async fn check_signed_list(&self, incident: IncidentKey, signed: &SignedList) -> Result<bool, StoreError> {
        let statement = self.load_list_statement(incident, signed.statement.list_no).await?;
        if statement != signed.statement {
            return Err(StoreError::Forbidden {
                what: "the signature is over another list, count or root than what is frozen here",
                remedy: "sign what `duly list statement` prints now, and find out where the other statement came from",
            });
        }
        if !verify(&signed.key, statement.text().as_bytes(), &signed.signature) {
            return Err(StoreError::Forbidden {
                what: "the signature does not fit the list's statement",
                remedy: "sign the statement again: one of them was altered on its way",
            });
        }
        self.has_signed(incident, signed).await
    }

    /// Writes a signature as an event, if it holds for the list as it is frozen here and its key is the controller's.
    pub async fn sign_list(&self, incident: IncidentKey, signed: &SignedList, by: Decider) -> Result<Signed, StoreError> {
        self.check_signed_list(incident, signed).await?;
        let mut unit = self.unit(incident, &[], Wait::Wait).await?;
        let pinned = self.find_list_key(incident.controller_id).await?;
        if let Some(pinned) = pinned.clone().filter(|pinned| pinned.public_key != signed.key) {
            return Ok(Signed::OtherKey(pinned));
        }
        if self.has_signed(incident, signed).await? {
            return Ok(Signed::Before);
        }
        if pinned.is_none() {
            let seen_with = Some(signed.statement.incident_id);
            pin(&mut unit.tx, incident.controller_id, seen_with, &signed.key, by).await?;
        }
        unit.incident_event("list.signed", detail(signed), None)?;
        unit.commit().await?;
        Ok(Signed::Written { pinned: pinned.is_none() })
    }

    async fn has_signed(&self, incident: IncidentKey, signed: &SignedList) -> Result<bool, StoreError> {
        let bodies = sqlx::query_scalar!(
            "select body from event where controller_id = $1 and incident_no = $2 and person_id is null and kind = 'list.signed'",
            incident.controller_id,
            incident.incident_no
        )
        .fetch_all(&self.pool)
        .await?;
        let (list, key) = (json!(signed.statement.list_no), json!(hex::encode(signed.key)));
        let is_same = |event: Event| event.detail.get("list") == Some(&list) && event.detail.get("key") == Some(&key);
        Ok(bodies.iter().filter_map(|body| Event::parse(body).ok()).any(is_same))
    }
}

fn detail(signed: &SignedList) -> Map<String, Value> {
    let fields = [
        ("count", json!(signed.statement.people)),
        ("key", json!(hex::encode(signed.key))),
        ("list", json!(signed.statement.list_no)),
        ("root", json!(hex::encode(signed.statement.root))),
        ("signature", json!(hex::encode(signed.signature))),
    ];
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Pins a key, and tells so in the controller's log. Two at once meet the primary key: the second fails, and finds the first
/// when it is tried again.
async fn pin(
    tx: &mut sqlx::Transaction<'static, sqlx::Postgres>,
    controller_id: Uuid,
    seen_with: Option<Uuid>,
    public_key: &[u8; 32],
    by: Decider,
) -> Result<i32, StoreError> {
    let row = sqlx::query!(
        "insert into controller_list_key (controller_id, key_no, public_key, user_id, command_id)
         select $1, coalesce(max(key_no), 0) + 1, $2, $3, $4 from controller_list_key where controller_id = $1 returning key_no",
        controller_id,
        public_key.as_slice(),
        by.user_id,
        by.command_id
    )
    .fetch_one(&mut **tx)
    .await?;
    let mut detail = Map::from_iter([
        ("command".to_owned(), json!(by.command_id.to_string())),
        ("key".to_owned(), json!(hex::encode(public_key))),
        ("user".to_owned(), json!(by.user_id.to_string())),
    ]);
    detail.extend(seen_with.map(|id| ("incident".to_owned(), json!(id.to_string()))));
    insert_log_events(tx, LogScope::Controller(controller_id), [("controller.list_key_set", detail)]).await?;
    Ok(row.key_no)
}
