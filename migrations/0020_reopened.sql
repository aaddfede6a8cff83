-- A decision that ended a notice is taken back: the notice stands again as its messages say, and what the decision had
-- cancelled waits to be sent again.

insert into notice_move (from_state, to_state) values
    ('exempt', 'open'), ('exempt', 'unreachable'), ('exempt', 'notified'),
    ('withdrawn', 'open'), ('withdrawn', 'unreachable'), ('withdrawn', 'notified');

-- A notice ends by a decision, and comes back from one, in that decision's own kind of event alone, and by an active user's
-- signature over exactly that.
create or replace function check_decided() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
declare
    d jsonb := convert_from(new.body, 'UTF8')::jsonb -> 'd';
    is_taken_back boolean := coalesce(new.notice_from in ('exempt', 'withdrawn'), false) or new.kind = 'notice.reopened';
begin
    -- One that was brought back and could be applied to nothing stands in the chain; its person is held.
    if new.restored_id is not null and new.notice_to is null then return null; end if;
    if is_taken_back then
        if new.kind <> 'notice.reopened' or new.notice_from is null or new.notice_from not in ('exempt', 'withdrawn')
                or (d ->> 'phase')::int is distinct from new.notice_phase or new.message_id is not null then
            raise exception 'a decision about a notice is taken back in no other event than its own' using errcode = 'DU040';
        end if;
        -- Without the key nothing of the person can be sent again.
        if new.restored_id is null and not exists (select from person_key k where k.controller_id = new.controller_id and k.incident_no = new.incident_no
                and k.person_id = new.person_id) then
            raise exception 'a decision about somebody who is erased is not taken back' using errcode = 'DU040';
        end if;
    elsif new.kind is distinct from 'notice.' || new.notice_to or (d ->> 'phase')::int is distinct from new.notice_phase
            or new.message_id is not null then
        raise exception 'a notice is ended by a decision in no other event than its own' using errcode = 'DU031';
    end if;
    if new.restored_id is null and not exists (select from signed_command s
          join app_user u on u.user_id = s.user_id and u.revoked_at is null
          join incident i on i.controller_id = new.controller_id and i.incident_no = new.incident_no and i.closed_at is null
         where s.command_id = (d ->> 'command')::uuid and s.user_id = (d ->> 'user')::uuid
           and signed_words(s.statement) @> (jsonb_build_object('incident', i.incident_id, 'phase', new.notice_phase,
                 'person', 'p_' || replace(new.person_id::text, '-', '')) || case new.kind
                 when 'notice.exempt' then jsonb_build_object('command', 'person exempt')
                 when 'notice.reopened' then jsonb_build_object('command', 'person reopen')
                 else jsonb_build_object('command', 'person told', 'how', replace(d ->> 'ground', '_', '-')) end)) then
        raise exception 'a notice is ended, and comes back, by somebody''s signature over exactly that' using errcode = 'DU031';
    end if;
    return null;
end $$;
drop trigger check_decided on event;
create trigger check_decided after insert on event
    for each row when (new.notice_to = any (array['exempt', 'withdrawn']) or new.notice_from = any (array['exempt', 'withdrawn'])
        or new.kind = any (array['notice.exempt', 'notice.withdrawn', 'notice.reopened']))
    execute function check_decided();

-- The deadline of what was cancelled ran on meanwhile: whoever is told after all is given the plan's time again.
create function give_time_again() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
    update message m set expires_at = greatest(m.expires_at, duly_now() + q.message_deadline_ms * interval '1 millisecond')
      from plan q
     where m.controller_id = new.controller_id and m.incident_no = new.incident_no and m.person_id = new.person_id
       and m.phase = new.notice_phase and m.state = 'cancelled'
       and q.controller_id = m.controller_id and q.incident_no = m.incident_no and q.plan_no = m.plan_no;
    return null;
end $$;
create trigger give_time_again after insert on event
    for each row when (new.kind = 'notice.reopened' and new.notice_to is not null) execute function give_time_again();
