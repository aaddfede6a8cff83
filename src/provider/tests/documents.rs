//! The adapters' requests held against OpenAPI documents (tests/openapi), the vendors' own where there are any, by a
//! validator that others made, Prism, with known-bad requests for each endpoint: a validator that refuses nothing would
//! prove nothing.
//!
//! `make openapi` fetches Prism and runs this; without it the tests say that they were skipped.

#![expect(clippy::unwrap_used, reason = "tests")]

mod notify;
mod stannp;

use super::super::frozen::Request;
use super::super::lob::Lob;
use super::super::multipart::parts;
use super::super::twilio::Twilio;
use super::super::wire::Wire;
use super::super::{Item, Outbound, Sought};
use crate::model::state::Channel;
use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use time::OffsetDateTime;
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};

const REFERENCE: &str = "000102030405060708090a0b0c0d0e0f";
const STARTS_WITHIN: Duration = Duration::from_secs(60);

/// A document of `tests/openapi`.
fn document(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/openapi").join(name)
}

/// Says what was not tried, past the harness, which keeps what a test prints to itself while it is green.
fn skip(what: &str) {
    std::io::stderr().write_all(format!("SKIPPED: {what}\n").as_bytes()).unwrap();
}

/// A validator of one document.
struct Prism {
    url: String,
    _process: Child,
}

