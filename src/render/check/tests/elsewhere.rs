//! Rules of what is no rendered text: each has something that passes and something that fails, and a plan records them.

use super::*;
use crate::model::texts::Facts;
use std::collections::BTreeSet;
use uuid::Uuid;

/// A rule by its id and what it says, and what it finds in something good and in something bad.
type Elsewhere = (&'static str, &'static str, fn(is_bad: bool) -> Vec<Finding>);

const ELSEWHERE: &[Elsewhere] = &[
    ("C020", "a column of the list is printed, and somebody has none", |is_bad| {
        let guard = if is_bad { "{{person.kind}}" } else { "{{#if person.kind}}{{person.kind}}{{/if}}" };
        let source = format!("{{{{!-- content = full; title = T --}}}}\n{guard}");
        let template = Template::kept("uk-gdpr/letter.en", &source).unwrap();
        lacking(&template, &case("uk-gdpr", Channel::Letter, Content::Full).person)
    }),
    ("C061", "somebody who sees the laid-out letter's outside learns who writes", |is_bad| {
        of_letter(is_bad, LetterError::NotDiscreet)
    }),
    ("C062", "the laid-out letter shows in its window, zones or folds what it must not", |is_bad| {
        of_letter(is_bad, LetterError::InWindow)
    }),
    ("C062", "the address does not fit the window, and no letter goes to these people", |is_bad| {
        of_letter(is_bad, LetterError::AddressOverflow)
    }),
    ("C061", "the return address of a discreet letter names who writes", |is_bad| {
        let first = if is_bad { "Northmere House" } else { "Unit 4" };
        let lines = vec![first.to_owned(), "PO Box 12".to_owned(), "NE1 4XF".to_owned()];
        let facts = Facts { discreet: true, return_address: lines, ..Facts::default() };
        return_address("Northmere Police", &facts).into_iter().collect()
    }),
    ("C070", "there is no template in a person's language", |is_bad| of_wish(if is_bad { "xx" } else { "en" }, "standard")),
    ("C071", "there is no template in Welsh beside English", |is_bad| of_wish(if is_bad { "en+cy" } else { "en" }, "standard")),
    ("C072", "there is no template in a person's accessible format", |is_bad| {
        of_wish("en", if is_bad { "braille" } else { "large-print" })
    }),
];

fn of_letter(is_bad: bool, error: fn(duly_letter::Place) -> LetterError) -> Vec<Finding> {
    let error = if is_bad { error(duly_letter::Place { page: 1, x: 0.0, y: 0.0 }) } else { LetterError::TooManyPages(11) };
    refused(&error).into_iter().collect()
}

fn of_wish(language: &str, format: &str) -> Vec<Finding> {
    let mut wishes = Coverage::default();
    let (profile, language, format) = ("uk-gdpr".to_owned(), language.to_owned(), format.to_owned());
    wishes.add(Uuid::nil(), Wish { profile, channel: Channel::Letter, content: Content::Full, language, format });
    wishes.gaps("northmere", &TEMPLATES).map(|(_, finding, _)| finding).collect()
}

#[test]
fn every_rule_of_no_text_has_something_that_passes_and_something_that_fails() {
    let own: Vec<&Rule> = rules().filter(|rule| matches!(rule.check, Check::Elsewhere)).collect();
    let known: BTreeSet<_> = own.iter().map(|rule| (rule.id, rule.says)).collect();
    assert_eq!(known, ELSEWHERE.iter().map(|(id, says, _)| (*id, *says)).collect());
    for rule in own {
        let (_, _, look) = ELSEWHERE.iter().find(|(id, says, _)| (*id, *says) == (rule.id, rule.says)).unwrap();
        assert_eq!(look(false), [], "{}", rule.says);
        let found = look(true);
        assert_eq!(found.len(), 1, "{}: {found:?}", rule.says);
        let finding = &found[0];
        assert_eq!((finding.rule, finding.severity, finding.source.as_str()), (rule.id, rule.severity, rule.source));
        assert_eq!(finding.is_confirmed, rule.is_confirmed, "{}", rule.says);
    }
}

#[test]
fn the_table_of_rules_that_a_plan_records_has_every_id_of_the_law_and_our_own() {
    let ids: BTreeSet<&str> = rules().map(|rule| rule.id).collect();
    let laws = "C001 C002 C003 C004 C005 C010 C011 C020 C021 C030 C031 C040 C050 C051 C052 C053 C054 C055 C056 C057 C060 C061 C062 \
                C070 C071 C072 C080 C081 C090 C091 C092 C093";
    assert_eq!(ids, laws.split_whitespace().collect());
    // What the documentation lists is what there is.
    let page = include_str!("../../../../docs/wording.md");
    let rows = page.lines().filter(|line| line.starts_with("| C0")).filter_map(|line| line.split('|').nth(1));
    assert_eq!(ids, rows.flat_map(str::split_whitespace).collect());
}
