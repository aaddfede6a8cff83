-- The schema after all migrations, written by tests/it/schema.rs; compared, never run.

table affected_list
    controller_id uuid not null
    incident_no bigint not null
    list_no integer not null
    source text not null
    file_hash bytea
    row_count bigint
    wrapped_key bytea not null
    columns jsonb not null default '{}'::jsonb
    locked_by text
    opened_at timestamp with time zone not null default duly_now()
    constraint affected_list_check CHECK (((source = 'jobs'::text) = (file_hash IS NULL)))
    constraint affected_list_controller_id_incident_no_fkey FOREIGN KEY (controller_id, incident_no) REFERENCES incident(controller_id, incident_no)
    constraint affected_list_list_no_check CHECK ((list_no > 0))
    constraint affected_list_pkey PRIMARY KEY (controller_id, incident_no, list_no)
    constraint affected_list_row_count_check CHECK ((row_count >= 0))
    constraint affected_list_source_check CHECK ((source = ANY (ARRAY['file'::text, 'jobs'::text, 'corrections'::text])))
    trigger only_while_open AFTER INSERT ON public.affected_list REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION only_while_open()
    grant insert, select to duly_app
    grant update (locked_by) to duly_app

table alarm
    alarm_id uuid not null
    controller_id uuid not null
    incident_no bigint not null
    message_id uuid
    code text not null
    raised_at timestamp with time zone not null default duly_now()
    constraint alarm_pkey PRIMARY KEY (alarm_id)
    grant insert, select to duly_app

table anchor
    anchor_id uuid not null
    log_id uuid not null
    generation integer not null
    size bigint not null
    kind text not null
    name text not null
    response bytea not null
    checkpoint bytea not null
    made_at timestamp with time zone not null default duly_now()
    constraint anchor_generation_check CHECK ((generation > 0))
    constraint anchor_kind_check CHECK ((kind = ANY (ARRAY['tsa'::text, 'witness'::text])))
    constraint anchor_pkey PRIMARY KEY (anchor_id)
    constraint anchor_size_check CHECK ((size > 0))
    index anchor_newest ON public.anchor USING btree (log_id, generation, kind, name, size)
    grant insert, select to duly_app

table app_user
    user_id uuid not null
    name text not null
    public_key bytea not null
    added_command_id uuid
    created_at timestamp with time zone not null default duly_now()
    revoked_at timestamp with time zone
    revoked_command_id uuid
    constraint app_user_added_command_id_fkey FOREIGN KEY (added_command_id) REFERENCES signed_command(command_id)
    constraint app_user_added_command_id_key UNIQUE (added_command_id)
    constraint app_user_check CHECK (((revoked_at IS NULL) = (revoked_command_id IS NULL)))
    constraint app_user_name_key UNIQUE (name)
    constraint app_user_pkey PRIMARY KEY (user_id)
    constraint app_user_public_key_check CHECK ((octet_length(public_key) = 32))
    constraint app_user_public_key_key UNIQUE (public_key)
    constraint app_user_revoked_command_id_fkey FOREIGN KEY (revoked_command_id) REFERENCES signed_command(command_id)
    constraint app_user_revoked_command_id_key UNIQUE (revoked_command_id)
    trigger check_user BEFORE INSERT OR UPDATE OF revoked_at, revoked_command_id ON public.app_user FOR EACH ROW EXECUTE FUNCTION check_user()
    grant select to duly_app
    grant insert (user_id, name, public_key, added_command_id) to duly_app
    grant update (revoked_at, revoked_command_id) to duly_app

table approved_text
    hash bytea not null
    name text not null
    body bytea not null
    constraint approved_text_check CHECK ((hash = sha256(body)))
    constraint approved_text_pkey PRIMARY KEY (hash)
    grant insert, select to duly_app

table attempt
    controller_id uuid not null
    incident_no bigint not null
    message_id uuid not null
    attempt integer not null
    person_id uuid not null
    lane text not null
    is_repeat boolean not null
    reference text not null
    request bytea not null
    claimed_at timestamp with time zone not null default duly_now()
    send_by timestamp with time zone not null
    constraint attempt_attempt_check CHECK ((attempt > 0))
    constraint attempt_pkey PRIMARY KEY (controller_id, incident_no, message_id, attempt)
    constraint attempt_reference_check CHECK ((reference ~ '^[0-9a-f]{32}$'::text))
    index attempt_reference ON public.attempt USING btree (reference)
    grant insert, select to duly_app

table checkpoint
    log_no integer not null
    generation integer not null
    size bigint not null
    root bytea not null
    note text not null
    epoch bigint not null
    signed_at timestamp with time zone not null default duly_now()
    constraint checkpoint_log_no_generation_fkey FOREIGN KEY (log_no, generation) REFERENCES log_generation(log_no, generation)
    constraint checkpoint_pkey PRIMARY KEY (log_no, generation, size)
    constraint checkpoint_root_check CHECK ((octet_length(root) = 32))
    constraint checkpoint_size_check CHECK ((size > 0))
    trigger only_grow BEFORE INSERT ON public.checkpoint FOR EACH ROW EXECUTE FUNCTION only_grow()
    grant insert, select to duly_app

table controller
    controller_id uuid not null
    slug text not null
    name text not null
    sms_sender text not null
    address text[] not null
    receipts_public_key bytea not null
    receipts_secret_key bytea not null
    created_at timestamp with time zone not null default duly_now()
    constraint controller_pkey PRIMARY KEY (controller_id)
    constraint controller_receipts_public_key_check CHECK ((octet_length(receipts_public_key) = 32))
    constraint controller_slug_check CHECK ((slug ~ '^[a-z0-9][a-z0-9-]{0,62}$'::text))
    constraint controller_slug_key UNIQUE (slug)
    constraint controller_sms_sender_check CHECK ((sms_sender ~ '^[A-Za-z0-9]{3,11}$'::text))
    grant insert, select to duly_app
    grant select (controller_id, slug, receipts_public_key) to duly_receipts

table controller_list_key
    controller_id uuid not null
    key_no integer not null
    public_key bytea not null
    user_id uuid not null
    command_id uuid not null
    pinned_at timestamp with time zone not null default duly_now()
    constraint controller_list_key_command_id_fkey FOREIGN KEY (command_id) REFERENCES signed_command(command_id)
    constraint controller_list_key_controller_id_fkey FOREIGN KEY (controller_id) REFERENCES controller(controller_id)
    constraint controller_list_key_key_no_check CHECK ((key_no > 0))
    constraint controller_list_key_pkey PRIMARY KEY (controller_id, key_no)
    constraint controller_list_key_public_key_check CHECK ((octet_length(public_key) = 32))
    constraint controller_list_key_user_id_fkey FOREIGN KEY (user_id) REFERENCES app_user(user_id)
    trigger check_list_key BEFORE INSERT ON public.controller_list_key FOR EACH ROW EXECUTE FUNCTION check_list_key()
    trigger list_key_is_told AFTER INSERT ON public.controller_list_key DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION list_key_is_told()
    grant select to duly_app
    grant insert (controller_id, key_no, public_key, user_id, command_id) to duly_app

table erasure
    controller_id uuid not null
    incident_no bigint not null
    person_id uuid not null
    tombstone bytea not null
    copy_lists integer[] not null
    copy_identities bytea[] not null
    copy_jobs uuid[] not null
    command_id uuid not null
    erased_at timestamp with time zone not null default duly_now()
    constraint erasure_check CHECK ((cardinality(copy_lists) = cardinality(copy_identities)))
    constraint erasure_command_id_fkey FOREIGN KEY (command_id) REFERENCES signed_command(command_id)
    constraint erasure_controller_id_incident_no_person_id_fkey FOREIGN KEY (controller_id, incident_no, person_id) REFERENCES person(controller_id, incident_no, person_id)
    constraint erasure_pkey PRIMARY KEY (controller_id, incident_no, person_id)
    constraint erasure_tombstone_check CHECK ((octet_length(tombstone) = 32))
    constraint erasure_tombstone_controller_id_incident_no_key UNIQUE (tombstone, controller_id, incident_no)
    trigger check_erasure AFTER INSERT ON public.erasure DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_erasure()
    grant select to duly_app
    grant insert (controller_id, incident_no, person_id, tombstone, copy_lists, copy_identities, copy_jobs, command_id) to duly_app

table event
    ord bigint not null generated always as identity
    controller_id uuid
    incident_no bigint
    person_id uuid
    n bigint
    kind text not null
    message_id uuid
    message_from text
    message_to text
    notice_phase integer
    notice_from text
    notice_to text
    plan_no integer
    plan_from text
    plan_to text
    alerted boolean not null default false
    attempt integer
    due_in_ms bigint
    lease_in_ms bigint
    body bytea not null
    leaf bytea not null
    restored_id uuid
    constraint a_person_has_an_incident CHECK (((person_id IS NULL) OR (incident_no IS NOT NULL)))
    constraint an_incident_has_a_controller CHECK (((incident_no IS NULL) OR (controller_id IS NOT NULL)))
    constraint event_body_check CHECK ((octet_length(body) <= 4096))
    constraint event_check CHECK ((leaf = sha256(('\x00'::bytea || body))))
    constraint event_check1 CHECK (((person_id IS NULL) = (n IS NULL)))
    constraint event_check2 CHECK (((message_from IS NULL) = (message_to IS NULL)))
    constraint event_check3 CHECK (((notice_from IS NULL) = (notice_to IS NULL)))
    constraint event_check4 CHECK (((plan_from IS NULL) = (plan_to IS NULL)))
    constraint event_controller_id_incident_no_person_id_n_key UNIQUE (controller_id, incident_no, person_id, n)
    constraint event_pkey PRIMARY KEY (ord)
    constraint kinds_are_words CHECK ( CASE WHEN (kind = ANY (ARRAY['message.intent'::text, 'message.accepted'::text, 'receipt'::text])) THEN true ELSE (kind ~ '^[a-z_]+(\.[a-z_]+)*$'::text) END)
    UNIQUE index event_command ON public.event USING btree (command_use(kind, incident_no, body)) WHERE (command_use(kind, incident_no, body) IS NOT NULL)
    index event_key_changed ON public.event USING btree (controller_id, incident_no) WHERE (kind = 'log.key_changed'::text)
    index event_unknown ON public.event USING btree (controller_id, incident_no) WHERE (kind = 'message.unknown'::text)
    trigger apply_events AFTER INSERT ON public.event REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION apply_events()
    trigger check_auditor AFTER INSERT ON public.event FOR EACH ROW WHEN (((new.kind = ANY (ARRAY['audit.passed'::text, 'audit.failed'::text])) AND (new.restored_id IS NULL))) EXECUTE FUNCTION check_auditor()
    trigger check_events AFTER INSERT ON public.event REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION check_events()
    trigger look_again AFTER INSERT ON public.event DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (((new.kind = ANY (ARRAY['log.key_changed'::text, 'notice.reopened'::text])) OR (new.notice_to = ANY (ARRAY['exempt'::text, 'withdrawn'::text])) OR (new.message_to = 'ready'::text))) EXECUTE FUNCTION look_again()
    grant select to duly_app
    grant insert (controller_id, incident_no, kind, body, leaf) to duly_audit
    grant insert (controller_id, incident_no, person_id, n, kind, message_id, message_from, message_to, notice_phase, notice_from, notice_to, plan_no, plan_from, plan_to, alerted, attempt, due_in_ms, lease_in_ms, body, leaf, restored_id) to duly_app

table event_inbox
    first_ord bigint not null
    controller_id uuid
    incident_no bigint
    ords bigint[] not null
    since timestamp with time zone not null
    constraint event_inbox_check CHECK ((((cardinality(ords) >= 1) AND (cardinality(ords) <= 256)) AND (ords[1] = first_ord) AND ((ords[cardinality(ords)] / 256) = (first_ord / 256))))
    constraint event_inbox_pkey PRIMARY KEY (first_ord)
    grant select to duly_app

sequence event_ord_seq

table hand_over
    log_id uuid not null
    generation integer not null
    size bigint not null
    way text not null
    to_name text not null
    occasion text not null
    made_at timestamp with time zone not null default duly_now()
    constraint hand_over_generation_check CHECK ((generation > 0))
    constraint hand_over_occasion_check CHECK ((occasion = ANY (ARRAY['freeze'::text, 'daily'::text, 'close'::text])))
    constraint hand_over_pkey PRIMARY KEY (log_id, generation, way, to_name, size)
    constraint hand_over_size_check CHECK ((size > 0))
    constraint hand_over_way_check CHECK ((way = ANY (ARRAY['folder'::text, 'mail'::text, 'webhook'::text])))
    grant insert, select to duly_app

