//! After a restore: what may have left without this database's knowing is found out before anything is sent.

use super::output::count;
use super::sign::signer;
use super::{Context, Failure, Refusal};
use crate::dispatch::Office;
use crate::evidence::restore::{Lost, list_lost, list_strangers, list_untold, put_back};
use crate::evidence::{Archive, EvidenceError, high_water, publisher};
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
use clap::{Subcommand, ValueEnum};
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
        after_help = "Examples:\n  duly restore reconcile --dry-run\n  duly restore reconcile\n  duly restore reconcile --database older    # only where the place outside was lost\n\nIt is signed. Killed at any step it can be run again."
    )]
    Reconcile {
        /// Print what would be done, and do nothing
        #[arg(long)]
        dry_run: bool,
        /// Let a log go on in a new generation where its copy outside cannot be read, and hold its whole incident
        #[arg(long)]
        new_generation: bool,
        /// Where the place outside was lost, and nothing tells whether this database was restored: say which one it is
        #[arg(long, value_enum, value_name = "WHICH")]
        database: Option<Database>,
    },
}

/// What somebody says of a database of which nothing outside tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Database {
    /// The one that was last sent from; every log is copied outside again
    Current,
    /// It was restored: every incident is held, and whatever could have left is found out
    Older,
}

impl Database {
    fn as_str(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Older => "older",
        }
    }
}

/// What a reconciliation goes by.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ground {
    /// A log whose copy cannot be read may go on in a new generation.
    pub new_generation: bool,
    /// What somebody says of this database; `None`: its copy outside tells.
    pub database: Option<Database>,
}

impl Ground {
    /// What this database has forgotten, as far as it is known. Nobody's word that it forgot nothing counts against the copy:
    /// by it no message would be looked up, and whoever was told in the lost time would be told again.
    async fn lost(self, archive: &Archive) -> Result<Vec<Lost>, Failure> {
        let is_blind = high_water::is_lost(&archive.store, &archive.outside).await?;
        if is_blind && self.database == Some(Database::Older) {
            return Ok(list_untold(archive).await?);
        }
        let is_current = self.database == Some(Database::Current);
        let lost = list_lost(archive, self.new_generation || is_current).await?;
        if is_current && !(lost.is_empty() && list_strangers(archive).await?.is_empty()) {
            return Err(Refusal::of(
                "the copy outside tells more than this database knows: it is not the one that was last sent from",
                match is_blind {
                    true => "run `duly restore reconcile --database older`",
                    false => "run `duly restore reconcile` without `--database`",
                },
            ));
        }
        Ok(lost)
    }
}

/// Runs a restore command.
pub async fn run(context: &Context, command: RestoreCommand) -> Result<(), Failure> {
    let RestoreCommand::Reconcile { dry_run, new_generation, database } = command;
    let ground = Ground { new_generation, database };
    let office = context.office().await?;
    let archive = Archive::open(&office.settings, &office.store)?;
    let is_blind = may_say(&archive, database).await?;
    let lost = ground.lost(&archive).await?;
    // No process may have been started yet to notice.
    if !high_water::check(&archive.store, &archive.outside).await? && (is_blind || !lost.is_empty()) {
        high_water::stop(&archive.store, &archive.outside, if is_blind { "outside" } else { "checkpoint" }).await?;
    }
    if office.store.open_restore().await?.is_none() {
        let text = "This database is the one that the mark outside knows, and no older: there is nothing to reconcile.";
        context.print(&json!({"restored": false}), text);
        return Ok(());
    }
    announce(context, &office, &list_strangers(&archive).await?, &lost, (ground, dry_run)).await?;
    if dry_run {
        return Ok(());
    }
    let done = reconcile(&office, &archive, &signer(context).await?, ground).await?;
    let held: i64 = done.iter().map(|(_, counts)| counts.held).sum();
    eprintln!("Reconciled and signed. Sending goes on; what is not known is looked up first.");
    if held > 0 {
        eprintln!("{} set: `duly hold list` shows them, docs/restore.md says why.", count(held, "hold was", "holds were"));
    }
    Ok(())
}

