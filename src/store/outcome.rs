//! Outcomes of calls and answers of look-ups: inserted always, applied by `step`.

use super::unit::{IncidentKey, Note, Wait};
use super::{Store, StoreError};
use crate::model::health::Sign;
use crate::model::state::MessageState;
use crate::model::step::{Answer, Cause, Pause, Step};
use serde_json::json;
use std::borrow::Cow;
use std::collections::HashMap;
use uuid::Uuid;

/// How one call ended.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Message.
    pub message_id: Uuid,
    /// Person.
    pub person_id: Uuid,
    /// Attempt.
    pub attempt: u32,
    /// What the answer means.
    pub answer: Answer,
    /// The provider's name for the message, if it gave one.
    pub provider_id: Option<String>,
    /// HTTP status or transport fact.
    pub code: String,
    /// Whether nothing else on this lane will be taken either: the lane pauses, and nobody's attempt is burnt.
    pub pause: Option<Pause>,
    /// Segments or pages by the provider's count.
    pub parts: Option<u32>,
    /// The provider's price: thousandths of the minor unit, and the currency.
    pub cost: Option<(u64, String)>,
    /// What it tells of its lane.
    pub sign: Sign,
    /// What somebody must see to, as what the provider took differently than we gave it: the code of an alarm.
    pub alarm: Option<&'static str>,
    /// Milliseconds until a call that was not taken is tried again.
    pub retry_in_ms: i64,
}

/// What a look-up found.
#[derive(Debug, Clone, Copy)]
pub struct Found<'a> {
    /// Place in every key.
    pub incident: IncidentKey,
    /// Person.
    pub person_id: Uuid,
    /// Message.
    pub message_id: Uuid,
    /// The look-up.
    pub lookup_id: Uuid,
    /// Every provider id that it found.
    pub ids: &'a [String],
    /// The neutral state of the first, where its word is known.
    pub status: Option<MessageState>,
    /// The code by which its lane rests, where the first's word says that nobody's message is taken.
    pub stop_code: Option<&'static str>,
}

impl Answer {
    /// The word in `outcome.kind`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::NotTaken => "not_taken",
            Self::LaneStopped => "lane_stopped",
            Self::Unknown => "unknown",
        }
    }
}

impl Store {
    /// Records a batch of outcomes of one incident in one transaction.
    pub async fn record_outcomes(&self, incident: IncidentKey, outcomes: &[Outcome]) -> Result<(), StoreError> {
        let people: Vec<Uuid> = outcomes.iter().map(|o| o.person_id).collect();
        let mut unit = self.unit(incident, &people, Wait::Wait).await?;
        let read = unit.read_stops(outcomes).await?;
        let outcomes: &[Outcome] = &read;
        let messages: Vec<Uuid> = outcomes.iter().map(|o| o.message_id).collect();
        let attempts: Vec<i32> = outcomes.iter().map(|o| i32::try_from(o.attempt).unwrap_or(i32::MAX)).collect();
        let kinds: Vec<String> = outcomes.iter().map(|o| o.answer.as_str().to_owned()).collect();
        let ids: Vec<Option<String>> = outcomes.iter().map(|o| o.provider_id.clone()).collect();
        let codes: Vec<String> = outcomes.iter().map(|o| o.code.clone()).collect();
        let parts: Vec<Option<i32>> = outcomes.iter().map(|o| o.parts.and_then(|n| i32::try_from(n).ok())).collect();
        let costs: Vec<Option<i64>> = outcomes.iter().map(|o| o.cost.as_ref().and_then(|c| i64::try_from(c.0).ok())).collect();
        let currencies: Vec<Option<String>> = outcomes.iter().map(|o| o.cost.as_ref().map(|(_, c)| c.clone())).collect();
        let mut known = unit.provider_ids(&messages).await?;
        // Said twice, known once: a retry after a lost COMMIT answer changes nothing.
        let inserted = sqlx::query!(
            "insert into outcome (controller_id, incident_no, message_id, attempt, kind, provider_id, code, parts, cost_milli, currency)
             select $1, $2, j.* from unnest($3::uuid[], $4::int[], $5::text[], $6::text[], $7::text[], $8::int[], $9::bigint[], $10::text[]) as j
             on conflict do nothing returning message_id, attempt",
            incident.controller_id,
            incident.incident_no,
            &messages,
            &attempts,
            &kinds,
            &ids as &[Option<String>],
            &codes,
            &parts as &[Option<i32>],
            &costs as &[Option<i64>],
            &currencies as &[Option<String>]
        )
        .fetch_all(&mut *unit.tx)
        .await?;
        let fresh: std::collections::HashSet<(Uuid, i32)> = inserted.into_iter().map(|r| (r.message_id, r.attempt)).collect();
        let mut untaken = Vec::new();
        for (outcome, attempt) in outcomes.iter().zip(&attempts) {
            if !fresh.contains(&(outcome.message_id, *attempt)) {
                continue;
            }
            if matches!(outcome.answer, Answer::NotTaken | Answer::LaneStopped) {
                untaken.push((outcome.message_id, *attempt));
            }
            let other_id = is_other(&mut known, outcome.message_id, outcome.provider_id.as_deref());
            let mut note = Note { due_in_ms: Some(outcome.retry_in_ms), ..Note::default() };
            note.detail.insert("code".into(), json!(outcome.code));
            if outcome.answer == Answer::Unknown {
                note.due_in_ms = None;
            }
            let cause = Cause::Answered { attempt: outcome.attempt, answer: outcome.answer, other_id };
            unit.apply(outcome.message_id, cause, note)?;
            unit.alarms.extend(outcome.alarm.map(|code| (outcome.message_id, code)));
            if let Some(lane) = unit.messages.get(&outcome.message_id).and_then(|m| m.lane.clone()) {
                let news = unit.lane_news.entry(lane).or_default();
                news.signs.add(outcome.sign);
                news.stop = news.stop.take().or_else(|| outcome.pause.map(|pause| (outcome.code.clone(), pause)));
            }
        }
        unit.alarm_shared_ids(&messages, &ids).await?;
        unit.give_back(&untaken).await?;
        unit.commit().await
    }

