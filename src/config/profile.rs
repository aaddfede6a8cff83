//! A legal profile's file: read once, so that the rules that are checked are the text that is kept.

use crate::model::name::is_slug;
use crate::model::profile::Profile;
use std::path::{Path, PathBuf};

/// A profile with its own text.
#[derive(Debug, Clone)]
pub struct ProfileFile {
    /// The rules.
    pub profile: Profile,
    /// The file's text, which plans keep by its hash.
    pub text: String,
}

/// Why a profile cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// No name of a profile.
    #[error("`{id}` is no name of a legal profile")]
    Name {
        /// What was given.
        id: String,
    },
    /// Its file.
    #[error("the legal profile {path} cannot be read")]
    Read {
        /// File.
        path: PathBuf,
        /// Cause.
        source: std::io::Error,
    },
    /// It says something that Duly does not know.
    #[error("the legal profile {path} is not valid: {what}")]
    Invalid {
        /// File.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
}

impl ProfileError {
    /// One sentence that tells the reader what to do next.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Name { .. } | Self::Read { .. } => {
                "name one of the files in `profiles.folder` without `.toml`, such as uk-gdpr"
            }
            Self::Invalid { .. } => "correct the profile at that place",
        }
    }
}

impl ProfileFile {
    /// Reads `<folder>/<id>.toml`.
    pub fn load(folder: &Path, id: &str) -> Result<Self, ProfileError> {
        if !is_slug(id) {
            return Err(ProfileError::Name { id: id.to_owned() });
        }
        let path = folder.join(format!("{id}.toml"));
        let text = std::fs::read_to_string(&path).map_err(|source| ProfileError::Read { path: path.clone(), source })?;
        let invalid = |what| ProfileError::Invalid { path: path.clone(), what };
        let profile = Profile::parse(&text).map_err(invalid)?;
        if profile.id != id {
            return Err(invalid(format!("its `id` is `{}`", profile.id)));
        }
        Ok(Self { profile, text })
    }
}
