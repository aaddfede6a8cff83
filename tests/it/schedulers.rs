//! Who goes when: one leader, a pace over all workers, lanes that pause, and answers that are heeded.

use crate::support::{Capability, Lane, Setup, Stage, eventually, lane};
use duly::model::state::Channel;
use duly::store::due::Quota;
use duly_sandbox::{Fault, FaultKind};
use sqlx::PgPool;
use std::collections::BTreeMap;
use std::time::Duration;

fn paced(per_second: u32) -> Lane {
    Lane { per_second, ..lane(Capability::StrongLookup) }
}

fn faulty(fault: Fault) -> Lane {
    let mut lane = lane(Capability::StrongLookup);
    lane.provider.faults = vec![fault];
    lane
}

/// Most requests in any window of this length.
fn most_within(arrivals: &[Duration], window: Duration) -> usize {
    let within = |(i, first): (usize, &Duration)| arrivals[i..].iter().take_while(|at| **at - *first < window).count();
    arrivals.iter().enumerate().map(within).max().unwrap_or(0)
}

#[tokio::test]
async fn a_frozen_leader_that_thaws_sends_nobody_twice() {
    let stage = Stage::new(Setup { people: 80, lanes: vec![paced(20)], ..Setup::default() }).await;
    let _worker = stage.start(&["worker"]);
    let old = stage.start(&["scheduler"]);
    eventually("the run is under way", async || stage.produced() >= 5).await;

    old.freeze();
    let frozen_at = stage.produced();
    let _new = stage.start(&["scheduler"]);
    eventually("the new leader leads", async || stage.produced() >= frozen_at + 25).await;
    old.thaw();
    stage.drain().await;

    assert!(stage.states().await.iter().all(|state| state == "accepted"));
    assert_eq!(stage.produced(), 80);
    assert!(stage.count("select max(epoch) from leadership where role = 'scheduler'").await >= 2);
    // A second of pace may be saved up, and a leader that thaws has at most one more.
    let most = most_within(&stage.sandbox.state.arrivals("sms"), Duration::from_secs(1));
    assert!(most <= 60, "{most} in a second");
    stage.audit().await;
}

#[tokio::test]
async fn two_leaders_at_once_are_one() {
    let stage = Stage::new(Setup { people: 40, lanes: vec![paced(40)], ..Setup::default() }).await;
    let _both = [stage.start(&["scheduler"]), stage.start(&["scheduler"])];
    let _worker = stage.start(&["worker"]);

    stage.drain().await;

    assert_eq!(stage.produced(), 40);
    assert_eq!(stage.count("select max(epoch) from leadership where role = 'scheduler'").await, 1);
    stage.audit().await;
}

/// The pace of an account is known to one process: sends and questions are counted together.
#[tokio::test]
async fn only_who_queues_asks_providers() {
    let stage = Stage::new(Setup::default()).await;
    let store = &stage.office.store;
    let leads = async |roles, holder: &str| store.lead(roles, holder, 5000).await.unwrap().is_some();

    assert!(leads(("harvest", "scheduler"), "anna").await, "nobody queues yet");
    assert!(leads(("scheduler", ""), "ben").await);
    assert!(!leads(("harvest", "scheduler"), "anna").await, "somebody else queues: it is not renewed");
    assert!(!leads(("sweep", "scheduler"), "anna").await);
    assert!(leads(("sweep", "scheduler"), "ben").await);

    stage.shift_clock(6).await;
    assert!(leads(("harvest", "scheduler"), "anna").await, "who queued is gone");
}