    /// Records what a look-up found, and applies it: the provider's status where it has a word for it.
    pub async fn record_found(&self, found: &Found<'_>, note: Note) -> Result<Step, StoreError> {
        let Found { incident, person_id, message_id, lookup_id, ids, status, stop_code } = *found;
        let mut unit = self.unit(incident, &[person_id], Wait::Wait).await?;
        let mut known = unit.provider_ids(&[message_id]).await?;
        let others = ids.iter().filter(|id| is_other(&mut known, message_id, Some(id))).count();
        sqlx::query!("update lookup set found = $2 where lookup_id = $1", lookup_id, ids).execute(&mut *unit.tx).await?;
        let other_id = others > 0;
        let named: Vec<Option<String>> = ids.iter().cloned().map(Some).collect();
        unit.alarm_shared_ids(&vec![message_id; named.len()], &named).await?;
        let cause = status.map_or(Cause::Found { other_id }, |report| Cause::Reported { report, other_id });
        let decided = unit.apply(message_id, cause, note)?;
        unit.stop_lane_of(message_id, stop_code);
        unit.commit().await?;
        Ok(decided)
    }

    /// Which of these ids are by their answers those of other messages on this one's lane, and not its own: what is shown under
    /// one is another message. The first time that is an alarm of this one.
    pub async fn take_others_ids(
        &self,
        incident: IncidentKey,
        message_id: Uuid,
        ids: &[String],
    ) -> Result<Vec<String>, StoreError> {
        let taken = sqlx::query_scalar!(
            r#"with others as materialized (
                 select distinct j.provider_id from unnest($4::text[]) as j (provider_id)
                   join message m on m.controller_id = $1 and m.incident_no = $2 and m.message_id = $3
                  cross join lateral (select o.* from outcome o where o.provider_id = j.provider_id and o.message_id <> $3 offset 0) o
                   join message n on n.controller_id = o.controller_id and n.incident_no = o.incident_no and n.message_id = o.message_id and n.lane = m.lane
                  where not exists (select from outcome w where w.controller_id = $1 and w.incident_no = $2 and w.message_id = $3 and w.provider_id = j.provider_id)),
               alarmed as (
                 insert into alarm (alarm_id, controller_id, incident_no, message_id, code)
                 select $5, $1, $2, $3, 'provider_id_of_two_messages' where exists (select from others)
                    and not exists (select from alarm a where a.message_id = $3 and a.code = 'provider_id_of_two_messages'))
               select provider_id as "provider_id!" from others"#,
            incident.controller_id,
            incident.incident_no,
            message_id,
            ids,
            Uuid::now_v7()
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(taken)
    }

    /// Applies one cause to one message, as the sweep and the resolver do.
    pub async fn apply_one(
        &self,
        incident: IncidentKey,
        person_id: Uuid,
        message_id: Uuid,
        cause: Cause,
        note: Note,
    ) -> Result<Step, StoreError> {
        let mut unit = self.unit(incident, &[person_id], Wait::Wait).await?;
        let decided = unit.apply(message_id, cause, note)?;
        unit.commit().await?;
        Ok(decided)
    }
}

/// Whether a message has another provider id on record than this one, which is remembered: two may come in one batch.
pub(crate) fn is_other(known: &mut HashMap<Uuid, Vec<String>>, message_id: Uuid, now: Option<&str>) -> bool {
    let Some(now) = now else { return false };
    let ids = known.entry(message_id).or_default();
    let is_other = ids.iter().any(|id| id != now);
    ids.push(now.to_owned());
    is_other
}

