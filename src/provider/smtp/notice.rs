//! Delivery notices, RFC 3464: mails that the sender's mail server hands to our door as they came, under an HMAC of the
//! lane's secret. They name our reference as their envelope's id (RFC 3461), which only servers on the way and the
//! recipient have seen.

use crate::model::state::{Channel, MessageState as S};
use crate::provider::{ClaimedBy, RawReceipt, ReadReceipt, ReceiptRefusal, Word, find_word};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// How a notice proves itself, as its event names it.
pub const SCHEME: &str = "hmac-sha256";
/// Header with the hexadecimal HMAC-SHA-256 of the body.
const SIGNATURE: &str = "x-duly-signature";
/// Hexadecimal digits of a reference of ours.
const REFERENCE_DIGITS: usize = 32;

/// The actions of RFC 3464 2.3.3. Where the next server gives no notices, it took the mail and nobody tells more.
pub const WORDS: &[Word] = &[
    row("delivered", Some(S::CarrierDelivered), "the recipient's mail server took it"),
    row("relayed", Some(S::Sent), "a server took it that gives no notices: nobody will tell more"),
    row("expanded", Some(S::Sent), "it was passed on to several addresses: nobody will tell more"),
    row("failed", Some(S::Returned), "it came back: a mail server refused it for good"),
    row("delayed", None, "it is still tried"),
];

const fn row(word: &'static str, state: Option<S>, proves: &'static str) -> Word {
    Word { channel: Channel::Email, word, state, claimed_by: ClaimedBy::Network, proves }
}

/// Believes a notice, or says why not.
pub fn read(raw: &RawReceipt<'_>, secret: &SecretString) -> Result<Vec<ReadReceipt>, ReceiptRefusal> {
    if !is_signed(raw, secret) {
        return Err(ReceiptRefusal::BadSignature);
    }
    // Servers on the way may have put in letters of any kind; what we look for is ASCII.
    let mail = String::from_utf8_lossy(raw.body).replace("\r\n", "\n");
    let status = status_part(&mail).ok_or(ReceiptRefusal::Malformed)?;
    let fields = |name: &str| field(status, name);
    let reference = fields("Original-Envelope-Id").filter(|text| is_reference(text)).or_else(|| returned_id(&mail));
    let (Some(reference), Some(action)) = (reference, fields("Action")) else { return Err(ReceiptRefusal::Malformed) };
    let word = action.to_ascii_lowercase();
    // Notices have no name of their own: the same words are the same notice.
    let own = hex::encode(Sha256::digest(status));
    let status = find_word(WORDS, Channel::Email, &word).and_then(|row| row.state);
    let event_name = format!("{reference}/{}", &own[..REFERENCE_DIGITS]);
    let word = word.chars().filter(char::is_ascii_alphabetic).take(REFERENCE_DIGITS).collect();
    Ok(vec![ReadReceipt { event_name, reference: Some(reference), provider_id: None, word, status, part: None }])
}

fn is_signed(raw: &RawReceipt<'_>, secret: &SecretString) -> bool {
    let secret = secret.expose_secret();
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return false };
    mac.update(raw.body);
    let given = hex::decode(raw.header(SIGNATURE).trim()).unwrap_or_default();
    bool::from(mac.finalize().into_bytes().as_slice().ct_eq(&given)) && !secret.is_empty()
}

/// The part `message/delivery-status`, up to the fence behind it.
fn status_part(mail: &str) -> Option<&str> {
    let lower = mail.to_ascii_lowercase();
    let at = lower.find("content-type: message/delivery-status")?;
    let start = at + mail[at..].find("\n\n")? + 2;
    let end = mail[start..].find("\n--").map_or(mail.len(), |end| start + end);
    Some(&mail[start..end])
}

/// The first field of this name.
fn field(part: &str, name: &str) -> Option<String> {
    part.lines().find_map(|line| {
        let (own, value) = line.split_once(':')?;
        own.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
    })
}

/// Our reference in the headers that came back, where a server kept no envelope's id.
fn returned_id(mail: &str) -> Option<String> {
    let ids = mail.lines().filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("Message-ID")
            .then(|| value.trim().trim_start_matches('<').split('@').next().unwrap_or_default())
    });
    ids.map(str::to_owned).find(|id| is_reference(id))
}

