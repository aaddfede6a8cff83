-- The spine: who must be told, what was tried, what came back, and the event that alone may say so.
-- Rules: facts are inserted; states move only by the trigger on `event`; the application's role cannot update them.

-- The one clock. Tests may replace this function to move time; nothing else reads the database's clock.
create function duly_now() returns timestamptz language sql volatile as $$ select clock_timestamp() $$;

create table controller (
    controller_id uuid primary key,                          -- client-made UUIDv7
    slug text not null unique check (slug ~ '^[a-z0-9][a-z0-9-]{0,62}$'), -- name on the command line and in receipt URLs
    name text not null,                                      -- as printed on letters
    sms_sender text not null check (sms_sender ~ '^[A-Za-z0-9]{3,11}$'), -- alphanumeric sender of text messages
    address text[] not null,                                 -- letterhead lines
    receipts_public_key bytea not null check (octet_length(receipts_public_key) = 32), -- X25519; raw receipts are sealed to it
    receipts_secret_key bytea not null,                      -- the matching secret, wrapped under the master key
    created_at timestamptz not null default duly_now()       -- database time
);

create table app_user (
    user_id uuid primary key,                                -- client-made UUIDv7
    name text not null unique,                               -- shown in plans and stories
    public_key bytea not null unique check (octet_length(public_key) = 32), -- Ed25519
    added_command_id uuid unique,                            -- the signed `user add` that vouches for the key; null for the first user alone
    created_at timestamptz not null default duly_now(),      -- database time
    revoked_at timestamptz,                                  -- set once; a revoked key signs nothing more
    revoked_command_id uuid unique,                          -- the signed `user revoke` that says so
    check ((revoked_at is null) = (revoked_command_id is null))
);

create table incident (
    controller_id uuid not null references controller,       -- tenant
    incident_no bigint generated always as identity unique,  -- dense, stays inside
    incident_id uuid not null unique,                        -- UUIDv7, the name in evidence (`inc`)
    slug text not null check (slug ~ '^[a-z0-9][a-z0-9-]{0,62}$'), -- name on the command line
    profile text not null,                                   -- legal profile of plans that name none, for example uk-gdpr
    texts jsonb not null,                                    -- nature, consequences, measures … as approved; no personal data
    wrapped_key bytea not null,                              -- incident key under the master key
    intake_public_key bytea not null check (octet_length(intake_public_key) = 32), -- X25519; jobs are sealed to it
    intake_secret_key bytea not null,                        -- wrapped under the incident key
    approvals_required int not null default 1 check (approvals_required between 1 and 2), -- of other people than the preparer
    hold_version bigint not null default 0,                  -- grows with each hold set or lifted
    closed_at timestamptz,                                   -- moved by events only; null: open
    locked_by text,                                          -- nobody reads it; the right to update it is the right to lock
    created_at timestamptz not null default duly_now(),      -- database time
    primary key (controller_id, incident_no),
    unique (controller_id, slug)
);

create table affected_list (
    controller_id uuid not null,                             -- tenant
    incident_no bigint not null,                             -- incident
    list_no int not null check (list_no > 0),                -- 1.. within the incident
    source text not null check (source in ('file', 'jobs', 'corrections')), -- where its rows come from
    file_hash bytea,                                         -- HMAC of the file's SHA-256 under the incident key; null for jobs. Lists of one source and hash are one origin: a frozen one and its supplements
    row_count bigint check (row_count >= 0),                 -- data rows of the file as a separate reader counted them; null for jobs
    wrapped_key bytea not null,                              -- intake key of this list under the incident key; seals rows
    columns jsonb not null default '{}',                     -- {name: {type, sensitive}}: columns beside Duly's own; never a value
    locked_by text,                                          -- nobody reads it; the right to update it is the right to lock
    opened_at timestamptz not null default duly_now(),       -- database time
    primary key (controller_id, incident_no, list_no),
    check ((source = 'jobs') = (file_hash is null)),
    foreign key (controller_id, incident_no) references incident (controller_id, incident_no)
);

-- A frozen list gets no more people; later rows open a supplement.
create table list_freeze (
    controller_id uuid not null,                             -- tenant
    incident_no bigint not null,                             -- incident
    list_no int not null,                                    -- list
    people bigint not null check (people >= 0),              -- lines of the manifest
    manifest_root bytea not null check (octet_length(manifest_root) = 32), -- RFC 6962 root over the manifest lines
    frozen_at timestamptz not null default duly_now(),       -- database time
    primary key (controller_id, incident_no, list_no),
    foreign key (controller_id, incident_no, list_no) references affected_list
);