impl super::unit::Unit {
    /// Lets a message's lane rest as after a refusal of everything, where what its provider says of it means that.
    pub(crate) fn stop_lane_of(&mut self, message_id: Uuid, stop_code: Option<&str>) {
        let lane = self.messages.get(&message_id).and_then(|m| m.lane.clone());
        if let (Some(lane), Some(code)) = (lane, stop_code) {
            self.lane_news.entry(lane).or_default().stop.get_or_insert_with(|| (code.to_owned(), Pause::Minute));
        }
    }

    /// Outcomes with those stops in another light that are the message's own: it stopped its lane so before, and others were
    /// taken since. Then the answer is one to this message alone: it counts, and no other waits because of it.
    async fn read_stops<'a>(&mut self, outcomes: &'a [Outcome]) -> Result<Cow<'a, [Outcome]>, StoreError> {
        let is_stop = |o: &&Outcome| o.answer == Answer::LaneStopped && o.pause != Some(Pause::UtcDay);
        let (messages, codes): (Vec<Uuid>, Vec<String>) =
            outcomes.iter().filter(is_stop).map(|o| (o.message_id, o.code.clone())).unzip();
        if messages.is_empty() {
            return Ok(Cow::Borrowed(outcomes));
        }
        let own = sqlx::query_scalar!(
            "select m.message_id from unnest($3::uuid[], $4::text[]) as j (message_id, code)
               join message m on m.controller_id = $1 and m.incident_no = $2 and m.message_id = j.message_id
              cross join lateral (select max(o.at) as at from outcome o where o.controller_id = $1 and o.incident_no = $2
                    and o.message_id = m.message_id and o.kind = 'lane_stopped' and o.code = j.code) s
              where exists (select from outcome t join message n on n.controller_id = t.controller_id and n.incident_no = t.incident_no
                    and n.message_id = t.message_id where t.at > s.at and t.kind = 'accepted' and n.lane = m.lane)",
            self.incident.controller_id,
            self.incident.incident_no,
            &messages,
            &codes
        )
        .fetch_all(&mut *self.tx)
        .await?;
        let read = |outcome: &Outcome| match own.contains(&outcome.message_id) {
            true => Outcome { answer: Answer::NotTaken, pause: None, sign: Sign::Refused, ..outcome.clone() },
            false => outcome.clone(),
        };
        Ok(Cow::Owned(outcomes.iter().map(read).collect()))
    }

    /// Raises an alarm of messages that have an id from their lane's provider which another message has too, and of that
    /// other one. What the provider says under such an id is believed of neither: the reading queries leave it out.
    async fn alarm_shared_ids(&mut self, messages: &[Uuid], ids: &[Option<String>]) -> Result<(), StoreError> {
        if ids.iter().all(Option::is_none) {
            return Ok(());
        }
        sqlx::query!(
            "with pair as materialized (
               select m.message_id, n.controller_id as other_controller, n.incident_no as other_incident, n.message_id as other_id
                 from unnest($3::uuid[], $4::text[]) as j (message_id, provider_id)
                 join message m on m.controller_id = $1 and m.incident_no = $2 and m.message_id = j.message_id
                cross join lateral (select o.* from outcome o where o.provider_id = j.provider_id and o.message_id <> j.message_id offset 0) o
                 join message n on n.controller_id = o.controller_id and n.incident_no = o.incident_no and n.message_id = o.message_id and n.lane = m.lane)
             insert into alarm (alarm_id, controller_id, incident_no, message_id, code)
             select gen_random_uuid(), a.*, 'provider_id_of_two_messages'
               from (select $1::uuid, $2::bigint, message_id from pair union select other_controller, other_incident, other_id from pair) a",
            self.incident.controller_id,
            self.incident.incident_no,
            messages,
            ids as &[Option<String>]
        )
        .execute(&mut *self.tx)
        .await?;
        Ok(())
    }

    /// Every provider id on record for these messages, from answers, receipts and look-ups. The fences make one look-up of
    /// each: the planner, that knows nothing of tables which just begin to grow, reads all of the incident for every batch.
    pub(crate) async fn provider_ids(&mut self, messages: &[Uuid]) -> Result<HashMap<Uuid, Vec<String>>, StoreError> {
        let rows = sqlx::query!(
            r#"select j.message_id as "message_id!", s.provider_id as "provider_id!" from unnest($3::uuid[]) as j (message_id)
                cross join lateral (
                  (select o.provider_id from outcome o where o.controller_id = $1 and o.incident_no = $2 and o.message_id = j.message_id offset 0)
                   union (select r.provider_id from receipt r where r.message_id = j.message_id offset 0)
                   union (select unnest(l.found) from lookup l where l.message_id = j.message_id offset 0)) s
                where s.provider_id is not null"#,
            self.incident.controller_id,
            self.incident.incident_no,
            messages
        )
        .fetch_all(&mut *self.tx)
        .await?;
        let mut known: HashMap<Uuid, Vec<String>> = HashMap::new();
        for row in rows {
            known.entry(row.message_id).or_default().push(row.provider_id);
        }
        Ok(known)
    }
}
