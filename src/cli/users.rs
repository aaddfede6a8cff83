//! Users: each is a key of their own; no command names a user as its author.

use super::failure::check_visible;
use super::output::table;
use super::setup::write_secret;
use super::sign::{new_passphrase, signed, signer};
use super::{Context, Failure, Refusal};
use crate::model::statement::user_revoke;
use crate::model::user_key;
use crate::store::quarantine::Decider;
use clap::Subcommand;
use serde_json::json;
use std::path::PathBuf;

/// `duly user`.
#[derive(Subcommand)]
pub enum UserCommand {
    /// Add a user, with a new key file or with the public half of a key that the user made
    #[command(
        after_help = "Examples:\n  duly user add --name 'Bob Evans' --key bob.key\n  duly user add --name 'Bob Evans' --public 5f0c…"
    )]
    Add {
        /// Name, as plans and stories show it
        #[arg(long)]
        name: String,
        /// Where the new key file goes; the user types its passphrase
        #[arg(long, value_name = "FILE", required_unless_present = "public", conflicts_with = "public")]
        key: Option<PathBuf>,
        /// Public half of the user's own key, as `duly user key` prints it
        #[arg(long, value_name = "HEX")]
        public: Option<String>,
    },
    /// Make a key file on this machine and print its public half, for `duly user add --public`
    #[command(after_help = "Example:\n  duly user key --name 'Bob Evans' --key bob.key")]
    Key {
        /// Name
        #[arg(long)]
        name: String,
        /// Where the key file goes
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
    },
    /// List users
    #[command(after_help = "Example:\n  duly user list --json")]
    List,
    /// Revoke a user's key: it signs nothing more
    #[command(after_help = "Example:\n  duly user revoke 'Bob Evans'")]
    Revoke {
        /// Name
        name: String,
    },
}

/// Runs a user command.
pub async fn run(context: &Context, command: UserCommand) -> Result<(), Failure> {
    match command {
        UserCommand::Add { name, key, public } => add(context, &name, key, public).await,
        UserCommand::Key { name, key } => {
            check_visible("name", &name)?;
            let (file, public) = user_key::create(&name, &new_passphrase(&name)?)?;
            write_secret(&key, &file)?;
            let public = hex::encode(public);
            context.print(&json!({"name": name, "key": key, "public": public}), &public);
            eprintln!("Give this to a user who runs: duly user add --name '{name}' --public {public}");
            Ok(())
        }
        UserCommand::List => list(context).await,
        UserCommand::Revoke { name } => {
            let store = context.store().await?;
            store.check_revocable(&name).await?;
            let (user_id, command_id) = signed(context, &user_revoke(&name)).await?;
            store.revoke_user(&name, Decider { user_id, command_id }).await?;
            context.print(&json!({"name": name, "revoked": true, "command": command_id}), "");
            eprintln!("The key of {name} signs nothing more. What it signed before stays.");
            Ok(())
        }
    }
}

async fn add(context: &Context, name: &str, path: Option<PathBuf>, public: Option<String>) -> Result<(), Failure> {
    check_visible("name", name)?;
    let store = context.store().await?;
    let made = match &path {
        Some(path) if path.exists() => {
            return Err(Refusal::of(format!("`{}` exists", path.display()), "choose another path: a key is never written over"));
        }
        Some(_) => Some(user_key::create(name, &new_passphrase(name)?)?),
        None => None,
    };
    let public_key = match (&made, public) {
        (Some((_, key)), _) => *key,
        (None, Some(text)) => public_half(&text)?,
        (None, None) => return Err(Refusal::of("no key was given", "give --key FILE or --public HEX")),
    };
    let signer = signer(context).await?;
    store.check_new_user(name, &public_key).await?;
    if let (Some((file, _)), Some(path)) = (&made, &path) {
        write_secret(path, file)?;
    }
    let added = signer.add_user(store, name, &public_key).await;
    if let (Err(_), Some(path)) = (&added, &path) {
        // A key of nobody would only mislead; what matters is the database's refusal.
        std::fs::remove_file(path)?;
    }
    let user_id = added?;
    context.print(&json!({"user": user_id, "name": name, "key": path, "public": hex::encode(public_key)}), "");
    eprintln!("{name} is a user now.");
    Ok(())
}

/// Reads the public half of a key.
pub fn public_half(text: &str) -> Result<[u8; 32], Failure> {
    let mut bytes = [0; 32];
    let wrong = || {
        Refusal::of(
            "the public half is not 64 hexadecimal digits",
            "copy the line that `duly user key` or `duly key new` printed",
        )
    };
    hex::decode_to_slice(text.trim(), &mut bytes).map_err(|_| wrong())?;
    Ok(bytes)
}

async fn list(context: &Context) -> Result<(), Failure> {
    let users = context.store().await?.list_users().await?;
    let mut rows = vec![["name", "state", "id in evidence", "public half"].map(str::to_owned).to_vec()];
    rows.extend(users.iter().map(|u| {
        let state = if u.is_revoked { "revoked" } else { "active" };
        vec![u.name.clone(), state.to_owned(), u.user_id.to_string(), hex::encode(&u.public_key)]
    }));
    let text = if users.is_empty() { "No users yet: `duly init` makes the first one.".to_owned() } else { table(&rows, &[]) };
    context.print(&json!(users), &text);
    Ok(())
}