create table person (
    controller_id uuid not null,                             -- tenant
    incident_no bigint not null,                             -- incident
    person_id uuid not null,                                 -- random; the only name of a person outside this row
    list_no int not null,                                    -- list that brought the person
    version int not null default 1,                          -- grows with each correction
    contact bytea not null,                                  -- sealed PersonRecord under the person's key
    reference_hash bytea not null check (octet_length(reference_hash) = 32), -- keyed hash of the external reference
    fields_hash bytea not null check (octet_length(fields_hash) = 32), -- keyed hash of the normalised fields; tells repeats from conflicts
    reference_code text not null,                            -- printed in messages; random
    language text not null,                                  -- BCP 47
    format text not null,                                    -- standard, large-print …
    jurisdiction text not null,                              -- ISO country or subdivision
    has_phone boolean not null,                              -- an SMS is possible
    has_address boolean not null,                            -- a letter is possible
    commitments jsonb not null,                              -- field -> hex commitment under the person's key
    last_n bigint not null default 0,                        -- number of the newest event of this person
    last_leaf bytea,                                         -- its leaf hash
    locked_by text,                                          -- nobody reads it; the right to update it is the right to lock
    created_at timestamptz not null default duly_now(),      -- database time
    primary key (controller_id, incident_no, person_id),
    -- The hash leads: an index that begins like the primary key would be mistaken for it before the table is analysed.
    unique (reference_hash, controller_id, incident_no),
    unique (reference_code, controller_id)
) with (fillfactor = 70);

create table person_key (
    controller_id uuid not null,                             -- tenant
    incident_no bigint not null,                             -- incident
    person_id uuid not null,                                 -- person
    wrapped bytea not null,                                  -- K_p under the incident key; deleting it erases the person
    primary key (controller_id, incident_no, person_id)
);

-- Each row of a list or job has one identity and exactly one first fate; later fates are row_decision.
create table source_row (
    controller_id uuid not null,                             -- tenant
    incident_no bigint not null,                             -- incident
    list_no int not null,                                    -- list
    identity bytea not null,                                 -- row number (8 bytes, big-endian) or keyed hash of the job id (16 bytes); of id and content where the id was given twice
    row_no bigint,                                           -- 1.. of a file; null for jobs
    fate text not null check (fate in ('person', 'duplicate_of', 'quarantined')), -- what became of it at intake
    person_id uuid,                                          -- the person, or the one it duplicates
    faults jsonb,                                            -- quarantined: [{column, code}]; never values
    sealed bytea,                                            -- quarantined: the row as read, under the list's key
    content_hash bytea check (octet_length(content_hash) = 32), -- of a job: keyed hash of its fields, by which the same job is known again; null once its person is erased
    taken_at timestamptz not null default duly_now(),        -- database time
    primary key (controller_id, incident_no, list_no, identity),
    check ((fate = 'quarantined') = (person_id is null)),
    check ((fate = 'quarantined') = (faults is not null and sealed is not null))
);
create index source_row_quarantined on source_row (controller_id, incident_no, list_no, identity) where fate = 'quarantined';

-- Jobs that cannot be read; each is announced on duly.intake.rejected by id, code and hash.
create table rejected_job (
    rejected_id uuid primary key,                            -- client-made UUIDv7
    code text not null,                                      -- what is wrong with it
    body_hash bytea not null unique,                         -- keyed hash of the bytes: the same again changes nothing
    sealed bytea not null,                                   -- the bytes as they came, sealed under the master key, at most 1 MiB
    rejected_at timestamptz not null default duly_now()      -- database time
);

create table plan (
    controller_id uuid not null,                             -- tenant
    incident_no bigint not null,                             -- incident
    plan_no int not null check (plan_no > 0),                -- 1.. within the incident
    state text not null default 'prepared' check (state in ('prepared', 'approved', 'running', 'paused')), -- moved by events only
    body bytea not null,                                     -- canonical JSON: roots, versions, routes, lanes, date, counts
    hash bytea not null check (hash = sha256(body)),         -- what approvals sign
    message_deadline_ms bigint not null check (message_deadline_ms > 0), -- how long one message may be tried, ms
    postage_class text not null check (postage_class in ('first', 'second')), -- how letters are posted
    lanes text[] not null,                                   -- lanes that its messages may use
    is_urgent boolean not null,                              -- its messages go before those of other plans
    prepared_by uuid not null references app_user,           -- may not approve
    prepared_at timestamptz not null default duly_now(),     -- database time
    primary key (controller_id, incident_no, plan_no),
    foreign key (controller_id, incident_no) references incident (controller_id, incident_no)
);

