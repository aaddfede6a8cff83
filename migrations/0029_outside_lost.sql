-- A restore may also be told by this: what was published before is not outside any more, and nobody knows what else was.
alter table restored drop constraint restored_ground_check;
alter table restored add constraint restored_ground_check
    check (ground in ('identity', 'timeline', 'position', 'pulse', 'checkpoint', 'outside'));
