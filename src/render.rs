//! Texts of messages: a pure function of template, person and incident.
//!
//! `template` loads and compiles, strict: a name that does not resolve is an error of that person, never an empty gap.
//! `variables` refuses what no template may do. `message` makes the exact bytes. `check` is the gate: every person's
//! rendered text is read before anybody approves it. SMS texts are not escaped; letters escape for Typst.

pub mod check;
pub mod letter;
pub mod marked;
pub mod message;
pub mod picture;
pub mod preview;
mod printed;
pub mod sms;
pub mod template;
pub mod variables;
mod values;
pub mod words;

pub use template::{Template, TemplateSet, Want};

use std::path::{Path, PathBuf};

/// Why a template or a text was refused.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// A template file cannot be read.
    #[error("the template {path} cannot be read")]
    Read {
        /// File.
        path: PathBuf,
        /// Cause.
        source: std::io::Error,
    },
    /// A template is not valid.
    #[error("the template {path} is not valid at line {line}, column {column}: {what}")]
    Invalid {
        /// File.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
        /// What is wrong.
        what: String,
    },
    /// There is no template for this message.
    #[error("there is no template `{name}`")]
    Missing {
        /// `profile/name.lang`.
        name: String,
    },
    /// The data lack something that the template names.
    #[error("the template names `{variable}`, which this message does not have")]
    Unresolved {
        /// The variable's name.
        variable: String,
    },
}

impl RenderError {
    /// One sentence that tells the reader what to do next.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Read { .. } => "check `templates.folder` and the file's rights",
            Self::Invalid { .. } => "correct the template at that place; `duly template check` reads all of them again",
            Self::Missing { .. } => {
                "add the template (`duly template list` shows those that are there), or choose a route that does not need it"
            }
            Self::Unresolved { .. } => "give the incident or the person this field, or guard it in the template with `{{#if}}`",
        }
    }
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, RenderError> {
    let read = |source| RenderError::Read { path: folder.to_owned(), source };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(read)? {
        paths.push(entry.map_err(read)?.path());
    }
    paths.sort();
    Ok(paths)
}
