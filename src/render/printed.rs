//! What is printed is what was checked: the laid-out letter's words, held against the text that the check reads.

use duly_letter::{Labels, Letter, Typeset, printable};

/// Whether a letter prints exactly the checked text, and beside it only the address, the sender, the date, the reference
/// and the page numbers.
///
/// `checked` has what each language of the letter says, its title first.
pub fn is_as_checked(checked: &[String], letter: &Letter<'_>, typeset: &Typeset) -> bool {
    let parts = || std::iter::once(&letter.part).chain(&letter.translation);
    let mut printed = bare(&typeset.printed.text);
    for page in 1..=typeset.pages {
        let numbers: String = parts().map(|part| page_label(&part.labels, page, typeset.pages)).collect();
        let foot = bare(&format!("{}{numbers}", letter.reference_code));
        printed = printed.replacen(&foot, "", 1);
    }
    let mut around = Vec::new();
    for Labels { date, reference, check, .. } in parts().map(|part| part.labels) {
        around.extend([date, reference, letter.reference_code]);
        around.extend(letter.check_page.iter().flat_map(|page| [check, page.strip_prefix("https://").unwrap_or(page)]));
    }
    let around = around.into_iter().map(str::to_owned).chain(letter.letterhead.lines.iter().cloned());
    let around: String = around.chain(letter.address.iter().cloned()).map(|text| bare(&text)).collect();
    let bodies: Vec<String> = checked.iter().map(|text| bare(text)).collect();
    let rest = bodies.iter().try_fold(printed.clone(), |rest, body| {
        let (before, after) = rest.split_once(body)?;
        Some(format!("{before}{after}"))
    });
    match rest {
        Some(rest) => same_letters(&rest, &around),
        // Where a line mixes directions, or marks stand before their letters, it shows in another order than it is read.
        None => printed.chars().any(is_reordered) && same_letters(&printed, &format!("{}{around}", bodies.concat())),
    }
}

fn page_label(labels: &Labels<'_>, page: u32, pages: u32) -> String {
    labels.page.replace("{page}", &page.to_string()).replace("{pages}", &pages.to_string())
}

/// Letters and digits alone: signs of headings and lists, and breaks of lines, are the layout's.
fn bare(text: &str) -> String {
    let tidied = printable(text).unwrap_or_else(|_| text.to_owned());
    tidied.chars().filter(|c| c.is_alphanumeric()).collect()
}

fn same_letters(one: &str, other: &str) -> bool {
    let sorted = |text: &str| {
        let mut letters: Vec<char> = text.chars().collect();
        letters.sort_unstable();
        letters
    };
    one.len() == other.len() && sorted(one) == sorted(other)
}

/// Scripts from right to left, and those whose signs stand before or around their letters.
fn is_reordered(c: char) -> bool {
    matches!(c, '\u{590}'..='\u{10ff}' | '\u{1700}'..='\u{1cff}' | '\u{a800}'..='\u{abff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{feff}')
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use crate::model::contact::PersonRecord;
    use crate::render::message::{Composer, MessageError};
    use crate::render::preview::made_up;
    use crate::render::{Template, TemplateSet};
    use serde_json::json;

    fn compose(body: &str, name: &str) -> Result<(), MessageError> {
        let source = format!("{{{{!-- content = full; title = What happened --}}}}\nDear {{{{person.name}}}},\n\n{body}");
        let template = Template::kept("uk-gdpr/letter.en", &source).unwrap();
        let reader = made_up(&template, &json!({}), |_| String::new());
        let person = PersonRecord { name: name.to_owned(), ..reader.person };
        let composer = Composer::new(TemplateSet::default());
        composer.compose(&reader.setting, &person, &reader.reference_code, &template).map(drop)
    }

    #[test]
    fn a_letter_prints_its_checked_text_over_as_many_pages_as_it_has_and_in_every_script() {
        let long = "== A heading\n- one *strong* word\n- another\n\nThis sentence is here to fill the page.\n\n".repeat(40);
        for name in
            ["Siân O'Brien-Ŵyn", "Nguyễn Thị Ánh", "محمد علي", "אברהם לוי", "রবীন্দ্রনাথ", "李小龙", "Ann ABCD-0000 Page 1 of 2"]
        {
            for body in ["A text.", long.as_str()] {
                assert!(!matches!(compose(body, name), Err(MessageError::Differs)), "{name}");
            }
        }
        compose(&long, "Ann Price").unwrap();
    }

    #[test]
    fn a_letter_whose_layout_adds_words_is_refused() {
        assert!(matches!(compose("+ one\n+ two", "Ann Price"), Err(MessageError::Differs)));
        compose("1. one\n2. two", "Ann Price").unwrap();
    }
}
