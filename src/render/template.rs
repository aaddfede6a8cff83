//! Templates: `<folder>/<profile>/<channel>[-full].<languages>[.<format>].hbs`, compiled once.
//!
//! The first line declares what a template says: `{{!-- content = full; title = Notice of Data Breach --}}`; of a document
//! in two languages `title.cy = …; title.en = …`, in the order in which they stand, and a line `---` parts them. Partials
//! are put in before anything else happens, so that a template's hash covers every word that it prints. What lies under
//! `controllers/<slug>` of a folder is that controller's own, and no other's letter says it.

mod set;

pub use set::{TemplateSet, Want};

use super::marked::{PARTED, element, no_signature, signature, unmarked};
use super::variables::{self, Variable};
use super::{RenderError, words};
use crate::model::email::is_subject;
use crate::model::state::{Channel, Content};
use handlebars::{Context, Handlebars};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Folder of parts that several templates share.
const PARTIALS: &str = "partials";
/// Folder of what single controllers have, by their slugs.
const CONTROLLERS: &str = "controllers";
/// Folder of templates that nobody has reviewed.
const DRAFTS: &str = "drafts";
/// The line between the languages of a document.
const NEXT_LANGUAGE: &str = "\n---\n";
/// Where the sender's signature stands: `{{signature}}`.
const SIGNATURE: &str = "signature";
/// What an engine calls its template.
const BODY: &str = "body";

/// A compiled template's facts.
#[derive(Debug, Clone)]
pub struct Template {
    /// `profile/channel.languages.format`; a controller's own under `controllers/<slug>/`.
    pub name: String,
    /// Slug of the controller that alone has it; `None`: everybody.
    pub controller: Option<String>,
    /// Profile id.
    pub profile: String,
    /// Channel.
    pub channel: Channel,
    /// What it says.
    pub content: Content,
    /// Languages of the document, the first one first.
    pub languages: Vec<String>,
    /// Format, such as `standard`.
    pub format: String,
    /// Title of a letter or an email.
    pub title: String,
    /// Language and title of each part of a letter or an email, in the order in which they stand.
    pub titles: Vec<(String, String)>,
    /// Language of each part between lines `---`, in the order in which they stand.
    pub order: Vec<String>,
    /// Nobody has reviewed it: no live plan may use it.
    pub is_draft: bool,
    /// SHA-256 of the source.
    pub hash: [u8; 32],
    /// Its file; only its name where a plan has kept it.
    pub file: PathBuf,
    /// The file with its partials put in.
    pub source: String,
    /// What it prints of the incident and the person.
    pub variables: Vec<Variable>,
    compiled: Arc<Compiled>,
}

/// A template ready to render, for its readers' eyes and for the typesetter.
#[derive(Debug)]
struct Compiled {
    plain: Handlebars<'static>,
    typst: Handlebars<'static>,
}

impl Template {
    /// A rendered body's text in each of its languages, as `titles` has them.
    pub fn bodies<'a>(&self, body: &'a str) -> impl Iterator<Item = &'a str> {
        body.split(PARTED)
    }
}

impl Template {
    /// A template by the text that a plan kept of it, whatever its file says now.
    pub fn kept(name: &str, source: &str) -> Result<Self, RenderError> {
        Self::read(name, source, Path::new(name), &[])
    }

    fn read(name: &str, text: &str, path: &Path, folders: &[&Path]) -> Result<Self, RenderError> {
        let (controller, shared) = split(name);
        let (profile, stem) = shared.split_once('/').unwrap_or(("", shared));
        let template = parse(profile, stem, text, path, folders)?;
        Ok(Self { name: name.to_owned(), controller: controller.map(str::to_owned), ..template })
    }

    /// Its name without the controller's: what a shipped one of the same use is called.
    pub fn shared_name(&self) -> &str {
        split(&self.name).1
    }

    /// What a copy of it for one controller alone is called.
    pub fn name_for(&self, controller: &str) -> String {
        format!("{CONTROLLERS}/{controller}/{}", self.shared_name())
    }

    /// A template of a file somewhere, named like its folder and file.
    pub fn of_file(path: &Path, folders: &[&Path]) -> Result<Self, RenderError> {
        let text = std::fs::read_to_string(path).map_err(|source| RenderError::Read { path: path.to_owned(), source })?;
        Self::read(&name_of(path, folders), &text, path, folders)
    }

    /// Where a copy of it may lie in a controller's own folder, where a new one belongs first: that of a draft among drafts.
    pub fn own_files(&self, own: &Path) -> [PathBuf; 2] {
        let file = format!("{}.hbs", self.name);
        let (live, draft) = (own.join(&file), own.join(DRAFTS).join(&file));
        if self.is_draft { [draft, live] } else { [live, draft] }
    }

