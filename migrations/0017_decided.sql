-- A notice that somebody ends by a decision: no notice is owed, or the person was told in another way.

insert into notice_move (from_state, to_state) values
    ('open', 'exempt'), ('open', 'withdrawn'), ('unreachable', 'exempt'), ('unreachable', 'withdrawn');

-- Such a notice ends by its own kind of event alone, and by an active user's signature over exactly that.
create function check_decided() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
declare d jsonb := convert_from(new.body, 'UTF8')::jsonb -> 'd';
begin
    -- One that was brought back and could be applied to nothing stands in the chain; its person is held.
    if new.restored_id is not null and new.notice_to is null then return null; end if;
    if new.kind is distinct from 'notice.' || new.notice_to or (d ->> 'phase')::int is distinct from new.notice_phase
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
                 else jsonb_build_object('command', 'person told', 'how', replace(d ->> 'ground', '_', '-')) end)) then
        raise exception 'a notice is ended by somebody''s signature over exactly that' using errcode = 'DU031';
    end if;
    return null;
end $$;
create trigger check_decided after insert on event
    for each row when (new.notice_to = any (array['exempt', 'withdrawn']) or new.kind = any (array['notice.exempt', 'notice.withdrawn']))
    execute function check_decided();

-- Nothing of such a notice can be sent: looked at when the transaction ends, by which time what waited is cancelled.
create function decided_is_decided() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
    if exists (select from notice o join message m on m.controller_id = o.controller_id and m.incident_no = o.incident_no
                  and m.person_id = o.person_id and m.phase = o.phase
                where o.controller_id = new.controller_id and o.incident_no = new.incident_no and o.person_id = new.person_id
                  and o.state in ('exempt', 'withdrawn') and m.state in ('ready', 'sending', 'unknown', 'asked')) then
        raise exception 'a message of somebody whose notice was ended by a decision may be sent' using errcode = 'DU032';
    end if;
    return null;
end $$;
create constraint trigger decided_is_decided after insert on event deferrable initially deferred
    for each row when (new.notice_to = any (array['exempt', 'withdrawn']) or new.message_to = 'ready') execute function decided_is_decided();

-- Nor does such a notice get another message.
create function no_message_after_decision() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
    if exists (select from fresh f join notice o on o.controller_id = f.controller_id and o.incident_no = f.incident_no
                  and o.person_id = f.person_id and o.phase = f.phase and o.state in ('exempt', 'withdrawn')) then
        raise exception 'a message for somebody whose notice was ended by a decision' using errcode = 'DU032';
    end if;
    return null;
end $$;
create trigger no_message_after_decision after insert on message referencing new table as fresh
    for each statement execute function no_message_after_decision();
