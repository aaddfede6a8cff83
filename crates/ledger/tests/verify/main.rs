//! What `verify` promises: a good pack is good, and each damage has its code and its leaf.

#![expect(clippy::unwrap_used, reason = "tests")]

mod approvals;
mod case;
mod causes;
mod cli;
mod closed;
mod example;
mod findings;
mod hostile;
mod keys;
mod large;
mod list_keys;
mod own_list;
mod person;
mod printed;
mod speed;
mod stamps;
mod story;
mod told;
mod tree;
