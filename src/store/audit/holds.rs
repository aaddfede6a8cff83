//! Holds as rows, as events and as signatures: all three say the same.

use super::decisions::{SignedCommand, read_decider};
use super::{Finding, Snapshot, finding};
use crate::model::statement::{hold_lift, hold_set};
use crate::store::StoreError;
use crate::store::unit::IncidentKey;
use duly_ledger::Event;
use std::collections::HashMap;
use time::OffsetDateTime;
use uuid::Uuid;

/// How far the time of a hold's row may lie from its event's, µs: the one is taken before locks are held, the other after.
const APART_MICROS_MAX: i64 = 60_000_000;

/// One side of a hold: its setting or its lifting.
struct Side {
    kind: &'static str,
    user_id: Uuid,
    command_id: Uuid,
    at_micros: i64,
}

/// What an event tells of a hold.
struct Told {
    kind: String,
    person_id: Option<Uuid>,
    by: Option<(Uuid, Uuid)>,
    at_micros: i64,
    /// Brought back after a restore: who reconciled vouches for the row, later and in their own name.
    is_brought_back: bool,
}

impl Side {
    fn is_told(&self, person_id: Option<Uuid>, told: &[Told]) -> bool {
        let mut of_kind = told.iter().filter(|t| t.kind == self.kind);
        let fits = |t: &Told| {
            t.person_id == person_id
                && (t.is_brought_back
                    || (t.by == Some((self.user_id, self.command_id))
                        && t.at_micros.abs_diff(self.at_micros) <= APART_MICROS_MAX.unsigned_abs()))
        };
        of_kind.next().is_some_and(fits) && of_kind.next().is_none()
    }
}

impl Snapshot {
    pub(super) async fn audit_holds(&mut self, incident: IncidentKey) -> Result<Vec<Finding>, StoreError> {
        let rows = sqlx::query!(
            "select h.hold_id, h.person_id, h.reason, h.set_by, h.command_id, h.set_at, h.lifted_by, h.lifted_command_id, h.lifted_at, i.incident_id
               from hold h join incident i on i.controller_id = h.controller_id and i.incident_no = h.incident_no
              where h.controller_id = $1 and h.incident_no = $2 order by h.hold_id",
            incident.controller_id,
            incident.incident_no
        )
        .fetch_all(&mut *self.tx)
        .await?;
        let mut told = self.read_hold_events(incident).await?;
        let ids: Vec<Uuid> = rows.iter().flat_map(|r| [Some(r.command_id), r.lifted_command_id]).flatten().collect();
        let commands = self.read_commands(&ids).await?;
        let mut findings = Vec::new();
        for row in rows {
            let told = told.remove(&row.hold_id).unwrap_or_default();
            let set = Side { kind: "hold.set", user_id: row.set_by, command_id: row.command_id, at_micros: micros(row.set_at) };
            let lifted = row.lifted_by.zip(row.lifted_command_id).zip(row.lifted_at);
            let lifted = lifted.map(|((user_id, command_id), at)| Side {
                kind: "hold.lifted",
                user_id,
                command_id,
                at_micros: micros(at),
            });
            let lifts = told.iter().filter(|t| t.kind == "hold.lifted").count();
            let same = set.is_told(row.person_id, &told)
                && lifted.as_ref().map_or(lifts == 0, |side| side.is_told(row.person_id, &told))
                && row.lifted_at.is_some() == lifted.is_some();
            if !same {
                findings.push(finding("hold_differs_from_events", row.hold_id.to_string()));
            }
            let is_signed =
                |side: &Side, words| commands.get(&side.command_id).is_some_and(|c: &SignedCommand| c.says(side.user_id, &words));
            if !is_signed(&set, hold_set(row.incident_id, row.person_id, &row.reason))
                || lifted.as_ref().is_some_and(|side| !is_signed(side, hold_lift(row.hold_id)))
            {
                findings.push(finding("event_not_signed", row.hold_id.to_string()));
            }
        }
        findings.extend(told.into_keys().map(|hold| finding("hold_differs_from_events", hold.to_string())));
        Ok(findings)
    }

    /// What all events tell, by hold. One that names no hold counts for the nil id, which no row has.
    async fn read_hold_events(&mut self, incident: IncidentKey) -> Result<HashMap<Uuid, Vec<Told>>, StoreError> {
        let rows = sqlx::query!(
            r#"select person_id, kind, body, restored_id is not null as "is_brought_back!" from event
                where controller_id = $1 and incident_no = $2 and kind in ('hold.set', 'hold.lifted') order by ord"#,
            incident.controller_id,
            incident.incident_no
        )
        .fetch_all(&mut *self.tx)
        .await?;
        let mut told: HashMap<Uuid, Vec<Told>> = HashMap::new();
        for row in rows {
            // Bytes that cannot be read are a finding of their chain's; here they tell of no hold.
            let event = Event::parse(&row.body).ok();
            let hold = event.as_ref().and_then(|e| e.detail.get("hold")?.as_str()?.parse().ok()).unwrap_or(Uuid::nil());
            let by = event.as_ref().and_then(read_decider);
            let at_micros = event.map_or(0, |e| e.at_micros);
            told.entry(hold).or_default().push(Told {
                kind: row.kind,
                person_id: row.person_id,
                by,
                at_micros,
                is_brought_back: row.is_brought_back,
            });
        }
        Ok(told)
    }
}

fn micros(at: OffsetDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos() / 1000).unwrap_or(i64::MAX)
}
