//! The closed list of kinds with the fields that each must have: the section "Kinds" of the format.

mod fields;

use super::scan::Fact;
use super::states::{State, words};
use fields::Is;

words! {
    /// What happened.
    Kind {
        LogOpened = "log.opened", LogMarked = "log.marked", ListFrozen = "list.frozen", ListSigned = "list.signed", ListAmended = "list.amended", LogDelayed = "log.delayed",
        LogKeyChanged = "log.key_changed",
        RowQuarantined = "row.quarantined", RowCorrected = "row.corrected",
        RowDiscarded = "row.discarded", PlanPrepared = "plan.prepared", PlanApproved = "plan.approved",
        PlanStarted = "plan.started", PlanPaused = "plan.paused", PlanResumed = "plan.resumed", PlanWithdrawn = "plan.withdrawn",
        ExportMade = "export.made", StatementCompared = "statement.compared", CheckRefused = "check.refused", IncidentClosed = "incident.closed", IncidentReopened = "incident.reopened",
        RestoreReconciled = "restore.reconciled", AuditPassed = "audit.passed", AuditFailed = "audit.failed",
        ControllerAdded = "controller.added", IncidentAdded = "incident.added", ReceiptRefused = "receipt.refused", UserAdded = "user.added",
        UserRevoked = "user.revoked", ProgramStarted = "program.started", CheckpointNoted = "checkpoint.noted",
        AccountStopped = "lane.stopped", AccountResumed = "lane.resumed", LetterheadSet = "controller.letterhead_set", ListKeySet = "controller.list_key_set",
        TemplateReviewed = "template.reviewed", ContactViewed = "contact.viewed", KeyDestroyed = "key.destroyed", HoldSet = "hold.set",
        HoldLifted = "hold.lifted", NoticeExempt = "notice.exempt", NoticeWithdrawn = "notice.withdrawn",
        NoticeReopened = "notice.reopened", Intent = "message.intent", Accepted = "message.accepted", Rejected = "message.rejected",
        NotTaken = "message.not_taken", LaneStopped = "message.lane_stopped", Unknown = "message.unknown",
        Resolved = "message.resolved", Asked = "message.asked", Decided = "message.decided", Receipt = "receipt",
        ReceiptLate = "receipt.late", Overdue = "message.overdue", Exhausted = "message.exhausted",
        Unfit = "message.unfit",
        Cancelled = "message.cancelled", Reopened = "message.reopened", Recall = "message.recall", Recalled = "message.recalled", Shown = "message.shown",
    }
}

type Fields = &'static [(&'static str, Is)];

/// All events of a message have these.
const OF_MESSAGE: Fields =
    &[("attempt", Is::Count), ("channel", Is::Channel), ("ordinal", Is::Small), ("phase", Is::Small), ("reason", Is::Reason)];
const OF_MESSAGE_OPTIONAL: Fields =
    &[("erased", Is::True), ("notice", Is::Notice), ("other_id", Is::True), ("possible_duplicate", Is::True), ("to", Is::State)];
const OF_PLAN: Fields = &[("command", Is::Uuid), ("hash", Is::Hash), ("plan", Is::Number), ("user", Is::Uuid)];
const OF_HOLD: Fields = &[("command", Is::Uuid), ("hold", Is::Uuid), ("user", Is::Uuid)];
const OF_ROW: Fields = &[("list", Is::Number), ("row", Is::Row)];
const OF_COMMAND: Fields = &[("command", Is::Uuid), ("user", Is::Uuid)];
const OF_REFUSAL: Fields = &[
    ("contents", Is::Hash),
    ("messages", Is::Count),
    ("plan", Is::Number),
    ("profiles", Is::Text),
    ("report", Is::Hash),
    ("rules", Is::Hash),
    ("version", Is::Text),
];
const RULES_OF_REFUSAL: Fields = &[("errors", Is::Rules), ("warnings", Is::Rules)];
const OF_STATEMENT: Fields = &[
    ("as_of", Is::Time),
    ("channel", Is::Channel),
    ("hash", Is::Hash),
    ("lane", Is::Text),
    ("ours", Is::Count),
    ("theirs", Is::Count),
];
const GROUND_OF_RECEIPT: Fields = &[
    ("body", Is::Hash),
    ("claimed_by", Is::Word(&["carrier", "estimate", "network", "person", "provider"])),
    ("command", Is::Uuid),
    ("ground", Is::Word(&["declared", "found", "polled"])),
    ("scheme", Is::Word(&["bearer", "hmac-sha1", "hmac-sha256"])),
    ("user", Is::Uuid),
];
const OF_CALL: Fields =
    &[("content", Is::Hash), ("destination", Is::Hash), ("plan", Is::Number), ("profile", Is::AnyText), ("repeat", Is::Flag)];
