//! What stands between the internet and the record: a stranger holds no place for long, and a thief of the door's login
//! stops nobody.

use super::{Post, SECRET, accepted, body};
use crate::support::{Setup, Stage, eventually};
use std::time::Duration;
use uuid::Uuid;

#[tokio::test]
async fn half_a_header_and_silence_hold_no_place_for_long() {
    let stage = Stage::new(Setup::default()).await;
    let limit = [("DULY_WEB__CONNECTIONS_MAX", "2"), ("RUST_LOG", "info")];
    let process = stage.start_with(&["receipts"], None, &limit);
    let address = process.address().await;
    let url = format!("http://{address}/receipts/northmere");
    let mut held = Vec::new();
    for beginning in ["POST /receipts/northmere/sms HTTP/1.1\r\nho", ""] {
        let mut wire = tokio::net::TcpStream::connect(&address).await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut wire, beginning.as_bytes()).await.unwrap();
        held.push(wire);
    }

    // It waits in the system's queue until those who say nothing are shown out.
    let post =
        Post { url: &url, place: "/sms", body: body("ev", "r", "i", "sent"), age_seconds: 0, secret: SECRET, signed_for: None };
    let answer = tokio::time::timeout(Duration::from_secs(25), post.send()).await;

    assert_eq!(answer, Ok(200));
    drop(held);
}

/// Inserts a receipt that counts as verified, as whoever has the login of the door can do.
async fn steal_in(stage: &Stage, reference: &str, status: &str, sealed: &[u8]) -> Result<(), sqlx::Error> {
    let mut tx = stage.owner.begin().await?;
    sqlx::query("set local role duly_receipts").execute(&mut *tx).await?;
    sqlx::query(
        "insert into receipt (receipt_id, controller_id, provider, sealed, verdict, event_name, reference, provider_id, status)
         values ($1, $2, 'sms', $3, 'verified', 'ev_stolen', $4, 'sb_stolen', $5)",
    )
    .bind(Uuid::now_v7())
    .bind(stage.incident.key.controller_id)
    .bind(sealed)
    .bind(reference)
    .bind(status)
    .execute(&mut *tx)
    .await?;
    tx.commit().await
}

#[tokio::test]
async fn a_receipt_that_cannot_be_applied_stops_no_other() {
    let (stage, url, reference, id, _process) = accepted().await;
    steal_in(&stage, &reference, "returned", &[0xde, 0xad, 0xbe, 0xef]).await.unwrap();

    let post = Post {
        url: &url,
        place: "/sms",
        body: body("ev_1", &reference, &id, "delivered"),
        age_seconds: 0,
        secret: SECRET,
        signed_for: None,
    };
    assert_eq!(post.send().await, 200);

    eventually("the true receipt counts", async || stage.states().await == ["delivered_to_handset"]).await;
    let aside = "select count(*) from receipt where provider_id = 'sb_stolen' and result is null and due_at > duly_now() + interval '30 minutes'";
    eventually("the other one is set aside", async || stage.count(aside).await == 1).await;
}

#[tokio::test]
async fn a_receipt_says_what_a_provider_can_say_and_nothing_else() {
    let stage = Stage::new(Setup::default()).await;

    for status in ["ready", "sending", "unknown", "overdue", "superseded", "bogus", ""] {
        let refused = steal_in(&stage, &"0".repeat(32), status, b"x").await.unwrap_err().into_database_error().unwrap();
        assert!(refused.is_check_violation(), "{status}: {refused}");
    }
}
