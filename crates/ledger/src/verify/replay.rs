//! One generation of a log: the bundles give the leaves, the leaves make the tiles and the root again.

use super::pack::{Pack, PackError};
use super::report::{Claim, Code, Finding, Findings};
use super::world::{At, World};
use crate::checkpoint::Checkpoint;
use crate::event::BYTES_MAX;
use crate::hash::leaf_hash;
use crate::tile::{HASH_BYTES, Layer, TILE_WIDTH, Tile, bundle_entries, entry_bundles, hash_tiles, tile_at};
use crate::tree::{Appender, Growth};
use std::collections::{BTreeMap, HashSet};
use std::io::{Read, Seek};

/// Largest bundle.
const BUNDLE_MAX: usize = TILE_WIDTH as usize * (2 + BYTES_MAX);
/// Most findings of one generation after which its tree is not looked at further.
const DAMAGE_MAX: u64 = 1000;

/// A generation of a log in a pack.
pub struct Generation {
    /// 1, 2, …
    pub number: u64,
    /// `` for the newest, `generation/<g>/` before it.
    pub prefix: String,
    /// Its checkpoint, whose signature holds.
    pub checkpoint: Checkpoint,
    /// The keys that signed it.
    pub by: Vec<[u8; 32]>,
}

/// What a log had at a size.
#[derive(Debug, Clone, Copy)]
pub struct Had {
    /// Its root.
    pub root: [u8; 32],
    /// The newest time in it.
    pub newest: Option<Claim>,
}

/// Replays a generation: every leaf goes through `world`, and what it had at the sizes of `wanted` is filled in.
pub fn replay<R: Read + Seek>(
    pack: &mut Pack<R>,
    generation: &Generation,
    world: &mut World,
    wanted: &mut BTreeMap<u64, Option<Had>>,
) -> Result<(), PackError> {
    let size = generation.checkpoint.size;
    let mut log = Replay { generation, edge: Appender::new(), is_damaged: false };
    log.note(wanted, world);
    refuse_other_tiles(pack, generation, &mut world.findings);
    for bundle in entry_bundles(size) {
        let name = format!("{}{}", generation.prefix, bundle.path());
        match pack.read(&name, BUNDLE_MAX)? {
            Some(bytes) => log.bundle(pack, world, bundle, &bytes, wanted)?,
            None => {
                world.findings.push(log.at(Code::Size, format!("{} entries are missing", bundle.width())).file(&name));
                log.is_damaged = true;
            }
        }
        if log.is_damaged {
            // From here on no leaf has its place, and the rest says nothing.
            return Ok(());
        }
    }
    for growth in log.edge.take_growth() {
        log.compare(pack, &growth, &mut world.findings)?;
    }
    if log.edge.root() != generation.checkpoint.root {
        let text = "the entries make another root than the checkpoint's: something was changed, taken out or added";
        world.findings.push(Finding { generation: generation.number, ..Finding::new(Code::Root, text) });
    }
    Ok(())
}

struct Replay<'a> {
    generation: &'a Generation,
    edge: Appender,
    is_damaged: bool,
}

impl Replay<'_> {
    fn at(&self, code: Code, text: impl Into<String>) -> Finding {
        Finding::new(code, text).leaf(self.generation.number, self.edge.size())
    }

    fn note(&self, wanted: &mut BTreeMap<u64, Option<Had>>, world: &World) {
        if let Some(had) = wanted.get_mut(&self.edge.size()) {
            *had = Some(Had { root: self.edge.root(), newest: world.newest });
        }
    }

    fn bundle<R: Read + Seek>(
        &mut self,
        pack: &mut Pack<R>,
        world: &mut World,
        bundle: Tile,
        bytes: &[u8],
        wanted: &mut BTreeMap<u64, Option<Had>>,
    ) -> Result<(), PackError> {
        let name = format!("{}{}", self.generation.prefix, bundle.path());
        let end = bundle.number() * u64::from(TILE_WIDTH) + u64::from(bundle.width());
        for entry in bundle_entries(bytes) {
            let Some(entry) = entry.ok().filter(|_| self.edge.size() < end) else {
                world.findings.push(self.at(Code::Size, "the bundle has bytes that are no entry of it").file(&name));
                self.is_damaged = true;
                return Ok(());
            };
            let hash = leaf_hash(entry);
            world.take(At { generation: self.generation.number, leaf: self.edge.size() }, hash, entry);
            self.edge.append(hash);
            self.note(wanted, world);
        }
        if self.edge.size() < end {
            world
                .findings
                .push(self.at(Code::Size, format!("the bundle ends {} entries early", end - self.edge.size())).file(&name));
            self.is_damaged = true;
            return Ok(());
        }
        for growth in self.edge.take_filled() {
            self.compare(pack, &growth, &mut world.findings)?;
        }
        Ok(())
    }

    /// Compares a tile of the pack with the one that the leaves make, and names the first leaf that differs.
    fn compare<R: Read + Seek>(&self, pack: &mut Pack<R>, growth: &Growth, findings: &mut Findings) -> Result<(), PackError> {
        let Some(tile) = tile_at(Layer::Hashes(growth.level), growth.tile, self.edge.size()) else { return Ok(()) };
        if findings.counts.get(&Code::Tile).is_some_and(|count| *count > DAMAGE_MAX) {
            return Ok(());
        }
        let name = format!("{}{}", self.generation.prefix, tile.path());
        let Some(bytes) = pack.read(&name, usize::from(TILE_WIDTH) * HASH_BYTES)? else {
            findings
                .push(Finding { generation: self.generation.number, ..Finding::new(Code::Tile, "it is missing") }.file(&name));
            return Ok(());
        };
        if bytes == growth.hashes {
            return Ok(());
        }
        let hashes = |bytes: &[u8]| bytes.as_chunks::<HASH_BYTES>().0.to_vec();
        let differs = hashes(&bytes).iter().zip(hashes(&growth.hashes)).position(|(there, made)| *there != made);
        let mut finding = Finding { generation: self.generation.number, ..Finding::new(Code::Tile, "") }.file(&name);
        finding.text = match differs {
            Some(i) => {
                let leaves = 1u64.checked_shl(u32::from(growth.level) * 8).unwrap_or(u64::MAX);
                finding.leaf = Some((growth.tile * u64::from(TILE_WIDTH) + i as u64).saturating_mul(leaves));
                "the entries make another hash here: the entry or the tile was changed".into()
            }
            None => format!("it has {} bytes instead of {}", bytes.len(), growth.hashes.len()),
        };
        findings.push(finding);
        Ok(())
    }
}

/// Tiles that a log of this size does not have are no part of its pack.
fn refuse_other_tiles<R: Read + Seek>(pack: &Pack<R>, generation: &Generation, findings: &mut Findings) {
    let size = generation.checkpoint.size;
    let expected: HashSet<String> = hash_tiles(size).chain(entry_bundles(size)).map(|tile| tile.path()).take(200_000).collect();
    let prefix = format!("{}tile/", generation.prefix);
    for name in pack.names().iter().filter(|name| name.starts_with(&prefix)) {
        if !name.strip_prefix(&generation.prefix).is_some_and(|path| expected.contains(path)) {
            findings.push(Finding::new(Code::Tile, "a log of this size has no such tile").file(name));
        }
    }
}
