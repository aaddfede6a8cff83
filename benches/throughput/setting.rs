//! A database of its own, an incident, and settings without pace.

use duly::config::{self, Settings};
use duly::dispatch::Office;
use duly::model::seal::{Key, generate_pair};
use duly::model::user_key::UserKey;
use duly::store::controller::NewController;
use duly::store::incident::{Incident, NewIncident};
use duly::store::user::Signer;
use duly::store::{Store, recreate_database};
use secrecy::ExposeSecret;
use serde_json::json;
use sqlx::PgPool;
use std::path::Path;
use std::sync::Arc;
use uuid::Uuid;

/// Settings of the benchmark over the shipped ones; `more` lies above.
pub async fn settings(database: &str, more: &[(&str, String)]) -> Settings {
    std::fs::create_dir_all("target/bench").unwrap();
    let mut flags = Vec::new();
    for key in ["master", "log"] {
        let path = format!("target/bench/{key}.key");
        if !Path::new(&path).exists() {
            duly::cli::setup::write_secret(Path::new(&path), Key::generate().to_hex()).unwrap();
        }
        flags.push((format!("keys.{key}_file"), path));
    }
    let outside = format!("target/bench/outside-{database}");
    if Path::new(&outside).exists() {
        std::fs::remove_dir_all(&outside).unwrap();
    }
    flags.push(("evidence.outside".to_owned(), outside));
    flags.extend(more.iter().map(|(key, value)| ((*key).to_owned(), value.clone())));
    let server = Settings::load(&config::layers(None, &flags)).unwrap();
    let url = recreate_database(server.database.url.expose_secret(), database).await.unwrap();
    Store::migrate(&url).await.unwrap();
    check_durable(&url).await;
    flags.push(("database.url".to_owned(), url));
    Settings::load(&config::layers(None, &flags)).unwrap()
}

/// What the entries' conditions say holds at this server: nothing is measured that a crash would take back.
async fn check_durable(url: &str) {
    let pool = PgPool::connect(url).await.unwrap();
    for (setting, query) in [
        ("fsync", "show fsync"),
        ("synchronous_commit", "show synchronous_commit"),
        ("full_page_writes", "show full_page_writes"),
    ] {
        let is: String = sqlx::query_scalar(query).fetch_one(&pool).await.unwrap();
        assert_eq!(is, "on", "{setting}: the figures would not say what they say");
    }
}

/// The first user.
pub async fn ann(store: &Store) -> Signer {
    let key = UserKey::generate("ann");
    Signer { user_id: store.insert_first_user("ann", &key.public()).await.unwrap(), key }
}

/// An incident to import into and to send for.
pub async fn incident(office: &Arc<Office>, by: &Signer) -> Incident {
    let (public, secret) = generate_pair();
    let controller = NewController {
        slug: "northmere".into(),
        name: "Northmere Police".into(),
        sms_sender: "NORTHMERE".into(),
        address: vec!["1 Station Road".into()],
        receipts_public_key: public,
        receipts_secret_key: office.master.wrap(&secret, "receipts"),
        added_by: None,
    };
    let key = Key::generate();
    let new = NewIncident {
        controller_id: office.store.insert_controller(&controller).await.unwrap(),
        incident_id: Uuid::now_v7(),
        slug: "bench".into(),
        profile: "uk-gdpr".into(),
        texts: json!({
            "nature": "On 9 November 2026 a file with names was copied from a server of ours.",
            "dates": "It was copied on 9 November 2026.", "data_types": "Your name and your pay number.",
            "consequences": "Somebody could pretend to know you.", "measures": "The server is closed and we told the police.",
            "advice": "Be wary of calls from people you do not know.", "dpo_name": "Mary Holt", "dpo_contact": "0808 157 0100",
            "published": { "phones": ["0808 157 0100", "0303 123 1113"], "domains": ["ico.org.uk"] },
        }),
        wrapped_key: office.master.wrap(&key, "incident"),
        intake_public_key: public,
        intake_secret_key: key.wrap(&secret, "intake"),
        approvals_required: 1,
    };
    by.add_incident(&office.store, "northmere", &new).await.unwrap();
    office.store.load_incident("bench").await.unwrap()
}
