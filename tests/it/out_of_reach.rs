//! A provider that cannot be reached, because its name does not resolve or nobody there speaks TLS, got nothing: that is
//! proven, the lane rests, and everybody is told once it is back.

use crate::support::{Capability, Lane, Setup, Stage, eventually, lane};

/// What became of calls, but for those that a slow machine refused in time: they never began.
const ENDS: &str = "select distinct kind || ' ' || code from outcome where code <> 'send_by' order by 1";
const SICK: &str = "select count(*) from lane_pause where code = 'sick' and until > duly_now()";

/// Sends through a lane whose address leads nowhere, then through the same lane at its true one.
async fn astray(address: impl Fn(&str) -> String) {
    let health = "bad_min = 3\nrest_min_ms = 1600\nrest_max_ms = 3000\nreturn_ms = 1\n";
    let lanes = vec![Lane { per_second: 20, ..lane(Capability::Nothing) }];
    let stage = Stage::new(Setup { people: 8, lanes, health, ..Setup::default() }).await;
    let settings = std::fs::read_to_string(&stage.settings).unwrap();
    let right = stage.sandbox.url.clone();
    assert!(settings.contains(&right));
    std::fs::write(&stage.settings, settings.replace(&right, &address(&right))).unwrap();
    let mut processes = [stage.start(&["scheduler"]), stage.start(&["worker"])];

    eventually("the lane rests", async || stage.count(SICK).await == 1).await;
    eventually("a single call tries it", async || {
        stage.count("select coalesce(max(rests), 0)::bigint from lane_pause").await > 0
    })
    .await;

    assert_eq!(stage.words(ENDS).await, ["not_taken not_written"]);
    assert!(stage.sandbox.state.requests().is_empty() && stage.produced() == 0, "somebody was reached");
    assert_eq!(stage.count("select count(*) from event where kind = 'message.unknown'").await, 0);

    processes.iter_mut().for_each(|process| process.kill());
    std::fs::write(&stage.settings, &settings).unwrap();
    let _processes = [stage.start(&["scheduler"]), stage.start(&["worker"])];
    // Nothing can be asked here: whatever was not proven would wait for a person.
    eventually("everybody is told", async || stage.states().await == ["accepted"; 8]).await;
    assert_eq!(stage.produced(), 8);
    stage.audit().await;
}

#[tokio::test]
async fn where_nobody_speaks_tls_nothing_was_sent() {
    astray(|url| url.replace("http://", "https://")).await;
}

#[tokio::test]
async fn where_a_name_does_not_resolve_nothing_was_sent() {
    // Reserved: nobody ever has it (RFC 6761).
    astray(|_| "http://invalid".to_owned()).await;
}
