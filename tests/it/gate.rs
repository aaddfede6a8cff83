//! Nobody approves what cannot leave as it was approved: what is wrong is found at prepare, with everybody whom it concerns.

use crate::cli::desk::{Desk, Ran, TEXTS};
use crate::support::NOTIFY_KEY;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// A list of people who have a telephone and an address in Leeds.
fn people(count: u32) -> String {
    let row = |i| format!("PN{i},Price,07400 12346{i},{i} High Street,Leeds,LS1 4AB\n");
    "Pay number,Surname,Mobile,Address 1,Town,Postcode\n".to_owned() + &(1..=count).map(row).collect::<String>()
}

/// Gives the desk an incident `own` with these texts and this list.
fn begin(desk: &Desk, texts: &str, list: &str) {
    desk.write("own.toml", texts);
    desk.write("own.csv", list);
    desk.duly("ann", &["incident", "add", "own", "--controller", "northmere", "--texts", "own.toml"]).fine();
    desk.duly("ann", &["list", "import", "own.csv", "--incident", "own"]).fine();
}

fn prepare(desk: &Desk, more: &[&str]) -> Ran {
    desk.duly("ann", &[&["plan", "prepare", "--incident", "own"], more].concat())
}

/// The ids of everybody on the list, as they are printed.
async fn everybody(desk: &Desk) -> BTreeSet<String> {
    let owner = sqlx::PgPool::connect(&desk.url).await.unwrap();
    let ids: Vec<uuid::Uuid> = sqlx::query_scalar("select person_id from person").fetch_all(&owner).await.unwrap();
    ids.into_iter().map(|id| format!("p_{}", id.simple())).collect()
}

/// Whom a finding names.
fn named(finding: &Value) -> BTreeSet<String> {
    finding["person_ids"].as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_owned()).collect()
}

/// The first finding of a rule.
fn of(ran: &Ran, rule: &str) -> Value {
    let found = ran.json();
    found.as_array().unwrap().iter().find(|finding| finding["rule"] == rule).unwrap_or_else(|| panic!("{rule}: {ran:?}")).clone()
}

#[tokio::test]
async fn the_report_names_everybody_whom_a_finding_concerns_and_a_screen_some_of_them() {
    let desk = Desk::with_incident("named", "1").await;
    begin(&desk, &TEXTS.replace("0303 123 1113", "0303 123 9999"), &people(5));

    let refused = prepare(&desk, &["--route", "letter", "--json"]);

    let phone = of(&refused, "C055");
    assert_eq!((refused.code, &phone["people"]), (2, &json!(5)), "{refused:?}");
    assert_eq!(named(&phone), everybody(&desk).await);
    let shown = prepare(&desk, &["--route", "letter"]).out;
    assert!(shown.contains("5 people: p_") && shown.contains(" and 2 more, see --json"), "{shown}");
}

#[tokio::test]
async fn a_reason_accepts_the_warning_that_was_shown_and_a_second_one_elsewhere_still_blocks() {
    let desk = Desk::with_incident("accepted", "1").await;
    let without = |name: &str, texts: &str| {
        texts.lines().filter(|line| !line.starts_with(name)).map(|line| format!("{line}\n")).collect::<String>()
    };
    let undated = without("dates", TEXTS);
    begin(&desk, &undated, &people(2));
    desk.write("two.toml", &without("data_types", &undated));
    desk.duly("ann", &["incident", "add", "two", "--controller", "northmere", "--texts", "two.toml"]).fine();
    desk.duly("ann", &["list", "import", "own.csv", "--incident", "two"]).fine();
    let reason = "C004/dates/uk-gdpr/en=nobody knows the day yet";
    let letters = |incident: &str, accepted: &str| {
        desk.duly("ann", &["plan", "prepare", "--incident", incident, "--route", "letter", "--accept", accepted, "--json"])
    };

    let shown = prepare(&desk, &["--route", "letter", "--json"]);
    assert_eq!(of(&shown, "C004")["accept"], "C004/dates/uk-gdpr/en", "{shown:?}");
    let plan = letters("own", reason).fine().json();
    assert_eq!(plan["check"][0]["accept"], "C004/dates/uk-gdpr/en", "{plan}");
    letters("two", reason)
        .refused("the content check warns of C004/data_types/uk-gdpr/en, and", "--accept C004/data_types/uk-gdpr/en=");
    for nothing in ["C004/dates/uk-gdpr/en=x", "C004/dates/uk-gdpr/en=unknown", "C004/dates/uk-gdpr/en=TBC by our lawyers"] {
        let refused = letters("two", nothing);
        assert!(refused.code == 2 && refused.err.contains("at least two words"), "{refused:?}");
    }
}

