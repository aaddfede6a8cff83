use super::*;

#[test]
fn the_attempt_limit_counts_calls_that_a_provider_could_have_taken() {
    assert!(Answer::NotTaken.counts("not_written") && Answer::Unknown.counts("timeout"));
    for code in UNCOUNTED {
        assert!(!Answer::NotTaken.counts(code), "{code}");
    }
    assert!(!Answer::LaneStopped.counts("401"));

    let text = message(Channel::Sms, MessageState::Ready, MessageState::DeliveredToHandset);
    let case = Case { notice: NoticeState::Open, route: Route::Sms, messages: vec![text] };
    let given_up = |tries| step(&case, 0, Cause::GaveUp(Limit::Attempts { tries, limit: 3 }));
    assert_eq!((given_up(2).message, given_up(3).message), (None, Some(MessageState::Exhausted)));
}

#[test]
fn a_posted_letter_awaits_news_only_where_delivery_alone_counts() {
    let no_news = |closes_at| {
        let letter = message(Channel::Letter, MessageState::HandedToCarrier, closes_at);
        let case = Case { notice: NoticeState::Open, route: Route::Letter, messages: vec![letter] };
        step(&case, 0, Cause::NoNews)
    };

    assert_eq!(no_news(MessageState::HandedToCarrier), Step::default());
    let overdue = no_news(MessageState::CarrierDelivered);
    assert_eq!((overdue.message, overdue.notice), (Some(MessageState::Overdue), None));
}

#[test]
fn what_was_taken_back_is_told_to_nobody_and_the_next_step_takes_its_place() {
    let text = message(Channel::Sms, MessageState::Accepted, MessageState::DeliveredToHandset);
    let mut case = Case { notice: NoticeState::Open, route: Route::SmsThenLetter, messages: vec![text] };
    let recalled = |case: &Case, answer| step(case, 0, Cause::Recalled(answer));

    for answer in [Recall::TooLate, Recall::Unknown] {
        assert_eq!(recalled(&case, answer), Step::default(), "{answer:?}");
    }
    assert_eq!(step(&case, 0, Cause::RecallAsked), Step::default());
    let taken_back = recalled(&case, Recall::Cancelled);
    assert_eq!((taken_back.message, taken_back.notice), (Some(MessageState::Failed), None));
    assert_eq!(taken_back.effects, [Effect::Create(Channel::Letter)]);
    case.route = Route::Sms;
    assert_eq!(recalled(&case, Recall::Cancelled).notice, Some(NoticeState::Unreachable));

    // It left before, or all the same: nobody is told a second time because of it.
    case.messages[0].state = MessageState::DeliveredToHandset;
    case.notice = NoticeState::Notified;
    assert_eq!(recalled(&case, Recall::Cancelled), Step::default());
}

fn message(channel: Channel, state: MessageState, closes_at: MessageState) -> Message {
    let reason = if channel == Channel::Letter { Reason::Escalation } else { Reason::First };
    Message { channel, reason, state, attempt: 1, fresh: 1, closes_at: Some(closes_at) }
}

#[test]
fn a_text_without_news_and_a_letter_that_came_back_leave_nobody_waiting() {
    let text = message(Channel::Sms, MessageState::Overdue, MessageState::DeliveredToHandset);
    let letter = message(Channel::Letter, MessageState::HandedToCarrier, MessageState::HandedToCarrier);
    let mut case = Case { notice: NoticeState::Notified, route: Route::SmsThenLetter, messages: vec![text, letter] };

    let returned = step(&case, 1, Cause::Reported { report: MessageState::Returned, other_id: false });
    assert_eq!(returned.notice, Some(NoticeState::Unreachable));

    case.messages[1].state = MessageState::Returned;
    case.notice = NoticeState::Unreachable;
    let late = step(&case, 0, Cause::Reported { report: MessageState::DeliveredToHandset, other_id: false });
    assert_eq!(late.notice, Some(NoticeState::Notified));
}
