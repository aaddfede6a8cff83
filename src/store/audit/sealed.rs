//! What only the keys can show: contacts are the approved ones, requests went where they say, and what a provider's
//! own record must therefore contain.

use super::record::{Mark, Promise, SendKey};
use super::rows::read_commitments;
use super::{Finding, Snapshot, finding};
use crate::model::contact::PersonRecord;
use crate::model::person::printed_id;
use crate::model::seal::{Key, MessageName};
use crate::model::state::{Channel, MessageState};
use crate::store::StoreError;
use crate::store::unit::{IncidentKey, hash, word};
use duly_ledger::{Event, PersonKey, commit, verify};
use std::collections::{BTreeMap, HashMap};
use uuid::Uuid;

/// People in one query.
const PAGE: i64 = 500;

/// What the keys showed.
#[derive(Debug, Default)]
pub struct Sealed {
    /// What does not hold.
    pub findings: Vec<Finding>,
    /// One for each message that was ever in a call.
    pub sends: Vec<SendKey>,
}

/// Reads a frozen request of a lane: destination and SHA-256 of the content; `None` where it is none of that lane's.
pub type ReadRequest<'a> = &'a (dyn Fn(&str, &[u8]) -> Option<(String, [u8; 32])> + Sync);

struct Opened {
    key: Key,
    record: PersonRecord,
    /// Whether the messages were prepared from this version of the record.
    is_prepared: bool,
}

struct AttemptRow {
    message_id: Uuid,
    attempt: i32,
    lane: String,
    reference: String,
    request: Vec<u8>,
    /// Commitment to the content that was approved for the message.
    promised: Option<Vec<u8>>,
    person_id: Uuid,
    channel: String,
    state: String,
    phase: i32,
    reason: String,
    ordinal: i32,
    newest: i32,
    is_brought_back: bool,
    intent: Option<Vec<u8>>,
}

struct ForgottenRow {
    message_id: Uuid,
    person_id: Uuid,
    channel: String,
    state: String,
    promised: Vec<u8>,
}

impl Snapshot {
    pub(super) async fn audit_sealed(
        &mut self,
        incident: IncidentKey,
        master: &Key,
        read: ReadRequest<'_>,
    ) -> Result<Sealed, StoreError> {
        let wrapped = sqlx::query_scalar!(
            "select wrapped_key from incident where controller_id = $1 and incident_no = $2",
            incident.controller_id,
            incident.incident_no
        )
        .fetch_one(&mut *self.tx)
        .await?;
        let incident_key = master.unwrap_key(&wrapped, "incident").map_err(|_| StoreError::Corrupt { what: "incident key" })?;
        let mut sealed = Sealed { findings: self.audit_keys(incident, master, &incident_key).await?, ..Sealed::default() };
        sealed.findings.extend(self.open_rows(incident, &incident_key).await?);
        let mut after = Uuid::nil();
        loop {
            let (last, people) = self.open_contacts(incident, &incident_key, after, &mut sealed.findings).await?;
            let Some(last) = last else { return Ok(sealed) };
            for row in self.read_requests(incident, after, last).await? {
                match people.get(&row.person_id) {
                    Some(Some(opened)) => sealed.check(&row, opened, read)?,
                    Some(None) => sealed.name(&row)?,
                    None => {}
                }
            }
            for row in self.read_forgotten(incident, after, last).await? {
                if let Some(Some(opened)) = people.get(&row.person_id) {
                    sealed.sends.extend(row.send_key(opened)?);
                }
            }
            after = last;
        }
    }

    /// Quarantined rows open under their list's key, those of erased people apart.
    async fn open_rows(&mut self, incident: IncidentKey, incident_key: &Key) -> Result<Vec<Finding>, StoreError> {
        let (mut findings, mut after) = (Vec::new(), (0, Vec::new()));
        loop {
            let rows = sqlx::query!(
                r#"select s.list_no, s.identity, s.sealed as "sealed!", l.wrapped_key, row_name(s.list_no, s.identity) as "name!"
                     from source_row s join affected_list l using (controller_id, incident_no, list_no)
                    where s.controller_id = $1 and s.incident_no = $2 and s.fate = 'quarantined' and (s.list_no, s.identity) > ($3, $4)
                    order by s.list_no, s.identity limit $5"#,
                incident.controller_id,
                incident.incident_no,
                after.0,
                after.1,
                PAGE
            )
            .fetch_all(&mut *self.tx)
            .await?;
            let Some(last) = rows.last() else { return Ok(findings) };
            after = (last.list_no, last.identity.clone());
            for row in rows.iter().filter(|row| !row.sealed.is_empty()) {
                let opened = incident_key.unwrap_key(&row.wrapped_key, "list").and_then(|key| key.open("row", &row.sealed));
                if opened.is_err() {
                    findings.push(finding("row_does_not_open", row.name.clone()));
                }
            }
        }
    }

