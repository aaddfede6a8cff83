//! The command line: one file per group of commands, each a thin layer over the library.

/// As std's, which panics where nobody reads stderr any more: a command would end in the middle of its work.
macro_rules! eprintln {
    () => { $crate::cli::output::words("\n") };
    ($($words:tt)*) => { $crate::cli::output::words(&format!("{}\n", format_args!($($words)*))) };
}

/// As `eprintln` above.
macro_rules! eprint {
    ($($words:tt)*) => { $crate::cli::output::words(&format!($($words)*)) };
}

pub mod audit;
mod batches;
pub mod close;
pub mod controllers;
pub mod demo;
pub mod failure;
pub mod help;
pub mod holds;
pub mod incidents;
pub mod jobs;
pub mod keys;
pub mod list_signatures;
pub mod lists;
pub mod logs;
mod messages;
pub mod output;
pub mod pack;
pub mod person;
pub mod plans;
pub mod providers;
pub mod quarantine;
pub mod report;
pub mod restore;
pub mod serve;
pub mod setup;
pub mod sign;
pub mod status;
pub mod tasks;
mod review;
pub mod templates;
pub mod unknown;
pub mod users;
pub mod verify;
pub mod words;

pub use failure::{Failure, Refusal, Remedy};

use crate::config::{self, Settings};
use crate::dispatch::{Office, deadlines};
use crate::store::Store;
use clap::{Parser, Subcommand};
use secrecy::ExposeSecret;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::OnceCell;
use uuid::Uuid;

/// Tell every person affected by a data breach, once, and prove it.
#[derive(Parser)]
#[command(
    name = "duly",
    version,
    about,
    disable_help_subcommand = true,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub struct Cli {
    /// Second settings file, above config/default.toml; without it that of DULY_SETTINGS
    // Not by clap, whose usage would show the option as needed wherever the variable is set.
    #[arg(long, global = true, value_name = "FILE", help_heading = "For every command")]
    settings: Option<PathBuf>,
    /// One setting, above all files: `--set dispatch.lease_ms=60000`
    #[arg(long, global = true, value_name = "KEY=VALUE", value_parser = pair, help_heading = "For every command")]
    set: Vec<(String, String)>,
    /// Print data as JSON
    #[arg(long, global = true, help_heading = "For every command")]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make the keys and the first user
    Init(setup::Init),
    /// Apply the database's migrations
    #[command(after_help = "Example:\n  duly migrate")]
    Migrate,
    /// Print the settings in force and where each comes from
    #[command(after_help = "Examples:\n  duly settings\n  duly --settings police.toml settings --json")]
    Settings,
    /// Users: add, key, list, revoke
    #[command(subcommand)]
    User(users::UserCommand),
    /// Keys: split the master key for its recovery, test-restore, restore; new, a controller's list key
    #[command(subcommand)]
    Key(keys::KeyCommand),
    /// Controllers, the organisations that must notify: add, set, list
    #[command(subcommand)]
    Controller(controllers::ControllerCommand),
    /// Incidents: add, list, show, close, reopen
    #[command(subcommand)]
    Incident(incidents::IncidentCommand),
    /// Affected lists: import, statement, sign, attach, replace-key
    #[command(subcommand)]
    List(lists::ListCommand),
    /// Rows that wait: list, export, correct, discard
    #[command(subcommand)]
    Quarantine(quarantine::QuarantineCommand),
    /// Jobs on duly.intake: publish, rejected, retry, discard, key
    #[command(subcommand)]
    Job(jobs::JobCommand),
    /// Templates: list, check, preview, diff, review, new
    #[command(subcommand)]
    Template(templates::TemplateCommand),
    /// Plans: prepare, show, approve, go, pause, resume, withdraw
    #[command(subcommand)]
    Plan(plans::PlanCommand),
    /// Holds: set a stop on an incident or a person, lift, list
    #[command(subcommand)]
    Hold(holds::HoldCommand),
    /// Where an incident stands: people, the equation, lanes, what needs a person
    Status(status::Status),
    /// One person: show the story, exempt, told in another way, reopen, erase
    #[command(subcommand)]
    Person(person::PersonCommand),
    /// People who have to be told by hand: list
    #[command(subcommand)]
    Task(tasks::TaskCommand),
    /// Single messages: list, cancel as long as their provider holds them
    #[command(subcommand)]
    Message(messages::MessageCommand),
    /// Calls of which nobody knows how they ended: list, decide
    #[command(subcommand)]
    Unknown(unknown::UnknownCommand),
    /// Check that nobody is lost, nobody told twice and no fact altered; or draw a sample
    Audit(audit::Audit),
    /// Check a pack of evidence: needs no database, no network and no settings
    Verify(verify::Verify),
    /// Reports from the log alone: regulator, witness
    #[command(subcommand)]
    Report(report::ReportCommand),
    /// Evidence as a file: of an incident, of one person
    #[command(subcommand)]
    Pack(pack::PackCommand),
    /// The logs: list how far they are signed, print the key that verifies them; new-key, to change it
    #[command(subcommand)]
    Log(logs::LogCommand),
    /// After a restore or a move of the database: reconcile, before anything is sent
    #[command(subcommand)]
    Restore(restore::RestoreCommand),
    /// Providers: list what the lanes' can do and how they fare, check whether they answer, compare a statement of theirs
    #[command(subcommand)]
    Provider(providers::ProviderCommand),
    /// Batches that somebody carries: list, handed-over, result
    #[command(subcommand)]
    Batch(batches::BatchCommand),
    /// Run roles until told to stop
    Serve(serve::Serve),
    /// Run the simulator of providers
    Sandbox(serve::Sandbox),
    /// Send to made-up people through the sandbox, kill a worker, show that everybody was told once
    Demo(demo::Demo),
    /// Print this help, the help of a command, or `duly help words`: the words that Duly uses
    Help(help::Help),
}

