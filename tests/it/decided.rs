//! Somebody decides that no notice is owed, or that a person was told in another way: from then on nobody is sent to, and never
//! while a message may be leaving; until somebody takes that back.

use crate::packs::incident_pack;
use crate::support::{Lane, Setup, Stage, World, eventually, quota, world};
use crate::told::{check, file, sequence};
use duly::model::ending::{Ending, Hindrance};
use duly::model::state::{Channel, MessageState, NoticeState, Route, TellsOtherwise};
use duly::model::statement::{person_exempt, person_reopen, person_told};
use duly::model::step::{Answer, Cause, Decision};
use duly::report::pack::Audience;
use duly::store::Store;
use duly::store::incident::Incident;
use duly::store::plan::Moved;
use duly::store::unit::{NotEnded, NotReopened, Note, Reopened};
use duly::store::user::Signer;
use duly_ledger::verify::Verdict;
use duly_sandbox::ProviderConfig;
use uuid::Uuid;

const TOLD: Ending = Ending::Told(TellsOtherwise::ByPhone);

/// Decides, as the command line does it.
pub async fn end(store: &Store, incident: &Incident, who: &Signer, person: Uuid, ending: Ending) -> Result<(), NotEnded> {
    let id = incident.incident_id;
    let words = match ending {
        Ending::Exempt => person_exempt(id, (person, 1), "never issued"),
        Ending::Told(how) => person_told(id, (person, 1), how, "seen at home"),
    };
    let by = who.sign(store, &words).await.unwrap();
    store.end_notice(incident.key, (person, 1), ending, by).await.unwrap()
}

/// Takes a decision back, as the command line does it.
pub async fn reopen(store: &Store, incident: &Incident, who: &Signer, person: Uuid) -> Result<NoticeState, NotReopened> {
    take_back(store, incident, who, person).await.map(|reopened| {
        assert_eq!(reopened.let_go, None);
        reopened.notice
    })
}

/// The same, with the plan that lets the person go.
pub async fn take_back(store: &Store, incident: &Incident, who: &Signer, person: Uuid) -> Result<Reopened, NotReopened> {
    let by = who.sign(store, &person_reopen(incident.incident_id, (person, 1), "another of the same name")).await.unwrap();
    store.reopen_notice(incident.key, (person, 1), by).await.unwrap()
}

async fn end_in(world: &World, i: usize, ending: Ending) -> Result<(), NotEnded> {
    end(&world.store, &world.incident, &world.users.ann, world.people[i], ending).await
}

async fn applied(world: &World, i: usize, cause: Cause, note: Note) -> Option<MessageState> {
    world.store.apply_one(world.incident.key, world.people[i], world.messages[i], cause, note).await.unwrap().message
}

async fn queued(name: &str, people: u8) -> World {
    let world = world(name, people).await;
    let queued = world.store.queue_due("sms-a", Channel::Sms, quota(100)).await.unwrap();
    assert_eq!(queued.len(), usize::from(people));
    world
}

async fn words(world: &World, query: &'static str) -> Vec<String> {
    let owner = sqlx::PgPool::connect(&world.url).await.unwrap();
    sqlx::query_scalar(query).fetch_all(&owner).await.unwrap()
}

#[tokio::test]
async fn who_is_exempt_or_was_told_otherwise_is_never_sent_to_and_counts_by_name() {
    let stage = Stage::new(Setup { people: 4, ..Setup::default() }).await;
    let people: Vec<Uuid> =
        sqlx::query_scalar("select person_id from person order by person_id").fetch_all(&stage.owner).await.unwrap();
    let (store, incident, ann) = (&stage.office.store, &stage.incident, &stage.users.ann);
    end(store, incident, ann, people[0], Ending::Exempt).await.unwrap();
    end(store, incident, ann, people[1], TOLD).await.unwrap();

    let mut process = stage.start(&["scheduler", "worker"]);
    stage.drain().await;
    process.terminate().await;

    let states = stage.words("select state from message order by state").await;
    assert_eq!(states, ["accepted", "accepted", "cancelled", "cancelled"]);
    assert_eq!(stage.produced(), 2, "nobody else was sent to");
    let equation = store.equation(incident.key).await.unwrap();
    assert_eq!((equation.person_states["exempt"], equation.person_states["withdrawn"]), (1, 1));
    assert_eq!(equation.person_states.get("notified"), None);
    stage.audit().await;
    sequence(&stage).await;
    let pack = incident_pack(&stage, Audience::Regulator, false).await;
    let report = check(&stage, &pack);
    assert_eq!(report.verdict, Verdict::Good, "{:?}", report.findings.kept);
    assert_eq!((report.equation.exempt, report.equation.withdrawn, report.equation.notified), (1, 1, 0));
    let page = String::from_utf8(file(&pack, "summary.html")).unwrap();
    assert!(page.contains("0 notified + 0 unreachable + 1 exempt + 1 withdrawn + 2 open"), "{page}");
    let story = duly::report::story::story(store, incident, people[1]).await.unwrap();
    let told: Vec<&str> = story.events.iter().map(|e| e.text.as_str()).collect();
    assert!(told.contains(&"ann said that this person was told by phone: seen at home"), "{told:?}");
}

