//! Every SQL statement, one file per aggregate. Nothing outside this module speaks SQL.
//!
//! Facts are inserted; states move only through the event table's trigger (`unit`). No transaction is ever open
//! while a provider is called.

pub mod alarm;
pub mod anchor;
pub mod audit;
pub mod bring_back;
pub mod claim;
pub mod close;
mod connect;
pub mod controller;
pub mod declared;
pub mod draft;
pub mod due;
pub mod equation;
pub mod erase;
pub mod fault;
pub mod health;
pub mod harvest;
pub mod hold;
pub mod incident;
pub mod job;
pub mod lane_batch;
pub mod lane_day;
pub mod lane_health;
pub mod leadership;
pub mod letterhead;
pub mod list;
pub mod list_signature;
pub mod log;
pub mod log_event;
pub mod log_key;
pub mod metrics;
pub mod misfit;
pub mod outcome;
pub mod pack;
pub mod plan;
pub mod proof;
pub mod quarantine;
pub mod quiet;
pub mod recall;
pub mod receipt;
pub mod refusal;
pub mod restore;
pub mod review;
pub mod sequencing;
pub mod statement;
pub mod statistics;
pub mod shown;
pub mod status;
pub mod story;
pub mod task;
pub mod told;
pub mod unit;
pub mod unknown;
pub mod untold;
pub mod user;

pub(crate) use connect::{Role, pool};
pub use fault::Fault;
pub use health::Migrated;
pub(crate) use health::check_version;

use crate::model::health::HealthRules;
use sqlx::PgPool;
use std::error::Error;
use std::time::Duration;

/// What services log: what they do, and what goes wrong.
pub const SERVICE_LOGS: &str = "info,sqlx=warn";

/// What is logged while a command runs: whoever typed it reads its error, and the libraries' warnings beside it
/// explain nothing.
pub const COMMAND_LOGS: &str = "warn,sqlx=error,lapin=off";

