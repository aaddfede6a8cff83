//! `duly template preview`: what a template would say, to somebody who does not exist or to a person of an incident.

use super::{find, given, load, profile};
use crate::cli::failure::read_stored;
use crate::cli::output::Paint;
use crate::cli::person::{find as find_person, person_id};
use crate::cli::plans::findings;
use crate::cli::sign::signed;
use crate::cli::{Context, Failure, Refusal};
use crate::config::Settings;
use crate::model::contact::PersonRecord;
use crate::model::look::Look;
use crate::model::profile::Profile;
use crate::model::state::{Channel, Content};
use crate::model::texts::{Facts, table};
use crate::render::Template;
use crate::render::check::readability::not_measured;
use crate::render::check::{Report, Wish};
use crate::render::message::{Composer, Setting};
use crate::render::picture::picture;
use crate::render::preview::{Reader, fill, made_up, preview, unknown_cell};
use crate::report::story::story;
use crate::store::erase::already_erased;
use crate::store::incident::Incident;
use crate::store::quarantine::Decider;
use clap::Args;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Pause between two looks at the files of `--watch`.
const LOOK: Duration = Duration::from_millis(300);

/// `duly template preview`.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  duly template preview uk-gdpr/sms.en\n  duly template preview uk-gdpr/letter.en --texts texts.toml --out letter.pdf --watch\n  duly template preview --incident cards-2026 --person p_0f6c… --out letter.pdf\n\nTexts that are missing stand in brackets, and every preview with them says so across or above it; a real message with a bracket is refused.\nTo open a person's data is signed and stays in the log."
)]
pub struct PreviewArgs {
    /// Name, as `duly template list` shows it; of a person without it the letter or text message that they would get
    #[arg(required_unless_present = "incident")]
    name: Option<String>,
    /// The incident's texts
    #[arg(long, value_name = "FILE", conflicts_with = "incident")]
    texts: Option<PathBuf>,
    /// Write it into this file: a letter's PDF, or the text; a picture, if the name ends with .png
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Format of the person who does not exist: `large-print`, or `discreet` for an incident that asks for it
    #[arg(long, default_value = "standard", conflicts_with = "incident")]
    format: String,
    /// Do it again whenever the template or the texts change, until stopped
    #[arg(long, requires = "out", conflicts_with = "incident")]
    watch: bool,
    /// Incident, or controller/incident, of a person
    #[arg(long)]
    incident: Option<String>,
    /// Person (p_…); without one the external reference is asked for
    #[arg(long, value_name = "P_…", requires = "incident")]
    person: Option<String>,
}

