//! Controllers: the organisations that must notify.

use super::failure::check_visible;
use super::output::table;
use super::sign::signed;
use super::{Context, Failure};
use crate::model::seal::generate_pair;
use crate::store::StoreError;
use crate::store::controller::NewController;
use crate::store::quarantine::Decider;
use clap::{Args, Subcommand};
use serde_json::json;

/// `duly controller`.
#[derive(Subcommand)]
pub enum ControllerCommand {
    /// Add a controller
    Add(AddController),
    /// List controllers
    #[command(after_help = "Example:\n  duly controller list --json")]
    List,
}

/// `duly controller add`.
#[derive(Args)]
#[command(
    after_help = "Example:\n  duly controller add northmere --name 'Northmere Police' --sms-sender NORTHMERE \\\n    --address 'Northmere Police' --address 'PO Box 118' --address 'Northmere NM1 9ZZ'"
)]
pub struct AddController {
    /// Short name: lower-case letters, digits, hyphens; such as northmere
    pub slug: String,
    /// Name as printed
    #[arg(long)]
    pub name: String,
    /// SMS sender, 3 to 11 letters or digits
    #[arg(long)]
    pub sms_sender: String,
    /// Letterhead line; repeat for more
    #[arg(long = "address", required = true)]
    pub address: Vec<String>,
}

/// Runs a controller command.
pub async fn run(context: &Context, command: ControllerCommand) -> Result<(), Failure> {
    match command {
        ControllerCommand::Add(args) => add(context, args).await,
        ControllerCommand::List => list(context).await,
    }
}

async fn add(context: &Context, args: AddController) -> Result<(), Failure> {
    super::incidents::check_slug(&args.slug)?;
    if !(3..=11).contains(&args.sms_sender.len()) || !args.sms_sender.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Err(super::Refusal::of(
            "the SMS sender is not 3 to 11 letters or digits",
            "choose a name such as NORTHMERE: networks show no other",
        ));
    }
    check_visible("name", &args.name)?;
    args.address.iter().try_for_each(|line| check_visible("address", line))?;
    let store = context.store().await?;
    let master = context.settings()?.master_key()?;
    if store.list_controllers().await?.iter().any(|(slug, _)| *slug == args.slug) {
        return Err(StoreError::Taken { what: "controller", name: args.slug }.into());
    }
    let command = json!({
        "command": "controller add", "controller": args.slug, "name": args.name, "sms_sender": args.sms_sender, "address": args.address,
    });
    let (user_id, command_id) = signed(context, &command).await?;
    let (public, secret) = generate_pair();
    let new = NewController {
        slug: args.slug,
        name: args.name,
        sms_sender: args.sms_sender,
        address: args.address,
        receipts_public_key: public,
        receipts_secret_key: master.wrap(&secret, "receipts"),
        added_by: Some(Decider { user_id, command_id }),
    };
    let id = store.insert_controller(&new).await?;
    context.print(&json!({"controller": new.slug, "controller_id": id}), "");
    eprintln!("Controller {} added. Its providers send receipts to /receipts/{}/LANE.", new.slug, new.slug);
    Ok(())
}

async fn list(context: &Context) -> Result<(), Failure> {
    let controllers = context.store().await?.list_controllers().await?;
    let data: Vec<_> = controllers.iter().map(|(slug, name)| json!({"controller": slug, "name": name})).collect();
    let mut rows = vec![["controller", "name"].map(str::to_owned).to_vec()];
    rows.extend(controllers.into_iter().map(|(slug, name)| vec![slug, name]));
    let text = if rows.len() == 1 { "No controllers yet: `duly controller add` adds one.".to_owned() } else { table(&rows, &[]) };
    context.print(&json!(data), &text);
    Ok(())
}