-- Every command that changes something is signed; the signature stays.
create table signed_command (
    command_id uuid primary key,                             -- client-made UUIDv7
    user_id uuid not null references app_user,               -- who
    statement bytea not null,                                -- what was signed, canonical JSON
    signature bytea not null check (octet_length(signature) = 64), -- Ed25519 over statement
    at timestamptz not null default duly_now()               -- database time
);
-- A statement holds a nonce: the same bytes are kept once, so a signature serves once.
create unique index signed_command_once on signed_command (sha256(statement));
alter table app_user add foreign key (added_command_id) references signed_command;
alter table app_user add foreign key (revoked_command_id) references signed_command;

-- How a controller's letters look beside their words. Rows stay: a plan names the one that it was prepared with.
create table letterhead (
    controller_id uuid not null references controller,       -- tenant
    letterhead_no int not null check (letterhead_no > 0),    -- 1.. within the controller; the newest is for new plans
    hash bytea not null check (octet_length(hash) = 32),     -- SHA-256 over what follows: its name in plans and evidence
    logo bytea,                                              -- SVG or PNG; null: none
    logo_alt text,                                           -- what it shows, for who cannot see it
    check_page text,                                         -- public page that tells how to check a letter; null: none
    set_by uuid not null references app_user,                -- who
    command_id uuid not null unique references signed_command, -- the signed `controller set`
    set_at timestamptz not null default duly_now(),          -- database time
    primary key (controller_id, letterhead_no),
    check ((logo is null) = (logo_alt is null))
);

-- Drafts that a named user has read and signed for: plans may use them.
create table template_review (
    template_hash bytea primary key check (octet_length(template_hash) = 32), -- SHA-256 of the template with its partials
    template text not null,                                  -- its name when it was read, such as uk-gdpr/letter.en+cy
    reviewed_by uuid not null references app_user,           -- who
    command_id uuid not null unique references signed_command, -- signature over the hash
    reviewed_at timestamptz not null default duly_now()      -- database time
);

-- What somebody signed, the command with its arguments, without installation, time, nonce and version. Signatures are
-- checked by the program and by the audit: this database cannot verify them.
create function signed_words(statement bytea) returns jsonb language sql immutable as $$
    select convert_from(statement, 'UTF8')::jsonb - array['at', 'installation', 'nonce', 'v']
$$;

-- Whether an active user signed exactly this command.
create function is_signed(command uuid, by_user uuid, words jsonb) returns boolean language sql stable as $$
    select exists (select from signed_command s join app_user u on u.user_id = s.user_id and u.revoked_at is null
      where s.command_id = command and s.user_id = by_user and signed_words(s.statement) = words)
$$;

-- A user is the first of all, or an active user signed exactly that name and key; a revocation is of now and for ever,
-- and an active user signed it, perhaps the one who is revoked.
create function check_user() returns trigger language plpgsql as $$
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
end $$;
create trigger check_user before insert or update of revoked_at, revoked_command_id on app_user for each row execute function check_user();

-- The last fate of a quarantined row, decided by somebody.
create table row_decision (
    controller_id uuid not null,                             -- tenant
    incident_no bigint not null,                             -- incident
    list_no int not null,                                    -- list of the quarantined row
    identity bytea not null,                                 -- the quarantined row
    fate text not null check (fate in ('superseded', 'discarded')), -- its last fate
    new_list_no int,                                         -- superseded: list of the corrected row
    new_identity bytea,                                      -- superseded: the corrected row
    reason text,                                             -- discarded: why
    decided_by uuid not null references app_user,            -- who
    command_id uuid not null references signed_command,      -- signature of the decision
    decided_at timestamptz not null default duly_now(),      -- database time
    primary key (controller_id, incident_no, list_no, identity),
    foreign key (controller_id, incident_no, list_no, identity) references source_row,
    foreign key (controller_id, incident_no, new_list_no, new_identity) references source_row (controller_id, incident_no, list_no, identity),
    check ((fate = 'discarded') = (reason is not null and reason <> '')),
    check ((fate = 'superseded') = (new_list_no is not null and new_identity is not null))
);

create table plan_approval (
    controller_id uuid not null,                             -- tenant
    incident_no bigint not null,                             -- incident
    plan_no int not null,                                    -- plan
    user_id uuid not null references app_user,               -- approver
    command_id uuid not null unique references signed_command, -- signature over the plan's hash; approves once
    primary key (controller_id, incident_no, plan_no, user_id),
    foreign key (controller_id, incident_no, plan_no) references plan
);

-- An approval is the approver's own `plan approve` of exactly this plan and hash; never by who prepared it.
create function check_approval() returns trigger language plpgsql as $$
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
end $$;
create trigger check_approval before insert on plan_approval for each row execute function check_approval();

-- A review is the reviewer's own `template review` of exactly this hash.
create function check_review() returns trigger language plpgsql as $$
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
end $$;
create trigger check_review before insert on template_review for each row execute function check_review();

