//! The commands themselves: the same moment gives the same file, whatever came after it, and each says what stands behind it.

use crate::cli::desk::{Ran, run};
use crate::decided::{end, reopen};
use crate::support::{Stage, eventually, write_private};
use crate::told::{PEOPLE, check, file, personal, sequence, told};
use duly::model::ending::Ending;
use duly::model::state::{Route, TellsOtherwise};
use duly::model::user_key::UserKey;
use duly::report::sample::rank;
use duly::store::anchor::{AnchorKind, Occasion};
use duly::store::sequencing::LogScope;
use duly_ledger::verify::Verdict;
use duly_ledger::{from_hex, to_hex};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::process::{Command, Stdio};
use time::format_description::well_known::Rfc3339;

/// A stage whose people were told, and cleo, who may sign.
struct Desk {
    stage: Stage,
}

impl Desk {
    async fn new() -> Self {
        let stage = told().await;
        let key = UserKey::generate("cleo");
        write_private(&stage.folder.path().join("cleo.key"), &key.to_file("the long passphrase of cleo").unwrap());
        write_private(&stage.folder.path().join("cleo.pass"), "the long passphrase of cleo");
        stage.users.ann.add_user(&stage.office.store, "cleo", &key.public()).await.unwrap();
        Self { stage }
    }

    fn duly_with(&self, args: &[&str], input: &str) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_duly"));
        command.arg("--settings").arg(&self.stage.settings).args(args).current_dir(self.stage.folder.path());
        command.env_remove("DATABASE_URL").env("DULY_USER_KEY", "cleo.key").env("DULY_PASSPHRASE_FILE", "cleo.pass");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        run(command, input)
    }

    fn duly(&self, args: &[&str]) -> Ran {
        self.duly_with(args, "")
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.stage.folder.path().join(name), text).unwrap();
    }

    /// The bytes that a command wrote to a new file; it says their hash.
    fn written(&self, args: &[&str], name: &str) -> Vec<u8> {
        let said = self.duly(&[args, &["--out", name, "--json"]].concat()).fine().json();
        let bytes = std::fs::read(self.stage.folder.path().join(name)).unwrap();
        assert_eq!(said["sha256"], json!(hex::encode(Sha256::digest(&bytes))), "{name}");
        bytes
    }

    /// Compares a statement of the lane of letters that says so many.
    fn compare(&self, name: &str, letters: u32, more: &[&str]) -> Ran {
        self.write(name, &format!("channel,count\nletter,{letters}\nsms,1\n"));
        self.duly(&[&["provider", "statement", name, "--incident", "test", "--lane", "letters"], more].concat())
    }

    /// Now, as `--as-of` takes it.
    async fn now(&self) -> String {
        self.stage.office.store.now().await.unwrap().format(&Rfc3339).unwrap()
    }

    /// The incident's newest checkpoint is handed over, and then stamped.
    async fn anchor(&self, who: &str) {
        sequence(&self.stage).await;
        let store = &self.stage.office.store;
        let id = self.stage.incident.incident_id;
        let log = store.list_logs_now().await.unwrap().into_iter().find(|log| log.log_id == id).unwrap();
        store.insert_hand_over(&log, Occasion::Daily, "folder", who).await.unwrap();
        store.insert_anchor(&log, AnchorKind::Tsa, who, b"a token").await.unwrap();
    }
}