table hold
    hold_id uuid not null
    controller_id uuid not null
    incident_no bigint not null
    person_id uuid
    reason text not null
    set_by uuid not null
    command_id uuid not null
    set_at timestamp with time zone not null default duly_now()
    lifted_by uuid
    lifted_command_id uuid
    lifted_at timestamp with time zone
    constraint hold_check CHECK ((((lifted_at IS NULL) = (lifted_by IS NULL)) AND ((lifted_at IS NULL) = (lifted_command_id IS NULL))))
    constraint hold_command_id_fkey FOREIGN KEY (command_id) REFERENCES signed_command(command_id)
    constraint hold_command_id_key UNIQUE (command_id)
    constraint hold_lifted_by_fkey FOREIGN KEY (lifted_by) REFERENCES app_user(user_id)
    constraint hold_lifted_command_id_fkey FOREIGN KEY (lifted_command_id) REFERENCES signed_command(command_id)
    constraint hold_lifted_command_id_key UNIQUE (lifted_command_id)
    constraint hold_pkey PRIMARY KEY (hold_id)
    constraint hold_reason_check CHECK ((reason <> ''::text))
    constraint hold_set_by_fkey FOREIGN KEY (set_by) REFERENCES app_user(user_id)
    index hold_open ON public.hold USING btree (controller_id, incident_no) WHERE (lifted_at IS NULL)
    trigger check_hold BEFORE INSERT OR UPDATE ON public.hold FOR EACH ROW EXECUTE FUNCTION check_hold()
    trigger hold_has_event AFTER INSERT OR UPDATE ON public.hold DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION hold_has_event()
    grant select to duly_app
    grant insert (hold_id, controller_id, incident_no, person_id, reason, set_by, command_id) to duly_app
    grant update (lifted_by, lifted_command_id, lifted_at) to duly_app

table incident
    controller_id uuid not null
    incident_no bigint not null generated always as identity
    incident_id uuid not null
    slug text not null
    profile text not null
    texts jsonb not null
    wrapped_key bytea not null
    intake_public_key bytea not null
    intake_secret_key bytea not null
    approvals_required integer not null default 1
    hold_version bigint not null default 0
    closed_at timestamp with time zone
    locked_by text
    created_at timestamp with time zone not null default duly_now()
    constraint incident_approvals_required_check CHECK (((approvals_required >= 1) AND (approvals_required <= 2)))
    constraint incident_controller_id_fkey FOREIGN KEY (controller_id) REFERENCES controller(controller_id)
    constraint incident_controller_id_slug_key UNIQUE (controller_id, slug)
    constraint incident_incident_id_key UNIQUE (incident_id)
    constraint incident_incident_no_key UNIQUE (incident_no)
    constraint incident_intake_public_key_check CHECK ((octet_length(intake_public_key) = 32))
    constraint incident_pkey PRIMARY KEY (controller_id, incident_no)
    constraint incident_slug_check CHECK ((slug ~ '^[a-z0-9][a-z0-9-]{0,62}$'::text))
    trigger incident_has_event AFTER INSERT ON public.incident DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION incident_has_event()
    grant select to duly_app
    grant select to duly_audit
    grant insert (controller_id, incident_id, slug, profile, texts, wrapped_key, intake_public_key, intake_secret_key, approvals_required) to duly_app
    grant update (hold_version, locked_by) to duly_app

sequence incident_incident_no_seq

table installation
    installation_id uuid not null default gen_random_uuid()
    only_one boolean not null default true
    constraint installation_only_one_check CHECK (only_one)
    constraint installation_only_one_key UNIQUE (only_one)
    constraint installation_pkey PRIMARY KEY (installation_id)
    grant select to duly_app
    grant select to duly_audit

table lane_batch
    lane text not null
    batch text not null
    noted_at timestamp with time zone not null default duly_now()
    constraint lane_batch_pkey PRIMARY KEY (lane, batch)
    grant select to duly_app
    grant insert (lane, batch) to duly_app

table lane_day
    lane text not null
    day date not null
    taken bigint not null default 0
    constraint lane_day_pkey PRIMARY KEY (lane, day)
    constraint lane_day_taken_check CHECK ((taken >= 0))
    grant insert, select to duly_app
    grant update (taken) to duly_app

table lane_health
    lane text not null
    window_from timestamp with time zone not null default duly_now()
    calls bigint not null
    bad bigint not null
    constraint lane_health_check CHECK (((bad >= 0) AND (bad <= calls)))
    constraint lane_health_pkey PRIMARY KEY (lane)
    grant delete, insert, select, update to duly_app

table lane_pause
    lane text not null
    until timestamp with time zone not null
    code text not null
    since timestamp with time zone not null default duly_now()
    rests integer not null default 0
    constraint lane_pause_pkey PRIMARY KEY (lane)
    trigger check_pause BEFORE INSERT OR UPDATE ON public.lane_pause FOR EACH ROW EXECUTE FUNCTION check_pause()
    grant delete, insert, select to duly_app
    grant update (until, code, since, rests) to duly_app

table leadership
    role text not null
    epoch bigint not null
    holder text not null
    expires_at timestamp with time zone not null
    locked_by text
    constraint leadership_pkey PRIMARY KEY (role)
    trigger check_lead BEFORE INSERT OR UPDATE ON public.leadership FOR EACH ROW EXECUTE FUNCTION check_lead()
    grant insert, select to duly_app
    grant update (epoch, holder, expires_at, locked_by) to duly_app

table let_go
    controller_id uuid not null
    incident_no bigint not null
    person_id uuid not null
    phase integer not null
    n bigint not null
    plan_no integer not null
    constraint let_go_pkey PRIMARY KEY (controller_id, incident_no, person_id, phase, plan_no)
    grant select to duly_app

table letter_asked
    controller_id uuid not null
    incident_no bigint not null
    message_id uuid not null
    asked_at timestamp with time zone not null default duly_now()
    constraint letter_asked_pkey PRIMARY KEY (controller_id, incident_no, message_id, asked_at)
    grant select to duly_app
    grant insert (controller_id, incident_no, message_id) to duly_app

table letterhead
    controller_id uuid not null
    letterhead_no integer not null
    hash bytea not null
    logo bytea
    logo_alt text
    check_page text
    set_by uuid not null
    command_id uuid not null
    set_at timestamp with time zone not null default duly_now()
    signature bytea
    signature_alt text
    constraint letterhead_check CHECK (((logo IS NULL) = (logo_alt IS NULL)))
    constraint letterhead_check1 CHECK (((signature IS NULL) = (signature_alt IS NULL)))
    constraint letterhead_command_id_fkey FOREIGN KEY (command_id) REFERENCES signed_command(command_id)
    constraint letterhead_command_id_key UNIQUE (command_id)
    constraint letterhead_controller_id_fkey FOREIGN KEY (controller_id) REFERENCES controller(controller_id)
    constraint letterhead_hash_check CHECK ((octet_length(hash) = 32))
    constraint letterhead_letterhead_no_check CHECK ((letterhead_no > 0))
    constraint letterhead_pkey PRIMARY KEY (controller_id, letterhead_no)
    constraint letterhead_set_by_fkey FOREIGN KEY (set_by) REFERENCES app_user(user_id)
    grant select to duly_app
    grant insert (controller_id, letterhead_no, hash, logo, logo_alt, check_page, set_by, command_id, signature, signature_alt) to duly_app

table list_freeze
    controller_id uuid not null
    incident_no bigint not null
    list_no integer not null
    people bigint not null
    manifest_root bytea not null
    frozen_at timestamp with time zone not null default duly_now()
    constraint list_freeze_controller_id_incident_no_list_no_fkey FOREIGN KEY (controller_id, incident_no, list_no) REFERENCES affected_list(controller_id, incident_no, list_no)
    constraint list_freeze_manifest_root_check CHECK ((octet_length(manifest_root) = 32))
    constraint list_freeze_people_check CHECK ((people >= 0))
    constraint list_freeze_pkey PRIMARY KEY (controller_id, incident_no, list_no)
    trigger only_while_open AFTER INSERT ON public.list_freeze REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION only_while_open()
    grant insert, select to duly_app

table log
    log_no integer not null generated always as identity
    kind text not null
    controller_id uuid
    incident_no bigint
    log_id uuid not null
    constraint log_check CHECK ((kind = CASE WHEN (incident_no IS NOT NULL) THEN 'incident'::text WHEN (controller_id IS NOT NULL) THEN 'controller'::text ELSE 'system'::text END))
    constraint log_controller_id_fkey FOREIGN KEY (controller_id) REFERENCES controller(controller_id)
    constraint log_controller_id_incident_no_key UNIQUE NULLS NOT DISTINCT (controller_id, incident_no)
    constraint log_incident_no_fkey FOREIGN KEY (incident_no) REFERENCES incident(incident_no)
    constraint log_kind_check CHECK ((kind = ANY (ARRAY['incident'::text, 'controller'::text, 'system'::text])))
    constraint log_log_id_key UNIQUE (log_id)
    constraint log_pkey PRIMARY KEY (log_no)
    trigger check_log BEFORE INSERT ON public.log FOR EACH ROW EXECUTE FUNCTION check_log()
    grant insert, select to duly_app

table log_generation
    log_no integer not null
    generation integer not null
    origin text not null
    opened_at timestamp with time zone not null default duly_now()
    constraint log_generation_generation_check CHECK ((generation > 0))
    constraint log_generation_log_no_fkey FOREIGN KEY (log_no) REFERENCES log(log_no)
    constraint log_generation_origin_key UNIQUE (origin)
    constraint log_generation_pkey PRIMARY KEY (log_no, generation)
    trigger generation_is_opened AFTER INSERT ON public.log_generation DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION generation_is_opened()
    grant insert, select to duly_app

sequence log_log_no_seq

table log_tile
    log_no integer not null
    generation integer not null
    level integer not null
    tile_no bigint not null
    hashes bytea not null
    constraint log_tile_hashes_check CHECK ((((octet_length(hashes) >= 32) AND (octet_length(hashes) <= 8192)) AND ((octet_length(hashes) % 32) = 0)))
    constraint log_tile_level_check CHECK (((level >= 0) AND (level <= 7)))
    constraint log_tile_pkey PRIMARY KEY (log_no, generation, level, tile_no)
    constraint log_tile_tile_no_check CHECK ((tile_no >= 0))
    trigger only_append BEFORE UPDATE ON public.log_tile FOR EACH ROW EXECUTE FUNCTION only_append()
    grant insert, select to duly_app
    grant update (hashes) to duly_app

table lookup
    lookup_id uuid not null
    controller_id uuid not null
    incident_no bigint not null
    message_id uuid not null
    attempt integer not null
    sent_at timestamp with time zone not null default duly_now()
    found text[]
    cost_milli bigint
    currency text
    asks_price boolean not null default false
    unknown_word text
    parts integer
    differs text
    constraint lookup_cost_milli_check CHECK ((cost_milli >= 0))
    constraint lookup_parts_check CHECK ((parts > 0))
    constraint lookup_pkey PRIMARY KEY (lookup_id)
    constraint lookup_unknown_word_check CHECK ((length(unknown_word) <= 200))
    index lookup_message ON public.lookup USING btree (message_id)
    index lookup_unknown_word ON public.lookup USING btree (message_id) WHERE (unknown_word IS NOT NULL)
    grant insert, select to duly_app
    grant update (found, cost_milli, currency, unknown_word, parts, differs) to duly_app

