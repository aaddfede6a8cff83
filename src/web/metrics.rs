//! `GET /metrics`: Prometheus text, read from the database, so that every process tells the same. Labels are words,
//! lanes and incidents' short names; nothing of any person.

use super::Web;
use crate::config::Lane;
use crate::model::causes::with_causes;
use crate::report::ReportError;
use crate::report::carried::{Carried, carried};
use crate::report::progress::{LaneStatus, lane_statuses};
use crate::store::Store;
use crate::store::anchor::AnchorAge;
use crate::store::metrics::Labelled;
use crate::store::status::Equation;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;
use tokio::time::{sleep, timeout};

/// For how long one reading serves: many scrapers must not count millions of rows each.
const FRESH: Duration = Duration::from_secs(15);

/// How long the database may take to answer at all.
const WAIT: Duration = Duration::from_secs(2);
/// Between two tries meanwhile: the first may meet a connection that a restart has cut.
const AGAIN: Duration = Duration::from_millis(100);

/// The newest reading.
#[derive(Default)]
pub(super) struct Cache(Mutex<Newest>);

/// What is known, and when the database last did not answer.
#[derive(Default)]
struct Newest {
    read: Option<(Instant, String)>,
    silent_at: Option<Instant>,
}

/// The figures, at most fifteen seconds old; those from before with their age where the database does not answer.
pub(super) async fn show(State(web): State<Arc<Web>>) -> impl IntoResponse {
    let mut newest = web.metrics.0.lock().await;
    let is_fresh = newest.read.as_ref().is_some_and(|(read_at, _)| read_at.elapsed() < FRESH);
    // Scrapers that waited for this lock need not wait for the same silence again.
    let is_silent = newest.silent_at.is_some_and(|at| at.elapsed() < WAIT);
    if !is_fresh && !is_silent {
        newest.silent_at = None;
        match read_answered(&web).await {
            Some(text) => newest.read = Some((Instant::now(), text)),
            None => newest.silent_at = Some(Instant::now()),
        }
    }
    let mut page = Page::default();
    page.one("duly_database_answers", "0 while the database does not answer.", f64::from(u8::from(newest.silent_at.is_none())));
    if let Some((read_at, text)) = &newest.read {
        page.one("duly_metrics_age_seconds", "How long ago the figures were read.", read_at.elapsed().as_secs_f64().round());
        page.0.push_str(text);
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], page.0)
}

/// The figures, where the database answers within two seconds: it is asked first, for counting millions may take longer.
async fn read_answered(web: &Web) -> Option<String> {
    let answered = async {
        while web.office.store.ping().await.is_err() {
            sleep(AGAIN).await;
        }
    };
    if timeout(WAIT, answered).await.is_err() {
        tracing::warn!("the metrics cannot be read: the database does not answer");
        return None;
    }
    match read(web).await {
        Ok(text) => Some(text),
        Err(error) => {
            tracing::warn!(error = with_causes(&error), "the metrics cannot be read");
            None
        }
    }
}

/// Prometheus text in the making.
#[derive(Default)]
struct Page(String);

