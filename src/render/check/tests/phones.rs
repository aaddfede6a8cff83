//! Numbers as each country writes them: which are seen, which cost, and which digits are none.

use super::*;

/// What is said of a number that nobody published.
const UNPUBLISHED: &str = "a telephone number that was not published";
/// What is said of one that costs, published or not.
const COSTS: &str = "a number that costs the caller";

/// A number, the sentence around it, the profile, and what is said of it.
const NUMBERS: &[(&str, &str, &str, &str)] = &[
    ("us-ca", "Call {}.", "415-555-0199", UNPUBLISHED),
    ("us-ca", "Call {}.", "(415) 555-0199", UNPUBLISHED),
    ("us-ca", "Call {}.", "415.555.0199", UNPUBLISHED),
    ("us-ca", "Call {}.", "415/555-0199", UNPUBLISHED),
    ("us-ca", "Call {}.", "4155550199", UNPUBLISHED),
    ("us-ca", "Call {}.", "415 - 555 - 0199", UNPUBLISHED),
    ("us-ca", "Call {}.", "1-415-555-0199", UNPUBLISHED),
    ("us-ca", "Call {}.", "1 (415) 555-0199", UNPUBLISHED),
    ("us-ca", "Call {}.", "+1 415 555 0199", UNPUBLISHED),
    ("us-ca", "Call {}.", "14155550199", UNPUBLISHED),
    ("us-ca", "Call {}.", "1-800-555-0199", UNPUBLISHED),
    ("us-ca", "Call {}.", "1-800-555-HELP", UNPUBLISHED),
    ("us-ca", "Our office has {}.", "555-0199", UNPUBLISHED),
    ("us-ca", "Text STOP to {}.", "88222", UNPUBLISHED),
    ("us-ca", "Call {}.", "1-900-555-0100", COSTS),
    ("us-ca", "Call {}.", "900-555-0123", COSTS),
    ("us-ca", "Call {}.", "+1 900 555 0100", COSTS),
    ("us-ca", "Call {}.", "1-900-555-HELP", COSTS),
    ("us-ca", "Call {}.", "(415) 976-1234", COSTS),
    ("us-ca", "Call {}.", "976-1234", COSTS),
    ("us-hipaa", "Call {}.", "415-555-0199", UNPUBLISHED),
    ("us-hipaa", "Call {}.", "1-900-555-0100", COSTS),
    ("us-ma", "Call {}.", "617-555-0199", UNPUBLISHED),
    ("us-ny", "Call {}.", "212-555-0199", UNPUBLISHED),
    ("us-ny", "Call {}.", "+44 808 157 0199", UNPUBLISHED),
    ("ca-pipeda", "Call {}.", "416-555-0199", UNPUBLISHED),
    ("ca-pipeda", "Call {}.", "1-900-555-0100", COSTS),
    ("au-ndb", "Call {}.", "1300 654 321", UNPUBLISHED),
    ("au-ndb", "Call {}.", "1800-654-321", UNPUBLISHED),
    ("au-ndb", "Call {}.", "(02) 5550 0199", UNPUBLISHED),
    ("au-ndb", "Call {}.", "+61 2 5550 0199", UNPUBLISHED),
    ("au-ndb", "Call {}.", "13 11 99", UNPUBLISHED),
    ("au-ndb", "Call {}.", "131 199", UNPUBLISHED),
    ("au-ndb", "Call {}.", "131199", UNPUBLISHED),
    ("au-ndb", "Call {}.", "1900 654 321", COSTS),
    ("au-ndb", "Call {}.", "1902654321", COSTS),
    ("au-ndb", "Call {}.", "+61 1900 654 321", COSTS),
    ("uk-gdpr", "Call {}.", "0808 157 0199", UNPUBLISHED),
    ("uk-gdpr", "Call {}.", "+44 (0)808 157 0199", UNPUBLISHED),
    ("uk-gdpr", "Call {}.", "1-800-555-0199", UNPUBLISHED),
    ("uk-gdpr", "Call {}.", "0800 1199", UNPUBLISHED),
    ("uk-gdpr", "Text HELP to {} today.", "60777", UNPUBLISHED),
    ("uk-gdpr", "Ring {}.", "118 118", COSTS),
    ("uk-gdpr", "Ring {}.", "118500", COSTS),
    ("uk-gdpr", "Call {}.", "0845 46 47", COSTS),
    ("uk-gdpr", "Call {}.", "0911 234 5678", COSTS),
    ("eu-gdpr", "Call {}.", "912 345 678", UNPUBLISHED),
    ("eu-gdpr", "Call {}.", "22 123 45 67", UNPUBLISHED),
    ("eu-gdpr", "Call {}.", "030 1234567", UNPUBLISHED),
    ("eu-gdpr", "Call {}.", "0900 123 4567", COSTS),
];

