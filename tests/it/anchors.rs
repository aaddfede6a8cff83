//! Checkpoints in the hands of others: stamped, cosigned, handed over once, and no send ever waits for it.

pub mod authority;
mod hand_over;
mod made_up;
mod metrics;
pub mod relay;
mod stamps;
mod witness;
mod witnessed;

use crate::support::{Setup, Stage, eventually};
use authority::{Authority, P_256, has_openssl};
use axum::Router;
use axum::http::StatusCode;
use axum::routing::post;
use duly::config::{Recipient, Settings, SmtpSecurity};
use duly::evidence::anchor::{self, Anchors};
use duly::evidence::{Archive, sequencer};
use duly::store::anchor::Anchor;
use duly::store::log::Published;
use duly::store::sequencing::LogScope;
use serde_json::Map;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio_util::sync::CancellationToken;

/// Seed of the witness whose vkey the settings name.
const WITNESS_SEED: [u8; 32] = [7; 32];

/// Serves in the background; returns the address.
async fn serve(app: Router) -> String {
    let listener = crate::support::listener().await;
    let url = format!("http://{}", listener.local_addr().unwrap());
    crate::support::serve(async move { axum::serve(listener, app).await });
    url
}

/// An incident with a frozen list, its log published, and settings in which only anchors differ.
struct Ground {
    stage: Stage,
    archive: Arc<Archive>,
    settings: Settings,
}

impl Ground {
    async fn new() -> Self {
        let stage = Stage::new(Setup::default()).await;
        let archive = Arc::new(Archive::open(&stage.office.settings, &stage.office.store).unwrap());
        let mut settings = stage.office.settings.clone();
        (settings.anchors.retry_min_ms, settings.anchors.retry_max_ms) = (1, 1);
        let ground = Self { stage, archive, settings };
        ground.publish().await;
        ground
    }

    async fn publish(&self) {
        sequencer::run_once(self.archive.clone()).await.unwrap();
    }

    /// One more event of the incident, published.
    async fn grow(&self, kind: &'static str) {
        let key = self.stage.incident.key;
        let scope = LogScope::Incident(key.controller_id, key.incident_no);
        self.stage.office.store.insert_event(scope, kind, Map::new()).await.unwrap();
        self.publish().await;
    }

    /// Ann closes the incident; published.
    async fn close(&self) {
        let (store, incident) = (&self.stage.office.store, &self.stage.incident);
        store.close_incident(incident.key, Some("enough"), &self.stage.users.ann).await.unwrap().unwrap();
        self.publish().await;
    }

    fn anchors(&self) -> Anchors {
        Anchors::open(&self.settings, &self.archive).unwrap()
    }

    /// The incident's log at its newest published checkpoint.
    async fn log(&self) -> Published {
        self.stage.office.store.list_published(self.stage.incident.incident_id).await.unwrap().pop().unwrap()
    }

    async fn kept(&self) -> Vec<Anchor> {
        self.stage.office.store.list_anchors(self.stage.incident.incident_id, 1, i64::MAX).await.unwrap()
    }

    /// Size, way and occasion of the hand-overs of the incident's log, in order.
    async fn handed(&self) -> Vec<(i64, String, String)> {
        sqlx::query_as("select size, way, occasion from hand_over where log_id = $1 order by made_at, way")
            .bind(self.stage.incident.incident_id)
            .fetch_all(&self.stage.owner)
            .await
            .unwrap()
    }

    fn recipient(&mut self) -> &mut Recipient {
        let none = Recipient {
            folder: String::new(),
            mail: String::new(),
            webhook_url: String::new(),
            webhook_secret: "".into(),
            webhook_secret_file: "".into(),
        };
        self.settings.hand_over.to.entry("northmere".into()).or_insert(none)
    }
}

/// The authority behind HTTP; the first `failures` calls find it broken.
async fn serve_authority(authority: &Arc<Authority>, failures: usize) -> (String, Arc<AtomicUsize>) {
    let (authority, calls) = (authority.clone(), Arc::new(AtomicUsize::new(0)));
    let counted = calls.clone();
    let answer = move |headers: axum::http::HeaderMap, query: axum::body::Bytes| async move {
        assert_eq!(headers["content-type"], "application/timestamp-query");
        if counted.fetch_add(1, Ordering::SeqCst) < failures {
            return (StatusCode::SERVICE_UNAVAILABLE, Vec::new());
        }
        (StatusCode::OK, authority.answer(&query))
    };
    (serve(Router::new().route("/tsa", post(answer))).await, calls)
}

