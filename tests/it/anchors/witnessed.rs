//! Witness cosignatures: kept only where they hold, and continued from whatever size the witness has.

use super::witness::{NAME, TestWitness, vkey};
use super::{Ground, WITNESS_SEED};
use duly::config::WitnessSettings;
use duly::evidence::anchor::witness::{Witness, WitnessError, Witnessed};
use duly_ledger::{Checkpoint, NoteSignature, Signer, verify_cosignatures};
use reqwest::{Client, Url};

/// A ground with a witness of its incident's log that signs with this seed.
pub async fn ground(seed: [u8; 32]) -> (Ground, TestWitness) {
    let mut ground = Ground::new().await;
    let log = ground.log().await;
    let log_key = Signer::new(&log.origin, ground.settings.log_key().unwrap().bytes()).unwrap().vkey().key().try_into().unwrap();
    let file = ground.stage.settings.with_file_name("witness");
    let witness = TestWitness::start(&log.origin, log_key, seed, file).await;
    let settings = WitnessSettings { url: witness.url.clone(), vkey: vkey(WITNESS_SEED) };
    ground.settings.anchors.witnesses.insert("one".into(), settings);
    (ground, witness)
}

fn client(witness: &TestWitness) -> Witness {
    Witness::new(Client::new(), &Url::parse(&witness.url).unwrap(), vkey(WITNESS_SEED).parse().unwrap())
}

async fn witness_again(ground: &Ground) {
    ground.close().await;
    ground.anchors().round().await.unwrap();
}

#[tokio::test]
async fn a_witness_cosigns_each_checkpoint_as_a_continuation_of_the_one_before() {
    let (ground, witness) = ground(WITNESS_SEED).await;
    let first = ground.log().await;
    ground.anchors().round().await.unwrap();
    for _ in 0..300 {
        let scope = duly::store::sequencing::LogScope::Incident(
            ground.stage.incident.key.controller_id,
            ground.stage.incident.key.incident_no,
        );
        ground.stage.office.store.insert_event(scope, "log.marked", serde_json::Map::new()).await.unwrap();
    }
    witness_again(&ground).await;

    let (log, kept) = (ground.log().await, ground.kept().await);
    assert_eq!(kept.iter().map(|anchor| anchor.size).collect::<Vec<_>>(), [first.size, first.size + 301]);
    assert!(kept.iter().all(|anchor| anchor.kind == "witness" && anchor.name == NAME));
    assert_eq!(witness.asked(), [0, first.size.unsigned_abs()]);
    // The lines that are kept stand beside the checkpoint and hold for its text.
    let line: NoteSignature = std::str::from_utf8(&kept[1].response).unwrap().trim_end().parse().unwrap();
    let (text, _) = log.note.rsplit_once("\n\n").unwrap();
    let seen = verify_cosignatures(&format!("{text}\n"), &[line], &vkey(WITNESS_SEED).parse().unwrap()).unwrap().unwrap();
    assert_eq!((seen.name.as_str(), seen.at_seconds), (NAME, 1_800_000_000));
    assert_eq!(kept[1].checkpoint, log.note.as_bytes());
    let checkpoint: Checkpoint = format!("{text}\n").parse().unwrap();
    assert_eq!(witness.seen(), (checkpoint.size, checkpoint.root));
}

#[tokio::test]
async fn a_witness_that_has_another_size_than_we_remember_gets_the_proof_from_there() {
    let (ground, witness) = ground(WITNESS_SEED).await;
    let first = ground.log().await.size.unsigned_abs();
    ground.anchors().round().await.unwrap();
    // Our record of its cosignature is lost.
    sqlx::query("delete from anchor").execute(&ground.stage.owner).await.unwrap();

    witness_again(&ground).await;

    assert_eq!(witness.asked(), [0, 0, first]);
    assert_eq!(ground.kept().await.iter().map(|anchor| anchor.size.unsigned_abs()).collect::<Vec<_>>(), [first + 1]);
}

#[tokio::test]
async fn a_witness_that_has_seen_more_or_another_tree_gives_no_cosignature() {
    let (ground, witness) = ground(WITNESS_SEED).await;
    witness.remember(1_000_000, [1; 32]);
    ground.anchors().round().await.unwrap();
    assert_eq!((witness.asked(), ground.kept().await), (vec![0], vec![]));

    witness.remember(1, [1; 32]);
    ground.anchors().round().await.unwrap();
    assert_eq!((witness.asked(), ground.kept().await), (vec![0, 0, 1], vec![]));
}

#[tokio::test]
async fn a_cosignature_by_another_key_is_refused() {
    let (ground, witness) = ground([8; 32]).await;
    let log = ground.log().await;

    let refused = client(&witness).show(0, &[], &log.note).await;
    assert!(matches!(refused, Err(WitnessError::Cosignature(_))), "{refused:?}");

    witness.remember(0, [0; 32]);
    ground.anchors().round().await.unwrap();
    assert_eq!(ground.kept().await, []);
}

#[tokio::test]
async fn each_refusal_of_a_witness_is_told_by_its_name() {
    let (ground, witness) = ground(WITNESS_SEED).await;
    let (log, client) = (ground.log().await, client(&witness));
    let signer = |seed: [u8; 32], origin: &str| Signer::new(origin, &seed).unwrap().sign_checkpoint(5, [3; 32]);

    assert!(matches!(client.show(0, &[], &signer([1; 32], "duly.test/another")).await, Err(WitnessError::UnknownLog)));
    assert!(matches!(client.show(0, &[], &signer([1; 32], &log.origin)).await, Err(WitnessError::UntrustedKey)));
    assert_eq!(client.show(4, &[], &log.note).await.unwrap(), Witnessed::Has(0));
    assert!(matches!(client.show(0, &[[1; 32]], &log.note).await, Err(WitnessError::Inconsistent)));
    assert!(matches!(client.show(0, &[], &log.note).await, Ok(Witnessed::Cosigned(_))));
}
