//! One transaction with a relay, and what each of its ends means.
//!
//! | where | answer | means |
//! |---|---|---|
//! | greeting | nobody there, cut | `not_taken` |
//! | greeting | 4xx, 5xx | `not_taken`: it takes mail from nobody at the moment |
//! | greeting | no TLS, an untrusted certificate | `lane_stopped` |
//! | greeting | a relay that is not the sandbox, on a lane that is not live | `lane_stopped` |
//! | `AUTH` | 5xx, or no way that we know | `lane_stopped`; 4xx: `not_taken` |
//! | `MAIL` | 5xx | `lane_stopped`: the sender is refused, for everybody's mail |
//! | `RCPT` | 530, 535, 5.7.x, a 554 that names no cause | `lane_stopped`: it relays nothing for us |
//! | `RCPT` | any other 5xx | `rejected` |
//! | `DATA` | 5xx | `rejected` |
//! | `MAIL`, `RCPT`, `DATA` | 4xx, cut, silence | `not_taken`: no byte of the mail was given |
//! | the mail | 2xx | `accepted` |
//! | the mail | 421 | `unknown`: the relay closes, and does not say what it did before |
//! | the mail | other 4xx | `not_taken`: RFC 5321 4.2.1, it did not take it |
//! | the mail | 5xx | `rejected` |
//! | the mail | cut, silence, an answer that is none | `unknown` |

use super::relay::{Closed, Connection, Relay, leave};
use super::{REFERENCE, SENDER, mail};
use crate::model::step::Answer;
use crate::provider::guarded::MayStart;
use crate::provider::{CallResult, Check, Frozen, Pause};
use lettre::Address;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{MailParameter, RcptParameter};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use time::OffsetDateTime;

/// Statuses of `RCPT` by which a relay wants other credentials.
const WANTS_CREDENTIALS: [u16; 2] = [530, 535];
/// What a relay says of any transaction that it does not want.
const TRANSACTION_FAILED: u16 = 554;
/// The relay closes the connection; it may be said at any moment and of nothing.
const CLOSES: u16 = 421;
/// A relay that puts a recipient off does so for minutes.
const AGAIN: Duration = Duration::from_secs(60);

/// A frozen mail, read back.
struct Email {
    sender: Address,
    to: Address,
    reference: String,
    id: String,
    mail: Vec<u8>,
}

/// Hands one mail over, within `timeout`.
pub async fn deliver(relay: &Relay, timeout: Duration, frozen: Frozen, may_start: MayStart) -> CallResult {
    let Some(email) = thaw(&frozen) else { return CallResult::new(Answer::NotTaken, "not_frozen") };
    let is_begun = AtomicBool::new(false);
    let result = match tokio::time::timeout(timeout, hand_over(relay, &email, &may_start, &is_begun)).await {
        Ok(Ok(result) | Err(result)) => result,
        Err(_) if is_begun.load(Ordering::SeqCst) => CallResult::new(Answer::Unknown, "timeout"),
        Err(_) => CallResult::new(Answer::NotTaken, "not_written"),
    };
    crate::failpoint::reach("response_read").await;
    result
}

fn thaw(frozen: &Frozen) -> Option<Email> {
    let request = frozen.thaw()?;
    let at = |name: &str| request.headers.iter().find(|(header, _)| *header == name).map(|(_, value)| *value);
    Some(Email {
        sender: at(SENDER)?.parse().ok()?,
        to: request.destination.as_deref()?.parse().ok()?,
        reference: at(REFERENCE)?.to_owned(),
        id: mail::id(request.body)?,
        mail: mail::dated(request.body, OffsetDateTime::now_utc())?,
    })
}

async fn hand_over(relay: &Relay, email: &Email, may_start: &MayStart, is_begun: &AtomicBool) -> Result<CallResult, CallResult> {
    let mut connection = relay.open(email.sender.domain()).await.map_err(|closed| refused(&closed))?;
    address(&mut connection, email).await?;
    // As late as the protocol allows: a relay forgets a transaction whose text never comes.
    may_start().map_err(|code| CallResult::new(Answer::NotTaken, code))?;
    is_begun.store(true, Ordering::SeqCst);
    let answer = connection.smtp.message(&email.mail).await;
    let result = match answer {
        Ok(answer) => CallResult::accepted(email.id.clone(), u16::from(answer.code()).to_string()),
        Err(error) => unfinished(&error),
    };
    if result.answer == Answer::Accepted {
        leave(connection);
    }
    Ok(result)
}

