//! Whoever was told can be erased: nothing personal can be read again by any key, and every proof still holds.

mod by_hand;
mod proofs;

use crate::cli::desk::{Ran, run};
use crate::support::{Lane, Setup, Stage, deadlines, produced, write_private};
use duly::intake::job::Job;
use duly::intake::rows::RowKeys;
use duly::model::contact::RawPerson;
use duly::model::seal::{Key, open_with};
use duly::model::state::Route;
use duly::model::user_key::UserKey;
use duly::provider::read_request;
use duly::store::Store;
use duly::store::audit::record::{Mark, Produced, compare};
use duly::store::job::NewRejected;
use duly::store::list::Inserted;
use duly_ledger::{Event, leaf_hash};
use duly_sandbox::{ProviderConfig, sign};
use serde_json::{Value, json};
use sqlx::Row;
use std::process::{Command, Stdio};
use time::OffsetDateTime;
use uuid::Uuid;

/// What nobody may read of the erased person any more; nobody else has it.
const THEIRS: [&str; 3] = ["\"PN0\"", "400000001", "1 High Street"];

/// A stage whose three people were told by letter, and a user who may sign.
struct Told {
    stage: Stage,
    url: String,
}

impl Told {
    async fn new() -> Self {
        let provider =
            ProviderConfig { channel: "letter".into(), receipts: true, receipt_delay_ms: 0, ..ProviderConfig::default() };
        let letters = Lane { provider, ..Lane::named("letters") };
        let stage = Stage::new(Setup { people: 3, routes: vec![Route::Letter], lanes: vec![letters], ..Setup::default() }).await;
        let key = UserKey::generate("cleo");
        write_private(&stage.folder.path().join("cleo.key"), &key.to_file("the long passphrase of cleo").unwrap());
        write_private(&stage.folder.path().join("cleo.pass"), "the long passphrase of cleo");
        stage.users.ann.add_user(&stage.office.store, "cleo", &key.public()).await.unwrap();
        let url = stage.serve_receipts().await;
        Self { stage, url }
    }

    /// Everybody is told, and nothing runs any more.
    async fn tell(&self) {
        let mut process = self.stage.start(&["scheduler", "worker"]);
        self.stage.drain_to_the_end().await;
        process.terminate().await;
    }

    fn duly(&self, args: &[&str], input: &str) -> Ran {
        let folder = self.stage.folder.path();
        let mut command = Command::new(env!("CARGO_BIN_EXE_duly"));
        command.arg("--settings").arg(&self.stage.settings).args(args).current_dir(folder).env_remove("DATABASE_URL");
        command.env("DULY_USER_KEY", "cleo.key").env("DULY_PASSPHRASE_FILE", "cleo.pass");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        run(command, input)
    }

    fn import(&self, name: &str, rows: &str) -> Value {
        let text = format!("external_reference,last_name,phone,address_1,town,postcode\n{rows}");
        std::fs::write(self.stage.folder.path().join(name), text).unwrap();
        self.duly(&["list", "import", name, "--incident", "test", "--json"], "").fine().json()
    }

    fn erase(&self, input: &str) -> Ran {
        self.duly(&["person", "erase", "--incident", "test", "--yes", "--json"], input)
    }

    /// Asks for the person whom the reference names.
    async fn person(&self) -> Uuid {
        let shown = self.duly(&["person", "show", "--incident", "test", "--json"], "PN0\n").fine().json();
        Uuid::try_parse(shown["person"].as_str().unwrap().strip_prefix("p_").unwrap()).unwrap()
    }

