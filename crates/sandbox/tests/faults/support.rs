//! A sandbox on a free port, a client that sends as a program would, and a place where receipts arrive.

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::routing::post;
use duly_sandbox::{Fault, ProviderConfig, SandboxConfig, SandboxState, serve};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

/// Longest wait for something that must come.
pub const DEADLINE: Duration = Duration::from_secs(10);

/// A sandbox with one provider.
pub struct Town {
    pub state: Arc<SandboxState>,
    pub url: String,
    pub client: reqwest::Client,
}

/// A receipt as it arrived.
pub struct Arrived {
    pub body: Value,
    pub is_signed: bool,
}

impl Arrived {
    pub fn status(&self) -> &str {
        self.body["status"].as_str().unwrap()
    }
}

/// A client whose requests follow no redirect and are never tried again.
fn client() -> reqwest::Client {
    // Another test of this process may have installed it already.
    drop(rustls::crypto::ring::default_provider().install_default());
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .timeout(DEADLINE)
        .build()
        .unwrap()
}

/// Starts a sandbox whose provider `p` has these settings.
pub async fn town(settings: ProviderConfig) -> Town {
    town_with(settings, None).await
}

/// Starts a sandbox whose provider `p` has one fault.
pub async fn faulty(fault: Fault) -> Town {
    town(ProviderConfig { faults: vec![fault], ..ProviderConfig::default() }).await
}

/// The same, with a place where receipts go.
pub async fn town_with(settings: ProviderConfig, callback: Option<String>) -> Town {
    let client = client();
    let config = SandboxConfig { providers: [("p".to_owned(), settings)].into(), callback, ..SandboxConfig::default() };
    let state = Arc::new(SandboxState::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(serve(state.clone(), listener, std::future::pending()));
    Town { state, url, client }
}

/// Starts a sandbox and a place for its receipts.
pub async fn told(settings: ProviderConfig) -> (Town, mpsc::Receiver<Arrived>) {
    let (sender, receiver) = mpsc::channel(100);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let callback = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().route("/{provider}", post(arrive)).with_state(sender);
    tokio::spawn(async move { axum::serve(listener, router).await });
    (town_with(settings, Some(callback)).await, receiver)
}

async fn arrive(State(sender): State<mpsc::Sender<Arrived>>, uri: Uri, headers: HeaderMap, body: String) {
    let stamp = headers["X-Sandbox-Timestamp"].to_str().unwrap();
    let is_signed = headers["X-Sandbox-Signature"] == duly_sandbox::sign("sandbox-secret", stamp, uri.path(), &body);
    sender.send(Arrived { body: serde_json::from_str(&body).unwrap(), is_signed }).await.unwrap();
}

/// Whatever arrived, as it came.
pub struct Heard {
    pub uri: String,
    pub headers: HeaderMap,
    pub body: String,
}

/// A place that takes receipts of any format.
pub async fn heard() -> (String, mpsc::Receiver<Heard>) {
    let (sender, receiver) = mpsc::channel(100);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = format!("http://{}", listener.local_addr().unwrap());
    let router =
        Router::new().fallback(async |State(sender): State<mpsc::Sender<Heard>>, uri: Uri, headers: HeaderMap, body: String| {
            sender.send(Heard { uri: uri.to_string(), headers, body }).await.unwrap();
        });
    tokio::spawn(async move { axum::serve(listener, router.with_state(sender)).await });
    (place, receiver)
}

impl Town {
    /// Sends an SMS of this reference, under a key of the same name.
    pub async fn send(&self, reference: &str) -> reqwest::Result<reqwest::Response> {
        self.send_text(reference, "Hello").await
    }

    /// The same with a text.
    pub async fn send_text(&self, reference: &str, text: &str) -> reqwest::Result<reqwest::Response> {
        let body = json!({ "channel": "sms", "from": "NORTHMERE", "reference": reference, "text": text, "to": "+447400123456" });
        self.request(reference).json(&body).send().await
    }

    /// A request that lacks only its body.
    pub fn request(&self, key: &str) -> reqwest::RequestBuilder {
        self.client.post(format!("{}/p/v1/messages", self.url)).bearer_auth("sandbox-key").header("Idempotency-Key", key)
    }

    /// Ids that a look-up of a reference shows; `None` where there is no look-up.
    pub async fn look_up(&self, reference: &str) -> Option<Vec<String>> {
        let answer = self.client.get(format!("{}/p/v1/messages?reference={reference}", self.url)).send().await.unwrap();
        if !answer.status().is_success() {
            return None;
        }
        let found: Value = answer.json().await.unwrap();
        Some(found["messages"].as_array().unwrap().iter().map(|m| m["id"].as_str().unwrap().to_owned()).collect())
    }

    /// Waits until so many messages are on record.
    pub async fn wait_for_record(&self, n: usize) {
        let reached = async {
            while self.state.record().len() < n {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(DEADLINE, reached).await.unwrap();
    }
}

/// The next `n` receipts.
pub async fn receipts(receiver: &mut mpsc::Receiver<Arrived>, n: usize) -> Vec<Arrived> {
    let mut arrived = Vec::new();
    while arrived.len() < n {
        arrived.push(tokio::time::timeout(DEADLINE, receiver.recv()).await.unwrap().unwrap());
    }
    arrived
}
