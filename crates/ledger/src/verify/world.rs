//! What the leaves tell, taken one after the other: each is checked against all that was told before.

use super::kinds::Kind;
use super::people::People;
use super::plans::{Plan, PlanFiles};
use super::report::{Claim, Code, Counted, FailedAudit, Finding, Findings};
use super::scan::{Fact, Place, from_uuid, scan};
use super::signed::Changes;
use super::states::{Channel, NoticeState, Word};
use crate::event::{Event, is_canonical, time_text};
use crate::key_change::{KeyChangeError, KeyLine};
use std::collections::{BTreeMap, HashMap};

/// How far times may run back against the order of leaves, or be ahead of who saw them, microseconds.
pub const CLOCKS_DIFFER_MAX: i64 = 600_000_000;

/// Failed audits that a report names.
const FAILED_AUDITS_MAX: usize = 100;

/// Where a leaf stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct At {
    /// Generation, 1, 2, …
    pub generation: u64,
    /// Index in it.
    pub leaf: u64,
}

/// The state of an incident as its leaves tell it.
#[derive(Debug, Default)]
pub struct World {
    /// The log's id.
    pub inc: String,
    /// Name of the present generation.
    pub origin: String,
    /// Changes of the log's key.
    pub changes: Changes,
    /// Whether all leaves are there: a pack of a person has but some.
    pub is_whole: bool,
    /// Everybody.
    pub people: People,
    /// Texts, approvals and contents of plans.
    pub plan_files: BTreeMap<u64, PlanFiles>,
    /// Plans as the log tells of them.
    pub plans: HashMap<u64, Plan>,
    /// Lists as they were frozen: number, count, root.
    pub frozen: Vec<(u64, u64, [u8; 32])>,
    /// Rows of each frozen list: all, people, repeats.
    pub(super) frozen_rows: BTreeMap<u64, [u64; 3]>,
    /// Open holds with their person; `None`: of the whole incident.
    pub(super) holds: HashMap<[u8; 16], Option<usize>>,
    pub(super) incident_holds: usize,
    /// Whether the incident is closed.
    is_closed: bool,
    /// Everything that is wrong.
    pub findings: Findings,
    /// Legal profiles that intents have named.
    pub(super) profiles: Vec<String>,
    /// Valid approvals with their keys.
    pub approvers: Vec<String>,
    /// Keys that the reader knows for approvers'; empty: whoever signed, approved.
    pub named_approvers: Vec<[u8; 32]>,
    /// Failed audits, as many as a report has.
    pub failed_audits: Vec<FailedAudit>,
    /// The installation for which the first of them was signed.
    pub(super) installation: Option<String>,
    /// Keys that the reader knows for the controller's list keys; empty: whoever signed, signed.
    pub named_list_keys: Vec<[u8; 32]>,
    /// Lists that somebody signed, by whose key.
    pub signed_lists: Vec<(u64, String)>,
    /// Events by kind.
    pub events: BTreeMap<&'static str, u64>,
    /// Calls claimed and accepted by channel.
    pub channels: BTreeMap<Channel, (u64, u64)>,
    /// What nobody can be certain of.
    pub counted: Counted,
    /// Restores that were reconciled so far.
    pub(super) reconciled: u64,
    /// Newest time in the log.
    pub newest: Option<Claim>,
    ids: Vec<([u8; 16], u32, u64)>,
    strangers: Vec<([u8; 16], At)>,
    at: At,
    person: Option<[u8; 16]>,
}

impl World {
    /// Before the first leaf of a pack with all leaves.
    pub fn whole(people: People, plan_files: BTreeMap<u64, PlanFiles>, findings: Findings) -> Self {
        Self { is_whole: true, people, plan_files, findings, ..Self::default() }
    }

    /// Before the first leaf of a pack of one person.
    pub fn of_person(people: People) -> Self {
        Self { people, ..Self::default() }
    }

    /// Notes what is wrong with the present leaf.
    pub(super) fn find(&mut self, code: Code, text: impl Into<String>) {
        let mut finding = Finding::new(code, text).leaf(self.at.generation, self.at.leaf);
        finding.person = self.person;
        self.findings.push(finding);
    }

