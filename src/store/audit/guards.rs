//! The walls themselves: the schema with its guards, what each role may do, and the tables of moves that the guards ask. Whoever
//! owns the database can take them away or put others in their place, and nothing else would tell.

use super::decisions::PLAN_MOVES;
use super::{Finding, Snapshot, finding};
use crate::model::state::{MessageState, NoticeState};
use crate::store::StoreError;
use std::collections::BTreeSet;

impl Snapshot {
    pub(super) async fn audit_guards(&mut self) -> Result<Vec<Finding>, StoreError> {
        let mut findings = self.audit_schema().await?;
        findings.extend(self.audit_moves().await?);
        Ok(findings)
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
