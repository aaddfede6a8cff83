//! A provider, or a reader of receipts, whose secrets stand in files: when a file changes, the next call goes with what stands
//! there now, and nothing stops.

use super::guarded::MayStart;
use super::{
    CallResult, CancelOutcome, Capabilities, Check, Frozen, Item, LookUp, Outbound, Provider, RawReceipt, ReadReceipt,
    ReceiptRefusal, Refusal, Showing, Sought, StatusAnswer,
};
use crate::config::Lane;
use futures::FutureExt;
use futures::future::BoxFuture;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// How often the files are looked at.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// For how long after the files were changed receipts under the secret before are still believed: they were on their way.
const OVERLAP: Duration = Duration::from_secs(900);

/// Makes the provider of a lane.
pub type Make<P> = Box<dyn Fn(&Lane) -> Option<Box<P>> + Send + Sync>;

/// When each file was changed, and how long it is.
type Stamp = Vec<Option<(SystemTime, u64)>>;

struct State<P: ?Sized> {
    current: Arc<P>,
    before: Option<(Arc<P>, SystemTime)>,
    stamp: Stamp,
    looked_at: Instant,
}

/// A provider behind its files.
pub struct Rotating<P: ?Sized> {
    name: String,
    lane: Lane,
    make: Make<P>,
    capabilities: Capabilities,
    state: Mutex<State<P>>,
}

impl<P: ?Sized> Rotating<P> {
    /// The provider of a lane as its files stand now, and what it promises.
    pub fn new(name: &str, lane: &Lane, (first, capabilities): (Box<P>, Capabilities), make: Make<P>) -> Self {
        let state = State { current: first.into(), before: None, stamp: stamp(lane), looked_at: Instant::now() };
        Self { name: name.to_owned(), lane: lane.clone(), make, capabilities, state: Mutex::new(state) }
    }

    /// What it promises, whatever its secrets are.
    pub fn promised(&self) -> &Capabilities {
        &self.capabilities
    }

    /// The provider by what its files have now.
    pub fn current(&self) -> Arc<P> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.looked_at.elapsed() >= LOOK_AGAIN {
            state.looked_at = Instant::now();
            let now = stamp(&self.lane);
            if now != state.stamp {
                self.change(&mut state, now);
            }
        }
        state.current.clone()
    }

    /// Takes new secrets, unless they cannot be read or are none: then the old ones stay, and the files are looked at again.
    fn change(&self, state: &mut State<P>, stamp: Stamp) {
        let fresh = self.lane.with_fresh_secrets(&self.name);
        match fresh.ok().flatten().and_then(|lane| (self.make)(&lane)) {
            Some(provider) => {
                let before = std::mem::replace(&mut state.current, provider.into());
                // By the files and not by this look: who calls a lane seldom would keep its old secret good for as long.
                state.before = Some((before, changed_at(&stamp)));
                state.stamp = stamp;
                tracing::info!(lane = self.name, "the lane goes on with the secrets that its files have now");
            }
            None => tracing::error!(
                lane = self.name,
                "the lane's changed secrets cannot be read, are none, or belong to another account, and the ones before stay"
            ),
        }
    }

    /// Reads a receipt by the secret that is in force, or for a while by the one before.
    pub fn read(
        &self,
        read: impl Fn(&P) -> Result<Vec<ReadReceipt>, ReceiptRefusal>,
    ) -> Result<Vec<ReadReceipt>, ReceiptRefusal> {
        match (read(&self.current()), self.before()) {
            (Err(ReceiptRefusal::BadSignature), Some(before)) => read(&before),
            (by_current, _) => by_current,
        }
    }

    fn before(&self) -> Option<Arc<P>> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state
            .before
            .as_ref()
            .filter(|(_, since)| since.elapsed().is_ok_and(|age| age < OVERLAP))
            .map(|(provider, _)| provider.clone())
    }
}

/// When the newest of the files was changed; now, where none says so or one names a time to come.
fn changed_at(stamp: &Stamp) -> SystemTime {
    let now = SystemTime::now();
    stamp.iter().flatten().map(|(at, _)| *at).max().map_or(now, |at| at.min(now))
}

