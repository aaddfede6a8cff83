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
        "for 90 days",
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
async fn a_list_of_lanes_says_which_address_is_entered_at_each_vendor_and_where_there_is_none_to_enter() {
    let mut desk = Desk::with_incident("callbacks", "1").await;
    let add = ["controller", "add", "southmere", "--name", "Southmere", "--sms-sender", "SOUTHMERE", "--address", "PO Box 1"];
    desk.duly("ann", &add).fine();
    desk.set("DULY_LANES__LETTERS__PROVIDER", "stannp");
    desk.set("DULY_LANES__SMS_A__PROVIDER", "twilio");
    desk.set("DULY_LANES__SMS_A__ACCOUNT", "AC00000000000000000000000000000001");
    desk.set("DULY_LANES__PRINTER__CHANNEL", "letter");
    desk.set("DULY_LANES__PRINTER__PROVIDER", "file");
    desk.set("DULY_LANES__PRINTER__FOLDER", desk.path("printer").display().to_string());
    let callbacks = |text: &str| -> Vec<String> {
        text.lines().filter_map(|line| Some(line.trim().strip_prefix("callback ")?.trim().to_owned())).collect()
    };
    let list = |desk: &Desk| {
        let text = desk.duly("ann", &["provider", "list"]).fine().out;
        (callbacks(&text), desk.duly("ann", &["provider", "list", "--json"]).fine().json()["lanes"].clone())
    };

    let (text, lanes) = list(&desk);
    let northmere = "/receipts/northmere/letters, behind your own https address: set `receipts.url`";
    let southmere = northmere.replace("north", "south");
    let unnamed = "none: `receipts.url` is empty, and so no message names one";
    assert_eq!(text, [northmere, &southmere, "none: it sends no receipts", unnamed]);
    let path = |controller: &str| format!("/receipts/{controller}/letters");
    let of = |controller: &str, url: Value| json!({"controller": controller, "path": path(controller), "url": url});
    assert_eq!(lane(&lanes, "letters")["callbacks"], json!([of("northmere", Value::Null), of("southmere", Value::Null)]));

    desk.set("DULY_RECEIPTS__URL", "https://receipts.example/");
    let (text, lanes) = list(&desk);
    let [northmere, southmere] =
        ["northmere", "southmere"].map(|name| format!("https://receipts.example/receipts/{name}/letters"));
    let named = "none to enter: each message names it";
    assert_eq!(text, [&northmere, &southmere, "none: it sends no receipts", named]);
    let letters = json!([of("northmere", json!(northmere)), of("southmere", json!(southmere))]);
    assert_eq!(lane(&lanes, "letters")["callbacks"], letters);
    for (name, names_it) in [("sms-a", true), ("printer", false)] {
        let listed = lane(&lanes, name);
        assert_eq!((&listed["callbacks"], &listed["capabilities"]["names_callback"]), (&json!([]), &json!(names_it)), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_described_provider_is_checked_by_the_question_that_its_settings_name_and_what_is_not_proved_is_said() {
    let mut desk = Desk::empty("described_lanes").await;
    let config = duly_sandbox::SandboxConfig {
        providers: [("gateway".to_owned(), duly_sandbox::ProviderConfig::default())].into(),
        ..duly_sandbox::SandboxConfig::default()
    };
    let state = std::sync::Arc::new(duly_sandbox::SandboxState::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/gateway", listener.local_addr().unwrap());
    tokio::spawn(duly_sandbox::serve(state.clone(), listener, std::future::pending()));
    for (key, value) in [
        ("PROVIDER", "http"),
        ("URL", url.as_str()),
        ("HTTP__PATH", "/v1/messages"),
        ("HTTP__BODY", "{\"text\": {{json text}}}"),
        ("HTTP__CONTENT", "/text"),
        ("HTTP__TAKEN", "[201]"),
        ("HTTP__ID", "/id"),
    ] {
        desk.set(&format!("DULY_LANES__SMS_A__{key}"), value);
    }
    for (check_path, key, code, said, remedy) in [
        ("", "sandbox-key", 2, "neither that it answers nor that it takes the credentials is proved", "`http.check_path`"),
        ("/v1/account", "sandbox-key", 0, "answers and takes the credentials", ""),
        ("/v1/account", "another", 1, "refuses the credentials", "correct `[lanes.sms-a]`"),
        ("/v1/messages?reference=x", "sandbox-key", 2, "whether it takes the credentials is not proved", "`http.check_path`"),
        ("/v1/nothing", "sandbox-key", 1, "does not know the lane's `http.check_path`", "correct `[lanes.sms-a]`"),
    ] {
        desk.set("DULY_LANES__SMS_A__HTTP__CHECK_PATH", check_path);
        desk.set("DULY_LANES__SMS_A__API_KEY", key);
        let ran = desk.duly("ann", &["provider", "check", "sms-a"]);
        assert_eq!(ran.code, code, "{check_path} {key}: {ran:?}");
        let text = format!("{}{}", ran.out, ran.err);
        assert!(text.contains(said) && text.contains(remedy), "{text}");
    }
    assert!(state.record().is_empty());
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
