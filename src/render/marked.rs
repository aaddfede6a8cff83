//! A rendered text that remembers which part is which.
//!
//! The helper `{{#element "nature"}}…{{/element}}` puts marks of the private use area around a part. No value can forge
//! one: both escape functions drop these characters.

use duly_letter::SIGNATURE;
use handlebars::{Context, Handlebars, Helper, HelperResult, Output, RenderContext, Renderable};
use std::ops::Range;

const OPEN: char = '\u{e000}';
const NAMED: char = '\u{e001}';
const CLOSE: char = '\u{e002}';
const PART: char = '\u{e004}';
/// Parts the languages of a document: what a template writes as a line `---`, which a value may hold too.
pub const PARTED: &str = "\n\u{e004}\n";

/// One part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The part's name in the profile.
    pub id: String,
    /// The language that the template declares for it; empty: the template's own.
    pub language: String,
    /// Bytes of the text.
    pub range: Range<usize>,
}

/// A text without marks, and its parts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Marked {
    /// The text as it is read.
    pub text: String,
    /// Its parts, in the order of their beginning; they may be nested.
    pub parts: Vec<Part>,
}

impl Marked {
    /// Takes the marks out of a rendered text.
    pub fn read(rendered: &str) -> Self {
        let mut marked = Self::default();
        let mut open = Vec::new();
        let mut rest = rendered;
        while let Some(at) = rest.find([OPEN, CLOSE]) {
            marked.text.push_str(&rest[..at]);
            let is_open = rest[at..].starts_with(OPEN);
            rest = &rest[at + OPEN.len_utf8()..];
            if !is_open {
                if let Some(index) = open.pop() {
                    let part: &mut Part = &mut marked.parts[index];
                    part.range.end = marked.text.len();
                }
                continue;
            }
            let Some((name, after)) = rest.split_once(NAMED) else { break };
            let (id, language) = name.split_once(' ').unwrap_or((name, ""));
            open.push(marked.parts.len());
            let start = marked.text.len();
            marked.parts.push(Part { id: id.to_owned(), language: language.to_owned(), range: start..start });
            rest = after;
        }
        marked.text.push_str(rest);
        marked
    }

    /// The text of a part.
    pub fn of(&self, part: &Part) -> &str {
        self.text.get(part.range.clone()).unwrap_or_default().trim()
    }

    /// Parts of a name.
    pub fn parts_of<'a>(&'a self, id: &'a str) -> impl Iterator<Item = &'a Part> {
        self.parts.iter().filter(move |part| part.id == id)
    }

    /// Line of a place in the text, from 1.
    pub fn line(&self, at: usize) -> usize {
        1 + self.text.bytes().take(at).filter(|b| *b == b'\n').count()
    }
}

/// A value without marks.
pub fn unmarked(value: &str) -> String {
    value.replace([OPEN, NAMED, CLOSE, PART, SIGNATURE], "")
}

/// The helper `element`: a name, and a language where the document has more than one.
pub fn element<'reg, 'rc>(
    helper: &Helper<'rc>,
    registry: &'reg Handlebars<'reg>,
    context: &'rc Context,
    render: &mut RenderContext<'reg, 'rc>,
    out: &mut dyn Output,
) -> HelperResult {
    let word = |index: usize| helper.param(index).and_then(|p| p.value().as_str()).unwrap_or_default();
    out.write(&format!("{OPEN}{} {}{NAMED}", word(0), word(1)))?;
    if let Some(template) = helper.template() {
        template.render(registry, context, render, out)?;
    }
    out.write(&CLOSE.to_string())?;
    Ok(())
}

/// The helper `signature`: in a letter's markup, the place of the sender's signature, where there is one.
pub fn signature<'reg, 'rc>(
    _: &Helper<'rc>,
    _: &'reg Handlebars<'reg>,
    context: &'rc Context,
    _: &mut RenderContext<'reg, 'rc>,
    out: &mut dyn Output,
) -> HelperResult {
    if context.data().get("signature") == Some(&true.into()) {
        out.write(&format!("\n\n{SIGNATURE}"))?;
    }
    Ok(())
}

/// The same helper where nothing is typeset.
pub fn no_signature<'reg, 'rc>(
    _: &Helper<'rc>,
    _: &'reg Handlebars<'reg>,
    _: &'rc Context,
    _: &mut RenderContext<'reg, 'rc>,
    _: &mut dyn Output,
) -> HelperResult {
    Ok(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_mark_is_another_and_no_value_holds_any() {
        let marks = [OPEN, NAMED, CLOSE, PART, SIGNATURE];
        assert_eq!(marks.into_iter().collect::<std::collections::BTreeSet<_>>().len(), marks.len());
        assert!(PARTED.contains(PART) && unmarked(&marks.into_iter().collect::<String>()).is_empty());
    }

    #[test]
    fn parts_are_found_nested_and_in_their_language_and_no_value_forges_one() {
        let mut engine = Handlebars::new();
        engine.register_escape_fn(unmarked);
        engine.register_helper("element", Box::new(element));
        let template = r#"A {{#element "measures"}}we {{#element "measures.prevent" "cy"}}{{x}}{{/element}}.{{/element}} Z"#;
        let rendered = engine.render_template(template, &json!({"x": "\u{e000}nature \u{e001}ŵ\u{e002}"})).unwrap();

        let marked = Marked::read(&rendered);

        assert_eq!(marked.text, "A we nature ŵ. Z");
        let found: Vec<_> = marked.parts.iter().map(|p| (p.id.as_str(), p.language.as_str(), marked.of(p))).collect();
        assert_eq!(found, [("measures", "", "we nature ŵ."), ("measures.prevent", "cy", "nature ŵ")]);
    }
}