create table notice (
    controller_id uuid not null,                             -- tenant
    incident_no bigint not null,                             -- incident
    person_id uuid not null,                                 -- person
    phase int not null check (phase > 0),                    -- 1..
    plan_no int not null,                                    -- plan that covers it
    profile text not null,                                   -- legal profile of the person's jurisdiction; the plan's text has its closing table
    route text not null check (route in ('sms', 'letter', 'email', 'sms-and-letter', 'sms-then-letter')), -- channels
    state text not null default 'open' check (state in ('open', 'notified', 'unreachable', 'exempt', 'withdrawn')), -- moved by events only
    alerted_at timestamptz,                                  -- first SMS reported delivered; not an end
    ended_at timestamptz,                                    -- when the present end state was set
    problem text,                                            -- code of why no message could be prepared
    primary key (controller_id, incident_no, person_id, phase),
    check ((state = 'open') = (ended_at is null))
);

-- What the approver saw, as commitments: a message whose bytes differ is refused at the claim. A plain hash would let
-- whoever reads it try names until one fits.
create table prepared_content (
    controller_id uuid not null,                             -- tenant
    incident_no bigint not null,                             -- incident
    person_id uuid not null,                                 -- person
    phase int not null,                                      -- phase
    channel text not null check (channel in ('sms', 'letter', 'email')), -- channel
    person_version int not null,                             -- version of the person that was rendered
    content text not null check (content in ('full', 'alert')), -- declared by the template
    template_hash bytea not null check (octet_length(template_hash) = 32), -- SHA-256 of the template
    commitment bytea not null check (octet_length(commitment) = 32), -- to the SHA-256 of the rendered bytes, under the person's key; bound by the plan
    primary key (controller_id, incident_no, person_id, phase, channel)
);

create table message (
    controller_id uuid not null,                             -- tenant
    incident_no bigint not null,                             -- incident
    message_id uuid not null,                                -- client-made UUIDv7
    person_id uuid not null,                                 -- person
    phase int not null,                                      -- phase of the notice
    channel text not null check (channel in ('sms', 'letter', 'email')), -- channel
    reason text not null check (reason in ('first', 'escalation', 'resend', 'correction')), -- why it exists
    ordinal int not null check (ordinal > 0),                -- 1.. for this reason
    plan_no int not null,                                    -- plan that covers it
    postage_class text check (postage_class in ('first', 'second')), -- letters: how it is posted
    state text not null default 'ready' check (state in (
        'ready', 'sending', 'unknown', 'asked', 'accepted', 'sent', 'printed', 'handed_to_carrier',
        'delivered_to_handset', 'carrier_delivered', 'returned', 'failed', 'expired', 'rejected',
        'exhausted', 'overdue', 'superseded', 'cancelled')), -- moved by events only
    attempt int not null default 0 check (attempt >= 0),     -- number of the newest attempt; the token of its lease
    counted_from int not null default 0 check (counted_from <= attempt), -- attempts up to this one are spent: somebody decided to send again after them
    lane text,                                               -- chosen when first queued
    due_at timestamptz,                                      -- when the sweep looks again
    lease_until timestamptz,                                 -- queued (ready) or in a call (sending)
    expires_at timestamptz not null,                         -- our deadline for sending
    primary key (controller_id, incident_no, message_id),
    unique (controller_id, incident_no, person_id, phase, channel, reason, ordinal),
    constraint open_states_have_a_deadline check (due_at is not null or state in (
        'handed_to_carrier', 'delivered_to_handset', 'carrier_delivered', 'returned', 'failed', 'expired',
        'rejected', 'exhausted', 'superseded', 'cancelled')),
    constraint sending_has_a_lease check (state <> 'sending' or lease_until is not null),
    constraint letters_have_postage check (channel <> 'letter' or postage_class is not null)
) with (fillfactor = 70);
create unique index message_by_id on message (message_id);
create index message_due on message (incident_no, due_at) where due_at is not null;
create index message_leased on message (lane, lease_until) where lease_until is not null;

create table attempt (
    controller_id uuid not null,                             -- tenant
    incident_no bigint not null,                             -- incident
    message_id uuid not null,                                -- message
    attempt int not null check (attempt > 0),                -- 1..
    person_id uuid not null,                                 -- person
    lane text not null,                                      -- provider account
    is_repeat boolean not null,                              -- from unknown, under the provider's guarantee
    reference text not null check (reference ~ '^[0-9a-f]{32}$'), -- derived; key and reference at the provider
    request bytea not null,                                  -- sealed frozen bytes under the person's key; what they say is committed to by the intent's event
    claimed_at timestamptz not null default duly_now(),      -- intent
    send_by timestamptz not null,                            -- after this the call may not start
    primary key (controller_id, incident_no, message_id, attempt)
);
create index attempt_reference on attempt (reference);

