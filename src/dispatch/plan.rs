//! `plan prepare`: freezes lists, renders and hashes every person's messages, and makes a plan to be approved.
//!
//! The plan's body binds all of it: manifest roots, a root over what everybody will be told, texts, templates, sender,
//! lanes, routes, date and limits. Approvals sign its hash, so nobody can change anything behind an approver's back.

mod contents;
mod cost;
mod error;
mod lanes;
mod laws;
pub mod outlook;
mod refused;
mod terms;

use super::Office;
use super::sender::Sender;
use crate::model::forecast::Outlook;
use crate::model::look::Look;
use crate::model::person::printed_id;
use crate::model::quiet::Quiet;
use crate::model::state::Route;
use crate::model::texts::{Facts, table};
use crate::render::check::{self, Coverage, Place, Report, reason_for};
use crate::render::message::Setting;
use crate::store::incident::Incident;
use crate::store::pack::ApprovedText;
use crate::store::plan::{FrozenList, PlanDraft, PreparedNotice, Terms};
use crate::store::quarantine::Decider;
use contents::{ContentsRoot, Renderer};
pub use cost::{Cost, LaneCost, Parts};
use duly_ledger::ManifestBuilder;
pub use error::PlanError;
use lanes::{Lanes, LeftOut};
use laws::Laws;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use time::Date;
use uuid::Uuid;

/// People read and rendered at once.
const BATCH: i64 = 500;
/// The first phase; later ones come with people and plans.
const PHASE: i32 = 1;
const DAY_MS: i64 = 86_400_000;

/// What is asked of `prepare`.
#[derive(Debug, Clone)]
pub struct PlanRequest {
    /// Routes in order of preference; each person gets the first that can reach them.
    pub routes: Vec<Route>,
    /// Profiles, each for the people of its jurisdictions; empty: the incident's.
    pub profiles: Vec<String>,
    /// Profiles that somebody chose for a jurisdiction, whatever the profiles themselves say.
    pub under: BTreeMap<String, String>,
    /// Year, month, day printed in letters.
    pub date: (i32, u8, u8),
    /// Whether its messages go before those of other plans.
    pub is_urgent: bool,
    /// Whether its text messages may leave at night: nobody's sleep is worth more than what it tells.
    pub at_night: bool,
    /// By which day (UTC) everybody shall be written to; `None`: within the hours of the settings.
    pub told_by: Option<Date>,
    /// Reasons why warnings of the content check are accepted, by the keys that its report names, such as
    /// `C004/dates/uk-gdpr/en`.
    pub accepted: BTreeMap<String, String>,
    /// Who prepares, and so cannot approve, by which signed command.
    pub by: Decider,
}

/// What a prepared plan says.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct PlanSummary {
    /// Number.
    pub plan: i32,
    /// SHA-256 of the body, hex: what approvals sign.
    pub hash: String,
    /// People by profile.
    pub profiles: BTreeMap<String, u64>,
    /// People by route.
    pub routes: BTreeMap<String, u64>,
    /// People for whom nothing could be prepared, by code.
    pub problems: BTreeMap<String, u64>,
    /// The same people, each with the code that says why; the plan's text counts them and names nobody.
    pub refused: Vec<RefusedPerson>,
    /// Segments and pages by channel.
    pub parts: BTreeMap<&'static str, Parts>,
    /// What it costs by the lanes' prices.
    pub cost: Vec<Cost>,
    /// The same by lane, each as if it carried all of its channel.
    pub lane_cost: Vec<LaneCost>,
    /// When the last message of each channel leaves.
    pub outlook: Vec<Outlook>,
    /// What the content check warned of; somebody gave a reason for each.
    pub check: Value,
    /// Lanes that the plan does without, each with the messages that it cannot take, by what hinders it.
    pub left_out: Value,
    #[serde(skip)]
    checked: usize,
    #[serde(skip)]
    told_by: Option<Date>,
    #[serde(skip)]
    messages: BTreeMap<&'static str, Parts>,
    #[serde(skip)]
    templates: BTreeSet<String>,
}

