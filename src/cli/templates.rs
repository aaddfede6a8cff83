//! Templates: look at them, check them, preview them, compare versions, begin your own.

mod check;
mod diff;
mod preview;

use super::failure::read_toml;
use super::incidents::check_slug;
use super::output::table;
use super::{Context, Failure, Refusal};
use crate::config::{ProfileFile, Settings};
use crate::model::profile::Profile;
use crate::render::message::Composer;
use crate::render::{Template, TemplateSet};
use check::CheckArgs;
use clap::Subcommand;
use diff::DiffArgs;
use preview::PreviewArgs;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;

/// `duly template`.
#[derive(Subcommand)]
pub enum TemplateCommand {
    /// List templates: profile, channel, language, format, what each says
    #[command(after_help = "Example:\n  duly template list --json")]
    List,
    /// Check every template, or those whose name begins so, under its profile; against a list's columns where one is given
    Check(CheckArgs),
    /// Show a template as a person who does not exist would get it, or a person of an incident
    Preview(PreviewArgs),
    /// Say what changed for a reader between two versions of a template, part by part
    Diff(DiffArgs),
    /// Sign for a draft that you have read: plans may use it from then on
    #[command(
        after_help = "Example:\n  duly template preview uk-gdpr/letter.en+cy --texts texts.toml --out letter.pdf\n  duly template review uk-gdpr/letter.en+cy --hash 3f0a91c2b7de\n\nWho reviews a language reads it as a mother tongue, and a jurisdiction's text with its lawyer. Another word in it, or in one of\nits partials, makes another hash, which nobody has reviewed."
    )]
    Review {
        /// Name of the draft
        name: String,
        /// Its hash as `duly template list` shows it, or its first 12 digits: what you read is what you sign for
        #[arg(long)]
        hash: String,
    },
    /// Begin a template of your own from a shipped one
    #[command(
        after_help = "Example:\n  duly template new uk-gdpr/letter.en        copies it into the folder of the setting templates.own\n  duly template new uk-gdpr/letter.en --controller northmere        for that controller alone\n\nA copy of a draft is a draft, under `drafts` of that folder, until somebody has signed for it: duly template review."
    )]
    New {
        /// Name of the shipped template
        name: String,
        /// Short name of the controller that alone shall have it; without one every controller has it
        #[arg(long)]
        controller: Option<String>,
    },
}

/// Runs a template command.
pub async fn run(context: &Context, command: TemplateCommand) -> Result<(), Failure> {
    match command {
        TemplateCommand::List => list(context),
        TemplateCommand::Check(args) => check::check(context, &args).await,
        TemplateCommand::Preview(args) => preview::show(context, &args).await,
        TemplateCommand::Diff(args) => diff::diff(context, &args).await,
        TemplateCommand::Review { name, hash } => super::review::run(context, &name, &hash).await,
        TemplateCommand::New { name, controller } => begin(context, &name, controller.as_deref()),
    }
}

pub(super) fn load(settings: &Settings) -> Result<Composer, Failure> {
    Ok(Composer::new(TemplateSet::load(&settings.templates.folders())?))
}

pub(super) fn find<'a>(composer: &'a Composer, name: &str) -> Result<&'a Arc<Template>, Failure> {
    let found = composer.templates().all().iter().find(|template| template.name == name);
    found.ok_or_else(|| Refusal::of(format!("there is no template `{name}`"), "`duly template list` shows those that are there"))
}

/// Templates whose name begins so.
fn find_all<'a>(composer: &'a Composer, name: &str) -> Result<Vec<&'a Arc<Template>>, Failure> {
    let found: Vec<_> = composer.templates().all().iter().filter(|t| t.name.starts_with(name)).collect();
    if found.is_empty() {
        return Err(Refusal::of(
            format!("no template's name begins with `{name}`"),
            "`duly template list` shows those that are there",
        ));
    }
    Ok(found)
}

fn profile(settings: &Settings, template: &Template) -> Result<Profile, Failure> {
    Ok(ProfileFile::load(&settings.profiles.folder, &template.profile)?.profile)
}

/// The texts of a file, or none.
fn given(texts: Option<&Path>) -> Result<Value, Failure> {
    Ok(match texts {
        Some(path) => json!(read_toml::<toml::Table>(path)?),
        None => json!({}),
    })
}

fn list(context: &Context) -> Result<(), Failure> {
    let composer = load(&context.settings()?)?;
    let templates = composer.templates().all();
    let data: Vec<Value> = templates
        .iter()
        .map(|t| {
            json!({
                "name": t.name, "channel": t.channel.as_str(), "content": t.content.as_str(), "languages": t.languages,
                "format": t.format, "draft": t.is_draft, "hash": hex::encode(t.hash),
            })
        })
        .collect();
    let mut rows = vec![["template", "says", "languages", "format", "hash", ""].map(str::to_owned).to_vec()];
    rows.extend(templates.iter().map(|t| {
        let hash = hex::encode(t.hash);
        let draft = if t.is_draft { "draft: for no plan before `duly template review`" } else { "" };
        let says = t.content.as_str().to_owned();
        vec![t.name.clone(), says, t.languages.join("+"), t.format.clone(), hash[..12].to_owned(), draft.to_owned()]
    }));
    context.print(&json!(data), &table(&rows, &[]));
    Ok(())
}

fn begin(context: &Context, name: &str, controller: Option<&str>) -> Result<(), Failure> {
    let settings = context.settings()?;
    let own = &settings.templates.own;
    if own.as_os_str().is_empty() {
        return Err(Refusal::of("there is no folder of your own templates", "set `templates.own` to a folder of yours"));
    }
    std::fs::create_dir_all(own)?;
    let composer = load(&settings)?;
    let template = find(&composer, name)?;
    let files = match controller {
        Some(slug) => {
            check_slug(slug)?;
            // A copy of a draft is one by its name, wherever it lies.
            let file = own.join(format!("{}.hbs", template.name_for(slug)));
            [file.clone(), file]
        }
        None => template.own_files(own),
    };
    if let Some(file) = files.iter().find(|file| file.exists()) {
        return Err(Refusal::of(format!("`{}` exists", file.display()), "nothing is written over; edit it, or move it away"));
    }
    let [to, _] = files;
    to.parent().map_or(Ok(()), std::fs::create_dir_all)?;
    // As it is written, with its partials named: what is mended in one of them reaches the copy too.
    std::fs::copy(&template.file, &to)?;
    let says = match (template.is_draft, controller) {
        (true, _) => "it goes before the shipped draft, and is one too: for no plan before `duly template review`",
        (false, None) => "from now on it goes before the shipped one",
        (false, Some(_)) => "from now on it goes before the shipped one, for this controller alone",
    };
    context.print(&json!({"file": to, "draft": template.is_draft}), &format!("{} written: {says}", to.display()));
    Ok(())
}
