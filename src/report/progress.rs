//! Where an incident stands at one moment: people, the equation, lanes, and what needs a person.

use super::ReportError;
use super::carried::{Carried, carried};
use crate::config::Lane;
use crate::dispatch::plan::outlook::{outlook, rooms};
use crate::model::forecast::{LaneRoom, Outlook};
use crate::provider::Account;
use crate::provider::stop::{Stop, stop};
use crate::store::Store;
use crate::store::incident::Incident;
use crate::store::metrics::{LaneLoad, LanePause};
use crate::store::quiet::Asleep;
use crate::store::status::{Counts, Equation, Pulse};
use crate::store::untold::PlanStanding;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A lane as shown: its settings, its load over all incidents, and whether it is paused.
#[derive(Debug, Clone, serde::Serialize)]
pub struct LaneStatus {
    /// Name; `None`: messages that were never queued.
    pub lane: Option<String>,
    /// Channel word.
    pub channel: String,
    /// Pace, messages a second over all workers; `None` where no such lane is configured here.
    pub per_second: Option<u32>,
    /// Whether real people are reached; `None` where it is not set up here.
    #[serde(rename = "live")]
    pub is_live: Option<bool>,
    /// Messages that wait or are in a call.
    #[serde(flatten)]
    pub load: LaneLoad,
    /// Calls accepted within the last minute.
    pub accepted_last_minute: i64,
    /// Why nothing is sent at the moment.
    pub pause: Option<Rest>,
}

/// Why a lane sends nothing for a while, and what to do now.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Rest {
    /// Until when, and the code that stopped it.
    #[serde(flatten)]
    pub pause: LanePause,
    /// The same in words.
    #[serde(flatten)]
    pub stop: Stop,
}

impl From<LanePause> for Rest {
    fn from(pause: LanePause) -> Self {
        Self { stop: stop(&pause.code), pause }
    }
}

/// The newest plan of an incident.
#[derive(Debug, Clone, serde::Serialize)]
pub struct PlanMark {
    /// Number.
    pub plan: i32,
    /// State word.
    pub state: String,
    /// Approvals given.
    pub approvals: i64,
    /// Approvals needed.
    pub approvals_required: i32,
}

/// Everything that `duly status` shows.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Progress {
    /// `controller/incident`.
    pub incident: String,
    /// When it was closed; `None`: open.
    #[serde(with = "time::serde::rfc3339::option")]
    pub closed_at: Option<time::OffsetDateTime>,
    /// Newest plan.
    pub plan: Option<PlanMark>,
    /// Every plan, oldest first.
    pub plans: Vec<PlanStanding>,
    /// People whom no plan covers.
    pub unplanned: i64,
    /// Rows that files have and that were never taken in, by open list.
    pub cut_lists: Vec<i32>,
    /// The equation, each side from a source of its own.
    pub equation: Equation,
    /// Whether it holds.
    pub equation_holds: bool,
    /// Messages by channel and state.
    pub messages: Counts,
    /// Those of them that somebody sent again although nobody knew of the call before.
    pub sent_again: Counts,
    /// Calls by lane and outcome.
    pub calls: Counts,
    /// The moment.
    #[serde(flatten)]
    pub pulse: Pulse,
    /// Seconds until everything that waits is handed over at the rate of the last minute; `None`: not known.
    pub seconds_left: Option<i64>,
    /// Lanes.
    pub lanes: Vec<LaneStatus>,
    /// When the last message of each plan and channel leaves, as the lanes stand now.
    pub outlook: Vec<Outlook>,
    /// Text messages that wait for the morning.
    pub asleep: Asleep,
    /// Folders of lanes whose batches somebody carries.
    pub carried: Vec<Carried>,
    /// Lanes that the settings do not have, each with the incident's messages that wait on it for a call or for news.
    pub missing_lanes: Counts,
    /// Lanes that take nothing more today, each with its messages a day.
    pub full_lanes: BTreeMap<String, u64>,
}

