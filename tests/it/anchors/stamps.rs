//! What a time stamp is worth: every way in which one can be bad has an error of its own.

use super::authority::{Authority, P_256, P_384, RSA, der, has_openssl};
use duly::evidence::anchor::Roots;
use duly::evidence::anchor::stamp::{Checked, Nonce, Stamp, StampError, check, request};
use time::OffsetDateTime;

const CHECKPOINT: &[u8] = b"duly.test/log\n3\nAKcKsZUbOSDpO7cxOBdBlx0JYMGuQc5ky21fozC//MY=\n\n\xe2\x80\x94 duly.test/log AAAA\n";

struct Asked {
    authority: Authority,
    roots: Roots,
    nonce: Nonce,
    answer: Vec<u8>,
}

impl Asked {
    fn new(key: [&str; 3]) -> Self {
        Self::of(Authority::new(key))
    }

    fn of(authority: Authority) -> Self {
        let nonce = Nonce::generate();
        let answer = authority.answer(&request(CHECKPOINT, &nonce).unwrap());
        Self { roots: Roots::from_pem(&authority.read("root.pem")).unwrap(), authority, nonce, answer }
    }

    fn check(&self, answer: &[u8]) -> Result<Stamp, StampError> {
        check(answer, CHECKPOINT, Some(&self.roots), Some(&self.nonce))
    }

    /// The same content under a certificate with these extensions and this validity.
    fn under(&self, extensions: &str, from: &str, until: &str) -> Result<Stamp, StampError> {
        self.authority.certify("other", P_256, extensions, from, until);
        self.check(&self.authority.signed_by("other", &self.answer, &["-cades"]))
    }
}

fn is_now(at: OffsetDateTime) -> bool {
    (OffsetDateTime::now_utc() - at).abs() < time::Duration::minutes(1)
}

#[test]
fn a_stamp_of_an_authority_of_any_usual_key_is_believed_here_and_by_openssl() {
    if !has_openssl() {
        return;
    }
    for key in [P_256, P_384, RSA] {
        let asked = Asked::new(key);

        let stamp = asked.check(&asked.answer).unwrap();

        assert_eq!(stamp.checked, Checked::Signature);
        assert!(is_now(stamp.at), "{}", stamp.at);
        assert!(asked.authority.openssl_believes(&asked.answer, CHECKPOINT, &asked.authority.path("root.pem")));
    }
}

#[test]
fn without_a_root_the_result_says_that_the_signature_was_not_checked() {
    if !has_openssl() {
        return;
    }
    let asked = Asked::new(P_256);
    let mut forged = asked.answer.clone();
    *forged.last_mut().unwrap() ^= 1;

    for answer in [&asked.answer, &forged] {
        assert_eq!(check(answer, CHECKPOINT, None, None).unwrap().checked, Checked::Imprint);
    }
    assert!(matches!(asked.check(&forged), Err(StampError::Signature)));
}

#[test]
fn a_stamp_of_other_bytes_or_of_another_request_is_refused() {
    if !has_openssl() {
        return;
    }
    let asked = Asked::new(P_256);

    let other = check(&asked.answer, b"another checkpoint", Some(&asked.roots), Some(&asked.nonce));
    assert!(matches!(other, Err(StampError::Imprint)));
    let other = check(&asked.answer, CHECKPOINT, Some(&asked.roots), Some(&Nonce::generate()));
    assert!(matches!(other, Err(StampError::Nonce)));
}

#[test]
fn a_request_that_the_authority_refuses_tells_its_status() {
    if !has_openssl() {
        return;
    }
    let authority = Authority::new(P_256);
    authority.configure("sha512", "");

    let asked = Asked::of(authority);

    assert!(matches!(asked.check(&asked.answer), Err(StampError::Refused(2))));
}

#[test]
fn another_root_vouches_for_nothing() {
    if !has_openssl() {
        return;
    }
    let asked = Asked::new(P_256);
    asked.authority.make_root("stranger");
    let stranger = Roots::from_pem(&asked.authority.read("stranger.pem")).unwrap();

    let refused = check(&asked.answer, CHECKPOINT, Some(&stranger), Some(&asked.nonce));

    // Both roots bear one name: it is the signature that does not fit.
    assert!(matches!(refused, Err(StampError::Root | StampError::Chain(_))), "{refused:?}");
    assert!(matches!(Roots::from_pem(b"no certificate"), Err(StampError::NoRoot)));
}

