//! Broker, database and workers go away in mid-run and come back; nobody is lost and nobody told twice.

use crate::support::{Capability, Lane, PATIENT, Services, Setup, Stage, Wires, eventually, lane};
use duly_sandbox::ProviderConfig;
use std::time::Duration;

/// People of a run that lasts long enough to be disturbed.
const PEOPLE: u32 = 60;

/// A run at a pace of 10 a second, so that nobody who looks in between finds it over.
async fn run(wired: bool) -> Stage {
    run_with(wired, vec![]).await
}

async fn run_with(wired: bool, dispatch: Vec<(&'static str, i64)>) -> Stage {
    let provider = ProviderConfig { latency_ms: 20, ..Capability::StrongLookup.provider() };
    let lane = Lane { provider, per_second: 10, ..lane(Capability::StrongLookup) };
    Stage::new(Setup { people: PEOPLE, lanes: vec![lane], wired, dispatch, ..Setup::default() }).await
}

async fn is_under_way(stage: &Stage) {
    eventually("the run is under way", async || stage.produced() >= 10).await;
    assert!(stage.produced() < PEOPLE as usize, "the run was over before it could be disturbed");
}

async fn everybody_was_told_once(stage: &Stage) {
    stage.drain().await;
    assert!(stage.states().await.iter().all(|state| state == "accepted"), "{:?}", stage.states().await);
    assert_eq!(stage.produced(), PEOPLE as usize);
    stage.audit().await;
}

fn wires(stage: &Stage) -> &Wires {
    stage.wires.as_ref().unwrap()
}

#[tokio::test]
async fn a_broker_that_goes_away_in_mid_run_loses_nobody() {
    let stage = run(true).await;
    let (_scheduler, _worker) = (stage.start(&["scheduler"]), stage.start(&["worker"]));
    is_under_way(&stage).await;

    wires(&stage).broker.cut();
    tokio::time::sleep(Duration::from_millis(700)).await;
    wires(&stage).broker.mend();

    everybody_was_told_once(&stage).await;
}

#[tokio::test]
async fn a_broker_that_closes_every_connection_loses_nobody() {
    let stage = run(false).await;
    let (_scheduler, _worker) = (stage.start(&["scheduler"]), stage.start(&["worker"]));
    is_under_way(&stage).await;

    // The management API lists a new connection only after some seconds: as often as it takes.
    eventually("connections were closed", async || stage.broker.close_connections().await > 0).await;

    everybody_was_told_once(&stage).await;
}

#[tokio::test]
async fn a_database_and_a_broker_that_are_killed_and_restarted_in_mid_run_lose_nobody() {
    const MANY: u32 = 400;
    let Some(services) = Services::start().await else { return };
    let provider = ProviderConfig { latency_ms: 20, ..Capability::StrongLookup.provider() };
    let lane = Lane { provider, per_second: 15, ..lane(Capability::StrongLookup) };
    let setup = Setup { people: MANY, lanes: vec![lane], services: Some(services), ..Setup::default() };
    let stage = Stage::new(setup).await;
    let _processes = [stage.start(&["scheduler"]), stage.start(&["worker"]), stage.start(&["worker"])];
    let services = stage.services.as_ref().unwrap();

    for (service, told) in [("postgres", 40), ("rabbitmq", 100), ("postgres", 160), ("rabbitmq", 220)] {
        eventually("the run is under way", async || stage.produced() >= told).await;
        assert!(stage.produced() < MANY as usize, "the run was over before {service} could be killed");
        services.restart(service).await;
    }

    stage.drain().await;
    assert!(stage.states().await.iter().all(|state| state == "accepted"), "{:?}", stage.states().await);
    assert_eq!(stage.produced(), MANY as usize);
    stage.audit().await;
}

#[tokio::test]
async fn a_broker_whose_disk_is_short_is_named_and_the_run_goes_on_once_there_is_room() {
    let Some(services) = Services::start().await else { return };
    let stage = Stage::new(Setup { people: 3, services: Some(services), ..Setup::default() }).await;
    let services = stage.services.as_ref().unwrap();
    services.set_disk_limit("900GB").await;
    let (_connection, channel) = duly::broker::connect(&stage.broker.url).await.unwrap();
    duly::broker::declare(&channel, "sms").await.unwrap();
    let refused = duly::broker::publish(&channel, "sms", &[stage.message().await]).await.unwrap_err();
    assert!(refused.to_string().contains("confirmed nothing") && refused.remedy().contains("rabbitmqctl"), "{refused}");
    let mut scheduler = stage.start(&["scheduler"]);
    eventually("it says what is wrong", async || scheduler.log().contains("the broker has confirmed nothing")).await;
    assert!(scheduler.terminate().await.success(), "it stops when it is told to");

    let processes = [stage.start(&["scheduler"]), stage.start(&["worker"])];
    let health = format!("http://{}/health/ready", processes[1].address().await);
    let ready = async || reqwest::get(&health).await.unwrap().text().await.unwrap();
    eventually("readiness names it", async || ready().await.contains("\"broker\":\"takes nothing: its memory or disk is short"))
        .await;
    services.set_disk_limit("1MB").await;
    stage.drain().await;
    assert_eq!(stage.produced(), 3);
    eventually("readiness is back", async || ready().await.contains("\"ready\":true")).await;
    stage.audit().await;
}

#[tokio::test]
async fn jobs_that_the_broker_lost_are_published_again() {
    let stage = run(false).await;
    let scheduler = stage.start(&["scheduler"]);
    eventually("jobs are on the road", async || stage.broker.purge("duly.send.sms.v1").await > 0).await;

    let _worker = stage.start(&["worker"]);

    everybody_was_told_once(&stage).await;
    drop(scheduler);
}

#[tokio::test]
async fn a_database_that_goes_away_in_mid_run_loses_nobody() {
    let stage = run(true).await;
    let (_scheduler, _worker) = (stage.start(&["scheduler"]), stage.start(&["worker"]));
    is_under_way(&stage).await;

    wires(&stage).database.cut();
    tokio::time::sleep(Duration::from_millis(700)).await;
    wires(&stage).database.mend();

    everybody_was_told_once(&stage).await;
}

#[tokio::test]
async fn a_database_that_is_away_while_calls_are_answered_loses_no_outcome() {
    let stage = run(true).await;
    stage.sandbox.state.hold("sms", true);
    let (_scheduler, _worker) = (stage.start(&["scheduler"]), stage.start(&["worker"]));
    eventually("calls wait for their answer", async || stage.sandbox.state.in_flight()["sms"] >= 5).await;

    wires(&stage).database.cut();
    stage.sandbox.state.hold("sms", false);
    eventually("every call is answered", async || stage.sandbox.state.in_flight()["sms"] == 0).await;
    wires(&stage).database.mend();

    everybody_was_told_once(&stage).await;
}

#[tokio::test]
async fn a_database_that_breaks_every_connection_loses_nobody() {
    let stage = run(false).await;
    let (_scheduler, _worker) = (stage.start(&["scheduler"]), stage.start(&["worker"]));
    is_under_way(&stage).await;

    let mut broken = 0;
    for _ in 0..5 {
        broken += stage
            .count(
                "select count(*) from (select pg_terminate_backend(pid) from pg_stat_activity
                     where datname = current_database() and application_name = 'duly' and pid <> pg_backend_pid()) as t",
            )
            .await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(broken > 0);

    everybody_was_told_once(&stage).await;
}

#[tokio::test]
async fn the_same_job_delivered_ten_times_is_sent_once() {
    let setup = Setup { lanes: vec![lane(Capability::Nothing)], dispatch: PATIENT.to_vec(), ..Setup::default() };
    let stage = Stage::new(setup).await;
    let mut scheduler = stage.start(&["scheduler"]);
    eventually("the job is on the road", async || stage.broker.depth("duly.send.sms.v1").await == 1).await;
    scheduler.kill();
    let (_connection, channel) = duly::broker::connect(&stage.broker.url).await.unwrap();
    duly::broker::declare(&channel, "sms").await.unwrap();
    let message = stage.message().await;
    assert_eq!(duly::broker::publish(&channel, "sms", &[message; 9]).await.unwrap(), 9);

    let _workers = [stage.start(&["worker"]), stage.start(&["worker"])];
    eventually("every job is taken", async || stage.broker.depth("duly.send.sms.v1").await == 0).await;
    let _scheduler = stage.start(&["scheduler"]);
    stage.drain().await;

    assert_eq!(stage.states().await, ["accepted"]);
    assert_eq!((stage.produced(), stage.attempts(message).await), (1, 1));
    stage.audit().await;
}

#[tokio::test]
async fn a_worker_that_is_told_to_stop_finishes_its_calls_and_records_them() {
    let stage = run_with(false, PATIENT.to_vec()).await;
    stage.sandbox.state.hold("sms", true);
    let _scheduler = stage.start(&["scheduler"]);
    let mut worker = stage.start(&["worker"]);
    eventually("calls wait for their answer", async || stage.sandbox.state.in_flight()["sms"] >= 5).await;

    let stopping = worker.terminate();
    let releasing = async {
        tokio::time::sleep(Duration::from_millis(150)).await;
        stage.sandbox.state.hold("sms", false);
    };
    let (status, ()) = tokio::join!(stopping, releasing);

    assert!(status.success(), "{status}");
    assert_eq!(
        stage.count("select count(*) from attempt").await,
        stage.count("select count(*) from outcome where kind = 'accepted'").await
    );
    assert_eq!(stage.count("select count(*) from message where state in ('sending', 'unknown')").await, 0);
    let _worker = stage.start(&["worker"]);
    everybody_was_told_once(&stage).await;
}

#[tokio::test]
async fn workers_killed_one_after_another_lose_nobody() {
    let stage = run(false).await;
    let _scheduler = stage.start(&["scheduler"]);
    for round in 1..=4 {
        let mut worker = stage.start(&["worker"]);
        eventually("the worker works", async || stage.produced() >= round * 8).await;
        worker.kill();
    }

    let _worker = stage.start(&["worker"]);

    everybody_was_told_once(&stage).await;
}
