-- Walls against a stop that nobody sees: what the application's role may set to a time or number that never comes.

-- A lane rests for a day at most; whoever wants it to rest longer takes it out of the settings.
create function check_pause() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
    if not coalesce(new.until <= duly_now() + interval '25 hours', false) then
        raise exception 'a lane that would rest for ever' using errcode = 'DU028';
    end if;
    return new;
end $$;
create trigger check_pause before insert or update on lane_pause for each row execute function check_pause();

-- The pulse grows, and after a restore it goes on above what was published; it never comes near its end.
create function check_pulse() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
    if new.beat <= old.beat or new.beat > old.beat + 100000000 then
        raise exception 'a pulse only grows, by a few years at most' using errcode = 'DU029';
    end if;
    return new;
end $$;
create trigger check_pulse before update on pulse for each row execute function check_pulse();

-- Nobody leads for ever, and a lead changes hands one by one: an epoch at its end would let nobody lead any more.
create or replace function check_lead() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
    if not coalesce(new.expires_at <= duly_now() + interval '1 minute', false) then
        raise exception 'a lead that would not run out' using errcode = 'DU017';
    end if;
    if tg_op = 'INSERT' and new.epoch <> 1 or tg_op = 'UPDATE' and new.epoch not in (old.epoch, old.epoch + 1) then
        raise exception 'a lead changes hands one by one' using errcode = 'DU030';
    end if;
    return new;
end $$;
drop trigger check_lead on leadership;
create trigger check_lead before insert or update on leadership for each row execute function check_lead();
