//! A letter of one person: the body's markup in each of its languages, and what the layout puts around it.

use super::message::{MessageError, Setting};
use super::printed::is_as_checked;
use super::{Template, words};
use crate::model::contact::PersonRecord;
use crate::model::look::{Look, Picture};
use duly_letter::{Letter, LetterDate, Letterhead, Logo, Part, Print, SIGNATURE, Sheet, Typeset, Typesetter};

/// Typesets what a template says to a person; `body` holds a text for each of its languages, and `checked` what the
/// check reads of each: a letter that prints anything else is refused.
pub fn typeset(
    typesetter: &mut Typesetter,
    setting: &Setting,
    person: &PersonRecord,
    reference_code: &str,
    template: &Template,
    (body, checked): (&str, &[String]),
) -> Result<Typeset, MessageError> {
    let (year, month, day) = setting.date;
    let mut written = Vec::with_capacity(template.titles.len());
    for ((language, title), body) in template.titles.iter().zip(template.bodies(body)) {
        let date = words::date(setting.date, language, &template.profile);
        written.push((words::tag(language, &template.profile), date, language, title, body));
    }
    let mut parts = written.iter().map(|(tag, date, language, title, body)| Part {
        language: tag,
        title,
        labels: words::labels(language, date),
        body,
    });
    let part = parts.next().ok_or_else(|| super::RenderError::Missing { name: template.name.clone() })?;
    let address = person.address_block();
    let letter = Letter {
        sheet: if template.profile.starts_with("us-") { Sheet::UsLetter } else { Sheet::A4 },
        print: match (person.format.as_str(), template.format.as_str()) {
            ("large-print", _) => Print::Large,
            (_, "easy-read") => Print::Easy,
            _ => Print::Standard,
        },
        letterhead: letterhead(&setting.controller_address, &setting.look, setting.discreet),
        address: &address,
        reference_code,
        check_page: setting.look.check_page.as_deref(),
        date: LetterDate { year, month, day },
        part,
        translation: parts.next(),
        ident: reference_code,
    };
    let typeset = typesetter.typeset(&letter)?;
    let is_real = setting.watermark.is_empty();
    if is_real && !is_as_checked(checked, &letter, &typeset) { Err(MessageError::Differs) } else { Ok(typeset) }
}

fn letterhead<'a>(lines: &'a [String], look: &'a Look, discreet: bool) -> Letterhead<'a> {
    let picture = |picture: &'a Picture| Logo { bytes: &picture.0, alt: &picture.1 };
    Letterhead { lines, logo: look.logo.as_ref().map(picture), signature: look.signature.as_ref().map(picture), discreet }
}

/// Refuses a look that no letter can print.
pub fn try_on(look: &Look) -> Result<(), MessageError> {
    let name = ["Name".to_owned()];
    let letter = Letter {
        sheet: Sheet::A4,
        print: Print::Standard,
        letterhead: letterhead(&name, look, false),
        address: &name,
        reference_code: "0000-0000",
        check_page: look.check_page.as_deref(),
        date: LetterDate { year: 2026, month: 1, day: 1 },
        part: Part {
            language: "en",
            title: "Title",
            labels: words::labels("en", "1 January 2026"),
            body: &format!("Text.\n\n{SIGNATURE}\n\nName"),
        },
        translation: None,
        ident: "look",
    };
    Typesetter::new()?.typeset(&letter)?;
    Ok(())
}
