//! What the demo stands on: keys, a database of its own, the simulator on a free port, an incident, an approved plan.

use super::Demo;
use crate::cli::failure::parse_toml;
use crate::cli::{Failure, Refusal, plans, setup};
use crate::config::{self, Settings};
use crate::dispatch::Office;
use crate::dispatch::plan::{PlanError, PlanRequest, prepare};
use crate::model::causes::with_causes;
use crate::model::seal::{Key, generate_pair};
use crate::model::state::Route;
use crate::model::user_key::UserKey;
use crate::store::controller::NewController;
use crate::store::incident::{Incident, NewIncident};
use crate::store::user::Signer;
use crate::store::{Store, recreate_database};
use duly_sandbox::{SandboxConfig, SandboxState};
use secrecy::ExposeSecret;
use serde_json::json;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use tokio::net::TcpListener;
use uuid::Uuid;

/// Where the list's people live who do not live in the United Kingdom.
const ABROAD: &[&str] = &["DE", "FR", "GR", "IE", "PL", "TR", "US"];

/// What an earlier demo left: none of it may be taken for this one's.
const LEFT: &[&str] = &[
    "master.key",
    "log.key",
    "log.vkey",
    "serve.log",
    "summary.json",
    "sample-letter.pdf",
    "person-story.txt",
    "pack.zip",
    "pack-altered.zip",
];

/// So many people, and more, are sent to at the lanes' full pace.
const PEOPLE_OF_FULL_PACE: u64 = 1000;

/// Everything that is there before the first message leaves.
pub struct Ground {
    pub settings: Settings,
    pub office: Arc<Office>,
    pub sandbox: Arc<SandboxState>,
    pub incident: Incident,
    ann: Signer,
    bob: Signer,
}

impl Ground {
    /// Lays it anew: what an earlier demo left is replaced.
    pub async fn lay(folder: &Path, database: &str, args: &Demo) -> Result<Self, Failure> {
        for old in LEFT {
            if folder.join(old).exists() {
                std::fs::remove_file(folder.join(old))?;
            }
        }
        if folder.join("outside").exists() {
            std::fs::remove_dir_all(folder.join("outside"))?;
        }
        for key in ["master.key", "log.key"] {
            setup::write_secret(&folder.join(key), Key::generate().to_hex())?;
        }
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let provider = listener.local_addr()?;
        let web = free_address().await?;
        let settings = settings((folder, database), args.people, provider, web).await?;
        let sandbox = start_sandbox(listener, args.seed, web)?;
        let office = Arc::new(Office::open(settings.clone()).await?);
        let key = UserKey::generate("Ann Preparer");
        let ann = Signer { user_id: office.store.insert_first_user("Ann Preparer", &key.public()).await?, key };
        let key = UserKey::generate("Bob Approver");
        let bob = Signer { user_id: ann.add_user(&office.store, "Bob Approver", &key.public()).await?, key };
        let incident = make_incident(&office, &ann).await?;
        Ok(Self { settings, office, sandbox, incident, ann, bob })
    }

    /// Ann prepares, Bob approves and starts.
    pub async fn approve_and_go(&self) -> Result<(), Failure> {
        let (store, ann, bob) = (&self.office.store, &self.ann, &self.bob);
        let now = time::OffsetDateTime::now_utc();
        let incident_id = self.incident.incident_id;
        let request = PlanRequest {
            accepted: BTreeMap::from([(
                "C057/uk-gdpr/en".to_owned(),
                "names keep their accents, which make a text longer".to_owned(),
            )]),
            profiles: Vec::new(),
            // An establishment in the United Kingdom told its own people, wherever they live (UK GDPR Art. 3(1)).
            under: ABROAD.iter().map(|place| ((*place).to_owned(), "uk-gdpr".to_owned())).collect(),
            routes: vec![Route::SmsThenLetter, Route::Letter, Route::Sms],
            date: (now.year(), now.month().into(), now.day()),
            is_urgent: false,
            at_night: false,
            told_by: None,
            by: ann.sign(store, &json!({"command": "plan prepare", "incident": incident_id})).await?,
        };
        let made = prepare(&self.office, &self.incident, &request, |_, _| {}).await;
        if let Err(PlanError::Content { report, .. }) = &made {
            eprintln!("{}", plans::findings(report));
        }
        let summary = made?;
        let plan = store.load_plan(self.incident.key, summary.plan).await?;
        plans::start(store, &self.incident, &plan, bob).await
    }
}

