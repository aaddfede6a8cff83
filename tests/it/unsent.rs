//! What does not leave, or of which no news comes, is seen at once and ends.

use crate::support::{Capability, Lane, PATIENT, Setup, Stage, Users, eventually, lane, quota, world};
use duly::model::state::{Channel, MessageState, Route};
use duly::model::step::{Cause, Decision};
use duly::report::story::story;
use duly::store::Store;
use duly::store::claim::Intent;
use duly::store::due::Quota;
use duly::store::incident::Incident;
use duly::store::unit::Note;
use duly_ledger::Event;
use duly_sandbox::{Fault, FaultKind, ProviderConfig};
use serde_json::{Value, json};
use uuid::Uuid;

fn faulty(fault: Fault) -> Setup {
    let mut lane = lane(Capability::StrongLookup);
    lane.provider.faults = vec![fault];
    Setup { lanes: vec![lane], dispatch: vec![("attempts_max", 3)], ..Setup::default() }
}

/// What the events of a kind say, in order.
async fn details(stage: &Stage, kind: &str) -> Vec<Value> {
    let bodies: Vec<Vec<u8>> = sqlx::query_scalar("select body from event where kind = $1 order by ord")
        .bind(kind)
        .fetch_all(&stage.owner)
        .await
        .unwrap();
    bodies.iter().map(|body| Value::Object(Event::parse(body).unwrap().detail)).collect()
}

#[tokio::test]
async fn a_message_that_nobody_takes_is_given_up_after_its_attempts() {
    let stage = Stage::new(faulty(Fault::always(FaultKind::ErrorBefore))).await;
    let _process = stage.start(&["scheduler", "worker"]);

    eventually("it is given up", async || stage.states().await == ["exhausted"]).await;

    let message = stage.message().await;
    assert_eq!((stage.attempts(message).await, stage.produced()), (3, 0));
    let exhausted = details(&stage, "message.exhausted").await.remove(0);
    assert_eq!((&exhausted["ground"], &exhausted["tries"], &exhausted["limit"]), (&json!("attempts"), &json!(3), &json!(3)));
    assert_eq!(stage.words("select state from notice").await, ["unreachable"]);
    stage.audit().await;
}

/// Decides that a message is sent again.
async fn send_again(
    store: &Store,
    users: &Users,
    incident: &Incident,
    (person, message): (Uuid, Uuid),
    deadline_ms: Option<i64>,
) {
    let note = users.decide(store, incident, message, "send-again", deadline_ms).await;
    let decided = store.apply_one(incident.key, person, message, Cause::Decided(Decision::SendAgain), note).await.unwrap();
    assert_eq!(decided.message, Some(MessageState::Ready));
}

#[tokio::test]
async fn who_decides_to_send_again_after_the_last_attempt_and_the_deadline_is_obeyed() {
    let mut lane = Lane::named("sms");
    lane.provider.faults = vec![Fault::once(FaultKind::CutBefore)];
    let stage = Stage::new(Setup { lanes: vec![lane], dispatch: vec![("attempts_max", 1)], ..Setup::default() }).await;
    let _process = stage.start(&["scheduler", "worker"]);
    eventually("a person is asked", async || stage.states().await == ["asked"]).await;
    sqlx::raw_sql("update message set expires_at = now() - interval '1 hour'").execute(&stage.owner).await.unwrap();
    let person = sqlx::query_scalar("select person_id from person").fetch_one(&stage.owner).await.unwrap();
    let message = stage.message().await;

    send_again(&stage.office.store, &stage.users, &stage.incident, (person, message), Some(3_600_000)).await;
    eventually("it is accepted", async || stage.states().await == ["accepted"]).await;

    let decided = details(&stage, "message.decided").await.remove(0);
    assert_eq!((&decided["ground"], &decided["deadline_ms"]), (&json!("send_again"), &json!(3_600_000)));
    assert_eq!((stage.attempts(message).await, stage.produced()), (2, 1));
    stage.audit().await;
}

