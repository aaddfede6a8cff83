-- Guards: what the application's role could still do to the record with statements that are each allowed to it.

-- The names of signed commands, rows and events in each other.

-- A row as commands and leaves name it: list and row number, or the keyed hash of a job's id.
create function row_name(list_no int, identity bytea) returns text language sql immutable as $$
    select list_no || '/' || case octet_length(identity) when 8 then ('x' || encode(identity, 'hex'))::bit(64)::bigint::text else encode(identity, 'hex') end
$$;

-- What an event uses its signed command for; null where it names none. A command may tell of several logs and rows, of
-- each of them once.
create function command_use(kind text, incident_no bigint, body bytea) returns text language plpgsql immutable as $$
declare words text; d jsonb;
begin
    if kind like 'receipt%' or (kind like 'message.%' and kind <> 'message.decided') then return null; end if;
    words := convert_from(body, 'UTF8');
    if strpos(words, '"command":"') = 0 then return null; end if;
    d := words::jsonb -> 'd';
    return (d ->> 'command') || ' ' || kind || coalesce(' ' || incident_no, '') || coalesce(' ' || (d ->> 'list') || '/' || (d ->> 'row'), '');
end $$;

-- One signature, one deed: a plan that was resumed once by a command is not resumed by it again.
create unique index event_command on event (command_use(kind, incident_no, body)) where command_use(kind, incident_no, body) is not null;

-- A signed command is of this installation and of this moment: what was signed for another one, a staging copy's, or was
-- kept back, is none here. model/statement.rs has the same seconds.
create function check_command() returns trigger language plpgsql security definer as $$
declare words jsonb := convert_from(new.statement, 'UTF8')::jsonb;
begin
    if words ->> 'installation' is distinct from (select i.installation_id::text from installation i) then
        raise exception 'a command that was signed for another installation' using errcode = 'DU018';
    end if;
    if coalesce(abs(extract(epoch from (words ->> 'at')::timestamptz - duly_now())) > 600, true) then
        raise exception 'a command that was not signed now' using errcode = 'DU019';
    end if;
    return new;
end $$;
create trigger check_command before insert on signed_command for each row execute function check_command();

-- An event belongs to an incident and a controller that are there, and what somebody decided was signed by them, in
-- exactly that matter; what a restore brings back was signed in the time that was lost. Holds and plans have their own guards.
create function check_events() returns trigger language plpgsql security definer as $$
begin
    if exists (select from (select distinct controller_id, incident_no from fresh where controller_id is not null) e
         where not exists (select from controller c where c.controller_id = e.controller_id)
            or (e.incident_no is not null and not exists (select from incident i where i.controller_id = e.controller_id and i.incident_no = e.incident_no))) then
        raise exception 'an event of a controller or incident that is not there' using errcode = 'DU013';
    end if;
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
    return null;
end $$;
create trigger check_events after insert on event referencing new table as fresh for each statement execute function check_events();

-- Whether a row's last fate is told by an event, and its reason or file is the one that was signed.
create function is_told(d row_decision) returns boolean language sql stable as $$
    select exists (select from event e join signed_command s on s.command_id = d.command_id and s.user_id = d.decided_by
        cross join lateral (select convert_from(e.body, 'UTF8')::jsonb -> 'd' as d, signed_words(s.statement) as words) w
      where command_use(e.kind, e.incident_no, e.body) = d.command_id || case d.fate when 'discarded' then ' row.discarded ' else ' row.corrected ' end
              || d.incident_no || ' ' || row_name(d.list_no, d.identity)
        and e.controller_id = d.controller_id and e.incident_no = d.incident_no and w.d ->> 'user' = d.decided_by::text
        and case d.fate when 'discarded' then w.words ->> 'reason' = d.reason
            else (w.d ->> 'new_list') || '/' || (w.d ->> 'new_row') = row_name(d.new_list_no, d.new_identity)
             and exists (select from affected_list l where l.controller_id = d.controller_id and l.incident_no = d.incident_no
                   and l.list_no = d.new_list_no and l.source = 'corrections' and encode(l.file_hash, 'hex') = w.words ->> 'file') end)
$$;

-- No row gets its last fate without the event: looked at when the transaction ends, by which time both are written or neither.
create function row_decision_has_event() returns trigger language plpgsql security definer as $$
begin
    if not is_told(new) then
        raise exception 'a quarantined row gets its last fate with its event, by what was signed' using errcode = 'DU015';
    end if;
    return null;
end $$;
create constraint trigger row_decision_has_event after insert on row_decision deferrable initially deferred
    for each row execute function row_decision_has_event();

-- An event has its place in the log that it belongs to.
create function check_places() returns trigger language plpgsql security definer as $$
begin
    if exists (select from fresh s where not exists (select from event e
           join log l on l.log_no = s.log_no and l.controller_id is not distinct from e.controller_id and l.incident_no is not distinct from e.incident_no
           join log_generation g on g.log_no = s.log_no and g.generation = s.generation where e.ord = s.ord)) then
        raise exception 'an event is placed in a log to which it does not belong' using errcode = 'DU016';
    end if;
    return null;
end $$;
create trigger check_places after insert on sequenced referencing new table as fresh for each statement execute function check_places();

