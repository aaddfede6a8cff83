-- The batches that lanes wrote into their folders, remembered outside of these: an older copy of a folder that somebody put
-- back is known by what it lacks.

create table lane_batch (
    lane text not null,  -- lane that writes to a folder
    batch text not null, -- name of a batch that was closed
    noted_at timestamptz not null default duly_now(), -- when it was first seen here
    constraint lane_batch_pkey primary key (lane, batch)
);
comment on table lane_batch is 'batches that lanes wrote into their folders; a folder that lacks one is an older copy';
comment on column lane_batch.lane is 'lane that writes to a folder';
comment on column lane_batch.batch is 'name of a batch that was closed';
comment on column lane_batch.noted_at is 'when it was first seen here';
grant select, insert (lane, batch) on lane_batch to duly_app;
