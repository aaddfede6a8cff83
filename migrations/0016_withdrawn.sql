-- A plan that has not gone may be withdrawn: its people are planned for by nobody again, and another plan may take them.

-- A move may begin in several states.
alter table plan_move drop constraint plan_move_pkey;
alter table plan_move add primary key (kind, from_state);
insert into plan_move (kind, command, from_state, to_state) values
    ('plan.withdrawn', 'plan withdraw', 'prepared', 'withdrawn'), ('plan.withdrawn', 'plan withdraw', 'approved', 'withdrawn');
alter table plan drop constraint plan_state_check;
alter table plan add constraint plan_state_check check (state in ('prepared', 'approved', 'running', 'paused', 'withdrawn'));

-- What a withdrawn plan would have told the people whom it let go: its text names their root, and packs go on showing it.
create table withdrawn_content (
    controller_id uuid not null,                             -- tenant
    incident_no bigint not null,                             -- incident
    plan_no int not null,                                    -- the plan that was withdrawn
    person_id uuid not null,                                 -- person
    channel text not null check (channel in ('sms', 'letter', 'email')), -- channel
    commitment bytea not null check (octet_length(commitment) = 32), -- as it stood in prepared_content
    primary key (controller_id, incident_no, plan_no, person_id, channel)
);
grant select on withdrawn_content to duly_app;

-- Lets go whom the plan covered: their notices and messages were never more than an intention. One of them that an event
-- tells of may have left (the database came back older once), and then nothing is let go.
create function release_plan() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
    if exists (select from message m join notice o on o.controller_id = m.controller_id and o.incident_no = m.incident_no
                  and o.person_id = m.person_id and o.phase = m.phase and o.state = 'open'
                where m.controller_id = new.controller_id and m.incident_no = new.incident_no and m.plan_no = new.plan_no
                  and (m.state <> 'ready' or m.attempt > 0 or exists (select from event e where e.controller_id = m.controller_id
                         and e.incident_no = m.incident_no and e.person_id = m.person_id and e.message_id = m.message_id))) then
        raise exception 'a message of the plan may have left' using errcode = 'DU033';
    end if;
    with released as (delete from notice o
           where o.controller_id = new.controller_id and o.incident_no = new.incident_no and o.plan_no = new.plan_no and o.state = 'open'
       returning o.person_id, o.phase),
    unsent as (delete from message m using released r
           where m.controller_id = new.controller_id and m.incident_no = new.incident_no and m.person_id = r.person_id and m.phase = r.phase),
    promised as (delete from prepared_content c using released r
           where c.controller_id = new.controller_id and c.incident_no = new.incident_no and c.person_id = r.person_id and c.phase = r.phase
       returning c.person_id, c.channel, c.commitment)
    insert into withdrawn_content (controller_id, incident_no, plan_no, person_id, channel, commitment)
    select new.controller_id, new.incident_no, new.plan_no, p.person_id, p.channel, p.commitment from promised p;
    return null;
end $$;
create trigger release_plan after insert on event for each row when (new.kind = 'plan.withdrawn' and new.plan_to = 'withdrawn')
    execute function release_plan();
