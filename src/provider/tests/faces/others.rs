//! Receipts of other times and other messages, and answers that show another message, at each vendor's face.

use super::*;

/// Lob alone signs a time. What the others signed an hour ago is what they say today, and a copy of it by its name.
#[tokio::test]
async fn receipts_signed_long_ago_or_in_the_future_are_refused_by_whoever_has_a_time_to_go_by() {
    for who in VENDORS.into_iter().chain([NOTIFY[0], NOTIFY[1]]) {
        for kind in [FaultKind::ReceiptStale, FaultKind::ReceiptFuture] {
            let mut town = town(who, vec![Fault::once(kind)], 1).await;
            town.submit().await;
            let read = town.receipt().await;

            assert_eq!(town.state.fired(kind), 1, "{who:?} {kind:?}");
            assert_eq!(read.as_ref().err(), (who == LOB).then_some(&ReceiptRefusal::Stale), "{who:?} {kind:?}");
            assert_eq!(town.provider.capabilities().receipts_have_time, who == LOB, "{who:?}");
        }
    }
}

#[tokio::test]
async fn a_receipt_that_puts_another_messages_id_beside_our_reference_is_read_as_it_is_written() {
    for who in VENDORS.into_iter().chain([NOTIFY[0], NOTIFY[1]]) {
        let mut town = town(who, vec![], 60_000).await;
        let other = town.submit_as(OTHER).await.provider_id.unwrap();
        town.state.set_faults("northmere", vec![Fault::once(FaultKind::ReceiptOtherId)]);
        let own = town.submit().await.provider_id.unwrap();

        let receipts = town.receipt().await.unwrap();

        assert_ne!(own, other, "{who:?}");
        let named = (receipts[0].reference.as_deref(), receipts[0].provider_id.as_ref());
        assert_eq!(named, (Some(REFERENCE), Some(&other)), "{who:?}");
        assert_eq!(town.state.fired(FaultKind::ReceiptOtherId), 1, "{who:?}");
    }
}

#[tokio::test]
async fn an_answer_that_shows_another_message_says_nothing_of_ours_and_not_that_it_is_not_there() {
    for who in ALL {
        let town = town(who, vec![], 60_000).await;
        let shown = town.submit_as(OTHER).await.provider_id.unwrap();
        let id = town.submit().await.provider_id.unwrap();
        town.state.set_faults("northmere", vec![Fault::always(FaultKind::LookUpOther)]);

        assert_eq!(town.look_up().await, LookUp::CannotKnow, "{who:?}");
        let StatusAnswer::Known(seen) = town.provider.fetch_status(&id).await else { unreachable!("{who:?}: one is shown") };

        assert!(seen.provider_id == shown && !seen.is_of(&id, Some(REFERENCE)), "{who:?}");
        let asked = if who == DESCRIBED { 1 } else { 2 };
        assert_eq!(town.state.fired(FaultKind::LookUpOther), asked, "{who:?}");
    }
}
