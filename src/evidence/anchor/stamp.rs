//! RFC 3161 time stamps: what is asked of an authority, and what its answer is worth.
//!
//! A good stamp says that exactly these checkpoint bytes existed at a time, in the words of somebody who is not us.
//! It says nothing of what was before: see docs/anchors.md.

use super::authority::Roots;
use super::token::{Token, read};
use der::asn1::{Int, OctetString};
use der::oid::ObjectIdentifier;
use der::{Any, Decode, Encode, Sequence, Tag, Tagged};
use sha2::{Digest, Sha256};
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};
use x509_cert::ext::Extensions;
use x509_cert::spki::AlgorithmIdentifierOwned;
use x509_tsp::{Accuracy, MessageImprint, TimeStampReq, TimeStampResp, TspVersion};

const SHA_256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");

/// Why an answer is no stamp of this checkpoint.
#[derive(Debug, thiserror::Error)]
pub enum StampError {
    /// Not DER, or not of the form that the standard gives it.
    #[error("the time stamp cannot be read")]
    Unreadable(#[source] der::Error),
    /// The authority said no; PKIStatus of RFC 3161.
    #[error("the authority refused the request with status {0}")]
    Refused(u8),
    /// Something else was signed, or nothing, or by many.
    #[error("the answer holds no time stamp")]
    NoStamp,
    /// A stamp of other bytes.
    #[error("the time stamp is not of this checkpoint")]
    Imprint,
    /// The answer to another request.
    #[error("the time stamp answers another request: its nonce differs")]
    Nonce,
    /// `genTime` is no time.
    #[error("the time stamp says no time")]
    Time,
    /// The signed attributes speak of another content.
    #[error("the time stamp's content is not what was signed")]
    Digest,
    /// The signer's certificate is not in the token.
    #[error("the time stamp does not hold the certificate of who signed it")]
    NoCertificate,
    /// The signed attributes do not name the certificate.
    #[error("the time stamp's signature is not bound to its certificate")]
    Binding,
    /// A signature algorithm that is not checked here.
    #[error("the time stamp is signed with the algorithm {0}, which is not checked here")]
    Algorithm(ObjectIdentifier),
    /// Somebody changed the token.
    #[error("the signature of the time stamp is wrong")]
    Signature,
    /// Extended key usage is missing, not critical, or wider.
    #[error("the certificate that signed the time stamp is not for time stamps alone")]
    Usage,
    /// Outside of a certificate's validity.
    #[error("the certificate that signed the time stamp was not valid at the time that it says")]
    Validity,
    /// Another root.
    #[error("the time stamp does not lead to a trusted root")]
    Root,
    /// Any other fault of the chain.
    #[error("the certificates of the time stamp do not hold")]
    Chain(#[source] webpki::Error),
    /// The roots themselves.
    #[error("the file of trusted roots holds no usable certificate in PEM")]
    NoRoot,
}

impl StampError {
    /// One sentence that tells the reader what to do next.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Unreadable(_) | Self::NoStamp | Self::Time => {
                "check that the URL is that of an RFC 3161 authority; `openssl ts -reply -text -in FILE` shows what it sent"
            }
            Self::Refused(_) => "ask the authority whether it takes SHA-256 and requests from this address",
            Self::Imprint | Self::Nonce | Self::Digest | Self::Signature | Self::Binding => {
                "do not rely on this stamp; ask the authority, and whoever handed it over"
            }
            Self::NoCertificate => "use an authority that sends its certificate when it is asked to",
            Self::Algorithm(_) => "check it with `openssl ts -verify -data CHECKPOINT -in STAMP -CAfile ROOT`",
            Self::Usage | Self::Validity | Self::Chain(_) => "use another authority; this one's certificates are not in order",
            Self::Root => "compare the authority's root certificate with the given file; take it from the authority itself",
            Self::NoRoot => "give a file with the authority's root certificate in PEM",
        }
    }
}

