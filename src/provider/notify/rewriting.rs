//! What Notify writes otherwise than it was given: alphagov/notifications-utils a9af02ae, `template.py`, `formatters.py` and
//! `sanitise_text.py`. Here is only asked whether it would: nobody approved what it makes of a text.

use crate::render::sms::is_basic;

/// Letters of Welsh, which it sends as they are. All else beyond GSM 03.38 becomes a letter without its accent, a plain sign,
/// nothing, or `?`.
const WELSH: &str = "àèìòùẁỳÀÈÌÒÙẀỲáéíóúẃýÁÉÍÓÚẂÝäëïöüẅÿÄËÏÖÜẄŸâêîôûŵŷÂÊÎÔÛŴŶ";
/// Spaces that it takes away from a text message.
const TAKEN_AWAY: &[&str] = &["  ", " \n", "\n ", " ,", " .", "\n\n\n"];
/// Signs of a subject that it bends into typographic quotes, or takes for the escape of another.
const BENT: [char; 3] = ['"', '\'', '\\'];
/// Signs that have no width, which it takes out of a subject.
const WIDTHLESS: [char; 6] = ['\u{180e}', '\u{200b}', '\u{200c}', '\u{200d}', '\u{2060}', '\u{feff}'];

/// Whether a text message leaves as it was written.
pub fn keeps_text(text: &str) -> bool {
    let is_kept = |c: char| !matches!(c, '\r' | '\u{c}') && (is_basic(c) || WELSH.contains(c));
    text.chars().all(is_kept) && text.trim() == text && !TAKEN_AWAY.iter().any(|spaces| text.contains(spaces))
}

/// Whether an email's subject does.
pub fn keeps_subject(subject: &str) -> bool {
    let words: Vec<&str> = subject.split_whitespace().collect();
    let is_dash = |word: &&str| word.chars().count() <= 3 && word.chars().all(|c| "-–—".contains(c));
    // Between spaces it writes all of them as one en dash.
    let between = words.get(1..words.len().saturating_sub(1)).unwrap_or_default();
    let has_other_dash = between.iter().any(|word| is_dash(word) && *word != "–");
    words.join(" ") == subject
        && ![" ,", " ."].iter().any(|spaces| subject.contains(spaces))
        && !subject.contains(BENT)
        && !subject.contains(WIDTHLESS)
        && !has_other_dash
}

/// Whether an email's text does, as far as Notify's answers show: what its markup and typography make of it, they do not.
pub fn keeps_body(body: &str) -> bool {
    body.trim() == body
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::model::state::Channel;
    use crate::model::texts::{TEXTS_ALWAYS, TEXTS_OPTIONAL};
    use crate::render::TemplateSet;
    use crate::render::marked::Marked;
    use crate::render::message::Composer;
    use crate::render::preview::made_up;
    use serde_json::{Map, Value, json};
    use std::path::Path;

    #[test]
    fn a_text_is_kept_where_notify_has_each_of_its_signs_and_spaces_stand_alone() {
        for kept in [
            "",
            "Hello Ann",
            "a\n\nb",
            "\"it's\" [1] {2} ~^|\\ €£@_",
            "Siân Wŷn, dŵr: ẅẁẃ ÿŸ",
            "Ñandú è Ç § ¿ Ω",
            "9 - 10... : ; ! ?",
        ] {
            assert!(keeps_text(kept), "{kept}");
        }
        for rewritten in [
            "King’s",
            "‘a’",
            "“a”",
            "a – b",
            "a — b",
            "a…",
            "a\u{a0}b",
            "a\u{202f}b",
            "a\tb",
            "a\u{200b}b",
            "a\u{2028}b",
            "a\r\nb",
            "a\u{c}b",
            "Łukasz",
            "Çelik, ç",
            "Nguyễn",
            "Иван",
            "张伟",
            "😀",
            "`a`",
            "a\u{301}",
            "− 5",
            "a‑b",
            "a  b",
            " a",
            "a ",
            "a\n",
            "a \nb",
            "a\n b",
            "a , b",
            "a .",
            "a\n\n\nb",
        ] {
            assert!(!keeps_text(rewritten), "{rewritten:?}");
        }
    }

    #[test]
    fn a_subject_is_kept_where_nothing_is_bent_and_a_dash_between_spaces_is_the_one_that_notify_writes() {
        for kept in
            ["Your data", "King’s “news”", "a – b", "well-known a-b", "- a", "a -", "Nouvelles : vous", "Państwa dane", ""]
        {
            assert!(keeps_subject(kept), "{kept}");
        }
        for rewritten in
            ["it's", "\"a\"", "a\\b", "a - b", "a -- b", "a — b", "a , b", "a .", "a  b", " a", "a\u{a0}b", "a\u{200b}b"]
        {
            assert!(!keeps_subject(rewritten), "{rewritten:?}");
        }
        assert!(keeps_body("it's – “so”\n\n- a") && !keeps_body("a\n"));
    }

    /// Those of drafts in Polish and French have letters that it has not, and a French subject has a straight quote.
    #[test]
    fn each_shipped_text_is_kept_but_those_in_languages_that_notify_has_no_letters_for() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
        let set = TemplateSet::load(&[folder.as_path()]).unwrap();
        let all = TEXTS_ALWAYS.iter().chain(TEXTS_OPTIONAL);
        let plain: Map<String, Value> = all.map(|name| ((*name).to_owned(), json!("Plain words."))).collect();
        // A second language beside the first has texts of its own.
        let texts: Value = plain.clone().into_iter().chain([("cy".to_owned(), plain.into())]).collect::<Map<_, _>>().into();
        let mut rewritten = Vec::new();
        for template in set.all() {
            let reader = made_up(template, &texts, |_| "words".to_owned());
            let text = Composer::text(&reader.setting, &reader.person, &reader.reference_code, template).unwrap();
            let text = Marked::read(&text).text;
            let is_kept = match template.channel {
                Channel::Sms => keeps_text(&text),
                Channel::Email => keeps_subject(&template.title) && keeps_body(&text),
                Channel::Letter => true,
            };
            if !is_kept {
                rewritten.push(template.name.as_str());
            }
        }
        rewritten.sort_unstable();
        assert_eq!(
            rewritten,
            ["eu-gdpr/email-full.fr", "eu-gdpr/sms-full.pl", "eu-gdpr/sms.pl", "uk-gdpr/sms-full.pl", "uk-gdpr/sms.pl"]
        );
    }
}
