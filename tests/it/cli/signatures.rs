//! Who signed what: a signature serves once, for one thing, by somebody who may.

use super::desk::Desk;
use duly::model::statement::{plan_command, statement};
use duly::store::user::Signer;
use duly::store::{Store, StoreError};
use serde_json::json;
use std::os::unix::fs::PermissionsExt;
use time::Duration;

async fn store(desk: &Desk) -> Store {
    Store::connect(&desk.url, 2, crate::support::deadlines()).await.unwrap()
}

/// The refusal's fact.
fn refusal<T: std::fmt::Debug>(result: Result<T, StoreError>) -> String {
    result.unwrap_err().to_string()
}

#[tokio::test]
async fn who_prepared_a_plan_cannot_approve_it_by_command_nor_past_it() {
    let desk = Desk::with_plan("preparer", "1").await;

    desk.duly("ann", &["plan", "approve", "--incident", "cards"])
        .refused("who prepared a plan cannot approve it", "somebody else");

    // Refused before it signed. Past the program: the application's own rights, with ann's own signature over the hash.
    let (store, ann) = (store(&desk).await, desk.signer("ann").await);
    let incident = store.load_incident("cards").await.unwrap();
    let plan = store.load_plan(incident.key, 1).await.unwrap();
    ann.sign(&store, &plan_command("plan approve", incident.incident_id, 1, &plan.hash)).await.unwrap();
    let past = desk.sabotage(
        "set role duly_app; insert into plan_approval (controller_id, incident_no, plan_no, user_id, command_id)
         select q.controller_id, q.incident_no, q.plan_no, s.user_id, s.command_id from plan q join signed_command s on s.user_id = q.prepared_by
          where convert_from(s.statement, 'UTF8') like '%plan approve%'",
    );
    let refused = past.await.unwrap_err().into_database_error().unwrap();
    assert_eq!(refused.code().as_deref(), Some("DU005"), "{refused}");
    assert_eq!(desk.duly("ann", &["plan", "show", "--incident", "cards", "--json"]).json()["approvals"], json!([]));
}

#[tokio::test]
async fn two_approvals_are_two_people_and_the_second_click_changes_nothing() {
    let desk = Desk::with_plan("two", "2").await;
    desk.new_user("cleo", &["user", "add", "--name", "Cleo Hart", "--key", "cleo.key"]).fine();
    let approve = ["plan", "approve", "--incident", "cards"];

    assert!(desk.duly("bob", &approve).fine().err.contains("One more approval is needed"));
    assert!(desk.duly("bob", &approve).fine().err.contains("You approved plan 1 before; nothing was changed"));
    desk.duly("ann", &["plan", "go", "--incident", "cards"]).refused("plan 1 is prepared", "duly plan approve");
    assert!(desk.duly("cleo", &approve).fine().err.contains("Approved."));
    let plan = desk.duly("ann", &["plan", "show", "--incident", "cards", "--json"]).fine().json();
    let names: Vec<&str> = plan["approvals"].as_array().unwrap().iter().map(|a| a["name"].as_str().unwrap()).collect();
    assert_eq!((names, &plan["state"]), (vec!["Bob Evans", "Cleo Hart"], &json!("approved")));
}

#[tokio::test]
async fn a_revoked_user_signs_nothing_more_and_the_last_one_stays() {
    let desk = Desk::with_plan("revoked", "1").await;

    desk.duly("ann", &["user", "revoke", "Bob Evans"]).fine();

    desk.duly("bob", &["plan", "approve", "--incident", "cards"]).refused("this key is revoked", "duly user add");
    desk.duly("ann", &["user", "revoke", "Ann Price"]).refused("the last active user", "add another user first");
    let users = desk.duly("ann", &["user", "list", "--json"]).fine().json();
    assert_eq!((&users[0]["is_revoked"], &users[1]["is_revoked"]), (&json!(false), &json!(true)));
}

