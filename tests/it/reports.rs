//! Reports come from the log alone: the same moment gives the same bytes, and their counts are those of the tables.

mod commands;

use crate::told::{PEOPLE, personal, sequence, told};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use duly::evidence::{Archive, moment};
use duly::model::state::Channel;
use duly::report::document;
use duly::report::replay::{Replay, micros, replay};
use duly::report::sample::{paper, rank, sample};
use duly::report::tally::Compared;
use duly::report::{ReportError, promised, regulator, statement, witness};
use duly::store::sequencing::LogScope;
use duly_ledger::{Event, Frontier, leaf_hash, to_hex};
use serde_json::{Map, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use uuid::Uuid;

use crate::support::Stage;

async fn at(stage: &Stage, as_of: time::OffsetDateTime) -> Replay {
    replay(&stage.office.store, stage.incident.incident_id, as_of).await.unwrap()
}

/// Bytes of the incident's log, in order.
async fn leaves(stage: &Stage) -> Vec<Vec<u8>> {
    let query = "select e.body from place s join event e using (ord) where e.incident_no is not null order by s.seq";
    sqlx::query_scalar(query).fetch_all(&stage.owner).await.unwrap()
}

/// Ends a moment in the incident's log, as every report does first.
async fn end(stage: &Stage, as_of: time::OffsetDateTime) {
    let archive = Arc::new(Archive::open(&stage.office.settings, &stage.office.store).unwrap());
    let scope = LogScope::Incident(stage.incident.key.controller_id, stage.incident.key.incident_no);
    moment::end(&archive, scope, stage.incident.incident_id, micros(as_of)).await.unwrap();
}

async fn regulator_page(stage: &Stage, replay: &Replay) -> String {
    let plans = promised::load(&stage.office.store, stage.incident.key, &replay.tally).await.unwrap();
    let report = regulator::regulator(&stage.incident, replay, &plans, "uk-gdpr").unwrap();
    let data = regulator::data(&stage.incident, replay, &plans, "uk-gdpr");
    format!("{}{}{data}", document::html(&report), document::text(&report))
}

#[tokio::test]
async fn a_report_of_the_same_moment_has_the_same_bytes_however_the_log_grows() {
    let stage = told().await;
    let as_of = stage.office.store.now().await.unwrap();
    let before = at(&stage, as_of).await;
    let page = regulator_page(&stage, &before).await;
    assert!(page.contains("The server is closed and we told the police."), "what the controller stated, in its own words");
    assert!(page.contains("none was stated"), "and that it stated no day on which it found out");

    let detail = Map::from_iter([("findings".into(), json!(0))]);
    stage.office.store.insert_audit(stage.incident.key, "audit.passed", detail).await.unwrap();
    sequence(&stage).await;

    let after = at(&stage, as_of).await;
    assert_eq!(regulator_page(&stage, &after).await, page);
    let now = at(&stage, stage.office.store.now().await.unwrap()).await;
    assert_ne!(regulator_page(&stage, &now).await, page);
    assert!(now.standing.size > after.standing.size);
    assert_eq!(personal(page.as_bytes()), Vec::<&str>::new());
    assert!(page.contains("a file with names was copied from a server of ours."), "the wording is part of the report");
    assert!(page.contains("Dear Alex Example,") && page.contains("somebody who does not exist"), "as it reads");
    assert!(page.contains("{{person.name}}") && page.contains("Source: uk-gdpr/letter.en.hbs, SHA-256"), "beside its source");
}

/// Its event says a time before the moment and comes into the log after it: it was not known then, and never will have been.
#[tokio::test]
async fn a_transaction_that_was_open_at_the_moment_changes_nothing_of_its_report() {
    let stage = told().await;
    let late = Event {
        id: Uuid::now_v7().to_string(),
        inc: stage.incident.incident_id.to_string(),
        kind: "audit.passed".into(),
        n: None,
        person: None,
        prev: None,
        at_micros: micros(stage.office.store.now().await.unwrap()),
        detail: Map::from_iter([("findings".into(), json!(0))]),
    };
    let mut open = stage.owner.begin().await.unwrap();
    sqlx::query("insert into event (controller_id, incident_no, kind, body, leaf) values ($1, $2, $3, $4, $5)")
        .bind(stage.incident.key.controller_id)
        .bind(stage.incident.key.incident_no)
        .bind(&late.kind)
        .bind(late.to_bytes().unwrap())
        .bind(leaf_hash(&late.to_bytes().unwrap()).as_slice())
        .execute(&mut *open)
        .await
        .unwrap();
    let as_of = stage.office.store.now().await.unwrap();
    end(&stage, as_of).await;
    let page = regulator_page(&stage, &at(&stage, as_of).await).await;

    open.commit().await.unwrap();
    sequence(&stage).await;
    end(&stage, as_of).await;

    assert!(leaves(&stage).await.contains(&late.to_bytes().unwrap()), "it is in the log now");
    assert_eq!(regulator_page(&stage, &at(&stage, as_of).await).await, page);
    assert_eq!(stage.count("select count(*) from event where kind = 'log.marked'").await, 1, "one mark ends a moment for ever");
    let now = stage.office.store.now().await.unwrap();
    end(&stage, now).await;
    assert_eq!(at(&stage, now).await.tally.kinds["audit.passed"], 1);
}

#[tokio::test]
async fn counts_from_the_log_alone_are_those_of_the_tables() {
    let stage = told().await;

    let replayed = at(&stage, stage.office.store.now().await.unwrap()).await;
    let equation = stage.office.store.equation(stage.incident.key).await.unwrap();

    let people = &replayed.tally.people;
    assert!(people.holds() && equation.holds());
    assert_eq!(i64::try_from(people.people).unwrap(), equation.people);
    assert_eq!(i64::try_from(people.notified).unwrap(), equation.person_states["notified"]);
    assert_eq!((people.notified, people.open), (u64::from(PEOPLE), 0));
    let letters = &replayed.tally.traffic[&Channel::Letter];
    assert_eq!((letters.messages, letters.taken), (u64::from(PEOPLE), u64::from(PEOPLE)));
    // The root is that of the leaves, counted by hand.
    let bodies = leaves(&stage).await;
    let mut tree = Frontier::new();
    bodies.iter().for_each(|body| tree.append(leaf_hash(body)));
    assert_eq!((replayed.standing.size, replayed.standing.root), (tree.size(), tree.root()));
}

#[tokio::test]
async fn a_moment_before_the_first_event_has_no_report_and_one_in_the_middle_has_only_what_was_then() {
    let stage = told().await;
    let early = replay(&stage.office.store, stage.incident.incident_id, time::OffsetDateTime::UNIX_EPOCH).await;
    assert!(matches!(early, Err(ReportError::NothingYet)));

    let now = at(&stage, stage.office.store.now().await.unwrap()).await;
    let half = now.tally.notified_at[usize::try_from(PEOPLE).unwrap() / 2];
    let middle = at(&stage, time::OffsetDateTime::from_unix_timestamp_nanos(i128::from(half) * 1000).unwrap()).await;
    let events: Vec<Event> = leaves(&stage).await.iter().map(|leaf| Event::parse(leaf).unwrap()).collect();
    let then = events.iter().take_while(|event| event.at_micros <= half);
    let told_then = then.filter(|event| event.detail.get("notice") == Some(&json!("notified"))).count();
    assert!(told_then > 0);
    assert_eq!(middle.tally.people.notified, told_then as u64);
    assert!(middle.tally.people.holds());
    let other = regulator::regulator(&stage.incident, &now, &[], "us-ca");
    assert!(matches!(other, Err(ReportError::OtherProfile { .. })));
}

#[test]
fn the_draw_is_the_documented_one() {
    // printf 'seed' and 16 bytes of 0xab, through sha256sum.
    assert_eq!(to_hex(&rank("seed", &[0xab; 16])), "5609e78d14de787f3c36e68bea343c194e638dfe84b123bcf8b6105c7c8812c9");
}

#[tokio::test]
async fn a_sample_is_drawn_again_by_the_same_seed_and_traces_each_person_to_the_end() {
    let stage = told().await;
    let replayed = at(&stage, stage.office.store.now().await.unwrap()).await;
    let store = &stage.office.store;

    let drawn = sample(store, &stage.incident, &replayed, (3, "auditor")).await.unwrap();
    let again = sample(store, &stage.incident, &replayed, (3, "auditor")).await.unwrap();

    assert_eq!(serde_json::json!(drawn), serde_json::json!(again));
    assert_eq!((drawn.people.len(), drawn.population, drawn.manifests_hold), (3, u64::from(PEOPLE), true));
    let mut everybody: Vec<(String, String)> = stage
        .words("select replace(person_id::text, '-', '') from person")
        .await
        .into_iter()
        .map(|id| (to_hex(&rank("auditor", &duly_ledger::from_hex(&id).unwrap())), format!("p_{id}")))
        .collect();
    everybody.sort();
    let expected: Vec<&str> = everybody.iter().take(3).map(|(_, id)| id.as_str()).collect();
    assert_eq!(drawn.people.iter().map(|p| p.person.as_str()).collect::<Vec<_>>(), expected);
    for person in &drawn.people {
        assert!(person.chain_holds && person.end == "notified", "{}", person.person);
        assert_eq!(person.steps[0].kind, "message.intent");
        // By hand, as the work paper says it.
        let proof = person.proof.as_ref().unwrap();
        let own = leaf_hash(proof.bytes.as_bytes());
        assert_eq!(to_hex(&own), person.steps.last().unwrap().hash);
        let node = proof.path.iter().fold(own, |node, sibling| {
            let hash = duly_ledger::from_hex(&sibling.hash).unwrap();
            if sibling.side == "left" { duly_ledger::node_hash(&hash, &node) } else { duly_ledger::node_hash(&node, &hash) }
        });
        let signed = drawn.checkpoints.iter().find(|c| c.size == proof.size).unwrap();
        assert_eq!(signed.note.lines().nth(2), Some(BASE64_STANDARD.encode(node).as_str()));
        let archive = Archive::open(&stage.office.settings, &stage.office.store).unwrap();
        assert!(archive.signer(&replayed.standing.origin).unwrap().open(signed.note.as_bytes()).is_ok());
    }
    let plans = promised::load(store, stage.incident.key, &replayed.tally).await.unwrap();
    let text = document::text(&paper(&stage.incident, &replayed, &plans, &drawn));
    assert_eq!(personal(text.as_bytes()), Vec::<&str>::new());
    let last = drawn.people[0].proof.as_ref().unwrap().path.last().unwrap();
    assert!(text.contains(&last.hash) && text.contains(drawn.checkpoints[0].note.lines().nth(2).unwrap()), "{text}");
}

/// `cargo test -p duly --test it reports:: -- --ignored --nocapture a_million`; the figure stands in docs/evidence.md.
#[test]
#[ignore = "measures"]
fn a_million_events_are_added_up_in_less_than_a_hundred_megabytes() {
    let resident = || -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    };
    let mut event = Event {
        id: Uuid::nil().to_string(),
        inc: Uuid::nil().to_string(),
        kind: String::new(),
        n: None,
        person: None,
        prev: None,
        at_micros: 0,
        detail: Map::new(),
    };
    let before = resident();
    let mut tally = duly::report::tally::Tally::default();
    for i in 0..1_000_000u128 {
        let (kind, more) = match i % 4 {
            0 => ("message.intent", json!({"to": "sending"})),
            1 => ("message.accepted", json!({"code": "201", "to": "accepted"})),
            2 => ("receipt", json!({"status": "sent", "to": "sent"})),
            _ => ("receipt", json!({"notice": "notified", "status": "delivered_to_handset", "to": "delivered_to_handset"})),
        };
        event.kind = kind.to_owned();
        event.person = Some((i / 4).to_be_bytes());
        event.at_micros += 1000;
        event.detail =
            json!({"attempt": 1, "channel": "sms", "ordinal": 1, "phase": 1, "reason": "first"}).as_object().unwrap().clone();
        event.detail.extend(more.as_object().unwrap().clone());
        tally.take(&event);
    }
    tally.finish();
    let megabytes = (resident() - before) / 1024;
    assert_eq!((tally.people.notified, tally.events), (250_000, 1_000_000));
    println!("{megabytes} MB for a million events of 250,000 people");
    assert!(megabytes < 100);
}

