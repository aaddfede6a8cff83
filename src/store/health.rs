//! What must be right before anything is done: the server, its schema, its clock.

use super::{LOCK_WAIT, Store, StoreError, is_lock_timeout, locked, pool};
use sqlx::PgPool;
use sqlx::migrate::{AppliedMigration, Migrate};
use std::time::Duration;
use time::OffsetDateTime;

/// Where sqlx keeps the migrations that were applied.
const MIGRATIONS: &str = "_sqlx_migrations";

/// Oldest major version that has all that the migrations use.
const OLDEST: i32 = 15;

/// What a migration did.
#[derive(Debug, Clone, Copy, serde::Serialize)]
pub struct Migrated {
    /// Newest migration that the database has.
    pub schema: i64,
    /// How many were applied now.
    pub applied: usize,
}

impl Store {
    /// Applies the migrations as the owner, under a lock, so that many processes may start at once.
    pub async fn migrate(url: &str) -> Result<Migrated, StoreError> {
        Self::migrate_within(url, LOCK_WAIT).await
    }

    /// Applies the migrations; whoever holds a lock for longer than `wait` is named instead.
    pub async fn migrate_within(url: &str, wait: Duration) -> Result<Migrated, StoreError> {
        let owner = pool(url, 1, None).await?;
        check_version(&owner).await?;
        let wait_ms = wait.as_millis().to_string();
        sqlx::query!("select set_config('lock_timeout', $1, false)", wait_ms).fetch_one(&owner).await?;
        let before = applied(&owner).await?.len();
        if let Err(error) = sqlx::migrate!().run(&owner).await {
            return Err(if is_lock_timeout(&error) { locked(&owner).await } else { error.into() });
        }
        let after = applied(&owner).await?;
        owner.close().await;
        Ok(Migrated { schema: after.last().map_or(0, |a| a.version), applied: after.len().saturating_sub(before) })
    }

    /// Refuses a schema that is not exactly the one this program was built for.
    pub async fn check_schema(&self) -> Result<(), StoreError> {
        let wanted = sqlx::migrate!();
        let needed = wanted.iter().map(|m| m.version).max().unwrap_or(0);
        let applied = applied(&self.pool).await?;
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

/// The migrations that the database has, in their order.
async fn applied(pool: &PgPool) -> Result<Vec<AppliedMigration>, StoreError> {
    match pool.acquire().await?.list_applied_migrations(MIGRATIONS).await {
        // Without its table nothing was applied; any other error is one of the connection.
        Err(error) if is_undefined_table(&error) => Ok(Vec::new()),
        applied => Ok(applied?),
    }
}

pub(crate) async fn check_version(pool: &PgPool) -> Result<(), StoreError> {
    let row = sqlx::query!(r#"select current_setting('server_version_num')::int as "version!""#).fetch_one(pool).await?;
    check_number(row.version)
}

/// `server_version_num`: the major version times 10,000, until 9.6 with the second part times 100.
fn check_number(number: i32) -> Result<(), StoreError> {
    let (major, rest) = (number / 10_000, number % 10_000);
    if major >= OLDEST {
        return Ok(());
    }
    let found = if major >= 10 { format!("{major}.{rest}") } else { format!("{major}.{}.{}", rest / 100, rest % 100) };
    Err(StoreError::TooOld { found })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_is_too_old_is_refused_by_its_version() {
        for (number, said) in [(90_624, "9.6.24"), (100_023, "10.23"), (140_013, "14.13"), (149_999, "14.9999")] {
            let refused = check_number(number).err().map(|error| (error.to_string(), error.remedy().to_owned()));
            let expected = (format!("PostgreSQL {said} is older than 15"), "use PostgreSQL 15 or newer".to_owned());
            assert_eq!(refused, Some(expected));
        }
        for number in [150_000, 150_008, 170_002, 200_000] {
            assert!(check_number(number).is_ok(), "{number}");
        }
    }
}
