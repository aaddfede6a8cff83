//! An approval as the command line makes it: a signature over the plan's hash, by somebody who did not prepare it.

use duly::model::statement::statement;
use duly::model::user_key::UserKey;
use duly::store::Store;
use duly::store::incident::Incident;
use serde_json::json;

/// Adds the user bob, who approves the plan and starts it.
pub async fn approve_and_start(store: &Store, incident: &Incident, plan_no: i32) {
    let plan = store.load_plan(incident.key, plan_no).await.unwrap();
    let name = format!("bob of {}", incident.slug);
    let key = UserKey::generate(&name);
    let bob = store.insert_user(&name, &key.public()).await.unwrap();
    let approval = json!({
        "command": "plan approve", "incident": incident.incident_id, "plan": plan.plan_no, "hash": hex::encode(&plan.hash),
    });
    let signed = statement(&approval, store.now().await.unwrap(), rand::random());
    let command = store.insert_command(bob, &signed, &key.sign(&signed)).await.unwrap();
    assert!(store.approve_plan(incident.key, &plan, bob, command, 1).await.unwrap());
    store.move_plan(incident.key, &plan, "plan.started", "approved", "running", bob).await.unwrap();
}