#[tokio::test]
async fn the_pace_of_a_lane_holds_over_all_workers() {
    let stage = Stage::new(Setup { people: 60, lanes: vec![paced(15)], ..Setup::default() }).await;
    let _workers = [stage.start(&["worker"]), stage.start(&["worker"]), stage.start(&["worker"])];
    let _scheduler = stage.start(&["scheduler"]);

    stage.drain().await;

    let arrivals = stage.sandbox.state.arrivals("sms");
    // At most one second is saved up: 60 take at least three. What a busy machine keeps on the road arrives closer together.
    let most = most_within(&arrivals, Duration::from_secs(1));
    assert!(most <= 40, "{most} in a second");
    assert!(*arrivals.last().unwrap() - arrivals[0] >= Duration::from_millis(2500));
    stage.audit().await;
}

#[tokio::test]
async fn credentials_that_are_refused_pause_the_lane_and_burn_nobodys_attempt() {
    let stage = Stage::new(Setup {
        people: 30,
        lanes: vec![Lane { per_second: 10, ..faulty(Fault::always(FaultKind::Unauthorised)) }],
        ..Setup::default()
    })
    .await;
    let _processes = [stage.start(&["scheduler"]), stage.start(&["worker"])];
    eventually("the lane pauses", async || stage.words("select code from lane_pause").await == ["401"]).await;
    // Calls that were claimed before the pause may still come.
    eventually("nothing is in a call", async || stage.count("select count(*) from message where state = 'sending'").await == 0)
        .await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let refused = stage.sandbox.state.arrivals("sms").len();

    tokio::time::sleep(Duration::from_secs(1)).await;

    assert_eq!(stage.sandbox.state.arrivals("sms").len(), refused, "somebody was sent on a paused lane");
    assert!(refused < 30);
    assert!(stage.states().await.iter().all(|state| state == "ready"), "{:?}", stage.states().await);
    stage.sandbox.state.set_faults("sms", vec![]);
    stage.shift_clock(120).await;
    stage.drain().await;
    assert!(stage.states().await.iter().all(|state| state == "accepted"));
    assert_eq!(stage.produced(), 30);
    stage.audit().await;
}

#[tokio::test]
async fn a_redirect_pauses_the_lane_and_is_not_believed_to_have_sent_nothing() {
    let stage = Stage::new(Setup { lanes: vec![faulty(Fault::once(FaultKind::Redirect))], ..Setup::default() }).await;
    let _processes = [stage.start(&["scheduler"]), stage.start(&["worker"])];
    eventually("the lane pauses", async || stage.words("select code from lane_pause").await == ["307"]).await;

    // A call that was late for its turn was not made.
    let kinds = "select kind from outcome where code not in ('send_by', 'hold_changed')";
    assert_eq!(stage.words(kinds).await, ["unknown"]);
    assert_eq!(stage.sandbox.state.arrivals("sms").len(), 1, "the redirect was followed");
    eventually("the look-up finds nothing", async || stage.states().await == ["ready"]).await;
    stage.shift_clock(120).await;
    stage.drain().await;

    assert_eq!(stage.states().await, ["accepted"]);
    assert_eq!(stage.produced(), 1);
    stage.audit().await;
}

#[tokio::test]
async fn who_is_told_to_come_back_later_comes_back_later() {
    let stage =
        Stage::new(Setup { lanes: vec![faulty(Fault::once(FaultKind::TooMany).lasting(2000))], ..Setup::default() }).await;
    let _processes = [stage.start(&["scheduler"]), stage.start(&["worker"])];

    stage.drain().await;

    let arrivals = stage.sandbox.state.arrivals("sms");
    assert_eq!((arrivals.len(), stage.produced()), (2, 1));
    assert!(arrivals[1] - arrivals[0] >= Duration::from_secs(2), "{arrivals:?}");
    let kinds = "select kind from outcome where code not in ('send_by', 'hold_changed') order by attempt";
    assert_eq!(stage.words(kinds).await, ["not_taken", "accepted"]);
    stage.audit().await;
}

