//! Checks of all invariants by queries that share nothing with the rest of the store, on one snapshot, so that a run
//! may go on meanwhile.
//!
//! `audit` needs no key. `audit_sealed` opens what is sealed and says what the providers' own records must show;
//! `record::compare` holds such a record against it.

mod approvals;
mod chains;
mod close;
mod columns;
mod commands;
mod decisions;
mod fates;
mod generations;
mod guards;
mod holds;
mod incident;
mod installation;
mod log;
mod log_keys;
mod made;
mod people;
pub mod record;
mod refusals;
mod rows;
mod sealed;
mod sends;
mod stops;
mod terms;
mod users;

use super::unit::IncidentKey;
use super::{Store, StoreError};
use crate::model::seal::Key;
pub use sealed::{ReadRequest, Sealed};
use sqlx::{Postgres, Transaction};
use uuid::Uuid;

/// One difference between what must hold and what is.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// Stable code; one of `CODES`.
    pub code: &'static str,
    /// Person, message or count concerned; never personal data.
    pub place: String,
}

impl Finding {
    /// One sentence that tells the reader what to do next.
    pub fn remedy(&self) -> &'static str {
        CODES.iter().find(|(code, _)| *code == self.code).map_or(
            "run `duly audit --json` again with the newest Duly: this code is not one of this program's",
            |(_, remedy)| remedy,
        )
    }
}