#[tokio::test]
async fn a_witness_statement_says_where_a_providers_own_count_differs() {
    let stage = told().await;
    let replayed = at(&stage, stage.office.store.now().await.unwrap()).await;
    let programs = witness::Programs::load(&stage.office.store, replayed.as_of).await.unwrap();
    assert_eq!(programs.starts[0].roles, "scheduler,worker", "a process of the stage served");
    let said = |theirs: u32| Compared {
        at: replayed.tally.newest,
        lane: "letters".into(),
        channel: Channel::Letter,
        hash: "5e".repeat(32),
        theirs: theirs.into(),
        ours: PEOPLE.into(),
        as_of: replayed.tally.newest,
    };

    for (n, differs) in [(PEOPLE, false), (PEOPLE + 1, true)] {
        let mut told = replayed.clone();
        told.tally.statements.push(said(n));
        let report = document::text(&witness::witness(&stage.incident, &told, &[], &programs));
        assert_eq!((report.contains("DIFFERS"), report.contains("NOT COMPARED")), (differs, false), "{report}");
        // Half of the letters went through a lane of which nobody asked.
        told.tally.statements = vec![Compared { ours: 3, theirs: 3, ..said(n) }];
        assert!(document::text(&witness::witness(&stage.incident, &told, &[], &programs)).contains("NOT COMPARED"));
    }
    for odd in ["letter,3\n", "channel,count\nletter,-1\n", "channel,count\nfax,1\n"] {
        assert!(statement::read(odd).is_err(), "{odd}");
    }
    assert_eq!(statement::read("channel,count\nsms,2\nsms,1\n").unwrap(), BTreeMap::from([(Channel::Sms, 3)]));
}

