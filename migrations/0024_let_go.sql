-- A notice about which somebody had decided stays with its plan when that is withdrawn. Once the decision is taken back it is
-- let go like all others of the plan: another plan may take the person.

-- Up to which event a person's chain tells of a notice that a withdrawn plan let go: nothing of it was ever sent.
create table let_go (
    controller_id uuid not null,                             -- tenant
    incident_no bigint not null,                             -- incident
    person_id uuid not null,                                 -- person
    phase int not null,                                      -- phase of the notice
    n bigint not null,                                       -- the person's newest event then
    plan_no int not null,                                    -- the plan that was withdrawn
    primary key (controller_id, incident_no, person_id, phase, plan_no)
);
grant select on let_go to duly_app;

-- Lets go whom the plan covered, or the one person about whom a decision was taken back: their notices and messages were never
-- more than an intention. One that may have left (the database came back older once) is not let go.
create or replace function release_plan() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
declare withdrawn int := new.plan_no;
begin
    if new.kind = 'notice.reopened' then
        select o.plan_no into withdrawn from notice o join plan q using (controller_id, incident_no, plan_no)
         where o.controller_id = new.controller_id and o.incident_no = new.incident_no and o.person_id = new.person_id
           and o.phase = new.notice_phase and o.state = 'open' and q.state = 'withdrawn';
        if not found then return null; end if;
    end if;
    if exists (select from message m join notice o on o.controller_id = m.controller_id and o.incident_no = m.incident_no
                  and o.person_id = m.person_id and o.phase = m.phase and o.state = 'open'
                where m.controller_id = new.controller_id and m.incident_no = new.incident_no and m.plan_no = withdrawn
                  and (new.person_id is null or m.person_id = new.person_id)
                  and (m.state <> 'ready' or m.attempt > 0 or exists (select from event e where e.controller_id = m.controller_id
                         and e.incident_no = m.incident_no and e.person_id = m.person_id and e.message_id = m.message_id
                         and e.kind not in ('message.cancelled', 'message.reopened')))) then
        if new.kind = 'notice.reopened' then return null; end if;
        raise exception 'a message of the plan may have left' using errcode = 'DU033';
    end if;
    with released as (delete from notice o
           where o.controller_id = new.controller_id and o.incident_no = new.incident_no and o.plan_no = withdrawn and o.state = 'open'
             and (new.person_id is null or (o.person_id = new.person_id and o.phase = new.notice_phase))
       returning o.person_id, o.phase),
    unsent as (delete from message m using released r
           where m.controller_id = new.controller_id and m.incident_no = new.incident_no and m.person_id = r.person_id and m.phase = r.phase),
    told as (insert into let_go (controller_id, incident_no, person_id, phase, n, plan_no)
           select new.controller_id, new.incident_no, r.person_id, r.phase, p.last_n, withdrawn from released r
             join person p on p.controller_id = new.controller_id and p.incident_no = new.incident_no and p.person_id = r.person_id
            where exists (select from event e where e.controller_id = new.controller_id and e.incident_no = new.incident_no
                    and e.person_id = r.person_id and e.notice_phase = r.phase)),
    promised as (delete from prepared_content c using released r
           where c.controller_id = new.controller_id and c.incident_no = new.incident_no and c.person_id = r.person_id and c.phase = r.phase
       returning c.person_id, c.channel, c.commitment)
    insert into withdrawn_content (controller_id, incident_no, plan_no, person_id, channel, commitment)
    select new.controller_id, new.incident_no, withdrawn, p.person_id, p.channel, p.commitment from promised p;
    return null;
end $$;
-- When the transaction ends, by which time what had been cancelled waits again.
create constraint trigger release_reopened after insert on event deferrable initially deferred
    for each row when (new.kind = 'notice.reopened' and new.notice_to = 'open') execute function release_plan();
