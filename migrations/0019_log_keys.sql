-- A log may go on under another key: an event says so, which both keys sign. It is found by its kind.
create index event_key_changed on event (controller_id, incident_no) where kind = 'log.key_changed';

-- Who gives events their places writes it into the place that its signatures name. One that waited for any place, as all
-- others do, would poison the log for ever: it is refused when its transaction ends. What a restore brings back waits.
create function key_change_is_placed() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
    perform from sequenced s
      where s.ords[1] / 256 = new.ord / 256 and new.ord = any (s.ords)
        and to_jsonb(s.first_seq + array_position(s.ords, new.ord) - 1) = convert_from(new.body, 'UTF8')::jsonb -> 'd' -> 'size';
    if not found then raise exception 'a log''s key is changed at the place that both keys signed' using errcode = 'DU036'; end if;
    return null;
end $$;
create constraint trigger key_change_is_placed after insert on event deferrable initially deferred
    for each row when (new.kind = 'log.key_changed' and new.restored_id is null) execute function key_change_is_placed();
