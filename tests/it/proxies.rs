//! Proxies, as police networks have them: a live lane goes through the one that the environment names.

use crate::anchors::authority::{Authority, P_256, has_openssl};
use crate::cli::desk::Desk;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

const LONGEST: Duration = Duration::from_secs(60);

fn head(stream: &mut impl Read) -> String {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|n| n == 1) {
        head.push(byte[0]);
    }
    String::from_utf8_lossy(&head).into_owned()
}

/// A proxy that is asked for a tunnel and is its other end, too; its address, and what was asked of it in the clear and
/// within.
fn tunnel(authority: &Authority) -> (String, Receiver<[String; 2]>) {
    authority.certify("gateway", P_256, "subjectAltName=DNS:localhost", "20200101000000Z", "20600101000000Z");
    let chain = vec![CertificateDer::from_pem_slice(&authority.read("gateway.pem")).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(&authority.read("gateway.key")).unwrap();
    let config = Arc::new(ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (sender, asked) = channel();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.unwrap();
            let connect = head(&mut client);
            client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").unwrap();
            let mut within = StreamOwned::new(ServerConnection::new(config.clone()).unwrap(), client);
            let request = head(&mut within);
            drop(within.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}"));
            sender.send([connect, request]).unwrap();
        }
    });
    (address, asked)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_lane_goes_through_the_proxy_that_the_environment_names_and_shows_it_neither_key_nor_request() {
    if !has_openssl() {
        return;
    }
    let mut desk = Desk::empty("tunnelled").await;
    let authority = Authority::new(P_256);
    let (proxy, asked) = tunnel(&authority);
    for (key, value) in [
        ("PROVIDER", "lob"),
        ("URL", "https://localhost:4443"),
        ("API_KEY", "live_the-keys-mark"),
        ("RECEIPT_SECRET", "secret"),
        ("LIVE", "true"),
    ] {
        desk.set(&format!("DULY_LANES__LETTERS__{key}"), value);
    }
    desk.set("DULY_EVIDENCE__HOST", "duly.test");
    desk.set("SSL_CERT_FILE", authority.path("root.pem").display().to_string());
    desk.set("HTTPS_PROXY", proxy);
    desk.set("NO_PROXY", "");
    desk.set("no_proxy", "");

    let checked = desk.duly("ann", &["provider", "check", "letters"]).fine().out;

    assert!(checked.contains("Lob answers and takes the credentials"), "{checked}");
    let [connect, within] = asked.recv_timeout(LONGEST).unwrap();
    assert!(connect.starts_with("CONNECT localhost:4443 HTTP/1.1\r\n"), "{connect}");
    assert!(!connect.to_lowercase().contains("\r\nauthorization:") && !connect.contains("letters"), "{connect}");
    assert!(within.starts_with("GET /v1/letters?limit=1 HTTP/1.1\r\n"), "{within}");
    assert!(within.to_lowercase().contains("\r\nauthorization: basic "), "{within}");

    // Nobody listens there: who goes past the proxy finds nothing.
    desk.set("NO_PROXY", "localhost");
    let past = desk.duly("ann", &["provider", "check", "letters"]);
    assert!(past.code == 2 && past.err.contains("gives no answer"), "{past:?}");
    assert!(asked.try_recv().is_err(), "it went through the proxy");
}
