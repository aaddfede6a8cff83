//! How hard an English text is to read, by a formula that anybody can recompute.

use super::known::PartText;
use super::{Check, Rule, Severity};

/// School grade above which a text is noted.
const GRADE_MAX: f64 = 9.0;
/// Words below which the formula says nothing.
const WORDS_MIN: usize = 30;

pub(super) const RULES: &[Rule] = &[Rule {
    id: "C030",
    severity: Severity::Warning,
    says: "the text is hard to read",
    source: "UK GDPR Art. 12(1), 34(2): clear and plain language",
    is_confirmed: true,
    remedy: "shorter sentences and shorter words; or write why it stays",
    check: Check::Part(hard),
}];

/// What no rule says of a document: how hard its other languages are to read. None where all of it is English.
pub fn not_measured(languages: &[String]) -> Option<String> {
    let others: Vec<String> = languages.iter().filter(|l| !is_english(l)).map(|l| format!("`{l}`")).collect();
    let others = others.join(" and ");
    (!others.is_empty()).then(|| {
        format!(
            "how hard it is to read in {others} (C030, C031): formula and words are those of English; whoever reviews the template judges it"
        )
    })
}

/// Whether a language tag says English.
pub(super) fn is_english(language: &str) -> bool {
    language == "en" || language.starts_with("en-")
}

/// Art. 12(1): Flesch and Kincaid's grade of the parts that explain, at most that of a fourteen-year-old.
fn hard(part: &PartText<'_>) -> Option<String> {
    if !part.is_english() || !super::content::EXPLAINING.contains(&part.id) {
        return None;
    }
    let grade = grade(part.text).filter(|grade| *grade > GRADE_MAX)?;
    Some(format!("reading `{}` takes {grade:.1} years of school, more than {GRADE_MAX:.0}", part.id))
}

/// The Flesch–Kincaid grade: 0.39 words a sentence + 11.8 syllables a word − 15.59; `None` for short texts.
pub fn grade(text: &str) -> Option<f64> {
    let (mut words, mut syllables, mut sentences, mut in_sentence) = (0_usize, 0_usize, 0_usize, 0_usize);
    for line in text.lines() {
        for word in line.split_whitespace() {
            let letters = word.chars().filter(|c| c.is_alphabetic()).count();
            if letters > 0 {
                words += 1;
                in_sentence += 1;
                syllables += syllables_of(word);
            }
            let ends = word.trim_end_matches(['"', '\'', ')', '”', '’']).ends_with(['.', '!', '?', ':']);
            if ends && in_sentence > 0 {
                sentences += 1;
                in_sentence = 0;
            }
        }
        // A heading, a list's item or an address line ends where its line ends.
        if in_sentence > 0 {
            sentences += 1;
            in_sentence = 0;
        }
    }
    (words >= WORDS_MIN).then(|| {
        #[expect(clippy::cast_precision_loss, reason = "words of one message")]
        let (words, syllables, sentences) = (words as f64, syllables as f64, sentences as f64);
        0.39 * words / sentences + 11.8 * syllables / words - 15.59
    })
}

/// Groups of vowels, without a silent `e`; at least one.
fn syllables_of(word: &str) -> usize {
    let word: String = word.to_lowercase().chars().filter(char::is_ascii_alphabetic).collect();
    let is_vowel = |c: char| "aeiouy".contains(c);
    let mut count = 0;
    let mut after_vowel = false;
    for c in word.chars() {
        count += usize::from(is_vowel(c) && !after_vowel);
        after_vowel = is_vowel(c);
    }
    let silent = (word.ends_with('e') && !word.ends_with("le"))
        || (word.ends_with("ed") && !word.ends_with("ted") && !word.ends_with("ded"));
    if silent {
        count = count.saturating_sub(1)
    }
    count.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_words_read_easily_and_a_lawyers_sentence_does_not() {
        let plain = "We lost a file. It had your name in it. We are sorry. Please call us. ".repeat(6);
        let dense =
            "Notwithstanding the aforementioned organisational countermeasures, unauthorised individuals subsequently obtained \
                     considerable quantities of identifying documentation regarding approximately all contemporaneous personnel. "
                .repeat(4);
        assert!(grade(&plain).is_some_and(|g| g < 3.0), "{:?}", grade(&plain));
        assert!(grade(&dense).is_some_and(|g| g > 20.0), "{:?}", grade(&dense));
        assert_eq!(grade("Too short to say."), None);
    }
}
