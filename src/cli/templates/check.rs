//! `duly template check`: each template under its profile, and against the columns of a list before anything is frozen.

use super::{find_all, given, load, profile};
use crate::cli::failure::{parse_toml, read_bytes, read_stored};
use crate::cli::output::{Paint, count};
use crate::cli::plans::findings;
use crate::cli::sign::signed;
use crate::cli::{Context, Failure, Refusal, pair};
use crate::intake::csv::{self, Mapping};
use crate::model::contact::PersonRecord;
use crate::render::Template;
use crate::render::check::readability::not_measured;
use crate::render::check::{Holdings, Report, Severity, Used};
use crate::render::preview::{fill, made_up, preview};
use crate::store::quarantine::Decider;
use clap::Args;
use serde_json::{Value, json};
use std::path::PathBuf;
use uuid::Uuid;

/// People read at a time.
const PAGE: i64 = 2000;
/// The phase whose people are looked at.
const PHASE: i32 = 1;

/// `duly template check`.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  duly template check\n  duly template check uk-gdpr/ --texts texts.toml\n  duly template check uk-gdpr/letter --list affected.csv --map pay_grade='Pay grade'\n  duly template check uk-gdpr/ --incident cards-2026\n\nWithout --texts made-up texts are used. Exit code 1: something must be mended.\nWith --incident everybody's data is opened, which is signed and stays in the log."
)]
pub struct CheckArgs {
    /// Beginning of the names
    #[arg(default_value = "")]
    name: String,
    /// The incident's texts
    #[arg(long, value_name = "FILE")]
    texts: Option<PathBuf>,
    /// A list that is not imported yet: which people have what the templates print
    #[arg(long, value_name = "FILE", conflicts_with = "incident")]
    list: Option<PathBuf>,
    /// Column = header of the list, as for `duly list import`
    #[arg(long = "map", value_name = "COLUMN=HEADER", value_parser = pair, requires = "list")]
    map: Vec<(String, String)>,
    /// Columns of the list's own that stand in no message
    #[arg(long, value_name = "COLUMN", value_delimiter = ',', requires = "list")]
    sensitive: Vec<String>,
    /// The people of an incident who are in no plan yet
    #[arg(long)]
    incident: Option<String>,
}

/// Checks templates.
pub async fn check(context: &Context, args: &CheckArgs) -> Result<(), Failure> {
    let settings = context.settings()?;
    let composer = load(&settings)?;
    let texts = if args.texts.is_some() { given(args.texts.as_deref())? } else { made_up_texts()? };
    let templates = find_all(&composer, &args.name)?;
    let held = holdings(context, args).await?;
    let (mut data, mut lines, mut is_bad) = (Vec::new(), Vec::new(), false);
    for template in templates {
        let reader = made_up(template, &complete(&texts, template), |_| "made up".to_owned());
        let found = preview(&composer, template, &profile(&settings, template)?, &reader)?.findings;
        let used = held.as_ref().map(|held| held.used(template)).unwrap_or_default();
        let errors = found.iter().filter(|f| f.severity == Severity::Error).count() + used.iter().filter(|u| u.is_gap()).count();
        // A draft is not held to it: nobody can send it before it is reviewed.
        is_bad |= errors > 0 && !template.is_draft;
        let word = match (errors, found.len()) {
            (0, 0) => Paint::stdout().good("fine"),
            (0, _) => Paint::stdout().asks("warnings"),
            _ => Paint::stdout().bad("to be mended"),
        };
        lines.push(format!("{}: {word}", template.name));
        lines.extend(used.iter().map(column_line));
        let unread = not_measured(&template.languages);
        lines.extend(unread.iter().map(|what| format!("  not measured: {what}")));
        data.push(
            json!({"name": template.name, "draft": template.is_draft, "findings": found, "columns": used, "not_measured": unread}),
        );
        let report = Report::of_preview(template, found);
        if report.lines().next().is_some() {
            lines.push(indented(&findings(&report)));
        }
    }
    context.print(&json!(data), &lines.join("\n"));
    match is_bad {
        false => Ok(()),
        true => Err(Refusal::found("templates must be mended", "mend each as the report says, and check again")),
    }
}

