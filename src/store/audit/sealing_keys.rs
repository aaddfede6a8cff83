//! The keys to which receipts, jobs and rows are sealed: whoever exchanged one could read what comes in.

use super::{Finding, Snapshot, finding};
use crate::model::seal::{Key, SealError, public_half};
use crate::store::StoreError;
use crate::store::unit::IncidentKey;

impl Snapshot {
    /// Each public half is that of the secret half beside it, and each list's key opens.
    pub(super) async fn audit_keys(
        &mut self,
        incident: IncidentKey,
        master: &Key,
        incident_key: &Key,
    ) -> Result<Vec<Finding>, StoreError> {
        let row = sqlx::query!(
            r#"select i.intake_public_key, i.intake_secret_key, c.receipts_public_key as "receipts_public_key?", c.receipts_secret_key as "receipts_secret_key?"
                 from incident i left join controller c using (controller_id) where i.controller_id = $1 and i.incident_no = $2"#,
            incident.controller_id,
            incident.incident_no
        )
        .fetch_one(&mut *self.tx)
        .await?;
        let is_half =
            |public: &[u8], secret: Result<Key, SealError>| secret.is_ok_and(|key| public_half(&key).as_slice() == public);
        let mut findings = Vec::new();
        if !is_half(&row.intake_public_key, incident_key.unwrap_key(&row.intake_secret_key, "intake")) {
            findings.push(finding("sealing_key_differs", "jobs".to_owned()));
        }
        // That there is no controller is found as `controller_missing`.
        if let Some((public, secret)) = row.receipts_public_key.zip(row.receipts_secret_key)
            && !is_half(&public, master.unwrap_key(&secret, "receipts"))
        {
            findings.push(finding("sealing_key_differs", "receipts".to_owned()));
        }
        let lists = sqlx::query!(
            "select list_no, wrapped_key from affected_list where controller_id = $1 and incident_no = $2 order by list_no",
            incident.controller_id,
            incident.incident_no
        )
        .fetch_all(&mut *self.tx)
        .await?;
        let closed = lists.iter().filter(|list| incident_key.unwrap_key(&list.wrapped_key, "list").is_err());
        findings.extend(closed.map(|list| finding("sealing_key_differs", format!("list {}", list.list_no))));
        Ok(findings)
    }
}
