//! The body of one call: asked for its bytes by the transport, it asks once more whether the call may still start.
//!
//! HTTP/1.1 writes nothing before it has the first bytes of the body, so a refusal here is as late as the transport
//! allows, and "the body was never asked for" proves that the provider got nothing it could process.

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

/// Asked when the transport wants the first byte: `Err` with a code, and nothing is written.
pub type MayStart = Arc<dyn Fn() -> Result<(), &'static str> + Send + Sync>;

/// What became of a guarded body, seen from outside.
#[derive(Clone, Default)]
pub struct Trace {
    written: Arc<AtomicBool>,
    refused: Arc<OnceLock<&'static str>>,
}

impl Trace {
    /// Whether bytes were handed to the transport: from then on only the provider knows.
    pub fn is_written(&self) -> bool {
        self.written.load(Ordering::SeqCst)
    }

    /// Why the call was refused at the last moment, if it was.
    pub fn refusal(&self) -> Option<&'static str> {
        self.refused.get().copied()
    }
}

/// The call was refused when its first byte was asked for.
#[derive(Debug, thiserror::Error)]
#[error("the call was refused before its first byte")]
pub struct Refused;

/// Frozen bytes that leave only if `may_start` still allows it.
pub struct GuardedBody {
    bytes: Option<Bytes>,
    may_start: MayStart,
    trace: Trace,
}

impl GuardedBody {
    /// A body and its trace.
    pub fn new(frozen: Vec<u8>, may_start: MayStart) -> (Self, Trace) {
        let trace = Trace::default();
        (Self { bytes: Some(frozen.into()), may_start, trace: trace.clone() }, trace)
    }
}

impl Body for GuardedBody {
    type Data = Bytes;
    type Error = Refused;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Refused>>> {
        let Some(bytes) = self.bytes.take() else { return Poll::Ready(None) };
        if let Err(code) = (self.may_start)() {
            self.trace.refused.get_or_init(|| code);
            return Poll::Ready(Some(Err(Refused)));
        }
        self.trace.written.store(true, Ordering::SeqCst);
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.as_ref().map_or(0, |b| b.len() as u64))
    }
}
