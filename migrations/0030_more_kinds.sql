-- Two more kinds of event: a comparison with a provider's own statement, signed for in every figure, and a refusal of the content
-- check, under the signature of who asked for the plan.
create or replace function check_events() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
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
end $$;