#[tokio::test]
async fn nobody_is_ended_while_a_call_is_on_the_road_or_not_known_or_news_is_due() {
    let world = queued("on_the_road", 1).await;
    let hindered = async |ending| end_in(&world, 0, ending).await.unwrap_err();
    assert_eq!(world.store.claim(world.incident.key, &[world.intent(0)], 20_000).await.unwrap().len(), 1);
    for ending in [Ending::Exempt, TOLD] {
        assert_eq!(hindered(ending).await, NotEnded::Hindered(Hindrance::OnTheRoad(MessageState::Sending)));
    }
    applied(&world, 0, Cause::LeaseExpired { attempt: 1 }, Note::default()).await;
    assert_eq!(hindered(TOLD).await, NotEnded::Hindered(Hindrance::OnTheRoad(MessageState::Unknown)));
    applied(&world, 0, Cause::Ask, Note::default()).await;
    assert_eq!(hindered(TOLD).await, NotEnded::Hindered(Hindrance::OnTheRoad(MessageState::Asked)));
    let accepted = Cause::Reported { report: MessageState::Accepted, other_id: false };
    applied(&world, 0, accepted, Note::default()).await;
    assert_eq!(hindered(TOLD).await, NotEnded::Hindered(Hindrance::AwaitsNews(MessageState::Accepted)));
    assert_eq!(words(&world, "select state from notice").await, ["open"]);

    // No news: a letter would follow. It has not left, so the decision stands, and takes it back.
    applied(&world, 0, Cause::NoNews, Note::default()).await;
    assert_eq!(words(&world, "select state from message order by channel").await, ["ready", "overdue"]);
    assert_eq!(end_in(&world, 0, TOLD).await, Ok(()));
    assert_eq!(hindered(Ending::Exempt).await, NotEnded::Hindered(Hindrance::Ended(NoticeState::Withdrawn)));

    // Whatever becomes known of the text later, no letter follows and the notice stays as it was decided.
    for report in [MessageState::Failed, MessageState::DeliveredToHandset] {
        let late = applied(&world, 0, Cause::Reported { report, other_id: false }, Note::default()).await;
        assert_eq!(late, Some(report));
        assert_eq!(words(&world, "select state from message where channel = 'letter'").await, ["cancelled"]);
        assert_eq!(words(&world, "select state from notice").await, ["withdrawn"]);
    }
}

#[tokio::test]
async fn a_claim_and_a_decision_at_one_moment_exclude_each_other() {
    const PEOPLE: u8 = 24;
    let world = queued("claim_or_end", PEOPLE).await;
    for i in 0..usize::from(PEOPLE) {
        let intents = [world.intent(i)];
        let claim = async || world.store.claim(world.incident.key, &intents, 20_000).await.unwrap().len();
        let (claimed, ended) = match i % 4 {
            0 => (claim().await, end_in(&world, i, Ending::Exempt).await),
            1 => {
                let ended = end_in(&world, i, Ending::Exempt).await;
                (claim().await, ended)
            }
            _ => tokio::join!(claim(), end_in(&world, i, Ending::Exempt)),
        };
        assert_eq!(ended.is_ok(), claimed == 0, "person {i}: {ended:?}");
    }
    let both = "select 'x' from message m join notice o using (controller_id, incident_no, person_id, phase)
        where (m.state = 'sending') <> (o.state = 'open')";
    assert_eq!(words(&world, both).await, Vec::<String>::new());
    audit_but_contents(&world).await;
}

/// This world's contents and manifests are made up, and its claims have no lane behind them.
async fn audit_but_contents(world: &World) {
    let findings = world.store.audit(world.incident.key).await.unwrap();
    let made_up = ["text_missing", "intent_differs", "manifest_differs", "row_missing"];
    let others: Vec<_> = findings.iter().filter(|f| !made_up.contains(&f.code)).collect();
    assert!(others.is_empty(), "{others:#?}");
}