create table outcome (
    controller_id uuid not null,                             -- tenant
    incident_no bigint not null,                             -- incident
    message_id uuid not null,                                -- message
    attempt int not null,                                    -- attempt
    kind text not null check (kind in ('accepted', 'rejected', 'not_taken', 'lane_stopped', 'unknown')), -- there is no sixth
    provider_id text,                                        -- the provider's name for the message
    code text not null,                                      -- HTTP status or transport fact; never text of the provider
    parts int check (parts >= 0),                            -- segments or pages by the provider's count, where it tells
    cost_milli bigint check (cost_milli >= 0),               -- its price, thousandths of the minor unit, where it tells
    currency text,                                           -- ISO 4217, of the price
    at timestamptz not null default duly_now(),              -- database time
    primary key (controller_id, incident_no, message_id, attempt),
    check (kind <> 'accepted' or provider_id is not null)
);
-- Small, and almost free to keep for rows that only grow in time: the rate of the last minute is read through it.
create index outcome_at on outcome using brin (at) with (pages_per_range = 16, autosummarize = on);
create index outcome_provider_id on outcome (provider_id) where provider_id is not null;

create table lookup (
    lookup_id uuid primary key,                              -- client-made UUIDv7
    controller_id uuid not null,                             -- tenant
    incident_no bigint not null,                             -- incident
    message_id uuid not null,                                -- message
    attempt int not null,                                    -- attempt that it asks about
    sent_at timestamptz not null default duly_now(),         -- committed before the look-up leaves
    found text[],                                            -- provider ids that it found; null: no answer, or none
    cost_milli bigint check (cost_milli >= 0),               -- the provider's price by then, thousandths of the minor unit
    currency text                                            -- ISO 4217, of the price
);
create index lookup_message on lookup (message_id);

-- Whatever arrives is noted, and kept where it proved itself; the role that inserts here can do nothing else.
create table receipt (
    receipt_id uuid primary key,                             -- client-made UUIDv7
    controller_id uuid not null,                             -- tenant from the URL
    provider text not null,                                  -- lane from the URL
    sealed bytea,                                            -- raw body; null where it did not prove itself, and once nobody may read it any more
    sealed_under text not null default 'controller' check (sealed_under in ('controller', 'person')), -- whose key opens it
    verdict text not null check (verdict in ('verified', 'bad_signature', 'stale', 'malformed', 'too_large')), -- what the endpoint found
    event_name text,                                         -- the provider's id of this receipt
    reference text,                                          -- our reference in it
    provider_id text,                                        -- the provider's id of the message
    status text check (status in ('accepted', 'sent', 'printed', 'handed_to_carrier', 'delivered_to_handset', 'carrier_delivered',
        'returned', 'failed', 'expired')),                   -- neutral status, a word that a provider can say; null if its word is not known
    claimed text check (claimed in ('accepted', 'sent', 'printed', 'handed_to_carrier', 'delivered_to_handset', 'carrier_delivered',
        'returned', 'failed', 'expired')),                   -- neutral status that nothing protects: its provider is asked, and what that says becomes the status
    unknown_word text check (length(unknown_word) <= 200),   -- the provider's word where it is not known: it moves nothing, and is shown
    received_at timestamptz not null default duly_now(),     -- database time
    due_at timestamptz default duly_now(),                   -- when the sweep applies it; null once done
    result text check (result in ('applied', 'no_change', 'replay', 'unmatched', 'refused')), -- what became of it
    message_id uuid,                                         -- the message that it speaks of
    constraint only_false_receipts_are_refused check (result is distinct from 'refused' or verdict <> 'verified'),
    constraint only_signed_receipts_have_a_body check (sealed is null or verdict in ('verified', 'malformed')),
    constraint receipts_wait_or_have_a_result check (due_at is not null or result is not null)
);
create index receipt_due on receipt (due_at) where due_at is not null;
create index receipt_message on receipt (message_id) where message_id is not null;
-- Holds the id as well: while statistics are old, no other index may look as good for finding an earlier one.
create index receipt_event on receipt (controller_id, provider, event_name, receipt_id) where verdict = 'verified';

create table hold (
    hold_id uuid primary key,                                -- client-made UUIDv7
    controller_id uuid not null,                             -- tenant
    incident_no bigint not null,                             -- incident
    person_id uuid,                                          -- null: the whole incident
    reason text not null check (reason <> ''),               -- why
    set_by uuid not null references app_user,                -- who
    command_id uuid not null unique references signed_command, -- signature of the setting
    set_at timestamptz not null default duly_now(),          -- database time
    lifted_by uuid references app_user,                      -- who
    lifted_command_id uuid unique references signed_command, -- signature of the lifting
    lifted_at timestamptz,                                   -- set once; null while it holds
    check ((lifted_at is null) = (lifted_by is null) and (lifted_at is null) = (lifted_command_id is null))
);
create index hold_open on hold (controller_id, incident_no) where lifted_at is null;

