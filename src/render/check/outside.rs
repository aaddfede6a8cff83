//! What a letter's outside shows, as findings: what it was refused for as laid out, and where it returns to.

use super::{Finding, Severity};
use crate::model::texts::Facts;
use duly_letter::LetterError;

/// Shortest word of the controller's name that tells who writes.
const WORD_MIN: usize = 4;
/// What C061 is drawn from.
const DISCREET: &str = "Farley v Paymaster: plain envelopes; GOV.UK Notify's guidance";

/// C061 of the return address of a plan's discreet letters.
pub fn return_address(controller: &str, facts: &Facts) -> Option<Finding> {
    let lower = |words: &str| words.to_lowercase();
    let (printed, first) =
        (lower(&facts.return_address.join(" ")), facts.return_address.first().map_or_else(String::new, |l| lower(l)));
    // Whoever is named after their town may return letters to it: a single word of the name counts where a name stands.
    let mut words = controller.split_whitespace().filter(|word| word.chars().count() >= WORD_MIN).map(lower);
    let mut names = facts.discreet_words.iter().map(String::as_str).chain([controller]).map(lower);
    let tells = facts.discreet && (words.any(|word| first.contains(&word)) || names.any(|name| printed.contains(&name)));
    tells.then(|| Finding {
        rule: "C061",
        severity: Severity::Error,
        element: None,
        line: 0,
        what: "the return address of a discreet letter names who writes".to_owned(),
        source: DISCREET.to_owned(),
        is_confirmed: true,
        remedy: "write a `return_address` under [facts] that names nobody: a post box, a returns centre",
    })
}

/// C061 and C062 from a letter's refusal; `None` where it is refused for something else, with its person.
pub fn refused(error: &LetterError) -> Option<Finding> {
    let (rule, severity, source) = match error {
        LetterError::NotDiscreet(_) => ("C061", Severity::Error, DISCREET),
        LetterError::InWindow(_)
        | LetterError::OutsidePrintable(_)
        | LetterError::LetterheadOverflow(_)
        | LetterError::PictureOutsideMargins(_)
        | LetterError::OnFold(_) => ("C062", Severity::Error, "the print zones of UK DL/C5 and US #10 window envelopes"),
        // One person's own address: the others can be told, and who prepares says what becomes of this one.
        LetterError::AddressOverflow(_) => ("C062", Severity::Warning, "the print zones of UK DL/C5 and US #10 window envelopes"),
        _ => return None,
    };
    let what = match error {
        LetterError::AddressOverflow(_) => "the address does not fit the window, and no letter goes to these people".to_owned(),
        error => error.to_string(),
    };
    Some(Finding {
        rule,
        severity,
        element: None,
        line: 0,
        what,
        source: source.to_owned(),
        is_confirmed: true,
        remedy: error.remedy(),
    })
}