#[tokio::test]
async fn each_report_of_the_same_moment_is_the_same_file_after_events_an_anchor_and_a_publication() {
    let desk = Desk::new().await;
    desk.anchor("before.example").await;
    desk.compare("counts.csv", PEOPLE, &[]).fine();
    let as_of = desk.now().await;
    let of = ["--incident", "test", "--as-of", &as_of];
    let reports = [
        ("regulator", [&["report", "regulator", "--profile", "uk-gdpr"], &of[..]].concat()),
        ("witness", [&["report", "witness"], &of[..]].concat()),
        ("sample", [&["audit", "sample", "-n", "3", "--seed", "auditor"], &of[..]].concat()),
    ];
    let endings = ["html", "pdf", "txt", "json"];
    let all = |round: &str| {
        let one = |(name, args): &(&str, Vec<&str>), ending: &str| {
            (format!("{name}.{ending}"), desk.written(args, &format!("{name}-{round}.{ending}")))
        };
        reports.iter().flat_map(|report| endings.map(|ending| one(report, ending))).collect::<Vec<_>>()
    };

    let first = all("first");
    // The moment is over: whatever comes now belongs to a later one.
    let hold = desk.stage.hold().await;
    desk.stage.lift(hold).await;
    desk.stage.add_people(PEOPLE + 1..=PEOPLE + 2, &[Route::Letter]).await;
    desk.stage.import(PEOPLE + 3..=PEOPLE + 3).await;
    desk.anchor("after.example").await;
    let mut process = desk.stage.start(&["scheduler"]);
    desk.stage.drain_the_logs().await;
    process.terminate().await;
    sequence(&desk.stage).await;

    for ((name, was), (_, is)) in first.iter().zip(all("second")) {
        assert!(*was == is, "{name}: not the same bytes of the same moment");
        assert_eq!(personal(&is), Vec::<&str>::new(), "{name}");
        let begin = match name.rsplit_once('.').unwrap().1 {
            "html" => "<!DOCTYPE html>",
            "pdf" => "%PDF-",
            "json" => "{",
            _ => "",
        };
        assert!(is.starts_with(begin.as_bytes()), "{name}");
        if name.ends_with(".html") || name.ends_with(".txt") {
            let text = String::from_utf8(is).unwrap();
            assert!(text.contains("before.example") && !text.contains("after.example"), "{name}: {text}");
        }
    }
    let later = String::from_utf8(desk.written(&["report", "witness", "--incident", "test"], "later.txt")).unwrap();
    assert!(later.contains("after.example"), "a later moment has it: {later}");
}

fn hash_of(settings: &Value) -> String {
    let lines: String = settings
        .as_array()
        .unwrap()
        .iter()
        .map(|line| format!("{}={}\n", line["key"].as_str().unwrap(), line["value"].as_str().unwrap()))
        .collect();
    hex::encode(Sha256::digest(lines))
}

#[tokio::test]
async fn a_witness_statement_names_versions_settings_and_errors_and_reconciles_the_counts() {
    let desk = Desk::new().await;
    let stage = &desk.stage;
    // The stage had one process of both roles; now the same again, and one with other settings.
    let settings = hash_of(&desk.duly(&["settings", "--json"]).fine().json());
    let started = "select count(*) from event where kind = 'program.started'";
    let other: &[(&str, &str)] = &[("DULY_DISPATCH__INTERVAL_MS", "60")];
    for (roles, variables, starts) in [(&["scheduler", "worker"][..], &[][..], 2), (&["scheduler"], other, 3)] {
        let mut process = stage.start_with(roles, None, variables);
        eventually("it says that it started", async || stage.count(started).await == starts).await;
        process.terminate().await;
    }
    let store = &stage.office.store;
    for code in ["402", "402", "sick"] {
        let detail = Map::from_iter([("code".to_owned(), json!(code)), ("lane".to_owned(), json!("letters"))]);
        store.insert_event(LogScope::System, "lane.stopped", detail).await.unwrap();
    }
    for (kind, findings) in [("audit.passed", 0), ("audit.failed", 2), ("audit.passed", 0)] {
        let mut detail = Map::from_iter([("findings".to_owned(), json!(findings))]);
        if findings > 0 {
            detail.insert("codes".into(), json!("tile_differs"));
        }
        store.insert_audit(stage.incident.key, kind, detail).await.unwrap();
    }
    let witness = |more: &[&str]| desk.duly(&[&["report", "witness", "--incident", "test"], more].concat()).fine();
    let none = witness(&[]).out;
    assert!(none.contains("No provider's statement was compared.") && !none.contains("DIFFERS"), "{none}");
    desk.compare("agrees.csv", PEOPLE, &[]).fine();

    let data = witness(&["--json"]).json();
    let starts = data["programs"]["starts"].as_array().unwrap();
    let of = |roles: &str| starts.iter().find(|start| start["roles"] == roles).unwrap();
    assert_eq!(starts.len(), 2, "{starts:?}");
    assert_eq!((&of("scheduler,worker")["settings"], &of("scheduler,worker")["count"]), (&json!(settings), &json!(2)));
    assert_eq!(of("scheduler")["count"], json!(1));
    assert_ne!(of("scheduler")["settings"], json!(settings), "other settings have another hash");
    assert!(starts.iter().all(|start| start["version"] == env!("CARGO_PKG_VERSION")), "{starts:?}");
    assert_eq!(data["programs"]["lane_stops"], json!({"letters, code 402": 2, "letters, code sick": 1}));
    assert_eq!((&data["equation_holds"], &data["people"]["notified"]), (&json!(true), &json!(PEOPLE)));
    let compared = &data["statements"]["compared"][0];
    assert_eq!((&compared["lane"], &compared["ours"], &compared["theirs"]), (&json!("letters"), &json!(PEOPLE), &json!(PEOPLE)));
    assert_eq!((&compared["agrees"], &data["statements"]["uncovered"]), (&json!(true), &json!([])));

    assert_eq!(desk.compare("differs.csv", PEOPLE + 1, &[]).code, 1, "compared, and it is bad");
    let text = witness(&[]).out;
    let line = |words: &[&str]| {
        let found = text.lines().any(|line| words.iter().all(|word| line.contains(word)));
        assert!(found, "no line has all of {words:?}\n{text}");
    };
    let (version, other) = (env!("CARGO_PKG_VERSION"), of("scheduler")["settings"].as_str().unwrap());
    line(&[version, &settings[..16], "scheduler,worker", " 2 "]);
    line(&[version, &other[..16], "scheduler", " 1 "]);
    line(&["The system compared its tables with this log 3 times by itself; 1 times it found differences."]);
    line(&["2 times the lane letters was paused: its provider refused for want of money (code 402)."]);
    line(&["1 time the lane letters was paused: many of its calls failed, were refused or took too long (code sick)."]);
    line(&["rows of the lists", " 7 ", "people + duplicates + quarantined", "agrees"]);
    line(&["people of the lists", " 7 ", "ends and open notices", "agrees"]);
    line(&["letter: said to be accepted", " 7 ", "of them with a call in the log", "agrees"]);
    line(&["letter, lane letters: accepted by", " 7 ", "by the provider's statement", " 7 ", "agrees"]);
    line(&["letter, lane letters: accepted by", " 7 ", "by the provider's statement", " 8 ", "DIFFERS"]);
    for letters in [PEOPLE, PEOPLE + 1] {
        let sha256 = hex::encode(Sha256::digest(format!("channel,count\nletter,{letters}\nsms,1\n")));
        line(&["The statement of the lane letters was a file with the SHA-256", &sha256]);
    }
}