impl Page {
    fn metric(&mut self, name: &str, help: &str, rows: impl IntoIterator<Item = (Vec<(&'static str, String)>, f64)>) {
        self.0.push_str(&format!("# HELP {name} {help}\n# TYPE {name} gauge\n"));
        for (labels, value) in rows {
            let labels: Vec<String> = labels.iter().map(|(label, text)| format!("{label}=\"{}\"", escape(text))).collect();
            let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
            // Writing to a string cannot fail.
            if writeln!(self.0, "{name}{labels} {value}").is_err() {
                return;
            }
        }
    }

    fn labelled(&mut self, name: &str, help: &str, labels: [&'static str; 2], rows: Vec<Labelled>) {
        let row = |(first, second, n): Labelled| (vec![(labels[0], first), (labels[1], second)], float(n));
        self.metric(name, help, rows.into_iter().map(row));
    }

    /// By lane and another word: what went through a lane that is not live told nobody.
    fn by_lane(&mut self, name: &str, help: &str, word: &'static str, lives: Lives<'_>, rows: Vec<Labelled>) {
        let row = |(lane, other, n): Labelled| {
            let live = lives.of(&lane);
            (vec![("lane", lane), (word, other), ("live", live)], float(n))
        };
        self.metric(name, help, rows.into_iter().map(row));
    }

    fn one(&mut self, name: &str, help: &str, value: f64) {
        self.metric(name, help, [(Vec::new(), value)]);
    }
}

/// Which lanes reach people.
#[derive(Clone, Copy)]
struct Lives<'a>(&'a BTreeMap<String, Lane>);

impl Lives<'_> {
    /// Empty where this process has no such lane.
    fn of(self, lane: &str) -> String {
        self.0.get(lane).map_or_else(String::new, |lane| lane.live.to_string())
    }
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
fn float(n: i64) -> f64 {
    n as f64
}

async fn read(web: &Web) -> Result<String, ReportError> {
    let store = &web.office.store;
    let mut page = Page::default();
    page.labelled("duly_messages", "Messages by channel and state.", ["channel", "state"], store.count_all_messages().await?);
    let lives = Lives(&web.office.settings.lanes);
    page.by_lane(
        "duly_attempts",
        "Attempts by lane and outcome; none: in flight, or cut. Through a lane that is not live they are a rehearsal.",
        "outcome",
        lives,
        store.count_all_attempts().await?,
    );
    page.labelled("duly_receipts", "Receipts by verdict and result.", ["verdict", "result"], store.count_receipts().await?);
    page.by_lane(
        "duly_unknown_words",
        "Words of providers that no table knows, by lane and by how they came: receipts, or messages that were asked about.",
        "came",
        lives,
        store.count_unknown_words().await?,
    );
    page.labelled("duly_alarms", "Alarms by incident and code.", ["incident", "code"], store.count_all_alarms().await?);
    write_lanes(&mut page, &lane_statuses(store, &web.office.settings.lanes).await?);
    write_carried(&mut page, &carried(store, &web.office.accounts, false).await);
    write_waiting(&mut page, store).await?;
    write_logs(&mut page, store).await?;
    write_anchors(&mut page, store).await?;
    write_equations(&mut page, store).await?;
    Ok(page.0)
}

/// One figure of a lane.
type Figure = fn(&LaneStatus) -> i64;

fn write_lanes(page: &mut Page, lanes: &[LaneStatus]) {
    let of = |lane: &LaneStatus| {
        let live = lane.is_live.map_or_else(String::new, |live| live.to_string());
        vec![("lane", lane.lane.clone().unwrap_or_default()), ("channel", lane.channel.clone()), ("live", live)]
    };
    let parts: [(&str, &str, Figure); 6] = [
        ("duly_lane_queued", "Messages on the road to a worker.", |l| l.load.queued),
        ("duly_lane_sending", "Messages in a call.", |l| l.load.sending),
        ("duly_lane_due", "Messages that may go now.", |l| l.load.due),
        ("duly_lane_later", "Messages that may go after a backoff.", |l| l.load.later),
        ("duly_lane_stopped", "Messages that wait for a plan to run or a hold to be lifted.", |l| l.load.stopped),
        ("duly_lane_paused", "1 while the lane sends nothing.", |l| i64::from(l.pause.is_some())),
    ];
    for (name, help, value) in parts {
        page.metric(name, help, lanes.iter().map(|lane| (of(lane), float(value(lane)))));
    }
    let paced = lanes.iter().filter_map(|lane| Some((of(lane), f64::from(lane.per_second?))));
    page.metric("duly_lane_pace_per_second", "Pace of the lane over all workers.", paced);
}

/// Lanes whose folder cannot be read here are left out: another process tells.
fn write_carried(page: &mut Page, carried: &[Carried]) {
    let of = |lane: &Carried| vec![("lane", lane.lane.clone()), ("live", lane.is_live.to_string())];
    let read = || carried.iter().filter_map(|lane| Some((of(lane), lane.batches.as_ref()?)));
    let float = |n: usize| float(i64::try_from(n).unwrap_or(i64::MAX));
    let open = read().map(|(labels, batches)| (labels, float(batches.len())));
    page.metric("duly_batches_waiting", "Closed batches for people that nobody signed for as handed over.", open);
    let late = read().map(|(labels, batches)| (labels, float(batches.iter().filter(|batch| batch.is_late).count())));
    page.metric("duly_batches_late", "Those of them whose docket is overdue; above 0 is an alarm.", late);
    let lacking = carried.iter().filter(|lane| lane.batches.is_some());
    let lacking = lacking.map(|lane| (of(lane), float(lane.lacks.batches)));
    page.metric("duly_batches_lacking", "Closed batches that the folder lacks; above 0 it is an older copy, an alarm.", lacking);
}

async fn write_logs(page: &mut Page, store: &Store) -> Result<(), ReportError> {
    let lag = store.sequencing_lag().await?;
    page.one("duly_log_waiting", "Events that wait for their place in a log.", float(lag.events));
    page.one(
        "duly_log_waiting_oldest_seconds",
        "How long the oldest of them has waited; above 60 is an alarm.",
        lag.oldest_seconds,
    );
    let logs = store.list_logs().await?;
    let of = |origin: &str| vec![("log", origin.to_owned())];
    page.metric("duly_log_signed", "Events under the newest checkpoint.", logs.iter().map(|l| (of(&l.origin), float(l.size))));
    page.metric(
        "duly_log_published",
        "Events under the newest published checkpoint.",
        logs.iter().map(|l| (of(&l.origin), float(l.published))),
    );
    page.metric(
        "duly_log_news",
        "Those of them up to the newest that is more than an audit that found nothing: so far an anchor is due.",
        logs.iter().map(|l| (of(&l.origin), float(l.news))),
    );
    Ok(())
}

async fn write_waiting(page: &mut Page, store: &Store) -> Result<(), ReportError> {
    let waiting = store.waiting().await?;
    page.one("duly_due", "Open messages whose deadline passed and that the sweep has not looked after yet.", float(waiting.due));
    page.one("duly_due_oldest_seconds", "How long ago the oldest of them was due.", waiting.oldest_due_seconds);
    page.one("duly_overdue", "Messages accepted without news when news was due.", float(waiting.overdue));
    page.one("duly_receipts_waiting", "Receipts that are not applied yet.", float(waiting.receipts));
    page.one("duly_rejected_jobs", "Jobs that could not be read.", float(waiting.rejected_jobs));
    let oldest = match store.oldest_open_since().await? {
        Some(since) => (store.now().await? - since).as_seconds_f64(),
        None => 0.0,
    };
    page.one("duly_oldest_open_seconds", "Age of the oldest message that has no end.", oldest);
    Ok(())
}

async fn write_anchors(page: &mut Page, store: &Store) -> Result<(), ReportError> {
    let ages = store.list_anchor_ages().await?;
    let of = |a: &AnchorAge| vec![("log", a.origin.clone()), ("kind", a.kind.clone()), ("name", a.name.clone())];
    let sizes = ages.iter().map(|age| (of(age), float(age.size)));
    page.metric("duly_anchored_size", "Events of the log up to which this anchor holds.", sizes);
    let seconds = ages.iter().map(|age| (of(age), age.age_seconds));
    page.metric("duly_anchored_age_seconds", "How long ago this anchor last got a checkpoint of the log.", seconds);
    Ok(())
}

async fn write_equations(page: &mut Page, store: &Store) -> Result<(), ReportError> {
    let mut equations: Vec<(String, Equation)> = Vec::new();
    for incident in store.list_incidents().await? {
        let equation = store.equation(incident.key).await?;
        equations.push((incident.name, equation));
    }
    let of = |name: &str, term: &'static str, word: &str| vec![("incident", name.to_owned()), (term, word.to_owned())];
    let rows = equations.iter().flat_map(|(name, e)| {
        [
            ("counted", e.rows_counted),
            ("taken", e.rows),
            ("person", e.person_rows),
            ("duplicate", e.duplicates),
            ("quarantined", e.quarantined),
            ("decided", e.decided),
        ]
        .map(|(fate, n)| (of(name, "fate", fate), float(n)))
    });
    page.metric("duly_equation_rows", "Rows as a second reader counted them, as taken in, and what became of them.", rows);
    let people = equations.iter().map(|(name, e)| (vec![("incident", name.clone())], float(e.people)));
    page.metric("duly_equation_people", "People.", people);
    let states =
        equations.iter().flat_map(|(name, e)| e.person_states.iter().map(|(state, n)| (of(name, "state", state), float(*n))));
    page.metric("duly_equation_person_states", "People by shown state.", states);
    let replayed =
        equations.iter().flat_map(|(name, e)| e.notices_by_events.iter().map(|(state, n)| (of(name, "state", state), float(*n))));
    page.metric("duly_equation_notices_by_events", "Notices by state, replayed from the events alone.", replayed);
    let holds = equations.iter().map(|(name, e)| (vec![("incident", name.clone())], f64::from(u8::from(e.holds()))));
    page.metric("duly_equation_holds", "1 while nobody is missing and nobody is counted twice.", holds);
    Ok(())
}
