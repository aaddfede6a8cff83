-- What each event costs. A row's trigger is looked at for every event of every run, whomever it is meant for: what only few
-- events do is looked for once a statement. An event's bytes are read at their places, from the end, and nothing is sought.
drop trigger begin_deadlines on event;
drop trigger check_decided on event;
drop trigger destroy_key on event;
drop trigger give_time_again on event;
drop trigger release_plan on event;
drop trigger release_reopened on event;
drop trigger key_change_is_placed on event;
drop trigger decided_is_decided on event;
drop function begin_deadlines();
drop function check_decided();
drop function destroy_key();
drop function give_time_again();
drop function release_plan();
drop function key_change_is_placed();
drop function decided_is_decided();

-- Steps of the two triggers below, with the rights of whoever calls them: the application may take none by itself.

create function begin_deadlines(told event) returns void language plpgsql set search_path = public, pg_temp as $$
begin
    update message m set expires_at = greatest(m.expires_at, duly_now() + q.message_deadline_ms * interval '1 millisecond')
      from plan q
     where q.controller_id = told.controller_id and q.incident_no = told.incident_no and q.plan_no = told.plan_no
       and m.controller_id = q.controller_id and m.incident_no = q.incident_no and m.plan_no = q.plan_no and m.state = 'ready';
end $$;

create function check_decided(told event) returns void language plpgsql set search_path = public, pg_temp as $$
declare
    d jsonb := convert_from(told.body, 'UTF8')::jsonb -> 'd';
    is_taken_back boolean := coalesce(told.notice_from in ('exempt', 'withdrawn'), false) or told.kind = 'notice.reopened';
begin
    -- One that was brought back and could be applied to nothing stands in the chain; its person is held.
    if told.restored_id is not null and told.notice_to is null then return; end if;
    if is_taken_back then
        if told.kind <> 'notice.reopened' or told.notice_from is null or told.notice_from not in ('exempt', 'withdrawn')
                or (d ->> 'phase')::int is distinct from told.notice_phase or told.message_id is not null then
            raise exception 'a decision about a notice is taken back in no other event than its own' using errcode = 'DU040';
        end if;
        -- Without the key nothing of the person can be sent again.
        if told.restored_id is null and not exists (select from person_key k where k.controller_id = told.controller_id and k.incident_no = told.incident_no
                and k.person_id = told.person_id) then
            raise exception 'a decision about somebody who is erased is not taken back' using errcode = 'DU040';
        end if;
    elsif told.kind is distinct from 'notice.' || told.notice_to or (d ->> 'phase')::int is distinct from told.notice_phase
            or told.message_id is not null then
        raise exception 'a notice is ended by a decision in no other event than its own' using errcode = 'DU031';
    end if;
    if told.restored_id is null and not exists (select from signed_command s
          join app_user u on u.user_id = s.user_id and u.revoked_at is null
          join incident i on i.controller_id = told.controller_id and i.incident_no = told.incident_no and i.closed_at is null
         where s.command_id = (d ->> 'command')::uuid and s.user_id = (d ->> 'user')::uuid
           and signed_words(s.statement) @> (jsonb_build_object('incident', i.incident_id, 'phase', told.notice_phase,
                 'person', 'p_' || replace(told.person_id::text, '-', '')) || case told.kind
                 when 'notice.exempt' then jsonb_build_object('command', 'person exempt')
                 when 'notice.reopened' then jsonb_build_object('command', 'person reopen')
                 else jsonb_build_object('command', 'person told', 'how', replace(d ->> 'ground', '_', '-')) end)) then
        raise exception 'a notice is ended, and comes back, by somebody''s signature over exactly that' using errcode = 'DU031';
    end if;
end $$;