#[tokio::test]
async fn who_cannot_be_reached_may_be_told_otherwise_and_who_was_notified_may_not() {
    let provider = ProviderConfig { channel: "letter".into(), receipts: true, receipt_delay_ms: 0, ..ProviderConfig::default() };
    let lanes = vec![Lane { provider, ..Lane::named("letters") }];
    let stage = Stage::new(Setup { people: 1, routes: vec![Route::Letter], lanes, ..Setup::default() }).await;
    stage.serve_receipts().await;
    let mut process = stage.start(&["scheduler", "worker"]);
    eventually("notified", async || stage.count("select count(*) from notice where state = 'notified'").await == 1).await;
    process.terminate().await;
    let (store, incident, ann) = (&stage.office.store, &stage.incident, &stage.users.ann);
    let person: Uuid = sqlx::query_scalar("select person_id from person").fetch_one(&stage.owner).await.unwrap();
    let refused = end(store, incident, ann, person, TOLD).await;
    assert_eq!(refused, Err(NotEnded::Hindered(Hindrance::Ended(NoticeState::Notified))));

    let returned = Cause::Reported { report: MessageState::Returned, other_id: false };
    store.apply_one(incident.key, person, stage.message().await, returned, Note::default()).await.unwrap();
    assert_eq!(stage.words("select state from notice").await, ["unreachable"]);
    let tasks = store.list_open_tasks(incident.key).await.unwrap();
    assert_eq!((tasks.len(), tasks[0].person_id, tasks[0].since.is_some()), (1, person, true));
    assert_eq!(tasks[0].tried, [("letter".to_owned(), "returned".to_owned())]);
    end(store, incident, ann, person, TOLD).await.unwrap();
    assert_eq!(stage.words("select state from notice").await, ["withdrawn"]);
    assert!(store.list_open_tasks(incident.key).await.unwrap().is_empty(), "the task is done");
    assert_eq!(reopen(store, incident, ann, person).await, Ok(NoticeState::Unreachable));
    assert_eq!(store.list_open_tasks(incident.key).await.unwrap().len(), 1, "and to be done again");
}

#[tokio::test]
async fn a_question_that_is_answered_lets_the_decision_through() {
    let world = queued("asked_then_told", 1).await;
    world.store.claim(world.incident.key, &[world.intent(0)], 20_000).await.unwrap();
    let unknown = Cause::Answered { attempt: 1, answer: Answer::Unknown, other_id: false };
    let mut note = Note::default();
    note.detail.insert("code".into(), "timeout".into());
    applied(&world, 0, unknown, note).await;
    applied(&world, 0, Cause::Ask, Note::default()).await;
    let note = world.users.decide(&world.store, &world.incident, world.messages[0], "next-step", None).await;
    applied(&world, 0, Cause::Decided(Decision::NextStep), note).await;

    assert_eq!(end_in(&world, 0, Ending::Exempt).await, Ok(()));

    assert_eq!(words(&world, "select state from message order by channel").await, ["cancelled", "superseded"]);
    assert_eq!(words(&world, "select state from notice").await, ["exempt"]);
}

#[tokio::test]
async fn a_decision_that_is_taken_back_stays_on_record_and_the_person_is_told_once() {
    let stage = Stage::new(Setup { people: 3, ..Setup::default() }).await;
    let people: Vec<Uuid> =
        sqlx::query_scalar("select person_id from person order by person_id").fetch_all(&stage.owner).await.unwrap();
    let (store, incident, users) = (&stage.office.store, &stage.incident, &stage.users);
    end(store, incident, &users.ann, people[0], Ending::Exempt).await.unwrap();
    end(store, incident, &users.ann, people[1], TOLD).await.unwrap();
    let mut process = stage.start(&["scheduler", "worker"]);
    stage.drain().await;
    assert_eq!(stage.produced(), 1);
    // Long after the time for sending: the deadline of what was cancelled has passed.
    stage.shift_clock(90 * 86_400).await;

    for person in &people[..2] {
        assert_eq!(reopen(store, incident, &users.bob, *person).await, Ok(NoticeState::Open));
        assert_eq!(
            reopen(store, incident, &users.bob, *person).await,
            Err(NotReopened::NotDecided(NoticeState::Open)),
            "twice is once"
        );
    }
    stage.drain().await;
    process.terminate().await;

    // Of the third nothing was heard for all that time.
    assert_eq!(stage.words("select state from message order by state").await, ["accepted", "accepted", "overdue"]);
    assert_eq!(stage.produced(), 3);
    stage.audit().await;
    sequence(&stage).await;
    let pack = incident_pack(&stage, Audience::Regulator, false).await;
    let report = check(&stage, &pack);
    assert_eq!(report.verdict, Verdict::Good, "{:?}", report.findings.kept);
    assert_eq!((report.events["notice.exempt"], report.events["notice.reopened"]), (1, 2));
    assert_eq!((report.equation.exempt, report.equation.withdrawn, report.equation.open), (0, 0, 3));
    let story = duly::report::story::story(store, incident, people[0]).await.unwrap();
    let told: Vec<&str> = story.events.iter().map(|e| e.text.as_str()).collect();
    assert!(told.contains(&"bob took back the decision about this notice: another of the same name"), "{told:?}");
}

