//! What the laid-out letter was refused for, as findings: its own outside and zones.

use super::{Finding, Severity};
use duly_letter::LetterError;

/// C061 and C062 from a letter's refusal; `None` where it is refused for something else, with its person.
pub fn refused(error: &LetterError) -> Option<Finding> {
    let (rule, severity, source) = match error {
        LetterError::NotDiscreet(_) => ("C061", Severity::Error, "Farley v Paymaster: plain envelopes; GOV.UK Notify's guidance"),
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
