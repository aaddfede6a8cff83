//! The signed part of a time stamp (CMS, RFC 5652): read leniently in what real authorities do, judged strictly.
//!
//! Sets are sorted while they are read, as many authorities do not sort them; every element keeps its own bytes, so
//! that hashes and signatures are over what was sent.

use super::authority::{Certificate, Roots};
use super::stamp::StampError;
use cms::content_info::{CmsVersion, ContentInfo};
use cms::signed_data::{EncapsulatedContentInfo, SignerIdentifier};
use der::asn1::{OctetString, SetOfVec};
use der::oid::ObjectIdentifier;
use der::{Any, Decode, Encode, Sequence, ValueOrd};
use ring::digest;
use x509_cert::spki::AlgorithmIdentifierOwned;

const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
/// id-ct-TSTInfo.
const TST_INFO: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.1.4");
const CONTENT_TYPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.3");
const MESSAGE_DIGEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.4");
const SIGNING_CERTIFICATE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.12");
const SIGNING_CERTIFICATE_V2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.47");
const SHA_256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
const SHA_384: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2");
const SHA_512: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.3");

#[derive(Sequence)]
struct SignedData {
    version: CmsVersion,
    digest_algorithms: SetOfVec<Any>,
    content: EncapsulatedContentInfo,
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT", constructed = "true", optional = "true")]
    certificates: Option<SetOfVec<Any>>,
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", constructed = "true", optional = "true")]
    revocations: Option<SetOfVec<Any>>,
    signers: SetOfVec<SignerInfo>,
}

#[derive(Clone, Sequence, ValueOrd)]
struct SignerInfo {
    version: CmsVersion,
    signer: SignerIdentifier,
    digest: AlgorithmIdentifierOwned,
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT", constructed = "true", optional = "true")]
    signed: Option<SetOfVec<Any>>,
    algorithm: AlgorithmIdentifierOwned,
    signature: OctetString,
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", constructed = "true", optional = "true")]
    unsigned: Option<SetOfVec<Any>>,
}

#[derive(Sequence)]
struct Attribute {
    kind: ObjectIdentifier,
    values: SetOfVec<Any>,
}

/// SigningCertificate of RFC 2634 and its successor of RFC 5035: the certificates' hashes, the signer's first.
#[derive(Sequence)]
struct SigningCertificate {
    certificates: Vec<Any>,
    #[asn1(optional = "true")]
    policies: Option<Any>,
}

#[derive(Sequence)]
struct CertificateHash {
    hash: OctetString,
    #[asn1(optional = "true")]
    issuer: Option<Any>,
}

#[derive(Sequence)]
struct CertificateHashV2 {
    #[asn1(optional = "true")]
    algorithm: Option<AlgorithmIdentifierOwned>,
    hash: OctetString,
    #[asn1(optional = "true")]
    issuer: Option<Any>,
}

/// A token whose signature nobody has looked at yet.
pub(super) struct Token {
    /// The TSTInfo, as signed.
    pub(super) info: Vec<u8>,
    certificates: Vec<Vec<u8>>,
    signer: SignerInfo,
}

impl Token {
    /// Reads the token's frame: one signer, one TSTInfo.
    pub(super) fn read(token: &ContentInfo) -> Result<Self, StampError> {
        if token.content_type != SIGNED_DATA {
            return Err(StampError::NoStamp);
        }
        let data: SignedData = token.content.decode_as().map_err(StampError::Unreadable)?;
        let content = data.content.econtent.filter(|_| data.content.econtent_type == TST_INFO).ok_or(StampError::NoStamp)?;
        let info: OctetString = content.decode_as().map_err(StampError::Unreadable)?;
        // RFC 3161 allows exactly one.
        let [signer] = data.signers.as_slice() else { return Err(StampError::NoStamp) };
        let certificates = data.certificates.iter().flat_map(SetOfVec::iter).map(Encode::to_der);
        Ok(Self {
            info: info.as_bytes().to_vec(),
            certificates: certificates.collect::<Result<_, _>>().map_err(StampError::Unreadable)?,
            signer: signer.clone(),
        })
    }

