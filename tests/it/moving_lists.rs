//! A look-up whose list moves while it is read: what neither of its pages showed may be there, what both showed is one.

use crate::support::{Capability, Lane, Setup, Stage, lane};
use duly_sandbox::{Fault, FaultKind, Requests};

#[tokio::test]
async fn a_call_whose_end_is_sought_in_a_list_that_moves_is_found_and_never_made_again() {
    for capability in [Capability::StrongLookup, Capability::LaggingLookup] {
        let mut lane = Lane { key_life_seconds: 600, ..lane(capability) };
        lane.provider.faults = vec![
            Fault::once(FaultKind::CutAfter).on(Requests::First),
            Fault { times: Some(3), ..Fault::always(FaultKind::LookUpMoved) },
            Fault::once(FaultKind::LookUpTwice),
        ];
        let stage = Stage::new(Setup { lanes: vec![lane], ..Setup::default() }).await;
        let _process = stage.start(&["scheduler", "worker"]);

        stage.drain().await;

        let fired =
            [FaultKind::CutAfter, FaultKind::LookUpMoved, FaultKind::LookUpTwice].map(|kind| stage.sandbox.state.fired(kind));
        assert_eq!(fired, [1, 3, 1], "{capability:?}");
        assert_eq!((stage.states().await, stage.produced()), (vec!["accepted".to_owned()], 1), "{capability:?}");
        // A slow machine refuses a call before it leaves, and makes it anew: one is all that came.
        assert_eq!(stage.sandbox.state.requests().into_values().collect::<Vec<_>>(), [1], "{capability:?}");
        assert!(stage.alarms().await.is_empty(), "{capability:?}: one message is no duplicate of itself");
        stage.audit().await;
    }
}
