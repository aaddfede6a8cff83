//! What Notify would write otherwise, held against its face, which writes it.

use super::*;
use crate::provider::Request;
use serde_json::json;

/// Adapter and face were written apart: what the one takes the other sends as it is, and changes what it refuses.
#[tokio::test]
async fn what_notify_would_write_otherwise_is_refused_and_nothing_else() {
    let town = town(NOTIFY[0], vec![], 60_000).await;
    for text in [
        "Hello",
        "King's",
        "King’s",
        "“Ann”",
        "a – b",
        "a — b",
        "a - b",
        "a…",
        "a...",
        "a\u{a0}b",
        "a\tb",
        "a\u{200b}b",
        "a  b",
        "a\nb",
        "a\n\nb",
        "a\n\n\nb",
        "a \nb",
        "a , b",
        "a .",
        " a",
        "a ",
        "Łukasz",
        "Sîan Wŷn",
        "façade",
        "Çelik",
        "Müller",
        "Øre",
        "Иван",
        "`a`",
        "[a] {b} ~^|\\ €",
        "a\r\nb",
        "ế",
    ] {
        let body = json!({ "personalisation": { "body": text }, "phone_number": "+447700900001", "reference": REFERENCE, "template_id": "t" });
        let frozen = Request::post_json("/v2/notifications/sms".to_owned(), &body).freeze("notify");

        let result = town.provider.submit(frozen, Arc::new(|| Ok(()))).await;

        let taken = town.provider.takes(&Item::Sms { from: "NORTHMERE", to: "+447700900001", text });
        assert_eq!((result.answer, result.returned.differs.is_none()), (Answer::Accepted, taken.is_ok()), "{text:?} {taken:?}");
    }
}