const OF_KEY_CHANGE: Fields = &[
    ("new", Is::Hash),
    ("new_signature", Is::Signature),
    ("old", Is::Hash),
    ("old_signature", Is::Signature),
    ("size", Is::Count),
];
const ERASED: Fields = &[("erased", Is::True)];
const OF_LIST: Fields = &[("count", Is::Count), ("list", Is::Number), ("root", Is::Hash)];

impl Kind {
    /// Whether it tells of a message.
    pub fn is_of_message(self) -> bool {
        self >= Self::Intent
    }

    /// Whether it may stand in the log of an incident.
    pub fn is_of_incident(self) -> bool {
        use Kind::*;
        !matches!(
            self,
            ControllerAdded
                | IncidentAdded
                | LetterheadSet
                | ListKeySet
                | TemplateReviewed
                | ReceiptRefused
                | UserAdded
                | UserRevoked
                | ProgramStarted
                | CheckpointNoted
                | AccountStopped
                | AccountResumed
        )
    }

    /// Whether it tells of a plan.
    pub fn is_of_plan(self) -> bool {
        (Self::PlanPrepared..=Self::PlanWithdrawn).contains(&self)
    }

    /// Whether it may stand in a person's chain; `None`: both in one and outside.
    fn is_of_person(self) -> Option<bool> {
        match self {
            Self::HoldSet | Self::HoldLifted | Self::ContactViewed => None,
            Self::KeyDestroyed | Self::NoticeExempt | Self::NoticeWithdrawn | Self::NoticeReopened => Some(true),
            kind => Some(kind.is_of_message()),
        }
    }

    /// Fields that this kind needs beside those that it shares.
    fn own(self) -> Fields {
        match self {
            Self::LogOpened => &[
                ("format", Is::Count),
                ("generation", Is::Number),
                ("kind", Is::Word(&["incident", "controller", "system"])),
                ("origin", Is::Text),
            ],
            Self::ListFrozen => &[("duplicates", Is::Count), ("quarantined", Is::Count), ("rows", Is::Count)],
            Self::ListAmended => &[("corrected", Is::Count), ("count_before", Is::Count), ("root_before", Is::Hash)],
            Self::LogKeyChanged => OF_KEY_CHANGE,
            Self::LogDelayed => &[("seconds", Is::Count), ("waiting", Is::Count)],
            Self::ListSigned => &[("key", Is::Hash), ("signature", Is::Signature)],
            Self::RowQuarantined => &[("codes", Is::Text)],
            Self::RowCorrected => &[("command", Is::Uuid), ("new_list", Is::Number), ("new_row", Is::Row), ("user", Is::Uuid)],
            Self::RowDiscarded => OF_COMMAND,
            Self::ExportMade => &[
                ("for", Is::Word(&["regulator", "court", "person", "auditor", "controller"])),
                ("hash", Is::Hash),
                ("what", Is::Word(&["pack", "report", "quarantine"])),
            ],
            Self::StatementCompared => OF_STATEMENT,
            Self::CheckRefused => OF_REFUSAL,
            Self::IncidentClosed => &[
                ("asked", Is::Count),
                ("missing", Is::Count),
                ("open", Is::Count),
                ("quarantined", Is::Count),
                ("unknown", Is::Count),
            ],
            Self::IncidentReopened => &[("reason", Is::Text)],
            Self::IncidentAdded => &[("approvals", Is::Number), ("incident", Is::Uuid)],
            Self::ReceiptRefused => &[
                ("count", Is::Count),
                ("ground", Is::Word(&["bad_signature", "stale", "malformed", "too_large", "replay", "unmatched"])),
                ("lane", Is::Text),
                ("since", Is::Count),
            ],
            Self::RestoreReconciled => &[("held", Is::Count), ("imported", Is::Count), ("unknown", Is::Count)],
            Self::AuditPassed => &[("findings", Is::Zero)],
            Self::AuditFailed => &[("codes", Is::Text), ("findings", Is::Number)],
            Self::UserAdded => &[("key", Is::Hash), ("user", Is::Uuid)],
            Self::UserRevoked => &[("by", Is::Uuid), ("command", Is::Uuid), ("user", Is::Uuid)],
            Self::ProgramStarted => &[("roles", Is::Text), ("settings", Is::Hash), ("version", Is::Text)],
            Self::CheckpointNoted => &[("origin", Is::Text), ("root", Is::Hash), ("size", Is::Count)],
            Self::AccountStopped | Self::AccountResumed => &[("code", Is::Code), ("lane", Is::Text)],
            Self::LetterheadSet => &[("letterhead", Is::Hash)],
            Self::ListKeySet => &[("key", Is::Hash)],
            Self::TemplateReviewed => &[("hash", Is::Hash), ("template", Is::Text)],
            Self::ContactViewed => &[("purpose", Is::Word(&["audit", "check", "pack", "preview"]))],
            Self::NoticeExempt => &[("notice", Is::Word(&["exempt"])), ("phase", Is::Small)],
            Self::NoticeWithdrawn => &[
                ("ground", Is::Word(&["in_person", "by_phone", "by_others"])),
                ("notice", Is::Word(&["withdrawn"])),
                ("phase", Is::Small),
            ],
            Self::NoticeReopened => &[("notice", Is::Word(&["open", "unreachable", "notified"])), ("phase", Is::Small)],
            kind => kind.own_of_message(),
        }
    }