    /// A page of people: who they are, or `None` where they are erased; those who do not open are findings and left out.
    async fn open_contacts(
        &mut self,
        incident: IncidentKey,
        incident_key: &Key,
        after: Uuid,
        findings: &mut Vec<Finding>,
    ) -> Result<(Option<Uuid>, HashMap<Uuid, Option<Opened>>), StoreError> {
        let rows = sqlx::query!(
            r#"select p.person_id, p.contact, p.reference_code, p.commitments, p.erased_at is not null as "is_erased!", k.wrapped as "wrapped?",
                      p.reference_hash, p.fields_hash, p.language, p.format, p.jurisdiction, p.has_phone, p.has_address, p.has_email,
                      not exists (select from prepared_content c where c.controller_id = $1 and c.incident_no = $2
                        and c.person_id = p.person_id and c.person_version <> p.version) as "is_prepared!"
                 from person p left join person_key k on k.controller_id = $1 and k.incident_no = $2 and k.person_id = p.person_id
                where p.controller_id = $1 and p.incident_no = $2 and p.person_id > $3 order by p.person_id limit $4"#,
            incident.controller_id,
            incident.incident_no,
            after,
            PAGE
        )
        .fetch_all(&mut *self.tx)
        .await?;
        let last = rows.last().map(|row| row.person_id);
        let mut people = HashMap::new();
        for row in rows {
            let Some(wrapped) = row.wrapped else {
                // A key that is gone without its event is a finding of the people's part.
                people.extend(row.is_erased.then_some((row.person_id, None)));
                continue;
            };
            let opened =
                incident_key.unwrap_key(&wrapped, "person").and_then(|key| Ok((key.open("contact", &row.contact)?, key)));
            let record =
                opened.ok().and_then(|(plain, key)| Some((serde_json::from_slice::<PersonRecord>(&plain).ok()?, plain, key)));
            let Some((record, plain, key)) = record else {
                findings.push(finding("contact_does_not_open", printed_id(row.person_id)));
                continue;
            };
            let commitments = read_commitments(&row.commitments).unwrap_or_default();
            if !is_committed(&record, &key, &commitments) {
                findings.push(finding("contact_differs", printed_id(row.person_id)));
            }
            let hashes = [("external_reference", record.external_reference.as_bytes()), ("fields", plain.as_slice())];
            let is_found = hashes.map(|(field, value)| incident_key.search_hash(field, value).to_vec())
                == [row.reference_hash, row.fields_hash];
            let words =
                [&record.language, &record.format, &record.jurisdiction] == [&row.language, &row.format, &row.jurisdiction];
            let reach = [record.takes_texts(), record.address.is_some(), record.email.is_some()];
            if !is_found || !words || reach != [row.has_phone, row.has_address, row.has_email] {
                findings.push(finding("person_differs", printed_id(row.person_id)));
            }
            let person_key = PersonKey::new(*key.bytes());
            let is_theirs = |c: &[u8; 32]| verify(&person_key, "reference_code", row.reference_code.as_bytes(), c);
            if !commitments.get("reference_code").is_some_and(is_theirs) {
                findings.push(finding("reference_code_differs", printed_id(row.person_id)));
            }
            people.insert(row.person_id, Some(Opened { key, record, is_prepared: row.is_prepared }));
        }
        Ok((last, people))
    }