    /// Where the present leaf stands.
    pub(super) fn at(&self) -> At {
        self.at
    }

    /// Takes a leaf; gives its event back where it is one of this log's.
    pub fn take(&mut self, at: At, hash: [u8; 32], bytes: &[u8]) {
        (self.at, self.person) = (at, None);
        let Some(fact) = scan(bytes) else {
            // Nested values are canonical too, but no known kind has any.
            match Event::parse(bytes) {
                Ok(event) if Kind::of(&event.kind).is_some() => self.find(Code::Fields, "its `d` has a nested value"),
                Ok(_) => self.find(Code::Kind, "its kind is not known"),
                Err(_) if is_canonical(bytes) => {
                    self.find(Code::Fields, "it has other fields than an event, or what is no UUID, time or place");
                }
                Err(error) => self.find(Code::Canonical, error.to_string()),
            }
            return;
        };
        self.person = fact.place.map(|place| place.person);
        match from_uuid(fact.id) {
            Some(id) => self.ids.push((id, u32::try_from(at.generation).unwrap_or(u32::MAX), at.leaf)),
            None => self.find(Code::Fields, "its id is no UUID"),
        }
        if fact.inc != self.inc {
            self.find(Code::Inc, "it belongs to another log");
        }
        self.check_time(fact.at_micros);
        let number = fact.place.map(|place| self.chain(place, hash));
        let Some(kind) = Kind::of(fact.kind).filter(|kind| kind.is_of_incident()) else {
            return self.find(Code::Kind, "the log of an incident has no such kind");
        };
        *self.events.entry(kind.as_str()).or_default() += 1;
        if let Some(fault) = kind.fault(&fact) {
            return self.find(Code::Fields, fault);
        }
        // Once a person's key is destroyed, each event of theirs says so; an intent is refused for more than that.
        let is_erased = number.is_some_and(|number| self.people.is_erased(number));
        if kind != Kind::Intent && is_erased != fact.is_true("erased") {
            self.find(Code::Fields, "its `erased` is not what the events before it say");
        }
        self.tell(kind, &fact, number);
    }

    fn tell(&mut self, kind: Kind, fact: &Fact, number: Option<usize>) {
        let inc = self.inc.clone();
        self.check_close(kind);
        match (kind, number) {
            (Kind::LogOpened, _) if self.at.leaf > 0 => {
                self.find(Code::Opened, "only the first leaf of a generation may open the log");
            }
            (Kind::LogKeyChanged, _) => {
                let at = (self.at.generation, self.at.leaf);
                if let Err(error) = self.changes.take(at, &self.origin, fact) {
                    self.find(Code::LogKey, error.to_string());
                }
            }
            (Kind::AuditFailed, _) => self.audit_failed(fact),
            (Kind::ListFrozen, _) => self.list_frozen(fact),
            (Kind::ListAmended, _) if self.is_whole => self.list_amended(fact),
            (Kind::ListSigned, _) => self.list_signed(fact, &inc),
            (Kind::HoldSet | Kind::HoldLifted, _) => self.hold(kind, fact, number),
            (Kind::NoticeExempt | Kind::NoticeWithdrawn, Some(number)) => self.decided(fact, number),
            (Kind::NoticeReopened, Some(number)) => self.taken_back(fact, number),
            (Kind::KeyDestroyed, Some(number)) => self.people.erase(number),
            (Kind::RestoreReconciled, _) => self.reconciled += 1,
            (kind, Some(number)) if kind.is_of_message() => self.message_event(kind, fact, number),
            (kind, None) if kind.is_of_plan() => self.plan_event(fact, &inc),
            _ => {}
        }
    }

    fn audit_failed(&mut self, fact: &Fact) {
        if self.failed_audits.len() < FAILED_AUDITS_MAX {
            let At { generation, leaf } = self.at;
            let (findings, codes) = (fact.number("findings").unwrap_or_default(), fact.text("codes").unwrap_or_default());
            let at = time_text(fact.at_micros).unwrap_or_default();
            self.failed_audits.push(FailedAudit { generation, leaf, at, findings, codes: codes.to_owned() });
        }
    }