    fn own_of_message(self) -> Fields {
        match self {
            Self::Intent => OF_CALL,
            Self::Accepted | Self::Rejected | Self::NotTaken | Self::LaneStopped => &[("code", Is::Code)],
            Self::Unknown => &[("ground", Is::Word(&["answer", "lease", "restored"]))],
            Self::Resolved => &[("ground", Is::Word(&["found", "absent", "rule"]))],
            Self::Asked => &[("ground", Is::Word(&["no_lookup", "no_reference", "no_answer", "key_expired", "no_lane"]))],
            Self::Decided => &[("command", Is::Uuid), ("ground", Is::Word(&["send_again", "next_step"])), ("user", Is::Uuid)],
            Self::Receipt | Self::ReceiptLate => &[("status", Is::Report)],
            Self::Recall => OF_COMMAND,
            Self::Recalled => {
                &[("command", Is::Uuid), ("ground", Is::Word(&["cancelled", "too_late", "unknown"])), ("user", Is::Uuid)]
            }
            Self::Shown => &[
                ("content", Is::Hash),
                ("given", Is::Count),
                ("ground", Is::Word(&["as_many_pages", "other_pages", "same_bytes", "unreadable"])),
            ],
            Self::Overdue => &[("ground", Is::Word(&["no_news"]))],
            Self::Exhausted => &[("ground", Is::Word(&["deadline", "attempts"]))],
            Self::Unfit => &[("ground", Is::Word(&["not_as_approved", "does_not_open", "does_not_render"]))],
            _ => &[],
        }
    }

    /// Fields that it may have beside them.
    fn possible(self) -> Fields {
        match self {
            Self::LogOpened => &[("from_root", Is::Hash), ("from_size", Is::Count), ("reason", Is::Word(&["restored"]))],
            Self::ListFrozen => &[("src", Is::Hash)],
            Self::IncidentClosed => &[("reason", Is::Text)],
            Self::CheckRefused => RULES_OF_REFUSAL,
            Self::Unknown => &[("code", Is::Code)],
            Self::Decided => &[("deadline_ms", Is::Count)],
            Self::Exhausted => &[("limit", Is::Number), ("tries", Is::Count)],
            Self::Shown => &[("pages", Is::Count)],
            Self::UserAdded => &[("by", Is::Uuid), ("command", Is::Uuid)],
            Self::ControllerAdded => OF_COMMAND,
            Self::ListKeySet => &[("incident", Is::Uuid)],
            Self::RestoreReconciled => &[("database", Is::Word(&["current", "older"]))],
            Self::HoldSet | Self::HoldLifted | Self::ContactViewed | Self::NoticeExempt | Self::NoticeWithdrawn => ERASED,
            Self::Receipt | Self::ReceiptLate => GROUND_OF_RECEIPT,
            _ => &[],
        }
    }

    fn common(self) -> (Fields, Fields) {
        match self {
            kind if kind.is_of_plan() => (OF_PLAN, &[]),
            Self::HoldSet | Self::HoldLifted => (OF_HOLD, &[]),
            Self::RowQuarantined | Self::RowCorrected | Self::RowDiscarded => (OF_ROW, &[]),
            Self::ExportMade
            | Self::StatementCompared
            | Self::CheckRefused
            | Self::RestoreReconciled
            | Self::ContactViewed
            | Self::KeyDestroyed
            | Self::NoticeExempt
            | Self::NoticeWithdrawn
            | Self::NoticeReopened
            | Self::IncidentAdded
            | Self::IncidentClosed
            | Self::IncidentReopened
            | Self::LetterheadSet
            | Self::ListKeySet
            | Self::TemplateReviewed => (OF_COMMAND, &[]),
            Self::ListFrozen | Self::ListSigned | Self::ListAmended => (OF_LIST, &[]),
            kind if kind.is_of_message() => (OF_MESSAGE, OF_MESSAGE_OPTIONAL),
            _ => (&[], &[]),
        }
    }

