-- A key by which a controller signs its lists is pinned with the event that tells of it, or not at all: looked at when the
-- transaction ends, by which time both are written or neither.
create function list_key_is_told() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
    perform from event e
      where e.controller_id = new.controller_id and e.incident_no is null and e.kind = 'controller.list_key_set' and e.restored_id is null
        and convert_from(e.body, 'UTF8')::jsonb -> 'd' @> jsonb_build_object('key', encode(new.public_key, 'hex'),
              'user', new.user_id, 'command', new.command_id);
    if not found then raise exception 'a list key is pinned with its event' using errcode = 'DU067'; end if;
    return null;
end $$;
create constraint trigger list_key_is_told after insert on controller_list_key deferrable initially deferred
    for each row execute function list_key_is_told();