/// Pauses of all messages that wait to be tried again, in the database's clock: after which attempt, and ms from its outcome.
async fn pauses(stage: &Stage) -> Vec<(i32, i64)> {
    sqlx::query_as(
        "select m.attempt, (extract(epoch from m.due_at - o.at) * 1000)::bigint
           from message m join outcome o using (controller_id, incident_no, message_id, attempt)
          where m.state = 'ready' and o.kind = 'not_taken'",
    )
    .fetch_all(&stage.owner)
    .await
    .unwrap()
}

#[tokio::test]
async fn a_provider_that_is_away_is_tried_again_with_growing_pauses() {
    const MINUTE_MS: i64 = 60_000;
    /// Longest pause after each attempt: it doubles, up to its limit.
    const LONGEST_MINUTES: [i64; 4] = [10, 20, 30, 30];
    let stage = Stage::new(Setup {
        people: 40,
        lanes: vec![faulty(Fault::always(FaultKind::TooMany))],
        dispatch: vec![("backoff_min_ms", 10 * MINUTE_MS), ("backoff_max_ms", 30 * MINUTE_MS)],
        ..Setup::default()
    })
    .await;
    let _worker = stage.start(&["worker"]);
    let mut seen: BTreeMap<i32, Vec<i64>> = BTreeMap::new();
    for round in 1..=4 {
        let mut scheduler = stage.start(&["scheduler"]);
        let tried = async || stage.count("select min(attempt)::bigint from message").await >= round;
        eventually("everybody was tried once more", tried).await;
        assert!(scheduler.terminate().await.success());
        const AT_WORK: &str = "select count(*) from message where state <> 'ready' or lease_until > duly_now()";
        eventually("nobody is on the road", async || stage.count(AT_WORK).await == 0).await;
        pauses(&stage).await.into_iter().for_each(|(attempt, pause)| seen.entry(attempt).or_default().push(pause));
        stage.shift_clock(3600 * i32::try_from(round).unwrap()).await;
    }

    for (attempt, minutes) in (1..).zip(LONGEST_MINUTES) {
        let (pauses, limit) = (&seen[&attempt], minutes * MINUTE_MS);
        let (shortest, longest) = (*pauses.iter().min().unwrap(), *pauses.iter().max().unwrap());
        // The provider asks for a second at least; between an outcome and its pause lies a part of one transaction.
        assert!(shortest >= 1000 && longest <= limit + 5000, "after attempt {attempt}: {pauses:?}");
        // Full jitter over so many: some wait longer than anybody could before, and some short.
        assert!(longest > limit * 2 / 3 && shortest < limit / 2, "after attempt {attempt}: {pauses:?}");
    }
    stage.sandbox.state.set_faults("sms", vec![]);
    let _scheduler = stage.start(&["scheduler"]);
    stage.drain().await;
    assert_eq!(stage.produced(), 40);
    stage.audit().await;
}

#[tokio::test]
async fn every_call_fault_at_once_tells_everybody_once() {
    let fault = |kind| Fault { per_mille: 60, ..Fault::always(kind) };
    let kinds = [
        FaultKind::TooMany,
        FaultKind::ErrorBefore,
        FaultKind::ErrorAfter,
        FaultKind::CutBefore,
        FaultKind::CutAfter,
        FaultKind::Hang,
    ];
    let mut lane = paced(100);
    lane.provider.faults = kinds.iter().map(|kind| fault(*kind)).collect();
    lane.provider.faults.push(fault(FaultKind::Late).lasting(550));
    lane.provider.faults.push(fault(FaultKind::Slow).lasting(200));
    let stage = Stage::new(Setup { people: 120, lanes: vec![lane], ..Setup::default() }).await;
    let _processes = [stage.start(&["scheduler"]), stage.start(&["worker"])];

    stage.drain().await;

    for kind in kinds {
        assert!(stage.sandbox.state.fired(kind) > 0, "{kind:?} did not fire");
    }
    assert!(stage.states().await.iter().all(|state| state == "accepted"), "{:?}", stage.states().await);
    assert_eq!(stage.produced(), 120);
    stage.audit().await;
}