    /// What is wrong with the fields of an event of this kind, if anything is.
    pub fn fault(self, fact: &Fact) -> Option<String> {
        if self.is_of_person().is_some_and(|is| is != fact.place.is_some()) {
            return Some("it stands in a person's chain where it must not, or in none where it must".into());
        }
        let (needed, optional) = self.common();
        let (own, own_optional) = (self.own(), self.possible());
        let known = || needed.iter().chain(own).chain(optional).chain(own_optional);
        if let Some((name, _)) = needed.iter().chain(own).find(|(name, _)| fact.get(name).is_none()) {
            return Some(format!("it has no field `{name}`"));
        }
        for (name, value) in &fact.detail {
            match known().find(|(known, _)| known == name) {
                None => return Some("it has a field that its kind does not know".into()),
                Some((_, is)) if !is.fits(value) => return Some(format!("its field `{name}` holds something else than it may")),
                Some(_) => {}
            }
        }
        let goes_together = match self {
            Self::Unknown => (fact.text("ground") == Some("answer")) == fact.get("code").is_some(),
            Self::Exhausted => {
                let counts = fact.text("ground") == Some("attempts");
                ["limit", "tries"].iter().all(|name| fact.get(name).is_some() == counts)
            }
            Self::IncidentClosed => {
                let is_open = |name| fact.number(name) != Some(0);
                let any = ["asked", "missing", "open", "quarantined", "unknown"].into_iter().any(is_open);
                !any || fact.get("reason").is_some()
            }
            // What found nothing refused nothing.
            Self::CheckRefused => fact.get("errors").is_some() || fact.get("warnings").is_some(),
            Self::Decided => fact.text("ground") == Some("send_again") || fact.get("deadline_ms").is_none(),
            // Somebody's word has somebody's signature, and nobody else's.
            Self::Receipt | Self::ReceiptLate => {
                let is_declared = fact.text("ground") == Some("declared");
                ["command", "user"].iter().all(|name| fact.get(name).is_some() == is_declared)
                    && !(is_declared && ["body", "claimed_by", "scheme"].iter().any(|name| fact.get(name).is_some()))
            }
            // Of one person, or of everybody.
            Self::ContactViewed => fact.place.is_some() == matches!(fact.text("purpose"), Some("pack" | "preview")),
            Self::Shown => (fact.text("ground") == Some("unreadable")) != fact.get("pages").is_some(),
            Self::UserAdded => fact.get("by").is_some() == fact.get("command").is_some(),
            Self::LogOpened => {
                let later = fact.number("generation") > Some(1);
                ["from_root", "from_size", "reason"].iter().all(|name| fact.get(name).is_some() == later)
            }
            _ => true,
        };
        (!goes_together).then(|| "it has a field that does not go with the others".into())
    }

    /// Where the message goes by an event of this kind, where it moves at all; `None`: it must move, but not by this.
    pub fn leads_to(self, fact: &Fact) -> &'static [State] {
        use State::*;
        match (self, fact.text("ground")) {
            (Self::Intent, _) => &[Sending],
            (Self::Accepted, _) | (Self::Resolved, Some("found")) => &[Accepted],
            (Self::Rejected, _) => &[Rejected],
            // A repeat that was not taken says nothing of the call that it repeats.
            (Self::NotTaken | Self::LaneStopped, _) => &[Ready, Unknown],
            (Self::Unknown, _) => &[Unknown],
            (Self::Resolved, Some("absent")) | (Self::Decided, Some("send_again")) | (Self::Reopened, _) => &[Ready],
            (Self::Resolved | Self::Decided, _) => &[Superseded],
            (Self::Asked, _) => &[Asked],
            (Self::Overdue, _) => &[Overdue],
            (Self::Exhausted, _) => &[Exhausted],
            (Self::Cancelled, _) => &[Cancelled],
            (Self::Recalled, Some("cancelled")) => &[Failed],
            _ => &[],
        }
    }

    /// Whether it is told also where it moves nothing: somebody outside said so.
    pub fn may_stay(self, fact: &Fact) -> bool {
        matches!(
            self,
            Self::Accepted
                | Self::Rejected
                | Self::NotTaken
                | Self::LaneStopped
                | Self::ReceiptLate
                | Self::Unfit
                | Self::Recall
                | Self::Recalled
                | Self::Shown
        ) || (self == Self::Unknown && fact.text("ground") == Some("answer"))
            || (self == Self::Resolved && fact.text("ground") == Some("found"))
    }
}

#[cfg(test)]
mod tests;
