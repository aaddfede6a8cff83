//! Proofs of a log's tree from its stored tiles. A prover cannot wait for a database: it is asked once for the tiles that
//! it will want, all of them are read together, and it is asked again.

use super::{Store, StoreError};
use duly_ledger::{HASH_BYTES, ProveError, Prover, Tile};
use std::cell::RefCell;
use std::collections::HashMap;
use std::convert::Infallible;

/// A tile is not as the tree's size demands.
const BROKEN: StoreError = StoreError::Corrupt { what: "tile" };

/// Makes proofs of one generation of a log at one size; each tile is read once.
pub struct Proofs<'a> {
    store: &'a Store,
    log_no: i32,
    generation: i32,
    size: u64,
    tiles: HashMap<Tile, Vec<u8>>,
}

/// Asks a prover that reads its tiles so.
type Ask<'a> = &'a (dyn Fn(&dyn Fn(Tile) -> Read) -> Result<Vec<[u8; 32]>, ProveError<Infallible>> + Sync);
type Read = Result<Vec<u8>, Infallible>;

impl<'a> Proofs<'a> {
    /// Of the first `size` leaves.
    pub fn new(store: &'a Store, log_no: i32, generation: i32, size: u64) -> Self {
        Self { store, log_no, generation, size, tiles: HashMap::new() }
    }

    /// Reads what the paths of these leaves need, in one query.
    pub async fn fetch(&mut self, indexes: &[u64]) -> Result<(), StoreError> {
        let size = self.size;
        let mut missing = Vec::new();
        for &index in indexes {
            missing.extend(self.missing(&|read| Prover::new(size, read).inclusion(index))?);
        }
        self.load(missing).await
    }

    /// The path of leaf `index` to the root, the leaf's sibling first.
    pub async fn inclusion(&mut self, index: u64) -> Result<Vec<[u8; 32]>, StoreError> {
        let size = self.size;
        self.prove(&|read| Prover::new(size, read).inclusion(index)).await
    }

    /// That the first `old` leaves were the whole tree once.
    pub async fn consistency(&mut self, old: u64) -> Result<Vec<[u8; 32]>, StoreError> {
        let size = self.size;
        self.prove(&|read| Prover::new(size, read).consistency(old)).await
    }

    async fn prove(&mut self, ask: Ask<'_>) -> Result<Vec<[u8; 32]>, StoreError> {
        self.load(self.missing(ask)?).await?;
        // What is not there by now, nobody asks for.
        ask(&|tile| Ok(self.tiles.get(&tile).cloned().unwrap_or_default())).map_err(|_| BROKEN)
    }

    /// Tiles that the prover asks for and that were not read: it is asked once with zeros in their place.
    fn missing(&self, ask: Ask<'_>) -> Result<Vec<Tile>, StoreError> {
        let missing = RefCell::new(Vec::new());
        let read = |tile: Tile| {
            Ok(self.tiles.get(&tile).cloned().unwrap_or_else(|| {
                missing.borrow_mut().push(tile);
                vec![0; usize::from(tile.width()) * HASH_BYTES]
            }))
        };
        ask(&read).map_err(|_| BROKEN)?;
        Ok(missing.into_inner())
    }

    async fn load(&mut self, mut missing: Vec<Tile>) -> Result<(), StoreError> {
        missing.sort_unstable_by_key(|tile| (tile.level(), tile.number()));
        missing.dedup();
        if missing.is_empty() {
            return Ok(());
        }
        let tiles = self.store.load_tiles(self.log_no, self.generation, &missing).await?;
        for (tile, hashes) in missing.into_iter().zip(tiles) {
            self.tiles.insert(tile, hashes.ok_or(BROKEN)?);
        }
        Ok(())
    }
}
