-- Keys that are given up or given: an erased person's, and the one by which a controller signs its lists.

-- What an erasure reaches; written in the transaction of its event `key.destroyed`, whose trigger does the work.
create table erasure (
    controller_id uuid not null,                             -- tenant
    incident_no bigint not null,                             -- incident
    person_id uuid not null,                                 -- person
    tombstone bytea not null check (octet_length(tombstone) = 32), -- keyed hash by which a re-import is refused
    copy_lists int[] not null,                               -- quarantined rows that held the person: lists
    copy_identities bytea[] not null,                        -- the same rows: identities
    copy_jobs uuid[] not null,                               -- rejected jobs that held the person
    command_id uuid not null references signed_command,      -- signature of the command
    erased_at timestamptz not null default duly_now(),       -- database time
    primary key (controller_id, incident_no, person_id),
    unique (tombstone, controller_id, incident_no),
    foreign key (controller_id, incident_no, person_id) references person,
    check (cardinality(copy_lists) = cardinality(copy_identities))
);

alter table person add column erased_at timestamptz;         -- set by the event `key.destroyed` alone
comment on column person.erased_at is 'set by the event key.destroyed alone';

-- The only way to destroy a key, and it takes with it all that the key sealed and all that could be found by guessing.
-- Row states, commitments, references at providers and events stay: they tell nothing of the person without the key.
create function destroy_key() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
declare e erasure; nothing bytea := '';
begin
    select * into e from erasure r
     where r.controller_id = new.controller_id and r.incident_no = new.incident_no and r.person_id = new.person_id;
    if not found then raise exception 'a key is destroyed without saying what it sealed' using errcode = 'DU061'; end if;
    -- What the published log tells was allowed then; here the plan that told the person may be forgotten.
    if new.restored_id is null and (exists (select from notice o where o.controller_id = e.controller_id and o.incident_no = e.incident_no
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
    return null;
end $$;
create trigger destroy_key after insert on event for each row when (new.kind = 'key.destroyed') execute function destroy_key();

-- Nobody is named as erased who is not.
create function check_erasure() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
    if exists (select from person_key k
                where k.controller_id = new.controller_id and k.incident_no = new.incident_no and k.person_id = new.person_id) then
        raise exception 'an erasure without its event' using errcode = 'DU064';
    end if;
    return null;
end $$;
create constraint trigger check_erasure after insert on erasure deferrable initially deferred
    for each row execute function check_erasure();

-- The key by which a controller signs its lists, kept away from here. The first one is believed on first use; another
-- takes its place only by a command that names it.
create table controller_list_key (
    controller_id uuid not null references controller,       -- tenant
    key_no int not null check (key_no > 0),                  -- 1.. of the controller; the highest counts
    public_key bytea not null check (octet_length(public_key) = 32), -- Ed25519
    user_id uuid not null references app_user,               -- who brought it
    command_id uuid not null references signed_command,      -- by which signed command
    pinned_at timestamptz not null default duly_now(),       -- database time
    primary key (controller_id, key_no)
);

create function check_list_key() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
    if new.key_no <> coalesce((select max(k.key_no) from controller_list_key k where k.controller_id = new.controller_id), 0) + 1 then
        raise exception 'a list key does not follow the one before' using errcode = 'DU065';
    end if;
    perform from signed_command s join app_user u on u.user_id = s.user_id and u.revoked_at is null
      where s.command_id = new.command_id and s.user_id = new.user_id
        and position(encode(new.public_key, 'hex') in convert_from(s.statement, 'UTF8')) > 0
        and (new.key_no = 1 or convert_from(s.statement, 'UTF8')::jsonb ->> 'command' = 'list replace-key');
    if not found then raise exception 'a list key needs a signed command that names it' using errcode = 'DU066'; end if;
    return new;
end $$;
create trigger check_list_key before insert on controller_list_key for each row execute function check_list_key();

grant select on erasure, controller_list_key to duly_app;
grant insert (controller_id, incident_no, person_id, tombstone, copy_lists, copy_identities, copy_jobs, command_id) on erasure to duly_app;
grant insert (controller_id, key_no, public_key, user_id, command_id) on controller_list_key to duly_app;
-- The event destroys a key, and nothing else does.
revoke delete on person_key from duly_app;
