//! Proofs of inclusion and consistency: made from tiles, checked as RFC 9162 says, written as C2SP tlog-proof files.

use crate::hash::node_hash;
use crate::tile::{HASH_BYTES, Layer, TILE_WIDTH, Tile, tile_at};
use crate::tree::{perfect_root, split_hashes};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};
use std::collections::HashMap;

/// Why a proof could not be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProveError<E> {
    /// The reader failed.
    #[error(transparent)]
    Read(E),
    /// A tile has not the length that the size demands.
    #[error("{tile} has {found} bytes instead of {} times 32", tile.width())]
    Length {
        /// Tile.
        tile: Tile,
        /// Bytes there.
        found: usize,
    },
    /// The tree has no such leaf, or was never that small.
    #[error("{wanted} lies outside of a tree of {size} leaves")]
    OutOfRange {
        /// Index or older size.
        wanted: u64,
        /// Leaves.
        size: u64,
    },
}

/// Makes proofs for one tree; reads only the tiles that they need, each once.
pub struct Prover<F> {
    size: u64,
    read: F,
    tiles: HashMap<(u8, u64), Vec<[u8; 32]>>,
}

impl<E, F: FnMut(Tile) -> Result<Vec<u8>, E>> Prover<F> {
    /// For the tree of `size` leaves; `read` gives the bytes of a tile of hashes as it stands at that size.
    pub fn new(size: u64, read: F) -> Self {
        Self { size, read, tiles: HashMap::new() }
    }

    /// The path of leaf `index` to the root, the leaf's sibling first.
    pub fn inclusion(&mut self, index: u64) -> Result<Vec<[u8; 32]>, ProveError<E>> {
        self.demand(index < self.size, index)?;
        let (mut lo, mut hi, mut path) = (0, self.size, Vec::new());
        while hi - lo > 1 {
            let middle = lo + split(hi - lo);
            if index < middle {
                path.push(self.range(middle, hi)?);
                hi = middle;
            } else {
                path.push(self.range(lo, middle)?);
                lo = middle;
            }
        }
        path.reverse();
        Ok(path)
    }

    /// That the first `old` leaves were the whole tree once; empty where nothing or everything is old.
    pub fn consistency(&mut self, old: u64) -> Result<Vec<[u8; 32]>, ProveError<E>> {
        self.demand(old <= self.size, old)?;
        let (mut lo, mut hi, mut path) = (0, self.size, Vec::new());
        while old > 0 && old < hi {
            let middle = lo + split(hi - lo);
            if old <= middle {
                path.push(self.range(middle, hi)?);
                hi = middle;
            } else {
                path.push(self.range(lo, middle)?);
                lo = middle;
            }
        }
        // Where the old tree is a subtree on the left, its root is what the verifier has.
        if lo > 0 {
            path.push(self.range(lo, hi)?);
        }
        path.reverse();
        Ok(path)
    }

    /// The root of the tree.
    pub fn root(&mut self) -> Result<[u8; 32], ProveError<E>> {
        if self.size == 0 { Ok(Sha256::digest([]).into()) } else { self.range(0, self.size) }
    }

    fn demand(&self, holds: bool, wanted: u64) -> Result<(), ProveError<E>> {
        if holds { Ok(()) } else { Err(ProveError::OutOfRange { wanted, size: self.size }) }
    }

    /// Root of the leaves from `lo` to `hi`, where `lo` is one that RFC 6962 splits at.
    fn range(&mut self, lo: u64, hi: u64) -> Result<[u8; 32], ProveError<E>> {
        let (mut at, mut subtrees) = (lo, Vec::new());
        while at < hi {
            let height = (hi - at).ilog2();
            subtrees.push(self.subtree(height, at >> height)?);
            at += 1 << height;
        }
        let last = subtrees.pop().unwrap_or([0; 32]);
        Ok(subtrees.iter().rev().fold(last, |right, left| node_hash(left, &right)))
    }

    /// Root of perfect subtree `number` among those of 2^height leaves.
    fn subtree(&mut self, height: u32, number: u64) -> Result<[u8; 32], ProveError<E>> {
        let len = 1usize << (height % 8);
        let first = number << (height % 8);
        let level = u8::try_from(height / 8).unwrap_or(u8::MAX);
        let tile = first / u64::from(TILE_WIDTH);
        let start = usize::try_from(first % u64::from(TILE_WIDTH)).unwrap_or(usize::MAX);
        let hashes = self.tile(level, tile)?;
        Ok(perfect_root(hashes.get(start..start + len).unwrap_or_default()))
    }

