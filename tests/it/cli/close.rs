//! An incident is closed once all of it is done, or for a reason; what is open is named, each with its command.

use super::desk::Desk;
use serde_json::json;

#[tokio::test]
async fn what_is_open_is_named_with_its_command_and_refuses_the_close_until_somebody_says_why() {
    let desk = Desk::running("close").await;
    let pool = sqlx::PgPool::connect(&desk.url).await.unwrap();
    let signed = async || sqlx::query_scalar::<_, i64>("select count(*) from signed_command").fetch_one(&pool).await.unwrap();
    let before = signed().await;

    let dry = desk.duly("ann", &["incident", "close", "cards", "--dry-run", "--json"]);
    assert_eq!((dry.code, &dry.json()["closed"]), (1, &json!(false)), "{dry:?}");
    let open: Vec<(i64, String)> = dry.json()["open"]
        .as_array()
        .unwrap()
        .iter()
        .map(|o| (o["count"].as_i64().unwrap(), o["command"].as_str().unwrap().to_owned()))
        .collect();
    let expected = [(4, "duly plan show --incident cards".to_owned()), (1, "duly quarantine list --incident cards".to_owned())];
    assert_eq!(open, expected);
    let refused =
        desk.duly("ann", &["incident", "close", "cards"]).refused("the incident is not finished: 5 things", "--unfinished");
    assert!(refused.out.contains("without an end state") && refused.out.contains("rows in quarantine"), "{}", refused.out);
    desk.duly("ann", &["incident", "close", "cards", "--unfinished", "wegen \u{dc}bergabe"])
        .refused("the reason cannot stand", "ASCII");
    assert_eq!(signed().await, before, "what is refused leaves no signature");

    let closed = desk.duly("ann", &["incident", "close", "cards", "--unfinished", "public notice of 3 May", "--json"]).fine();
    assert_eq!((&closed.json()["closed"], &closed.json()["left"]["open"]), (&json!(true), &json!(4)));
    let after = signed().await;
    let again = desk.duly("bob", &["incident", "close", "cards"]).fine();
    assert!(again.err.contains("already; nothing was changed"), "{}", again.err);
    desk.write("late.csv", "Pay number,Surname,Mobile\nPN7,Late,07400 123470\n");
    for command in [
        &["list", "import", "late.csv", "--incident", "cards"][..],
        &["plan", "prepare", "--incident", "cards", "--route", "sms"],
        &["plan", "pause", "--incident", "cards"],
        &["quarantine", "correct", "1/5", "--incident", "cards", "--file", "late.csv"],
        &["job", "publish", "late.csv", "--incident", "cards"],
    ] {
        desk.duly("ann", command).refused("the incident is closed", "duly incident reopen");
    }
    assert_eq!(signed().await, after, "what is refused leaves no signature");
    let status = desk.duly("ann", &["status", "--incident", "cards"]).fine().out;
    assert!(status.contains("nothing is sent") && status.contains("closed, and 4 people without an end state"), "{status}");
    assert!(desk.duly("ann", &["incident", "list"]).fine().out.contains("closed"));
    assert!(desk.duly("ann", &["incident", "show", "cards", "--json"]).fine().json()["closed_at"].is_string());

    let told = desk.duly_with("ann", &["person", "show", "--incident", "cards"], "PN1\n").fine().out;
    assert!(told.contains("Ann Price closed the incident: public notice of 3 May"), "{told}");

    desk.duly("bob", &["incident", "reopen", "cards", "--reason", ""]).refused("the reason cannot stand", "ASCII");
    desk.duly("bob", &["incident", "reopen", "cards", "--reason", "a second list was found"]).fine();
    desk.duly("ann", &["list", "import", "late.csv", "--incident", "cards"]).fine();
    let kinds: Vec<String> =
        sqlx::query_scalar("select kind from event where kind like 'incident.%' order by ord").fetch_all(&pool).await.unwrap();
    assert_eq!(kinds, ["incident.added", "incident.closed", "incident.reopened"]);
    desk.duly("ann", &["audit"]).fine();
}

#[tokio::test]
async fn an_incident_of_which_nothing_is_open_is_closed_without_a_reason() {
    let desk = Desk::with_incident("close_done", "1").await;

    assert!(desk.duly("ann", &["incident", "close", "cards", "--dry-run"]).fine().out.contains("Nothing is open"));
    desk.duly("ann", &["incident", "close", "cards", "--unfinished", "enough"])
        .refused("nothing of the incident is unfinished", "leave");
    desk.duly("ann", &["incident", "close", "cards"]).fine();

    let pool = sqlx::PgPool::connect(&desk.url).await.unwrap();
    let body: Vec<u8> =
        sqlx::query_scalar("select body from event where kind = 'incident.closed'").fetch_one(&pool).await.unwrap();
    let detail = duly_ledger::Event::parse(&body).unwrap().detail;
    assert_eq!((detail.get("reason"), &detail["open"]), (None, &json!(0)));
}
