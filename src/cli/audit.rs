//! `duly audit`: checks every invariant and says each difference with what to do about it. As the hourly audit does, it tells
//! the log what it found, and raises an alarm where anything differs.

mod sample;

use super::output::{Paint, count};
use super::sign::signer;
use super::{Context, Failure, Refusal};
use crate::evidence::anchor::Judges;
use crate::evidence::self_audit::{Audited, EQUATION, audit_and_tell, not_made};
use crate::model::causes::with_causes;
use crate::model::seal::Key;
use crate::store::Store;
use crate::store::audit::Finding;
use crate::store::incident::NamedIncident;
use crate::store::user::Signer;
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Places named for one code; `--json` names all.
const PLACES_MAX: usize = 20;

/// `duly audit`.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  duly audit --incident cards-2026\n  duly audit --sealed --json\n\nEnds with 0 where everything holds, with 1 where anything does not.\nTo open what is sealed is signed, and stays in each incident's log.",
    args_conflicts_with_subcommands = true
)]
pub struct Audit {
    #[command(subcommand)]
    command: Option<AuditCommand>,
    /// Incident, or controller/incident; all of them without one
    #[arg(long)]
    incident: Option<String>,
    /// Open every contact and every frozen request with the master key too: they must be the approved ones
    #[arg(long)]
    sealed: bool,
}

#[derive(Subcommand)]
enum AuditCommand {
    /// Draw people by an auditor's seed and trace each from the list to the end state
    Sample(sample::Sample),
}

/// Audits one incident or all.
pub async fn run(context: &Context, args: Audit) -> Result<(), Failure> {
    if let Some(AuditCommand::Sample(args)) = args.command {
        return sample::run(context, args).await;
    }
    let store = context.store().await?;
    let incidents = match &args.incident {
        Some(name) => {
            let incident = store.load_incident(name).await?;
            let name = format!("{}/{}", incident.controller_slug, incident.slug);
            vec![NamedIncident { name, key: incident.key }]
        }
        None => store.list_incidents().await?,
    };
    let judges = Judges::open(&context.settings()?)?;
    // Asked for once, and not where there is nothing to open.
    let opener = match args.sealed && !incidents.is_empty() {
        true => Some((context.settings()?.master_key()?, signer(context).await?)),
        false => None,
    };
    let mut audited = Vec::new();
    for incident in incidents {
        let (master, unopened) = open(store, &incident, opener.as_ref()).await?;
        let mut found = audit_and_tell(store, &judges, master, &incident).await?;
        found.findings.extend(unopened);
        audited.push((incident.name, found));
    }
    let total: usize = audited.iter().map(|(_, audited)| audited.bad()).sum();
    let mut lines: Vec<String> = audited.iter().flat_map(|(name, audited)| lines(name, audited)).collect();
    if audited.is_empty() {
        lines.push("No incidents yet: there is nothing to audit.".to_owned());
    }
    if !judges.opens_notes() {
        lines.push(
            "Whether the log's key signed its checkpoints was not looked at: `keys.log_file` cannot be read here.".to_owned(),
        );
    }
    if !args.sealed && !audited.is_empty() {
        lines.push(
            "What is sealed was not opened, contacts and the requests that were sent: `--sealed` does it, with the master key."
                .to_owned(),
        );
    }
    if let Some(error) = audited.iter().find_map(|(_, audited)| audited.told.as_ref().err()) {
        lines.push(format!("What was found is not in the log: {}. {}", with_causes(error), error.remedy()));
    }
    let notes_opened = judges.opens_notes();
    context.print(&json!({"holds": total == 0, "checkpoint_signatures_checked": notes_opened, "sealed_checked": args.sealed, "incidents": audited.iter().map(|(name, audited)| as_json(name, audited)).collect::<Vec<_>>()}), &lines.join("\n"));
    match total {
        0 => Ok(()),
        n => Err(Refusal::found(
            format!("the audit has {}", count(i64::try_from(n)?, "finding", "findings")),
            "pause the run with `duly plan pause` and keep the database as it is until each finding is explained",
        )),
    }
}

/// The key that opens what is sealed, once the incident's log says who opens it; a finding where that could not be told.
async fn open<'a>(
    store: &Store,
    NamedIncident { name, key }: &NamedIncident,
    opener: Option<&'a (Key, Signer)>,
) -> Result<(Option<&'a Key>, Option<Finding>), Failure> {
    let Some((opens, signer)) = opener else { return Ok((None, None)) };
    match store.load_incident(name).await {
        Ok(incident) => {
            let command = json!({"command": "audit", "incident": incident.incident_id, "sealed": true});
            // Before anything is opened: a look that fails was tried all the same.
            store.record_view_of_all(*key, "audit", signer.sign(store, &command).await?).await?;
            Ok((Some(opens), None))
        }
        Err(error) => Ok((None, Some(not_made(store, "what is sealed", &error).await?))),
    }
}

fn as_json(name: &str, audited: &Audited) -> Value {
    let finding = |f: &Finding| json!({"code": f.code, "place": f.place, "remedy": f.remedy()});
    json!({
        "incident": name, "holds": audited.bad() == 0, "equation_holds": audited.balances(), "people": audited.people,
        "told": audited.told.is_ok(), "findings": audited.findings.iter().map(finding).collect::<Vec<_>>(),
    })
}

fn lines(name: &str, audited: &Audited) -> Vec<String> {
    let paint = Paint::stdout();
    let mut lines = vec![match audited.bad() {
        0 => format!("{name}: {}, {}", count(audited.people, "person", "people"), paint.good("everything holds")),
        n => format!("{name}: {}", paint.bad(&count(i64::try_from(n).unwrap_or(i64::MAX), "finding", "findings"))),
    }];
    if !audited.balances() {
        lines.push(format!("  {EQUATION}"));
        lines.push(format!("      look at both sides with `duly status --incident {name}`"));
    }
    let mut by_code: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
    for finding in &audited.findings {
        by_code.entry(finding.code).or_default().push(finding);
    }
    for (code, findings) in by_code {
        let places: Vec<&str> = findings.iter().take(PLACES_MAX).map(|f| f.place.as_str()).collect();
        let more = findings.len().saturating_sub(PLACES_MAX);
        let more = if more == 0 { String::new() } else { format!(" and {more} more: `--json` names all") };
        lines.push(format!("  {code}: {}{more}", places.join(", ")));
        lines.extend(findings.first().map(|f| format!("      {}", f.remedy())));
    }
    lines
}
