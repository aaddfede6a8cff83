-- What the spine learned: messages that cannot leave as they are, jobs that are read at last, letters whose delivery counts.

-- A message that a worker could not send as it was approved. It holds until the message's next attempt.
create table misfit (
    controller_id uuid not null,                             -- tenant
    incident_no bigint not null,                             -- incident
    message_id uuid not null,                                -- message
    attempt int not null,                                    -- its newest attempt at that time; a later one ends the misfit
    code text not null check (code in ('does_not_open', 'does_not_render', 'not_as_approved')), -- what is wrong
    found_at timestamptz not null default duly_now(),        -- database time
    primary key (controller_id, incident_no, message_id, attempt)
);
grant select, insert (controller_id, incident_no, message_id, attempt, code) on misfit to duly_app;

-- The last fate of a job that could not be read: taken in by a retry, or discarded by somebody.
create table rejected_job_decision (
    rejected_id uuid primary key references rejected_job,    -- the job
    fate text not null check (fate in ('taken', 'discarded')), -- what became of it
    controller_id uuid,                                      -- taken: tenant of its row
    incident_no bigint,                                      -- taken: incident of its row
    list_no int,                                             -- taken: list of its row
    identity bytea,                                          -- taken: its row
    reason text,                                             -- discarded: why
    decided_by uuid not null references app_user,            -- who
    command_id uuid not null references signed_command,      -- signature of the command
    decided_at timestamptz not null default duly_now(),      -- database time
    foreign key (controller_id, incident_no, list_no, identity) references source_row,
    check ((fate = 'discarded') = (reason is not null and reason <> '')),
    check ((fate = 'taken') = (identity is not null))
);
grant select, insert on rejected_job_decision to duly_app;

-- Where the profile counts delivery only, a posted letter without news is overdue like one that was printed.
insert into message_move (from_state, to_state) values ('handed_to_carrier', 'overdue');

-- A receipt whose URL leads nowhere is kept as refused, without its body and under no controller (the nil UUID).
grant insert (receipt_id, controller_id, provider, sealed, verdict, event_name, reference, provider_id, status, claimed, unknown_word, due_at, result)
    on receipt to duly_receipts;

-- What became of a receipt is decided by others than who takes it in: it begins undecided and due. Only one whose URL
-- leads nowhere is decided at once, since there is nobody to whom it could be applied.
create function receipt_begins_undecided() returns trigger language plpgsql as $$
begin
    if new.controller_id <> '00000000-0000-0000-0000-000000000000' and (new.result is not null or new.due_at is null) then
        raise exception 'a receipt is taken in undecided' using errcode = 'DU021';
    end if;
    return new;
end $$;
create trigger receipt_begins_undecided before insert on receipt for each row execute function receipt_begins_undecided();

-- What a receipt says stands for ever; only a claim that its provider had to confirm gets its status, once, with its result.
create function receipt_says_what_it_said() returns trigger language plpgsql as $$
begin
    if old.claimed is null or old.status is not null or old.result is not null or new.result is null then
        raise exception 'what a receipt says does not change' using errcode = 'DU073';
    end if;
    return new;
end $$;
create trigger receipt_says_what_it_said before update of status on receipt for each row
    when (old.status is distinct from new.status) execute function receipt_says_what_it_said();