-- A hold is set and lifted by exactly the signed command, lifted once, and the times are this database's.
create function check_hold() returns trigger language plpgsql as $$
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
end $$;
create trigger check_hold before insert or update on hold for each row execute function check_hold();

create table lane_pause (
    lane text primary key,                                   -- lane
    until timestamptz not null,                              -- nothing is queued before
    code text not null,                                      -- why: 401, 402, 403, redirect
    since timestamptz not null default duly_now()            -- database time
);

create table alarm (
    alarm_id uuid primary key,                               -- client-made UUIDv7
    controller_id uuid not null,                             -- tenant
    incident_no bigint not null,                             -- incident
    message_id uuid,                                         -- message
    code text not null,                                      -- possible_duplicate …
    raised_at timestamptz not null default duly_now()        -- database time
);

create table leadership (
    role text primary key,                                   -- scheduler, sequencer
    epoch bigint not null,                                   -- grows with each change of holder
    holder text not null,                                    -- process
    expires_at timestamptz not null,                         -- by this database's clock
    locked_by text                                           -- nobody reads it
);

create table event (
    ord bigint generated always as identity (cache 1) primary key, -- order of the log
    controller_id uuid not null,                             -- tenant
    incident_no bigint not null,                             -- incident
    person_id uuid,                                          -- null for incident-level events
    n bigint,                                                -- 1.. of this person
    kind text not null,                                      -- docs/evidence-format.md
    message_id uuid,                                         -- message that it speaks of
    message_from text,                                       -- state before, null: no move
    message_to text,                                         -- state after
    notice_phase int,                                        -- notice that it moves
    notice_from text,                                        -- state before, null: no move
    notice_to text,                                          -- state after
    plan_no int,                                             -- plan that it moves
    plan_from text,                                          -- state before, null: no move
    plan_to text,                                            -- state after
    alerted boolean not null default false,                  -- sets the notice's alerted_at
    attempt int,                                             -- the message's attempt after the move
    due_in_ms bigint,                                        -- ms until the message is due; null: never
    lease_in_ms bigint,                                      -- ms of lease; null: none
    body bytea not null check (octet_length(body) <= 4096),  -- the leaf, canonical bytes
    leaf bytea not null check (leaf = sha256('\x00'::bytea || body)), -- RFC 6962 leaf hash
    restored_id uuid,                                        -- brought back from the published log by this reconciliation; null: written here
    unique (controller_id, incident_no, person_id, n),
    check ((person_id is null) = (n is null)),
    check ((message_from is null) = (message_to is null)),
    check ((notice_from is null) = (notice_to is null)),
    check ((plan_from is null) = (plan_to is null)),
    constraint kinds_are_words check (kind ~ '^[a-z_]+(\.[a-z_]+)*$')
);

-- Unknown calls are counted often and are few.
create index event_unknown on event (controller_id, incident_no) where kind = 'message.unknown';

-- Which message moves exist at all; model/state.rs has the same table and a test compares them.
create table message_move (
    from_state text not null,                                -- state before
    to_state text not null,                                  -- state after
    primary key (from_state, to_state)
);

