//! Reviews of drafts: a named user has read a template, and signed for its hash.

use super::log_event::insert_log_events;
use super::quarantine::Decider;
use super::sequencing::LogScope;
use super::{Store, StoreError};
use serde_json::json;

/// A review as shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Review {
    /// SHA-256 of the template with its partials.
    pub template_hash: Vec<u8>,
    /// Who signed for it.
    pub name: String,
}

impl Store {
    /// Keeps a review; a template that somebody reviewed already stays theirs.
    pub async fn insert_review(&self, template: &str, hash: &[u8; 32], by: Decider) -> Result<bool, StoreError> {
        let mut tx = self.pool.begin().await?;
        let inserted = sqlx::query!(
            "insert into template_review (template_hash, template, reviewed_by, command_id) values ($1, $2, $3, $4)
             on conflict (template_hash) do nothing",
            hash.as_slice(),
            template,
            by.user_id,
            by.command_id
        )
        .execute(&mut *tx)
        .await?;
        if inserted.rows_affected() == 1 {
            let fields = [
                ("command", by.command_id.to_string()),
                ("hash", hex::encode(hash)),
                ("template", template.to_owned()),
                ("user", by.user_id.to_string()),
            ];
            let detail = fields.into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect();
            insert_log_events(&mut tx, LogScope::System, [("template.reviewed", detail)]).await?;
        }
        tx.commit().await?;
        Ok(inserted.rows_affected() == 1)
    }

    /// All reviews, with their reviewers' names.
    pub async fn list_reviews(&self) -> Result<Vec<Review>, StoreError> {
        let rows = sqlx::query_as!(
            Review,
            "select r.template_hash, u.name from template_review r join app_user u on u.user_id = r.reviewed_by order by 1"
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows)
    }
}
