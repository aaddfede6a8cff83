//! Lanes that rest: stopped by what calls tell of them, tried by a single call when their rest is over, and open again
//! once that one is answered. Each rest that follows is longer.

use super::StoreError;
use super::log_event::insert_log_events;
use super::sequencing::LogScope;
use super::unit::Unit;
use crate::model::health::Signs;
use crate::model::step::Pause;
use serde_json::{Map, json};
use std::collections::{BTreeMap, BTreeSet};

/// The code of a rest that no single answer asked for.
const SICK: &str = "sick";
/// First rest after a refusal of everything, ms. The call after it is the second look.
const REFUSED_MS: i64 = 60_000;

/// What some calls told of one lane.
#[derive(Default)]
pub(crate) struct LaneNews {
    pub signs: Signs,
    /// The answer that stops the lane by itself, and for how long.
    pub stop: Option<(String, Pause)>,
}

/// How a lane stands that is stopped, or was until a moment ago.
enum Rest {
    Rests,
    /// Its rest is over, and a single call goes first.
    Tries,
}

impl Unit {
    /// Notes what calls told of their lanes: stops those that are sick, and opens those that are well again.
    pub(crate) async fn settle_lanes(&mut self, news: BTreeMap<String, LaneNews>) -> Result<(), StoreError> {
        for (lane, LaneNews { signs, stop }) in news {
            if let Some((code, pause)) = stop {
                self.stop_lane(&lane, &code, pause).await?;
            } else if signs.bad == 0 || signs.is_answered() && self.is_resting(&lane).await?.is_some() {
                self.note_good_calls(&lane, signs).await?;
            } else {
                match self.is_resting(&lane).await? {
                    Some(Rest::Rests) => {}
                    Some(Rest::Tries) => self.stop_lane(&lane, SICK, Pause::Sick).await?,
                    None => self.note_bad_calls(&lane, signs).await?,
                }
            }
        }
        Ok(())
    }

    async fn is_resting(&mut self, lane: &str) -> Result<Option<Rest>, StoreError> {
        let found = sqlx::query_scalar!(r#"select until > duly_now() as "rests!" from lane_pause where lane = $1"#, lane)
            .fetch_optional(&mut *self.tx)
            .await?;
        Ok(found.map(|rests| if rests { Rest::Rests } else { Rest::Tries }))
    }

    /// Counts good calls beside bad ones that were noted, and opens a lane that was being tried.
    async fn note_good_calls(&mut self, lane: &str, signs: Signs) -> Result<(), StoreError> {
        let opened = sqlx::query_scalar!(
            "with counted as (update lane_health set calls = calls + $2
                               where lane = $1 and window_from > duly_now() - $3::bigint * interval '1 millisecond')
             delete from lane_pause where lane = $1 and until <= duly_now() and $4 returning code",
            lane,
            signs.calls,
            self.deadlines.health.window_ms,
            signs.is_answered()
        )
        .fetch_optional(&mut *self.tx)
        .await?;
        match opened {
            Some(code) => self.tell_of_lane("lane.resumed", lane, &code).await,
            None => Ok(()),
        }
    }

    /// Counts bad calls; so many of them within the window stop the lane.
    async fn note_bad_calls(&mut self, lane: &str, signs: Signs) -> Result<(), StoreError> {
        let row = sqlx::query!(
            "insert into lane_health as h (lane, calls, bad) values ($1, $2, $3)
             on conflict (lane) do update set
                window_from = case when h.window_from > duly_now() - $4::bigint * interval '1 millisecond' then h.window_from else duly_now() end,
                calls = excluded.calls + case when h.window_from > duly_now() - $4::bigint * interval '1 millisecond' then h.calls else 0 end,
                bad = excluded.bad + case when h.window_from > duly_now() - $4::bigint * interval '1 millisecond' then h.bad else 0 end
             returning calls, bad",
            lane,
            signs.calls,
            signs.bad,
            self.deadlines.health.window_ms
        )
        .fetch_one(&mut *self.tx)
        .await?;
        if !self.deadlines.health.is_sick(row.calls, row.bad) {
            return Ok(());
        }
        sqlx::query!("delete from lane_health where lane = $1", lane).execute(&mut *self.tx).await?;
        self.stop_lane(lane, SICK, Pause::Sick).await
    }