#[tokio::test]
async fn the_attempts_after_a_decision_are_counted_anew_and_end_as_the_first_ones_did() {
    let world = world("send_again", 1).await;
    let (store, key, place) = (&world.store, world.incident.key, (world.people[0], world.messages[0]));
    let one = Quota { attempts_max: 1, ..quota(1) };
    let apply = async |cause| store.apply_one(key, place.0, place.1, cause, Note::default()).await.unwrap();
    let call = async |attempt| {
        assert_eq!(store.queue_due("sms-a", Channel::Sms, one).await.unwrap(), [place.1], "attempt {attempt}");
        let intent = Intent {
            message_id: place.1,
            person_id: place.0,
            version: 1,
            repeat: None,
            per_day: None,
            lane: "sms-a".into(),
            reference: "07".repeat(16),
            request: vec![1],
            content: [1; 32],
            destination: [0; 32],
        };
        assert_eq!(store.claim(key, &[intent], 1000).await.unwrap().len(), 1);
        apply(Cause::LeaseExpired { attempt }).await;
    };

    call(1).await;
    apply(Cause::Ask).await;
    send_again(store, &world.users, &world.incident, place, None).await;
    assert_eq!(store.list_due(10, 1).await.unwrap().len(), 0, "its attempts are not used up any more");
    call(2).await;
    // Asked when the call could not begin any more.
    let pool = sqlx::PgPool::connect(&world.url).await.unwrap();
    sqlx::raw_sql("update attempt set send_by = claimed_at + interval '1 millisecond'").execute(&pool).await.unwrap();
    store.insert_lookup(key, place.1, 2).await.unwrap();
    apply(Cause::Absent { attempt: 2 }).await;
    let due = store.list_due(10, 1).await.unwrap().remove(0);
    assert_eq!(store.give_up(&due, 1).await.unwrap().message, Some(MessageState::Exhausted));

    let body: Vec<u8> =
        sqlx::query_scalar("select body from event where kind = 'message.exhausted'").fetch_one(&pool).await.unwrap();
    let detail = Event::parse(&body).unwrap().detail;
    assert_eq!((&detail["attempt"], &detail["tries"], &detail["limit"]), (&json!(2), &json!(1), &json!(1)));
    assert_eq!(store.audit(key).await.unwrap(), []);

    // Of the first call nobody knows: nothing is claimed of it because the second one was not taken.
    let told = story(store, &world.incident, place.0).await.unwrap();
    let last = &told.events.last().unwrap().text;
    assert_eq!(last, "Text: given up after 1 call that nobody took. Not known whether an earlier call was taken");
    let unknown = "Not known whether an earlier call was taken; given up: our time or our attempts for sending it ended";
    assert_eq!(told.notices[0].messages[0], format!("text: {unknown}"));
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_duly"));
    let status = command.args(["status", "--incident", "test"]).env("DATABASE_URL", &world.url).output().unwrap();
    let page = String::from_utf8(status.stdout).unwrap();
    assert!(page.contains(unknown) && !page.contains("Not delivered"), "{page}");
}

#[tokio::test]
async fn who_is_told_to_come_back_later_spends_no_attempt() {
    let mut setup = faulty(Fault { times: Some(5), ..Fault::always(FaultKind::TooMany) });
    setup.dispatch.extend(PATIENT);
    let stage = Stage::new(setup).await;
    let _process = stage.start(&["scheduler", "worker"]);

    stage.drain().await;

    assert_eq!(stage.states().await, ["accepted"]);
    assert_eq!((stage.attempts(stage.message().await).await, stage.produced()), (6, 1));
    stage.audit().await;
}

#[tokio::test]
async fn nothing_is_given_up_under_a_hold_however_often_it_was_tried() {
    let stage = Stage::new(faulty(Fault::always(FaultKind::ErrorBefore))).await;
    let _process = stage.start(&["scheduler", "worker"]);
    eventually("it is in its last call", async || stage.count("select count(*) from attempt").await == 3).await;

    let hold = stage.hold().await;
    eventually("nothing is in a call", async || {
        stage.count("select count(*) from message where state in ('sending', 'unknown')").await == 0
    })
    .await;
    tokio::time::sleep(std::time::Duration::from_millis(700)).await;

    // It may have been given up before the hold was there.
    let given_up = stage.count("select count(*) from event where kind = 'message.exhausted'").await;
    assert_eq!(stage.states().await, if given_up == 1 { ["exhausted"] } else { ["ready"] });
    stage.lift(hold).await;
    eventually("it is given up", async || stage.states().await == ["exhausted"]).await;
    stage.audit().await;
}

/// Names the controller anew: every text that prints it says something else.
async fn rename_controller(stage: &Stage, name: &str) {
    sqlx::query("update controller set name = $1").bind(name).execute(&stage.owner).await.unwrap();
}