-- A log bears the name of what its events are about.
create function check_log() returns trigger language plpgsql security definer as $$
begin
    if new.log_id is distinct from (case
            when new.incident_no is not null then (select i.incident_id from incident i where i.controller_id = new.controller_id and i.incident_no = new.incident_no)
            when new.controller_id is not null then new.controller_id else (select i.installation_id from installation i) end) then
        raise exception 'a log of another name than its events bear' using errcode = 'DU023';
    end if;
    return new;
end $$;
create trigger check_log before insert on log for each row execute function check_log();

-- No generation without the leaf that opens it, and none after the first but in a restore, which somebody must sign:
-- looked at when the transaction ends, by which time the leaf is in its place.
create function generation_is_opened() returns trigger language plpgsql security definer as $$
begin
    perform from log l join sequenced s on s.log_no = l.log_no and s.generation = new.generation and s.seq = 0
       join event e on e.ord = s.ord and e.kind = 'log.opened'
      cross join lateral (select convert_from(e.body, 'UTF8')::jsonb as body) b
      where l.log_no = new.log_no and b.body ->> 'inc' = l.log_id::text
        and b.body -> 'd' @> jsonb_build_object('generation', new.generation, 'origin', new.origin)
        and new.origin like '%/' || l.log_id || case when new.generation > 1 then '/' || new.generation else '' end
        and (new.generation = 1 or exists (select from restored r where r.reconciled_at is null));
    if not found then raise exception 'a log goes on in another generation without the leaf that says why' using errcode = 'DU024'; end if;
    return null;
end $$;
create constraint trigger generation_is_opened after insert on log_generation deferrable initially deferred
    for each row execute function generation_is_opened();

-- No incident without its event in the controller's log, which says how many approvals its plans need.
create function incident_has_event() returns trigger language plpgsql security definer as $$
begin
    perform from event e cross join lateral (select convert_from(e.body, 'UTF8')::jsonb -> 'd' as d) b
      where e.controller_id = new.controller_id and e.incident_no is null and e.kind = 'incident.added'
        and b.d @> jsonb_build_object('incident', new.incident_id, 'approvals', new.approvals_required);
    if not found then raise exception 'an incident is added with its event' using errcode = 'DU025'; end if;
    return null;
end $$;
create constraint trigger incident_has_event after insert on incident deferrable initially deferred
    for each row execute function incident_has_event();

-- That an audit found nothing is said by who audits, whose role does nothing else.
create function check_auditor() returns trigger language plpgsql as $$
begin
    if pg_has_role(current_user, 'duly_app', 'member') and not pg_has_role(current_user, 'pg_database_owner', 'member')
            and exists (select from fresh where kind in ('audit.passed', 'audit.failed') and restored_id is null) then
        raise exception 'an audit''s result is written by the role `duly_audit`' using errcode = 'DU026';
    end if;
    return null;
end $$;
create trigger check_auditor after insert on event referencing new table as fresh for each statement execute function check_auditor();
grant usage on schema public to duly_audit;
grant select on incident, installation to duly_audit;
grant insert (controller_id, incident_no, kind, body, leaf) on event to duly_audit;

-- What was laid aside goes after its time, and nothing else of a receipt's: neither what was applied nor what somebody
-- here would know.
create function check_forgotten() returns trigger language plpgsql security definer as $$
begin
    if floor(extract(epoch from old.received_at) / 86400) >= floor(extract(epoch from duly_now()) / 86400) or not (case old.result
            when 'refused' then old.verdict <> 'verified'
            when 'unmatched' then not exists (select from attempt a where a.controller_id = old.controller_id and a.reference = old.reference and a.lane = old.provider)
            when 'replay' then exists (select from receipt e where e.controller_id = old.controller_id and e.provider = old.provider
                and e.event_name = old.event_name and e.verdict = 'verified' and e.receipt_id < old.receipt_id)
            else false end) then
        raise exception 'a receipt that counts is not forgotten' using errcode = 'DU027';
    end if;
    return old;
end $$;
create trigger check_forgotten before delete on receipt for each row execute function check_forgotten();
grant delete on receipt to duly_app;
create index receipt_laid_aside on receipt (received_at) where result in ('refused', 'unmatched', 'replay');

-- Nobody leads for ever: whoever holds a lead renews it.
create function check_lead() returns trigger language plpgsql as $$
begin
    if new.expires_at > duly_now() + interval '1 minute' then
        raise exception 'a lead that would not run out' using errcode = 'DU017';
    end if;
    return new;
end $$;
create trigger check_lead before insert or update of expires_at on leadership for each row execute function check_lead();

-- The key of a controller's lists is brought by whoever attaches a signature of that key, and replaced by its own command.
create or replace function check_list_key() returns trigger language plpgsql security definer as $$
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
end $$;

-- No guard looks into tables that its caller made for it: a temporary table hides one of the same name.
do $$
declare guard regprocedure;
begin
    for guard in select p.oid::regprocedure from pg_proc p join pg_language l on l.oid = p.prolang
        where p.pronamespace = 'public'::regnamespace and p.proconfig is null and p.provolatile <> 'i'
          and (l.lanname = 'plpgsql' or p.proname in ('is_signed', 'is_told'))
    loop execute format('alter function %s set search_path = public, pg_temp', guard); end loop;
    execute format('revoke temporary on database %I from public', current_database());
end $$;
