//! The log against vectors of another implementation (golang.org/x/mod/sumdb), byte for byte, and at every tile's edge.

use crate::files::{Files, base64, leaf};
use duly_ledger::{
    Appender, Checkpoint, EdgeError, Frontier, Layer, ProofFile, ProveError, Prover, Signer, Tile, changed_tiles,
    completed_tiles, entry_bundles, hash_tiles, leaf_hash, tile_at, to_hex, verify_consistency, verify_inclusion,
};
use std::collections::BTreeSet;
use std::collections::HashMap;
use std::convert::Infallible;

const SIZES: [u64; 11] = [0, 1, 2, 3, 7, 255, 256, 257, 65_535, 65_536, 65_537];

fn vectors() -> HashMap<(u64, &'static str), Vec<&'static str>> {
    HashMap::from([
        (
            (4, "inclusion"),
            vec![
                "zWPy0SLaWx8aqkQ8Thh+Iy6cZFHUz63vxuK1X4fjeQs=",
                "Ig7PSzxT7zMuOnplhEQ7JNFb0NBYq+Xm3nUg37v4ihg=",
                "hkH548xF2RdwxU4+XUd9PO7ztp8GA8EgsuKSk2RIBtU=",
            ],
        ),
        (
            (3, "consistency"),
            vec![
                "3t8ellaME6WCe7y4TZIK2yHZibXaT2Hea9Bg5SeS2pE=",
                "gR+MJClAf/75fl1Ogf+IsSZJHIFQFu7+yHl8q59j0SU=",
                "jXl7tY1h9ngEf9+So5ARexbYcYuVcwOpIxo2z24MX3U=",
                "5IixK2We8g2SjTfhRkvvtuv1yrandXJANT/RDZ7TLJo=",
            ],
        ),
    ])
}

const CHECKPOINT_3: &str = "duly.test/log
3
AKcKsZUbOSDpO7cxOBdBlx0JYMGuQc5ky21fozC//MY=

— duly.test/log OOhfDQFwTpToTC8ZJyisZjr56yhU/+mq0kJcgguefkT4dr3qSYdBgyCKL/Q4KvJwzEWWwYoTGvR+lOdPn+iE0r9dngk=
";
const CHECKPOINT_7: &str = "duly.test/log
7
6cbV7VEnsBt5QB48I9xhI2QC+/96slqu34GAhl2pSs0=

— duly.test/log OOhfDfZAwiRQNu0WYeA4lxv8D3CnurPiaLg9Cp7Vp04yZAVxv6lAx/HFyo4wee9uVXqPC8gxeNeiWD013YtCHrwsqgQ=
";
const VKEY: &str = "duly.test/log+38e85f0d+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4";

fn signer() -> Signer {
    Signer::new("duly.test/log", &std::array::from_fn(|i| i as u8)).unwrap()
}

#[test]
fn leaves_checkpoints_and_keys_equal_those_of_another_implementation() {
    assert_eq!(to_hex(&leaf(0)), "d829edd0713a1bb05e3cd0616924a4c5bde21e36e537149a20239edafa8825f1");
    assert_eq!(to_hex(&leaf(6)), "220ecf4b3c53ef332e3a7a6584443b24d15bd0d058abe5e6de7520dfbbf88a18");
    assert_eq!(signer().vkey().to_string(), VKEY);
    for (size, golden) in [(3, CHECKPOINT_3), (7, CHECKPOINT_7)] {
        let root = Files::of(size).root();
        let checkpoint = Checkpoint { origin: "duly.test/log".into(), size, root };
        assert_eq!(signer().sign_checkpoint(size, root), golden);
        assert_eq!(signer().open(golden.as_bytes()), Ok(checkpoint.clone()));
        assert_eq!(Checkpoint::open(golden.as_bytes(), &[VKEY.parse().unwrap()]), Ok(checkpoint));
    }
}

#[test]
fn proofs_equal_those_of_another_implementation() {
    let files = Files::of(7);
    let mut prover = files.prover();
    let golden = |key| vectors().remove(&key).unwrap();
    assert_eq!(prover.inclusion(4).unwrap().iter().map(base64).collect::<Vec<_>>(), golden((4, "inclusion")));
    assert_eq!(prover.consistency(3).unwrap().iter().map(base64).collect::<Vec<_>>(), golden((3, "consistency")));
}

#[test]
fn a_proof_file_has_golden_bytes_and_reads_back() {
    let path = Files::of(7).prover().inclusion(4).unwrap();
    let file = ProofFile { extra: None, index: 4, path, checkpoint: CHECKPOINT_7.into() };
    let hashes = vectors().remove(&(4, "inclusion")).unwrap().join("\n");
    let golden = format!("c2sp.org/tlog-proof@v1\nindex 4\n{hashes}\n\n{CHECKPOINT_7}");
    assert_eq!(file.to_string(), golden);
    assert_eq!(golden.parse(), Ok(file.clone()));

    let with_extra = ProofFile { extra: Some(b"x".to_vec()), path: Vec::new(), index: 0, ..file };
    assert_eq!(with_extra.to_string().parse(), Ok(with_extra));
    for other in
        ["index 04", "index 4 ", "index -4", "index 99999999999999999999", "extra !\nindex 4", "extra eA==\nextra eA==\nindex 4"]
    {
        assert!(golden.replace("index 4", other).parse::<ProofFile>().is_err(), "{other}");
    }
    assert!(golden.replace("zWPy", "zWP").parse::<ProofFile>().is_err());
    assert!(golden.replace("\n\n", "\n").parse::<ProofFile>().is_err());
}

#[test]
fn at_each_size_the_tiles_are_whole_and_lead_to_the_root() {
    let mut frontier = Frontier::new();
    for size in 0..=65_537 {
        if SIZES.contains(&size) {
            let files = Files::of(size);
            assert_eq!(files.root(), frontier.root(), "{size}");
            let tiles: Vec<Tile> = hash_tiles(size).collect();
            assert!(tiles.iter().all(|tile| files.get(&tile.to_string()).len() == usize::from(tile.width()) * 32));
            let leaves: u64 = tiles.iter().filter(|t| t.layer() == Layer::Hashes(0)).map(|t| u64::from(t.width())).sum();
            assert_eq!(leaves, size);
        }
        frontier.append(leaf(size));
    }
    let names: Vec<String> = hash_tiles(65_537).skip(255).map(|t| t.to_string()).collect();
    assert_eq!(names, ["tile/0/255", "tile/0/256.p/1", "tile/1/000", "tile/2/000.p/1"]);
    assert_eq!(hash_tiles(0).count(), 0);
}

#[test]
fn changes_lengthen_rows_to_the_tiles_whatever_the_batches() {
    for batch in [1, 7, 256, 1000] {
        let (mut log, mut rows) = (Appender::new(), HashMap::new());
        for i in 0..66_000u64 {
            log.append(leaf(i));
            if log.size() % batch != 0 {
                continue;
            }
            for growth in log.take_growth() {
                let row: &mut Vec<u8> = rows.entry((growth.level, growth.tile)).or_default();
                assert_eq!(row.len(), growth.offset);
                row.extend_from_slice(&growth.hashes);
            }
            assert_eq!(log.take_growth(), []);
        }
        let size = 66_000 / batch * batch;
        let files = Files::of(size);
        for tile in hash_tiles(size) {
            let Layer::Hashes(level) = tile.layer() else { panic!() };
            assert_eq!(rows.remove(&(level, tile.number())), Some(files.get(&tile.to_string())), "{tile}");
        }
        assert!(rows.is_empty());
    }
}

#[test]
fn a_rebuilt_log_goes_on_as_if_it_had_never_stopped() {
    for size in SIZES {
        let files = Files::of(size);
        let mut rebuilt = Appender::from_edge(size, &files.edge()).unwrap();
        assert_eq!(rebuilt.root(), files.root());
        assert_eq!(rebuilt.take_growth(), []);
        for i in size..size + 300 {
            rebuilt.append(leaf(i));
        }
        let later = Files::of(size + 300);
        assert_eq!(rebuilt.root(), later.root());
        for growth in rebuilt.take_growth() {
            let tile = tile_at(Layer::Hashes(growth.level), growth.tile, size + 300).unwrap();
            assert_eq!(growth.hashes, later.get(&tile.path())[growth.offset..]);
        }
    }
}

#[test]
fn a_log_is_not_rebuilt_from_tiles_of_another_length() {
    assert_eq!(Appender::edge(300).iter().map(|t| t.path()).collect::<Vec<_>>(), ["tile/0/001.p/44", "tile/1/000.p/1"]);
    let rebuilt = |bytes: usize| Appender::from_edge(300, &[vec![0; bytes], vec![0; 32]]).map(|log| log.size());
    assert_eq!(rebuilt(44 * 32), Ok(300));
    for found in [0, 43 * 32, 44 * 32 - 1, 44 * 32 + 1, 45 * 32] {
        assert_eq!(rebuilt(found), Err(EdgeError { level: 0, found, wanted: 44 * 32 }));
    }
    assert!(Appender::from_edge(300, &[vec![0; 44 * 32]]).is_err());
}

#[test]
fn a_publisher_copies_what_changed_and_removes_what_has_served() {
    for (old, size) in [(0, 1), (0, 700), (255, 257), (256, 256), (256, 512), (300, 512), (65_535, 65_537)] {
        let paths = |size| hash_tiles(size).chain(entry_bundles(size)).map(|t| t.path()).collect::<BTreeSet<_>>();
        let changed: BTreeSet<String> = changed_tiles(old, size).map(|t| t.path()).collect();
        assert_eq!(changed, &paths(size) - &paths(old), "{old} {size}");
        let served: BTreeSet<String> = completed_tiles(old, size).map(|t| t.path()).collect();
        let gone = &paths(old) - &paths(size);
        let full = gone.iter().filter_map(|path| path.split_once(".p/")).map(|(full, _)| full.to_owned());
        assert_eq!(served, full.filter(|full| changed.contains(full)).collect(), "{old} {size}");
    }
    assert!(Tile::parse("tile/0/001.p/3").unwrap().is_within(259));
    assert!(!Tile::parse("tile/0/001.p/3").unwrap().is_within(258));
}

#[test]
fn a_proof_reads_only_the_tiles_that_it_needs() {
    let files = Files::of(65_537);
    let mut read = Vec::new();
    let mut prover = Prover::new(65_537, |tile: Tile| {
        read.push(tile.to_string());
        Ok::<_, Infallible>(files.get(&tile.to_string()))
    });
    prover.inclusion(1).unwrap();
    prover.inclusion(2).unwrap();
    assert_eq!(read, ["tile/0/256.p/1", "tile/1/000", "tile/0/000"]);
}

#[test]
fn each_proof_verifies_and_fails_for_every_other_place_size_leaf_and_path() {
    for size in [1u64, 2, 3, 7, 255, 256, 257, 600] {
        let files = Files::of(size);
        let root = files.root();
        for index in [0, 1, 254, 255, 256, size / 2, size - 1].into_iter().filter(|i| *i < size) {
            let path = files.prover().inclusion(index).unwrap();
            assert!(verify_inclusion(&leaf(index), index, size, &path, &root));
            assert!(!verify_inclusion(&leaf(index + 1), index, size, &path, &root));
            assert!(!verify_inclusion(&leaf(index), index + 1, size, &path, &root));
            assert!(!verify_inclusion(&leaf(index), index, size, &path, &leaf(0)) || size == 1);
            // A node inside of the tree is no leaf of it, however the path is cut.
            assert!(!verify_inclusion(&root, 0, size, &[], &root) || size == 1);
            let longer = [path.as_slice(), &[root]].concat();
            assert!(!verify_inclusion(&leaf(index), index, size, &longer, &root));
            for i in 0..path.len() {
                let mut other = path.clone();
                other[i][0] ^= 1;
                assert!(!verify_inclusion(&leaf(index), index, size, &other, &root));
                assert!(!verify_inclusion(&leaf(index), index, size, &path[1..], &root));
            }
        }
    }
}

#[test]
fn a_log_is_consistent_with_each_of_its_pasts_and_with_no_other() {
    for size in [1u64, 2, 3, 7, 255, 256, 257, 600] {
        let (files, root) = (Files::of(size), Files::of(size).root());
        for old in [0, 1, 2, 3, 4, 255, 256, 257, 512, size - 1, size].into_iter().filter(|old| *old <= size) {
            let path = files.prover().consistency(old).unwrap();
            let old_root = Files::of(old).root();
            assert!(verify_consistency(old, &old_root, size, &root, &path), "{old} {size}");
            assert!(!verify_consistency(old, &leaf_hash(b"other"), size, &root, &path));
            assert!(!verify_consistency(old, &old_root, size, &leaf_hash(b"other"), &path) || old == 0);
            let longer = [path.as_slice(), &[root]].concat();
            assert!(!verify_consistency(old, &old_root, size, &root, &longer));
            for i in 0..path.len() {
                let mut other = path.clone();
                other[i][0] ^= 1;
                assert!(!verify_consistency(old, &old_root, size, &root, &other));
            }
        }
        assert!(!verify_consistency(size + 1, &root, size, &root, &[]));
    }
}

#[test]
fn what_lies_outside_of_the_tree_has_no_proof() {
    let files = Files::of(7);
    assert_eq!(files.prover().inclusion(7), Err(ProveError::OutOfRange { wanted: 7, size: 7 }));
    assert_eq!(files.prover().consistency(8), Err(ProveError::OutOfRange { wanted: 8, size: 7 }));
    assert_eq!(Files::of(0).prover().inclusion(0), Err(ProveError::OutOfRange { wanted: 0, size: 0 }));
    let short = Prover::new(7, |_| Ok::<_, Infallible>(vec![0; 31])).inclusion(0);
    assert!(matches!(short, Err(ProveError::Length { found: 31, .. })));
}
