//! Whoever locks takes the incident first, then people in one order, then messages: in whatever order they are named, nobody
//! waits for somebody who waits for them.

use crate::support::{World, deadlines, eventually, quota, world};
use duly::model::health::Sign;
use duly::model::state::Channel;
use duly::model::step::{Answer, Cause};
use duly::store::Store;
use duly::store::outcome::Outcome;
use duly::store::plan::{Approved, PAUSE, RESUME};
use duly::store::unit::Note;

const PEOPLE: u8 = 24;
/// How often each of them takes its locks.
const ROUNDS: usize = 60;

/// Everybody, beginning at another one each time; every second time from the end.
fn order(round: usize) -> Vec<usize> {
    let all = usize::from(PEOPLE);
    let mut order: Vec<usize> = (0..all).map(|i| (i + round * 7) % all).collect();
    if round % 2 == 1 {
        order.reverse();
    }
    order
}

fn not_taken(world: &World, i: usize, attempt: u32) -> Outcome {
    Outcome {
        message_id: world.messages[i],
        person_id: world.people[i],
        attempt,
        answer: Answer::NotTaken,
        provider_id: None,
        code: "429".into(),
        pause: None,
        parts: None,
        cost: None,
        sign: Sign::Nothing,
        alarm: None,
        retry_in_ms: 0,
    }
}

/// A worker: queued, claimed, answered; for as many rounds as the others, and until enough was done to show anything.
async fn work(world: &World, store: &Store, seed: usize) {
    let (mut answered, mut round) = (0, 0);
    while round < ROUNDS || answered < usize::from(PEOPLE) * 5 {
        round += 1;
        store.queue_due("sms-a", Channel::Sms, quota(100)).await.unwrap();
        let order = order(round + seed);
        let intents: Vec<_> = order.iter().map(|i| world.intent(*i)).collect();
        let claimed = store.claim(world.incident.key, &intents, 20_000).await.unwrap();
        let outcomes: Vec<_> = claimed.iter().rev().map(|c| not_taken(world, order[c.index], c.attempt)).collect();
        store.record_outcomes(world.incident.key, &outcomes).await.unwrap();
        answered += outcomes.len();
    }
}

/// A recorder that has not heard that its outcomes are known, and says them again.
async fn repeat(world: &World, store: &Store, seed: usize) {
    for round in 0..ROUNDS {
        let outcomes: Vec<_> = order(round + seed).into_iter().map(|i| not_taken(world, i, 1)).collect();
        store.record_outcomes(world.incident.key, &outcomes).await.unwrap();
    }
}

/// The sweep, one message after the other.
async fn sweep(world: &World, store: &Store) {
    for round in 0..ROUNDS {
        let order = order(round + 3);
        for i in &order[..6] {
            let (person, message) = (world.people[*i], world.messages[*i]);
            store
                .apply_one(world.incident.key, person, message, Cause::LeaseExpired { attempt: 999 }, Note::default())
                .await
                .unwrap();
        }
        store.list_due(100, 20).await.unwrap();
    }
}

/// Somebody who holds the incident or a person, and lets go.
async fn hold(world: &World) {
    for round in 0..ROUNDS / 6 {
        let hold = world.hold((round % 2 == 0).then(|| world.people[round])).await;
        world.lift(hold).await;
    }
}

/// Somebody at a screen: pauses the plan, approves it once more, lets it go on; another one does the same at that moment.
async fn press(world: &World, store: &Store) {
    let (key, bob) = (world.incident.key, &world.users.bob);
    let plan = store.load_plan(key, 1).await.unwrap();
    for _ in 0..ROUNDS / 6 {
        let paused = store.move_plan(key, &plan, &PAUSE, bob).await;
        let approved = store.approve_plan(key, &plan, bob, 1).await;
        let resumed = store.move_plan(key, &plan, &RESUME, bob).await;
        // Whoever comes second finds it done.
        assert!(paused.is_ok() && resumed.is_ok(), "{paused:?} {resumed:?}");
        assert!(matches!(approved, Ok(Approved::Before(_))), "{approved:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_at_once_and_in_any_order_never_ends_in_a_deadlock() {
    let world = world("lock_order", PEOPLE).await;
    // First attempts, of which the repeated outcomes speak.
    work_once(&world).await;
    // The world's own store has too few connections for all of them.
    let store = Store::connect(&world.url, 12, deadlines()).await.unwrap();

    tokio::join!(
        work(&world, &store, 0),
        work(&world, &store, 5),
        repeat(&world, &store, 1),
        repeat(&world, &store, 2),
        sweep(&world, &store),
        hold(&world),
        press(&world, &store),
        press(&world, &store),
    );

    // Each of them would have ended with an error here, and the server counts them besides.
    let owner = sqlx::PgPool::connect(&world.url).await.unwrap();
    let deadlocks: i64 = sqlx::query_scalar("select deadlocks from pg_stat_database where datname = current_database()")
        .fetch_one(&owner)
        .await
        .unwrap();
    assert_eq!(deadlocks, 0);
}

async fn work_once(world: &World) {
    let intents: Vec<_> = order(0).iter().map(|i| world.intent(*i)).collect();
    world.store.queue_due("sms-a", Channel::Sms, quota(100)).await.unwrap();
    let claimed = world.store.claim(world.incident.key, &intents, 20_000).await.unwrap();
    assert_eq!(claimed.len(), usize::from(PEOPLE));
    let outcomes: Vec<_> = (0..usize::from(PEOPLE)).map(|i| not_taken(world, i, 1)).collect();
    world.store.record_outcomes(world.incident.key, &outcomes).await.unwrap();
}

#[tokio::test]
async fn an_event_of_somebody_who_was_waited_for_says_the_time_at_which_the_wait_ended() {
    let world = world("lock_time", 1).await;
    world.store.queue_due("sms-a", Channel::Sms, quota(1)).await.unwrap();
    world.store.claim(world.incident.key, &[world.intent(0)], 20_000).await.unwrap();
    let owner = sqlx::PgPool::connect(&world.url).await.unwrap();
    let mut other = owner.begin().await.unwrap();
    sqlx::query("select from person for no key update").execute(&mut *other).await.unwrap();

    let answered = tokio::spawn({
        let (store, incident, outcome) = (world.store.clone(), world.incident.key, not_taken(&world, 0, 1));
        async move { store.record_outcomes(incident, &[outcome]).await.unwrap() }
    });
    let waiting = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    eventually("the answer waits for its person", async || {
        sqlx::query_scalar::<_, i64>(waiting).fetch_one(&owner).await.unwrap() == 1
    })
    .await;
    let released: time::OffsetDateTime = sqlx::query_scalar("select clock_timestamp()").fetch_one(&owner).await.unwrap();
    other.commit().await.unwrap();
    answered.await.unwrap();

    let said = "select (convert_from(body, 'UTF8')::jsonb ->> 't')::timestamptz from event where kind = 'message.not_taken'";
    let said: time::OffsetDateTime = sqlx::query_scalar(said).fetch_one(&owner).await.unwrap();
    assert!(said >= released, "{said} is before {released}");
}
