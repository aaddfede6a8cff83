//! The command line: one file per group of commands, each a thin layer over the library.

pub mod demo;
pub mod jobs;
pub mod lists;
pub mod plans;
pub mod quarantine;
pub mod serve;
pub mod setup;
pub mod status;

use crate::config::{self, Settings};
use crate::dispatch::Office;
use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::sync::Arc;

/// An error of a command with what to do about it.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A refusal that carries its own remedy.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct Refusal {
    /// What happened.
    pub what: String,
    /// What to do now.
    pub remedy: &'static str,
}

impl Refusal {
    /// A refusal as a failure.
    pub fn of(what: impl Into<String>, remedy: &'static str) -> Failure {
        Box::new(Self { what: what.into(), remedy })
    }
}

/// Tell every affected person, once, and prove it.
#[derive(Parser)]
#[command(name = "duly", version, about, after_help = "Examples:\n  duly init --name 'Ann Price' --key ann.key\n  duly list import affected.csv --incident northmere-2026\n  duly plan prepare --incident northmere-2026 --route sms-then-letter,letter,sms\n  duly status --incident northmere-2026")]
pub struct Cli {
    /// Second settings file, above config/default.toml
    #[arg(long, global = true, value_name = "FILE")]
    settings: Option<PathBuf>,
    /// One setting, above all files: `--set dispatch.lease_ms=60000`
    #[arg(long, global = true, value_name = "KEY=VALUE", value_parser = pair)]
    set: Vec<(String, String)>,
    /// Print data as JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make the master key and the first user
    Init(setup::Init),
    /// Apply the database's migrations
    Migrate,
    /// Print the settings in force and where each comes from
    Settings,
    /// Add a controller
    Controller(setup::AddController),
    /// Add an incident
    Incident(setup::AddIncident),
    /// Users: add, list, revoke
    #[command(subcommand)]
    User(setup::UserCommand),
    /// Import an affected list
    #[command(subcommand)]
    List(lists::ListCommand),
    /// Rows that wait: list, export, correct, discard
    #[command(subcommand)]
    Quarantine(quarantine::QuarantineCommand),
    /// Jobs on duly.intake: publish, rejected, key
    #[command(subcommand)]
    Job(jobs::JobCommand),
    /// Prepare, approve, go, pause, resume
    #[command(subcommand)]
    Plan(plans::PlanCommand),
    /// Stop sending to an incident, or lift the stop
    #[command(subcommand)]
    Hold(plans::HoldCommand),
    /// Run roles: web, scheduler, worker (all by default)
    Serve(serve::Serve),
    /// Run the simulator of providers
    Sandbox(serve::Sandbox),
    /// Counts by state, lanes, and the equation
    Status(status::Status),
    /// Explain the words that Duly uses
    Words,
    /// Send to 5,000 made-up people through the sandbox, kill a worker, show that everybody was told once
    Demo(demo::Demo),
}

/// Parses `key=value`.
pub fn pair(text: &str) -> Result<(String, String), String> {
    text.split_once('=').map(|(k, v)| (k.to_owned(), v.to_owned())).ok_or_else(|| "write KEY=VALUE".to_owned())
}

/// Settings and output form of a run.
pub struct Context {
    /// The layers.
    pub layers: figment::Figment,
    /// Whether data is printed as JSON.
    pub json: bool,
}

impl Context {
    /// The settings in force.
    pub fn settings(&self) -> Result<Settings, Failure> {
        Ok(Settings::load(&self.layers)?)
    }

    /// Settings, database and keys.
    pub async fn office(&self) -> Result<Arc<Office>, Failure> {
        Ok(Arc::new(Office::open(self.settings()?).await?))
    }

    /// Prints data: JSON as it is, or lines for people.
    pub fn print(&self, data: &serde_json::Value, lines: &str) {
        if self.json { println!("{data}") } else { println!("{lines}") }
    }
}

/// Runs the command.
pub async fn run(cli: Cli) -> Result<(), Failure> {
    let context = Context { layers: config::layers(cli.settings.as_deref(), &cli.set), json: cli.json };
    match cli.command {
        Command::Init(args) => setup::init(&context, args).await,
        Command::Migrate => setup::migrate(&context).await,
        Command::Settings => setup::settings(&context),
        Command::Controller(args) => setup::add_controller(&context, args).await,
        Command::Incident(args) => setup::add_incident(&context, args).await,
        Command::User(command) => setup::user(&context, command).await,
        Command::List(command) => lists::run(&context, command).await,
        Command::Quarantine(command) => quarantine::run(&context, command).await,
        Command::Job(command) => jobs::run(&context, command).await,
        Command::Plan(command) => plans::run(&context, command).await,
        Command::Hold(command) => plans::hold(&context, command).await,
        Command::Serve(args) => serve::serve(&context, args).await,
        Command::Sandbox(args) => serve::sandbox(args).await,
        Command::Status(args) => status::run(&context, args).await,
        Command::Words => {
            println!("{}", status::WORDS);
            Ok(())
        }
        Command::Demo(args) => demo::run(args).await,
    }
}

/// What to do about an error, where one of Duly's errors stands in its chain.
pub fn remedy(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    use crate::dispatch::DispatchError;
    if let Some(e) = error.downcast_ref::<Refusal>() {
        return Some(e.remedy.to_owned());
    }
    if let Some(e) = error.downcast_ref::<crate::store::StoreError>() {
        return Some(e.remedy().to_owned());
    }
    if let Some(e) = error.downcast_ref::<crate::intake::list::ImportError>() {
        return Some(e.remedy().to_owned());
    }
    if let Some(e) = error.downcast_ref::<crate::intake::correction::CorrectionError>() {
        return Some(e.remedy().to_owned());
    }
    if let Some(e) = error.downcast_ref::<crate::intake::job::PublishError>() {
        return Some(e.remedy().to_owned());
    }
    if let Some(e) = error.downcast_ref::<crate::broker::BrokerError>() {
        return Some(e.remedy().to_owned());
    }
    if let Some(DispatchError::Store(e)) = error.downcast_ref::<DispatchError>() {
        return Some(e.remedy().to_owned());
    }
    error.downcast_ref::<config::SettingsError>().map(|_| "see config/default.toml for every key with its unit".to_owned())
}
