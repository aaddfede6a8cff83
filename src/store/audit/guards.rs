//! The walls themselves: triggers that guard the record, and what the application's role may do. Whoever owns the database can take
//! them away, and nothing else would tell.

use super::{Finding, Snapshot, found};
use crate::store::StoreError;

impl Snapshot {
    pub(super) async fn audit_guards(&mut self) -> Result<Vec<Finding>, StoreError> {
        let rows = sqlx::query!(
            r#"select code as "code!", place as "place!" from (
               select 'guard_off' as code, t.tgname || ' on ' || c.relname as place from pg_trigger t join pg_class c on c.oid = t.tgrelid
                where c.relnamespace = 'public'::regnamespace and not t.tgisinternal and t.tgenabled <> 'O'
               union
               select 'guard_off', p.proname from pg_proc p
                where p.pronamespace = 'public'::regnamespace and p.prorettype = 'trigger'::regtype
                  and not exists (select from pg_trigger t where t.tgfoid = p.oid and t.tgenabled = 'O')
               union all
               select 'rights_differ', c.relname from pg_class c
                where c.relnamespace = 'public'::regnamespace and c.relkind = 'r'
                  and (has_table_privilege('duly_app', c.oid, 'truncate')
                    or (has_table_privilege('duly_app', c.oid, 'delete') and c.relname <> all($1))
                    or (has_any_column_privilege('duly_app', c.oid, 'update') and c.relname <> all($1) and c.relname <> all($2))
                    or (c.relname = 'message' and has_column_privilege('duly_app', c.oid, 'state', 'update'))
                    or (c.relname = 'person' and (has_column_privilege('duly_app', c.oid, 'contact', 'update')
                                               or has_column_privilege('duly_app', c.oid, 'last_n', 'update'))))
               ) as found (code, place) order by 1, 2"#,
            &DELETED_FROM.map(str::to_owned),
            &CHANGED.map(str::to_owned)
        )
        .fetch_all(&mut *self.tx)
        .await?;
        rows.into_iter().map(|row| found(&row.code, row.place)).collect()
    }
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