    /// Every key that the master key leads to, with the purposes that things are sealed for.
    async fn keys(&self) -> Vec<Key> {
        let (office, owner) = (&self.stage.office, &self.stage.owner);
        let incident = office.master.unwrap_key(&self.stage.incident.wrapped_key, "incident").unwrap();
        let mut keys = vec![office.master.clone(), incident.clone()];
        for (query, purpose) in [
            ("select wrapped from person_key", "person"),
            ("select wrapped_key from affected_list", "list"),
            ("select intake_secret_key from incident", "intake"),
        ] {
            let wrapped: Vec<Vec<u8>> = sqlx::query_scalar(query).fetch_all(owner).await.unwrap();
            keys.extend(wrapped.iter().map(|bytes| incident.unwrap_key(bytes, purpose).unwrap()));
        }
        let wrapped: Vec<u8> = sqlx::query_scalar("select receipts_secret_key from controller").fetch_one(owner).await.unwrap();
        keys.push(office.master.unwrap_key(&wrapped, "receipts").unwrap());
        keys
    }

    /// Places where something of the person's can be read: every column of every table, in clear or by any key.
    async fn readable(&self) -> Vec<String> {
        let owner = &self.stage.owner;
        let keys = self.keys().await;
        let columns = sqlx::query(
            "select table_name::text, column_name::text, data_type::text from information_schema.columns where table_schema = 'public'",
        );
        let mut places = Vec::new();
        for column in columns.fetch_all(owner).await.unwrap() {
            let (table, name, kind): (String, String, String) = (column.get(0), column.get(1), column.get(2));
            let cell = if kind == "bytea" { format!("\"{name}\"") } else { format!("convert_to(\"{name}\"::text, 'UTF8')") };
            let query = format!("select {cell} from \"{table}\" where \"{name}\" is not null");
            let cells: Vec<Vec<u8>> = sqlx::query_scalar(sqlx::AssertSqlSafe(query)).fetch_all(owner).await.unwrap();
            if cells.iter().any(|cell| tells(cell) || keys.iter().any(|key| opened(key, cell).iter().any(|plain| tells(plain)))) {
                places.push(format!("{table}.{name}"));
            }
        }
        places.sort();
        places
    }

    async fn events(&self, person: Uuid) -> Vec<Event> {
        let bodies: Vec<Vec<u8>> = sqlx::query_scalar("select body from event where person_id = $1 order by n")
            .bind(person)
            .fetch_all(&self.stage.owner)
            .await
            .unwrap();
        let mut prev = None;
        let mut events = Vec::new();
        for (n, body) in (1..).zip(&bodies) {
            let event = Event::parse(body).unwrap();
            assert_eq!((event.n, event.prev), (Some(n), prev), "the chain");
            prev = Some(leaf_hash(body));
            events.push(event);
        }
        events
    }

    /// No finding, with and without keys, and the equation holds.
    fn audit(&self) {
        let audit = self.duly(&["audit", "--sealed", "--json"], "");
        assert_eq!((audit.code, &audit.json()["holds"]), (0, &json!(true)), "{audit:?}");
    }
}

fn tells(bytes: &[u8]) -> bool {
    THEIRS.iter().any(|word| bytes.windows(word.len()).any(|window| window == word.as_bytes()))
}

/// What a key opens, for whichever purpose; a request may hold a letter whose bytes say nothing as they are.
fn opened(key: &Key, sealed: &[u8]) -> Vec<Vec<u8>> {
    let purposes = ["contact", "request", "receipt", "row", "rejected job"];
    let plain = purposes.iter().filter_map(|purpose| key.open(purpose, sealed).ok());
    plain.chain(open_with(key, sealed).ok()).collect()
}

