//! What a template may name, and what it may not do: read from the compiled template before anybody's data.

use super::RenderError;
use crate::model::column::is_name;
use crate::model::profile::ELEMENTS;
use crate::model::state::Channel;
use crate::model::texts::{TEXTS_ALWAYS, TEXTS_OPTIONAL};
use handlebars::template::{HelperTemplate, Parameter, Template, TemplateElement};
use std::path::Path;

/// A name in a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// As written, such as `incident.nature`.
    pub name: String,
    /// Printed only where it has a value.
    pub is_guarded: bool,
    /// Line of the template's source.
    pub line: usize,
}

/// Names that every message has.
const ALWAYS: &[&str] = &["controller.name", "person.name", "reference_code", "date", "signature"];
/// Signs that begin code, strings, raw text, mathematics, references or labels in a letter's markup.
const MARKUP: &[char] = &['#', '$', '`', '\\', '@', '<', '>', '~'];

/// The variables of a template; refuses unescaped values, unknown names, unknown parts, and markup other than headings,
/// lists and emphasis, so that no value can ever stand inside code.
pub fn lint(source: &str, channel: Channel, path: &Path) -> Result<Vec<Variable>, RenderError> {
    let invalid =
        |(line, column): (usize, usize), what: String| RenderError::Invalid { path: path.to_owned(), line, column, what };
    for sign in ["{{{", "{{&", "{{~{"] {
        if let Some(at) = source.find(sign) {
            return Err(invalid(place(source, at), "an unescaped value".to_owned()));
        }
    }
    let compiled = Template::compile(source)
        .map_err(|e| invalid(e.pos().map_or((1, 1), |(line, column)| (line, column)), e.reason().to_string()))?;
    if let Some((at, sign)) = markup(source).filter(|_| channel != Channel::Sms) {
        return Err(invalid(place(source, at), code(sign)));
    }
    let mut walk = Walk { channel, variables: Vec::new(), fault: None };
    walk.template(&compiled, &mut Vec::new());
    match walk.fault {
        Some((at, what)) => Err(invalid(at, what)),
        None => Ok(walk.variables),
    }
}

/// The first sign of markup outside of all braces, looked for in the source: the engine tells places behind the space that a
/// text begins with.
fn markup(source: &str) -> Option<(usize, char)> {
    let mut at = 0;
    loop {
        let rest = &source[at..];
        let text = rest.find("{{").unwrap_or(rest.len());
        if let Some((found, sign)) = rest[..text].char_indices().find(|(_, c)| MARKUP.contains(c)) {
            return Some((at + found, sign));
        }
        let braces = &rest[text..];
        let is_comment = braces.starts_with("{{!--") || braces.starts_with("{{~!--");
        let comment = braces.find("--}}").filter(|_| is_comment).map(|end| end + 4);
        at += text + comment.or_else(|| braces.find("}}").map(|end| end + 2))?;
    }
}

fn code(sign: char) -> String {
    format!(
        "`{sign}` begins markup in which a value could become code; write headings with `=`, lists with `-`, emphasis with `*`"
    )
}

/// Line and column of a byte, from 1.
fn place(source: &str, at: usize) -> (usize, usize) {
    let before = &source[..at];
    (1 + before.matches('\n').count(), 1 + before.rsplit('\n').next().unwrap_or_default().chars().count())
}

struct Walk {
    channel: Channel,
    variables: Vec<Variable>,
    fault: Option<((usize, usize), String)>,
}

impl Variable {
    /// The list's column that it names.
    pub fn column(&self) -> Option<&str> {
        column(&self.name)
    }
}

/// `person.pay_number_type` → `pay_number_type`: which people have one is known with their list only.
fn column(name: &str) -> Option<&str> {
    name.strip_prefix("person.").filter(|column| is_name(column))
}

impl Walk {
    fn fail(&mut self, at: (usize, usize), what: String) {
        self.fault.get_or_insert((at, what));
    }

    fn template(&mut self, template: &Template, guards: &mut Vec<String>) {
        for (element, mapping) in template.elements.iter().zip(&template.mapping) {
            let at = (mapping.0, mapping.1);
            match element {
                TemplateElement::RawString(text) => self.text(text, at),
                TemplateElement::Expression(value) => self.value(value, at, guards),
                TemplateElement::HelperBlock(block) => self.block(block, at, guards),
                TemplateElement::Comment(_) => {}
                _ => self.fail(at, "only values, `{{#element}}`, `{{#if}}` and comments are allowed".to_owned()),
            }
        }
    }

