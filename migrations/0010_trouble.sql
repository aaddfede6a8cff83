-- When things go wrong: a provider that takes only so many a day, people who sleep, lanes that are sick.

-- How many messages each lane was handed on each day, over all workers. Taken under the claim's locks, so that two
-- workers, or two leaders, never hand over more than the lane may take.
create table lane_day (
    lane text not null,                                      -- lane
    day date not null,                                       -- UTC, as providers count
    taken bigint not null default 0 check (taken >= 0),      -- calls claimed on that day, without repeats and without those that were proven not processed
    primary key (lane, day)
);
grant select, insert, update (taken) on lane_day to duly_app;

-- The time for sending a message begins when its plan goes, and anew when it goes on: a plan that waited for an approval
-- over a weekend, or stood still for one, would else give everybody up in the moment in which it starts.
create function begin_deadlines() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
    if exists (select from fresh where kind in ('plan.started', 'plan.resumed')) then
        update message m set expires_at = greatest(m.expires_at, duly_now() + q.message_deadline_ms * interval '1 millisecond')
          from fresh e join plan q on q.controller_id = e.controller_id and q.incident_no = e.incident_no and q.plan_no = e.plan_no
         where e.kind in ('plan.started', 'plan.resumed')
           and m.controller_id = q.controller_id and m.incident_no = q.incident_no and m.plan_no = q.plan_no and m.state = 'ready';
    end if;
    return null;
end $$;
create trigger begin_deadlines after insert on event referencing new table as fresh
    for each statement execute function begin_deadlines();
