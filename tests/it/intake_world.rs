//! A database with an incident of known keys, files to import into it, and the real binary beside them.

use crate::support::{TestDatabase, migrated_database, write_private};
use duly::intake::correction::{Correction, CorrectionError};
use duly::intake::csv::ListError;
use duly::intake::dry_run::dry_run;
use duly::intake::list::{ImportError, Report, Target, count_list, import};
use duly::model::health::HealthRules;
use duly::model::seal::{Key, generate_pair};
use duly::model::user_key;
use duly::store::controller::NewController;
use duly::store::incident::{Incident, NewIncident};
use duly::store::quarantine::RowName;
use duly::store::user::Signer;
use duly::store::{Deadlines, Store};
use serde_json::{Value, json};
use sqlx::PgPool;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use uuid::Uuid;

pub const HEADER: &str = "external_reference,first_name,last_name,phone,address_1,town,postcode\n";

/// A good row.
pub const ANN: &str = "PN1,Ann,Price,07400 123456,1 High Street,Leeds,LS1 4AP\n";

/// Rows, people, duplicates, quarantined, known before.
pub fn counts(report: &Report) -> (u64, u64, u64, u64, u64) {
    (report.rows, report.people, report.duplicates, report.quarantined, report.known)
}

pub struct IntakeWorld {
    pub database: TestDatabase,
    pub store: Store,
    /// As the owner: for what only a test may look at or break.
    pub owner: PgPool,
    pub master: Key,
    pub incident: Incident,
    pub key: Key,
    pub ann: Signer,
    pub folder: tempfile::TempDir,
}

impl IntakeWorld {
    pub async fn start(name: &str) -> Self {
        let database = migrated_database(&format!("intake_{name}")).await;
        let deadlines = Deadlines {
            lease_ms: 60_000,
            queue_lease_ms: 60_000,
            unknown_ms: 0,
            no_news_ms: 60_000,
            asked_ms: 60_000,
            overdue_ms: 60_000,
            laid_aside_ms: 90 * 86_400_000,
            laid_aside_max: 1000,
            health: HealthRules {
                window_ms: 60_000,
                bad_min: 1_000_000,
                bad_percent: 100,
                rest_min_ms: 60_000,
                rest_max_ms: 60_000,
            },
        };
        let store = Store::connect(&database.url, 5, deadlines).await.unwrap();
        let owner = PgPool::connect(&database.url).await.unwrap();
        let master = Key::generate();
        let key = Key::generate();
        let folder = tempfile::tempdir().unwrap();
        let (file, public) = user_key::create("ann", "a passphrase").unwrap();
        write_private(&folder.path().join("ann.key"), &file);
        write_private(&folder.path().join("passphrase"), "a passphrase");
        let user_id = store.insert_first_user("ann", &public).await.unwrap();
        let ann = Signer { user_id, key: user_key::unlock(&file, "a passphrase").unwrap() };
        let incident = make_incident(&store, &ann, &master, &key).await;
        Self { database, store, owner, master, incident, key, ann, folder }
    }

