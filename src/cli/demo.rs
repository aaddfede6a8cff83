//! The demo: a list goes out through the sandbox, a worker is killed, nobody is lost and nobody told twice.

use super::{Failure, Refusal, setup};
use crate::config::{self, Settings};
use crate::dispatch::plan::PlanRequest;
use crate::dispatch::{Office, plan};
use crate::intake::{csv, list};
use crate::model::profile::Profile;
use crate::model::seal::{Key, generate_pair};
use crate::model::state::Route;
use crate::model::statement::statement;
use crate::model::user_key;
use crate::store::controller::NewController;
use crate::store::incident::{Incident, NewIncident};
use crate::store::{Store, recreate_database};
use clap::Args;
use duly_sandbox::{SandboxConfig, SandboxState, write_people};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::process::{Child, Command};
use uuid::Uuid;

/// `duly demo`.
#[derive(Args)]
pub struct Demo {
    /// Made-up people
    #[arg(long, default_value_t = 5000)]
    people: u64,
    /// Seed of people and faults
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Give up after this many seconds
    #[arg(long, default_value_t = 170)]
    seconds_max: u64,
}

const FOLDER: &str = "target/demo";

/// Runs the demo; an error where anything does not hold.
pub async fn run(args: Demo) -> Result<(), Failure> {
    let started = Instant::now();
    let folder = Path::new(FOLDER);
    std::fs::create_dir_all(folder)?;
    let settings = demo_settings(folder).await?;
    let master = folder.join("master.key");
    let sandbox = start_sandbox(args.seed).await?;
    let office = Arc::new(Office::open(settings.clone()).await?);
    let incident = make_incident(&office).await?;

    let path = folder.join("affected.csv");
    write_people(&mut std::io::BufWriter::new(std::fs::File::create(&path)?), args.people, args.seed)?;
    let key = office.master.unwrap_key(&incident.wrapped_key, "incident")?;
    let tally = list::import(&office.store, &incident, &key, &path, &[], |_| {}).await?;
    let rows_read = csv::count_rows(std::fs::File::open(&path)?)?;
    println!("list      {rows_read} rows = {} people + {} duplicates + {} quarantined", tally.people, tally.duplicates, tally.quarantined);

    approve_and_go(&office, &incident).await?;
    println!("plan      prepared by one, approved by another, started after {} s", started.elapsed().as_secs());

    let mut others = vec![spawn(&settings, &master, &["web", "scheduler"])?, spawn(&settings, &master, &["worker"])?];
    let mut victim = spawn(&settings, &master, &["worker"])?;
    let in_flight = wait_for_flight(&sandbox).await?;
    victim.kill().await?;
    println!("killed    one worker by SIGKILL with {in_flight} calls at the providers; another one starts");
    others.push(spawn(&settings, &master, &["worker"])?);

    let open = wait_until_told(&office, &incident, started, args.seconds_max).await?;
    for child in &mut others {
        child.kill().await?;
    }
    let run = Finished { office, incident, sandbox, rows_read, open, seconds: started.elapsed().as_secs() };
    run.report(folder).await
}

async fn demo_settings(folder: &Path) -> Result<Settings, Failure> {
    let master = folder.join("master.key");
    if master.exists() {
        std::fs::remove_file(&master)?;
    }
    setup::write_secret(&master, &Key::generate().to_hex())?;
    let flags = [("keys.master_file".to_owned(), master.display().to_string())];
    let file = Some(Path::new("config/demo.toml"));
    let server = Settings::load(&config::layers(file, &flags))?;
    let url = recreate_database(server.database.url.expose_secret(), "duly_demo").await?;
    Store::migrate(&url).await?;
    let flags = [flags[0].clone(), ("database.url".to_owned(), url)];
    Ok(Settings::load(&config::layers(file, &flags))?)
}

async fn start_sandbox(seed: u64) -> Result<Arc<SandboxState>, Failure> {
    let mut config: SandboxConfig = toml::from_str(include_str!("../../config/sandbox.toml"))?;
    config.seed = seed;
    let state = Arc::new(SandboxState::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8380").await.map_err(|e| {
        Refusal::of(format!("the sandbox cannot listen on 127.0.0.1:8380: {e}"), "end the other demo or sandbox that uses this port")
    })?;
    let served = state.clone();
    tokio::spawn(async move {
        if let Err(error) = duly_sandbox::serve(served, listener, std::future::pending()).await {
            tracing::error!(error = %error, "the sandbox stopped");
        }
    });
    Ok(state)
}

