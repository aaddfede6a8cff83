//! A draft statement for whoever must vouch for the record: which programs ran with which settings, what went wrong,
//! and how the record compares with itself and with what the providers say.

use super::ReportError;
use super::document::{Block, Document, Section, figure};
use super::figures::{answer, channels, count, date, ground, lists, said, standing, times, when};
use super::obstacles::obstacles;
use super::promised::{Promised, laws, named};
use super::rehearsal::{self, with_rehearsal};
use super::replay::{Replay, visit};
use super::statement;
use super::tally::Tally;
use crate::provider::stop::stop;
use crate::store::Store;
use crate::store::incident::Incident;
use duly_ledger::Event;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use time::OffsetDateTime;

/// Starts of programs that are listed one by one.
const STARTS_MAX: usize = 30;

/// What the installation's own log says of the programs.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct Programs {
    /// Starts by version and settings: how many, first and last time (microseconds), roles.
    pub starts: Vec<Start>,
    /// How often a lane was paused, by lane and code.
    #[serde(serialize_with = "as_words")]
    pub lane_stops: BTreeMap<(String, String), u64>,
}

fn as_words<S: serde::Serializer>(stops: &BTreeMap<(String, String), u64>, to: S) -> Result<S::Ok, S::Error> {
    to.collect_map(stops.iter().map(|((lane, code), n)| (format!("{lane}, code {code}"), n)))
}

/// Starts of one version with one set of settings in one set of roles.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Start {
    /// Version of the program.
    pub version: String,
    /// SHA-256 of its settings in force, secrets masked.
    pub settings: String,
    /// Roles.
    pub roles: String,
    /// Starts.
    pub count: u64,
    /// First time, microseconds since 1970.
    pub first: i64,
    /// Last time.
    pub last: i64,
}

impl Programs {
    /// Reads the installation's log up to a moment.
    pub async fn load(store: &Store, as_of: OffsetDateTime) -> Result<Self, ReportError> {
        let generations = store.list_published(store.installation().await?).await?;
        let (mut starts, mut programs) = (BTreeMap::new(), Self::default());
        visit(store, &generations, as_of, |leaf| match leaf.event.kind.as_str() {
            "program.started" => start(&mut starts, leaf.event),
            "lane.stopped" => {
                let field = |key: &str| leaf.event.detail.get(key).and_then(Value::as_str).unwrap_or_default();
                *programs.lane_stops.entry((field("lane").to_owned(), field("code").to_owned())).or_default() += 1;
            }
            _ => {}
        })
        .await?;
        programs.starts = starts.into_values().collect();
        Ok(programs)
    }
}

fn start(starts: &mut BTreeMap<(String, String, String), Start>, event: &Event) {
    let field = |key: &str| event.detail.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let roles = field("roles");
    let key = (field("version"), field("settings"), roles.clone());
    let at = event.at_micros;
    let new = Start { version: key.0.clone(), settings: key.1.clone(), roles, count: 0, first: at, last: at };
    let known = starts.entry(key).or_insert(new);
    known.count += 1;
    known.last = at;
}

/// The draft.
pub fn witness(incident: &Incident, replay: &Replay, plans: &[Promised], programs: &Programs) -> Document {
    let tally = &replay.tally;
    let mut about = vec![
        ("Controller".to_owned(), incident.controller_name.clone()),
        ("Incident".to_owned(), format!("{}/{}", incident.controller_slug, incident.slug)),
    ];
    about.extend(laws(&plans.iter().collect::<Vec<_>>()));
    about.extend(ground(replay));
    let sections = vec![
        opening(incident, replay, plans),
        standing(tally),
        reconciliation(tally),
        times(tally),
        channels(tally),
        obstacles(tally),
        reliability(tally, programs),
        lists(tally),
        named(&plans.iter().collect::<Vec<_>>(), &tally.lists),
        truth(),
    ];
    Document {
        title: "Draft statement on the record of a notification".to_owned(),
        lead: format!(
            "A draft for whoever will sign it: strike out what you do not know yourself. {}",
            with_rehearsal(answer(tally), tally, plans)
        ),
        date: date(replay.as_of),
        about,
        sections,
        foot: format!("Draft made by Duly from the log, as it stood on {}. It is not legal advice.", said(replay.as_of)),
    }
}

fn opening(incident: &Incident, replay: &Replay, plans: &[Promised]) -> Section {
    let record = Section::new("How the record was made").list([
        format!("I am [name, office] of [organisation]. I am responsible for the system that notified the people affected by this incident of {}.", incident.controller_name),
        "The system is Duly. It writes an entry for each act in the same transaction as the act itself: the intent to send before the call to a provider, and the outcome after it. The role under which the program works in the database cannot change an entry; the owner of the database could, and the checkpoints that others hold would show it.".to_owned(),
        format!("The entries are leaves of a Merkle tree (RFC 6962). At {} leaves its root was {}. A change to any entry changes that root.", figure(replay.standing.size), hex::encode(replay.standing.root)),
        "Times in the record are those of the database's clock. They are not proven more closely than by the time stamps and witnesses that stand beside the checkpoints.".to_owned(),
        "The record holds no name, number or address of an affected person. People stand in it under random ids, and their data as commitments.".to_owned(),
    ]);
    rehearsal::lines(&replay.tally, plans).into_iter().fold(record, Section::text)
}

