//! The matrix: where a process dies × what the provider does, for each class of what a provider can do about a call whose end is
//! not known. Real processes; every cell is a message of its own with one exact end, its fault is shown to have fired, and there is
//! never a second message. `make matrix` runs all of it; `make test` the columns where nobody dies and where a worker dies with the
//! answers. docs/fault-matrix.md is printed from the tables that these tests hold to:
//! `MATRIX_WRITE=1 cargo test -p duly --test it fault_matrix::paper`.

pub mod ends;
mod paper;
mod round;

use crate::crash_matrix::Point;
use crate::support::Capability;
use ends::{Death, Row, WORKERS, schedulers};
use round::{Ground, ROUND};

/// Stages of one class that run side by side: most of their time they wait.
const STAGES: usize = 3;

/// Rounds of these deaths, one after the other, on a stage of their own.
fn run_some(capability: Capability, deaths: &[Death]) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut ground = Ground::new(capability).await;
        for death in deaths {
            let rows: Vec<Row> =
                Row::all(capability).into_iter().filter(|row| ends::end(capability, *row, *death).is_ok()).collect();
            // A worker takes any number at once.
            let at_once = if schedulers(capability).contains(death) { ROUND } else { rows.len() };
            for some in rows.chunks(at_once) {
                ground.round(*death, some).await;
            }
        }
        ground.end().await
    })
}

/// As many stages side by side as there are shares of the deaths.
async fn run(capability: Capability, deaths: &[Death], stages: usize) {
    let shares = (0..stages).map(|i| deaths.iter().skip(i).step_by(stages).copied().collect::<Vec<_>>());
    // On threads of their own: one that forks or cleans up must not keep another from its moment.
    let stages: Vec<_> = shares.map(|share| tokio::task::spawn_blocking(move || run_some(capability, &share))).collect();
    let mut wrong = Vec::new();
    for stage in stages {
        wrong.extend(stage.await.unwrap());
    }
    assert!(wrong.is_empty(), "{capability:?}: {wrong:#?}");
}

async fn run_all(capability: Capability) {
    let deaths: Vec<Death> = WORKERS.iter().chain(schedulers(capability)).copied().collect();
    run(capability, &deaths, STAGES).await;
}

/// The two columns that show most.
async fn run_two(capability: Capability) {
    run(capability, &[None, Some(Point::Call("response_read"))], 1).await;
}

#[tokio::test]
async fn no_fault_sends_twice_or_loses_anybody_where_keys_are_honoured() {
    run_two(Capability::Idempotent).await;
}

#[tokio::test]
async fn no_fault_sends_twice_or_loses_anybody_where_look_ups_see_at_once() {
    run_two(Capability::StrongLookup).await;
}

#[tokio::test]
async fn no_fault_sends_twice_or_loses_anybody_where_look_ups_lag() {
    run_two(Capability::LaggingLookup).await;
}

#[tokio::test]
async fn no_fault_sends_twice_or_loses_anybody_where_not_there_proves_nothing() {
    run_two(Capability::WeakLookup).await;
}

#[tokio::test]
async fn no_fault_sends_twice_or_loses_anybody_where_nothing_can_be_asked() {
    run_two(Capability::Nothing).await;
}

#[tokio::test]
#[ignore = "minutes on two cores: `make matrix`"]
async fn no_fault_with_any_death_sends_twice_or_loses_anybody_where_keys_are_honoured() {
    run_all(Capability::Idempotent).await;
}

#[tokio::test]
#[ignore = "minutes on two cores: `make matrix`"]
async fn no_fault_with_any_death_sends_twice_or_loses_anybody_where_look_ups_see_at_once() {
    run_all(Capability::StrongLookup).await;
}

#[tokio::test]
#[ignore = "minutes on two cores: `make matrix`"]
async fn no_fault_with_any_death_sends_twice_or_loses_anybody_where_look_ups_lag() {
    run_all(Capability::LaggingLookup).await;
}

#[tokio::test]
#[ignore = "minutes on two cores: `make matrix`"]
async fn no_fault_with_any_death_sends_twice_or_loses_anybody_where_not_there_proves_nothing() {
    run_all(Capability::WeakLookup).await;
}

#[tokio::test]
#[ignore = "minutes on two cores: `make matrix`"]
async fn no_fault_with_any_death_sends_twice_or_loses_anybody_where_nothing_can_be_asked() {
    run_all(Capability::Nothing).await;
}