fn is_reference(text: &str) -> bool {
    text.len() == REFERENCE_DIGITS && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::provider::tests::each_bit_changed;
    use reqwest::header::HeaderMap;

    const REFERENCE: &str = "000102030405060708090a0b0c0d0e0f";
    const NOTICE: &str = "From: MAILER-DAEMON@relay.example\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=\"b\"\r\n\r\n\
        --b\r\nContent-Type: text/plain\r\n\r\nAction: none of this counts\r\n\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n\
        Reporting-MTA: dns; relay.example\r\nOriginal-Envelope-Id: REFERENCE\r\n\r\nFinal-Recipient: rfc822; ann@mail.example\r\n\
        Action: ACTION\r\nStatus: 2.0.0\r\n\r\n--b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: <RETURNED@northmere.example>\r\n\r\n--b--\r\n";

    fn notice(action: &str, envelope: &str, returned: &str) -> String {
        NOTICE.replace("ACTION", action).replace("REFERENCE", envelope).replace("RETURNED", returned)
    }

    fn sign(body: &[u8], secret: &str) -> Vec<u8> {
        ring::hmac::sign(&ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret.as_bytes()), body).as_ref().to_vec()
    }

    fn receive_signed(body: &[u8], signature: &[u8]) -> Result<ReadReceipt, ReceiptRefusal> {
        let mut headers = HeaderMap::new();
        headers.insert(SIGNATURE, hex::encode(signature).parse().unwrap());
        let (path, origin) = ("/receipts/northmere/mail", "");
        let raw = RawReceipt { path, query: "", origin, headers: &headers, body, now_seconds: 0, window_seconds: 300 };
        read(&raw, &"secret".to_owned().into()).map(|mut all| all.remove(0))
    }

    fn receive(body: &str, signed_with: &str) -> Result<ReadReceipt, ReceiptRefusal> {
        receive_signed(body.as_bytes(), &sign(body.as_bytes(), signed_with))
    }

    #[test]
    fn each_action_has_its_state_and_an_unknown_one_has_none() {
        for row in WORDS {
            let read = receive(&notice(row.word, REFERENCE, "x"), "secret").unwrap();
            assert_eq!((read.word.as_str(), read.status), (row.word, row.state));
            assert_eq!((read.reference.as_deref(), read.provider_id), (Some(REFERENCE), None));
        }
        assert_eq!(receive(&notice("Delivered", REFERENCE, "x"), "secret").unwrap().status, Some(S::CarrierDelivered));
        assert_eq!(receive(&notice("teleported", REFERENCE, "x"), "secret").unwrap().status, None);
    }

    #[test]
    fn a_notice_without_our_signature_or_our_reference_is_not_believed() {
        let good = notice("delivered", REFERENCE, "x");
        assert_eq!(receive(&good, "other").err(), Some(ReceiptRefusal::BadSignature));
        assert_eq!(receive(&good, "").err(), Some(ReceiptRefusal::BadSignature));
        for body in ["", "x", &notice("delivered", "somebody's", "else"), &good.replace("message/delivery-status", "text/plain")]
        {
            assert_eq!(receive(body, "secret").err(), Some(ReceiptRefusal::Malformed), "{body}");
        }
    }

    #[test]
    fn a_notice_is_believed_by_its_signature_and_not_with_one_bit_changed() {
        let body = notice("delivered", REFERENCE, "x").into_bytes();
        let good = sign(&body, "secret");

        assert!(receive_signed(&body, &good).is_ok());
        for (bit, other) in each_bit_changed(&good).enumerate() {
            assert_eq!(receive_signed(&body, &other).err(), Some(ReceiptRefusal::BadSignature), "{bit}");
        }
        for (bit, other) in each_bit_changed(&body).enumerate() {
            assert_eq!(receive_signed(&other, &good).err(), Some(ReceiptRefusal::BadSignature), "{bit}");
        }
    }

    #[test]
    fn the_same_notice_has_the_same_name_and_another_one_another() {
        let name = |action: &str| receive(&notice(action, REFERENCE, "x"), "secret").unwrap().event_name;
        assert_eq!(name("failed"), name("failed"));
        assert_ne!(name("failed"), name("delivered"));
    }

    #[test]
    fn a_server_that_keeps_no_envelope_is_known_by_the_headers_that_came_back() {
        let read = receive(&notice("failed", "", REFERENCE), "secret").unwrap();
        assert_eq!((read.reference.as_deref(), read.status), (Some(REFERENCE), Some(S::Returned)));
    }
}