/// The settings of a lane at GOV.UK Notify, which takes texts of at most 918 characters.
const NOTIFY: &[(&str, &str)] = &[
    ("PROVIDER", "notify"),
    ("CHANNEL", "sms"),
    ("URL", "http://127.0.0.1:1"),
    ("API_KEY", NOTIFY_KEY),
    ("TEMPLATE", "f33517ff-2a88-4f6e-b855-c550268ce08a"),
];

fn set_lane(desk: &mut Desk, lane: &str, settings: &[(&str, &str)]) {
    settings.iter().for_each(|(key, value)| desk.set(&format!("DULY_LANES__{lane}__{key}"), *value));
}

/// Texts that make a text message longer than 918 characters.
fn long_texts() -> String {
    TEXTS.replace("Be wary of calls", &format!("{}Be wary of calls", "We changed every lock. ".repeat(30)))
}

#[tokio::test]
async fn a_text_that_no_lane_can_take_freezes_nothing_and_is_refused_with_its_people() {
    let mut desk = Desk::with_incident("no_lane", "1").await;
    set_lane(&mut desk, "SMS_A", NOTIFY);
    begin(&desk, &long_texts(), &people(2));

    let refused = prepare(&desk, &["--route", "sms", "--json"]);

    let found = of(&refused, "Q002");
    assert_eq!((refused.code, &found["severity"], &found["people"]), (2, &json!("error"), &json!(2)), "{refused:?}");
    assert_eq!(named(&found), everybody(&desk).await);
    let what = "no lane of the plan can take this text message: `sms-a` (GOV.UK Notify) takes at most 918 characters";
    assert_eq!(found["what"], what);
    assert!(found["remedy"].as_str().unwrap().contains("add a lane whose provider takes more"), "{found}");
    desk.duly("ann", &["plan", "show", "--incident", "own"]).refused("the incident has no plan", "plan prepare");
}

#[tokio::test]
async fn a_text_that_its_provider_would_write_otherwise_freezes_nothing() {
    let mut desk = Desk::with_incident("rewritten", "1").await;
    set_lane(&mut desk, "SMS_A", NOTIFY);
    let add = ["controller", "add", "kings", "--name", "King’s Care", "--sms-sender", "KINGS", "--address", "PO Box 118"];
    desk.duly("ann", &add).fine();
    desk.write("own.csv", &people(2));
    desk.duly("ann", &["incident", "add", "own", "--controller", "kings", "--texts", "texts.toml"]).fine();
    desk.duly("ann", &["list", "import", "own.csv", "--incident", "own"]).fine();

    let refused = prepare(&desk, &["--route", "sms", "--json"]);

    let found = of(&refused, "Q002");
    assert_eq!((refused.code, &found["severity"], &found["people"]), (2, &json!("error"), &json!(2)), "{refused:?}");
    let what =
        "no lane of the plan can take this text message: `sms-a` (GOV.UK Notify) would write signs or spaces of it otherwise";
    assert_eq!(found["what"], what);
    assert!(found["remedy"].as_str().unwrap().contains("the controller's name"), "{found}");
}

#[tokio::test]
async fn a_name_that_no_lane_writes_as_it_is_needs_a_decision_and_the_others_are_told() {
    let mut desk = Desk::with_incident("rewritten_name", "1").await;
    set_lane(&mut desk, "SMS_A", NOTIFY);
    begin(&desk, TEXTS, &people(2).replace("PN2,Price", "PN2,Łęcka"));

    let refused = prepare(&desk, &["--route", "sms", "--json"]);

    let found = of(&refused, "Q002");
    assert_eq!(
        (&found["severity"], &found["people"], &found["accept"]),
        (&json!("warning"), &json!(1), &json!("Q002/uk-gdpr/en"))
    );
    assert!(found["remedy"].as_str().unwrap().contains("writes every letter"), "{found}");
    let accepted = "Q002/uk-gdpr/en=somebody will call on them";
    let plan = prepare(&desk, &["--route", "sms", "--accept", accepted, "--json"]).fine().json();
    assert_eq!(plan["problems"], json!({"name_rewritten": 1}));
    let tasks = desk.duly("ann", &["task", "list", "--incident", "own", "--json"]).fine().json();
    assert_eq!((&tasks["open"][0]["person"], &tasks["open"][0]["problem"]), (&found["person_ids"][0], &json!("name_rewritten")));
}

