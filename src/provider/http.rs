//! Any provider that speaks HTTP: one client, one request per call, and its `Wire` for what the bytes mean.

use super::frozen::{Frozen, Request};
use super::guarded::{GuardedBody, MayStart};
use super::shown::{self, LETTER_BYTES_MAX};
use super::wire::{LetterAt, Page, Reply, Wire};
use super::{
    CallResult, CancelOutcome, Capabilities, Check, Item, LookUp, Outbound, Provider, RawReceipt, ReadReceipt, ReceiptRefusal,
    Refusal, Seen, Showing, Sought, StatusAnswer,
};
use crate::model::step::Answer;
use futures::FutureExt;
use futures::future::BoxFuture;
use reqwest::{Client, Method, RequestBuilder, Response};
use secrecy::ExposeSecret;
use std::time::Duration;
use time::OffsetDateTime;

/// Longest answer that is read, bytes; what is longer counts as not readable.
const ANSWER_BYTES_MAX: usize = 4 << 20;
/// Pages of one look-up that are read; what is behind them counts as not known.
const PAGES_MAX: usize = 40;

/// A provider account that is called by HTTP.
pub struct HttpProvider<W> {
    wire: W,
    url: String,
    http: Client,
}

impl<W: Wire> HttpProvider<W> {
    /// An account at this address; `timeout` is the longest wait for an answer.
    pub fn new(wire: W, url: &str, timeout: Duration) -> Result<Self, reqwest::Error> {
        let http = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .pool_idle_timeout(Duration::from_secs(20))
            .timeout(timeout)
            .build()?;
        Ok(Self { wire, url: url.trim_end_matches('/').to_owned(), http })
    }

    fn request(&self, method: &str, path: &str) -> RequestBuilder {
        let credential = self.wire.authorise(OffsetDateTime::now_utc());
        let method = method.parse().unwrap_or(Method::POST);
        self.http.request(method, format!("{}{path}", self.url)).header(credential.header, credential.value.expose_secret())
    }

    /// Makes a request that produces nothing; `None` where there was no answer.
    async fn ask(&self, request: &Request) -> Option<Reply> {
        self.ask_for(request, ANSWER_BYTES_MAX).await
    }

    /// The same, for an answer of at most so many bytes.
    async fn ask_for(&self, request: &Request, bytes_max: usize) -> Option<Reply> {
        let mut builder = self.request(request.method, &request.path);
        for (name, value) in &request.headers {
            builder = builder.header(*name, value);
        }
        Some(read(builder.body(request.body.clone()).send().await.ok()?, bytes_max).await)
    }

    /// Whether it answers the same question well to whoever has no key.
    async fn shows_anybody(&self, request: &Request) -> bool {
        let place = format!("{}{}", self.url, request.path);
        self.http.get(place).send().await.is_ok_and(|response| response.status().is_success())
    }

    async fn call(&self, frozen: Frozen, may_start: MayStart) -> CallResult {
        let Some(thawed) = frozen.thaw() else { return CallResult::new(Answer::NotTaken, "not_frozen") };
        let (body, trace) = GuardedBody::new(thawed.body.to_vec(), may_start);
        let mut request = self.request(thawed.method, thawed.path);
        for (name, value) in &thawed.headers {
            request = request.header(*name, *value);
        }
        let sent = request.body(reqwest::Body::wrap(body)).send().await;
        let result = match (sent, trace.refusal()) {
            (Ok(response), _) => self.wire.read_answer(&thawed, &read(response, ANSWER_BYTES_MAX).await),
            (Err(_), Some(refusal)) => CallResult::new(Answer::NotTaken, refusal),
            (Err(_), None) if !trace.is_written() => CallResult::new(Answer::NotTaken, "not_written"),
            (Err(error), None) => CallResult::new(Answer::Unknown, if error.is_timeout() { "timeout" } else { "cut" }),
        };
        crate::failpoint::reach("response_read").await;
        result
    }

    /// The letter that its provider shows, here or where the answer says that it lies, if that is a place of the provider's.
    async fn fetch(&self, provider_id: &str) -> Showing {
        let Some(request) = self.wire.letter(provider_id) else { return Showing::NotYet };
        let Some(reply) = self.ask_for(&request, LETTER_BYTES_MAX).await else { return Showing::NotYet };
        match self.wire.read_letter(provider_id, &reply) {
            LetterAt::Here => shown::letter(reply),
            LetterAt::Link(link) => match shown::place(&link, &self.url, self.wire.letter_hosts()) {
                // Without credentials: the link is all that it takes.
                Some(place) => match self.http.get(place).send().await {
                    Ok(response) => shown::letter(read(response, LETTER_BYTES_MAX).await),
                    Err(_) => Showing::NotYet,
                },
                None => Showing::Elsewhere,
            },
            LetterAt::NotYet => Showing::NotYet,
        }
    }

