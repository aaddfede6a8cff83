//! Incidents: one breach of one controller, with the texts that the law requires.

use super::close::{self, Close, Reopen};
use super::failure::read_toml;
use super::output::{figure, table, when};
use super::sign::signer;
use super::{Context, Failure, Refusal};
use crate::config::ProfileFile;
use crate::model::name::is_slug;
use crate::model::profile::Profile;
use crate::model::seal::{Key, generate_pair};
use crate::model::statement::{incident_add, incident_words, with};
use crate::model::texts::{self, TEXTS_ALWAYS};
use crate::render::check::is_sample;
use crate::store::StoreError;
use crate::store::incident::{Incident, IncidentSummary, NewIncident};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use std::path::PathBuf;
use uuid::Uuid;

/// `duly incident`.
#[derive(Subcommand)]
pub enum IncidentCommand {
    /// Add an incident
    Add(AddIncident),
    /// List incidents
    #[command(after_help = "Example:\n  duly incident list --json")]
    List,
    /// Show an incident: its texts, profile and newest plan
    #[command(after_help = "Example:\n  duly incident show cards-2026")]
    Show {
        /// Incident, or controller/incident
        incident: String,
    },
    /// Close an incident: it sends nothing more and takes no list, job or plan; receipts still come in
    Close(Close),
    /// Reopen a closed incident: its plans go on as they stood
    Reopen(Reopen),
}

/// `duly incident add`.
#[derive(Args)]
#[command(
    after_help = "Example:\n  duly incident add cards-2026 --controller northmere --texts texts.toml --approvals-required 2\n\nThe texts have no defaults: nature, consequences, measures, advice, dpo_name, dpo_contact."
)]
pub struct AddIncident {
    /// Short name: lower-case letters, digits, hyphens; such as cards-2026
    pub slug: String,
    /// Controller's short name
    #[arg(long)]
    pub controller: String,
    /// Legal profile of plans that name none
    #[arg(long, default_value = "uk-gdpr")]
    pub profile: String,
    /// TOML file with nature, consequences, measures, advice, dpo_name, dpo_contact
    #[arg(long, value_name = "FILE")]
    pub texts: PathBuf,
    /// Approvals that a plan needs, by others than who prepared it
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(i32).range(1..=2))]
    pub approvals_required: i32,
}

/// Runs an incident command.
pub async fn run(context: &Context, command: IncidentCommand) -> Result<(), Failure> {
    match command {
        IncidentCommand::Add(args) => add(context, args).await,
        IncidentCommand::List => list(context).await,
        IncidentCommand::Show { incident } => show(context, &incident).await,
        IncidentCommand::Close(args) => close::close(context, args).await,
        IncidentCommand::Reopen(args) => close::reopen(context, args).await,
    }
}

/// Refuses a short name that could not stand in an address.
pub fn check_slug(slug: &str) -> Result<(), Failure> {
    match is_slug(slug) {
        true => Ok(()),
        false => Err(Refusal::of(
            format!("`{}` is no short name", slug.escape_debug()),
            "use up to 63 lower-case letters, digits and hyphens, such as northmere-2026",
        )),
    }
}

fn read_texts(args: &AddIncident) -> Result<toml::Table, Failure> {
    let texts: toml::Table = read_toml(&args.texts)?;
    let is_missing = |t: &&&str| texts.get(**t).and_then(toml::Value::as_str).is_none_or(|v| v.trim().is_empty());
    let is_broken = |text: &str| text.contains(|c: char| c.is_control() && !"\n\r\t".contains(c));
    if let Some((name, _)) = find_text(&texts, &is_broken) {
        return Err(Refusal::of(
            format!("the text `{name}` of `{}` has control characters", args.texts.display()),
            "take them out: they cannot be printed",
        ));
    }
    let missing: Vec<&str> = TEXTS_ALWAYS.iter().filter(is_missing).copied().collect();
    let file = args.texts.display();
    if !missing.is_empty() {
        return Err(Refusal::of(
            format!("`{file}` has no text for {}", missing.join(", ")),
            "write it: the law requires it, and Duly has no default",
        ));
    }
    match texts::fault(&json!(texts)) {
        None => Ok(texts),
        Some(fault) => Err(Refusal::of(format!("`{file}`: {fault}"), "correct it at that place and run the command again")),
    }
}

/// The first text, of whichever language, that is as `is_wanted` says.
fn find_text<'a>(texts: &'a toml::Table, is_wanted: &dyn Fn(&str) -> bool) -> Option<(&'a String, &'a str)> {
    texts.iter().find_map(|(name, value)| match value {
        toml::Value::String(text) if is_wanted(text) => Some((name, text.as_str())),
        toml::Value::Table(inner) => find_text(inner, is_wanted),
        _ => None,
    })
}

