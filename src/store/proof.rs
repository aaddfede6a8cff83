//! Proofs of a log's tree from its stored tiles. A prover cannot wait for a database: it names the tile that it lacks
//! and is asked again once the tile is there.

use super::{Store, StoreError};
use duly_ledger::{ProveError, Prover, Tile};
use std::collections::HashMap;

/// Makes proofs of one generation of a log at one size; each tile is read once.
pub struct Proofs<'a> {
    store: &'a Store,
    log_no: i32,
    generation: i32,
    size: u64,
    tiles: HashMap<Tile, Vec<u8>>,
}

/// Asks the prover; `Err` with the tile that it lacks.
type Ask<'a> = &'a (dyn Fn(&HashMap<Tile, Vec<u8>>) -> Result<Vec<[u8; 32]>, ProveError<Tile>> + Sync);

impl<'a> Proofs<'a> {
    /// Of the first `size` leaves.
    pub fn new(store: &'a Store, log_no: i32, generation: i32, size: u64) -> Self {
        Self { store, log_no, generation, size, tiles: HashMap::new() }
    }

    /// The path of leaf `index` to the root, the leaf's sibling first.
    pub async fn inclusion(&mut self, index: u64) -> Result<Vec<[u8; 32]>, StoreError> {
        let size = self.size;
        self.prove(&|known| Prover::new(size, |tile| known.get(&tile).cloned().ok_or(tile)).inclusion(index)).await
    }

    /// That the first `old` leaves were the whole tree once.
    pub async fn consistency(&mut self, old: u64) -> Result<Vec<[u8; 32]>, StoreError> {
        let size = self.size;
        self.prove(&|known| Prover::new(size, |tile| known.get(&tile).cloned().ok_or(tile)).consistency(old)).await
    }

    async fn prove(&mut self, ask: Ask<'_>) -> Result<Vec<[u8; 32]>, StoreError> {
        loop {
            let missing = match ask(&self.tiles) {
                Ok(path) => return Ok(path),
                Err(ProveError::Read(tile)) => tile,
                Err(_) => return Err(StoreError::Corrupt { what: "tile" }),
            };
            let hashes = self.store.load_tile(self.log_no, self.generation, missing).await?;
            self.tiles.insert(missing, hashes.ok_or(StoreError::Corrupt { what: "tile" })?);
        }
    }
}
