//! All templates of an installation, and which of them somebody gets.

use super::{CONTROLLERS, DRAFTS, PARTIALS, Template, name_of};
use crate::model::name::is_slug;
use crate::model::state::{Channel, Content};
use crate::render::{RenderError, entries};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What somebody needs a template for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Want<'a> {
    /// Profile id.
    pub profile: &'a str,
    /// Channel.
    pub channel: Channel,
    /// What it must say.
    pub content: Content,
    /// BCP 47, or languages joined by `+` for one document in both.
    pub language: &'a str,
    /// Format, such as `standard` or `large-print`.
    pub format: &'a str,
}

impl std::fmt::Display for Want<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}.{}.{} ({})", self.profile, self.channel, self.language, self.format, self.content)
    }
}

/// All templates, compiled once.
#[derive(Default)]
pub struct TemplateSet {
    templates: Vec<Arc<Template>>,
    /// Places of those that nobody has to review any more, by what they are for.
    by_use: HashMap<(String, Channel, Content), Vec<usize>>,
}

impl TemplateSet {
    /// Loads every template of the folders; one of a later folder takes the place of one of the same name.
    pub fn load(folders: &[&Path]) -> Result<Self, RenderError> {
        let mut set = Self::default();
        for folder in folders {
            set.add_folder(folder, folders, false)?;
            let drafts = folder.join(DRAFTS);
            if drafts.is_dir() {
                set.add_folder(&drafts, folders, true)?;
            }
        }
        for own in folders.iter().map(|folder| folder.join(CONTROLLERS)).filter(|own| own.is_dir()) {
            for folder in entries(&own)?.into_iter().filter(|path| path.is_dir()) {
                if !folder.file_name().and_then(|name| name.to_str()).is_some_and(is_slug) {
                    let what = "a folder below `controllers` bears the short name of its controller".to_owned();
                    return Err(RenderError::Invalid { path: folder, line: 1, column: 1, what });
                }
                let folders = [folders, &[&folder]].concat();
                set.add_folder(&folder, &folders, false)?;
            }
        }
        (0..set.templates.len()).for_each(|at| set.index(at));
        Ok(set)
    }

    /// A draft is for nothing.
    fn index(&mut self, at: usize) {
        if let Some(t) = self.templates.get(at).filter(|t| !t.is_draft) {
            self.by_use.entry((t.profile.clone(), t.channel, t.content)).or_default().push(at);
        }
    }

