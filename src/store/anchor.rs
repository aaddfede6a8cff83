//! Anchors: what others said of checkpoints, and to whom checkpoints were handed.

use super::unit::IncidentKey;
use super::{Store, StoreError};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

/// A log's newest generation at its newest published checkpoint.
#[derive(Debug, Clone)]
pub struct LogNow {
    /// Log.
    pub log_no: i32,
    /// Name in evidence.
    pub log_id: Uuid,
    /// Generation.
    pub generation: i32,
    /// Short name of the controller; `None`: the system's log.
    pub controller: Option<String>,
    /// Origin.
    pub origin: String,
    /// Leaves.
    pub size: i64,
    /// The signed note, as published.
    pub note: String,
    /// When the generation was opened.
    pub opened_at: OffsetDateTime,
    /// Size from which the newest frozen list is in the log.
    pub frozen_at_size: Option<i64>,
    /// Size from which the incident's newest close is in the log.
    pub closed_at_size: Option<i64>,
}

/// Why a checkpoint goes out now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion {
    /// A list was frozen.
    Freeze,
    /// The log has grown, and a period has passed since: a day for hand-overs.
    Daily,
    /// The incident was closed.
    Close,
}

impl Occasion {
    /// Its word in tables, mails and webhooks.
    pub fn word(self) -> &'static str {
        match self {
            Self::Freeze => "freeze",
            Self::Daily => "daily",
            Self::Close => "close",
        }
    }
}

/// The last checkpoint that somebody has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Last {
    /// Leaves.
    pub size: i64,
    /// When it went there.
    pub at: OffsetDateTime,
}

impl LogNow {
    /// Whether the newest checkpoint must go to somebody who has `last`, and why.
    pub fn occasion(&self, last: Option<Last>, every: Duration, now: OffsetDateTime) -> Option<Occasion> {
        let Last { size, at } = last.unwrap_or(Last { size: 0, at: self.opened_at });
        let is_new = |mark: Option<i64>| mark.is_some_and(|mark| size < mark && mark <= self.size);
        if is_new(self.closed_at_size) {
            return Some(Occasion::Close);
        }
        if is_new(self.frozen_at_size) {
            return Some(Occasion::Freeze);
        }
        (self.size > size && now - at >= every).then_some(Occasion::Daily)
    }
}

/// Who anchors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnchorKind {
    /// A time-stamping authority.
    Tsa,
    /// A witness.
    Witness,
}

impl AnchorKind {
    /// Its word in the table.
    pub fn word(self) -> &'static str {
        match self {
            Self::Tsa => "tsa",
            Self::Witness => "witness",
        }
    }
}

/// An answer that anchors a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchor {
    /// Leaves.
    pub size: i64,
    /// `tsa` or `witness`.
    pub kind: String,
    /// The authority's host, or the witness's name.
    pub name: String,
    /// A TimeStampResp, or signature lines.
    pub response: Vec<u8>,
    /// The checkpoint's exact bytes.
    pub checkpoint: Vec<u8>,
}

/// How far an anchor of a log reaches, for the metrics.
#[derive(Debug, Clone)]
pub struct AnchorAge {
    /// Log.
    pub origin: String,
    /// `tsa`, `witness`, or the way of a hand-over.
    pub kind: String,
    /// Who.
    pub name: String,
    /// Leaves.
    pub size: i64,
    /// Age of that, seconds.
    pub age_seconds: f64,
}

/// What somebody outside holds of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outside {
    /// `tsa`, `witness`, or the way of a hand-over.
    pub kind: String,
    /// Who.
    pub name: String,
    /// Leaves.
    pub size: i64,
    /// When.
    pub at: OffsetDateTime,
}

/// A checkpoint as it stands: what its row says, and the note that was signed.
#[derive(Debug, Clone)]
pub struct StoredNote {
    /// Log, inside.
    pub log_no: i32,
    /// Generation.
    pub generation: i32,
    /// Leaves.
    pub size: i64,
    /// Their root.
    pub root: Vec<u8>,
    /// The C2SP signed note.
    pub note: String,
    /// Name of the log's generation, under which its key signs.
    pub origin: String,
}

