//! People who may do things, and the signatures that they left.

use super::log_event::insert_log_events;
use super::quarantine::Decider;
use super::sequencing::LogScope;
use super::unit::IncidentKey;
use super::{LOCK_WAIT, Store, StoreError, is_lock_timeout, locked};
use crate::model::name::{is_visible, look};
use crate::model::statement::{AGE_SECONDS_MAX, made_at, meant_for, statement, user_add};
use crate::model::user_key::{UserKey, verify};
use rand::RngExt;
use serde_json::{Map, Value, json};
use sqlx::PgConnection;
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
    /// Whether the approver is there by the word of who prepared the plan.
    pub added_by_preparer: Option<Vouched>,
}

/// How somebody came to be a user by another one's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Vouched {
    /// That one signed for their key.
    Directly,
    /// That one signed for somebody who signed for them, or for somebody before.
    ThroughOthers,
}

/// A user whose key is open.
pub struct Signer {
    /// The user.
    pub user_id: Uuid,
    /// The user's key.
    pub key: UserKey,
}

impl Signer {
    /// Signs a command and keeps the signature. Installation, time and nonce are added here, so that it serves here and once.
    pub async fn sign(&self, store: &Store, command: &Value) -> Result<Decider, StoreError> {
        self.sign_in(&mut *store.pool.acquire().await?, command).await
    }

    /// As `sign`, inside a transaction that does what is signed: the signature is kept with it, or not at all.
    pub(super) async fn sign_in(&self, connection: &mut PgConnection, command: &Value) -> Result<Decider, StoreError> {
        let here =
            sqlx::query!(r#"select installation_id, duly_now() as "now!" from installation"#).fetch_one(&mut *connection).await?;
        let bytes = statement(command, here.installation_id, here.now, rand::rng().random());
        let command_id = insert_command(connection, self.user_id, &bytes, &self.key.sign(&bytes)).await?;
        Ok(Decider { user_id: self.user_id, command_id })
    }

    /// Vouches for another user's key.
    pub async fn add_user(&self, store: &Store, name: &str, public_key: &[u8; 32]) -> Result<Uuid, StoreError> {
        store.check_new_user(name, public_key).await?;
        let by = self.sign(store, &user_add(name, public_key)).await?;
        store.insert_user(name, public_key, by.command_id).await
    }
}

fn as_hex<S: serde::Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&hex::encode(bytes))
}

/// What `user.added` says of a user.
fn added(user_id: Uuid, public_key: &[u8; 32]) -> Map<String, Value> {
    Map::from_iter([("key".to_owned(), json!(hex::encode(public_key))), ("user".to_owned(), json!(user_id.to_string()))])
}

fn forbidden(what: &'static str, remedy: &'static str) -> StoreError {
    StoreError::Forbidden { what, remedy }
}

impl Store {
    /// Refuses a name that could be taken for another user's, and a key that is in use, before anybody signs for it.
    pub async fn check_new_user(&self, name: &str, public_key: &[u8; 32]) -> Result<(), StoreError> {
        check_name(name)?;
        let users = self.list_users().await?;
        match users.into_iter().find(|user| user.public_key == public_key || look(&user.name) == look(name)) {
            Some(user) => Err(StoreError::Taken { what: "user or key", name: user.name }),
            None => Ok(()),
        }
    }

    /// Adds a user whom the signed `user add` of an active one vouches for; the database compares name and key.
    pub async fn insert_user(&self, name: &str, public_key: &[u8; 32], command_id: Uuid) -> Result<Uuid, StoreError> {
        check_name(name)?;
        let user_id = Uuid::now_v7();
        let mut tx = self.pool.begin().await?;
        // Users are added one after the other, under a lock that any login of this database could hold.
        let wait_ms = LOCK_WAIT.as_millis().to_string();
        sqlx::query!("select set_config('lock_timeout', $1, true)", wait_ms).fetch_one(&mut *tx).await?;
        let inserted = sqlx::query!(
            "insert into app_user (user_id, name, public_key, added_command_id) values ($1, $2, $3, $4)",
            user_id,
            name,
            public_key.as_slice(),
            command_id
        )
        .execute(&mut *tx)
        .await;
        match inserted {
            Err(error) if is_lock_timeout(&error) => return Err(locked(&self.pool).await),
            inserted => inserted.map_err(|e| StoreError::taken(e, "user or key", name))?,
        };
        let voucher =
            sqlx::query!("select user_id from signed_command where command_id = $1", command_id).fetch_one(&mut *tx).await?;
        let mut detail = added(user_id, public_key);
        detail.insert("by".into(), json!(voucher.user_id.to_string()));
        detail.insert("command".into(), json!(command_id.to_string()));
        insert_log_events(&mut tx, LogScope::System, [("user.added", detail)]).await?;
        tx.commit().await?;
        Ok(user_id)
    }