#[tokio::test]
async fn the_report_names_the_signed_command_that_holds_the_reason_of_each_decision_and_hold() {
    let desk = Desk::new().await;
    let (stage, ann) = (&desk.stage, &desk.stage.users.ann);
    let none = desk.duly(&["report", "regulator", "--incident", "test", "--profile", "uk-gdpr"]).fine().out;
    assert!(none.contains("Nobody is exempt, nobody was told in another way, and there was no hold."), "{none}");
    stage.add_people(PEOPLE + 1..=PEOPLE + 3, &[Route::Letter]).await;
    let open: Vec<uuid::Uuid> = sqlx::query_scalar("select person_id from notice where state = 'open' order by person_id")
        .fetch_all(&stage.owner)
        .await
        .unwrap();
    let (store, incident) = (&stage.office.store, &stage.incident);
    end(store, incident, ann, open[0], Ending::Exempt).await.unwrap();
    end(store, incident, ann, open[1], Ending::Told(TellsOtherwise::ByPhone)).await.unwrap();
    end(store, incident, ann, open[2], Ending::Exempt).await.unwrap();
    reopen(store, incident, ann, open[2]).await.unwrap();
    let hold = stage.hold().await;
    stage.lift(hold).await;
    let as_of = desk.now().await;
    let of = |name: &str| {
        let args = ["report", "regulator", "--incident", "test", "--profile", "uk-gdpr", "--as-of", as_of.as_str()];
        desk.written(&args, name)
    };

    let first = ["a.json", "a.txt"].map(of);
    reopen(store, incident, ann, open[0]).await.unwrap();
    stage.hold().await;

    assert_eq!(["b.json", "b.txt"].map(of), first, "what came later is of a later moment");
    let data: Value = serde_json::from_slice(&first[0]).unwrap();
    let query = "select convert_from(body, 'UTF8') from event where kind like 'notice.%' or kind like 'hold.%' order by ord";
    let events: Vec<Value> = stage.words(query).await.iter().map(|body| serde_json::from_str(body).unwrap()).collect();
    let text = String::from_utf8_lossy(&first[1]);
    let decisions = data["decisions"].as_array().unwrap();
    // The third decision was taken back: it stands no more.
    for (decided, (what, event)) in decisions.iter().zip([("exempt", 0), ("withdrawn", 1), ("hold_set", 4), ("hold_lifted", 5)]) {
        let command = &events[event]["d"]["command"];
        assert_eq!((&decided["what"], &decided["command"]), (&json!(what), command), "{data}");
        assert!(text.contains(command.as_str().unwrap()), "{text}");
    }
    assert_eq!((decisions.len(), &data["people"]["exempt"], &data["people"]["withdrawn"]), (4, &json!(1), &json!(1)), "{data}");
    assert!(text.contains("1; for the reasons see the signed commands below"), "{text}");
    assert!(!["never issued", "seen at home"].iter().any(|reason| text.contains(reason)), "a reason may name somebody: {text}");
}

