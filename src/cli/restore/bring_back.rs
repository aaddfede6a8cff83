//! Brings the lost events back, in steps that may each be repeated: an event that is here already is not taken twice.

use super::super::Failure;
use super::super::person::seek;
use crate::dispatch::{Office, draft};
use crate::evidence::restore::Lost;
use crate::failpoint;
use crate::model::person::printed_id;
use crate::model::statement::{hold_lift, hold_set, user_revoke};
use crate::store::bring_back::{BareIntent, Leaf};
use crate::store::incident::Incident;
use crate::store::unit::IncidentKey;
use crate::store::user::Signer;
use duly_ledger::leaf_hash;
use serde_json::json;
use std::collections::{BTreeMap, HashMap};
use uuid::Uuid;

/// People or messages in one transaction.
const BATCH: usize = 200;
/// The reason of holds that the lost time set: theirs is in no log.
const REASON: &str = "set in the time that was lost; its reason is not known here";

/// Who brings back, and for which restore.
pub struct Bringer<'a> {
    pub office: &'a Office,
    pub restored_id: Uuid,
    pub by: &'a Signer,
}

impl Bringer<'_> {
    /// Brings back what is lost of one log and not here yet.
    pub async fn events(&self, log: &Lost, incident: Option<&Incident>) -> Result<(), Failure> {
        let store = &self.office.store;
        let waiting = store.list_waiting_leaves(log.scope).await?;
        let mut people: BTreeMap<Uuid, Vec<Leaf>> = BTreeMap::new();
        for leaf in log.leaves().filter(|leaf| !waiting.contains(leaf_hash(&leaf.body).as_slice())) {
            match leaf.event.person {
                Some(person) => people.entry(Uuid::from_bytes(person)).or_default().push(leaf.clone()),
                None => store.bring_back_of_log(log.scope, leaf, self.restored_id).await?,
            }
        }
        failpoint::reach("restore_logs").await;
        let Some(incident) = incident else { return Ok(()) };
        let (erased, others): (Vec<_>, Vec<_>) =
            people.into_iter().partition(|(_, leaves)| leaves.iter().any(|leaf| leaf.event.kind == "key.destroyed"));
        for batch in others.chunks(BATCH) {
            let leaves: Vec<Leaf> = batch.iter().flat_map(|(_, leaves)| leaves.iter().cloned()).collect();
            store.bring_back_of_people(incident.key, &leaves, self.restored_id).await?;
            failpoint::reach("restore_people").await;
        }
        for (person_id, leaves) in erased {
            self.erased(incident, person_id, &leaves).await?;
            failpoint::reach("restore_erased").await;
        }
        Ok(())
    }

    /// Whoever was erased in the lost time is erased again, with the event that told so then.
    async fn erased(&self, incident: &Incident, person_id: Uuid, leaves: &[Leaf]) -> Result<(), Failure> {
        let (store, key) = (&self.office.store, incident.key);
        let sought = match store.is_person(key, person_id).await? {
            true => seek(store, &self.office.master, incident, person_id).await?,
            false => None,
        };
        let Some((seeker, tombstone)) = sought else {
            return Ok(store.bring_back_of_people(key, leaves, self.restored_id).await?);
        };
        let shown = printed_id(person_id);
        let command = json!({"command": "person erase", "incident": incident.incident_id, "person": shown});
        let by = self.by.sign(store, &command).await?;
        let is_theirs = |copy: crate::store::erase::SealedCopy<'_>| seeker.is_theirs(copy);
        Ok(store.bring_back_of_erased((key, person_id), leaves, self.restored_id, (&tombstone, by, &is_theirs)).await?)
    }

    /// Sets the rows beside an incident's events, as far as these prove them.
    pub async fn rows(&self, incident: &Incident) -> Result<(), Failure> {
        let store = &self.office.store;
        let mut bare = store.list_bare_intents(incident.key).await?;
        for batch in bare.chunks_mut(BATCH) {
            self.name(incident.key, batch).await?;
            store.insert_bare_attempts(incident.key, batch).await?;
        }
        store.insert_bare_outcomes(incident.key).await?;
        let (set, _) = store.list_bare_holds(incident.key).await?;
        for hold in set {
            let by = self.by.sign(store, &hold_set(incident.incident_id, hold.person_id, REASON)).await?;
            store.insert_bare_hold(incident.key, &hold, REASON, by).await?;
        }
        let (_, lifted) = store.list_bare_holds(incident.key).await?;
        for hold_id in lifted {
            let by = self.by.sign(store, &hold_lift(hold_id)).await?;
            store.lift_bare_hold(hold_id, by).await?;
        }
        failpoint::reach("restore_rows").await;
        Ok(())
    }

    /// Revokes again whose keys were revoked in the lost time.
    pub async fn users(&self) -> Result<(), Failure> {
        let store = &self.office.store;
        for (user_id, name) in store.list_bare_revocations().await? {
            let by = self.by.sign(store, &user_revoke(&name)).await?;
            store.revoke_bare(user_id, by).await?;
        }
        Ok(())
    }

    /// Finds out what messages were called at their provider, where it is known which one it was.
    async fn name(&self, incident: IncidentKey, intents: &mut [BareIntent]) -> Result<(), Failure> {
        let ids: Vec<Uuid> = intents.iter().map(|intent| intent.message_id).collect();
        self.office.store.assign_lanes(incident, &ids, &lanes(self.office)).await?;
        let references = references(self.office, &ids).await?;
        for intent in intents {
            intent.reference = references.get(&intent.message_id).cloned();
        }
        Ok(())
    }
}

/// Every lane that is set up, with its channel.
pub fn lanes(office: &Office) -> Vec<(String, String)> {
    office.accounts.iter().map(|(lane, account)| (lane.clone(), account.channel.as_str().to_owned())).collect()
}

/// What messages are or were called at their providers; none for those without a lane.
pub async fn references(office: &Office, messages: &[Uuid]) -> Result<HashMap<Uuid, String>, Failure> {
    let drafts = office.store.list_drafts(messages).await?;
    Ok(drafts.iter().filter_map(|d| Some((d.message_id, draft::reference(office, d)?))).collect())
}
