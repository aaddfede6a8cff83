//! A lane that is sick rests, longer each time, and a single call goes first when its rest is over.

use crate::support::{Capability, Lane, Setup, Stage, World, eventually, lane, quota, world};
use duly::model::health::Sign;
use duly::model::state::Channel;
use duly::model::step::{Answer, Pause};
use duly::store::outcome::Outcome;
use duly_sandbox::{Fault, FaultKind};
use std::time::Duration;

const STOPS: &str = "select count(*) from event where kind = 'lane.stopped'";
const RESUMES: &str = "select count(*) from event where kind = 'lane.resumed'";
const SENDING: &str = "select count(*) from message where state = 'sending'";

async fn stage(people: u32, fault: Fault, health: &'static str) -> Stage {
    let mut lane = Lane { per_second: 10, ..lane(Capability::StrongLookup) };
    lane.provider.faults = vec![fault];
    Stage::new(Setup { people, lanes: vec![lane], health, ..Setup::default() }).await
}

fn arrived(stage: &Stage) -> usize {
    stage.sandbox.state.arrivals("sms").len()
}

async fn rests(stage: &Stage, code: &str) {
    eventually("the lane rests", async || stage.words("select code from lane_pause where until > duly_now()").await == [code])
        .await;
    // A claim that was under way when the lane was stopped may still be committed, and its calls end.
    tokio::time::sleep(Duration::from_millis(700)).await;
    eventually("nothing is in a call", async || stage.count(SENDING).await == 0).await;
}

#[tokio::test]
async fn a_lane_whose_calls_fail_rests_longer_each_time_and_a_single_call_tries_it() {
    let stage =
        stage(60, Fault::always(FaultKind::ErrorBefore), "bad_min = 5\nrest_min_ms = 3000\nrest_max_ms = 60000\nreturn_ms = 1\n")
            .await;
    let _processes = [stage.start(&["scheduler"]), stage.start(&["worker"])];
    rests(&stage, "sick").await;
    let before = arrived(&stage);
    assert!(before < 50, "{before} calls before the lane was stopped");

    eventually("it was tried twice", async || stage.count("select coalesce(max(rests), 0)::bigint from lane_pause").await == 2)
        .await;

    assert_eq!(arrived(&stage), before + 2, "more than a single call tried the lane");
    assert_eq!((stage.count(STOPS).await, stage.count(RESUMES).await), (3, 0));
    stage.sandbox.state.set_faults("sms", vec![]);
    stage.drain().await;
    assert_eq!((stage.count(STOPS).await, stage.count(RESUMES).await), (3, 1));
    assert_eq!(stage.count("select count(*) from lane_pause").await, 0);
    assert!(stage.states().await.iter().all(|state| state == "accepted"), "{:?}", stage.states().await);
    assert_eq!(stage.produced(), 60);
    stage.audit().await;
}

#[tokio::test]
async fn a_lane_that_is_slow_is_sick_although_it_takes_everything() {
    let fault = Fault::always(FaultKind::Slow).lasting(400);
    let stage = stage(20, fault, "bad_min = 5\nslow_ms = 300\nrest_min_ms = 1600\nrest_max_ms = 60000\nreturn_ms = 1\n").await;
    let _processes = [stage.start(&["scheduler"]), stage.start(&["worker"])];

    rests(&stage, "sick").await;

    stage.sandbox.state.set_faults("sms", vec![]);
    stage.drain().await;
    assert!(stage.states().await.iter().all(|state| state == "accepted"), "{:?}", stage.states().await);
    assert_eq!(stage.produced(), 20);
    stage.audit().await;
}

#[tokio::test]
async fn a_provider_that_refuses_one_after_another_is_not_given_everybody() {
    let stage =
        stage(60, Fault::always(FaultKind::Reject), "bad_min = 8\nrest_min_ms = 60000\nrest_max_ms = 60000\nreturn_ms = 1\n")
            .await;
    let _processes = [stage.start(&["scheduler"]), stage.start(&["worker"])];

    rests(&stage, "sick").await;

    let refused = stage.count("select count(*) from message where state = 'rejected'").await;
    assert!((8..60).contains(&refused), "{refused} were refused");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(stage.count("select count(*) from message where state = 'rejected'").await, refused);
    stage.audit().await;
}

