//! A witness of our own making, from its specification alone: it keeps the newest size and root of a log in a file,
//! and cosigns only what continues it.

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use tlog_tiles::{Hash, check_tree};

pub const NAME: &str = "witness.test/one";

pub struct TestWitness {
    pub url: String,
    memory: Arc<Memory>,
}

struct Memory {
    origin: String,
    log_key: [u8; 32],
    signer: SigningKey,
    /// `size` and root, persisted before anything is answered.
    file: PathBuf,
    asked: Mutex<Vec<u64>>,
}

impl TestWitness {
    /// Serves a witness of one log; `signer` is the seed that it signs with.
    pub async fn start(origin: &str, log_key: [u8; 32], signer: [u8; 32], file: PathBuf) -> Self {
        let signer = SigningKey::from_bytes(&signer);
        let memory = Memory { origin: origin.to_owned(), log_key, signer, file, asked: Mutex::default() };
        let memory = Arc::new(memory);
        let app = Router::new().route("/w/add-checkpoint", post(add)).with_state(memory.clone());
        let url = format!("{}/w", super::serve(app).await);
        Self { url, memory }
    }

    /// The old sizes of all requests.
    pub fn asked(&self) -> Vec<u64> {
        self.memory.asked.lock().unwrap().clone()
    }

    /// What it has seen.
    pub fn seen(&self) -> (u64, [u8; 32]) {
        self.memory.seen()
    }

    pub fn remember(&self, size: u64, root: [u8; 32]) {
        self.memory.remember(size, root);
    }
}

/// The vkey of the witness with this seed.
pub fn vkey(seed: [u8; 32]) -> String {
    let key = SigningKey::from_bytes(&seed).verifying_key().to_bytes();
    let typed = [[4].as_slice(), &key].concat();
    format!("{NAME}+{}+{}", hex::encode(key_id(&key)), BASE64_STANDARD.encode(typed))
}

fn key_id(key: &[u8; 32]) -> [u8; 4] {
    let hash = Sha256::new().chain_update(NAME).chain_update([b'\n', 4]).chain_update(key).finalize();
    hash[..4].try_into().unwrap()
}

impl Memory {
    fn seen(&self) -> (u64, [u8; 32]) {
        let Ok(text) = std::fs::read_to_string(&self.file) else { return (0, Sha256::digest([]).into()) };
        let (size, root) = text.split_once(' ').unwrap();
        (size.parse().unwrap(), hex::decode(root).unwrap().try_into().unwrap())
    }

    fn remember(&self, size: u64, root: [u8; 32]) {
        std::fs::write(&self.file, format!("{size} {}", hex::encode(root))).unwrap();
    }
}

async fn add(State(memory): State<Arc<Memory>>, body: String) -> Response {
    let (head, checkpoint) = body.split_once("\n\n").unwrap();
    let mut lines = head.lines();
    let old: u64 = lines.next().unwrap().strip_prefix("old ").unwrap().parse().unwrap();
    let proof: Vec<Hash> = lines.map(|line| Hash(BASE64_STANDARD.decode(line).unwrap().try_into().unwrap())).collect();
    memory.asked.lock().unwrap().push(old);

    let (text, signature) = checkpoint.split_once("\n\n").unwrap();
    let text = format!("{text}\n");
    let mut parts = text.lines();
    if parts.next() != Some(&memory.origin) {
        return StatusCode::NOT_FOUND.into_response();
    }
    let line = BASE64_STANDARD.decode(signature.trim_end().rsplit_once(' ').unwrap().1).unwrap();
    let key = VerifyingKey::from_bytes(&memory.log_key).unwrap();
    if key.verify_strict(text.as_bytes(), &Signature::from_slice(&line[4..]).unwrap()).is_err() {
        return StatusCode::FORBIDDEN.into_response();
    }
    let size: u64 = parts.next().unwrap().parse().unwrap();
    let root: [u8; 32] = BASE64_STANDARD.decode(parts.next().unwrap()).unwrap().try_into().unwrap();
    let (seen, seen_root) = memory.seen();
    if old != seen {
        return (StatusCode::CONFLICT, [(header::CONTENT_TYPE, "text/x.tlog.size")], format!("{seen}\n")).into_response();
    }
    let continues = match old {
        0 => proof.is_empty(),
        _ if old == size => proof.is_empty() && root == seen_root,
        _ => check_tree(&proof, size, Hash(root), old, Hash(seen_root)).is_ok(),
    };
    if !continues {
        return StatusCode::UNPROCESSABLE_ENTITY.into_response();
    }
    memory.remember(size, root);
    let at = 1_800_000_000_u64;
    let signature = memory.signer.sign(format!("cosignature/v1\ntime {at}\n{text}").as_bytes()).to_bytes();
    // A witness with another key under the same name and number: what a thief would send.
    let claimed = SigningKey::from_bytes(&super::WITNESS_SEED).verifying_key().to_bytes();
    let line = [key_id(&claimed).as_slice(), &at.to_be_bytes(), &signature].concat();
    format!("— {NAME} {}\n", BASE64_STANDARD.encode(line)).into_response()
}
