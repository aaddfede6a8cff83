//! The way from a drawn person's newest leaf to a checkpoint that was signed, to be walked by hand.

use super::Step;
use crate::report::ReportError;
use crate::store::Store;
use crate::store::log::{Published, u64_of};
use crate::store::proof::Proofs;
use duly_ledger::to_hex;
use std::collections::BTreeMap;

/// The person's newest leaf on its way to a signed checkpoint. It names the leaf before it by its hash, and so on down to
/// the first: whoever checks this one has checked them all.
#[derive(Debug, Clone, serde::Serialize)]
pub struct LeafProof {
    /// Generation of the log.
    pub generation: i32,
    /// Index of the leaf.
    pub leaf: u64,
    /// The leaf as stored; its hash is SHA-256 of a zero byte and these.
    pub bytes: String,
    /// Hashes to join it with, the leaf's sibling first.
    pub path: Vec<Sibling>,
    /// Leaves under the checkpoint that it leads to.
    pub size: u64,
}

/// One hash of a path.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Sibling {
    /// `left`: SHA-256(0x01 ‖ this ‖ so far); `right`: SHA-256(0x01 ‖ so far ‖ this).
    pub side: &'static str,
    /// Hex.
    pub hash: String,
}

/// A signed checkpoint that proofs of the sample lead to.
#[derive(Debug, Clone, serde::Serialize)]
pub struct SignedAt {
    /// Generation of the log.
    pub generation: i32,
    /// Leaves.
    pub size: u64,
    /// The signed note: origin, size, root in base64, signature.
    pub note: String,
}

/// Makes the proofs of a sample: for each generation that was read, to the smallest checkpoint over all that was read.
pub(super) struct Provers<'a> {
    of: BTreeMap<i32, (SignedAt, Proofs<'a>)>,
}

impl<'a> Provers<'a> {
    /// `read`: how many leaves of each generation belong to the moment.
    pub async fn new(store: &'a Store, generations: &[Published], read: &BTreeMap<i32, u64>) -> Result<Self, ReportError> {
        let mut of = BTreeMap::new();
        for log in generations {
            let Some(leaves) = read.get(&log.generation) else { continue };
            let signed = store.find_checkpoint(log.log_no, log.generation, *leaves).await?;
            let signed =
                signed.ok_or_else(|| ReportError::Missing { what: format!("a checkpoint of the log `{}`", log.origin) })?;
            let size = u64_of(signed.size);
            let proofs = Proofs::new(store, log.log_no, log.generation, size);
            of.insert(log.generation, (SignedAt { generation: log.generation, size, note: signed.note }, proofs));
        }
        Ok(Self { of })
    }

    /// The proof of a person's newest step.
    pub async fn prove(&mut self, step: Option<&Step>, bytes: &[u8]) -> Result<Option<LeafProof>, ReportError> {
        let Some((step, (signed, proofs))) = step.and_then(|step| Some((step, self.of.get_mut(&step.generation)?))) else {
            return Ok(None);
        };
        let path = proofs.inclusion(step.leaf).await?;
        let sides = sides(step.leaf, signed.size);
        let path = sides.zip(&path).map(|(side, hash)| Sibling { side, hash: to_hex(hash) }).collect();
        let bytes = String::from_utf8_lossy(bytes).into_owned();
        Ok(Some(LeafProof { generation: step.generation, leaf: step.leaf, bytes, path, size: signed.size }))
    }

    /// The checkpoints that the proofs lead to.
    pub fn signed(self) -> Vec<SignedAt> {
        self.of.into_values().map(|(signed, _)| signed).collect()
    }
}

/// On which side each hash of a path stands (RFC 9162, 2.1.3.2).
fn sides(index: u64, size: u64) -> impl Iterator<Item = &'static str> {
    let (mut at, mut last) = (index, size.saturating_sub(1));
    std::iter::from_fn(move || {
        let is_left = at & 1 == 1 || at == last;
        while is_left && at & 1 == 0 && at != 0 {
            (at, last) = (at >> 1, last >> 1);
        }
        (at, last) = (at >> 1, last >> 1);
        Some(if is_left { "left" } else { "right" })
    })
}
