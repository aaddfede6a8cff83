//! How controllers' letters look. Rows stay, because a plan names the one that it was prepared with.

use super::log_event::insert_log_events;
use super::quarantine::Decider;
use super::sequencing::LogScope;
use super::{Store, StoreError};
use crate::model::look::{Look, Picture};
use serde_json::json;
use uuid::Uuid;

/// A picture as stored, with its words.
type Stored = (Option<Vec<u8>>, Option<String>);

/// A look as its row has it.
pub(super) fn look(logo: Stored, signature: Stored, check_page: Option<String>) -> Look {
    let picture = |(bytes, alt): Stored| bytes.map(|bytes| (bytes.into(), alt.unwrap_or_default()));
    Look { logo: picture(logo), signature: picture(signature), check_page }
}

fn parts(picture: Option<&Picture>) -> (Option<&[u8]>, Option<&str>) {
    picture.map(|(bytes, alt)| (&bytes[..], alt.as_str())).unzip()
}

impl Store {
    /// Sets what new plans of a controller print their letters with.
    pub async fn insert_letterhead(&self, controller_id: Uuid, look: &Look, by: Decider) -> Result<(), StoreError> {
        let mut tx = self.pool.begin().await?;
        let hash = look.hash();
        let ((logo, alt), (signature, signature_alt)) = (parts(look.logo.as_ref()), parts(look.signature.as_ref()));
        sqlx::query!(
            "insert into letterhead (controller_id, letterhead_no, hash, logo, logo_alt, check_page, set_by, command_id, signature, signature_alt)
             select $1, coalesce(max(letterhead_no), 0) + 1, $2, $3, $4, $5, $6, $7, $8, $9 from letterhead where controller_id = $1",
            controller_id,
            hash.as_slice(),
            logo,
            alt,
            look.check_page,
            by.user_id,
            by.command_id,
            signature,
            signature_alt
        )
        .execute(&mut *tx)
        .await?;
        let fields =
            [("command", by.command_id.to_string()), ("letterhead", hex::encode(hash)), ("user", by.user_id.to_string())];
        let detail = fields.into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect();
        insert_log_events(&mut tx, LogScope::Controller(controller_id), [("controller.letterhead_set", detail)]).await?;
        tx.commit().await?;
        Ok(())
    }

    /// What new plans of a controller print their letters with.
    pub async fn load_letterhead(&self, controller_id: Uuid) -> Result<Look, StoreError> {
        let row = sqlx::query!(
            "select logo, logo_alt, check_page, signature, signature_alt from letterhead
              where controller_id = $1 order by letterhead_no desc limit 1",
            controller_id
        )
        .fetch_optional(&self.pool)
        .await?;
        let look = row.map(|row| look((row.logo, row.logo_alt), (row.signature, row.signature_alt), row.check_page));
        Ok(look.unwrap_or_default())
    }
}

/// What an approved plan prints its letters with; plans name it by its hash.
pub(super) async fn load_named(db: &mut sqlx::PgConnection, controller_id: Uuid, plan: &[u8]) -> Result<Look, StoreError> {
    let plan: serde_json::Value = serde_json::from_slice(plan).map_err(|_| StoreError::Corrupt { what: "plan" })?;
    let Some(hash) = plan.get("letterhead").and_then(serde_json::Value::as_str) else { return Ok(Look::default()) };
    let hash = hex::decode(hash).map_err(|_| StoreError::Corrupt { what: "plan" })?;
    if hash == Look::default().hash() {
        return Ok(Look::default());
    }
    let row = sqlx::query!(
        "select logo, logo_alt, check_page, signature, signature_alt from letterhead
          where controller_id = $1 and hash = $2 order by letterhead_no limit 1",
        controller_id,
        hash
    )
    .fetch_optional(db)
    .await?;
    let look = row.map(|row| look((row.logo, row.logo_alt), (row.signature, row.signature_alt), row.check_page));
    look.ok_or(StoreError::Corrupt { what: "letterhead" })
}
