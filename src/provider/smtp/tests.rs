//! A relay that says what the test wants: each row of the table of ends, and the bytes that leave.

#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::model::step::Answer;
use crate::provider::Pause;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

const REFERENCE: &str = "000102030405060708090a0b0c0d0e0f";
const GREETING: &str = "250-relay\r\n250-DSN\r\n250-AUTH PLAIN\r\n250 X-DULY-SANDBOX";

/// What the relay answers instead of the good word: to which verb, `.` for the mail and `220` for the beginning. An empty
/// answer hangs up, `…` never answers.
type Script = &'static [(&'static str, &'static str)];

/// Everything that was said to a relay.
type Heard = Arc<Mutex<String>>;

async fn relay(script: Script) -> (String, Heard) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("smtp://{}", listener.local_addr().unwrap());
    let heard = Heard::default();
    let ear = heard.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (read, mut write) = stream.into_split();
            let mut lines = BufReader::new(read).lines();
            let mut verb = "220".to_owned();
            loop {
                let scripted = script.iter().find(|(place, _)| *place == verb).map(|(_, answer)| *answer);
                let good = match verb.as_str() {
                    "220" => "220 relay",
                    "EHLO" => GREETING,
                    "AUTH" => "235 2.7.0 Ok",
                    "DATA" => "354 Go on",
                    "QUIT" => "221 Bye",
                    _ => "250 2.0.0 Ok",
                };
                match scripted.unwrap_or(good) {
                    "" => break,
                    "…" => std::future::pending().await,
                    answer => write.write_all(format!("{answer}\r\n").as_bytes()).await.unwrap(),
                }
                let is_mail = verb == "DATA" && scripted.is_none();
                loop {
                    let Ok(Some(line)) = lines.next_line().await else { return };
                    ear.lock().unwrap().push_str(&format!("{line}\n"));
                    if !is_mail || line == "." {
                        verb = line.split([' ', ':']).next().unwrap_or_default().to_owned();
                        break;
                    }
                }
            }
        }
    });
    (url, heard)
}

fn smtp(url: &str, more: &str) -> Smtp {
    let lane =
        format!("channel = \"email\"\nprovider = \"smtp\"\nurl = \"{url}\"\naccount = \"duly\"\napi_key = \"word\"\n{more}");
    Smtp::new(&toml::from_str(&lane).unwrap(), Duration::from_millis(400)).unwrap()
}

fn email<'a>(subject: &'a str, text: &'a str) -> Item<'a> {
    Item::Email { from: "notice@northmere.example", from_name: "Northmere Police", to: "ann@mail.example", subject, text }
}

