//! What must be right before anything is done: the server, its schema, its clock.

use super::{Store, StoreError};
use sqlx::Connection;
use sqlx::migrate::{AppliedMigration, Migrate};
use time::OffsetDateTime;

/// Where sqlx keeps the migrations that were applied.
const MIGRATIONS: &str = "_sqlx_migrations";

impl Store {
    /// Connects once: a pool would wait for a database that is away, and whoever typed a command should not.
    pub async fn reach(url: &str) -> Result<(), StoreError> {
        let connection = sqlx::PgConnection::connect(url).await?;
        Ok(connection.close().await?)
    }

    /// Refuses a schema that is not exactly the one this program was built for.
    pub async fn check_schema(&self) -> Result<(), StoreError> {
        let wanted = sqlx::migrate!();
        let needed = wanted.iter().map(|m| m.version).max().unwrap_or(0);
        let mut connection = self.pool.acquire().await?;
        let applied = match connection.list_applied_migrations(MIGRATIONS).await {
            Ok(applied) => applied,
            // Without its table nothing was applied; any other error is one of the connection.
            Err(error) if is_undefined_table(&error) => return Err(StoreError::Schema { found: 0, needed }),
            Err(error) => return Err(error.into()),
        };
        let is_altered = |a: &&AppliedMigration| wanted.iter().any(|w| w.version == a.version && w.checksum != a.checksum);
        if let Some(altered) = applied.iter().find(is_altered) {
            return Err(StoreError::Altered { version: altered.version });
        }
        let fits = wanted.iter().map(|w| w.version).eq(applied.iter().map(|a| a.version));
        match fits {
            true => Ok(()),
            false => Err(StoreError::Schema { found: applied.last().map_or(0, |a| a.version), needed }),
        }
    }

    /// The database's clock.
    pub async fn now(&self) -> Result<OffsetDateTime, StoreError> {
        let row = sqlx::query!(r#"select duly_now() as "now!""#).fetch_one(&self.pool).await?;
        Ok(row.now)
    }
}

fn is_undefined_table(error: &sqlx::migrate::MigrateError) -> bool {
    let code = match error {
        sqlx::migrate::MigrateError::Execute(sqlx::Error::Database(e)) => e.code(),
        _ => None,
    };
    code.as_deref() == Some("42P01")
}
