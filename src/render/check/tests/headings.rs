//! A heading of the law stands over what it announces.

use super::*;

/// Each heading of California's, and a part that stands under it alone.
const UNDER: [(&str, &[&str]); 5] = [
    ("What Happened", &["nature", "dates", "delayed_by_le"]),
    ("What Information Was Involved", &["data_types"]),
    ("What We Are Doing", &["measures"]),
    ("What You Can Do", &["advice", "how_to_check_real"]),
    ("For More Information", &["contact_general"]),
];

fn said(case: &Case, rule: &str) -> Vec<String> {
    run(case).into_iter().filter(|f| f.rule == rule).map(|f| f.element.unwrap_or(f.what)).collect()
}

/// The parts' own words go, and whatever stands around them stays.
fn without(case: &Case, parts: &[&str]) -> Case {
    let mut text = rendered(case);
    for part in parts {
        let open = format!("\u{e000}{part} \u{e001}");
        let start = text.find(&open).unwrap();
        let mut depth = 0;
        let len = text[start..].char_indices().find_map(|(at, c)| {
            depth += i32::from(c == '\u{e000}') - i32::from(c == '\u{e002}');
            (c == '\u{e002}' && depth == 0).then_some(at + c.len_utf8())
        });
        text.replace_range(start..start + len.unwrap(), "");
    }
    Case { text: Some(text), ..case.clone() }
}

#[test]
fn each_heading_of_californias_stands_over_a_part_of_the_notice() {
    for kind in [LETTER, EMAIL] {
        let good = case("us-ca", kind.0, kind.1);
        assert_eq!(good.profile.form.headings, UNDER.map(|(heading, _)| heading));
        assert_eq!(said(&good, "C010"), Vec::<String>::new());
        for (heading, parts) in UNDER {
            let hollow = without(&good, parts);
            assert_eq!(said(&hollow, "C010"), [format!("`{heading}` stands over no part of the notice")], "{heading}");
            assert!(hollow.text.as_ref().is_some_and(|text| text.contains(heading)));
        }
    }
}

#[test]
fn a_part_that_prints_nothing_is_none_under_a_heading() {
    for (text, heading) in [("measures", "What We Are Doing"), ("contact_phone", "For More Information")] {
        let mut case = case("us-ca", Channel::Letter, Content::Full);
        case.texts[text] = json!("");
        assert_eq!(said(&case, "C010"), [format!("`{heading}` stands over no part of the notice")]);
    }
}

#[test]
fn california_demands_what_its_headings_announce() {
    for part in ["nature", "data_types", "measures", "advice", "contact_general", "controller_identity", "notice_date"] {
        let good = case("us-ca", Channel::Letter, Content::Full);
        assert_eq!(said(&without(&good, &[part]), "C001"), [part]);
    }
}