table message
    controller_id uuid not null
    incident_no bigint not null
    message_id uuid not null
    person_id uuid not null
    phase integer not null
    channel text not null
    reason text not null
    ordinal integer not null
    plan_no integer not null
    postage_class text
    state text not null default 'ready'::text
    attempt integer not null default 0
    counted_from integer not null default 0
    lane text
    due_at timestamp with time zone
    lease_until timestamp with time zone
    expires_at timestamp with time zone not null
    zones text[]
    constraint letters_have_postage CHECK (((channel <> 'letter'::text) OR (postage_class IS NOT NULL)))
    constraint message_attempt_check CHECK ((attempt >= 0))
    constraint message_channel_check CHECK ((channel = ANY (ARRAY['sms'::text, 'letter'::text, 'email'::text])))
    constraint message_check CHECK ((counted_from <= attempt))
    constraint message_controller_id_incident_no_person_id_phase_channel_r_key UNIQUE (controller_id, incident_no, person_id, phase, channel, reason, ordinal)
    constraint message_ordinal_check CHECK ((ordinal > 0))
    constraint message_pkey PRIMARY KEY (controller_id, incident_no, message_id)
    constraint message_postage_class_check CHECK ((postage_class = ANY (ARRAY['first'::text, 'second'::text])))
    constraint message_reason_check CHECK ((reason = ANY (ARRAY['first'::text, 'escalation'::text, 'resend'::text, 'correction'::text])))
    constraint message_state_check CHECK ((state = ANY (ARRAY['ready'::text, 'sending'::text, 'unknown'::text, 'asked'::text, 'accepted'::text, 'sent'::text, 'printed'::text, 'handed_to_carrier'::text, 'delivered_to_handset'::text, 'carrier_delivered'::text, 'returned'::text, 'failed'::text, 'expired'::text, 'rejected'::text, 'exhausted'::text, 'overdue'::text, 'superseded'::text, 'cancelled'::text])))
    constraint open_states_have_a_deadline CHECK (((due_at IS NOT NULL) OR (state = ANY (ARRAY['handed_to_carrier'::text, 'delivered_to_handset'::text, 'carrier_delivered'::text, 'returned'::text, 'failed'::text, 'expired'::text, 'rejected'::text, 'exhausted'::text, 'superseded'::text, 'cancelled'::text]))))
    constraint sending_has_a_lease CHECK (((state <> 'sending'::text) OR (lease_until IS NOT NULL)))
    UNIQUE index message_by_id ON public.message USING btree (message_id)
    index message_late ON public.message USING btree (incident_no, plan_no, expires_at) WHERE (state = 'ready'::text)
    index message_leased ON public.message USING btree (lane, lease_until) WHERE (lease_until IS NOT NULL)
    index message_open ON public.message USING btree (incident_no, due_at) WHERE ((state <> 'ready'::text) AND (due_at IS NOT NULL))
    index message_tried ON public.message USING btree (incident_no, plan_no) WHERE ((state = 'ready'::text) AND (attempt > counted_from))
    index message_waiting ON public.message USING btree (incident_no, plan_no, channel, due_at) WHERE (state = 'ready'::text)
    trigger lane_stays BEFORE UPDATE OF lane ON public.message FOR EACH ROW WHEN (((old.lane IS NOT NULL) AND (new.lane IS DISTINCT FROM old.lane))) EXECUTE FUNCTION lane_stays()
    trigger message_has_cause AFTER INSERT ON public.message DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN ((new.reason <> 'first'::text)) EXECUTE FUNCTION message_has_cause()
    trigger no_message_after_decision AFTER INSERT ON public.message REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION no_message_after_decision()
    trigger plan_is_new AFTER INSERT ON public.message REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION plan_is_new()
    grant select to duly_app
    grant insert (controller_id, incident_no, message_id, person_id, phase, channel, reason, ordinal, plan_no, postage_class, due_at, expires_at, zones) to duly_app
    grant update (lane, due_at, lease_until) to duly_app

table message_move
    from_state text not null
    to_state text not null
    constraint message_move_pkey PRIMARY KEY (from_state, to_state)
    grant select to duly_app

table misfit
    controller_id uuid not null
    incident_no bigint not null
    message_id uuid not null
    attempt integer not null
    code text not null
    found_at timestamp with time zone not null default duly_now()
    constraint misfit_code_check CHECK ((code = ANY (ARRAY['does_not_open'::text, 'does_not_render'::text, 'not_as_approved'::text])))
    constraint misfit_pkey PRIMARY KEY (controller_id, incident_no, message_id, attempt)
    grant select to duly_app
    grant insert (controller_id, incident_no, message_id, attempt, code) to duly_app

table notice
    controller_id uuid not null
    incident_no bigint not null
    person_id uuid not null
    phase integer not null
    plan_no integer not null
    profile text not null
    route text not null
    state text not null default 'open'::text
    alerted_at timestamp with time zone
    ended_at timestamp with time zone
    problem text
    constraint notice_check CHECK (((state = 'open'::text) = (ended_at IS NULL)))
    constraint notice_phase_check CHECK ((phase > 0))
    constraint notice_pkey PRIMARY KEY (controller_id, incident_no, person_id, phase)
    constraint notice_route_check CHECK ((route = ANY (ARRAY['sms'::text, 'letter'::text, 'email'::text, 'sms-and-letter'::text, 'sms-then-letter'::text, 'email-then-letter'::text])))
    constraint notice_state_check CHECK ((state = ANY (ARRAY['open'::text, 'notified'::text, 'unreachable'::text, 'exempt'::text, 'withdrawn'::text])))
    grant select to duly_app
    grant insert (controller_id, incident_no, person_id, phase, plan_no, profile, route, problem) to duly_app

table notice_move
    from_state text not null
    to_state text not null
    constraint notice_move_pkey PRIMARY KEY (from_state, to_state)
    grant select to duly_app

table outcome
    controller_id uuid not null
    incident_no bigint not null
    message_id uuid not null
    attempt integer not null
    kind text not null
    provider_id text
    code text not null
    parts integer
    cost_milli bigint
    currency text
    at timestamp with time zone not null default duly_now()
    constraint outcome_check CHECK (((kind <> 'accepted'::text) OR (provider_id IS NOT NULL)))
    constraint outcome_cost_milli_check CHECK ((cost_milli >= 0))
    constraint outcome_kind_check CHECK ((kind = ANY (ARRAY['accepted'::text, 'rejected'::text, 'not_taken'::text, 'lane_stopped'::text, 'unknown'::text])))
    constraint outcome_parts_check CHECK ((parts >= 0))
    constraint outcome_pkey PRIMARY KEY (controller_id, incident_no, message_id, attempt)
    index outcome_at ON public.outcome USING brin (at) WITH (pages_per_range='16', autosummarize='on')
    index outcome_provider_id ON public.outcome USING btree (provider_id) WHERE (provider_id IS NOT NULL)
    grant insert, select to duly_app

table person
    controller_id uuid not null
    incident_no bigint not null
    person_id uuid not null
    list_no integer not null
    version integer not null default 1
    contact bytea not null
    reference_hash bytea not null
    fields_hash bytea not null
    reference_code text not null
    language text not null
    format text not null
    jurisdiction text not null
    has_phone boolean not null
    has_address boolean not null
    commitments jsonb not null
    last_n bigint not null default 0
    last_leaf bytea
    locked_by text
    created_at timestamp with time zone not null default duly_now()
    erased_at timestamp with time zone
    has_email boolean not null default false
    constraint person_fields_hash_check CHECK ((octet_length(fields_hash) = 32))
    constraint person_pkey PRIMARY KEY (controller_id, incident_no, person_id)
    constraint person_reference_code_controller_id_key UNIQUE (reference_code, controller_id)
    constraint person_reference_hash_check CHECK ((octet_length(reference_hash) = 32))
    constraint person_reference_hash_controller_id_incident_no_key UNIQUE (reference_hash, controller_id, incident_no)
    grant select to duly_app
    grant insert (controller_id, incident_no, person_id, list_no, version, contact, reference_hash, fields_hash, reference_code, language, format, jurisdiction, has_phone, has_address, commitments, has_email) to duly_app
    grant update (locked_by) to duly_app

table person_key
    controller_id uuid not null
    incident_no bigint not null
    person_id uuid not null
    wrapped bytea not null
    constraint person_key_pkey PRIMARY KEY (controller_id, incident_no, person_id)
    grant insert, select to duly_app

view place
    log_no integer
    generation integer
    seq bigint
    ord bigint
    defined as SELECT s.log_no, s.generation, ((s.first_seq + o.at) - 1) AS seq, o.ord FROM (sequenced s CROSS JOIN LATERAL unnest(s.ords) WITH ORDINALITY o(ord, at)); with security_invoker=true
    grant select to duly_app

table plan
    controller_id uuid not null
    incident_no bigint not null
    plan_no integer not null
    state text not null default 'prepared'::text
    body bytea not null
    hash bytea not null
    message_deadline_ms bigint not null
    postage_class text not null
    lanes text[] not null
    is_urgent boolean not null
    prepared_by uuid not null
    prepared_at timestamp with time zone not null default duly_now()
    quiet_from time without time zone
    quiet_until time without time zone
    zones text[] not null default '{}'::text[]
    constraint plan_check CHECK ((hash = sha256(body)))
    constraint plan_controller_id_incident_no_fkey FOREIGN KEY (controller_id, incident_no) REFERENCES incident(controller_id, incident_no)
    constraint plan_message_deadline_ms_check CHECK ((message_deadline_ms > 0))
    constraint plan_pkey PRIMARY KEY (controller_id, incident_no, plan_no)
    constraint plan_plan_no_check CHECK ((plan_no > 0))
    constraint plan_postage_class_check CHECK ((postage_class = ANY (ARRAY['first'::text, 'second'::text])))
    constraint plan_prepared_by_fkey FOREIGN KEY (prepared_by) REFERENCES app_user(user_id)
    constraint plan_state_check CHECK ((state = ANY (ARRAY['prepared'::text, 'approved'::text, 'running'::text, 'paused'::text, 'withdrawn'::text])))
    constraint quiet_hours_have_both_ends CHECK (((quiet_from IS NULL) = (quiet_until IS NULL)))
    trigger only_while_open AFTER INSERT ON public.plan REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION only_while_open()
    grant select to duly_app
    grant insert (controller_id, incident_no, plan_no, body, hash, message_deadline_ms, postage_class, lanes, is_urgent, prepared_by, quiet_from, quiet_until, zones) to duly_app

table plan_approval
    controller_id uuid not null
    incident_no bigint not null
    plan_no integer not null
    user_id uuid not null
    command_id uuid not null
    constraint plan_approval_command_id_fkey FOREIGN KEY (command_id) REFERENCES signed_command(command_id)
    constraint plan_approval_command_id_key UNIQUE (command_id)
    constraint plan_approval_controller_id_incident_no_plan_no_fkey FOREIGN KEY (controller_id, incident_no, plan_no) REFERENCES plan(controller_id, incident_no, plan_no)
    constraint plan_approval_pkey PRIMARY KEY (controller_id, incident_no, plan_no, user_id)
    constraint plan_approval_user_id_fkey FOREIGN KEY (user_id) REFERENCES app_user(user_id)
    trigger check_approval BEFORE INSERT ON public.plan_approval FOR EACH ROW EXECUTE FUNCTION check_approval()
    trigger only_while_open AFTER INSERT ON public.plan_approval REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION only_while_open()
    grant insert, select to duly_app

table plan_move
    kind text not null
    command text not null
    from_state text not null
    to_state text not null
    constraint plan_move_pkey PRIMARY KEY (kind, from_state)
    grant select to duly_app

table prepared_content
    controller_id uuid not null
    incident_no bigint not null
    person_id uuid not null
    phase integer not null
    channel text not null
    person_version integer not null
    content text not null
    template_hash bytea not null
    commitment bytea not null
    constraint prepared_content_channel_check CHECK ((channel = ANY (ARRAY['sms'::text, 'letter'::text, 'email'::text])))
    constraint prepared_content_commitment_check CHECK ((octet_length(commitment) = 32))
    constraint prepared_content_content_check CHECK ((content = ANY (ARRAY['full'::text, 'alert'::text])))
    constraint prepared_content_pkey PRIMARY KEY (controller_id, incident_no, person_id, phase, channel)
    constraint prepared_content_template_hash_check CHECK ((octet_length(template_hash) = 32))
    grant insert, select to duly_app

table publication
    log_no integer not null
    generation integer not null
    size bigint not null
    published_at timestamp with time zone not null default duly_now()
    constraint publication_log_no_generation_size_fkey FOREIGN KEY (log_no, generation, size) REFERENCES checkpoint(log_no, generation, size)
    constraint publication_pkey PRIMARY KEY (log_no, generation, size)
    grant insert, select to duly_app

