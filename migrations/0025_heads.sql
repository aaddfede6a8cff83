-- Heads of people are moved where a statement has any, as all else that it may move.
create or replace function apply_events() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
declare n record; moved bigint;
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
           count(*) filter (where kind in ('incident.closed', 'incident.reopened')) as closes
      into n from fresh f;
    perform check_restored(n.brought, n.moving, n.restored_id);
    -- Events of a log that is nobody's story have no heads to move.
    if n.heads > 0 then
        update person p set last_n = e.n, last_leaf = e.leaf from fresh e
         where p.controller_id = e.controller_id and p.incident_no = e.incident_no and p.person_id = e.person_id
           and p.last_n = e.n - 1 and convert_from(e.body, 'UTF8') like event_shape(e.kind, e.n, e.person_id, p.last_leaf);
        get diagnostics moved = row_count;
        if moved <> n.heads then raise exception 'event does not follow the head of its person, or its bytes do not say so' using errcode = 'DU001'; end if;
    end if;
    if exists (select from fresh e
         where (e.person_id is null and convert_from(e.body, 'UTF8') not like event_shape(e.kind, null, null, null))
            or ((e.message_id is not null or e.notice_to is not null or e.alerted)
                and (split_part(split_part(convert_from(e.body, 'UTF8'), '"to":"', 2), '"', 1) <> coalesce(e.message_to, '')
                  or split_part(split_part(convert_from(e.body, 'UTF8'), '"notice":"', 2), '"', 1) <> coalesce(e.notice_to, '')))) then
        raise exception 'the bytes of an event tell of another kind or move than its row' using errcode = 'DU006';
    end if;

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
           and m.person_id = e.person_id and m.state = e.message_from;
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
end $$;
