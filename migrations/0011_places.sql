-- An event's way into its log cost as much as writing it: a row for its waiting, a row for its place. Now the events of
-- one statement wait together and are placed together, and only by a function, which places what waits, once.

alter table event_inbox rename to waited;
alter index event_inbox_pkey rename to waited_pkey;
alter table sequenced rename to placed;
alter index sequenced_pkey rename to placed_pkey;

-- By 256 of the events' numbers in a row: so a place is found by the number of its event.
create table event_inbox (
    first_ord bigint primary key,                            -- its first event
    controller_id uuid,                                      -- its log: with incident_no that of an incident,
    incident_no bigint,                                      -- alone a controller's, neither: the system's
    ords bigint[] not null check (cardinality(ords) between 1 and 256 and ords[1] = first_ord and ords[cardinality(ords)] / 256 = first_ord / 256), -- the events, in order
    since timestamptz not null                               -- when they were written; how long they wait is a metric
);
insert into event_inbox select min(ord), controller_id, incident_no, array_agg(ord order by ord), min(since)
  from waited group by controller_id, incident_no, ord / 256;

create or replace function await_sequencing() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
declare now timestamptz := duly_now();
begin
    insert into event_inbox select min(ord), controller_id, incident_no, array_agg(ord order by ord), now
      from fresh group by controller_id, incident_no, ord / 256;
    return null;
end $$;

-- The places of events in their tree. Insert-only, and only by `place_events`.
create table sequenced (
    log_no int not null,                                     -- log
    generation int not null,                                 -- generation
    first_seq bigint not null check (first_seq >= 0),        -- index of the first leaf, 0..
    ords bigint[] not null check (cardinality(ords) between 1 and 256 and ords[cardinality(ords)] / 256 = ords[1] / 256), -- its event and those that follow
    primary key (log_no, generation, first_seq),
    foreign key (log_no, generation) references log_generation
);
create index sequenced_page on sequenced ((ords[1] / 256));
insert into sequenced select log_no, generation, seq, array[ord] from placed;
drop table waited;
drop table placed;

-- Each place for itself, for whoever reads a whole log.
create view place with (security_invoker = true) as
    select s.log_no, s.generation, s.first_seq + o.at - 1 as seq, o.ord
      from sequenced s cross join lateral unnest(s.ords) with ordinality as o (ord, at);

-- Gives what waits its places, from `from_seq` on, in the order of `taken` (first events of rows that wait). An event
-- has one place, in the log that it belongs to, and no place is left out.
create function place_events(to_log int, to_generation int, from_seq bigint, taken bigint[]) returns void
language plpgsql security definer set search_path = public, pg_temp as $$
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
end $$;

-- Lets each event of a log wait for itself: a restore gives them the places that they had, in that order.
create function part_waiting(controller uuid, incident bigint) returns void
language sql security definer set search_path = public, pg_temp as $$
    with gone as (delete from event_inbox i where i.controller_id is not distinct from controller and i.incident_no is not distinct from incident
             and cardinality(i.ords) > 1 returning i.*)
    insert into event_inbox select o.ord, g.controller_id, g.incident_no, array[o.ord], g.since from gone g cross join lateral unnest(g.ords) as o (ord);
$$;

create or replace function generation_is_opened() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
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
end $$;

-- Moves states and heads from the inserted events, and fails the statement when a row does not fit, or when its bytes
-- tell of something else: the leaf is what others will read.
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
    update person p set last_n = e.n, last_leaf = e.leaf from fresh e
     where p.controller_id = e.controller_id and p.incident_no = e.incident_no and p.person_id = e.person_id
       and p.last_n = e.n - 1 and convert_from(e.body, 'UTF8') like event_shape(e.kind, e.n, e.person_id, p.last_leaf);
    get diagnostics moved = row_count;
    if moved <> n.heads then raise exception 'event does not follow the head of its person, or its bytes do not say so' using errcode = 'DU001'; end if;
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
    perform from fresh where restored_id is null and kind in ('message.decided', 'key.destroyed', 'row.corrected', 'row.discarded', 'incident.added', 'log.opened');
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
    return null;
end $$;

drop function check_places();
revoke execute on function place_events(int, int, bigint, bigint[]), part_waiting(uuid, bigint) from public;
grant execute on function place_events(int, int, bigint, bigint[]), part_waiting(uuid, bigint) to duly_app;
grant select on event_inbox, sequenced, place to duly_app;
