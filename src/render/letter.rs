//! A letter of one person: the body's markup in each of its languages, and what the layout puts around it.

use super::message::{MessageError, Setting};
use super::{Template, words};
use crate::model::contact::PersonRecord;
use crate::model::look::Look;
use crate::model::texts::{Facts, table};
use duly_letter::{Letter, LetterDate, Letterhead, Logo, Part, Print, Sheet, Typeset, Typesetter};

/// Typesets what a template says to a person; `body` holds a text for each of its languages.
pub fn typeset(
    typesetter: &mut Typesetter,
    setting: &Setting,
    person: &PersonRecord,
    reference_code: &str,
    template: &Template,
    body: &str,
) -> Result<Typeset, MessageError> {
    let (year, month, day) = setting.date;
    let facts: Facts = table(&setting.texts, "facts");
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
    let logo = setting.look.logo.as_ref().map(|(bytes, alt)| Logo { bytes, alt });
    let letter = Letter {
        sheet: if template.profile.starts_with("us-") { Sheet::UsLetter } else { Sheet::A4 },
        print: if person.format == "large-print" { Print::Large } else { Print::Standard },
        letterhead: Letterhead { lines: &setting.controller_address, logo, discreet: facts.discreet },
        address: &person.address_block(),
        reference_code,
        check_page: setting.look.check_page.as_deref(),
        date: LetterDate { year, month, day },
        part,
        translation: parts.next(),
        ident: reference_code,
    };
    Ok(typesetter.typeset(&letter)?)
}

/// Refuses a look that no letter can print.
pub fn try_on(look: &Look) -> Result<(), MessageError> {
    let letterhead = Letterhead {
        lines: &["Name".to_owned()],
        logo: look.logo.as_ref().map(|(bytes, alt)| Logo { bytes, alt }),
        discreet: false,
    };
    let letter = Letter {
        sheet: Sheet::A4,
        print: Print::Standard,
        letterhead,
        address: &["Name".to_owned()],
        reference_code: "0000-0000",
        check_page: look.check_page.as_deref(),
        date: LetterDate { year: 2026, month: 1, day: 1 },
        part: Part { language: "en", title: "Title", labels: words::labels("en", "1 January 2026"), body: "Text." },
        translation: None,
        ident: "look",
    };
    Typesetter::new()?.typeset(&letter)?;
    Ok(())
}
