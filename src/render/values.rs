//! What a template may name, as each language of its document prints it.

use super::message::Setting;
use super::{RenderError, Template, words};
use crate::model::contact::PersonRecord;
use crate::model::texts::{TEXTS_OPTIONAL, in_language};
use handlebars::Context;
use serde_json::{Map, Value, json};

/// The values of each language, in the order in which the document's languages stand; texts that the incident does not
/// have are empty, so that `{{#if}}` can ask for them.
pub fn values(
    setting: &Setting,
    person: &PersonRecord,
    reference_code: &str,
    template: &Template,
) -> Result<Vec<Context>, RenderError> {
    let (last, others) = template.order.split_last().ok_or_else(|| RenderError::Missing { name: template.name.clone() })?;
    let texts = texts(setting, template);
    let context = |language: &str, texts: Value| {
        let data = [
            ("incident", texts),
            ("controller", json!({ "name": setting.controller_name })),
            ("person", self::person(person, language, template)?),
            ("reference_code", Value::from(reference_code)),
            ("signature", Value::from(setting.look.signature.is_some())),
            ("date", Value::from(words::date(setting.date, language, &template.profile))),
        ];
        let data = data.into_iter().map(|(name, value)| (name.to_owned(), value));
        Ok(Context::from(Value::Object(data.collect())))
    };
    let mut all = others.iter().map(|language| context(language, texts.clone())).collect::<Result<Vec<_>, RenderError>>()?;
    // Moved, and not copied once more for every person.
    all.push(context(last, texts)?);
    Ok(all)
}

fn texts(setting: &Setting, template: &Template) -> Value {
    let mut texts = in_language(&setting.texts, template.languages.first().map_or("en", String::as_str));
    let fill = |table: &mut Value| {
        if let Value::Object(fields) = table {
            for name in TEXTS_OPTIONAL {
                fields.entry(*name).or_insert_with(|| Value::String(String::new()));
            }
        }
    };
    fill(&mut texts);
    for language in template.languages.iter().skip(1) {
        texts.get_mut(language).into_iter().for_each(fill);
    }
    texts
}

/// The name, and the columns of the list that the template names.
fn person(person: &PersonRecord, language: &str, template: &Template) -> Result<Value, RenderError> {
    let mut fields = Map::from_iter([("name".to_owned(), Value::from(person.name.as_str()))]);
    for (column, (is_guarded, _)) in template.columns() {
        let printed = match person.columns.get(column) {
            Some(cell) => cell.day().map_or_else(|| cell.value.clone(), |day| words::date(day, language, &template.profile)),
            None if is_guarded => String::new(),
            None => return Err(RenderError::Unresolved { variable: format!("person.{column}") }),
        };
        fields.insert(column.to_owned(), Value::from(printed));
    }
    Ok(Value::Object(fields))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::model::column::{Cell, Column, ColumnType};
    use crate::render::message::Composer;
    use crate::render::preview::{Reader, fill, made_up};

    /// What somebody who joined on 9 November 2026 reads.
    fn reads(name: &str, source: &str) -> String {
        let template = Template::kept(name, &format!("{{{{!-- content = alert --}}}}\n{source}")).unwrap();
        let Reader { setting, person, .. } = made_up(&template, &fill(&json!({}), &template), |_| String::new());
        let joined = Cell { column: Column { kind: ColumnType::Date, sensitive: false }, value: "2026-11-09".to_owned() };
        let columns = [("joined".to_owned(), joined)].into_iter().collect();
        Composer::text(&setting, &PersonRecord { columns, ..person }, "ABCD-0000", &template).unwrap()
    }

    #[test]
    fn a_date_of_the_list_is_printed_as_its_readers_language_and_country_write_it() {
        for (name, printed) in [
            ("uk-gdpr/sms.en", "9 November 2026"),
            ("us-ca/sms.en", "November 9, 2026"),
            ("ca-pipeda/sms.en", "November 9, 2026"),
            ("ca-pipeda/sms.fr", "9 novembre 2026"),
            ("au-ndb/sms.en", "9 November 2026"),
            ("eu-gdpr/sms.en", "9 November 2026"),
            ("eu-gdpr/sms.de", "9. November 2026"),
            ("eu-gdpr/sms.fr", "9 novembre 2026"),
            ("eu-gdpr/sms.es", "9 de noviembre de 2026"),
            ("eu-gdpr/sms.pl", "9 listopada 2026"),
            ("uk-gdpr/sms.cy", "9 Tachwedd 2026"),
        ] {
            assert_eq!(reads(name, "{{person.joined}}"), printed, "{name}");
        }
    }

    #[test]
    fn a_value_that_holds_the_line_between_two_languages_begins_no_other_one() {
        let text = reads("uk-gdpr/sms.en+cy", "A {{incident.nature}}.\n---\nB {{incident.nature}}.");
        let nature = "one\n---\ntwo\n\u{e004}\nthree";
        let template = Template::kept("uk-gdpr/sms.en", "{{!-- content = alert --}}\nA {{incident.nature}}.").unwrap();
        let Reader { setting, person, .. } =
            made_up(&template, &fill(&json!({ "nature": nature }), &template), |_| String::new());
        assert_eq!(Composer::text(&setting, &person, "ABCD-0000", &template).unwrap(), "A one\n---\ntwo\n\nthree.");
        assert_eq!(text.matches("\n\n").count(), 1, "{text}");
    }

    #[test]
    fn each_language_of_a_document_prints_a_date_in_its_own_words_whichever_stands_first() {
        let part =
            |language: &str| format!("{{{{#element \"dates\"{language}}}}}{{{{person.joined}}}}, {{{{date}}}}{{{{/element}}}}");
        let read = |first: &str, second: &str| {
            let text = reads("uk-gdpr/sms.en+cy", &format!("{}\n---\n{}", part(first), part(second)));
            super::super::marked::Marked::read(&text).text
        };
        let (welsh, english) = ("9 Tachwedd 2026, 25 Tachwedd 2026", "9 November 2026, 25 November 2026");
        assert_eq!(read(" \"cy\"", ""), format!("{welsh}\n\n{english}"));
        assert_eq!(read("", " \"cy\""), format!("{english}\n\n{welsh}"));
    }
}
