//! The controller signs its list with a key of its own, and nobody here can swap that key in silence.

use crate::cli::desk::{Desk, Ran, run};
use duly::model::list_key::SignedList;
use duly::model::user_key::verify;
use duly_ledger::Event;
use serde_json::json;

/// A desk with a frozen list and a list key of the controller's, away from the server.
async fn with_key(name: &str) -> (Desk, String) {
    let desk = Desk::with_plan(name, "1").await;
    let made = desk.new_user("cleo", &["key", "new", "--name", "Northmere Police", "--key", "list.key"]).fine();
    (desk, made.out.trim().to_owned())
}

/// Signs away from the server: no database answers, and no user has a key there.
fn away(desk: &Desk, args: &[&str]) -> Ran {
    let mut command = desk.command(args);
    command.env("DATABASE_URL", "postgres://duly@127.0.0.1:1/nowhere").env("DULY_LIST_PASSPHRASE_FILE", "cleo.pass");
    run(command, "")
}

fn here(desk: &Desk, args: &[&str]) -> Ran {
    let mut command = desk.command(args);
    command.env("DULY_LIST_PASSPHRASE_FILE", "cleo.pass").env("DULY_USER_KEY", "ann.key").env("DULY_PASSPHRASE_FILE", "ann.pass");
    run(command, "")
}

async fn events(desk: &Desk, kind: &str) -> Vec<Event> {
    let pool = sqlx::PgPool::connect(&desk.url).await.unwrap();
    let of_kind = sqlx::query_scalar("select body from event where kind = $1 order by ord").bind(kind);
    let bodies: Vec<Vec<u8>> = of_kind.fetch_all(&pool).await.unwrap();
    bodies.iter().map(|body| Event::parse(body).unwrap()).collect()
}

async fn signatures(desk: &Desk) -> Vec<Event> {
    events(desk, "list.signed").await
}

#[tokio::test]
async fn a_list_is_signed_away_from_the_server_and_the_signature_is_evidence() {
    let (desk, public) = with_key("signed_away").await;
    desk.duly("ann", &["list", "statement", "--incident", "cards", "--list", "1", "--out", "list.txt"]).fine();
    let sign = ["list", "sign", "--statement", "list.txt", "--key", "list.key", "--out", "list.sig.json"];
    assert!(away(&desk, &sign).fine().err.contains("list 1 with 4 people"));
    let attached = desk.duly("ann", &["list", "attach", "list.sig.json", "--incident", "cards"]).fine();
    assert!(attached.err.contains(&format!("The key {public} is pinned for northmere")), "{}", attached.err);

    let events = signatures(&desk).await;
    let d = &events[0].detail;
    let text = |field: &str| d[field].as_str().unwrap();
    assert_eq!((events.len(), &d["list"], &d["count"], text("key")), (1, &json!(1), &json!(4), public.as_str()));
    let statement = format!("duly/list/v1\n{}\n1\n4\n{}\n", events[0].inc, text("root"));
    assert_eq!(std::fs::read_to_string(desk.folder.path().join("list.txt")).unwrap(), statement);
    let (key, signature) = (hex::decode(text("key")).unwrap(), hex::decode(text("signature")).unwrap());
    assert!(verify(&key.try_into().unwrap(), statement.as_bytes(), &signature.try_into().unwrap()));

    let again = desk.duly("ann", &["list", "attach", "list.sig.json", "--incident", "cards"]).fine();
    assert!(again.err.contains("signed list 1 before; nothing was changed"), "{}", again.err);
    assert_eq!(signatures(&desk).await.len(), 1);
    let told = desk.duly_with("ann", &["person", "show", "--incident", "cards"], "PN1\n").fine().out;
    assert!(told.contains("The controller signed list 1 with 4 people"), "{told}");
}

