//! When the last message of a plan leaves, and whether that is in time: lanes take only so many a day.

use super::{Parts, PlanSummary};
use crate::dispatch::Office;
use crate::model::forecast::{ALL_DAY, Forecast, LaneRoom, Outlook, forecast};
use crate::model::quiet::Quiet;
use crate::model::shares::shared_pace;
use crate::model::state::Channel;
use crate::provider::Account;
use crate::render::check::{Finding, Severity};
use crate::store::incident::Incident;
use crate::store::plan::Terms;
use crate::store::{Store, StoreError};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use time::{Date, Duration, OffsetDateTime};

/// The rule by which a plan that ends too late needs a written reason.
const TOO_LATE: &str = "Q001";

/// The lanes of each channel, with what they may still take today.
pub type Rooms = BTreeMap<Channel, Vec<LaneRoom>>;

/// How long a plan will take.
pub struct Schedule {
    /// By which day everybody shall be written to.
    pub told_by: Date,
    /// What leaves first, by channel.
    pub outlook: Vec<Outlook>,
    days_max: u64,
}

impl Schedule {
    /// Days that the last message waits for its turn, should every next step become necessary.
    pub fn days_max(&self) -> i64 {
        i64::try_from(self.days_max).unwrap_or(i64::MAX)
    }

    /// A warning for each channel whose last message leaves after the deadline, with its messages.
    pub fn late(&self) -> Vec<(Finding, u64)> {
        let finding = |outlook: &Outlook| Finding {
            severity: Severity::Warning,
            rule: TOO_LATE,
            element: None,
            line: 0,
            what: outlook.words(),
            source: "the deadline of the plan: `--told-by`, or else `dispatch.message_deadline_hours`".to_owned(),
            is_confirmed: true,
            remedy: "add a lane, raise `per_day`, or name a later day by `--told-by`; else say why it is sent all the same",
        };
        self.outlook.iter().filter(|o| o.late_days() > 0).map(|o| (finding(o), o.forecast.messages)).collect()
    }
}

/// The lanes as they are set up here; `of` names those that count, all where it is empty.
pub async fn rooms(store: &Store, accounts: &BTreeMap<String, Arc<Account>>, of: &[String]) -> Result<Rooms, StoreError> {
    let mut rooms = Rooms::new();
    for (name, account) in accounts.iter().filter(|(name, _)| of.is_empty() || of.contains(name)) {
        let taken_today = match account.per_day {
            Some(_) => u64::try_from(store.count_taken_today(name).await?).unwrap_or(0),
            None => 0,
        };
        let per_second = paced(accounts, account);
        let room = LaneRoom { lane: name.clone(), per_day: account.per_day, per_second, taken_today };
        rooms.entry(account.channel).or_default().push(room);
    }
    Ok(rooms)
}

/// Messages a second that a lane is handed beside those that it shares messages with.
fn paced(accounts: &BTreeMap<String, Arc<Account>>, account: &Account) -> u32 {
    let share = |other: &&Arc<Account>| other.channel == account.channel && other.is_reserve == account.is_reserve;
    shared_pace(account.weight, accounts.values().filter(share).map(|other| (other.per_second, other.weight)))
        .clamp(1, account.per_second)
}

/// Forecasts a plan in the making behind everything that runs.
pub async fn schedule(
    office: &Office,
    terms: &Terms,
    summary: &PlanSummary,
    told_by: Option<Date>,
) -> Result<Schedule, StoreError> {
    let now = office.store.now().await?;
    let told_by = told_by.unwrap_or_else(|| (now + Duration::hours(office.settings.dispatch.message_deadline_hours)).date());
    let rooms = rooms(&office.store, &office.accounts, &terms.lanes).await?;
    let ahead = office.store.count_running_waiting().await?;
    let (mut outlook, mut days_max) = (Vec::new(), 0);
    for (&channel, &Parts { first, most }) in &summary.messages {
        let last = |messages| foresee(now, channel, messages, (&ahead, terms.quiet), &rooms);
        days_max = days_max.max(last(most).map_or(0, |forecast| forecast.days));
        let forecast = last(first).filter(|_| first > 0);
        outlook.extend(forecast.map(|forecast| Outlook { plan: summary.plan, channel, forecast, told_by: Some(told_by) }));
    }
    Ok(Schedule { told_by, outlook, days_max })
}

/// Forecasts what still waits of an incident's plans, each behind what else runs.
pub async fn outlook(
    store: &Store,
    accounts: &BTreeMap<String, Arc<Account>>,
    incident: &Incident,
) -> Result<Vec<Outlook>, StoreError> {
    let now = store.now().await?;
    let (waiting, running) = (store.list_plan_waiting(incident.key).await?, store.count_running_waiting().await?);
    let rooms = rooms(store, accounts, &[]).await?;
    let mut found = Vec::new();
    for row in waiting {
        let Ok(channel) = row.channel.parse::<Channel>() else { continue };
        let mut ahead = running.clone();
        if let Some(own) = ahead.get_mut(channel.as_str()).filter(|_| row.state == "running") {
            *own -= row.messages;
        }
        let body = serde_json::from_slice(&store.load_plan(incident.key, row.plan_no).await?.body).unwrap_or_default();
        let messages = u64::try_from(row.messages).unwrap_or(0);
        let Some(forecast) = foresee(now, channel.as_str(), messages, (&ahead, Quiet::of_plan(&body)), &rooms) else { continue };
        let told_by = told_by(&body);
        found.push(Outlook { plan: row.plan_no, channel: channel.as_str(), forecast, told_by });
    }
    Ok(found)
}

fn foresee(
    now: OffsetDateTime,
    channel: &str,
    messages: u64,
    (ahead, quiet): (&BTreeMap<String, i64>, Option<Quiet>),
    rooms: &Rooms,
) -> Option<Forecast> {
    let ahead = ahead.get(channel).and_then(|n| u64::try_from(*n).ok()).unwrap_or(0);
    let channel: Channel = channel.parse().ok()?;
    let open = quiet.filter(|_| channel == Channel::Sms).map_or(ALL_DAY, |quiet| quiet.awake_seconds());
    forecast(now, messages, ahead, rooms.get(&channel)?, open)
}

/// The day by which a plan's people shall be written to, as its text says.
fn told_by(body: &Value) -> Option<Date> {
    let number = |i: usize| body.get("told_by")?.get(i)?.as_i64();
    let month = time::Month::try_from(u8::try_from(number(1)?).ok()?).ok()?;
    Date::from_calendar_date(i32::try_from(number(0)?).ok()?, month, u8::try_from(number(2)?).ok()?).ok()
}
