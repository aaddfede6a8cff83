//! What `duly plan prepare` says before anybody approves.

use super::desk::Desk;
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
    let shown = desk.duly("bob", &["plan", "show", "--incident", "cards"]).fine().out;
    let pounds = |pence: u64| format!("{}.{:02}", pence / 100, pence % 100);
    assert!(
        shown.contains(&format!("GBP {} to {}, by the lanes' prices", pounds(pence(pages)), pounds(pence(3 * pages)))),
        "{shown}"
    );
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
async fn a_decision_about_somebody_whose_plan_was_withdrawn_is_not_taken_back_and_the_refusal_says_how_they_are_told() {
    let desk = Desk::with_plan("reopen_withdrawn", "1").await;
    let decide = |what: &'static str| ["person", what, "--incident", "cards", "--reason", "never issued"];
    desk.duly_with("ann", &decide("exempt"), "PN3\n").fine();
    desk.duly("ann", &["plan", "withdraw", "--incident", "cards"]).fine();

    desk.duly_with("bob", &decide("reopen"), "PN3\n").refused("plan 1, by which p_", "duly list import");

    // As the refusal says: on a further list, under another reference, the next plan takes them.
    let list = std::fs::read_to_string(desk.path("affected.csv")).unwrap();
    let same = list.lines().filter(|line| line.starts_with("Pay number") || line.starts_with("PN3,"));
    desk.write("further.csv", &same.map(|line| line.replace("PN3", "PN3-2") + "\n").collect::<String>());
    desk.duly("ann", &["list", "import", "further.csv", "--incident", "cards"]).fine();
    desk.duly("ann", &["plan", "prepare", "--incident", "cards", "--route", "sms-then-letter,letter,sms"]).fine();
    desk.duly("bob", &["plan", "approve", "--incident", "cards", "--people", "4"]).fine();
    desk.duly("ann", &["audit"]).fine();
}
