-- Messages that somebody takes back.

-- Who takes a message back has signed for it: for this message, or for all of its plan.
create function check_recall() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
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
create trigger check_recall after insert on event referencing new table as fresh for each statement execute function check_recall();