    fn tile(&mut self, level: u8, number: u64) -> Result<&[[u8; 32]], ProveError<E>> {
        let out_of_range = ProveError::OutOfRange { wanted: number, size: self.size };
        let tile = tile_at(Layer::Hashes(level), number, self.size).ok_or(out_of_range)?;
        match self.tiles.entry((level, number)) {
            std::collections::hash_map::Entry::Occupied(known) => Ok(known.into_mut()),
            std::collections::hash_map::Entry::Vacant(empty) => {
                let bytes = (self.read)(tile).map_err(ProveError::Read)?;
                if bytes.len() != usize::from(tile.width()) * HASH_BYTES {
                    return Err(ProveError::Length { tile, found: bytes.len() });
                }
                Ok(empty.insert(split_hashes(&bytes)))
            }
        }
    }
}

/// The largest power of two below `n`, for n > 1.
fn split(n: u64) -> u64 {
    1 << (n - 1).ilog2()
}

/// Whether `path` leads from this leaf at `index` to this root of `size` leaves (RFC 9162, 2.1.3.2).
pub fn verify_inclusion(leaf: &[u8; 32], index: u64, size: u64, path: &[[u8; 32]], root: &[u8; 32]) -> bool {
    if index >= size {
        return false;
    }
    let (mut at, mut last, mut node) = (index, size - 1, *leaf);
    for hash in path {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            node = node_hash(hash, &node);
            while at & 1 == 0 && at != 0 {
                (at, last) = (at >> 1, last >> 1);
            }
        } else {
            node = node_hash(&node, hash);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    last == 0 && node == *root
}

/// Whether the tree of `old_size` leaves is the beginning of the one of `size` (RFC 9162, 2.1.4.2).
///
/// An empty old tree is the beginning of any tree, if its root is that of the empty tree.
pub fn verify_consistency(old_size: u64, old_root: &[u8; 32], size: u64, root: &[u8; 32], path: &[[u8; 32]]) -> bool {
    if old_size == 0 {
        return path.is_empty() && *old_root == <[u8; 32]>::from(Sha256::digest([]));
    }
    if old_size >= size {
        return old_size == size && path.is_empty() && old_root == root;
    }
    let own = old_size.is_power_of_two().then_some(*old_root);
    let mut hashes = own.into_iter().chain(path.iter().copied());
    let Some(first) = hashes.next() else { return false };
    let shift = (old_size - 1).trailing_ones();
    let (mut at, mut last) = ((old_size - 1) >> shift, (size - 1) >> shift);
    let (mut old_node, mut node) = (first, first);
    for hash in hashes {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            old_node = node_hash(&hash, &old_node);
            node = node_hash(&hash, &node);
            while at & 1 == 0 && at != 0 {
                (at, last) = (at >> 1, last >> 1);
            }
        } else {
            node = node_hash(&node, &hash);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    last == 0 && old_node == *old_root && node == *root
}

/// Why a text is no tlog-proof file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the text is no tlog-proof file")]
pub struct ProofFileError;

/// A C2SP tlog-proof file: where a leaf stands, its path, and the checkpoint that it leads to. The leaf stands beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProofFile {
    /// Bytes for applications, authenticated by nothing.
    pub extra: Option<Vec<u8>>,
    /// Index of the leaf.
    pub index: u64,
    /// The path, the leaf's sibling first.
    pub path: Vec<[u8; 32]>,
    /// The checkpoint, verbatim.
    pub checkpoint: String,
}

const PROOF_HEADER: &str = "c2sp.org/tlog-proof@v1\n";
/// A path is as long as the tree is high.
const PATH_MAX: usize = 64;

impl std::fmt::Display for ProofFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(PROOF_HEADER)?;
        if let Some(extra) = &self.extra {
            writeln!(f, "extra {}", BASE64_STANDARD.encode(extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        for hash in &self.path {
            writeln!(f, "{}", BASE64_STANDARD.encode(hash))?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}

impl std::str::FromStr for ProofFile {
    type Err = ProofFileError;

    fn from_str(text: &str) -> Result<Self, ProofFileError> {
        let rest = text.strip_prefix(PROOF_HEADER).ok_or(ProofFileError)?;
        let (head, checkpoint) = rest.split_once("\n\n").ok_or(ProofFileError)?;
        let mut lines = head.split('\n').peekable();
        let extra = lines.next_if(|line| line.starts_with("extra ")).map(|line| &line["extra ".len()..]);
        let extra = extra.map(|text| BASE64_STANDARD.decode(text)).transpose().map_err(|_| ProofFileError)?;
        let index = lines.next().and_then(|line| parse_decimal(line.strip_prefix("index ")?)).ok_or(ProofFileError)?;
        let path = lines.map(parse_hash).collect::<Option<Vec<_>>>().ok_or(ProofFileError)?;
        if path.len() > PATH_MAX {
            return Err(ProofFileError);
        }
        Ok(Self { extra, index, path, checkpoint: checkpoint.to_owned() })
    }
}

/// ASCII digits without a leading zero.
pub(crate) fn parse_decimal(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if plain { text.parse().ok() } else { None }
}

/// A hash in standard base64.
pub(crate) fn parse_hash(text: &str) -> Option<[u8; 32]> {
    BASE64_STANDARD.decode(text).ok()?.try_into().ok()
}
