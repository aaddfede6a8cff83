//! Signatures of commands: the key that `DULY_USER_KEY` points to, opened by a passphrase. No option names a user.

use super::failure::read_private;
use super::{Context, Failure, Refusal};
use crate::model::user_key::{self, UserKey};
use crate::store::user::Signer;
use serde_json::Value;
use std::io::IsTerminal;
use std::path::Path;
use uuid::Uuid;

/// Characters of a new passphrase, at least.
const PASSPHRASE_LENGTH_MIN: usize = 12;

/// Signs a command with the user's key and keeps the signature; returns user and command.
///
/// `command` has `command`, the words as typed, `incident`, the incident's id where there is one, and every
/// argument; never personal data.
pub async fn signed(context: &Context, command: &Value) -> Result<(Uuid, Uuid), Failure> {
    let by = signer(context).await?.sign(context.store().await?, command).await?;
    Ok((by.user_id, by.command_id))
}

/// The user's key for a command that may sign more than once, or not at all: opened when it is needed, and asked for once.
pub struct Key<'a> {
    context: &'a Context,
    signer: Option<Signer>,
}

impl<'a> Key<'a> {
    /// Nobody is asked for anything yet.
    pub fn new(context: &'a Context) -> Self {
        Self { context, signer: None }
    }

    /// Opens the key, if that was not done before.
    pub async fn open(&mut self) -> Result<&Signer, Failure> {
        let signer = match self.signer.take() {
            Some(signer) => signer,
            None => signer(self.context).await?,
        };
        Ok(self.signer.insert(signer))
    }
}

/// Opens the user's key. Whatever can refuse a command is looked at before it signs: what is refused leaves no signature.
pub async fn signer(context: &Context) -> Result<Signer, Failure> {
    let path = std::env::var_os("DULY_USER_KEY").filter(|path| !path.is_empty()).ok_or_else(|| {
        Refusal::of(
            "this command must be signed, and DULY_USER_KEY is not set",
            "`export DULY_USER_KEY=your.key`; `duly init` makes the first key, `duly user add` the others",
        )
    })?;
    let key = unlock_key(Path::new(&path), "DULY_PASSPHRASE_FILE", "Passphrase of your key: ")?;
    let user_id = context.store().await?.load_user_by_key(&key.public()).await?;
    Ok(Signer { user_id, key })
}

/// Opens a key file with the passphrase from the file that `variable` names, or from a prompt.
pub fn unlock_key(path: &Path, variable: &str, asks: &str) -> Result<UserKey, Failure> {
    let file = read_private(path)?;
    let passphrase = match std::env::var_os(variable) {
        Some(path) => read_private(Path::new(&path))?.trim_end_matches(['\r', '\n']).to_owned(),
        None => prompt(asks)?,
    };
    Ok(user_key::unlock(&file, &passphrase)?)
}

/// A new passphrase, from the file of `DULY_NEW_PASSPHRASE_FILE`, or typed twice.
pub fn new_passphrase(name: &str) -> Result<String, Failure> {
    let text = match std::env::var_os("DULY_NEW_PASSPHRASE_FILE") {
        Some(path) => read_private(Path::new(&path))?.trim_end_matches(['\r', '\n']).to_owned(),
        None => {
            let first = prompt(&format!("New passphrase for {name}: "))?;
            if prompt("The same again: ")? != first {
                return Err(Refusal::of("the two passphrases differ", "run the command again; nothing was made"));
            }
            first
        }
    };
    if text.chars().count() < PASSPHRASE_LENGTH_MIN {
        return Err(Refusal::of(
            format!("the passphrase is shorter than {PASSPHRASE_LENGTH_MIN} characters"),
            "take four or five words that do not belong together",
        ));
    }
    Ok(text)
}

/// Asks without an echo.
pub fn prompt(text: &str) -> Result<String, Failure> {
    // Without a terminal a prompt would wait for ever, or read a passphrase from data.
    if !std::io::stderr().is_terminal() && !std::io::stdin().is_terminal() {
        return Err(Refusal::of(
            "there is no terminal to ask for a secret",
            "name files of mode 0600: DULY_PASSPHRASE_FILE, DULY_NEW_PASSPHRASE_FILE for a new key, or the option for it",
        ));
    }
    Ok(rpassword::prompt_password(text)?)
}