/// Somebody for whom no message could be made.
#[derive(Debug, Clone, serde::Serialize)]
pub struct RefusedPerson {
    /// Person id, as printed.
    pub person: String,
    /// Why.
    pub problem: String,
}

/// Prepares a plan over all open lists, and the people whom a withdrawn plan let go; `progress` hears of people done, and
/// of how many there are.
pub async fn prepare(
    office: &Arc<Office>,
    incident: &Incident,
    request: &PlanRequest,
    progress: impl Fn(u64, u64),
) -> Result<PlanSummary, PlanError> {
    let store = &office.store;
    // Who came just now is in no statistics yet: a plan of the planner's for ten people takes minutes for thousands.
    store.analyze().await?;
    let open = store.list_open_lists(incident.key).await?;
    let look = store.load_letterhead(incident.key.controller_id).await?;
    let mut draft = store.begin_plan(incident.key).await?;
    // Frozen before, by a plan that was withdrawn: their manifests stay as they are.
    let mut frozen = store.list_released_lists(incident.key, PHASE).await?;
    let lists: Vec<i32> = frozen.iter().map(|list| list.list_no).chain(open.iter().copied()).collect();
    // Under the plan's lock: nobody comes who was not counted.
    let people = store.count_jurisdictions(incident.key, &lists, PHASE).await?;
    if people.is_empty() {
        return Err(PlanError::Nobody);
    }
    let all = people.iter().map(|(_, count)| u64::try_from(*count).unwrap_or(0)).sum();
    // Read once: the rules that are checked are the texts that are kept.
    let laws = Arc::new(Laws::choose(office, incident, request, people)?);
    let mut terms = terms::fix(office, &incident.controller_slug, &laws, request)?;
    frozen.extend(freeze_all(office, incident, &open, &mut draft).await?);
    let renderer = Renderer {
        office: office.clone(),
        controller: incident.controller_slug.clone(),
        setting: setting(incident, request.date, &look),
        incident_key: office.master.unwrap_key(&incident.wrapped_key, "incident")?,
        laws: laws.clone(),
        lanes: Arc::new(Lanes::of(office, &terms.lanes)),
        sender: Sender::of(&incident.texts, &incident.controller_name, &incident.controller_address, &incident.sms_sender),
        postage_class: terms.postage_class,
    };
    let mut summary = PlanSummary { plan: draft.plan_no, ..PlanSummary::default() };
    let Everybody { root, zones, mut report, left_out } =
        render_everybody(&renderer, (incident, &lists), &mut draft, &terms, &mut summary, |done| progress(done, all)).await?;
    terms.zones = zones.into_iter().collect();
    for (gap, people) in left_out.settle(&renderer.lanes, &mut terms) {
        report.add_of_all(people, (Place::default(), gap));
    }
    summary.left_out = left_out.to_json();
    let returns = check::return_address(&incident.controller_name, &table(&incident.texts, "facts"));
    returns.into_iter().for_each(|finding| report.add_count(finding, root.people()));
    let schedule = outlook::schedule(office, &terms, &summary, request.told_by).await?;
    schedule.late().into_iter().for_each(|(finding, people)| report.add_count(finding, people));
    let unexplained = report.unexplained(&request.accepted);
    if report.has_errors() || !unexplained.is_empty() {
        return Err(refused::refuse(draft, (&laws, &root, &summary), report, unexplained, request.by).await?);
    }
    summary.check = check_table(&report, &request.accepted);
    // Who waits for a day with room is still given all of our time to be sent to on that day.
    terms.message_deadline_ms = terms.message_deadline_ms.saturating_add(schedule.days_max().saturating_mul(DAY_MS));
    summary.told_by = Some(schedule.told_by);
    summary.outlook = schedule.outlook;
    summary.cost = cost::estimate(&office.settings.lanes, &terms.lanes, &summary.parts);
    summary.lane_cost = cost::by_lane(&office.settings.lanes, &terms.lanes, &summary.parts);
    let texts = texts(office, incident, &laws, &summary)?;
    let body = body(incident, request, &look, &frozen, &terms, (&laws, &root), &summary);
    let hash = Sha256::digest(&body);
    summary.hash = hex::encode(hash);
    // Before the plan: a plan that names a text which nobody kept could never be shown again.
    store.insert_texts(&texts).await?;
    draft.finish(&body, &hash, &terms, request.by).await?;
    store.analyze().await?;
    Ok(summary)
}

