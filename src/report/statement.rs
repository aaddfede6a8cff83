//! Providers' own statements beside the log: what one says, what the log says of the same lane, and what no statement covers.

use super::ReportError;
use super::document::{Section, figure};
use super::figures::when;
use super::replay::Replay;
use super::tally::{Compared, Tally};
use super::words::noun;
use crate::model::state::Channel;
use crate::store::Store;
use crate::store::unit::IncidentKey;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Messages of a lane read at once.
const PAGE: i64 = 10_000;
/// Heads of a table of counts from two sources.
pub(super) const HEADS: [&str; 5] = ["what", "count", "against", "count", ""];

/// Reads how many messages a provider says that it took, by channel: CSV with `channel,count`.
pub fn read(text: &str) -> Result<BTreeMap<Channel, u64>, ReportError> {
    let wrong = |what: String| ReportError::Statement { what };
    let mut lines = text.trim_start_matches('\u{feff}').lines().map(str::trim).zip(1..).filter(|(line, _)| !line.is_empty());
    let heading = lines.next().map(|(line, _)| line.replace(' ', "").to_ascii_lowercase());
    if heading.as_deref() != Some("channel,count") {
        return Err(wrong("its first line is not `channel,count`".to_owned()));
    }
    let mut counts = BTreeMap::new();
    for (line, number) in lines {
        let parsed =
            line.split_once(',').and_then(|(channel, n)| Some((channel.trim().parse().ok()?, n.trim().parse::<u32>().ok()?)));
        let (channel, n) = parsed.ok_or_else(|| wrong(format!("line {number} is no channel with a count")))?;
        *counts.entry(channel).or_default() += u64::from(n);
    }
    Ok(counts)
}

/// How many messages of a lane were taken by a moment of the log.
pub async fn ours(store: &Store, incident: IncidentKey, replay: &Replay, lane: &str) -> Result<u64, ReportError> {
    let (mut after, mut taken) = (Uuid::nil(), 0);
    loop {
        let messages = store.list_lane_messages(incident, lane, after, PAGE).await?;
        let Some(last) = messages.last() else { return Ok(taken) };
        after = last.message_id;
        let keys = messages.iter().map(|m| (*m.person_id.as_bytes(), m.phase, m.channel, m.reason, m.ordinal));
        taken += keys.filter(|key| replay.tally.was_taken(key)).count() as u64;
    }
}

/// What stands behind a difference of our record and the lanes whose statements were compared, by channel: ours, and theirs
/// by the newest comparison of each lane; `None` where no lane of the channel was compared.
fn uncovered(tally: &Tally) -> Vec<(Channel, u64, Option<u64>)> {
    let used = tally.traffic.iter().filter(|(_, traffic)| traffic.messages + traffic.uncalled > 0);
    let covered = |channel: Channel| {
        let of_channel = tally.statements.iter().filter(|told| told.channel == channel);
        let newest: BTreeMap<&str, u64> = of_channel.map(|told| (told.lane.as_str(), told.ours)).collect();
        (!newest.is_empty()).then(|| newest.values().sum())
    };
    used.map(|(channel, traffic)| (*channel, traffic.taken, covered(*channel)))
        .filter(|(_, ours, of)| *of != Some(*ours))
        .collect()
}

fn row(told: &Compared) -> Vec<String> {
    vec![
        format!("{}, lane {}: accepted by {}, by our record", told.channel, told.lane, when(told.as_of)),
        figure(told.ours),
        "by the provider's statement".to_owned(),
        figure(told.theirs),
        if told.agrees() { "agrees" } else { "DIFFERS" }.to_owned(),
    ]
}

/// Each comparison, and what was compared with nothing.
pub(super) fn rows(tally: &Tally) -> Vec<Vec<String>> {
    let uncovered = uncovered(tally).into_iter().map(|(channel, ours, covered)| {
        let (theirs, verdict) = match covered {
            None => ("no statement".to_owned(), "NOT COMPARED"),
            Some(covered) => (figure(covered), if covered < ours { "NOT COMPARED" } else { "DIFFERS" }),
        };
        let what = format!("{channel}: accepted, by our record");
        vec![what, figure(ours), "of them by lanes with a statement".to_owned(), theirs, verdict.to_owned()]
    });
    tally.statements.iter().map(row).chain(uncovered).collect()
}

/// Which files were compared, and what none of them covers.
pub(super) fn files(tally: &Tally) -> Vec<String> {
    let file = |told: &Compared| {
        format!("The statement of the lane {} was a file with the SHA-256 {}, compared {}.", told.lane, told.hash, when(told.at))
    };
    let open: Vec<&str> = uncovered(tally).iter().map(|(channel, ..)| noun(*channel)).collect();
    let open =
        (!open.is_empty()).then(|| format!("Not all of these messages were compared with a statement: {}.", open.join(", ")));
    tally.statements.iter().map(file).chain(open.filter(|_| !tally.statements.is_empty())).collect()
}

/// The comparisons by themselves; `None` where there was none.
pub(super) fn section(tally: &Tally) -> Option<Section> {
    let section = Section::new("Providers' own statements");
    let section = section.table("Our record against theirs", &HEADS, rows(tally), &[1, 3]);
    (!tally.statements.is_empty()).then(|| section.list(files(tally)))
}

/// The same for programs.
pub(super) fn data(tally: &Tally) -> Value {
    let compared = tally.statements.iter().map(|told| {
        json!({"lane": told.lane, "channel": told.channel.as_str(), "ours": told.ours, "theirs": told.theirs, "agrees": told.agrees(),
            "as_of": super::regulator::when_rfc3339(told.as_of), "sha256": told.hash, "at": super::regulator::when_rfc3339(told.at)})
    });
    let open = uncovered(tally).into_iter();
    let open = open.map(|(channel, ours, covered)| json!({"channel": channel.as_str(), "ours": ours, "with_statement": covered}));
    json!({"compared": compared.collect::<Vec<_>>(), "uncovered": open.collect::<Vec<_>>()})
}