    /// Lets a lane rest, longer if it has rested just before. Answers of calls that had begun change nothing of a rest,
    /// but that a daily limit outlasts it.
    async fn stop_lane(&mut self, lane: &str, code: &str, pause: Pause) -> Result<(), StoreError> {
        let before =
            sqlx::query!(r#"select rests, until > duly_now() as "rests_now!" from lane_pause where lane = $1 for update"#, lane)
                .fetch_optional(&mut *self.tx)
                .await?;
        let rests = before.as_ref().map_or(0, |row| if row.rests_now { row.rests } else { row.rests + 1 });
        let health = self.deadlines.health;
        let first_ms = match pause {
            Pause::Sick => health.rest_min_ms,
            Pause::Asked(wait) => i64::try_from(wait.as_millis()).unwrap_or(i64::MAX).min(health.rest_max_ms),
            Pause::Minute | Pause::UtcDay => REFUSED_MS,
        };
        let stopped = sqlx::query_scalar!(
            "insert into lane_pause as l (lane, until, code, rests)
             values ($1, case when $4 then date_trunc('day', duly_now(), 'UTC') + interval '1 day'
                              else duly_now() + $5::bigint * interval '1 millisecond' end, $2, $3)
             on conflict (lane) do update set until = excluded.until, code = excluded.code, rests = excluded.rests, since = duly_now()
              where l.until <= duly_now() or ($4 and l.until < excluded.until)
             returning lane",
            lane,
            code,
            rests,
            pause == Pause::UtcDay,
            health.rest_ms(first_ms, rests)
        )
        .fetch_optional(&mut *self.tx)
        .await?;
        match stopped {
            Some(_) => self.tell_of_lane("lane.stopped", lane, code).await,
            None => Ok(()),
        }
    }

    async fn tell_of_lane(&mut self, kind: &'static str, lane: &str, code: &str) -> Result<(), StoreError> {
        let detail = Map::from_iter([("code".to_owned(), json!(code)), ("lane".to_owned(), json!(lane))]);
        insert_log_events(&mut self.tx, LogScope::System, [(kind, detail)]).await
    }

    /// Which of these lanes take no call now, and which take a single one: their rest is over, and nobody tries them yet.
    /// Holds the rows of the latter, so that two workers do not try at once.
    pub(crate) async fn closed_lanes(&mut self, lanes: &BTreeSet<&str>) -> Result<Closed, StoreError> {
        let names: Vec<String> = lanes.iter().map(|lane| (*lane).to_owned()).collect();
        let rows = sqlx::query!(
            r#"select lane, until > duly_now() as "rests!" from lane_pause where lane = any($1) order by lane for update"#,
            &names
        )
        .fetch_all(&mut *self.tx)
        .await?;
        let mut closed = Closed::default();
        for row in rows {
            let is_tried = row.rests
                || sqlx::query_scalar!(
                    r#"select exists (select from message where lane = $1 and state = 'sending' and lease_until > duly_now()) as "is_tried!""#,
                    row.lane
                )
                .fetch_one(&mut *self.tx)
                .await?;
            closed.0.insert(row.lane, is_tried);
        }
        Ok(closed)
    }
}

/// Lanes that do not take everything, each with whether it takes nothing.
#[derive(Default)]
pub(crate) struct Closed(BTreeMap<String, bool>);

impl Closed {
    /// Whether a lane takes no call now.
    pub(crate) fn is_closed(&self, lane: &str) -> bool {
        self.0.get(lane).copied().unwrap_or(false)
    }

    /// Notes a call: where a lane is tried, it is the only one.
    pub(crate) fn take(&mut self, lane: &str) {
        if let Some(is_closed) = self.0.get_mut(lane) {
            *is_closed = true;
        }
    }
}
