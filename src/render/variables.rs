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
    let mut walk = Walk { channel, variables: Vec::new(), fault: None };
    walk.template(&compiled, &mut Vec::new());
    match walk.fault {
        Some((at, what)) => Err(invalid(at, what)),
        None => Ok(walk.variables),
    }
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

    fn text(&mut self, text: &str, at: (usize, usize)) {
        let Some((index, sign)) = text.char_indices().find(|(_, c)| MARKUP.contains(c)) else { return };
        if self.channel != Channel::Sms {
            let (line, column) = place(text, index);
            let at = (at.0 + line - 1, if line == 1 { at.1 + column - 1 } else { column });
            self.fail(at, format!("`{sign}` begins markup in which a value could become code; write headings with `=`, lists with `-`, emphasis with `*`"));
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
