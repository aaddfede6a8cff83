//! After a restore: what may have left without this database's knowing is found out before anything is sent.

use super::output::count;
use super::sign::signer;
use super::{Context, Failure, Refusal};
use crate::dispatch::{Office, draft};
use crate::evidence::restore::{Lost, list_lost, open_generations};
use crate::evidence::{Archive, high_water};
use crate::failpoint;
use crate::model::statement::hold_set;
use crate::store::incident::Incident;
use crate::store::restore::{Counts, Forgotten};
use crate::store::sequencing::LogScope;
use crate::store::user::Signer;
use clap::Subcommand;
use serde_json::json;
use std::collections::HashMap;
use uuid::Uuid;

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
    },
}

/// Runs a restore command.
pub async fn run(context: &Context, command: RestoreCommand) -> Result<(), Failure> {
    let RestoreCommand::Reconcile { dry_run } = command;
    let office = context.office().await?;
    let archive = Archive::open(&office.settings, &office.store)?;
    let lost = list_lost(&archive).await?;
    // No process may have been started yet to notice.
    if !high_water::check(&archive.store, &archive.outside).await? && !lost.is_empty() {
        high_water::stop(&archive.store, &archive.outside, "checkpoint").await?;
    }
    if office.store.open_restore().await?.is_none() {
        context.print(&json!({"restored": false}), "This database was not restored: there is nothing to reconcile.");
        return Ok(());
    }
    let mut incidents = Vec::new();
    for name in office.store.list_incidents().await? {
        incidents.push(office.store.load_incident(&name).await?);
    }
    announce(context, &office, &incidents, &lost, dry_run).await?;
    if dry_run {
        return Ok(());
    }
    reconcile(&office, &archive, &signer(context).await?).await?;
    eprintln!("Reconciled and signed. Sending goes on; what is not known is looked up first.");
    Ok(())
}

/// Does it; every step may be repeated, and the stop is lifted by the last one.
pub async fn reconcile(office: &Office, archive: &Archive, by: &Signer) -> Result<(), Failure> {
    let Some(restored) = office.store.open_restore().await? else { return Ok(()) };
    let lost = list_lost(archive).await?;
    let mut done = Vec::new();
    for name in office.store.list_incidents().await? {
        let incident = office.store.load_incident(&name).await?;
        let held = hold_told(office, &incident, &lost, by).await?;
        failpoint::reach("restore_held").await;
        let unknown = forget(office, &incident).await?;
        done.push((incident.key, Counts { imported: 0, unknown, held }));
    }
    failpoint::reach("restore_forgotten").await;
    open_generations(archive, &lost).await?;
    failpoint::reach("restore_generations").await;
    let command = by.sign(&office.store, &json!({"command": "restore reconcile", "restored": restored.restored_id})).await?;
    // Outside first: dying between the two leaves a stop in the database, and it is run again.
    high_water::renew(&archive.store, &archive.outside).await?;
    failpoint::reach("restore_marked").await;
    office.store.finish_restore(restored.restored_id, &done, command).await?;
    Ok(())
}

async fn announce(
    context: &Context,
    office: &Office,
    incidents: &[Incident],
    lost: &[Lost],
    dry_run: bool,
) -> Result<(), Failure> {
    let mut unknown = 0;
    for incident in incidents {
        unknown += office.store.count_forgotten(incident.key).await?;
    }
    let total = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    let told = total(lost.iter().map(|log| log.told.len()).sum());
    let erased: Vec<String> = lost.iter().flat_map(|log| &log.erased).map(|p| format!("p_{}", p.simple())).collect();
    let mut lines = vec![
        format!(
            "{} published further than this database knows: each goes on in a new generation.",
            count(total(lost.len()), "log was", "logs were")
        ),
        format!(
            "{} written to in the time that was lost: held until somebody lifts the hold.",
            count(told, "person was", "people were")
        ),
        format!(
            "{} may have left: become unknown, are looked up, and none is sent again blindly.",
            count(unknown, "message", "messages")
        ),
    ];
    if !erased.is_empty() {
        lines.push(format!("Erased in the time that was lost; erase them again with `duly person erase`: {}", erased.join(", ")));
    }
    context.print(
        &json!({"restored": true, "dry_run": dry_run, "logs": lost.len(), "held": told, "unknown": unknown, "erase_again": erased}),
        &lines.join("\n"),
    );
    Ok(())
}

/// Holds everybody whom the lost events name with an intent, or the whole incident where one of them is not known here.
async fn hold_told(office: &Office, incident: &Incident, lost: &[Lost], by: &Signer) -> Result<i64, Failure> {
    let store = &office.store;
    let scope = LogScope::Incident(incident.key.controller_id, incident.key.incident_no);
    let told: Vec<Uuid> = lost.iter().filter(|log| log.scope == scope).flat_map(|log| log.told.iter().copied()).collect();
    let (unheld, known) = store.list_unheld(incident.key, &told, REASON).await?;
    let mut held = 0;
    if usize::try_from(known) != Ok(told.len()) {
        let open = store.list_holds(incident.key).await?;
        if !open.iter().any(|(_, person, reason)| person.is_none() && reason == REASON) {
            let command = by.sign(store, &hold_set(incident.incident_id, None, REASON)).await?;
            store.set_hold(incident.key, None, REASON, command).await?;
            held += 1;
        }
    }
    for person in unheld {
        let command = by.sign(store, &hold_set(incident.incident_id, Some(person), REASON)).await?;
        store.set_hold(incident.key, Some(person), REASON, command).await?;
        held += 1;
    }
    Ok(held)
}

/// Whatever was ready or in a call may have left: it becomes unknown, and is asked for by the name it would have had.
async fn forget(office: &Office, incident: &Incident) -> Result<i64, Failure> {
    let store = &office.store;
    let lanes: Vec<(String, String)> =
        office.accounts.iter().map(|(lane, account)| (lane.clone(), account.channel.as_str().to_owned())).collect();
    let mut unknown = 0;
    loop {
        let batch = store.list_forgotten(incident.key, BATCH).await?;
        if batch.is_empty() {
            return Ok(unknown);
        }
        let ids: Vec<Uuid> = batch.iter().map(|(message, _)| *message).collect();
        store.assign_lanes(incident.key, &ids, &lanes).await?;
        let drafts = store.list_drafts(&ids).await?;
        let references: HashMap<Uuid, String> =
            drafts.iter().filter_map(|d| Some((d.message_id, draft::reference(office, d)?))).collect();
        let forgotten: Vec<Forgotten> = batch
            .into_iter()
            .map(|(message_id, person_id)| Forgotten { message_id, person_id, reference: references.get(&message_id).cloned() })
            .collect();
        let moved = store.forget(incident.key, &forgotten).await?;
        if moved == 0 {
            return Err(Refusal::of("some messages could not be set to unknown", "run `duly audit`, then this command again"));
        }
        unknown += moved;
        failpoint::reach("restore_batch").await;
    }
}
