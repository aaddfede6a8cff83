//! The controller's own signature over a frozen list, with a key that may live away from the server.

use super::failure::read_text;
use super::output::when;
use super::setup::write_secret;
use super::sign::{signed, signer, unlock_key};
use super::{Context, Failure, Refusal};
use crate::model::list_key::{ListStatement, SignedList};
use crate::store::list_signature::{PinnedKey, Signed};
use crate::store::quarantine::Decider;
use clap::Args;
use serde_json::json;
use std::path::{Path, PathBuf};

/// `duly list statement`.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  duly list statement --incident cards-2026 --list 1\n  duly list statement --incident cards-2026 --list 1 --out list-1.txt\n\nWhoever holds the key compares the count with the list that they handed over, then runs `duly list sign --statement`."
)]
pub struct Statement {
    /// Incident, or controller/incident
    #[arg(long)]
    incident: String,
    /// List, by its number
    #[arg(long)]
    list: i32,
    /// New file; without one it is printed
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// `duly list sign`.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  duly list sign --incident cards-2026 --list 1 --key list.key                    here\n  duly list sign --statement list-1.txt --key list.key --out list-1.sig.json       away from the server, without a database\n\nThe key's passphrase comes from the file of DULY_LIST_PASSPHRASE_FILE or a prompt."
)]
pub struct Sign {
    /// Incident, or controller/incident
    #[arg(long, required_unless_present = "statement", conflicts_with = "statement", requires = "list")]
    incident: Option<String>,
    /// List, by its number
    #[arg(long, requires = "incident")]
    list: Option<i32>,
    /// Statement that `duly list statement` wrote
    #[arg(long, value_name = "FILE", requires = "out")]
    statement: Option<PathBuf>,
    /// List key that `duly key new` made
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// New file for the signature, to be taken by `duly list attach`
    #[arg(long, value_name = "FILE", requires = "statement")]
    out: Option<PathBuf>,
}

/// `duly list attach`.
#[derive(Args)]
#[command(after_help = "Example:\n  duly list attach list-1.sig.json --incident cards-2026")]
pub struct Attach {
    /// Signature that `duly list sign --statement` wrote
    file: PathBuf,
    /// Incident, or controller/incident
    #[arg(long)]
    incident: String,
}

/// `duly list replace-key`.
#[derive(Args)]
#[command(
    after_help = "Example:\n  duly list replace-key --controller northmere --public 5f0c…\n\nThe command is signed and stays on record. Have the controller confirm the new key by another way first."
)]
pub struct ReplaceKey {
    /// Controller
    #[arg(long)]
    controller: String,
    /// Public half of the new key, as `duly key new` prints it
    #[arg(long, value_name = "HEX")]
    public: String,
}

/// Prints or writes the statement.
pub async fn statement(context: &Context, args: Statement) -> Result<(), Failure> {
    let store = context.store().await?;
    let incident = store.load_incident(&args.incident).await?;
    let statement = store.load_list_statement(incident.key, args.list).await?;
    let text = statement.text();
    match &args.out {
        Some(path) => {
            write_secret(path, &text)?;
            context.print(
                &json!({"list": args.list, "people": statement.people, "root": hex::encode(statement.root), "file": path}),
                "",
            );
            eprintln!("List {} has {} people. Sign `{}` where the key is.", args.list, statement.people, path.display());
        }
        None => context.print(&json!({"statement": text}), text.trim_end()),
    }
    Ok(())
}

/// Signs here, or away from the server.
pub async fn sign(context: &Context, args: Sign) -> Result<(), Failure> {
    if let (Some(path), Some(out)) = (&args.statement, &args.out) {
        return sign_away(context, path, out, &args.key);
    }
    let (Some(slug), Some(list)) = (args.incident, args.list) else {
        return Err(Refusal::of(
            "neither a list nor a statement was named",
            "give --incident and --list, or --statement and --out",
        ));
    };
    let store = context.store().await?;
    let incident = store.load_incident(&slug).await?;
    let statement = store.load_list_statement(incident.key, list).await?;
    let key = unlock_key(&args.key, "DULY_LIST_PASSPHRASE_FILE", "Passphrase of the list key: ")?;
    keep(context, &slug, &SignedList::sign(statement, &key), "list sign").await
}