/// Parses the command line; ends the program with code 2 where it is wrong.
pub fn parse() -> Cli {
    use clap::FromArgMatches;
    let matches = help::command().get_matches();
    Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
}

/// Parses `key=value`.
pub fn pair(text: &str) -> Result<(String, String), String> {
    text.split_once('=').map(|(k, v)| (k.to_owned(), v.to_owned())).ok_or_else(|| "write KEY=VALUE".to_owned())
}

/// Parses an id that a command printed.
pub fn id(text: &str, printed_by: &str) -> Result<Uuid, String> {
    Uuid::try_parse(text).map_err(|_| format!("this is no id: copy it as `{printed_by}` prints it"))
}

/// Settings, connections and output form of a run.
pub struct Context {
    /// The layers.
    pub layers: figment::Figment,
    /// Whether data is printed as JSON.
    pub json: bool,
    store: OnceCell<Store>,
    office: OnceCell<Arc<Office>>,
}

impl Context {
    /// The settings in force.
    pub fn settings(&self) -> Result<Settings, Failure> {
        Ok(Settings::load(&self.layers)?)
    }

    /// The database alone, with the schema that this program needs.
    pub async fn store(&self) -> Result<&Store, Failure> {
        self.store
            .get_or_try_init(|| async {
                let settings = self.settings()?;
                let database = &settings.database;
                setup::reach(database.url.expose_secret()).await?;
                let store = Store::connect(database.url.expose_secret(), database.connections, deadlines(&settings)).await?;
                store.check_schema().await?;
                Ok(store)
            })
            .await
    }

    /// Settings, database, keys and templates.
    pub async fn office(&self) -> Result<Arc<Office>, Failure> {
        self.store().await?;
        let office =
            self.office.get_or_try_init(|| async { Ok::<_, Failure>(Arc::new(Office::open(self.settings()?).await?)) }).await?;
        Ok(office.clone())
    }

    /// Prints data: JSON as it is, or lines for people.
    pub fn print(&self, data: &serde_json::Value, lines: &str) {
        match self.json {
            true => output::data(&data.to_string()),
            false if lines.is_empty() => {}
            false => output::page(lines),
        }
    }

