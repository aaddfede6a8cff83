//! What people decide, as the command line makes it: each by a signature over exactly that.

use duly::model::state::Channel;
use duly::model::statement::{hold_lift, hold_set, provider_statement};
use duly::model::user_key::UserKey;
use duly::store::incident::Incident;
use duly::store::plan::{Approved, GO, Moved, PlanMove};
use duly::store::quarantine::Decider;
use duly::store::statement::Comparison;
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
        assert_eq!(store.approve_plan(incident.key, &plan, &self.bob, 1).await.unwrap(), Approved::Last);
        self.move_plan(store, incident, plan_no, GO).await;
    }

    /// Bob moves a plan.
    pub async fn move_plan(&self, store: &Store, incident: &Incident, plan_no: i32, to: PlanMove) {
        let plan = store.load_plan(incident.key, plan_no).await.unwrap();
        assert_eq!(store.move_plan(incident.key, &plan, &to, &self.bob).await.unwrap(), Moved::Done);
    }

    /// Ann withdraws a plan that has not gone.
    pub async fn withdraw(&self, store: &Store, incident: &Incident, plan_no: i32) -> Result<Moved, StoreError> {
        let plan = store.load_plan(incident.key, plan_no).await.unwrap();
        store.withdraw_plan(incident.key, &plan, &self.ann).await
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

    /// Ann compares a statement of the lane's provider, which says what our record says.
    pub async fn compare(&self, store: &Store, incident: &Incident, lane: (&str, Channel), count: u64) -> Comparison {
        let micros = i64::try_from(store.now().await.unwrap().unix_timestamp_nanos() / 1000).unwrap();
        let as_of = Comparison::moment(micros).unwrap();
        let (lane, channel) = (lane.0.to_owned(), lane.1);
        let told = Comparison { lane, channel, hash: "5e".repeat(32), theirs: count, ours: count, as_of };
        let by = self.ann.sign(store, &provider_statement(incident.incident_id, told.fields())).await.unwrap();
        store.record_statement(incident.key, &told, by).await.unwrap();
        told
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