/// Kind and `d` of the events of users and controllers, in order.
async fn told(desk: &Desk) -> Vec<(String, serde_json::Map<String, serde_json::Value>)> {
    let pool = sqlx::PgPool::connect(&desk.url).await.unwrap();
    let rows: Vec<(String, Vec<u8>, bool)> = sqlx::query_as(
        "select kind, body, controller_id is null from event where incident_no is null and kind ~ '^(user|controller)' order by ord",
    )
    .fetch_all(&pool)
    .await
    .unwrap();
    let told = rows.into_iter().map(|(kind, body, is_of_system)| {
        assert_eq!(is_of_system, kind.starts_with("user."), "{kind} is in the right log");
        (kind, duly_ledger::Event::parse(&body).unwrap().detail)
    });
    told.collect()
}

#[tokio::test]
async fn users_and_controllers_are_told_with_who_signed_for_them_and_a_row_without_its_event_is_found() {
    let desk = Desk::with_incident("told", "1").await;
    let (ann, bob) = (desk.signer("ann").await, desk.signer("bob").await);
    desk.duly("ann", &["user", "revoke", "Bob Evans"]).fine();

    let told = told(&desk).await;
    let kinds: Vec<&str> = told.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(kinds, ["user.added", "user.added", "controller.added", "user.revoked"]);
    let of = |i: usize, name: &str| told[i].1.get(name).and_then(|v| v.as_str()).map(str::to_owned);
    let (ann_id, bob_id) = (Some(ann.user_id.to_string()), Some(bob.user_id.to_string()));
    assert_eq!((of(0, "user"), of(0, "by"), of(0, "command")), (ann_id.clone(), None, None), "nobody vouches for the first");
    assert_eq!((of(1, "user"), of(1, "by"), of(1, "key")), (bob_id.clone(), ann_id.clone(), Some(hex::encode(bob.key.public()))));
    assert_eq!(of(2, "user"), ann_id);
    assert_eq!((of(3, "user"), of(3, "by")), (bob_id, ann_id));
    let pool = sqlx::PgPool::connect(&desk.url).await.unwrap();
    let command: uuid::Uuid =
        sqlx::query_scalar("select revoked_command_id from app_user where name = 'Bob Evans'").fetch_one(&pool).await.unwrap();
    assert_eq!(of(3, "command"), Some(command.to_string()), "the row points at the signed command");
    desk.duly("ann", &["audit"]).fine();

    desk.sabotage("delete from event where kind = 'user.revoked'").await.unwrap();
    let found = desk.duly("ann", &["audit", "--json"]);
    assert!(found.out.contains("user_differs_from_events"), "{}", found.out);
}

#[tokio::test]
async fn a_key_made_elsewhere_is_added_by_its_public_half() {
    let desk = Desk::with_plan("public_half", "1").await;
    let public = desk.new_user("cleo", &["user", "key", "--name", "Cleo Hart", "--key", "cleo.key"]).fine().out;

    desk.duly("cleo", &["plan", "approve", "--incident", "cards"]).refused("this key belongs to no user", "duly user add");
    desk.duly("ann", &["user", "add", "--name", "Cleo Hart", "--public", public.trim()]).fine();
    desk.duly("cleo", &["plan", "approve", "--incident", "cards"]).fine();
}