    /// The same of what people or messages come to by it: whoever reads it must know where that is a rehearsal.
    pub fn print_minding(&self, mut data: serde_json::Value, lines: &str, rehearsal: &[String]) {
        if let Some(fields) = data.as_object_mut() {
            fields.insert("rehearsal".to_owned(), serde_json::json!(rehearsal));
        }
        self.print(&data, lines);
        output::mind(rehearsal);
    }
}

impl Cli {
    /// What is logged: what RUST_LOG asks for, or services tell what they do, commands only what goes wrong. Whatever is
    /// asked for, nothing of a library that logs what it is given.
    pub fn log_filter(&self, asked: Option<&str>) -> String {
        let usual = match self.command {
            Command::Serve(_) | Command::Sandbox(_) => crate::store::SERVICE_LOGS,
            _ => crate::store::COMMAND_LOGS,
        };
        quiet(asked.filter(|asked| !asked.trim().is_empty()).unwrap_or(usual))
    }
}

/// Libraries that log the values which they work on: names, numbers, texts.
const TALKERS: &[&str] = &["handlebars"];

/// The same directives without any for those libraries, and one that lets them warn only.
fn quiet(directives: &str) -> String {
    let is_of_talker = |directive: &&str| TALKERS.iter().any(|name| directive.trim().starts_with(name));
    let kept = directives.split(',').filter(|directive| !is_of_talker(directive)).map(str::to_owned);
    kept.chain(TALKERS.iter().map(|name| format!("{name}=warn"))).collect::<Vec<_>>().join(",")
}

/// Runs the command.
pub async fn run(cli: Cli) -> Result<(), Failure> {
    let named = std::env::var_os("DULY_SETTINGS").filter(|path| !path.is_empty()).map(PathBuf::from);
    let file = cli.settings.or(named);
    let context = Context {
        layers: config::layers(file.as_deref(), &cli.set),
        json: cli.json,
        store: OnceCell::new(),
        office: OnceCell::new(),
    };
    match cli.command {
        Command::Init(args) => setup::init(&context, args).await,
        Command::Migrate => setup::migrate_alone(&context).await,
        Command::Settings => setup::settings(&context),
        Command::User(command) => users::run(&context, command).await,
        Command::Key(command) => keys::run(&context, command).await,
        Command::Controller(command) => controllers::run(&context, command).await,
        Command::Incident(command) => incidents::run(&context, command).await,
        Command::List(command) => lists::run(&context, command).await,
        Command::Quarantine(command) => quarantine::run(&context, command).await,
        Command::Job(command) => jobs::run(&context, command).await,
        Command::Template(command) => templates::run(&context, command).await,
        Command::Plan(command) => plans::run(&context, command).await,
        Command::Hold(command) => holds::run(&context, command).await,
        Command::Status(args) => status::run(&context, args).await,
        Command::Person(command) => person::run(&context, command).await,
        Command::Task(command) => tasks::run(&context, command).await,
        Command::Message(command) => messages::run(&context, command).await,
        Command::Unknown(command) => unknown::run(&context, command).await,
        Command::Audit(args) => audit::run(&context, args).await,
        Command::Verify(args) => verify::run(&context, &args),
        Command::Report(command) => report::run(&context, command).await,
        Command::Pack(command) => pack::run(&context, command).await,
        Command::Restore(command) => restore::run(&context, command).await,
        Command::Log(command) => logs::run(&context, command).await,
        Command::Provider(command) => providers::run(&context, command).await,
        Command::Batch(command) => batches::run(&context, command).await,
        Command::Serve(args) => serve::serve(&context, args).await,
        Command::Sandbox(args) => serve::sandbox(args).await,
        Command::Demo(args) => demo::run(args).await,
        Command::Help(args) => help::run(&context, &args),
    }
}

#[cfg(test)]
mod tests {
    use super::quiet;

    #[test]
    fn whatever_is_asked_for_no_library_logs_what_it_is_given() {
        for (asked, logged) in [
            ("trace", "trace,handlebars=warn"),
            ("handlebars=trace", "handlebars=warn"),
            ("info, handlebars::render=debug,duly=debug", "info,duly=debug,handlebars=warn"),
        ] {
            assert_eq!(quiet(asked), logged);
        }
    }
}
