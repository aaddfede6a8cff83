//! Plans: their text, who approved it, what it says everybody will be told, and the state that events move it to.

use super::lines::Columns;
use super::pack::{Pack, PackError};
use super::rehearsal::Rehearsal;
use super::report::{Code, Finding, Findings};
use super::scan::{Fact, from_uuid};
use super::states::Channel;
use super::templates::Says;
use super::world::World;
use crate::event::INTEGER_MAX;
use crate::hash::{from_hex, to_hex};
use crate::key::verify_ed25519;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Seek};

/// Where a plan stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlanState {
    Prepared,
    Approved,
    Running,
    Paused,
    Withdrawn,
}

/// A signature under a plan, as the pack has it.
#[derive(Debug)]
struct Approval {
    file: String,
    user: String,
    key: [u8; 32],
    is_signed: bool,
    statement: Value,
}

impl Approval {
    /// For which installation it was signed.
    fn installation(&self) -> Option<&str> {
        self.statement.get("installation").and_then(Value::as_str).filter(|id| from_uuid(id).is_some())
    }
}

/// A plan's files.
#[derive(Debug, Default)]
pub struct PlanFiles {
    hash: Option<[u8; 32]>,
    pub(super) body: Value,
    /// Numbers of the lists that its text names.
    lists: BTreeSet<u64>,
    approvals: Vec<Approval>,
    pub(super) contents: Option<Columns>,
    /// What its templates say, by channel.
    pub(super) says: [Says; 3],
}

/// A plan as the log tells of it.
#[derive(Debug)]
pub struct Plan {
    /// Where it stands.
    pub state: PlanState,
    hash: String,
    prepared_by: String,
    /// Users and keys that approved it.
    approved_by: (BTreeSet<String>, BTreeSet<[u8; 32]>),
}

/// Reads all plans of a pack.
pub fn load<R: Read + Seek>(pack: &mut Pack<R>, findings: &mut Findings) -> Result<BTreeMap<u64, PlanFiles>, PackError> {
    let mut plans: BTreeMap<u64, PlanFiles> = BTreeMap::new();
    for name in pack.names() {
        let number = |text: &str| text.parse::<u64>().ok().filter(|n| n.to_string() == text);
        if let Some(plan) = name.strip_prefix("plans/").and_then(|n| n.strip_suffix(".json")).and_then(number) {
            let files = plans.entry(plan).or_default();
            let Some(text) = pack.text(&name)? else { continue };
            files.hash = Some(Sha256::digest(&text).into());
            match canonical_json(&text) {
                Some(body) => {
                    let lists = body.get("lists").and_then(Value::as_array).into_iter().flatten();
                    files.lists = lists.filter_map(|list| list.get("list")?.as_u64()).collect();
                    files.body = body;
                }
                None => findings.push(Finding::new(Code::Plan, "its text is no canonical JSON").file(&name)),
            }
        } else if let Some(of) = name.strip_prefix("approvals/").and_then(|n| n.strip_suffix(".json")) {
            let Some(plan) = of.split_once('-').and_then(|(plan, _)| number(plan)) else { continue };
            let text = pack.text(&name)?.unwrap_or_default();
            let files = plans.entry(plan).or_default();
            match approval(&name, &text) {
                Some(approval) => files.approvals.push(approval),
                None => findings.push(Finding::new(Code::Approval, "it is no approval").file(&name)),
            }
        } else if let Some(plan) = name.strip_prefix("contents.").and_then(|n| n.strip_suffix(".jsonl")).and_then(number) {
            let mut lines = Columns::default();
            match pack.lines(&name, |line| lines.push(line)) {
                Ok(_) => {}
                Err(PackError::Hostile { what, .. }) => findings.push(Finding::new(Code::Contents, what).file(&name)),
                Err(error) => return Err(error),
            }
            plans.entry(plan).or_default().contents = Some(lines);
        }
    }
    Ok(plans)
}

