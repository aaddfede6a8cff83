//! What `duly plan prepare` says before anybody approves.

use super::desk::{Desk, Ran};
use crate::support::{NOTIFY_KEY, eventually};
use serde_json::json;

#[tokio::test]
async fn a_prepared_plan_says_what_it_costs_at_least_and_at_most() {
    let mut desk = Desk::with_incident("cost", "1").await;
    for (lane, price) in [("LETTERS", "95000"), ("SMS_A", "2400")] {
        desk.set(&format!("DULY_LANES__{lane}__PRICE_MILLI"), price);
        desk.set(&format!("DULY_LANES__{lane}__CURRENCY"), "GBP");
    }
    desk.duly("ann", &["list", "import", "affected.csv", "--incident", "cards"]).fine();

    let prepare = ["plan", "prepare", "--incident", "cards", "--route", "sms-then-letter,letter,sms", "--json"];
    let plan = desk.duly("ann", &prepare).fine().json();

    // Two get a text and perhaps a letter, one a letter, one a text.
    assert_eq!(plan["routes"], json!({"letter": 1, "sms": 1, "sms-then-letter": 2}));
    let parts = |channel: &str, key: &str| plan["parts"][channel][key].as_u64().unwrap();
    let pages = parts("letter", "first");
    assert!(pages >= 1 && parts("letter", "most") == 3 * pages, "{plan}");
    assert!(parts("sms", "first") >= 3 && parts("sms", "first") == parts("sms", "most"), "{plan}");
    let pence = |letters: u64| (letters * 95_000 + parts("sms", "first") * 2400).div_ceil(1000);
    assert_eq!(plan["cost"], json!([{"currency": "GBP", "least": pence(pages), "most": pence(3 * pages)}]));
    let by_sms = (parts("sms", "first") * 2400).div_ceil(1000);
    let [least, most] = [pages, 3 * pages].map(|pages| (pages * 95_000).div_ceil(1000));
    let each = json!([
        {"lane": "letters", "currency": "GBP", "least": least, "most": most},
        {"lane": "sms-a", "currency": "GBP", "least": by_sms, "most": by_sms},
    ]);
    assert_eq!(plan["lane_cost"], each);
    let shown = desk.duly("bob", &["plan", "show", "--incident", "cards"]).fine().out;
    assert!(shown.contains("sms-a: GBP 0."), "{shown}");
    let pounds = |pence: u64| format!("{}.{:02}", pence / 100, pence % 100);
    assert!(
        shown.contains(&format!("GBP {} to {}, by the lanes' prices", pounds(pence(pages)), pounds(pence(3 * pages)))),
        "{shown}"
    );
}

#[tokio::test]
async fn a_plan_says_until_when_of_a_day_its_provider_must_have_a_letter_and_of_no_other_lane() {
    let mut desk = Desk::with_incident("cut_off", "1").await;
    desk.set("DULY_LANES__LETTERS__PROVIDER", "notify");
    desk.set("DULY_LANES__LETTERS__API_KEY", NOTIFY_KEY);
    desk.prepare();

    let shown = desk.duly("bob", &["plan", "show", "--incident", "cards"]).fine().out;

    let lines: Vec<&str> = shown.lines().filter(|line| line.starts_with("cut-off")).collect();
    assert!(matches!(lines[..], [one] if one.contains("letters: 17:30 in the United Kingdom, on working days;")), "{shown}");
}

#[tokio::test]
async fn a_plan_that_has_not_gone_is_withdrawn_by_name_and_one_that_runs_is_to_be_paused() {
    let desk = Desk::with_plan("withdraw", "1").await;
    let withdraw = ["plan", "withdraw", "--incident", "cards"];

    let done = desk.duly("ann", &withdraw).fine();
    assert!(done.err.contains("Plan 1 is withdrawn, and stays so. 4 people are in no plan now"), "{}", done.err);
    assert!(desk.duly("bob", &withdraw).fine().err.contains("withdrawn already; nothing was changed"));
    desk.duly("bob", &["plan", "approve", "--incident", "cards"]).refused("plan 1 is withdrawn", "duly plan prepare");
    desk.duly("bob", &["plan", "go", "--incident", "cards"]).refused("plan 1 is withdrawn", "duly plan prepare");
    let status = desk.duly("ann", &["status", "--incident", "cards"]).fine().out;
    assert!(status.contains("plan 1 withdrawn") && status.contains("4 people are in no plan"), "{status}");

    let prepare = ["plan", "prepare", "--incident", "cards", "--route", "letter,sms"];
    desk.duly("ann", &prepare).fine();
    desk.duly("ann", &prepare).refused("there is nobody to plan for", "duly plan withdraw");
    desk.duly("bob", &["plan", "approve", "--incident", "cards", "--people", "4"]).fine();
    desk.duly("bob", &["plan", "go", "--incident", "cards"]).fine();
    desk.duly("ann", &withdraw).refused("plan 2 has gone and is running", "duly plan pause");
    desk.duly("ann", &["audit"]).fine();
}