#[tokio::test]
async fn a_list_is_signed_here_and_another_key_is_refused_until_a_signed_command_names_it() {
    let (desk, public) = with_key("signed_here").await;
    here(&desk, &["list", "sign", "--incident", "cards", "--list", "1", "--key", "list.key"]).fine();
    let other = desk.new_user("cleo", &["key", "new", "--name", "Somebody", "--key", "other.key"]).fine().out;
    let sign_by_other = ["list", "sign", "--incident", "cards", "--list", "1", "--key", "other.key"];

    let refused = here(&desk, &sign_by_other).refused(&format!("northmere signs with the key {public}"), "duly list replace-key");
    assert!(refused.err.contains("Ann Price"), "{}", refused.err);
    desk.duly("bob", &["list", "replace-key", "--controller", "northmere", "--public", other.trim()]).fine();
    here(&desk, &sign_by_other).fine();
    let old = here(&desk, &["list", "sign", "--incident", "cards", "--list", "1", "--key", "list.key"]);
    assert!(old.refused("northmere signs with", "replace-key").err.contains("Bob Evans"));
    assert_eq!(signatures(&desk).await.len(), 2);
    here(&desk, &["list", "sign", "--incident", "cards", "--list", "2", "--key", "other.key"])
        .refused("there is no frozen list of this incident `2`", "check the name");
}

#[tokio::test]
async fn each_key_that_a_controller_s_lists_are_signed_by_is_told_in_its_log_with_who_brought_it() {
    let (desk, first) = with_key("keys_told").await;
    let other = desk.new_user("cleo", &["key", "new", "--name", "Somebody", "--key", "other.key"]).fine().out;
    here(&desk, &["list", "sign", "--incident", "cards", "--list", "1", "--key", "list.key"]).fine();
    desk.duly("bob", &["list", "replace-key", "--controller", "northmere", "--public", other.trim()]).fine();

    let pool = sqlx::PgPool::connect(&desk.url).await.unwrap();
    let rows: Vec<(String, String, String)> = sqlx::query_as(
        "select encode(public_key, 'hex'), user_id::text, command_id::text from controller_list_key order by key_no",
    )
    .fetch_all(&pool)
    .await
    .unwrap();
    let told = events(&desk, "controller.list_key_set").await;
    let text = |event: &Event, field: &str| event.detail[field].as_str().unwrap().to_owned();
    let of = |event: &Event| (text(event, "key"), text(event, "user"), text(event, "command"));
    assert_eq!(told.iter().map(of).collect::<Vec<_>>(), rows);
    assert_eq!([&rows[0].0, &rows[1].0], [&first, other.trim()]);
    let (controller, incident): (String, String) =
        sqlx::query_as("select controller_id::text, incident_id::text from incident").fetch_one(&pool).await.unwrap();
    assert!(told.iter().all(|event| event.inc == controller), "in the controller's log");
    assert_eq!(text(&told[0], "incident"), incident, "seen with a list of this incident");
    assert!(!told[1].detail.contains_key("incident"), "named by a command of its own");
    desk.duly("ann", &["audit"]).fine();

    // Whoever owns the database puts another key into the event.
    let swap = format!(
        "set session_replication_role = replica;
         update event e set body = b.body, leaf = sha256('\\x00'::bytea || b.body)
           from (select ord, convert_to(replace(convert_from(body, 'UTF8'), '{first}', '{}'), 'UTF8') as body
                   from event where kind = 'controller.list_key_set') b where e.ord = b.ord",
        other.trim()
    );
    desk.sabotage(&swap).await.unwrap();
    let found = desk.duly("ann", &["audit", "--json"]);
    assert!(found.out.contains("event_not_signed"), "{} {}", found.out, found.err);
}