table pulse
    only_one boolean not null default true
    beat bigint not null default 0
    constraint pulse_beat_check CHECK ((beat >= 0))
    constraint pulse_only_one_check CHECK (only_one)
    constraint pulse_pkey PRIMARY KEY (only_one)
    trigger check_pulse BEFORE UPDATE ON public.pulse FOR EACH ROW EXECUTE FUNCTION check_pulse()
    grant select to duly_app
    grant update (beat) to duly_app

table receipt
    receipt_id uuid not null
    controller_id uuid not null
    provider text not null
    sealed bytea
    sealed_under text not null default 'controller'::text
    verdict text not null
    event_name text
    reference text
    provider_id text
    status text
    claimed text
    unknown_word text
    received_at timestamp with time zone not null default duly_now()
    due_at timestamp with time zone default duly_now()
    result text
    message_id uuid
    claimed_by text
    stop_code text
    constraint only_false_receipts_are_refused CHECK (((result IS DISTINCT FROM 'refused'::text) OR (verdict <> 'verified'::text)))
    constraint only_signed_receipts_have_a_body CHECK (((sealed IS NULL) OR (verdict = ANY (ARRAY['verified'::text, 'malformed'::text]))))
    constraint receipt_claimed_by_check CHECK ((claimed_by = ANY (ARRAY['provider'::text, 'network'::text, 'carrier'::text, 'estimate'::text, 'person'::text])))
    constraint receipt_claimed_check CHECK ((claimed = ANY (ARRAY['accepted'::text, 'sent'::text, 'printed'::text, 'handed_to_carrier'::text, 'delivered_to_handset'::text, 'carrier_delivered'::text, 'returned'::text, 'failed'::text, 'expired'::text])))
    constraint receipt_pkey PRIMARY KEY (receipt_id)
    constraint receipt_result_check CHECK ((result = ANY (ARRAY['applied'::text, 'no_change'::text, 'replay'::text, 'unmatched'::text, 'refused'::text])))
    constraint receipt_sealed_under_check CHECK ((sealed_under = ANY (ARRAY['controller'::text, 'person'::text])))
    constraint receipt_status_check CHECK ((status = ANY (ARRAY['accepted'::text, 'sent'::text, 'printed'::text, 'handed_to_carrier'::text, 'delivered_to_handset'::text, 'carrier_delivered'::text, 'returned'::text, 'failed'::text, 'expired'::text])))
    constraint receipt_stop_code_check CHECK ((length(stop_code) <= 32))
    constraint receipt_unknown_word_check CHECK ((length(unknown_word) <= 200))
    constraint receipt_verdict_check CHECK ((verdict = ANY (ARRAY['verified'::text, 'bad_signature'::text, 'stale'::text, 'malformed'::text, 'too_large'::text])))
    constraint receipts_wait_or_have_a_result CHECK (((due_at IS NOT NULL) OR (result IS NOT NULL)))
    index receipt_due ON public.receipt USING btree (due_at) WHERE (due_at IS NOT NULL)
    index receipt_event ON public.receipt USING btree (controller_id, provider, event_name, receipt_id) WHERE (verdict = 'verified'::text)
    index receipt_laid_aside ON public.receipt USING btree (received_at) WHERE (result = ANY (ARRAY['refused'::text, 'unmatched'::text, 'replay'::text]))
    index receipt_message ON public.receipt USING btree (message_id) WHERE (message_id IS NOT NULL)
    index receipt_unknown_word ON public.receipt USING btree (provider) WHERE (unknown_word IS NOT NULL)
    trigger check_forgotten BEFORE DELETE ON public.receipt FOR EACH ROW EXECUTE FUNCTION check_forgotten()
    trigger receipt_begins_undecided BEFORE INSERT ON public.receipt FOR EACH ROW EXECUTE FUNCTION receipt_begins_undecided()
    trigger receipt_says_what_it_said BEFORE UPDATE OF status ON public.receipt FOR EACH ROW WHEN ((old.status IS DISTINCT FROM new.status)) EXECUTE FUNCTION receipt_says_what_it_said()
    grant delete, select to duly_app
    grant insert (receipt_id, controller_id, provider, sealed, verdict, event_name, reference, provider_id, status, claimed, unknown_word, due_at, result, claimed_by, stop_code) to duly_receipts
    grant update (sealed, sealed_under, status, due_at, result, message_id) to duly_app

table rejected_job
    rejected_id uuid not null
    code text not null
    body_hash bytea not null
    sealed bytea not null
    rejected_at timestamp with time zone not null default duly_now()
    constraint rejected_job_body_hash_key UNIQUE (body_hash)
    constraint rejected_job_pkey PRIMARY KEY (rejected_id)
    grant insert, select to duly_app

table rejected_job_decision
    rejected_id uuid not null
    fate text not null
    controller_id uuid
    incident_no bigint
    list_no integer
    identity bytea
    reason text
    decided_by uuid not null
    command_id uuid not null
    decided_at timestamp with time zone not null default duly_now()
    constraint rejected_job_decision_check CHECK (((fate = 'discarded'::text) = ((reason IS NOT NULL) AND (reason <> ''::text))))
    constraint rejected_job_decision_check1 CHECK (((fate = 'taken'::text) = (identity IS NOT NULL)))
    constraint rejected_job_decision_command_id_fkey FOREIGN KEY (command_id) REFERENCES signed_command(command_id)
    constraint rejected_job_decision_controller_id_incident_no_list_no_id_fkey FOREIGN KEY (controller_id, incident_no, list_no, identity) REFERENCES source_row(controller_id, incident_no, list_no, identity)
    constraint rejected_job_decision_decided_by_fkey FOREIGN KEY (decided_by) REFERENCES app_user(user_id)
    constraint rejected_job_decision_fate_check CHECK ((fate = ANY (ARRAY['taken'::text, 'discarded'::text])))
    constraint rejected_job_decision_pkey PRIMARY KEY (rejected_id)
    constraint rejected_job_decision_rejected_id_fkey FOREIGN KEY (rejected_id) REFERENCES rejected_job(rejected_id)
    grant insert, select to duly_app

table restored
    restored_id uuid not null
    ground text not null
    found_at timestamp with time zone not null default duly_now()
    imported_at timestamp with time zone
    command_id uuid
    reconciled_at timestamp with time zone
    constraint restored_check CHECK (((command_id IS NULL) = (reconciled_at IS NULL)))
    constraint restored_command_id_fkey FOREIGN KEY (command_id) REFERENCES signed_command(command_id)
    constraint restored_ground_check CHECK ((ground = ANY (ARRAY['identity'::text, 'timeline'::text, 'position'::text, 'pulse'::text, 'checkpoint'::text, 'outside'::text])))
    constraint restored_pkey PRIMARY KEY (restored_id)
    UNIQUE index restored_open ON public.restored USING btree ((true)) WHERE (reconciled_at IS NULL)
    trigger check_reconciled BEFORE UPDATE ON public.restored FOR EACH ROW EXECUTE FUNCTION check_reconciled()
    grant select to duly_app
    grant insert (restored_id, ground) to duly_app
    grant update (imported_at, command_id, reconciled_at) to duly_app

table restored_call
    controller_id uuid not null
    incident_no bigint not null
    message_id uuid not null
    reference text not null
    at timestamp with time zone not null default duly_now()
    constraint restored_call_pkey PRIMARY KEY (controller_id, incident_no, message_id)
    constraint restored_call_reference_check CHECK ((reference ~ '^[0-9a-f]{32}$'::text))
    grant select to duly_app
    grant insert (controller_id, incident_no, message_id, reference) to duly_app
    grant update (reference, at) to duly_app

role duly_app

role duly_audit

role duly_receipts

table row_decision
    controller_id uuid not null
    incident_no bigint not null
    list_no integer not null
    identity bytea not null
    fate text not null
    new_list_no integer
    new_identity bytea
    reason text
    decided_by uuid not null
    command_id uuid not null
    decided_at timestamp with time zone not null default duly_now()
    constraint row_decision_check CHECK (((fate = 'discarded'::text) = ((reason IS NOT NULL) AND (reason <> ''::text))))
    constraint row_decision_check1 CHECK (((fate = 'superseded'::text) = ((new_list_no IS NOT NULL) AND (new_identity IS NOT NULL))))
    constraint row_decision_command_id_fkey FOREIGN KEY (command_id) REFERENCES signed_command(command_id)
    constraint row_decision_controller_id_incident_no_list_no_identity_fkey FOREIGN KEY (controller_id, incident_no, list_no, identity) REFERENCES source_row(controller_id, incident_no, list_no, identity)
    constraint row_decision_controller_id_incident_no_new_list_no_new_ide_fkey FOREIGN KEY (controller_id, incident_no, new_list_no, new_identity) REFERENCES source_row(controller_id, incident_no, list_no, identity)
    constraint row_decision_decided_by_fkey FOREIGN KEY (decided_by) REFERENCES app_user(user_id)
    constraint row_decision_fate_check CHECK ((fate = ANY (ARRAY['superseded'::text, 'discarded'::text])))
    constraint row_decision_pkey PRIMARY KEY (controller_id, incident_no, list_no, identity)
    trigger row_decision_has_event AFTER INSERT ON public.row_decision DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION row_decision_has_event()
    grant insert, select to duly_app

schema public
    grant usage to duly_app
    grant usage to duly_audit
    grant usage to duly_receipts

table sequenced
    log_no integer not null
    generation integer not null
    first_seq bigint not null
    ords bigint[] not null
    constraint sequenced_first_seq_check CHECK ((first_seq >= 0))
    constraint sequenced_log_no_generation_fkey FOREIGN KEY (log_no, generation) REFERENCES log_generation(log_no, generation)
    constraint sequenced_ords_check CHECK ((((cardinality(ords) >= 1) AND (cardinality(ords) <= 256)) AND ((ords[cardinality(ords)] / 256) = (ords[1] / 256))))
    constraint sequenced_pkey PRIMARY KEY (log_no, generation, first_seq)
    index sequenced_page ON public.sequenced USING btree (((ords[1] / 256)))
    grant select to duly_app

table signed_command
    command_id uuid not null
    user_id uuid not null
    statement bytea not null
    signature bytea not null
    at timestamp with time zone not null default duly_now()
    constraint signed_command_pkey PRIMARY KEY (command_id)
    constraint signed_command_signature_check CHECK ((octet_length(signature) = 64))
    constraint signed_command_user_id_fkey FOREIGN KEY (user_id) REFERENCES app_user(user_id)
    UNIQUE index signed_command_once ON public.signed_command USING btree (sha256(statement))
    trigger check_command BEFORE INSERT ON public.signed_command FOR EACH ROW EXECUTE FUNCTION check_command()
    grant select to duly_app
    grant insert (command_id, user_id, statement, signature) to duly_app

table source_row
    controller_id uuid not null
    incident_no bigint not null
    list_no integer not null
    identity bytea not null
    row_no bigint
    fate text not null
    person_id uuid
    faults jsonb
    sealed bytea
    content_hash bytea
    taken_at timestamp with time zone not null default duly_now()
    constraint source_row_check CHECK (((fate = 'quarantined'::text) = (person_id IS NULL)))
    constraint source_row_check1 CHECK (((fate = 'quarantined'::text) = ((faults IS NOT NULL) AND (sealed IS NOT NULL))))
    constraint source_row_content_hash_check CHECK ((octet_length(content_hash) = 32))
    constraint source_row_fate_check CHECK ((fate = ANY (ARRAY['person'::text, 'duplicate_of'::text, 'quarantined'::text])))
    constraint source_row_pkey PRIMARY KEY (controller_id, incident_no, list_no, identity)
    index source_row_quarantined ON public.source_row USING btree (controller_id, incident_no, list_no, identity) WHERE (fate = 'quarantined'::text)
    trigger only_while_open AFTER INSERT ON public.source_row REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION only_while_open()
    grant insert, select to duly_app

table template_review
    template_hash bytea not null
    template text not null
    reviewed_by uuid not null
    command_id uuid not null
    reviewed_at timestamp with time zone not null default duly_now()
    constraint template_review_command_id_fkey FOREIGN KEY (command_id) REFERENCES signed_command(command_id)
    constraint template_review_command_id_key UNIQUE (command_id)
    constraint template_review_pkey PRIMARY KEY (template_hash)
    constraint template_review_reviewed_by_fkey FOREIGN KEY (reviewed_by) REFERENCES app_user(user_id)
    constraint template_review_template_hash_check CHECK ((octet_length(template_hash) = 32))
    trigger check_review BEFORE INSERT ON public.template_review FOR EACH ROW EXECUTE FUNCTION check_review()
    grant select to duly_app
    grant insert (template_hash, template, reviewed_by, command_id) to duly_app