    fn add_folder(&mut self, folder: &Path, folders: &[&Path], is_draft: bool) -> Result<(), RenderError> {
        let is_profile =
            |path: &PathBuf| path.is_dir() && ![PARTIALS, DRAFTS, CONTROLLERS].iter().any(|name| path.ends_with(name));
        for profile in entries(folder)?.into_iter().filter(is_profile) {
            for path in entries(&profile)? {
                if path.extension().is_some_and(|e| e == "hbs") {
                    self.add(&path, folders, is_draft)?;
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, path: &Path, folders: &[&Path], is_draft: bool) -> Result<(), RenderError> {
        let text = std::fs::read_to_string(path).map_err(|source| RenderError::Read { path: path.to_owned(), source })?;
        let mut template = Template { is_draft, ..Template::read(&name_of(path, folders), &text, path, folders)? };
        // A copy of a draft under its name is a draft wherever it lies: nobody has reviewed its words.
        let is_of_draft = |other: &Arc<Template>| other.is_draft && other.shared_name() == template.shared_name();
        template.is_draft |= self.templates.iter().any(is_of_draft);
        self.templates.retain(|other| other.name != template.name);
        self.templates.push(Arc::new(template));
        Ok(())
    }

    /// Takes a draft as reviewed, by the hash that somebody signed for.
    pub fn admit(&mut self, hash: &[u8]) {
        for at in 0..self.templates.len() {
            let template = &self.templates[at];
            if template.is_draft && template.hash == *hash {
                self.templates[at] = Arc::new(Template { is_draft: false, ..Template::clone(template) });
                self.index(at);
            }
        }
    }

    /// Every template, by name.
    pub fn all(&self) -> &[Arc<Template>] {
        &self.templates
    }

    /// The template for a want: the very language and format, or one document that holds the language, or the standard
    /// letter in a larger size; of two such the controller's own. Never silently another language, never another
    /// controller's, and never a draft that nobody has reviewed.
    pub fn find(&self, controller: &str, want: Want<'_>) -> Result<&Arc<Template>, RenderError> {
        let rank = |t: &Template| {
            let is_shared = t.controller.is_none();
            if !is_shared && t.controller.as_deref() != Some(controller) {
                return None;
            }
            let languages = t.languages.join("+");
            let primary = want.language.split('-').next().unwrap_or_default();
            let language = match &t.languages[..] {
                _ if languages == want.language => 0,
                [only] if only == primary => 1,
                all if all.iter().any(|l| l == want.language || l == primary) && want.language != "en" => 2,
                _ => return None,
            };
            let is_larger = want.format == "large-print" || t.channel != Channel::Letter;
            match t.format.as_str() {
                format if format == want.format => Some((language, 0, is_shared)),
                "standard" if is_larger && matches!(want.format, "large-print" | "standard") => Some((language, 1, is_shared)),
                _ => None,
            }
        };
        let of_use = self.by_use.get(&(want.profile.to_owned(), want.channel, want.content)).into_iter().flatten();
        let ranked = of_use.filter_map(|at| self.templates.get(*at)).filter_map(|t| rank(t).map(|r| (r, t)));
        let best = ranked.min_by_key(|(rank, _)| *rank).map(|(_, t)| t);
        best.ok_or_else(|| RenderError::Missing { name: want.to_string() })
    }

    /// The template of a hash.
    pub fn of_hash(&self, hash: &[u8; 32]) -> Option<&Arc<Template>> {
        self.templates.iter().find(|t| t.hash == *hash)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn want() -> Want<'static> {
        Want { profile: "uk-gdpr", channel: Channel::Sms, content: Content::Alert, language: "en", format: "standard" }
    }

    /// Two organisations of one installation: what one of them says is said by no letter of the other's.
    #[test]
    fn what_one_controller_has_of_its_own_goes_before_the_shared_one_and_to_no_other() {
        let (own, shipped) = (tempfile::tempdir().unwrap(), Path::new(env!("CARGO_MANIFEST_DIR")).join("templates"));
        let folder = own.path().join("controllers/northmere");
        std::fs::create_dir_all(folder.join("uk-gdpr")).unwrap();
        std::fs::create_dir_all(folder.join("partials")).unwrap();
        std::fs::write(folder.join("uk-gdpr/sms.en.hbs"), "{{!-- content = alert --}}\n{{> greeting}} to you.\n").unwrap();
        std::fs::write(folder.join("partials/greeting.hbs"), "Northmere speaks").unwrap();
        std::fs::write(
            folder.join("uk-gdpr/letter.en+cy.hbs"),
            std::fs::read(shipped.join("drafts/uk-gdpr/letter.en+cy.hbs")).unwrap(),
        )
        .unwrap();

        let set = TemplateSet::load(&[&shipped, own.path()]).unwrap();

        let (theirs, others) = (set.find("northmere", want()).unwrap(), set.find("southmere", want()).unwrap());
        assert_eq!(
            (theirs.name.as_str(), theirs.controller.as_deref()),
            ("controllers/northmere/uk-gdpr/sms.en", Some("northmere"))
        );
        assert!(theirs.source.contains("Northmere speaks to you."));
        assert_eq!((others.name.as_str(), others.controller.as_deref()), ("uk-gdpr/sms.en", None));
        let kept = Template::kept(&theirs.name, &theirs.source).unwrap();
        assert_eq!((kept.name.as_str(), kept.profile.as_str(), kept.hash), (theirs.name.as_str(), "uk-gdpr", theirs.hash));
        let of_draft = set.all().iter().find(|t| t.name == "controllers/northmere/uk-gdpr/letter.en+cy").unwrap();
        assert!(of_draft.is_draft, "nobody has reviewed it");
    }

    #[test]
    fn a_folder_that_can_be_no_controllers_is_refused_by_its_path() {
        let own = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(own.path().join("controllers/North Mere")).unwrap();
        let refused = TemplateSet::load(&[own.path()]).err().unwrap().to_string();
        assert!(refused.contains("North Mere") && refused.contains("short name of its controller"), "{refused}");
    }
}