    /// A list may move while it is read: what stands on two of its pages is one message, and what stands on none of several
    /// may have gone from one to another meanwhile.
    async fn find(&self, sought: Sought<'_>) -> LookUp {
        let (mut found, mut page) = (Vec::<Seen>::new(), None);
        for _ in 0..PAGES_MAX {
            let Some(request) = self.wire.look_up(&sought, page.as_deref()) else { return LookUp::CannotKnow };
            let Some(reply) = self.ask(&request).await else { return LookUp::CannotKnow };
            let Page::Shows { seen, next } = self.wire.read_look_up(&sought, &reply) else { return LookUp::CannotKnow };
            for message in seen {
                if found.iter().all(|other| other.provider_id != message.provider_id) {
                    found.push(message);
                }
            }
            let is_one_page = page.is_none();
            page = next;
            if page.is_none() {
                return match found.is_empty() {
                    false => LookUp::Found(found),
                    true if is_one_page => LookUp::Absent,
                    true => LookUp::CannotKnow,
                };
            }
        }
        if found.is_empty() { LookUp::CannotKnow } else { LookUp::Found(found) }
    }
}

impl<W: Wire> Provider for HttpProvider<W> {
    fn capabilities(&self) -> &Capabilities {
        self.wire.capabilities()
    }

    fn takes(&self, item: &Item<'_>) -> Result<(), Refusal> {
        self.capabilities().check(item)?;
        self.wire.takes(item)
    }

    fn prepare(&self, outbound: &Outbound<'_>) -> Result<Frozen, Refusal> {
        self.takes(&outbound.item)?;
        Ok(self.wire.prepare(outbound)?.freeze(self.wire.kind()))
    }

    fn submit(&self, frozen: Frozen, may_start: MayStart) -> BoxFuture<'_, CallResult> {
        self.call(frozen, may_start).boxed()
    }

    fn look_up<'a>(&'a self, sought: Sought<'a>) -> BoxFuture<'a, LookUp> {
        self.find(sought).boxed()
    }

    fn fetch_status<'a>(&'a self, provider_id: &'a str) -> BoxFuture<'a, StatusAnswer> {
        async move {
            let Some(request) = self.wire.status(provider_id) else { return StatusAnswer::CannotKnow };
            self.ask(&request).await.map_or(StatusAnswer::CannotKnow, |reply| self.wire.read_status(&reply))
        }
        .boxed()
    }

    fn fetch_letter<'a>(&'a self, provider_id: &'a str) -> BoxFuture<'a, Showing> {
        self.fetch(provider_id).boxed()
    }

    fn cancel<'a>(&'a self, provider_id: &'a str) -> BoxFuture<'a, CancelOutcome> {
        async move {
            let Some(request) = self.wire.cancel(provider_id) else { return CancelOutcome::Unsupported };
            self.ask(&request).await.map_or(CancelOutcome::Unknown, |reply| self.wire.read_cancel(&reply))
        }
        .boxed()
    }

    fn check(&self) -> BoxFuture<'_, Check> {
        async move {
            let Some(request) = self.wire.check() else { return Check::CannotCheck(self.wire.how_to_check()) };
            let Some(reply) = self.ask(&request).await else { return Check::Unreachable };
            match self.wire.read_check(&reply) {
                Check::Good if !self.wire.is_check_guarded() && self.shows_anybody(&request).await => Check::KeyNotAsked,
                check => check,
            }
        }
        .boxed()
    }

    fn parse_receipt(&self, raw: &RawReceipt<'_>) -> Result<Vec<ReadReceipt>, ReceiptRefusal> {
        self.wire.parse_receipt(raw)
    }

    fn stop_code(&self, word: &str) -> Option<&'static str> {
        self.wire.stop_code(word)
    }
}

/// Reads an answer to its end; a body that is cut or too long is left empty, and so proves nothing.
async fn read(mut response: Response, bytes_max: usize) -> Reply {
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() <= bytes_max => body.extend_from_slice(&chunk),
            Ok(None) => return Reply { status, headers, body },
            Ok(Some(_)) | Err(_) => return Reply { status, headers, body: Vec::new() },
        }
    }
}