create function destroy_key(told event) returns void language plpgsql set search_path = public, pg_temp as $$
declare e erasure; nothing bytea := '';
begin
    select * into e from erasure r
     where r.controller_id = told.controller_id and r.incident_no = told.incident_no and r.person_id = told.person_id;
    if not found then raise exception 'a key is destroyed without saying what it sealed' using errcode = 'DU061'; end if;
    -- What the published log tells was allowed then; here the plan that told the person may be forgotten.
    if told.restored_id is null and (exists (select from notice o where o.controller_id = e.controller_id and o.incident_no = e.incident_no
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
end $$;

create function give_time_again(told event) returns void language plpgsql set search_path = public, pg_temp as $$
begin
    update message m set expires_at = greatest(m.expires_at, duly_now() + q.message_deadline_ms * interval '1 millisecond')
      from plan q
     where m.controller_id = told.controller_id and m.incident_no = told.incident_no and m.person_id = told.person_id
       and m.phase = told.notice_phase and m.state = 'cancelled'
       and q.controller_id = m.controller_id and q.incident_no = m.incident_no and q.plan_no = m.plan_no;
end $$;

create function release_plan(told event) returns void language plpgsql set search_path = public, pg_temp as $$
declare withdrawn int := told.plan_no;
begin
    if told.kind = 'notice.reopened' then
        select o.plan_no into withdrawn from notice o join plan q using (controller_id, incident_no, plan_no)
         where o.controller_id = told.controller_id and o.incident_no = told.incident_no and o.person_id = told.person_id
           and o.phase = told.notice_phase and o.state = 'open' and q.state = 'withdrawn';
        if not found then return; end if;
    end if;
    if exists (select from message m join notice o on o.controller_id = m.controller_id and o.incident_no = m.incident_no
                  and o.person_id = m.person_id and o.phase = m.phase and o.state = 'open'
                where m.controller_id = told.controller_id and m.incident_no = told.incident_no and m.plan_no = withdrawn
                  and (told.person_id is null or m.person_id = told.person_id)
                  and (m.state <> 'ready' or m.attempt > 0 or exists (select from event e where e.controller_id = m.controller_id
                         and e.incident_no = m.incident_no and e.person_id = m.person_id and e.message_id = m.message_id
                         and e.kind not in ('message.cancelled', 'message.reopened')))) then
        if told.kind = 'notice.reopened' then return; end if;
        raise exception 'a message of the plan may have left' using errcode = 'DU033';
    end if;
    with released as (delete from notice o
           where o.controller_id = told.controller_id and o.incident_no = told.incident_no and o.plan_no = withdrawn and o.state = 'open'
             and (told.person_id is null or (o.person_id = told.person_id and o.phase = told.notice_phase))
       returning o.person_id, o.phase),
    unsent as (delete from message m using released r
           where m.controller_id = told.controller_id and m.incident_no = told.incident_no and m.person_id = r.person_id and m.phase = r.phase),
    told as (insert into let_go (controller_id, incident_no, person_id, phase, n, plan_no)
           select told.controller_id, told.incident_no, r.person_id, r.phase, p.last_n, withdrawn from released r
             join person p on p.controller_id = told.controller_id and p.incident_no = told.incident_no and p.person_id = r.person_id
            where exists (select from event e where e.controller_id = told.controller_id and e.incident_no = told.incident_no
                    and e.person_id = r.person_id and e.notice_phase = r.phase)),
    promised as (delete from prepared_content c using released r
           where c.controller_id = told.controller_id and c.incident_no = told.incident_no and c.person_id = r.person_id and c.phase = r.phase
       returning c.person_id, c.channel, c.commitment)
    insert into withdrawn_content (controller_id, incident_no, plan_no, person_id, channel, commitment)
    select told.controller_id, told.incident_no, withdrawn, p.person_id, p.channel, p.commitment from promised p;
end $$;

create function key_change_is_placed(told event) returns void language plpgsql set search_path = public, pg_temp as $$
begin
    perform from sequenced s
      where s.ords[1] / 256 = told.ord / 256 and told.ord = any (s.ords)
        and to_jsonb(s.first_seq + array_position(s.ords, told.ord) - 1) = convert_from(told.body, 'UTF8')::jsonb -> 'd' -> 'size';
    if not found then raise exception 'a log''s key is changed at the place that both keys signed' using errcode = 'DU036'; end if;
end $$;

create function decided_is_decided(told event) returns void language plpgsql set search_path = public, pg_temp as $$
begin
    if exists (select from notice o join message m on m.controller_id = o.controller_id and m.incident_no = o.incident_no
                  and m.person_id = o.person_id and m.phase = o.phase
                where o.controller_id = told.controller_id and o.incident_no = told.incident_no and o.person_id = told.person_id
                  and o.state in ('exempt', 'withdrawn') and m.state in ('ready', 'sending', 'unknown', 'asked')) then
        raise exception 'a message of somebody whose notice was ended by a decision may be sent' using errcode = 'DU032';
    end if;
end $$;

revoke all on function begin_deadlines(event) from public;
revoke all on function check_decided(event) from public;
revoke all on function destroy_key(event) from public;
revoke all on function give_time_again(event) from public;
revoke all on function release_plan(event) from public;
revoke all on function key_change_is_placed(event) from public;
revoke all on function decided_is_decided(event) from public;

-- What must hold when all of a transaction is done.
create function look_again() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
    if new.kind = 'log.key_changed' and new.restored_id is null then perform key_change_is_placed(new); end if;
    if new.kind = 'notice.reopened' and new.notice_to = 'open' then perform release_plan(new); end if;
    if new.notice_to in ('exempt', 'withdrawn') or new.message_to = 'ready' then perform decided_is_decided(new); end if;
    return null;
end $$;
create constraint trigger look_again after insert on event deferrable initially deferred
    for each row when (new.kind = any (array['log.key_changed', 'notice.reopened']) or new.notice_to = any (array['exempt', 'withdrawn'])
        or new.message_to = 'ready') execute function look_again();

-- What an event's bytes say between its incident and its time: the kind, and the place in its person's chain.
create function event_words(kind text, n bigint, person_id uuid, prev bytea) returns text language sql immutable as $$
    select kind || '","n":' || n || ',"p":"' || replace(person_id::text, '-', '') || '","prev":' || coalesce('"' || encode(prev, 'hex') || '"', 'null')
$$;

-- Whether the bytes are those of an event that says `words`, of so many bytes:
-- {"d":{facts},"id":"36 bytes","inc":"36 bytes","k":"words,"t":"27 bytes","v":1}
create function event_says(body bytea, size int, words text) returns boolean language sql immutable as $$
    select body >= '\x7b2264223a7b'::bytea and body < '\x7b2264223a7c'::bytea
       and substring(body from octet_length(body) - 7 for 8) = '\x222c2276223a317d'::bytea
       and encode(substring(body from octet_length(body) - size - 47 for size + 13), 'escape') = '","k":"' || words || ',"t":"'
       and substring(body from octet_length(body) - size - 92 for 9) = '\x222c22696e63223a22'::bytea
       and substring(body from octet_length(body) - size - 136 for 8) = '\x7d2c226964223a22'::bytea
$$;

create or replace function apply_events() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
declare n record; told event; moved bigint;
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
           count(*) filter (where kind in ('incident.closed', 'incident.reopened')) as closes,
           count(*) filter (where kind = any (array['plan.started', 'plan.resumed', 'plan.withdrawn', 'key.destroyed', 'notice.exempt',
                   'notice.withdrawn', 'notice.reopened']) or notice_to = any (array['exempt', 'withdrawn'])
               or notice_from = any (array['exempt', 'withdrawn'])) as few,
           bool_or(case when person_id is null then not event_says(body, octet_length(kind) + 1, kind || '"') else false end
               or case when message_id is not null or notice_to is not null or alerted
                  then split_part(split_part(convert_from(body, 'UTF8'), '"to":"', 2), '"', 1) <> coalesce(message_to, '')
                    or split_part(split_part(convert_from(body, 'UTF8'), '"notice":"', 2), '"', 1) <> coalesce(notice_to, '')
                  else false end) as is_other
      into n from fresh f;
    if n.few > 0 then
        for told in select f.* from fresh f
             where f.kind = any (array['plan.started', 'plan.resumed', 'plan.withdrawn', 'key.destroyed', 'notice.exempt', 'notice.withdrawn',
                   'notice.reopened']) or f.notice_to = any (array['exempt', 'withdrawn']) or f.notice_from = any (array['exempt', 'withdrawn']) loop
            if told.kind in ('plan.started', 'plan.resumed') then perform begin_deadlines(told); end if;
            if told.kind in ('notice.exempt', 'notice.withdrawn', 'notice.reopened') or told.notice_to in ('exempt', 'withdrawn')
                    or told.notice_from in ('exempt', 'withdrawn') then perform check_decided(told); end if;
            if told.kind = 'key.destroyed' then perform destroy_key(told); end if;
            if told.kind = 'notice.reopened' and told.notice_to is not null then perform give_time_again(told); end if;
            if told.kind = 'plan.withdrawn' and told.plan_to = 'withdrawn' then perform release_plan(told); end if;
        end loop;
    end if;
    perform check_restored(n.brought, n.moving, n.restored_id);
    -- Events of a log that is nobody's story have no heads to move.
    if n.heads > 0 then
        update person p set last_n = e.n, last_leaf = e.leaf from fresh e
         where p.controller_id = e.controller_id and p.incident_no = e.incident_no and p.person_id = e.person_id
           and p.last_n = e.n - 1 and event_says(e.body,
               octet_length(e.kind) + octet_length(e.n::text) + case when p.last_leaf is null then 57 else 119 end,
               event_words(e.kind, e.n, e.person_id, p.last_leaf));
        get diagnostics moved = row_count;
        if moved <> n.heads then raise exception 'event does not follow the head of its person, or its bytes do not say so' using errcode = 'DU001'; end if;
    end if;
    if n.is_other then raise exception 'the bytes of an event tell of another kind or move than its row' using errcode = 'DU006'; end if;

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
           and m.person_id = e.person_id and m.state = e.message_from
           -- Nobody can say of a message that was never called that it left.
           and (m.attempt > 0 or m.state not in ('ready', 'cancelled', 'exhausted') or e.restored_id is not null
             or e.message_to in ('ready', 'sending', 'unknown', 'cancelled', 'exhausted'));
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

create or replace function check_events() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
declare n record;
begin
    -- In one walk: what waits for its place, whose log that is, and whether anything is among it that somebody must have
    -- signed. What calls and receipts tell is most of all, and nobody decided it.
    with rounds as materialized (
        select controller_id, incident_no, array_agg(ord) as ords, bool_or(is_signed) as is_signed from (
            select controller_id, incident_no, ord, restored_id is null and kind not in ('message.intent', 'message.accepted')
                   and (kind in ('message.decided', 'key.destroyed', 'row.corrected', 'row.discarded', 'incident.added', 'log.opened',
                                 'message.recall', 'message.recalled')
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
    return null;
end $$;

drop function event_shape(text, bigint, uuid, bytea);