table withdrawn_content
    controller_id uuid not null
    incident_no bigint not null
    plan_no integer not null
    person_id uuid not null
    channel text not null
    commitment bytea not null
    constraint withdrawn_content_channel_check CHECK ((channel = ANY (ARRAY['sms'::text, 'letter'::text, 'email'::text])))
    constraint withdrawn_content_commitment_check CHECK ((octet_length(commitment) = 32))
    constraint withdrawn_content_pkey PRIMARY KEY (controller_id, incident_no, plan_no, person_id, channel)
    grant select to duly_app

function apply_events() returns trigger language plpgsql security definer set search_path=public, pg_temp for public

declare n record; told event; moved bigint;
begin
    -- All that is to be counted, in one walk over the statement's events.
    select count(restored_id) as brought, min(restored_id::text)::uuid as restored_id,
           count(*) filter (where restored_id is null and (person_id is not null or plan_to is not null)) as moving,
           -- Somebody whom only the published log knows has no head here.
           count(*) filter (where person_id is not null and (restored_id is null or exists (select from person p
               where p.controller_id = f.controller_id and p.incident_no = f.incident_no and p.person_id = f.person_id))) as heads,
           count(*) filter (where message_from is not null) as messages,
           count(*) filter (where notice_from is not null or alerted) as notices,
           count(*) filter (where plan_from is not null) as plans,
           count(*) filter (where kind in ('incident.closed', 'incident.reopened')) as closes,
           count(*) filter (where kind = any (array['plan.started', 'plan.resumed', 'plan.withdrawn', 'key.destroyed', 'notice.exempt',
                   'notice.withdrawn', 'notice.reopened']) or notice_to = any (array['exempt', 'withdrawn'])
               or notice_from = any (array['exempt', 'withdrawn'])) as few,
           bool_or(case when person_id is null then not event_says(body, octet_length(kind) + 1, kind || '"') else false end
               or case when message_id is not null or notice_to is not null or alerted
                  then split_part(split_part(convert_from(body, 'UTF8'), '"to":"', 2), '"', 1) <> coalesce(message_to, '')
                    or split_part(split_part(convert_from(body, 'UTF8'), '"notice":"', 2), '"', 1) <> coalesce(notice_to, '')
                  else false end) as is_other
      into n from fresh f;
    if n.few > 0 then
        for told in select f.* from fresh f
             where f.kind = any (array['plan.started', 'plan.resumed', 'plan.withdrawn', 'key.destroyed', 'notice.exempt', 'notice.withdrawn',
                   'notice.reopened']) or f.notice_to = any (array['exempt', 'withdrawn']) or f.notice_from = any (array['exempt', 'withdrawn']) loop
            if told.kind in ('plan.started', 'plan.resumed') then perform begin_deadlines(told); end if;
            if told.kind in ('notice.exempt', 'notice.withdrawn', 'notice.reopened') or told.notice_to in ('exempt', 'withdrawn')
                    or told.notice_from in ('exempt', 'withdrawn') then perform check_decided(told); end if;
            if told.kind = 'key.destroyed' then perform destroy_key(told); end if;
            if told.kind = 'notice.reopened' and told.notice_to is not null then perform give_time_again(told); end if;
            if told.kind = 'plan.withdrawn' and told.plan_to = 'withdrawn' then perform release_plan(told); end if;
        end loop;
    end if;
    perform check_restored(n.brought, n.moving, n.restored_id);
    -- Events of a log that is nobody's story have no heads to move.
    if n.heads > 0 then
        update person p set last_n = e.n, last_leaf = e.leaf from fresh e
         where p.controller_id = e.controller_id and p.incident_no = e.incident_no and p.person_id = e.person_id
           and p.last_n = e.n - 1 and event_says(e.body,
               octet_length(e.kind) + octet_length(e.n::text) + case when p.last_leaf is null then 57 else 119 end,
               event_words(e.kind, e.n, e.person_id, p.last_leaf));
        get diagnostics moved = row_count;
        if moved <> n.heads then raise exception 'event does not follow the head of its person, or its bytes do not say so' using errcode = 'DU001'; end if;
    end if;
    if n.is_other then raise exception 'the bytes of an event tell of another kind or move than its row' using errcode = 'DU006'; end if;

    if n.messages > 0 then
        update message m set state = e.message_to,
               attempt = coalesce(e.attempt, m.attempt),
               -- Who decides to send again gives as many attempts as at first, and a new deadline where they named one.
               counted_from = case when e.kind = 'message.decided' and e.message_to = 'ready' then m.attempt else m.counted_from end,
               expires_at = case when e.kind = 'message.decided' and e.message_to = 'ready' then coalesce(duly_now()
                   + (convert_from(e.body, 'UTF8')::jsonb -> 'd' ->> 'deadline_ms')::bigint * interval '1 millisecond', m.expires_at) else m.expires_at end,
               due_at = duly_now() + e.due_in_ms * interval '1 millisecond',
               lease_until = duly_now() + e.lease_in_ms * interval '1 millisecond'
          from fresh e join message_move v on v.from_state = e.message_from and v.to_state = e.message_to
         where m.controller_id = e.controller_id and m.incident_no = e.incident_no and m.message_id = e.message_id
           and m.person_id = e.person_id and m.state = e.message_from
           -- Nobody can say of a message that was never called that it left.
           and (m.attempt > 0 or m.state not in ('ready', 'cancelled', 'exhausted') or e.restored_id is not null
             or e.message_to in ('ready', 'sending', 'unknown', 'cancelled', 'exhausted'));
        get diagnostics moved = row_count;
        if moved <> n.messages then raise exception 'event moves a message from a state in which it is not' using errcode = 'DU002'; end if;
    end if;

    if n.notices > 0 then
        update notice o set state = coalesce(e.notice_to, o.state),
               alerted_at = case when e.alerted then coalesce(o.alerted_at, duly_now()) else o.alerted_at end,
               ended_at = case when e.notice_to is null then o.ended_at when e.notice_to = 'open' then null else duly_now() end
          from fresh e left join notice_move v on v.from_state = e.notice_from and v.to_state = e.notice_to
         where (e.notice_from is not null or e.alerted)
           and o.controller_id = e.controller_id and o.incident_no = e.incident_no and o.person_id = e.person_id
           and o.phase = e.notice_phase and (e.notice_from is null or (o.state = e.notice_from and v.to_state is not null));
        get diagnostics moved = row_count;
        if moved <> n.notices then raise exception 'event moves a notice from a state in which it is not' using errcode = 'DU003'; end if;
    end if;

    if n.plans > 0 then
        update plan q set state = e.plan_to
          from (select f.*, convert_from(f.body, 'UTF8')::jsonb -> 'd' as d from fresh f where f.plan_from is not null) e
          join plan_move v on v.kind = e.kind and v.from_state = e.plan_from and v.to_state = e.plan_to
          join incident i on i.controller_id = e.controller_id and i.incident_no = e.incident_no and i.closed_at is null
         where q.controller_id = e.controller_id and q.incident_no = e.incident_no and q.plan_no = e.plan_no and q.state = e.plan_from
           and e.d = jsonb_build_object('command', e.d -> 'command', 'hash', encode(q.hash, 'hex'), 'plan', q.plan_no, 'user', e.d -> 'user')
           and (e.restored_id is not null
             or (is_signed((e.d ->> 'command')::uuid, (e.d ->> 'user')::uuid, jsonb_build_object(
                   'command', v.command, 'incident', i.incident_id, 'plan', q.plan_no, 'hash', encode(q.hash, 'hex')))
               and (e.plan_to <> 'approved' or i.approvals_required <= (select count(*) from plan_approval a
                     where a.controller_id = q.controller_id and a.incident_no = q.incident_no and a.plan_no = q.plan_no))));
        get diagnostics moved = row_count;
        if moved <> n.plans then
            raise exception 'event moves a plan as it may not, or without its approvals and signed command' using errcode = 'DU004';
        end if;
    end if;

    if n.closes > 0 then
        update incident i set closed_at = case e.kind when 'incident.closed' then duly_now() end
          from (select f.*, convert_from(f.body, 'UTF8')::jsonb -> 'd' as d from fresh f where f.kind in ('incident.closed', 'incident.reopened')) e
         where i.controller_id = e.controller_id and i.incident_no = e.incident_no and e.person_id is null
           and (i.closed_at is null) = (e.kind = 'incident.closed')
           and (e.restored_id is not null
             or is_signed((e.d ->> 'command')::uuid, (e.d ->> 'user')::uuid, jsonb_build_object('incident', i.incident_id, 'reason', e.d -> 'reason',
                   'command', case e.kind when 'incident.closed' then 'incident close' else 'incident reopen' end)));
        get diagnostics moved = row_count;
        if moved <> n.closes then
            raise exception 'event closes or reopens an incident as it may not, or without its signed command' using errcode = 'DU009';
        end if;
    end if;
    return null;
end 

function begin_deadlines(told event) returns void language plpgsql set search_path=public, pg_temp

begin
    update message m set expires_at = greatest(m.expires_at, duly_now() + q.message_deadline_ms * interval '1 millisecond')
      from plan q
     where q.controller_id = told.controller_id and q.incident_no = told.incident_no and q.plan_no = told.plan_no
       and m.controller_id = q.controller_id and m.incident_no = q.incident_no and m.plan_no = q.plan_no and m.state = 'ready';
end 

function check_approval() returns trigger language plpgsql set search_path=public, pg_temp for public

begin
    perform from plan q
       join incident i on i.controller_id = q.controller_id and i.incident_no = q.incident_no
       join app_user u on u.user_id = new.user_id and u.user_id <> q.prepared_by and u.revoked_at is null
      where q.controller_id = new.controller_id and q.incident_no = new.incident_no and q.plan_no = new.plan_no
        and is_signed(new.command_id, new.user_id, jsonb_build_object(
              'command', 'plan approve', 'incident', i.incident_id, 'plan', q.plan_no, 'hash', encode(q.hash, 'hex')))
        for share of u;
    if not found then
        raise exception 'an approval needs a signature over the plan''s hash by an active user who did not prepare it' using errcode = 'DU005';
    end if;
    return new;
end 

function check_auditor() returns trigger language plpgsql set search_path=public, pg_temp for public

begin
    if pg_has_role(current_user, 'duly_app', 'member') and not pg_has_role(current_user, 'pg_database_owner', 'member') then
        raise exception 'an audit''s result is written by the role `duly_audit`' using errcode = 'DU026';
    end if;
    return null;
end 

function check_command() returns trigger language plpgsql security definer set search_path=public, pg_temp for public

declare words jsonb := convert_from(new.statement, 'UTF8')::jsonb;
begin
    if words ->> 'installation' is distinct from (select i.installation_id::text from installation i) then
        raise exception 'a command that was signed for another installation' using errcode = 'DU018';
    end if;
    if coalesce(abs(extract(epoch from (words ->> 'at')::timestamptz - duly_now())) > 600, true) then
        raise exception 'a command that was not signed now' using errcode = 'DU019';
    end if;
    return new;
end 

function check_decided(told event) returns void language plpgsql set search_path=public, pg_temp

declare
    d jsonb := convert_from(told.body, 'UTF8')::jsonb -> 'd';
    is_taken_back boolean := coalesce(told.notice_from in ('exempt', 'withdrawn'), false) or told.kind = 'notice.reopened';