#[test]
fn a_token_changed_after_its_signature_is_refused() {
    if !has_openssl() {
        return;
    }
    let asked = Asked::new(RSA);
    let mut signature = asked.answer.clone();
    *signature.last_mut().unwrap() ^= 1;
    assert!(matches!(asked.check(&signature), Err(StampError::Signature)));

    // The policy 1.2.3.4.1 stands in the content and nowhere else.
    let mut content = asked.answer.clone();
    let policy = content.windows(6).position(|bytes| bytes == [6, 4, 0x2a, 3, 4, 1]).unwrap();
    content[policy + 5] = 2;
    assert!(matches!(asked.check(&content), Err(StampError::Digest)));
}

#[test]
fn a_certificate_that_is_not_for_time_stamps_alone_or_not_valid_then_is_refused() {
    if !has_openssl() {
        return;
    }
    let asked = Asked::new(P_256);
    let (from, until) = ("20200101000000Z", "20600101000000Z");
    let good = "extendedKeyUsage=critical,timeStamping";

    assert_eq!(asked.under(good, from, until).unwrap().checked, Checked::Signature);
    for usage in
        ["keyUsage=digitalSignature", "extendedKeyUsage=timeStamping", "extendedKeyUsage=critical,timeStamping,codeSigning"]
    {
        assert!(matches!(asked.under(usage, from, until), Err(StampError::Usage)), "{usage}");
    }
    assert!(matches!(asked.under(good, from, "20210101000000Z"), Err(StampError::Validity)), "expired");
    assert!(matches!(asked.under(good, "20590101000000Z", until), Err(StampError::Validity)), "not yet valid");
}

#[test]
fn a_signature_that_names_no_certificate_or_comes_without_it_is_refused() {
    if !has_openssl() {
        return;
    }
    let asked = Asked::new(P_256);

    let unbound = asked.authority.signed_by("tsa", &asked.answer, &[]);
    assert!(matches!(asked.check(&unbound), Err(StampError::Binding)));
    let bare = asked.authority.signed_by("tsa", &asked.answer, &["-cades", "-nocerts"]);
    assert!(matches!(asked.check(&bare), Err(StampError::NoCertificate)));
}

#[test]
fn certificates_in_any_order_a_fraction_of_a_second_and_sha_1_names_are_read() {
    if !has_openssl() {
        return;
    }
    let authority = Authority::new(RSA);
    authority
        .configure("sha256", "certs = root.pem\nclock_precision_digits = 3\ntsa_name = yes\naccuracy = secs:1, millisecs:500");
    let asked = Asked::of(authority);
    let place = |name: &str| {
        let der = der(&asked.authority.read(name));
        (asked.answer.windows(der.len()).position(|bytes| bytes == der).unwrap(), der.len())
    };
    let (signer, root) = (place("tsa.pem"), place("root.pem"));
    // DER would have the shorter one first.
    assert_ne!(signer.0 < root.0, signer.1 < root.1, "openssl sorted the set: this test shows nothing");

    assert_eq!(asked.check(&asked.answer).unwrap().checked, Checked::Signature);

    asked.authority.configure("sha256", "ess_cert_id_alg = sha1");
    let answer = asked.authority.answer(&request(CHECKPOINT, &asked.nonce).unwrap());
    assert_eq!(asked.check(&answer).unwrap().checked, Checked::Signature);
}

#[test]
fn an_answer_that_is_none_is_an_error_and_never_a_panic() {
    if !has_openssl() {
        return;
    }
    let asked = Asked::new(P_256);
    for length in 0..asked.answer.len() {
        assert!(asked.check(&asked.answer[..length]).is_err(), "cut at {length}");
    }
    for at in 0..asked.answer.len() {
        let mut changed = asked.answer.clone();
        changed[at] ^= 0x41;
        // A few bytes say nothing: the text of a status, a version of the frame, parameters that are ignored.
        drop(asked.check(&changed));
    }
    assert!(asked.check(b"<html>busy</html>").is_err());
}
