//! Our log against three others, on random input: tlog_tiles, signed_note, ct-merkle.

use crate::files::{Files, entry, leaf};
use ct_merkle::mem_backed_tree::MemoryBackedTree;
use duly_ledger::{
    Appender, Checkpoint, Frontier, KeyKind, Layer, Note, Signer, Tile, Vkey, tile_at, verify_consistency, verify_inclusion,
};
use proptest::prelude::*;
use sha2::Sha256;
use signed_note::{StandardSigner, StandardVerifier, VerifierList};
use tlog_tiles::{Hash, HashReader, TileHashReader, TileReader};

/// Our tiles, served to tlog_tiles, which checks each against the root.
struct Served(Files);

impl TileReader for Served {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[tlog_tiles::Tile]) -> Result<Vec<Vec<u8>>, tlog_tiles::Error> {
        let path = |t: &tlog_tiles::Tile| {
            let width = u16::try_from(t.width()).unwrap();
            Tile::new(Layer::Hashes(t.level()), t.level_index(), width).unwrap().to_string()
        };
        Ok(tiles.iter().map(|tile| self.0.get(&path(tile))).collect())
    }

    fn save_tiles(&self, _: &[tlog_tiles::Tile], _: &[Vec<u8>]) {}
}

fn hashes(proof: &[Hash]) -> Vec<[u8; 32]> {
    proof.iter().map(|hash| hash.0).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn tlog_tiles_accepts_our_tiles_and_makes_the_same_proofs(size in 1u64..70_000, at in any::<prop::sample::Index>()) {
        let index = at.index(size as usize) as u64;
        let served = Served(Files::of(size));
        let root = served.0.root();
        let reader = TileHashReader::new(size, Hash(root), &served);

        let inclusion = tlog_tiles::prove_record(size, index, &reader).unwrap();
        let ours = served.0.prover().inclusion(index).unwrap();
        prop_assert_eq!(hashes(&inclusion), ours.clone());
        prop_assert!(verify_inclusion(&leaf(index), index, size, &ours, &root));

        let consistency = tlog_tiles::prove_tree(size, index + 1, &reader).unwrap();
        let ours = served.0.prover().consistency(index + 1).unwrap();
        prop_assert_eq!(hashes(&consistency), ours.clone());
        let old_root = Files::of(index + 1).root();
        prop_assert!(verify_consistency(index + 1, &old_root, size, &root, &ours));
        prop_assert!(tlog_tiles::check_tree(&consistency, size, Hash(root), index + 1, Hash(old_root)).is_ok());
        prop_assert_eq!(tlog_tiles::tree_hash(size, &reader).unwrap().0, root);
        prop_assert_eq!(reader.read_hashes(&[0]).unwrap()[0].0, leaf(0));
    }

    #[test]
    fn ct_merkle_has_the_same_roots_and_proofs(size in 1usize..600, at in any::<prop::sample::Index>()) {
        let index = at.index(size);
        let mut tree = MemoryBackedTree::<Sha256, Vec<u8>>::new();
        (0..size).for_each(|i| tree.push(entry(i as u64)));
        let files = Files::of(size as u64);

        prop_assert_eq!(tree.root().as_bytes().to_vec(), files.root().to_vec());
        let ours = files.prover().inclusion(index as u64).unwrap().concat();
        prop_assert_eq!(tree.prove_inclusion(index).as_bytes().to_vec(), ours);
        let ours = files.prover().consistency(index as u64 + 1).unwrap().concat();
        prop_assert_eq!(tree.prove_consistency(size - index - 1).as_bytes().to_vec(), ours);
    }

    #[test]
    fn the_appender_and_the_frontier_agree_across_a_rebuild(size in 0u64..3_000, more in 0u64..600) {
        let files = Files::of(size);
        let mut log = Appender::from_edge(size, &files.edge()).unwrap();
        let mut frontier = Frontier::new();
        (0..size).for_each(|i| frontier.append(leaf(i)));
        for i in size..size + more {
            log.append(leaf(i));
            frontier.append(leaf(i));
        }
        prop_assert_eq!(log.root(), frontier.root());
    }

    #[test]
    fn a_path_names_one_tile_and_tlog_tiles_reads_it_but_for_its_own_layout(level in 0u8..64, n in any::<u64>(), w in 1u16..=256) {
        for layer in [Layer::Hashes(level), Layer::Entries] {
            let tile = Tile::new(layer, n, w).unwrap();
            prop_assert_eq!(Tile::parse(&tile.to_string()), Some(tile));
        }
        // The layout of Go's sumdb has the height in front.
        let ours = Tile::new(Layer::Hashes(level), n, w).unwrap().to_string();
        let theirs = tlog_tiles::Tile::new(8, level, n, u32::from(w), false).path();
        prop_assert_eq!(ours, theirs.replacen("tile/8/", "tile/", 1));
    }

    #[test]
    fn no_text_makes_a_path_reader_panic(text in "tile/[0-9x/.pentris+-]{0,40}") {
        if let Some(tile) = Tile::parse(&text) {
            prop_assert_eq!(tile.to_string(), text);
        }
    }

    #[test]
    fn a_tile_is_where_tlog_tiles_looks_for_it(size in 1u64..u64::MAX >> 1, index in any::<prop::sample::Index>()) {
        let n = index.index(usize::MAX) as u64 % size / 256;
        let theirs = tlog_tiles::Tile::from_index(8, tlog_tiles::stored_hash_index(0, n * 256)).parent(0, size).unwrap();
        let ours = tile_at(Layer::Hashes(0), n, size).unwrap();
        prop_assert_eq!(u32::from(ours.width()), theirs.width());
        prop_assert_eq!(ours.number(), theirs.level_index());
    }

    #[test]
    fn notes_and_keys_are_those_of_signed_note(seed in any::<[u8; 32]>(), name in "[a-z./0-9é]{1,20}", text in "[ -~é\n]{0,80}") {
        let text = format!("{text}\n");
        let ours = Signer::new(&name, &seed).unwrap();
        let note = ours.sign(&text).unwrap();
        let verifier = StandardVerifier::new(&ours.vkey().to_string()).unwrap();
        let theirs = signed_note::Note::from_bytes(note.to_string().as_bytes()).unwrap();
        prop_assert!(theirs.verify(&VerifierList::new(vec![Box::new(verifier)])).is_ok());
        prop_assert_eq!(theirs.text(), note.text().as_bytes());

        let skey = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, [&[1], seed.as_slice()].concat());
        let signer = StandardSigner::new(&format!("PRIVATE+KEY+{name}+{:08x}+{skey}", ours.vkey().id())).unwrap();
        let mut theirs = signed_note::Note::new(text.as_bytes(), &[]).unwrap();
        theirs.add_sigs(&[&signer]).unwrap();
        prop_assert_eq!(theirs.to_bytes(), note.to_string().into_bytes());
    }

    #[test]
    fn damaged_notes_are_refused_where_signed_note_refuses_them(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let signer = Signer::new("duly.test/log", &[7; 32]).unwrap();
        let mut bytes = signer.sign("duly.test/log\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n").unwrap().to_string().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let keys = [signer.vkey().clone()];
        let verifier = StandardVerifier::new(&keys[0].to_string()).unwrap();
        let theirs = signed_note::Note::from_bytes(&bytes).and_then(|n| n.verify(&VerifierList::new(vec![Box::new(verifier)])).map(|_| n));
        let ours = Note::parse(&bytes).and_then(|n| n.verify(&keys).map(|_| n.text().to_owned()));
        prop_assert_eq!(theirs.ok().map(|n| String::from_utf8(n.text().to_vec()).unwrap()), ours.ok());
    }

    #[test]
    fn checkpoints_are_those_of_tlog_tiles(origin in "[a-z./+ ]{1,20}", size in any::<u64>(), root in any::<[u8; 32]>()) {
        let ours = Checkpoint { origin: origin.clone(), size, root };
        let theirs = tlog_tiles::Checkpoint::new(&origin, size, Hash(root), "").unwrap();
        prop_assert_eq!(theirs.to_bytes(), ours.to_string().into_bytes());
        prop_assert_eq!(ours.to_string().parse(), Ok(ours));
    }

    #[test]
    fn damaged_checkpoints_are_refused_where_tlog_tiles_refuses_them(at in any::<prop::sample::Index>(), byte in 0x20u8..0x7f) {
        let mut text = Checkpoint { origin: "a".into(), size: 1907, root: [9; 32] }.to_string().into_bytes();
        let at = at.index(text.len());
        text[at] = byte;
        let theirs = tlog_tiles::Checkpoint::from_bytes(&text).ok().filter(|c| c.extension().is_empty()).map(|c| c.to_bytes());
        let ours: Option<Checkpoint> = String::from_utf8(text).unwrap().parse().ok();
        prop_assert_eq!(ours.map(|c| c.to_string().into_bytes()), theirs);
    }

    #[test]
    fn no_bytes_make_a_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), text in "\\PC{0,100}") {
        prop_assert!(Note::parse(&bytes).is_err());
        prop_assert!(text.parse::<Vkey>().is_err());
        prop_assert!(text.parse::<duly_ledger::ProofFile>().is_err());
        prop_assert!(duly_ledger::Policy::parse(&text).is_err());
        let count = duly_ledger::bundle_entries(&bytes).count();
        prop_assert!(count <= bytes.len());
        prop_assert!(Vkey::new(&text, KeyKind::Note, &bytes).is_err() || bytes.len() == 32);
    }
}
