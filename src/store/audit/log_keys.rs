//! Each change of a log's key stands at the place that both keys signed, and is of the line of
//! the key that signed the newest checkpoint.

use super::{Finding, Snapshot, finding};
use crate::store::StoreError;
use crate::store::log::u64_of;
use crate::store::unit::IncidentKey;
use duly_ledger::{Checkpoint, Event, KeyChange, KeyKind, KeyLines, Vkey};
use std::collections::BTreeMap;

/// A change on record, and where it stands.
struct Change {
    ord: i64,
    log_no: Option<i32>,
    generation: Option<i32>,
    origin: Option<String>,
    seq: Option<i64>,
    body: Vec<u8>,
}

/// Changes of a log that hold each for itself.
#[derive(Default)]
struct Log {
    lines: KeyLines,
    /// By event, each with its generation.
    taken: Vec<(i64, (u64, KeyChange))>,
}

impl Snapshot {
    /// Changes in the incident's log, its controller's and the system's that count for no verifier.
    pub(super) async fn audit_log_keys(&mut self, incident: IncidentKey) -> Result<Vec<Finding>, StoreError> {
        let rows = sqlx::query_as!(
            Change,
            r#"select e.ord, s.log_no as "log_no?", s.generation as "generation?", g.origin as "origin?",
                      s.first_seq + array_position(s.ords, e.ord) - 1 as "seq?", e.body
                 from event e left join sequenced s on s.ords[1] / 256 = e.ord / 256 and e.ord = any(s.ords)
                 left join log_generation g on g.log_no = s.log_no and g.generation = s.generation
                where e.kind = 'log.key_changed' and (e.controller_id is null or e.controller_id = $1) and (e.incident_no is null or e.incident_no = $2)
                  and (e.restored_id is null or s.log_no is not null)
                order by 2, 3, 5"#,
            incident.controller_id,
            incident.incident_no
        )
        .fetch_all(&mut *self.tx)
        .await?;
        let mut findings = Vec::new();
        let mut logs: BTreeMap<i32, Log> = BTreeMap::new();
        for change in &rows {
            match change.read() {
                Some((log_no, generation, read)) => {
                    let log = logs.entry(log_no).or_default();
                    log.lines.push(generation, read).unwrap_or_default();
                    log.taken.push((change.ord, (generation, read)));
                }
                None => findings.push(not_changed(change.ord)),
            }
        }
        for (log_no, log) in logs {
            let newest = self.newest_note(log_no).await?;
            let signed = |key: &[u8; 32]| newest.as_ref().is_some_and(|(origin, note)| is_by(origin, note, key));
            let own = log.lines.all().iter().find(|line| line.keys().any(|key| signed(&key)));
            let others = log.taken.iter().filter(|(_, change)| !own.is_some_and(|own| own.changes().contains(change)));
            findings.extend(others.map(|(ord, _)| not_changed(*ord)));
        }
        Ok(findings)
    }

    /// The newest checkpoint of a log, with its origin.
    async fn newest_note(&mut self, log_no: i32) -> Result<Option<(String, String)>, StoreError> {
        let row = sqlx::query!(
            "select g.origin, c.note from checkpoint c join log_generation g using (log_no, generation)
              where c.log_no = $1 order by c.generation desc, c.size desc limit 1",
            log_no
        )
        .fetch_optional(&mut *self.tx)
        .await?;
        Ok(row.map(|row| (row.origin, row.note)))
    }
}

fn not_changed(ord: i64) -> Finding {
    finding("log_key_not_changed", format!("event {ord}"))
}

fn is_by(origin: &str, note: &str, key: &[u8; 32]) -> bool {
    Vkey::new(origin, KeyKind::Note, key).is_ok_and(|vkey| Checkpoint::open(note.as_bytes(), &[vkey]).is_ok())
}

impl Change {
    /// The log, the generation and the change, where both signatures hold over this place.
    fn read(&self) -> Option<(i32, u64, KeyChange)> {
        let (log_no, generation, origin, seq) = (self.log_no?, self.generation?, self.origin.as_ref()?, self.seq?);
        let change = KeyChange::read(&Event::parse(&self.body).ok()?, origin, u64_of(seq)).ok()?;
        Some((log_no, u64_of(generation.into()), change))
    }
}
