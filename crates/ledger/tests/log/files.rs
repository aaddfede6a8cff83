//! A log as files, for tests.

use duly_ledger::{Appender, Prover, Tile, leaf_hash, tile_at};
use std::collections::HashMap;
use std::convert::Infallible;

/// Leaf `i` of the vectors: `{"i":…}`.
pub fn entry(i: u64) -> Vec<u8> {
    format!("{{\"i\":{i}}}").into_bytes()
}

pub fn leaf(i: u64) -> [u8; 32] {
    leaf_hash(&entry(i))
}

pub fn base64(hash: &[u8; 32]) -> String {
    base64::Engine::encode(&base64::prelude::BASE64_STANDARD, hash)
}

/// The tiles of a log of so many vector leaves, by path.
pub struct Files {
    size: u64,
    root: [u8; 32],
    tiles: HashMap<String, Vec<u8>>,
}

impl Files {
    pub fn of(size: u64) -> Self {
        let mut log = Appender::new();
        (0..size).for_each(|i| log.append(leaf(i)));
        let name = |level, number| tile_at(duly_ledger::Layer::Hashes(level), number, size).map(|t| t.to_string());
        let tiles = log.take_growth().into_iter().filter_map(|g| Some((name(g.level, g.tile)?, g.hashes))).collect();
        Self { size, root: log.root(), tiles }
    }

    pub fn root(&self) -> [u8; 32] {
        self.root
    }

    pub fn get(&self, path: &str) -> Vec<u8> {
        self.tiles.get(path).cloned().unwrap_or_default()
    }

    /// The log's partial tiles, as a sequencer that starts reads them.
    pub fn edge(&self) -> Vec<Vec<u8>> {
        Appender::edge(self.size).into_iter().map(|tile| self.get(&tile.path())).collect()
    }

    pub fn prover(&self) -> Prover<impl FnMut(Tile) -> Result<Vec<u8>, Infallible> + '_> {
        Prover::new(self.size, |tile: Tile| Ok(self.get(&tile.to_string())))
    }
}
