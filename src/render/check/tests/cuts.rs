//! Whatever part is cut out of the source of a shipped template, alert or not, draft or not: the check turns red.

use super::conditions::AGENCIES;
use super::*;
use std::collections::BTreeSet;
use std::ops::Range;

/// Parts that no law demands: without them the check warns, and somebody has to write why.
const RECOMMENDED: &[(&str, &[&str])] = &[
    ("uk-gdpr", &["advice", "data_types", "dates", "complaint_right"]),
    ("eu-gdpr", &["advice", "data_types", "dates", "complaint_right"]),
    ("us-ma", &["controller_identity", "advice", "contact_general"]),
    ("us-ny", &["controller_identity", "nature", "measures", "advice"]),
    ("au-ndb", &["consequences", "measures", "contact_general", "complaint_right"]),
    ("ca-pipeda", &["controller_identity", "consequences", "complaint_right"]),
];
/// All parts of all shipped templates.
const PARTS: usize = 448;

/// A template with every text and every fact that makes a part appear.
fn with_everything(mut case: Case) -> Case {
    let more = json!({
        "contact_email": "privacy@northmere.example", "contact_web": "northmere.example/breach",
        "contact_address": "Northmere Health, 1 Station Road, Northmere, CA 94016",
        "credit_agencies": AGENCIES, "mitigation_offer": "We pay for 24 months of credit monitoring.",
        "freeze_howto": "You can ask us for help with it.", "police_report": "The report has the number 26-1109.",
        "regulator_contacts": "The Attorney General: 800-771-7755.", "complaint_right": "It costs nothing.",
        "other_entities": "Cardmakers Ltd held the file.", "signatory": "Ruth Amis",
        "delayed_by_le": "No authority asked us to wait with this notice.",
        "facts": {"exposed": ["ssn", "driver_licence", "state_id"], "is_source": true, "offer_months": 24},
    });
    case.texts.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    for language in ["cy", "de", "fr", "es", "pl"] {
        case.texts[language] = json!(EXAMPLES[language]);
    }
    let complain =
        [("de", "Das kostet nichts."), ("fr", "C'est gratuit."), ("es", "No cuesta nada."), ("pl", "To nic nie kosztuje.")];
    complain.iter().for_each(|(language, text)| case.texts[language]["complaint_right"] = json!(text));
    for number in ["888-298-0045", "888-397-3742", "800-916-8800", "800-771-7755"] {
        case.texts["published"]["phones"].as_array_mut().unwrap().push(json!(number));
    }
    case
}

/// Each part of a source: where it stands with all that is in it, and the names in it, its own first.
fn parts(source: &str) -> Vec<(Range<usize>, Vec<String>)> {
    let (mut open, mut parts) = (Vec::new(), Vec::new());
    for (at, _) in source.match_indices("{{") {
        if let Some(rest) = source[at..].strip_prefix("{{#element \"") {
            open.push((at, vec![rest.split('"').next().unwrap().to_owned()]));
        }
        if source[at..].starts_with("{{/element}}") {
            let (start, names): (usize, Vec<String>) = open.pop().unwrap();
            open.iter_mut().for_each(|(_, outer)| outer.extend(names.clone()));
            parts.push((start..at + "{{/element}}".len(), names));
        }
    }
    parts
}

#[test]
fn any_part_cut_from_the_source_of_a_shipped_template_turns_the_check_red() {
    let (mut tried, mut warned) = (0, BTreeSet::new());
    for case in shipped().map(with_everything) {
        let before = run(&case);
        assert!(before.iter().all(|f| ["C057", "C080"].contains(&f.rule)), "{}: {before:#?}", case.template.name);
        let shown = Marked::read(&rendered(&case));
        for (range, names) in parts(&case.template.source) {
            assert!(
                shown.parts_of(&names[0]).any(|part| !shown.of(part).is_empty()),
                "{} shows no {names:?}",
                case.template.name
            );
            let mut source = case.template.source.clone();
            source.replace_range(range, "");
            let cut = Case { template: Template::kept(&case.template.name, &source).unwrap(), ..case.clone() };
            let after = run(&cut);
            let is_of_it = |f: &&Finding| !before.contains(f) && f.element.as_ref().is_some_and(|part| names.contains(part));
            let severity = after.iter().filter(is_of_it).map(|f| f.severity).min();
            let id = case.profile.id.as_str();
            let is_free = RECOMMENDED.iter().any(|(profile, parts)| *profile == id && parts.contains(&names[0].as_str()));
            if is_free {
                warned.insert((case.profile.id.clone(), names[0].clone()));
            }
            let expected = if is_free { Severity::Warning } else { Severity::Error };
            assert_eq!(severity, Some(expected), "{} without {names:?}: {after:#?}", case.template.name);
            tried += 1;
        }
    }
    assert_eq!(tried, PARTS);
    let listed =
        RECOMMENDED.iter().flat_map(|(profile, parts)| parts.iter().map(|part| ((*profile).to_owned(), (*part).to_owned())));
    assert_eq!(warned, listed.collect(), "the list names parts that no template has");
}
