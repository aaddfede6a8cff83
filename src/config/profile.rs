//! A legal profile's file: read once, so that the rules that are checked are the text that is kept.

use crate::model::name::is_slug;
use crate::model::profile::Profile;
use std::path::{Path, PathBuf};
use time::Date;

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
    /// It is law on a later day only.
    #[error("the legal profile `{id}` is in force from {from}, and the messages are dated {date}")]
    NotInForce {
        /// Profile.
        id: String,
        /// First legal day, in the controller's zone.
        from: Date,
        /// The messages' date.
        date: Date,
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
            Self::NotInForce { .. } => "name the profile that is in force on that day, or date the messages later",
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

    /// As `load`, of a profile under which messages of that date may be written.
    pub fn load_in_force(folder: &Path, id: &str, date: Date) -> Result<Self, ProfileError> {
        let file = Self::load(folder, id)?;
        match file.profile.effective_from {
            from if date < from => Err(ProfileError::NotInForce { id: id.to_owned(), from, date }),
            _ => Ok(file),
        }
    }
}