async fn make_incident(office: &Office) -> Result<Incident, Failure> {
    let (public, secret) = generate_pair();
    let controller = NewController {
        slug: "northmere".into(),
        name: "Northmere Police".into(),
        sms_sender: "NORTHMERE".into(),
        address: vec!["Northmere Police".into(), "1 Station Road".into(), "Northmere NE1 4XF".into()],
        receipts_public_key: public,
        receipts_secret_key: office.master.wrap(&secret, "receipts"),
    };
    let profile = Profile::parse(&std::fs::read_to_string(office.settings.profiles.folder.join("uk-gdpr.toml"))?)?;
    let key = Key::generate();
    let (public, secret) = generate_pair();
    let incident = NewIncident {
        controller_id: office.store.insert_controller(&controller).await?,
        incident_id: Uuid::now_v7(),
        slug: "demo".into(),
        profile: profile.id,
        closing: json!(profile.closing),
        texts: json!({
            "nature": "On 9 November 2026 a file with names and pay numbers was copied from a supplier's server.",
            "consequences": "Somebody could pretend to know you, or to be us.",
            "measures": "The server is closed, the regulator is informed and the police investigate.",
            "advice": "Be wary of calls and messages that ask for details about you. We will never ask for a password.",
            "dpo_name": "Jo Example",
            "dpo_contact": "0808 157 0100",
        }),
        wrapped_key: office.master.wrap(&key, "incident"),
        intake_public_key: public,
        intake_secret_key: key.wrap(&secret, "intake"),
        approvals_required: 1,
    };
    office.store.insert_incident(&incident).await?;
    Ok(office.store.load_incident("northmere/demo").await?)
}

async fn approve_and_go(office: &Arc<Office>, incident: &Incident) -> Result<(), Failure> {
    let mut users = Vec::new();
    for name in ["Ann Preparer", "Bob Approver"] {
        let (file, public) = user_key::create(name, "a demo passphrase")?;
        let user_id = office.store.insert_user(name, &public).await?;
        users.push((user_id, user_key::unlock(&file, "a demo passphrase")?));
    }
    let [(ann, _), (bob, bobs_key)] = &users[..] else { return Ok(()) };
    let routes = [Route::SmsThenLetter, Route::Letter, Route::Sms];
    let summary = plan::prepare(office, incident, &PlanRequest { routes: routes.to_vec(), date: (2026, 11, 23), user_id: *ann }, |_| {}).await?;
    let prepared = office.store.load_plan(incident.key, summary.plan).await?;
    let approval = json!({"command": "plan approve", "incident": incident.incident_id, "plan": summary.plan, "hash": summary.hash});
    let signed = statement(&approval, office.store.now().await?, rand::random());
    let command = office.store.insert_command(*bob, &signed, &bobs_key.sign(&signed)).await?;
    super::plans::approve(office, incident, &prepared, *bob, command).await?;
    Ok(office.store.move_plan(incident.key, &prepared, "plan.started", "approved", "running", *bob).await?)
}

fn spawn(settings: &Settings, master: &Path, roles: &[&str]) -> Result<Child, Failure> {
    let log = std::fs::File::options().create(true).append(true).open(PathBuf::from(FOLDER).join("serve.log"))?;
    // Secrets travel by environment and file, never on a command line.
    let child = Command::new(std::env::current_exe()?)
        .args(["--settings", "config/demo.toml", "serve"])
        .args(roles)
        .env("DULY_DATABASE__URL", settings.database.url.expose_secret())
        .env("DULY_BROKER__URL", settings.broker.url.expose_secret())
        .env("DULY_KEYS__MASTER_FILE", master)
        .stderr(Stdio::from(log))
        .kill_on_drop(true)
        .spawn()?;
    Ok(child)
}

