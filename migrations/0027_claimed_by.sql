-- Whose word a status is, stands in its event: the endpoint keeps it beside the status, as nobody else knows the word.
alter table receipt add column claimed_by text
    check (claimed_by in ('provider', 'network', 'carrier', 'estimate', 'person')); -- whose word the status is; null: not believed, or not known
grant insert (claimed_by) on receipt to duly_receipts;
