-- Email as a channel: who can be told so, and the route that goes on with a letter.

alter table person add column has_email boolean not null default false; -- an email is possible
comment on column person.has_email is 'an email is possible';
grant insert (has_email) on person to duly_app;

alter table notice drop constraint notice_route_check;
alter table notice add constraint notice_route_check
    check (route in ('sms', 'letter', 'email', 'sms-and-letter', 'sms-then-letter', 'email-then-letter'));
