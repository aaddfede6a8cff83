//! Why a command ended badly: what happened, why, what to do now, and the exit code.
//!
//! `?` takes only errors that can say what to do about them: one without a remedy does not compile.

use crate::broker::BrokerError;
use crate::config::{ProfileError, SettingsError};
use crate::dispatch::DispatchError;
use crate::dispatch::plan::PlanError;
use crate::evidence::EvidenceError;
use crate::evidence::anchor::AnchorError;
use crate::evidence::anchor::http::HttpError;
use crate::evidence::anchor::stamp::StampError;
use crate::evidence::anchor::tsa::TsaError;
use crate::evidence::anchor::way::HandOverError;
use crate::evidence::anchor::witness::WitnessError;
use crate::evidence::outside::OutsideError;
use crate::intake::correction::CorrectionError;
use crate::intake::csv::ListError;
use crate::intake::job::{JobError, PublishError};
use crate::intake::list::ImportError;
use crate::model::list_key::ListKeyError;
use crate::model::name::is_visible;
use crate::model::seal::SealError;
use crate::model::sheet::SheetError;
use crate::model::user_key::UserKeyError;
use crate::provider::BatchError;
use crate::provider::choose::AccountError;
use crate::provider::file::error::{MakeError, SpoolError};
use crate::render::RenderError;
use crate::render::message::MessageError;
use crate::report::ReportError;
use crate::report::pack::PackError;
use crate::store::StoreError;
use serde::de::DeserializeOwned;
use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use zeroize::Zeroizing;

/// Exit code of a check that was made and found something bad.
const FOUND_BAD: u8 = 1;
/// Exit code of a command that could not do its work, or was used wrongly.
const COULD_NOT: u8 = 2;

/// An error that can say what to do now.
pub trait Remedy: Error + Send + Sync + 'static {
    /// One sentence that tells the reader what to do next.
    fn advice(&self) -> String;
}

macro_rules! remedies {
    ($($error:ty,)+) => { $(impl Remedy for $error {
        fn advice(&self) -> String {
            String::from(self.remedy())
        }
    })+ };
}

remedies! {
    AccountError,
    AnchorError,
    BatchError,
    BrokerError,
    CorrectionError,
    DispatchError,
    EvidenceError,
    HandOverError,
    HttpError,
    ImportError,
    JobError,
    ListError,
    ListKeyError,
    MakeError,
    MessageError,
    OutsideError,
    PackError,
    PlanError,
    ProfileError,
    PublishError,
    RenderError,
    ReportError,
    SealError,
    SettingsError,
    SheetError,
    SpoolError,
    StampError,
    StoreError,
    TsaError,
    UserKeyError,
    WitnessError,
}

macro_rules! foreign_remedies {
    ($($error:ty => $advice:literal,)+) => { $(impl Remedy for $error {
        fn advice(&self) -> String {
            $advice.to_owned()
        }
    })+ };
}

foreign_remedies! {
    std::io::Error => "check that the path exists, that the port is free and that this user may use them",
    std::num::TryFromIntError => "give a smaller number",
    time::error::Format => "report this as a fault of Duly: a stored time cannot be printed",
    uuid::Error => "copy the id again, as Duly printed it",
    tokio::task::JoinError => "start it again; leases bring back whatever was under way",
    duly_ledger::ManifestError => "report this as a fault of Duly with the command that you ran",
    duly_letter::LetterError => "correct the letter's template or the incident's texts, then prepare again",
    duly_sandbox::SandboxError => "correct the sandbox's configuration, or free its port",
}

/// A refusal in words of its own.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct Refusal {
    /// What happened.
    what: String,
    /// What to do now.
    remedy: String,
    #[source]
    cause: Option<Box<dyn Error + Send + Sync>>,
}

impl Remedy for Refusal {
    fn advice(&self) -> String {
        self.remedy.clone()
    }
}

impl Refusal {
    /// The command could not do its work.
    pub fn of(what: impl Into<String>, remedy: impl Into<String>) -> Failure {
        Self { what: what.into(), remedy: remedy.into(), cause: None }.into()
    }

    /// A check was made, and it is bad.
    pub fn found(what: impl Into<String>, remedy: impl Into<String>) -> Failure {
        Failure { exit_code: FOUND_BAD, ..Self::of(what, remedy) }
    }

    /// The command could not do its work, because of `cause`.
    pub fn because(what: impl Into<String>, remedy: impl Into<String>, cause: impl Error + Send + Sync + 'static) -> Failure {
        Self { what: what.into(), remedy: remedy.into(), cause: Some(Box::new(cause)) }.into()
    }
}

/// How a command failed.
#[derive(Debug)]
pub struct Failure {
    error: Box<dyn Remedy>,
    exit_code: u8,
}

impl<E: Remedy> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { error: Box::new(error), exit_code: COULD_NOT }
    }
}

impl From<String> for Failure {
    fn from(what: String) -> Self {
        Refusal::of(what, "correct it and run the command again")
    }
}

