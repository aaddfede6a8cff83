//! Random interleavings of claims, calls, answers, receipts, look-ups, crashes, expiries, holds and pauses, through the
//! store against a real Postgres: nobody is sent to twice, nobody is lost, nothing is left without a deadline.
//!
//! `WALK_SEED=n cargo test -p duly --test it interleavings` repeats the walk of a seed that failed.

mod provider;
mod resolver;
mod walk;

use std::time::{Duration, Instant};
use walk::{Care, Walk};

/// Time for all walks together, s; `WALK_SECONDS` asks for more.
const SECONDS: u64 = 12;
/// Walks at least, whatever the time: one of each class of providers, and the next seeds of them.
const WALKS_MIN: u64 = 8;
/// Random moves of one walk.
const MOVES: usize = 160;

fn given(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[tokio::test]
async fn no_interleaving_sends_twice_or_loses_anybody() {
    let started = Instant::now();
    let budget = Duration::from_secs(given("WALK_SECONDS").unwrap_or(SECONDS));
    let first = given("WALK_SEED").unwrap_or_else(|| u64::from(rand::random::<u32>()));
    let mut seed = first;
    while started.elapsed() < budget || seed < first + WALKS_MIN {
        println!("walk with WALK_SEED={seed}");
        let mut walk = Walk::new(seed, Care::Full).await;
        for _ in 0..MOVES {
            walk.random_move().await;
            assert!(walk.provider.most_for_one_key() <= 1, "WALK_SEED={seed}: sent twice");
        }
        walk.drain().await;
        walk.judge().await;
        seed += 1;
    }
    println!("{} walks, {} moves", seed - first, (seed - first) * MOVES as u64);
}

/// The same walks find what a careless resolver does; else they would show nothing.
#[tokio::test]
async fn the_walks_notice_a_resolver_that_believes_too_early() {
    for seed in 1..40 {
        let mut walk = Walk::new(seed, Care::BelievesTooEarly).await;
        for _ in 0..MOVES {
            walk.random_move().await;
            if walk.provider.most_for_one_key() > 1 {
                return;
            }
        }
    }
    panic!("40 walks with a careless resolver sent nothing twice");
}
