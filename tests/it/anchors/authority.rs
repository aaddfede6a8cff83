//! A time-stamping authority of openssl's: other people's software answers what ours asks.

use crate::support::missing;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// Key of the authority's certificate, in openssl's words.
pub const P_256: [&str; 3] = ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
pub const P_384: [&str; 3] = ["ec", "-pkeyopt", "ec_paramgen_curve:P-384"];
pub const RSA: [&str; 3] = ["rsa:2048", "-pkeyopt", "rsa_keygen_pubexp:65537"];

const FOR_STAMPS: &str = "extendedKeyUsage=critical,timeStamping";

/// A root and an authority under it, in a folder of their own.
pub struct Authority {
    folder: TempDir,
}

/// Whether the openssl program is there; says loudly where it is not.
pub fn has_openssl() -> bool {
    let has = Command::new("openssl").arg("version").output().is_ok_and(|out| out.status.success());
    if !has {
        missing("there is no `openssl` here, so no time stamp was checked");
    }
    has
}

impl Authority {
    /// An authority in good order.
    pub fn new(key: [&str; 3]) -> Self {
        let authority = Self { folder: tempfile::tempdir().unwrap() };
        authority.make_root("root");
        authority.certify("tsa", key, FOR_STAMPS, "20200101000000Z", "20600101000000Z");
        authority.configure("sha256", "");
        authority
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    fn run(&self, arguments: &[&str]) {
        let out = Command::new("openssl").args(arguments).current_dir(self.folder.path()).output().unwrap();
        assert!(out.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&out.stderr));
    }

    /// A self-signed root `<name>.pem`.
    pub fn make_root(&self, name: &str) {
        let (key, pem) = (format!("{name}.key"), format!("{name}.pem"));
        let mut arguments = vec!["req", "-x509", "-nodes", "-days", "3650", "-subj", "/CN=A root for tests", "-newkey"];
        arguments.extend(P_256);
        arguments.extend(["-keyout", &key, "-out", &pem, "-addext", "keyUsage=critical,keyCertSign"]);
        self.run(&arguments);
    }

    /// A certificate `<name>.pem` under the root, with these extensions and this validity.
    pub fn certify(&self, name: &str, key: [&str; 3], extensions: &str, from: &str, until: &str) {
        std::fs::write(self.path("index"), "").unwrap();
        let ca = "[ca]\ndefault_ca = d\n[d]\ndatabase = index\nnew_certs_dir = .\nrand_serial = yes\ndefault_md = sha256\npolicy = p\n\
                  certificate = root.pem\nprivate_key = root.key\n[p]\ncommonName = supplied\n";
        std::fs::write(self.path("ca.cnf"), ca).unwrap();
        std::fs::write(self.path("extensions"), extensions).unwrap();
        let (key_file, request, pem) = (format!("{name}.key"), format!("{name}.csr"), format!("{name}.pem"));
        let mut arguments = vec!["req", "-nodes", "-subj", "/CN=An authority for tests", "-newkey"];
        arguments.extend(key);
        arguments.extend(["-keyout", &key_file, "-out", &request]);
        self.run(&arguments);
        self.run(&[
            "ca",
            "-batch",
            "-config",
            "ca.cnf",
            "-in",
            &request,
            "-out",
            &pem,
            "-notext",
            "-extfile",
            "extensions",
            "-startdate",
            from,
            "-enddate",
            until,
        ]);
    }

    /// Which digests it takes, and further lines of its configuration.
    pub fn configure(&self, digests: &str, more: &str) {
        let text = format!(
            "[t]\nserial = serial\nsigner_cert = tsa.pem\nsigner_key = tsa.key\nsigner_digest = sha256\ndefault_policy = 1.2.3.4.1\n\
             digests = {digests}\nordering = no\ntsa_name = no\ness_cert_id_alg = sha256\n{more}\n"
        );
        std::fs::write(self.path("tsa.cnf"), text).unwrap();
    }

    /// Its answer to a query.
    pub fn answer(&self, query: &[u8]) -> Vec<u8> {
        std::fs::write(self.path("query.tsq"), query).unwrap();
        self.run(&["ts", "-reply", "-queryfile", "query.tsq", "-config", "tsa.cnf", "-section", "t", "-out", "answer.tsr"]);
        self.read("answer.tsr")
    }

    /// The content of a good answer, signed anew by another certificate; `more` are flags for `openssl cms`.
    pub fn signed_by(&self, name: &str, answer: &[u8], more: &[&str]) -> Vec<u8> {
        std::fs::write(self.path("good.tsr"), answer).unwrap();
        self.run(&["ts", "-reply", "-in", "good.tsr", "-token_out", "-out", "good.token"]);
        self.run(&["cms", "-verify", "-noverify", "-inform", "DER", "-in", "good.token", "-binary", "-out", "info"]);
        let (pem, key) = (format!("{name}.pem"), format!("{name}.key"));
        let mut arguments = vec!["cms", "-sign", "-binary", "-nodetach", "-outform", "DER", "-md", "sha256", "-in", "info"];
        arguments.extend(["-econtent_type", "1.2.840.113549.1.9.16.1.4", "-signer", &pem, "-inkey", &key, "-out", "token"]);
        arguments.extend(more);
        self.run(&arguments);
        granted(&self.read("token"))
    }

    /// Whether openssl itself believes an answer.
    pub fn openssl_believes(&self, answer: &[u8], data: &[u8], root: &Path) -> bool {
        std::fs::write(self.path("stored.tsr"), answer).unwrap();
        std::fs::write(self.path("stored"), data).unwrap();
        let verify = ["ts", "-verify", "-data", "stored", "-in", "stored.tsr", "-CAfile"];
        let out = Command::new("openssl").args(verify).arg(root).current_dir(self.folder.path()).output().unwrap();
        out.status.success()
    }
}

/// A TimeStampResp with status `granted` around a token.
fn granted(token: &[u8]) -> Vec<u8> {
    let content = [&[0x30, 3, 2, 1, 0], token].concat();
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    [&[0x30, 0x82], length.as_slice(), &content].concat()
}

/// The bytes of a certificate in PEM.
pub fn der(pem: &[u8]) -> Vec<u8> {
    use rustls::pki_types::pem::PemObject;
    rustls::pki_types::CertificateDer::from_pem_slice(pem).unwrap().to_vec()
}