    async fn read_requests(&mut self, incident: IncidentKey, after: Uuid, last: Uuid) -> Result<Vec<AttemptRow>, StoreError> {
        let rows = sqlx::query_as!(
            AttemptRow,
            r#"select a.message_id, a.attempt, a.lane, a.reference, a.request, c.commitment as "promised?", a.person_id, m.channel, m.state, m.phase, m.reason, m.ordinal,
                      m.attempt as newest,
                      coalesce(e.restored_id is not null, false) as "is_brought_back!", e.body as "intent?"
                 from attempt a join message m on m.message_id = a.message_id
                 left join prepared_content c on c.controller_id = $1 and c.incident_no = $2 and c.person_id = m.person_id and c.phase = m.phase
                      and c.channel = m.channel
                 left join lateral (select body, restored_id from event e where e.controller_id = $1 and e.incident_no = $2 and e.person_id = a.person_id
                        and e.message_id = a.message_id and e.kind = 'message.intent' and e.attempt = a.attempt limit 1) e on true
                where a.controller_id = $1 and a.incident_no = $2 and a.person_id > $3 and a.person_id <= $4
                order by a.message_id, a.attempt"#,
            incident.controller_id,
            incident.incident_no,
            after,
            last
        )
        .fetch_all(&mut *self.tx)
        .await?;
        Ok(rows)
    }
}

impl Snapshot {
    /// Messages that may have left in a time that a restore lost, without anything on record of the call.
    async fn read_forgotten(&mut self, incident: IncidentKey, after: Uuid, last: Uuid) -> Result<Vec<ForgottenRow>, StoreError> {
        let rows = sqlx::query_as!(
            ForgottenRow,
            "select m.message_id, m.person_id, m.channel, m.state, c.commitment as promised from message m
               join prepared_content c on c.controller_id = $1 and c.incident_no = $2 and c.person_id = m.person_id and c.phase = m.phase and c.channel = m.channel
              where m.controller_id = $1 and m.incident_no = $2 and m.person_id > $3 and m.person_id <= $4
                and not exists (select from attempt a where a.controller_id = $1 and a.incident_no = $2 and a.message_id = m.message_id)
                and (exists (select from restored_call r where r.controller_id = $1 and r.incident_no = $2 and r.message_id = m.message_id)
                  or exists (select from event e where e.controller_id = $1 and e.incident_no = $2 and e.person_id = m.person_id
                      and e.message_id = m.message_id and e.kind = 'message.intent' and e.restored_id is not null))
              order by m.message_id",
            incident.controller_id,
            incident.incident_no,
            after,
            last
        )
        .fetch_all(&mut *self.tx)
        .await?;
        Ok(rows)
    }
}

impl Opened {
    /// A message whose request is lost; `None` where its person cannot be reached on the channel.
    fn promised(&self, channel: Channel, commitment: &[u8]) -> Option<Mark> {
        let content = Promise::new(&PersonKey::new(*self.key.bytes()), hash(commitment).ok()?);
        self.record.destination(channel).map(|destination| Mark::Promised { destination, content })
    }
}

impl AttemptRow {
    /// What its request, or what is left of it, carries beside what was approved, listed and announced.
    fn judge(&self, opened: &Opened, channel: Channel, mark: &Mark) -> Vec<&'static str> {
        let mut codes = Vec::new();
        let key = PersonKey::new(*opened.key.bytes());
        let intent = self.intent.as_deref().and_then(|body| Event::parse(body).ok());
        let told = |name: &str| hex::decode(intent.as_ref()?.detail.get(name)?.as_str()?).ok();
        let (destination, content) = match mark {
            Mark::Carries { destination, content_sha256 } => {
                let content = hex::decode(content_sha256).unwrap_or_default();
                (destination, Some(commit(&key, "content", &content).to_vec()))
            }
            Mark::Promised { destination, .. } => (destination, self.promised.clone()),
            Mark::Named(_) => return codes,
        };
        let name = MessageName {
            phase: self.phase,
            channel: &self.channel,
            reason: &self.reason,
            ordinal: self.ordinal,
            provider: &self.lane,
        };
        if opened.key.send_reference(&name) != self.reference {
            codes.push("lane_differs");
        }
        if content != self.promised {
            codes.push("request_differs");
        }
        if opened.is_prepared && opened.record.destination(channel).as_ref() != Some(destination) {
            codes.push("request_elsewhere");
        }
        let listed = commit(&key, channel.as_str(), destination.as_bytes()).to_vec();
        if told("content") != content || told("destination") != Some(listed) {
            codes.push("intent_differs");
        }
        codes
    }
}

