//! A running incident to be disturbed: people under an approved plan, a sandbox, and processes of the real binary.

use super::approval::Users;
use super::background;
use super::broker::{VirtualHost, virtual_host, virtual_host_on};
use super::database::{TestDatabase, database_on, migrated_database};
use super::process::{Process, Start};
use super::provider::Sandbox;
use super::proxy::Proxy;
use super::services::Services;
use super::settings::{settings_text, write_key};
use duly::config::{Settings, layers_with};
use duly::dispatch::plan::PlanRequest;
use duly::dispatch::{Office, plan};
use duly::intake::list;
use duly::model::seal::{Key, generate_pair};
use duly::model::state::Route;
use duly::model::statement::controller_add;
use duly::store::controller::NewController;
use duly::store::incident::{Incident, NewIncident};
use duly_sandbox::ProviderConfig;
use serde_json::json;
use sqlx::PgPool;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// A lane and the provider behind it.
#[derive(Clone)]
pub struct Lane {
    pub name: &'static str,
    pub provider: ProviderConfig,
    /// For how long our key is relied on, s; where the provider honours it.
    pub key_life_seconds: u64,
    pub per_second: u32,
    /// Messages a day; 0: no limit.
    pub per_day: u32,
    pub reserve: bool,
    /// Its part of its channel's messages; 0: by pace.
    pub weight: u32,
    pub unknown_rule: &'static str,
    /// Further settings of the lane, `{folder}` standing for the stage's own folder; where there are any, `provider` is theirs.
    pub extra: &'static str,
}

impl Lane {
    /// A lane without receipts whose provider can do nothing special.
    pub fn named(name: &'static str) -> Self {
        let provider = ProviderConfig { receipts: false, lookup: false, ..ProviderConfig::default() };
        Self {
            name,
            provider,
            key_life_seconds: 600,
            per_second: 200,
            per_day: 0,
            reserve: false,
            weight: 0,
            unknown_rule: "ask",
            extra: "",
        }
    }
}

