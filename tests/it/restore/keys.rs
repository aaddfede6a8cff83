//! The logs' key was changed in the time that was lost, or before it.

use super::ground::{PEOPLE, duly, dump, holds, restore, serve, serve_until, stage, told};
use crate::log_keys::{CHANGES, LOGS, audited, make_key, name_keys};
use crate::support::{Capability, Setup, Stage, lane};
use duly_ledger::{Checkpoint, Note, Signer};
use std::path::PathBuf;

async fn serve_to_the_end(stage: &Stage) {
    let mut process = serve(stage);
    stage.drain().await;
    stage.drain_the_logs().await;
    process.terminate().await;
}

/// Whoever has the old key signs what was published last once more: by no settings is it taken back from there.
async fn refuses_the_old_key(stage: &Stage) {
    let origin = format!("duly.test/{}", stage.incident.incident_id);
    let path = PathBuf::from(&stage.office.settings.evidence.outside).join(&origin).join("checkpoint");
    let right = std::fs::read_to_string(&path).unwrap();
    let of: Checkpoint = Note::parse(right.as_bytes()).unwrap().text().parse().unwrap();
    let old = Signer::new(&origin, stage.office.settings.log_key().unwrap().bytes()).unwrap();
    std::fs::write(&path, old.sign_checkpoint(of.size, of.root)).unwrap();
    let refused = duly(stage, &["restore", "reconcile"]);
    assert!(refused.code == 2 && refused.err.contains("signed by"), "{}", refused.err);
    std::fs::write(&path, right).unwrap();
}

#[tokio::test]
async fn a_change_of_the_key_that_a_restored_database_forgot_comes_back_as_both_keys_signed_it() {
    let stage = stage(vec![lane(Capability::StrongLookup)], Setup::default()).await;
    serve_until(&stage, 10).await;
    let backup = dump(&stage);
    make_key(&stage, "second.key");
    name_keys(&stage, "log.key", Some("second.key"));
    serve_to_the_end(&stage).await;
    assert_eq!(stage.count(CHANGES).await, LOGS);

    // While both keys are in the settings, and when the old one is gone.
    for (current, next) in [("log.key", Some("second.key")), ("second.key", None)] {
        name_keys(&stage, current, next);
        restore(&stage, &backup).await;
        assert_eq!(stage.count(CHANGES).await, 0);
        refuses_the_old_key(&stage).await;
        duly(&stage, &["restore", "reconcile"]).fine();
        assert_eq!(
            stage.count("select count(*) from event where kind = 'log.key_changed' and restored_id is not null").await,
            LOGS
        );

        serve_to_the_end(&stage).await;
        assert_eq!(stage.count(CHANGES).await, LOGS, "once");
        assert_eq!(told(&stage), PEOPLE as usize);
        holds(&stage).await;
        assert_eq!(audited(&stage).await, Vec::<&str>::new());
    }
}

#[tokio::test]
async fn a_copy_that_cannot_be_read_is_not_followed_by_a_generation_under_a_key_that_was_left() {
    let stage = stage(vec![lane(Capability::StrongLookup)], Setup::default()).await;
    serve_until(&stage, 10).await;
    make_key(&stage, "second.key");
    name_keys(&stage, "log.key", Some("second.key"));
    crate::log_keys::sequence(&stage).await.unwrap();
    name_keys(&stage, "second.key", None);
    let backup = dump(&stage);
    serve_to_the_end(&stage).await;
    restore(&stage, &backup).await;
    let origin = format!("duly.test/{}", stage.incident.incident_id);
    std::fs::remove_dir_all(PathBuf::from(&stage.office.settings.evidence.outside).join(&origin).join("tile/entries")).unwrap();
    let reconcile = ["restore", "reconcile", "--new-generation"];
    let opened = "select max(generation)::bigint from log_generation";

    // Settings of an earlier day: the old key may be somebody else's by now.
    name_keys(&stage, "log.key", None);
    let what = format!("the log `{origin}/2` would begin under the key");
    duly(&stage, &reconcile).refused(&what, "name the newer key by `keys.log_file`");
    assert_eq!(stage.count(opened).await, 1);
    assert_eq!(stage.count("select count(*) from restored where reconciled_at is null").await, 1, "the stop stands");

    name_keys(&stage, "second.key", None);
    duly(&stage, &reconcile).fine();
    assert_eq!(stage.count(opened).await, 2);
    assert_eq!(audited(&stage).await, Vec::<&str>::new());
}
