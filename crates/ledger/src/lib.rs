//! The evidence format of Duly, pure and readable alone: events, commitments, manifests, the log's tree, its tiles,
//! checkpoints and proofs.
//!
//! docs/evidence-format.md is the specification. Nothing here touches a database, a clock or a network.

mod checkpoint;
mod commitment;
mod event;
mod hash;
mod key;
mod key_change;
mod manifest;
mod merkle;
mod note;
mod policy;
mod proof;
mod text;
mod tile;
mod tree;
pub mod verify;

pub use checkpoint::{Checkpoint, CheckpointError};
pub use commitment::{PersonKey, commit, commit_under, field_key, verify};
pub use event::{Event, EventError, micros_of, time_text};
pub use hash::{from_hex, leaf_hash, node_hash, to_hex};
pub use key::{KeyKind, Vkey, public_key, verify_ed25519};
pub use key_change::{KEY_CHANGED, KeyChange, KeyChangeError, KeyLine, KeyLines};
pub use manifest::{ManifestBuilder, ManifestError, ManifestLine};
pub use merkle::{Frontier, inclusion_path};
pub use note::{Cosigned, Note, NoteError, NoteSignature, Signer, verify_cosignatures};
pub use policy::{Policy, PolicyError};
pub use proof::{ProofFile, ProofFileError, ProveError, Prover, verify_consistency, verify_inclusion};
pub use text::{clean, guard_formula, unguard_formula};
pub use tile::{
    BundleError, HASH_BYTES, Layer, TILE_WIDTH, Tile, bundle_entries, changed_tiles, completed_tiles, encode_bundle,
    entry_bundles, hash_tiles, level_len, push_entry, tile_at,
};
pub use tree::{Appender, EdgeError, Growth};