#[tokio::test]
async fn a_decision_about_somebody_whose_plan_was_withdrawn_is_taken_back_and_the_next_plan_tells_them() {
    let desk = Desk::with_plan("reopen_withdrawn", "1").await;
    let decide = |what: &'static str| ["person", what, "--incident", "cards", "--reason", "never issued"];
    desk.duly_with("ann", &decide("exempt"), "PN3\n").fine();
    desk.duly("ann", &["plan", "withdraw", "--incident", "cards"]).fine();

    desk.duly_with("bob", &decide("reopen"), "PN3\n").fine();

    desk.duly("ann", &["plan", "prepare", "--incident", "cards", "--route", "sms-then-letter,letter,sms"]).fine();
    desk.duly("bob", &["plan", "approve", "--incident", "cards", "--people", "4"]).fine();
    desk.duly("ann", &["audit"]).fine();
}

/// Four times the same command, signed by one user, at one moment: let go together once all wait for the incident.
async fn at_one_moment(desk: &Desk, user: &str, args: &[&str]) -> Vec<Ran> {
    let owner = sqlx::PgPool::connect(&desk.url).await.unwrap();
    let mut gate = owner.begin().await.unwrap();
    sqlx::query("select from incident for update").execute(&mut *gate).await.unwrap();
    let start = || {
        let mut command = desk.command(args);
        command.env("DULY_USER_KEY", format!("{user}.key")).env("DULY_PASSPHRASE_FILE", format!("{user}.pass"));
        command.spawn().unwrap()
    };
    let clicks: Vec<_> = std::iter::repeat_with(start).take(4).collect();
    eventually("all four wait for the incident", async || {
        let waiting = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
        sqlx::query_scalar::<_, i64>(waiting).fetch_one(&owner).await.unwrap() == 4
    })
    .await;
    gate.commit().await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let end = |click: std::process::Child| {
        let done = click.wait_with_output().unwrap();
        Ran { code: done.status.code().unwrap(), out: text(done.stdout), err: text(done.stderr) }.fine()
    };
    clicks.into_iter().map(end).collect()
}

#[tokio::test]
async fn of_several_clicks_at_one_moment_one_does_it_and_signs_and_the_others_say_so() {
    let desk = Desk::with_plan("at_one_moment", "1").await;
    let owner = sqlx::PgPool::connect(&desk.url).await.unwrap();
    let number = async |sql: &'static str| sqlx::query_scalar::<_, i64>(sql).fetch_one(&owner).await.unwrap();
    for (user, words, says) in [
        ("bob", "plan approve --incident cards", "You approved plan 1 before; nothing was changed"),
        ("ann", "plan go --incident cards", "Plan 1 is running already; nothing was changed"),
        ("ann", "plan pause --incident cards", "Plan 1 is paused already; nothing was changed"),
        ("bob", "plan resume --incident cards", "Plan 1 is running already; nothing was changed"),
        ("ann", "incident close cards --unfinished enough", "Somebody else closed it at this moment; nothing was changed"),
        ("bob", "incident reopen cards --reason more", "Somebody else reopened it at this moment; nothing was changed"),
    ] {
        let (events, signatures) = ("select count(*) from event", "select count(*) from signed_command");
        let before = (number(events).await, number(signatures).await);
        let args: Vec<&str> = words.split(' ').chain(["--json"]).collect();

        let clicks = at_one_moment(&desk, user, &args).await;

        let did =
            clicks.iter().filter(|click| click.out.contains(r#""changed": true"#) || click.out.contains(r#""changed":true"#));
        assert_eq!(did.count(), 1, "{words}: {clicks:?}");
        let found = clicks.iter().filter(|click| click.err.contains(says) && click.out.contains("false"));
        assert_eq!(found.count(), 3, "{words}: {clicks:?}");
        assert_eq!((number(events).await, number(signatures).await), (before.0 + 1, before.1 + 1), "{words}");
    }
    desk.duly("ann", &["audit"]).fine();

    let desk = Desk::with_plan("withdrawn_at_one_moment", "1").await;
    let clicks = at_one_moment(&desk, "ann", &["plan", "withdraw", "--incident", "cards"]).await;
    let said = |what: &str| clicks.iter().filter(|click| click.err.contains(what)).count();
    assert_eq!(
        (said("Plan 1 is withdrawn, and stays so"), said("is withdrawn already; nothing was changed")),
        (1, 3),
        "{clicks:?}"
    );
}