/// JSON that has one spelling: the section "One spelling" of the format.
pub fn canonical_json(text: &str) -> Option<Value> {
    let value: Value = serde_json::from_str(text).ok()?;
    let written = value.to_string();
    (is_plain(&value) && written == text).then_some(value)
}

/// Names in ASCII order, and numbers that every reader of JSON reads alike. Where another crate makes maps keep their order,
/// the order itself must be looked at.
fn is_plain(value: &Value) -> bool {
    let is_name = |name: &String| name.bytes().all(|b| (0x20..0x7f).contains(&b));
    match value {
        Value::Object(fields) => fields.keys().is_sorted() && fields.keys().all(is_name) && fields.values().all(is_plain),
        Value::Array(items) => items.iter().all(is_plain),
        Value::Number(number) => number.as_i64().is_some_and(|n| n.unsigned_abs() <= INTEGER_MAX),
        _ => true,
    }
}

fn approval(name: &str, text: &str) -> Option<Approval> {
    let file = canonical_json(text)?;
    let field = |name: &str| file.get(name).and_then(Value::as_str);
    let (key, signature) = (from_hex(field("key")?)?, from_hex(field("signature")?)?);
    let statement = field("statement")?;
    Some(Approval {
        file: name.to_owned(),
        user: field("user").filter(|user| from_uuid(user).is_some())?.to_owned(),
        key,
        is_signed: verify_ed25519(&key, statement.as_bytes(), &signature),
        statement: canonical_json(statement)?,
    })
}

impl World {
    /// An event of a plan.
    pub(super) fn plan_event(&mut self, fact: &Fact, inc: &str) {
        let number = fact.number("plan").unwrap_or_default();
        let (hash, user) = (fact.text("hash").unwrap_or_default(), fact.text("user").unwrap_or_default());
        use PlanState::{Approved, Paused, Prepared, Running, Withdrawn};
        if fact.kind == "plan.prepared" {
            self.check_plan_files(number, hash, inc);
            let (hash, prepared_by) = (hash.to_owned(), user.to_owned());
            let plan = Plan { state: Prepared, hash, prepared_by, approved_by: Default::default() };
            if self.plans.insert(number, plan).is_some() {
                self.find(Code::Plan, format!("plan {number} was prepared before"));
            }
            return;
        }
        let Some(plan) = self.plans.get(&number) else {
            return self.find(Code::Plan, format!("plan {number} was never prepared"));
        };
        let (state, is_same, is_own) = (plan.state, plan.hash == hash, plan.prepared_by == user);
        if !is_same {
            self.find(Code::Plan, format!("plan {number} was prepared with another hash"));
        }
        let (from, to): (&[PlanState], _) = match fact.kind {
            "plan.approved" => (&[Prepared, Approved], Approved),
            "plan.started" => (&[Approved], Running),
            "plan.paused" => (&[Running], Paused),
            "plan.withdrawn" => (&[Prepared, Approved], Withdrawn),
            _ => (&[Paused], Running),
        };
        if !from.contains(&state) {
            self.find(Code::Plan, format!("plan {number} is moved from a state in which it is not"));
        }
        if fact.kind == "plan.approved" {
            self.approved((number, hash, user, inc), is_own);
        } else if fact.kind == "plan.started" {
            self.check_approvals(number);
        }
        if let Some(plan) = self.plans.get_mut(&number) {
            plan.state = to;
        }
    }

    fn approved(&mut self, (number, hash, user, inc): (u64, &str, &str, &str), is_own: bool) {
        if is_own {
            return self.find(Code::Approval, format!("plan {number} was approved by who prepared it"));
        }
        if !self.is_whole {
            return;
        }
        let Some(key) = self.approval_key(number, hash, user, inc) else {
            return self.find(Code::Approval, format!("the pack has no valid signature of this user under plan {number}"));
        };
        if !self.named_approvers.is_empty() && !self.named_approvers.contains(&key) {
            let text = format!("plan {number} was approved with the key {}, which is none that you named", to_hex(&key));
            return self.find(Code::Approval, text);
        }
        if let Some(plan) = self.plans.get_mut(&number) {
            plan.approved_by.0.insert(user.to_owned());
            plan.approved_by.1.insert(key);
        }
    }

