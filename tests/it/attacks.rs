//! What somebody can do who has the database, the log's key and time: done to the pack of a real run. Alone, such a pack
//! is good; docs/evidence.md says so. What somebody else kept is what finds it.

use crate::packs::incident_pack;
use crate::support::Stage;
use crate::told::{files, sequence, told};
use duly::evidence::Archive;
use duly::report::pack::Audience;
use duly_ledger::verify::{Options, Report, Trust, Verdict, Word, verify};
use duly_ledger::{Appender, Event, Layer, bundle_entries, encode_bundle, entry_bundles, leaf_hash, tile_at};
use serde_json::{Map, json};
use std::collections::{BTreeMap, HashMap};
use std::io::{Cursor, Write};

type Files = BTreeMap<String, Vec<u8>>;

/// A run that ended, its pack, and who would falsify it.
struct Insider {
    stage: Stage,
    pack: Files,
}

impl Insider {
    async fn new() -> Self {
        let stage = told().await;
        let detail = Map::from_iter([("codes".into(), json!("tile_differs")), ("findings".into(), json!(1))]);
        stage.office.store.insert_audit(stage.incident.key, "audit.failed", detail).await.unwrap();
        sequence(&stage).await;
        let pack = files(&incident_pack(&stage, Audience::Court, false).await).into_iter().collect();
        Self { stage, pack }
    }

    fn events(&self) -> Vec<Event> {
        let bundles = self.pack.iter().filter(|(name, _)| name.starts_with("tile/entries/"));
        bundles.flat_map(|(_, bundle)| bundle_entries(bundle).map(|entry| Event::parse(entry.unwrap()).unwrap())).collect()
    }

    /// The same incident with another past: chained, hashed and signed as if it had always been so.
    fn rewritten(&self, change: impl FnOnce(&mut Vec<Event>)) -> Files {
        let mut events = self.events();
        change(&mut events);
        let mut heads: HashMap<[u8; 16], (u64, [u8; 32])> = HashMap::new();
        let mut leaves = Vec::new();
        for mut event in events {
            if let Some(person) = event.person {
                let head = heads.get(&person);
                (event.n, event.prev) = (Some(head.map_or(1, |(n, _)| n + 1)), head.map(|(_, leaf)| *leaf));
            }
            let bytes = event.to_bytes().unwrap();
            heads.extend(event.person.zip(event.n).map(|(person, n)| (person, (n, leaf_hash(&bytes)))));
            leaves.push(bytes);
        }
        let mut forged: Files = self.pack.clone().into_iter().filter(|(name, _)| !name.starts_with("tile/")).collect();
        let (size, mut tree) = (leaves.len() as u64, Appender::new());
        leaves.iter().for_each(|leaf| tree.append(leaf_hash(leaf)));
        for growth in tree.take_growth() {
            forged.insert(tile_at(Layer::Hashes(growth.level), growth.tile, size).unwrap().path(), growth.hashes);
        }
        for (bundle, entries) in entry_bundles(size).zip(leaves.chunks(256)) {
            forged.insert(bundle.path(), encode_bundle(entries).unwrap());
        }
        let archive = Archive::open(&self.stage.office.settings, &self.stage.office.store).unwrap();
        let signer = archive.signer(&format!("duly.test/{}", self.stage.incident.incident_id)).unwrap();
        forged.insert("checkpoint".into(), signer.sign_checkpoint(size, tree.root()).into_bytes());
        forged
    }

    fn check(&self, pack: &Files, options: &Options) -> Report {
        let archive = Archive::open(&self.stage.office.settings, &self.stage.office.store).unwrap();
        let signer = archive.signer(&format!("duly.test/{}", self.stage.incident.incident_id)).unwrap();
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in pack {
            zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
            zip.write_all(bytes).unwrap();
        }
        verify(zip.finish().unwrap(), &Trust::Vkeys(vec![signer.vkey().clone()]), options)
    }

    fn codes(&self, pack: &Files, options: &Options) -> Vec<&'static str> {
        let report = self.check(pack, options);
        report.findings.kept.iter().map(|finding| finding.code.as_str()).collect()
    }

    /// What the controller has in its mail: the checkpoint before the attack.
    fn kept(&self) -> Options {
        Options { known_checkpoints: vec![self.pack["checkpoint"].clone()], ..Options::default() }
    }
}