    /// A closed incident sends nothing and takes no list or plan; what was sent before may still be reported.
    fn check_close(&mut self, kind: Kind) {
        let closes = kind == Kind::IncidentClosed;
        if closes || kind == Kind::IncidentReopened {
            if self.is_whole && self.is_closed == closes {
                self.find(Code::Closed, if closes { "it closes a closed incident" } else { "it reopens an open incident" });
            }
            self.is_closed = closes;
        } else if self.is_closed && (kind == Kind::Intent || kind == Kind::ListFrozen || kind.is_of_plan()) {
            self.find(Code::Closed, format!("{}, while the incident is closed", kind.as_str()));
        }
    }

    fn check_time(&mut self, at_micros: i64) {
        let newest = self.newest.map(|newest| newest.at_micros);
        if newest.is_some_and(|newest| at_micros < newest.saturating_sub(CLOCKS_DIFFER_MAX)) {
            self.find(Code::Time, "its time is more than ten minutes before that of a leaf before it");
        }
        if newest.is_none_or(|newest| at_micros > newest) {
            let At { generation, leaf } = self.at;
            self.newest = Some(Claim { at_micros, generation, leaf });
        }
    }

    /// A person's n is 1, 2, … without gap, and prev the leaf hash before.
    fn chain(&mut self, place: Place, hash: [u8; 32]) -> usize {
        let known = self.people.find(&place.person).is_some();
        let number = self.people.number(&place.person);
        if !known && self.people.newest(number) == 0 {
            self.strangers.push((place.person, self.at));
        }
        let last = self.people.newest(number);
        if !self.people.follow(number, place.n, place.prev, hash) {
            let text = if place.n == last + 1 {
                format!("`prev` of its event {} is not the hash of the event before", place.n)
            } else {
                format!("its event {} follows its event {last}", place.n)
            };
            self.find(Code::Chain, text);
        }
        number
    }

    fn hold(&mut self, kind: Kind, fact: &Fact, number: Option<usize>) {
        let Some(hold) = fact.text("hold").and_then(from_uuid) else { return };
        if kind == Kind::HoldSet {
            if self.holds.insert(hold, number).is_some() {
                return self.find(Code::Held, "it sets a hold that stands already");
            }
            match number {
                Some(number) => self.people.hold(number, 1),
                None => self.incident_holds += 1,
            }
            return;
        }
        match self.holds.remove(&hold) {
            Some(of) if of == number => match number {
                Some(number) => self.people.hold(number, -1),
                None => self.incident_holds = self.incident_holds.saturating_sub(1),
            },
            Some(of) => {
                self.holds.insert(hold, of);
                self.find(Code::Held, "it lifts a hold of somebody else");
            }
            None if self.is_whole => self.find(Code::Held, "it lifts a hold that does not stand"),
            None => {}
        }
    }

    /// At the end of all leaves: the line of keys to which the given ones lead; a change that is not of it does not count.
    pub fn key_line(&mut self, given: &[[u8; 32]]) -> KeyLine {
        let (line, others) = self.changes.line(given);
        for (generation, leaf) in others {
            self.findings.push(Finding::new(Code::LogKey, KeyChangeError::NotInForce.to_string()).leaf(generation, leaf));
        }
        line
    }

    /// At the end of all leaves.
    pub fn finish(&mut self) {
        self.finish_ids();
        for (person, at) in std::mem::take(&mut self.strangers) {
            let number = self.people.number(&person);
            // A hold may come before the person's list is frozen.
            if self.people.has_messages(number) || self.people.end_state(number) != NoticeState::Open {
                let finding = Finding::new(Code::Stranger, "the person stands in no manifest");
                self.findings.push(finding.leaf(at.generation, at.leaf).person(person));
            }
        }
        self.finish_calls();
        if self.is_whole {
            self.finish_lists();
            self.finish_plans();
        }
    }

    fn finish_ids(&mut self) {
        let mut ids = std::mem::take(&mut self.ids);
        ids.sort_unstable();
        for pair in ids.windows(2) {
            let [(first, ..), (second, generation, leaf)] = pair else { continue };
            if first == second {
                let finding = Finding::new(Code::RepeatedId, "its id stood in a leaf before");
                self.findings.push(finding.leaf(u64::from(*generation), *leaf));
            }
        }
    }
}