/// Counts an incident's progress.
pub async fn progress(
    store: &Store,
    lanes: &BTreeMap<String, Lane>,
    accounts: &BTreeMap<String, Arc<Account>>,
    incident: &Incident,
) -> Result<Progress, ReportError> {
    let rooms = rooms(store, accounts, &[]).await?;
    let full = rooms.into_values().flatten().filter(LaneRoom::is_full);
    let equation = store.equation(incident.key).await?;
    let pulse = store.pulse(incident.key).await?;
    let plans = store.list_plan_standings(incident.key).await?;
    let approvals_required = incident.approvals_required;
    let plan =
        plans.last().map(|p| PlanMark { plan: p.plan, state: p.state.clone(), approvals: p.approvals, approvals_required });
    let cut_lists = store.list_cut_lists(incident.key).await?;
    Ok(Progress {
        incident: format!("{}/{}", incident.controller_slug, incident.slug),
        closed_at: incident.closed_at,
        plan,
        plans,
        unplanned: store.count_unplanned(incident.key).await?,
        cut_lists: cut_lists.into_iter().map(|list| list.list_no).collect(),
        equation_holds: equation.holds(),
        equation,
        messages: store.count_messages(incident.key).await?,
        sent_again: store.count_sent_again(incident.key).await?,
        calls: store.count_outcomes(incident.key).await?,
        seconds_left: seconds_left(&pulse),
        pulse,
        lanes: lane_statuses(store, lanes).await?,
        asleep: store.count_asleep(incident.key).await?,
        outlook: outlook(store, accounts, incident).await?,
        carried: carried(store, accounts, true).await,
        missing_lanes: missing_lanes(store, lanes, incident).await?,
        full_lanes: full.filter_map(|room| Some((room.lane, room.per_day?))).collect(),
    })
}

/// Where no lane is set up at all, these are the settings of somebody who only looks, and say nothing of those who send.
async fn missing_lanes(store: &Store, lanes: &BTreeMap<String, Lane>, incident: &Incident) -> Result<Counts, ReportError> {
    if lanes.is_empty() {
        return Ok(Counts::new());
    }
    let known: Vec<String> = lanes.keys().cloned().collect();
    Ok(store.count_without_lane(Some(incident.key), &known).await?)
}

/// An estimate only where something moved within the last minute.
fn seconds_left(pulse: &Pulse) -> Option<i64> {
    match (pulse.to_hand_over, pulse.accepted_last_minute) {
        (0, _) => Some(0),
        (_, 0) => None,
        (waiting, rate) => Some(waiting.saturating_mul(60) / rate),
    }
}

/// Every configured lane, and every other that still has messages.
pub async fn lane_statuses(store: &Store, lanes: &BTreeMap<String, Lane>) -> Result<Vec<LaneStatus>, ReportError> {
    let mut loads = store.list_lane_loads().await?;
    let accepted = store.count_accepted_by_lane().await?;
    let mut pauses = store.list_lane_pauses().await?;
    let mut statuses = Vec::new();
    for (name, lane) in lanes {
        let load = loads.remove(&(Some(name.clone()), lane.channel.clone())).unwrap_or_default();
        statuses.push(LaneStatus {
            accepted_last_minute: accepted.get(name).copied().unwrap_or(0),
            pause: pauses.remove(name).map(Rest::from),
            lane: Some(name.clone()),
            channel: lane.channel.clone(),
            per_second: Some(lane.per_second),
            is_live: Some(lane.live),
            load,
        });
    }
    for ((lane, channel), load) in loads {
        let pause = lane.as_ref().and_then(|l| pauses.remove(l)).map(Rest::from);
        statuses.push(LaneStatus { lane, channel, per_second: None, is_live: None, load, accepted_last_minute: 0, pause });
    }
    Ok(statuses)
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::OffsetDateTime;

    #[test]
    fn no_estimate_is_made_while_nothing_moves() {
        let pulse = |to_hand_over, accepted_last_minute| Pulse {
            at: OffsetDateTime::UNIX_EPOCH,
            accepted_last_minute,
            notified_last_minute: 0,
            to_hand_over,
            oldest_open_since: None,
            unknown_made: 0,
            unknown: 0,
            asked: 0,
            alarms: Counts::new(),
            misfits: Counts::new(),
            holds: 0,
        };

        assert_eq!(seconds_left(&pulse(900, 0)), None);
        assert_eq!(seconds_left(&pulse(900, 300)), Some(180));
        assert_eq!(seconds_left(&pulse(0, 0)), Some(0));
    }
}
