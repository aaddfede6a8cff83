//! Templates: look at them, check them, preview them for somebody who does not exist, begin your own.

use super::failure::read_text;
use super::output::{Paint, table};
use super::plans::findings;
use super::{Context, Failure, Refusal};
use crate::config::Settings;
use crate::model::profile::Profile;
use crate::model::state::Channel;
use crate::render::check::{Report, Severity};
use crate::render::message::Composer;
use crate::render::picture::picture;
use crate::render::preview::{fill, preview};
use crate::render::{Template, TemplateSet};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;
use uuid::Uuid;

/// Pause between two looks at the files of `--watch`.
const LOOK: Duration = Duration::from_millis(300);

/// `duly template`.
#[derive(Subcommand)]
pub enum TemplateCommand {
    /// List templates: profile, channel, language, format, what each says
    #[command(after_help = "Example:\n  duly template list --json")]
    List,
    /// Check every template, or those whose name begins so, under its profile
    #[command(
        after_help = "Examples:\n  duly template check\n  duly template check uk-gdpr/ --texts texts.toml\n\nWithout --texts made-up texts are used. Exit code 1: something must be mended."
    )]
    Check {
        /// Beginning of the names
        #[arg(default_value = "")]
        name: String,
        /// The incident's texts
        #[arg(long, value_name = "FILE")]
        texts: Option<PathBuf>,
    },
    /// Show a template as a person who does not exist would get it
    #[command(
        after_help = "Examples:\n  duly template preview uk-gdpr/sms.en\n  duly template preview uk-gdpr/letter.en --texts texts.toml --out letter.pdf --watch\n\nTexts that are missing stand in brackets; a real message with a bracket is refused."
    )]
    Preview(PreviewArgs),
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
        after_help = "Example:\n  duly template new uk-gdpr/letter.en        copies it into the folder of the setting templates.own"
    )]
    New {
        /// Name of the shipped template
        name: String,
    },
}

/// `duly template preview`.
#[derive(Args)]
pub struct PreviewArgs {
    /// Name, as `duly template list` shows it
    name: String,
    /// The incident's texts
    #[arg(long, value_name = "FILE")]
    texts: Option<PathBuf>,
    /// Write it into this file: a letter's PDF, or the text; a picture, if the name ends with .png
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Format of the person who does not exist: `large-print`, or `discreet` for an incident that asks for it
    #[arg(long, default_value = "standard")]
    format: String,
    /// Do it again whenever the template or the texts change, until stopped
    #[arg(long, requires = "out")]
    watch: bool,
}

/// Runs a template command.
pub async fn run(context: &Context, command: TemplateCommand) -> Result<(), Failure> {
    match command {
        TemplateCommand::List => list(context),
        TemplateCommand::Check { name, texts } => check(context, &name, texts.as_deref()),
        TemplateCommand::Preview(args) => show(context, &args).await,
        TemplateCommand::Review { name, hash } => super::review::run(context, &name, &hash).await,
        TemplateCommand::New { name } => begin(context, &name),
    }
}

pub(super) fn load(settings: &Settings) -> Result<Composer, Failure> {
    Ok(Composer::new(TemplateSet::load(&settings.templates.folders())?))
}

pub(super) fn find<'a>(composer: &'a Composer, name: &str) -> Result<&'a Template, Failure> {
    let found = composer.templates().all().iter().find(|template| template.name == name);
    found.ok_or_else(|| Refusal::of(format!("there is no template `{name}`"), "`duly template list` shows those that are there"))
}

fn profile(settings: &Settings, template: &Template) -> Result<Profile, Failure> {
    let path = settings.profiles.folder.join(format!("{}.toml", template.profile));
    Profile::parse(&read_text(&path)?).map_err(|what| {
        Refusal::of(format!("the legal profile {} is not valid: {what}", path.display()), "correct the profile at that place")
    })
}

/// The texts of a file, or none.
fn given(texts: Option<&Path>) -> Result<Value, Failure> {
    Ok(match texts {
        Some(path) => json!(toml::from_str::<toml::Table>(&read_text(path)?)?),
        None => json!({}),
    })
}