/// What a stage is made of.
pub struct Setup {
    pub people: u32,
    pub routes: Vec<Route>,
    pub lanes: Vec<Lane>,
    /// `[dispatch]` settings that differ from the stage's own.
    pub dispatch: Vec<(&'static str, i64)>,
    /// Whether the processes reach database and broker through wires that the test can cut.
    pub wired: bool,
    /// How far the database's clock is ahead of this machine's, s.
    pub clock_seconds: i32,
    /// The templates are a copy in the stage's folder, which the test may change.
    pub own_templates: bool,
    /// A word of the legal profile with another in its place.
    pub profile_with: Option<(&'static str, &'static str)>,
    /// `[health]` settings.
    pub health: &'static str,
    /// Hours in which text messages wait for the morning; the same twice: none.
    pub quiet: [&'static str; 2],
    /// People, controller and law are of California, and not of the United Kingdom.
    pub is_american: bool,
    /// The incident's `[facts]`.
    pub facts: serde_json::Value,
    /// Services of its own that the test may restart.
    pub services: Option<Services>,
}

impl Default for Setup {
    fn default() -> Self {
        let (people, routes, lanes) = (1, vec![Route::Sms], vec![Lane::named("sms")]);
        Self {
            people,
            routes,
            lanes,
            dispatch: Vec::new(),
            wired: false,
            clock_seconds: 0,
            own_templates: false,
            profile_with: None,
            // Faults are what most stages are made for: no lane rests because of them.
            health: "bad_min = 1000000\nrest_min_ms = 60000\nrest_max_ms = 60000\nreturn_ms = 1\n",
            quiet: ["00:00", "00:00"],
            is_american: false,
            facts: json!({}),
            services: None,
        }
    }
}

/// The processes' wires to their services.
pub struct Wires {
    pub database: Proxy,
    pub broker: Proxy,
    database_url: String,
    broker_url: String,
}

impl Wires {
    async fn before(database: &str, broker: &str) -> Self {
        let (database, database_url) = Proxy::before(database).await;
        let (broker, broker_url) = Proxy::before(broker).await;
        Self { database, broker, database_url, broker_url }
    }
}

/// A prepared incident whose plan runs; nothing is sent before a process starts.
pub struct Stage {
    pub office: Arc<Office>,
    pub incident: Incident,
    pub users: Users,
    /// Further incidents, under running plans of their own.
    pub others: Vec<Incident>,
    pub owner: PgPool,
    pub sandbox: Sandbox,
    pub broker: VirtualHost,
    pub wires: Option<Wires>,
    pub settings: PathBuf,
    pub folder: TempDir,
    web: CancellationToken,
    pub database: TestDatabase,
    pub services: Option<Services>,
}

impl Stage {
    /// Makes one.
    pub async fn new(setup: Setup) -> Self {
        // Another test of this process may have installed it already.
        drop(rustls::crypto::ring::default_provider().install_default());
        let (database, broker) = match &setup.services {
            None => (migrated_database("stage").await, virtual_host().await),
            Some(own) => (database_on(&own.database, "stage").await, virtual_host_on(&own.broker, &own.management).await),
        };
        let providers = setup.lanes.iter().map(|lane| (lane.name.to_owned(), lane.provider.clone()));
        let sandbox = Sandbox::start(providers.collect::<BTreeMap<_, _>>()).await;
        let folder = tempfile::tempdir().unwrap();
        let settings = folder.path().join("settings.toml");
        let wires = if setup.wired { Some(Wires::before(&database.url, &broker.url).await) } else { None };
        let urls = wires.as_ref().map_or([&database.url, &broker.url], |w| [&w.database_url, &w.broker_url]);
        std::fs::write(&settings, settings_text(&setup, urls, folder.path(), &sandbox)).unwrap();
        write_key(&folder.path().join("master.key"));
        write_key(&folder.path().join("log.key"));
        let direct =
            [("DULY_DATABASE__URL".to_owned(), database.url.clone()), ("DULY_DATABASE__CONNECTIONS".to_owned(), "3".to_owned())];
        let owner = sqlx::postgres::PgPoolOptions::new().max_connections(2).connect(&database.url).await.unwrap();
        // Untouched where it need not move: the audit finds another one.
        if setup.clock_seconds != 0 {
            shift_clock(&owner, setup.clock_seconds).await;
        }
        let office = Office::open(Settings::load(&layers_with(Some(&settings), direct, &[])).unwrap()).await.unwrap();
        let office = Arc::new(office);
        let users = Users::new(&office.store).await;
        let controller_id = make_controller(&office, &users, setup.is_american).await;
        let profile = if setup.is_american { "us-ca" } else { "uk-gdpr" };
        let incident = make_incident(&office, &users, controller_id, ("test", profile), &setup.facts).await;
        import_people(&office, &incident, folder.path(), 1..=setup.people).await;
        approve_and_go(&office, &incident, &users, &setup.routes, false).await;
        let web = CancellationToken::new();
        let services = setup.services;
        Self {
            office,
            incident,
            users,
            others: Vec::new(),
            owner,
            sandbox,
            broker,
            wires,
            settings,
            folder,
            web,
            database,
            services,
        }
    }

    /// Starts another incident of so many people, reached by text message at numbers that nobody else has.
    pub async fn add_incident(&mut self, slug: &str, people: u32, is_urgent: bool) {
        let named = (slug, self.incident.profile.as_str());
        let incident = make_incident(&self.office, &self.users, self.incident.key.controller_id, named, &json!({})).await;
        let first = 100_000 * (u32::try_from(self.others.len()).unwrap() + 1);
        import_people(&self.office, &incident, self.folder.path(), first..=first + people - 1).await;
        approve_and_go(&self.office, &incident, &self.users, &[Route::Sms], is_urgent).await;
        self.others.push(incident);
    }

    /// Takes in another list of people whose numbers end in these.
    pub async fn import(&self, people: RangeInclusive<u32>) {
        import_people(&self.office, &self.incident, self.folder.path(), people).await;
    }

    /// Takes in another list of people whose numbers end in these, and starts a plan of their own.
    pub async fn add_people(&self, people: RangeInclusive<u32>, routes: &[Route]) {
        import_people(&self.office, &self.incident, self.folder.path(), people).await;
        approve_and_go(&self.office, &self.incident, &self.users, routes, false).await;
    }

    /// Prepares a plan for everybody whom no plan covers; answers its number.
    pub async fn prepare(&self, routes: &[Route]) -> i32 {
        prepare(&self.office, &self.incident, &self.users, routes, false).await
    }

    /// Starts a process with these roles.
    pub fn start(&self, roles: &[&str]) -> Process {
        self.start_with(roles, None, &[])
    }

    /// Starts a process that stops at a failpoint.
    pub fn start_at(&self, failpoint: &str, roles: &[&str]) -> Process {
        self.start_with(roles, Some(failpoint), &[])
    }

    /// Starts a process with a failpoint and further environment variables.
    pub fn start_with(&self, roles: &[&str], failpoint: Option<&str>, variables: &[(&str, &str)]) -> Process {
        Process::start(&Start { settings: &self.settings, folder: self.folder.path(), roles, failpoint, variables })
    }

    /// Serves receipts in this process and tells the sandbox where; returns the address.
    pub async fn serve_receipts(&self) -> String {
        let listener = background::listener().await;
        let url = format!("http://{}/receipts/northmere", listener.local_addr().unwrap());
        background::serve(duly::web::run(self.office.clone(), listener, self.web.clone()));
        self.sandbox.state.set_callback(Some(url.clone()));
        url
    }

    /// Moves the clock of this test's database on by so many seconds.
    pub async fn shift_clock(&self, seconds: i32) {
        shift_clock(&self.owner, seconds).await;
    }

    /// Lets the clock of this test's database stand at a time.
    pub async fn stop_clock(&self, at: &str) {
        let stopped = format!(
            "create or replace function duly_now() returns timestamptz language sql volatile as $$ select timestamptz '{at}' $$"
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(stopped)).execute(&self.owner).await.unwrap();
    }

    /// Holds the whole incident.
    pub async fn hold(&self) -> Uuid {
        self.users.hold(&self.office.store, &self.incident, None).await
    }

    /// Lifts a hold.
    pub async fn lift(&self, hold: Uuid) {
        self.users.lift(&self.office.store, hold).await;
    }

    /// The only message of a stage with one person.
    pub async fn message(&self) -> Uuid {
        sqlx::query_scalar("select message_id from message").fetch_one(&self.owner).await.unwrap()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.web.cancel();
    }
}

async fn shift_clock(owner: &PgPool, seconds: i32) {
    let moved = format!(
        "create or replace function duly_now() returns timestamptz language sql volatile
         as $$ select clock_timestamp() + interval '{seconds} seconds' $$"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(moved)).execute(owner).await.unwrap();
}

async fn make_controller(office: &Office, users: &Users, is_american: bool) -> Uuid {
    let mut address = vec!["Northmere".to_owned(), "1 Station Road".to_owned()];
    address.extend(is_american.then(|| "Portland, OR 97201".to_owned()));
    let (public, secret) = generate_pair();
    let command = controller_add("northmere", "Northmere", "NORTHMERE", &address);
    let controller = NewController {
        slug: "northmere".into(),
        name: "Northmere".into(),
        sms_sender: "NORTHMERE".into(),
        address,
        receipts_public_key: public,
        receipts_secret_key: office.master.wrap(&secret, "receipts"),
        added_by: Some(users.ann.sign(&office.store, &command).await.unwrap()),
    };
    office.store.insert_controller(&controller).await.unwrap()
}

async fn make_incident(
    office: &Office,
    users: &Users,
    controller_id: Uuid,
    (slug, profile): (&str, &str),
    facts: &serde_json::Value,
) -> Incident {
    let key = Key::generate();
    let (public, secret) = generate_pair();
    let mut texts = json!({
        "nature": "On 9 November 2026 a file with names was copied from a server of ours.",
        "dates": "It was copied on 9 November 2026.", "data_types": "Your name and your pay number.",
        "consequences": "Somebody could pretend to know you.", "measures": "The server is closed and we told the police.",
        "advice": "Be wary of calls from people you do not know.", "dpo_name": "Mary Holt", "dpo_contact": "0808 157 0100",
        "published": { "phones": ["0808 157 0100", "0303 123 1113"], "domains": ["ico.org.uk", "northmere.example", "northmere.police.uk"],
                       "email_sender": "notice@northmere.example" },
        "facts": facts,
    });
    if profile == "us-ca" {
        texts["contact_phone"] = json!("0808 157 0100");
        texts["delayed_by_le"] = json!("No authority asked us to wait.");
    }
    let incident = NewIncident {
        controller_id,
        incident_id: Uuid::now_v7(),
        slug: slug.to_owned(),
        profile: profile.to_owned(),
        texts,
        wrapped_key: office.master.wrap(&key, "incident"),
        intake_public_key: public,
        intake_secret_key: key.wrap(&secret, "intake"),
        approvals_required: 1,
    };
    users.ann.add_incident(&office.store, "northmere", &incident).await.unwrap();
    office.store.load_incident(&format!("northmere/{slug}")).await.unwrap()
}

/// Imports people whose telephone numbers and email addresses end in these.
pub(super) async fn import_people(office: &Office, incident: &Incident, folder: &Path, people: RangeInclusive<u32>) {
    let mut text = "external_reference,last_name,phone,email,address_1,town,postcode,country,jurisdiction\n".to_owned();
    let count = people.clone().count();
    let home = if incident.profile == "us-ca" { "San Francisco,CA 94103,US,US-CA" } else { "Leeds,LS1 4AP,," };
    for i in people {
        text.push_str(&format!("PN{},Price,+44 7400 {i:06},price.{i}@mail.example,{i} High Street,{home}\n", i - 1));
    }
    let path = folder.join("people.csv");
    std::fs::write(&path, text).unwrap();
    let key = office.master.unwrap_key(&incident.wrapped_key, "incident").unwrap();
    let tally = list::import(&office.store, incident, &key, &path, &duly::intake::csv::Mapping::default(), |_| {}).await.unwrap();
    assert_eq!(tally.people, count as u64);
}

pub(super) async fn approve_and_go(office: &Arc<Office>, incident: &Incident, users: &Users, routes: &[Route], is_urgent: bool) {
    let plan = prepare(office, incident, users, routes, is_urgent).await;
    users.approve_and_start(&office.store, incident, plan).await;
}

async fn prepare(office: &Arc<Office>, incident: &Incident, users: &Users, routes: &[Route], is_urgent: bool) -> i32 {
    let by = users.prepare(&office.store, incident).await;
    let summary = plan::prepare(
        office,
        incident,
        &PlanRequest {
            routes: routes.to_vec(),
            profiles: Vec::new(),
            under: BTreeMap::new(),
            date: (2026, 11, 23),
            is_urgent,
            at_night: false,
            told_by: None,
            // An alert beside a letter is meant as one.
            accepted: BTreeMap::from([("C080/uk-gdpr/en".to_owned(), "the letter tells them the rest".to_owned())]),
            by,
        },
        |_, _| {},
    )
    .await
    .unwrap();
    assert!(summary.problems.is_empty(), "{:?}", summary.problems);
    summary.plan
}
