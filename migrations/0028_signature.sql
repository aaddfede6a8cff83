-- A scanned signature above the name of who signs a controller's letters.
alter table letterhead
    add column signature bytea,                              -- SVG or PNG; null: none
    add column signature_alt text,                           -- what it shows, for who cannot see it
    add check ((signature is null) = (signature_alt is null));
comment on column letterhead.signature is 'SVG or PNG, printed above the name of who signs; null: none';
comment on column letterhead.signature_alt is 'what the signature shows, for who cannot see it';
grant insert (signature, signature_alt) on letterhead to duly_app;
