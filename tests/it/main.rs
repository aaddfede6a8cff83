//! One binary, a module per promise, on a real Postgres and a real RabbitMQ.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod anchors;
mod attacks;
mod cli;
mod clock;
mod closing;
mod crash_matrix;
mod erasure;
mod house;
mod intake_corrections;
mod intake_jobs;
mod intake_world;
mod interleavings;
mod list_signatures;
mod lists;
mod model_check;
mod no_one_twice;
mod operations;
mod packs;
mod receipts;
mod recovery;
mod repeats;
mod reports;
mod restarts;
mod restore;
mod sabotage;
mod schedulers;
mod schema;
mod sequencer;
mod states;
mod support;
mod the_event_is_the_only_writer;
mod told;
mod turns;
mod unsent;
mod wording;
