//! Anchors as the settings name them; what cannot work is refused before anything starts.

use super::http::client;
use super::pauses::Pauses;
use super::{Anchors, Roots, Service, Target, Tsa, Way, Witness};
use crate::config::{HandOver, Recipient, Relay, Settings, SettingsError, SmtpSecurity, WitnessSettings};
use crate::evidence::outside::Outside;
use crate::evidence::{Archive, EvidenceError};
use duly_ledger::Vkey;
use lettre::message::Mailbox;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, Tokio1Executor};
use reqwest::{Client, Url};
use secrecy::ExposeSecret;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Where the root of time stamps stands.
const ROOT_FILE: &str = "anchors.tsa_root_file";

fn refused(key: impl Into<String>, what: &'static str) -> EvidenceError {
    SettingsError::Refused { key: key.into(), origin: None, what }.into()
}

fn read(key: &str, path: &Path) -> Result<Vec<u8>, EvidenceError> {
    let read = std::fs::read(path);
    Ok(read.map_err(|source| SettingsError::SecretFile { key: key.to_owned(), path: path.to_owned(), source })?)
}

fn url(key: String, text: &str) -> Result<Url, EvidenceError> {
    let read = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.host_str().is_some());
    read.ok_or_else(|| refused(key, "must be an http or https URL"))
}

impl Anchors {
    /// Those that the settings name; none is fine.
    pub fn open(settings: &Settings, archive: &Arc<Archive>) -> Result<Self, EvidenceError> {
        let anchors = &settings.anchors;
        let http = client(Duration::from_millis(anchors.request_timeout_ms))
            .map_err(|_| refused("anchors.request_timeout_ms", "no HTTP client can be made; check the system's certificates"))?;
        let mut services = Vec::new();
        if !anchors.tsa_url.is_empty() {
            services.push(Service::Tsa(tsa(settings, &http)?));
        }
        for (name, witness) in &anchors.witnesses {
            services.push(Service::Witness(self::witness(name, witness, &http)?));
        }
        for (name, recipient) in &settings.hand_over.to {
            let ways = ways(settings, name, recipient, &http)?;
            services.extend(ways.into_iter().map(|way| Service::HandOver { way, to: name.clone() }));
        }
        let target = |service: Service| Target {
            every: match service {
                Service::HandOver { .. } => super::HAND_OVER_EVERY,
                _ => time::Duration::minutes(i64::from(anchors.interval_minutes)),
            },
            service,
            late_after: Duration::from_secs(u64::from(anchors.late_after_minutes) * 60),
            pauses: Pauses::new(Duration::from_millis(anchors.retry_min_ms), Duration::from_millis(anchors.retry_max_ms)),
            quiet: HashMap::new(),
        };
        Ok(Self { archive: archive.clone(), targets: services.into_iter().map(target).collect() })
    }
}

/// The root of time stamps; `None` where no file is given.
pub(super) fn roots(settings: &Settings) -> Result<Option<Roots>, EvidenceError> {
    let (key, path) = (ROOT_FILE, &settings.anchors.tsa_root_file);
    if path.as_os_str().is_empty() {
        return Ok(None);
    }
    let roots = Roots::from_pem(&read(key, path)?).map_err(|_| refused(key, "must hold a root certificate in PEM"))?;
    Ok(Some(roots))
}

fn tsa(settings: &Settings, http: &Client) -> Result<Tsa, EvidenceError> {
    let roots = roots(settings)?;
    if roots.is_none() {
        tracing::warn!("`{ROOT_FILE}` is empty: time stamps are kept, but their signatures are not checked here");
    }
    Ok(Tsa::new(http.clone(), url("anchors.tsa_url".into(), &settings.anchors.tsa_url)?, roots))
}

/// A witness's key.
pub(super) fn vkey(name: &str, witness: &WitnessSettings) -> Result<Vkey, EvidenceError> {
    let vkey: Option<Vkey> = witness.vkey.parse().ok();
    let vkey = vkey.filter(|key| key.kind() == duly_ledger::KeyKind::Cosignature);
    vkey.ok_or_else(|| refused(format!("anchors.witnesses.{name}.vkey"), "must be a witness's vkey, `name+hash+key`"))
}

fn witness(name: &str, witness: &WitnessSettings, http: &Client) -> Result<Witness, EvidenceError> {
    let key = vkey(name, witness)?;
    Ok(Witness::new(http.clone(), &url(format!("anchors.witnesses.{name}.url"), &witness.url)?, key))
}

fn ways(settings: &Settings, name: &str, recipient: &Recipient, http: &Client) -> Result<Vec<Way>, EvidenceError> {
    let key = |field: &str| format!("hand_over.to.{name}.{field}");
    let mut ways = Vec::new();
    if !recipient.folder.is_empty() {
        ways.push(Way::Folder(Outside::open(&recipient.folder)?));
    }
    if !recipient.mail.is_empty() {
        let to = recipient.mail.parse().map_err(|_| refused(key("mail"), "must be a mail address"))?;
        let timeout = Duration::from_millis(settings.anchors.request_timeout_ms);
        let (relay, from) = relay(&settings.hand_over, timeout)?;
        ways.push(Way::Mail { relay, from, to });
    }
    if !recipient.webhook_url.is_empty() {
        // An empty secret would let anybody sign.
        if recipient.webhook_secret.expose_secret().is_empty() {
            return Err(refused(key("webhook_secret"), "a webhook needs a secret; set it by file or environment"));
        }
        let url = url(key("webhook_url"), &recipient.webhook_url)?;
        ways.push(Way::Webhook { http: http.clone(), url, secret: recipient.webhook_secret.clone() });
    }
    if ways.is_empty() {
        Err(refused(format!("hand_over.to.{name}"), "names no way: set folder, mail or webhook_url"))
    } else {
        Ok(ways)
    }
}

fn relay(hand_over: &HandOver, timeout: Duration) -> Result<(AsyncSmtpTransport<Tokio1Executor>, Mailbox), EvidenceError> {
    let Relay { host, port, security, root_file, user, password, from, .. } = &hand_over.smtp;
    if host.is_empty() {
        return Err(refused("hand_over.smtp.host", "mail needs a relay; set its host name"));
    }
    let from = from.parse().map_err(|_| refused("hand_over.smtp.from", "must be a mail address"))?;
    let tls = || {
        let mut parameters = TlsParameters::builder(host.clone());
        if !root_file.as_os_str().is_empty() {
            let pem = read("hand_over.smtp.root_file", root_file)?;
            let root = Certificate::from_pem(&pem)
                .map_err(|_| refused("hand_over.smtp.root_file", "must hold a root certificate in PEM"))?;
            parameters = parameters.add_root_certificate(root);
        }
        parameters.build().map_err(|_| refused("hand_over.smtp.host", "must be a host name that a certificate can bear"))
    };
    let tls = match security {
        SmtpSecurity::Tls => Tls::Wrapper(tls()?),
        SmtpSecurity::Starttls => Tls::Required(tls()?),
        SmtpSecurity::None if ["localhost", "127.0.0.1", "::1"].contains(&host.as_str()) => Tls::None,
        SmtpSecurity::None => {
            return Err(refused(
                "hand_over.smtp.security",
                "`none` is for a relay on this machine only; use `starttls` or `tls`",
            ));
        }
    };
    let mut relay = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host).port(*port).tls(tls).timeout(Some(timeout));
    if !user.is_empty() {
        relay = relay.credentials(Credentials::new(user.clone(), password.expose_secret().to_owned()));
    }
    Ok((relay.build(), from))
}