#[tokio::test]
async fn what_was_reported_under_a_decision_counts_once_it_is_taken_back() {
    let world = queued("reported_meanwhile", 2).await;
    assert_eq!(world.store.claim(world.incident.key, &[world.intent(0)], 20_000).await.unwrap().len(), 1);
    applied(&world, 0, Cause::Answered { attempt: 1, answer: Answer::Accepted, other_id: false }, Note::default()).await;
    applied(&world, 0, Cause::NoNews, Note::default()).await;
    assert_eq!(end_in(&world, 0, TOLD).await, Ok(()));
    let reopened = async |i: usize| reopen(&world.store, &world.incident, &world.users.bob, world.people[i]).await;

    // The letter that was to follow waits again.
    assert_eq!(reopened(0).await, Ok(NoticeState::Open));
    assert_eq!(words(&world, "select state from message where channel = 'letter'").await, ["ready"]);

    // The text arrives while a second decision stands: the person has been told, and no letter follows.
    assert_eq!(end_in(&world, 0, TOLD).await, Ok(()));
    let late = Cause::Reported { report: MessageState::DeliveredToHandset, other_id: false };
    applied(&world, 0, late, Note::default()).await;
    assert_eq!(reopened(0).await, Ok(NoticeState::Notified));
    assert_eq!(words(&world, "select state from message where channel = 'letter'").await, ["cancelled"]);
    assert_eq!(words(&world, "select state from notice order by state").await, ["notified", "open"]);
    // This world's answers are made up; its chains are not.
    let of_chains =
        ["move_not_allowed", "move_differs", "event_missing", "notice_differs_from_events", "message_differs_from_events"];
    let findings = world.store.audit(world.incident.key).await.unwrap();
    assert!(!findings.iter().any(|f| of_chains.contains(&f.code)), "{findings:#?}");
}

/// Whose message waits, whom the plan could make no message for, and who was already taken back before the plan was given up.
#[tokio::test]
async fn whoever_was_decided_about_under_a_withdrawn_plan_is_told_once_by_another_one_after_it_is_taken_back() {
    let letters = ProviderConfig { channel: "letter".into(), ..ProviderConfig::default() };
    let lanes = vec![Lane::named("sms"), Lane { provider: letters, ..Lane::named("letters") }];
    let stage = Stage::new(Setup { lanes, ..Setup::default() }).await;
    let (store, incident, users) = (&stage.office.store, &stage.incident, &stage.users);
    stage.import(2..=5).await;
    let plan = stage.prepare(&[Route::Sms]).await;
    let people: Vec<Uuid> =
        sqlx::query_scalar("select person_id from notice where plan_no = 2 order by 1").fetch_all(&stage.owner).await.unwrap();
    end(store, incident, &users.ann, people[0], Ending::Exempt).await.unwrap();
    end(store, incident, &users.ann, people[1], TOLD).await.unwrap();
    end(store, incident, &users.ann, people[2], Ending::Exempt).await.unwrap();
    assert_eq!(reopen(store, incident, &users.bob, people[2]).await, Ok(NoticeState::Open));
    assert_eq!(users.withdraw(store, incident, plan).await.unwrap(), Moved::Done);
    let unplanned = async || store.count_unplanned(incident.key).await.unwrap();
    assert_eq!(unplanned().await, 2);
    stage.audit().await;

    let back = take_back(store, incident, &users.bob, people[0]).await;
    assert_eq!(back, Ok(Reopened { notice: NoticeState::Open, let_go: Some(plan) }));
    assert_eq!(take_back(store, incident, &users.bob, people[0]).await, Err(NotReopened::NoNotice), "twice is once");
    assert_eq!((unplanned().await, stage.count("select count(*) from let_go").await), (3, 2));
    assert_eq!(stage.count("select count(*) from withdrawn_content where plan_no = 2").await, 3);
    let mut process = stage.start(&["scheduler", "worker"]);
    stage.drain().await;
    assert_eq!(stage.produced(), 1, "nobody under the withdrawn plan");
    stage.audit().await;

    // Another plan, by another way, takes whoever is let go; then the same once more.
    let second = stage.prepare(&[Route::Letter]).await;
    end(store, incident, &users.ann, people[0], TOLD).await.unwrap();
    assert_eq!(users.withdraw(store, incident, second).await.unwrap(), Moved::Done);
    assert!(take_back(store, incident, &users.bob, people[0]).await.is_ok());
    stage.audit().await;
    let third = stage.prepare(&[Route::Sms]).await;
    users.approve_and_start(store, incident, third).await;
    stage.drain().await;
    process.terminate().await;

    assert_eq!(stage.produced(), 4);
    assert_eq!(stage.words("select state from notice order by 1").await, ["open", "open", "open", "open", "withdrawn"]);
    stage.audit().await;
    sequence(&stage).await;
    let pack = incident_pack(&stage, Audience::Regulator, false).await;
    let report = check(&stage, &pack);
    assert_eq!(report.verdict, Verdict::Good, "{:?}", report.findings.kept);
    assert_eq!((report.equation.withdrawn, report.equation.open, report.equation.people), (1, 4, 5));
    // What is said to have been let go hides nothing that was sent.
    let hides = "update let_go g set n = p.last_n from person p where p.person_id = g.person_id";
    sqlx::raw_sql(hides).execute(&stage.owner).await.unwrap();
    let codes: Vec<&str> = store.audit(incident.key).await.unwrap().iter().map(|finding| finding.code).collect();
    assert!(codes.contains(&"move_not_allowed"), "{codes:?}");
}