begin
    -- One that was brought back and could be applied to nothing stands in the chain; its person is held.
    if told.restored_id is not null and told.notice_to is null then return; end if;
    if is_taken_back then
        if told.kind <> 'notice.reopened' or told.notice_from is null or told.notice_from not in ('exempt', 'withdrawn')
                or (d ->> 'phase')::int is distinct from told.notice_phase or told.message_id is not null then
            raise exception 'a decision about a notice is taken back in no other event than its own' using errcode = 'DU040';
        end if;
        -- Without the key nothing of the person can be sent again.
        if told.restored_id is null and not exists (select from person_key k where k.controller_id = told.controller_id and k.incident_no = told.incident_no
                and k.person_id = told.person_id) then
            raise exception 'a decision about somebody who is erased is not taken back' using errcode = 'DU040';
        end if;
    elsif told.kind is distinct from 'notice.' || told.notice_to or (d ->> 'phase')::int is distinct from told.notice_phase
            or told.message_id is not null then
        raise exception 'a notice is ended by a decision in no other event than its own' using errcode = 'DU031';
    end if;
    if told.restored_id is null and not exists (select from signed_command s
          join app_user u on u.user_id = s.user_id and u.revoked_at is null
          join incident i on i.controller_id = told.controller_id and i.incident_no = told.incident_no and i.closed_at is null
         where s.command_id = (d ->> 'command')::uuid and s.user_id = (d ->> 'user')::uuid
           and signed_words(s.statement) @> (jsonb_build_object('incident', i.incident_id, 'phase', told.notice_phase,
                 'person', 'p_' || replace(told.person_id::text, '-', '')) || case told.kind
                 when 'notice.exempt' then jsonb_build_object('command', 'person exempt')
                 when 'notice.reopened' then jsonb_build_object('command', 'person reopen')
                 else jsonb_build_object('command', 'person told', 'how', replace(d ->> 'ground', '_', '-')) end)) then
        raise exception 'a notice is ended, and comes back, by somebody''s signature over exactly that' using errcode = 'DU031';
    end if;
end 

function check_erasure() returns trigger language plpgsql security definer set search_path=public, pg_temp for public

begin
    if exists (select from person_key k
                where k.controller_id = new.controller_id and k.incident_no = new.incident_no and k.person_id = new.person_id) then
        raise exception 'an erasure without its event' using errcode = 'DU064';
    end if;
    return null;
end 

function check_events() returns trigger language plpgsql security definer set search_path=public, pg_temp for public

declare n record;
begin
    -- In one walk: what waits for its place, whose log that is, and whether anything is among it that somebody must have
    -- signed. What calls and receipts tell is most of all, and nobody decided it.
    with rounds as materialized (
        select controller_id, incident_no, array_agg(ord) as ords, bool_or(is_signed) as is_signed from (
            select controller_id, incident_no, ord, restored_id is null and kind not in ('message.intent', 'message.accepted')
                   and (kind in ('message.decided', 'key.destroyed', 'row.corrected', 'row.discarded', 'incident.added', 'log.opened',
                                 'message.recall', 'message.recalled', 'statement.compared', 'check.refused')
                     or kind like 'receipt%' and position('"ground":"declared"'::bytea in body) > 0) as is_signed
            from fresh order by ord) f
         group by controller_id, incident_no, ord / 256),
    waiting as (insert into event_inbox select r.ords[1], r.controller_id, r.incident_no, r.ords, duly_now() from rounds r)
    select bool_or(r.is_signed) as is_signed,
           bool_or(r.controller_id is not null and (not exists (select from controller c where c.controller_id = r.controller_id)
               or (r.incident_no is not null and not exists (select from incident i
                      where i.controller_id = r.controller_id and i.incident_no = r.incident_no)))) as is_strange
      into n from rounds r;
    if n.is_strange then
        raise exception 'an event of a controller or incident that is not there' using errcode = 'DU013';
    end if;
    if not n.is_signed then return null; end if;
    if exists (select from (select f.*, convert_from(f.body, 'UTF8')::jsonb -> 'd' as d from fresh f
                             where f.restored_id is null and f.kind in ('message.decided', 'key.destroyed', 'row.corrected', 'row.discarded')) e
         where not exists (select from signed_command s join app_user u on u.user_id = s.user_id and u.revoked_at is null
                 join incident i on i.controller_id = e.controller_id and i.incident_no = e.incident_no
                cross join lateral (select signed_words(s.statement) as words) w
                where s.command_id = (e.d ->> 'command')::uuid and s.user_id = (e.d ->> 'user')::uuid
                  and coalesce(w.words -> 'deadline_ms', 'null') = coalesce(e.d -> 'deadline_ms', 'null')
                  and w.words @> (jsonb_build_object('incident', i.incident_id) || case e.kind
                        when 'message.decided' then jsonb_build_object('command', 'unknown decide', 'message', e.message_id,
                             'choice', replace(e.d ->> 'ground', '_', '-'))
                        when 'key.destroyed' then jsonb_build_object('command', 'person erase', 'person', 'p_' || replace(e.person_id::text, '-', ''))
                        when 'row.corrected' then jsonb_build_object('command', 'quarantine correct')
                        else jsonb_build_object('command', 'quarantine discard', 'rows', jsonb_build_array((e.d ->> 'list') || '/' || (e.d ->> 'row'))) end))) then
        raise exception 'somebody''s decision without their signature over exactly that' using errcode = 'DU014';
    end if;
    if exists (select from (select f.*, convert_from(f.body, 'UTF8')::jsonb -> 'd' as d from fresh f
                             where f.restored_id is null and f.kind = 'incident.added') e
         where not exists (select from controller c
                where c.controller_id = e.controller_id and e.incident_no is null
                  and exists (select from signed_command s join app_user u on u.user_id = s.user_id and u.revoked_at is null
                        where s.command_id = (e.d ->> 'command')::uuid and s.user_id = (e.d ->> 'user')::uuid
                          and signed_words(s.statement) @> jsonb_build_object('command', 'incident add', 'controller', c.slug,
                                'incident', e.d -> 'incident', 'approvals_required', e.d -> 'approvals')))) then
        raise exception 'an incident is added by somebody''s signature over exactly that' using errcode = 'DU014';
    end if;
    -- A log is opened once, by whoever notes its generation in the same transaction; the leaf is its first.
    if exists (select from fresh e where e.kind = 'log.opened' and e.restored_id is null
         and not exists (select from log l join log_generation g using (log_no)
                where l.controller_id is not distinct from e.controller_id and l.incident_no is not distinct from e.incident_no
                  and g.origin = convert_from(e.body, 'UTF8')::jsonb -> 'd' ->> 'origin'
                  and not exists (select from sequenced s where s.log_no = g.log_no and s.generation = g.generation))) then
        raise exception 'a log is opened once' using errcode = 'DU020';
    end if;
    -- What is declared was signed: a docket or a result file, by a user who may sign.
    if exists (select from (select convert_from(f.body, 'UTF8')::jsonb -> 'd' as d from fresh f
                             where f.restored_id is null and f.kind like 'receipt%' and position('"ground":"declared"'::bytea in f.body) > 0) e
         where not exists (select from signed_command s join app_user u on u.user_id = s.user_id and u.revoked_at is null
                where s.command_id = (e.d ->> 'command')::uuid and s.user_id = (e.d ->> 'user')::uuid
                  and signed_words(s.statement) ->> 'command' in ('batch handed-over', 'batch result'))) then
        raise exception 'somebody''s word without their signature' using errcode = 'DU080';
    end if;
    -- Who takes a message back has signed for it: for this message, or for all of its plan.
    if exists (select from (select f.*, convert_from(f.body, 'UTF8')::jsonb -> 'd' as d from fresh f
                             where f.restored_id is null and f.kind in ('message.recall', 'message.recalled')) e
         where not exists (select from signed_command s join app_user u on u.user_id = s.user_id and u.revoked_at is null
                 join incident i on i.controller_id = e.controller_id and i.incident_no = e.incident_no
                 join message m on m.controller_id = e.controller_id and m.incident_no = e.incident_no and m.message_id = e.message_id
                cross join lateral (select signed_words(s.statement) as words) w
                where s.command_id = (e.d ->> 'command')::uuid and s.user_id = (e.d ->> 'user')::uuid
                  and (w.words @> jsonb_build_object('command', 'message cancel', 'incident', i.incident_id, 'message', m.message_id)
                    or w.words @> jsonb_build_object('command', 'plan recall', 'incident', i.incident_id, 'plan', m.plan_no)))) then
        raise exception 'a message is taken back by somebody''s signature over exactly that' using errcode = 'DU081';
    end if;
    -- Who compares a provider's statement has signed for both figures, the file and the moment.
    if exists (select from (select f.*, convert_from(f.body, 'UTF8')::jsonb -> 'd' as d from fresh f
                             where f.restored_id is null and f.kind = 'statement.compared') e
         where not exists (select from incident i where i.controller_id = e.controller_id and i.incident_no = e.incident_no
                  and is_signed((e.d ->> 'command')::uuid, (e.d ->> 'user')::uuid,
                        e.d - array['command', 'user'] || jsonb_build_object('command', 'provider statement', 'incident', i.incident_id)))) then
        raise exception 'a provider''s statement is compared by somebody''s signature over exactly that' using errcode = 'DU044';
    end if;
    if exists (select from (select f.*, convert_from(f.body, 'UTF8')::jsonb -> 'd' as d from fresh f
                             where f.restored_id is null and f.kind = 'check.refused') e
         where not exists (select from signed_command s join app_user u on u.user_id = s.user_id and u.revoked_at is null
                 join incident i on i.controller_id = e.controller_id and i.incident_no = e.incident_no
                where s.command_id = (e.d ->> 'command')::uuid and s.user_id = (e.d ->> 'user')::uuid
                  and signed_words(s.statement) @> jsonb_build_object('command', 'plan prepare', 'incident', i.incident_id))) then
        raise exception 'a check refuses a plan that somebody asked for by their signature' using errcode = 'DU045';
    end if;
    return null;
end 

function check_forgotten() returns trigger language plpgsql security definer set search_path=public, pg_temp for public

begin
    if not coalesce(case old.result
            when 'refused' then old.verdict <> 'verified'
            when 'unmatched' then not exists (select from attempt a where a.controller_id = old.controller_id and a.reference = old.reference and a.lane = old.provider)
            when 'replay' then exists (select from receipt e where e.controller_id = old.controller_id and e.provider = old.provider
                and e.event_name = old.event_name and e.verdict = 'verified' and e.receipt_id < old.receipt_id)
            else false end, false)
        or (floor(extract(epoch from old.received_at) / 86400) >= floor(extract(epoch from duly_now()) / 86400)
            and 100 > (select count(*) from (select from receipt e where e.result in ('refused', 'unmatched', 'replay')
                and e.received_at >= to_timestamp(floor(extract(epoch from old.received_at) / 86400) * 86400)
                and e.controller_id = old.controller_id and e.provider = old.provider and e.result = old.result and e.verdict = old.verdict
                and e.receipt_id < old.receipt_id limit 100) as before)) then
        raise exception 'a receipt that counts is not forgotten' using errcode = 'DU027';
    end if;
    return old;
end 

function check_hold() returns trigger language plpgsql set search_path=public, pg_temp for public

declare is_good boolean;
begin
    if tg_op = 'UPDATE' then
        new.lifted_at := duly_now();
        is_good := old.lifted_at is null
            and is_signed(new.lifted_command_id, new.lifted_by, jsonb_build_object('command', 'hold lift', 'hold', new.hold_id));
    else
        is_good := is_signed(new.command_id, new.set_by, (select jsonb_build_object('command', 'hold set', 'incident', i.incident_id,
                'person', 'p_' || replace(new.person_id::text, '-', ''), 'reason', new.reason)
              from incident i where i.controller_id = new.controller_id and i.incident_no = new.incident_no));
    end if;
    if is_good is not true then
        raise exception 'a hold is set and lifted once each, by an active user''s signature over exactly that' using errcode = 'DU008';
    end if;
    return new;
end 

function check_lead() returns trigger language plpgsql security definer set search_path=public, pg_temp for public

begin
    if not coalesce(new.expires_at <= duly_now() + interval '1 minute', false) then
        raise exception 'a lead that would not run out' using errcode = 'DU017';
    end if;
    if tg_op = 'INSERT' and new.epoch <> 1 or tg_op = 'UPDATE' and new.epoch not in (old.epoch, old.epoch + 1) then
        raise exception 'a lead changes hands one by one' using errcode = 'DU030';
    end if;
    return new;
end 

function check_list_key() returns trigger language plpgsql security definer set search_path=public, pg_temp for public