fn prepare(item: Item<'_>) -> Result<Frozen, &'static str> {
    let outbound = Outbound { reference: REFERENCE, callback: None, item };
    smtp("smtp://localhost", "").prepare(&outbound).map_err(|refusal| refusal.code)
}

async fn send(smtp: &Smtp) -> CallResult {
    let outbound = Outbound { reference: REFERENCE, callback: None, item: email("Your data", "Dear Ann") };
    smtp.submit(smtp.prepare(&outbound).unwrap(), Arc::new(|| Ok(()))).await
}

#[tokio::test]
async fn each_end_has_its_outcome() {
    use Answer::{LaneStopped, NotTaken, Rejected, Unknown};
    let table: &[(Script, Answer, &str)] = &[
        (&[], Answer::Accepted, "250"),
        (&[("220", "")], NotTaken, "not_written"),
        (&[("220", "554 No service")], NotTaken, "greeting_554"),
        (&[("220", "421 Too many")], NotTaken, "greeting_421"),
        (&[("220", "…")], NotTaken, "not_written"),
        (&[("EHLO", "")], NotTaken, "not_written"),
        (&[("EHLO", "250-relay\r\n250 AUTH PLAIN")], LaneStopped, "not_the_sandbox"),
        (&[("EHLO", "250-relay\r\n250 X-DULY-SANDBOX")], LaneStopped, "bad_credentials"),
        (&[("AUTH", "535 5.7.8 No")], LaneStopped, "bad_credentials"),
        (&[("AUTH", "454 4.7.0 Later")], NotTaken, "greeting_454"),
        (&[("MAIL", "550 5.7.1 Not you")], LaneStopped, "mail_550"),
        (&[("MAIL", "451 Later")], NotTaken, "mail_451"),
        (&[("MAIL", "")], NotTaken, "not_written"),
        (&[("RCPT", "550 5.1.1 Nobody")], Rejected, "rcpt_550"),
        (&[("RCPT", "554 5.1.1 Nobody")], Rejected, "rcpt_554"),
        (&[("RCPT", "550 Nobody")], Rejected, "rcpt_550"),
        (&[("RCPT", "530 Who are you")], LaneStopped, "rcpt_530"),
        (&[("RCPT", "554 5.7.1 <ann@mail.example>: Relay access denied")], LaneStopped, "rcpt_554"),
        (&[("RCPT", "550 5.7.64 TenantAttribution; Relay Access Denied")], LaneStopped, "rcpt_550"),
        (&[("RCPT", "554 Relay access denied")], LaneStopped, "rcpt_554"),
        (&[("RCPT", "554 ")], LaneStopped, "rcpt_554"),
        (&[("RCPT", "450 4.2.1 Later")], NotTaken, "rcpt_450"),
        (&[("RCPT", "421 Going down")], NotTaken, "rcpt_421"),
        (&[("RCPT", "…")], NotTaken, "not_written"),
        (&[("DATA", "554 No")], Rejected, "data_554"),
        (&[("DATA", "451 Later")], NotTaken, "data_451"),
        (&[("DATA", "")], NotTaken, "not_written"),
        (&[(".", "451 4.3.0 Later")], NotTaken, "451"),
        (&[(".", "554 5.7.1 Spam")], Rejected, "554"),
        (&[(".", "421 Going down")], Unknown, "421"),
        (&[(".", "")], Unknown, "cut"),
        (&[(".", "<html>")], Unknown, "cut"),
        (&[(".", "…")], Unknown, "timeout"),
    ];
    for (script, means, code) in table {
        let (url, _) = relay(script).await;
        let result = send(&smtp(&url, "")).await;

        assert_eq!((result.answer, result.code.as_str()), (*means, *code), "{script:?}");
        assert_eq!(result.pause, (*means == LaneStopped).then_some(Pause::Minute), "{script:?}");
        let id = (*means == Answer::Accepted).then(|| format!("{REFERENCE}@northmere.example"));
        assert_eq!(result.provider_id, id, "{script:?}");
        let is_code = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        assert!((1..=32).contains(&result.code.len()) && result.code.bytes().all(is_code), "{script:?}");
    }
}

#[tokio::test]
async fn nobody_there_is_nothing_taken() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("smtp://{}", listener.local_addr().unwrap());
    drop(listener);
    let result = send(&smtp(&url, "")).await;
    assert_eq!((result.answer, result.code.as_str()), (Answer::NotTaken, "not_written"));
}

#[tokio::test]
async fn a_live_lane_shows_nothing_to_a_relay_without_tls() {
    let (url, heard) = relay(&[]).await;
    let result = send(&smtp(&url, "live = true\n")).await;
    assert_eq!((result.answer, result.code.as_str()), (Answer::LaneStopped, "no_tls"));
    let heard = heard.lock().unwrap().clone();
    assert!(heard.starts_with("EHLO ") && !heard.contains("AUTH") && !heard.contains("MAIL"), "{heard}");
}

#[tokio::test]
async fn a_call_that_may_not_start_any_more_gives_no_byte_of_the_mail() {
    let (url, heard) = relay(&[]).await;
    let frozen = prepare(email("Your data", "Dear Ann")).unwrap();
    let result = smtp(&url, "").submit(frozen, Arc::new(|| Err("hold_changed"))).await;
    assert_eq!((result.answer, result.code.as_str()), (Answer::NotTaken, "hold_changed"));
    assert!(!heard.lock().unwrap().contains("Dear Ann"));
}

#[tokio::test]
async fn delivery_notices_are_asked_for_where_they_are_offered() {
    let (url, heard) = relay(&[]).await;
    send(&smtp(&url, "sender_id = \"bounces@northmere.example\"\n")).await;
    let text = heard.lock().unwrap().clone();
    assert!(text.contains(&format!("MAIL FROM:<bounces@northmere.example> RET=HDRS ENVID={REFERENCE}\n")), "{text}");
    assert!(text.contains("RCPT TO:<ann@mail.example> NOTIFY=SUCCESS,FAILURE\n"), "{text}");

    let (url, heard) = relay(&[("EHLO", "250-relay\r\n250-AUTH PLAIN\r\n250 X-DULY-SANDBOX")]).await;
    send(&smtp(&url, "")).await;
    let text = heard.lock().unwrap().clone();
    assert!(text.contains("MAIL FROM:<notice@northmere.example>\n") && text.contains("RCPT TO:<ann@mail.example>\n"), "{text}");
}

