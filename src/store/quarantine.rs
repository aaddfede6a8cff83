//! Quarantined rows and what somebody decided about them.

use super::list::{Inserted, NewRow, Tally, insert_into};
use super::unit::{IncidentKey, Unit, Wait};
use super::{Store, StoreError};
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

/// The name of a row: `list/row` for a file, `list/hash` for a job.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RowName {
    /// List within the incident.
    pub list_no: i32,
    /// Identity within the list.
    pub identity: Vec<u8>,
}

impl RowName {
    /// Row number of a file, or the 32 hexadecimal digits of a job.
    pub fn row(&self) -> String {
        match <[u8; 8]>::try_from(self.identity.as_slice()) {
            Ok(bytes) => u64::from_be_bytes(bytes).to_string(),
            Err(_) => hex::encode(&self.identity),
        }
    }

    /// Whether it was a job; else it is a row of a file.
    pub fn is_job(&self) -> bool {
        <[u8; 8]>::try_from(self.identity.as_slice()).is_err()
    }

    /// Reads the two halves of a name.
    pub fn of(list: &str, row: &str) -> Option<Self> {
        let list_no = list.trim().parse().ok().filter(|n| *n > 0)?;
        let row = row.trim();
        let identity = if row.len() == 32 { hex::decode(row).ok()? } else { row.parse::<u64>().ok()?.to_be_bytes().to_vec() };
        Some(Self { list_no, identity })
    }
}

impl RowName {
    /// How a leaf names the row: a file's by its number, a job's by the keyed hash of its id.
    fn leaf_value(&self) -> Value {
        match <[u8; 8]>::try_from(self.identity.as_slice()) {
            Ok(number) => json!(u64::from_be_bytes(number)),
            Err(_) => json!(self.row()),
        }
    }
}

impl fmt::Display for RowName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.list_no, self.row())
    }
}

impl FromStr for RowName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.split_once('/')
            .and_then(|(list, row)| Self::of(list, row))
            .ok_or("write LIST/ROW as `duly quarantine list` prints it")
    }
}

/// A quarantined row as it is listed: place and codes, never values.
#[derive(Debug, Clone)]
pub struct QuarantinedRow {
    /// Its name.
    pub name: RowName,
    /// `[{column, code}]`.
    pub faults: Value,
    /// The row as read, under the list's key.
    pub sealed: Vec<u8>,
    /// The list's key under the incident key.
    pub wrapped_key: Vec<u8>,
}

/// Who decided, and the signature that says so.
#[derive(Debug, Clone, Copy)]
pub struct Decider {
    /// User.
    pub user_id: Uuid,
    /// Signed command.
    pub command_id: Uuid,
}

/// The end of a correction.
#[derive(Debug, Clone, PartialEq)]
pub enum Corrected {
    /// Every corrected row has its fate, and the row that it corrects is superseded.
    Taken {
        /// Counts.
        tally: Tally,
        /// Row number and faults of each corrected row that is quarantined in its turn.
        quarantined: Vec<(i64, Value)>,
    },
    /// These rows do not wait for a correction; nothing was written.
    NotQuarantined(Vec<RowName>),
    /// A plan froze the list of corrections meanwhile; nothing was written.
    Frozen,
}

impl Store {
    /// Quarantined rows that nobody has decided about, in order, after `after`.
    pub async fn list_quarantined(
        &self,
        incident: IncidentKey,
        after: Option<&RowName>,
        limit: i64,
    ) -> Result<Vec<QuarantinedRow>, StoreError> {
        let (list_no, identity) = after.map_or((0, &[][..]), |name| (name.list_no, name.identity.as_slice()));
        let rows = sqlx::query!(
            r#"select s.list_no, s.identity, s.sealed as "sealed!", l.wrapped_key,
                      case when s.sealed = '' then '[{"column": "external_reference", "code": "erased"}]' else s.faults end as "faults!"
                 from source_row s
                 join affected_list l using (controller_id, incident_no, list_no)
                where s.controller_id = $1 and s.incident_no = $2 and s.fate = 'quarantined' and (s.list_no, s.identity) > ($3, $4)
                  and not exists (select from row_decision d where d.controller_id = s.controller_id and d.incident_no = s.incident_no
                      and d.list_no = s.list_no and d.identity = s.identity)
                order by s.list_no, s.identity limit $5"#,
            incident.controller_id,
            incident.incident_no,
            list_no,
            identity,
            limit
        )
        .fetch_all(&self.pool)
        .await?;
        let row = |r| {
            let (list_no, identity, faults, sealed, wrapped_key) = r;
            QuarantinedRow { name: RowName { list_no, identity }, faults, sealed, wrapped_key }
        };
        Ok(rows.into_iter().map(|r| row((r.list_no, r.identity, r.faults, r.sealed, r.wrapped_key))).collect())
    }

