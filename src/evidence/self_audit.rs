//! The audit that Duly makes of itself: every hour, of every incident, and once a day with what is sealed opened as well;
//! what it finds is an event and an alarm, as it is where somebody asks by hand. Before it, copies outside that lack a file are
//! made whole.

use super::anchor::Judges;
use super::{Archive, EvidenceError, publisher};
use crate::model::causes::with_causes;
use crate::model::seal::Key;
use crate::provider::read_request;
use crate::store::audit::{Finding, NOT_AUDITABLE};
use crate::store::equation::Equation;
use crate::store::incident::NamedIncident;
use crate::store::leadership::Lead;
use crate::store::unit::IncidentKey;
use crate::store::{Store, StoreError};
use serde_json::{Map, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// The code of an equation that does not hold.
pub const EQUATION: &str = "equation_does_not_hold";
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
                publisher::mend(&archive).await?;
                let opens = opened.is_none_or(|at| at.elapsed() >= archive.audit_sealed_every);
                audit_all(&archive.store, &judges, opens.then_some(&master)).await?;
                opened = if opens { Some(Instant::now()) } else { opened };
            }
            Ok::<_, EvidenceError>(())
        };
        if let Err(error) = audited.await {
            tracing::error!(error = with_causes(&error), remedy = error.remedy(), "the hourly audit could not be made");
        }
    }
}

/// Audits every incident once, with the master key also what is sealed, and writes what it found into each one's log. What
/// goes wrong with one of them does not keep the others from their turn; the first such error is returned after the last.
pub async fn audit_all(store: &Store, judges: &Judges, master: Option<&Key>) -> Result<(), StoreError> {
    let mut first = Ok(());
    for incident in store.list_incidents().await? {
        let told = audit_and_tell(store, judges, master, &incident).await.and_then(|audited| audited.told);
        if let Err(error) = told {
            let remedy = error.remedy();
            tracing::error!(
                incident = incident.name,
                error = with_causes(&error),
                remedy,
                "what the audit found could not be told"
            );
            first = first.and(Err(error));
        }
    }
    first
}

/// What an audit of an incident found, and whether it could be written down.
#[derive(Debug)]
pub struct Audited {
    /// People on record.
    pub people: i64,
    /// Whether every row and person is counted once; `None` where that could not be asked, which is a finding.
    pub equation: Option<Equation>,
    /// Differences between what must hold and what is.
    pub findings: Vec<Finding>,
    /// Whether alarm and event are written.
    pub told: Result<(), StoreError>,
}

impl Audited {
    /// Whether the equation holds.
    pub fn balances(&self) -> bool {
        self.equation.as_ref().is_some_and(Equation::holds)
    }

    /// What does not hold, counted.
    pub fn bad(&self) -> usize {
        self.findings.len() + usize::from(!self.balances())
    }

    /// Whether rows of a file are still to come, and nothing else is wrong: while an import goes on there is nothing to tell.
    fn is_unfinished(&self) -> bool {
        let of_files = |equation: &Equation| {
            !equation.files_hold() && equation.rows_hold() && equation.people_hold() && equation.jobs_hold()
        };
        self.findings.is_empty() && self.equation.as_ref().is_some_and(of_files)
    }

    /// Codes of all that was found, each once.
    fn codes(&self) -> String {
        let equation = (!self.balances()).then_some(EQUATION);
        let codes: BTreeSet<&str> = self.findings.iter().map(|finding| finding.code).chain(equation).collect();
        codes.into_iter().collect::<Vec<_>>().join(",")
    }
}

/// Audits an incident and tells what was found, whoever asked: an event, and before it an alarm where anything differs.
pub async fn audit_and_tell(
    store: &Store,
    judges: &Judges,
    master: Option<&Key>,
    incident: &NamedIncident,
) -> Result<Audited, StoreError> {
    let mut findings = audit_one(store, judges, incident.key, master).await?;
    let equation = match store.equation(incident.key).await {
        Ok(equation) => Some(equation),
        Err(error) => {
            findings.push(not_made(store, "the equation", &error).await?);
            None
        }
    };
    let people = equation.as_ref().map_or(0, |equation| equation.people);
    let mut audited = Audited { people, equation, findings, told: Ok(()) };
    if !audited.is_unfinished() {
        audited.told = tell(store, incident, &audited).await;
    }
    Ok(audited)
}

async fn tell(store: &Store, incident: &NamedIncident, audited: &Audited) -> Result<(), StoreError> {
    let mut detail = Map::from_iter([("findings".to_owned(), json!(audited.bad()))]);
    if audited.bad() == 0 {
        // A closed incident's log ends: that nothing was found is no news of it.
        let is_over = store.is_closed(incident.key).await?;
        return if is_over { Ok(()) } else { store.insert_audit(incident.key, "audit.passed", detail).await };
    }
    // Before the event: whoever takes the auditor's role away hides nothing.
    store.raise_alarm(incident.key, "audit_failed").await?;
    let codes = audited.codes();
    tracing::error!(incident = incident.name, codes, remedy = "run `duly audit`", "the audit found differences");
    detail.insert("codes".to_owned(), json!(codes));
    store.insert_audit(incident.key, "audit.failed", detail).await
}

/// Everything that is checked of an incident but its equation, with the master key also what is sealed. A part that cannot be
/// checked is a finding as long as the database answers: whoever makes something unreadable may not stop the audit by that.
async fn audit_one(
    store: &Store,
    judges: &Judges,
    incident: IncidentKey,
    master: Option<&Key>,
) -> Result<Vec<Finding>, StoreError> {
    let mut findings = checked(store, "the tables and the log", store.audit(incident).await).await?;
    findings.extend(checked(store, "the signatures of checkpoints and anchors", judges.audit(store, incident).await).await?);
    if let Some(master) = master {
        let sealed = store.audit_sealed(incident, master, &|_, frozen| read_request(frozen)).await;
        findings.extend(checked(store, "what is sealed", sealed.map(|sealed| sealed.findings)).await?);
    }
    Ok(findings)
}

async fn checked(store: &Store, what: &str, found: Result<Vec<Finding>, StoreError>) -> Result<Vec<Finding>, StoreError> {
    match found {
        Err(error) => Ok(vec![not_made(store, what, &error).await?]),
        found => found,
    }
}

/// A check that could not be made, as a finding; an error where the database does not answer at all.
pub async fn not_made(store: &Store, what: &str, error: &StoreError) -> Result<Finding, StoreError> {
    store.ping().await?;
    Ok(Finding { code: NOT_AUDITABLE, place: format!("{what}: {}", with_causes(error)) })
}
