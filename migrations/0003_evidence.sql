-- The logs: every event takes its place in a Merkle tree, and a signed checkpoint says so.
-- An event waits in `event_inbox` until the one sequencer takes it; its bytes stay where they are, in `event`.

-- This installation; its system's log bears the id.
create table installation (
    installation_id uuid primary key default gen_random_uuid(), -- random, made here
    only_one boolean not null default true unique check (only_one) -- one row, for ever
);
insert into installation default values;

-- Events that concern more than one incident belong to the controller's log; those of no controller to the system's.
alter table event alter column controller_id drop not null;
alter table event alter column incident_no drop not null;
alter table event add constraint an_incident_has_a_controller check (incident_no is null or controller_id is not null);
alter table event add constraint a_person_has_an_incident check (person_id is null or incident_no is not null);

create table event_inbox (
    ord bigint primary key,                                  -- the event
    controller_id uuid,                                      -- its log: with incident_no that of an incident,
    incident_no bigint,                                      -- alone a controller's, neither: the system's
    since timestamptz not null                               -- when it was written; how long it waits is a metric
);

-- Written for every event by the statement that inserts it, so that none can be left out.
create function await_sequencing() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
declare now timestamptz := duly_now();
begin
    insert into event_inbox select ord, controller_id, incident_no, now from fresh;
    return null;
end $$;
create trigger await_sequencing after insert on event referencing new table as fresh
    for each statement execute function await_sequencing();

create table log (
    log_no int generated always as identity primary key,     -- stays inside
    kind text not null check (kind in ('incident', 'controller', 'system')), -- whose events it holds
    controller_id uuid references controller,                -- of an incident's or a controller's log
    incident_no bigint references incident (incident_no),    -- of an incident's log
    log_id uuid not null unique,                             -- the name in evidence (`inc`)
    unique nulls not distinct (controller_id, incident_no),
    check (kind = case when incident_no is not null then 'incident' when controller_id is not null then 'controller' else 'system' end)
);

create table log_generation (
    log_no int not null references log,                      -- log
    generation int not null check (generation > 0),          -- 1..; a later one only after a restore
    origin text not null unique,                             -- name of checkpoints and of the key that signs them
    opened_at timestamptz not null default duly_now(),       -- database time
    primary key (log_no, generation)
);

-- The place of an event in its tree. Insert-only.
create table sequenced (
    log_no int not null,                                     -- log
    generation int not null,                                 -- generation
    seq bigint not null check (seq >= 0),                    -- index of the leaf, 0..
    ord bigint not null,                                     -- the event
    primary key (log_no, generation, seq)
);
create unique index sequenced_ord on sequenced (ord);

-- Hash tiles of C2SP tlog-tiles. One row grows until it holds 256 hashes; a partial tile is a prefix of it.
create table log_tile (
    log_no int not null,                                     -- log
    generation int not null,                                 -- generation
    level int not null check (level between 0 and 7),        -- 0: leaf hashes
    tile_no bigint not null check (tile_no >= 0),            -- 0.. within the level
    hashes bytea not null check (octet_length(hashes) between 32 and 8192 and octet_length(hashes) % 32 = 0), -- 1 to 256 hashes
    primary key (log_no, generation, level, tile_no)
);
-- Compression of hashes costs time and gains nothing.
alter table log_tile alter column hashes set storage external;

create function only_append() returns trigger language plpgsql as $$
begin
    if octet_length(new.hashes) <= octet_length(old.hashes) or substr(new.hashes, 1, octet_length(old.hashes)) <> old.hashes then
        raise exception 'a tile only grows' using errcode = 'DU010';
    end if;
    return new;
end $$;
create trigger only_append before update on log_tile for each row execute function only_append();

create table checkpoint (
    log_no int not null,                                     -- log
    generation int not null,                                 -- generation
    size bigint not null check (size > 0),                   -- leaves
    root bytea not null check (octet_length(root) = 32),     -- RFC 6962
    note text not null,                                      -- C2SP signed note, as published
    epoch bigint not null,                                   -- leadership of the sequencer that signed
    signed_at timestamptz not null default duly_now(),       -- database time
    primary key (log_no, generation, size),
    foreign key (log_no, generation) references log_generation
);

-- A size is signed once, and the next one is larger: two checkpoints of one size would be proof of fraud.
create function only_grow() returns trigger language plpgsql as $$
begin
    perform from checkpoint c where c.log_no = new.log_no and (c.generation > new.generation
        or (c.generation = new.generation and c.size >= new.size));
    if found then raise exception 'a checkpoint of this size or a later one was signed already' using errcode = 'DU011'; end if;
    return new;
end $$;
create trigger only_grow before insert on checkpoint for each row execute function only_grow();

-- What is copied to the place outside, and only then shown to anybody.
create table publication (
    log_no int not null,                                     -- log
    generation int not null,                                 -- generation
    size bigint not null,                                    -- checkpoint
    published_at timestamptz not null default duly_now(),    -- database time
    primary key (log_no, generation, size),
    foreign key (log_no, generation, size) references checkpoint
);

-- The words that plans were approved with: templates, legal profile, the incident's texts. A pack shows them by hash.
create table approved_text (
    hash bytea primary key check (hash = sha256(body)),      -- as the plan's body names it
    name text not null,                                      -- file name; of a template with its folder, which says what it is for
    body bytea not null                                      -- the bytes
);

grant select, insert on approved_text to duly_app;
grant select on installation, event_inbox, log, log_generation, sequenced, log_tile, checkpoint, publication to duly_app;
grant insert on log, log_generation, sequenced, log_tile, checkpoint, publication to duly_app;
grant update (hashes) on log_tile to duly_app;
grant delete on event_inbox to duly_app;