/// A lane's pace in a small run: at the full one the first text lane would take everybody at once, and the other one's faults
/// would meet nobody.
fn pace(per_second: u32, people: u64) -> u32 {
    let part = u64::from(per_second) * people.min(PEOPLE_OF_FULL_PACE) / PEOPLE_OF_FULL_PACE;
    u32::try_from(part).unwrap_or(per_second).max(1)
}

/// A port that nobody uses at this moment.
async fn free_address() -> Result<SocketAddr, Failure> {
    Ok(TcpListener::bind("127.0.0.1:0").await?.local_addr()?)
}

async fn settings(
    (folder, database): (&Path, &str),
    people: u64,
    provider: SocketAddr,
    web: SocketAddr,
) -> Result<Settings, Failure> {
    let file = Some(Path::new("config/demo.toml"));
    let own = |name: &str| folder.join(name).display().to_string();
    let mut flags = vec![
        ("keys.master_file".to_owned(), own("master.key")),
        ("keys.log_file".to_owned(), own("log.key")),
        ("evidence.outside".to_owned(), own("outside")),
        ("web.listen".to_owned(), web.to_string()),
    ];
    for (name, lane) in Settings::load(&config::layers(file, &flags))?.lanes {
        flags.push((format!("lanes.{name}.url"), format!("http://{provider}/{name}")));
        flags.push((format!("lanes.{name}.per_second"), pace(lane.per_second, people).to_string()));
    }
    let server = Settings::load(&config::layers(file, &flags))?;
    if server.lanes.values().any(|lane| lane.live) {
        return Err(Refusal::of(
            "the demo's settings have a live lane",
            "take `live = true` out of config/demo.toml: the demo reaches nobody",
        ));
    }
    let url = recreate_database(server.database.url.expose_secret(), database).await?;
    Store::migrate(&url).await?;
    flags.push(("database.url".to_owned(), url));
    Ok(Settings::load(&config::layers(file, &flags))?)
}

fn start_sandbox(listener: TcpListener, seed: u64, web: SocketAddr) -> Result<Arc<SandboxState>, Failure> {
    let mut config: SandboxConfig = parse_toml("config/sandbox.toml", include_str!("../../../config/sandbox.toml"))?;
    config.seed = seed;
    config.callback = Some(format!("http://{web}/receipts/northmere"));
    let state = Arc::new(SandboxState::new(config));
    let served = state.clone();
    tokio::spawn(async move {
        if let Err(error) = duly_sandbox::serve(served, listener, std::future::pending()).await {
            tracing::error!(error = with_causes(&error), "the simulator stopped");
        }
    });
    Ok(state)
}

