//! Notify's face: what it takes, how often it finds it, whom it refuses, and what it writes otherwise than it was given.

use crate::faces::{NOTIFY_KEY, account, notify, now, sent, sent_by};
use crate::support::{Town, town};
use duly_sandbox::{Face, ProviderConfig};
use reqwest::Method;
use serde_json::json;

/// Its account for this channel.
async fn at_notify(channel: &str) -> Town {
    town(ProviderConfig { channel: channel.into(), api_key: Some(NOTIFY_KEY.into()), ..account(Face::Notify, vec![]) }).await
}

#[tokio::test]
async fn notify_takes_a_text_twice_and_finds_both() {
    let town = at_notify("sms").await;
    let text =
        json!({ "phone_number": "+447900900123", "template_id": "t", "personalisation": { "body": "Hello" }, "reference": "r" });
    let post = || notify(&town, Method::POST, "/v2/notifications/sms", now()).json(&text);

    let (status, made) = sent(post()).await;
    sent(post()).await;
    let (_, found) = sent(notify(&town, Method::GET, "/v2/notifications?reference=r", now())).await;

    assert_eq!((status, made["content"]["body"].as_str(), made["reference"].as_str()), (201, Some("Hello"), Some("r")));
    assert_eq!(found["notifications"].as_array().unwrap().len(), 2);
    assert_eq!(town.state.record().len(), 2);
}

#[tokio::test]
async fn notify_sends_a_text_as_it_writes_it_and_says_so() {
    let (texts, mails) = (at_notify("sms").await, at_notify("email").await);
    let sms =
        json!({ "phone_number": "+447900900123", "template_id": "t", "personalisation": { "body": "King’s:  “Łukasz” …" } });
    let fields = json!({ "subject": "King's - news", "body": "King's - “Łukasz”\n" });
    let email = json!({ "email_address": "ann@mail.example", "template_id": "t", "personalisation": fields });

    let (_, text) = sent(notify(&texts, Method::POST, "/v2/notifications/sms", now()).json(&sms)).await;
    let (_, mail) = sent(notify(&mails, Method::POST, "/v2/notifications/email", now()).json(&email)).await;

    assert_eq!(text["content"]["body"], "King's: \"Lukasz\" ...");
    assert_eq!((&mail["content"]["subject"], &mail["content"]["body"]), (&json!("King’s – news"), &json!("King's - “Łukasz”")));
    assert_eq!(texts.state.record()[0].content_sha256, "5dacdf8f92bee31e1611193d8aacf59215b84411e9d7fa63595b8a220dbc3870");
}

#[tokio::test]
async fn notify_refuses_slow_clocks_strange_keys_and_unknown_fields() {
    let town = at_notify("sms").await;
    let text =
        |more: &str| json!({ "phone_number": "+447900900123", "template_id": "t", "personalisation": { "body": "x" }, more: 1 });
    let post = |iat| notify(&town, Method::POST, "/v2/notifications/sms", iat).json(&text("colour"));

    assert_eq!(sent(post(now() - 60)).await.1["errors"][0]["error"], "AuthError");
    assert_eq!(sent_by(&town, "Bearer x.y.z", post(now())).await.0, 403);
    let (status, body) = sent(post(now())).await;
    assert_eq!((status, body["errors"][0]["error"].as_str()), (400, Some("ValidationError")));
    assert!(town.state.record().is_empty());
}
