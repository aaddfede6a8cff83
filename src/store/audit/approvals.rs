//! Nothing was sent that was not approved, by somebody else than who prepared it, or while it was stopped.

use super::decisions::{PlanEvent, read_decider};
use super::{Finding, Snapshot, finding, found};
use crate::model::statement::plan_command;
use crate::store::StoreError;
use crate::store::unit::{IncidentKey, hash};
use duly_ledger::{Event, ManifestBuilder, ManifestLine, leaf_hash};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};
use uuid::Uuid;

struct PlanRow {
    plan_no: i32,
    state: String,
    body: Vec<u8>,
    hash: Vec<u8>,
    needs: i64,
    quiet_from: Option<String>,
    quiet_until: Option<String>,
    has_attempts: bool,
    lanes: Vec<String>,
    is_urgent: bool,
    postage_class: String,
    message_deadline_ms: i64,
    /// Letters that are posted otherwise than the plan says.
    other_post: i64,
}

impl PlanRow {
    /// How many approvals its body, that they sign, asks for.
    fn promised(&self) -> Option<i64> {
        let body: Value = serde_json::from_slice(&self.body).ok()?;
        body.get("approvals").and_then(Value::as_i64)
    }

    /// Whether claims go by what was approved: they read the columns, and approvals sign the body.
    fn is_carried_out_as_approved(&self) -> bool {
        let Ok(Value::Object(body)) = serde_json::from_slice(&self.body) else { return false };
        let columns = [
            ("lanes", json!(self.lanes)),
            ("urgent", json!(self.is_urgent)),
            ("postage_class", json!(self.postage_class)),
            ("message_deadline_ms", json!(self.message_deadline_ms)),
        ];
        self.other_post == 0 && columns.iter().all(|(name, column)| body.get(*name).is_none_or(|said| said == column))
    }

    /// The hours in which its text messages wait, as its body has them.
    fn quiet(&self) -> [Option<String>; 2] {
        let body: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        ["/quiet/from", "/quiet/until"].map(|place| body.pointer(place).and_then(Value::as_str).map(str::to_owned))
    }
}

impl Snapshot {
    /// Each plan that sent has its valid approvals, and is about the lists and contents that are there.
    pub(super) async fn audit_plans(&mut self, incident: IncidentKey) -> Result<Vec<Finding>, StoreError> {
        let plans = sqlx::query_as!(
            PlanRow,
            r#"select q.plan_no, q.state, q.body, q.hash, i.approvals_required::bigint as "needs!",
                      to_char(q.quiet_from, 'HH24:MI') as quiet_from, to_char(q.quiet_until, 'HH24:MI') as quiet_until,
                      exists (select from attempt a join message m on m.message_id = a.message_id
                        where m.controller_id = $1 and m.incident_no = $2 and m.plan_no = q.plan_no) as "has_attempts!",
                      q.lanes, q.is_urgent, q.postage_class, q.message_deadline_ms,
                      (select count(*) from message m where m.controller_id = $1 and m.incident_no = $2 and m.plan_no = q.plan_no
                          and m.postage_class is distinct from case when m.channel = 'letter' then q.postage_class end) as "other_post!"
                 from plan q join incident i on i.controller_id = $1 and i.incident_no = $2
                where q.controller_id = $1 and q.incident_no = $2 order by q.plan_no"#,
            incident.controller_id,
            incident.incident_no
        )
        .fetch_all(&mut *self.tx)
        .await?;
        let mut findings = Vec::new();
        let states = self.replay_plan_events(incident, &plans, &mut findings).await?;
        for plan in plans {
            let place = plan.plan_no.to_string();
            if states.get(&plan.plan_no).map_or("prepared", String::as_str) != plan.state {
                findings.push(finding("plan_differs_from_events", place.clone()));
            }
            if !plan.is_carried_out_as_approved() {
                findings.push(finding("plan_columns_differ", place.clone()));
            }
            let valid = self.count_valid_approvals(incident, &plan, &mut findings).await?;
            if valid < plan.needs.max(plan.promised().unwrap_or(0))
                && (!matches!(plan.state.as_str(), "prepared" | "withdrawn") || plan.has_attempts)
            {
                findings.push(finding("plan_not_approved", place.clone()));
            }
            findings.extend(self.audit_plan_body(incident, &plan).await?);
            findings.extend(self.audit_plan_terms(&plan).await?);
        }
        Ok(findings)
    }

