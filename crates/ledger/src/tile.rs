//! C2SP tlog-tiles: where the hashes and entries of a log stand, and how a bundle of entries is written.

use std::fmt;

/// Hashes of a full tile, and entries of a full bundle.
pub const TILE_WIDTH: u16 = 256;
/// Bytes of one hash in a tile.
pub const HASH_BYTES: usize = 32;

/// What a tile holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Layer {
    /// Hashes of a level: at level `l` each is the root of `256^l` leaves.
    Hashes(u8),
    /// The entries themselves.
    Entries,
}

/// One tile: a file of at most 256 hashes or entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tile {
    layer: Layer,
    number: u64,
    width: u16,
}

impl Tile {
    /// Tile `number` of a layer with `width` items; `None` where there can be no such tile.
    pub fn new(layer: Layer, number: u64, width: u16) -> Option<Self> {
        let has_level = !matches!(layer, Layer::Hashes(64..));
        (has_level && (1..=TILE_WIDTH).contains(&width)).then_some(Self { layer, number, width })
    }

    /// What it holds.
    pub fn layer(self) -> Layer {
        self.layer
    }

    /// Its number in its layer, from 0.
    pub fn number(self) -> u64 {
        self.number
    }

    /// Hashes or entries in it, 1 to 256.
    pub fn width(self) -> u16 {
        self.width
    }

    /// Whether it holds entries.
    pub fn is_entries(self) -> bool {
        self.layer == Layer::Entries
    }

    /// Its level; 0 for entries.
    pub fn level(self) -> u8 {
        if let Layer::Hashes(level) = self.layer { level } else { 0 }
    }

    /// Where it stands under the log's origin.
    pub fn path(self) -> String {
        self.to_string()
    }

    /// Whether a tree of `size` leaves has all of it.
    pub fn is_within(self, size: u64) -> bool {
        tile_at(self.layer, self.number, size).is_some_and(|there| there.width >= self.width)
    }

    /// Reads a path as `Display` writes it; every other spelling is refused.
    pub fn parse(path: &str) -> Option<Self> {
        let (layer, rest) = path.strip_prefix("tile/")?.split_once('/')?;
        let layer = if layer == "entries" { Layer::Entries } else { Layer::Hashes(layer.parse().ok()?) };
        let (number, width) = match rest.split_once(".p/") {
            Some((number, width)) => (number, width.parse().ok().filter(|w| *w < TILE_WIDTH)?),
            None => (rest, TILE_WIDTH),
        };
        let number = number.split('/').try_fold(0u64, |sum, group| {
            let digits = group.strip_prefix('x').unwrap_or(group);
            sum.checked_mul(1000)?.checked_add(u64::from(digits.parse::<u16>().ok()?))
        })?;
        // Leading zeros, signs, missing `x` and the like do not survive being written again.
        Self::new(layer, number, width).filter(|tile| tile.to_string() == path)
    }
}

impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.layer {
            Layer::Hashes(level) => write!(f, "tile/{level}/")?,
            Layer::Entries => write!(f, "tile/entries/")?,
        }
        let mut power = 1;
        while self.number / power >= 1000 {
            power *= 1000;
        }
        while power > 1 {
            write!(f, "x{:03}/", self.number / power % 1000)?;
            power /= 1000;
        }
        write!(f, "{:03}", self.number % 1000)?;
        if self.width < TILE_WIDTH { write!(f, ".p/{}", self.width) } else { Ok(()) }
    }
}

/// Hashes that a level has in a tree of `size` leaves; partial subtrees are not hashed into it.
pub fn level_len(level: u8, size: u64) -> u64 {
    size.checked_shr(u32::from(level) * 8).unwrap_or(0)
}

/// Tile `number` of a layer as it stands in a tree of `size` leaves, if it is there.
pub fn tile_at(layer: Layer, number: u64, size: u64) -> Option<Tile> {
    let level = if let Layer::Hashes(level) = layer { level } else { 0 };
    let before = number.checked_mul(u64::from(TILE_WIDTH))?;
    let width = level_len(level, size).checked_sub(before)?.min(u64::from(TILE_WIDTH));
    Tile::new(layer, number, u16::try_from(width).ok()?)
}

/// Every tile of hashes of a tree of `size` leaves, by level, then by number.
pub fn hash_tiles(size: u64) -> impl Iterator<Item = Tile> {
    (0..8).flat_map(move |level| tiles_of(Layer::Hashes(level), size))
}

/// Every bundle of a tree of `size` leaves.
pub fn entry_bundles(size: u64) -> impl Iterator<Item = Tile> {
    tiles_of(Layer::Entries, size)
}

fn tiles_of(layer: Layer, size: u64) -> impl Iterator<Item = Tile> {
    (0..).map_while(move |number| tile_at(layer, number, size))
}

