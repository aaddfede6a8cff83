//! Keys, users, controllers, incidents, settings.

use super::{Context, Failure, Refusal};
use crate::config::explain;
use crate::model::profile::Profile;
use crate::model::seal::{Key, generate_pair};
use crate::model::user_key;
use crate::store::Store;
use crate::store::controller::NewController;
use crate::store::incident::NewIncident;
use clap::{Args, Subcommand};
use secrecy::ExposeSecret;
use serde_json::json;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// `duly init`.
#[derive(Args)]
pub struct Init {
    /// Name of the first user
    #[arg(long)]
    pub name: String,
    /// Where the user's key file goes
    #[arg(long, value_name = "FILE")]
    pub key: PathBuf,
}

/// `duly controller`.
#[derive(Args)]
pub struct AddController {
    /// Short name, such as northmere
    pub slug: String,
    /// Name as printed
    #[arg(long)]
    pub name: String,
    /// SMS sender, 3 to 11 letters or digits
    #[arg(long)]
    pub sms_sender: String,
    /// Letterhead line; repeat for more
    #[arg(long = "address")]
    pub address: Vec<String>,
}

/// `duly incident`.
#[derive(Args)]
pub struct AddIncident {
    /// Short name, such as northmere-2026
    pub slug: String,
    /// Controller's short name
    #[arg(long)]
    pub controller: String,
    /// Legal profile
    #[arg(long, default_value = "uk-gdpr")]
    pub profile: String,
    /// TOML file with nature, consequences, measures, advice, dpo_name, dpo_contact
    #[arg(long, value_name = "FILE")]
    pub texts: PathBuf,
    /// Approvals that a plan needs, by others than who prepared it
    #[arg(long, default_value_t = 1)]
    pub approvals_required: i32,
}

/// `duly user`.
#[derive(Subcommand)]
pub enum UserCommand {
    /// Add a user and make the key file
    Add {
        /// Name
        #[arg(long)]
        name: String,
        /// Where the key file goes
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
    },
    /// List users
    List,
    /// Revoke a user's key
    Revoke {
        /// Name
        name: String,
    },
}

/// The texts that the law requires; none has a default.
const TEXTS: &[&str] = &["nature", "consequences", "measures", "advice", "dpo_name", "dpo_contact"];

/// Writes a secret file that only its owner may read; never over another one.
pub fn write_secret(path: &Path, text: &str) -> Result<(), Failure> {
    if let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
        std::fs::create_dir_all(parent)?;
    }
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(|e| {
        Refusal::of(format!("the key file {} cannot be made: {e}", path.display()), "choose another path: a key is never written over")
    })?;
    file.write_all(text.as_bytes())?;
    Ok(())
}

/// Makes the master key, unless there is one, and the first user.
pub async fn init(context: &Context, args: Init) -> Result<(), Failure> {
    let settings = context.settings()?;
    if settings.keys.master_file.exists() {
        eprintln!("the master key {} is kept", settings.keys.master_file.display());
    } else {
        write_secret(&settings.keys.master_file, &Key::generate().to_hex())?;
    }
    migrate(context).await?;
    add_user(context, &args.name, &args.key).await
}

/// Migrates as the owner.
pub async fn migrate(context: &Context) -> Result<(), Failure> {
    let database = context.settings()?.database;
    let owner = if database.owner_url.expose_secret().is_empty() { database.url } else { database.owner_url };
    Ok(Store::migrate(owner.expose_secret()).await?)
}

/// Prints the settings.
pub fn settings(context: &Context) -> Result<(), Failure> {
    context.settings()?;
    let lines = explain(&context.layers)?;
    let text: Vec<String> = lines.iter().map(|l| format!("{:<36} {:<28} {}", l.key, l.value, l.source)).collect();
    context.print(&json!(lines), &text.join("\n"));
    Ok(())
}

/// The passphrase, from `DULY_PASSPHRASE_FILE` or a prompt.
pub fn passphrase(prompt: &str) -> Result<String, Failure> {
    match std::env::var_os("DULY_PASSPHRASE_FILE") {
        Some(path) => Ok(std::fs::read_to_string(path)?.trim_end().to_owned()),
        None => Ok(rpassword::prompt_password(prompt)?),
    }
}

