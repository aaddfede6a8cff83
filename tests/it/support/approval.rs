//! A plan approved by somebody else than who prepared it, with a signature that proves it.

use duly::model::user_key;
use duly::store::Store;
use duly::store::unit::IncidentKey;
use serde_json::json;
use uuid::Uuid;

const PASSPHRASE: &str = "four words for tests";

/// Adds a user with a real key.
pub async fn add_user(store: &Store, name: &str) -> (Uuid, user_key::UserKey) {
    let (file, public) = user_key::create(name, PASSPHRASE).unwrap();
    (store.insert_user(name, &public).await.unwrap(), user_key::unlock(&file, PASSPHRASE).unwrap())
}

/// Approves a plan as bob, who did not prepare it, and starts it.
pub async fn approve_and_start(store: &Store, incident: IncidentKey, plan_no: i32) {
    let plan = store.load_plan(incident, plan_no).await.unwrap();
    let (bob, key) = add_user(store, "bob").await;
    let statement = json!({"command": "plan approve", "plan": plan_no, "hash": hex::encode(&plan.hash)}).to_string().into_bytes();
    let command = store.insert_command(bob, &statement, &key.sign(&statement)).await.unwrap();
    assert!(store.approve_plan(incident, &plan, bob, command, 1).await.unwrap());
    store.move_plan(incident, &plan, "plan.started", "approved", "running", bob).await.unwrap();
}
