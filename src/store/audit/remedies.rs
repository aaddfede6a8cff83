//! What whoever runs the audit does now, for each code: the fact first, then who has to be asked, and the command.

/// Somebody wrote what no command of Duly writes.
macro_rules! past {
    ($fact:literal) => {
        concat!(
            $fact,
            ": somebody wrote past Duly. Ask whoever runs the database who was logged in then, by its server's log, and rely on nothing of this before they have answered"
        )
    };
}

/// Nothing more may leave under this plan.
macro_rules! stop {
    ($fact:literal, $then:literal) => {
        concat!("run `duly plan pause` for this plan now: ", $fact, ". Then ", $then)
    };
}

/// Something was lost that a backup has.
macro_rules! back {
    ($fact:literal, $what:literal) => {
        concat!($fact, ": have whoever runs the database put back from a backup ", $what, "; then run `duly audit` again")
    };
}

/// Copies that others hold tell which side was changed.
macro_rules! compare {
    ($fact:literal) => {
        concat!(
            $fact,
            ": find out which side was changed before anything is mended. Check the newest pack that somebody else holds with `duly verify`, and compare with the copy of the log outside (`evidence.outside`); hand out no new pack before that"
        )
    };
}

/// The provider knows what really happened.
macro_rules! ask {
    ($fact:literal) => {
        concat!(
            "ask the provider what it took and sent under the message's reference (`duly message list --message` has it): ",
            $fact
        )
    };
}

/// Somebody may have two messages.
macro_rules! twice {
    ($fact:literal) => {
        concat!(
            "somebody may have been sent the same message twice (",
            $fact,
            "): ask the provider about the message's reference (`duly message list --message` has it), and tell the person if it is so"
        )
    };
}

