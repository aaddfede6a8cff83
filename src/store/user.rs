//! People who may do things, and the signatures that they left.

use super::{Store, StoreError};
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

fn as_hex<S: serde::Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&hex::encode(bytes))
}

impl Store {
    /// Adds a user.
    pub async fn insert_user(&self, name: &str, public_key: &[u8; 32]) -> Result<Uuid, StoreError> {
        let user_id = Uuid::now_v7();
        sqlx::query!("insert into app_user (user_id, name, public_key) values ($1, $2, $3)", user_id, name, public_key.as_slice())
            .execute(&self.pool)
            .await?;
        Ok(user_id)
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

    /// Finds the user of a key that is not revoked.
    pub async fn load_user_by_key(&self, public_key: &[u8; 32]) -> Result<Uuid, StoreError> {
        let row = sqlx::query!("select user_id from app_user where public_key = $1 and revoked_at is null", public_key.as_slice())
            .fetch_optional(&self.pool)
            .await?;
        row.map(|row| row.user_id).ok_or_else(|| StoreError::missing("user with the key", &hex::encode(public_key)))
    }

    /// Revokes a user's key.
    pub async fn revoke_user(&self, name: &str) -> Result<(), StoreError> {
        let done = sqlx::query!("update app_user set revoked_at = duly_now() where name = $1 and revoked_at is null", name)
            .execute(&self.pool)
            .await?;
        if done.rows_affected() == 1 { Ok(()) } else { Err(StoreError::missing("active user", name)) }
    }

    /// Keeps the signature of a command.
    pub async fn insert_command(&self, user_id: Uuid, statement: &[u8], signature: &[u8; 64]) -> Result<Uuid, StoreError> {
        let command_id = Uuid::now_v7();
        sqlx::query!(
            "insert into signed_command (command_id, user_id, statement, signature) values ($1, $2, $3, $4)",
            command_id,
            user_id,
            statement,
            signature.as_slice()
        )
        .execute(&self.pool)
        .await?;
        Ok(command_id)
    }
}