#[tokio::test]
async fn a_hold_in_mid_run_stops_everybody_within_its_half_second_until_it_is_lifted() {
    let stage = Stage::new(Setup { people: 60, lanes: vec![paced(20)], ..Setup::default() }).await;
    let _processes = [stage.start(&["scheduler"]), stage.start(&["worker"])];
    eventually("the run is under way", async || stage.produced() >= 22).await;

    let hold = stage.hold().await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    // A call that was claimed before the hold may still be on its way.
    eventually("nobody is being called", async || stage.count("select count(*) from message where state = 'sending'").await == 0)
        .await;
    let stopped_at = stage.sandbox.state.arrivals("sms").len();
    tokio::time::sleep(Duration::from_millis(1500)).await;

    assert_eq!(stage.sandbox.state.arrivals("sms").len(), stopped_at);
    assert!(stopped_at < 60);
    stage.lift(hold).await;
    stage.drain().await;
    assert_eq!(stage.produced(), 60);
    stage.audit().await;
}

/// Rows of `message` that statements have read so far, and how many statements looked into an index of it.
async fn reads(owner: &PgPool) -> (i64, i64) {
    let rows = "select coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0), coalesce(idx_scan, 0)
                  from pg_stat_user_tables where relname = 'message'";
    sqlx::query_as(rows).fetch_one(owner).await.unwrap()
}

#[tokio::test]
async fn a_look_reads_what_is_due_and_not_all_that_waits() {
    let stage = Stage::new(Setup { people: 400, ..Setup::default() }).await;
    let (owner, store) = (&stage.owner, &stage.office.store);
    sqlx::query("update message set due_at = duly_now() + interval '1 hour'").execute(owner).await.unwrap();
    let quota = Quota { limit: 100, outstanding_max: 100, attempts_max: 3, takes_new: true };
    let (before, scans) = reads(owner).await;

    let looks = 200;
    for _ in 0..looks {
        assert!(store.queue_due("sms", Channel::Sms, quota).await.unwrap().is_empty());
        assert!(store.list_due(100, 3).await.unwrap().is_empty());
    }

    // Each look is at least one scan; backends report what they did when they have rested for a moment.
    eventually("the looks are counted", async || reads(owner).await.1 >= scans + 2 * looks).await;
    let read = reads(owner).await.0 - before;
    // What made the plan is counted late and is among them; a look that walked over all would read 400 rows each time.
    assert!(read < 100 * looks, "{read} rows were read in {looks} looks of each kind at 400 messages that wait for later");
}

#[tokio::test]
async fn one_process_alone_keeps_the_database_s_statistics() {
    let stage = Stage::new(Setup::default()).await;
    let counted = "create table counted (at timestamptz default now());
        create or replace function duly_analyze(only_grown boolean) returns void language sql security definer as 'insert into public.counted default values';
        insert into leadership (role, epoch, holder, expires_at) values ('statistics', 1, 'somebody else', now() + interval '59 seconds')";
    sqlx::raw_sql(counted).execute(&stage.owner).await.unwrap();

    let _standby = stage.start(&["scheduler"]);
    let first: time::OffsetDateTime = sqlx::query_scalar("select now()").fetch_one(&stage.owner).await.unwrap();
    let renewed = async || {
        let later = first + Duration::from_secs(8);
        let query = "select count(*) from leadership where role = 'scheduler' and expires_at > $1";
        sqlx::query_scalar::<_, i64>(query).bind(later).fetch_one(&stage.owner).await.unwrap() == 1
    };
    eventually("it has gone round often enough", renewed).await;
    assert_eq!(stage.count("select count(*) from counted").await, 0);

    sqlx::raw_sql("update leadership set expires_at = now() where role = 'statistics'").execute(&stage.owner).await.unwrap();
    eventually("the standby does it", async || stage.count("select count(*) from counted").await > 0).await;
}