    /// As many people approved it as its text asks for: two names with one key are one.
    fn check_approvals(&mut self, number: u64) {
        let Some(files) = self.plan_files.get(&number).filter(|_| self.is_whole) else { return };
        let needed = files.body.get("approvals").and_then(Value::as_u64).unwrap_or(1);
        let has = self.plans.get(&number).map_or(0, |plan| plan.approved_by.0.len().min(plan.approved_by.1.len()) as u64);
        // Without any approval it is started from a state in which it is not, which is found already.
        if has > 0 && has < needed {
            self.find(Code::Approval, format!("plan {number} needs {needed} approvals, and {has} of them are here"));
        }
    }

    /// The key by which this user signed the plan's hash; `None` where the pack has no such signature.
    fn approval_key(&mut self, number: u64, hash: &str, user: &str, inc: &str) -> Option<[u8; 32]> {
        let says = |statement: &Value, name: &str, text: &str| statement.get(name).and_then(Value::as_str) == Some(text);
        let approvals = self.plan_files.get(&number).map(|files| files.approvals.as_slice()).unwrap_or_default();
        let valid = approvals.iter().find(|a| {
            a.user == user
                && a.is_signed
                && says(&a.statement, "command", "plan approve")
                && says(&a.statement, "hash", hash)
                && says(&a.statement, "incident", inc)
                && a.installation().is_some()
        });
        let approval = valid?;
        let (key, installation) = (approval.key, approval.installation().map(str::to_owned));
        self.approvers.push(format!("plan {number}: user {user} with key {}", to_hex(&approval.key)));
        // A log is of one installation: what was signed for another counts nothing here.
        self.installation = self.installation.take().or_else(|| installation.clone());
        (self.installation == installation).then_some(key)
    }

    /// The plan's text has the hash of its event, and speaks of the lists and contents that are there.
    fn check_plan_files(&mut self, number: u64, hash: &str, inc: &str) {
        if !self.is_whole {
            return;
        }
        let mut wrong = Vec::new();
        let Some(files) = self.plan_files.get(&number).filter(|files| files.hash.is_some()) else {
            return self.find(Code::Plan, format!("the pack has no text of plan {number}"));
        };
        if files.hash != from_hex(hash) {
            wrong.push((Code::Plan, format!("the text of plan {number} has another hash")));
        }
        let body = &files.body;
        let number_in = |value: &Value, name: &str| value.get(name).and_then(Value::as_u64);
        let root_in = |value: &Value| value.get("root").and_then(Value::as_str).and_then(from_hex::<32>);
        if number_in(body, "plan") != Some(number) || body.get("incident").and_then(Value::as_str) != Some(inc) {
            wrong.push((Code::Plan, format!("the text of plan {number} speaks of another plan or incident")));
        }
        for list in body.get("lists").and_then(Value::as_array).into_iter().flatten() {
            let said = number_in(list, "list").zip(number_in(list, "people")).zip(root_in(list));
            if !said.is_some_and(|((list, people), root)| self.frozen.contains(&(list, people, root))) {
                wrong.push((Code::Plan, format!("the text of plan {number} names a list that was not frozen so")));
            }
        }
        let contents = body.get("contents");
        let said = contents.and_then(|c| number_in(c, "people")).zip(contents.and_then(root_in));
        match (&files.contents, said) {
            (Some(lines), Some(said)) if (lines.count(), lines.root()) == said => {
                let list_of = |person| self.people.find(person).and_then(|known| self.people.list(known));
                if lines.people.iter().any(|person| list_of(person).is_none_or(|list| !files.lists.contains(&list.number))) {
                    wrong.push((
                        Code::Contents,
                        format!("contents of plan {number} are for somebody who is in none of its lists"),
                    ));
                }
            }
            _ => wrong.push((Code::Contents, format!("contents of plan {number} are missing, or not those of its text"))),
        }
        wrong.into_iter().for_each(|(code, text)| self.find(code, text));
    }

