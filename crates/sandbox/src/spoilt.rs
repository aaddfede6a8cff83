//! Answers that are true and hard to read: bytes that drip, that are compressed, that do not end; lists that move.

use crate::config::FaultKind;
use crate::face::{Reply, Request, Vendor};
use crate::faults::FaultPlan;
use axum::body::{Body, Bytes};
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use axum::response::Response;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Sleep, sleep};

/// White space behind an answer that does not end: what stands before it would still be good JSON.
const HUGE: usize = 5 << 20;
/// A query says by this which page it asks for.
const AFTER: &str = "after";
const MOVED: &str = "moved";
const TWICE: &str = "twice";

/// An answer as its fault leaves it.
pub(crate) fn body(plan: &FaultPlan, mut reply: Reply) -> Response {
    if let Some(ms) = plan.fires(FaultKind::Drip) {
        let drip = Drip { rest: Bytes::from(std::mem::take(&mut reply.body)), every: Duration::from_millis(ms), wait: None };
        return with_body(reply, Body::new(drip));
    }
    if plan.fires(FaultKind::Gzip).is_some() {
        let packed = gzip(reply.body.as_bytes());
        let mut response = with_body(reply, Body::from(packed));
        response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        return response;
    }
    if plan.fires(FaultKind::HugeBody).is_some() {
        reply.body.extend(std::iter::repeat_n(' ', HUGE));
    }
    reply.into()
}

fn with_body(reply: Reply, body: Body) -> Response {
    let mut response = Response::from(reply);
    response.headers_mut().remove(CONTENT_LENGTH);
    *response.body_mut() = body;
    response
}

/// A page of a list that moves while it is read, if a fault fires or the page before was of such a list.
pub(crate) fn turn_page(plan: &FaultPlan, vendor: &dyn Vendor, request: &Request<'_>, key: &str) -> Option<Reply> {
    let field = vendor.next_page()?;
    let messages = plan.account.look_up(key)?;
    match request.asks(AFTER).as_deref() {
        Some(MOVED) => return Some(vendor.list(&[])),
        Some(TWICE) => return Some(vendor.list(&messages)),
        _ => {}
    }
    let (shown, mark) = if plan.fires(FaultKind::LookUpMoved).is_some() {
        (&[][..], MOVED)
    } else if plan.fires(FaultKind::LookUpTwice).is_some() {
        (&messages[..], TWICE)
    } else {
        return None;
    };
    Some(vendor.list(shown).with_field(field, format!("{}?{}&{AFTER}={mark}", request.path, request.query)))
}

/// A body that leaves byte by byte.
struct Drip {
    rest: Bytes,
    every: Duration,
    wait: Option<Pin<Box<Sleep>>>,
}

impl http_body::Body for Drip {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<http_body::Frame<Bytes>, Infallible>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        let every = self.every;
        let wait = self.wait.get_or_insert_with(|| Box::pin(sleep(every)));
        if wait.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        self.wait = None;
        let byte = self.rest.split_to(1);
        Poll::Ready(Some(Ok(http_body::Frame::data(byte))))
    }
}

/// RFC 1952 with stored blocks: whoever does not unpack it reads no JSON.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let mut blocks = bytes.chunks(usize::from(u16::MAX)).peekable();
    while let Some(block) = blocks.next() {
        let length = u16::try_from(block.len()).unwrap_or(u16::MAX);
        packed.push(u8::from(blocks.peek().is_none()));
        packed.extend(length.to_le_bytes());
        packed.extend((!length).to_le_bytes());
        packed.extend(block);
    }
    packed.extend(crc32(bytes).to_le_bytes());
    packed.extend(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
    packed
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| if sum & 1 == 1 { (sum >> 1) ^ 0xedb8_8320 } else { sum >> 1 })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_what_gzip_reads() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        let packed = gzip(b"ab");

        assert_eq!(&packed[10..17], [1, 2, 0, 0xfd, 0xff, b'a', b'b']);
    }
}