async fn add_user(context: &Context, name: &str, path: &Path) -> Result<(), Failure> {
    let (file, public) = user_key::create(name, &passphrase("new passphrase: ")?)?;
    let office = context.office().await?;
    write_secret(path, &file)?;
    let user_id = office.store.insert_user(name, &public).await?;
    context.print(&json!({"user": user_id, "key": path}), &format!("user {name} added, key in {}", path.display()));
    Ok(())
}

/// `duly user …`.
pub async fn user(context: &Context, command: UserCommand) -> Result<(), Failure> {
    match command {
        UserCommand::Add { name, key } => {
            signed(context, &json!({"command": "user add", "name": name})).await?;
            add_user(context, &name, &key).await
        }
        UserCommand::List => {
            let users = context.office().await?.store.list_users().await?;
            let lines: Vec<String> = users.iter().map(|u| format!("{}{}", u.name, if u.is_revoked { " (revoked)" } else { "" })).collect();
            context.print(&json!(users), &lines.join("\n"));
            Ok(())
        }
        UserCommand::Revoke { name } => {
            signed(context, &json!({"command": "user revoke", "name": name})).await?;
            Ok(context.office().await?.store.revoke_user(&name).await?)
        }
    }
}

/// Signs a statement with the key that `DULY_USER_KEY` points to and keeps it; returns user and command.
pub async fn signed(context: &Context, statement: &serde_json::Value) -> Result<(Uuid, Uuid), Failure> {
    let path = std::env::var_os("DULY_USER_KEY")
        .ok_or_else(|| Refusal::of("this command must be signed", "set DULY_USER_KEY to your key file; `duly user add` makes one"))?;
    let key = user_key::unlock(&std::fs::read_to_string(path)?, &passphrase("passphrase: ")?)?;
    let office = context.office().await?;
    let bytes = statement.to_string().into_bytes();
    let signature = key.sign(&bytes);
    let user_id = office.store.load_user_by_key(&key.public()).await?;
    Ok((user_id, office.store.insert_command(user_id, &bytes, &signature).await?))
}

/// Adds a controller.
pub async fn add_controller(context: &Context, args: AddController) -> Result<(), Failure> {
    signed(context, &json!({"command": "controller", "slug": args.slug})).await?;
    let office = context.office().await?;
    let (public, secret) = generate_pair();
    let new = NewController {
        slug: args.slug,
        name: args.name,
        sms_sender: args.sms_sender,
        address: args.address,
        receipts_public_key: public,
        receipts_secret_key: office.master.wrap(&secret, "receipts"),
    };
    let id = office.store.insert_controller(&new).await?;
    context.print(&json!({"controller": id}), &format!("controller {} added", new.slug));
    Ok(())
}

/// Adds an incident.
pub async fn add_incident(context: &Context, args: AddIncident) -> Result<(), Failure> {
    let texts: toml::Table = toml::from_str(&std::fs::read_to_string(&args.texts)?)?;
    if let Some(missing) = TEXTS.iter().find(|t| texts.get(**t).and_then(toml::Value::as_str).is_none_or(|v| v.trim().is_empty())) {
        return Err(Refusal::of(format!("the texts have no `{missing}`"), "write it: the law requires it and Duly has no default"));
    }
    signed(context, &json!({"command": "incident", "slug": args.slug})).await?;
    let office = context.office().await?;
    let path = office.settings.profiles.folder.join(format!("{}.toml", args.profile));
    let profile = Profile::parse(&std::fs::read_to_string(&path)?)?;
    let key = Key::generate();
    let (public, secret) = generate_pair();
    let new = NewIncident {
        controller_id: office.store.load_controller(&args.controller).await?,
        incident_id: Uuid::now_v7(),
        slug: args.slug,
        profile: profile.id,
        closing: json!(profile.closing),
        texts: json!(texts),
        wrapped_key: office.master.wrap(&key, "incident"),
        intake_public_key: public,
        intake_secret_key: key.wrap(&secret, "intake"),
        approvals_required: args.approvals_required,
    };
    office.store.insert_incident(&new).await?;
    context.print(&json!({"incident": new.incident_id}), &format!("incident {} added", new.slug));
    Ok(())
}