/// Every code with its remedy.
pub const CODES: &[(&str, &str)] = &[
    ("row_missing", "import the list again and compare the counts with `duly status`: rows were deleted after they were taken"),
    ("row_without_person", "restore the person from a backup: the row became a person who is not there any more"),
    ("person_without_row", "find out who wrote the person into the database: no list and no job brought them"),
    ("person_without_notice", "prepare a supplement: a frozen list has a person whom no plan covers"),
    ("key_missing", "restore the person's key from a backup: it is gone and no event tells of its destruction"),
    ("frozen_count_differs", "restore the people of the frozen list from a backup: their number is not the approved one"),
    ("manifest_differs", "restore the people of the frozen list from a backup: they are not the ones that were approved"),
    ("plan_names_another_list", "stop the plan: it was approved for other lists than those that are frozen"),
    ("contents_differ", "stop the plan: the texts prepared for it are not the ones that were approved"),
    ("plan_missing", "restore a newer backup, if there is one: the log tells of a plan that is not on record"),
    ("plan_not_approved", "stop the plan: messages were sent without the approvals that it needs"),
    ("approval_not_valid", "stop the plan and have it approved again: a signature does not prove its approval"),
    ("plan_differs_from_events", "stop the plan: its state was changed without an event"),
    ("intent_outside_run", "stop the plan and find out who sent: a call was claimed while the plan was not running"),
    ("intent_under_hold", "tell whoever set the hold: a call was claimed while it was in force"),
    (
        "guard_off",
        "find out who took the guard away: run `duly migrate` against a copy, compare, and do not rely on what was written since",
    ),
    (
        "guard_differs",
        "find out who put something else in the guard's place: compare it with the migrations, and do not rely on what was written since",
    ),
    ("clock_differs", "find out who exchanged the database's clock: no time that was written since can be relied on"),
    (
        "rights_differ",
        "take the right away again and find out who gave it: the application's role may change what it could only add to",
    ),
    ("intent_at_night", "tell whoever answers for the plan: a text message was claimed while it was night for the person"),
    ("quiet_hours_differ", "stop the plan: its text messages wait at other hours than were approved"),
    ("user_not_vouched", "find out who wrote the user into the database: no signature leads from the first user to this one"),
    ("revocation_not_signed", "find out who revoked the user: no signature of a user who may sign asks for it"),
    ("user_differs_from_events", "find out who added or revoked the user: the events of the system's log tell otherwise"),
    ("close_differs_from_events", "find out who closed or reopened the incident: its events tell otherwise"),
    ("intent_while_closed", "find out who sent: a call was claimed while the incident was closed"),
    ("event_not_signed", "find out who decided it: no signature of the user that is named asks for exactly this"),
    ("command_used_twice", "find out who wrote the later event: a signature serves once"),
    ("row_decision_differs", "find out who decided about the row: no event and no signature tells of this fate"),
    (
        "frozen_rows_differ",
        "compare the list with a backup: its rows, repeats or quarantined rows are not as many as when it was frozen",
    ),
    ("approvals_differ", "stop the plan: it asks for another number of approvals than was signed with the incident"),
    ("incident_not_added", "find out who wrote the incident into the database: its controller's log does not tell of it once"),
    ("incident_missing", "restore the incident from a backup: its controller's log tells of it"),
    (
        "signed_elsewhere",
        "find out who brought the signature here: it was made for another installation, and nothing rests on it",
    ),
    ("text_missing", "restore the text from a backup: a plan was approved with it"),
    ("list_key_not_signed", "find out who pinned the key for lists: no signature of a user names it"),
    ("restore_not_signed", "find out who let sending go on after the restore: no signature asks for it"),
    ("anchor_without_checkpoint", "find out who wrote the anchor or hand-over: no such checkpoint was signed here"),
    ("anchor_not_valid", "do not rely on the anchor, and find out who wrote it: it does not hold for its checkpoint"),
    ("refusal_not_told", "find out who laid the receipts aside: no event of the controller's log tells of them"),
    ("refusal_missing", "find out who deleted the receipts: the controller's log tells of more than there are"),
    ("lead_without_end", "find out who took the lead: it does not run out, and no other process can take it"),
    ("hold_differs_from_events", "find out who set or lifted the hold: its events tell otherwise"),
    ("due_too_late", "find out who put the message off: nobody would look after it within its term"),
    ("receipt_put_aside", "find out who laid the receipt aside: its provider proved it and it was not applied"),
    ("event_not_canonical", "compare the event with a backup or a copy handed out: its bytes were changed"),
    ("leaf_differs", "compare the event with a backup or a copy handed out: its bytes were changed"),
    ("chain_broken", "compare the person's events with a backup or a copy handed out: one was removed, added or reordered"),
    ("head_differs", "compare the person's events with a backup or a copy handed out: the newest ones were removed"),
    ("event_of_nobody", "restore the person from a backup: events tell of a person who is not there any more"),
    ("event_of_another", "compare the event with a backup: it tells of another person, incident or kind than its row"),
    ("move_not_allowed", "find out who wrote the event: no rule of Duly allows it after the events before"),
    ("move_differs", "compare the row of the event with its bytes: the row moved something else than the event tells"),
    ("event_missing", "find out what stopped halfway: an event that always follows another is not there"),
    ("message_missing", "restore the message from a backup: events or the plan tell of it"),
    ("message_without_cause", "find out who wrote the message: neither the plan nor an event asks for it"),
    ("message_differs_from_events", "find out who changed the message: its events lead to another state"),
    ("notice_differs_from_events", "find out who changed the notice: its events lead to another state"),
    ("alarm_missing", "look at both provider ids of the message: it may have been sent twice, and nobody was told"),
    ("outcome_without_attempt", "find out who wrote the outcome: no call was claimed for it"),
    ("attempt_without_intent", "ask the provider about the message's reference: a call has no event that announced it"),
    ("intent_without_attempt", "restore the attempt from a backup: an event tells of it"),
    ("outcome_without_event", "find out who wrote the outcome: no event tells of it"),
    ("event_without_outcome", "restore the outcome from a backup: an event tells of it"),
    ("receipt_without_event", "find out who changed the receipt: it counts as applied and no event tells of it"),
    ("event_without_receipt", "restore the receipt from a backup: an event tells of it"),
    ("receipt_differs", "restore the receipt from a backup: its bytes are not those that its event names"),
    ("content_not_approved", "stop the plan: a call was made with bytes that nobody approved"),
    ("accepted_but_not_said", "find out who changed the message: a provider took it and its state denies it"),
    ("said_without_proof", "ask the provider about the message's reference: nothing on record shows that it took it"),
    ("duplicate_without_alarm", "look at both provider ids of the message: it may have been sent twice, and nobody was told"),
    ("reference_shared", "ask the provider about the reference: two messages were sent under one name"),
    (
        "lookup_differs",
        "ask the provider about the message's reference: what is said to have been looked up is not what its events tell",
    ),
    (
        "template_differs",
        "restore what was prepared from a backup: it names another template or content than the approved plan has",
    ),
    ("lane_differs", "ask the provider about the message's reference: the attempt names another lane than it was made on"),
    ("reach_differs", "restore the person from a backup: how they can be reached is not what the list's manifest says"),
    (
        "person_differs",
        "restore the person from a backup: language, format, place or search hash are not those of their sealed record",
    ),
    (
        "epoch_differs",
        "find out who raised or lowered the lead's epoch: it changed hands no oftener than the log and its time allow",
    ),
    (
        "pause_differs",
        "find out who stopped the lane: no event of the system's log tells of this rest, and it would not end by itself",
    ),
    (
        "restore_open",
        "run `duly restore reconcile`; where nothing was restored, find out who wrote it: nothing is sent meanwhile",
    ),
    ("checkpoint_not_signed", "compare the log with the copy outside: a checkpoint's note does not open with the log's key"),
    (
        "review_differs",
        "have the template reviewed again: no signature of its reader's with its event tells of exactly this review",
    ),
    ("letterhead_differs", "set the letterhead again: what it is made of is not what was signed and told"),
    ("open_without_deadline", "find out who changed the message: nobody would look after it again"),
    (
        "profile_differs",
        "find out who changed under which legal profile a person is told: their jurisdiction's is another by the plan",
    ),
    ("posted_without_deadline", "find out who changed the letter: its delivery alone counts, and nobody would ask after it"),
    ("contact_does_not_open", "restore the person's key and contact from one backup: they do not belong together"),
    ("contact_differs", "restore the contact from a backup: it is not the one that was on the approved list"),
    (
        "reference_code_differs",
        "restore the person's code from a backup: their message carries another one, and would be called false",
    ),
    ("row_does_not_open", "restore the quarantined row and its list's key from one backup: they do not belong together"),
    ("request_does_not_open", "restore the attempt from a backup: its frozen request is not this person's"),
    ("request_differs", "ask the provider what it was sent: the frozen request carries other content than was approved"),
    ("request_elsewhere", "ask the provider where it sent the message: the frozen request has another destination"),
    ("intent_differs", "compare the event with a backup: it tells of another content or destination than was sent"),
    ("event_out_of_log", "find out who took the event out of the inbox: it has no place in the log and waits for none"),
    ("log_not_opened", "find out who wrote the log's generation: no first leaf under its name says that it was opened"),
    ("log_not_continued", "find out who opened the log's generation: it does not go on from the one before, or in no restore"),
    ("log_opened_twice", "find out who wrote the event: a log is opened by its first leaf and by no other"),
    (
        "log_key_not_changed",
        "find out who wrote the event: it changes the log's key without both keys' signatures for its place, and every verifier names it",
    ),
    ("tile_differs", "compare the events with the copy outside: a signed leaf is not the one on record"),
    ("checkpoint_missing", "events have their places under no signed checkpoint: compare the log with the copy outside"),
    (
        "plan_columns_differ",
        "what a plan is carried out by is not what was approved: pause it, and compare its columns with its body",
    ),
    ("checkpoint_differs", "compare the log with the copy outside: a signed root is not that of the leaves on record"),
    ("brought_back_unsigned", "find out who wrote the events: no signed `duly restore reconcile` brought them back"),
    ("sent_twice", "tell the person and the controller: a provider's record shows more messages than there should be"),
    ("never_sent", "ask the provider: we say that it took messages that its record does not show"),
    ("not_ours", "ask the provider who sent it: its record shows a message that nobody here meant to send"),
];