#[test]
fn a_mail_is_the_same_each_time_and_reads_back_as_it_was_approved() {
    let long = "Ŵ long subject that no line of seventy-eight characters can hold, with ünusual letters at both ends – ŵ";
    for (subject, text) in [
        ("Your data", "Dear Ann,\n\nWe write.\n"),
        (long, ".\n..\n.a line of a dot\nFrom here on\n"),
        ("100 %", "100 % = 100 %; a=3D\n trailing \t\nline  \n\n\n"),
        ("ŵ ŵ", &"word ".repeat(400)),
        ("a  b", "ŵ\u{1f600}"),
    ] {
        let (one, other) = (prepare(email(subject, text)), prepare(email(subject, text)));
        assert!(one.is_ok() && one == other, "{subject}: {text}");
        let one = one.unwrap();
        let thawed = one.thaw().unwrap();
        assert_eq!(read_back(&thawed), Some(ReadBack::email("ann@mail.example", subject, text)));
        assert!(thawed.body.is_ascii() && !String::from_utf8_lossy(thawed.body).contains("Date:"), "{subject}");
    }
    // One that its reader's program would show as something else.
    assert_eq!(prepare(email("=?utf-8?b?SGVsbG8=?=", "Dear Ann")).err(), Some("body"));
    let frozen = prepare(email("Your data", "Dear Ann")).unwrap();
    let mail = String::from_utf8_lossy(frozen.thaw().unwrap().body).into_owned();
    for line in [
        "From: \"Northmere Police\" <notice@northmere.example>",
        "To: ann@mail.example",
        "Subject: Your data",
        &format!("Message-ID: <{REFERENCE}@northmere.example>"),
        "Content-Type: text/plain; charset=utf-8",
        "Auto-Submitted: auto-generated",
        "MIME-Version: 1.0",
    ] {
        assert!(mail.split("\r\n").any(|own| own == line), "{line}\n{mail}");
    }
}

#[test]
fn nothing_that_could_begin_another_header_is_sent() {
    let bad = "x\r\nBcc: eve@mail.example";
    let Item::Email { from, from_name, to, subject, text } = email("Your data", "Dear Ann") else { return };
    for item in [
        Item::Email { from: bad, from_name, to, subject, text },
        Item::Email { from: "Northmere <notice@northmere.example>", from_name, to, subject, text },
        Item::Email { from, from_name: bad, to, subject, text },
        Item::Email { from, from_name, to: "ann@mail.example\r\nRCPT TO:<eve@mail.example>", subject, text },
        Item::Email { from, from_name, to: "ann@mail.example,eve@mail.example", subject, text },
        Item::Email { from, from_name, to: "ann@mail.example> <eve@mail.example", subject, text },
        Item::Email { from, from_name, to, subject: bad, text },
        Item::Email { from, from_name, to, subject: "", text },
    ] {
        assert_eq!(prepare(item).err(), Some("header"));
    }
    let command = "MAIL FROM:<eve@mail.example>";
    for text in
        [format!("a\n.\n{command}\n"), format!("a\r.\r{command}"), format!("a\r\n.\r\n{command}"), format!("\r.\n{command}")]
    {
        let Ok(frozen) = prepare(email("Your data", &text)) else { continue };
        let mail = String::from_utf8_lossy(frozen.thaw().unwrap().body).into_owned();
        assert!(!mail.replace("\r\n", "").contains(['\r', '\n']), "{text:?}");
    }
    assert!(prepare(email("Your data", &format!("a\n.\n{command}\n"))).is_ok());
}

#[tokio::test]
async fn a_check_proves_the_credentials_without_a_mail() {
    for (script, found) in [
        (&[] as Script, Check::Good),
        (&[("AUTH", "535 No")], Check::BadCredentials),
        (&[("220", "")], Check::Unreachable),
        (&[("220", "…")], Check::Unreachable),
    ] {
        let (url, heard) = relay(script).await;
        assert_eq!(smtp(&url, "").check().await, found, "{script:?}");
        assert!(!heard.lock().unwrap().contains("MAIL"), "{script:?}");
    }
    let (url, _) = relay(&[("EHLO", "250-relay\r\n250 AUTH PLAIN")]).await;
    assert!(matches!(smtp(&url, "").check().await, Check::Unfit(_)));
}

#[test]
fn a_relay_needs_an_address_of_its_own_kind() {
    let new = |url: &str, more: &str| {
        let lane = format!("channel = \"email\"\nurl = \"{url}\"\n{more}");
        Smtp::new(&toml::from_str(&lane).unwrap(), Duration::from_secs(1)).map(drop).map_err(|(setting, _)| setting)
    };
    for url in ["smtp://relay.example", "smtps://relay.example:465", "smtp://127.0.0.1:2525/"] {
        assert_eq!(new(url, ""), Ok(()), "{url}");
    }
    for url in
        ["", "https://relay.example", "smtp://user:word@relay.example", "smtp://", "relay.example:587", "smtp://relay.example/x"]
    {
        assert_eq!(new(url, ""), Err("url"), "{url}");
    }
    assert_eq!(new("smtp://relay.example", "sender_id = \"Northmere\"\n"), Err("sender_id"));
}
