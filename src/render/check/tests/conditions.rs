//! What a law demands only where certain data was exposed, or where the controller was the source.

use super::*;

/// Numbers and addresses of the three agencies.
pub const AGENCIES: &str = "You can ask for your credit report. Equifax: 888-298-0045, P.O. Box 105788, Atlanta, GA 30348. Experian: \
     888-397-3742, P.O. Box 9554, Allen, TX 75013. TransUnion: 800-916-8800, P.O. Box 160, Woodlyn, PA 19094.";

fn letter(profile: &str, facts: Value) -> Case {
    let mut case = of(profile, LETTER);
    case.texts["facts"] = facts;
    for number in ["888-298-0045", "888-397-3742", "800-916-8800"] {
        case.texts["published"]["phones"].as_array_mut().unwrap().push(json!(number));
    }
    case
}

/// The rule and the part of each finding.
fn said(case: &Case) -> Vec<(&'static str, String)> {
    run(case).into_iter().map(|f| (f.rule, f.element.unwrap_or_default())).collect()
}

fn lacks(part: &str) -> Vec<(&'static str, String)> {
    vec![("C001", part.to_owned())]
}

#[test]
fn in_california_an_exposed_number_makes_the_agencies_due_and_the_source_an_offer() {
    for (facts, due) in [
        (json!({}), vec![]),
        (json!({"is_source": true}), vec![]),
        (json!({"exposed": ["email"], "is_source": true}), vec![]),
        (json!({"exposed": ["ssn"]}), vec!["credit_agencies"]),
        (json!({"exposed": ["SSN"]}), vec!["credit_agencies"]),
        (json!({"exposed": ["email", "driver_licence"]}), vec!["credit_agencies"]),
        (json!({"exposed": ["state_id"], "is_source": false}), vec!["credit_agencies"]),
        (json!({"exposed": ["ssn"], "is_source": true, "offer_months": 12}), vec!["credit_agencies", "mitigation_offer"]),
    ] {
        let mut case = letter("us-ca", facts.clone());
        let all: Vec<_> = due.iter().flat_map(|part| lacks(part)).collect();
        assert_eq!(said(&case), all, "{facts}");
        case.texts["credit_agencies"] = json!(AGENCIES);
        case.texts["mitigation_offer"] = json!("We pay for twelve months of credit monitoring. You give up no right by it.");
        assert_eq!(said(&case), [], "{facts}");
    }
}

#[test]
fn in_massachusetts_a_social_security_number_makes_an_offer_due_whoever_was_the_source() {
    for (facts, is_due) in [
        (json!({}), false),
        (json!({"exposed": ["driver_licence"], "is_source": true}), false),
        (json!({"exposed": ["ssn"], "offer_months": 18}), true),
        (json!({"exposed": ["ssn"], "is_source": true, "offer_months": 18}), true),
    ] {
        let mut case = letter("us-ma", facts.clone());
        assert_eq!(said(&case), if is_due { lacks("mitigation_offer") } else { vec![] }, "{facts}");
        case.texts["mitigation_offer"] = json!("We pay for 18 months of credit monitoring. You give up no right by it.");
        assert_eq!(said(&case), [], "{facts}");
    }
}

#[test]
fn an_offer_lasts_as_long_as_the_law_demands_and_as_its_text_says() {
    for (profile, months, text, is_long) in [
        ("us-ca", 0, "We pay for credit monitoring.", false),
        ("us-ca", 11, "We pay for credit monitoring.", false),
        ("us-ca", 12, "We pay for credit monitoring.", true),
        ("us-ca", 12, "We pay for 12 months of credit monitoring.", true),
        ("us-ca", 12, "We pay for one year of credit monitoring.", true),
        ("us-ca", 24, "We pay for two years of credit monitoring, if you ask for it in the next 3 months.", true),
        ("us-ca", 12, "We pay for 11 months of credit monitoring.", false),
        ("us-ca", 24, "We pay for twelve months of credit monitoring.", false),
        ("us-ma", 12, "We pay for credit monitoring.", false),
        ("us-ma", 17, "We pay for credit monitoring.", false),
        ("us-ma", 18, "We pay for credit monitoring.", true),
        ("us-ma", 18, "We pay for eighteen months of credit monitoring.", true),
        ("us-ma", 18, "We pay for a 12-month period of credit monitoring.", false),
    ] {
        let mut case = letter(profile, json!({"exposed": ["ssn"], "is_source": true, "offer_months": months}));
        case.texts["credit_agencies"] = json!(AGENCIES);
        case.texts["mitigation_offer"] = json!(text);
        let expected = if is_long { vec![] } else { lacks("mitigation_offer") };
        assert_eq!(said(&case), expected, "{profile}, {months} months: {text}");
    }
    // Who need not offer may offer less.
    let mut case = letter("us-ca", json!({"exposed": ["ssn"], "offer_months": 6}));
    case.texts["credit_agencies"] = json!(AGENCIES);
    case.texts["mitigation_offer"] = json!("We pay for 6 months of credit monitoring.");
    assert_eq!(said(&case), []);
}

#[test]
fn each_agency_has_a_toll_free_number_and_an_address() {
    for (text, is_reached) in [
        (AGENCIES, true),
        ("Equifax answers at 1-888-298-0045 and at P.O. Box 105788, Atlanta, GA 30348-5788.", true),
        ("You can ask Equifax, Experian and TransUnion for a free copy of your credit report.", false),
        ("You can call Equifax: 888-298-0045.", false),
        ("You can write to Equifax, P.O. Box 105788, Atlanta, GA 30348.", false),
        ("Equifax and Experian answer at 888-298-0045 and at P.O. Box 105788, Atlanta, GA 30348.", false),
    ] {
        let mut case = letter("us-ca", json!({"exposed": ["ssn"]}));
        case.texts["credit_agencies"] = json!(text);
        assert_eq!(said(&case), if is_reached { vec![] } else { lacks("credit_agencies") }, "{text}");
        // Where the law does not ask for them, nobody has to say so much.
        case.texts["facts"] = json!({});
        assert_eq!(said(&case), [], "{text}");
    }
}
