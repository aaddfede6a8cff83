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
    /// No version of it is law on that day: the newest begins later.
    #[error("the legal profile `{id}` is in force from {from}, and the messages are dated {date}")]
    NotInForce {
        /// Profile.
        id: String,
        /// First legal day, in the controller's zone.
        from: Date,
        /// The messages' date.
        date: Date,
    },
    /// No version of it is law on that day: the newest has ended.
    #[error("the legal profile `{id}` was in force until {to}, and the messages are dated {date}")]
    NoLongerInForce {
        /// Profile.
        id: String,
        /// Last legal day, in the controller's zone.
        to: Date,
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
            Self::NoLongerInForce { .. } => {
                "add the version that followed it as `<id>.toml`, and keep this one as `<id>.<version>.toml`"
            }
            Self::NotInForce { .. } => "name the profile that is in force on that day, or date the messages later",
        }
    }
}

impl ProfileFile {
    /// Reads `<folder>/<id>.toml`: the newest version.
    pub fn load(folder: &Path, id: &str) -> Result<Self, ProfileError> {
        if !is_slug(id) {
            return Err(ProfileError::Name { id: id.to_owned() });
        }
        Self::read(folder.join(format!("{id}.toml")), id)
    }

    fn read(path: PathBuf, id: &str) -> Result<Self, ProfileError> {
        let text = std::fs::read_to_string(&path).map_err(|source| ProfileError::Read { path: path.clone(), source })?;
        let invalid = |what| ProfileError::Invalid { path: path.clone(), what };
        let profile = Profile::parse(&text).map_err(invalid)?;
        if profile.id != id {
            return Err(invalid(format!("its `id` is `{}`", profile.id)));
        }
        Ok(Self { profile, text })
    }

    /// The version under which messages of that date are written: of `<id>.toml` and the older ones beside it,
    /// `<id>.<version>.toml`, the latest that has begun and has not ended.
    pub fn load_in_force(folder: &Path, id: &str, date: Date) -> Result<Self, ProfileError> {
        let newest = Self::load(folder, id)?;
        let (id, from, to) = (id.to_owned(), newest.profile.effective_from, newest.profile.effective_to);
        let all = std::iter::once(Ok(newest)).chain(older(folder, &id)?.into_iter().map(|path| Self::read(path, &id)));
        let in_force = all.collect::<Result<Vec<_>, _>>()?.into_iter().filter(|file| file.profile.is_in_force(date));
        in_force.max_by_key(|file| file.profile.effective_from).ok_or(match to {
            Some(to) if date > to => ProfileError::NoLongerInForce { id, to, date },
            _ => ProfileError::NotInForce { id, from, date },
        })
    }
}

/// Files of older versions, `<id>.<version>.toml`.
fn older(folder: &Path, id: &str) -> Result<Vec<PathBuf>, ProfileError> {
    let read = |source| ProfileError::Read { path: folder.to_owned(), source };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(read)? {
        let path = entry.map_err(read)?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let version = name.strip_suffix(".toml").and_then(|name| name.strip_prefix(id)).and_then(|rest| rest.strip_prefix('.'));
        if version.is_some_and(|version| !version.is_empty()) {
            paths.push(path);
        }
    }
    Ok(paths)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use time::macros::date;

    /// What is in force of two versions on a day: its version, or why none is.
    fn in_force(newest: &str, older: &str, day: Date) -> String {
        let folder = tempfile::tempdir().unwrap();
        let law = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/config/profiles/us-ca.toml")).unwrap();
        let begin = law.lines().find(|line| line.starts_with("effective_from")).unwrap();
        let version = law.lines().find(|line| line.starts_with("version")).unwrap();
        for (file, own, days) in [("us-ca.toml", "new", newest), ("us-ca.2024.toml", "old", older)] {
            let text = law.replace(begin, days).replace(version, &format!("version = \"{own}\""));
            std::fs::write(folder.path().join(file), text).unwrap();
        }
        // Another profile whose name begins alike is none of its versions.
        std::fs::write(folder.path().join("us-cal.toml"), "no profile").unwrap();
        match ProfileFile::load_in_force(folder.path(), "us-ca", day) {
            Ok(file) => file.profile.version,
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn the_version_in_force_on_the_messages_day_governs() {
        let (new, old) = ("effective_from = \"2026-01-01\"", "effective_from = \"2020-01-01\"\neffective_to = \"2025-12-31\"");
        assert_eq!(in_force(new, old, date!(2026 - 01 - 01)), "new");
        assert_eq!(in_force(new, old, date!(2025 - 12 - 31)), "old");
        assert_eq!(in_force(new, old, date!(2020 - 01 - 01)), "old");
        let early = in_force(new, old, date!(2019 - 12 - 31));
        assert_eq!(early, "the legal profile `us-ca` is in force from 2026-01-01, and the messages are dated 2019-12-31");
        // An older one that nobody ended gives way to the one that has begun.
        assert_eq!(in_force(new, "effective_from = \"2020-01-01\"", date!(2027 - 01 - 01)), "new");
        let ended = in_force(&format!("{new}\neffective_to = \"2027-01-01\""), old, date!(2027 - 01 - 02));
        assert_eq!(ended, "the legal profile `us-ca` was in force until 2027-01-01, and the messages are dated 2027-01-02");
        let backwards = in_force(&format!("{new}\neffective_to = \"2025-01-01\""), old, date!(2026 - 01 - 01));
        assert!(backwards.ends_with("`effective_to` comes before `effective_from`"), "{backwards}");
    }
}
