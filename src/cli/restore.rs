//! After a restore: what may have left without this database's knowing is found out before anything is sent.

use super::output::count;
use super::sign::signer;
use super::{Context, Failure, Refusal};
use crate::dispatch::Office;
use crate::evidence::restore::{Lost, list_lost, list_strangers, put_back};
use crate::evidence::{Archive, high_water};
use crate::failpoint;
use crate::model::statement::hold_set;
use crate::store::Store;
use crate::store::bring_back::Leaf;
use crate::store::incident::Incident;
use crate::store::restore::{Counts, Forgotten};
use crate::store::sequencing::LogScope;
use crate::store::unit::IncidentKey;
use crate::store::user::Signer;
use bring_back::{Bringer, lanes, references};
use clap::Subcommand;
use serde_json::json;
use uuid::Uuid;

mod bring_back;

/// Messages in one transaction.
const BATCH: i64 = 200;
/// The reason of the holds that a reconciliation sets.
const REASON: &str = "restored";

/// `duly restore`.
#[derive(Subcommand)]
pub enum RestoreCommand {
    /// Find out what left meanwhile, and let sending go on
    #[command(
        after_help = "Examples:\n  duly restore reconcile --dry-run\n  duly restore reconcile\n\nIt is signed. Killed at any step it can be run again."
    )]
    Reconcile {
        /// Print what would be done, and do nothing
        #[arg(long)]
        dry_run: bool,
        /// Let a log go on in a new generation where its copy outside cannot be read, and hold its whole incident
        #[arg(long)]
        new_generation: bool,
    },
}

/// Runs a restore command.
pub async fn run(context: &Context, command: RestoreCommand) -> Result<(), Failure> {
    let RestoreCommand::Reconcile { dry_run, new_generation } = command;
    let office = context.office().await?;
    let archive = Archive::open(&office.settings, &office.store)?;
    let lost = list_lost(&archive, new_generation).await?;
    // No process may have been started yet to notice.
    if !high_water::check(&archive.store, &archive.outside).await? && !lost.is_empty() {
        high_water::stop(&archive.store, &archive.outside, "checkpoint").await?;
    }
    if office.store.open_restore().await?.is_none() {
        context.print(&json!({"restored": false}), "This database was not restored: there is nothing to reconcile.");
        return Ok(());
    }
    announce(context, &office, &list_strangers(&archive).await?, &lost, dry_run).await?;
    if dry_run {
        return Ok(());
    }
    let done = reconcile(&office, &archive, &signer(context).await?, new_generation).await?;
    let held: i64 = done.iter().map(|(_, counts)| counts.held).sum();
    eprintln!("Reconciled and signed. Sending goes on; what is not known is looked up first.");
    if held > 0 {
        eprintln!("{} set: `duly hold list` shows them, docs/restore.md says why.", count(held, "hold was", "holds were"));
    }
    Ok(())
}

/// Refuses to say anything of incidents to others while a restore is open, also where no process was started to notice it:
/// this database has forgotten what its published log tells.
pub async fn refuse_while_open(archive: &Archive) -> Result<(), Failure> {
    match high_water::check(&archive.store, &archive.outside).await? {
        false => Ok(()),
        true => Err(Refusal::of(
            "this database was restored and not reconciled yet: what it says is older than what was published",
            "run `duly restore reconcile` first; what was published stands in `evidence.outside` meanwhile",
        )),
    }
}

/// Does it; every step may be repeated, and the stop is lifted by the last one.
pub async fn reconcile(
    office: &Office,
    archive: &Archive,
    by: &Signer,
    new_generation: bool,
) -> Result<Vec<(IncidentKey, Counts)>, Failure> {
    let store = &office.store;
    let Some(restored) = store.open_restore().await? else { return Ok(Vec::new()) };
    let mut incidents = Vec::new();
    for name in store.list_incidents().await? {
        incidents.push(store.load_incident(&name).await?);
    }
    let bringer = Bringer { office, restored_id: restored.restored_id, by };
    let lost = list_lost(archive, new_generation).await?;
    refuse_revoked(&lost, by)?;
    for log in &lost {
        let incident = incidents.iter().find(|i| log.scope == LogScope::Incident(i.key.controller_id, i.key.incident_no));
        match incident {
            _ if log.is_readable() => bringer.events(log, incident).await?,
            Some(incident) => hold(store, incident, None, by).await?,
            None => {}
        }
    }
    failpoint::reach("restore_brought_back").await;
    put_back(archive, &lost).await?;
    bringer.users().await?;
    for incident in &incidents {
        bringer.rows(incident).await?;
    }
    store.set_imported(restored.restored_id).await?;
    failpoint::reach("restore_imported").await;
    let mut done = Vec::new();
    for incident in &incidents {
        hold_astray(store, incident, by).await?;
        failpoint::reach("restore_held").await;
        forget(office, incident).await?;
        done.push((incident.key, store.count_restored(incident.key, REASON, &restored).await?));
    }
    failpoint::reach("restore_forgotten").await;
    let command = by.sign(store, &json!({"command": "restore reconcile", "restored": restored.restored_id})).await?;
    // Outside first: dying between the two leaves a stop in the database, and it is run again.
    high_water::renew(&archive.store, &archive.outside).await?;
    failpoint::reach("restore_marked").await;
    store.finish_restore(restored.restored_id, &done, command).await?;
    Ok(done)
}