#[tokio::test]
async fn an_erased_person_cannot_be_read_by_any_key_and_every_proof_still_holds() {
    let told = Told::new().await;
    let twice = told.import("more.csv", "PN0,Price-Jones,+44 7400 000001,9 High Street,Leeds,LS1 4AP\n");
    assert_eq!(twice["by_code"], json!({"duplicate_reference": 1}));
    let rejected = br#"{"format":"duly.job.v1","job":{"person":{"external_reference":"PN0"}}, broken"#;
    let master = &told.stage.office.master;
    let job = NewRejected { code: "not_json", body_hash: [7; 32], sealed: master.seal("rejected job", rejected) };
    told.stage.office.store.insert_rejected(&[job]).await.unwrap();
    told.tell().await;
    let before = told.readable().await;
    assert_eq!(
        before,
        ["attempt.request", "person.contact", "rejected_job.sealed", "source_row.sealed"],
        "the search itself finds"
    );
    let person = told.person().await;

    // Without a terminal nobody can be asked: it must be said that this is meant.
    told.duly(&["person", "erase", "--incident", "test"], "PN0\n").refused("p_", "--yes");
    assert_eq!(told.readable().await, before);
    let erased = told.erase("PN0\n").fine();

    assert_eq!(told.readable().await, [""; 0]);
    assert_eq!(erased.json()["person"], json!(format!("p_{}", person.simple())));
    let date = |field: &str| {
        OffsetDateTime::parse(erased.json()[field].as_str().unwrap(), &time::format_description::well_known::Rfc3339).unwrap()
    };
    assert_eq!((date("gone_from_backups_at") - date("erased_at")).whole_days(), 35);
    assert!(
        erased.err.contains("The true date of erasure is") && erased.err.contains("backups.retention_days"),
        "{}",
        erased.err
    );
    let last = told.events(person).await.pop().unwrap();
    assert_eq!(last.kind, "key.destroyed");
    assert_eq!(last.detail.keys().collect::<Vec<_>>(), ["command", "user"]);
    told.audit();

    let story = told.duly(&["person", "show", "--incident", "test", "--json"], "PN0\n").fine().json();
    assert_eq!((&story["is_erased"], &story["state"]), (&json!(true), &json!("notified")));
    let shown = told.duly(&["person", "show", "--incident", "test"], "PN0\n").fine().out;
    assert!(shown.contains("Erased: ") && shown.contains("cleo erased this person"), "{shown}");
    let status = told.duly(&["status", "--incident", "test"], "").fine().out;
    assert!(status.contains("1 person was erased"), "{status}");
    told.erase("PN0\n").refused("this person is erased already", "duly person show");
}

#[tokio::test]
async fn a_re_import_of_an_erased_person_is_refused_and_counted() {
    let told = Told::new().await;
    told.tell().await;
    told.erase("PN0\n").fine();
    let rows = "PN0,Price,+44 7400 000001,1 High Street,Leeds,LS1 4AP\nPN9,New,+44 7400 000009,9 High Street,Leeds,LS1 4AP\nPN0,Bad,12,,,\n";

    std::fs::write(
        told.stage.folder.path().join("again.csv"),
        format!("external_reference,last_name,phone,address_1,town,postcode\n{rows}"),
    )
    .unwrap();
    let dry = told.duly(&["list", "import", "again.csv", "--incident", "test", "--dry-run", "--json"], "").fine().json();
    let report = told.import("again.csv", rows);
    for report in [&dry, &report] {
        assert_eq!(
            (&report["people"], &report["quarantined"], &report["by_code"]),
            (&json!(1), &json!(2), &json!({"erased": 2}))
        );
    }

    let (store, incident) = (&told.stage.office.store, &told.stage.incident);
    let key = told.stage.office.master.unwrap_key(&incident.wrapped_key, "incident").unwrap();
    let list = Key::generate();
    let jobs = store.open_list(incident.key, "jobs", None, &key.wrap(&list, "list")).await.unwrap();
    let person = RawPerson {
        external_reference: " PN0 ".into(),
        last_name: "Price".into(),
        phone: "07400 000001".into(),
        ..RawPerson::default()
    };
    let row = RowKeys { incident: key, list }.job_row(&Job { job_id: "job-1".into(), person });
    let taken = store.insert_rows(incident.key, jobs.list_no, &[row]).await.unwrap();
    assert!(matches!(taken, Inserted::Taken { tally, .. } if (tally.people, tally.quarantined) == (0, 1)), "{taken:?}");

    let fix = "external_reference,last_name,phone\nPN0,Price,+44 7400 000001\n";
    std::fs::write(told.stage.folder.path().join("fix.csv"), fix).unwrap();
    let corrected =
        told.duly(&["quarantine", "correct", "2/1", "--incident", "test", "--file", "fix.csv", "--json"], "").fine().json();
    assert_eq!((&corrected["people"], &corrected["by_code"]), (&json!(0), &json!({"erased": 1})));

    assert_eq!(told.readable().await, [""; 0]);
    told.duly(&["quarantine", "export", "--incident", "test", "--file", "waiting.csv"], "").fine();
    let exported = std::fs::read_to_string(told.stage.folder.path().join("waiting.csv")).unwrap();
    assert_eq!(exported.lines().filter(|line| line.contains("erased")).count(), 3, "{exported}");
    assert!(!tells(exported.as_bytes()), "{exported}");
    let equation = store.equation(incident.key).await.unwrap();
    assert!(equation.holds(), "{equation:?}");
    assert_eq!((equation.people, equation.erased, equation.quarantined, equation.decided), (4, 1, 3, 1));
    told.audit();
}

