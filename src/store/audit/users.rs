//! Users as rows, as events and as signatures: vouched for back to the first, and revoked by a signature as well.

use super::decisions::SignedCommand;
use super::{Finding, Snapshot, finding};
use crate::model::statement::{user_add, user_revoke};
use crate::store::StoreError;
use duly_ledger::Event;
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

struct UserRow {
    user_id: Uuid,
    name: String,
    public_key: Vec<u8>,
    added_command_id: Option<Uuid>,
    revoked_command_id: Option<Uuid>,
    is_revoked: bool,
}

/// What an event tells of a user: its kind, who vouched or revoked, by which command, and the key that was added.
struct Told {
    kind: String,
    by: Option<Uuid>,
    command: Option<Uuid>,
    key: Option<String>,
    /// Brought back after a restore: who reconciled signed for the row, later and in their own name.
    is_brought_back: bool,
}

impl Told {
    fn fits(&self, expected: &Self) -> bool {
        let is_same = (&self.kind, &self.key) == (&expected.kind, &expected.key);
        is_same && (self.is_brought_back || (self.by, self.command) == (expected.by, expected.command))
    }
}

impl UserRow {
    /// What the events must tell of the user, in order.
    fn expected(&self, commands: &HashMap<Uuid, SignedCommand>) -> Vec<Told> {
        let by = |command: Option<Uuid>| command.and_then(|id| commands.get(&id)).map(|c| c.user_id);
        let told =
            |kind: &str, command, key| Told { kind: kind.to_owned(), by: by(command), command, key, is_brought_back: false };
        let added = told("user.added", self.added_command_id, Some(hex::encode(&self.public_key)));
        let revoked = self.is_revoked.then(|| told("user.revoked", self.revoked_command_id, None));
        std::iter::once(added).chain(revoked).collect()
    }
}

impl Snapshot {
    pub(super) async fn audit_users(&mut self) -> Result<Vec<Finding>, StoreError> {
        let users = sqlx::query_as!(
            UserRow,
            r#"select user_id, name, public_key, added_command_id, revoked_command_id, revoked_at is not null as "is_revoked!"
                 from app_user order by user_id"#
        )
        .fetch_all(&mut *self.tx)
        .await?;
        let ids: Vec<Uuid> = users.iter().flat_map(|u| [u.added_command_id, u.revoked_command_id]).flatten().collect();
        let commands = self.read_commands(&ids).await?;
        let vouched = vouched(&users, &commands);
        let mut told = self.read_user_events().await?;
        let mut findings = Vec::new();
        for user in &users {
            let mut bad = |code| findings.push(finding(code, user.user_id.to_string()));
            if !vouched.contains(&user.user_id) {
                bad("user_not_vouched");
            }
            let revoked = user.revoked_command_id.and_then(|id| commands.get(&id));
            let is_signed = revoked.is_some_and(|c| vouched.contains(&c.user_id) && c.says(c.user_id, &user_revoke(&user.name)));
            if (user.is_revoked || user.revoked_command_id.is_some()) && !(user.is_revoked && is_signed) {
                bad("revocation_not_signed");
            }
            let (told, expected) = (told.remove(&user.user_id).unwrap_or_default(), user.expected(&commands));
            if told.len() != expected.len() || !told.iter().zip(&expected).all(|(told, expected)| told.fits(expected)) {
                bad("user_differs_from_events");
            }
        }
        // Who was added in the time that a restore lost is not there any more, as docs/restore.md says.
        let unknown = told.into_iter().filter(|(_, told)| !told.iter().all(|t| t.is_brought_back));
        findings.extend(unknown.map(|(user, _)| finding("user_differs_from_events", user.to_string())));
        Ok(findings)
    }

    /// What all events tell, by user. One that names no user counts for the nil id, which no row has.
    async fn read_user_events(&mut self) -> Result<HashMap<Uuid, Vec<Told>>, StoreError> {
        let rows = sqlx::query!(
            r#"select kind, body, restored_id is not null as "is_brought_back!" from event
                where controller_id is null and kind in ('user.added', 'user.revoked') order by ord"#
        )
        .fetch_all(&mut *self.tx)
        .await?;
        let mut told: HashMap<Uuid, Vec<Told>> = HashMap::new();
        for row in rows {
            let event = Event::parse(&row.body).ok().filter(|event| event.kind == row.kind);
            let text = |name: &str| event.as_ref().and_then(|e| e.detail.get(name)).and_then(Value::as_str);
            let id = |name: &str| text(name).and_then(|text| text.parse().ok());
            let key = text("key").map(str::to_owned);
            let one =
                Told { kind: row.kind.clone(), by: id("by"), command: id("command"), key, is_brought_back: row.is_brought_back };
            told.entry(id("user").unwrap_or(Uuid::nil())).or_default().push(one);
        }
        Ok(told)
    }
}

/// Walks from the first user, whom nobody vouches for, to everybody whom an active user signed for.
fn vouched(users: &[UserRow], commands: &HashMap<Uuid, SignedCommand>) -> HashSet<Uuid> {
    let first: HashSet<Uuid> = users.iter().filter(|u| u.added_command_id.is_none()).map(|u| u.user_id).collect();
    // Of two users without a signature nobody can tell which was the first.
    let mut vouched = if first.len() == 1 { first } else { HashSet::new() };
    loop {
        let before = vouched.len();
        for user in users {
            let signed = user.added_command_id.and_then(|id| commands.get(&id));
            if signed.is_some_and(|s| vouched.contains(&s.user_id) && s.says(s.user_id, &user_add(&user.name, &user.public_key)))
            {
                vouched.insert(user.user_id);
            }
        }
        if vouched.len() == before {
            return vouched;
        }
    }
}
