//! One connection: RFC 5321 as far as one mail needs it, with the faults of the account that logged in.

use super::text;
use crate::account::{Account, InFlight, Physical};
use crate::config::FaultKind;
use crate::face::{Asked, content_hash, mail_content};
use crate::faults::FaultPlan;
use crate::state::SandboxState;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufStream};
use tokio::net::TcpStream;

/// How long a mail that is never answered stays open, unless its client leaves.
const HANG: Duration = Duration::from_secs(120);
/// Longest line and largest mail, bytes.
const LINE_MAX: u64 = 2000;
const MAIL_MAX: usize = 4 << 20;

/// What a session knows so far.
struct Session {
    state: Arc<SandboxState>,
    stream: BufStream<TcpStream>,
    account: Option<Arc<Account>>,
    /// Faults of the mail under way.
    plan: Option<FaultPlan>,
    recipients: Vec<String>,
}

/// Whether the connection goes on.
enum Then {
    Goes,
    Ends,
}

pub(super) async fn run(state: Arc<SandboxState>, stream: TcpStream) -> io::Result<()> {
    let stream = BufStream::new(stream);
    let mut session = Session { state, stream, account: None, plan: None, recipients: Vec::new() };
    session.say("220 sandbox ESMTP, delivers nothing").await?;
    loop {
        let line = session.line().await?;
        if line.is_empty() {
            return Ok(());
        }
        if let Then::Ends = session.obey(line.trim_end()).await? {
            return session.stream.shutdown().await;
        }
    }
}

impl Session {
    async fn say(&mut self, answer: &str) -> io::Result<()> {
        self.stream.write_all(format!("{answer}\r\n").as_bytes()).await?;
        self.stream.flush().await
    }

