//! A lane takes so many a day: the rest waits for the next day, nobody is lost, and everybody is told when that will be.

use crate::cli::desk::Desk;
use crate::support::{Capability, Lane, Setup, Stage, eventually, lane, quota, world};
use duly::model::state::Channel;
use duly::store::claim::Intent;
use duly::store::plan::{PAUSE, RESUME};
use duly_sandbox::{Fault, FaultKind};
use serde_json::json;
use std::time::Duration;

const DAY: i32 = 86_400;

async fn staged(people: u32, per_day: u32, faults: Vec<Fault>) -> Stage {
    let mut lane = Lane { per_day, ..lane(Capability::StrongLookup) };
    lane.provider.faults = faults;
    Stage::new(Setup { people, lanes: vec![lane], ..Setup::default() }).await
}

/// Messages that the provider has, also those of which no news came by the next day.
async fn taken(stage: &Stage) -> i64 {
    stage.count("select count(*) from message where state not in ('ready', 'sending', 'unknown')").await
}

#[tokio::test]
async fn a_lane_takes_so_many_a_day_over_all_workers_and_the_rest_on_the_days_after() {
    let stage = staged(30, 12, vec![]).await;
    let _scheduler = stage.start(&["scheduler"]);
    let _workers = [stage.start(&["worker"]), stage.start(&["worker"])];

    for (told, today) in [(12, 12), (24, 12), (30, 6)] {
        eventually("the day's share has left", async || taken(&stage).await == told).await;
        tokio::time::sleep(Duration::from_millis(600)).await;
        assert_eq!((taken(&stage).await, stage.produced()), (told, usize::try_from(told).unwrap()));
        let counted = stage
            .count("select coalesce(sum(taken), 0)::bigint from lane_day where day = (duly_now() at time zone 'UTC')::date")
            .await;
        assert_eq!(counted, today);
        let days = i32::try_from(told / 12).unwrap();
        stage.shift_clock(days * DAY).await;
    }
    stage.drain().await;
    stage.audit().await;
}

#[tokio::test]
async fn a_call_that_was_not_taken_costs_nothing_of_the_day() {
    let stage = staged(10, 10, vec![Fault { times: Some(5), ..Fault::always(FaultKind::TooMany) }]).await;
    let _processes = [stage.start(&["scheduler"]), stage.start(&["worker"])];

    stage.drain().await;

    assert_eq!((stage.sandbox.state.fired(FaultKind::TooMany), stage.produced()), (5, 10));
    assert_eq!(stage.count("select taken from lane_day").await, 10);
    stage.audit().await;
}

#[tokio::test]
async fn claims_at_one_moment_never_take_more_than_the_day_has() {
    let world = world("quota", 8).await;
    let store = &world.store;
    store.queue_due("sms-a", Channel::Sms, quota(8)).await.unwrap();
    let intents = |range: std::ops::Range<usize>| -> Vec<Intent> {
        range.map(|i| Intent { per_day: Some(5), ..world.intent(i) }).collect()
    };
    let (first, second) = (intents(0..4), intents(4..8));

    let claimed =
        futures::future::join(store.claim(world.incident.key, &first, 1000), store.claim(world.incident.key, &second, 1000))
            .await;

    assert_eq!(claimed.0.unwrap().len() + claimed.1.unwrap().len(), 5);
    assert_eq!(store.count_taken_today("sms-a").await.unwrap(), 5);
    assert_eq!(store.audit(world.incident.key).await.unwrap(), []);
}

#[tokio::test]
async fn who_goes_on_after_a_long_pause_gives_nobody_up_at_once() {
    let stage = Stage::new(Setup { people: 3, ..Setup::default() }).await;
    let move_to = async |to| stage.users.move_plan(&stage.office.store, &stage.incident, 1, to).await;
    move_to(PAUSE).await;
    stage.shift_clock(30 * DAY).await;
    move_to(RESUME).await;
    let _processes = [stage.start(&["scheduler"]), stage.start(&["worker"])];

    stage.drain().await;

    assert_eq!((stage.states().await, stage.produced()), (vec!["accepted".to_owned(); 3], 3));
    stage.audit().await;
}

#[tokio::test]
async fn a_plan_that_ends_after_its_deadline_needs_a_written_reason() {
    let mut desk = Desk::with_incident("late", "1").await;
    desk.set("DULY_LANES__SMS_A__PER_DAY", "1");
    desk.duly("ann", &["list", "import", "affected.csv", "--incident", "cards"]).fine();
    let today = time::OffsetDateTime::now_utc().date();
    let (by, later) = (today.to_string(), (today + time::Duration::days(2)).to_string());
    let prepare = |by: &str, more: &[&str]| {
        let args = ["plan", "prepare", "--incident", "cards", "--route", "sms-then-letter,letter,sms", "--json", "--told-by", by];
        desk.duly("ann", &[&args[..], more].concat())
    };

    let refused = prepare(&by, &[]);
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.err.contains("warns of Q001") && refused.err.contains("--accept Q001="), "{}", refused.err);
    assert!(
        refused.out.contains("3 text messages at 1 a day: last one on ") && refused.out.contains("deadline missed by 2 days")
    );

    let plan = prepare(&by, &["--accept", "Q001=the second provider comes tomorrow"]).fine().json();
    assert_eq!((&plan["check"][0]["rule"], &plan["check"][0]["people"]), (&json!("Q001"), &json!(3)));
    assert_eq!((&plan["outlook"][1]["last_day"], &plan["outlook"][1]["told_by"]), (&json!(later), &json!(by)));
    // Who waits two days for a turn still has all of our time then.
    let waits = sqlx::PgPool::connect(&desk.url).await.unwrap();
    let deadline: i64 = sqlx::query_scalar("select message_deadline_ms from plan").fetch_one(&waits).await.unwrap();
    assert_eq!(deadline, (72 + 48) * 3_600_000);
    let shown = desk.duly("bob", &["plan", "show", "--incident", "cards"]).fine().out;
    assert!(shown.contains("Q001") && shown.contains("the second provider comes tomorrow"), "{shown}");
    assert!(shown.contains("3 text messages at 1 a day: last one on ") && shown.contains("missed by 2 days"), "{shown}");
}

#[tokio::test]
async fn status_says_which_lane_is_full_and_when_the_last_message_leaves() {
    let mut desk = Desk::with_incident("full", "1").await;
    desk.set("DULY_LANES__SMS_A__PER_DAY", "2");
    desk.duly("ann", &["list", "import", "affected.csv", "--incident", "cards"]).fine();
    desk.duly("ann", &["plan", "prepare", "--incident", "cards", "--route", "sms-then-letter,letter,sms"]).fine();
    desk.duly("bob", &["plan", "approve", "--incident", "cards"]).fine();
    desk.duly("bob", &["plan", "go", "--incident", "cards"]).fine();
    desk.sabotage("insert into lane_day (lane, day, taken) values ('sms-a', (now() at time zone 'UTC')::date, 2)").await.unwrap();

    let status = desk.duly("ann", &["status"]).fine().out;

    assert!(status.contains("Lane sms-a was handed its 2 of today and goes on at 00:00 UTC"), "{status}");
    assert!(status.contains("Plan 1: 3 text messages at 2 a day: last one on ") && status.contains("deadline met ("), "{status}");
    assert!(status.contains("Plan 1: 1 letter: last one today"), "{status}");
    let json = desk.duly("ann", &["status", "--json"]).fine().json();
    assert_eq!((&json["full_lanes"], &json["outlook"][1]["days"]), (&json!({"sms-a": 2}), &json!(2)));
}
