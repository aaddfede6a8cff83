//! What people decide, as the command line makes it: each by a signature over exactly that.

use duly::model::statement::{hold_lift, hold_set, plan_command};
use duly::model::user_key::UserKey;
use duly::store::incident::Incident;
use duly::store::quarantine::Decider;
use duly::store::unit::Note;
use duly::store::user::Signer;
use duly::store::{Store, StoreError};
use serde_json::json;
use uuid::Uuid;

/// Ann is the first user and prepares; she vouches for bob, who approves.
pub struct Users {
    pub ann: Signer,
    pub bob: Signer,
}

impl Users {
    pub async fn new(store: &Store) -> Self {
        let key = UserKey::generate("ann");
        let ann = Signer { user_id: store.insert_first_user("ann", &key.public()).await.unwrap(), key };
        let key = UserKey::generate("bob");
        let bob = Signer { user_id: ann.add_user(store, "bob", &key.public()).await.unwrap(), key };
        Self { ann, bob }
    }

    /// Ann's signature that a plan be prepared.
    pub async fn prepare(&self, store: &Store, incident: &Incident) -> Decider {
        self.ann.sign(store, &json!({"command": "plan prepare", "incident": incident.incident_id})).await.unwrap()
    }

    /// Bob approves the plan and starts it.
    pub async fn approve_and_start(&self, store: &Store, incident: &Incident, plan_no: i32) {
        let plan = store.load_plan(incident.key, plan_no).await.unwrap();
        let command = plan_command("plan approve", incident.incident_id, plan.plan_no, &plan.hash);
        let by = self.bob.sign(store, &command).await.unwrap();
        assert!(store.approve_plan(incident.key, &plan, by.user_id, by.command_id, 1).await.unwrap());
        self.move_plan(store, incident, plan_no, ("plan.started", "plan go", "approved", "running")).await;
    }

    /// Bob moves a plan: kind, command, state before, state after.
    pub async fn move_plan(
        &self,
        store: &Store,
        incident: &Incident,
        plan_no: i32,
        (kind, command, from, to): (&'static str, &'static str, &'static str, &'static str),
    ) {
        let plan = store.load_plan(incident.key, plan_no).await.unwrap();
        let by = self.bob.sign(store, &plan_command(command, incident.incident_id, plan_no, &plan.hash)).await.unwrap();
        store.move_plan(incident.key, &plan, kind, from, to, by).await.unwrap();
    }

    /// Ann withdraws a plan that has not gone.
    pub async fn withdraw(&self, store: &Store, incident: &Incident, plan_no: i32) -> Result<(), StoreError> {
        let plan = store.load_plan(incident.key, plan_no).await.unwrap();
        let command = plan_command("plan withdraw", incident.incident_id, plan_no, &plan.hash);
        let by = self.ann.sign(store, &command).await.unwrap();
        store.withdraw_plan(incident.key, &plan, by).await
    }

    /// Ann decides about a message of which a person was asked; answers what its event tells of her decision.
    pub async fn decide(
        &self,
        store: &Store,
        incident: &Incident,
        message: Uuid,
        choice: &str,
        deadline_ms: Option<i64>,
    ) -> Note {
        let command = json!({
            "command": "unknown decide", "incident": incident.incident_id, "message": message, "choice": choice, "reason": "seen",
            "deadline_ms": deadline_ms,
        });
        let by = self.ann.sign(store, &command).await.unwrap();
        let mut note = Note::default();
        note.detail.insert("command".into(), json!(by.command_id.to_string()));
        note.detail.insert("user".into(), json!(by.user_id.to_string()));
        note.detail.extend(deadline_ms.map(|ms| ("deadline_ms".to_owned(), json!(ms))));
        note
    }

    /// Ann sets a hold.
    pub async fn hold(&self, store: &Store, incident: &Incident, person: Option<Uuid>) -> Uuid {
        let by = self.ann.sign(store, &hold_set(incident.incident_id, person, "safety")).await.unwrap();
        store.set_hold(incident.key, person, "safety", by).await.unwrap()
    }

    /// Ann lifts a hold.
    pub async fn lift(&self, store: &Store, hold: Uuid) {
        let by = self.ann.sign(store, &hold_lift(hold)).await.unwrap();
        store.lift_hold(hold, by).await.unwrap();
    }
}