/// Whoever owns the database, and has a user who signs for them, so that only the telling is missing.
#[tokio::test]
async fn a_list_key_that_the_controller_s_log_does_not_tell_of_is_found() {
    let (desk, first) = with_key("untold").await;
    let other = desk.new_user("cleo", &["key", "new", "--name", "Somebody", "--key", "other.key"]).fine().out;
    here(&desk, &["list", "sign", "--incident", "cards", "--list", "1", "--key", "list.key"]).fine();
    desk.duly("ann", &["audit"]).fine();
    desk.duly("bob", &["list", "replace-key", "--controller", "northmere", "--public", other.trim()]).fine();
    let found = async |place: &str| {
        let said = desk.duly("ann", &["audit", "--json"]);
        let findings = said.json()["incidents"][0]["findings"].as_array().unwrap().clone();
        let is_it = |f: &serde_json::Value| f["code"] == "list_key_differs_from_events" && f["place"] == place;
        assert!(findings.iter().any(is_it), "{place}: {} {}", said.out, said.err);
    };

    // The second key's event is gone, and with it that it waited for its place.
    let told = "(select max(ord) from event where kind = 'controller.list_key_set')";
    let change = async |sql: &str| desk.sabotage(&format!("set session_replication_role = replica; {sql}")).await.unwrap();
    change(&format!(
        "create schema kept; create table kept.event as select * from event where ord = {told};
         delete from event_inbox where {told} = any (ords); delete from event where ord = {told}"
    ))
    .await;
    found("key 2").await;
    // Back again, and the key that was replaced counts once more.
    change(
        "insert into event overriding system value select * from kept.event;
         update controller_list_key set key_no = 7 - key_no; update controller_list_key set key_no = key_no - 4",
    )
    .await;
    found("key 1").await;
    change(&format!("delete from controller_list_key where encode(public_key, 'hex') <> '{first}'")).await;
    let event: String = sqlx::query_scalar(sqlx::AssertSqlSafe(format!("select 'event ' || {told}")))
        .fetch_one(&sqlx::PgPool::connect(&desk.url).await.unwrap())
        .await
        .unwrap();
    found(&event).await;
}

#[tokio::test]
async fn an_altered_statement_or_signature_is_refused() {
    let (desk, _) = with_key("altered").await;
    desk.duly("ann", &["list", "statement", "--incident", "cards", "--list", "1", "--out", "list.txt"]).fine();
    let text = std::fs::read_to_string(desk.folder.path().join("list.txt")).unwrap();
    desk.write("fewer.txt", &text.replace("\n4\n", "\n3\n"));
    away(&desk, &["list", "sign", "--statement", "fewer.txt", "--key", "list.key", "--out", "fewer.json"]).fine();
    desk.duly("ann", &["list", "attach", "fewer.json", "--incident", "cards"])
        .refused("the signature is over another list", "statement");
    let fewer = std::fs::read_to_string(desk.folder.path().join("fewer.json")).unwrap();
    desk.write("forged.json", &fewer.replace("\\n3\\n", "\\n4\\n"));
    desk.duly("ann", &["list", "attach", "forged.json", "--incident", "cards"])
        .refused("the signature does not fit", "sign the statement again");
    desk.write("not.json", "{}");
    desk.duly("ann", &["list", "attach", "not.json", "--incident", "cards"])
        .refused("the file is not the signature", "duly list sign");
    assert!(SignedList::read(&fewer).is_ok());
    assert_eq!(signatures(&desk).await.len(), 0);
    assert_eq!(desk.sabotage("select from controller_list_key").await.unwrap(), 0);
}

#[tokio::test]
async fn the_application_role_cannot_swap_a_pinned_key() {
    let (desk, _) = with_key("swap").await;
    here(&desk, &["list", "sign", "--incident", "cards", "--list", "1", "--key", "list.key"]).fine();

    for (attack, code) in [
        ("set role duly_app; update controller_list_key set public_key = decode(repeat('07', 32), 'hex')", "42501"),
        ("set role duly_app; delete from controller_list_key", "42501"),
        (
            "set role duly_app; insert into controller_list_key (controller_id, key_no, public_key, user_id, command_id)
             select controller_id, 2, decode(repeat('07', 32), 'hex'), user_id, command_id from controller_list_key",
            "DU066",
        ),
        (
            "set role duly_app; insert into controller_list_key (controller_id, key_no, public_key, user_id, command_id)
             select controller_id, 2, public_key, user_id, command_id from controller_list_key",
            "DU066",
        ),
    ] {
        let refused = desk.sabotage(attack).await.unwrap_err().into_database_error().unwrap();
        assert_eq!(refused.code().as_deref(), Some(code), "{attack}");
    }
}