fn sign_away(context: &Context, path: &Path, out: &Path, key: &Path) -> Result<(), Failure> {
    let statement = ListStatement::parse(&read_text(path)?)?;
    let key = unlock_key(key, "DULY_LIST_PASSPHRASE_FILE", "Passphrase of the list key: ")?;
    let signed = SignedList::sign(statement, &key);
    write_secret(out, signed.to_file())?;
    let (list, people) = (signed.statement.list_no, signed.statement.people);
    context.print(&json!({"list": list, "people": people, "key": hex::encode(signed.key), "file": out}), "");
    eprintln!("Signed: list {list} with {people} people. On the server: duly list attach {}", out.display());
    Ok(())
}

/// Takes a signature from its file.
pub async fn attach(context: &Context, args: Attach) -> Result<(), Failure> {
    let signed = SignedList::read(&read_text(&args.file)?)?;
    keep(context, &args.incident, &signed, "list attach").await
}

async fn keep(context: &Context, slug: &str, list: &SignedList, command: &str) -> Result<(), Failure> {
    let store = context.store().await?;
    let incident = store.load_incident(slug).await?;
    let key = hex::encode(list.key);
    let signer = signer(context).await?;
    let is_there = store.check_signed_list(incident.key, list).await?;
    if let Some(pinned) = store.find_list_key(incident.key.controller_id).await?.filter(|pinned| pinned.public_key != list.key) {
        return Err(other_key(&incident.controller_slug, &pinned));
    }
    let statement = json!({
        "command": command, "incident": incident.incident_id, "list": list.statement.list_no, "root": hex::encode(list.statement.root),
        "key": key,
    });
    let (list_no, people) = (list.statement.list_no, list.statement.people);
    let written = match is_there {
        true => Signed::Before,
        false => store.sign_list(incident.key, list, signer.sign(store, &statement).await?).await?,
    };
    let pinned = match written {
        Signed::OtherKey(pinned) => return Err(other_key(&incident.controller_slug, &pinned)),
        Signed::Before => {
            eprintln!("This key signed list {list_no} before; nothing was changed.");
            false
        }
        Signed::Written { pinned } => {
            eprintln!("The controller's signature over list {list_no} with {people} people is on record.");
            pinned
        }
    };
    if pinned {
        eprintln!("The key {key} is pinned for {}: another one is refused from now on.", incident.controller_slug);
    }
    context.print(&json!({"list": list_no, "people": people, "key": key, "pinned": pinned}), "");
    Ok(())
}

fn other_key(controller: &str, pinned: &PinnedKey) -> Failure {
    Refusal::of(
        format!(
            "{controller} signs with the key {}, that {} brought on {}; nothing was changed",
            hex::encode(pinned.public_key),
            pinned.pinned_by,
            when(pinned.pinned_at)
        ),
        format!(
            "sign with that key, or have the controller confirm the new one and run `duly list replace-key --controller {controller}`"
        ),
    )
}

/// Pins another key.
pub async fn replace_key(context: &Context, args: ReplaceKey) -> Result<(), Failure> {
    let public_key = super::users::public_half(&args.public)?;
    let store = context.store().await?;
    let controller_id = store.load_controller(&args.controller).await?;
    let before = store.find_list_key(controller_id).await?;
    if before.as_ref().is_some_and(|pinned| pinned.public_key == public_key) {
        return Err(Refusal::of("this key is pinned already", "nothing is left to do"));
    }
    let statement = json!({
        "command": "list replace-key", "controller": args.controller, "public": hex::encode(public_key),
        "before": before.map(|pinned| hex::encode(pinned.public_key)),
    });
    let (user_id, command_id) = signed(context, &statement).await?;
    let key_no = store.replace_list_key(controller_id, &public_key, Decider { user_id, command_id }).await?;
    context.print(&json!({"controller": args.controller, "key": hex::encode(public_key), "key_no": key_no}), "");
    eprintln!("Pinned. Lists of {} are signed with this key from now on; earlier signatures stay.", args.controller);
    Ok(())
}