    /// Events of the incident itself: their bytes, their signatures, and the states of plans that they lead to.
    async fn replay_plan_events(
        &mut self,
        incident: IncidentKey,
        plans: &[PlanRow],
        findings: &mut Vec<Finding>,
    ) -> Result<HashMap<i32, String>, StoreError> {
        let rows = sqlx::query!(
            r#"select e.ord, e.kind, e.body, e.leaf, e.plan_no, e.plan_from, e.plan_to, e.restored_id is not null as "is_brought_back!", i.incident_id
               from event e join incident i on i.controller_id = e.controller_id and i.incident_no = e.incident_no
              where e.controller_id = $1 and e.incident_no = $2 and e.person_id is null order by e.ord"#,
            incident.controller_id,
            incident.incident_no
        )
        .fetch_all(&mut *self.tx)
        .await?;
        let events: Vec<Option<Event>> = rows.iter().map(|row| Event::parse(&row.body).ok()).collect();
        let ids: Vec<Uuid> = events.iter().flatten().filter_map(read_decider).map(|(_, command)| command).collect();
        let commands = self.read_commands(&ids).await?;
        let hashes: HashMap<i32, Vec<u8>> = plans.iter().map(|plan| (plan.plan_no, plan.hash.clone())).collect();
        let mut states: HashMap<i32, String> = HashMap::new();
        for (row, event) in rows.iter().zip(&events) {
            let mut bad = |code| findings.push(finding(code, row.ord.to_string()));
            let moved =
                row.plan_no.zip(row.plan_from.as_deref()).zip(row.plan_to.as_deref()).map(|((no, from), to)| (no, from, to));
            match event {
                None => bad("event_not_canonical"),
                Some(event) if event.kind != row.kind || event.person.is_some() || event.inc != row.incident_id.to_string() => {
                    bad("event_of_another");
                }
                Some(event) if event.kind.starts_with("plan.") => {
                    let plan_event =
                        PlanEvent { incident_id: row.incident_id, event, moved, hashes: &hashes, commands: &commands };
                    // The signature behind one that was brought back is lost, and so may be its plan; approvals are asked for below.
                    let code = plan_event.judge().filter(|code| !row.is_brought_back || *code != "event_not_signed");
                    let is_known = event
                        .detail
                        .get("plan")
                        .and_then(Value::as_i64)
                        .is_some_and(|no| plans.iter().any(|p| i64::from(p.plan_no) == no));
                    code.map(|code| if row.is_brought_back && !is_known { "plan_missing" } else { code })
                        .into_iter()
                        .for_each(&mut bad);
                }
                Some(_) if moved.is_some() => bad("move_differs"),
                Some(_) => {}
            }
            if leaf_hash(&row.body).as_slice() != row.leaf {
                bad("leaf_differs");
            }
            if let Some((plan, from, to)) = moved {
                let state = states.entry(plan).or_insert_with(|| "prepared".to_owned());
                if *state != from {
                    bad("move_not_allowed");
                }
                *state = to.to_owned();
            }
        }
        Ok(states)
    }