/// Made-up texts for a template whose own words are to be checked.
fn made_up() -> Result<Value, Failure> {
    let mut texts: toml::Table = toml::from_str(include_str!("../../examples/texts.toml"))?;
    // Laws of the United States want a way to reach the controller, not a person's name.
    texts.insert("contact_phone".to_owned(), "0808 157 0100".into());
    Ok(json!(texts))
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

fn check(context: &Context, name: &str, texts: Option<&Path>) -> Result<(), Failure> {
    let settings = context.settings()?;
    let composer = load(&settings)?;
    let texts = match texts {
        Some(_) => given(texts)?,
        None => made_up()?,
    };
    let mut data = Vec::new();
    let mut lines = Vec::new();
    let mut is_bad = false;
    for template in composer.templates().all().iter().filter(|t| t.name.starts_with(name)) {
        let found =
            preview(&composer, template, &profile(&settings, template)?, &complete(&texts, template), "standard")?.findings;
        let errors = found.iter().filter(|f| f.severity == Severity::Error).count();
        // A draft is not held to it: nobody can send it before it is reviewed.
        is_bad |= errors > 0 && !template.is_draft;
        let word = match (errors, found.len()) {
            (0, 0) => Paint::stdout().good("fine"),
            (0, _) => Paint::stdout().asks("warnings"),
            _ => Paint::stdout().bad("to be mended"),
        };
        lines.push(format!("{}: {word}", template.name));
        data.push(json!({"name": template.name, "draft": template.is_draft, "findings": found}));
        let mut report = Report::default();
        report.add(Uuid::nil(), found);
        if report.lines().next().is_some() {
            lines.push(indented(&findings(&report)));
        }
    }
    if data.is_empty() {
        return Err(Refusal::of(
            format!("no template's name begins with `{name}`"),
            "`duly template list` shows those that are there",
        ));
    }
    context.print(&json!(data), &lines.join("\n"));
    match is_bad {
        false => Ok(()),
        true => Err(Refusal::found("templates must be mended", "mend each as the report says, and check again")),
    }
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
        _ => "This made-up text stands for one of the incident.",
    };
    if text.as_str().is_some_and(|text| text.starts_with('[')) {
        *text = json!(sentence);
    }
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

async fn show(context: &Context, args: &PreviewArgs) -> Result<(), Failure> {
    let settings = context.settings()?;
    let mut seen = None;
    loop {
        let now = changed(&settings, args);
        if now != seen {
            seen = now;
            match show_once(context, &settings, args) {
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
fn changed(settings: &Settings, args: &PreviewArgs) -> Option<std::time::SystemTime> {
    let at = |path: &Path| path.metadata().and_then(|m| m.modified()).ok();
    let profile = args.name.split('/').next().unwrap_or_default();
    let folders = settings.templates.folders().into_iter();
    let folders = folders.flat_map(|f| [f.join(profile), f.join("partials"), f.join("drafts").join(profile)]);
    let files = folders.filter_map(|f| std::fs::read_dir(f).ok()).flatten().flatten().map(|entry| entry.path());
    files.chain(args.texts.clone()).filter_map(|path| at(&path)).max()
}

fn show_once(context: &Context, settings: &Settings, args: &PreviewArgs) -> Result<(), Failure> {
    let composer = load(settings)?;
    let template = find(&composer, &args.name)?;
    let mut texts = fill(&given(args.texts.as_deref())?, template);
    if args.format == "discreet" {
        texts["facts"]["discreet"] = json!(true);
    }
    let made = preview(&composer, template, &profile(settings, template)?, &texts, &args.format)?;
    let text = made.rendered.marked.text.clone();
    if let Some(path) = &args.out {
        let is_picture = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("png"));
        let bytes = if is_picture { picture(template, &made.rendered, made.sender)? } else { made.rendered.bytes };
        std::fs::write(path, bytes)?;
        eprintln!("{} written", path.display());
    }
    let mut report = Report::default();
    report.add(Uuid::nil(), made.findings);
    let unit = if template.channel == Channel::Letter { "pages" } else { "segments" };
    let data =
        json!({"name": template.name, "text": text, unit: made.rendered.parts, "findings": report.lines().collect::<Vec<_>>()});
    context.print(&data, &text);
    let words = findings(&report);
    if !context.json && !words.is_empty() {
        eprintln!("\nThe content check, for a person who does not exist:\n{words}");
    }
    Ok(())
}

fn begin(context: &Context, name: &str) -> Result<(), Failure> {
    let settings = context.settings()?;
    let own = &settings.templates.own;
    if own.as_os_str().is_empty() {
        return Err(Refusal::of("there is no folder of your own templates", "set `templates.own` to a folder of yours"));
    }
    std::fs::create_dir_all(own)?;
    let composer = load(&settings)?;
    let template = find(&composer, name)?;
    let (profile, file) = name.split_once('/').unwrap_or(("", name));
    let to = own.join(profile).join(format!("{file}.hbs"));
    if to.exists() {
        return Err(Refusal::of(format!("`{}` exists", to.display()), "nothing is written over; edit it, or move it away"));
    }
    std::fs::create_dir_all(own.join(profile))?;
    std::fs::write(&to, &template.source)?;
    context.print(&json!({"file": to}), &format!("{} written: from now on it goes before the shipped one", to.display()));
    Ok(())
}