async fn add(context: &Context, args: AddIncident) -> Result<(), Failure> {
    check_slug(&args.slug)?;
    let texts = read_texts(&args)?;
    if let Some((name, _)) = find_text(&texts, &is_sample) {
        return Err(Refusal::of(
            format!("`{}`: `{name}` is sample wording", args.texts.display()),
            "write what happened in your own incident: brackets, TBC and the like are never sent",
        ));
    }
    let texts = json!(texts);
    let settings = context.settings()?;
    let master = settings.master_key()?;
    let ProfileFile { profile, .. } = ProfileFile::load(&settings.profiles.folder, &args.profile)?;
    let store = context.store().await?;
    let controller_id = store.load_controller(&args.controller).await?;
    let name = format!("{}/{}", args.controller, args.slug);
    if store.list_incidents().await?.iter().any(|known| known.name == name) {
        return Err(StoreError::Taken { what: "incident", name }.into());
    }
    let incident_id = Uuid::now_v7();
    let words =
        incident_words((&args.slug, &profile.id, &texts)).into_iter().chain([("profile_version", json!(profile.version))]);
    let command = with(incident_add(&args.controller, incident_id, args.approvals_required), words);
    let by = signer(context).await?.sign(store, &command).await?;
    let key = Key::generate();
    let (public, secret) = generate_pair();
    let new = NewIncident {
        controller_id,
        incident_id,
        slug: args.slug,
        profile: profile.id,
        texts,
        wrapped_key: master.wrap(&key, "incident"),
        intake_public_key: public,
        intake_secret_key: key.wrap(&secret, "intake"),
        approvals_required: args.approvals_required,
    };
    store.insert_incident(&new, by).await?;
    context.print(&json!({"incident": format!("{}/{}", args.controller, new.slug), "incident_id": incident_id}), "");
    eprintln!("Incident {} added. Next: duly list import FILE --incident {}", new.slug, new.slug);
    Ok(())
}

fn plan_words(summary: &IncidentSummary) -> String {
    match (summary.plan, &summary.plan_state) {
        _ if summary.closed_at.is_some() => "closed".to_owned(),
        (Some(plan), Some(state)) => format!("plan {plan} {state}"),
        _ => "no plan".to_owned(),
    }
}

/// Incidents as lines, or what to do first.
pub fn lines(summaries: &[IncidentSummary]) -> String {
    if summaries.is_empty() {
        return "No incidents yet: `duly incident add` adds one.".to_owned();
    }
    let mut rows = vec![["incident", "people", "plan", "profile"].map(str::to_owned).to_vec()];
    rows.extend(summaries.iter().map(|s| vec![s.name.clone(), figure(s.people), plan_words(s), s.profile.clone()]));
    table(&rows, &[1])
}

async fn list(context: &Context) -> Result<(), Failure> {
    let summaries = context.store().await?.list_incident_summaries().await?;
    context.print(&json!(summaries), &lines(&summaries));
    Ok(())
}

async fn show(context: &Context, name: &str) -> Result<(), Failure> {
    let store = context.store().await?;
    let incident = store.load_incident(name).await?;
    let summaries = store.list_incident_summaries().await?;
    let Some(summary) = summaries.into_iter().find(|s| s.incident_id == incident.incident_id) else {
        return Err(Refusal::of("the incident was removed meanwhile", "run the command again"));
    };
    let ProfileFile { profile, .. } = ProfileFile::load(&context.settings()?.profiles.folder, &incident.profile)?;
    let mut data = json!(summary);
    if let Value::Object(fields) = &mut data {
        fields.insert("controller_name".to_owned(), json!(incident.controller_name));
        fields.insert("closing".to_owned(), json!(profile.closing));
        fields.insert("texts".to_owned(), incident.texts.clone());
    }
    context.print(&data, &show_lines(&summary, &incident, &profile));
    Ok(())
}

fn show_lines(summary: &IncidentSummary, incident: &Incident, profile: &Profile) -> String {
    let mut rows = vec![
        vec!["incident".to_owned(), summary.name.clone()],
        vec!["controller".to_owned(), incident.controller_name.clone()],
        vec!["added".to_owned(), when(summary.created_at)],
        vec!["people".to_owned(), figure(summary.people)],
        vec!["plan".to_owned(), plan_words(summary)],
        vec!["approvals".to_owned(), format!("{} needed, never by who prepared the plan", summary.approvals_required)],
        vec!["profile".to_owned(), summary.profile.clone()],
    ];
    if let Some(at) = summary.closed_at {
        rows.push(vec!["closed".to_owned(), when(at)]);
    }
    for closing in &profile.closing {
        let state = closing.state.replace('_', " ");
        rows.push(vec![String::new(), format!("a {} {} ends the notice when it is {state}", closing.content, closing.channel)]);
    }
    rows.extend(text_rows(&incident.texts, ""));
    table(&rows, &[])
}

/// Every text and fact of the incident, those that the law always requires first; `cy.nature` is the Welsh one.
fn text_rows(texts: &Value, of: &str) -> Vec<Vec<String>> {
    let rank = |name: &str| TEXTS_ALWAYS.iter().position(|known| *known == name).unwrap_or(TEXTS_ALWAYS.len());
    let mut fields: Vec<(&String, &Value)> = texts.as_object().into_iter().flatten().collect();
    fields.sort_by_key(|(name, value)| (value.is_object(), rank(name), (*name).clone()));
    let mut rows = Vec::new();
    for (name, value) in fields {
        let named = format!("{of}{name}");
        match value {
            Value::Object(_) => rows.extend(text_rows(value, &format!("{named}."))),
            Value::String(text) => {
                let names = std::iter::once(named).chain(std::iter::repeat(String::new()));
                rows.extend(text.trim_end().lines().zip(names).map(|(line, name)| vec![name, line.to_owned()]));
            }
            Value::Array(items) => {
                let word = |item: &Value| item.as_str().map_or_else(|| item.to_string(), str::to_owned);
                rows.push(vec![named, items.iter().map(word).collect::<Vec<_>>().join(", ")]);
            }
            other => rows.push(vec![named, other.to_string()]),
        }
    }
    rows
}
