//! An error with its causes on one line, for a log.

use std::error::Error;

/// `the copy cannot be written: No space left on device`. What a cause repeats of the text before is said once.
///
/// No error of Duly's carries personal data, nor may its causes.
pub fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the copy cannot be written")]
    struct Copy(#[source] std::io::Error);

    #[test]
    fn a_cause_is_said_after_what_it_caused_and_once() {
        let full = || std::io::Error::other("no space left");
        assert_eq!(with_causes(&Copy(full())), "the copy cannot be written: no space left");
        assert_eq!(with_causes(&std::io::Error::other(full())), "no space left");
    }
}