fn finding(code: &'static str, place: String) -> Finding {
    Finding { code, place }
}

/// A finding by a query; its words are codes, as a test shows.
fn found(word: &str, place: String) -> Result<Finding, StoreError> {
    let code = CODES.iter().map(|(code, _)| *code).find(|code| *code == word);
    code.map(|code| finding(code, place)).ok_or(StoreError::Corrupt { what: "finding" })
}

/// How a person is named in a finding.
fn person(id: Uuid) -> String {
    format!("p_{}", id.simple())
}

/// Everything as it was at one moment, while the run goes on.
struct Snapshot {
    tx: Transaction<'static, Postgres>,
}

impl Store {
    /// Checks an incident and returns every finding; none means that all of it holds.
    pub async fn audit(&self, incident: IncidentKey) -> Result<Vec<Finding>, StoreError> {
        let mut snapshot = self.snapshot().await?;
        let mut findings = snapshot.audit_rows(incident).await?;
        findings.extend(snapshot.audit_lists(incident).await?);
        findings.extend(snapshot.audit_fates(incident).await?);
        findings.extend(snapshot.audit_plans(incident).await?);
        findings.extend(snapshot.audit_incident(incident).await?);
        findings.extend(snapshot.audit_commands(incident).await?);
        findings.extend(snapshot.audit_guards().await?);
        findings.extend(snapshot.audit_standstill().await?);
        findings.extend(snapshot.audit_statements().await?);
        findings.extend(snapshot.audit_users().await?);
        findings.extend(snapshot.audit_holds(incident).await?);
        findings.extend(snapshot.audit_close(incident).await?);
        findings.extend(snapshot.audit_terms(incident, self.deadlines).await?);
        findings.extend(snapshot.audit_refusals(incident, self.deadlines).await?);
        findings.extend(snapshot.audit_stops(incident).await?);
        findings.extend(snapshot.audit_sends(incident).await?);
        findings.extend(snapshot.audit_columns(incident).await?);
        findings.extend(snapshot.audit_people(incident).await?);
        findings.extend(snapshot.audit_generations(incident).await?);
        findings.extend(snapshot.audit_log(incident).await?);
        findings.extend(snapshot.audit_log_keys(incident).await?);
        findings.extend(snapshot.audit_installation(incident).await?);
        Ok(findings)
    }

