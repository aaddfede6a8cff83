//! What became of a call that ends without an answer, for every account: a call whose bytes were never asked for by the
//! transport proves that nothing was taken; from its first byte on nobody here knows.

use super::*;
use std::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Shorter than any of these servers waits, and enough for a busy machine to write the request.
const PATIENCE: Duration = Duration::from_secs(10);
/// It must end by the call's own patience, and not by anybody's else.
const LONGEST: Duration = Duration::from_secs(30);
const HEAD: &str = "HTTP/1.1 201 Created\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n";

/// What a server does once somebody is connected to it.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Server {
    /// Nothing, not even read.
    Deaf,
    /// Reads, and says nothing.
    Silent,
    /// Reads, and hangs up.
    HangsUp,
    /// Hangs up, or falls silent, after these words.
    Says(&'static str, Then),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Then {
    HangsUp,
    Silent,
}

async fn serve_one(mut stream: TcpStream, server: Server) {
    let mut bytes = vec![0; 1 << 16];
    if server != Server::Deaf {
        assert!(stream.read(&mut bytes).await.is_ok());
    }
    match server {
        Server::HangsUp => return,
        Server::Says(words, then) => {
            drop(stream.write_all(words.as_bytes()).await);
            if then == Then::HangsUp {
                return;
            }
        }
        Server::Deaf | Server::Silent => {}
    }
    // Until its client leaves.
    while server == Server::Deaf || stream.read(&mut bytes).await.is_ok_and(|n| n > 0) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Its address, `http` or `https`; it never speaks TLS.
async fn start(server: Server, scheme: &str) -> String {
    let (listener, url) = listen().await;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve_one(stream, server));
        }
    });
    url.replace("http", scheme)
}

async fn call(who: Who, url: &str, wait: Duration) -> CallResult {
    drop(rustls::crypto::ring::default_provider().install_default());
    let provider = account_at(who, url, wait);
    let may_start: MayStart = Arc::new(|| Ok(()));
    provider.submit(prepare(&*provider, who, "https://duly.example"), may_start).await
}

#[tokio::test]
async fn a_call_without_an_answer_is_not_taken_before_its_first_byte_and_unknown_after_it() {
    use Answer::{NotTaken, Unknown};
    let table = [
        (Server::Deaf, "http", Unknown, "timeout"),
        (Server::Silent, "http", Unknown, "timeout"),
        (Server::HangsUp, "http", Unknown, "cut"),
        (Server::Says("HTTP/1.1 201 Cre", Then::HangsUp), "http", Unknown, "cut"),
        (Server::Says("HTTP/1.1 201 Cre", Then::Silent), "http", Unknown, "timeout"),
        (Server::Says("220 relay.example ESMTP\r\n", Then::HangsUp), "http", Unknown, "cut"),
        // The status alone does not say whether it was taken.
        (Server::Says(HEAD, Then::HangsUp), "http", Unknown, "unreadable"),
        (Server::Says(HEAD, Then::Silent), "http", Unknown, "unreadable"),
        // A handshake that does not end: not a byte of the request was asked for.
        (Server::Deaf, "https", NotTaken, "not_written"),
        (Server::Silent, "https", NotTaken, "not_written"),
        (Server::HangsUp, "https", NotTaken, "not_written"),
        (Server::Says("HTTP/1.1 400 Bad Request\r\n\r\n", Then::HangsUp), "https", NotTaken, "not_written"),
    ];
    let cases = ALL.iter().flat_map(|who| {
        table.map(|(server, scheme, means, code)| async move {
            let url = start(server, scheme).await;
            let began = Instant::now();

            let result = call(*who, &url, PATIENCE).await;

            let case = format!("{who:?} {server:?} {scheme}");
            assert_eq!((result.answer, result.code.as_str()), (means, code), "{case}");
            assert_eq!((result.provider_id, result.pause, result.retry_after), (None, None, None), "{case}");
            assert!(began.elapsed() < LONGEST, "{case}: it waited {:?}", began.elapsed());
        })
    });
    futures::future::join_all(cases).await;
}

#[tokio::test]
async fn where_nobody_listens_nothing_was_taken() {
    for who in ALL {
        let (listener, url) = listen().await;
        drop(listener);

        let result = call(who, &url, LONGEST).await;

        assert_eq!((result.answer, result.code.as_str()), (Answer::NotTaken, "not_written"), "{who:?}");
    }
}

#[tokio::test]
async fn a_call_that_is_refused_at_its_first_byte_says_by_whom_and_writes_none() {
    for who in ALL {
        let (listener, url) = listen().await;
        let provider = account_at(who, &url, DEADLINE);
        let may_start: MayStart = Arc::new(|| Err("hold_changed"));

        let result = provider.submit(prepare(&*provider, who, "https://duly.example"), may_start).await;

        assert_eq!((result.answer, result.code.as_str()), (Answer::NotTaken, "hold_changed"), "{who:?}");
        drop(provider);
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut bytes = Vec::new();
        // It may hang up in either way.
        drop(tokio::time::timeout(DEADLINE, stream.read_to_end(&mut bytes)).await.unwrap());
        assert!(bytes.is_empty(), "{who:?}: {}", String::from_utf8_lossy(&bytes));
    }
}