/// How far a stamp was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checked {
    /// It speaks of this checkpoint. No root was given: who signed it, and whether anybody did, was NOT checked.
    Imprint,
    /// An authority under a given root signed it, with a certificate for time stamps that was valid then. Whether that
    /// certificate was revoked was not asked.
    Signature,
}

/// What a good answer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// When the authority says to have seen the checkpoint.
    pub at: OffsetDateTime,
    /// How far that was checked.
    pub checked: Checked,
}

/// A number that ties an answer to its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nonce([u8; 8]);

impl Nonce {
    /// A random one.
    pub fn generate() -> Self {
        let mut bytes: [u8; 8] = rand::random();
        // Positive, and with no byte to spare, as DER wants it.
        bytes[0] = bytes[0] & 0x7f | 0x40;
        Self(bytes)
    }
}

/// TSTInfo with `genTime` as it stands: many authorities give fractions of a second.
#[derive(Sequence)]
struct TstInfo {
    version: TspVersion,
    policy: ObjectIdentifier,
    imprint: MessageImprint,
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
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", optional = "true")]
    extensions: Option<Extensions>,
}

/// The TimeStampReq for a checkpoint's exact bytes; asks for the certificate too.
pub fn request(checkpoint: &[u8], nonce: &Nonce) -> Result<Vec<u8>, StampError> {
    let make = || {
        TimeStampReq {
            version: TspVersion::V1,
            message_imprint: MessageImprint {
                hash_algorithm: AlgorithmIdentifierOwned { oid: SHA_256, parameters: Some(Any::null()) },
                hashed_message: OctetString::new(Sha256::digest(checkpoint).as_slice())?,
            },
            req_policy: None,
            nonce: Some(Int::new(&nonce.0)?),
            cert_req: true,
            extensions: None,
        }
        .to_der()
    };
    make().map_err(StampError::Unreadable)
}

/// What a TimeStampResp says of a checkpoint's exact bytes.
///
/// Without `roots` only status, imprint and nonce are looked at, and the result says so. A stamp out of a pack has no
/// nonce to compare.
pub fn check(response: &[u8], checkpoint: &[u8], roots: Option<&Roots>, nonce: Option<&Nonce>) -> Result<Stamp, StampError> {
    let response = TimeStampResp::from_der(response).map_err(StampError::Unreadable)?;
    let status = response.status.status as u8;
    if status > 1 {
        return Err(StampError::Refused(status));
    }
    let token = Token::read(&response.time_stamp_token.ok_or(StampError::NoStamp)?)?;
    let info: TstInfo = read(&token.info)?;
    let imprint = &info.imprint;
    if imprint.hash_algorithm.oid != SHA_256 || imprint.hashed_message.as_bytes() != Sha256::digest(checkpoint).as_slice() {
        return Err(StampError::Imprint);
    }
    if nonce.is_some_and(|asked| info.nonce.as_ref().is_none_or(|answered| answered.as_bytes() != asked.0)) {
        return Err(StampError::Nonce);
    }
    // A critical extension changes the meaning in a way that nobody here knows.
    if info.extensions.iter().flatten().any(|extension| extension.critical) {
        return Err(StampError::NoStamp);
    }
    let at = time_of(&info.time).ok_or(StampError::Time)?;
    let Some(roots) = roots else { return Ok(Stamp { at, checked: Checked::Imprint }) };
    token.verify(roots, u64::try_from(at.unix_timestamp()).map_err(|_| StampError::Time)?)?;
    Ok(Stamp { at, checked: Checked::Signature })
}

/// GeneralizedTime of RFC 3161: to the second, with a fraction where the authority gives one, always UTC.
fn time_of(any: &Any) -> Option<OffsetDateTime> {
    let text = std::str::from_utf8(any.value()).ok().filter(|_| any.tag() == Tag::GeneralizedTime)?.strip_suffix('Z')?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    if fraction.is_empty() || fraction.len() > 9 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let format = format_description!("[year][month][day][hour][minute][second]");
    let at = PrimitiveDateTime::parse(whole, format).ok()?.assume_utc();
    at.replace_nanosecond(format!("{fraction:0<9}").parse().ok()?).ok()
}
