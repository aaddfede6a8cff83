//! What is written so that it looks otherwise, what is remembered, and what a law says in its own words.

use super::*;

/// Each stands in a message that is good but for it: the rule that finds it, and nothing else does.
#[test]
fn what_only_looks_otherwise_is_found_all_the_same() {
    let odd = [
        ("C055", LETTER, "Call 0808\u{a0}157\u{a0}0199."),
        ("C055", LETTER, "Call 0808\u{2011}157\u{2011}0199."),
        ("C055", SMS, "Call \u{ff10}\u{ff18}\u{ff10}\u{ff18} \u{ff11}\u{ff15}\u{ff17} \u{ff10}\u{ff11}\u{ff19}\u{ff19}."),
        ("C051", LETTER, "See https://northmere-help.xyz/now for more."),
        ("C051", LETTER, "See https://ico.org.uk@northmere.evil/ for more."),
        ("C051", EMAIL, "See www.northmere.berlin for more."),
        ("C051", LETTER, "Write to mary@northmere.ltd."),
        ("C051", LETTER, "See https://192.0.2.7/check."),
        ("C054", SMS, "This is ur\u{ad}gent."),
        ("C093", LETTER, "The rest is T\u{200b}BC."),
    ];
    for (rule, kind, sentence) in odd {
        let mut case = case("uk-gdpr", kind.0, kind.1);
        says(&mut case, sentence);
        assert_eq!(but_long(&run(&case)), [rule], "{sentence}");
    }
    let mut case = case("uk-gdpr", Channel::Letter, Content::Full);
    says(
        &mut case,
        "See https://www.ico.org.uk/help, \"https://northmere.example\" or write to mary@northmere.example. What to do is up to you.",
    );
    assert_eq!(ids(&run(&case)), Vec::<&str>::new());
}

/// What is remembered of a part's words is remembered of these words alone.
#[test]
fn words_are_judged_once_and_other_words_anew() {
    let good = case("uk-gdpr", Channel::Letter, Content::Full);
    let known = Known::of(&table(&good.texts, "published"), "uk-gdpr");
    let mut bad = good.clone();
    bad.texts["measures"] = json!("Mae'r gweinydd wedi cau ac mae ein heddlu yn gwybod.");
    let mut unnamed = good.clone();
    unnamed.texts["dpo_name"] = json!("our office");
    for _ in 0..2 {
        assert_eq!(ids(&run_with(&good, &known)), Vec::<&str>::new());
        assert_eq!(ids(&run_with(&bad, &known)), ["C070"]);
        assert_eq!(ids(&run_with(&unnamed, &known)), ["C090"]);
    }
    // The same words in a document of another language are another matter.
    let mut french = good;
    french.template.languages = vec!["fr".into()];
    assert!(ids(&run_with(&french, &known)).contains(&"C070"));
}

#[test]
fn a_channel_that_ends_no_notice_is_told_with_the_laws_own_reason() {
    for (id, is_confirmed) in [("us-hipaa", true), ("us-ca", false)] {
        let found = run(&case(id, Channel::Email, Content::Full));
        assert_eq!(ids(&found), ["C080"], "{id}");
        assert_eq!(found[0].is_confirmed, is_confirmed, "{id}");
        assert!(found[0].what.contains("Duly keeps no record") && found[0].source.contains('.'), "{found:?}");
    }
}

/// What a link's name may end in is one list: a text message shows none of them, and any other message only what was published.
#[test]
fn a_name_that_is_a_domain_in_a_letter_is_a_link_in_a_text_message() {
    let ends: Vec<&str> = contact::DOMAIN_ENDS.split('|').collect();
    assert!(ends.len() > 50 && ["uk", "us", "ca", "au", "xyz", "ly"].iter().all(|end| ends.contains(end)));
    for end in ends {
        let sentence = format!("See northmere-help.{end} for more.");
        for (kind, rules) in [(LETTER, &["C051"][..]), (SMS, &["C050", "C051"])] {
            let mut case = case("uk-gdpr", kind.0, kind.1);
            says(&mut case, &sentence);
            assert_eq!(ids(&run(&case)), rules, "{sentence}");
            case.texts["published"]["domains"].as_array_mut().unwrap().push(json!(format!("northmere-help.{end}")));
            assert_eq!(ids(&run(&case)), rules.iter().copied().filter(|rule| *rule == "C050").collect::<Vec<_>>(), "{sentence}");
        }
    }
}