#[tokio::test]
async fn a_decision_is_not_taken_back_under_a_withdrawn_plan_if_a_message_may_have_left() {
    let stage = Stage::new(Setup::default()).await;
    let (store, incident, users) = (&stage.office.store, &stage.incident, &stage.users);
    stage.import(2..=2).await;
    let plan = stage.prepare(&[Route::Sms]).await;
    let person: Uuid =
        sqlx::query_scalar("select person_id from notice where plan_no = 2").fetch_one(&stage.owner).await.unwrap();
    end(store, incident, &users.ann, person, Ending::Exempt).await.unwrap();
    assert_eq!(users.withdraw(store, incident, plan).await.unwrap(), Moved::Done);
    // As after a restore: a provider's word came for a message that this database never sent.
    sqlx::raw_sql("update message set state = 'accepted', due_at = now() where plan_no = 2").execute(&stage.owner).await.unwrap();

    assert_eq!(take_back(store, incident, &users.bob, person).await, Err(NotReopened::PlanWithdrawn(plan)));

    assert_eq!(stage.words("select state from notice where plan_no = 2").await, ["exempt"]);
    assert_eq!(stage.count("select count(*) from let_go").await, 0);
}

#[tokio::test]
async fn who_no_message_could_be_made_for_is_open_and_a_task_again_once_a_decision_is_taken_back() {
    let world = world("no_message_made", 1).await;
    let owner = sqlx::PgPool::connect(&world.url).await.unwrap();
    // As the plan leaves somebody for whom nothing could be prepared.
    for made_none in ["delete from message", "update notice set problem = 'no_address'"] {
        sqlx::raw_sql(made_none).execute(&owner).await.unwrap();
    }
    let tasks = async || world.store.list_open_tasks(world.incident.key).await.unwrap().len();
    assert_eq!(tasks().await, 1);
    assert_eq!(end_in(&world, 0, Ending::Exempt).await, Ok(()));
    assert_eq!(tasks().await, 0);

    assert_eq!(reopen(&world.store, &world.incident, &world.users.bob, world.people[0]).await, Ok(NoticeState::Open));

    assert_eq!(words(&world, "select state from notice").await, ["open"]);
    assert_eq!(tasks().await, 1);
    audit_but_contents(&world).await;
}

#[tokio::test]
async fn nothing_is_taken_back_of_somebody_who_is_erased_or_of_whom_nobody_decided() {
    let stage = Stage::new(Setup { people: 2, ..Setup::default() }).await;
    let people: Vec<Uuid> =
        sqlx::query_scalar("select person_id from person order by person_id").fetch_all(&stage.owner).await.unwrap();
    let (store, incident, ann) = (&stage.office.store, &stage.incident, &stage.users.ann);
    let open = reopen(store, incident, ann, people[0]).await;
    assert_eq!(open, Err(NotReopened::NotDecided(NoticeState::Open)));
    end(store, incident, ann, people[0], Ending::Exempt).await.unwrap();
    sqlx::query("update person set erased_at = now() where person_id = $1").bind(people[0]).execute(&stage.owner).await.unwrap();

    assert_eq!(reopen(store, incident, ann, people[0]).await, Err(NotReopened::Erased));
}
