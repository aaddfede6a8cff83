//! Columns that repeat what an event, a signed command or an approved text says. Claims and pages read the columns, so
//! they must say the same.

use super::{Finding, Snapshot, finding, found};
use crate::model::statement::controller_set;
use crate::store::StoreError;
use crate::store::letterhead::look;
use crate::store::unit::{IncidentKey, hash};
use duly_ledger::Event;
use serde_json::{Value, json};
use std::collections::HashMap;
use uuid::Uuid;

/// What an event tells of something that somebody set by a signed command.
struct Told {
    command: Option<Uuid>,
    is_brought_back: bool,
}

impl Snapshot {
    pub(super) async fn audit_columns(&mut self, incident: IncidentKey) -> Result<Vec<Finding>, StoreError> {
        let mut findings = self.audit_lookups(incident).await?;
        findings.extend(self.audit_words(incident).await?);
        findings.extend(self.audit_reviews().await?);
        findings.extend(self.audit_letterheads(incident).await?);
        Ok(findings)
    }

    /// Look-ups ask about calls that were made, found as often as events tell, and were late enough where they found nothing
    /// and the message was sent again for it.
    async fn audit_lookups(&mut self, incident: IncidentKey) -> Result<Vec<Finding>, StoreError> {
        let rows = sqlx::query_scalar!(
            r#"with asked as materialized (
                 select message_id, attempt, sent_at, coalesce(cardinality(found), 0) > 0 as has_found from lookup
                  where controller_id = $1 and incident_no = $2),
               told as materialized (
                 select e.message_id, (b.body ->> 't')::timestamptz as at, b.body -> 'd' ->> 'ground' as ground, (b.body -> 'd' ->> 'attempt')::int as attempt
                   from event e cross join lateral (select convert_from(e.body, 'UTF8')::jsonb as body offset 0) b
                  where e.controller_id = $1 and e.incident_no = $2 and e.kind in ('message.resolved', 'receipt', 'receipt.late') and e.restored_id is null
                    and strpos(convert_from(e.body, 'UTF8'), '"ground":"') > 0)
               select message_id as "message_id!" from (
               select l.message_id from asked l
                 left join attempt a on a.controller_id = $1 and a.incident_no = $2 and a.message_id = l.message_id and a.attempt = l.attempt
                where a.claimed_at > l.sent_at or (a.message_id is null
                  and not exists (select from restored_call r where r.controller_id = $1 and r.incident_no = $2 and r.message_id = l.message_id)
                  and not exists (select from event e join message m on m.message_id = e.message_id where e.controller_id = $1 and e.incident_no = $2
                      and m.message_id = l.message_id and e.person_id = m.person_id and e.attempt = l.attempt and e.restored_id is not null))
               union all
               select coalesce(l.message_id, t.message_id)
                 from (select message_id, count(*) as n from asked where has_found group by 1) l
                 full join (select message_id, count(*) as n from told where ground in ('found', 'polled') group by 1) t on t.message_id = l.message_id
                where l.n is distinct from t.n
               union all
               select t.message_id from told t
                 left join attempt a on a.controller_id = $1 and a.incident_no = $2 and a.message_id = t.message_id and a.attempt = t.attempt
                where t.ground = 'absent' and not exists (select from asked l where l.message_id = t.message_id and l.attempt = t.attempt
                      and not l.has_found and l.sent_at <= t.at and (a.send_by is null or l.sent_at > a.send_by))) as found order by 1"#,
            incident.controller_id,
            incident.incident_no
        )
        .fetch_all(&mut *self.tx)
        .await?;
        Ok(rows.into_iter().map(|id| finding("lookup_differs", id.to_string())).collect())
    }

    /// Templates and lanes are the plan's, and people can be reached as the manifest says.
    async fn audit_words(&mut self, incident: IncidentKey) -> Result<Vec<Finding>, StoreError> {
        let rows = sqlx::query!(
            r#"with plans as materialized (
                 select plan_no, state, lanes, convert_from(body, 'UTF8')::jsonb -> 'templates' as templates,
                        convert_from(body, 'UTF8')::jsonb -> 'routes' as routes from plan where controller_id = $1 and incident_no = $2),
               texts as materialized (
                 select t.hash, t.name, substring(split_part(convert_from(t.body, 'UTF8'), E'\n', 1) from 'content\s*=\s*(full|alert)') as content
                   from approved_text t where t.name like '%.hbs')
               select code as "code!", place as "place!" from (
               select 'template_differs' as code, 'p_' || replace(c.person_id::text, '-', '') || ' ' || c.channel as place from prepared_content c
                 join notice n on n.controller_id = $1 and n.incident_no = $2 and n.person_id = c.person_id and n.phase = c.phase
                 join plans q on q.plan_no = n.plan_no and q.templates is not null
                 left join texts t on t.hash = c.template_hash
                where c.controller_id = $1 and c.incident_no = $2
                  and (not q.templates ? encode(c.template_hash, 'hex') or c.content is distinct from t.content
                    or t.name !~ ('(^|/)' || c.channel || '[.-][^/]*$'))
               union all
               select 'lane_differs' as code, a.message_id || '/' || a.attempt from attempt a join message m on m.message_id = a.message_id
                 join plans q on q.plan_no = m.plan_no
                where a.controller_id = $1 and a.incident_no = $2 and (a.lane <> all (q.lanes) or a.lane is distinct from m.lane)
               union all
               select 'plan_columns_differ' as code, 'plan ' || q.plan_no from plan q
                 join event e on e.controller_id = $1 and e.incident_no = $2 and e.person_id is null and e.kind = 'plan.prepared' and e.restored_id is null
                cross join lateral (select convert_from(e.body, 'UTF8')::jsonb -> 'd' as d offset 0) b
                where q.controller_id = $1 and q.incident_no = $2 and (b.d ->> 'plan')::int = q.plan_no and b.d ->> 'user' <> q.prepared_by::text
               union all
               select 'route_differs' as code, 'plan ' || q.plan_no from plans q
                where q.routes is not null and q.state <> 'withdrawn' and q.routes is distinct from (select coalesce(jsonb_object_agg(n.route, n.people), '{}')
                  from (select route, count(*) as people from notice where controller_id = $1 and incident_no = $2 and plan_no = q.plan_no group by 1) n)
               union all
               select 'reach_differs' as code, 'p_' || replace(p.person_id::text, '-', '') from person p
                where p.controller_id = $1 and p.incident_no = $2
                  and ((p.has_phone and not p.commitments ? 'sms') or p.has_address <> (p.commitments ? 'letter') or p.has_email <> (p.commitments ? 'email'))) as found (code, place)"#,
            incident.controller_id,
            incident.incident_no
        )
        .fetch_all(&mut *self.tx)
        .await?;
        rows.into_iter().map(|r| found(&r.code, r.place)).collect()
    }

    /// Reviews of drafts: each by its reader's signature, and told by the system's log.
    async fn audit_reviews(&mut self) -> Result<Vec<Finding>, StoreError> {
        let rows = sqlx::query!("select template_hash, template, reviewed_by, command_id from template_review order by 1")
            .fetch_all(&mut *self.tx)
            .await?;
        let ids: Vec<Uuid> = rows.iter().map(|row| row.command_id).collect();
        let commands = self.read_commands(&ids).await?;
        let mut told = self.read_told(None, "template.reviewed", "hash").await?;
        let mut findings = Vec::new();
        for row in rows {
            let name = hex::encode(&row.template_hash);
            let words = json!({"command": "template review", "template": row.template, "hash": name});
            let is_signed = commands.get(&row.command_id).is_some_and(|signed| signed.says(row.reviewed_by, &words));
            if !is_signed || !is_told(told.remove(&name), row.command_id) {
                findings.push(finding("review_differs", name));
            }
        }
        findings.extend(lost(told).map(|name| finding("review_differs", name)));
        Ok(findings)
    }

    /// Letterheads: named by what they are made of, signed, and told by the controller's log.
    async fn audit_letterheads(&mut self, incident: IncidentKey) -> Result<Vec<Finding>, StoreError> {
        let rows = sqlx::query!(
            "select h.letterhead_no, h.hash, h.logo, h.logo_alt, h.check_page, h.signature, h.signature_alt, h.set_by, h.command_id, c.slug
               from letterhead h join controller c using (controller_id) where controller_id = $1 order by h.letterhead_no",
            incident.controller_id
        )
        .fetch_all(&mut *self.tx)
        .await?;
        let ids: Vec<Uuid> = rows.iter().map(|row| row.command_id).collect();
        let commands = self.read_commands(&ids).await?;
        let mut told = self.read_told(Some(incident.controller_id), "controller.letterhead_set", "letterhead").await?;
        let mut findings = Vec::new();
        for row in rows {
            let named = hash(&row.hash)?;
            let look = look((row.logo, row.logo_alt), (row.signature, row.signature_alt), row.check_page);
            let words = controller_set(&row.slug, &named);
            let is_signed = commands.get(&row.command_id).is_some_and(|signed| signed.says(row.set_by, &words));
            // The same look may be set again later: each row has an event of its own.
            let name = hex::encode(named);
            let events = told.remove(&name).unwrap_or_default();
            let (own, others): (Vec<Told>, Vec<Told>) = events.into_iter().partition(|t| t.command == Some(row.command_id));
            told.extend((!others.is_empty()).then_some((name.clone(), others)));
            if look.hash() != named || !is_signed || !is_told(Some(own), row.command_id) {
                findings.push(finding("letterhead_differs", format!("{}: {name}", row.letterhead_no)));
            }
        }
        findings.extend(lost(told).map(|name| finding("letterhead_differs", name)));
        Ok(findings)
    }

    /// What the events of a kind tell, by the field that names the thing. One that names nothing counts under an empty name.
    async fn read_told(&mut self, log: Option<Uuid>, kind: &str, field: &str) -> Result<HashMap<String, Vec<Told>>, StoreError> {
        let rows = sqlx::query!(
            r#"select body, restored_id is not null as "is_brought_back!" from event
                where controller_id is not distinct from $1 and incident_no is null and kind = $2 order by ord"#,
            log,
            kind
        )
        .fetch_all(&mut *self.tx)
        .await?;
        let mut told: HashMap<String, Vec<Told>> = HashMap::new();
        for row in rows {
            let event = Event::parse(&row.body).ok();
            let text = |name: &str| event.as_ref().and_then(|event| event.detail.get(name)).and_then(Value::as_str);
            let command = text("command").and_then(|id| id.parse().ok());
            let one = Told { command, is_brought_back: row.is_brought_back };
            told.entry(text(field).unwrap_or_default().to_owned()).or_default().push(one);
        }
        Ok(told)
    }
}

/// Whether exactly one event tells of it, by this command. Those that a restore brought back tell of what it lost.
fn is_told(told: Option<Vec<Told>>, command: Uuid) -> bool {
    let own: Vec<Told> = told.into_iter().flatten().filter(|told| !told.is_brought_back).collect();
    matches!(own.as_slice(), [one] if one.command == Some(command))
}

/// Names of which events tell, and no row: but for those of the time that a restore lost.
fn lost(told: HashMap<String, Vec<Told>>) -> impl Iterator<Item = String> {
    told.into_iter().filter(|(_, told)| !told.iter().all(|t| t.is_brought_back)).map(|(name, _)| name)
}