/// Tiles of hashes and bundles of a tree of `size` leaves that it had not, or not as wide, at `old` leaves.
pub fn changed_tiles(old: u64, size: u64) -> impl Iterator<Item = Tile> {
    layers().flat_map(move |layer| from_old_edge(layer, old, size).filter(move |tile| !tile.is_within(old)))
}

/// Those of them that were partial at `old` leaves and are full now: the partial files have served.
pub fn completed_tiles(old: u64, size: u64) -> impl Iterator<Item = Tile> {
    let was_partial = move |tile: &Tile| tile_at(tile.layer, tile.number, old).is_some() && tile.width == TILE_WIDTH;
    changed_tiles(old, size).filter(was_partial)
}

fn layers() -> impl Iterator<Item = Layer> {
    std::iter::once(Layer::Entries).chain((0..8).map(Layer::Hashes))
}

fn from_old_edge(layer: Layer, old: u64, size: u64) -> impl Iterator<Item = Tile> {
    let level = if let Layer::Hashes(level) = layer { level } else { 0 };
    let first = level_len(level, old) / u64::from(TILE_WIDTH);
    (first..).map_while(move |number| tile_at(layer, number, size))
}

/// Why bytes are no bundle, or an entry cannot stand in one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// The length of an entry has two bytes.
    #[error("an entry of {0} bytes is longer than 65535")]
    EntryTooLong(usize),
    /// The bytes end inside a length or an entry.
    #[error("a bundle ends inside an entry")]
    Truncated,
}

/// Appends an entry to the bytes of a bundle: length, big-endian, then the entry.
pub fn push_entry(bundle: &mut Vec<u8>, entry: &[u8]) -> Result<(), BundleError> {
    let length = u16::try_from(entry.len()).map_err(|_| BundleError::EntryTooLong(entry.len()))?;
    bundle.extend_from_slice(&length.to_be_bytes());
    bundle.extend_from_slice(entry);
    Ok(())
}

/// The bytes of a bundle.
pub fn encode_bundle(entries: &[impl AsRef<[u8]>]) -> Result<Vec<u8>, BundleError> {
    let mut bundle = Vec::new();
    entries.iter().try_for_each(|entry| push_entry(&mut bundle, entry.as_ref()))?;
    Ok(bundle)
}

/// The entries of a bundle; the last item is an error where bytes are left over.
pub fn bundle_entries(bundle: &[u8]) -> impl Iterator<Item = Result<&[u8], BundleError>> {
    let mut rest = bundle;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let entry = rest.split_first_chunk::<2>().and_then(|(length, after)| {
            let length = usize::from(u16::from_be_bytes(*length));
            after.split_at_checked(length)
        });
        let Some((entry, after)) = entry else {
            rest = &[];
            return Some(Err(BundleError::Truncated));
        };
        rest = after;
        Some(Ok(entry))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_the_specification() {
        let path = |layer, number, width| Tile::new(layer, number, width).map(|t| t.to_string()).unwrap_or_default();
        assert_eq!(path(Layer::Hashes(0), 1_234_067, 256), "tile/0/x001/x234/067");
        assert_eq!(path(Layer::Hashes(15), 5, 3), "tile/15/005.p/3");
        assert_eq!(path(Layer::Entries, 1000, 256), "tile/entries/x001/000");
        assert_eq!(path(Layer::Entries, u64::MAX, 1), "tile/entries/x018/x446/x744/x073/x709/x551/615.p/1");
    }

    #[test]
    fn another_spelling_of_a_path_is_refused() {
        for path in [
            "tile/0/0",
            "tile/0/0001",
            "tile/00/001",
            "tile/64/001",
            "tile/+1/001",
            "tile/0/x000/001",
            "tile/0/001/002",
            "tile/0/x001/x002",
            "tile/0/001.p/0",
            "tile/0/001.p/256",
            "tile/0/001.p/01",
            "tile/0/1.p/1/2",
            "tile/data/001",
            "tile/0/x999/x999/x999/x999/x999/x999/x999/999",
            "tile/entries/",
            "",
        ] {
            assert_eq!(Tile::parse(path), None, "{path}");
        }
    }

    #[test]
    fn a_bundle_gives_its_entries_back_and_names_left_over_bytes() {
        let mut bundle = Vec::new();
        for entry in [&b"a"[..], b"", b"bcd"] {
            assert_eq!(push_entry(&mut bundle, entry), Ok(()));
        }
        let entries: Result<Vec<&[u8]>, _> = bundle_entries(&bundle).collect();
        assert_eq!(entries, Ok(vec![&b"a"[..], b"", b"bcd"]));
        bundle.push(0);
        assert_eq!(bundle_entries(&bundle).last(), Some(Err(BundleError::Truncated)));
        assert_eq!(push_entry(&mut bundle, &[0; 65_536]), Err(BundleError::EntryTooLong(65_536)));
    }
}
