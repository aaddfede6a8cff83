//! A time-stamping authority's certificate: what it was made for, what it signed, and who vouches for it.

use super::stamp::StampError;
use cms::signed_data::SignerIdentifier;
use der::Decode;
use der::oid::{AssociatedOid, ObjectIdentifier};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, SignatureVerificationAlgorithm, TrustAnchor, UnixTime};
use std::time::Duration;
use webpki::{EndEntityCert, KeyUsage, ring as algorithms};
use x509_cert::ext::pkix::{ExtendedKeyUsage, SubjectKeyIdentifier};

/// id-kp-timeStamping.
const TIME_STAMPING: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.8");
/// The same as DER without tag and length, as the chain's verifier takes it.
const TIME_STAMPING_BYTES: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 8];

const SHA_256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
const SHA_384: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2");
const SHA_512: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.3");
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const RSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");
const RSA_SHA_256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11");
const RSA_SHA_384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.12");
const RSA_SHA_512: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.13");
const ECDSA_SHA_256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
const ECDSA_SHA_384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3");

type Algorithm = &'static dyn SignatureVerificationAlgorithm;

/// What certificates may be signed with.
static CHAIN: &[Algorithm] = &[
    algorithms::ECDSA_P256_SHA256,
    algorithms::ECDSA_P256_SHA384,
    algorithms::ECDSA_P384_SHA256,
    algorithms::ECDSA_P384_SHA384,
    algorithms::ED25519,
    algorithms::RSA_PKCS1_2048_8192_SHA256,
    algorithms::RSA_PKCS1_2048_8192_SHA384,
    algorithms::RSA_PKCS1_2048_8192_SHA512,
    algorithms::RSA_PSS_2048_8192_SHA256_LEGACY_KEY,
    algorithms::RSA_PSS_2048_8192_SHA384_LEGACY_KEY,
    algorithms::RSA_PSS_2048_8192_SHA512_LEGACY_KEY,
];

/// Which algorithms a token's signature may mean, for the key kinds that use them.
fn meant((signature, digest): (ObjectIdentifier, ObjectIdentifier)) -> Vec<Algorithm> {
    match (signature, digest) {
        (ECDSA_SHA_256, _) => vec![algorithms::ECDSA_P256_SHA256, algorithms::ECDSA_P384_SHA256],
        (ECDSA_SHA_384, _) => vec![algorithms::ECDSA_P256_SHA384, algorithms::ECDSA_P384_SHA384],
        (RSA_SHA_256, _) | (RSA, SHA_256) => vec![algorithms::RSA_PKCS1_2048_8192_SHA256],
        (RSA_SHA_384, _) | (RSA, SHA_384) => vec![algorithms::RSA_PKCS1_2048_8192_SHA384],
        (RSA_SHA_512, _) | (RSA, SHA_512) => vec![algorithms::RSA_PKCS1_2048_8192_SHA512],
        (RSA_PSS, SHA_256) => vec![algorithms::RSA_PSS_2048_8192_SHA256_LEGACY_KEY],
        (RSA_PSS, SHA_384) => vec![algorithms::RSA_PSS_2048_8192_SHA384_LEGACY_KEY],
        (RSA_PSS, SHA_512) => vec![algorithms::RSA_PSS_2048_8192_SHA512_LEGACY_KEY],
        _ => vec![],
    }
}

/// The certificates that are trusted to vouch for authorities; obtained elsewhere than from a token.
#[derive(Debug, Clone)]
pub struct Roots(Vec<TrustAnchor<'static>>);

impl Roots {
    /// Reads one or more certificates in PEM.
    pub fn from_pem(pem: &[u8]) -> Result<Self, StampError> {
        let mut anchors = Vec::new();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|_| StampError::NoRoot)?;
            anchors.push(webpki::anchor_from_trusted_cert(&certificate).map_err(|_| StampError::NoRoot)?.to_owned());
        }
        if anchors.is_empty() { Err(StampError::NoRoot) } else { Ok(Self(anchors)) }
    }
}

/// The certificate of who signed a token.
pub(super) struct Certificate<'a> {
    der: CertificateDer<'a>,
    read: x509_cert::Certificate,
}

impl<'a> Certificate<'a> {
    /// Reads it; `None` where it is none.
    pub(super) fn read(der: &'a [u8]) -> Option<Self> {
        Some(Self { read: x509_cert::Certificate::from_der(der).ok()?, der: CertificateDer::from(der) })
    }

    /// Its bytes.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.der
    }

    /// Whether a signer's name means this certificate.
    pub(super) fn is_named_by(&self, signer: &SignerIdentifier) -> bool {
        let certificate = &self.read.tbs_certificate;
        match signer {
            SignerIdentifier::IssuerAndSerialNumber(name) => {
                name.issuer == certificate.issuer && name.serial_number == certificate.serial_number
            }
            SignerIdentifier::SubjectKeyIdentifier(id) => {
                certificate.get::<SubjectKeyIdentifier>().is_ok_and(|own| own.is_some_and(|(_, own)| own == *id))
            }
        }
    }

    /// RFC 3161 2.3: the extended key usage is critical and names time stamping alone.
    pub(super) fn demand_usage(&self) -> Result<(), StampError> {
        let mut extensions = self.read.tbs_certificate.extensions.iter().flatten();
        let usage = extensions.find(|extension| extension.extn_id == ExtendedKeyUsage::OID).ok_or(StampError::Usage)?;
        let purposes = ExtendedKeyUsage::from_der(usage.extn_value.as_bytes()).map_err(StampError::Unreadable)?;
        if usage.critical && purposes.0 == [TIME_STAMPING] { Ok(()) } else { Err(StampError::Usage) }
    }

    /// Checks what its key has signed; `algorithms` are those of the signature and of the digest.
    pub(super) fn verify_signature(
        &self,
        algorithms: (ObjectIdentifier, ObjectIdentifier),
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), StampError> {
        let meant = meant(algorithms);
        if meant.is_empty() {
            return Err(StampError::Algorithm(algorithms.0));
        }
        let key = EndEntityCert::try_from(&self.der).map_err(StampError::Chain)?;
        let holds = meant.iter().any(|algorithm| key.verify_signature(*algorithm, message, signature).is_ok());
        if holds { Ok(()) } else { Err(StampError::Signature) }
    }

    /// Checks that it leads to one of the roots through the other certificates, all valid at the time.
    pub(super) fn verify_chain(&self, others: &[&[u8]], roots: &Roots, at_seconds: u64) -> Result<(), StampError> {
        let own = EndEntityCert::try_from(&self.der).map_err(StampError::Chain)?;
        let others: Vec<CertificateDer<'_>> = others.iter().map(|der| CertificateDer::from(*der)).collect();
        let at = UnixTime::since_unix_epoch(Duration::from_secs(at_seconds));
        let usage = KeyUsage::required(TIME_STAMPING_BYTES);
        match own.verify_for_usage(CHAIN, &roots.0, &others, at, usage, None, None) {
            Ok(_) => Ok(()),
            Err(webpki::Error::UnknownIssuer) => Err(StampError::Root),
            Err(webpki::Error::CertExpired { .. } | webpki::Error::CertNotValidYet { .. }) => Err(StampError::Validity),
            Err(error) => Err(StampError::Chain(error)),
        }
    }
}