#[tokio::test]
async fn comparing_a_providers_statement_is_an_event_of_the_log_that_reports_and_packs_tell_of() {
    let desk = Desk::new().await;
    let before = desk.now().await;
    let early = "2026-01-01T00:00:00Z";

    let agrees = desk.compare("one.csv", PEOPLE, &["--json"]).fine().json();
    let differs = desk.compare("two.csv", PEOPLE - 1, &["--as-of", &before, "--json"]);
    assert_eq!((&agrees["ours"], &agrees["agrees"]), (&json!(PEOPLE), &json!(true)));
    assert_eq!((differs.code, &differs.json()["ours"]), (1, &json!(PEOPLE)), "{differs:?}");
    assert!(differs.err.contains("error: the statement of the lane `letters` differs from the log"), "{differs:?}");
    desk.compare("three.csv", 0, &["--as-of", early]).refused("the log has no event of that moment", "");
    desk.duly(&["provider", "statement", "one.csv", "--incident", "test", "--lane", "other"])
        .refused("there is no lane", "duly provider list");
    desk.write("sms.csv", "channel,count\nsms,1\n");
    desk.duly(&["provider", "statement", "sms.csv", "--incident", "test", "--lane", "letters"])
        .refused("the statement has no line for `letter`", "ask");
    desk.write("odd.csv", "channel,count\nletter,many\n");
    desk.duly(&["provider", "statement", "odd.csv", "--incident", "test", "--lane", "letters"])
        .refused("the provider's statement cannot be read: line 2 is no channel", "channel,count");

    let told = "select convert_from(body, 'UTF8') from event where kind = 'statement.compared' order by ord";
    let told: Vec<Value> = desk.stage.words(told).await.iter().map(|body| serde_json::from_str(body).unwrap()).collect();
    let file = |name: &str| hex::encode(Sha256::digest(std::fs::read(desk.stage.folder.path().join(name)).unwrap()));
    let facts: Vec<_> = told.iter().map(|e| ["lane", "channel", "hash", "theirs", "ours"].map(|f| e["d"][f].clone())).collect();
    let letters = |name: &str, theirs: u32| [json!("letters"), json!("letter"), json!(file(name)), json!(theirs), json!(PEOPLE)];
    assert_eq!(facts, [letters("one.csv", PEOPLE), letters("two.csv", PEOPLE - 1)], "what was refused is no event");
    sequence(&desk.stage).await;
    assert_eq!(desk.stage.office.store.audit(desk.stage.incident.key).await.unwrap(), []);

    let pack = desk.written(&["pack", "incident", "--incident", "test", "--for", "court"], "court.zip");
    let report = check(&desk.stage, &pack);
    assert_eq!((report.verdict, report.events["statement.compared"]), (Verdict::Good, 2), "{:?}", report.findings.kept);
    let paper = desk.written(&["audit", "sample", "--incident", "test", "-n", "1", "--seed", "x"], "paper.txt");
    for page in [String::from_utf8(crate::told::file(&pack, "summary.html")).unwrap(), String::from_utf8(paper).unwrap()] {
        assert!(page.contains(&file("two.csv")) && page.contains("DIFFERS"), "{page}");
    }
    // The other lane's messages are no part of what this one's statement covers.
    let moved = "set local session_replication_role = replica; update message set lane = 'sms-b' where person_id = (select min(person_id::text)::uuid from person)";
    sqlx::raw_sql(moved).execute(&desk.stage.owner).await.unwrap();
    let found = desk.stage.office.store.audit(desk.stage.incident.key).await.unwrap();
    assert_eq!(found.iter().filter(|finding| finding.code == "statement_differs").count(), 2, "{found:?}");
    let witness = desk.duly(&["report", "witness", "--incident", "test"]).fine().out;
    assert!(!witness.contains("NOT COMPARED"), "the log tells it as it was signed for: {witness}");
}

