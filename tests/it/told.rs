//! A run that went to its end, with an odd person out: what reports and packs are made of.

use crate::support::{Lane, Setup, Stage};
use duly::evidence::{Archive, sequencer};
use duly::model::state::Route;
use duly_ledger::verify::{Options, Report, Trust, verify};
use duly_sandbox::ProviderConfig;
use std::io::{Cursor, Read};
use std::sync::Arc;

/// Of how many people.
pub const PEOPLE: u32 = 7;
/// What stands in the list and in messages, and may stand in no report.
const PERSONAL: [&str; 4] = ["Price", "High Street", "LS1 4AP", "447400"];

/// A stage after its letters were handed to the carrier.
pub async fn told() -> Stage {
    let provider = ProviderConfig { channel: "letter".into(), receipts: true, receipt_delay_ms: 0, ..ProviderConfig::default() };
    let lanes = vec![Lane { provider, ..Lane::named("letters") }];
    let stage = Stage::new(Setup { people: PEOPLE, routes: vec![Route::Letter], lanes, ..Setup::default() }).await;
    stage.serve_receipts().await;
    let mut process = stage.start(&["scheduler", "worker"]);
    stage.drain_to_the_end().await;
    process.terminate().await;
    sequence(&stage).await;
    stage
}

/// Gives every event its place.
pub async fn sequence(stage: &Stage) {
    let archive = Arc::new(Archive::open(&stage.office.settings, &stage.office.store).unwrap());
    crate::support::eventually("every event is in its place", async || {
        sequencer::run_once(archive.clone()).await.unwrap();
        stage.is_published().await
    })
    .await;
}

/// Checks a pack as its reader would.
pub fn check(stage: &Stage, pack: &[u8]) -> Report {
    let archive = Archive::open(&stage.office.settings, &stage.office.store).unwrap();
    let origin = format!("duly.test/{}", stage.incident.incident_id);
    let vkey = archive.signer(&origin).unwrap().vkey().clone();
    verify(Cursor::new(pack), &Trust::Vkeys(vec![vkey]), &Options::default())
}

/// A file of a pack.
pub fn file(pack: &[u8], name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    zip::ZipArchive::new(Cursor::new(pack)).unwrap().by_name(name).unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

/// Every file of a pack.
pub fn files(pack: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut zip = zip::ZipArchive::new(Cursor::new(pack)).unwrap();
    let names: Vec<String> = (0..zip.len()).map(|i| zip.by_index(i).unwrap().name().unwrap().into_owned()).collect();
    names.into_iter().map(|name| (name.clone(), file(pack, &name))).collect()
}

/// Which personal values stand in these bytes.
pub fn personal(bytes: &[u8]) -> Vec<&'static str> {
    PERSONAL.into_iter().filter(|value| bytes.windows(value.len()).any(|w| w == value.as_bytes())).collect()
}
