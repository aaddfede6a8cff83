//! Each fault does what it says, over real HTTP.
#![expect(clippy::unwrap_used, reason = "tests")]

mod calls;
mod faces;
mod limits;
mod memory;
mod notify;
mod receipts;
mod support;
