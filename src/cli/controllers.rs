//! Controllers: the organisations that must notify.

use super::failure::{check_visible, read_bytes};
use super::output::table;
use super::sign::{signed, signer};
use super::{Context, Failure};
use crate::model::look::{PICTURE_BYTES_MAX, Picture};
use crate::model::seal::generate_pair;
use crate::model::statement::{controller_add, controller_set};
use crate::store::StoreError;
use crate::store::controller::NewController;
use crate::store::quarantine::Decider;
use clap::{Args, Subcommand};
use serde_json::json;
use std::path::PathBuf;

/// `duly controller`.
#[derive(Subcommand)]
pub enum ControllerCommand {
    /// Add a controller
    Add(AddController),
    /// Set what a controller's letters look like: logo, signature, page that tells how to check a letter
    Set(SetController),
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

/// `duly controller set`.
#[derive(Args)]
#[command(
    after_help = "Example:\n  duly controller set northmere --logo badge.svg --logo-alt 'Badge of Northmere Police' \\\n    --check-page https://northmere.police.uk/check\n  duly controller set northmere --signature amis.svg --signature-alt 'Signature of Ruth Amis'\n\nA signature stands where a template has {{signature}}: in the shipped ones, above the name of who signs. What is not given stays; `none` takes it away. Plans that are prepared already keep what they had."
)]
pub struct SetController {
    /// Short name
    pub slug: String,
    /// Logo: SVG or PNG; or `none`
    #[arg(long, value_name = "FILE")]
    pub logo: Option<PathBuf>,
    /// What the logo shows, for who cannot see it
    #[arg(long, value_name = "TEXT", requires = "logo")]
    pub logo_alt: Option<String>,
    /// Scanned signature of who signs the letters, 13 mm high: SVG or PNG; or `none`
    #[arg(long, value_name = "FILE")]
    pub signature: Option<PathBuf>,
    /// What it shows, for who cannot see it
    #[arg(long, value_name = "TEXT", requires = "signature")]
    pub signature_alt: Option<String>,
    /// Public page that tells how to check a letter, printed with a QR code, the same for everybody; or `none`
    #[arg(long, value_name = "URL")]
    pub check_page: Option<String>,
}

/// Runs a controller command.
pub async fn run(context: &Context, command: ControllerCommand) -> Result<(), Failure> {
    match command {
        ControllerCommand::Add(args) => add(context, args).await,
        ControllerCommand::Set(args) => set(context, args).await,
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
    let command = controller_add(&args.slug, &args.name, &args.sms_sender, &args.address);
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

async fn set(context: &Context, args: SetController) -> Result<(), Failure> {
    let store = context.store().await?;
    let controller_id = store.load_controller(&args.slug).await?;
    let mut look = store.load_letterhead(controller_id).await?;
    if args.logo.is_none() && args.signature.is_none() && args.check_page.is_none() {
        return Err(super::Refusal::of(
            "there is nothing to set",
            "give --logo with --logo-alt, --signature with --signature-alt, or --check-page",
        ));
    }
    if let Some(path) = args.logo {
        look.logo = picture("logo", &path, args.logo_alt)?;
    }
    if let Some(path) = args.signature {
        look.signature = picture("signature", &path, args.signature_alt)?;
    }
    if let Some(url) = args.check_page {
        look.check_page = (url != "none").then_some(url);
    }
    // A picture that no letter can print is found here, and not when a plan is prepared.
    crate::render::letter::try_on(&look)?;
    let by = signer(context).await?.sign(store, &controller_set(&args.slug, &look.hash())).await?;
    store.insert_letterhead(controller_id, &look, by).await?;
    let hash = hex::encode(look.hash());
    context.print(&json!({"controller": args.slug, "letterhead": hash}), "");
    eprintln!(
        "Letters of {} look so from the next plan on. See them: duly template preview --controller {}",
        args.slug, args.slug
    );
    Ok(())
}

/// A picture of a file, or none where it is called so.
fn picture(what: &str, path: &std::path::Path, alt: Option<String>) -> Result<Option<Picture>, Failure> {
    if path.as_os_str() == "none" {
        return Ok(None);
    }
    let bytes = read_bytes(path)?;
    if bytes.len() > PICTURE_BYTES_MAX {
        return Err(super::Refusal::of(
            format!("the {what} has {} kB, more than {}", bytes.len() / 1024, PICTURE_BYTES_MAX / 1024),
            "it lies in every letter: save it smaller, as SVG without pictures inside",
        ));
    }
    Ok(Some((bytes.into(), alt.unwrap_or_default())))
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