    /// Checks that an authority under one of `roots` has signed the token, with a certificate that was valid at
    /// `at_seconds` since 1970 and made for nothing but time stamps.
    pub(super) fn verify(&self, roots: &Roots, at_seconds: u64) -> Result<(), StampError> {
        let attributes = self.attributes()?;
        let kind = only::<ObjectIdentifier>(&attributes, CONTENT_TYPE)?;
        if kind != Some(TST_INFO) {
            return Err(StampError::NoStamp);
        }
        let digest = only::<OctetString>(&attributes, MESSAGE_DIGEST)?;
        if digest.is_none_or(|digest| !is_hash(&self.signer.digest.oid, &self.info, digest.as_bytes())) {
            return Err(StampError::Digest);
        }
        let certificate = self.certificate()?;
        if !is_bound(&attributes, certificate.bytes())? {
            return Err(StampError::Binding);
        }
        certificate.demand_usage()?;
        let signed = self.signer.signed.as_ref().map(Encode::to_der).transpose().map_err(StampError::Unreadable)?;
        let algorithms = (self.signer.algorithm.oid, self.signer.digest.oid);
        certificate.verify_signature(algorithms, &signed.unwrap_or_default(), self.signer.signature.as_bytes())?;
        let others: Vec<&[u8]> = self.certificates.iter().map(Vec::as_slice).filter(|c| *c != certificate.bytes()).collect();
        certificate.verify_chain(&others, roots, at_seconds)
    }

    fn attributes(&self) -> Result<Vec<Attribute>, StampError> {
        let all = self.signer.signed.iter().flat_map(SetOfVec::iter);
        all.map(|any| any.decode_as().map_err(StampError::Unreadable)).collect()
    }

    /// The certificate that the signer names; others may be unreadable without harm.
    fn certificate(&self) -> Result<Certificate<'_>, StampError> {
        let found =
            self.certificates.iter().filter_map(|der| Certificate::read(der)).find(|c| c.is_named_by(&self.signer.signer));
        found.ok_or(StampError::NoCertificate)
    }
}

/// The only value of the only attribute of this kind; `None` where there is none, an error where there are more.
fn only<'a, T>(attributes: &'a [Attribute], kind: ObjectIdentifier) -> Result<Option<T>, StampError>
where
    T: der::Choice<'a> + der::DecodeValue<'a>,
{
    let mut of_kind = attributes.iter().filter(|attribute| attribute.kind == kind);
    match (of_kind.next().map(|attribute| attribute.values.as_slice()), of_kind.next()) {
        (None, _) => Ok(None),
        (Some([value]), None) => value.decode_as().map(Some).map_err(StampError::Unreadable),
        _ => Err(StampError::NoStamp),
    }
}

/// Whether the signed attributes name this certificate by its hash, so that no other of the same key can take its place.
fn is_bound(attributes: &[Attribute], certificate: &[u8]) -> Result<bool, StampError> {
    if let Some(named) = only::<SigningCertificate>(attributes, SIGNING_CERTIFICATE_V2)? {
        let Some(first) = named.certificates.first() else { return Ok(false) };
        let first: CertificateHashV2 = first.decode_as().map_err(StampError::Unreadable)?;
        let algorithm = first.algorithm.map_or(SHA_256, |algorithm| algorithm.oid);
        return Ok(is_hash(&algorithm, certificate, first.hash.as_bytes()));
    }
    // Older authorities name it by SHA-1: a second certificate for a given hash is still out of reach.
    let Some(named) = only::<SigningCertificate>(attributes, SIGNING_CERTIFICATE)? else { return Ok(false) };
    let Some(first) = named.certificates.first() else { return Ok(false) };
    let first: CertificateHash = first.decode_as().map_err(StampError::Unreadable)?;
    Ok(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, certificate).as_ref() == first.hash.as_bytes())
}

fn is_hash(algorithm: &ObjectIdentifier, bytes: &[u8], hash: &[u8]) -> bool {
    let algorithm = match *algorithm {
        SHA_256 => &digest::SHA256,
        SHA_384 => &digest::SHA384,
        SHA_512 => &digest::SHA512,
        _ => return false,
    };
    digest::digest(algorithm, bytes).as_ref() == hash
}

/// Reads a TSTInfo or fails like the rest of the token.
pub(super) fn read<'a, T: Decode<'a>>(bytes: &'a [u8]) -> Result<T, StampError> {
    T::from_der(bytes).map_err(StampError::Unreadable)
}