impl Failure {
    /// 1: checked, and it is bad. 2: could not check, or wrong use.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.exit_code)
    }

    /// What happened.
    pub fn what(&self) -> String {
        self.error.to_string()
    }

    /// What to do now.
    pub fn remedy(&self) -> String {
        self.error.advice()
    }

    /// What happened, its causes, and what to do now; `label` colours a word or leaves it.
    pub fn text(&self, label: impl Fn(&str) -> String) -> String {
        let mut text = format!("{} {}\n", label("error:"), self.error);
        let mut cause = self.error.source();
        while let Some(source) = cause {
            text.push_str(&format!("  cause: {source}\n"));
            cause = source.source();
        }
        text.push_str(&format!("\n{} {}", label("hint:"), self.error.advice()));
        text
    }
}

/// Reads a text file that somebody named; the error says which.
pub fn read_text(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|cause| {
        Refusal::because(format!("`{}` cannot be read", path.display()), "check the path and that this user may read it", cause)
    })
}

/// Reads a TOML file that somebody named.
pub fn read_toml<T: DeserializeOwned>(path: &Path) -> Result<T, Failure> {
    parse_toml(&path.display().to_string(), &read_text(path)?)
}

/// Reads TOML. The library's error prints the line, which may hold a secret or somebody's name: file and place are kept.
pub fn parse_toml<T: DeserializeOwned>(name: &str, text: &str) -> Result<T, Failure> {
    toml::from_str(text).map_err(|error| {
        let at = error.span().map_or_else(String::new, |span| format!(", {}", place(text, span.start)));
        // The same text as a table: whether it is no TOML at all, or says something that does not belong there.
        match toml::from_str::<toml::Table>(text) {
            Err(_) => Refusal::of(format!("`{name}`{at}: this is no TOML"), "correct it there: a text stands in quotes"),
            Ok(_) => Refusal::of(
                format!("`{name}`{at}: a name that is not known, a value of another type, or one is missing"),
                "correct it there; the examples that come with Duly show every name",
            ),
        }
    })
}

/// `line 3, column 8` of a place in a text.
fn place(text: &str, at: usize) -> String {
    let before = text.get(..at).unwrap_or(text);
    let (line, last) = (before.matches('\n').count() + 1, before.rsplit('\n').next().unwrap_or_default());
    format!("line {line}, column {}", last.chars().count() + 1)
}

/// Reads what the database keeps as JSON. Nothing of it is in the error: it may be a person's record.
pub fn read_stored<T: DeserializeOwned>(what: &'static str, bytes: &[u8]) -> Result<T, StoreError> {
    serde_json::from_slice(bytes).map_err(|_| StoreError::Corrupt { what })
}

/// Reads a key or a passphrase from a file that nobody else may read.
pub fn read_private(path: &Path) -> Result<Zeroizing<String>, Failure> {
    let text = crate::config::read_private(path).map_err(|cause| {
        Refusal::because(format!("`{}` cannot be read", path.display()), "check the path and that this user may read it", cause)
    })?;
    Ok(text.ok_or_else(|| SettingsError::KeyFileExposed { path: path.to_owned() })?)
}

/// Refuses a text of which its readers would not see every character.
pub fn check_visible(what: &str, text: &str) -> Result<(), Failure> {
    match is_visible(text) {
        true => Ok(()),
        false => Err(Refusal::of(
            format!("the {what} has characters that nobody sees: controls, line ends, or marks of direction"),
            "type it anew instead of copying it, on one line",
        )),
    }
}

/// Reads a file's bytes.
pub fn read_bytes(path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|cause| {
        Refusal::because(format!("`{}` cannot be read", path.display()), "check the path and that this user may read it", cause)
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_failure_prints_its_causes_once_and_ends_with_what_to_do() {
        let source = std::io::Error::from(std::io::ErrorKind::NotFound);
        let settings = SettingsError::KeyFile {
            variable: "DULY_MASTER_KEY",
            setting: "keys.master_file",
            path: "keys/master.key".into(),
            source,
        };
        let text = Failure::from(DispatchError::from(settings)).text(str::to_owned);

        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "error: the key file keys/master.key of `keys.master_file` cannot be used");
        assert_eq!(lines[1], "  cause: entity not found");
        assert_eq!(lines[lines.len() - 2], "");
        assert!(lines[lines.len() - 1].starts_with("hint: run `duly init`"), "{text}");
    }

    #[test]
    fn what_stands_in_a_toml_file_is_never_in_the_error_but_its_place_is() {
        #[derive(Debug, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Whole {
            #[expect(dead_code, reason = "only the errors matter")]
            key: u8,
        }
        let said = |text: &str| parse_toml::<Whole>("a.toml", text).unwrap_err().text(str::to_owned);

        assert!(said("\nkey = Ann Marlowe\n").contains("`a.toml`, line 2, column 7: this is no TOML"));
        for text in ["\nkey = Ann Marlowe\n", "key = \"Ann Marlowe\"", "key = 1\nMarlowe = 2", "Ann Marlowe", "key = \"Ann"] {
            let said = said(text);
            assert!(said.contains("`a.toml`, line ") && !said.contains("Ann") && !said.contains("Marlowe"), "{said}");
        }
        assert!(!said("").contains("line 0"));
    }
}
