//! What a letter's outside shows, as findings: what it was refused for as laid out, and where it returns to.

use super::{Check, Finding, Rule, Severity};
use crate::model::texts::Facts;
use duly_letter::LetterError;

/// Shortest word of the controller's name that tells who writes.
const WORD_MIN: usize = 4;

pub(super) const RULES: &[Rule] = &[NOT_DISCREET, RETURNS_TO_THE_SENDER, OUT_OF_ZONE, ADDRESS_OUT_OF_WINDOW];

const NOT_DISCREET: Rule = Rule {
    id: "C061",
    severity: Severity::Error,
    says: "somebody who sees the laid-out letter's outside learns who writes",
    source: "Farley v Paymaster: plain envelopes; GOV.UK Notify's guidance",
    is_confirmed: true,
    remedy: "in discreet mode let nothing of the sender stand above the first fold",
    check: Check::Elsewhere,
};
const RETURNS_TO_THE_SENDER: Rule = Rule {
    says: "the return address of a discreet letter names who writes",
    remedy: "write a `return_address` under [facts] that names nobody: a post box, a returns centre",
    ..NOT_DISCREET
};
const OUT_OF_ZONE: Rule = Rule {
    id: "C062",
    severity: Severity::Error,
    says: "the laid-out letter shows in its window, zones or folds what it must not",
    source: "the print zones of UK DL/C5 and US #10 window envelopes",
    is_confirmed: true,
    remedy: "move it out of the zone: the letterhead, the logo or what the template places",
    check: Check::Elsewhere,
};
/// One person's own address: the others can be told, and who prepares says what becomes of this one.
const ADDRESS_OUT_OF_WINDOW: Rule = Rule {
    severity: Severity::Warning,
    says: "the address does not fit the window, and no letter goes to these people",
    remedy: "correct the address, or tell these people in another way",
    ..OUT_OF_ZONE
};

/// C061 of the return address of a plan's discreet letters.
pub fn return_address(controller: &str, facts: &Facts) -> Option<Finding> {
    let lower = |words: &str| words.to_lowercase();
    let (printed, first) =
        (lower(&facts.return_address.join(" ")), facts.return_address.first().map_or_else(String::new, |l| lower(l)));
    // Whoever is named after their town may return letters to it: a single word of the name counts where a name stands.
    let mut words = controller.split_whitespace().filter(|word| word.chars().count() >= WORD_MIN).map(lower);
    let mut names = facts.discreet_words.iter().map(String::as_str).chain([controller]).map(lower);
    let tells = facts.discreet && (words.any(|word| first.contains(&word)) || names.any(|name| printed.contains(&name)));
    tells.then(|| RETURNS_TO_THE_SENDER.finding(RETURNS_TO_THE_SENDER.says.to_owned()))
}

/// C061 and C062 from a letter's refusal, which names its own remedy; `None` where it is refused for something else, with its
/// person.
pub fn refused(error: &LetterError) -> Option<Finding> {
    let rule = match error {
        LetterError::NotDiscreet(_) => NOT_DISCREET,
        LetterError::InWindow(_)
        | LetterError::OutsidePrintable(_)
        | LetterError::LetterheadOverflow(_)
        | LetterError::PictureOutsideMargins(_)
        | LetterError::OnFold(_) => OUT_OF_ZONE,
        LetterError::AddressOverflow(_) => ADDRESS_OUT_OF_WINDOW,
        _ => return None,
    };
    let what = match error {
        LetterError::AddressOverflow(_) => rule.says.to_owned(),
        error => error.to_string(),
    };
    Some(Finding { remedy: error.remedy(), ..rule.finding(what) })
}