async fn make_incident(office: &Office, by: &Signer) -> Result<Incident, Failure> {
    let (public, secret) = generate_pair();
    let controller = NewController {
        slug: "northmere".into(),
        name: "Northmere Police".into(),
        sms_sender: "NORTHMERE".into(),
        address: vec!["Northmere Police".into(), "1 Station Road".into(), "Northmere NE1 4XF".into()],
        receipts_public_key: public,
        receipts_secret_key: office.master.wrap(&secret, "receipts"),
        added_by: None,
    };
    let key = Key::generate();
    let (public, secret) = generate_pair();
    let incident = NewIncident {
        controller_id: office.store.insert_controller(&controller).await?,
        incident_id: Uuid::now_v7(),
        slug: "demo".into(),
        profile: "uk-gdpr".into(),
        texts: json!({
            "nature": "On 9 November 2026 a file with names and pay numbers was copied from a supplier's server.",
            "dates": "It was copied on 9 November 2026, and we learned of it two days later.",
            "data_types": "Your name and your pay number. No address, bank detail or password was in it.",
            "consequences": "Somebody could pretend to know you, or to be us.",
            "measures": "The server is closed, the regulator is informed and the police investigate.",
            "advice": "Be wary of calls and messages that ask for details about you. We will never ask for a password.",
            "dpo_name": "Mary Holt",
            "dpo_contact": "0808 157 0100",
            "signatory": "Ruth Amis, Chief Constable",
            "published": { "phones": ["0808 157 0100", "0303 123 1113"], "domains": ["ico.org.uk"] },
        }),
        wrapped_key: office.master.wrap(&key, "incident"),
        intake_public_key: public,
        intake_secret_key: key.wrap(&secret, "intake"),
        approvals_required: 1,
    };
    by.add_incident(&office.store, "northmere", &incident).await?;
    Ok(office.store.load_incident("northmere/demo").await?)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use duly_sandbox::{FaultKind, ProviderConfig};

    /// Whether a lane can meet the fault and still bring everybody home without a person's help. Those that stop a whole lane
    /// until somebody acts, and those of one vendor's wire, have their tests elsewhere.
    fn is_allowed(kind: FaultKind, of: &ProviderConfig) -> bool {
        use FaultKind::*;
        match kind {
            Reject | TooMany | ErrorBefore | ErrorAfter | Slow | CutBefore | CutAfter | Hang | Late | Drip => true,
            ReceiptEarly | ReceiptLate | ReceiptDouble | ReceiptReorder | ReceiptContradict | ReceiptForged => true,
            LookUpError | LookUpTooMany | LookUpNotJson | LookUpCut | LookUpMoved | LookUpTwice => of.lookup,
            // Whoever cannot be asked and never tells leaves the message open for somebody without an address.
            ReceiptLost => of.lookup,
            LetterReturned | PrintOutage => of.channel == "letter",
            Undelivered | Expired => of.channel == "sms",
            TooManyToday | NoCredit | Forbidden | Unauthorised | Redirect | RequestTimeout | ErrorInside | NotJson | Conflict => {
                false
            }
            Gzip | HugeBody | LetterInvalid | LetterShownOther | Suspended => false,
            // What has another message's id is believed of nobody, so that the demo would wait for it.
            IdTwice | ReceiptOtherId => false,
            // Of their kind it has `ErrorBefore`, `Drip`, `LookUpError` and `LetterReturned`.
            Unavailable | HeadDrip | LookUpOther | LetterReturnedLate => false,
            ReceiptFuture | ReceiptMistimed => false,
            ReceiptUnknownWord | ReceiptUnsigned | ReceiptStale | ReceiptStranger | CancelLost | CancelCut => false,
        }
    }

    #[test]
    fn every_lane_of_the_demo_meets_every_fault_that_its_capabilities_allow() {
        let sandbox: SandboxConfig = parse_toml("sandbox", include_str!("../../../config/sandbox.toml")).unwrap();
        let demo: toml::Table = parse_toml("demo", include_str!("../../../config/demo.toml")).unwrap();
        let lanes = demo["lanes"].as_table().unwrap();
        assert_eq!(lanes.keys().collect::<Vec<_>>(), sandbox.providers.keys().collect::<Vec<_>>());
        for (name, provider) in &sandbox.providers {
            let can = |key: &str| lanes[name].get(key).and_then(toml::Value::as_bool).unwrap_or(false);
            assert_eq!((can("idempotent"), can("lookup")), (provider.idempotent, provider.lookup), "{name} claims what it can");
            for kind in FaultKind::ALL {
                let is_there = provider.faults.iter().any(|fault| fault.kind == *kind);
                assert_eq!(is_there, is_allowed(*kind, provider), "{name} {kind:?}");
            }
        }
    }
}