/// Digits that are no telephone number, or one that is everybody's.
const NONE: &[(&str, &str)] = &[
    ("us-ca", "Write to PO Box 12, Northmere, CA 94016-1234, by November 9, 2026 at 10:30."),
    ("us-ca", "The file 2026-11-09 held 200-2000 records of 1,000,000 customers, under 45 CFR 164.404."),
    ("us-ca", "Forward such texts to 7726. In danger dial 911."),
    ("us-ca", "We send this notice to 4500 people."),
    ("au-ndb", "It concerns 130 000 people and 131 500 records. In danger call 000."),
    ("uk-gdpr", "It happened on 09.11.2026 10.00 and was seen on 10/11/2026."),
    ("uk-gdpr", "Call 101 to reach the police, or 999 in danger, and forward such texts to 7726."),
    ("uk-gdpr", "Call 0808 157 0100 / 0303 123 1113 or 0808 157 0100 0303 123 1113."),
    ("eu-gdpr", "It happened on 09.11.2026, between 10.00 and 11.30. In danger call 112."),
];

fn said(case: &Case) -> Vec<String> {
    run(case).into_iter().filter(|f| f.rule == "C055").map(|f| f.what).collect()
}

#[test]
fn a_number_is_seen_as_its_country_writes_it_and_is_published_or_refused() {
    for (profile, sentence, number, verdict) in NUMBERS {
        let mut case = of(profile, LETTER);
        assert_eq!(said(&case), Vec::<String>::new(), "{profile}");
        says(&mut case, &sentence.replace("{}", number));
        assert_eq!(said(&case), [*verdict], "{number} under {profile}");
        case.texts["published"]["phones"].as_array_mut().unwrap().push(json!(number));
        let left: &[&str] = if *verdict == COSTS { &[COSTS] } else { &[] };
        assert_eq!(said(&case), left, "{number} under {profile}, published");
    }
}

#[test]
fn a_number_is_the_same_with_its_countrys_code_and_without() {
    for (profile, published, written) in [
        ("us-ca", "1-800-555-0199", "(800) 555-0199"),
        ("us-ca", "+1 415 555 0199", "415-555-0199"),
        ("us-ca", "1-800-555-4357", "1-800-555-HELP"),
        ("au-ndb", "(02) 5550 0199", "+61 2 5550 0199"),
        ("au-ndb", "+61 1300 654 321", "1300 654 321"),
        ("uk-gdpr", "0808 157 0199", "+44 (0)808 157 0199"),
        ("uk-gdpr", "0044 808 157 0199", "08081570199"),
    ] {
        let mut case = of(profile, LETTER);
        says(&mut case, &format!("Call {written}."));
        assert_eq!(said(&case), [UNPUBLISHED], "{written}");
        case.texts["published"]["phones"].as_array_mut().unwrap().push(json!(published));
        assert_eq!(said(&case), Vec::<String>::new(), "{written} by {published}");
    }
}

#[test]
fn digits_that_are_no_number_and_numbers_that_are_everybodys_are_left_alone() {
    for (profile, sentence) in NONE {
        let mut case = of(profile, LETTER);
        says(&mut case, sentence);
        assert_eq!(said(&case), Vec::<String>::new(), "{sentence} under {profile}");
    }
}

#[test]
fn two_numbers_in_a_row_are_two() {
    for (profile, one, other) in [
        ("uk-gdpr", "0808 157 0198", "0808 157 0199"),
        ("uk-gdpr", "+44 808 157 0198", "+44 808 157 0199"),
        ("us-ca", "415-555-0198", "415-555-0199"),
        ("au-ndb", "(02) 5550 0198", "02 5550 0199"),
        ("au-ndb", "1300 654 321", "13 11 99"),
    ] {
        for between in [" / ", " ", " or ", ", "] {
            let mut case = of(profile, LETTER);
            says(&mut case, &format!("Call {one}{between}{other}."));
            assert_eq!(said(&case), [UNPUBLISHED; 2], "{one}{between}{other}");
        }
    }
}
