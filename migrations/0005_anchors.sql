-- Anchors: what somebody outside said of a checkpoint, and to whom checkpoints were handed. Insert-only.
-- Logs are named by value, so that this outlives them.

create table anchor (
    anchor_id uuid primary key,                              -- UUIDv7
    log_id uuid not null,                                    -- the log's name in evidence
    generation int not null check (generation > 0),          -- generation
    size bigint not null check (size > 0),                   -- leaves of the checkpoint
    kind text not null check (kind in ('tsa', 'witness')),   -- time-stamping authority or witness
    name text not null,                                      -- the authority's host, or the witness's name
    response bytea not null,                                 -- TimeStampResp as it came, or the witness's signature lines
    checkpoint bytea not null,                               -- the exact bytes that were stamped or shown
    made_at timestamptz not null default duly_now()          -- database time
);
create index anchor_newest on anchor (log_id, generation, kind, name, size);

create table hand_over (
    log_id uuid not null,                                    -- the log's name in evidence
    generation int not null check (generation > 0),          -- generation
    size bigint not null check (size > 0),                   -- leaves of the checkpoint
    way text not null check (way in ('folder', 'mail', 'webhook')), -- how
    to_name text not null,                                   -- recipient's name in the settings, never an address
    occasion text not null check (occasion in ('freeze', 'daily', 'close')), -- why
    made_at timestamptz not null default duly_now(),         -- database time
    primary key (log_id, generation, way, to_name, size)
);

grant select, insert on anchor, hand_over to duly_app;
