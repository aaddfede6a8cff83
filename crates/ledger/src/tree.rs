//! The growing edge of a log: what a sequencer keeps in memory, and what each checkpoint adds to the tiles.

use crate::hash::node_hash;
use crate::tile::{HASH_BYTES, Layer, TILE_WIDTH, Tile, level_len, tile_at};
use sha2::{Digest, Sha256};
use std::mem;

const FULL: usize = TILE_WIDTH as usize;

/// A log is not rebuilt from a partial tile of another length than its size demands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the partial tile of level {level} has {found} bytes instead of {wanted}")]
pub struct EdgeError {
    /// Level.
    pub level: u8,
    /// Bytes given.
    pub found: usize,
    /// Bytes wanted.
    pub wanted: usize,
}

/// What a tile got since this was last asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Growth {
    /// Level.
    pub level: u8,
    /// Number in its level.
    pub tile: u64,
    /// Bytes that the tile had already.
    pub offset: usize,
    /// Further hashes, 32 bytes each.
    pub hashes: Vec<u8>,
}

/// The partial tile of one level.
#[derive(Debug, Clone, Default)]
struct Edge {
    number: u64,
    hashes: Vec<[u8; 32]>,
    taken: usize,
}

impl Edge {
    fn grow(&mut self, level: usize) -> Growth {
        let before = mem::replace(&mut self.taken, self.hashes.len());
        let hashes = self.hashes.get(before..).unwrap_or_default().concat();
        // A tree of 2^64 leaves has 8 levels.
        Growth { level: u8::try_from(level).unwrap_or(u8::MAX), tile: self.number, offset: before * HASH_BYTES, hashes }
    }
}

/// Appends leaves to a log, keeping one partial tile a level: at most 255 hashes each.
#[derive(Debug, Clone, Default)]
pub struct Appender {
    size: u64,
    edges: Vec<Edge>,
    filled: Vec<Growth>,
}

impl Appender {
    /// An empty log.
    pub fn new() -> Self {
        Self::default()
    }

    /// The partial tiles of a log of `size` leaves, lowest level first: all that is needed to go on.
    pub fn edge(size: u64) -> Vec<Tile> {
        let at_end = |level| tile_at(Layer::Hashes(level), level_len(level, size) / u64::from(TILE_WIDTH), size);
        (0..8).filter_map(at_end).collect()
    }

    /// Rebuilds a log of `size` leaves from the bytes of `edge`, in that order.
    ///
    /// Whether these are the tiles of a checkpoint is for the caller to see: compare `root` with it.
    pub fn from_edge(size: u64, partial: &[Vec<u8>]) -> Result<Self, EdgeError> {
        let levels = (0..8).take_while(|level| level_len(*level, size) > 0);
        let mut edges: Vec<Edge> =
            levels.map(|level| Edge { number: level_len(level, size) / u64::from(TILE_WIDTH), ..Edge::default() }).collect();
        for (i, tile) in Self::edge(size).into_iter().enumerate() {
            let (level, bytes) = (tile.level(), partial.get(i).map_or(&[][..], Vec::as_slice));
            let wanted = usize::from(tile.width()) * HASH_BYTES;
            if bytes.len() != wanted {
                return Err(EdgeError { level, found: bytes.len(), wanted });
            }
            if let Some(edge) = edges.get_mut(usize::from(level)) {
                (edge.hashes, edge.taken) = (split_hashes(bytes), usize::from(tile.width()));
            }
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
            self.filled.push(edge.grow(level));
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

    /// What every tile got since this was last asked, or since the rebuild; tiles that were filled come first.
    pub fn take_growth(&mut self) -> Vec<Growth> {
        let mut growth = self.take_filled();
        for (level, edge) in self.edges.iter_mut().enumerate() {
            if edge.hashes.len() > edge.taken {
                growth.push(edge.grow(level));
            }
        }
        growth
    }

    /// As `take_growth`, but only of tiles that are full now: the others wait.
    pub fn take_filled(&mut self) -> Vec<Growth> {
        mem::take(&mut self.filled)
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
