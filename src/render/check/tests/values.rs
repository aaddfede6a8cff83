//! A person's own values stand in no message, however short they are; what only looks like one is none.

use super::*;

fn said(kind: (Channel, Content), sentence: &str, own: fn(&mut PersonRecord)) -> Vec<String> {
    let mut case = case("uk-gdpr", kind.0, kind.1);
    own(&mut case.person);
    says(&mut case, sentence);
    run(&case).into_iter().filter(|f| f.rule == "C060").map(|f| f.what).collect()
}

fn reference(of: &'static str, sentence: &str) -> bool {
    let mut case = case("uk-gdpr", Channel::Letter, Content::Full);
    case.person.external_reference = of.into();
    says(&mut case, sentence);
    let found = run(&case);
    assert!(found.iter().all(|f| f.rule == "C060" && f.what == "the person's own `external_reference` is printed"), "{found:?}");
    found.len() == 1
}

#[test]
fn a_phone_an_email_and_an_address_stand_in_no_message_of_any_channel() {
    for kind in [LETTER, EMAIL, SMS] {
        for sentence in ["We text +44 7400 123456.", "We text 07400 123 456.", "We text 07400-123456."] {
            assert_eq!(said(kind, sentence, |_| {}), ["the person's own `phone` is printed"], "{sentence}");
        }
        assert_eq!(said(kind, "We write to Sian.OBrien@example.org.", |_| {}), ["the person's own `email` is printed"]);
        for sentence in ["You live at 1 Heol y Bont.", "Your postcode is SY23 2AX.", "You live at 1, Heol y Bont, SY232AX."] {
            assert_eq!(said(kind, sentence, |_| {}), ["the person's own `address` is printed"], "{sentence}");
        }
        assert_eq!(said(kind, "The supplier has an office in Aberystwyth.", |_| {}), Vec::<String>::new());
    }
    // A number of eight digits behind its country's code.
    assert_eq!(
        said(EMAIL, "We text 32 12 34 56.", |p| p.phone = Some("+4532123456".into())),
        ["the person's own `phone` is printed"]
    );
}

#[test]
fn an_address_that_a_text_for_addresses_prints_is_the_controllers() {
    let mut case = case("us-ca", Channel::Email, Content::Full);
    case.person.address = Some(vec!["418 Maple Street".into(), "Northmere, CA 94016".into()]);
    case.texts["contact_address"] = json!("Northmere Health, 1 Station Road, Northmere, CA 94016");
    assert_eq!(ids(&run(&case)), ["C080"]);
    case.texts["contact_address"] = json!("");
    says(&mut case, "You live in Northmere, CA 94016.");
    assert_eq!(ids(&run(&case)), ["C060", "C080"]);
}

#[test]
fn a_reference_is_found_whatever_it_is_made_of() {
    for (own, sentence) in [
        ("PN0042117", "You are PN-004 2117 to us."),
        ("HARBOUR", "You are HARBOUR to us."),
        ("JSmith", "Your file is called JSmith."),
        ("J-SMITH", "Your file is called J-SMITH."),
        ("harbour", "Your reference is Harbour."),
        ("HARBOUR", "Your pay number: harbour."),
        ("7", "Your pay number is 7."),
        ("B7", "Your pay number was B-7, as we know."),
        ("B72", "Your badge no. b72 was in the file."),
        ("ann", "Your ID is ann."),
    ] {
        assert!(reference(own, sentence), "{own}: {sentence}");
    }
}

#[test]
fn a_word_or_a_figure_that_a_text_has_by_chance_is_no_reference() {
    for (own, sentence) in [
        ("HARBOUR", "The file was on a server at the harbour. Harbour staff saw it."),
        ("Harbour", "Harbour staff saw it."),
        ("harbour", "The file was on a server at the harbour."),
        ("7", "It happened on 7 November 2026, and 7 people saw it."),
        ("B7", "Room B7 is closed."),
        ("7", "Your pay number is 70012."),
        ("7", "It had your name and your pay number. 7 people saw it."),
        ("ann", "Your pay number and your name. Ann Price saw it."),
        ("may", "Somebody may call you."),
        // Whose reference is their surname is addressed by it.
        ("Zoé", "Call us."),
    ] {
        assert!(!reference(own, sentence), "{own}: {sentence}");
    }
}

#[test]
fn a_sensitive_date_is_found_as_any_language_writes_it() {
    for sentence in ["You joined on 3 May 1998.", "You joined on May 3, 1998.", "Sie kamen am 3. Mai 1998.", "It was 1998-05-03."]
    {
        let mut case = case("uk-gdpr", Channel::Letter, Content::Full);
        says(&mut case, sentence);
        let mut joined = |sensitive| {
            let cell = Cell { column: Column { kind: ColumnType::Date, sensitive }, value: "1998-05-03".to_owned() };
            case.person.columns.insert("joined".to_owned(), cell);
            ids(&run(&case))
        };
        assert!(!joined(false).contains(&"C060") && joined(true).contains(&"C060"), "{sentence}");
    }
}
