-- Rights of the application's roles. The owner migrates; `duly_app` works; `duly_receipts` only inserts receipts;
-- `duly_audit` only says what an audit found.
-- Roles are of the whole cluster: other databases may have made them already, perhaps at this very moment.
do $$
begin
    perform pg_advisory_xact_lock(hashtext('duly roles'));
    if not exists (select from pg_roles where rolname = 'duly_app') then create role duly_app nologin; end if;
    if not exists (select from pg_roles where rolname = 'duly_receipts') then create role duly_receipts nologin; end if;
    if not exists (select from pg_roles where rolname = 'duly_audit') then create role duly_audit nologin; end if;
exception when duplicate_object or unique_violation then null;
end $$;

revoke all on all tables in schema public from public;
grant usage on schema public to duly_app, duly_receipts;
grant select on all tables in schema public to duly_app;
grant insert on controller, affected_list, list_freeze, person_key, source_row, row_decision, rejected_job,
    plan_approval, prepared_content, attempt, outcome, lookup, lane_pause, alarm, leadership to duly_app;

-- States, heads and times of signatures have defaults and are never given at insert.
grant insert (user_id, name, public_key, added_command_id) on app_user to duly_app;
grant insert (command_id, user_id, statement, signature) on signed_command to duly_app;
grant insert (controller_id, letterhead_no, hash, logo, logo_alt, check_page, set_by, command_id) on letterhead to duly_app;
grant insert (template_hash, template, reviewed_by, command_id) on template_review to duly_app;
grant insert (hold_id, controller_id, incident_no, person_id, reason, set_by, command_id) on hold to duly_app;
grant insert (controller_id, incident_id, slug, profile, texts, wrapped_key, intake_public_key, intake_secret_key, approvals_required) on incident to duly_app;
grant insert (controller_id, incident_no, person_id, list_no, version, contact, reference_hash, fields_hash, reference_code,
    language, format, jurisdiction, has_phone, has_address, commitments) on person to duly_app;
grant insert (controller_id, incident_no, plan_no, body, hash, message_deadline_ms, postage_class, lanes, is_urgent, prepared_by) on plan to duly_app;
grant insert (controller_id, incident_no, person_id, phase, plan_no, profile, route, problem) on notice to duly_app;
grant insert (controller_id, incident_no, message_id, person_id, phase, channel, reason, ordinal, plan_no, postage_class, due_at, expires_at) on message to duly_app;
grant insert (controller_id, incident_no, person_id, n, kind, message_id, message_from, message_to, notice_phase, notice_from,
    notice_to, plan_no, plan_from, plan_to, alerted, attempt, due_in_ms, lease_in_ms, body, leaf, restored_id) on event to duly_app;

-- Locks need the right to update one column; queueing leaves no evidence.
grant update (locked_by, hold_version) on incident to duly_app;
grant update (locked_by) on person to duly_app;
grant update (locked_by) on affected_list to duly_app;
grant update (lane, due_at, lease_until) on message to duly_app;
grant update (revoked_at, revoked_command_id) on app_user to duly_app;
grant update (lifted_by, lifted_command_id, lifted_at) on hold to duly_app;
grant update (due_at, result, message_id, sealed, sealed_under, status) on receipt to duly_app;
grant update (epoch, holder, expires_at, locked_by) on leadership to duly_app;
grant update (until, code, since), delete on lane_pause to duly_app;
grant update (found, cost_milli, currency) on lookup to duly_app;
grant delete on person_key to duly_app;

-- What became of a receipt is decided by others than who takes it in.
grant insert (receipt_id, controller_id, provider, sealed, verdict, event_name, reference, provider_id, status, claimed, unknown_word) on receipt to duly_receipts;
grant select (controller_id, slug, receipts_public_key) on controller to duly_receipts;

revoke execute on function duly_analyze() from public;
grant execute on function duly_analyze() to duly_app;
