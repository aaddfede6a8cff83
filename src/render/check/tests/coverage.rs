//! Language × format × channel × profile: whoever has no template is a gap that stops the plan, and is nobody else's.

use super::*;
use uuid::Uuid;

const LANGUAGES: [&str; 9] = ["en", "en-US", "cy", "en+cy", "de", "fr", "es", "pl", "xx"];
const FORMATS: [&str; 5] = ["standard", "large-print", "easy-read", "braille", "audio"];
const PROFILES: [&str; 9] = ["uk-gdpr", "uk-dpa-part3", "eu-gdpr", "us-hipaa", "us-ca", "us-ma", "us-ny", "au-ndb", "ca-pipeda"];

/// What is shipped and no draft: English, under four laws; under two of them text messages that say everything.
fn expected(profile: &str, channel: Channel, content: Content, language: &str, format: &str) -> Option<&'static str> {
    let (is_european, is_american) = (matches!(profile, "uk-gdpr" | "eu-gdpr"), matches!(profile, "us-hipaa" | "us-ca"));
    let has_kind = match (channel, content) {
        (Channel::Letter, Content::Full) | (Channel::Email, Content::Full) | (Channel::Sms, Content::Alert) => {
            is_european || is_american
        }
        (Channel::Sms, Content::Full) => is_european,
        _ => false,
    };
    match (has_kind && matches!(language, "en" | "en-US"), format) {
        // A larger print of the standard letter; a screen shows any size.
        (true, "standard" | "large-print") => None,
        (true, _) => Some("C072"),
        (false, _) if matches!(language, "cy" | "en+cy") => Some("C071"),
        (false, _) => Some("C070"),
    }
}

#[test]
fn everybody_has_a_template_or_the_gap_is_named_and_blocks() {
    let mut tried = 0;
    for profile in PROFILES {
        for channel in [Channel::Letter, Channel::Email, Channel::Sms] {
            for content in [Content::Full, Content::Alert] {
                for language in LANGUAGES {
                    for format in FORMATS {
                        let text = |text: &str| text.to_owned();
                        let (p, l, f) = (text(profile), text(language), text(format));
                        let wish = Wish { profile: p, channel, content, language: l, format: f };
                        let mut wishes = Coverage::default();
                        (1..=3).for_each(|n| wishes.add(Uuid::from_u128(n), wish.clone()));
                        let mut report = Report::default();
                        for (place, gap, people) in wishes.gaps("northmere", &TEMPLATES) {
                            report.add_of_all(people, (place, gap));
                        }
                        let found: Vec<_> = report.lines().map(|line| (line.finding.rule, line.concerned.people)).collect();
                        let expected: Vec<_> =
                            expected(profile, channel, content, language, format).map(|rule| (rule, 3)).into_iter().collect();
                        assert_eq!(found, expected, "{wish:?}");
                        assert_eq!(report.has_errors(), !expected.is_empty(), "{wish:?}");
                        let names = |finding: &Finding| {
                            [profile, language, format, channel.as_str()].iter().all(|word| finding.what.contains(word))
                        };
                        assert!(report.lines().all(|line| names(line.finding)), "{wish:?}");
                        tried += 1;
                    }
                }
            }
        }
    }
    assert_eq!(tried, 9 * 3 * 2 * 9 * 5);
}

fn person(jurisdiction: &str, language: &str, address: &[&str]) -> PersonRecord {
    let address = Some(address.iter().map(|line| (*line).to_owned()).collect());
    let (jurisdiction, language) = (jurisdiction.to_owned(), language.to_owned());
    PersonRecord { jurisdiction, language, address, ..case("uk-gdpr", Channel::Letter, Content::Full).person }
}

#[test]
fn who_lives_in_wales_gets_both_languages_where_the_controller_owes_it() {
    let facts = |welsh_standards| crate::model::texts::Facts { welsh_standards, ..Default::default() };
    let wish = |person: &PersonRecord, owed| Wish::of(person, "uk-gdpr", Channel::Letter, Content::Full, &facts(owed)).language;
    for (jurisdiction, postcode, is_welsh) in [
        ("GB-WLS", "NE1 4XF", true),
        ("GB", "CF10 1AA", true),
        ("GB", "ll57 2dg", true),
        ("GB", "LD1 5AA", true),
        ("GB", "NP20 4UR", true),
        ("GB", "SA1 3SN", true),
        ("GB", "SY23 2AX", true),
        ("GB", "SY232AX", true),
        ("GB", "Aberystwyth SY23 2AX", true),
        ("GB", "SY10 0AA", true),
        ("GB", "SY15 6AA", true),
        ("GB", "SY1 1AA", false),
        ("GB", "SY14 7AA", false),
        ("GB", "CH7 1AA", true),
        ("GB", "CH2 1AA", false),
        ("GB", "HR3 5AA", true),
        ("GB", "HR1 2AA", false),
        ("GB", "S1 2AA", false),
        ("GB", "L1 8JQ", false),
        ("GB", "EC1A 1BB", false),
        ("GB", "Cardiff", false),
        ("GB-ENG", "NE1 4XF", false),
    ] {
        let english = person(jurisdiction, "en", &["1 Heol y Bont", postcode]);
        assert_eq!(wish(&english, true), if is_welsh { "en+cy" } else { "en" }, "{jurisdiction} {postcode}");
        assert_eq!(wish(&english, false), "en", "nothing is owed: {jurisdiction} {postcode}");
        // Who asks for Welsh gets it wherever they live, and who asks for another language gets that one.
        let of = |language: &str| person(jurisdiction, language, &["1 Heol y Bont", postcode]);
        assert_eq!((wish(&of("cy"), false).as_str(), wish(&of("pl"), true).as_str()), ("en+cy", "pl"));
    }
    // The last line that is a postcode counts, whatever country stands below it.
    assert_eq!(wish(&person("GB", "en", &["S1 Studios", "Cardiff", "CF10 1AA", "United Kingdom"]), true), "en+cy");
}

#[test]
fn welsh_that_is_owed_blocks_until_a_draft_is_reviewed() {
    let facts = crate::model::texts::Facts { welsh_standards: true, ..Default::default() };
    let mut wishes = Coverage::default();
    for (n, jurisdiction, postcode) in [(1, "GB-WLS", "NE1 4XF"), (2, "GB", "CF10 1AA"), (3, "GB", "NE1 4XF")] {
        let person = person(jurisdiction, "en", &["1 High Street", postcode]);
        wishes.add(Uuid::from_u128(n), Wish::of(&person, "uk-gdpr", Channel::Letter, Content::Full, &facts));
    }
    let gaps: Vec<_> =
        wishes.gaps("northmere", &TEMPLATES).map(|(_, gap, people)| (gap.rule, gap.severity, people.len())).collect();
    assert_eq!(gaps, [("C071", Severity::Error, 2)]);

    let mut reviewed = TemplateSet::load(&[&Path::new(env!("CARGO_MANIFEST_DIR")).join("templates")]).unwrap();
    let draft = reviewed.all().iter().find(|t| t.name == "uk-gdpr/letter.en+cy").unwrap().hash;
    reviewed.admit(&draft);
    assert_eq!(wishes.gaps("northmere", &reviewed).count(), 0);
}