begin
    if new.key_no <> coalesce((select max(k.key_no) from controller_list_key k where k.controller_id = new.controller_id), 0) + 1 then
        raise exception 'a list key does not follow the one before' using errcode = 'DU065';
    end if;
    perform from signed_command s join app_user u on u.user_id = s.user_id and u.revoked_at is null
       join controller c on c.controller_id = new.controller_id
      cross join lateral (select signed_words(s.statement) as words) w
      where s.command_id = new.command_id and s.user_id = new.user_id
        and (w.words @> jsonb_build_object('command', 'list replace-key', 'controller', c.slug, 'public', encode(new.public_key, 'hex'))
          or (new.key_no = 1 and w.words ->> 'command' in ('list sign', 'list attach') and w.words ->> 'key' = encode(new.public_key, 'hex')
              and exists (select from incident i where i.controller_id = new.controller_id and i.incident_id::text = w.words ->> 'incident')));
    if not found then raise exception 'a list key needs a signed command that names it' using errcode = 'DU066'; end if;
    return new;
end 

function check_log() returns trigger language plpgsql security definer set search_path=public, pg_temp for public

begin
    if new.log_id is distinct from (case
            when new.incident_no is not null then (select i.incident_id from incident i where i.controller_id = new.controller_id and i.incident_no = new.incident_no)
            when new.controller_id is not null then new.controller_id else (select i.installation_id from installation i) end) then
        raise exception 'a log of another name than its events bear' using errcode = 'DU023';
    end if;
    return new;
end 

function check_pause() returns trigger language plpgsql security definer set search_path=public, pg_temp for public

begin
    if not coalesce(new.until <= duly_now() + interval '25 hours', false) then
        raise exception 'a lane that would rest for ever' using errcode = 'DU028';
    end if;
    return new;
end 

function check_pulse() returns trigger language plpgsql security definer set search_path=public, pg_temp for public

begin
    if new.beat <= old.beat or new.beat > old.beat + 100000000 then
        raise exception 'a pulse only grows, by a few years at most' using errcode = 'DU029';
    end if;
    return new;
end 

function check_reconciled() returns trigger language plpgsql set search_path=public, pg_temp for public

begin
    if old.reconciled_at is not null or (new.reconciled_at is not null and not exists (select from signed_command s
         where s.command_id = new.command_id
           and is_signed(s.command_id, s.user_id, jsonb_build_object('command', 'restore reconcile', 'restored', old.restored_id)))) then
        raise exception 'a restore is reconciled once, by an active user''s signature over exactly that' using errcode = 'DU072';
    end if;
    return new;
end 

function check_restored(brought bigint, moving bigint, by_restore uuid) returns void language plpgsql stable set search_path=public, pg_temp for public

begin
    if brought > 0 and not exists (select from restored r where r.restored_id = by_restore and r.reconciled_at is null) then
        raise exception 'an event is brought back without a restore' using errcode = 'DU070';
    end if;
    if moving > 0 and exists (select from restored r where r.reconciled_at is null and r.imported_at is null) then
        raise exception 'nobody''s events go on before `duly restore reconcile` has brought back those that were lost' using errcode = 'DU071';
    end if;
end 

function check_review() returns trigger language plpgsql set search_path=public, pg_temp for public

begin
    perform from app_user u
      where u.user_id = new.reviewed_by and u.revoked_at is null
        and is_signed(new.command_id, new.reviewed_by, jsonb_build_object(
              'command', 'template review', 'template', new.template, 'hash', encode(new.template_hash, 'hex')))
        for share of u;
    if not found then
        raise exception 'a review needs an active user''s signature over the template''s hash' using errcode = 'DU005';
    end if;
    return new;
end 

function check_user() returns trigger language plpgsql set search_path=public, pg_temp for public

begin
    if tg_op = 'UPDATE' then
        if old.revoked_at is not null then
            raise exception 'a revoked key stays revoked' using errcode = 'DU007';
        end if;
        new.revoked_at := duly_now();
        perform from signed_command s where s.command_id = new.revoked_command_id
            and is_signed(s.command_id, s.user_id, jsonb_build_object('command', 'user revoke', 'name', new.name));
        if not found then
            raise exception 'a revocation needs an active user''s signature over exactly that' using errcode = 'DU007';
        end if;
        return new;
    end if;
    -- Two first users at once: the second waits here and then finds the first.
    perform pg_advisory_xact_lock(hashtext('duly first user'));
    if new.added_command_id is null and not exists (select from app_user) then return new; end if;
    perform from signed_command s where s.command_id = new.added_command_id
        and is_signed(s.command_id, s.user_id, jsonb_build_object('command', 'user add', 'name', new.name, 'public', encode(new.public_key, 'hex')));
    if not found then
        raise exception 'a user needs an active user''s signature over exactly this name and key' using errcode = 'DU007';
    end if;
    return new;
end 

function command_use(kind text, incident_no bigint, body bytea) returns text language sql immutable for public

    select case when kind like 'receipt%' or (kind like 'message.%' and kind <> 'message.decided') then null
                else public.command_words(kind, incident_no, body) end


function command_words(kind text, incident_no bigint, body bytea) returns text language plpgsql immutable for public

declare words text := convert_from(body, 'UTF8'); d jsonb;
begin
    if strpos(words, '"command":"') = 0 then return null; end if;
    d := words::jsonb -> 'd';
    return (d ->> 'command') || ' ' || kind || coalesce(' ' || incident_no, '') || coalesce(' ' || (d ->> 'list') || '/' || (d ->> 'row'), '');
end 

function decided_is_decided(told event) returns void language plpgsql set search_path=public, pg_temp

begin
    if exists (select from notice o join message m on m.controller_id = o.controller_id and m.incident_no = o.incident_no
                  and m.person_id = o.person_id and m.phase = o.phase
                where o.controller_id = told.controller_id and o.incident_no = told.incident_no and o.person_id = told.person_id
                  and o.state in ('exempt', 'withdrawn') and m.state in ('ready', 'sending', 'unknown', 'asked')) then
        raise exception 'a message of somebody whose notice was ended by a decision may be sent' using errcode = 'DU032';
    end if;
end 

function destroy_key(told event) returns void language plpgsql set search_path=public, pg_temp

declare e erasure; nothing bytea := '';
begin
    select * into e from erasure r
     where r.controller_id = told.controller_id and r.incident_no = told.incident_no and r.person_id = told.person_id;
    if not found then raise exception 'a key is destroyed without saying what it sealed' using errcode = 'DU061'; end if;
    -- What the published log tells was allowed then; here the plan that told the person may be forgotten.
    if told.restored_id is null and (exists (select from notice o where o.controller_id = e.controller_id and o.incident_no = e.incident_no
                  and o.person_id = e.person_id having count(*) = 0 or bool_or(o.state = 'open'))
       or exists (select from message m where m.controller_id = e.controller_id and m.incident_no = e.incident_no
                  and m.person_id = e.person_id and m.state in ('ready', 'sending', 'unknown', 'asked'))) then
        raise exception 'a key is destroyed before the person''s notices have ended' using errcode = 'DU062';
    end if;
    delete from person_key k where k.controller_id = e.controller_id and k.incident_no = e.incident_no and k.person_id = e.person_id;
    if not found then raise exception 'a key is destroyed twice' using errcode = 'DU063'; end if;
    update person p set contact = nothing, reference_hash = e.tombstone, fields_hash = e.tombstone, language = 'und',
           format = 'standard', erased_at = e.erased_at
     where p.controller_id = e.controller_id and p.incident_no = e.incident_no and p.person_id = e.person_id;
    update attempt a set request = nothing from message m
     where m.controller_id = e.controller_id and m.incident_no = e.incident_no and m.person_id = e.person_id
       and a.controller_id = m.controller_id and a.incident_no = m.incident_no and a.message_id = m.message_id;
    update receipt r set sealed = null from message m
     where m.controller_id = e.controller_id and m.incident_no = e.incident_no and m.person_id = e.person_id
       and r.message_id = m.message_id;
    -- Those that wait for the sweep; it still finds what they say of the message.
    update receipt r set sealed = null from message m
      join attempt a on a.controller_id = m.controller_id and a.incident_no = m.incident_no and a.message_id = m.message_id
     where m.controller_id = e.controller_id and m.incident_no = e.incident_no and m.person_id = e.person_id
       and r.controller_id = e.controller_id and r.reference = a.reference and r.due_at is not null;
    update source_row s set content_hash = null
     where s.controller_id = e.controller_id and s.incident_no = e.incident_no and s.person_id = e.person_id and s.content_hash is not null;
    update source_row s set sealed = nothing, content_hash = null from unnest(e.copy_lists, e.copy_identities) as copy (list_no, identity)
     where s.controller_id = e.controller_id and s.incident_no = e.incident_no and s.list_no = copy.list_no
       and s.identity = copy.identity and s.fate = 'quarantined';
    update rejected_job j set sealed = nothing where j.rejected_id = any (e.copy_jobs);
end 

function duly_analyze(only_grown boolean) returns void language plpgsql security definer set search_path=public, pg_temp for duly_app

declare grown text;
begin
    for grown in select c.relname from pg_class c join pg_stat_user_tables s on s.relid = c.oid
        where s.schemaname = 'public' and c.relname = any (array['incident', 'affected_list', 'source_row', 'person', 'person_key', 'plan',
                'notice', 'prepared_content', 'message', 'attempt', 'outcome', 'lookup', 'receipt', 'event'])
          and (not only_grown or s.n_mod_since_analyze > greatest(500, c.reltuples / 2)) order by c.relname
    loop execute format('analyze public.%I', grown); end loop;
end 

function duly_now() returns timestamp with time zone language sql for public
 select clock_timestamp() 

function event_says(body bytea, size integer, words text) returns boolean language sql immutable for public

    select body >= '\x7b2264223a7b'::bytea and body < '\x7b2264223a7c'::bytea
       and substring(body from octet_length(body) - 7 for 8) = '\x222c2276223a317d'::bytea
       and encode(substring(body from octet_length(body) - size - 47 for size + 13), 'escape') = '","k":"' || words || ',"t":"'
       and substring(body from octet_length(body) - size - 92 for 9) = '\x222c22696e63223a22'::bytea
       and substring(body from octet_length(body) - size - 136 for 8) = '\x7d2c226964223a22'::bytea


function event_words(kind text, n bigint, person_id uuid, prev bytea) returns text language sql immutable for public

    select kind || '","n":' || n::text || ',"p":"' || encode(uuid_send(person_id), 'hex') || '","prev":'
        || coalesce('"' || encode(prev, 'hex') || '"', 'null')


function generation_is_opened() returns trigger language plpgsql security definer set search_path=public, pg_temp for public

begin
    perform from log l join sequenced s on s.log_no = l.log_no and s.generation = new.generation and s.first_seq = 0
       join event e on e.ord = s.ords[1] and e.kind = 'log.opened'
      cross join lateral (select convert_from(e.body, 'UTF8')::jsonb as body) b
      where l.log_no = new.log_no and b.body ->> 'inc' = l.log_id::text
        and b.body -> 'd' @> jsonb_build_object('generation', new.generation, 'origin', new.origin)
        and new.origin like '%/' || l.log_id || case when new.generation > 1 then '/' || new.generation else '' end
        and (new.generation = 1 or exists (select from restored r where r.reconciled_at is null));
    if not found then raise exception 'a log goes on in another generation without the leaf that says why' using errcode = 'DU024'; end if;
    return null;
end 

function give_time_again(told event) returns void language plpgsql set search_path=public, pg_temp

begin
    update message m set expires_at = greatest(m.expires_at, duly_now() + q.message_deadline_ms * interval '1 millisecond')
      from plan q
     where m.controller_id = told.controller_id and m.incident_no = told.incident_no and m.person_id = told.person_id
       and m.phase = told.notice_phase and m.state = 'cancelled'
       and q.controller_id = m.controller_id and q.incident_no = m.incident_no and q.plan_no = m.plan_no;
end 

function hold_has_event() returns trigger language plpgsql security definer set search_path=public, pg_temp for public

declare
    told text := case tg_op when 'INSERT' then 'hold.set' else 'hold.lifted' end;
    command uuid := case tg_op when 'INSERT' then new.command_id else new.lifted_command_id end;
begin
    perform from event e where e.controller_id = new.controller_id and e.incident_no = new.incident_no
        and e.person_id is not distinct from new.person_id and e.kind = told
        and convert_from(e.body, 'UTF8') like '{"d":{"command":"' || case when e.restored_id is null then command::text else '%' end
            || '","hold":"' || new.hold_id || '",%';
    if not found then raise exception 'a hold is set and lifted with its event' using errcode = 'DU008'; end if;
    return null;
end 

function incident_has_event() returns trigger language plpgsql security definer set search_path=public, pg_temp for public

