//! `duly audit`: checks every invariant and says each difference with what to do about it.

mod sample;

use super::output::{Paint, count};
use super::sign::signer;
use super::{Context, Failure, Refusal};
use crate::evidence::anchor::Judges;
use crate::evidence::self_audit::{audit_one, not_made};
use crate::model::seal::Key;
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

/// What was found in one incident.
struct Audited {
    name: String,
    people: i64,
    equation_holds: bool,
    findings: Vec<Finding>,
}

impl Audited {
    fn bad(&self) -> usize {
        self.findings.len() + usize::from(!self.equation_holds)
    }
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
        audited.push(audit(context, &judges, incident, opener.as_ref()).await?);
    }
    let total: usize = audited.iter().map(Audited::bad).sum();
    let mut lines: Vec<String> = audited.iter().flat_map(lines).collect();
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
    let notes_opened = judges.opens_notes();
    context.print(&json!({"holds": total == 0, "checkpoint_signatures_checked": notes_opened, "sealed_checked": args.sealed, "incidents": audited.iter().map(as_json).collect::<Vec<_>>()}), &lines.join("\n"));
    match total {
        0 => Ok(()),
        n => Err(Refusal::found(
            format!("the audit has {}", count(i64::try_from(n)?, "finding", "findings")),
            "pause the run with `duly plan pause` and keep the database as it is until each finding is explained",
        )),
    }
}

async fn audit(
    context: &Context,
    judges: &Judges,
    NamedIncident { name, key }: NamedIncident,
    opener: Option<&(Key, Signer)>,
) -> Result<Audited, Failure> {
    let store = context.store().await?;
    let (mut master, mut unopened) = (None, None);
    if let Some((opens, signer)) = opener {
        match store.load_incident(&name).await {
            Ok(incident) => {
                let command = json!({"command": "audit", "incident": incident.incident_id, "sealed": true});
                // Before anything is opened: a look that fails was tried all the same.
                store.record_view_of_all(key, "audit", signer.sign(store, &command).await?).await?;
                master = Some(opens);
            }
            Err(error) => unopened = Some(not_made(store, "what is sealed", &error).await?),
        }
    }
    let mut findings = audit_one(store, judges, key, master).await?;
    findings.extend(unopened);
    let (people, equation_holds) = match store.equation(key).await {
        Ok(equation) => (equation.people, equation.holds()),
        Err(error) => {
            findings.push(not_made(store, "the equation", &error).await?);
            (0, false)
        }
    };
    Ok(Audited { name, people, equation_holds, findings })
}

fn as_json(audited: &Audited) -> Value {
    let finding = |f: &Finding| json!({"code": f.code, "place": f.place, "remedy": f.remedy()});
    json!({
        "incident": audited.name, "holds": audited.bad() == 0, "equation_holds": audited.equation_holds, "people": audited.people,
        "findings": audited.findings.iter().map(finding).collect::<Vec<_>>(),
    })
}

fn lines(audited: &Audited) -> Vec<String> {
    let paint = Paint::stdout();
    let name = &audited.name;
    let mut lines = vec![match audited.bad() {
        0 => format!("{name}: {}, {}", count(audited.people, "person", "people"), paint.good("everything holds")),
        n => format!("{name}: {}", paint.bad(&count(i64::try_from(n).unwrap_or(i64::MAX), "finding", "findings"))),
    }];
    if !audited.equation_holds {
        lines.push("  equation_does_not_hold".to_owned());
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