    /// What the engine prints counts, wherever the source seems to have it.
    fn text(&mut self, text: &str, at: (usize, usize)) {
        if let Some(sign) = text.chars().find(|c| MARKUP.contains(c) && self.channel != Channel::Sms) {
            self.fail(at, code(sign));
        }
    }

    fn value(&mut self, value: &HelperTemplate, at: (usize, usize), guards: &[String]) {
        let name = value.name.as_name().unwrap_or_default().to_owned();
        if !value.params.is_empty() || !value.hash.is_empty() {
            return self.fail(at, format!("there is no function `{name}`"));
        }
        let optional = match known(&name) {
            Some(optional) => optional,
            None => return self.fail(at, format!("there is no field `{name}`")),
        };
        let is_guarded = guards.contains(&name);
        if optional && !is_guarded {
            return self.fail(at, format!("`{name}` may be absent: guard it with `{{{{#if {name}}}}}…{{{{/if}}}}`"));
        }
        self.variables.push(Variable { name, is_guarded, line: at.0 });
    }

    fn block(&mut self, block: &HelperTemplate, at: (usize, usize), guards: &mut Vec<String>) {
        let helper = block.name.as_name().unwrap_or_default();
        match (helper, &block.params[..]) {
            ("if", [Parameter::Path(_)]) => {
                let name = block.params[0].as_name().unwrap_or_default().to_owned();
                if known(&name).is_none() {
                    return self.fail(at, format!("there is no field `{name}`"));
                }
                if column(&name).is_some() {
                    self.variables.push(Variable { name: name.clone(), is_guarded: true, line: at.0 });
                }
                guards.push(name);
                block.template.iter().for_each(|inner| self.template(inner, guards));
                guards.pop();
                block.inverse.iter().for_each(|inner| self.template(inner, guards));
            }
            ("element", [Parameter::Literal(id), rest @ ..]) => {
                let id = id.as_str().unwrap_or_default();
                let is_language = rest.iter().all(|r| matches!(r, Parameter::Literal(l) if l.is_string())) && rest.len() <= 1;
                if !ELEMENTS.contains(&id) || !is_language {
                    return self.fail(at, format!("`{id}` is no part of a message; profiles name them"));
                }
                block.template.iter().for_each(|inner| self.template(inner, guards));
            }
            _ => self.fail(
                at,
                format!("there is no block `{helper}` of this form; there are `{{{{#element \"…\"}}}}` and `{{{{#if name}}}}`"),
            ),
        }
    }
}