#[tokio::test]
async fn a_providers_record_still_counts_the_messages_of_somebody_erased() {
    let told = Told::new().await;
    told.tell().await;
    told.stage.audit().await;
    told.erase("PN0\n").fine();

    told.stage.audit().await;

    let (office, incident) = (&told.stage.office, &told.stage.incident);
    let sealed = office.store.audit_sealed(incident.key, &office.master, &|_, frozen| read_request(frozen)).await.unwrap();
    let named: Vec<&Mark> = sealed.sends.iter().map(|send| &send.mark).filter(|mark| matches!(mark, Mark::Named(_))).collect();
    let [Mark::Named(names)] = named[..] else { panic!("{named:?}") };
    let record: Vec<Produced> = told.stage.sandbox.state.record().into_iter().map(produced).collect();
    let (theirs, others): (Vec<Produced>, Vec<Produced>) =
        record.into_iter().partition(|made| names.contains(&(made.account.clone(), made.reference.clone())));
    assert_eq!((theirs.len(), others.len()), (1, 2));
    let codes = |record: &[Produced]| compare(&sealed.sends, record).iter().map(|f| f.code).collect::<Vec<_>>();
    assert_eq!(codes(&[&theirs[..], &theirs, &others].concat()), ["sent_twice"]);
    assert_eq!(codes(&others), ["never_sent"]);
    let stranger = Produced { reference: "0".repeat(32), ..theirs[0].clone() };
    assert_eq!(codes(&[&theirs[..], &others, &[stranger]].concat()), ["not_ours"]);
}

#[tokio::test]
async fn nobody_is_erased_before_being_told() {
    let told = Told::new().await;
    let person = told.person().await;

    let refused = told.erase("PN0\n").refused(&format!("p_{}", person.simple()), "duly person show");
    assert!(refused.err.contains("open: the notice of phase 1, letter: waiting"), "{}", refused.err);
    assert!(!refused.err.contains("PN0"), "{}", refused.err);
    told.import("late.csv", "PN7,Late,+44 7400 000007,7 High Street,Leeds,LS1 4AP\n");
    let uncovered = told.erase("PN7\n").refused("p_", "duly person show");
    assert!(uncovered.err.contains("no plan covers this person yet"), "{}", uncovered.err);
    told.erase("PN8\n").refused("no person of this incident", "check it");
    assert_eq!(told.stage.count("select count(*) from person_key").await, 4);
    assert_eq!(told.stage.count("select count(*) from event where kind = 'key.destroyed'").await, 0);
}