impl Store {
    /// The newest checkpoint of a log that left this house until a moment: stamped, witnessed or handed over.
    pub async fn find_newest_outside(&self, log_id: Uuid, as_of: OffsetDateTime) -> Result<Option<Outside>, StoreError> {
        let row = sqlx::query_as!(
            Outside,
            r#"select kind as "kind!", name as "name!", size as "size!", made_at as "at!"
                 from (select log_id, kind, name, size, made_at from anchor
                       union all select log_id, way, to_name, size, made_at from hand_over) a
                where log_id = $1 and made_at <= $2 order by made_at desc, size desc, kind, name limit 1"#,
            log_id,
            as_of
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(row)
    }

    /// Every log at its newest published checkpoint.
    pub async fn list_logs_now(&self) -> Result<Vec<LogNow>, StoreError> {
        let rows = sqlx::query_as!(
            LogNow,
            r#"select l.log_no, l.log_id, g.generation as "generation!", k.slug as "controller?", g.origin as "origin!", p.size as "size!", c.note, g.opened_at as "opened_at!",
                      case when l.incident_no is not null then (select max(s.first_seq + array_position(s.ords, e.ord))
                            from event e join sequenced s on s.ords[1] / 256 = e.ord / 256 and e.ord = any(s.ords)
                          where e.controller_id = l.controller_id and e.incident_no = l.incident_no and e.person_id is null
                            and e.kind = 'list.frozen' and s.log_no = l.log_no and s.generation = g.generation) end as frozen_at_size,
                      case when l.incident_no is not null then (select max(s.first_seq + array_position(s.ords, e.ord))
                            from event e join sequenced s on s.ords[1] / 256 = e.ord / 256 and e.ord = any(s.ords)
                          where e.controller_id = l.controller_id and e.incident_no = l.incident_no and e.person_id is null
                            and e.kind = 'incident.closed' and s.log_no = l.log_no and s.generation = g.generation) end as closed_at_size
                 from log l
                 join lateral (select generation, origin, opened_at from log_generation where log_no = l.log_no order by generation desc limit 1) g on true
                 join lateral (select size from publication where log_no = l.log_no and generation = g.generation order by size desc limit 1) p on true
                 join checkpoint c on c.log_no = l.log_no and c.generation = g.generation and c.size = p.size
                 left join controller k on k.controller_id = l.controller_id
                order by l.log_no"#
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows)
    }

    /// The newest checkpoint of a log that somebody anchored.
    pub async fn last_anchor(&self, log: &LogNow, kind: AnchorKind, name: &str) -> Result<Option<Last>, StoreError> {
        let row = sqlx::query_as!(
            Last,
            "select size, made_at as at from anchor where log_id = $1 and generation = $2 and kind = $3 and name = $4 order by size desc limit 1",
            log.log_id,
            log.generation,
            kind.word(),
            name
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(row)
    }

    /// Keeps what somebody said of the log's checkpoint, verbatim.
    pub async fn insert_anchor(&self, log: &LogNow, kind: AnchorKind, name: &str, response: &[u8]) -> Result<(), StoreError> {
        sqlx::query!(
            "insert into anchor (anchor_id, log_id, generation, size, kind, name, response, checkpoint) values ($1, $2, $3, $4, $5, $6, $7, $8)",
            Uuid::now_v7(),
            log.log_id,
            log.generation,
            log.size,
            kind.word(),
            name,
            response,
            log.note.as_bytes()
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Every answer that anchors a generation up to a size, for packs; in order of size.
    pub async fn list_anchors(&self, log_id: Uuid, generation: i32, size_max: i64) -> Result<Vec<Anchor>, StoreError> {
        let rows = sqlx::query_as!(
            Anchor,
            "select size, kind, name, response, checkpoint from anchor where log_id = $1 and generation = $2 and size <= $3
              order by size, kind, name, anchor_id",
            log_id,
            generation,
            size_max
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows)
    }

    /// Anchors of an incident's log, its controller's and the system's, with their ids, after an id in their order.
    pub async fn list_anchors_around(
        &self,
        incident: IncidentKey,
        after: Uuid,
        limit: i64,
    ) -> Result<Vec<(Uuid, Anchor)>, StoreError> {
        let rows = sqlx::query!(
            "select a.anchor_id, a.size, a.kind, a.name, a.response, a.checkpoint from anchor a join log l on l.log_id = a.log_id
              where (l.controller_id is null or l.controller_id = $1) and (l.incident_no is null or l.incident_no = $2) and a.anchor_id > $3
              order by a.anchor_id limit $4",
            incident.controller_id,
            incident.incident_no,
            after,
            limit
        )
        .fetch_all(&self.pool)
        .await?;
        let anchors = rows.into_iter().map(|r| {
            let anchor = Anchor { size: r.size, kind: r.kind, name: r.name, response: r.response, checkpoint: r.checkpoint };
            (r.anchor_id, anchor)
        });
        Ok(anchors.collect())
    }

    /// Signed notes of the incident's log, its controller's and the system's after one of them, oldest first.
    pub async fn list_notes_around(
        &self,
        incident: IncidentKey,
        after: (i32, i32, i64),
        limit: i64,
    ) -> Result<Vec<StoredNote>, StoreError> {
        let rows = sqlx::query_as!(
            StoredNote,
            "select c.log_no, c.generation, c.size, c.root, c.note, g.origin from checkpoint c join log_generation g using (log_no, generation) join log l using (log_no)
              where (l.controller_id is null or l.controller_id = $1) and (l.incident_no is null or l.incident_no = $2)
                and (c.log_no, c.generation, c.size) > ($3, $4, $5) order by c.log_no, c.generation, c.size limit $6",
            incident.controller_id,
            incident.incident_no,
            after.0,
            after.1,
            after.2,
            limit
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows)
    }

    /// The newest checkpoint of a log that a recipient got by a way.
    pub async fn last_hand_over(&self, log: &LogNow, way: &str, to: &str) -> Result<Option<Last>, StoreError> {
        let row = sqlx::query_as!(
            Last,
            "select size, made_at as at from hand_over where log_id = $1 and generation = $2 and way = $3 and to_name = $4 order by size desc limit 1",
            log.log_id,
            log.generation,
            way,
            to
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(row)
    }

    /// Notes a hand-over; a second time changes nothing.
    pub async fn insert_hand_over(&self, log: &LogNow, occasion: Occasion, way: &str, to: &str) -> Result<(), StoreError> {
        sqlx::query!(
            "insert into hand_over (log_id, generation, size, way, to_name, occasion) values ($1, $2, $3, $4, $5, $6) on conflict do nothing",
            log.log_id,
            log.generation,
            log.size,
            way,
            to,
            occasion.word()
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// How far each log's anchors and hand-overs reach, and how old they are.
    pub async fn list_anchor_ages(&self) -> Result<Vec<AnchorAge>, StoreError> {
        let rows = sqlx::query_as!(
            AnchorAge,
            r#"select g.origin, a.kind as "kind!", a.name as "name!", max(a.size) as "size!",
                      extract(epoch from duly_now() - max(a.made_at))::float8 as "age_seconds!"
                 from (select log_id, generation, kind, name, size, made_at from anchor
                       union all select log_id, generation, way, to_name, size, made_at from hand_over) a
                 join log l on l.log_id = a.log_id join log_generation g on g.log_no = l.log_no and g.generation = a.generation
                group by 1, 2, 3 order by 1, 2, 3"#
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    const OPENED: OffsetDateTime = datetime!(2026-01-05 09:00 UTC);

    fn log(size: i64, frozen_at_size: Option<i64>, closed_at_size: Option<i64>) -> LogNow {
        let (log_id, origin, note) = (Uuid::nil(), "duly.test/log".to_owned(), String::new());
        LogNow {
            log_no: 1,
            log_id,
            generation: 1,
            controller: None,
            origin,
            size,
            note,
            opened_at: OPENED,
            frozen_at_size,
            closed_at_size,
        }
    }

    #[test]
    fn a_checkpoint_goes_out_once_at_freeze_once_a_period_while_the_log_grows_and_once_at_close() {
        let at = |hours: i64| OPENED + Duration::hours(hours);
        let go = |log: LogNow, last: Option<(i64, i64)>, hours: i64| {
            log.occasion(last.map(|(size, hours)| Last { size, at: at(hours) }), Duration::hours(24), at(hours))
        };

        assert_eq!(go(log(3, None, None), None, 1), None, "nothing of weight yet");
        assert_eq!(go(log(3, None, None), None, 24), Some(Occasion::Daily));
        assert_eq!(go(log(9, Some(8), None), None, 1), Some(Occasion::Freeze));
        assert_eq!(go(log(9, Some(8), None), Some((9, 1)), 2), None, "the freeze is covered");
        assert_eq!(go(log(20, Some(19), None), Some((9, 1)), 2), Some(Occasion::Freeze), "a supplement is a freeze");
        assert_eq!(go(log(20, Some(8), None), Some((9, 1)), 24), None);
        assert_eq!(go(log(20, Some(8), None), Some((9, 1)), 25), Some(Occasion::Daily));
        assert_eq!(go(log(9, Some(8), None), Some((9, 1)), 1000), None, "a log that does not grow is left alone");
        assert_eq!(go(log(30, Some(8), Some(30)), Some((29, 1)), 2), Some(Occasion::Close));
        assert_eq!(go(log(30, Some(8), Some(30)), Some((30, 1)), 1000), None);
        assert_eq!(go(log(30, Some(31), None), Some((20, 1)), 2), None, "not published yet");
    }
}
