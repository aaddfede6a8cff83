//! Nobody's phone rings at night, by the clock where the person is: text messages wait with a due time, letters do not.

use crate::cli::desk::Desk;
use crate::schema::ask_migrated;
use crate::support::{Capability, Lane, Setup, Stage, World, but_for_the_clock, eventually, lane, quota, world};
use duly::model::state::{Channel, Route};
use duly_sandbox::ProviderConfig;
use serde_json::{Value, json};

/// Seconds until it is this o'clock in London.
async fn until(stage: &Stage, clock: &'static str) -> i32 {
    sqlx::query_scalar(
        "select extract(epoch from ((day + $1::time + case when day + $1::time > here then interval '0' else interval '1 day' end)
                at time zone 'Europe/London' - now()))::int
           from (select now() at time zone 'Europe/London' as here, (now() at time zone 'Europe/London')::date as day) t",
    )
    .bind(clock)
    .fetch_one(&stage.owner)
    .await
    .unwrap()
}

#[tokio::test]
async fn a_text_waits_for_the_morning_and_a_letter_does_not() {
    let letters = Lane {
        provider: ProviderConfig { channel: "letter".into(), ..Capability::StrongLookup.provider() },
        ..Lane::named("letters")
    };
    let (lanes, routes) = (vec![lane(Capability::StrongLookup), letters], vec![Route::SmsAndLetter]);
    let stage = Stage::new(Setup { people: 4, lanes, routes, quiet: ["21:00", "08:00"], ..Setup::default() }).await;
    let evening = until(&stage, "22:00").await;
    stage.shift_clock(evening).await;
    let _processes = [stage.start(&["scheduler"]), stage.start(&["worker"])];

    eventually("the letters have left", async || {
        stage.count("select count(*) from message where channel = 'letter' and state = 'accepted'").await == 4
    })
    .await;
    eventually("the texts are put off", async || {
        stage.count("select count(*) from message where channel = 'sms' and due_at > duly_now() + interval '9 hours'").await == 4
    })
    .await;
    assert!(stage.sandbox.state.arrivals("sms").is_empty());
    let asleep = stage.office.store.count_asleep(stage.incident.key).await.unwrap();
    assert_eq!(asleep.messages, 4);
    let wakes =
        stage.words("select to_char(due_at at time zone 'Europe/London', 'HH24:MI') from message where channel = 'sms'").await;
    assert_eq!(wakes, ["08:00"; 4]);

    stage.shift_clock(evening + 10 * 3600 + 30).await;
    eventually("the texts have left", async || stage.sandbox.state.arrivals("sms").len() == 4).await;
    stage.drain().await;
    assert_eq!(stage.produced(), 8);
    stage.audit().await;
}

async fn owner(world: &World) -> sqlx::PgPool {
    sqlx::PgPool::connect(&world.url).await.unwrap()
}

async fn run(pool: &sqlx::PgPool, sql: &str) {
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(pool).await.unwrap();
}

/// Two people under quiet hours, one of them in Tokyo, at this moment.
async fn apart(name: &str, at: &str) -> (World, sqlx::PgPool) {
    let world = world(name, 2).await;
    let pool = owner(&world).await;
    run(&pool, "update plan set quiet_from = '21:00', quiet_until = '08:00', zones = '{Europe/London,Asia/Tokyo}'").await;
    let tokyo = format!("update message set zones = '{{Asia/Tokyo}}' where message_id = '{}'", world.messages[1]);
    run(&pool, &tokyo).await;
    run(
        &pool,
        &format!(
            "create or replace function duly_now() returns timestamptz language sql volatile as $$ select timestamptz '{at}' $$"
        ),
    )
    .await;
    (world, pool)
}

#[tokio::test]
async fn whose_night_it_is_is_asked_for_each_person_when_queued_and_again_when_claimed() {
    // After eleven in London, half past eight in Tokyo. Nothing is due before the plan was made.
    let (world, pool) = apart("zones", "2036-11-26 23:30Z").await;
    run(&pool, "update message set expires_at = '2037-01-01Z'").await;
    let store = &world.store;

    assert_eq!(store.queue_due("sms-a", Channel::Sms, quota(10)).await.unwrap(), [world.messages[1]]);

    // A job that was on the road when the night began.
    run(&pool, "update message set lane = 'sms-a'").await;
    let claimed = store.claim(world.incident.key, &[world.intent(0), world.intent(1)], 1000).await.unwrap();
    assert_eq!(claimed.iter().map(|claim| claim.index).collect::<Vec<_>>(), [1]);
    assert_eq!(store.put_off_texts(10).await.unwrap(), 1);
    let due: Vec<String> =
        sqlx::query_scalar("select to_char(due_at at time zone 'UTC', 'DD HH24:MI') from message where state = 'ready'")
            .fetch_all(&pool)
            .await
            .unwrap();
    assert_eq!(due, ["27 08:00"]);
}

