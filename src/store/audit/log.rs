//! The log against the tables: every event has one place, every tile is made of its leaves, every root is theirs.

use super::{Finding, Snapshot, finding};
use crate::store::StoreError;
use crate::store::unit::{IncidentKey, hash};
use duly_ledger::Appender;
use serde_json::json;
use std::collections::BTreeMap;
use uuid::Uuid;

/// Tiles read at once.
const TILES: i64 = 64;

/// A generation of a log.
struct Generation {
    log_no: i32,
    generation: i32,
}

impl std::fmt::Display for Generation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "log {}, generation {}", self.log_no, self.generation)
    }
}

impl Snapshot {
    /// Findings about the incident's log, its controller's and the system's.
    pub(super) async fn audit_log(&mut self, incident: IncidentKey) -> Result<Vec<Finding>, StoreError> {
        let mut findings = self.events_out_of_log(incident).await?;
        findings.extend(self.events_brought_back(incident).await?);
        let generations = sqlx::query_as!(
            Generation,
            "select g.log_no, g.generation from log l join log_generation g using (log_no)
              where (l.controller_id is null or l.controller_id = $1) and (l.incident_no is null or l.incident_no = $2)
              order by g.log_no, g.generation",
            incident.controller_id,
            incident.incident_no
        )
        .fetch_all(&mut *self.tx)
        .await?;
        for generation in &generations {
            findings.extend(self.tiles_that_differ(generation).await?);
            findings.extend(self.checkpoints_that_differ(generation).await?);
        }
        Ok(findings)
    }

    async fn events_out_of_log(&mut self, incident: IncidentKey) -> Result<Vec<Finding>, StoreError> {
        let rows = sqlx::query_scalar!(
            "select e.ord from event e where (e.controller_id is null or e.controller_id = $1) and (e.incident_no is null or e.incident_no = $2)
                and not exists (select from (select unnest(ords) as ord from event_inbox) i where i.ord = e.ord)
                and not exists (select from place s join log_generation g using (log_no, generation) join log l using (log_no)
                  where s.ord = e.ord and l.controller_id is not distinct from e.controller_id and l.incident_no is not distinct from e.incident_no)
              order by e.ord",
            incident.controller_id,
            incident.incident_no
        )
        .fetch_all(&mut *self.tx)
        .await?;
        Ok(rows.into_iter().map(|ord| finding("event_out_of_log", format!("event {ord}"))).collect())
    }

    /// Events are brought back by a reconciliation that somebody signed, and as many as it says in the log.
    async fn events_brought_back(&mut self, incident: IncidentKey) -> Result<Vec<Finding>, StoreError> {
        let rows = sqlx::query!(
            r#"select e.restored_id as "restored_id!", r.command_id, c.user_id as "user_id?", count(*) as "n!",
                      (select coalesce(sum((convert_from(t.body, 'UTF8')::jsonb -> 'd' ->> 'imported')::bigint), 0)::bigint from event t
                        where t.controller_id = $1 and t.incident_no = $2 and t.person_id is null and t.kind = 'restore.reconciled'
                          and convert_from(t.body, 'UTF8')::jsonb -> 'd' ->> 'command' = r.command_id::text) as "said!"
                 from event e left join restored r on r.restored_id = e.restored_id left join signed_command c on c.command_id = r.command_id
                where e.controller_id = $1 and e.incident_no = $2 and e.restored_id is not null
                  and not exists (select from restored o where o.restored_id = e.restored_id and o.reconciled_at is null)
                group by 1, 2, 3"#,
            incident.controller_id,
            incident.incident_no
        )
        .fetch_all(&mut *self.tx)
        .await?;
        let ids: Vec<Uuid> = rows.iter().filter_map(|row| row.command_id).collect();
        let commands = self.read_commands(&ids).await?;
        let is_signed = |restored_id: Uuid, command_id: Option<Uuid>, user_id: Option<Uuid>| {
            let words = json!({"command": "restore reconcile", "restored": restored_id});
            let signed = command_id.and_then(|id| commands.get(&id));
            signed.zip(user_id).is_some_and(|(signed, user)| signed.says(user, &words))
        };
        let bad = rows.into_iter().filter(|row| row.n != row.said || !is_signed(row.restored_id, row.command_id, row.user_id));
        Ok(bad.map(|row| finding("brought_back_unsigned", format!("restore {}", row.restored_id))).collect())
    }

