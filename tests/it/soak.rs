//! A long run in which everything goes wrong at once: every fault, three workers, kills at random. Nobody is lost, nobody
//! told twice, and whatever is not known is resolved or listed. `make soak` runs it with 100,000 messages.

use crate::fault_matrix::ends::LOOK_UPS;
use crate::support::{Lane, Process, Setup, Stage};
use duly::model::state::Route;
use duly_sandbox::{Fault, FaultKind, ProviderConfig};
use std::time::{Duration, Instant};

/// Chance of each fault, in thousandths.
const OFTEN: u32 = 50;
/// Faults that stop a lane for a minute or more, a daily limit until midnight: whether once or at every twentieth call, a run of two
/// thousand is over before its lane is back, and has shown nothing of the other faults there. Nor can its clock be moved over the rest:
/// for calls in flight the time would be over before their answers could come. `fault_matrix::` has each of them, and moves the
/// clock when no call is in flight.
const STOPPING: &[FaultKind] = &[
    FaultKind::Redirect,
    FaultKind::Unauthorised,
    FaultKind::Forbidden,
    FaultKind::NoCredit,
    FaultKind::TooManyToday,
    FaultKind::Suspended,
];
/// Faults of taking a message back, which nobody does here: what must become of one depends on the moment (`recalls::` has each, with
/// kills).
const OF_RECALLS: &[FaultKind] = &[FaultKind::CancelLost, FaultKind::CancelCut];
/// Faults of the letters that a provider shows; the plain face shows none (`shown::`).
const OF_SHOWN: &[FaultKind] = &[FaultKind::LetterShownOther];
/// Faults of letters alone; a conflict needs a repeat of what was made, and only letters are repeated.
const OF_LETTERS: &[FaultKind] =
    &[FaultKind::LetterReturned, FaultKind::LetterInvalid, FaultKind::PrintOutage, FaultKind::Conflict];
/// Faults of texts alone; a letter of which nothing believable is heard stays overdue for ever where nobody can be asked.
const OF_TEXTS: &[FaultKind] =
    &[FaultKind::Undelivered, FaultKind::Expired, FaultKind::ReceiptLost, FaultKind::ReceiptUnsigned, FaultKind::ReceiptStale];
/// What is not settled: in our hands, or waiting for news that would end a notice. Whose next step waits for somebody's decision is
/// listed, and no news of the step before is waited for.
const OPEN: &str = "select count(*) from message m where state in ('ready', 'sending', 'unknown')
    or state in ('accepted', 'sent', 'printed', 'overdue')
       and exists (select from notice n where n.person_id = m.person_id and n.state = 'open')
       and not exists (select from message a where a.person_id = m.person_id and a.state = 'asked')";

/// The same by lane, state, attempts, and kinds of what happened to them.
const STILL_OPEN: &str = "select concat_ws(' ', m.lane, m.state, m.attempt, m.due_at - duly_now(), (select string_agg(
        concat_ws(' ', e.kind, e.message_to), ', ' order by e.n) from event e where e.message_id = m.message_id))
      from message m where state in ('ready', 'sending', 'unknown') or state in ('accepted', 'sent', 'printed', 'overdue')
       and exists (select from notice n where n.person_id = m.person_id and n.state = 'open')";

/// Repeats are few: their fault must fire at every second one.
fn often(kind: FaultKind) -> u32 {
    if kind == FaultKind::Conflict { 500 } else { OFTEN }
}

fn faults(channel: &str) -> Vec<Fault> {
    let others = if channel == "letter" { OF_TEXTS } else { OF_LETTERS };
    // What has another message's id is believed of nobody (`vendors::`): it would wait for news for ever, and no run would end.
    let fits = |kind: &&FaultKind| {
        **kind != FaultKind::IdTwice && ![STOPPING, OF_RECALLS, OF_SHOWN, LOOK_UPS, others].iter().any(|list| list.contains(kind))
    };
    FaultKind::ALL
        .iter()
        .filter(fits)
        .map(|kind| Fault { per_mille: often(*kind), ..Fault::always(*kind).lasting(700) })
        .collect()
}