/// What the database refused, or what was not there.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The query failed; the cause names the constraint, never a value.
    #[error("the database refused the query")]
    Database(#[source] Fault),
    /// A closed incident takes nothing in and sends nothing.
    #[error("the incident is closed")]
    Closed,
    /// No database is named.
    #[error("no database is named: `database.url` is empty")]
    Unnamed,
    /// The URL of the database cannot be read; it is not repeated, for it holds a password.
    #[error("`database.url` is no address of a Postgres database")]
    BadUrl,
    /// Nobody answers there.
    #[error("the database at {place} does not answer")]
    Away {
        /// Host, port and database.
        place: String,
        /// What happened instead.
        source: Box<dyn Error + Send + Sync>,
    },
    /// It answers, and does not let this login in.
    #[error("the database at {place} refused the login")]
    Login {
        /// Host, port and database.
        place: String,
        /// What it said.
        source: Fault,
    },
    /// The migrations could not be applied.
    #[error("the database could not be migrated")]
    Migrate(#[source] Box<dyn Error + Send + Sync>),
    /// The server is too old.
    #[error("PostgreSQL {found} is older than 15")]
    TooOld {
        /// Its version.
        found: String,
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
    /// Somebody holds a lock that is needed and does not let go.
    #[error("the database waits for a lock that {holder} holds")]
    Locked {
        /// Session: its process id, role and age.
        holder: String,
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
            Self::Unnamed => "set DATABASE_URL or `database.url`; in a checkout of Duly: eval \"$(scripts/services env)\"",
            Self::Database(Fault(sqlx::Error::Database(e))) if e.code().as_deref() == Some("DU071") => {
                "run `duly restore reconcile` first: this database was restored, and the published log knows more"
            }
            Self::Database(_) if self.is_about_values() => {
                "read the cause, and change what you gave: the database refuses it, and the same again is refused again"
            }
            Self::Database(_) => {
                "check that Postgres is up and `database.url` right, then run the command again: nothing was half done"
            }
            Self::BadUrl => "write it as postgres://USER:PASSWORD@HOST:5432/DATABASE, in DATABASE_URL or `database.url`",
            Self::Away { .. } => {
                "check that Postgres is up at that place and that DATABASE_URL or `database.url` names it rightly, then run the command again"
            }
            Self::Login { .. } => {
                "check user, password and database in DATABASE_URL or `database.url`, then run the command again"
            }
            Self::Migrate(_) => "run `duly migrate` with an owner's `database.url` and read the cause",
            Self::TooOld { .. } => "use PostgreSQL 15 or newer",
            Self::Closed => "reopen it first: `duly incident reopen`, for a reason that stays on record",
            Self::Missing { what, .. } => where_listed(what),
            Self::Taken { .. } => "choose another name; what is there was not changed",
            Self::Forbidden { remedy, .. } => remedy,
            Self::Schema { found, needed } if found > needed => "use the newer program that migrated this database",
            Self::Schema { .. } => "run `duly migrate`",
            Self::Altered { .. } => {
                "use the program that migrated this database, or a database of this program's: `duly migrate` cannot repair it"
            }
            Self::Locked { .. } => {
                "run the command again when that session has ended; one that should not be there is ended as an owner with `select pg_terminate_backend(PID)`"
            }
            Self::Corrupt { .. } => "check that the master key belongs to this database, then run `duly audit`",
            Self::Event(_) => "report this as a fault of Duly with the command that you ran",
        }
    }

    /// Whether the database refused the values or a rule, so that the same again is refused again.
    pub fn is_about_values(&self) -> bool {
        let Self::Database(Fault(sqlx::Error::Database(refusal))) = self else { return false };
        refusal.code().is_some_and(|code| ["22", "23", "P0"].iter().any(|class| code.starts_with(class)))
    }

    /// Whether what is stored contradicts what is asked: a value does not read back, or a constraint or guard refuses.
    pub(crate) fn is_refusal(&self) -> bool {
        let is_guard = |refused: &dyn sqlx::error::DatabaseError| refused.code().is_some_and(|code| code.starts_with("DU"));
        match self {
            Self::Corrupt { .. } => true,
            Self::Database(Fault(sqlx::Error::Database(refused))) => self.is_about_values() || is_guard(refused.as_ref()),
            _ => false,
        }
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

/// The error by which the database refuses rows of a closed incident.
const CLOSED: &str = "DU012";

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match error.as_database_error().and_then(|e| e.code()) {
            Some(code) if code == CLOSED => Self::Closed,
            _ => Self::Database(Fault(error)),
        }
    }
}

impl From<sqlx::migrate::MigrateError> for StoreError {
    fn from(error: sqlx::migrate::MigrateError) -> Self {
        use sqlx::migrate::MigrateError::{Execute, ExecuteMigration};
        match error {
            Execute(error) | ExecuteMigration(error, _) => Self::Migrate(Box::new(Fault(error))),
            other => Self::Migrate(Box::new(other)),
        }
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

/// How long messages may stay in their states, and what is laid aside in its place; milliseconds.
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
    /// How long a receipt that counts for nothing is kept.
    pub laid_aside_ms: i64,
    /// How many of them are kept of a lane, ground and day; more are only counted.
    pub laid_aside_max: i64,
    /// When a lane rests, and for how long.
    pub health: HealthRules,
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

    /// Answers whether the database can be reached.
    pub async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query!("select 1 as one").fetch_one(&self.pool).await?;
        Ok(())
    }
}

/// How long a statement that may stop others waits for a lock itself.
pub(crate) const LOCK_WAIT: Duration = Duration::from_secs(30);

/// Whether the database gave up waiting for a lock.
pub(crate) fn is_lock_timeout(error: &(dyn Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| (*error).source()).any(|error| {
        let fault = error.downcast_ref::<Fault>().map(|fault| &fault.0);
        fault
            .or_else(|| error.downcast_ref::<sqlx::Error>())
            .and_then(|e| e.as_database_error())
            .is_some_and(|e| e.code().as_deref() == Some("55P03"))
    })
}

/// Names the oldest other session that holds an advisory lock of this database.
pub(crate) async fn locked(pool: &PgPool) -> StoreError {
    let found = sqlx::query!(
        r#"select a.pid as "pid!", coalesce(a.usename::text, '?') as "role!", (extract(epoch from clock_timestamp() - a.backend_start))::bigint as "age"
             from pg_locks l join pg_stat_activity a using (pid)
            where l.locktype = 'advisory' and l.granted and l.pid <> pg_backend_pid()
              and l.database = (select oid from pg_database where datname = current_database())
            order by a.backend_start limit 1"#
    )
    .fetch_optional(pool)
    .await;
    match found {
        Ok(Some(row)) => {
            let age = row.age.map_or_else(String::new, |seconds| format!(", connected for {seconds} s"));
            StoreError::Locked { holder: format!("session {} of login {}{age}", row.pid, row.role) }
        }
        Ok(None) => StoreError::Locked { holder: "a session that has just ended, or one at work on the same tables,".to_owned() },
        Err(error) => error.into(),
    }
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