fn stamp(lane: &Lane) -> Stamp {
    let of = |path: &std::path::Path| {
        let data = std::fs::metadata(path).ok()?;
        Some((data.modified().ok()?, data.len()))
    };
    lane.secret_files().into_iter().map(of).collect()
}

impl Provider for Rotating<dyn Provider> {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn takes(&self, item: &Item<'_>) -> Result<(), Refusal> {
        self.current().takes(item)
    }

    fn prepare(&self, outbound: &Outbound<'_>) -> Result<Frozen, Refusal> {
        self.current().prepare(outbound)
    }

    fn submit(&self, frozen: Frozen, may_start: MayStart) -> BoxFuture<'_, CallResult> {
        let provider = self.current();
        async move { provider.submit(frozen, may_start).await }.boxed()
    }

    fn look_up<'a>(&'a self, sought: Sought<'a>) -> BoxFuture<'a, LookUp> {
        let provider = self.current();
        async move { provider.look_up(sought).await }.boxed()
    }

    fn fetch_status<'a>(&'a self, provider_id: &'a str) -> BoxFuture<'a, StatusAnswer> {
        let provider = self.current();
        async move { provider.fetch_status(provider_id).await }.boxed()
    }

    fn fetch_letter<'a>(&'a self, provider_id: &'a str) -> BoxFuture<'a, Showing> {
        let provider = self.current();
        async move { provider.fetch_letter(provider_id).await }.boxed()
    }

    fn cancel<'a>(&'a self, provider_id: &'a str) -> BoxFuture<'a, CancelOutcome> {
        let provider = self.current();
        async move { provider.cancel(provider_id).await }.boxed()
    }

    fn check(&self) -> BoxFuture<'_, Check> {
        let provider = self.current();
        async move { provider.check().await }.boxed()
    }

    fn parse_receipt(&self, raw: &RawReceipt<'_>) -> Result<Vec<ReadReceipt>, ReceiptRefusal> {
        self.read(|provider| provider.parse_receipt(raw))
    }

    fn stop_code(&self, word: &str) -> Option<&'static str> {
        self.current().stop_code(word)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::LOOK_AGAIN;
    use crate::model::step::Answer;
    use crate::provider::{Account, Item, Outbound, RawReceipt, ReceiptRefusal};
    use duly_sandbox::{Face, ProviderConfig, SandboxConfig, SandboxState, serve};
    use std::path::Path;
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    fn read(account: &Account, secret: &str) -> Result<usize, ReceiptRefusal> {
        let (stamp, path, body) = (
            "1800000000",
            "/receipts/n/texts",
            r#"{"at":"2027-01-15T08:00:00Z","event":"e","id":"sb_1","reference":"r","status":"delivered"}"#,
        );
        let mut headers = reqwest::header::HeaderMap::new();
        headers.insert("x-sandbox-timestamp", stamp.parse().unwrap());
        headers.insert("x-sandbox-signature", duly_sandbox::sign(secret, stamp, path, body).parse().unwrap());
        let raw = RawReceipt {
            path,
            query: "",
            origin: "",
            headers: &headers,
            body: body.as_bytes(),
            now_seconds: 1_800_000_000,
            window_seconds: 300,
        };
        account.provider.parse_receipt(&raw).map(|read| read.len())
    }

    const KEY: &str = "key-26785a09-ab16-4eb0-8407-a37497a57506-3d844edf-8d35-48ac-975b-e847b4f122b0";

    /// As it should be done: whole, by another file under its name.
    fn replace(file: &Path, key: &str) {
        let fresh = file.with_extension("new");
        std::fs::write(&fresh, key).unwrap();
        std::fs::rename(fresh, file).unwrap();
    }

    async fn submit(account: &Account) -> Answer {
        let item = Item::Sms { from: "NORTHMERE", to: "+447700900001", text: "hello" };
        let reference = "000102030405060708090a0b0c0d0e0f";
        let frozen = account.provider.prepare(&Outbound { reference, callback: None, item }).unwrap();
        account.provider.submit(frozen, Arc::new(|| Ok(()))).await.answer
    }

    #[tokio::test]
    async fn a_changed_key_is_that_of_the_next_calls_without_a_stop_and_another_accounts_never() {
        drop(rustls::crypto::ring::default_provider().install_default());
        let at_notify = ProviderConfig { face: Face::Notify, receipts: false, ..ProviderConfig::default() };
        let config = SandboxConfig {
            providers: [("n".to_owned(), at_notify)].into(),
            api_key: KEY.to_owned(),
            ..SandboxConfig::default()
        };
        let state = Arc::new(SandboxState::new(config.clone()));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/n", listener.local_addr().unwrap());
        tokio::spawn(serve(state.clone(), listener, std::future::pending()));
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        std::fs::write(&file, KEY).unwrap();
        let lane = format!(
            "channel = \"sms\"\nprovider = \"notify\"\nurl = \"{url}\"\napi_key = \"{KEY}\"\napi_key_file = \"{}\"\n\
             template = \"f33517ff-2a88-4f6e-b855-c550268ce08a\"\n",
            file.display()
        );
        let account = Account::new("texts", &toml::from_str(&lane).unwrap(), Duration::from_secs(5), false).unwrap();
        assert_eq!(submit(&account).await, Answer::Accepted);

        // The key is renewed at Notify: calls go on, and are refused until the file says so too.
        let renewed = KEY.replace("-3d84", "-4d84");
        state.set_config(SandboxConfig { api_key: renewed.clone(), ..config });
        assert_eq!(submit(&account).await, Answer::LaneStopped);
        replace(&file, &renewed);
        let end = Instant::now() + Duration::from_secs(20);
        while submit(&account).await != Answer::Accepted {
            assert!(Instant::now() < end, "the renewed key was not taken");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }

        let services = renewed.replace("26785a09", "11111111");
        for another in [services.as_str(), "no key", ""] {
            replace(&file, another);
            let end = Instant::now() + LOOK_AGAIN + Duration::from_millis(300);
            while Instant::now() < end {
                assert_eq!(submit(&account).await, Answer::Accepted, "{another:?} was taken");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }

    #[test]
    fn a_changed_secret_is_taken_without_a_stop_and_the_one_before_still_believed_for_a_while() {
        drop(rustls::crypto::ring::default_provider().install_default());
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        std::fs::write(&file, "the first secret\n").unwrap();
        let lane = format!(
            "channel = \"sms\"\nurl = \"http://127.0.0.1:1\"\nreceipt_secret = \"the first secret\"\nreceipt_secret_file = \"{}\"\n",
            file.display()
        );
        let account = Account::new("texts", &toml::from_str(&lane).unwrap(), Duration::from_secs(1), false).unwrap();
        assert_eq!((read(&account, "the first secret"), read(&account, "another")), (Ok(1), Err(ReceiptRefusal::BadSignature)));

        std::fs::write(&file, "the second secret, longer\n").unwrap();
        // The files are looked at once a second.
        let end = Instant::now() + Duration::from_secs(20);
        while read(&account, "the second secret, longer").is_err() {
            assert!(Instant::now() < end, "the new secret was not taken");
            std::thread::sleep(Duration::from_millis(50));
        }
        assert_eq!(read(&account, "the first secret"), Ok(1), "it was on its way");

        // Nobody called for an hour after the next change.
        std::fs::write(&file, "the third secret, longer still\n").unwrap();
        let then = std::time::SystemTime::now() - Duration::from_secs(3600);
        std::fs::File::options().write(true).open(&file).unwrap().set_modified(then).unwrap();
        std::thread::sleep(Duration::from_millis(1100));
        assert_eq!(read(&account, "the second secret, longer"), Err(ReceiptRefusal::BadSignature), "its time is over");
        assert_eq!(read(&account, "the third secret, longer still"), Ok(1));

        std::fs::remove_file(&file).unwrap();
        std::thread::sleep(Duration::from_millis(1100));
        assert_eq!(read(&account, "the third secret, longer still"), Ok(1), "what cannot be read changes nothing");
    }
}