#[tokio::test]
async fn a_witness_statement_says_why_a_lane_was_paused_and_which_messages_were_compared_with_nothing() {
    let stage = told().await;
    stage.users.compare(&stage.office.store, &stage.incident, ("sms-a", Channel::Sms), 0).await;
    sequence(&stage).await;
    let replayed = at(&stage, stage.office.store.now().await.unwrap()).await;
    let stop = |code: &str| ("letters".to_owned(), code.to_owned());
    let programs = witness::Programs { lane_stops: BTreeMap::from([(stop("sick"), 1), (stop("402"), 2)]), ..Default::default() };

    let report = document::text(&witness::witness(&stage.incident, &replayed, &[], &programs));
    let data = witness::data(&stage.incident, &replayed, &[], &programs);

    let sick = "1 time the lane letters was paused: many of its calls failed, were refused or took too long (code sick).";
    assert!(report.contains(sick), "{report}");
    assert!(report.contains("2 times the lane letters was paused: its provider refused for want of money (code 402)."));
    assert!(!report.contains("refused everything"), "{report}");
    assert!(
        report.contains("NOT COMPARED") && report.contains("Not all of these messages were compared with a statement: letter.")
    );
    assert_eq!(data["statements"]["compared"][0]["lane"], json!("sms-a"));
    assert_eq!(data["statements"]["uncovered"], json!([{"channel": "letter", "ours": PEOPLE, "with_statement": null}]));
}