begin
    perform from event e cross join lateral (select convert_from(e.body, 'UTF8')::jsonb -> 'd' as d) b
      where e.controller_id = new.controller_id and e.incident_no is null and e.kind = 'incident.added'
        and b.d @> jsonb_build_object('incident', new.incident_id, 'approvals', new.approvals_required);
    if not found then raise exception 'an incident is added with its event' using errcode = 'DU025'; end if;
    return null;
end 

function is_signed(command uuid, by_user uuid, words jsonb) returns boolean language sql stable set search_path=public, pg_temp for public

    select exists (select from signed_command s join app_user u on u.user_id = s.user_id and u.revoked_at is null
      where s.command_id = command and s.user_id = by_user and signed_words(s.statement) = words)


function is_told(d row_decision) returns boolean language sql stable set search_path=public, pg_temp for public

    select exists (select from event e join signed_command s on s.command_id = d.command_id and s.user_id = d.decided_by
        cross join lateral (select convert_from(e.body, 'UTF8')::jsonb -> 'd' as d, signed_words(s.statement) as words) w
      where command_use(e.kind, e.incident_no, e.body) = d.command_id || case d.fate when 'discarded' then ' row.discarded ' else ' row.corrected ' end
              || d.incident_no || ' ' || row_name(d.list_no, d.identity)
        and e.controller_id = d.controller_id and e.incident_no = d.incident_no and w.d ->> 'user' = d.decided_by::text
        and case d.fate when 'discarded' then w.words ->> 'reason' = d.reason
            else (w.d ->> 'new_list') || '/' || (w.d ->> 'new_row') = row_name(d.new_list_no, d.new_identity)
             and exists (select from affected_list l where l.controller_id = d.controller_id and l.incident_no = d.incident_no
                   and l.list_no = d.new_list_no and l.source = 'corrections' and encode(l.file_hash, 'hex') = w.words ->> 'file') end)


function key_change_is_placed(told event) returns void language plpgsql set search_path=public, pg_temp

begin
    perform from sequenced s
      where s.ords[1] / 256 = told.ord / 256 and told.ord = any (s.ords)
        and to_jsonb(s.first_seq + array_position(s.ords, told.ord) - 1) = convert_from(told.body, 'UTF8')::jsonb -> 'd' -> 'size';
    if not found then raise exception 'a log''s key is changed at the place that both keys signed' using errcode = 'DU036'; end if;
end 

function lane_stays() returns trigger language plpgsql set search_path=public, pg_temp for public

begin
    raise exception 'a message stays on the lane that it was given' using errcode = 'DU041';
end 

function list_key_is_told() returns trigger language plpgsql security definer set search_path=public, pg_temp for public

begin
    perform from event e
      where e.controller_id = new.controller_id and e.incident_no is null and e.kind = 'controller.list_key_set' and e.restored_id is null
        and convert_from(e.body, 'UTF8')::jsonb -> 'd' @> jsonb_build_object('key', encode(new.public_key, 'hex'),
              'user', new.user_id, 'command', new.command_id);
    if not found then raise exception 'a list key is pinned with its event' using errcode = 'DU067'; end if;
    return null;
end 

function look_again() returns trigger language plpgsql security definer set search_path=public, pg_temp for public

begin
    if new.kind = 'log.key_changed' and new.restored_id is null then perform key_change_is_placed(new); end if;
    if new.kind = 'notice.reopened' and new.notice_to = 'open' then perform release_plan(new); end if;
    if new.notice_to in ('exempt', 'withdrawn') or new.message_to = 'ready' then perform decided_is_decided(new); end if;
    return null;
end 

function message_has_cause() returns trigger language plpgsql security definer set search_path=public, pg_temp for public

begin
    if new.reason <> 'escalation' or new.ordinal <> 1 or not exists (select from event e
          join message m on m.controller_id = e.controller_id and m.incident_no = e.incident_no and m.message_id = e.message_id
         where e.controller_id = new.controller_id and e.incident_no = new.incident_no and e.person_id = new.person_id
           and m.message_id <> new.message_id and m.person_id = new.person_id and m.phase = new.phase and m.plan_no = new.plan_no
           and e.message_to in ('rejected', 'exhausted', 'overdue', 'superseded', 'expired', 'failed', 'returned')) then
        raise exception 'a further message without a cause' using errcode = 'DU043';
    end if;
    return null;
end 

function night_ends(zone text, night_from time without time zone, night_until time without time zone) returns timestamp with time zone language sql set search_path=public, pg_temp for public

    select case when case when night_from > night_until then l.at::time >= night_from or l.at::time < night_until
                          else l.at::time >= night_from and l.at::time < night_until end
                then ((l.at::date + case when l.at::time < night_until then 0 else 1 end) + night_until) at time zone zone end
      from (select duly_now() at time zone zone as at) l


function no_message_after_decision() returns trigger language plpgsql security definer set search_path=public, pg_temp for public

begin
    if exists (select from fresh f join notice o on o.controller_id = f.controller_id and o.incident_no = f.incident_no
                  and o.person_id = f.person_id and o.phase = f.phase and o.state in ('exempt', 'withdrawn')) then
        raise exception 'a message for somebody whose notice was ended by a decision' using errcode = 'DU032';
    end if;
    return null;
end 

function only_append() returns trigger language plpgsql set search_path=public, pg_temp for public

begin
    if octet_length(new.hashes) <= octet_length(old.hashes) or substr(new.hashes, 1, octet_length(old.hashes)) <> old.hashes then
        raise exception 'a tile only grows' using errcode = 'DU010';
    end if;
    return new;
end 

function only_grow() returns trigger language plpgsql set search_path=public, pg_temp for public

begin
    perform from checkpoint c where c.log_no = new.log_no and (c.generation > new.generation
        or (c.generation = new.generation and c.size >= new.size));
    if found then raise exception 'a checkpoint of this size or a later one was signed already' using errcode = 'DU011'; end if;
    return new;
end 

function only_while_open() returns trigger language plpgsql set search_path=public, pg_temp for public

begin
    if exists (select from (select distinct controller_id, incident_no from fresh) f
         join incident i on i.controller_id = f.controller_id and i.incident_no = f.incident_no and i.closed_at is not null) then
        raise exception 'the incident is closed' using errcode = 'DU012';
    end if;
    return null;
end 

function part_waiting(controller uuid, incident bigint) returns void language sql security definer set search_path=public, pg_temp for duly_app

    with gone as (delete from event_inbox i where i.controller_id is not distinct from controller and i.incident_no is not distinct from incident
             and cardinality(i.ords) > 1 returning i.*)
    insert into event_inbox select o.ord, g.controller_id, g.incident_no, array[o.ord], g.since from gone g cross join lateral unnest(g.ords) as o (ord);


function place_events(to_log integer, to_generation integer, from_seq bigint, taken bigint[]) returns void language plpgsql security definer set search_path=public, pg_temp for duly_app

declare next_seq bigint; placed bigint;
begin
    select s.first_seq + cardinality(s.ords) into next_seq from sequenced s
     where s.log_no = to_log and s.generation = to_generation order by s.first_seq desc limit 1;
    if coalesce(next_seq, 0) <> from_seq then
        raise exception 'the next place of this log is %', coalesce(next_seq, 0) using errcode = 'DU016';
    end if;
    with gone as (delete from event_inbox i using log l where l.log_no = to_log and i.first_ord = any(taken)
             and i.controller_id is not distinct from l.controller_id and i.incident_no is not distinct from l.incident_no
             returning i.first_ord, i.ords),
         made as (insert into sequenced select to_log, to_generation,
                    from_seq + sum(cardinality(g.ords)) over (order by t.at) - cardinality(g.ords), g.ords
                    from unnest(taken) with ordinality as t (first_ord, at) join gone g using (first_ord) returning 1)
    select count(*) into placed from made;
    if placed <> cardinality(taken) then
        raise exception 'what is placed waits for its place in this log' using errcode = 'DU016';
    end if;
end 

function plan_is_new() returns trigger language plpgsql security definer set search_path=public, pg_temp for public

begin
    if exists (select from (select distinct f.controller_id, f.incident_no, f.plan_no from fresh f where f.reason = 'first') f
         join plan q on q.controller_id = f.controller_id and q.incident_no = f.incident_no and q.plan_no = f.plan_no)
       or exists (select from fresh f where f.reason = 'first' and f.ordinal <> 1) then
        raise exception 'a first message of a plan that was made before' using errcode = 'DU042';
    end if;
    return null;
end 

function receipt_begins_undecided() returns trigger language plpgsql set search_path=public, pg_temp for public

begin
    if new.controller_id <> '00000000-0000-0000-0000-000000000000' and (new.result is not null or new.due_at is null) then
        raise exception 'a receipt is taken in undecided' using errcode = 'DU021';
    end if;
    return new;
end 

function receipt_says_what_it_said() returns trigger language plpgsql set search_path=public, pg_temp for public

begin
    if old.claimed is null or old.status is not null or old.result is not null or new.result is null then
        raise exception 'what a receipt says does not change' using errcode = 'DU073';
    end if;
    return new;
end 

function release_plan(told event) returns void language plpgsql set search_path=public, pg_temp

declare withdrawn int := told.plan_no;
begin
    if told.kind = 'notice.reopened' then
        select o.plan_no into withdrawn from notice o join plan q using (controller_id, incident_no, plan_no)
         where o.controller_id = told.controller_id and o.incident_no = told.incident_no and o.person_id = told.person_id
           and o.phase = told.notice_phase and o.state = 'open' and q.state = 'withdrawn';
        if not found then return; end if;
    end if;
    if exists (select from message m join notice o on o.controller_id = m.controller_id and o.incident_no = m.incident_no
                  and o.person_id = m.person_id and o.phase = m.phase and o.state = 'open'
                where m.controller_id = told.controller_id and m.incident_no = told.incident_no and m.plan_no = withdrawn
                  and (told.person_id is null or m.person_id = told.person_id)
                  and (m.state <> 'ready' or m.attempt > 0 or exists (select from event e where e.controller_id = m.controller_id
                         and e.incident_no = m.incident_no and e.person_id = m.person_id and e.message_id = m.message_id
                         and e.kind not in ('message.cancelled', 'message.reopened')))) then
        if told.kind = 'notice.reopened' then return; end if;
        raise exception 'a message of the plan may have left' using errcode = 'DU033';
    end if;
    with released as (delete from notice o
           where o.controller_id = told.controller_id and o.incident_no = told.incident_no and o.plan_no = withdrawn and o.state = 'open'
             and (told.person_id is null or (o.person_id = told.person_id and o.phase = told.notice_phase))
       returning o.person_id, o.phase),
    unsent as (delete from message m using released r
           where m.controller_id = told.controller_id and m.incident_no = told.incident_no and m.person_id = r.person_id and m.phase = r.phase),
    told as (insert into let_go (controller_id, incident_no, person_id, phase, n, plan_no)
           select told.controller_id, told.incident_no, r.person_id, r.phase, p.last_n, withdrawn from released r
             join person p on p.controller_id = told.controller_id and p.incident_no = told.incident_no and p.person_id = r.person_id
            where exists (select from event e where e.controller_id = told.controller_id and e.incident_no = told.incident_no
                    and e.person_id = r.person_id and e.notice_phase = r.phase)),
    promised as (delete from prepared_content c using released r
           where c.controller_id = told.controller_id and c.incident_no = told.incident_no and c.person_id = r.person_id and c.phase = r.phase
       returning c.person_id, c.channel, c.commitment)
    insert into withdrawn_content (controller_id, incident_no, plan_no, person_id, channel, commitment)
    select told.controller_id, told.incident_no, withdrawn, p.person_id, p.channel, p.commitment from promised p;
end 

function row_decision_has_event() returns trigger language plpgsql security definer set search_path=public, pg_temp for public

begin
    if not is_told(new) then
        raise exception 'a quarantined row gets its last fate with its event, by what was signed' using errcode = 'DU015';
    end if;
    return null;
end 

function row_name(list_no integer, identity bytea) returns text language sql immutable for public

    select list_no || '/' || case octet_length(identity) when 8 then ('x' || encode(identity, 'hex'))::bit(64)::bigint::text else encode(identity, 'hex') end


function signed_words(statement bytea) returns jsonb language sql immutable for public

    select convert_from(statement, 'UTF8')::jsonb - array['at', 'installation', 'nonce', 'v']

