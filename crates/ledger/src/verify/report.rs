//! What a verification found: plain data, for people and for programs.

use super::rehearsal::Rehearsal;
use super::states::{Word, words};
use crate::hash::to_hex;
use crate::text::shown;
use std::collections::BTreeMap;
use std::fmt;

words! {
    /// What can be wrong: the codes of the section "Verification" of the format.
    Code {
        Pack = "pack", Text = "text", Signature = "signature", Rollback = "rollback", Witness = "witness", Size = "size", Root = "root",
        Tile = "tile", Proof = "proof", Canonical = "canonical", Kind = "kind", Inc = "inc", Fields = "fields",
        Opened = "opened", Chain = "chain", Stranger = "stranger", RepeatedId = "repeated_id", LogKey = "log_key", Manifest = "manifest",
        ListSignature = "list_signature", Rows = "rows", Plan = "plan", Approval = "approval", Contents = "contents",
        Move = "move", SecondSend = "second_send", NoPlan = "no_plan", Held = "held", Closed = "closed", NoCause = "no_cause",
        WrongContent = "wrong_content", WrongDestination = "wrong_destination", Notice = "notice", OpenCall = "open_call",
        Time = "time", Anchor = "anchor", Opening = "opening", Incomplete = "incomplete", OwnList = "own_list",
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What kind of wrong.
    pub code: Code,
    /// The log's generation that `leaf` counts in.
    pub generation: u64,
    /// Index of the leaf.
    pub leaf: Option<u64>,
    /// The person.
    pub person: Option<[u8; 16]>,
    /// The entry of the pack.
    pub file: Option<String>,
    /// One sentence.
    pub text: String,
}

impl Finding {
    /// A finding of the pack as a whole.
    pub fn new(code: Code, text: impl Into<String>) -> Self {
        Self { code, generation: 1, leaf: None, person: None, file: None, text: text.into() }
    }

    /// In this entry of the pack.
    pub fn file(mut self, file: &str) -> Self {
        self.file = Some(file.to_owned());
        self
    }

    /// At this leaf of a generation.
    pub fn leaf(mut self, generation: u64, leaf: u64) -> Self {
        (self.generation, self.leaf) = (generation, Some(leaf));
        self
    }

    /// Of this person.
    pub fn person(mut self, person: [u8; 16]) -> Self {
        self.person = Some(person);
        self
    }
}

/// Most findings of one code that are kept; all are counted.
const KEPT_MAX: u64 = 100;

/// Findings as they come.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    /// The first ones of each code.
    pub kept: Vec<Finding>,
    /// How many there are of each code.
    pub counts: BTreeMap<Code, u64>,
    /// How many more there are that may follow from these, and are not told.
    pub follow: BTreeMap<Code, u64>,
}

impl Findings {
    /// Takes one.
    pub fn push(&mut self, finding: Finding) {
        let count = self.counts.entry(finding.code).or_default();
        *count += 1;
        if *count <= KEPT_MAX {
            self.kept.push(finding);
        }
    }

    /// Those of certain codes.
    pub fn only(&self, codes: &[Code]) -> Self {
        let kept = self.kept.iter().filter(|finding| codes.contains(&finding.code)).cloned().collect();
        let counts = self.counts.iter().filter(|(code, _)| codes.contains(code)).map(|(code, n)| (*code, *n)).collect();
        Self { kept, counts, follow: BTreeMap::new() }
    }

    /// All, also those that were not kept.
    pub fn total(&self) -> u64 {
        self.counts.values().sum()
    }
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Everything that was checked holds.
    Good,
    /// There are findings.
    Bad,
    /// It is written in a later format: this verifier is too old to judge it.
    TooOld,
    /// It could not be checked, and why.
    Unchecked(String),
}

/// People by what became of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Equation {
    /// Lines of all manifests.
    pub people: u64,
    /// Told, as the profile counts it.
    pub notified: u64,
    /// A substitute or public notice is due.
    pub unreachable: u64,
    /// The law does not require it.
    pub exempt: u64,
    /// Taken back.
    pub withdrawn: u64,
    /// Without an end state.
    pub open: u64,
}

impl Equation {
    /// Counts a person by the word of the end state; any other word is none.
    pub fn count(&mut self, end: &str) {
        let count = match end {
            "notified" => &mut self.notified,
            "unreachable" => &mut self.unreachable,
            "exempt" => &mut self.exempt,
            "withdrawn" => &mut self.withdrawn,
            _ => &mut self.open,
        };
        *count += 1;
    }

    /// People with an end state.
    pub fn ended(&self) -> u64 {
        self.notified + self.unreachable + self.exempt + self.withdrawn
    }

    /// Whether the ends and the open ones are everybody.
    pub fn holds(&self) -> bool {
        self.people == self.ended() + self.open
    }
}

/// What a log itself says that nobody can be certain of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counted {
    /// Calls that repeat an unknown one, under the provider's promise not to act twice.
    pub repeats: u64,
    /// Events that raised the alarm of a possible duplicate.
    pub possible_duplicates: u64,
    /// Messages that a provider took, of which the log tells no call.
    pub without_call: u64,
}

impl Counted {
    /// Whether there is nothing of the kind.
    pub fn is_certain(self) -> bool {
        self == Self::default()
    }

    /// One line for each.
    pub fn lines(self) -> Vec<String> {
        let Self { repeats, possible_duplicates, without_call } = self;
        let lines = [
            (possible_duplicates, "alarm(s) of a possible duplicate: the provider may have acted twice for one message."),
            (
                repeats,
                "call(s) were repeated under the provider's own promise not to act twice; the log cannot show that the promise was kept.",
            ),
            (
                without_call,
                "message(s) were taken by a provider and no call is told of: a restore of the sender's database forgot it.",
            ),
        ];
        lines.into_iter().filter(|(n, _)| *n > 0).map(|(n, line)| format!("{n} {line}")).collect()
    }
}

