//! What holds for every message of a plan, fixed before anything is rendered.

use super::laws::{Law, Laws};
use super::{PlanError, PlanRequest, contents};
use crate::dispatch::Office;
use crate::model::profile::Profile;
use crate::model::state::{Channel, Route};
use crate::render::Want;
use crate::store::plan::Terms;
use std::collections::BTreeSet;

/// Refuses routes that cannot work, and fixes what holds for every message.
pub fn fix(office: &Office, controller: &str, laws: &Laws, request: &PlanRequest) -> Result<Terms, PlanError> {
    let mut lanes = BTreeSet::new();
    for Law { rules, routes, .. } in laws.all() {
        for &route in routes {
            for &channel in route.channels() {
                let content = contents::wants(route, channel);
                // In some language: who has none of their own is found by the check of coverage.
                let want = Want { profile: &rules.profile.id, channel, content, language: "en", format: "standard" };
                office.composer.templates().find(controller, want)?;
                lanes.extend(lanes_of(office, route, channel)?);
            }
            check_told(office, &rules.profile, route)?;
        }
    }
    let message_deadline_ms = office.settings.dispatch.message_deadline_hours * 3_600_000;
    Ok(Terms {
        message_deadline_ms,
        postage_class: "first",
        accounts: lanes.iter().filter_map(|lane| Some((lane.clone(), office.accounts.get(lane)?.ground().to_json()))).collect(),
        unknown_rules: lanes.iter().filter_map(|lane| Some((lane.clone(), office.accounts.get(lane)?.unknown_rule))).collect(),
        lanes: lanes.into_iter().collect(),
        is_urgent: request.is_urgent,
        quiet: office.settings.quiet.hours().filter(|_| !request.at_night),
        zones: Vec::new(),
    })
}

/// Some channel of the route that counts must have lanes that say how each message ended.
fn check_told(office: &Office, profile: &Profile, route: Route) -> Result<(), PlanError> {
    let mut silent = None;
    for &channel in route.channels().iter().filter(|channel| profile.closes(**channel, contents::wants(route, **channel))) {
        let mut of_channel = office.accounts.iter().filter(|(_, account)| account.channel == channel);
        match of_channel.find(|(_, account)| !account.tells()) {
            Some((lane, _)) => silent = Some(lane.clone()),
            None => return Ok(()),
        }
    }
    silent.map_or(Ok(()), |lane| Err(PlanError::NeverTold { route, lane }))
}

fn lanes_of(office: &Office, route: Route, channel: Channel) -> Result<Vec<String>, PlanError> {
    let of_channel = office.accounts.iter().filter(|(_, account)| account.channel == channel);
    let names: Vec<String> = of_channel.map(|(name, _)| name.clone()).collect();
    if names.is_empty() { Err(PlanError::NoLane { route, channel }) } else { Ok(names) }
}