#[tokio::test]
async fn refused_credentials_get_a_second_look_by_one_call_and_are_told_once() {
    let stage =
        stage(30, Fault::always(FaultKind::Unauthorised), "rest_min_ms = 1600\nrest_max_ms = 900000\nreturn_ms = 1\n").await;
    let _processes = [stage.start(&["scheduler"]), stage.start(&["worker"])];
    rests(&stage, "401").await;
    let before = arrived(&stage);
    assert_eq!(stage.count(STOPS).await, 1, "one rest is told once, whatever the calls that had begun");

    stage.shift_clock(65).await;
    eventually("the second look is refused", async || stage.count(STOPS).await == 2).await;

    assert_eq!(arrived(&stage), before + 1);
    assert_eq!(stage.count("select round(extract(epoch from until - since))::bigint from lane_pause").await, 120);
    assert!(stage.states().await.iter().all(|state| state == "ready"), "{:?}", stage.states().await);
    stage.sandbox.state.set_faults("sms", vec![]);
    stage.shift_clock(65 + 125).await;
    stage.drain().await;
    assert_eq!((stage.count(RESUMES).await, stage.produced()), (1, 30));
    stage.audit().await;
}

#[tokio::test]
async fn a_reserve_takes_over_while_the_lane_before_it_rests_and_the_lane_comes_back_little_by_little() {
    let mut first = Lane { per_second: 20, ..lane(Capability::StrongLookup) };
    first.provider.faults = vec![Fault::always(FaultKind::Unauthorised)];
    let reserve = Lane { per_second: 20, reserve: true, provider: Capability::StrongLookup.provider(), ..Lane::named("spare") };
    let health = "rest_min_ms = 1600\nrest_max_ms = 60000\nreturn_ms = 20000\n";
    let stage = Stage::new(Setup { people: 300, lanes: vec![first, reserve], health, ..Setup::default() }).await;
    let _processes = [stage.start(&["scheduler"]), stage.start(&["worker"])];
    eventually("the reserve sends", async || stage.sandbox.state.arrivals("spare").len() >= 20).await;

    stage.sandbox.state.set_faults("sms", vec![]);
    let refused = arrived(&stage);
    stage.shift_clock(65).await;
    eventually("the lane goes on", async || stage.count(RESUMES).await == 1).await;
    let spare = stage.sandbox.state.arrivals("spare").len();
    eventually("the lane has sent some", async || arrived(&stage) >= refused + 8).await;

    let back = &stage.sandbox.state.arrivals("sms")[refused..];
    // Its bucket may be full of an eighth of its pace; at its whole pace eight take less than half a second.
    assert!(back[7] - back[0] >= Duration::from_secs(1), "{back:?}");
    stage.drain().await;
    let on_the_road = 3 * 20;
    assert!(stage.sandbox.state.arrivals("spare").len() <= spare + on_the_road, "the reserve went on");
    assert!(stage.states().await.iter().all(|state| state == "accepted"), "{:?}", stage.states().await);
    assert_eq!(stage.produced(), 300);
    stage.audit().await;
}

/// States that a message has when nobody tries it any more.
const BURNT: &str = "select count(*) from message where state in ('rejected', 'exhausted', 'failed', 'superseded')";

#[tokio::test]
async fn a_burst_of_503_rests_the_lane_burns_nobody_and_sends_to_everybody_once() {
    let burst = Fault { times: Some(9), ..Fault::always(FaultKind::Unavailable) };
    let stage = stage(40, burst, "bad_min = 5\nrest_min_ms = 1600\nrest_max_ms = 60000\nreturn_ms = 1\n").await;
    let _processes = [stage.start(&["scheduler"]), stage.start(&["worker"])];
    rests(&stage, "sick").await;

    stage.drain().await;

    assert_eq!(stage.sandbox.state.fired(FaultKind::Unavailable), 9);
    assert!(stage.count(STOPS).await >= 1 && stage.count(RESUMES).await == 1);
    assert!(stage.states().await.iter().all(|state| state == "accepted"), "{:?}", stage.states().await);
    assert_eq!((stage.produced(), stage.count(BURNT).await), (40, 0));
    stage.audit().await;
}

