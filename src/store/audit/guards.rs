//! The walls themselves: functions and triggers that guard the record, and what the application's role may do. Whoever owns the
//! database can take them away or put others in their place, and nothing else would tell.

use super::decisions::PLAN_MOVES;
use super::made::{Made, place, spelling};
use super::{Finding, Snapshot, finding};
use crate::model::state::{MessageState, NoticeState};
use crate::store::StoreError;
use std::collections::BTreeSet;

/// The one clock. Who exchanges it guards nothing less, and falsifies every time.
const CLOCK: &str = "duly_now";

impl Snapshot {
    pub(super) async fn audit_guards(&mut self) -> Result<Vec<Finding>, StoreError> {
        let made = Made::by_migrations();
        let mut findings = self.audit_functions(&made).await?;
        findings.extend(self.audit_triggers(&made).await?);
        findings.extend(self.audit_moves().await?);
        findings.extend(self.audit_rights().await?);
        Ok(findings)
    }

    /// Each function has the body, the rights and the way of finding tables that the migrations gave it.
    async fn audit_functions(&mut self, made: &Made) -> Result<Vec<Finding>, StoreError> {
        let rows = sqlx::query!(
            r#"select p.proname::text as "name!", p.prosrc, p.prosecdef,
                      l.lanname = 'plpgsql' and p.provolatile <> 'i' and p.proconfig is distinct from array['search_path=public, pg_temp'] as "finds_elsewhere!"
                 from pg_proc p join pg_language l on l.oid = p.prolang where p.pronamespace = 'public'::regnamespace order by 1"#
        )
        .fetch_all(&mut *self.tx)
        .await?;
        let mut findings = Vec::new();
        for (name, function) in &made.functions {
            let mut found = rows.iter().filter(|row| row.name == *name).peekable();
            let is_there = found.peek().is_some();
            let is_ours =
                found.all(|row| row.prosrc == function.body && row.prosecdef == function.is_definer && !row.finds_elsewhere);
            if !is_there || !is_ours {
                let code = if name == CLOCK { "clock_differs" } else { "guard_differs" };
                findings.push(finding(code, name.clone()));
            }
        }
        Ok(findings)
    }

    /// Each trigger is there, as the migrations defined it, and switched on.
    async fn audit_triggers(&mut self, made: &Made) -> Result<Vec<Finding>, StoreError> {
        let rows = sqlx::query!(
            r#"select t.tgname::text as "name!", c.relname::text as "table!", pg_get_triggerdef(t.oid) as "definition!", t.tgenabled = 'O' as "is_on!"
                 from pg_trigger t join pg_class c on c.oid = t.tgrelid where c.relnamespace = 'public'::regnamespace and not t.tgisinternal"#
        )
        .fetch_all(&mut *self.tx)
        .await?;
        let is_on = |wanted: &str, definition: &str| {
            let mut own = rows.iter().filter(|row| place(&row.name, &row.table) == wanted);
            own.any(|row| row.is_on && spelling(&row.definition) == definition)
        };
        let missing = made.triggers.iter().filter(|(wanted, definition)| !is_on(wanted, definition));
        Ok(missing.map(|(wanted, _)| finding("guard_off", wanted.clone())).collect())
    }

    /// The guards' tables of moves are the program's: one more move in them lets something go where no rule leads.
    async fn audit_moves(&mut self) -> Result<Vec<Finding>, StoreError> {
        let rows = sqlx::query!(
            r#"select 'message_move' as "table!", from_state as "from!", to_state as "to!" from message_move
                union all select 'notice_move', from_state, to_state from notice_move
                union all select 'plan_move', kind || ' by ' || command || ' ' || from_state, to_state from plan_move"#
        )
        .fetch_all(&mut *self.tx)
        .await?;
        let stored: BTreeSet<Move> = rows.into_iter().map(|row| (row.table, row.from, row.to)).collect();
        let made = moves();
        let tables: BTreeSet<&str> = stored.symmetric_difference(&made).map(|(table, ..)| table.as_str()).collect();
        Ok(tables.into_iter().map(|table| finding("guard_differs", table.to_owned())).collect())
    }

    /// The application's role changes what it may, and only adds to all else.
    async fn audit_rights(&mut self) -> Result<Vec<Finding>, StoreError> {
        let rows = sqlx::query!(
            r#"select c.relname::text as "place!" from pg_class c
                where c.relnamespace = 'public'::regnamespace and c.relkind = 'r'
                  and (has_table_privilege('duly_app', c.oid, 'truncate')
                    or (has_table_privilege('duly_app', c.oid, 'delete') and c.relname <> all($1))
                    or (has_any_column_privilege('duly_app', c.oid, 'update') and c.relname <> all($1) and c.relname <> all($2))
                    or (c.relname = 'message' and has_column_privilege('duly_app', c.oid, 'state', 'update'))
                    or (c.relname = 'person' and (has_column_privilege('duly_app', c.oid, 'contact', 'update')
                                               or has_column_privilege('duly_app', c.oid, 'last_n', 'update')))) order by 1"#,
            &DELETED_FROM.map(str::to_owned),
            &CHANGED.map(str::to_owned)
        )
        .fetch_all(&mut *self.tx)
        .await?;
        Ok(rows.into_iter().map(|row| finding("rights_differ", row.place)).collect())
    }
}

/// Table, from, to.
type Move = (String, String, String);

/// What stands in the tables of moves, by the model and by what must be signed for a plan.
fn moves() -> BTreeSet<Move> {
    let of = |table: &str, from: &str, to: &str| (table.to_owned(), from.to_owned(), to.to_owned());
    let mut moves = BTreeSet::new();
    for from in MessageState::ALL {
        let next = MessageState::ALL.iter().filter(|to| from.can_become(**to));
        moves.extend(next.map(|to| of("message_move", from.as_str(), to.as_str())));
    }
    for from in NoticeState::ALL {
        let next = NoticeState::ALL.iter().filter(|to| from.can_become(**to));
        moves.extend(next.map(|to| of("notice_move", from.as_str(), to.as_str())));
    }
    moves.extend(PLAN_MOVES.iter().map(|(kind, command, from, to)| of("plan_move", &format!("{kind} by {command} {from}"), to)));
    moves
}

/// What the application takes rows out of: what waits, and what only counts.
const DELETED_FROM: [&str; 3] = ["lane_health", "lane_pause", "receipt"];
/// What it changes columns of, as the migrations allow it; in all else it only inserts.
const CHANGED: [&str; 13] = [
    "affected_list",
    "app_user",
    "hold",
    "incident",
    "lane_day",
    "leadership",
    "log_tile",
    "lookup",
    "message",
    "person",
    "pulse",
    "restored",
    "restored_call",
];
