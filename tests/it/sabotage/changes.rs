//! What an owner of the database could change, and the code by which the audit finds it.

/// What an owner does, and the code that must name it.
pub const SABOTAGES: &[(&str, &str, &str)] = &[
    ("delete a person", "delete from person where person_id = (select min(person_id::text)::uuid from person)", "row_without_person"),
    ("delete a person", "delete from person where person_id = (select min(person_id::text)::uuid from person)", "event_of_nobody"),
    ("delete a person", "delete from person where person_id = (select min(person_id::text)::uuid from person)", "frozen_count_differs"),
    (
        "delete a person with the row and the count",
        "delete from source_row where person_id = (select min(person_id::text)::uuid from person) and row_no > 1;
         delete from person where person_id = (select min(person_id::text)::uuid from person);
         update list_freeze set people = people - 1",
        "manifest_differs",
    ),
    ("call an event brought back", "update event set restored_id = gen_random_uuid() where kind = 'message.accepted'", "brought_back_unsigned"),
    (
        "forget a plan and call its events brought back",
        "set local session_replication_role = replica;
         update event set restored_id = gen_random_uuid() where kind like 'plan.%'; delete from plan",
        "plan_missing",
    ),
    ("delete a row", "delete from source_row where row_no = 2", "row_missing"),
    ("delete the last row", "delete from source_row where row_no = 4", "row_missing"),
    ("delete a row", "delete from source_row where row_no = 2", "person_without_row"),
    ("forget a person", "delete from notice where person_id = (select min(person_id::text)::uuid from person)", "person_without_notice"),
    ("destroy a key without an event", "delete from person_key where person_id = (select min(person_id::text)::uuid from person)", "key_missing"),
    ("freeze another number", "update list_freeze set people = people + 1", "plan_names_another_list"),
    (
        "swap two addresses with their commitments",
        "update person p set contact = o.contact, commitments = o.commitments from person o
          where p.person_id = (select min(person_id::text)::uuid from person) and o.person_id = (select max(person_id::text)::uuid from person)",
        "manifest_differs",
    ),
    ("remove an approval", "delete from plan_approval", "plan_not_approved"),
    ("approve in another's name", "update plan_approval set user_id = (select prepared_by from plan)", "approval_not_valid"),
    ("approve after the send", "update signed_command set at = at + interval '1 day'", "approval_not_valid"),
    (
        "sign something else",
        "update signed_command set statement = '{\"command\":\"plan approve\",\"hash\":\"00\"}' where command_id in (select command_id from plan_approval)",
        "plan_not_approved",
    ),
    ("revoke before", "set local session_replication_role = replica; update app_user set revoked_at = created_at, revoked_command_id = added_command_id where name = 'bob'", "approval_not_valid"),
    (
        "revoke without a signature",
        "set local session_replication_role = replica; update app_user set revoked_at = now(), revoked_command_id = added_command_id where name = 'bob'",
        "revocation_not_signed",
    ),
    (
        "revoke without an event",
        "set local session_replication_role = replica; update app_user set revoked_at = now(), revoked_command_id = added_command_id where name = 'bob'",
        "user_differs_from_events",
    ),
    ("forget that a user was added", "delete from event where kind = 'user.added' and ord = (select max(ord) from event where kind = 'user.added')", "user_differs_from_events"),
    ("post otherwise", "update plan set postage_class = 'second'", "plan_columns_differ"),
    ("call a plan urgent", "update plan set is_urgent = true", "plan_columns_differ"),
    ("send on another lane", "update plan set lanes = array['sms', 'other']", "plan_columns_differ"),
    ("try for a year", "update plan set message_deadline_ms = 31536000000", "plan_columns_differ"),
    ("let a plan sleep at other hours", "update plan set quiet_from = '21:00', quiet_until = '08:00'", "quiet_hours_differ"),
    ("close without an event", "update incident set closed_at = now()", "close_differs_from_events"),
    (
        "send while it is closed",
        "set local session_replication_role = replica; update event set kind = 'incident.closed' where kind = 'plan.started'",
        "intent_while_closed",
    ),
    ("alter a receipt's bytes", "update receipt set sealed = 'x'", "receipt_differs"),
    ("pause without an event", "update plan set state = 'paused'", "plan_differs_from_events"),
    ("send before the start", "delete from event where kind = 'plan.started'", "intent_outside_run"),
    ("promise another text", "update prepared_content set commitment = sha256('x')", "contents_differ"),
    ("approve another text than was sent", "update prepared_content set commitment = sha256('x')", "content_not_approved"),
    (
        "send under a hold",
        "set local session_replication_role = replica;
         insert into hold (hold_id, controller_id, incident_no, reason, set_by, command_id, set_at)
         select gen_random_uuid(), controller_id, incident_no, 'safety', prepared_by, gen_random_uuid(), prepared_at from plan",
        "intent_under_hold",
    ),
    (
        "make up a hold",
        "set local session_replication_role = replica;
         insert into hold (hold_id, controller_id, incident_no, reason, set_by, command_id)
         select gen_random_uuid(), controller_id, incident_no, 'safety', prepared_by, gen_random_uuid() from plan",
        "hold_differs_from_events",
    ),
    (
        "let a hold stand again",
        "set local session_replication_role = replica; update hold set lifted_at = null, lifted_by = null, lifted_command_id = null",
        "hold_differs_from_events",
    ),
    (
        "lift a hold earlier",
        "set local session_replication_role = replica; update hold set lifted_at = lifted_at - interval '1 hour'",
        "hold_differs_from_events",
    ),
    ("forget a hold", "delete from hold", "hold_differs_from_events"),
    ("forget that a hold was lifted", "delete from event where kind = 'hold.lifted'", "hold_differs_from_events"),
    (
        "hold for another reason",
        "set local session_replication_role = replica; update hold set reason = 'none'",
        "event_not_signed",
    ),
    (
        "start without a signature",
        "update signed_command set statement = convert_to(replace(convert_from(statement, 'UTF8'), 'plan go', 'plan no'), 'UTF8')",
        "event_not_signed",
    ),
    (
        "start in another's name",
        "update signed_command set user_id = (select user_id from app_user where name = 'ann') where convert_from(statement, 'UTF8') like '%plan go%'",
        "event_not_signed",
    ),
    (
        "let a command serve twice",
        "set local session_replication_role = replica; drop index event_command;
         insert into event (controller_id, incident_no, kind, body, leaf)
         select controller_id, incident_no, kind, body, leaf from event where kind = 'plan.started'",
        "command_used_twice",
    ),
    ("sign for another key of a user's", "update signed_command set signature = sha256('x') || sha256('y')", "event_not_signed"),
    (
        "discard a row that nobody decided about",
        "set local session_replication_role = replica;
         insert into row_decision (controller_id, incident_no, list_no, identity, fate, reason, decided_by, command_id)
         select controller_id, incident_no, list_no, identity, 'discarded', 'none', prepared_by, gen_random_uuid()
           from source_row join plan using (controller_id, incident_no) where row_no = 1",
        "row_decision_differs",
    ),
    (
        "take a frozen row away, and the person and the counts",
        "delete from source_row where row_no = 4; update affected_list set row_count = 3; update list_freeze set people = 3;
         delete from person where person_id not in (select person_id from source_row where person_id is not null)",
        "frozen_rows_differ",
    ),
    ("ask for another number of approvals", "update incident set approvals_required = 2", "approvals_differ"),
    ("forget who added the incident", "delete from event where kind = 'incident.added'", "incident_not_added"),
    (
        "forget the signature by which the incident was added",
        "set local session_replication_role = replica; delete from signed_command where convert_from(statement, 'UTF8') like '%incident add%'",
        "event_not_signed",
    ),
    (
        "lose an incident of which the controller's log tells",
        "update event e set body = b.body, leaf = sha256('\\x00'::bytea || b.body)
           from (select ord, convert_to(replace(convert_from(body, 'UTF8'), (select incident_id::text from incident), gen_random_uuid()::text), 'UTF8') as body
                   from event where kind = 'incident.added') b where e.ord = b.ord",
        "incident_missing",
    ),
    (
        "bring a signature for another installation",
        "set local session_replication_role = replica;
         insert into signed_command (command_id, user_id, statement, signature, at)
         select gen_random_uuid(), user_id, convert_to(replace(convert_from(statement, 'UTF8'), installation_id::text, gen_random_uuid()::text), 'UTF8'), signature, at
           from signed_command, installation limit 1",
        "signed_elsewhere",
    ),
    (
        "divert a log",
        "set local session_replication_role = replica;
         insert into log_generation (log_no, generation, origin) select log_no, 2, 'elsewhere.test/' || log_id || '/2' from log where kind = 'incident'",
        "log_not_opened",
    ),
    (
        "open another generation of a log",
        "set local session_replication_role = replica;
         insert into log_generation (log_no, generation, origin) select log_no, 2, 'duly.test/' || log_id || '/2' from log where kind = 'incident';
         insert into event (controller_id, incident_no, kind, body, leaf)
         select controller_id, incident_no, 'log.opened', b.body, sha256('\\x00'::bytea || b.body) from log
          cross join lateral (select convert_to('{\"d\":{\"format\":1,\"from_root\":\"' || repeat('00', 32) || '\",\"from_size\":1,\"generation\":2,\"kind\":\"incident\",\"origin\":\"duly.test/'
            || log_id || '/2\",\"reason\":\"restored\"},\"id\":\"' || gen_random_uuid() || '\",\"inc\":\"' || log_id || '\",\"k\":\"log.opened\",\"t\":\"2026-11-24T08:44:37.000001Z\",\"v\":1}', 'UTF8') as body) b
          where kind = 'incident';
         insert into sequenced select log_no, 2, 0, array[(select max(ord) from event)] from log where kind = 'incident'",
        "log_not_continued",
    ),
    (
        "open a log a second time",
        "set local session_replication_role = replica;
         insert into event (controller_id, incident_no, kind, body, leaf) select controller_id, incident_no, kind, body, leaf from event where kind = 'log.opened'",
        "log_opened_twice",
    ),
    (
        "lay a receipt aside without a word",
        "set local session_replication_role = replica;
         insert into receipt (receipt_id, controller_id, provider, verdict, due_at, result) select gen_random_uuid(), controller_id, 'sms', 'bad_signature', null, 'refused' from controller",
        "refusal_not_told",
    ),
    ("lose the words that were approved", "delete from approved_text", "text_missing"),
    (
        "pin a key for lists",
        "set local session_replication_role = replica;
         insert into controller_list_key (controller_id, key_no, public_key, user_id, command_id)
         select controller_id, 1, sha256('e'), prepared_by, gen_random_uuid() from plan",
        "list_key_not_signed",
    ),
    (
        "pin a key for lists without telling of it",
        "set local session_replication_role = replica;
         insert into controller_list_key (controller_id, key_no, public_key, user_id, command_id)
         select controller_id, 1, sha256('e'), prepared_by, (select min(command_id::text)::uuid from signed_command) from plan",
        "list_key_differs_from_events",
    ),
    (
        "let sending go on after a restore",
        "set local session_replication_role = replica;
         insert into restored (restored_id, ground, command_id, reconciled_at)
         select gen_random_uuid(), 'pulse', command_id, now() from plan_approval",
        "restore_not_signed",
    ),
    (
        "make up a hand-over",
        "insert into hand_over (log_id, generation, size, way, to_name, occasion) select log_id, 1, 4711, 'mail', 'court', 'daily' from log",
        "anchor_without_checkpoint",
    ),
    (
        "make up an anchor",
        "insert into anchor (anchor_id, log_id, generation, size, kind, name, response, checkpoint)
         select gen_random_uuid(), log_id, c.generation, c.size, 'tsa', 'tsa.example', 'x', 'another' from log join checkpoint c using (log_no)",
        "anchor_without_checkpoint",
    ),
    ("lead for ever", "set local session_replication_role = replica; update leadership set expires_at = 'infinity'", "lead_without_end"),
    ("alter the system's log", "set local session_replication_role = replica; update log_tile set hashes = sha256('x') where level = 0 and log_no = (select log_no from log where kind = 'system')", "tile_differs"),
    ("take the signatures away", "set local session_replication_role = replica; delete from checkpoint", "checkpoint_missing"),
    ("invent an upper tile", "insert into log_tile (log_no, generation, level, tile_no, hashes) select log_no, generation, 3, 0, sha256('x') from log_generation", "tile_differs"),
    ("empty the system's log", "delete from event where controller_id is null", "tile_differs"),
    ("alter a fact of the system's log", "update event set body = body || ' '::bytea, leaf = sha256('\\x00'::bytea || body || ' '::bytea) where controller_id is null", "event_not_canonical"),
    ("place events in another log", "set local session_replication_role = replica; update sequenced set log_no = log_no + 424242", "event_out_of_log"),
    (
        "add a user",
        "set local session_replication_role = replica;
         insert into app_user (user_id, name, public_key) values (gen_random_uuid(), 'eve', sha256('e'))",
        "user_not_vouched",
    ),
    ("put another key under a name", "update app_user set public_key = sha256('e') where name = 'bob'", "user_not_vouched"),
    (
        "vouch in another's name",
        "update signed_command set signature = sha256('x') || sha256('y') where convert_from(statement, 'UTF8') like '%user add%'",
        "user_not_vouched",
    ),
    ("put a message off", "update message set due_at = now() + interval '1 year'", "due_too_late"),
    (
        "refuse a true receipt",
        "alter table receipt drop constraint only_false_receipts_are_refused; update receipt set result = 'refused'",
        "receipt_put_aside",
    ),
    ("put a receipt off", "update receipt set result = null, due_at = now() + interval '1 year'", "receipt_put_aside"),
    ("lay a receipt aside", "update receipt set result = 'no_change', message_id = null", "receipt_put_aside"),
    (
        "turn a plan back",
        "set local session_replication_role = replica;
         update event set kind = 'plan.paused', plan_from = 'running', plan_to = 'prepared' where kind = 'plan.started'",
        "event_of_another",
    ),
    (
        "let a plan's event move something else",
        "update event set plan_to = 'paused' where kind = 'plan.started'",
        "move_not_allowed",
    ),
    (
        "a second send",
        "insert into attempt select controller_id, incident_no, message_id, 2, person_id, lane, false, reference, request, claimed_at, send_by from attempt",
        "attempt_without_intent",
    ),
    ("drop an attempt", "delete from attempt", "intent_without_attempt"),
    ("drop an attempt", "delete from attempt", "outcome_without_attempt"),
    ("drop an outcome", "delete from outcome", "event_without_outcome"),
    (
        "make up an outcome",
        "insert into outcome (controller_id, incident_no, message_id, attempt, kind, code) select controller_id, incident_no, message_id, 7, 'rejected', '422' from attempt",
        "outcome_without_event",
    ),
    ("drop a receipt", "set local session_replication_role = replica; delete from receipt where status = 'delivered_to_handset'", "event_without_receipt"),
    (
        "make up a receipt",
        "set local session_replication_role = replica; insert into receipt (receipt_id, controller_id, provider, verdict, provider_id, status, result, message_id)
         select gen_random_uuid(), controller_id, provider, verdict, 'another', status, result, message_id from receipt",
        "receipt_without_event",
    ),
    (
        "make up a receipt of another id",
        "set local session_replication_role = replica; insert into receipt (receipt_id, controller_id, provider, verdict, provider_id, status, result, message_id)
         select gen_random_uuid(), controller_id, provider, verdict, 'another', status, result, message_id from receipt",
        "duplicate_without_alarm",
    ),
    ("deny that it was taken", "update message set state = 'rejected'", "accepted_but_not_said"),
    ("deny that it was taken", "update message set state = 'rejected'", "message_differs_from_events"),
    ("claim that it was taken", "set local session_replication_role = replica; delete from outcome; delete from receipt", "said_without_proof"),
    ("one name for two", "update attempt set reference = (select min(reference) from attempt)", "reference_shared"),
    ("lose a message", "delete from message where message_id = (select min(message_id::text)::uuid from message)", "message_missing"),
    (
        "add a message",
        "set local session_replication_role = replica;
         insert into message (controller_id, incident_no, message_id, person_id, phase, channel, reason, ordinal, plan_no, due_at, expires_at)
         select controller_id, incident_no, gen_random_uuid(), person_id, phase, channel, 'resend', ordinal, plan_no, now(), now() from message",
        "message_without_cause",
    ),
    ("look for a call at another account", "set local session_replication_role = replica; update message set lane = 'sms-b'", "lane_differs"),
    ("tell somebody under another law", "update notice set profile = 'us-ca'", "profile_differs"),
    ("move somebody to where another law governs", "update person set jurisdiction = 'US-CA'", "profile_differs"),
    ("end a notice", "update notice set state = 'exempt'", "notice_differs_from_events"),
    (
        "forget a posted letter whose delivery alone counts",
        "update prepared_content set content = 'full'; update message set state = 'handed_to_carrier', due_at = null",
        "posted_without_deadline",
    ),
    (
        "forget a message",
        "alter table message drop constraint open_states_have_a_deadline; update message set state = 'accepted', due_at = null",
        "open_without_deadline",
    ),
    ("put a message on another lane", "set local session_replication_role = replica; update message set lane = 'sms-b' where message_id = (select min(message_id::text)::uuid from message)", "statement_differs"),
    ("drop an event", "delete from event where kind = 'message.accepted'", "chain_broken"),
    ("drop the newest event", "delete from event e where person_id is not null and n = (select max(n) from event where person_id = e.person_id)", "head_differs"),
    ("edit an event", "update event set body = replace(convert_from(body, 'utf8'), '\"sms\"', '\"fax\"')::bytea,
                leaf = sha256('\\x00'::bytea || replace(convert_from(body, 'utf8'), '\"sms\"', '\"fax\"')::bytea) where n = 1", "chain_broken"),
    (
        "write an event that is no JSON",
        "update event set body = b.broken, leaf = sha256('\\x00'::bytea || b.broken)
           from (select ord, convert_to(replace(convert_from(body, 'UTF8'), '\"d\":{', '\"d\":{\"a\":},'), 'UTF8') as broken from event) b
          where b.ord = event.ord and kind = 'message.intent'",
        "not_auditable",
    ),
    ("edit an event's spelling", "update event set body = body || ' '::bytea, leaf = sha256('\\x00'::bytea || body || ' '::bytea) where n = 1", "event_not_canonical"),
    ("edit an event without its hash", "alter table event drop constraint event_check; update event set leaf = sha256('x') where n = 1", "leaf_differs"),
    ("give an event another kind", "update event set kind = 'message.accepted' where n = 1", "event_of_another"),
    ("let an event move something else", "update event set message_to = 'unknown' where kind = 'message.intent'", "move_differs"),
];

/// Those that only the keys can tell.
pub const SEALED: &[(&str, &str, &str)] = &[
    (
        "swap two addresses",
        "update person p set contact = o.contact from person o where p.person_id <> o.person_id
           and p.person_id in ((select min(person_id::text)::uuid from person), (select max(person_id::text)::uuid from person))
           and o.person_id in ((select min(person_id::text)::uuid from person), (select max(person_id::text)::uuid from person))",
        "contact_does_not_open",
    ),
    (
        "swap two addresses with their keys",
        "create table swap as select p.person_id, o.contact, k.wrapped from person p, person o join person_key k using (person_id)
           where p.person_id <> o.person_id
           and p.person_id in ((select min(person_id::text)::uuid from person), (select max(person_id::text)::uuid from person))
           and o.person_id in ((select min(person_id::text)::uuid from person), (select max(person_id::text)::uuid from person));
         update person p set contact = s.contact from swap s where s.person_id = p.person_id;
         update person_key k set wrapped = s.wrapped from swap s where s.person_id = k.person_id",
        "contact_differs",
    ),
    ("write another text", "update prepared_content set commitment = sha256('x')", "request_differs"),
    (
        "alter a quarantined row",
        "insert into source_row (controller_id, incident_no, list_no, identity, fate, faults, sealed)
         select controller_id, incident_no, list_no, 'x', 'quarantined', '[]', 'x' from affected_list",
        "row_does_not_open",
    ),
    ("give people other codes", "update person set reference_code = reference_code || '9'", "reference_code_differs"),
    ("swap two requests", "update attempt set request = (select request from attempt order by message_id limit 1)", "request_does_not_open"),
];