#[tokio::test]
async fn a_signature_is_kept_once_now_and_by_its_own_key_only() {
    let desk = Desk::with_incident("kept_once", "1").await;
    let store = store(&desk).await;
    let Signer { user_id: user, key } = desk.signer("ann").await;
    let (now, command) = (store.now().await.unwrap(), json!({"command": "hold set", "incident": "x"}));
    let here = store.installation().await.unwrap();
    let bytes = statement(&command, here, now, [1; 16]);

    store.insert_command(user, &bytes, &key.sign(&bytes)).await.unwrap();

    assert_eq!(refusal(store.insert_command(user, &bytes, &key.sign(&bytes)).await), "this signature was used already");
    let old = statement(&command, here, now - Duration::minutes(11), [2; 16]);
    assert_eq!(refusal(store.insert_command(user, &old, &key.sign(&old)).await), "the signed command is not of this moment");
    let altered = statement(&json!({"command": "hold lift"}), here, now, [3; 16]);
    assert_eq!(refusal(store.insert_command(user, &altered, &key.sign(&bytes)).await), "the signature does not fit the command");
    let loose = format!(r#"{{"command":"hold set","installation":"{here}"}}"#).into_bytes();
    assert_eq!(refusal(store.insert_command(user, &loose, &key.sign(&loose)).await), "the signed command is not of this moment");
    let elsewhere = statement(&command, uuid::Uuid::from_u128(1), now, [4; 16]);
    assert_eq!(
        refusal(store.insert_command(user, &elsewhere, &key.sign(&elsewhere)).await),
        "the command was signed for another installation"
    );
}

#[tokio::test]
async fn an_approval_of_one_plan_approves_no_other() {
    let desk = Desk::with_plan("other_plan", "1").await;
    desk.duly("bob", &["plan", "approve", "--incident", "cards"]).fine();
    desk.write("late.csv", "Pay number,Surname,Mobile\nPN7,Late,07400 123470\n");
    desk.duly("ann", &["list", "import", "late.csv", "--incident", "cards"]).fine();
    desk.duly("ann", &["plan", "prepare", "--incident", "cards", "--route", "sms"]).fine();

    let reused = desk.sabotage(
        "set role duly_app; insert into plan_approval (controller_id, incident_no, plan_no, user_id, command_id)
         select controller_id, incident_no, 2, user_id, command_id from plan_approval where plan_no = 1",
    );
    assert_eq!(reused.await.unwrap_err().into_database_error().unwrap().code().as_deref(), Some("DU005"));
    desk.duly("ann", &["plan", "go", "--incident", "cards", "--plan", "2"])
        .refused("plan 2 is prepared, not approved", "duly plan approve");
}

#[tokio::test]
async fn what_is_refused_leaves_no_signature() {
    let desk = Desk::with_plan("no_trace", "1").await;
    let pool = sqlx::PgPool::connect(&desk.url).await.unwrap();
    let signed = async || sqlx::query_scalar::<_, i64>("select count(*) from signed_command").fetch_one(&pool).await.unwrap();
    let before = signed().await;

    desk.duly("ann", &["plan", "approve", "--incident", "cards"]).refused("who prepared a plan", "somebody else");
    desk.duly("ann", &["plan", "go", "--incident", "cards"]).refused("plan 1 is prepared", "duly plan approve");
    desk.duly("ann", &["plan", "prepare", "--incident", "cards", "--route", "sms"])
        .refused("there is nobody to plan for", "duly plan show");
    desk.new_user("cleo", &["user", "add", "--name", "Bob Evans", "--key", "cleo.key"])
        .refused("the user or key `Bob Evans` is there already", "");
    assert!(!desk.folder.path().join("cleo.key").exists());
    desk.duly("ann", &["user", "revoke", "Nobody"]).refused("there is no active user", "");
    desk.duly("ann", &["hold", "set", "--incident", "cards", "--reason", " "]).refused("the reason is empty", "--reason");
    desk.duly("ann", &["hold", "lift", "0193f3a2-0000-7000-8000-000000000000"]).refused("there is no hold", "");
    desk.duly("ann", &["controller", "add", "northmere", "--name", "N", "--sms-sender", "NNN", "--address", "x"])
        .refused("the controller `northmere` is there already", "");
    desk.duly("ann", &["incident", "add", "cards", "--controller", "northmere", "--texts", "texts.toml"])
        .refused("the incident `northmere/cards` is there already", "");
    desk.write("bad.csv", "Colour,Shape\nred,round\n");
    desk.write("there.csv", "");
    desk.write("row.csv", "list,row,Pay number,Surname,Mobile\n1,1,PN9,Price,07400 123499\n");
    desk.duly("ann", &["list", "import", "bad.csv", "--incident", "cards"]).refused("", "");
    desk.duly("ann", &["quarantine", "discard", "1/1", "--incident", "cards", "--reason", "test"]).refused("not quarantined", "");
    desk.duly("ann", &["quarantine", "correct", "--incident", "cards", "--file", "row.csv"]).refused("not quarantined", "");
    desk.duly("ann", &["quarantine", "correct", "--incident", "cards", "--file", "affected.csv"]).refused("rows without", "");
    desk.duly("ann", &["quarantine", "export", "--incident", "cards", "--file", "there.csv"])
        .refused("`there.csv` is there already; nothing was written", "");
    desk.duly("ann", &["job", "discard", "0193f3a2-0000-7000-8000-000000000000", "--reason", "test"]).refused("not rejected", "");
    let message: uuid::Uuid =
        sqlx::query_scalar("select message_id from message where channel = 'sms' limit 1").fetch_one(&pool).await.unwrap();
    let decide = ["unknown", "decide", &message.to_string(), "--incident", "cards", "--choice", "send-again", "--reason", "x"];
    desk.duly("ann", &decide).refused("the message is not asked about", "");

    assert_eq!(signed().await, before);
}

#[tokio::test]
async fn jobs_are_published_under_a_signature() {
    let mut desk = Desk::with_incident("jobs_signed", "1").await;
    desk.connect_broker().await;
    desk.write("people.jsonl", "{\"job_id\": \"j-1\", \"person\": {\"external_reference\": \"PN1\", \"last_name\": \"Price\", \"phone\": \"07400 123456\"}}\n");
    let publish = ["job", "publish", "people.jsonl", "--incident", "cards", "--json"];
    let signer = desk.signer("ann").await;

    super::desk::run(desk.command(&publish), "").refused("this command must be signed", "DULY_USER_KEY");
    assert_eq!(desk.duly("ann", &publish).fine().json()["published"], json!(1));

    let pool = sqlx::PgPool::connect(&desk.url).await.unwrap();
    let last: (uuid::Uuid, String) =
        sqlx::query_as("select user_id, convert_from(statement, 'UTF8') from signed_command order by command_id desc limit 1")
            .fetch_one(&pool)
            .await
            .unwrap();
    assert_eq!(last.0, signer.user_id);
    assert!(last.1.contains("\"command\":\"job publish\"") && !last.1.contains("Price"), "{}", last.1);
}

#[tokio::test]
async fn the_statement_holds_command_incident_arguments_time_and_nonce_and_nothing_personal() {
    let desk = Desk::running("statement").await;
    let hold = desk.duly("bob", &["hold", "set", "--incident", "cards", "--reason", "safety", "--json"]).fine().json();
    desk.duly("bob", &["hold", "lift", hold["hold"].as_str().unwrap()]).fine();

    let pool = sqlx::PgPool::connect(&desk.url).await.unwrap();
    let kept: Vec<String> = sqlx::query_scalar("select convert_from(statement, 'UTF8') from signed_command order by command_id")
        .fetch_all(&pool)
        .await
        .unwrap();
    let commands: Vec<serde_json::Value> = kept.iter().map(|s| serde_json::from_str(s).unwrap()).collect();
    let words: Vec<&str> = commands.iter().map(|c| c["command"].as_str().unwrap()).collect();
    assert_eq!(
        words,
        [
            "user add",
            "controller add",
            "incident add",
            "list import",
            "plan prepare",
            "plan approve",
            "plan go",
            "hold set",
            "hold lift"
        ]
    );
    for (bytes, command) in kept.iter().zip(&commands) {
        assert_eq!(*bytes, command.to_string(), "canonical");
        assert!(command["at"].is_string() && command["nonce"].as_str().unwrap().len() == 32, "{bytes}");
        assert!(
            ["user add", "controller add", "hold lift"].contains(&command["command"].as_str().unwrap())
                || command["incident"].is_string(),
            "{bytes}"
        );
        assert_eq!(super::PERSONAL.iter().find(|p| bytes.contains(**p)), None, "{bytes}");
    }
}

#[tokio::test]
async fn nobody_is_added_under_a_name_that_could_be_taken_for_anothers() {
    let desk = Desk::with_incident("names", "1").await;
    let add = |name: &'static str| desk.new_user("cleo", &["user", "add", "--name", name, "--key", "cleo.key"]);

    for alike in ["ann price", "Ann  Price", "ANNPRICE", "Ａｎｎ Price"] {
        add(alike).refused("the user or key `Ann Price` is there already", "another name");
    }
    for unseen in ["Ann\u{200b} Price", "Cleo\nHart", "\u{1b}[2JCleo", "\u{202e}oelC"] {
        add(unseen).refused("the name has characters that nobody sees", "type it anew");
    }
    desk.duly("ann", &["hold", "set", "--incident", "cards", "--reason", "a\u{202e}b"])
        .refused("the reason has characters that nobody sees", "type it anew");
    let address = ["--name", "N", "--sms-sender", "NNN", "--address", "a\nb"];
    desk.duly("ann", &[&["controller", "add", "other"], &address[..]].concat()).refused("the address has", "on one line");
    add("Cleo Hart").fine();
}

#[tokio::test]
async fn a_plan_says_who_was_added_by_the_one_who_prepared_it() {
    let desk = Desk::with_plan("vouched", "2").await;
    desk.new_user("cleo", &["user", "add", "--name", "Cleo Hart", "--key", "cleo.key"]).fine();
    let approve = ["plan", "approve", "--incident", "cards"];
    let show = |json: &[&str]| desk.duly("ann", &[&["plan", "show", "--incident", "cards"], json].concat()).fine();

    // Ann prepared and is the first user: she added bob, and cleo too.
    assert!(desk.duly("bob", &approve).fine().err.contains("Your key was added by the one who prepared"));
    assert!(show(&[]).out.contains(", added by the one who prepared"));
    assert_eq!(show(&["--json"]).json()["approvals"][0]["added_by_preparer"], json!("directly"));

    // Whoever bob adds is there through ann all the same.
    desk.write("dora.pass", "the long passphrase of dora\n");
    let public = desk.new_user("dora", &["user", "key", "--name", "Dora Lane", "--key", "dora.key"]).fine().out;
    desk.duly("bob", &["user", "add", "--name", "Dora Lane", "--public", public.trim()]).fine();
    desk.duly("dora", &approve).fine();
    assert_eq!(show(&["--json"]).json()["approvals"][1]["added_by_preparer"], json!("through_others"));
}

#[tokio::test]
async fn keys_that_others_may_read_serve_nobody_and_exports_are_the_makers_alone() {
    let desk = Desk::with_plan("modes", "1").await;
    let path = |name: &str| desk.path(name);
    let mode = |name: &str, mode| std::fs::set_permissions(path(name), std::fs::Permissions::from_mode(mode)).unwrap();
    let hold = ["hold", "set", "--incident", "cards", "--reason", "request 412"];

    for file in ["ann.key", "ann.pass"] {
        mode(file, 0o644);
        desk.duly("ann", &hold).refused(&format!("the secret file {file} is open to other users"), "chmod 600");
        mode(file, 0o600);
    }
    desk.duly("ann", &hold).fine();
    desk.duly("ann", &["pack", "incident", "--incident", "cards", "--out", "pack.zip"]).fine();

    assert_eq!(std::fs::metadata(path("pack.zip")).unwrap().permissions().mode() & 0o777, 0o600);
}