insert into message_move (from_state, to_state)
select f, unnest(t) from (values
    ('ready', array['sending', 'accepted', 'sent', 'printed', 'handed_to_carrier', 'delivered_to_handset', 'carrier_delivered', 'returned', 'failed', 'expired', 'exhausted', 'cancelled']),
    ('sending', array['ready', 'unknown', 'accepted', 'sent', 'printed', 'handed_to_carrier', 'delivered_to_handset', 'carrier_delivered', 'returned', 'failed', 'expired', 'rejected']),
    ('unknown', array['ready', 'sending', 'asked', 'accepted', 'sent', 'printed', 'handed_to_carrier', 'delivered_to_handset', 'carrier_delivered', 'returned', 'failed', 'expired', 'rejected', 'superseded']),
    ('asked', array['ready', 'accepted', 'sent', 'printed', 'handed_to_carrier', 'delivered_to_handset', 'carrier_delivered', 'returned', 'failed', 'expired', 'rejected', 'superseded']),
    ('accepted', array['sent', 'printed', 'handed_to_carrier', 'delivered_to_handset', 'carrier_delivered', 'returned', 'failed', 'expired', 'overdue']),
    ('sent', array['handed_to_carrier', 'delivered_to_handset', 'carrier_delivered', 'returned', 'failed', 'expired', 'overdue']),
    ('printed', array['handed_to_carrier', 'delivered_to_handset', 'carrier_delivered', 'returned', 'failed', 'expired', 'overdue']),
    ('handed_to_carrier', array['delivered_to_handset', 'carrier_delivered', 'returned']),
    ('delivered_to_handset', array['returned']),
    ('carrier_delivered', array['returned']),
    ('failed', array['handed_to_carrier', 'delivered_to_handset', 'carrier_delivered', 'returned']),
    ('expired', array['handed_to_carrier', 'delivered_to_handset', 'carrier_delivered', 'returned', 'failed']),
    ('rejected', array['accepted', 'sent', 'printed', 'handed_to_carrier', 'delivered_to_handset', 'carrier_delivered', 'returned', 'failed', 'expired']),
    ('exhausted', array['accepted', 'sent', 'printed', 'handed_to_carrier', 'delivered_to_handset', 'carrier_delivered', 'returned', 'failed', 'expired']),
    ('overdue', array['handed_to_carrier', 'delivered_to_handset', 'carrier_delivered', 'returned', 'failed', 'expired']),
    ('superseded', array['accepted', 'sent', 'printed', 'handed_to_carrier', 'delivered_to_handset', 'carrier_delivered', 'returned', 'failed', 'expired']),
    ('cancelled', array['ready', 'accepted', 'sent', 'printed', 'handed_to_carrier', 'delivered_to_handset', 'carrier_delivered', 'returned', 'failed', 'expired'])
) as moves (f, t);

-- Which notice moves exist at all; model/state.rs has the same table and a test compares them.
create table notice_move (
    from_state text not null,                                -- state before
    to_state text not null,                                  -- state after
    primary key (from_state, to_state)
);

insert into notice_move (from_state, to_state) values
    ('open', 'notified'), ('open', 'unreachable'), ('notified', 'open'), ('notified', 'unreachable'),
    ('unreachable', 'open'), ('unreachable', 'notified');

-- Which plan moves exist at all, each with the kind that tells of it and the command that must be signed for it.
create table plan_move (
    kind text primary key,                                   -- of the event
    command text not null,                                   -- words of the signed command
    from_state text not null,                                -- state before
    to_state text not null                                   -- state after
);

insert into plan_move (kind, command, from_state, to_state) values
    ('plan.approved', 'plan approve', 'prepared', 'approved'), ('plan.started', 'plan go', 'approved', 'running'),
    ('plan.paused', 'plan pause', 'running', 'paused'), ('plan.resumed', 'plan resume', 'paused', 'running');

-- What the bytes of an event look like that has this kind and this place in its person's chain, as a pattern for `like`.
create function event_shape(kind text, n bigint, person_id uuid, prev bytea) returns text language sql immutable as $$
    select '{"d":{%},"id":"____________________________________","inc":"____________________________________","k":"' || replace(kind, '_', '\_') || '"'
        || coalesce(',"n":' || n::text || ',"p":"' || replace(person_id::text, '-', '') || '","prev":' || coalesce('"' || encode(prev, 'hex') || '"', 'null'), '')
        || ',"t":"___________________________","v":1}'
$$;