/// What was seen of everybody while their messages were rendered.
#[derive(Default)]
struct Everybody {
    root: ContentsRoot,
    zones: BTreeSet<String>,
    report: Report,
    left_out: LeftOut,
}

/// Renders everybody's messages, batch by batch, and writes what came of it into the draft.
async fn render_everybody(
    renderer: &Renderer,
    (incident, lists): (&Incident, &[i32]),
    draft: &mut PlanDraft,
    terms: &Terms,
    summary: &mut PlanSummary,
    progress: impl Fn(u64),
) -> Result<Everybody, PlanError> {
    let (mut all, mut coverage) = (Everybody::default(), Coverage::default());
    let (mut after, mut done) = (Uuid::nil(), 0);
    loop {
        let people = renderer.office.store.list_recipients(incident.key, lists, PHASE, after, BATCH).await?;
        let Some(last) = people.last() else { break };
        after = last.person_id;
        let mut notices = Vec::with_capacity(people.len());
        for rendered in renderer.render_all(people).await? {
            let person = rendered.notice.person_id;
            all.report.add(person, rendered.findings);
            rendered.wishes.into_iter().for_each(|wish| coverage.add(person, wish));
            all.left_out.add(person, rendered.refusals);
            summary.count(&rendered.notice);
            all.zones.extend(rendered.notice.zones.iter().cloned());
            all.root.push(&rendered.notice)?;
            notices.push(rendered.notice);
        }
        done += notices.len() as u64;
        draft.insert_notices(PHASE, &notices, terms).await?;
        progress(done);
    }
    for (place, gap, people) in coverage.gaps(&incident.controller_slug, renderer.office.composer.templates()) {
        all.report.add_of_all(people, (place, gap));
    }
    Ok(all)
}

impl PlanSummary {
    fn count(&mut self, notice: &PreparedNotice) {
        *self.profiles.entry(notice.profile.clone()).or_insert(0) += 1;
        *self.routes.entry(notice.route.to_owned()).or_insert(0) += 1;
        if let Some(problem) = &notice.problem {
            *self.problems.entry(problem.clone()).or_insert(0) += 1;
            let person = printed_id(notice.person_id);
            self.refused.push(RefusedPerson { person, problem: problem.clone() });
        }
        self.checked += notice.contents.len();
        self.templates.extend(notice.contents.iter().map(|c| hex::encode(c.template_hash)));
        for content in &notice.contents {
            let is_first = notice.first.iter().any(|(_, channel)| *channel == content.channel);
            self.parts.entry(content.channel).or_default().add(content.parts, is_first);
            self.messages.entry(content.channel).or_default().add(1, is_first);
        }
    }
}

/// Every text that the plan names by hash: templates, the legal profiles, what the incident says.
fn texts(office: &Office, incident: &Incident, laws: &Laws, summary: &PlanSummary) -> Result<Vec<ApprovedText>, PlanError> {
    let text = |name: String, body: Vec<u8>| ApprovedText { hash: Sha256::digest(&body).to_vec(), name, body };
    let mut texts = vec![text("texts.json".to_owned(), incident.texts.to_string().into_bytes())];
    texts.extend(laws.all().map(|law| text(format!("{}.toml", law.rules.profile.id), law.text.clone().into_bytes())));
    let templates = office.composer.templates();
    for hash in &summary.templates {
        let mut bytes = [0; 32];
        let found = hex::decode_to_slice(hash, &mut bytes).ok().and_then(|()| templates.of_hash(&bytes));
        let template = found.ok_or(PlanError::Rendering)?;
        texts.push(text(format!("{}.hbs", template.name), template.source.clone().into_bytes()));
    }
    Ok(texts)
}