#[tokio::test]
async fn a_plan_has_only_lanes_that_take_each_of_its_messages() {
    let mut desk = Desk::with_incident("left_out", "1").await;
    set_lane(&mut desk, "TEXTS", NOTIFY);
    begin(&desk, &long_texts(), &people(2));

    let plan = prepare(&desk, &["--route", "sms", "--json"]).fine().json();

    assert_eq!(plan["left_out"], json!({"texts": {"text_length": 2}}));
    let body = desk.duly("bob", &["plan", "show", "--incident", "own", "--json"]).fine().json()["body"].clone();
    assert_eq!(body["lanes"], json!(["sms-a"]), "{body}");
    assert_eq!(body["accounts"].as_object().unwrap().keys().collect::<Vec<_>>(), ["sms-a"]);
    let shown = desk.duly("bob", &["plan", "show", "--incident", "own"]).fine().out;
    assert!(shown.contains("texts: it cannot take 2 messages (text_length)"), "{shown}");
    // What every lane takes goes through all of them.
    desk.duly("ann", &["incident", "add", "short", "--controller", "northmere", "--texts", "texts.toml"]).fine();
    desk.duly("ann", &["list", "import", "own.csv", "--incident", "short"]).fine();
    desk.duly("ann", &["plan", "prepare", "--incident", "short", "--route", "sms-and-letter"])
        .refused("the content check warns of C080/uk-gdpr/en", "--accept C080/uk-gdpr/en=");
    let accepted = "C080/uk-gdpr/en=the letter tells them the rest";
    desk.duly("ann", &["plan", "prepare", "--incident", "short", "--route", "sms-and-letter", "--accept", accepted]).fine();
    let body = desk.duly("bob", &["plan", "show", "--incident", "short", "--json"]).fine().json()["body"].clone();
    assert_eq!((&body["lanes"], &body["left_out"]), (&json!(["letters", "sms-a", "texts"]), &json!({})));
}

#[tokio::test]
async fn an_address_that_no_lane_serves_is_refused_with_its_person_and_the_others_are_told() {
    let mut desk = Desk::with_incident("unserved", "1").await;
    set_lane(&mut desk, "LETTERS", &[&[("CHANNEL", "letter")][..], &NOTIFY[..1], &NOTIFY[2..4]].concat());
    let list = people(2).replace("2 High Street", "(2) High Street");
    begin(&desk, TEXTS, &list);

    let refused = prepare(&desk, &["--route", "letter", "--json"]);

    let found = of(&refused, "Q002");
    assert_eq!(
        (&found["severity"], &found["people"], &found["accept"]),
        (&json!("warning"), &json!(1), &json!("Q002/uk-gdpr/en"))
    );
    let accepted = "Q002/uk-gdpr/en=somebody will call on them";
    let plan = prepare(&desk, &["--route", "letter", "--accept", accepted, "--json"]).fine().json();
    assert_eq!(plan["problems"], json!({"address_not_served": 1}));
    let tasks = desk.duly("ann", &["task", "list", "--incident", "own", "--json"]).fine().json();
    assert_eq!(
        (&tasks["open"][0]["person"], &tasks["open"][0]["problem"]),
        (&found["person_ids"][0], &json!("address_not_served"))
    );
}

/// A discreet incident, whose letters return to this address.
fn discreet_texts(return_address: &str) -> String {
    let texts = "contact_phone = \"0808 157 0100\"\ndelayed_by_le = \"No authority asked us to wait.\"\n\n[published]";
    format!("{}\n[facts]\ndiscreet = true\n{return_address}", TEXTS.replace("[published]", texts))
}

const LOB: &[(&str, &str)] = &[("PROVIDER", "lob"), ("API_KEY", "sandbox-key")];
const CALIFORNIAN: &str = "Pay number,Surname,Address 1,Town,Postcode,Country,Jurisdiction\n\
     PN11,Reyes,1 Market Street,San Francisco,CA 94103,US,US-CA\n";

#[tokio::test]
async fn a_discreet_letter_is_refused_where_its_printer_would_name_who_writes() {
    let mut desk = Desk::with_incident("named_outside", "1").await;
    set_lane(&mut desk, "LETTERS", LOB);
    begin(&desk, &discreet_texts(""), CALIFORNIAN);
    let letters = |incident: &str| {
        desk.duly("ann", &["plan", "prepare", "--incident", incident, "--route", "letter", "--profile", "us-ca", "--json"])
    };

    let found = of(&letters("own"), "C061");
    let what = "no lane of the plan can take this letter: `letters` (Lob) prints a return address, and cannot print this one";
    assert_eq!((&found["what"], named(&found)), (&json!(what), everybody(&desk).await));
    assert!(found["remedy"].as_str().unwrap().contains("`return_address` under [facts]"), "{found}");

    for (name, lines, fault) in [
        (
            "telling",
            "['Northmere Returns', 'PO Box 118', 'Portland, OR 97201']",
            Some("the return address of a discreet letter names who writes"),
        ),
        ("silent", "['Returns', 'PO Box 118', 'Portland, OR 97201']", None),
    ] {
        desk.write("more.toml", &discreet_texts(&format!("return_address = {lines}\n")));
        desk.duly("ann", &["incident", "add", name, "--controller", "northmere", "--texts", "more.toml"]).fine();
        desk.duly("ann", &["list", "import", "own.csv", "--incident", name]).fine();
        let ran = letters(name);
        match fault {
            Some(what) => assert_eq!(of(&ran, "C061")["what"], what),
            None => drop(ran.fine()),
        }
    }
}