    /// How many quarantined rows wait for a decision.
    pub async fn count_quarantined(&self, incident: IncidentKey) -> Result<i64, StoreError> {
        let row = sqlx::query!(
            r#"select count(*) as "n!" from source_row s
                where s.controller_id = $1 and s.incident_no = $2 and s.fate = 'quarantined'
                  and not exists (select from row_decision d where d.controller_id = s.controller_id and d.incident_no = s.incident_no
                      and d.list_no = s.list_no and d.identity = s.identity)"#,
            incident.controller_id,
            incident.incident_no
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(row.n)
    }

    /// Which of these rows do not wait for a decision.
    pub async fn list_not_quarantined(&self, incident: IncidentKey, rows: &[RowName]) -> Result<Vec<RowName>, StoreError> {
        let mut unit = self.unit(incident, &[], Wait::Wait).await?;
        let fates = unit.read_fates(rows).await?;
        Ok(rows.iter().filter(|row| !matches!(fates.get(row), Some(Waiting::Yes))).cloned().collect())
    }

    /// Which of these targets the row of the same place cannot correct: they do not wait, and it did not correct them before.
    pub async fn list_not_correctable(
        &self,
        incident: IncidentKey,
        list_no: Option<i32>,
        rows: &[NewRow],
        targets: &[RowName],
    ) -> Result<Vec<RowName>, StoreError> {
        let mut unit = self.unit(incident, &[], Wait::Wait).await?;
        Ok(not_correctable(&unit.read_fates(targets).await?, list_no, rows, targets))
    }

    /// Takes corrected rows into `list_no` and lets each supersede the row of the same place in `targets`.
    pub async fn correct_rows(
        &self,
        incident: IncidentKey,
        list_no: i32,
        rows: &[NewRow],
        targets: &[RowName],
        by: Decider,
    ) -> Result<Corrected, StoreError> {
        let mut unit = self.unit(incident, &[], Wait::Wait).await?;
        let fates = unit.read_fates(targets).await?;
        let wrong = not_correctable(&fates, Some(list_no), rows, targets);
        if !wrong.is_empty() {
            return Ok(Corrected::NotQuarantined(wrong));
        }
        let Inserted::Taken { tally, quarantined } = insert_into(&mut unit.tx, incident, list_no, rows).await? else {
            return Ok(Corrected::Frozen);
        };
        for (row, target) in rows.iter().zip(targets).filter(|(row, target)| !is_known(&fates, Some(list_no), row, target)) {
            let new = RowName { list_no, identity: row.identity.clone() };
            unit.decide(target, "superseded", Some(&new), None, by).await?;
            let mut detail = decision(target, by);
            detail.insert("new_list".into(), json!(new.list_no));
            detail.insert("new_row".into(), new.leaf_value());
            unit.incident_event("row.corrected", detail, None)?;
        }
        // If we die before this, neither the new rows nor the old ones' fates are there.
        unit.commit().await?;
        Ok(Corrected::Taken { tally, quarantined })
    }

    /// Discards quarantined rows for a reason; answers which of them do not wait for a decision, and then writes nothing.
    pub async fn discard_rows(
        &self,
        incident: IncidentKey,
        rows: &[RowName],
        reason: &str,
        by: Decider,
    ) -> Result<Vec<RowName>, StoreError> {
        let mut unit = self.unit(incident, &[], Wait::Wait).await?;
        let fates = unit.read_fates(rows).await?;
        let wrong: Vec<RowName> = rows.iter().filter(|row| !matches!(fates.get(row), Some(Waiting::Yes))).cloned().collect();
        if !wrong.is_empty() {
            return Ok(wrong);
        }
        for row in rows {
            unit.decide(row, "discarded", None, Some(reason), by).await?;
            unit.incident_event("row.discarded", decision(row, by), None)?;
        }
        unit.commit().await?;
        Ok(Vec::new())
    }
}

/// Whether a row waits for a decision.
enum Waiting {
    Yes,
    No,
    SupersededBy(i32, Vec<u8>),
}

type Fates = HashMap<RowName, Waiting>;

/// Whether this very row of the list superseded the target before.
fn is_known(fates: &Fates, list_no: Option<i32>, row: &NewRow, target: &RowName) -> bool {
    matches!(fates.get(target), Some(Waiting::SupersededBy(n, id)) if (Some(*n), id) == (list_no, &row.identity))
}

fn not_correctable(fates: &Fates, list_no: Option<i32>, rows: &[NewRow], targets: &[RowName]) -> Vec<RowName> {
    let is_wrong = |row: &NewRow, target: &RowName| {
        !matches!(fates.get(target), Some(Waiting::Yes)) && !is_known(fates, list_no, row, target)
    };
    let wrong = rows.iter().zip(targets).filter(|(row, target)| is_wrong(row, target));
    wrong.map(|(_, target)| target.clone()).collect()
}

fn decision(row: &RowName, by: Decider) -> Map<String, Value> {
    let mut detail = Map::new();
    detail.insert("command".into(), json!(by.command_id.to_string()));
    detail.insert("list".into(), json!(row.list_no));
    detail.insert("row".into(), row.leaf_value());
    detail.insert("user".into(), json!(by.user_id.to_string()));
    detail
}

impl Unit {
    async fn read_fates(&mut self, rows: &[RowName]) -> Result<Fates, StoreError> {
        let lists: Vec<i32> = rows.iter().map(|r| r.list_no).collect();
        let identities: Vec<Vec<u8>> = rows.iter().map(|r| r.identity.clone()).collect();
        let found = sqlx::query!(
            r#"select s.list_no, s.identity, s.fate = 'quarantined' and d.fate is null as "waits!", d.new_list_no, d.new_identity
                 from unnest($3::int[], $4::bytea[]) as j (list_no, identity)
                 join source_row s on s.controller_id = $1 and s.incident_no = $2 and s.list_no = j.list_no and s.identity = j.identity
                 left join row_decision d on d.controller_id = s.controller_id and d.incident_no = s.incident_no
                      and d.list_no = s.list_no and d.identity = s.identity"#,
            self.incident.controller_id,
            self.incident.incident_no,
            &lists,
            &identities
        )
        .fetch_all(&mut *self.tx)
        .await?;
        let fate = |waits: bool, new: Option<(i32, Vec<u8>)>| match new {
            Some((list_no, identity)) => Waiting::SupersededBy(list_no, identity),
            None if waits => Waiting::Yes,
            None => Waiting::No,
        };
        let named = found
            .into_iter()
            .map(|r| (RowName { list_no: r.list_no, identity: r.identity }, fate(r.waits, r.new_list_no.zip(r.new_identity))));
        Ok(named.collect())
    }

    /// A second decision about one row meets the primary key and fails the whole transaction.
    async fn decide(
        &mut self,
        row: &RowName,
        fate: &str,
        new: Option<&RowName>,
        reason: Option<&str>,
        by: Decider,
    ) -> Result<(), StoreError> {
        sqlx::query!(
            "insert into row_decision (controller_id, incident_no, list_no, identity, fate, new_list_no, new_identity, reason, decided_by, command_id)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            self.incident.controller_id,
            self.incident.incident_no,
            row.list_no,
            row.identity,
            fate,
            new.map(|n| n.list_no),
            new.map(|n| n.identity.as_slice()),
            reason,
            by.user_id,
            by.command_id
        )
        .execute(&mut *self.tx)
        .await?;
        Ok(())
    }
}