    /// Renders a text for its readers' eyes, with the marks of its parts.
    pub fn render(&self, data: &[Context]) -> Result<String, RenderError> {
        let text = render(&self.compiled.plain, data)?;
        let title = self.titles.get(1).map_or(String::new(), |(_, title)| format!("{title}\n\n"));
        Ok(self.bodies(&text).collect::<Vec<_>>().join(&format!("\n\n{title}")))
    }

    /// What each part of a letter or an email says, its title first, as it is read.
    pub fn render_parts(&self, data: &[Context]) -> Result<Vec<String>, RenderError> {
        let text = super::marked::Marked::read(&render(&self.compiled.plain, data)?).text;
        Ok(self.titles.iter().zip(self.bodies(&text)).map(|((_, title), body)| format!("{title}\n{body}")).collect())
    }

    /// Renders the body of a letter as markup for the typesetter.
    pub fn render_markup(&self, data: &[Context]) -> Result<String, RenderError> {
        render(&self.compiled.typst, data).map(|text| super::marked::Marked::read(&text).text)
    }

    /// Columns of a list that it names; each with whether every place is guarded, and the line of the first that counts.
    pub fn columns(&self) -> BTreeMap<&str, (bool, usize)> {
        let mut columns = BTreeMap::new();
        for variable in &self.variables {
            let Some(name) = variable.column() else { continue };
            let known = columns.entry(name).or_insert((variable.is_guarded, variable.line));
            if known.0 && !variable.is_guarded {
                *known = (false, variable.line);
            }
        }
        columns
    }
}

/// Each language's part by its own values: a date reads otherwise in each.
fn render(engine: &Handlebars<'_>, data: &[Context]) -> Result<String, RenderError> {
    let [only] = data else {
        let texts = data.iter().map(|data| render_once(engine, data)).collect::<Result<Vec<_>, _>>()?;
        let parts = texts.iter().enumerate().map(|(at, text)| text.split(PARTED).nth(at).unwrap_or_default());
        return Ok(parts.collect::<Vec<_>>().join(PARTED));
    };
    render_once(engine, only)
}

fn render_once(engine: &Handlebars<'_>, data: &Context) -> Result<String, RenderError> {
    engine.render_with_context(BODY, data).map_err(|error| match error.reason() {
        handlebars::RenderErrorReason::MissingVariable(variable) => {
            RenderError::Unresolved { variable: variable.clone().unwrap_or_default() }
        }
        _ => RenderError::Unresolved { variable: "?".to_owned() },
    })
}

fn engine(
    body: &str,
    path: &Path,
    escape: impl Fn(&str) -> String + Send + Sync + 'static,
) -> Result<Handlebars<'static>, RenderError> {
    let mut engine = Handlebars::new();
    engine.set_strict_mode(true);
    engine.register_escape_fn(escape);
    engine.register_helper("element", Box::new(element));
    engine.register_template_string(BODY, body).map_err(|e| {
        let (line, column) = e.pos().unwrap_or((0, 0));
        RenderError::Invalid { path: path.to_owned(), line: line + 1, column, what: e.reason().to_string() }
    })?;
    Ok(engine)
}

/// The controller of a template's name, and its name without it.
fn split(name: &str) -> (Option<&str>, &str) {
    let of_one = name.strip_prefix(CONTROLLERS).and_then(|rest| rest.strip_prefix('/')).and_then(|rest| rest.split_once('/'));
    of_one.map_or((None, name), |(controller, shared)| (Some(controller), shared))
}

/// The name of a file in a profile's folder, which may lie among a controller's own.
fn name_of(file: &Path, folders: &[&Path]) -> String {
    let stem = |path: &Path| path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let shared = format!("{}/{}", file.parent().map(stem).unwrap_or_default(), stem(file));
    let in_own = folders.iter().find_map(|folder| file.strip_prefix(folder.join(CONTROLLERS)).ok());
    let owner = in_own.and_then(|rest| rest.iter().next()).map(|owner| owner.to_string_lossy());
    owner.map_or(shared.clone(), |owner| format!("{CONTROLLERS}/{owner}/{shared}"))
}