impl ForgottenRow {
    fn send_key(&self, opened: &Opened) -> Result<Option<SendKey>, StoreError> {
        let channel: Channel = word(&self.channel)?;
        let mark = opened.promised(channel, &self.promised);
        let state = word(&self.state)?;
        Ok(mark.map(|mark| SendKey { message_id: self.message_id, channel, mark, state }))
    }
}

impl Sealed {
    fn check(&mut self, row: &AttemptRow, opened: &Opened, read: ReadRequest<'_>) -> Result<(), StoreError> {
        let place = || format!("{}/{}", row.message_id, row.attempt);
        let channel: Channel = word(&row.channel)?;
        let state: MessageState = word(&row.state)?;
        let promised = row.promised.as_deref().unwrap_or_default();
        let mark = match row.request.is_empty() && row.is_brought_back {
            // The bytes are lost: what the intent commits to is all that is left of them.
            true => opened.promised(channel, promised),
            false => {
                let request = opened.key.open("request", &row.request).ok().and_then(|plain| read(&row.lane, &plain));
                request.map(|(destination, content)| Mark::Carries { destination, content_sha256: hex::encode(content) })
            }
        };
        let Some(mark) = mark else {
            self.findings.push(finding("request_does_not_open", place()));
            return Ok(());
        };
        let codes = row.judge(opened, channel, &mark);
        self.findings.extend(codes.into_iter().map(|code| finding(code, place())));
        if row.attempt == row.newest {
            self.sends.push(SendKey { message_id: row.message_id, channel, mark, state });
        }
        Ok(())
    }

    /// An attempt of an erased person's: what its provider knows it by is all that is left. Rows come by message.
    fn name(&mut self, row: &AttemptRow) -> Result<(), StoreError> {
        let name = (row.lane.clone(), row.reference.clone());
        match self.sends.last_mut() {
            Some(SendKey { message_id, mark: Mark::Named(names), .. }) if *message_id == row.message_id => names.push(name),
            _ => self.sends.push(SendKey {
                message_id: row.message_id,
                channel: word(&row.channel)?,
                mark: Mark::Named(vec![name]),
                state: word(&row.state)?,
            }),
        }
        Ok(())
    }
}

/// Whether the opened record is the one that the list's manifest commits to, field by field.
fn is_committed(record: &PersonRecord, key: &Key, commitments: &BTreeMap<String, [u8; 32]>) -> bool {
    let key = PersonKey::new(*key.bytes());
    let mut fields = BTreeMap::from([("external_reference", record.external_reference.clone()), ("name", record.name.clone())]);
    fields.extend(Channel::ALL.iter().filter_map(|channel| Some((channel.as_str(), record.destination(*channel)?))));
    // A later version of the list may commit to more fields than these; to fewer it may not.
    fields.iter().all(|(field, value)| commitments.get(*field).is_some_and(|c| verify(&key, field, value.as_bytes(), c)))
        && commitments.keys().all(|field| Channel::ALL.iter().all(|c| c.as_str() != field) || fields.contains_key(field.as_str()))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_swapped_address_is_not_the_committed_one() {
        let key = Key::generate();
        let mine = PersonKey::new(*key.bytes());
        let mut record = PersonRecord {
            external_reference: "PN1".into(),
            name: "Siân Price".into(),
            phone: None,
            email: Some("sian@mail.example".into()),
            address: Some(vec!["1 Heol y Bont".into(), "SY23 2AX".into()]),
            language: "en".into(),
            format: "standard".into(),
            jurisdiction: "GB".into(),
            columns: BTreeMap::new(),
        };
        let field = |name: &str, value: &str| (name.to_owned(), commit(&mine, name, value.as_bytes()));
        let letter = record.destination(Channel::Letter).unwrap();
        let commitments = BTreeMap::from([
            field("external_reference", "PN1"),
            field("name", "Siân Price"),
            field("letter", &letter),
            field("email", "sian@mail.example"),
        ]);
        assert!(is_committed(&record, &key, &commitments));
        let email = record.email.take();
        assert!(!is_committed(&record, &key, &commitments));
        record.email = Some("eve@mail.example".into());
        assert!(!is_committed(&record, &key, &commitments));
        record.email = email;

        record.address = Some(vec!["2 Heol y Bont".into(), "SY23 2AX".into()]);
        assert!(!is_committed(&record, &key, &commitments));
    }
}