/// Previews a template.
pub async fn show(context: &Context, args: &PreviewArgs) -> Result<(), Failure> {
    if let Some(incident) = &args.incident {
        return show_person(context, incident, args).await;
    }
    let (settings, name) = (context.settings()?, args.name.as_deref().unwrap_or_default());
    let mut seen = None;
    loop {
        let now = changed(&settings, name, args);
        if now != seen {
            seen = now;
            match show_once(context, &settings, name, args) {
                // The template is being written: say what is wrong and look again.
                Err(failure) if args.watch => eprintln!("{}", failure.text(|label| Paint::stderr().label(label))),
                result => result?,
            }
        }
        if !args.watch {
            return Ok(());
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Newest change of the files that a preview is made of.
fn changed(settings: &Settings, name: &str, args: &PreviewArgs) -> Option<std::time::SystemTime> {
    let at = |path: &Path| path.metadata().and_then(|m| m.modified()).ok();
    // Of `controllers/northmere/uk-gdpr/sms.en` those of that controller too.
    let (folder, _) = name.rsplit_once('/').unwrap_or((name, ""));
    let (owner, profile) = folder.rsplit_once('/').unwrap_or(("", folder));
    let folders = settings.templates.folders().into_iter().flat_map(|f| [f.to_owned(), f.join(owner)]);
    let folders = folders.flat_map(|f| [f.join(profile), f.join("partials"), f.join("drafts").join(profile)]);
    let files = folders.filter_map(|f| std::fs::read_dir(f).ok()).flatten().flatten().map(|entry| entry.path());
    files.chain(args.texts.clone()).filter_map(|path| at(&path)).max()
}

fn show_once(context: &Context, settings: &Settings, name: &str, args: &PreviewArgs) -> Result<(), Failure> {
    let composer = load(settings)?;
    let template = find(&composer, name)?;
    let texts = fill(&given(args.texts.as_deref())?, template);
    let mut reader = made_up(template, &texts, unknown_cell);
    reader.setting.discreet |= args.format == "discreet";
    reader.person.format.clone_from(&args.format);
    print(context, &composer, template, &profile(settings, template)?, &reader, args)?;
    Ok(())
}

fn print(
    context: &Context,
    composer: &Composer,
    template: &Template,
    profile: &Profile,
    reader: &Reader,
    args: &PreviewArgs,
) -> Result<(), Failure> {
    let made = preview(composer, template, profile, reader)?;
    let text = made.under_notice(&made.rendered.marked.text);
    if let Some(path) = &args.out {
        let is_picture = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("png"));
        // What a telephone shows above the text is the sender that was registered.
        let setting = &reader.setting;
        let sender = if template.channel == Channel::Sms { &setting.sms_sender } else { &setting.controller_name };
        let bytes = match (is_picture, template.channel) {
            (true, _) => picture(template, &made, sender)?,
            (false, Channel::Letter) => made.rendered.bytes,
            (false, _) => made.under_notice(&String::from_utf8_lossy(&made.rendered.bytes)).into_bytes(),
        };
        std::fs::write(path, bytes)?;
        eprintln!("{} written", path.display());
    }
    let report = Report::of_preview(template, made.findings);
    let unit = if template.channel == Channel::Letter { "pages" } else { "segments" };
    let (unread, found) = (not_measured(&template.languages), report.lines().collect::<Vec<_>>());
    let data = json!({"name": template.name, "text": text, unit: made.rendered.parts, "findings": found, "not_measured": unread});
    context.print(&data, &text);
    let words = findings(&report);
    if !context.json && !words.is_empty() {
        let whom = if args.incident.is_some() { "this person" } else { "a person who does not exist" };
        eprintln!("\nThe content check, for {whom}:\n{words}");
    }
    if !context.json {
        unread.iter().for_each(|what| eprintln!("\nNot measured: {what}"));
    }
    Ok(())
}

/// Opens a person's data, which is signed and told by an event before, and previews what they would get.
async fn show_person(context: &Context, incident: &str, args: &PreviewArgs) -> Result<(), Failure> {
    let (store, settings) = (context.store().await?, context.settings()?);
    let incident = store.load_incident(incident).await?;
    let id = match &args.person {
        Some(text) => person_id(text)?,
        None => find_person(context, store, &incident).await?,
    };
    let told = story(store, &incident, id).await?;
    let composer = load(&settings)?;
    let key = settings.master_key()?.unwrap_key(&incident.wrapped_key, "incident")?;
    let sealed = store.load_sealed_person(incident.key, id).await?.ok_or_else(already_erased)?;
    let command =
        json!({"command": "template preview", "incident": incident.incident_id, "person": told.person, "template": args.name});
    let (user_id, command_id) = signed(context, &command).await?;
    // Before anything is opened: a look that fails was tried all the same.
    store.record_view(incident.key, id, "preview", Decider { user_id, command_id }).await?;
    let record = key.unwrap_key(&sealed.wrapped_key, "person")?.open("contact", &sealed.contact)?;
    let person: PersonRecord = read_stored("contact", &record)?;
    let law = store.find_profile_of(incident.key, id).await?.unwrap_or_else(|| incident.profile.clone());
    let template = match &args.name {
        Some(name) => find(&composer, name)?,
        None => own_template(&composer, &incident, &law, &person)?,
    };
    let now = store.now().await?;
    let look = store.load_letterhead(incident.key.controller_id).await?;
    let reader = Reader {
        setting: setting(&incident, look, (now.year(), now.month().into(), now.day())),
        person,
        reference_code: told.reference_code,
    };
    print(context, &composer, template, &profile(&settings, template)?, &reader, args)
}

/// The letter of somebody with an address, else the text message that says everything.
fn own_template<'a>(
    composer: &'a Composer,
    incident: &Incident,
    law: &str,
    person: &PersonRecord,
) -> Result<&'a Arc<Template>, Failure> {
    let channel = if person.address.is_some() { Channel::Letter } else { Channel::Sms };
    let wish = Wish::of(person, law, channel, Content::Full, &table::<Facts>(&incident.texts, "facts"));
    composer
        .templates()
        .find(&incident.controller_slug, wish.want())
        .map_err(|error| Refusal::of(error.to_string(), error.remedy()))
}

fn setting(incident: &Incident, look: Look, date: (i32, u8, u8)) -> Setting {
    Setting {
        texts: incident.texts.clone(),
        controller_name: incident.controller_name.clone(),
        sms_sender: incident.sms_sender.clone(),
        controller_address: incident.controller_address.clone(),
        look,
        date,
        discreet: table::<Facts>(&incident.texts, "facts").discreet,
        watermark: String::new(),
    }
}
