//! Every SQL statement, one file per aggregate. Nothing outside this module speaks SQL.
//!
//! Facts are inserted; states move only through the event table's trigger (`unit`). No transaction is ever open
//! while a provider is called.

pub mod alarm;
pub mod anchor;
pub mod audit;
pub mod claim;
pub mod controller;
pub mod draft;
pub mod due;
pub mod equation;
pub mod erase;
pub mod health;
pub mod hold;
pub mod incident;
pub mod job;
pub mod leadership;
pub mod list;
pub mod list_signature;
pub mod log;
pub mod log_event;
pub mod metrics;
pub mod misfit;
pub mod outcome;
pub mod pack;
pub mod plan;
pub mod proof;
pub mod quarantine;
pub mod receipt;
pub mod restore;
pub mod sequencing;
pub mod status;
pub mod story;
pub mod unit;
pub mod unknown;
pub mod untold;
pub mod user;

use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use std::str::FromStr;
use std::time::Duration;

/// What services log: what they do, and what goes wrong.
pub const SERVICE_LOGS: &str = "info,sqlx=warn";

/// What is logged while a command runs: whoever typed it reads its error, and the libraries' warnings beside it
/// explain nothing.
pub const COMMAND_LOGS: &str = "warn,sqlx=error,lapin=error";

/// What the database refused, or what was not there.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The query failed; the cause names the constraint, never a value.
    #[error("the database refused the query")]
    Database(#[from] sqlx::Error),
    /// The migrations could not be applied.
    #[error("the database could not be migrated")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// The server is too old.
    #[error("PostgreSQL {found} is older than 15")]
    TooOld {
        /// `server_version_num`.
        found: i32,
    },
    /// Something that must exist does not.
    #[error("there is no {what} `{name}`")]
    Missing {
        /// Kind of thing.
        what: &'static str,
        /// Its public name; never personal data.
        name: String,
    },
    /// The name is in use.
    #[error("the {what} `{name}` is there already")]
    Taken {
        /// Kind of thing.
        what: &'static str,
        /// Its public name.
        name: String,
    },
    /// A rule that the database holds forbids it.
    #[error("{what}")]
    Forbidden {
        /// The rule.
        what: &'static str,
        /// What to do now.
        remedy: &'static str,
    },
    /// The schema is not the one that this program was built for.
    #[error("the database's schema is {found}, this program needs {needed}")]
    Schema {
        /// Newest migration that was applied; 0 for none.
        found: i64,
        /// Newest migration of this program.
        needed: i64,
    },
    /// A migration was applied with other text than this program's.
    #[error("migration {version} of this database is not the one of this program: it was changed since it was applied")]
    Altered {
        /// The migration.
        version: i64,
    },
    /// A stored value does not read back.
    #[error("a stored {what} cannot be read")]
    Corrupt {
        /// Kind of value.
        what: &'static str,
    },
    /// An event could not be written.
    #[error("an event could not be encoded")]
    Event(#[from] duly_ledger::EventError),
}

impl StoreError {
    /// One sentence that tells the reader what to do next.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Database(_) => {
                "check that Postgres is up and `database.url` right, then run the command again: nothing was half done"
            }
            Self::Migrate(_) => "run `duly migrate` with an owner's `database.url` and read the cause",
            Self::TooOld { .. } => "use PostgreSQL 15 or newer",
            Self::Missing { what, .. } => where_listed(what),
            Self::Taken { .. } => "choose another name; what is there was not changed",
            Self::Forbidden { remedy, .. } => remedy,
            Self::Schema { found, needed } if found > needed => "use the newer program that migrated this database",
            Self::Schema { .. } => "run `duly migrate`",
            Self::Altered { .. } => {
                "use the program that migrated this database, or a database of this program's: `duly migrate` cannot repair it"
            }
            Self::Corrupt { .. } => "check that the master key belongs to this database, then run `duly audit`",
            Self::Event(_) => "report this as a fault of Duly with the command that you ran",
        }
    }

    /// Whether the database refused the values or a rule, so that the same again is refused again.
    pub fn is_about_values(&self) -> bool {
        let Self::Database(sqlx::Error::Database(refusal)) = self else { return false };
        refusal.code().is_some_and(|code| ["22", "23", "P0"].iter().any(|class| code.starts_with(class)))
    }

    /// A unique name that is in use, or the database's own error.
    pub(crate) fn taken(error: sqlx::Error, what: &'static str, name: &str) -> Self {
        match error.as_database_error() {
            Some(e) if e.is_unique_violation() => Self::Taken { what, name: name.to_owned() },
            _ => error.into(),
        }
    }

    pub(crate) fn missing(what: &'static str, name: &str) -> Self {
        Self::Missing { what, name: name.to_owned() }
    }
}