/// Every code with its remedy.
pub const CODES: &[(&str, &str)] = &[
    (
        "row_missing",
        "rows of a list were deleted after they were taken in: import the same file again (`duly list import`) and compare with `duly status`; what does not come back so is in a backup",
    ),
    ("row_without_person", back!("a row became a person who is not there any more", "the person with their key")),
    ("person_without_row", past!("no list and no job brought this person")),
    (
        "person_without_notice",
        "a person of a frozen list is covered by no plan and is told nothing: run `duly plan prepare`, and have it approved",
    ),
    ("key_missing", back!("the person's key is gone and no event tells of its destruction", "the key")),
    (
        "frozen_count_differs",
        stop!("a frozen list has not as many people as were approved", "put the people of the list back from a backup"),
    ),
    (
        "manifest_differs",
        stop!(
            "the people or contacts of a frozen list are not the ones that were approved",
            "put them back from a backup, or have a corrected list approved"
        ),
    ),
    (
        "plan_names_another_list",
        stop!("it was approved for other lists than those that are frozen", "withdraw or end it, and prepare another one"),
    ),
    (
        "contents_differ",
        stop!(
            "the messages prepared for it are not the ones that were approved",
            "prepare and approve another plan for whoever was not told"
        ),
    ),
    (
        "plan_missing",
        "the log tells of a plan that is not on record: have a newer backup put in place, if there is one, and run `duly restore reconcile`",
    ),
    (
        "plan_not_approved",
        stop!(
            "messages were sent without the approvals that it needs",
            "tell the controller; it goes on only once the plan is approved"
        ),
    ),
    ("approval_not_valid", stop!("a signature does not prove its approval", "have it approved again: `duly plan approve`")),
    (
        "plan_differs_from_events",
        stop!("its state was changed without an event", "ask whoever runs the database who wrote past Duly"),
    ),
    (
        "intent_outside_run",
        stop!(
            "a call was claimed while the plan was not running",
            "see with `duly person show` whom it concerned, and tell the controller"
        ),
    ),
    (
        "intent_under_hold",
        "somebody was written to while a hold was in force: tell whoever set it (`duly hold list`) today, and whom `duly person show` says it was",
    ),
    ("guard_off", past!("a guard of the database is gone")),
    (
        "guard_differs",
        past!("a guard is another one, or one was added; `duly migrate` on an empty database shows what must stand there"),
    ),
    ("clock_differs", past!("the database's clock was exchanged, and no time that was written since can be relied on")),
    ("rights_differ", past!("a role has other rights there than Duly's migrations gave it; have them put right")),
    (
        "intent_at_night",
        "a text message may have woken somebody: tell whoever answers for the plan, and look at its hours with `duly plan show`",
    ),
    (
        "quiet_hours_differ",
        stop!(
            "its text messages wait at other hours than were approved",
            "ask whoever runs the database who changed them, and prepare another plan"
        ),
    ),
    ("user_not_vouched", past!("no signature leads from the first user to this one; revoke them with `duly user revoke`")),
    (
        "revocation_not_signed",
        past!("a user was revoked without a signature; add them again with `duly user add` if they may sign"),
    ),
    ("user_differs_from_events", past!("the system's log tells otherwise who may sign; compare with `duly user list`")),
    (
        "close_differs_from_events",
        past!("the incident was closed or reopened otherwise than its log tells; see `duly incident show`"),
    ),
    (
        "intent_while_closed",
        "somebody was written to while the incident was closed: see with `duly person show` whom it concerned, tell the controller, and ask whoever runs the services which of them was still sending",
    ),
    (
        "event_not_signed",
        past!("no signature of the user that is named asks for exactly this; ask that user whether they decided it"),
    ),
    ("command_used_twice", past!("one signature serves two deeds; ask the user who signed which of them they meant")),
    ("row_decision_differs", past!("no event and no signature tells of the row's fate; look at `duly quarantine list`")),
    ("frozen_rows_differ", back!("the list has not as many rows, repeats or quarantined rows as when it was frozen", "its rows")),
    (
        "approvals_differ",
        stop!(
            "it asks for another number of approvals than was signed with the incident",
            "have it approved by as many as were signed for"
        ),
    ),
    ("incident_not_added", past!("its controller's log does not tell once of this incident")),
    ("incident_missing", back!("the controller's log tells of an incident that is not there", "the incident")),
    (
        "incident_differs",
        past!("the incident's name, profile or texts are not those that were signed for; see `duly incident show`"),
    ),
    ("controller_missing", back!("the incident's controller is not there, and no command finds the incident", "the controller")),
    ("controller_differs", past!("the controller's name, sender or address are not those that were signed for")),
    ("list_missing", back!("people, rows or events name a list that is not there", "the list with its key")),
    ("publication_missing", past!("a checkpoint that others hold counts as seen by nobody")),
    ("pulse_missing", back!("the pulse is gone, and a restore would not be noticed by it", "its row")),
    (
        "sealing_key_differs",
        past!(
            "receipts, jobs or rows are sealed to a key that is not the one kept here: somebody else may read them, and Duly cannot"
        ),
    ),
    ("signed_elsewhere", past!("a signature that was made for another installation lies here; nothing rests on it")),
    ("signature_differs", past!("a signed command on record is not what its user signed; nothing rests on it")),
    ("text_missing", back!("a text that a plan was approved with is gone, and no pack can be made", "the text")),
    (
        "list_key_not_signed",
        past!(
            "no signature names this key for lists; ask the controller by telephone which key is theirs, and pin that with `duly list replace-key`"
        ),
    ),
    (
        "list_key_differs_from_events",
        past!(
            "the controller's log tells of other keys for its lists than are pinned; compare with the key that the controller itself says is theirs, and pin that with `duly list replace-key`"
        ),
    ),
    (
        "restore_not_signed",
        past!(
            "sending went on after a restore without anybody's signature; run `duly restore reconcile --dry-run` to see what could have left twice"
        ),
    ),
    (
        "anchor_without_checkpoint",
        past!("a time stamp, cosignature, hand-over or copy is of a checkpoint that was never signed here; do not rely on it"),
    ),
    (
        "anchor_not_valid",
        past!("a time stamp or cosignature does not hold for its checkpoint; do not rely on it, and have a new one made"),
    ),
    (
        "statement_differs",
        past!(
            "what the log says that it counted of a lane for a provider's statement is not what its messages and events add up to"
        ),
    ),
    ("refusal_not_told", past!("receipts were laid aside and the controller's log does not tell of them")),
    (
        "refusal_missing",
        past!(
            "receipts were deleted: the controller's log tells of more than there are; ask the provider to send its reports again"
        ),
    ),
    (
        "lead_without_end",
        "nothing is sent while a lead does not run out: have all `duly serve` stopped and started again; if it stays, ask whoever runs the database who wrote it",
    ),
    (
        "hold_differs_from_events",
        past!("a hold was set or lifted otherwise than the log tells; set it again with `duly hold set` if it must stand"),
    ),
    (
        "due_too_late",
        past!("a message was put off beyond its term, and nobody would look after it; see it with `duly person show`"),
    ),
    ("receipt_put_aside", past!("a receipt that its provider proved was laid aside; ask the provider how the message stands")),
    (
        "not_auditable",
        past!(
            "this check was not made, as something that is stored cannot be read, and what it would have found is not known; the other findings, and the server's log, say where it stands. When it is explained, run `duly audit` again"
        ),
    ),
    ("event_not_canonical", compare!("the bytes of an event were changed")),
    ("leaf_differs", compare!("the bytes of an event were changed")),
    ("chain_broken", compare!("of this person an event was removed, added or moved")),
    ("head_differs", compare!("the newest events of this person were removed")),
    ("event_of_nobody", back!("events tell of a person who is not there any more", "the person with their key")),
    ("event_of_another", compare!("an event tells of another person, incident or kind than its row")),
    ("move_not_allowed", compare!("no rule of Duly allows this event after those before")),
    ("move_differs", compare!("a row moved something else than its event tells")),
    ("event_missing", compare!("an event that always follows another is not there")),
    ("message_missing", back!("events or the plan tell of a message that is not there", "the message")),
    (
        "message_without_cause",
        past!(
            "neither the plan nor an event asks for this message; hold the person with `duly hold set --person` until it is explained"
        ),
    ),
    (
        "message_differs_from_events",
        past!("a message stands otherwise than its events lead to; `duly person show` tells what they say"),
    ),
    (
        "notice_differs_from_events",
        past!("a notice stands otherwise than its events lead to; `duly person show` tells what they say"),
    ),
    ("alarm_missing", twice!("two provider ids, and no alarm was raised")),
    ("outcome_without_attempt", past!("an answer of a provider is on record for a call that nobody claimed")),
    ("attempt_without_intent", ask!("a call has no event that announced it")),
    ("attempt_differs", ask!("a call was claimed, or could start, at another time than its event tells")),
    ("outcome_differs", ask!("its answer on record is not the one that its event tells")),
    ("time_differs", past!("a row says another time than its event or its signature")),
    ("intent_without_attempt", back!("an event tells of a call whose record is gone", "the attempt")),
    ("outcome_without_event", past!("an answer of a provider is on record and no event tells of it")),
    ("event_without_outcome", back!("an event tells of a provider's answer whose record is gone", "the outcome")),
    ("receipt_without_event", past!("a receipt counts as applied and no event tells of it")),
    ("event_without_receipt", back!("an event tells of a receipt whose record is gone", "the receipt")),
    ("receipt_differs", back!("a receipt's bytes are not those that its event names", "the receipt")),
    (
        "content_not_approved",
        stop!(
            "a call was made with bytes that nobody approved",
            "ask the provider to stop what has not left (`duly plan pause --recall`), and tell the controller"
        ),
    ),
    (
        "accepted_but_not_said",
        past!(
            "a provider took the message and its state denies it; hold the person with `duly hold set --person`, so that nobody writes again"
        ),
    ),
    ("said_without_proof", ask!("nothing on record shows that the provider took it")),
    ("duplicate_without_alarm", twice!("a call was accepted after a later one, and no alarm was raised")),
    ("reference_shared", ask!("two messages bear one reference")),
    ("lookup_differs", ask!("what is said to have been looked up is not what the events tell")),
    (
        "template_differs",
        stop!(
            "what was prepared names another template or content than the approved plan",
            "put what was prepared back from a backup, or prepare and approve another plan"
        ),
    ),
    ("lane_differs", ask!("the attempt names another lane than it was made on")),
    (
        "route_differs",
        stop!(
            "people are told by other channels than were approved",
            "put the notices back from a backup, or prepare another plan"
        ),
    ),
    ("reach_differs", back!("how the person can be reached is not what the list's manifest says", "the person's row")),
    (
        "person_differs",
        back!("language, format, place or search hash are not those of the person's sealed record", "the person's row"),
    ),
    ("epoch_differs", past!("the lead changed hands no oftener than its log and its time allow, and its epoch says otherwise")),
    (
        "pause_differs",
        "no event tells why this lane rests, and the rest would not end by itself: look at `duly provider list`, and ask whoever runs the database who stopped it",
    ),
    (
        "restore_open",
        "nothing is sent until a restore is reconciled: run `duly restore reconcile`; where nothing was restored, ask whoever runs the database who wrote it",
    ),
    ("checkpoint_not_signed", compare!("a checkpoint's note does not open with the log's key")),
    (
        "review_differs",
        "no signature and event tell of exactly this review: have the template read and signed for again, `duly template review`",
    ),
    (
        "letterhead_differs",
        "what the letterhead is made of is not what was signed: set it again, `duly controller set`, and prepare plans that have not gone anew",
    ),
    ("open_without_deadline", past!("nobody would look after this message again; see it with `duly person show`")),
    (
        "profile_differs",
        stop!(
            "a person is told under another legal profile than the plan has for their jurisdiction",
            "ask whoever runs the database who changed it; prepare and approve another plan"
        ),
    ),
    (
        "posted_without_deadline",
        past!("nobody would ask after this letter, whose delivery alone counts; see it with `duly person show`"),
    ),
    ("contact_does_not_open", back!("the person's key and contact do not belong together", "both, from one backup")),
    (
        "contact_differs",
        stop!(
            "a contact is not the one on the approved list: somebody else may be written to",
            "put the contact back from a backup"
        ),
    ),
    (
        "reference_code_differs",
        back!("the person's message carries another code, and whoever asks would be told that it is false", "the code"),
    ),
    ("row_does_not_open", back!("a quarantined row and its list's key do not belong together", "both, from one backup")),
    ("request_does_not_open", back!("the frozen request of a call is not this person's", "the attempt")),
    ("request_differs", ask!("the frozen request carries other content than was approved")),
    (
        "request_elsewhere",
        ask!(
            "the frozen request has another destination than the list: somebody else may have been told; treat that as a breach of its own"
        ),
    ),
    ("intent_differs", compare!("an event tells of another content or destination than was sent")),
    ("event_out_of_log", past!("an event has no place in the log and waits for none")),
    ("log_not_opened", compare!("no first leaf says that this generation of the log was opened")),
    ("log_not_continued", compare!("this generation of the log does not go on from the one before, or was opened in no restore")),
    ("log_opened_twice", past!("a log is opened by its first leaf and by no other")),
    (
        "log_key_not_changed",
        past!("an event changes the log's key without both keys' signatures for its place, and every verifier names it"),
    ),
    ("tile_differs", compare!("a signed leaf is not the one on record")),
    ("checkpoint_missing", compare!("events have their places under no signed checkpoint")),
    (
        "plan_columns_differ",
        stop!("what it is carried out by is not what was approved", "ask whoever runs the database who changed its columns"),
    ),
    ("checkpoint_differs", compare!("a signed root is not that of the leaves on record")),
    ("brought_back_unsigned", past!("events were brought back by no signed `duly restore reconcile`")),
    (
        "sent_twice",
        "a provider's record shows more messages than there should be: hold the person with `duly hold set --person`, tell the controller, and tell the person that both say the same",
    ),
    (
        "never_sent",
        ask!("its record does not show messages that we say it took; until it answers, count these people as not told"),
    ),
    (
        "not_ours",
        ask!(
            "its record shows a message that nobody here meant to send; have it say which credentials were used, and change them if they are ours"
        ),
    ),
];