/// A token or cosignature that says when a checkpoint existed at the latest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchor {
    /// Name of the log's generation whose checkpoint it is.
    pub origin: String,
    /// Size of the checkpoint.
    pub size: u64,
    /// Root of the checkpoint.
    pub root: [u8; 32],
    /// Who says so: a witness's name, or `RFC_3161`.
    pub by: String,
    /// When: seconds since 1970 of a cosignature, or the time that a token names.
    pub at: String,
    /// Whether its signature was verified here.
    pub is_verified: bool,
    /// How to verify it elsewhere.
    pub command: Option<String>,
    /// The newest time that an event under it claims; `None` where this log never had it, or it is over no event.
    pub newest: Option<Claim>,
}

/// The name under which time stamps stand among anchors.
pub const RFC_3161: &str = "RFC 3161";

/// A time that an event claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// Microseconds since 1970.
    pub at_micros: i64,
    /// The log's generation that `leaf` counts in.
    pub generation: u64,
    /// Index of the leaf.
    pub leaf: u64,
}

/// A leaf by which the sender says that its tables and this log differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedAudit {
    /// The log's generation that `leaf` counts in.
    pub generation: u64,
    /// Index of the leaf.
    pub leaf: u64,
    /// When; claimed, not proven.
    pub at: String,
    /// How many differences.
    pub findings: u64,
    /// Which, words joined by commas.
    pub codes: String,
}

/// All that a verification says.
#[derive(Debug, Clone)]
pub struct Report {
    /// The answer.
    pub verdict: Verdict,
    /// `incident` or `person`.
    pub kind: &'static str,
    /// Name of the log.
    pub origin: String,
    /// Leaves of the newest generation.
    pub size: u64,
    /// Its root.
    pub root: [u8; 32],
    /// Generations of the log.
    pub generations: u64,
    /// What was checked, one line each.
    pub checked: Vec<String>,
    /// People by end state.
    pub equation: Equation,
    /// Calls claimed and accepted by channel.
    pub channels: BTreeMap<&'static str, BTreeMap<&'static str, u64>>,
    /// What nobody can be certain of, by what the log says.
    pub counted: Counted,
    /// What approved plans say of their lanes; nothing is known of that from a person's pack.
    pub rehearsal: Rehearsal,
    /// Events by kind.
    pub events: BTreeMap<&'static str, u64>,
    /// Newest time in the log; claimed, not proven.
    pub newest_event: Option<String>,
    /// Tokens and cosignatures.
    pub anchors: Vec<Anchor>,
    /// People without an end state, the first 100,000.
    pub open_people: Vec<[u8; 16]>,
    /// What the auditor's own list showed.
    pub own_list: Vec<String>,
    /// Keys that the pack names for approvers: to be compared with what is known of them elsewhere.
    pub approvers: Vec<String>,
    /// Failed audits that the sender told of itself, the first hundred.
    pub failed_audits: Vec<FailedAudit>,
    /// Everything that is wrong.
    pub findings: Findings,
    /// Whether the reader named the approvers' keys.
    pub are_approvers_named: bool,
    /// Entries that are no evidence, or not known.
    pub not_looked_at: u64,
}

impl Report {
    /// Nothing known yet.
    pub fn empty(kind: &'static str) -> Self {
        Self {
            verdict: Verdict::Good,
            kind,
            origin: String::new(),
            size: 0,
            root: [0; 32],
            generations: 1,
            checked: Vec::new(),
            equation: Equation::default(),
            channels: BTreeMap::new(),
            counted: Counted::default(),
            rehearsal: Rehearsal::default(),
            events: BTreeMap::new(),
            newest_event: None,
            anchors: Vec::new(),
            open_people: Vec::new(),
            own_list: Vec::new(),
            approvers: Vec::new(),
            failed_audits: Vec::new(),
            are_approvers_named: false,
            findings: Findings::default(),
            not_looked_at: 0,
        }
    }

    /// Takes everything that could come from the pack for text, whatever it would do to a terminal.
    pub(super) fn make_plain(&mut self) {
        let plain = |text: &mut String| *text = shown(text);
        plain(&mut self.origin);
        for lines in [&mut self.checked, &mut self.own_list, &mut self.approvers] {
            lines.iter_mut().for_each(plain);
        }
        for anchor in &mut self.anchors {
            [&mut anchor.origin, &mut anchor.by, &mut anchor.at].into_iter().chain(&mut anchor.command).for_each(plain);
        }
        for finding in &mut self.findings.kept {
            plain(&mut finding.text);
            finding.file.iter_mut().for_each(plain);
        }
        if let Verdict::Unchecked(why) = &mut self.verdict {
            plain(why);
        }
    }

    /// 0 good, 1 bad, 2 not checked.
    pub fn exit_code(&self) -> u8 {
        match self.verdict {
            Verdict::Good => 0,
            Verdict::Bad => 1,
            Verdict::TooOld | Verdict::Unchecked(_) => 2,
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code.as_str())?;
        if let Some(leaf) = self.leaf {
            write!(f, " at leaf {leaf}")?;
            if self.generation > 1 {
                write!(f, " of generation {}", self.generation)?;
            }
        }
        if let Some(person) = &self.person {
            write!(f, ", person p_{}", to_hex(person))?;
        }
        if let Some(file) = &self.file {
            write!(f, " in {file}")?;
        }
        write!(f, ": {}", self.text)
    }
}
