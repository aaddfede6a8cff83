-- The way of most events and of every look at what is due, made short. Each look walked over all open messages of an
-- incident, and each event through seven guards of which most concern few kinds.

-- What waits to be queued, by plan and channel: a plan that is paused, or a lane that rests, is not walked over.
create index message_waiting on message (incident_no, plan_no, channel, due_at) where state = 'ready';
-- What waits for an answer, a receipt or a decision.
create index message_open on message (incident_no, due_at) where state <> 'ready' and due_at is not null;
-- What is too late to be sent, and what has used up its attempts.
create index message_late on message (incident_no, plan_no, expires_at) where state = 'ready';
create index message_tried on message (incident_no, plan_no) where state = 'ready' and attempt > counted_from;
drop index message_due;

-- One row at a time, and only of the few kinds that they concern.
drop trigger begin_deadlines on event;
create or replace function begin_deadlines() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
    update message m set expires_at = greatest(m.expires_at, duly_now() + q.message_deadline_ms * interval '1 millisecond')
      from plan q
     where q.controller_id = new.controller_id and q.incident_no = new.incident_no and q.plan_no = new.plan_no
       and m.controller_id = q.controller_id and m.incident_no = q.incident_no and m.plan_no = q.plan_no and m.state = 'ready';
    return null;
end $$;
create trigger begin_deadlines after insert on event
    for each row when (new.kind = any (array['plan.started', 'plan.resumed'])) execute function begin_deadlines();

drop trigger check_auditor on event;
create or replace function check_auditor() returns trigger language plpgsql set search_path = public, pg_temp as $$
begin
    if pg_has_role(current_user, 'duly_app', 'member') and not pg_has_role(current_user, 'pg_database_owner', 'member') then
        raise exception 'an audit''s result is written by the role `duly_audit`' using errcode = 'DU026';
    end if;
    return null;
end $$;
create trigger check_auditor after insert on event
    for each row when (new.kind = any (array['audit.passed', 'audit.failed']) and new.restored_id is null) execute function check_auditor();

-- What a command was used for: null for what nobody commands, which is found without a look at its bytes. With its
-- schema, since an index is built and analysed under no search path.
create function command_words(kind text, incident_no bigint, body bytea) returns text language plpgsql immutable as $$
declare words text := convert_from(body, 'UTF8'); d jsonb;
begin
    if strpos(words, '"command":"') = 0 then return null; end if;
    d := words::jsonb -> 'd';
    return (d ->> 'command') || ' ' || kind || coalesce(' ' || incident_no, '') || coalesce(' ' || (d ->> 'list') || '/' || (d ->> 'row'), '');
end $$;
create or replace function command_use(kind text, incident_no bigint, body bytea) returns text language sql immutable as $$
    select case when kind like 'receipt%' or (kind like 'message.%' and kind <> 'message.decided') then null
                else public.command_words(kind, incident_no, body) end
$$;

-- All that somebody signs for is looked at in one guard, which most statements leave at once.
drop trigger check_declared on event;
drop trigger check_recall on event;
drop function check_declared();
drop function check_recall();
-- An event belongs to an incident and a controller that are there, and what somebody decided was signed by them, in
-- exactly that matter; what a restore brings back was signed in the time that was lost. Holds and plans have their own guards.
create or replace function check_events() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
    if exists (select from (select distinct controller_id, incident_no from fresh where controller_id is not null) e
         where not exists (select from controller c where c.controller_id = e.controller_id)
            or (e.incident_no is not null and not exists (select from incident i where i.controller_id = e.controller_id and i.incident_no = e.incident_no))) then
        raise exception 'an event of a controller or incident that is not there' using errcode = 'DU013';
    end if;
    -- What calls and receipts tell is most of all, and nobody decided it.
    perform from fresh where restored_id is null and (kind in ('message.decided', 'key.destroyed', 'row.corrected', 'row.discarded',
            'incident.added', 'log.opened', 'message.recall', 'message.recalled')
        or kind like 'receipt%' and position('"ground":"declared"'::bytea in body) > 0) limit 1;
    if not found then return null; end if;
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
    return null;
end $$;
