//! A machine whose clock is an hour off sends as any other: only the database's clock is stored and compared.

use crate::support::{Capability, Lane, Setup, Stage, lane};
use duly_sandbox::{Fault, FaultKind, ProviderConfig};

/// A run against a database that lives `seconds` away from this machine, with unknown calls to resolve.
async fn runs_with_a_clock_off_by(seconds: i32, capability: Capability) {
    let faults = vec![
        Fault { times: Some(3), ..Fault::always(FaultKind::CutAfter) },
        Fault { times: Some(3), ..Fault::always(FaultKind::TooMany) },
    ];
    let provider = ProviderConfig { faults, ..capability.provider() };
    let lanes = vec![Lane { provider, ..lane(capability) }];
    let stage = Stage::new(Setup { people: 10, lanes, clock_seconds: seconds, ..Setup::default() }).await;
    let _processes = [stage.start(&["scheduler"]), stage.start(&["worker"])];

    stage.drain().await;

    assert!(stage.states().await.iter().all(|state| state == "accepted"), "{:?}", stage.states().await);
    assert_eq!((stage.produced(), stage.sandbox.state.fired(FaultKind::CutAfter)), (10, 3));
    stage.audit().await;
}

#[tokio::test]
async fn a_worker_an_hour_behind_finds_out_what_became_of_its_calls() {
    runs_with_a_clock_off_by(3600, Capability::StrongLookup).await;
}

#[tokio::test]
async fn a_worker_an_hour_ahead_finds_out_what_became_of_its_calls() {
    runs_with_a_clock_off_by(-3600, Capability::StrongLookup).await;
}

#[tokio::test]
async fn a_worker_an_hour_off_repeats_only_under_a_living_key() {
    runs_with_a_clock_off_by(3600, Capability::Idempotent).await;
}