    async fn count_valid_approvals(
        &mut self,
        incident: IncidentKey,
        plan: &PlanRow,
        findings: &mut Vec<Finding>,
    ) -> Result<i64, StoreError> {
        let approvals = sqlx::query!(
            r#"select a.user_id, a.command_id, i.incident_id, a.user_id <> q.prepared_by and not exists (select from attempt t join message m on m.message_id = t.message_id
                        where m.controller_id = $1 and m.incident_no = $2 and m.plan_no = $3 and t.claimed_at < c.at) as "may!"
                 from plan_approval a join plan q using (controller_id, incident_no, plan_no)
                 join incident i using (controller_id, incident_no) join signed_command c on c.command_id = a.command_id
                where a.controller_id = $1 and a.incident_no = $2 and a.plan_no = $3"#,
            incident.controller_id,
            incident.incident_no,
            plan.plan_no
        )
        .fetch_all(&mut *self.tx)
        .await?;
        let ids: Vec<Uuid> = approvals.iter().map(|row| row.command_id).collect();
        let commands = self.read_commands(&ids).await?;
        let mut valid = 0;
        for row in approvals {
            let words = plan_command("plan approve", row.incident_id, plan.plan_no, &plan.hash);
            if row.may && commands.get(&row.command_id).is_some_and(|command| command.says(row.user_id, &words)) {
                valid += 1;
            } else {
                findings.push(finding("approval_not_valid", plan.plan_no.to_string()));
            }
        }
        Ok(valid)
    }

    /// The plan's hash binds its body, and the body the lists and contents.
    async fn audit_plan_body(&mut self, incident: IncidentKey, plan: &PlanRow) -> Result<Vec<Finding>, StoreError> {
        let place = plan.plan_no.to_string();
        let body: Value = serde_json::from_slice(&plan.body).unwrap_or_default();
        let mut findings = Vec::new();
        let frozen = sqlx::query!(
            "select list_no, people, manifest_root from list_freeze where controller_id = $1 and incident_no = $2",
            incident.controller_id,
            incident.incident_no
        )
        .fetch_all(&mut *self.tx)
        .await?;
        let named = body.get("lists").and_then(Value::as_array).cloned().unwrap_or_default();
        let is_frozen = |list: &Value| {
            let number = |field: &str| list.get(field).and_then(Value::as_i64);
            let root = list.get("root").and_then(Value::as_str).and_then(|root| hex::decode(root).ok());
            frozen.iter().any(|f| {
                number("list") == Some(f.list_no.into())
                    && number("people") == Some(f.people)
                    && root.as_ref() == Some(&f.manifest_root)
            })
        };
        if Sha256::digest(&plan.body).as_slice() != plan.hash || !named.iter().all(is_frozen) {
            findings.push(finding("plan_names_another_list", place.clone()));
        }
        let (people, root) = self.recompute_contents(incident, plan.plan_no).await?;
        let bound =
            body.get("contents").map(|c| (c.get("people").and_then(Value::as_u64), c.get("root").and_then(Value::as_str)));
        if bound != Some((Some(people), Some(hex::encode(root).as_str()))) {
            findings.push(finding("contents_differ", place));
        }
        Ok(findings)
    }

    /// The approvals that it asks for are those of the incident, and its words are kept.
    async fn audit_plan_terms(&mut self, plan: &PlanRow) -> Result<Vec<Finding>, StoreError> {
        let place = plan.plan_no.to_string();
        let mut findings = Vec::new();
        if plan.promised().is_some_and(|promised| promised != plan.needs) {
            findings.push(finding("approvals_differ", place.clone()));
        }
        let missing = sqlx::query_scalar!(
            r#"select count(*) as "n!" from (select convert_from($1, 'UTF8')::jsonb as body) q
                cross join lateral (select jsonb_array_elements_text(coalesce(q.body -> 'templates', '[]')) union select q.body ->> 'texts'
                     union select p.value ->> 'text' from jsonb_each(coalesce(q.body -> 'profiles', '{}')) p) as named (hash)
                where named.hash is not null and not exists (select from approved_text t where t.hash = decode(named.hash, 'hex') and sha256(t.body) = t.hash)"#,
            plan.body
        )
        .fetch_one(&mut *self.tx)
        .await?;
        if missing > 0 {
            findings.push(finding("text_missing", place.clone()));
        }
        if plan.quiet() != [&plan.quiet_from, &plan.quiet_until].map(Clone::clone) {
            findings.push(finding("quiet_hours_differ", place));
        }
        Ok(findings)
    }

    /// The root over the commitments to what everybody of a plan will be told, and how many people that is.
    async fn recompute_contents(&mut self, incident: IncidentKey, plan_no: i32) -> Result<(u64, [u8; 32]), StoreError> {
        let rows = sqlx::query!(
            r#"select c.person_id as "person_id!", c.channel as "channel!", c.commitment as "commitment!"
               from prepared_content c join notice n using (controller_id, incident_no, person_id, phase)
              where c.controller_id = $1 and c.incident_no = $2 and n.plan_no = $3
             union all select w.person_id, w.channel, w.commitment from withdrawn_content w
              where w.controller_id = $1 and w.incident_no = $2 and w.plan_no = $3 order by 1"#,
            incident.controller_id,
            incident.incident_no,
            plan_no
        )
        .fetch_all(&mut *self.tx)
        .await?;
        let mut lines: BTreeMap<Uuid, BTreeMap<String, [u8; 32]>> = BTreeMap::new();
        for row in rows {
            lines.entry(row.person_id).or_default().insert(row.channel, hash(&row.commitment)?);
        }
        let mut builder = ManifestBuilder::default();
        for (person, commitments) in lines {
            let line = ManifestLine { person: *person.as_bytes(), commitments };
            builder.push(&line).map_err(|_| StoreError::Corrupt { what: "prepared content" })?;
        }
        Ok((builder.count(), builder.root()))
    }

    /// Calls claimed while their plan was not running or a hold was in force, or with other contents than were approved.
    pub(super) async fn audit_stops(&mut self, incident: IncidentKey) -> Result<Vec<Finding>, StoreError> {
        let rows = sqlx::query!(
            r#"select code as "code!", place as "place!" from (
               select 'intent_outside_run' as code, e.message_id || '/' || e.attempt as place
                 from event e join message m on m.message_id = e.message_id
                where e.controller_id = $1 and e.incident_no = $2 and e.kind = 'message.intent' and e.restored_id is null
                  and coalesce((select p.plan_to from event p where p.controller_id = $1 and p.incident_no = $2 and p.person_id is null
                      and p.plan_no = m.plan_no and p.plan_to is not null and p.ord < e.ord order by p.ord desc limit 1), '') <> 'running'
               union all
               select 'content_not_approved' as code, e.message_id || '/' || e.attempt
                 from event e join message m on m.message_id = e.message_id
                where e.controller_id = $1 and e.incident_no = $2 and e.kind = 'message.intent'
                  and not exists (select from prepared_content c where c.controller_id = $1 and c.incident_no = $2
                    and c.person_id = m.person_id and c.phase = m.phase and c.channel = m.channel
                    and encode(c.commitment, 'hex') = convert_from(e.body, 'utf8')::jsonb -> 'd' ->> 'content')
               union all
               select 'intent_at_night', a.message_id || '/' || a.attempt
                 from attempt a join message m on m.message_id = a.message_id
                 join plan q on q.controller_id = m.controller_id and q.incident_no = m.incident_no and q.plan_no = m.plan_no
                where a.controller_id = $1 and a.incident_no = $2 and m.channel = 'sms' and q.quiet_from is not null
                  and exists (select from unnest(m.zones) z cross join lateral (
                        -- The claim looks a moment before its row is written: both must be night.
                        select bool_and(case when q.quiet_from > q.quiet_until then t >= q.quiet_from or t < q.quiet_until
                                             else t >= q.quiet_from and t < q.quiet_until end) as is_night
                          from unnest(array[(a.claimed_at at time zone z)::time, ((a.claimed_at - interval '1 minute') at time zone z)::time]) t) n
                       where n.is_night)
               union all
               select 'intent_under_hold' as code, a.message_id || '/' || a.attempt
                 from attempt a join hold h on h.controller_id = $1 and h.incident_no = $2 and (h.person_id is null or h.person_id = a.person_id)
                where a.controller_id = $1 and a.incident_no = $2 and a.claimed_at > h.set_at
                  and (h.lifted_at is null or a.claimed_at < h.lifted_at)
                  -- The times of holds that were brought back are later than those in the log.
                  and not exists (select from event e where e.controller_id = $1 and e.incident_no = $2 and e.person_id = a.person_id
                    and e.message_id = a.message_id and e.kind = 'message.intent' and e.attempt = a.attempt and e.restored_id is not null)) as found (code, place)"#,
            incident.controller_id,
            incident.incident_no
        )
        .fetch_all(&mut *self.tx)
        .await?;
        rows.into_iter().map(|r| found(&r.code, r.place)).collect()
    }
}
