//! RFC 3161 time stamps: of which bytes they speak, and when they say to have seen them.
//!
//! The whole form is read, so that bytes which merely hold a hash and a date are no stamp. Whose signature it is, and
//! whether it holds, is NOT looked at here: that needs an authority's certificates, and anybody can write a stamp.

use der::asn1::{Int, ObjectIdentifier, OctetString, SetOfVec};
use der::{Any, Decode, Sequence, Tag, Tagged};

const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
/// id-ct-TSTInfo.
const TST_INFO: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.1.4");
const SHA_256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");

#[derive(Sequence)]
struct Response {
    status: Status,
    #[asn1(optional = "true")]
    token: Option<Token>,
}

/// PKIStatusInfo.
#[derive(Sequence)]
struct Status {
    status: u8,
    #[asn1(optional = "true")]
    text: Option<Vec<Any>>,
    #[asn1(optional = "true")]
    failure: Option<Any>,
}

/// ContentInfo of CMS.
#[derive(Sequence)]
struct Token {
    kind: ObjectIdentifier,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    content: SignedData,
}

#[derive(Sequence)]
struct SignedData {
    version: u8,
    digests: SetOfVec<Any>,
    content: Content,
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT", constructed = "true", optional = "true")]
    certificates: Option<SetOfVec<Any>>,
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", constructed = "true", optional = "true")]
    revocations: Option<SetOfVec<Any>>,
    signers: SetOfVec<Any>,
}

#[derive(Sequence)]
struct Content {
    kind: ObjectIdentifier,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    info: OctetString,
}

#[derive(Sequence)]
struct Signer {
    version: u8,
    name: Any,
    digest: Algorithm,
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT", constructed = "true", optional = "true")]
    signed: Option<SetOfVec<Any>>,
    algorithm: Algorithm,
    signature: OctetString,
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", constructed = "true", optional = "true")]
    unsigned: Option<SetOfVec<Any>>,
}

#[derive(Sequence)]
struct Algorithm {
    kind: ObjectIdentifier,
    #[asn1(optional = "true")]
    parameters: Option<Any>,
}

/// TSTInfo.
#[derive(Sequence)]
struct Info {
    version: u8,
    policy: ObjectIdentifier,
    imprint: Imprint,
    serial: Int,
    time: Any,
    #[asn1(optional = "true")]
    accuracy: Option<Accuracy>,
    #[asn1(default = "Default::default")]
    ordering: bool,
    #[asn1(optional = "true")]
    nonce: Option<Int>,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    authority: Option<Any>,
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", constructed = "true", optional = "true")]
    extensions: Option<Vec<Extension>>,
}

#[derive(Sequence)]
struct Imprint {
    algorithm: Algorithm,
    hash: OctetString,
}

#[derive(Sequence)]
struct Accuracy {
    #[asn1(optional = "true")]
    seconds: Option<u64>,
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT", optional = "true")]
    millis: Option<u16>,
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", optional = "true")]
    micros: Option<u16>,
}

#[derive(Sequence)]
struct Extension {
    kind: ObjectIdentifier,
    #[asn1(default = "Default::default")]
    is_critical: bool,
    value: OctetString,
}

/// The time in a response whose token has one signer and speaks of bytes of this SHA-256; else what is wrong.
pub fn time_of(response: &[u8], hash: &[u8; 32]) -> Result<String, &'static str> {
    let response = Response::from_der(response).map_err(|_| "it is no time stamp of RFC 3161")?;
    let Some(token) = response.token.filter(|_| response.status.status <= 1) else {
        return Err("the authority refused this time stamp");
    };
    let (data, content) = (&token.content, &token.content.content);
    if token.kind != SIGNED_DATA || content.kind != TST_INFO {
        return Err("it is no time stamp of RFC 3161");
    }
    let signer = match data.signers.as_slice() {
        [signer] => signer.decode_as::<Signer>().ok(),
        _ => None,
    };
    if signer.is_none() {
        return Err("the time stamp is not signed by one authority");
    }
    let info = Info::from_der(content.info.as_bytes()).ok().filter(|info| info.version == 1);
    let info = info.ok_or("it is no time stamp of RFC 3161")?;
    if info.imprint.algorithm.kind != SHA_256 || info.imprint.hash.as_bytes() != hash {
        return Err("the token is not over this checkpoint");
    }
    // A critical extension changes the meaning in a way that nobody here knows.
    if info.extensions.iter().flatten().any(|extension| extension.is_critical) {
        return Err("the time stamp has a critical extension");
    }
    written(&info.time).ok_or("the time stamp says no time")
}

/// GeneralizedTime of RFC 3161, to the second; it is always UTC, and may have a fraction.
fn written(time: &Any) -> Option<String> {
    let text = std::str::from_utf8(time.value()).ok().filter(|_| time.tag() == Tag::GeneralizedTime)?.strip_suffix('Z')?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if whole.len() != 14 || !is_number(whole) || !is_number(fraction) || fraction.len() > 9 {
        return None;
    }
    let part = |range| whole.get(range).and_then(|part: &str| part.parse::<u8>().ok());
    let (month, day) = (part(4..6)?, part(6..8)?);
    let is_there =
        (1..=12).contains(&month) && (1..=31).contains(&day) && part(8..10)? < 24 && part(10..12)? < 60 && part(12..14)? <= 60;
    let [year, hour, minute, second] = [0..4, 8..10, 10..12, 12..14].map(|range| whole.get(range).unwrap_or_default());
    is_there.then(|| format!("{year}-{month:02}-{day:02}T{hour}:{minute}:{second}Z"))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};

    /// By openssl, over `STAMPED`.
    const STAMP: &[u8] = include_bytes!("../../tests/stamp.tsr");
    const STAMPED: &[u8] = b"a checkpoint\n";

    #[test]
    fn a_stamp_by_other_software_is_read_and_no_changed_frame_of_it_is() {
        let hash: [u8; 32] = Sha256::digest(STAMPED).into();
        assert_eq!(time_of(STAMP, &hash).as_deref(), Ok("2026-11-26T21:25:00Z"));
        assert_eq!(time_of(STAMP, &[0; 32]), Err("the token is not over this checkpoint"));
        for cut in 0..STAMP.len() {
            assert!(time_of(&STAMP[..cut], &hash).is_err(), "{cut}");
        }
        assert!(time_of(&[STAMP, b"\0"].concat(), &hash).is_err());
        let at = STAMP.windows(34).position(|w| w.strip_prefix(&[0x04, 0x20]) == Some(hash.as_slice())).unwrap();
        assert!(time_of(&STAMP[at..], &hash).is_err());
    }
}
