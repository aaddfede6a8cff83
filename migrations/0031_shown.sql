-- A letter's provider may show the PDF that it prints. It is asked a few times, each time later, and what it shows is an event.
create table letter_asked (
    controller_id uuid not null,                             -- tenant
    incident_no bigint not null,                             -- incident
    message_id uuid not null,                                -- a letter that its provider took
    asked_at timestamptz not null default duly_now(),        -- committed before the question leaves, so that a process that dies over the answer asks no more often
    primary key (controller_id, incident_no, message_id, asked_at)
);
grant select, insert (controller_id, incident_no, message_id) on letter_asked to duly_app;