/// Whose key was revoked in the lost time signs nothing here either.
fn refuse_revoked(lost: &[Lost], by: &Signer) -> Result<(), Failure> {
    let me = json!(by.user_id.to_string());
    let is_mine = |leaf: &Leaf| leaf.event.kind == "user.revoked" && leaf.event.detail.get("user") == Some(&me);
    match lost.iter().flat_map(Lost::leaves).any(is_mine) {
        true => Err(Refusal::of("your key was revoked in the time that was lost", "let another user run this command")),
        false => Ok(()),
    }
}

async fn announce(context: &Context, office: &Office, strangers: &[String], lost: &[Lost], dry_run: bool) -> Result<(), Failure> {
    let total = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    let mut unknown = 0;
    for name in office.store.list_incidents().await? {
        unknown += office.store.count_forgotten(office.store.load_incident(&name).await?.key).await?;
    }
    let events = total(lost.iter().map(|log| log.leaves().count()).sum());
    let people = |kind: &str| total(lost.iter().map(|log| log.people(kind).len()).sum());
    let (told, erased) = (people("message.intent"), people("key.destroyed"));
    let unreadable: Vec<&str> = lost.iter().filter(|log| !log.is_readable()).map(|log| log.head.origin.as_str()).collect();
    let mut lines = vec![
        format!(
            "{} published further than this database knows: {} back, each with its bytes at its place.",
            count(total(lost.len()), "log was", "logs were"),
            count(events, "event comes", "events come")
        ),
        format!(
            "{} written to in the time that was lost: known again, and not written to again.",
            count(told, "person was", "people were")
        ),
        format!("{} erased in the time that was lost: erased again.", count(erased, "person was", "people were")),
        format!(
            "{} may have left besides: become unknown, are looked up, and none is sent again blindly.",
            count(unknown, "message", "messages")
        ),
    ];
    if !unreadable.is_empty() {
        lines.push(format!(
            "Cannot be read outside, go on in a new generation, their incidents are held: {}",
            unreadable.join(", ")
        ));
    }
    if !strangers.is_empty() {
        lines.push(format!(
            "Published, and not known here at all; restore a newer backup if you have one: {}",
            strangers.join(", ")
        ));
    }
    context.print(
        &json!({"restored": true, "dry_run": dry_run, "logs": lost.len(), "events": events, "told": told, "erased": erased,
                "unknown": unknown, "unreadable": unreadable, "not_known_here": strangers}),
        &lines.join("\n"),
    );
    Ok(())
}

/// Holds everybody of whom the log tells what could not be applied, and the whole incident where people, lists, plans or
/// approvals are not here at all.
async fn hold_astray(store: &Store, incident: &Incident, by: &Signer) -> Result<(), Failure> {
    let astray = store.load_astray(incident.key).await?;
    if astray.is_incomplete {
        hold(store, incident, None, by).await?;
    }
    for person in astray.people {
        hold(store, incident, Some(person), by).await?;
    }
    Ok(())
}

/// Sets a hold, once.
async fn hold(store: &Store, incident: &Incident, person: Option<Uuid>, by: &Signer) -> Result<(), Failure> {
    let open = store.list_holds(incident.key).await?;
    if !open.iter().any(|(_, of, reason)| *of == person && reason == REASON) {
        let command = by.sign(store, &hold_set(incident.incident_id, person, REASON)).await?;
        store.set_hold(incident.key, person, REASON, command).await?;
    }
    Ok(())
}

/// Whatever was ready or in a call may have left: it becomes unknown, and is asked for by the name it would have had.
async fn forget(office: &Office, incident: &Incident) -> Result<(), Failure> {
    let store = &office.store;
    loop {
        let batch = store.list_forgotten(incident.key, BATCH).await?;
        if batch.is_empty() {
            return Ok(());
        }
        let ids: Vec<Uuid> = batch.iter().map(|(message, _)| *message).collect();
        store.assign_lanes(incident.key, &ids, &lanes(office)).await?;
        let references = references(office, &ids).await?;
        let forgotten: Vec<Forgotten> = batch
            .into_iter()
            .map(|(message_id, person_id)| Forgotten { message_id, person_id, reference: references.get(&message_id).cloned() })
            .collect();
        let moved = store.forget(incident.key, &forgotten).await?;
        if moved == 0 {
            return Err(Refusal::of("some messages could not be set to unknown", "run `duly audit`, then this command again"));
        }
        failpoint::reach("restore_batch").await;
    }
}
