-- Floods: what counts for nothing does not fill the table.

-- What was laid aside goes after its day; on the day itself only what a hundred others of its kind stand before, so that a
-- flood leaves no row for each of its receipts. Nothing else of a receipt's goes: neither what was applied nor what somebody
-- here would know.
create or replace function check_forgotten() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
    if not coalesce(case old.result
            when 'refused' then old.verdict <> 'verified'
            when 'unmatched' then not exists (select from attempt a where a.controller_id = old.controller_id and a.reference = old.reference and a.lane = old.provider)
            when 'replay' then exists (select from receipt e where e.controller_id = old.controller_id and e.provider = old.provider
                and e.event_name = old.event_name and e.verdict = 'verified' and e.receipt_id < old.receipt_id)
            else false end, false)
        or (floor(extract(epoch from old.received_at) / 86400) >= floor(extract(epoch from duly_now()) / 86400)
            and 100 > (select count(*) from (select from receipt e where e.result in ('refused', 'unmatched', 'replay')
                and e.received_at >= to_timestamp(floor(extract(epoch from old.received_at) / 86400) * 86400)
                and e.controller_id = old.controller_id and e.provider = old.provider and e.result = old.result and e.verdict = old.verdict
                and e.receipt_id < old.receipt_id limit 100) as before)) then
        raise exception 'a receipt that counts is not forgotten' using errcode = 'DU027';
    end if;
    return old;
end $$;
