//! The log: against published vectors, and against other implementations on random input.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod differential;
mod files;
mod tree;