fn reconciliation(tally: &Tally) -> Section {
    let p = &tally.people;
    let rows: u64 = tally.lists.iter().map(|l| l.rows).sum();
    let parts: u64 = tally.lists.iter().map(|l| l.people + l.duplicates + l.quarantined).sum();
    let verdict = |holds: bool| if holds { "agrees" } else { "DIFFERS" }.to_owned();
    let mut lines = vec![
        vec![
            "rows of the lists".into(),
            figure(rows),
            "people + duplicates + quarantined".into(),
            figure(parts),
            verdict(rows == parts),
        ],
        vec![
            "people of the lists".into(),
            figure(p.people),
            "ends and open notices".into(),
            figure(p.notified + p.unreachable + p.exempt + p.withdrawn + p.open),
            verdict(p.holds()),
        ],
    ];
    for (channel, traffic) in &tally.traffic {
        lines.push(vec![
            format!("{channel}: said to be accepted"),
            figure(traffic.taken + traffic.uncalled),
            "of them with a call in the log".into(),
            figure(traffic.taken),
            verdict(traffic.uncalled == 0),
        ]);
    }
    lines.extend(statement::rows(tally));
    let section = Section::new("Reconciliation").table("Counts from two sources each", &statement::HEADS, lines, &[1, 3]);
    if tally.statements.is_empty() {
        return section.text("No provider's statement was compared. Ask each provider how many messages of this incident it took on its lane's account, and compare: `duly provider statement --incident … --lane … FILE`.");
    }
    section.list(statement::files(tally))
}

fn reliability(tally: &Tally, programs: &Programs) -> Section {
    let kinds = |kind: &str| tally.kinds.get(kind).copied().unwrap_or_default();
    let (passed, failed) = (kinds("audit.passed"), kinds("audit.failed"));
    let mut items = vec![format!(
        "The system compared its tables with this log {} times by itself; {} times it found differences.",
        figure(passed + failed),
        figure(failed)
    )];
    items.extend(programs.lane_stops.iter().map(|((lane, code), n)| {
        let why = stop(code).why;
        format!("{} the lane {lane} was paused: {why} (code {code}).", count(*n, "time", "times"))
    }));
    if programs.starts.is_empty() {
        items.push("The system's own log has no start of a program at that moment.".to_owned());
    }
    let short = |hash: &str| hash.get(..16).unwrap_or(hash).to_owned();
    let row =
        |s: &Start| vec![s.version.clone(), short(&s.settings), s.roles.clone(), figure(s.count), when(s.first), when(s.last)];
    let rows: Vec<Vec<String>> = programs.starts.iter().take(STARTS_MAX).map(row).collect();
    let more = programs.starts.len().saturating_sub(STARTS_MAX);
    let section = Section::new("Programs, settings and errors").list(items).table(
        "Programs that ran (settings: first 16 digits of their SHA-256)",
        &["version", "settings", "roles", "starts", "first", "last"],
        rows,
        &[3],
    );
    if more > 0 { section.text(format!("{more} more are in `--json`.")) } else { section }
}

fn truth() -> Section {
    Section::new("Statement of truth")
        .text("I believe that the facts stated in this statement are true. [For England and Wales: add the wording of CPR PD 22, or of section 9 of the Civil Evidence Act 1995 for a certificate of business records. Elsewhere: the wording that your court demands.]")
        .block(Block::Signature { lines: vec!["Name and office".into(), "Signature".into(), "Date".into()] })
}

/// The same for programs.
pub fn data(incident: &Incident, replay: &Replay, plans: &[Promised], programs: &Programs) -> Value {
    let tally = &replay.tally;
    json!({
        "incident": format!("{}/{}", incident.controller_slug, incident.slug), "log": replay.standing,
        "as_of": super::regulator::when_rfc3339(super::replay::micros(replay.as_of)),
        "people": tally.people.to_json(), "equation_holds": tally.people.holds(), "events_by_kind": tally.kinds, "unknown": tally.unknowns,
        "notified_without_call": super::regulator::people_ids(&tally.uncalled),
        "taken_without_call": tally.traffic.values().map(|traffic| traffic.uncalled).sum::<u64>(),
        "rehearsal": rehearsal::lines(tally, plans), "programs": programs, "statements": statement::data(tally), "checks_refused": tally.refused,
    })
}
