//! What an owner adds and takes nothing away for: a trigger, rule, policy or right beside ours, another view under its name.

use crate::support::world_after;
use duly::store::audit::Finding;
use sqlx::AssertSqlSafe;

/// What is done and undone, and the finding that names it.
const ADDED: &[(&str, &str, &str, &str)] = &[
    (
        "create trigger quiet after insert on event_inbox for each statement execute function elsewhere.quiet()",
        "drop trigger quiet on event_inbox",
        "guard_differs",
        "trigger quiet on event_inbox",
    ),
    (
        "create rule quiet as on insert to alarm do instead nothing",
        "drop rule quiet on alarm",
        "guard_differs",
        "rule quiet on alarm",
    ),
    ("create policy quiet on attempt using (true)", "drop policy quiet on attempt", "guard_differs", "policy quiet on attempt"),
    (
        "alter table lookup enable row level security",
        "alter table lookup disable row level security",
        "guard_differs",
        "row-level security on lookup",
    ),
    (
        "create or replace view place with (security_invoker = true) as select s.log_no, s.generation, s.first_seq + o.at - 1 as seq, o.ord
           from sequenced s cross join lateral unnest(s.ords) with ordinality as o (ord, at) where o.ord <> -1",
        "create or replace view place with (security_invoker = true) as select s.log_no, s.generation, s.first_seq + o.at - 1 as seq, o.ord
           from sequenced s cross join lateral unnest(s.ords) with ordinality as o (ord, at)",
        "guard_differs",
        "defined as on place",
    ),
    (
        "alter view place set (security_invoker = false)",
        "alter view place set (security_invoker = true)",
        "guard_differs",
        "defined as on place",
    ),
    (
        "grant update (public_key) on app_user to duly_app",
        "revoke update (public_key) on app_user from duly_app",
        "rights_differ",
        "app_user",
    ),
    (
        "grant update (approvals_required) on incident to duly_app",
        "revoke update (approvals_required) on incident from duly_app",
        "rights_differ",
        "incident",
    ),
    ("grant insert on message_move to duly_app", "revoke insert on message_move from duly_app", "rights_differ", "message_move"),
    ("grant insert on event to public", "revoke insert on event from public", "rights_differ", "event"),
    ("grant update on event to duly_audit", "revoke update on event from duly_audit", "rights_differ", "event"),
    ("grant select on person to duly_receipts", "revoke select on person from duly_receipts", "rights_differ", "person"),
    (
        "grant execute on function check_hold() to duly_receipts",
        "revoke execute on function check_hold() from duly_receipts",
        "guard_differs",
        "check_hold",
    ),
    ("grant create on schema public to duly_app", "revoke create on schema public from duly_app", "rights_differ", "schema public"),
    (
        "create function sha256(text) returns bytea language sql immutable as 'select sha256(convert_to($1, ''UTF8''))'",
        "drop function sha256(text)",
        "guard_differs",
        "sha256",
    ),
    (
        "create table event_2 () inherits (event)",
        "drop table event_2",
        "guard_differs",
        "child event_2 on event",
    ),
    (
        "alter table publication disable trigger all",
        "alter table publication enable trigger all",
        "guard_differs",
        "constraint publication_",
    ),
    (
        "alter table message alter column attempt set default 1",
        "alter table message alter column attempt set default 0",
        "guard_differs",
        "column attempt on message",
    ),
];

#[tokio::test]
async fn whatever_an_owner_adds_to_the_tables_or_their_rights_is_found_by_name() {
    let world = world_after("added", 1, 1, async |_: &str| {}).await;
    let owner = sqlx::PgPool::connect(&world.url).await.unwrap();
    let done = async |statement: &str| {
        sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(&owner).await.unwrap_or_else(|e| panic!("{statement}: {e}"));
    };
    let audit = async || world.store.audit(world.incident.key).await.unwrap();
    // A body that wipes one person's call before anybody is told of it; a table of somebody else's is nobody's business.
    done(
        "create schema elsewhere; create table public.theirs as select 1 as n; grant all on public.theirs to duly_app;
         create function elsewhere.quiet() returns trigger language plpgsql as $$ begin
             delete from public.event_inbox i using public.event e where e.ord = any(i.ords) and e.kind = 'message.intent'
                and e.person_id = (select min(person_id::text)::uuid from public.person); return null; end $$",
    )
    .await;
    assert_eq!(audit().await, [], "before anything was added");

    for (add, undo, code, place) in ADDED {
        done(add).await;
        let found: Vec<Finding> = audit().await;
        assert!(!found.is_empty() && found.iter().all(|f| f.code == *code && f.place.starts_with(place)), "{add}: {found:?}");
        done(undo).await;
    }
    assert_eq!(audit().await, [], "all of it is undone");
}
