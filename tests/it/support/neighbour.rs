//! Another controller of the same installation, whose messages go through the same accounts.

use super::stage::{Stage, approve_and_go, import_people};
use duly::model::seal::{Key, generate_pair};
use duly::model::state::Route;
use duly::model::statement::controller_add;
use duly::store::controller::NewController;
use duly::store::incident::NewIncident;
use uuid::Uuid;

/// Where the neighbour's numbers begin, which nobody else has.
const FIRST: u32 = 900_000;

impl Stage {
    /// Adds the controller `southmere` with an incident of its own, and starts a plan of it over one person.
    pub async fn add_neighbour(&mut self) {
        let (store, master) = (&self.office.store, &self.office.master);
        let address = vec!["Southmere".to_owned(), "2 Station Road".to_owned()];
        let command = controller_add("southmere", "Southmere", "SOUTHMERE", &address);
        let (public, secret) = generate_pair();
        let controller = NewController {
            slug: "southmere".into(),
            name: "Southmere".into(),
            sms_sender: "SOUTHMERE".into(),
            address,
            receipts_public_key: public,
            receipts_secret_key: master.wrap(&secret, "receipts"),
            added_by: Some(self.users.ann.sign(store, &command).await.unwrap()),
        };
        let controller_id = store.insert_controller(&controller).await.unwrap();
        let (key, (public, secret)) = (Key::generate(), generate_pair());
        let incident = NewIncident {
            controller_id,
            incident_id: Uuid::now_v7(),
            slug: "theirs".into(),
            profile: self.incident.profile.clone(),
            texts: self.incident.texts.clone(),
            wrapped_key: master.wrap(&key, "incident"),
            intake_public_key: public,
            intake_secret_key: key.wrap(&secret, "intake"),
            approvals_required: 1,
        };
        self.users.ann.add_incident(store, "southmere", &incident).await.unwrap();
        let incident = store.load_incident("southmere/theirs").await.unwrap();
        import_people(&self.office, &incident, self.folder.path(), FIRST..=FIRST).await;
        approve_and_go(&self.office, &incident, &self.users, &[Route::Sms], false).await;
        self.others.push(incident);
    }
}