#[tokio::test]
async fn a_message_that_is_not_as_approved_is_shown_at_once_and_goes_when_it_is_again() {
    let stage = Stage::new(Setup { people: 2, lanes: vec![lane(Capability::StrongLookup)], ..Setup::default() }).await;
    let states = async || stage.office.store.equation(stage.incident.key).await.unwrap().person_states;
    let _scheduler = stage.start(&["scheduler"]);
    rename_controller(&stage, "Southmere").await;
    let mut worker = stage.start(&["worker"]);

    eventually("both need a decision", async || states().await.get("needs_decision") == Some(&2)).await;

    let refused = |log: String| log.matches("a job was not claimed").count();
    eventually("they are tried again", async || refused(worker.log()) >= 4).await;
    let unfit = details(&stage, "message.unfit").await;
    assert_eq!(unfit.len(), 2, "once for each, however often it is tried");
    assert_eq!((&unfit[0]["ground"], &unfit[0]["attempt"], unfit[0].get("to")), (&json!("not_as_approved"), &json!(0), None));
    let person = sqlx::query_scalar("select person_id from person limit 1").fetch_one(&stage.owner).await.unwrap();
    let told = story(&stage.office.store, &stage.incident, person).await.unwrap();
    assert_eq!((told.state, told.notices[0].misfit.as_deref()), ("needs_decision", Some("not_as_approved")));
    assert!(told.events.iter().any(|e| e.text.contains("what would be sent is not what was approved")), "{told:?}");
    assert_eq!(stage.office.store.pulse(stage.incident.key).await.unwrap().misfits["not_as_approved"], 2);
    assert_eq!(stage.produced(), 0);

    worker.kill();
    rename_controller(&stage, "Northmere").await;
    let _worker = stage.start(&["worker"]);
    stage.drain().await;
    assert_eq!(stage.states().await, ["accepted"; 2]);
    assert_eq!(states().await.get("under_way"), Some(&2));
    stage.audit().await;
}

#[tokio::test]
async fn a_posted_letter_whose_delivery_alone_counts_is_overdue_without_news() {
    let provider = ProviderConfig { channel: "letter".into(), receipt_delay_ms: 0, ..Capability::StrongLookup.provider() };
    let stage = Stage::new(Setup {
        routes: vec![Route::Letter],
        lanes: vec![Lane { provider, ..Lane::named("letters") }],
        dispatch: vec![("no_news_after_ms", 400), ("overdue_again_ms", 300)],
        // A profile that counts delivery: nobody is told by a letter that was only posted.
        profile_with: Some(("handed_to_carrier", "carrier_delivered")),
        ..Setup::default()
    })
    .await;
    let _process = stage.start(&["scheduler", "worker"]);

    eventually("it is overdue", async || stage.states().await == ["overdue"]).await;

    const POSTED: &str = "select count(*) from event where message_to = 'handed_to_carrier'";
    let looks = stage.count("select count(*) from lookup").await;
    eventually("it was asked for again", async || stage.count("select count(*) from lookup").await >= looks + 3).await;
    assert_eq!((stage.states().await, stage.count(POSTED).await), (vec!["overdue".to_owned()], 1));
    let equation = stage.office.store.equation(stage.incident.key).await.unwrap();
    assert_eq!(equation.person_states.get("needs_decision"), Some(&1));
    assert_eq!(stage.words("select state from notice").await, ["open"]);
    stage.audit().await;
}

#[tokio::test]
async fn who_is_on_a_lane_that_the_settings_lost_is_named_at_once_and_looked_after_when_news_are_due() {
    let mut lane = Lane::named("sms");
    lane.provider.faults = vec![Fault::once(FaultKind::CutAfter)];
    let dispatch = vec![("unknown_after_ms", 60_000)];
    let stage = Stage::new(Setup { people: 2, lanes: vec![lane], dispatch, ..Setup::default() }).await;
    let mut process = stage.start(&["scheduler", "worker"]);
    let states = async || stage.words("select state from message order by state").await;
    eventually("one is taken and of one nobody knows", async || states().await == ["accepted", "unknown"]).await;
    process.kill();
    let status = || {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_duly"));
        command.arg("--settings").arg(&stage.settings).args(["status", "--incident", "test"]).env_remove("DATABASE_URL");
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    assert!(!status().contains("is not in the settings"), "{}", status());

    let settings = std::fs::read_to_string(&stage.settings).unwrap();
    std::fs::write(&stage.settings, settings.replace("[lanes.sms]", "[lanes.renamed]")).unwrap();

    let page = status();
    let needs = page.split("Needs a person now").nth(1).unwrap_or_default().split("\n\n").next().unwrap_or_default();
    assert!(needs.contains("lane sms is not in the settings, 2 open messages are on it: put it back"), "{page}");
    let process = stage.start(&["scheduler"]);
    let warning =
        |log: String| log.lines().find(|line| line.contains("on a lane that the settings do not have")).map(str::to_owned);
    eventually("the log warns", async || warning(process.log()).is_some()).await;
    let warned = warning(process.log()).unwrap();
    assert!(warned.contains("\"lane\":\"sms\"") && warned.contains("\"messages\":2"), "{warned}");
    assert_eq!(states().await, ["accepted", "unknown"], "the lane may come back");
    stage.shift_clock(3600).await;
    eventually("a person must see to both", async || states().await == ["asked", "overdue"]).await;
    assert_eq!(details(&stage, "message.asked").await[0]["ground"], "no_lane");
    assert_eq!(details(&stage, "message.overdue").await[0]["ground"], "no_news");
    let equation = stage.office.store.equation(stage.incident.key).await.unwrap();
    assert_eq!(equation.person_states.get("needs_decision"), Some(&2));
    stage.audit().await;
}