#[tokio::test]
async fn nobody_is_called_informed_as_a_whole_while_a_row_waits_or_somebody_is_on_no_frozen_list() {
    let stage = told().await;
    let before = at(&stage, stage.office.store.now().await.unwrap()).await;
    let page = regulator_page(&stage, &before).await;
    assert!(page.contains("\"informed\":\"yes\"") && !page.contains("nobody of them is told"), "{page}");

    let list = stage.folder.path().join("late.csv");
    std::fs::write(
        &list,
        "reference,name,phone,address_1,town,postcode\nL1,Jo Hill,,9 High Street,Leeds,LS1 4AP\nL2,Bo Hill,12,,,\n",
    )
    .unwrap();
    let key = stage.office.master.unwrap_key(&stage.incident.wrapped_key, "incident").unwrap();
    duly::intake::list::import(&stage.office.store, &stage.incident, &key, &list, &duly::intake::csv::Mapping::default(), |_| {})
        .await
        .unwrap();
    sequence(&stage).await;

    let after = at(&stage, stage.office.store.now().await.unwrap()).await;
    let now = regulator_page(&stage, &after).await;
    assert!(now.contains("\"informed\":\"in part\""), "{now}");
    assert!(
        now.contains("1 row waits for a correction, and 1 person stands on a list that was not frozen: nobody of them is told.")
    );
    assert_eq!((after.tally.quarantine.waiting, after.tally.unfrozen), (1, 1));
    // What was said of the moment before stays as it was.
    assert_eq!(regulator_page(&stage, &at(&stage, before.as_of).await).await, page);
    assert!(page.contains("letter (7 people)") && page.contains("none: no checkpoint was stamped, witnessed or handed over"));
}
