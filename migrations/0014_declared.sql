-- Batches that somebody carries: what a named person declares of their messages.

-- What is declared was signed: a docket or a result file, by a user who may sign.
create function check_declared() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
    if exists (select from (select convert_from(f.body, 'UTF8')::jsonb -> 'd' as d from fresh f
                             where f.restored_id is null and f.kind like 'receipt%'
                               and strpos(convert_from(f.body, 'UTF8'), '"ground":"declared"') > 0) e
         where not exists (select from signed_command s join app_user u on u.user_id = s.user_id and u.revoked_at is null
                where s.command_id = (e.d ->> 'command')::uuid and s.user_id = (e.d ->> 'user')::uuid
                  and signed_words(s.statement) ->> 'command' in ('batch handed-over', 'batch result'))) then
        raise exception 'somebody''s word without their signature' using errcode = 'DU080';
    end if;
    return null;
end $$;
create trigger check_declared after insert on event referencing new table as fresh for each statement execute function check_declared();