/// The warnings that the plan goes out with, each with its reason, for the approver's eyes and for the log.
fn check_table(report: &Report, accepted: &BTreeMap<String, String>) -> Value {
    let lines = report.lines().map(|line| {
        let (rule, what, people) = (line.finding.rule, &line.finding.what, line.concerned.people);
        let reason = line.accept.as_ref().and_then(|key| reason_for(key, accepted));
        json!({"accept": line.accept, "rule": rule, "what": what, "people": people, "reason": reason})
    });
    Value::Array(lines.collect())
}

fn setting(incident: &Incident, date: (i32, u8, u8), look: &Look) -> Setting {
    Setting {
        texts: incident.texts.clone(),
        controller_name: incident.controller_name.clone(),
        sms_sender: incident.sms_sender.clone(),
        controller_address: incident.controller_address.clone(),
        look: look.clone(),
        date,
        discreet: table::<Facts>(&incident.texts, "facts").discreet,
        watermark: String::new(),
    }
}

async fn freeze_all(
    office: &Office,
    incident: &Incident,
    lists: &[i32],
    draft: &mut PlanDraft,
) -> Result<Vec<FrozenList>, PlanError> {
    let mut frozen = Vec::new();
    for list_no in lists {
        let list = manifest(office, incident, *list_no).await?;
        draft.freeze(&list).await?;
        frozen.push(list);
    }
    Ok(frozen)
}

async fn manifest(office: &Office, incident: &Incident, list_no: i32) -> Result<FrozenList, PlanError> {
    let mut builder = ManifestBuilder::default();
    let mut after = Uuid::nil();
    loop {
        let rows = office.store.list_manifest(incident.key, list_no, after, 5000).await?;
        let Some(last) = rows.last() else { break };
        after = last.person_id;
        for row in rows {
            builder.push(&row.line()?)?;
        }
    }
    Ok(FrozenList { list_no, people: i64::try_from(builder.count()).unwrap_or(i64::MAX), root: builder.root() })
}

fn body(
    incident: &Incident,
    request: &PlanRequest,
    look: &Look,
    lists: &[FrozenList],
    terms: &Terms,
    (laws, root): (&Laws, &ContentsRoot),
    summary: &PlanSummary,
) -> Vec<u8> {
    let lists: Vec<Value> =
        lists.iter().map(|l| json!({"list": l.list_no, "people": l.people, "root": hex::encode(l.root)})).collect();
    let date = request.date;
    json!({
        "accounts": terms.accounts,
        "approvals": incident.approvals_required,
        "contents": {"people": root.people(), "root": hex::encode(root.root())},
        "date": [date.0, date.1, date.2],
        "incident": incident.incident_id.to_string(),
        "lanes": terms.lanes,
        "left_out": summary.left_out,
        "letterhead": hex::encode(look.hash()),
        "lists": lists,
        "check": summary.check,
        // Whoever asks later what was demanded of these words finds the program and its rules here, the law under `profiles`.
        "checked": {
            "by": concat!("duly ", env!("CARGO_PKG_VERSION")), "messages": summary.checked, "rules": hex::encode(check::digest()),
        },
        "cost": summary.cost,
        "lane_cost": summary.lane_cost,
        "message_deadline_ms": terms.message_deadline_ms,
        "parts": summary.parts,
        "plan": summary.plan,
        "postage_class": terms.postage_class,
        "problems": summary.problems,
        "quiet": terms.quiet.map(Quiet::to_json),
        "profiles": laws.table(),
        "routes": summary.routes,
        "sender": incident.sms_sender,
        "templates": summary.templates,
        "unknown": terms.unknown_rules.iter().map(|(lane, rule)| (lane.clone(), json!(rule.as_str()))).collect::<Map<_, _>>(),
        "urgent": terms.is_urgent,
        "told_by": summary.told_by.map(|day| json!([day.year(), u8::from(day.month()), day.day()])),
        "texts": hex::encode(Sha256::digest(incident.texts.to_string())),
        "v": 1,
    })
    .to_string()
    .into_bytes()
}