impl Prism {
    /// Starts it; `None`, and says so, where there is none.
    async fn start(document: &Path) -> Option<Self> {
        drop(rustls::crypto::ring::default_provider().install_default());
        let Some(program) = std::env::var_os("PRISM") else {
            let name = document.file_name().unwrap().display();
            skip(&format!("{name} was not asked, PRISM names no validator; `make openapi` runs this"));
            return None;
        };
        let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
        let process = Command::new(program)
            .args(["mock", "--host", "127.0.0.1", "--port", &port.to_string()])
            .arg(document)
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let listens = async {
            while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::time::timeout(STARTS_WITHIN, listens).await.unwrap();
        Some(Self { url: format!("http://127.0.0.1:{port}"), _process: process })
    }

    /// Its answer to a request, by whom it may be.
    async fn status(&self, wire: &impl Wire, request: &Request, is_known: bool) -> u16 {
        let method: reqwest::Method = request.method.parse().unwrap();
        let mut builder = reqwest::Client::new().request(method, format!("{}{}", self.url, request.path));
        for (name, value) in &request.headers {
            builder = builder.header(*name, value);
        }
        if is_known {
            let credential = wire.authorise(OffsetDateTime::now_utc());
            builder = builder.header(credential.header, credential.value.expose_secret());
        }
        builder.body(request.body.clone()).send().await.unwrap().status().as_u16()
    }

    /// The request is taken; it is not without credentials, and what was spoilt is not.
    async fn judges(&self, wire: &impl Wire, good: &Request, bad: &[Request]) {
        let place = format!("{} {}", good.method, good.path);
        let taken = self.status(wire, good, true).await;
        assert!((200..300).contains(&taken), "{place} is refused: {taken}");
        assert_eq!(self.status(wire, good, false).await, 401, "{place} without credentials");
        for bad in bad {
            let (status, body) = (self.status(wire, bad, true).await, String::from_utf8_lossy(&bad.body));
            // A document that describes an answer to what it does not take has it for this too.
            assert!(matches!(status, 400 | 422), "{} {} {body}: {status}", bad.method, bad.path);
        }
    }

    /// Nothing of the request can be spoilt but its place: it must be one that the document names.
    async fn judges_place(&self, wire: &impl Wire, good: &Request, strange: &Request) {
        self.judges(wire, good, &[]).await;
        assert_eq!(self.status(wire, strange, true).await, 404, "{} {}", strange.method, strange.path);
    }
}

fn with_path(request: &Request, from: &str, to: &str) -> Request {
    let path = request.path.replace(from, to);
    assert_ne!(path, request.path);
    Request { path, ..request.clone() }
}

fn with_body(request: &Request, body: impl Into<Vec<u8>>) -> Request {
    Request { body: body.into(), ..request.clone() }
}

/// The JSON of a request with another value in this field; `null` leaves it out.
fn with_field(request: &Request, field: &str, value: Value) -> Request {
    let mut body: Map<String, Value> = serde_json::from_slice(&request.body).unwrap();
    match value {
        Value::Null => drop(body.remove(field).unwrap()),
        value => drop(body.insert(field.to_owned(), value)),
    }
    with_body(request, Value::Object(body).to_string())
}

fn lines(text: &str) -> Vec<String> {
    text.split('\n').map(str::to_owned).collect()
}

#[tokio::test]
async fn the_vendors_document_takes_every_request_to_twilio_and_refuses_spoilt_ones() {
    let Some(prism) = Prism::start(&document("twilio-messages.json")).await else { return };
    let lane = "channel = \"sms\"\nurl = \"\"\napi_key = \"token\"\naccount = \"AC00000000000000000000000000000001\"\n";
    let twilio = Twilio::new(&toml::from_str(lane).unwrap(), Channel::Sms).unwrap();
    let id = "SM00000000000000000000000000000002";
    let item = Item::Sms { from: "+15005550006", to: "+447700900001", text: "Hello “Ann” & co" };
    let callback = Some("https://duly.example/receipts/northmere/sms");
    let submit = twilio.prepare(&Outbound { reference: REFERENCE, callback, item }).unwrap();
    let frozen = submit.freeze("twilio");
    let sought = Sought { reference: REFERENCE, frozen: Some(&frozen), since: None };

    let nobody = String::from_utf8(submit.body.clone()).unwrap().replace("To=", "Ot=");
    let strange = with_path(&submit, "AC0", "XX0");
    prism.judges(&twilio, &submit, &[with_body(&submit, nobody), strange]).await;
    let look_up = twilio.look_up(&sought, None).unwrap();
    prism.judges(&twilio, &look_up, &[with_path(&look_up, "PageSize=1000", "PageSize=1001")]).await;
    let status = twilio.status(id).unwrap();
    prism.judges(&twilio, &status, &[with_path(&status, id, "SM2")]).await;
    let cancel = twilio.cancel(id).unwrap();
    prism.judges(&twilio, &cancel, &[with_body(&cancel, "Status=never")]).await;
    let check = twilio.check().unwrap();
    prism.judges(&twilio, &check, &[with_path(&check, "AC0", "XX0"), with_path(&check, "PageSize=1", "PageSize=1001")]).await;
}

/// A form with a file as the JSON of the same fields, the file by its name: a validator of documents cannot look into a
/// multipart form with nested fields, and the vendor's document describes a file by its name.
fn as_json(request: &Request) -> Value {
    let kind = &request.headers.iter().find(|(name, _)| *name == "content-type").unwrap().1;
    let mut body = Map::new();
    for part in parts(kind, &request.body).unwrap() {
        let text = if part.is_file { "letter.pdf" } else { std::str::from_utf8(part.content).unwrap() };
        let value = match text {
            "true" | "false" => json!(text == "true"),
            text => json!(text),
        };
        match part.name.split_once('[') {
            Some((outer, inner)) => body.entry(outer).or_insert(json!({}))[inner.trim_end_matches(']')] = value,
            None => drop(body.insert(part.name.to_owned(), value)),
        }
    }
    body.into()
}

/// The same request below the server's address of the vendor's document, with this body.
fn at_server(request: &Request, body: Option<&Value>) -> Request {
    let mut headers: Vec<_> = request.headers.iter().filter(|(name, _)| *name != "content-type").cloned().collect();
    headers.extend(body.map(|_| ("content-type", "application/json".to_owned())));
    let body = body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
    Request { path: request.path.strip_prefix("/v1").unwrap().to_owned(), headers, body, ..request.clone() }
}

#[tokio::test]
async fn the_vendors_document_takes_every_request_to_lob_and_refuses_spoilt_ones() {
    let Some(prism) = Prism::start(&document("lob-letters.json")).await else { return };
    let lob = Lob::new(&toml::from_str("channel = \"letter\"\nurl = \"\"\napi_key = \"test_key\"\n").unwrap(), Channel::Letter);
    let (from, address) =
        (lines("Northmere\n2 Main St\nPortland, OR 97201"), lines("Ann Price\n1 Main St\nApt 2\nPortland, OR 97201-1234"));
    let item = Item::Letter { from: &from, address: &address, pdf: b"%PDF", pages: 2, postage_class: "first" };
    let submit = lob.prepare(&Outbound { reference: REFERENCE, callback: None, item }).unwrap();
    let body = as_json(&submit);
    let good = at_server(&submit, Some(&body));

    let spoilt = |field: &str, value: Value| {
        let mut body = body.clone();
        body[field] = value;
        at_server(&submit, Some(&body))
    };
    let mut long_key = good.clone();
    long_key.headers.iter_mut().filter(|(name, _)| *name == "idempotency-key").for_each(|(_, key)| *key = "k".repeat(257));
    let bad = [
        at_server(&submit, Some(&json!({}))),
        spoilt("use_type", json!("strange")),
        spoilt("mail_type", json!("by_pigeon")),
        spoilt("address_placement", json!("somewhere")),
        spoilt("to", json!({ "name": "Ann Price", "address_line1": "1 Main St" })),
        spoilt("color", json!("perhaps")),
        long_key,
    ];
    prism.judges(&lob, &good, &bad).await;
    let sought = Sought { reference: REFERENCE, frozen: None, since: None };
    let look_up = at_server(&lob.look_up(&sought, None).unwrap(), None);
    prism.judges(&lob, &look_up, &[with_path(&look_up, "limit=100", "limit=101")]).await;
    let id = "ltr_4868c3b754655f90";
    for request in [lob.status(id), lob.cancel(id)] {
        let request = at_server(&request.unwrap(), None);
        prism.judges(&lob, &request, &[with_path(&request, "ltr_", "adr_")]).await;
    }
    let check = at_server(&lob.check().unwrap(), None);
    prism.judges(&lob, &check, &[with_path(&check, "limit=1", "limit=0")]).await;
}