/// A lane of letters that honours our key, one of texts whose look-up lags, and one with neither.
fn lanes(per_second: u32) -> Vec<Lane> {
    let provider = |channel: &str| ProviderConfig {
        channel: channel.into(),
        latency_ms: 5,
        faults: faults(channel),
        ..ProviderConfig::default()
    };
    // Its receipts come later than our repeat: else they would tell of every letter that was made, and none were repeated.
    let letters = ProviderConfig { idempotent: true, lookup: false, receipt_delay_ms: 4000, ..provider("letter") };
    let mut lagging = ProviderConfig { lookup_lag_ms: 300, ..provider("sms") };
    lagging.faults.extend(LOOK_UPS.iter().map(|kind| Fault { per_mille: OFTEN, ..Fault::always(*kind).lasting(300) }));
    let blind = ProviderConfig { lookup: false, ..provider("sms") };
    // A letter whose text came through after all is not repeated: when its key is old, somebody is asked.
    let lane =
        |name, provider, unknown_rule| Lane { provider, per_second, unknown_rule, key_life_seconds: 45, ..Lane::named(name) };
    vec![lane("letters", letters, "ask"), lane("sms-a", lagging, "ask"), lane("sms-b", blind, "next_step")]
}

/// Numbers that look random and are the same for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap())
}

/// Kills one of the workers now and then, so many times, and starts another; then waits until nothing is open.
async fn disturb(stage: &Stage, dice: &mut Dice, kills_max: u64, longest: Duration) -> u64 {
    let (mut workers, mut kills) = (Vec::<Process>::new(), 0);
    workers.extend((0..3).map(|_| stage.start(&["worker"])));
    let began = Instant::now();
    while stage.count(OPEN).await > 0 {
        assert!(began.elapsed() < longest, "open after {longest:?}: {:#?}", stage.words(STILL_OPEN).await);
        tokio::time::sleep(Duration::from_millis(300 + dice.below(1500))).await;
        if kills < kills_max {
            let unlucky = usize::try_from(dice.below(3)).unwrap();
            workers[unlucky].kill();
            workers[unlucky] = stage.start(&["worker"]);
            kills += 1;
        }
    }
    kills
}

#[tokio::test]
async fn a_run_in_which_everything_goes_wrong_loses_nobody_and_tells_nobody_twice() {
    let messages = number("SOAK_MESSAGES", 2000);
    let mut dice = Dice(number("SOAK_SEED", 20_261_126));
    // About every fifth text is followed by a letter.
    let people = u32::try_from(messages * 9 / 10).unwrap();
    let dispatch = vec![("no_news_after_ms", 3000), ("overdue_again_ms", 2000)];
    let setup = Setup { people, routes: vec![Route::SmsThenLetter], lanes: lanes(400), dispatch, ..Setup::default() };
    let stage = Stage::new(setup).await;
    stage.serve_receipts().await;
    let _schedulers = [stage.start(&["scheduler"]), stage.start(&["scheduler"])];

    let kills = disturb(&stage, &mut dice, 5 + messages / 400, Duration::from_millis(480_000 + messages * 45)).await;

    stage.audit().await;
    let tried = stage.count("select count(*) from message").await.unsigned_abs();
    assert!(tried >= messages, "{tried} messages, {messages} were to be tried");
    assert!(kills >= 3, "{kills} kills");
    let unknown = stage.count("select count(*) from event where kind = 'message.unknown'").await;
    let listed = stage.count("select count(*) from message where state = 'asked'").await;
    assert!(unknown > kills.cast_signed(), "{unknown} calls were not known");
    assert_eq!(stage.count("select count(*) from message where state = 'unknown'").await, 0);
    let undecided = stage.count(
        "select count(*) from notice n where state = 'open' and not exists
        (select from message m where m.person_id = n.person_id and m.state = 'asked')",
    );
    assert_eq!(undecided.await, 0, "everybody has an end state, or waits for somebody's decision by name");
    for (lane, fired) in stage.sandbox.state.counts() {
        let planned = faults(if lane == "letters" { "letter" } else { "sms" });
        let of_look_ups = LOOK_UPS.iter().filter(|_| lane == "sms-a").copied();
        let silent: Vec<FaultKind> =
            planned.iter().map(|f| f.kind).chain(of_look_ups).filter(|kind| !fired.contains_key(kind)).collect();
        assert!(silent.is_empty(), "{lane}: never fired: {silent:?}, but {fired:?}");
    }
    let sent = stage.produced();
    println!(
        "{people} people, {tried} messages, {sent} of them physical, {kills} kills, {unknown} unknown calls, {listed} left to somebody"
    );
}