/// Whether a name exists, and whether it may be absent.
fn known(name: &str) -> Option<bool> {
    if ALWAYS.contains(&name) || column(name).is_some() {
        return Some(false);
    }
    let text = name.strip_prefix("incident.")?;
    let (language, text) = text.split_once('.').map_or((None, text), |(language, text)| (Some(language), text));
    let is_language = language.is_none_or(|l| (2..=3).contains(&l.len()) && l.bytes().all(|b| b.is_ascii_lowercase()));
    match (TEXTS_ALWAYS.contains(&text), TEXTS_OPTIONAL.contains(&text)) {
        (true, _) if is_language => Some(false),
        (_, true) if is_language => Some(true),
        _ => None,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// What is said of a template, with its line and column.
    fn said(source: &str, channel: Channel) -> Option<(usize, usize, String)> {
        match lint(source, channel, Path::new("letter.en.hbs")) {
            Ok(_) => None,
            Err(RenderError::Invalid { line, column, what, .. }) => Some((line, column, what)),
            Err(other) => Some((0, 0, other.to_string())),
        }
    }

    const MARKUP_SAID: &str = "begins markup in which a value could become code";

    #[test]
    fn a_sign_that_begins_markup_is_refused_where_it_stands() {
        assert_eq!(MARKUP.iter().collect::<String>(), "#$`\\@<>~");
        for (text, column, sign) in [
            ("Dear #text(\"{{person.name}}\"),", 6, '#'),
            ("#text(\"{{person.name}}\")", 1, '#'),
            ("Dear ${{person.name}}$,", 6, '$'),
            ("Dear `{{person.name}}`,", 6, '`'),
            ("Dear \\u{1f4a9} {{person.name}},", 6, '\\'),
            ("Dear @{{person.name}},", 6, '@'),
            ("Dear <{{person.name}}>,", 6, '<'),
            ("Dear {{person.name}}>,", 21, '>'),
            ("Dear~{{person.name}},", 5, '~'),
            ("Siân, dear {{person.name}} and #x", 32, '#'),
            ("{{!-- #1 }} $2 --}}{{! ~ }}   #x", 31, '#'),
        ] {
            for channel in [Channel::Letter, Channel::Email] {
                let (line, at, what) = said(&format!("{{{{!-- content = full --}}}}\nHello.\n\n{text}\nBye."), channel).unwrap();
                assert_eq!((line, at), (4, column), "{text}: {what}");
                assert!(what.starts_with(&format!("`{sign}` {MARKUP_SAID}")), "{text}: {what}");
                let behind = said(&format!("{{{{person.name}}}}\n\n {text}\nBye."), channel).map(|(line, at, _)| (line, at));
                assert_eq!(behind, Some((3, column + 1)), "behind a value: {text}");
                // In a block, and on the line behind one.
                let block = format!(
                    "{{{{#if incident.dates}}}}\nOn a day.\n{{{{/if}}}}\n{{{{#element \"nature\"}}}}\n{text}\n{{{{/element}}}}"
                );
                let (line, at, what) = said(&block, channel).unwrap();
                assert_eq!((line, at), (5, column), "in a block: {text}: {what}");
            }
            // A text message is no markup: its signs are signs.
            assert_eq!(said(text, Channel::Sms), None, "{text}");
        }
    }

    #[test]
    fn an_unescaped_value_is_refused_in_every_channel() {
        for (text, column) in [("Dear {{{person.name}}},", 6), ("Dear {{&person.name}},", 6), ("{{~{person.name}~}}", 1)] {
            for channel in [Channel::Letter, Channel::Email, Channel::Sms] {
                let found = said(&format!("{{{{!-- content = full --}}}}\n\n{text}"), channel);
                assert_eq!(found, Some((3, column, "an unescaped value".to_owned())), "{text}");
            }
        }
    }

    #[test]
    fn what_is_no_value_no_part_and_no_question_is_refused_where_it_stands() {
        for (text, column, what) in [
            ("Dear {{person.name}} {{#each people}}x{{/each}}", 22, "there is no block `each`"),
            ("{{#unless incident.dates}}x{{/unless}}", 1, "there is no block `unless`"),
            ("{{#with person}}x{{/with}}", 1, "there is no block `with`"),
            ("{{#if (eq person.name \"x\")}}x{{/if}}", 1, "there is no block `if` of this form"),
            ("{{#if incident.secret}}x{{/if}}", 1, "there is no field `incident.secret`"),
            ("{{#element nature}}x{{/element}}", 1, "there is no block `element` of this form"),
            ("{{#element \"gossip\"}}x{{/element}}", 1, "`gossip` is no part of a message"),
            ("It is {{lookup person \"name\"}}.", 7, "there is no function `lookup`"),
            ("It is {{incident.secret}}.", 7, "there is no field `incident.secret`"),
            ("It is {{incident.dates}}.", 7, "`incident.dates` may be absent"),
            ("It is {{> partial}}.", 7, "only values, `{{#element}}`, `{{#if}}` and comments are allowed"),
        ] {
            let (line, at, said) = said(&format!("{{{{!-- content = full --}}}}\n\n{text}\n"), Channel::Letter).unwrap();
            assert!(said.starts_with(what), "{text}: {said}");
            assert_eq!((line, at), (3, column), "{text}: {said}");
        }
    }

    #[test]
    fn what_never_ends_is_refused_in_its_line() {
        for text in ["{{#element \"nature\"}}x", "{{#if incident.dates}}x", "{{person.name", "x{{/element}}"] {
            let (line, column, what) = said(&format!("{{{{!-- content = full --}}}}\n\n{text}"), Channel::Letter).unwrap();
            assert!((3..=4).contains(&line) && column > 0, "{text}: {line}:{column}: {what}");
        }
    }

    #[test]
    fn headings_lists_and_emphasis_are_markup_that_anybody_may_write() {
        let source = "== A heading\n- one *strong* word\n- another\n1. first\n_{{person.name}}_ & more: 50 % (a/b) [c] =\"d\"";
        assert_eq!(said(source, Channel::Letter), None);
    }
}