    /// Leaves as the events on record make them, beside the tile that was signed.
    async fn tiles_that_differ(&mut self, of: &Generation) -> Result<Vec<Finding>, StoreError> {
        let rows = sqlx::query!(
            r#"select coalesce(t.tile_no, l.tile_no) as "tile_no!"
                 from (select s.seq / 256 as tile_no, string_agg(e.leaf, ''::bytea order by s.seq) as hashes, min(s.seq) % 256 as first, count(*) as n, max(s.seq) % 256 as last, count(e.ord) as events
                         from place s left join event e on e.ord = s.ord where s.log_no = $1 and s.generation = $2 group by 1) l
                 full join (select tile_no, hashes from log_tile where log_no = $1 and generation = $2 and level = 0) t on t.tile_no = l.tile_no
                where t.hashes is distinct from l.hashes or l.first <> 0 or l.n <> l.last + 1 or l.n <> l.events order by 1"#,
            of.log_no,
            of.generation
        )
        .fetch_all(&mut *self.tx)
        .await?;
        Ok(rows.into_iter().map(|row| finding("tile_differs", format!("tile 0/{} of {of}", row.tile_no))).collect())
    }

    /// The root at each size that was signed, and the upper tiles, from the leaves of the lowest. Whatever has its place is signed.
    async fn checkpoints_that_differ(&mut self, of: &Generation) -> Result<Vec<Finding>, StoreError> {
        let rows = sqlx::query!(
            r#"select c.size, c.root, starts_with(c.note, g.origin || E'\n' || c.size || E'\n' || encode(c.root, 'base64') || E'\n\n') as "is_said!"
                 from checkpoint c join log_generation g using (log_no, generation) where c.log_no = $1 and c.generation = $2 order by c.size"#,
            of.log_no,
            of.generation
        )
        .fetch_all(&mut *self.tx)
        .await?;
        let unsaid = rows.iter().filter(|row| !row.is_said);
        let mut findings: Vec<Finding> =
            unsaid.map(|row| finding("checkpoint_differs", format!("size {} of {of}: its note", row.size))).collect();
        let mut signed: BTreeMap<u64, Vec<u8>> =
            rows.into_iter().map(|row| (u64::try_from(row.size).unwrap_or_default(), row.root)).collect();
        let (mut tree, mut next, mut upper) = (Appender::new(), 0, UpperTiles::new());
        let newest = signed.last_key_value().map_or(0, |(size, _)| *size);
        loop {
            let tiles = sqlx::query_scalar!(
                "select hashes from log_tile where log_no = $1 and generation = $2 and level = 0 and tile_no >= $3 order by tile_no limit $4",
                of.log_no,
                of.generation,
                next,
                TILES
            )
            .fetch_all(&mut *self.tx)
            .await?;
            if tiles.is_empty() {
                break;
            }
            next += TILES;
            for leaf in tiles.concat().chunks(32) {
                tree.append(hash(leaf)?);
                if signed.remove(&tree.size()).is_some_and(|root| root != tree.root()) {
                    findings.push(finding("checkpoint_differs", format!("size {} of {of}", tree.size())));
                }
            }
            for growth in tree.take_growth().into_iter().filter(|growth| growth.level > 0) {
                let place = (growth.level.into(), i64::try_from(growth.tile).unwrap_or(i64::MAX));
                upper.entry(place).or_default().extend(growth.hashes);
            }
        }
        findings.extend(signed.keys().map(|size| finding("checkpoint_differs", format!("size {size} of {of}"))));
        if newest < tree.size() {
            findings.push(finding("checkpoint_missing", format!("size {} of {of}", tree.size())));
        }
        findings.extend(self.upper_tiles_that_differ(of, upper).await?);
        Ok(findings)
    }

    async fn upper_tiles_that_differ(&mut self, of: &Generation, mut made: UpperTiles) -> Result<Vec<Finding>, StoreError> {
        let rows = sqlx::query!(
            "select level, tile_no, hashes from log_tile where log_no = $1 and generation = $2 and level > 0 order by level, tile_no",
            of.log_no,
            of.generation
        )
        .fetch_all(&mut *self.tx)
        .await?;
        let differs = |level: i32, tile: i64| finding("tile_differs", format!("tile {level}/{tile} of {of}"));
        let mut findings = Vec::new();
        for row in rows {
            if made.remove(&(row.level, row.tile_no)) != Some(row.hashes) {
                findings.push(differs(row.level, row.tile_no));
            }
        }
        findings.extend(made.keys().map(|(level, tile)| differs(*level, *tile)));
        Ok(findings)
    }
}

/// Tiles above the lowest, by level and number.
type UpperTiles = BTreeMap<(i32, i64), Vec<u8>>;
