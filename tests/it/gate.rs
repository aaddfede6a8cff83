//! Nobody approves what cannot leave as it was approved: what is wrong is found at prepare, with everybody whom it concerns.

use crate::cli::desk::{Desk, Ran, TEXTS};
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
    letters("two", reason).refused("the content check warns of C004/data_types/uk-gdpr/en, and", "--accept C004/data_types/uk-gdpr/en=");
    for nothing in ["C004/dates/uk-gdpr/en=x", "C004/dates/uk-gdpr/en=unknown", "C004/dates/uk-gdpr/en=TBC by our lawyers"] {
        let refused = letters("two", nothing);
        assert!(refused.code == 2 && refused.err.contains("at least two words"), "{refused:?}");
    }
}
