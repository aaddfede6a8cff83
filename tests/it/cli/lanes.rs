//! Lanes as whoever runs them sees them: what each can take, how it fares, and what to do about one that rests.

use super::desk::Desk;
use serde_json::{Value, json};

/// A desk whose lanes rest for these codes.
async fn resting(desk: &Desk, letters: &str, sms: &str) {
    let pause = format!(
        "delete from lane_pause; insert into lane_pause (lane, until, code) values
            ('letters', now() + interval '50 minutes', '{letters}'), ('sms-a', now() + interval '50 minutes', '{sms}')"
    );
    desk.sabotage(&pause).await.unwrap();
}

fn lane<'a>(lanes: &'a Value, name: &str) -> &'a Value {
    lanes.as_array().unwrap().iter().find(|lane| lane["lane"] == name).unwrap()
}

#[tokio::test]
async fn a_lane_that_was_stopped_says_what_to_do_now_by_what_stopped_it() {
    let desk = Desk::running("stopped_lanes").await;
    for (letters, sms, of_letters, of_sms) in [
        ("402", "401", "top up the account", "the account's present key"),
        ("307", "403", "the provider's present address", "whether the key is of this service"),
        ("sick", "429_daily", "one call is tried", "after midnight UTC"),
    ] {
        resting(&desk, letters, sms).await;
        let (status, list) = (desk.duly("ann", &["status"]).fine().out, desk.duly("ann", &["provider", "list"]).fine().out);
        for text in [&status, &list] {
            assert!(text.contains(of_letters) && text.contains(of_sms), "{text}");
            assert!(text.contains(&format!("(code {letters})")) && text.contains("paused until"), "{text}");
        }
        let status = desk.duly("ann", &["status", "--json"]).fine().json();
        let list = desk.duly("ann", &["provider", "list", "--json"]).fine().json();
        for (name, code, remedy) in [("letters", letters, of_letters), ("sms-a", sms, of_sms)] {
            let (pause, health) = (&lane(&status["lanes"], name)["pause"], &lane(&list["lanes"], name)["health"]);
            for shown in [pause, health] {
                assert_eq!(shown["code"], code);
                assert!(shown["remedy"].as_str().unwrap().contains(remedy), "{shown}");
                assert!(!shown["why"].as_str().unwrap().is_empty(), "{shown}");
            }
            assert_eq!(pause["remedy"], health["remedy"], "one table has the words");
            assert_eq!(&health["paused_until"].as_str().unwrap()[..19], &pause["until"].as_str().unwrap()[..19]);
        }
    }
}

#[tokio::test]
async fn a_list_of_lanes_says_what_each_takes_how_it_fares_and_whom_it_reaches() {
    let mut desk = Desk::running("listed_lanes").await;
    desk.set("DULY_LANES__LETTERS__PROVIDER", "stannp");
    desk.set("DULY_LANES__LETTERS__API_KEY", "a-key");
    desk.set("DULY_LANES__LETTERS__PER_DAY", "20000");
    resting(&desk, "402", "429_daily").await;
    desk.sabotage("update lane_pause set until = now() - interval '1 second' where lane = 'sms-a'").await.unwrap();

    let text = desk.duly("ann", &["provider", "list"]).fine().out;
    for said in [
        "4 a second (240 a minute)",
        "20,000 a day by the settings",
        "postage first, second",
        "a call without an answer is repeated under its key",
        "its rest is over: a single call is made",
        "nobody: sandbox",
        "paused until",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
    let listed = desk.duly("ann", &["provider", "list", "--json"]).fine().json();
    let letters = lane(&listed["lanes"], "letters");
    let limits = ["per_second_max", "per_minute_max", "per_day", "per_day_max"].map(|name| &letters[name]);
    assert_eq!(limits, [&json!(4), &json!(240), &json!(20_000), &Value::Null], "{letters}");
    assert_eq!((&letters["reaches"], &letters["live"]), (&json!("nobody: sandbox"), &json!(false)));
    assert_eq!((&letters["health"]["state"], &letters["health"]["code"]), (&json!("paused"), &json!("402")));
    let promised = &letters["capabilities"];
    assert_eq!((&promised["lookup"], &promised["receipts"]), (&json!("none"), &json!("signed")), "{promised}");
    assert_eq!((&promised["letters"]["pages_max"], &promised["cancel"]), (&json!(10), &json!("until_made")), "{promised}");
    assert_eq!(lane(&listed["lanes"], "sms-a")["health"]["state"], "tried");
}

#[tokio::test]
async fn a_check_that_fails_says_so_to_programs_too() {
    let desk = Desk::empty("checked_lanes").await;
    for (lane, what, remedy) in [
        ("sms-a", "offers no way to be checked", "plan of one person"),
        ("no-lane", "there is no lane `no-lane`", "duly provider list"),
    ] {
        let ran = desk.duly("ann", &["provider", "check", lane, "--json"]);
        assert_eq!(ran.code, 2, "{ran:?}");
        let said = ran.json();
        assert_eq!((&said["lane"], &said["good"]), (&json!(lane), &json!(false)));
        assert!(said["error"].as_str().unwrap().contains(what), "{said}");
        assert!(said["remedy"].as_str().unwrap().contains(remedy), "{said}");
        ran.refused("", remedy);
    }
}