/// Minutes by which events of a kind are said to have happened earlier.
fn backdate(events: &mut [Event], kind: &str, minutes: i64) {
    events.iter_mut().filter(|event| event.kind == kind).for_each(|event| event.at_micros -= minutes * 60_000_000);
}

#[tokio::test]
async fn who_has_database_and_key_can_write_another_past_and_a_kept_or_anchored_checkpoint_finds_it() {
    let insider = Insider::new().await;
    assert_eq!(insider.check(&insider.pack, &insider.kept()).verdict, Verdict::Good);

    let forged = insider.rewritten(|events| backdate(events, "receipt", 3));

    assert_eq!(insider.check(&forged, &Options::default()).verdict, Verdict::Good, "alone it cannot be told from the truth");
    assert_eq!(insider.codes(&forged, &insider.kept()), ["rollback"]);
    let size = insider.events().len();
    let mut anchored = forged.clone();
    anchored.insert(format!("anchors/{size}.checkpoint"), insider.pack["checkpoint"].clone());
    assert_eq!(insider.codes(&anchored, &Options::default()), ["anchor"]);
    // Two readers, two logs: one size, one key, two roots are proof of fraud for anybody.
    let archive = Archive::open(&insider.stage.office.settings, &insider.stage.office.store).unwrap();
    let signer = archive.signer(&format!("duly.test/{}", insider.stage.incident.incident_id)).unwrap();
    let [one, two] = [&insider.pack, &forged].map(|pack| signer.open(&pack["checkpoint"]).unwrap());
    assert!(one.size == two.size && one.root != two.root);
}

#[tokio::test]
async fn a_tail_that_is_cut_off_and_signed_anew_is_found_by_its_missing_ends_or_by_a_kept_checkpoint() {
    let insider = Insider::new().await;
    let complete = Options { is_complete: true, ..Options::default() };

    // The failed audit at the end: nothing asks for it.
    let shorter = insider.rewritten(|events| drop(events.pop()));
    assert_eq!(insider.check(&shorter, &complete).verdict, Verdict::Good, "nothing that must be there is missing");
    assert_eq!(insider.codes(&shorter, &insider.kept()), ["rollback"]);

    let last = insider.events().iter().rposition(|event| event.detail.get("notice") == Some(&json!("notified"))).unwrap();
    let without_an_end = insider.rewritten(|events| events.truncate(last));
    assert_eq!(insider.codes(&without_an_end, &complete), ["incomplete"]);
    assert_eq!(insider.check(&without_an_end, &Options::default()).equation.open, 1);
    assert_eq!(insider.codes(&without_an_end, &insider.kept()), ["rollback"]);
}

#[tokio::test]
async fn a_time_before_those_around_it_is_found_from_ten_minutes_on() {
    let insider = Insider::new().await;

    let slightly = insider.rewritten(|events| backdate(events, "receipt", 9));
    let by_far = insider.rewritten(|events| backdate(events, "receipt", 11));

    assert_eq!(insider.check(&slightly, &Options::default()).verdict, Verdict::Good, "times are claimed");
    assert!(insider.codes(&by_far, &Options::default()).iter().all(|code| *code == "time"));
    assert_eq!(insider.check(&by_far, &Options::default()).verdict, Verdict::Bad);
}

#[tokio::test]
async fn without_the_key_nothing_can_be_changed_dropped_or_moved() {
    let insider = Insider::new().await;
    let at = insider.events().iter().position(|event| event.kind == "receipt").unwrap();

    for (attack, forged) in [
        ("edit", insider.rewritten(|events| backdate(&mut events[at..=at], "receipt", 1))),
        ("drop", insider.rewritten(|events| drop(events.remove(at)))),
        ("move", insider.rewritten(|events| events.swap(at, at + 1))),
    ] {
        let unsigned: Files = forged.into_iter().chain([("checkpoint".to_owned(), insider.pack["checkpoint"].clone())]).collect();
        let codes = insider.codes(&unsigned, &Options::default());
        assert!(codes.contains(&"root") || codes.contains(&"size"), "{attack}: {codes:?}");
    }
}