-- Moves states and heads from the inserted events, and fails the statement when a row does not fit, or when its bytes
-- tell of something else: the leaf is what others will read.
create function apply_events() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
declare wanted bigint; moved bigint;
begin
    perform check_restored(r.n_brought, r.n_moving, r.restored_id)
       from (select count(f.restored_id) as n_brought, min(f.restored_id::text)::uuid as restored_id,
                    count(*) filter (where f.restored_id is null and (f.person_id is not null or f.plan_to is not null)) as n_moving from fresh f) r;
    -- Somebody whom only the published log knows has no head here.
    select count(*) into wanted from fresh f where f.person_id is not null and (f.restored_id is null or exists (select from person p
        where p.controller_id = f.controller_id and p.incident_no = f.incident_no and p.person_id = f.person_id));
    update person p set last_n = e.n, last_leaf = e.leaf from fresh e
     where p.controller_id = e.controller_id and p.incident_no = e.incident_no and p.person_id = e.person_id
       and p.last_n = e.n - 1 and convert_from(e.body, 'UTF8') like event_shape(e.kind, e.n, e.person_id, p.last_leaf);
    get diagnostics moved = row_count;
    if moved <> wanted then raise exception 'event does not follow the head of its person, or its bytes do not say so' using errcode = 'DU001'; end if;
    if exists (select from fresh e
         where (e.person_id is null and convert_from(e.body, 'UTF8') not like event_shape(e.kind, null, null, null))
            or ((e.message_id is not null or e.notice_to is not null or e.alerted)
                and (split_part(split_part(convert_from(e.body, 'UTF8'), '"to":"', 2), '"', 1) <> coalesce(e.message_to, '')
                  or split_part(split_part(convert_from(e.body, 'UTF8'), '"notice":"', 2), '"', 1) <> coalesce(e.notice_to, '')))) then
        raise exception 'the bytes of an event tell of another kind or move than its row' using errcode = 'DU006';
    end if;

    select count(*) into wanted from fresh where message_from is not null;
    if wanted > 0 then
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
           and m.person_id = e.person_id and m.state = e.message_from;
        get diagnostics moved = row_count;
        if moved <> wanted then raise exception 'event moves a message from a state in which it is not' using errcode = 'DU002'; end if;
    end if;

    select count(*) into wanted from fresh where notice_from is not null or alerted;
    if wanted > 0 then
        update notice o set state = coalesce(e.notice_to, o.state),
               alerted_at = case when e.alerted then coalesce(o.alerted_at, duly_now()) else o.alerted_at end,
               ended_at = case when e.notice_to is null then o.ended_at when e.notice_to = 'open' then null else duly_now() end
          from fresh e left join notice_move v on v.from_state = e.notice_from and v.to_state = e.notice_to
         where (e.notice_from is not null or e.alerted)
           and o.controller_id = e.controller_id and o.incident_no = e.incident_no and o.person_id = e.person_id
           and o.phase = e.notice_phase and (e.notice_from is null or (o.state = e.notice_from and v.to_state is not null));
        get diagnostics moved = row_count;
        if moved <> wanted then raise exception 'event moves a notice from a state in which it is not' using errcode = 'DU003'; end if;
    end if;

    select count(*) into wanted from fresh where plan_from is not null;
    if wanted > 0 then
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
        if moved <> wanted then
            raise exception 'event moves a plan as it may not, or without its approvals and signed command' using errcode = 'DU004';
        end if;
    end if;

    select count(*) into wanted from fresh where kind in ('incident.closed', 'incident.reopened');
    if wanted > 0 then
        update incident i set closed_at = case e.kind when 'incident.closed' then duly_now() end
          from (select f.*, convert_from(f.body, 'UTF8')::jsonb -> 'd' as d from fresh f where f.kind in ('incident.closed', 'incident.reopened')) e
         where i.controller_id = e.controller_id and i.incident_no = e.incident_no and e.person_id is null
           and (i.closed_at is null) = (e.kind = 'incident.closed')
           and (e.restored_id is not null
             or is_signed((e.d ->> 'command')::uuid, (e.d ->> 'user')::uuid, jsonb_build_object('incident', i.incident_id, 'reason', e.d -> 'reason',
                   'command', case e.kind when 'incident.closed' then 'incident close' else 'incident reopen' end)));
        get diagnostics moved = row_count;
        if moved <> wanted then
            raise exception 'event closes or reopens an incident as it may not, or without its signed command' using errcode = 'DU009';
        end if;
    end if;
    return null;
end $$;
create trigger apply_events after insert on event referencing new table as fresh
    for each statement execute function apply_events();

-- No hold without its event: looked at when the transaction ends, by which time both are written or neither.
create function hold_has_event() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
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
end $$;
create constraint trigger hold_has_event after insert or update on hold deferrable initially deferred
    for each row execute function hold_has_event();

-- A closed incident takes no list, row, plan or approval: whoever shares the incident's row sees that it is closed.
create function only_while_open() returns trigger language plpgsql as $$
begin
    if exists (select from (select distinct controller_id, incident_no from fresh) f
         join incident i on i.controller_id = f.controller_id and i.incident_no = f.incident_no and i.closed_at is not null) then
        raise exception 'the incident is closed' using errcode = 'DU012';
    end if;
    return null;
end $$;
create trigger only_while_open after insert on affected_list referencing new table as fresh for each statement execute function only_while_open();
create trigger only_while_open after insert on list_freeze referencing new table as fresh for each statement execute function only_while_open();
create trigger only_while_open after insert on source_row referencing new table as fresh for each statement execute function only_while_open();
create trigger only_while_open after insert on plan referencing new table as fresh for each statement execute function only_while_open();
create trigger only_while_open after insert on plan_approval referencing new table as fresh for each statement execute function only_while_open();

-- Brings the planner's statistics up to date after an import or a prepare: without them it takes a table of 47,000
-- people for an empty one, and a claim of 200 messages for a walk over all of them. Only an owner may analyse.
create function duly_analyze() returns void language plpgsql security definer set search_path = public, pg_temp as $$
begin
    analyze incident, affected_list, source_row, person, person_key, plan, notice, prepared_content, message;
end $$;