#[tokio::test]
async fn what_providers_say_after_the_erasure_still_counts() {
    let told = Told::new().await;
    told.tell().await;
    let person = told.person().await;
    let row = sqlx::query(
        "select a.reference, o.provider_id from attempt a join outcome o using (message_id, attempt) where a.person_id = $1",
    )
    .bind(person)
    .fetch_one(&told.stage.owner)
    .await
    .unwrap();
    let (reference, id): (String, String) = (row.get(0), row.get(1));
    // Kept, sealed to the controller, and not yet applied by anybody.
    let body = json!({"at": "2026-11-23T10:00:00Z", "event": "ev_late", "id": id, "reference": reference, "status": "returned"})
        .to_string();
    let stamp = OffsetDateTime::now_utc().unix_timestamp().to_string();
    let request = reqwest::Client::new().post(format!("{}/letters", told.url)).header("X-Sandbox-Timestamp", &stamp);
    let answer = request
        .header("X-Sandbox-Signature", sign("sandbox-secret", &stamp, "/receipts/northmere/letters", &body))
        .body(body)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status().as_u16(), 200);
    let waiting = "select count(*) from receipt where due_at is not null and sealed is not null";
    assert_eq!(told.stage.count(waiting).await, 1);

    told.erase("PN0\n").fine();

    let kept = "select count(*) from receipt r join attempt a using (reference) join person p on p.person_id = a.person_id
        where p.erased_at is not null and r.sealed is not null";
    assert_eq!(told.stage.count(kept).await, 0);
    let mut process = told.stage.start(&["scheduler", "worker"]);
    told.stage.drain_to_the_end().await;
    process.terminate().await;
    let events = told.events(person).await;
    let at = events.iter().position(|event| event.kind == "key.destroyed").unwrap();
    assert!(
        events.len() > at + 1 && events[at + 1..].iter().all(|event| event.detail.get("erased") == Some(&json!(true))),
        "{events:?}"
    );
    assert_eq!(events[at + 1].detail["status"], json!("returned"));
    assert_eq!(told.stage.count(kept).await, 0);
    told.audit();
}

#[tokio::test]
async fn no_key_goes_without_its_event_and_no_event_without_what_it_says() {
    let told = Told::new().await;
    let owner = &told.stage.owner;
    let early = "insert into erasure (controller_id, incident_no, person_id, tombstone, copy_lists, copy_identities, copy_jobs, command_id)
        select p.controller_id, p.incident_no, p.person_id, sha256('x'), '{}', '{}', '{}', (select min(command_id::text)::uuid from signed_command)
          from person p join person_key using (person_id) order by p.reference_code limit 1";
    let event = "insert into event (controller_id, incident_no, person_id, n, kind, body, leaf)
        select controller_id, incident_no, person_id, last_n + 1, 'key.destroyed', 'x', sha256('\\x00'::bytea || 'x')
          from person order by reference_code limit 1";
    let attacks = [
        ("delete from person_key".to_owned(), "42501"),
        ("update person set erased_at = now()".to_owned(), "42501"),
        ("update person set contact = ''".to_owned(), "42501"),
        ("update source_row set sealed = ''".to_owned(), "42501"),
        (event.to_owned(), "DU061"),
        (early.to_owned(), "DU064"),
        (format!("{early}; {event}"), "DU062"),
    ];
    for (attack, code) in attacks {
        let mut tx = owner.begin().await.unwrap();
        sqlx::raw_sql("set local role duly_app").execute(&mut *tx).await.unwrap();
        let refused = match sqlx::raw_sql(sqlx::AssertSqlSafe(attack.clone())).execute(&mut *tx).await {
            Err(refused) => refused,
            Ok(_) => tx.commit().await.unwrap_err(),
        };
        assert_eq!(refused.into_database_error().unwrap().code().as_deref(), Some(code), "{attack}");
    }
    let store = Store::connect(&told.stage.database.url, 1, deadlines()).await.unwrap();
    assert_eq!(store.audit(told.stage.incident.key).await.unwrap(), []);
}