    /// At the end: files of plans that no event prepared.
    pub(super) fn finish_plans(&mut self) {
        let never: Vec<u64> = self.plan_files.keys().copied().filter(|plan| !self.plans.contains_key(plan)).collect();
        for plan in never {
            self.findings.push(Finding::new(Code::Plan, format!("no event prepared plan {plan}")));
        }
        // Where an event missed it, that was told at its leaf.
        if !self.findings.counts.contains_key(&Code::Approval) {
            let approvals = self.plan_files.values().flat_map(|files| &files.approvals);
            for forged in approvals.filter(|approval| !approval.is_signed) {
                self.findings.push(Finding::new(Code::Approval, "its signature does not hold").file(&forged.file));
            }
        }
    }

    /// Every text that a plan names by its hash: templates, the incident's texts, the profiles.
    pub fn named_texts(&self) -> BTreeSet<[u8; 32]> {
        let texts = self.plan_files.values().flat_map(|files| {
            let templates = files.body.get("templates").and_then(Value::as_array).into_iter().flatten();
            let laws = files.body.get("profiles").and_then(Value::as_object).into_iter().flat_map(|laws| laws.values());
            templates.chain(files.body.get("texts")).chain(laws.filter_map(|law| law.get("text")))
        });
        texts.filter_map(|hash| from_hex(hash.as_str()?)).collect()
    }

    /// What the plans that were approved, and not given up, say of their lanes.
    pub(super) fn rehearsal(&self) -> Rehearsal {
        let mut said = Rehearsal::default();
        let may_send = |plan: &u64| {
            let state = self.plans.get(plan).map(|plan| plan.state);
            matches!(state, Some(PlanState::Approved | PlanState::Running | PlanState::Paused))
        };
        self.plan_files.iter().filter(|(plan, _)| may_send(plan)).for_each(|(plan, files)| said.take(*plan, &files.body));
        said
    }

    /// Whether sending under a plan is allowed at this leaf.
    pub(super) fn is_running(&self, plan: u64) -> bool {
        self.plans.get(&plan).is_some_and(|plan| plan.state == PlanState::Running)
    }

    /// What the plan says that a person would be told on a channel; `None` where the pack has no contents.
    pub(super) fn planned_content(&self, plan: u64, person: &[u8; 16], channel: Channel) -> Option<Option<[u8; 32]>> {
        let lines = self.plan_files.get(&plan)?.contents.as_ref()?;
        Some(lines.find(person).and_then(|at| lines.of_channel(at, channel)).copied())
    }

    /// Whether a plan tells people under a profile; true where the pack has no text of the plan.
    pub(super) fn has_profile(&self, plan: u64, profile: &str) -> bool {
        let files = self.plan_files.get(&plan).filter(|files| files.hash.is_some());
        let has = |body: &Value| body.get("profiles").and_then(|laws| laws.get(profile)).is_some();
        files.is_none_or(|files| !files.body.is_object() || has(&files.body))
    }

    /// Whether a plan names a list as one of its own; true where the pack has no text of the plan.
    pub(super) fn names_list(&self, plan: u64, list: u64) -> bool {
        let files = self.plan_files.get(&plan).filter(|files| files.body.is_object());
        files.is_none_or(|files| files.lists.contains(&list))
    }

    /// Whether a text message under a plan may be one that only alerts, beside a letter; true where the pack has no text of it.
    pub(super) fn may_alert(&self, plan: u64) -> bool {
        let files = self.plan_files.get(&plan).filter(|files| files.body.is_object());
        files.is_none_or(|files| files.body.get("routes").and_then(|routes| routes.get("sms-and-letter")).is_some())
    }
}
