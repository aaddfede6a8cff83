//! Controllers: the organisations that must notify.

use super::log_event::insert_log_events;
use super::quarantine::Decider;
use super::sequencing::LogScope;
use super::{Store, StoreError};
use serde_json::json;
use uuid::Uuid;

/// A controller to be made.
#[derive(Debug, Clone)]
pub struct NewController {
    /// Name on the command line.
    pub slug: String,
    /// Printed name.
    pub name: String,
    /// SMS sender, 3 to 11 letters or digits.
    pub sms_sender: String,
    /// Letterhead lines.
    pub address: Vec<String>,
    /// X25519 public key for receipts.
    pub receipts_public_key: [u8; 32],
    /// Its secret under the master key.
    pub receipts_secret_key: Vec<u8>,
    /// Who adds it.
    pub added_by: Option<Decider>,
}

impl Store {
    /// Makes a controller.
    pub async fn insert_controller(&self, new: &NewController) -> Result<Uuid, StoreError> {
        let controller_id = Uuid::now_v7();
        let mut tx = self.pool.begin().await?;
        sqlx::query!(
            "insert into controller (controller_id, slug, name, sms_sender, address, receipts_public_key, receipts_secret_key)
             values ($1, $2, $3, $4, $5, $6, $7)",
            controller_id,
            new.slug,
            new.name,
            new.sms_sender,
            &new.address,
            new.receipts_public_key.as_slice(),
            new.receipts_secret_key
        )
        .execute(&mut *tx)
        .await
        .map_err(|e| StoreError::taken(e, "controller", &new.slug))?;
        let by = new.added_by.map(|by| [("command", by.command_id), ("user", by.user_id)]);
        let detail = by.into_iter().flatten().map(|(key, id)| (key.to_owned(), json!(id.to_string()))).collect();
        insert_log_events(&mut tx, LogScope::Controller(controller_id), [("controller.added", detail)]).await?;
        tx.commit().await?;
        Ok(controller_id)
    }

    /// The controller of a slug.
    pub async fn load_controller(&self, slug: &str) -> Result<Uuid, StoreError> {
        let row = sqlx::query!("select controller_id from controller where slug = $1", slug).fetch_optional(&self.pool).await?;
        row.map(|row| row.controller_id).ok_or_else(|| StoreError::missing("controller", slug))
    }

    /// Every key that the master key wraps, with the purpose that it is wrapped for.
    pub async fn list_wrapped_keys(&self) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        let rows = sqlx::query!(
            r#"select 'receipts' as "purpose!", receipts_secret_key as "wrapped!" from controller
                union all select 'incident', wrapped_key from incident"#
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(|row| (row.purpose, row.wrapped)).collect())
    }

    /// Slugs and names of all controllers.
    pub async fn list_controllers(&self) -> Result<Vec<(String, String)>, StoreError> {
        let rows = sqlx::query!("select slug, name from controller order by slug").fetch_all(&self.pool).await?;
        Ok(rows.into_iter().map(|row| (row.slug, row.name)).collect())
    }
}
