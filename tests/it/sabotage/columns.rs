//! What an owner of the database could change in columns that repeat what an event, a signed command or a sealed record says.

/// What an owner does, and the code that must name it.
pub const COLUMNS: &[(&str, &str, &str)] = &[
    ("say that another lane was taken", "update attempt set lane = 'other'", "lane_differs"),
    (
        "make up what a look-up found",
        "insert into lookup (lookup_id, controller_id, incident_no, message_id, attempt, found)
         select gen_random_uuid(), controller_id, incident_no, message_id, attempt, array['sb_1'] from attempt",
        "lookup_differs",
    ),
    (
        "make up a look-up of a call that nobody made",
        "insert into lookup (lookup_id, controller_id, incident_no, message_id, attempt) select gen_random_uuid(), controller_id, incident_no, message_id, 7 from attempt",
        "lookup_differs",
    ),
    (
        "have looked up before the call",
        "insert into lookup (lookup_id, controller_id, incident_no, message_id, attempt, sent_at)
         select gen_random_uuid(), controller_id, incident_no, message_id, attempt, claimed_at - interval '1 hour' from attempt",
        "lookup_differs",
    ),
    (
        "let a look-up know another message of the provider's",
        "insert into lookup (lookup_id, controller_id, incident_no, message_id, attempt, found)
         select gen_random_uuid(), controller_id, incident_no, message_id, attempt, array['another'] from attempt",
        "duplicate_without_alarm",
    ),
    ("name another template", "update prepared_content set template_hash = sha256('x')", "template_differs"),
    (
        "call an alert the full text",
        "update prepared_content set content = case content when 'full' then 'alert' else 'full' end",
        "template_differs",
    ),
    ("invent an email address", "update person set has_email = not has_email", "reach_differs"),
    ("forget an address", "update person set has_address = not has_address", "reach_differs"),
    ("invent a number", "update person set has_phone = true, commitments = commitments - 'sms'", "reach_differs"),
    (
        "let nobody lead any more",
        "set local session_replication_role = replica; update leadership set epoch = 9223372036854775807",
        "epoch_differs",
    ),
    ("forget who led", "set local session_replication_role = replica; update leadership set epoch = 0", "epoch_differs"),
    (
        "review a draft in another's name",
        "set local session_replication_role = replica;
         insert into template_review (template_hash, template, reviewed_by, command_id)
         select sha256('x'), 'uk-gdpr/letter.en', prepared_by, gen_random_uuid() from plan",
        "review_differs",
    ),
    (
        "put a letterhead in",
        "set local session_replication_role = replica;
         insert into letterhead (controller_id, letterhead_no, hash, check_page, set_by, command_id)
         select controller_id, 1, sha256('x'), 'evil.example', prepared_by, gen_random_uuid() from plan",
        "letterhead_differs",
    ),
    (
        "let a lane rest for ever",
        "set local session_replication_role = replica; insert into lane_pause (lane, until, code) values ('sms', 'infinity', '429')",
        "pause_differs",
    ),
    (
        "let a lane rest without a word",
        "insert into lane_pause (lane, until, code) values ('sms', now() + interval '1 minute', '429')",
        "pause_differs",
    ),
    ("forget a list", "set local session_replication_role = replica; delete from affected_list", "list_missing"),
    ("forget the controller", "set local session_replication_role = replica; delete from controller", "controller_missing"),
    ("write in another's name", "update controller set name = 'Southmere'", "controller_differs"),
    ("write other texts", r#"update incident set texts = texts || '{"advice": "Ring us."}'"#, "incident_differs"),
    ("say that nobody has seen the log", "delete from publication", "publication_missing"),
    ("stop the pulse", "delete from pulse", "pulse_missing"),
    ("forget who signed the log", "delete from leadership", "epoch_differs"),
    ("say that a call was made earlier", "update attempt set claimed_at = claimed_at - interval '1 hour'", "attempt_differs"),
    ("let a call start later", "update attempt set send_by = send_by + interval '1 hour'", "attempt_differs"),
    ("call a first call a repeat", "update attempt set is_repeat = true", "attempt_differs"),
    ("put another answer in", "update outcome set code = '299'", "outcome_differs"),
    ("say that somebody was told earlier", "update notice set ended_at = ended_at - interval '1 hour'", "time_differs"),
    ("say that somebody signed earlier", "update signed_command set at = at - interval '1 hour'", "time_differs"),
    ("tell people otherwise", "update notice set route = 'sms-then-letter'", "route_differs"),
    (
        "erase somebody in silence",
        "update person set erased_at = now() where person_id = (select min(person_id::text)::uuid from person)",
        "time_differs",
    ),
    ("say that an estimate is the network's word", "update receipt set claimed_by = 'network'", "receipt_differs"),
    (
        "call what nobody restored brought back",
        "update event set restored_id = gen_random_uuid() where ord = (select min(ord) from event where incident_no is null)",
        "brought_back_unsigned",
    ),
    (
        "let an event of nobody's alert",
        "set local session_replication_role = replica; update event set alerted = true where kind = 'incident.added'",
        "move_differs",
    ),
    ("sign for a user", "update signed_command set signature = sha256('x') || sha256('y')", "signature_differs"),
    (
        "copy what was never signed",
        "set local session_replication_role = replica; update publication set size = size + 1000",
        "anchor_without_checkpoint",
    ),
    (
        "prepare in another's name",
        "update plan set prepared_by = (select user_id from app_user where name = 'bob')",
        "plan_columns_differ",
    ),
    ("make up a restore", "insert into restored (restored_id, ground) values (gen_random_uuid(), 'pulse')", "restore_open"),
];

/// Those that only the keys can tell.
pub const COLUMNS_SEALED: &[(&str, &str, &str)] = &[
    ("tell somebody in another language", "update person set language = 'cy'", "person_differs"),
    ("print for somebody otherwise", "update person set format = 'large-print'", "person_differs"),
    ("move somebody", "update person set jurisdiction = 'FR'", "person_differs"),
    ("keep text messages from somebody", "update person set has_phone = false", "person_differs"),
    (
        "let somebody be found under another reference",
        "update person set reference_hash = sha256(reference_hash)",
        "person_differs",
    ),
    ("let a repeat be taken for another", "update person set fields_hash = sha256('x')", "person_differs"),
    ("say that another lane was taken", "update attempt set lane = 'sms-b'", "lane_differs"),
    ("let somebody else read receipts", "update controller set receipts_public_key = sha256('x')", "sealing_key_differs"),
    ("let somebody else read jobs", "update incident set intake_public_key = sha256('x')", "sealing_key_differs"),
    ("lose a list's key", "update affected_list set wrapped_key = 'x'", "sealing_key_differs"),
];
