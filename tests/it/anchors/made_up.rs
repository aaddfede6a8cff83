//! Anchors that somebody made up, or altered after they were kept: the audit looks at each of them once more.

use super::authority::{Authority, P_256, has_openssl};
use super::witnessed::ground;
use super::{Ground, WITNESS_SEED, serve_authority};
use duly::evidence::anchor::Judges;
use std::sync::Arc;

/// The id of what is made up.
const MADE_UP: &str = "ffffffff-ffff-4fff-8fff-ffffffffffff";

async fn found(ground: &Ground) -> Vec<String> {
    let (store, key) = (&ground.stage.office.store, ground.stage.incident.key);
    let mut found = store.audit(key).await.unwrap();
    found.extend(Judges::open(&ground.settings).unwrap().audit(store, key).await.unwrap());
    found.into_iter().map(|finding| finding.code.to_owned()).collect()
}

async fn attack(ground: &Ground, role: &str, statement: &str) {
    let mut tx = ground.stage.owner.begin().await.unwrap();
    for statement in [format!("set local role {role}"), statement.to_owned()] {
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&mut *tx).await.unwrap();
    }
    tx.commit().await.unwrap();
}

/// The answer of an authority under another root than the one that is given, over the checkpoint's bytes.
fn of_another_authority(checkpoint: &[u8]) -> Vec<u8> {
    let nonce = duly::evidence::anchor::stamp::Nonce::generate();
    Authority::new(P_256).answer(&duly::evidence::anchor::stamp::request(checkpoint, &nonce).unwrap())
}

#[tokio::test]
async fn a_time_stamp_that_was_made_up_or_swapped_is_found() {
    if !has_openssl() {
        return;
    }
    let authority = Arc::new(Authority::new(P_256));
    let (url, _) = serve_authority(&authority, 0).await;
    let mut ground = Ground::new().await;
    ground.settings.anchors.tsa_url = format!("{url}/tsa");
    ground.settings.anchors.tsa_root_file = authority.path("root.pem");
    ground.anchors().round().await.unwrap();
    assert_eq!(found(&ground).await, Vec::<String>::new());
    let checkpoint = ground.kept().await.pop().unwrap().checkpoint;

    let copy = |response: &str| {
        format!(
            "insert into anchor (anchor_id, log_id, generation, size, kind, name, response, checkpoint)
             select '{MADE_UP}', log_id, generation, size, kind, name, {response}, checkpoint from anchor limit 1"
        )
    };
    let forget = format!("delete from anchor where anchor_id = '{MADE_UP}'");
    attack(&ground, "duly_app", &copy("'granted'")).await;
    assert_eq!(found(&ground).await, ["anchor_not_valid"], "bytes that are no stamp");
    attack(&ground, "none", &forget).await;
    assert_eq!(found(&ground).await, Vec::<String>::new());

    attack(&ground, "duly_app", &copy(&format!("decode('{}', 'hex')", hex::encode(of_another_authority(&checkpoint))))).await;
    assert_eq!(found(&ground).await, ["anchor_not_valid"], "a stamp under another root");
    let root = std::mem::take(&mut ground.settings.anchors.tsa_root_file);
    assert_eq!(found(&ground).await, Vec::<String>::new(), "without a root nobody can tell");
    ground.settings.anchors.tsa_root_file = root;
    attack(&ground, "none", &forget).await;

    // A stamp over other bytes than are beside it; the checkpoint itself is true.
    attack(&ground, "duly_app", &copy(&format!("decode('{}', 'hex')", hex::encode(of_another_authority(b"another"))))).await;
    ground.settings.anchors.tsa_root_file = "".into();
    assert_eq!(found(&ground).await, ["anchor_not_valid"], "even without a root");
}

#[tokio::test]
async fn a_cosignature_that_was_made_up_is_found() {
    let (ground, _witness) = ground(WITNESS_SEED).await;
    ground.anchors().round().await.unwrap();
    assert_eq!(found(&ground).await, Vec::<String>::new());

    for forged in [
        // Another time than the witness signed, nothing at all, somebody else's line.
        "set_byte(response, octet_length(response) - 20, 65 + get_byte(response, octet_length(response) - 20) % 2)",
        "''::bytea",
        "convert_to(replace(convert_from(response, 'UTF8'), 'witness.test/one', 'witness.test/two'), 'UTF8')",
    ] {
        let copy = format!(
            "insert into anchor (anchor_id, log_id, generation, size, kind, name, response, checkpoint)
             select '{MADE_UP}', log_id, generation, size, kind, name, {forged}, checkpoint from anchor limit 1"
        );
        attack(&ground, "duly_app", &copy).await;
        assert_eq!(found(&ground).await, ["anchor_not_valid"], "{forged}");
        attack(&ground, "none", &format!("delete from anchor where anchor_id = '{MADE_UP}'")).await;
    }
}