#[tokio::test]
async fn a_checkpoint_is_stamped_at_freeze_and_the_answer_is_kept_as_it_came() {
    if !has_openssl() {
        return;
    }
    let authority = Arc::new(Authority::new(P_256));
    let (url, calls) = serve_authority(&authority, 0).await;
    let mut ground = Ground::new().await;
    ground.settings.anchors.tsa_url = format!("{url}/tsa");
    ground.settings.anchors.tsa_root_file = authority.path("root.pem");

    let mut anchors = ground.anchors();
    anchors.round().await.unwrap();
    anchors.round().await.unwrap();

    let (log, kept) = (ground.log().await, ground.kept().await);
    let [stamp] = kept.as_slice() else { panic!("{} stamps", kept.len()) };
    assert_eq!((stamp.size, stamp.kind.as_str(), stamp.name.as_str()), (log.size, "tsa", "127.0.0.1"));
    assert_eq!(stamp.checkpoint, log.note.into_bytes());
    assert_eq!(stamp.response, authority.read("answer.tsr"));
    assert!(authority.openssl_believes(&stamp.response, &stamp.checkpoint, &authority.path("root.pem")));
    assert_eq!(calls.load(Ordering::SeqCst), 1);

    // It grew: not before the interval, and then once.
    ground.grow("log.marked").await;
    anchors.round().await.unwrap();
    assert_eq!(ground.kept().await.len(), 1);
    ground.stage.shift_clock(2 * 3600).await;
    anchors.round().await.unwrap();
    anchors.round().await.unwrap();
    assert_eq!(ground.kept().await.iter().map(|stamp| stamp.size).collect::<Vec<_>>(), [log.size, log.size + 1]);
}

/// What `duly verify --tsa-root` says of a pack: its exit code, whether it calls a stamp verified, and what it found.
fn verified_under(root: &Path, pack: &Path, vkey: &Path) -> (Option<i32>, bool, String) {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_duly"));
    command.args(["verify", "--json", "--key"]).arg(vkey).arg("--tsa-root").arg(root).arg(pack);
    let out = command.output().unwrap();
    let report: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    (out.status.code(), report["anchors"][0]["verified"] == true, report["finding_counts"].to_string())
}

