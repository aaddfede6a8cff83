//! The growing edge of a log: what a sequencer keeps in memory, and what each checkpoint adds to the tiles.

use crate::hash::node_hash;
use crate::tile::{HASH_BYTES, TILE_WIDTH, level_len};
use sha2::{Digest, Sha256};
use std::mem;

const FULL: usize = TILE_WIDTH as usize;

/// Why a tree was not rebuilt from its partial tiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RebuildError<E> {
    /// The reader failed.
    #[error(transparent)]
    Read(E),
    /// A tile has not the length that the size demands.
    #[error("tile {number} of level {level} has {found} bytes instead of {wanted}")]
    Length {
        /// Level.
        level: u8,
        /// Number in its level.
        number: u64,
        /// Bytes there.
        found: usize,
        /// Bytes wanted.
        wanted: usize,
    },
}

/// What a tile got since the changes were last taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TileChange {
    /// Level.
    pub level: u8,
    /// Number in its level.
    pub number: u64,
    /// All bytes of the tile as it now is, 32 a hash: what a file of it holds.
    pub bytes: Vec<u8>,
    /// How many of them were there before: the rest is what a stored row must be lengthened by.
    pub old_len: usize,
}

impl TileChange {
    /// Hashes in it, 1 to 256.
    pub fn width(&self) -> usize {
        self.bytes.len() / HASH_BYTES
    }

    /// The bytes that are new.
    pub fn added(&self) -> &[u8] {
        self.bytes.get(self.old_len..).unwrap_or_default()
    }
}

/// The partial tile of one level.
#[derive(Debug, Clone, Default)]
struct Edge {
    number: u64,
    hashes: Vec<[u8; 32]>,
    taken: usize,
}

impl Edge {
    fn change(&mut self, level: usize) -> TileChange {
        let old_len = mem::replace(&mut self.taken, self.hashes.len()) * HASH_BYTES;
        // A tree of 2^64 leaves has 8 levels.
        let level = u8::try_from(level).unwrap_or(u8::MAX);
        TileChange { level, number: self.number, bytes: self.hashes.concat(), old_len }
    }
}

/// Appends leaves to a log, keeping one partial tile a level: at most 255 hashes each.
#[derive(Debug, Clone, Default)]
pub struct Appender {
    size: u64,
    edges: Vec<Edge>,
    filled: Vec<TileChange>,
}

impl Appender {
    /// An empty log.
    pub fn new() -> Self {
        Self::default()
    }

    /// Rebuilds a log of `size` leaves; `read(level, number)` gives the bytes of the partial tile at its edge.
    ///
    /// Whether these are the tiles of a checkpoint is for the caller to see: compare `root` with it.
    pub fn from_tiles<E>(size: u64, mut read: impl FnMut(u8, u64) -> Result<Vec<u8>, E>) -> Result<Self, RebuildError<E>> {
        let mut edges = Vec::new();
        for level in 0..8 {
            let hashes = level_len(level, size);
            if hashes == 0 {
                break;
            }
            let number = hashes / u64::from(TILE_WIDTH);
            // The rest of a division by 256 fits.
            let width = usize::try_from(hashes % u64::from(TILE_WIDTH)).unwrap_or(0);
            let bytes = if width == 0 { Vec::new() } else { read(level, number).map_err(RebuildError::Read)? };
            if bytes.len() != width * HASH_BYTES {
                return Err(RebuildError::Length { level, number, found: bytes.len(), wanted: width * HASH_BYTES });
            }
            edges.push(Edge { number, hashes: split_hashes(&bytes), taken: width });
        }
        Ok(Self { size, edges, filled: Vec::new() })
    }

    /// Number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf by its hash.
    pub fn append(&mut self, leaf: [u8; 32]) {
        let mut node = leaf;
        for level in 0.. {
            if self.edges.len() == level {
                self.edges.push(Edge::default());
            }
            let Some(edge) = self.edges.get_mut(level) else { break };
            edge.hashes.push(node);
            if edge.hashes.len() < FULL {
                break;
            }
            self.filled.push(edge.change(level));
            node = perfect_root(&edge.hashes);
            *edge = Edge { number: edge.number + 1, ..Edge::default() };
        }
        self.size += 1;
    }

    /// The root of the tree as it is.
    pub fn root(&self) -> [u8; 32] {
        let mut right: Option<[u8; 32]> = None;
        for edge in &self.edges {
            let mut end = edge.hashes.len();
            // The partial tile falls into perfect subtrees, the smallest on the right.
            while end > 0 {
                let len = 1 << end.trailing_zeros();
                let left = perfect_root(edge.hashes.get(end - len..end).unwrap_or_default());
                right = Some(right.map_or(left, |right| node_hash(&left, &right)));
                end -= len;
            }
        }
        right.unwrap_or_else(|| Sha256::digest([]).into())
    }

    /// What every tile got since this was last asked, or since the rebuild, tiles that were filled first.
    pub fn take_changes(&mut self) -> Vec<TileChange> {
        let mut changes = mem::take(&mut self.filled);
        for (level, edge) in self.edges.iter_mut().enumerate() {
            if edge.hashes.len() > edge.taken {
                changes.push(edge.change(level));
            }
        }
        changes
    }
}

/// The hashes of a tile's bytes; left-over bytes are dropped, so check the length first.
pub(crate) fn split_hashes(bytes: &[u8]) -> Vec<[u8; 32]> {
    bytes.as_chunks::<HASH_BYTES>().0.to_vec()
}

/// Root of a perfect subtree; `hashes` are a power of two.
pub(crate) fn perfect_root(hashes: &[[u8; 32]]) -> [u8; 32] {
    let mut row = hashes.to_vec();
    while row.len() > 1 {
        row = row.as_chunks::<2>().0.iter().map(|[left, right]| node_hash(left, right)).collect();
    }
    row.first().copied().unwrap_or([0; 32])
}