#[tokio::test]
async fn the_night_ends_by_the_clock_of_the_morning_that_comes() {
    let (_world, pool) = apart("summer", "2026-03-28 22:00Z").await;
    let ends = async |zone: &str, from: &str, until: &str| -> Option<String> {
        sqlx::query_scalar("select to_char(night_ends($1, $2::time, $3::time) at time zone 'UTC', 'DD HH24:MI')")
            .bind(zone)
            .bind(from)
            .bind(until)
            .fetch_one(&pool)
            .await
            .unwrap()
    };

    // Clocks go forward in the night between.
    assert_eq!(ends("Europe/London", "21:00", "08:00").await.as_deref(), Some("29 07:00"));
    assert_eq!(ends("Asia/Tokyo", "21:00", "08:00").await.as_deref(), Some("28 23:00"));
    assert_eq!(ends("America/New_York", "21:00", "08:00").await, None);
    assert_eq!(ends("Europe/London", "21:30", "23:00").await.as_deref(), Some("28 23:00"));
    assert_eq!(ends("Europe/London", "00:00", "06:00").await, None);
}

#[tokio::test]
async fn every_zone_is_one_that_the_database_knows() {
    let zones: Vec<&str> = duly::model::zone::every_zone().into_iter().collect();
    let known: Vec<(String,)> = ask_migrated("zone_names", "select name from pg_timezone_names").await;

    let missing: Vec<&&str> = zones.iter().filter(|zone| !known.iter().any(|(name,)| name == **zone)).collect();
    assert!(zones.len() > 200 && missing.is_empty(), "{missing:?}");
}

#[tokio::test]
async fn the_audit_finds_a_text_that_was_claimed_at_night_and_hours_that_nobody_approved() {
    let world = world("night_audit", 1).await;
    let store = &world.store;
    store.queue_due("sms-a", Channel::Sms, quota(1)).await.unwrap();
    assert_eq!(store.claim(world.incident.key, &[world.intent(0)], 1000).await.unwrap().len(), 1);
    assert_eq!(but_for_the_clock(store.audit(world.incident.key).await.unwrap()), []);

    let pool = owner(&world).await;
    run(&pool, "update plan set quiet_from = '12:00', quiet_until = '11:59'").await;

    let found = but_for_the_clock(store.audit(world.incident.key).await.unwrap());
    let mut codes: Vec<&str> = found.iter().map(|finding| finding.code).collect();
    codes.sort_unstable();
    assert_eq!(codes, ["intent_at_night", "quiet_hours_differ"]);
}

#[tokio::test]
async fn only_an_urgent_plan_may_wake_people_and_its_approver_reads_so() {
    let mut desk = Desk::with_incident("at_night", "1").await;
    desk.set_quiet("21:00", "08:00");
    desk.duly("ann", &["list", "import", "affected.csv", "--incident", "cards"]).fine();
    let prepare = ["plan", "prepare", "--incident", "cards", "--route", "sms-then-letter,letter,sms"];
    let by_night = desk.duly("ann", &[&prepare[..], &["--at-night"]].concat());
    assert!(by_night.code == 2 && by_night.err.contains("--urgent"), "{by_night:?}");

    desk.duly("ann", &[&prepare[..], &["--at-night", "--urgent"]].concat()).fine();

    let shown = desk.duly("bob", &["plan", "show", "--incident", "cards"]).fine().out;
    assert!(shown.contains("leave at any hour, and may wake people"), "{shown}");
    let body = |ran: Value| ran["body"]["quiet"].clone();
    assert_eq!(body(desk.duly("bob", &["plan", "show", "--incident", "cards", "--json"]).fine().json()), json!(null));
}

#[tokio::test]
async fn a_plan_names_the_hours_in_which_its_texts_wait() {
    let mut desk = Desk::with_incident("quiet_plan", "1").await;
    desk.set_quiet("21:00", "08:00");
    desk.duly("ann", &["list", "import", "affected.csv", "--incident", "cards"]).fine();
    desk.duly("ann", &["plan", "prepare", "--incident", "cards", "--route", "sms-then-letter,letter,sms"]).fine();

    let shown = desk.duly("bob", &["plan", "show", "--incident", "cards"]).fine().out;

    assert!(shown.contains("text messages wait from 21:00 to 08:00, by the clock where each person is"), "{shown}");
    let plan = desk.duly("bob", &["plan", "show", "--incident", "cards", "--json"]).fine().json();
    assert_eq!(plan["body"]["quiet"], json!({"from": "21:00", "until": "08:00"}));
}