#[tokio::test]
async fn whoever_has_the_authoritys_root_checks_the_stamps_of_a_pack_with_one_command() {
    if !has_openssl() {
        return;
    }
    let authority = Arc::new(Authority::new(P_256));
    let (url, _) = serve_authority(&authority, 0).await;
    let mut ground = Ground::new().await;
    ground.settings.anchors.tsa_url = format!("{url}/tsa");
    ground.anchors().round().await.unwrap();
    let pack = crate::packs::incident_pack(&ground.stage, duly::report::pack::Audience::Regulator, false).await;
    let origin = ground.log().await.origin;
    let vkey = ground.archive.signer(&origin).unwrap().vkey().to_string();
    let (pack_file, key_file) = (authority.path("pack.zip"), authority.path("log.vkey"));
    std::fs::write(&pack_file, pack).unwrap();
    std::fs::write(&key_file, vkey).unwrap();

    let root = authority.path("root.pem");
    assert_eq!(verified_under(&root, &pack_file, &key_file), (Some(0), true, "{}".to_owned()));
    authority.make_root("stranger");
    let stranger = verified_under(&authority.path("stranger.pem"), &pack_file, &key_file);
    assert_eq!(stranger, (Some(1), false, r#"{"anchor":1}"#.to_owned()));

    // A clock that is put forward: what the authority saw claims to be later than that by hours.
    ground.stage.shift_clock(2 * 3600).await;
    ground.grow("log.marked").await;
    ground.anchors().round().await.unwrap();
    let pack = crate::packs::incident_pack(&ground.stage, duly::report::pack::Audience::Regulator, false).await;
    std::fs::write(&pack_file, pack).unwrap();
    assert_eq!(verified_under(&root, &pack_file, &key_file), (Some(1), true, r#"{"time":1}"#.to_owned()));
}

#[tokio::test]
async fn an_authority_that_fails_is_asked_again_and_one_that_lies_is_not_kept() {
    if !has_openssl() {
        return;
    }
    let authority = Arc::new(Authority::new(P_256));
    let (url, calls) = serve_authority(&authority, 2).await;
    let mut ground = Ground::new().await;
    ground.settings.anchors.tsa_url = format!("{url}/tsa");
    ground.settings.anchors.tsa_root_file = authority.path("root.pem");
    let mut anchors = ground.anchors();
    anchors.round().await.unwrap();
    assert_eq!(ground.kept().await, []);
    eventually("it is stamped in the end", async || {
        anchors.round().await.unwrap();
        !ground.kept().await.is_empty()
    })
    .await;
    assert_eq!(calls.load(Ordering::SeqCst), 3);

    // Stamps whose root is another's are not kept.
    authority.make_root("root");
    ground.settings.anchors.tsa_root_file = authority.path("root.pem");
    ground.close().await;
    ground.anchors().round().await.unwrap();
    assert_eq!((calls.load(Ordering::SeqCst), ground.kept().await.len()), (4, 1));
}

#[tokio::test]
async fn settings_that_cannot_work_are_refused_with_their_key() {
    let ground = Ground::new().await;
    let refused = |change: &dyn Fn(&mut Settings)| {
        let mut settings = ground.settings.clone();
        change(&mut settings);
        Anchors::open(&settings, &ground.archive).err().expect("accepted").to_string()
    };
    let recipient = |fields: &str| toml::from_str::<Recipient>(fields).unwrap();
    let to = |settings: &mut Settings, fields: &str| {
        settings.hand_over.to.insert("northmere".into(), recipient(fields));
    };

    for (key, error) in [
        ("anchors.tsa_url", refused(&|s| s.anchors.tsa_url = "ftp://tsa".into())),
        (
            "anchors.tsa_root_file",
            refused(&|s| (s.anchors.tsa_url, s.anchors.tsa_root_file) = ("http://tsa".into(), "/nowhere".into())),
        ),
        ("hand_over.to.northmere", refused(&|s| to(s, ""))),
        ("hand_over.smtp.host", refused(&|s| to(s, "mail = \"dpo@northmere.example\""))),
        ("hand_over.to.northmere.mail", refused(&|s| to(s, "mail = \"nobody\""))),
        ("hand_over.to.northmere.webhook_secret", refused(&|s| to(s, "webhook_url = \"http://127.0.0.1\""))),
        (
            "hand_over.smtp.security",
            refused(&|s| {
                to(s, "mail = \"dpo@northmere.example\"");
                (s.hand_over.smtp.host, s.hand_over.smtp.from) = ("relay.example".into(), "duly@northmere.example".into());
                s.hand_over.smtp.security = SmtpSecurity::None;
            }),
        ),
    ] {
        assert!(error.contains(&format!("`{key}`")), "{key}: {error}");
    }
}

/// An authority that takes a call and never answers.
async fn serve_silence() -> String {
    let never = || async { std::future::pending::<StatusCode>().await };
    format!("{}/tsa", serve(Router::new().route("/tsa", post(never))).await)
}

fn append(settings: &Path, text: &str) {
    std::fs::OpenOptions::new().append(true).open(settings).unwrap().write_all(text.as_bytes()).unwrap();
}

#[tokio::test]
async fn an_authority_that_never_answers_holds_no_send_up_and_no_other_anchor() {
    let ground = Ground::new().await;
    let folder = tempfile::tempdir().unwrap();
    let more = format!(
        "[anchors]\ntsa_url = \"{}\"\n[hand_over.to.northmere]\nfolder = \"{}\"\n",
        serve_silence().await,
        folder.path().display()
    );
    append(&ground.stage.settings, &more);

    let _process = ground.stage.start(&["scheduler", "worker"]);

    eventually("the message is sent", async || ground.stage.produced() == 1).await;
    eventually("the folder got the checkpoint", async || !ground.handed().await.is_empty()).await;
    assert_eq!(ground.kept().await, []);
}

#[tokio::test]
async fn the_loop_ends_when_it_is_told_to_even_in_the_middle_of_a_call() {
    let mut ground = Ground::new().await;
    ground.settings.anchors.tsa_url = serve_silence().await;
    ground.settings.anchors.request_timeout_ms = 600_000;
    let stop = CancellationToken::new();
    let running = tokio::spawn(anchor::run(ground.anchors(), stop.clone()));
    let leads = "select count(*) from leadership where role = 'anchors' and expires_at > now()";
    let count = async || sqlx::query_scalar::<_, i64>(leads).fetch_one(&ground.stage.owner).await.unwrap();
    eventually("it leads", async || count().await == 1).await;

    stop.cancel();

    tokio::time::timeout(std::time::Duration::from_secs(10), running).await.unwrap().unwrap();
    assert_eq!(count().await, 0);
}
