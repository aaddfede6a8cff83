//! `duly template diff`: what a reader of one version would read otherwise in another, part by part.

use super::load;
use crate::cli::output::Paint;
use crate::cli::{Context, Failure, Refusal};
use crate::render::Template;
use crate::render::marked::Marked;
use crate::render::message::Composer;
use crate::render::preview::{fill, made_up, unknown_cell};
use clap::Args;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// Least digits of a hash that name a version.
const HASH_MIN: usize = 8;
/// The words that belong to no part.
const AROUND: &str = "around the parts";

/// `duly template diff`.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  duly template diff 3f9a01bc uk-gdpr/letter.en      a version that a plan kept, and the one of today\n  duly template diff before/uk-gdpr/letter.en.hbs uk-gdpr/letter.en\n\nA version is a name, a file or the hash that `duly template list` and `duly plan show` print. Exit code 1: they differ."
)]
pub struct DiffArgs {
    /// Version before
    before: String,
    /// Version after
    after: String,
}

/// Compares two versions.
pub async fn diff(context: &Context, args: &DiffArgs) -> Result<(), Failure> {
    let composer = load(&context.settings()?)?;
    let before = parts(version(context, &composer, &args.before).await?.as_ref())?;
    let after = parts(version(context, &composer, &args.after).await?.as_ref())?;
    let (mut data, mut lines) = (Vec::new(), Vec::new());
    for name in before.keys().chain(after.keys().filter(|name| !before.contains_key(*name))) {
        let (old, new) = (before.get(name), after.get(name));
        if old == new {
            continue;
        }
        let changes = changes(old.map_or("", String::as_str), new.map_or("", String::as_str));
        let word = match (old, new) {
            (None, _) => "is new",
            (_, None) => "is gone",
            _ => "changed",
        };
        lines.push(format!("{} {word}", Paint::stdout().strong(name)));
        lines.extend(changes.iter().map(|(sign, line)| format!("  {sign} {line}")));
        let of = |wanted: char| changes.iter().filter(|(sign, _)| *sign == wanted).map(|(_, line)| *line).collect::<Vec<_>>();
        data.push(json!({"part": name, "change": word, "before": of('-'), "after": of('+')}));
    }
    let is_same = data.is_empty();
    context.print(&Value::Array(data), &if is_same { "A reader reads the same.".to_owned() } else { lines.join("\n") });
    match is_same {
        true => Ok(()),
        false => {
            Err(Refusal::found("the versions differ", "read what changed above; a plan that was approved keeps its version"))
        }
    }
}

/// A version by name, file or hash; also one that only a plan has kept.
async fn version(context: &Context, composer: &Composer, word: &str) -> Result<Arc<Template>, Failure> {
    let settings = context.settings()?;
    if let Some(named) = composer.templates().all().iter().find(|template| template.name == word) {
        return Ok(named.clone());
    }
    if Path::new(word).is_file() {
        return Ok(Arc::new(Template::of_file(Path::new(word), &settings.templates.folders())?));
    }
    let is_hash = word.len() >= HASH_MIN && word.bytes().all(|b| b.is_ascii_hexdigit());
    if is_hash {
        let word = word.to_lowercase();
        if let Some(hashed) = composer.templates().all().iter().find(|template| hex::encode(template.hash).starts_with(&word)) {
            return Ok(hashed.clone());
        }
        if let Some(text) = context.store().await?.find_template(&word).await? {
            let source = String::from_utf8_lossy(&text.body);
            return Ok(Arc::new(Template::kept(text.name.trim_end_matches(".hbs"), &source)?));
        }
    }
    Err(Refusal::of(
        format!("there is no version `{}` of a template", word.escape_debug()),
        "give a name as `duly template list` prints it, a file, or at least eight digits of a hash that a plan names",
    ))
}

/// What a reader reads, by part; texts of the incident stand in brackets.
fn parts(template: &Template) -> Result<BTreeMap<String, String>, Failure> {
    let reader = made_up(template, &fill(&json!({}), template), unknown_cell);
    let marked = Marked::read(&Composer::text(&reader.setting, &reader.person, &reader.reference_code, template)?);
    let mut parts = BTreeMap::new();
    let mut around = marked.text.clone();
    // From the end: what was cut moves nothing that is still to be cut.
    for part in marked.parts.iter().rev() {
        let language = if part.language.is_empty() { String::new() } else { format!(" ({})", part.language) };
        parts.insert(format!("{}{language}", part.id), marked.of(part).to_owned());
        let is_outer = marked.parts.iter().all(|other| other == part || !within(&part.range, &other.range));
        if is_outer {
            around.replace_range(part.range.clone(), &format!("{{{}}}", part.id));
        }
    }
    parts.insert(AROUND.to_owned(), format!("{}\n{around}", template.title).trim().to_owned());
    Ok(parts)
}

fn within(inner: &std::ops::Range<usize>, outer: &std::ops::Range<usize>) -> bool {
    outer.start <= inner.start && inner.end <= outer.end
}

/// Lines that went and that came, in their order: the longest common rest stays.
fn changes<'a>(before: &'a str, after: &'a str) -> Vec<(char, &'a str)> {
    let lines = |text: &'a str| text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>();
    let (old, new) = (lines(before), lines(after));
    let mut common = vec![vec![0_usize; new.len() + 1]; old.len() + 1];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            common[i][j] = if old[i] == new[j] { common[i + 1][j + 1] + 1 } else { common[i + 1][j].max(common[i][j + 1]) };
        }
    }
    let (mut i, mut j, mut changes) = (0, 0, Vec::new());
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            (i, j) = (i + 1, j + 1);
        } else if i < old.len() && (j == new.len() || common[i + 1][j] >= common[i][j + 1]) {
            changes.push(('-', old[i]));
            i += 1;
        } else {
            changes.push(('+', new[j]));
            j += 1;
        }
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lines_that_a_reader_reads_otherwise_are_told() {
        assert_eq!(changes("a\nb\n\nc", "a\n  b\nc"), []);
        assert_eq!(changes("a\nb\nc", "a\nx\nc\nd"), [('-', "b"), ('+', "x"), ('+', "d")]);
        assert_eq!(changes("", "new"), [('+', "new")]);
    }
}
