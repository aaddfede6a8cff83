//! The way to a relay: TLS and credentials first, and no mail before both.

use crate::config::Lane;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::commands::Ehlo;
use lettre::transport::smtp::extension::ClientId;
use secrecy::{ExposeSecret, SecretString};
use std::error::Error as _;
use std::path::Path;
use std::time::Duration;

/// What the sandbox says of itself in its greeting: a lane that is not live hands its mail to nobody else.
const SANDBOX: &str = "X-DULY-SANDBOX";
/// How long a farewell may take.
const FAREWELL: Duration = Duration::from_secs(2);
const URL: &str = "must be `smtps://host:465` for TLS, or `smtp://host:587` for STARTTLS";

/// A relay and what we are to it.
pub struct Relay {
    host: String,
    port: u16,
    /// TLS from the first byte on, not by STARTTLS.
    is_wrapped: bool,
    is_live: bool,
    user: String,
    password: SecretString,
    tls: TlsParameters,
}

/// A relay that waits for a mail.
pub struct Connection {
    pub smtp: AsyncSmtpConnection,
    /// Whether it offers delivery notices (RFC 3461).
    pub has_notices: bool,
}

/// Why no mail could be handed over.
#[derive(Debug)]
pub enum Closed {
    /// Nobody there, or no greeting.
    Unreachable,
    /// A status of the greeting: come again.
    Busy(u16),
    /// No TLS, or a certificate that nobody vouches for.
    NoTls,
    /// A lane that is not live, at a relay that could reach people.
    NotTheSandbox,
    /// The relay does not take our credentials, or no way to show them.
    BadCredentials,
}

impl Relay {
    /// The relay of a lane; otherwise which setting is wrong, and what with it.
    pub fn new(lane: &Lane) -> Result<Self, (&'static str, &'static str)> {
        let bad = ("url", URL);
        let url = reqwest::Url::parse(&lane.url).map_err(|_| bad)?;
        let (is_wrapped, port) = match url.scheme() {
            "smtps" => (true, 465),
            "smtp" => (false, 587),
            _ => return Err(bad),
        };
        // What stands in an address is printed: the user is `account`, the password `api_key`.
        if !url.username().is_empty() || url.password().is_some() || !matches!(url.path(), "" | "/") {
            return Err(bad);
        }
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or(bad)?.to_owned();
        let tls = tls(&host, &lane.root_file)?;
        Ok(Self {
            port: url.port().unwrap_or(port),
            host,
            is_wrapped,
            is_live: lane.live,
            user: lane.account.clone(),
            password: lane.api_key.clone(),
            tls,
        })
    }

    /// Greets the relay as a machine of this domain, makes the way safe, and shows the credentials.
    pub async fn open(&self, domain: &str) -> Result<Connection, Closed> {
        let hello = ClientId::Domain(domain.to_owned());
        let tls = self.is_wrapped.then(|| self.tls.clone());
        let opened = AsyncSmtpConnection::connect_tokio1((self.host.as_str(), self.port), None, &hello, tls, None).await;
        let mut smtp = opened.map_err(|error| closed(&error))?;
        if self.is_live && !smtp.is_encrypted() {
            // One that offers no STARTTLS is left without a word more.
            smtp.starttls(self.tls.clone(), &hello)
                .await
                .map_err(|error| if is_of_tls(&error) || error.is_client() { Closed::NoTls } else { closed(&error) })?;
        }
        // Once more, for lettre keeps of the answer only what it uses itself.
        let answer = smtp.command(Ehlo::new(hello)).await.map_err(|error| closed(&error))?;
        let offers =
            |word: &str| answer.message().any(|line| line.split(' ').next().is_some_and(|w| w.eq_ignore_ascii_case(word)));
        if !self.is_live && !offers(SANDBOX) {
            return Err(Closed::NotTheSandbox);
        }
        let has_notices = offers("DSN");
        let credentials = Credentials::new(self.user.clone(), self.password.expose_secret().to_owned());
        smtp.auth(&[Mechanism::Plain, Mechanism::Login], &credentials)
            .await
            .map_err(|error| if error.is_permanent() || error.is_client() { Closed::BadCredentials } else { closed(&error) })?;
        Ok(Connection { smtp, has_notices })
    }
}

/// TLS to this host and to no other, by the system's roots and the lane's own.
fn tls(host: &str, root_file: &Path) -> Result<TlsParameters, (&'static str, &'static str)> {
    let mut parameters = TlsParameters::builder(host.to_owned());
    if !root_file.as_os_str().is_empty() {
        let pem = std::fs::read(root_file).map_err(|_| ("root_file", "cannot be read"))?;
        let root = Certificate::from_pem(&pem).map_err(|_| ("root_file", "must hold a root certificate in PEM"))?;
        parameters = parameters.add_root_certificate(root);
    }
    parameters.build().map_err(|_| ("url", "must have a host name that a certificate can bear"))
}

fn closed(error: &Error) -> Closed {
    match error.status() {
        Some(status) => Closed::Busy(status.into()),
        None if is_of_tls(error) => Closed::NoTls,
        None => Closed::Unreachable,
    }
}

/// Whether TLS failed, above all over a certificate that nobody here trusts; lettre hides it among errors of the wire.
fn is_of_tls(error: &Error) -> bool {
    let mut cause = error.source();
    while let Some(found) = cause {
        let inner = found.downcast_ref::<std::io::Error>().and_then(|error| error.get_ref());
        if found.is::<rustls::Error>() || inner.is_some_and(|inner| inner.is::<rustls::Error>()) {
            return true;
        }
        cause = found.source();
    }
    error.is_tls()
}

/// Says farewell; nobody waits for it, and how it ends says nothing of a mail.
pub fn leave(mut connection: Connection) {
    tokio::spawn(async move {
        if tokio::time::timeout(FAREWELL, connection.smtp.quit()).await.is_err() {
            tracing::debug!("the relay did not answer our farewell");
        }
    });
}