/// Where somebody who mistyped a name finds the right one.
fn where_listed(what: &str) -> &'static str {
    match what {
        "controller" => "check the name; `duly controller list` has them all",
        "plan" => "check the number; `duly status` names every plan of the incident",
        "hold" => "check the id; `duly hold list` has them all",
        "active user" => "check the name; `duly user list` has them all",
        "message of this incident" => "check the id; `duly unknown list` has those that wait for a decision",
        "person" | "person of this incident" => {
            "check incident and id, or leave `--person` out: the external reference is asked for"
        }
        _ => "check the name; `duly incident list` has all incidents",
    }
}

/// How long messages may stay in their states; milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct Deadlines {
    /// Lease of a call.
    pub lease_ms: i64,
    /// Lease of a queued job.
    pub queue_lease_ms: i64,
    /// First look at an unknown call.
    pub unknown_ms: i64,
    /// News expected after acceptance.
    pub no_news_ms: i64,
    /// Reminder of a question that nobody answered.
    pub asked_ms: i64,
    /// Next look at an overdue message.
    pub overdue_ms: i64,
}

/// A database role of Duly's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Works: `duly_app`.
    Application,
    /// Inserts receipts: `duly_receipts`.
    Receipts,
}

/// The database, as the application's role.
#[derive(Debug, Clone)]
pub struct Store {
    pub(crate) pool: PgPool,
    pub(crate) deadlines: Deadlines,
}

impl Store {
    /// Connects, takes the application's role and checks the server's version.
    pub async fn connect(url: &str, connections: u32, deadlines: Deadlines) -> Result<Self, StoreError> {
        let store = Self { pool: pool(url, connections, Some(Role::Application)).await?, deadlines };
        check_version(&store.pool).await?;
        Ok(store)
    }

    /// Applies the migrations as the owner, under a lock, so that many processes may start at once.
    pub async fn migrate(url: &str) -> Result<(), StoreError> {
        let owner = pool(url, 1, None).await?;
        check_version(&owner).await?;
        sqlx::migrate!().run(&owner).await?;
        owner.close().await;
        Ok(())
    }

    /// Brings the planner's statistics up to date; after an import and a prepare, before speed matters.
    pub async fn analyze(&self) -> Result<(), StoreError> {
        sqlx::query!("select duly_analyze()").execute(&self.pool).await?;
        Ok(())
    }

    /// Answers whether the database can be reached.
    pub async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query!("select 1 as one").fetch_one(&self.pool).await?;
        Ok(())
    }
}

pub(crate) async fn pool(url: &str, connections: u32, role: Option<Role>) -> Result<PgPool, StoreError> {
    // States move faster than statistics: joins over a guessed row count cost seven times as much, and JIT compiles
    // for 30 ms what runs in one (measured). Every statement here finds its rows by an index.
    let options = PgConnectOptions::from_str(url)?.application_name("duly").options([
        ("jit", "off"),
        ("enable_seqscan", "off"),
        ("enable_hashjoin", "off"),
        ("enable_mergejoin", "off"),
    ]);
    let pool = PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(Duration::from_secs(30))
        .test_before_acquire(false)
        .after_connect(move |connection, _| {
            Box::pin(async move {
                match role {
                    Some(Role::Application) => sqlx::raw_sql("set role duly_app").execute(connection).await?,
                    Some(Role::Receipts) => sqlx::raw_sql("set role duly_receipts").execute(connection).await?,
                    None => return Ok(()),
                };
                Ok(())
            })
        })
        .connect_with(options)
        .await?;
    Ok(pool)
}

pub(crate) async fn check_version(pool: &PgPool) -> Result<(), StoreError> {
    let row = sqlx::query!(r#"select current_setting('server_version_num')::int as "version!""#).fetch_one(pool).await?;
    if row.version < 150_000 {
        return Err(StoreError::TooOld { found: row.version });
    }
    Ok(())
}

/// Drops and makes a database of its own for the demo and the tests; returns its URL.
pub async fn recreate_database(server_url: &str, name: &str) -> Result<String, StoreError> {
    let owner = pool(server_url, 1, None).await?;
    if !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_') {
        return Err(StoreError::missing("database name of a-z, 0-9 and _", name));
    }
    // Names of databases cannot be parameters; the check above leaves nothing to inject.
    for statement in [format!("drop database if exists {name} with (force)"), format!("create database {name}")] {
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&owner).await?;
    }
    owner.close().await;
    let (base, _) = server_url.rsplit_once('/').unwrap_or((server_url, ""));
    Ok(format!("{base}/{name}"))
}
