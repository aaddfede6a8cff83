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

-- Quiet hours: a text message rings at night. The zones are found at prepare, from where the person lives and from the
-- country of the number; like the jurisdiction they tell no more than a part of the world.
alter table message add column zones text[];                 -- text messages: zones of time in which it may be night for the person
alter table plan add column quiet_from time;                 -- text messages wait from this time of the day on, in the person's zone; null: they never wait
alter table plan add column quiet_until time;                -- until this one
alter table plan add column zones text[] not null default '{}'; -- zones of all its people
alter table plan add constraint quiet_hours_have_both_ends check ((quiet_from is null) = (quiet_until is null));
grant insert (zones) on message to duly_app;
grant insert (quiet_from, quiet_until, zones) on plan to duly_app;

-- When the night ends that it is now in a zone; null: it is no night there, or there are no quiet hours.
create function night_ends(zone text, night_from time, night_until time) returns timestamptz language sql volatile set search_path = public, pg_temp as $$
    select case when case when night_from > night_until then l.at::time >= night_from or l.at::time < night_until
                          else l.at::time >= night_from and l.at::time < night_until end
                then ((l.at::date + case when l.at::time < night_until then 0 else 1 end) + night_until) at time zone zone end
      from (select duly_now() at time zone zone as at) l
$$;

-- What calls told of a lane of late; a row stands from its first bad call on.
create table lane_health (
    lane text primary key,                                   -- lane
    window_from timestamptz not null default duly_now(),     -- calls since then are counted; an old window begins anew
    calls bigint not null,                                   -- calls that tell something
    bad bigint not null check (bad between 0 and calls)      -- of them those that were refused, ended as unknown or took too long
);
grant select, insert, update, delete on lane_health to duly_app;

-- A pause whose time is over stays until a single call was answered: the second look.
alter table lane_pause add column rests int not null default 0; -- rests before this one without a good call between
grant update (rests) on lane_pause to duly_app;
