//! The audit that Duly makes of itself: every hour, of every incident, and once a day with what is sealed opened as well;
//! what it finds is an event and an alarm.

use super::Archive;
use super::anchor::Judges;
use crate::model::causes::with_causes;
use crate::model::seal::Key;
use crate::provider::read_request;
use crate::store::leadership::Lead;
use crate::store::{Store, StoreError};
use serde_json::{Map, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// When the first audit after a start is made, at the latest.
const AFTER_START: Duration = Duration::from_secs(300);

/// Audits while this process leads, until `stop`; its first round opens what is sealed.
pub async fn run(archive: Arc<Archive>, judges: Judges, master: Key, stop: CancellationToken) {
    let mut lead = Lead::new("self-audit", &Uuid::now_v7().to_string());
    // Not at once: a start is no moment to read everything. But soon: who is restarted every hour is audited too.
    let mut wait = archive.audit_every.min(AFTER_START);
    let mut opened: Option<Instant> = None;
    while timeout(wait, stop.cancelled()).await.is_err() {
        wait = archive.audit_every;
        let audited = async {
            if lead.is_held(&archive.store).await? {
                let opens = opened.is_none_or(|at| at.elapsed() >= archive.audit_sealed_every);
                audit_all(&archive.store, &judges, opens.then_some(&master)).await?;
                opened = if opens { Some(Instant::now()) } else { opened };
            }
            Ok::<_, StoreError>(())
        };
        if let Err(error) = audited.await {
            tracing::error!(error = with_causes(&error), remedy = error.remedy(), "the hourly audit could not be made");
        }
    }
}

/// Audits every incident once, with the master key also what is sealed, and writes what it found into each one's log.
pub async fn audit_all(store: &Store, judges: &Judges, master: Option<&Key>) -> Result<(), StoreError> {
    for name in store.list_incidents().await? {
        let incident = store.load_incident(&name).await?;
        let mut findings = store.audit(incident.key).await?;
        findings.extend(judges.audit(store, incident.key).await?);
        if let Some(master) = master {
            findings.extend(store.audit_sealed(incident.key, master, &|_, frozen| read_request(frozen)).await?.findings);
        }
        let codes: BTreeSet<&str> = findings.iter().map(|finding| finding.code).collect();
        let codes = codes.into_iter().collect::<Vec<_>>().join(",");
        let mut detail = Map::from_iter([("findings".to_owned(), json!(findings.len()))]);
        let mut kind = "audit.passed";
        if !findings.is_empty() {
            // Before the event: whoever takes the auditor's role away hides nothing.
            store.raise_alarm(incident.key, "audit_failed").await?;
            tracing::error!(incident = name, codes, remedy = "run `duly audit`", "the audit found differences");
            detail.insert("codes".to_owned(), json!(codes));
            kind = "audit.failed";
        }
        store.insert_audit(incident.key, kind, detail).await?;
    }
    Ok(())
}
