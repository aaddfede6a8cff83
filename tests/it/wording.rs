//! Nobody is told what was not checked: the content check stands between the list and the approval.

use crate::cli::desk::{Desk, PERSONAL, TEXTS};
use serde_json::{Value, json};

const PREPARE: &[&str] = &["plan", "prepare", "--incident", "cards", "--route", "sms-then-letter,letter,sms"];

/// A desk with the list imported, whose incident says something of its own.
async fn desk(name: &str, change: impl Fn(&str) -> String) -> Desk {
    let desk = Desk::with_incident(name, "1").await;
    desk.write("own.toml", &change(TEXTS));
    desk.duly("ann", &["incident", "add", "own", "--controller", "northmere", "--texts", "own.toml"]).fine();
    desk.duly("ann", &["list", "import", "affected.csv", "--incident", "own"]).fine();
    desk
}

fn prepare(desk: &Desk, more: &[&str]) -> crate::cli::desk::Ran {
    let args: Vec<&str> = PREPARE.iter().map(|a| if *a == "cards" { "own" } else { a }).chain(more.iter().copied()).collect();
    desk.duly("ann", &args)
}

#[tokio::test]
async fn what_must_be_mended_freezes_nothing_and_is_told_with_its_place_and_its_people() {
    let desk = desk("gate", |texts| texts.replace("0303 123 1113", "0303 123 9999")).await;

    let refused = prepare(&desk, &["--json"]);

    let found: Value = refused.json();
    assert_eq!(refused.code, 2, "{refused:?}");
    let phone = found.as_array().unwrap().iter().find(|f| f["rule"] == "C055").unwrap();
    assert_eq!(
        (&phone["severity"], &phone["element"], &phone["people"]),
        (&json!("error"), &json!("complaint_right"), &json!(3))
    );
    assert!(!PERSONAL.iter().any(|value| refused.out.contains(value) || refused.err.contains(value)), "{refused:?}");
    desk.duly("ann", &["plan", "show", "--incident", "own"]).refused("the incident has no plan", "plan prepare");
    // Nothing was frozen: with the number published, the same list is prepared.
    let lists = desk.duly("ann", &["status", "--incident", "own", "--json"]).fine();
    assert!(lists.out.contains("\"waiting\":4"), "{lists:?}");
}

#[tokio::test]
async fn a_warning_needs_a_written_reason_which_the_approver_sees() {
    let desk = desk("reason", |texts| texts.replace("dates = \"It was copied on 9 November 2026.\"\n", "")).await;
    prepare(&desk, &[]).refused("the content check warns of C004", "--accept C004=");

    prepare(&desk, &["--accept", "c004=the date is not known yet"]).fine();

    let shown = desk.duly("bob", &["plan", "show", "--incident", "own"]).fine().out;
    assert!(shown.contains("C004") && shown.contains("the date is not known yet"), "{shown}");
}

#[tokio::test]
async fn sample_wording_and_unknown_fields_are_refused_with_the_incident() {
    let desk = Desk::with_incident("sample", "1").await;
    let add = ["incident", "add", "own", "--controller", "northmere", "--texts", "own.toml"];
    let tries = [
        (TEXTS.replace("The server is closed", "TBC by legal"), "`measures` is sample wording"),
        (TEXTS.replace("dates =", "dates_ ="), "`dates_`: there is no such text"),
        (TEXTS.replace("phones", "telephones"), "`published`: unknown field `telephones`"),
        (TEXTS.replace("nature = \"On", "nature = \"\"\nx = \"On"), "has no text for nature"),
    ];
    for (texts, what) in tries {
        desk.write("own.toml", &texts);
        let refused = desk.duly("ann", &add);
        assert!(refused.code == 2 && refused.err.contains(what), "{what}: {refused:?}");
    }
}