/// `  line 7: `pay_number_type` is used but 212 people have none`.
fn column_line(used: &Used) -> String {
    let people = |n: u64| count(i64::try_from(n).unwrap_or(i64::MAX), "person has", "people have");
    let name = &used.column;
    let said = match (used.without, used.guarded) {
        (0, _) => format!("`{name}` is used, and everybody has one"),
        (without, false) => format!("`{name}` is used but {} none: guard it with `{{{{#if person.{name}}}}}`", people(without)),
        (without, true) => format!("`{name}` is used where there is one; {} none", people(without)),
    };
    format!("  line {}: {said}", used.line)
}

/// Who has what, where a list or an incident is given.
async fn holdings(context: &Context, args: &CheckArgs) -> Result<Option<Holdings>, Failure> {
    let mut held = Holdings::default();
    if let Some(path) = &args.list {
        let mapping = Mapping::of(&args.map, &args.sensitive)?;
        let list = csv::open(std::io::Cursor::new(read_bytes(path)?), &mapping)?;
        list.check_own()?;
        for row in list {
            // What waits in quarantine is no person yet.
            row?.result.iter().for_each(|checked| held.add(&checked.record));
        }
        return Ok(Some(held));
    }
    let Some(name) = &args.incident else { return Ok(None) };
    let store = context.store().await?;
    let incident = store.load_incident(name).await?;
    let key = context.settings()?.master_key()?.unwrap_key(&incident.wrapped_key, "incident")?;
    let command = json!({"command": "template check", "incident": incident.incident_id, "template": args.name});
    let (user_id, command_id) = signed(context, &command).await?;
    // Before anything is opened: a look that fails was tried all the same.
    store.record_view_of_all(incident.key, "check", Decider { user_id, command_id }).await?;
    let (lists, mut after) = (store.list_open_lists(incident.key).await?, Uuid::nil());
    loop {
        let people = store.list_recipients(incident.key, &lists, PHASE, after, PAGE).await?;
        let Some(last) = people.last() else { return Ok(Some(held)) };
        after = last.person_id;
        for person in people {
            let record = key.unwrap_key(&person.wrapped_key, "person")?.open("contact", &person.contact)?;
            // Counted, never shown.
            held.add(&read_stored::<PersonRecord>("contact", &record)?);
        }
    }
}

/// Made-up texts for a template whose own words are to be checked.
fn made_up_texts() -> Result<Value, Failure> {
    let mut texts: toml::Table = parse_toml("examples/texts.toml", include_str!("../../../examples/texts.toml"))?;
    // Laws of the United States want a way to reach the controller, not a person's name.
    texts.insert("contact_phone".to_owned(), "0808 157 0100".into());
    Ok(json!(texts))
}

/// Made-up or given texts, with a sentence for every text that a template may print and that is missing.
fn complete(texts: &Value, template: &Template) -> Value {
    let mut filled = fill(texts, template);
    let first = template.languages.first().map_or("en", String::as_str).to_owned();
    for (name, value) in filled.as_object_mut().into_iter().flatten() {
        match value {
            Value::Object(texts) => texts.values_mut().for_each(|text| write(text, name)),
            text => write(text, &first),
        }
    }
    filled
}

/// Writes a text that nobody has written yet.
fn write(text: &mut Value, language: &str) {
    let sentence = match language {
        "cy" => "Mae'r testun hwn wedi ei ysgrifennu yn lle un y digwyddiad.",
        "de" => "Dieser erfundene Text steht hier statt eines Textes von Ihnen.",
        "fr" => "Ce texte inventé est ici à la place d'un texte de votre part.",
        "es" => "Este texto inventado está aquí en lugar de uno de los suyos.",
        "pl" => "Ten zmyślony tekst jest tu zamiast tekstu od Państwa.",
        _ => "This made-up text stands for one of the incident.",
    };
    if text.as_str().is_some_and(|text| text.starts_with('[')) {
        *text = json!(sentence);
    }
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}