    async fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        (&mut self.stream).take(LINE_MAX).read_line(&mut line).await?;
        Ok(line)
    }

    fn fires(&self, kind: FaultKind) -> Option<u64> {
        self.plan.as_ref()?.fires(kind)
    }

    async fn obey(&mut self, line: &str) -> io::Result<Then> {
        let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
        match (verb.as_str(), &self.account) {
            ("EHLO", _) => {
                self.say("250-sandbox\r\n250-8BITMIME\r\n250-DSN\r\n250-AUTH PLAIN LOGIN\r\n250 X-DULY-SANDBOX").await?
            }
            ("AUTH", _) => self.log_in(line).await?,
            ("QUIT", _) => {
                self.say("221 2.0.0 Bye").await?;
                return Ok(Then::Ends);
            }
            ("NOOP" | "RSET", _) => self.say("250 2.0.0 Ok").await?,
            ("MAIL" | "RCPT" | "DATA", None) => self.say("530 5.7.0 Authentication required").await?,
            ("MAIL", Some(account)) => {
                let account = account.clone();
                self.begin(line, account).await?;
            }
            ("RCPT", Some(_)) => self.address(line).await?,
            ("DATA", Some(_)) => return self.take().await,
            _ => self.say("502 5.5.2 Command not recognised").await?,
        }
        Ok(Then::Goes)
    }

    /// `AUTH PLAIN`: an account's name, and its key.
    async fn log_in(&mut self, line: &str) -> io::Result<()> {
        let shown = line.split(' ').nth(2).and_then(|shown| STANDARD.decode(shown).ok()).unwrap_or_default();
        let words: Vec<&[u8]> = shown.split(|byte| *byte == 0).collect();
        let config = self.state.config();
        let account = match words[..] {
            [_, user, password] => {
                let account = std::str::from_utf8(user).ok().and_then(|user| self.state.account(user));
                account.filter(|account| {
                    let settings = account.settings();
                    settings.channel == "email" && settings.api_key.as_deref().unwrap_or(&config.api_key).as_bytes() == password
                })
            }
            _ => None,
        };
        let is_refused = account.as_ref().is_some_and(|account| {
            let plan = FaultPlan::new(config.seed, account.clone(), account.settings(), "", 1);
            plan.fires(FaultKind::Unauthorised).is_some()
        });
        self.account = account.filter(|_| !is_refused);
        match self.account {
            Some(_) => self.say("235 2.7.0 Authentication successful").await,
            None => self.say("535 5.7.8 Authentication credentials invalid").await,
        }
    }

    /// `MAIL`: what `ENVID` names is what the plan's faults fire for.
    async fn begin(&mut self, line: &str, account: Arc<Account>) -> io::Result<()> {
        let reference = line.split(' ').find_map(|word| word.strip_prefix("ENVID=")).unwrap_or_default();
        let request = account.count_request(reference, "");
        let settings = account.settings();
        self.plan = Some(FaultPlan::new(self.state.config().seed, account, settings, reference, request));
        self.recipients.clear();
        match self.fires(FaultKind::Forbidden) {
            Some(_) => self.say("550 5.7.1 Sender address not allowed").await,
            None => self.say("250 2.1.0 Ok").await,
        }
    }

    async fn address(&mut self, line: &str) -> io::Result<()> {
        if self.fires(FaultKind::Reject).is_some() {
            let whom = line.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map_or("", |(whom, _)| whom);
            return self.say(&format!("550 5.1.1 <{whom}>: No such user")).await;
        }
        if self.fires(FaultKind::TooMany).is_some() {
            return self.say("451 4.7.1 Try again later").await;
        }
        let to = line.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map(|(to, _)| to.to_owned());
        self.recipients.extend(to);
        self.say("250 2.1.5 Ok").await
    }

    async fn take(&mut self) -> io::Result<Then> {
        if self.recipients.is_empty() {
            self.say("503 5.5.1 No recipient").await?;
            return Ok(Then::Goes);
        }
        if self.fires(FaultKind::CutBefore).is_some() {
            return Ok(Then::Ends);
        }
        self.say("354 End data with <CR><LF>.<CR><LF>").await?;
        let Some(bytes) = self.mail().await? else { return Ok(Then::Ends) };
        let Some(plan) = self.plan.take() else { return Ok(Then::Ends) };
        let _in_flight = InFlight::enter(&plan.account);
        for (kind, answer) in [
            (FaultKind::ErrorBefore, "451 4.3.0 Local error"),
            (FaultKind::TooManyToday, "452 4.3.1 Insufficient storage"),
            (FaultKind::RequestTimeout, "421 4.4.2 Timeout"),
            (FaultKind::ErrorInside, "554 5.6.0 Content refused"),
        ] {
            if plan.fires(kind).is_some() {
                self.say(answer).await?;
                return Ok(Then::Goes);
            }
        }
        let Some(read) = text::read(&bytes) else {
            self.say("554 5.6.0 This is no mail").await?;
            return Ok(Then::Goes);
        };
        let number = self.produce(&plan, &read, &bytes);
        if plan.fires(FaultKind::CutAfter).is_some() {
            return Ok(Then::Ends);
        }
        if plan.fires(FaultKind::NotJson).is_some() {
            self.say("<html>").await?;
            return Ok(Then::Ends);
        }
        if plan.fires(FaultKind::Hang).is_some() {
            tokio::time::sleep(HANG).await;
        }
        tokio::time::sleep(Duration::from_millis(plan.fires(FaultKind::Slow).unwrap_or(0))).await;
        self.state.released(&plan.account.name).await;
        self.say(&format!("250 2.0.0 Ok: queued as {number:08X}")).await?;
        Ok(Then::Goes)
    }

    /// The mail up to the dot, with doubled dots taken back; `None` where its client hung up.
    async fn mail(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut mail = Vec::new();
        loop {
            let start = mail.len();
            let read = self.stream.read_until(b'\n', &mut mail).await?;
            if read == 0 || mail.len() > MAIL_MAX {
                return Ok(None);
            }
            match &mail[start..] {
                b".\r\n" => {
                    // The line end before the dot closes the mail and is none of its own.
                    mail.truncate(start.saturating_sub(2));
                    return Ok(Some(mail));
                }
                [b'.', ..] => {
                    mail.remove(start);
                }
                _ => {}
            }
        }
    }

    /// Each recipient gets one.
    fn produce(&self, plan: &FaultPlan, read: &text::Mail, bytes: &[u8]) -> u64 {
        let number = self.state.next_number();
        for (n, to) in self.recipients.iter().enumerate() {
            let physical = Physical {
                provider: plan.account.name.clone(),
                channel: "email".to_owned(),
                destination: to.clone(),
                content_sha256: content_hash(&mail_content(&read.subject, &read.text)),
                reference: read.id.clone(),
            };
            let asked = Asked {
                found_by: vec![read.id.clone()],
                physical,
                key: None,
                shown: Value::Null,
                callback: None,
                is_test: false,
                letter: None,
            };
            plan.account.produce(format!("mail_{number:08x}_{n}"), asked, bytes);
        }
        number
    }
}
