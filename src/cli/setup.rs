//! The first steps: keys, the first user, migrations, settings.

pub use super::sign::signed;

use super::failure::check_visible;
use super::output::{Paint, count, table};
use super::sign::new_passphrase;
use super::{Context, Failure, Refusal};
use crate::config::{SettingsError, explain};
use crate::model::seal::Key;
use crate::model::user_key;
use crate::store::{Migrated, Store};
use clap::Args;
use secrecy::ExposeSecret;
use serde_json::json;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Duration;

/// How long a command waits for the database before it says so.
const SILENCE: Duration = Duration::from_secs(1);

/// `duly init`.
#[derive(Args)]
#[command(
    after_help = "Example:\n  duly init --name 'Ann Price' --key ann.key\n\nAsks for a new passphrase, or reads it from the file of DULY_NEW_PASSPHRASE_FILE. Nothing that exists is written over.\n\nNobody vouches for the first user: write its public half, as `duly user list` shows it, where others can read it. Every later user is added by the signature of one who is there, and `duly audit` follows these back to the first."
)]
pub struct Init {
    /// Name of the first user, as plans and stories show it
    #[arg(long)]
    pub name: String,
    /// Where the user's key file goes
    #[arg(long, value_name = "FILE")]
    pub key: PathBuf,
}

/// Writes a secret file that only its owner may read; never over another one.
pub fn write_secret(path: &Path, content: impl AsRef<[u8]>) -> Result<(), Failure> {
    if let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
        std::fs::create_dir_all(parent)?;
    }
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(|cause| {
        Refusal::because(
            format!("the file `{}` cannot be made", path.display()),
            "choose another path: nothing is written over",
            cause,
        )
    })?;
    file.write_all(content.as_ref())?;
    Ok(file.sync_all()?)
}

/// Makes the master key and the logs' key, unless they are there, and the first user.
pub async fn init(context: &Context, args: Init) -> Result<(), Failure> {
    let settings = context.settings()?;
    if args.key.exists() {
        return Err(Refusal::of(format!("`{}` exists", args.key.display()), "choose another path: a key is never written over"));
    }
    check_visible("name", &args.name)?;
    migrate(context).await?;
    let store = context.store().await?;
    if !store.list_users().await?.is_empty() {
        return Err(Refusal::of(
            "this database has users already",
            "ask one of them to run `duly user add`; `duly user list` names them",
        ));
    }
    let (file, public) = user_key::create(&args.name, &new_passphrase(&args.name)?)?;
    let master = key_file(&settings.keys.master_file, "DULY_MASTER_KEY", || settings.master_key())?;
    let log = key_file(&settings.keys.log_file, "DULY_LOG_KEY", || settings.log_key())?;
    write_secret(&args.key, &file)?;
    let user_id = match store.insert_first_user(&args.name, &public).await {
        Ok(user_id) => user_id,
        Err(error) => {
            // A key of nobody would only mislead; what matters is the database's refusal.
            std::fs::remove_file(&args.key)?;
            return Err(error.into());
        }
    };
    context.print(&json!({"user": user_id, "name": args.name, "key": args.key, "master_key": master, "log_key": log}), "");
    tell_next_steps(&args, &master, &log);
    Ok(())
}

/// Where a key is; made if there is none. Never written over: whatever is sealed or signed depends on it.
fn key_file(path: &Path, variable: &str, read: impl Fn() -> Result<Key, SettingsError>) -> Result<String, Failure> {
    let name = path.display().to_string();
    if std::env::var_os(variable).is_some() {
        read()?;
        return Ok(variable.to_owned());
    }
    if path.exists() {
        read()?;
        eprintln!("The key `{name}` was there already and is kept.");
    } else {
        write_secret(path, Key::generate().to_hex().as_bytes())?;
    }
    Ok(name)
}

fn tell_next_steps(args: &Init, master: &str, log: &str) {
    let paint = Paint::stderr();
    let key = args.key.display();
    eprintln!("{}", paint.strong(&format!("{} is the first user. Nothing was sent and nobody was told yet.", args.name)));
    eprintln!("Next:");
    eprintln!("  1. Keep copies of {master} and {log} in a safe: without them nothing can be read again, and no proof goes on.");
    eprintln!("     `duly key split` makes two halves of the first on paper, for two holders.");
    eprintln!("  2. export DULY_USER_KEY={key}");
    eprintln!("  3. duly user add --name 'Bob Evans' --key bob.key     a plan needs somebody else to approve it");
    eprintln!("  4. duly controller add northmere --name 'Northmere Police' --sms-sender NORTHMERE --address 'PO Box 118'");
    eprintln!("  5. duly incident add cards-2026 --controller northmere --texts texts.toml");
}

/// Migrates as the owner, under a lock, so that many processes may start at once.
pub async fn migrate(context: &Context) -> Result<Migrated, Failure> {
    let database = context.settings()?.database;
    let owner = if database.owner_url.expose_secret().is_empty() { database.url } else { database.owner_url };
    reach(owner.expose_secret()).await?;
    Ok(Store::migrate(owner.expose_secret()).await?)
}

/// Migrates and says what was done.
pub async fn migrate_alone(context: &Context) -> Result<(), Failure> {
    let done = migrate(context).await?;
    context.print(&json!(done), "");
    match done.applied {
        0 => eprintln!("The database has schema {} already; nothing was changed.", done.schema),
        n => {
            eprintln!("{} applied: the database has schema {}.", count(i64::try_from(n)?, "migration", "migrations"), done.schema)
        }
    }
    Ok(())
}

/// Finds out whether the database answers; says for whom it waits, so that nobody looks at a silent terminal.
pub async fn reach(url: &str) -> Result<(), Failure> {
    let mut reached = pin!(Store::reach(url));
    tokio::select! {
        reached = reached.as_mut() => return Ok(reached?),
        () = tokio::time::sleep(SILENCE) => {}
    }
    let place = Store::place(url)?;
    // A service's lines are a log.
    match tracing::enabled!(tracing::Level::INFO) {
        true => tracing::info!(place, "waiting for the database"),
        false => eprintln!("Waiting for the database at {place}, a few seconds more …"),
    }
    Ok(reached.await?)
}

/// Prints the settings.
pub fn settings(context: &Context) -> Result<(), Failure> {
    let settings = context.settings()?;
    let lines = explain(&context.layers)?;
    let mut rows = vec![vec!["setting".to_owned(), "value".to_owned(), "from".to_owned()]];
    rows.extend(lines.iter().map(|l| vec![l.key.clone(), l.value.clone(), l.source.clone()]));
    context.print(&json!(lines), &table(&rows, &[]));
    if !settings.database.for_receipts().1 {
        eprintln!("database.receipts_url is empty: `duly serve receipts` keeps receipts with the full login of database.url.");
    }
    Ok(())
}
