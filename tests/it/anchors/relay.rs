//! A mail relay that keeps what it gets: STARTTLS, a password, and nothing else.

use super::authority::{Authority, P_256};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

pub const USER: &str = "duly";
pub const PASSWORD: &str = "a relay's password";

/// A mail as it was taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mail {
    pub from: String,
    pub to: String,
    pub text: String,
}

pub struct TestRelay {
    pub port: u16,
    mails: Arc<Mutex<Vec<Mail>>>,
}

impl TestRelay {
    /// Serves on `localhost` with a certificate under the authority's root; without `tls` it offers none.
    pub fn start(authority: &Authority, tls: bool) -> Self {
        authority.certify("relay", P_256, "subjectAltName=DNS:localhost", "20200101000000Z", "20600101000000Z");
        let chain = vec![CertificateDer::from_pem_slice(&authority.read("relay.pem")).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(&authority.read("relay.key")).unwrap();
        let config = Arc::new(ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).unwrap());
        let listener = TcpListener::bind("localhost:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let mails = Arc::new(Mutex::new(Vec::new()));
        let kept = mails.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (config, kept) = (config.clone(), kept.clone());
                std::thread::spawn(move || converse(stream.unwrap(), config, tls, &kept));
            }
        });
        Self { port, mails }
    }

    pub fn mails(&self) -> Vec<Mail> {
        self.mails.lock().unwrap().clone()
    }
}

/// A line without its end; `None` at the end of the stream.
fn line(stream: &mut impl Read) -> Option<String> {
    let mut text = Vec::new();
    let mut byte = [0];
    while stream.read(&mut byte).ok()? == 1 {
        text.push(byte[0]);
        if text.ends_with(b"\r\n") {
            text.truncate(text.len() - 2);
            return String::from_utf8(text).ok();
        }
    }
    None
}

fn say(stream: &mut impl Write, text: &str) -> Option<()> {
    stream.write_all(format!("{text}\r\n").as_bytes()).and_then(|()| stream.flush()).ok()
}

fn converse(mut stream: TcpStream, config: Arc<ServerConfig>, tls: bool, mails: &Mutex<Vec<Mail>>) -> Option<()> {
    say(&mut stream, "220 relay")?;
    loop {
        match line(&mut stream)?.split(' ').next()? {
            "EHLO" if tls => say(&mut stream, "250-relay\r\n250 STARTTLS")?,
            "EHLO" => say(&mut stream, "250 relay")?,
            "STARTTLS" => break,
            "QUIT" => return say(&mut stream, "221 bye"),
            // Whoever sends in the clear is heard, so that the test sees it.
            "MAIL" => mails.lock().unwrap().push(Mail::default()),
            _ => say(&mut stream, "502 no")?,
        }
    }
    say(&mut stream, "220 go on")?;
    let mut stream = StreamOwned::new(ServerConnection::new(config).unwrap(), stream);
    let (mut mail, mut is_known) = (Mail::default(), false);
    loop {
        let said = line(&mut stream)?;
        let rest = said.split_once(' ').map_or("", |(_, rest)| rest);
        match said.split(' ').next()? {
            "EHLO" => say(&mut stream, "250-relay\r\n250 AUTH PLAIN")?,
            "AUTH" => {
                let expected = BASE64_STANDARD.encode(format!("\0{USER}\0{PASSWORD}"));
                is_known = rest == format!("PLAIN {expected}");
                say(&mut stream, if is_known { "235 welcome" } else { "535 5.7.8 who are you" })?;
            }
            "MAIL" if is_known => {
                mail.from = rest.to_owned();
                say(&mut stream, "250 ok")?;
            }
            "RCPT" => {
                mail.to = rest.to_owned();
                say(&mut stream, "250 ok")?;
            }
            "DATA" => {
                say(&mut stream, "354 go on")?;
                loop {
                    let text = line(&mut stream)?;
                    if text == "." {
                        break;
                    }
                    mail.text.push_str(&text);
                    mail.text.push('\n');
                }
                mails.lock().unwrap().push(std::mem::take(&mut mail));
                say(&mut stream, "250 taken")?;
            }
            "RSET" | "NOOP" => say(&mut stream, "250 ok")?,
            "QUIT" => return say(&mut stream, "221 bye"),
            _ => say(&mut stream, "550 5.7.1 no")?,
        }
    }
}