async fn wait_for_flight(sandbox: &SandboxState) -> Result<u64, Failure> {
    let until = Instant::now() + Duration::from_secs(60);
    while Instant::now() < until {
        let produced = sandbox.record().len();
        let flying: u64 = sandbox.in_flight().values().sum();
        if produced > 300 && flying >= 12 {
            return Ok(flying);
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    Err(Refusal::of("no calls reached the sandbox within 60 s", "read target/demo/serve.log"))
}

async fn wait_until_told(office: &Office, incident: &Incident, started: Instant, seconds_max: u64) -> Result<i64, Failure> {
    loop {
        let open = office.store.count_open_notices(incident.key).await?;
        let told = office.store.equation(incident.key).await?.person_states.get("notified").copied().unwrap_or(0);
        println!("{:>4} s    {told} notified, {open} open", started.elapsed().as_secs());
        if open == 0 || started.elapsed().as_secs() > seconds_max {
            return Ok(open);
        }
        tokio::time::sleep(Duration::from_secs(3)).await;
    }
}

struct Finished {
    office: Arc<Office>,
    incident: Incident,
    sandbox: Arc<SandboxState>,
    rows_read: u64,
    open: i64,
    seconds: u64,
}

impl Finished {
    async fn report(&self, folder: &Path) -> Result<(), Failure> {
        let store = &self.office.store;
        let key = self.incident.key;
        let equation = store.equation(key).await?;
        let (unknown_created, unknown_left) = store.count_unknown(key).await?;
        let calls = store.count_outcomes(key).await?;
        let in_flight_at_kill: i64 = calls.iter().filter(|(kind, _)| kind.ends_with(" none")).map(|(_, n)| n).sum();
        let (produced, max_sends, invented) = self.compare().await?;
        let findings = store.audit(key).await?;
        let accounted = equation.people + equation.duplicates + equation.quarantined + equation.decided;
        let lost = i64::try_from(self.rows_read)? - accounted + invented;
        let summary = json!({
            "rows_read": self.rows_read, "people": equation.people, "duplicates": equation.duplicates,
            "quarantined": equation.quarantined, "person_states": equation.person_states, "lost": lost,
            "max_sends_per_message": max_sends, "in_flight_at_kill": in_flight_at_kill, "unknown_created": unknown_created,
            "unknown_resolved": unknown_created - unknown_left, "findings": findings, "seconds": self.seconds,
        });
        std::fs::write(folder.join("summary.json"), serde_json::to_string_pretty(&summary)?)?;
        self.write_sample(folder)?;
        println!("\nEverybody accounted for, in {} s", self.seconds);
        println!("  rows      {} = {} people + {} duplicates + {} quarantined", self.rows_read, equation.people, equation.duplicates, equation.quarantined);
        for (state, n) in &equation.person_states {
            println!("  {state:<15} {n}");
        }
        println!("  sandbox   produced {produced} messages; most for one send-once key: {max_sends}; claimed but never produced: {invented}");
        println!("  kill      {in_flight_at_kill} calls in flight; {unknown_created} unknown calls, {} resolved", unknown_created - unknown_left);
        println!("  calls     {}", serde_json::to_string(&calls)?);
        println!("  messages  {}", serde_json::to_string(&store.count_messages(key).await?)?);
        println!("  faults    {}", serde_json::to_string(&self.sandbox.counts())?);
        println!("  audit     {} findings", findings.len());
        println!("  files     target/demo/summary.json, target/demo/sample-letter.pdf");
        self.judge(&summary, &equation, findings.len())
    }

    fn judge(&self, summary: &Value, equation: &crate::store::status::Equation, findings: usize) -> Result<(), Failure> {
        let number = |key: &str| summary.get(key).and_then(Value::as_f64).unwrap_or(-1.0);
        let wrong = [
            (self.open > 0, "a notice is still open"),
            (!equation.holds(), "the equation does not hold"),
            (number("lost") != 0.0, "somebody is lost"),
            (number("max_sends_per_message") != 1.0, "somebody was told twice"),
            (number("in_flight_at_kill") < 1.0, "no call was in flight at the kill"),
            (number("unknown_created") < 1.0, "no unknown call was made"),
            (number("unknown_resolved") < number("unknown_created"), "an unknown call is not resolved"),
            (findings > 0, "the audit has findings"),
        ];
        match wrong.iter().find(|(is_wrong, _)| *is_wrong) {
            Some((_, what)) => Err(Refusal::found(*what, "read target/demo/summary.json and target/demo/serve.log")),
            None => Ok(()),
        }
    }

    /// The sandbox's record beside ours: messages produced, the largest quotient of its count and our send-once keys,
    /// and messages that we say a provider took though nothing was produced.
    async fn compare(&self) -> Result<(usize, f64, i64), Failure> {
        let mut produced: HashMap<(String, String), i64> = HashMap::new();
        let record = self.sandbox.record();
        for physical in &record {
            *produced.entry((physical.channel.clone(), physical.content_sha256.clone())).or_insert(0) += 1;
        }
        let expected = self.office.store.list_expected_sends(self.incident.key).await?;
        let keys: HashMap<(String, String), i64> = expected.into_iter().map(|(c, h, n)| ((c, h), n)).collect();
        let quotient = |(place, n): (&(String, String), &i64)| *n as f64 / keys.get(place).copied().unwrap_or(0) as f64;
        let max_sends = produced.iter().map(quotient).fold(0.0, f64::max);
        let taken = self.office.store.list_taken(self.incident.key).await?;
        let invented = taken.iter().filter(|place| !produced.contains_key(place)).count();
        Ok((record.len(), max_sends, i64::try_from(invented)?))
    }

    fn write_sample(&self, folder: &Path) -> Result<(), Failure> {
        let person = crate::model::contact::PersonRecord {
            external_reference: "sample".into(),
            name: "Siân O'Brien-Ŵyn".into(),
            phone: None,
            address: Some(vec!["1 Heol y Bont".into(), "Aberystwyth".into(), "SY23 2AX".into()]),
            language: "en".into(),
            format: "standard".into(),
            jurisdiction: "GB".into(),
        };
        let setting = crate::render::message::Setting {
            profile: self.incident.profile.clone(),
            texts: self.incident.texts.clone(),
            controller_name: self.incident.controller_name.clone(),
            sms_sender: self.incident.sms_sender.clone(),
            controller_address: self.incident.controller_address.clone(),
            date: (2026, 11, 23),
        };
        let letter = self.office.composer.compose(&setting, &person, "ABCD-EFGH", crate::model::state::Channel::Letter, crate::model::state::Content::Full)?;
        Ok(std::fs::write(folder.join("sample-letter.pdf"), letter.bytes)?)
    }
}
