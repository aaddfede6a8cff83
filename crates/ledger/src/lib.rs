//! The evidence format of Duly, pure and readable alone: event bytes, leaf hashes, commitments, Merkle roots.
//!
//! docs/evidence-format.md is the specification. Nothing here touches a database, a clock or a network.

mod commitment;
mod event;
mod hash;
mod manifest;
mod merkle;

pub use commitment::{PersonKey, commit, field_key, verify};
pub use event::{Event, EventError};
pub use hash::{leaf_hash, node_hash, to_hex};
pub use manifest::{ManifestBuilder, ManifestError, ManifestLine};
pub use merkle::Frontier;
