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
    assert_eq!(step(&case, 0, Cause::Shown), Step::default());
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

/// Applies a cause with everything that follows from it, as the store does.
fn apply(case: &mut Case, index: usize, cause: Cause) {
    let decided = step(case, index, cause);
    if let Some(to) = decided.message {
        case.messages[index].state = to;
    }
    case.notice = decided.notice.unwrap_or(case.notice);
    for effect in decided.effects {
        match effect {
            Effect::Create(channel) => {
                case.messages.push(message(channel, MessageState::Ready, MessageState::HandedToCarrier));
            }
            Effect::Reopen(i) => apply(case, i, Cause::Reopened),
            Effect::Cancel(i) => apply(case, i, Cause::Cancelled),
            Effect::PossibleDuplicate | Effect::Misfit(_) => {}
        }
    }
}

/// Every order of these.
fn orders(reports: &[MessageState]) -> Vec<Vec<MessageState>> {
    if reports.is_empty() {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for (i, first) in reports.iter().enumerate() {
        let rest = [&reports[..i], &reports[i + 1..]].concat();
        all.extend(orders(&rest).into_iter().map(|rest| [vec![*first], rest].concat()));
    }
    all
}

#[test]
fn every_order_of_receipts_each_once_or_twice_ends_in_the_same_state() {
    use MessageState::*;
    let cases: [(Route, Channel, MessageState, &[MessageState]); 4] = [
        (Route::Sms, Channel::Sms, DeliveredToHandset, &[Accepted, Sent, Expired, Failed, DeliveredToHandset]),
        (Route::SmsThenLetter, Channel::Sms, DeliveredToHandset, &[Accepted, Sent, Expired, Failed, DeliveredToHandset]),
        (
            Route::Letter,
            Channel::Letter,
            HandedToCarrier,
            &[Accepted, Printed, Failed, HandedToCarrier, CarrierDelivered, Returned],
        ),
        (Route::Email, Channel::Email, CarrierDelivered, &[Accepted, Sent, Failed, CarrierDelivered, Returned]),
    ];
    let mut tried = 0;
    for (route, channel, closes_at, words) in cases {
        for start in [Sending, Unknown, Asked, Exhausted, Superseded, Accepted] {
            for chosen in 1..1_usize << words.len() {
                let reports: Vec<MessageState> =
                    words.iter().enumerate().filter(|(i, _)| chosen >> i & 1 == 1).map(|(_, word)| *word).collect();
                let end = |order: &[MessageState], times: usize| {
                    let first = Message { reason: Reason::First, ..message(channel, start, closes_at) };
                    let mut case = Case { notice: NoticeState::Open, route, messages: vec![first] };
                    for &report in order {
                        (0..times).for_each(|_| apply(&mut case, 0, Cause::Reported { report, other_id: false }));
                    }
                    let leaves = case.messages.iter().skip(1).any(|next| next.state == Ready);
                    (case.messages[0].state, case.notice, leaves)
                };
                let expected = end(&reports, 1);
                for order in orders(&reports) {
                    for times in [1, 2] {
                        assert_eq!(end(&order, times), expected, "{route:?} from {start}: {order:?}, each {times} times");
                        tried += 1;
                    }
                }
            }
        }
    }
    assert!(tried > 20_000, "{tried} orders");
}
