-- A database that came back older than the world: how it is noticed, and what it must find out before anything is sent.

-- The pulse: counted on by the sequencer's leader and copied outside. Outside it is never ahead, but after a restore.
create table pulse (
    only_one boolean primary key default true check (only_one), -- one row, for ever
    beat bigint not null default 0 check (beat >= 0)         -- grows about once a second while Duly runs
);
insert into pulse default values;

-- A restore that was noticed. While one is not reconciled, nothing is queued, claimed, repeated or sequenced.
create table restored (
    restored_id uuid primary key,                            -- client-made UUIDv7
    ground text not null check (ground in ('identity', 'timeline', 'position', 'pulse', 'checkpoint')), -- what gave it away
    found_at timestamptz not null default duly_now(),        -- database time
    imported_at timestamptz,                                 -- the published log is here again: people's chains may go on
    command_id uuid references signed_command,               -- signature of the reconciliation
    reconciled_at timestamptz,                               -- null: it still stops everything
    check ((command_id is null) = (reconciled_at is null))
);
create unique index restored_open on restored ((true)) where reconciled_at is null;

-- Events are brought back only for a restore that is open. Until all of them are, nobody's chain goes on: what was written
-- meanwhile would stand where the published log has something else.
create function check_restored(brought bigint, moving bigint, by_restore uuid) returns void language plpgsql stable as $$
begin
    if brought > 0 and not exists (select from restored r where r.restored_id = by_restore and r.reconciled_at is null) then
        raise exception 'an event is brought back without a restore' using errcode = 'DU070';
    end if;
    if moving > 0 and exists (select from restored r where r.reconciled_at is null and r.imported_at is null) then
        raise exception 'nobody''s events go on before `duly restore reconcile` has brought back those that were lost' using errcode = 'DU071';
    end if;
end $$;

-- The stop is lifted once, by an active user's signature over exactly that.
create function check_reconciled() returns trigger language plpgsql as $$
begin
    if old.reconciled_at is not null or (new.reconciled_at is not null and not exists (select from signed_command s
         where s.command_id = new.command_id
           and is_signed(s.command_id, s.user_id, jsonb_build_object('command', 'restore reconcile', 'restored', old.restored_id)))) then
        raise exception 'a restore is reconciled once, by an active user''s signature over exactly that' using errcode = 'DU072';
    end if;
    return new;
end $$;
create trigger check_reconciled before update on restored for each row execute function check_reconciled();

-- What a message would be called at its provider, had it left in the time that was lost; asked for by the resolver.
create table restored_call (
    controller_id uuid not null,                             -- tenant
    incident_no bigint not null,                             -- incident
    message_id uuid not null,                                -- message
    reference text not null check (reference ~ '^[0-9a-f]{32}$'), -- derived again, as at the call
    at timestamptz not null default duly_now(),              -- no call of the lost time began later
    primary key (controller_id, incident_no, message_id)
);

insert into message_move (from_state, to_state) values ('ready', 'unknown');

grant select, update (beat) on pulse to duly_app;
grant select, insert (restored_id, ground), update (imported_at, command_id, reconciled_at) on restored to duly_app;
grant select, insert (controller_id, incident_no, message_id, reference), update (reference, at) on restored_call to duly_app;