#[tokio::test]
async fn the_sample_of_the_command_is_the_documented_draw_and_its_paper_leaves_a_signed_trace() {
    let desk = Desk::new().await;
    let mut ranked: Vec<(String, String)> = desk
        .stage
        .words("select replace(person_id::text, '-', '') from person")
        .await
        .into_iter()
        .map(|id| (to_hex(&rank("Grant & Co", &from_hex(&id).unwrap())), format!("p_{id}")))
        .collect();
    ranked.sort();

    let args = ["audit", "sample", "--incident", "test", "-n", "4", "--seed", "Grant & Co"];
    let drawn: Value = serde_json::from_slice(&desk.written(&args, "paper.json")).unwrap();

    let people: Vec<&str> = drawn["people"].as_array().unwrap().iter().map(|p| p["person"].as_str().unwrap()).collect();
    assert_eq!(people, ranked.iter().take(4).map(|(_, id)| id.as_str()).collect::<Vec<_>>());
    assert_eq!((&drawn["population"], &drawn["manifests_hold"]), (&json!(PEOPLE), &json!(true)));
    let said = drawn["rehearsal"][0].as_str().unwrap();
    assert!(said.starts_with("Plan 1 has a lane that is not live (letters)"), "{drawn}");
    assert!(drawn["people"].as_array().unwrap().iter().all(|p| p["end"] == "notified" && p["chain_holds"] == true));
    let traces =
        "select convert_from(statement, 'UTF8') from signed_command where convert_from(statement, 'UTF8') like '%audit sample%'";
    let traces = desk.stage.words(traces).await;
    assert!(traces.len() == 1 && traces[0].contains("Grant & Co") && traces[0].contains("\"n\":4"), "{traces:?}");
    assert_eq!(desk.stage.count("select count(*) from event where kind = 'export.made'").await, 1);
}

#[tokio::test]
async fn a_persons_pack_is_made_by_the_command_for_whom_the_reference_names_and_verifies() {
    let desk = Desk::new().await;
    let shown = desk.duly_with(&["person", "show", "--incident", "test", "--json"], "PN2\n").fine().json();
    let id = shown["person"].as_str().unwrap().to_owned();
    let by_reference =
        ["pack", "person", "--incident", "test", "--open", "external_reference,letter", "--messages", "--for", "court"];

    let said = desk.duly_with(&[&by_reference[..], &["--out", "own.zip", "--json"]].concat(), "PN2\n").fine();
    let own = std::fs::read(desk.stage.folder.path().join("own.zip")).unwrap();
    assert_eq!((&said.json()["person"], &said.json()["missing"]), (&json!(id), &json!([])));
    assert_eq!(said.json()["sha256"], json!(hex::encode(Sha256::digest(&own))));
    assert!(
        said.err.contains("The file holds personal data") && !said.err.contains("PN2") && !said.out.contains("PN2"),
        "{said:?}"
    );
    assert_eq!(desk.stage.count("select count(*) from event where kind = 'contact.viewed'").await, 1, "a look is a fact");
    let report = check(&desk.stage, &own);
    assert_eq!((report.verdict, report.kind), (Verdict::Good, "person"), "{:?}", report.findings.kept);
    let keys: Value = serde_json::from_slice(&file(&own, "keys.json")).unwrap();
    assert_eq!(keys["values"]["external_reference"], "PN2");
    assert!(file(&own, "messages/1.pdf").starts_with(b"%PDF-"));

    let closed = desk.written(&["pack", "person", "--incident", "test", "--person", &id, "--for", "regulator"], "closed.zip");
    let report = check(&desk.stage, &closed);
    assert_eq!(report.verdict, Verdict::Good, "{:?}", report.findings.kept);
    assert_eq!(personal(&file(&closed, "story.txt")), Vec::<&str>::new());
    assert_eq!(desk.stage.count("select count(*) from event where kind = 'contact.viewed'").await, 1, "only what was opened");
    assert_eq!(desk.stage.count("select count(*) from event where kind = 'export.made'").await, 2);
}
