-- What a provider answers when it is asked: kept, counted and compared, wherever the answer comes.
alter table lookup add column asks_price boolean not null default false; -- it asks for the price alone, of a message whose last word is known; so few of them are made of one message
alter table lookup add column unknown_word text check (length(unknown_word) <= 200); -- the provider's word where no table knows it; it moves nothing
alter table lookup add column parts integer check (parts > 0);           -- segments of a text or sheets of a letter by the provider's count
alter table lookup add column differs text;                              -- what it shows otherwise than it was given, the code of an alarm; empty: nothing; null: not compared
grant update (unknown_word, parts, differs) on lookup to duly_app;
create index lookup_unknown_word on lookup (message_id) where unknown_word is not null;
create index receipt_unknown_word on receipt (provider) where unknown_word is not null;
-- A receipt may tell of more than its message: that nothing more is taken of anybody.
alter table receipt add column stop_code text check (length(stop_code) <= 32); -- the code by which its lane rests; null: it says nothing of that
grant insert (stop_code) on receipt to duly_receipts;