/// Whether the place outside was lost; then somebody must say what this database is, and else nobody may.
async fn may_say(archive: &Archive, database: Option<Database>) -> Result<bool, Failure> {
    let is_blind = high_water::is_lost(&archive.store, &archive.outside).await?;
    // Cut off after the new mark was written, it is run again with the same words; a mark of another hand means that the run
    // that was cut off had been shown a wrong place.
    let differs = high_water::compare(&archive.store, &archive.outside).await?.is_some();
    let was_blind = archive.store.open_restore().await?.is_some_and(|restored| restored.ground == "outside");
    match database {
        None if is_blind => Err(EvidenceError::OutsideLost.into()),
        Some(_) if !is_blind && (differs || !was_blind) => Err(Refusal::of(
            "the place outside knows this database: what it tells counts, and nobody's word",
            "run `duly restore reconcile` without `--database`",
        )),
        _ => Ok(is_blind),
    }
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
    ground: Ground,
) -> Result<Vec<(IncidentKey, Counts)>, Failure> {
    let store = &office.store;
    let Some(restored) = store.open_restore().await? else { return Ok(Vec::new()) };
    let mut incidents = Vec::new();
    for incident in store.list_incidents().await? {
        incidents.push(store.load_incident(&incident.name).await?);
    }
    let bringer = Bringer { office, restored_id: restored.restored_id, by };
    let lost = ground.lost(archive).await?;
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
        if ground.database != Some(Database::Current) {
            hold_astray(store, incident, by).await?;
            failpoint::reach("restore_held").await;
            forget(office, incident).await?;
        }
        done.push((incident.key, store.count_restored(incident.key, REASON, &restored).await?));
    }
    failpoint::reach("restore_forgotten").await;
    // What was copied since the place outside was not found may have gone to a wrong one.
    if ground.database.is_some() || restored.ground == "outside" {
        publisher::copy_again(archive).await?;
    }
    let command = by.sign(store, &json!({"command": "restore reconcile", "restored": restored.restored_id})).await?;
    // Outside first: dying between the two leaves a stop in the database, and it is run again.
    high_water::renew(&archive.store, &archive.outside).await?;
    failpoint::reach("restore_marked").await;
    store.finish_restore(restored.restored_id, &done, command, ground.database.map(Database::as_str)).await?;
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

async fn announce(
    context: &Context,
    office: &Office,
    strangers: &[String],
    lost: &[Lost],
    (ground, dry_run): (Ground, bool),
) -> Result<(), Failure> {
    if ground.database == Some(Database::Current) {
        let text = "By your word this database is the one that was last sent from, and no copy outside tells more: nothing is forgotten. Every log is copied outside again.";
        context.print(&json!({"restored": true, "dry_run": dry_run, "database": "current"}), text);
        return Ok(());
    }
    let total = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    let mut unknown = 0;
    for incident in office.store.list_incidents().await? {
        unknown += office.store.count_forgotten(incident.key).await?;
    }
    let events = total(lost.iter().map(|log| log.leaves().count()).sum());
    let people = |kind: &str| total(lost.iter().map(|log| log.people(kind).len()).sum());
    let (told, erased) = (people("message.intent"), people("key.destroyed"));
    let unreadable: Vec<&str> = lost.iter().filter(|log| !log.is_readable()).map(|log| log.head.origin.as_str()).collect();
    let published = match ground.database {
        Some(_) => {
            "By your word this database is an older one. How far its logs were published nobody knows: nothing comes back."
                .to_owned()
        }
        None => format!(
            "{} published further than this database knows: {} back, each with its bytes at its place.",
            count(total(lost.len()), "log was", "logs were"),
            count(events, "event comes", "events come")
        ),
    };
    let mut lines = vec![
        published,
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