fn parse(profile: &str, stem: &str, text: &str, path: &Path, folders: &[&Path]) -> Result<Template, RenderError> {
    let invalid = |what: &str| RenderError::Invalid { path: path.to_owned(), line: 1, column: 1, what: what.to_owned() };
    let mut words = stem.split('.');
    let kind = words.next().unwrap_or_default();
    let channel =
        kind.strip_suffix("-full").unwrap_or(kind).parse().map_err(|_| invalid("the file's name begins with no channel"))?;
    let languages: Vec<String> =
        words.next().ok_or_else(|| invalid("the file's name has no language"))?.split('+').map(str::to_owned).collect();
    let format = words.next().unwrap_or("standard").to_owned();
    let source = put_partials_in(text, path, folders)?;
    let header = source.lines().next().unwrap_or_default();
    let (content, titles) = declaration(header, &languages)
        .ok_or_else(|| invalid("the first line must be {{!-- content = full --}} or {{!-- content = alert --}}"))?;
    if channel == Channel::Letter && titles.len() != source.split(NEXT_LANGUAGE).count().max(languages.len()) {
        return Err(invalid("each language of a letter has a title, and a line `---` stands between them"));
    }
    if channel == Channel::Letter && titles.iter().any(|(_, title)| title.is_empty()) {
        return Err(invalid("a letter has a title: a screen shows it, and who listens to the letter hears it first"));
    }
    if channel == Channel::Email && !titles.first().is_some_and(|(_, title)| is_subject(title)) {
        return Err(invalid("an email has a title in one line: its subject, at most 150 characters"));
    }
    if let Some(language) = languages.iter().find(|language| channel == Channel::Letter && !words::knows(language)) {
        return Err(invalid(&format!("the words around a letter, such as its date, are not known in `{language}`")));
    }
    let variables = variables::lint(&source, channel, path)?;
    let hash = Sha256::digest(source.as_bytes()).into();
    let name = format!("{profile}/{stem}");
    let order = order(&source, &languages, &titles);
    let body = source.split_once('\n').map_or("", |(_, body)| body).trim();
    let body = &body.replace(NEXT_LANGUAGE, PARTED);
    let mut plain = engine(body, path, unmarked)?;
    plain.register_helper(SIGNATURE, Box::new(no_signature));
    let mut typst = engine(body, path, |value| duly_letter::escape(&unmarked(value)))?;
    typst.register_helper(SIGNATURE, Box::new(signature));
    Ok(Template {
        compiled: Arc::new(Compiled { plain, typst }),
        name,
        controller: None,
        profile: profile.to_owned(),
        channel,
        content,
        languages,
        format,
        title: titles.first().map(|(_, title)| title.clone()).unwrap_or_default(),
        titles,
        order,
        is_draft: false,
        hash,
        file: path.to_owned(),
        source,
        variables,
    })
}

/// `{{!-- content = full; title = … --}}`: what it says, and each language's title.
fn declaration(line: &str, languages: &[String]) -> Option<(Content, Vec<(String, String)>)> {
    let inner = line.trim().strip_prefix("{{!--")?.strip_suffix("--}}")?;
    let mut content = None;
    let mut titles = Vec::new();
    for pair in inner.split(';') {
        let (key, value) = pair.split_once('=')?;
        let value = value.trim().to_owned();
        match key.trim().split_once('.') {
            None if key.trim() == "content" => content = value.parse().ok(),
            None if key.trim() == "title" => titles.push((languages.first()?.clone(), value)),
            Some(("title", language)) if languages.iter().any(|l| l == language) => titles.push((language.to_owned(), value)),
            _ => return None,
        }
    }
    if let ([only], true) = (languages, titles.is_empty()) {
        titles.push((only.clone(), String::new()));
    }
    Some((content?, titles))
}

/// The language of each part between lines `---`: its title's, else the one that its elements declare.
fn order(source: &str, languages: &[String], titles: &[(String, String)]) -> Vec<String> {
    let first = languages.first().map_or("en", String::as_str);
    let declared = |part: &str| languages.iter().find(|language| part.contains(&format!("\" \"{language}\"}}}}")));
    let language = |(at, part)| titles.get(at).map(|(language, _)| language).or_else(|| declared(part)).map_or(first, |l| l);
    source.split(NEXT_LANGUAGE).enumerate().map(|part| language(part).to_owned()).collect()
}

/// Puts `{{> name}}` in: from the controller's own folder first, then from the shipped one. Partials hold none.
fn put_partials_in(text: &str, path: &Path, folders: &[&Path]) -> Result<String, RenderError> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{>") {
        let (name, after) = after.split_once("}}").unwrap_or((after, ""));
        let name = name.trim();
        let line = 1 + out.matches('\n').count() + before.matches('\n').count();
        let invalid = |what: String| RenderError::Invalid { path: path.to_owned(), line, column: 1, what };
        let is_name =
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-+.".contains(&b)) && !name.starts_with('.');
        if !is_name {
            return Err(invalid(format!("`{name}` is no name of a partial")));
        }
        let files = folders.iter().rev().map(|folder| folder.join(PARTIALS).join(format!("{name}.hbs")));
        let file =
            files.into_iter().find(|file| file.is_file()).ok_or_else(|| invalid(format!("there is no partial `{name}`")))?;
        let partial = std::fs::read_to_string(&file).map_err(|source| RenderError::Read { path: file, source })?;
        out.push_str(before);
        out.push_str(partial.trim_end());
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}