    pub fn target(&self) -> Target<'_> {
        Target { store: &self.store, incident: &self.incident, incident_key: &self.key }
    }

    pub fn file(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    pub async fn try_import(&self, text: impl AsRef<[u8]>) -> Result<Report, ImportError> {
        self.import_file(&self.file("list.csv", text)).await
    }

    /// As `try_import`, of a file that is there.
    pub async fn import_file(&self, path: &Path) -> Result<Report, ImportError> {
        import(&self.store, &self.incident, &self.key, path, &duly::intake::csv::Mapping::default(), |_| {}).await
    }

    pub async fn import(&self, rows: &str) -> Report {
        self.try_import(format!("{HEADER}{rows}")).await.unwrap()
    }

    pub async fn dry_run(&self, text: impl AsRef<[u8]>) -> Result<Report, ImportError> {
        dry_run(&self.target(), &self.file("dry.csv", text), &duly::intake::csv::Mapping::default(), |_| {}).await
    }

    pub async fn correct(&self, one: Option<&str>, text: &str) -> Result<Report, CorrectionError> {
        let path = self.file("corrected.csv", text);
        let one: Option<RowName> = one.map(|name| name.parse().unwrap());
        let file = count_list(&path).await.ok().map(|counted| hex::encode(self.target().file_hash(&counted)));
        let words = json!({"command": "quarantine correct", "incident": self.incident.incident_id, "file": file});
        let by = self.ann.sign(&self.store, &words).await.unwrap();
        Correction::read(self.target(), &path, one.as_ref()).await?.take(by).await
    }

    /// As `plan prepare` does it: no more people for the lists that are open now.
    pub async fn freeze(&self) {
        sqlx::query(
            "insert into list_freeze (controller_id, incident_no, list_no, people, manifest_root)
             select l.controller_id, l.incident_no, l.list_no, (select count(*) from person p where p.list_no = l.list_no), sha256('')
               from affected_list l on conflict do nothing",
        )
        .execute(&self.owner)
        .await
        .unwrap();
    }

    pub async fn count(&self, query: &'static str) -> i64 {
        sqlx::query_scalar(query).fetch_one(&self.owner).await.unwrap()
    }

    /// `waiting` rows as `list/row code`, in order.
    pub async fn waiting(&self) -> Vec<String> {
        let rows = self.store.list_quarantined(self.incident.key, None, 1000).await.unwrap();
        rows.iter().map(|r| format!("{} {}", r.name, r.faults[0]["code"].as_str().unwrap())).collect()
    }

    /// Rows by their last fate add up, and every person has the one row that brought it.
    pub async fn audit(&self) {
        let equation = self.store.equation(self.incident.key).await.unwrap();
        assert!(equation.holds(), "{equation:?}");
        let decided = self.count("select count(*) from row_decision").await;
        let rows = self.count("select count(*) from source_row").await;
        let people = self.count("select count(*) from person").await;
        let repeats = self.count("select count(*) from source_row where fate = 'duplicate_of'").await;
        let waiting = self.store.count_quarantined(self.incident.key).await.unwrap();
        assert_eq!(rows, people + repeats + waiting + decided);
        assert_eq!(self.count("select count(*) from person_key").await, people);
    }

    /// The real binary with this database's settings.
    pub fn duly(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_duly"));
        command
            .args(arguments)
            .env("DULY_DATABASE__URL", &self.database.url)
            .env("DULY_MASTER_KEY", self.master.to_hex().as_str())
            .env("DULY_USER_KEY", self.folder.path().join("ann.key"))
            .env("DULY_PASSPHRASE_FILE", self.folder.path().join("passphrase"))
            .env("DULY_WEB__LISTEN", "127.0.0.1:0")
            .env("RUST_LOG", "info");
        command
    }

    /// Runs the binary to its end; its output as JSON.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let output = self.duly(arguments).arg("--json").output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    pub fn text(&self, arguments: &[&str]) -> (bool, String, String) {
        let Output { status, stdout, stderr } = self.duly(arguments).output().unwrap();
        (status.success(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
    }
}

async fn make_incident(store: &Store, ann: &Signer, master: &Key, key: &Key) -> Incident {
    let (receipts_public_key, receipts_secret) = generate_pair();
    let controller = NewController {
        slug: "northmere".into(),
        name: "Northmere".into(),
        sms_sender: "NORTHMERE".into(),
        address: vec!["1 Station Road".into()],
        receipts_public_key,
        receipts_secret_key: master.wrap(&receipts_secret, "receipts"),
        added_by: None,
    };
    let (intake_public_key, intake_secret) = generate_pair();
    let incident = NewIncident {
        controller_id: store.insert_controller(&controller).await.unwrap(),
        incident_id: Uuid::now_v7(),
        slug: "n-2026".into(),
        profile: "uk-gdpr".into(),
        texts: json!({}),
        wrapped_key: master.wrap(key, "incident"),
        intake_public_key,
        intake_secret_key: key.wrap(&intake_secret, "intake"),
        approvals_required: 1,
    };
    ann.add_incident(store, "northmere", &incident).await.unwrap();
    store.load_incident("n-2026").await.unwrap()
}

/// The refusal inside an import's error.
pub fn refusal(result: Result<Report, ImportError>) -> ListError {
    match result.unwrap_err() {
        ImportError::List(error) => error,
        other => panic!("not a refusal of the list: {other}"),
    }
}
