//! People who may do things, and the signatures that they left.

use super::unit::IncidentKey;
use super::{Store, StoreError};
use crate::model::statement::{AGE_SECONDS_MAX, made_at};
use crate::model::user_key::verify;
use time::OffsetDateTime;
use uuid::Uuid;

/// A user as listed.
#[derive(Debug, Clone, serde::Serialize)]
pub struct User {
    /// Id.
    pub user_id: Uuid,
    /// Name.
    pub name: String,
    /// Ed25519 public key.
    #[serde(serialize_with = "as_hex")]
    pub public_key: Vec<u8>,
    /// Whether the key signs nothing more.
    pub is_revoked: bool,
}

/// An approval as shown.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Approval {
    /// Approver.
    pub user_id: Uuid,
    /// Approver's name.
    pub name: String,
    /// When it was signed.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
}

fn as_hex<S: serde::Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&hex::encode(bytes))
}

fn forbidden(what: &'static str, remedy: &'static str) -> StoreError {
    StoreError::Forbidden { what, remedy }
}

impl Store {
    /// Adds a user.
    pub async fn insert_user(&self, name: &str, public_key: &[u8; 32]) -> Result<Uuid, StoreError> {
        let user_id = Uuid::now_v7();
        sqlx::query!(
            "insert into app_user (user_id, name, public_key) values ($1, $2, $3)",
            user_id,
            name,
            public_key.as_slice()
        )
        .execute(&self.pool)
        .await
        .map_err(|e| StoreError::taken(e, "user or key", name))?;
        Ok(user_id)
    }

    /// Adds the first user of all, whom nobody can vouch for; refuses once there is one.
    pub async fn insert_first_user(&self, name: &str, public_key: &[u8; 32]) -> Result<Uuid, StoreError> {
        let user_id = Uuid::now_v7();
        let mut tx = self.pool.begin().await?;
        // Two at once: the second waits here and then finds the first.
        sqlx::query!("select pg_advisory_xact_lock(hashtext('duly first user')) as locked").fetch_one(&mut *tx).await?;
        let done = sqlx::query!(
            "insert into app_user (user_id, name, public_key) select $1, $2, $3 where not exists (select from app_user)",
            user_id,
            name,
            public_key.as_slice()
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        match done.rows_affected() {
            1 => Ok(user_id),
            _ => Err(forbidden(
                "this database has users already",
                "ask one of them to run `duly user add`; `duly user list` names them",
            )),
        }
    }

    /// Lists all users.
    pub async fn list_users(&self) -> Result<Vec<User>, StoreError> {
        let rows = sqlx::query_as!(
            User,
            r#"select user_id, name, public_key, revoked_at is not null as "is_revoked!" from app_user order by user_id"#
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows)
    }

    /// The user of a key; a revoked one is refused.
    pub async fn load_user_by_key(&self, public_key: &[u8; 32]) -> Result<Uuid, StoreError> {
        let row = sqlx::query!(
            r#"select user_id, revoked_at is not null as "is_revoked!" from app_user where public_key = $1"#,
            public_key.as_slice()
        )
        .fetch_optional(&self.pool)
        .await?;
        match row {
            Some(row) if row.is_revoked => {
                Err(forbidden("this key is revoked", "ask another user to add a new key of yours with `duly user add`"))
            }
            Some(row) => Ok(row.user_id),
            None => Err(forbidden(
                "this key belongs to no user of this database",
                "ask a user to run `duly user add`, or point DULY_USER_KEY to another key file",
            )),
        }
    }

    /// Revokes a user's key. The last one stays: without it nobody could sign anything more.
    pub async fn revoke_user(&self, name: &str) -> Result<(), StoreError> {
        let done = sqlx::query!(
            "update app_user set revoked_at = duly_now() where name = $1 and revoked_at is null
                and exists (select from app_user o where o.name <> $1 and o.revoked_at is null)",
            name
        )
        .execute(&self.pool)
        .await?;
        if done.rows_affected() == 1 {
            return Ok(());
        }
        let is_last = self.list_users().await?.iter().any(|u| u.name == name && !u.is_revoked);
        match is_last {
            true => Err(forbidden("the last active user cannot be revoked", "add another user first")),
            false => Err(StoreError::missing("active user", name)),
        }
    }

    /// Keeps the signature of a command: made now, by an active user's key, over these bytes, for the first time.
    pub async fn insert_command(&self, user_id: Uuid, statement: &[u8], signature: &[u8; 64]) -> Result<Uuid, StoreError> {
        let user = sqlx::query!(
            r#"select public_key, duly_now() as "now!" from app_user where user_id = $1 and revoked_at is null"#,
            user_id
        )
        .fetch_optional(&self.pool)
        .await?
        .ok_or_else(|| StoreError::missing("active user", &user_id.to_string()))?;
        let public_key = super::unit::hash(&user.public_key)?;
        if !verify(&public_key, statement, signature) {
            return Err(forbidden("the signature does not fit the command", "run the command again with your own key"));
        }
        let age = made_at(statement).map(|at| (user.now - at).whole_seconds().abs());
        if age.is_none_or(|age| age > AGE_SECONDS_MAX) {
            return Err(forbidden(
                "the signed command is not of this moment",
                "run the command again: a signature serves once and now",
            ));
        }
        let command_id = Uuid::now_v7();
        sqlx::query!(
            "insert into signed_command (command_id, user_id, statement, signature) values ($1, $2, $3, $4)",
            command_id,
            user_id,
            statement,
            signature.as_slice()
        )
        .execute(&self.pool)
        .await
        .map_err(|e| match e.as_database_error() {
            Some(d) if d.is_unique_violation() => {
                forbidden("this signature was used already", "run the command again: a signature serves once")
            }
            _ => e.into(),
        })?;
        Ok(command_id)
    }

    /// Who approved a plan, in order.
    pub async fn list_approvals(&self, incident: IncidentKey, plan_no: i32) -> Result<Vec<Approval>, StoreError> {
        let rows = sqlx::query_as!(
            Approval,
            "select a.user_id, u.name, s.at from plan_approval a join app_user u using (user_id) join signed_command s using (command_id)
              where a.controller_id = $1 and a.incident_no = $2 and a.plan_no = $3 order by s.at",
            incident.controller_id,
            incident.incident_no,
            plan_no
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows)
    }
}