/// Everything before the mail itself: whatever goes wrong here, no byte of it was given.
async fn address(connection: &mut Connection, email: &Email) -> Result<(), CallResult> {
    let other = |keyword: &str, value: &str| (keyword.to_owned(), Some(value.to_owned()));
    let (mut of_mail, mut of_recipient) = (Vec::new(), Vec::new());
    if connection.has_notices {
        // Headers alone come back with a notice: the text is nobody else's business.
        for (keyword, value) in [other("RET", "HDRS"), other("ENVID", &email.reference)] {
            of_mail.push(MailParameter::Other { keyword, value });
        }
        let (keyword, value) = other("NOTIFY", "SUCCESS,FAILURE");
        of_recipient.push(RcptParameter::Other { keyword, value });
    }
    let mail = Mail::new(Some(email.sender.clone()), of_mail);
    connection.smtp.command(mail).await.map_err(|error| before("mail", &error, |_| Answer::LaneStopped))?;
    let recipient = Rcpt::new(email.to.clone(), of_recipient);
    connection
        .smtp
        .command(recipient)
        .await
        .map_err(|error| before("rcpt", &error, |status| refused_recipient(status, &error)))?;
    connection.smtp.command(Data).await.map_err(|error| before("data", &error, |_| Answer::Rejected))?;
    Ok(())
}

/// What a 5xx to `RCPT` means. RFC 3463: subjects 1 and 2 speak of the address and its mailbox, 7 of what the relay lets
/// whom do, also to everybody. A bare 554 says of nothing that it is the recipient.
fn refused_recipient(status: u16, error: &Error) -> Answer {
    let text = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    let mut parts = text.split_whitespace().next().unwrap_or_default().split('.');
    let subject = parts.next().filter(|class| *class == "5").and_then(|_| parts.next()).filter(|_| parts.next().is_some());
    match (status, subject) {
        (_, Some("7")) | (TRANSACTION_FAILED, None) => Answer::LaneStopped,
        _ if WANTS_CREDENTIALS.contains(&status) => Answer::LaneStopped,
        _ => Answer::Rejected,
    }
}

/// An answer to `MAIL`, `RCPT` or `DATA` that is not good; `means` says what a 5xx of it means.
fn before(place: &str, error: &Error, means: impl Fn(u16) -> Answer) -> CallResult {
    let Some(status) = error.status().map(u16::from) else { return CallResult::new(Answer::NotTaken, "not_written") };
    let code = format!("{place}_{status}");
    match error.is_permanent().then(|| means(status)) {
        Some(Answer::LaneStopped) => CallResult::new(Answer::LaneStopped, code).pausing(Pause::Minute),
        Some(answer) => CallResult::new(answer, code),
        None => CallResult { retry_after: Some(AGAIN), ..CallResult::new(Answer::NotTaken, code) },
    }
}

/// The end of a mail that was not accepted.
fn unfinished(error: &Error) -> CallResult {
    let Some(status) = error.status().map(u16::from) else { return CallResult::new(Answer::Unknown, "cut") };
    let code = status.to_string();
    match status {
        CLOSES => CallResult::new(Answer::Unknown, code),
        _ if error.is_permanent() => CallResult::new(Answer::Rejected, code),
        _ => CallResult { retry_after: Some(AGAIN), ..CallResult::new(Answer::NotTaken, code) },
    }
}

/// What a closed door means for a call.
fn refused(closed: &Closed) -> CallResult {
    let stopped = |code: &str| CallResult::new(Answer::LaneStopped, code).pausing(Pause::Minute);
    match closed {
        Closed::Unreachable => CallResult::new(Answer::NotTaken, "not_written"),
        Closed::Busy(status) => CallResult::new(Answer::NotTaken, format!("greeting_{status}")),
        Closed::NoTls => stopped("no_tls"),
        Closed::NotTheSandbox => stopped("not_the_sandbox"),
        Closed::BadCredentials => stopped("bad_credentials"),
    }
}

/// What a closed door means for a check.
pub fn judge(closed: &Closed) -> Check {
    match closed {
        Closed::Unreachable | Closed::Busy(_) => Check::Unreachable,
        Closed::NoTls => Check::Unfit("it offers no TLS with a certificate that this machine trusts"),
        Closed::NotTheSandbox => Check::Unfit("it is not the sandbox, and the lane is not `live = true`"),
        Closed::BadCredentials => Check::BadCredentials,
    }
}