    /// Adds the first user of all, whom nobody can vouch for; refuses once there is one.
    pub async fn insert_first_user(&self, name: &str, public_key: &[u8; 32]) -> Result<Uuid, StoreError> {
        check_name(name)?;
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
        if done.rows_affected() == 1 {
            insert_log_events(&mut tx, LogScope::System, [("user.added", added(user_id, public_key))]).await?;
        }
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
    pub async fn revoke_user(&self, name: &str, by: Decider) -> Result<(), StoreError> {
        let mut tx = self.pool.begin().await?;
        let revoked = sqlx::query!(
            "update app_user set revoked_at = duly_now(), revoked_command_id = $2 where name = $1 and revoked_at is null
                and exists (select from app_user o where o.name <> $1 and o.revoked_at is null) returning user_id",
            name,
            by.command_id
        )
        .fetch_optional(&mut *tx)
        .await?;
        let Some(revoked) = revoked else {
            // Somebody else was faster; what is refused now was not before.
            return self.check_revocable(name).await;
        };
        let fields = [("by", by.user_id), ("command", by.command_id), ("user", revoked.user_id)];
        let detail = fields.map(|(key, id)| (key.to_owned(), json!(id.to_string()))).into_iter().collect();
        insert_log_events(&mut tx, LogScope::System, [("user.revoked", detail)]).await?;
        Ok(tx.commit().await?)
    }

    /// Refuses to revoke the last active user, or one who is not there.
    pub async fn check_revocable(&self, name: &str) -> Result<(), StoreError> {
        let users = self.list_users().await?;
        let is_active = |u: &&User| !u.is_revoked;
        if !users.iter().filter(is_active).any(|u| u.name == name) {
            return Err(StoreError::missing("active user", name));
        }
        match users.iter().filter(is_active).count() {
            1 => Err(forbidden("the last active user cannot be revoked", "add another user first")),
            _ => Ok(()),
        }
    }

    /// Keeps the signature of a command: made now and for this installation, by an active user's key, over these bytes, for
    /// the first time.
    pub async fn insert_command(&self, user_id: Uuid, statement: &[u8], signature: &[u8; 64]) -> Result<Uuid, StoreError> {
        insert_command(&mut *self.pool.acquire().await?, user_id, statement, signature).await
    }

    /// Who approved a plan, in order.
    pub async fn list_approvals(&self, incident: IncidentKey, plan_no: i32) -> Result<Vec<Approval>, StoreError> {
        let rows = sqlx::query!(
            "select a.user_id, u.name, s.at, q.prepared_by from plan_approval a join app_user u on u.user_id = a.user_id
               join signed_command s on s.command_id = a.command_id
               join plan q on q.controller_id = a.controller_id and q.incident_no = a.incident_no and q.plan_no = a.plan_no
              where a.controller_id = $1 and a.incident_no = $2 and a.plan_no = $3 order by s.at",
            incident.controller_id,
            incident.incident_no,
            plan_no
        )
        .fetch_all(&self.pool)
        .await?;
        let mut approvals = Vec::new();
        for row in rows {
            let added_by_preparer = self.find_vouched(row.user_id, row.prepared_by).await?;
            approvals.push(Approval { user_id: row.user_id, name: row.name, at: row.at, added_by_preparer });
        }
        Ok(approvals)
    }

    /// How a user came to be one by the word of another; `None` if by somebody else's.
    pub async fn find_vouched(&self, user_id: Uuid, by: Uuid) -> Result<Option<Vouched>, StoreError> {
        let steps = sqlx::query_scalar!(
            r#"with recursive voucher (user_id, steps) as (
                 select s.user_id, 1 from app_user u join signed_command s on s.command_id = u.added_command_id where u.user_id = $1
                 union all
                 select s.user_id, v.steps + 1 from voucher v join app_user u on u.user_id = v.user_id
                   join signed_command s on s.command_id = u.added_command_id where v.steps < 100)
               select min(steps) from voucher where user_id = $2"#,
            user_id,
            by
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(steps.map(|steps| if steps == 1 { Vouched::Directly } else { Vouched::ThroughOthers }))
    }
}

/// Refuses a name that would be shown as something else than it is.
fn check_name(name: &str) -> Result<(), StoreError> {
    match is_visible(name) && !look(name).is_empty() {
        true => Ok(()),
        false => Err(forbidden(
            "the name is empty, or has characters that nobody sees",
            "type the name anew instead of copying it; nobody was added",
        )),
    }
}

async fn insert_command(
    connection: &mut PgConnection,
    user_id: Uuid,
    statement: &[u8],
    signature: &[u8; 64],
) -> Result<Uuid, StoreError> {
    let user = sqlx::query!(
        r#"select u.public_key, duly_now() as "now!", i.installation_id from app_user u cross join installation i
            where u.user_id = $1 and u.revoked_at is null"#,
        user_id
    )
    .fetch_optional(&mut *connection)
    .await?
    .ok_or_else(|| StoreError::missing("active user", &user_id.to_string()))?;
    let public_key = super::unit::hash(&user.public_key)?;
    if !verify(&public_key, statement, signature) {
        return Err(forbidden("the signature does not fit the command", "run the command again with your own key"));
    }
    if meant_for(statement) != Some(user.installation_id) {
        return Err(forbidden(
            "the command was signed for another installation",
            "run the command here, with the `database.url` of the installation that it is meant for: a signature serves in one",
        ));
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
    .execute(&mut *connection)
    .await
    .map_err(|e| match e.as_database_error() {
        Some(d) if d.is_unique_violation() => {
            forbidden("this signature was used already", "run the command again: a signature serves once")
        }
        _ => e.into(),
    })?;
    Ok(command_id)
}