    /// Opens every contact and every frozen request of an incident and checks them against commitments and events.
    /// An erased person is left out: nobody can open anything of theirs.
    pub async fn audit_sealed(&self, incident: IncidentKey, master: &Key, read: ReadRequest<'_>) -> Result<Sealed, StoreError> {
        self.snapshot().await?.audit_sealed(incident, master, read).await
    }

    async fn snapshot(&self) -> Result<Snapshot, StoreError> {
        let mut tx = self.pool.begin_with("begin isolation level repeatable read read only").await?;
        // Questions about everybody at once: here the planner may read whole tables and join them as it likes.
        sqlx::raw_sql("set local enable_seqscan = on; set local enable_hashjoin = on; set local enable_mergejoin = on")
            .execute(&mut *tx)
            .await?;
        Ok(Snapshot { tx })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_one_remedy_that_says_what_to_do() {
        for (code, remedy) in CODES {
            let found = Finding { code, place: String::new() };
            assert_eq!(found.remedy(), *remedy);
            assert!(remedy.len() > 20 && !remedy.ends_with('.'), "{code}");
            assert_eq!(CODES.iter().filter(|(other, _)| other == code).count(), 1, "{code} twice");
        }
    }

    #[test]
    fn every_word_of_a_query_is_a_code() {
        for source in [
            include_str!("audit/rows.rs"),
            include_str!("audit/sends.rs"),
            include_str!("audit/approvals.rs"),
            include_str!("audit/columns.rs"),
            include_str!("audit/terms.rs"),
            include_str!("audit/fates.rs"),
            include_str!("audit/generations.rs"),
            include_str!("audit/installation.rs"),
            include_str!("audit/stops.rs"),
        ] {
            let words: Vec<&str> =
                source.split("select '").skip(1).filter_map(|rest| rest.split_once("' as code")).map(|(word, _)| word).collect();
            assert!(!words.is_empty());
            for word in words {
                assert!(CODES.iter().any(|(code, _)| *code == word), "{word}");
            }
        }
    }
}
