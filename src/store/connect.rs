//! Connections: in which role, and what is said at once where nobody answers.

use super::{Fault, Store, StoreError};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, PgConnection, PgPool};
use std::str::FromStr;
use std::time::Duration;
use tokio::time::timeout;

/// How long a database may be silent at first.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);

/// No answer in time.
#[derive(Debug, thiserror::Error)]
#[error("no answer within {} s", ANSWERS_WITHIN.as_secs())]
struct Silent;

/// A database role of Duly's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Works: `duly_app`.
    Application,
    /// Inserts receipts: `duly_receipts`.
    Receipts,
}

impl Store {
    /// Where a URL leads: host, port and database, and nothing of its login.
    pub fn place(url: &str) -> Result<String, StoreError> {
        Ok(place(&options(url)?))
    }

    /// Connects once: a pool would wait for a database that is away, and whoever typed a command should not.
    pub async fn reach(url: &str) -> Result<(), StoreError> {
        reach(&options(url)?).await
    }
}

fn options(url: &str) -> Result<PgConnectOptions, StoreError> {
    if url.is_empty() {
        return Err(StoreError::Unnamed);
    }
    // What the library says of it may quote a part.
    PgConnectOptions::from_str(url).map_err(|_| StoreError::BadUrl)
}

fn place(options: &PgConnectOptions) -> String {
    let host = match options.get_socket() {
        Some(socket) => socket.display().to_string(),
        None => format!("{}:{}", options.get_host(), options.get_port()),
    };
    format!("{host}/{}", options.get_database().unwrap_or_else(|| options.get_username()))
}

async fn reach(options: &PgConnectOptions) -> Result<(), StoreError> {
    let connected = timeout(ANSWERS_WITHIN, PgConnection::connect_with(options)).await;
    let error = match connected {
        Err(_) => return Err(StoreError::Away { place: place(options), source: Box::new(Silent) }),
        Ok(Ok(connection)) => return Ok(connection.close().await?),
        Ok(Err(error)) => error,
    };
    let code = error.as_database_error().and_then(|e| e.code()).unwrap_or_default();
    match code.as_ref() {
        // It starts, or is full: it answers, and a pool waits until it has room.
        "57P03" | "53300" => Ok(()),
        code if code.starts_with("28") || code == "3D000" => {
            Err(StoreError::Login { place: place(options), source: Fault(error) })
        }
        "" => Err(StoreError::Away { place: place(options), source: Box::new(Fault(error)) }),
        _ => Err(error.into()),
    }
}

pub(crate) async fn pool(url: &str, connections: u32, role: Option<Role>) -> Result<PgPool, StoreError> {
    let options = options(url)?;
    reach(&options).await?;
    let place = place(&options);
    // States move faster than statistics: joins over a guessed row count cost seven times as much, and JIT compiles
    // for 30 ms what runs in one (measured). Every statement here finds its rows by an index.
    let options = options.application_name("duly").options([
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
        .await;
    pool.map_err(|error| match error {
        error @ sqlx::Error::PoolTimedOut => StoreError::Away { place, source: Box::new(Fault(error)) },
        error => error.into(),
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_named_without_its_login_and_an_address_that_is_none_is_not_repeated() {
        let named = |url: &str| Store::place(url).map_err(|error| error.to_string());

        assert_eq!(named("postgres://duly:hidden@db.example:5433/cards").unwrap(), "db.example:5433/cards");
        assert_eq!(named("postgres://duly:hidden@db.example/cards?sslmode=require").unwrap(), "db.example:5432/cards");
        for url in ["hidden", "postgres://duly:hidden@db example/cards", "postgres://d:x@h/c?sslmode=hidden"] {
            assert!(!named(url).unwrap_err().contains("hidden"), "{url}");
        }
        assert!(named("").unwrap_err().contains("no database is named"));
    }
}