#[tokio::test]
async fn a_503_that_says_for_how_long_rests_the_lane_for_that_long_and_it_comes_back_little_by_little() {
    let once = Fault::once(FaultKind::Unavailable).lasting(7000);
    // By their number alone so few bad calls would stop nothing.
    let stage = stage(60, once, "bad_min = 1000000\nrest_min_ms = 1600\nrest_max_ms = 60000\nreturn_ms = 20000\n").await;
    let _processes = [stage.start(&["scheduler"]), stage.start(&["worker"])];
    rests(&stage, "503").await;
    assert_eq!(stage.count("select round(extract(epoch from until - since))::bigint from lane_pause").await, 7);
    let before = arrived(&stage);
    assert!(before < 50, "{before} calls before the lane was stopped");

    eventually("the lane goes on", async || stage.count(RESUMES).await == 1).await;
    eventually("it has sent some", async || arrived(&stage) >= before + 9).await;

    let arrivals = stage.sandbox.state.arrivals("sms");
    assert!(arrivals[before] - arrivals[before - 1] >= Duration::from_secs(4), "{arrivals:?}");
    // Its bucket may be full of an eighth of its pace; at its whole pace eight take less than a second.
    let back = &arrivals[before..];
    assert!(back[8] - back[0] >= Duration::from_millis(1500), "{back:?}");
    stage.drain().await;
    assert_eq!((stage.count(STOPS).await, stage.count(BURNT).await, stage.produced()), (1, 0, 60));
    assert!(stage.states().await.iter().all(|state| state == "accepted"), "{:?}", stage.states().await);
    stage.audit().await;
}

#[tokio::test]
async fn of_a_provider_that_cannot_be_asked_a_503_leaves_those_alone_to_somebody_who_were_in_a_call() {
    let mut lane = Lane { per_second: 10, ..lane(Capability::Nothing) };
    lane.provider.faults = vec![Fault { times: Some(3), ..Fault::always(FaultKind::Unavailable) }.lasting(2000)];
    let health = "bad_min = 1000000\nrest_min_ms = 1600\nrest_max_ms = 60000\nreturn_ms = 1\n";
    let stage = Stage::new(Setup { people: 30, lanes: vec![lane], health, ..Setup::default() }).await;
    let _processes = [stage.start(&["scheduler"]), stage.start(&["worker"])];

    stage.drain().await;

    let asked = stage.count("select count(*) from message where state = 'asked'").await;
    assert_eq!((asked, stage.sandbox.state.fired(FaultKind::Unavailable)), (3, 3));
    assert_eq!((stage.produced(), stage.count(BURNT).await), (27, 0));
    assert_eq!(stage.count("select count(*) from attempt a where exists (select from outcome o where o.message_id = a.message_id and o.kind = 'unknown')").await, 3);
    stage.audit().await;
}

/// What its provider answered to the call `attempt` of message `i`.
fn answered(world: &World, i: usize, attempt: u32, answer: Answer) -> Outcome {
    let is_stop = answer == Answer::LaneStopped;
    Outcome {
        message_id: world.messages[i],
        person_id: world.people[i],
        attempt,
        answer,
        provider_id: (answer == Answer::Accepted).then(|| "id-1".to_owned()),
        code: if is_stop { "21606" } else { "201" }.to_owned(),
        pause: is_stop.then_some(Pause::Minute),
        parts: None,
        cost: None,
        sign: if is_stop { Sign::Nothing } else { Sign::Well },
        alarm: None,
        retry_in_ms: 0,
    }
}

#[tokio::test]
async fn a_message_that_stops_its_lane_again_after_others_were_taken_is_counted_and_stops_nobody() {
    let world = world("own_stop", 2).await;
    let owner = sqlx::PgPool::connect(&world.url).await.unwrap();
    let claim = async |i: usize| {
        // Somebody looked after the lane.
        sqlx::query("delete from lane_pause").execute(&owner).await.unwrap();
        world.store.queue_due("sms-a", Channel::Sms, quota(100)).await.unwrap();
        assert_eq!(world.store.claim(world.incident.key, &[world.intent(i)], 1000).await.unwrap().len(), 1);
    };
    let record = async |i, attempt, answer| {
        world.store.record_outcomes(world.incident.key, &[answered(&world, i, attempt, answer)]).await.unwrap();
        let rests = "select count(*) from lane_pause where until > duly_now()";
        sqlx::query_scalar::<_, i64>(rests).fetch_one(&owner).await.unwrap()
    };
    claim(1).await;
    claim(0).await;

    assert_eq!(record(0, 1, Answer::LaneStopped).await, 1, "the lane rests");
    claim(0).await;
    assert_eq!(record(0, 2, Answer::LaneStopped).await, 1, "it does so again, and nothing else was taken");
    record(1, 1, Answer::Accepted).await;
    claim(0).await;
    assert_eq!(record(0, 3, Answer::LaneStopped).await, 0, "others are taken, so that it is this message");

    let kinds = "select kind from outcome where message_id = $1 order by attempt";
    let kinds: Vec<String> = sqlx::query_scalar(kinds).bind(world.messages[0]).fetch_all(&owner).await.unwrap();
    assert_eq!(kinds, ["lane_stopped", "lane_stopped", "not_taken"]);
    assert_eq!(world.store.audit(world.incident.key).await.unwrap(), []);
}