#[tokio::test]
async fn a_language_without_a_template_is_a_gap_that_is_named_and_blocks() {
    let desk = Desk::with_incident("gap", "1").await;
    let list = "Pay number,First name,Surname,Mobile,Address 1,Town,Postcode,Language\n\
                PN7,Ala,Nowak,07400 123460,1 High Street,Leeds,LS1 4AB,Polish\n";
    desk.write("polish.csv", list);
    desk.duly("ann", &["list", "import", "polish.csv", "--incident", "cards"]).fine();

    let refused = desk.duly("ann", &[PREPARE, &["--json"]].concat());

    let found = refused.json();
    assert_eq!((&found[0]["rule"], &found[0]["people"]), (&json!("C070"), &json!(1)), "{refused:?}");
    assert!(found[0]["what"].as_str().unwrap().contains("`pl`"), "{refused:?}");

    // The Welsh letter is a draft: nobody has reviewed it, and so it is none.
    desk.write("welsh.csv", &list.replace("PN7", "PN8").replace("Polish", "Cymraeg"));
    desk.duly("ann", &["list", "import", "welsh.csv", "--incident", "cards"]).fine();
    let refused = desk.duly("ann", &[PREPARE, &["--json"]].concat());
    assert!(refused.json().as_array().unwrap().iter().any(|f| f["rule"] == "C071"), "{refused:?}");
}

#[tokio::test]
async fn a_template_of_ones_own_goes_before_the_shipped_one_and_is_checked_with_its_line() {
    let mut desk = Desk::empty("own_template").await;
    desk.set("DULY_TEMPLATES__OWN", "own");
    desk.duly("ann", &["template", "new", "uk-gdpr/sms.en"]).fine();
    desk.duly("ann", &["template", "check"]).fine();
    desk.duly("ann", &["template", "new", "uk-gdpr/sms.en"]).refused("`own/uk-gdpr/sms.en.hbs` exists", "written over");
    let own = std::fs::read_to_string(desk.folder.path().join("own/uk-gdpr/sms.en.hbs")).unwrap();

    desk.write("own/uk-gdpr/sms.en.hbs", &own.replace("A letter with the details", "Act now! A letter"));
    let bad = desk.duly("ann", &["template", "check", "uk-gdpr/sms.en", "--json"]);
    let of =
        bad.json().as_array().unwrap().iter().find(|t| t["name"] == "uk-gdpr/sms.en").unwrap()["findings"][0]["rule"].clone();
    assert_eq!((bad.code, of), (1, json!("C054")), "{bad:?}");

    desk.write("own/uk-gdpr/sms.en.hbs", &own.replace("{{controller.name}}", "\n{{{controller.name}}}"));
    desk.duly("ann", &["template", "list"])
        .refused("the template own/uk-gdpr/sms.en.hbs is not valid at line 3, column 1: an unescaped value", "correct");
    desk.write("own/uk-gdpr/sms.en.hbs", &own.replace("{{controller.name}}", "{{person.pay_number}}"));
    desk.duly("ann", &["template", "list"])
        .refused("the template own/uk-gdpr/sms.en.hbs is not valid at line 2, column 1: there is no field", "correct");
    desk.write("own/uk-gdpr/sms.en.hbs", &own.replace("{{controller.name}}", "{{incident.dates}}"));
    desk.duly("ann", &["template", "list"]).refused(
        "the template own/uk-gdpr/sms.en.hbs is not valid at line 2, column 1: `incident.dates` may be absent",
        "correct",
    );
}

#[tokio::test]
async fn a_preview_shows_what_nobody_has_written_and_says_that_it_cannot_be_sent() {
    let desk = Desk::empty("preview").await;
    let shown = desk.duly("ann", &["template", "preview", "uk-gdpr/letter.en", "--out", "letter.pdf", "--json"]).fine().json();
    assert!(shown["text"].as_str().unwrap().contains("[here stands the incident's text `nature`]"), "{shown}");
    assert!(shown["findings"].as_array().unwrap().iter().any(|f| f["rule"] == "C093"), "{shown}");
    assert!(std::fs::read(desk.folder.path().join("letter.pdf")).unwrap().starts_with(b"%PDF"));
}
