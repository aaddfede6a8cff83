//! `duly audit`: checks every invariant and says each difference.

use super::output::{Paint, count};
use super::{Context, Failure, Refusal};
use crate::provider::sandbox::read_request;
use clap::Args;
use serde_json::json;

/// `duly audit`.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  duly audit --incident cards-2026\n  duly audit --json\n\nEnds with 0 where everything holds, with 1 where anything does not."
)]
pub struct Audit {
    /// Incident, or controller/incident; all of them without one
    #[arg(long)]
    incident: Option<String>,
}

/// Audits one incident or all.
pub async fn run(context: &Context, args: Audit) -> Result<(), Failure> {
    let store = context.store().await?;
    // Without the master key everything is checked but what is sealed.
    let master = context.settings()?.master_key().ok();
    let names = match args.incident {
        Some(name) => vec![name],
        None => store.list_incidents().await?,
    };
    let paint = Paint::stdout();
    let (mut data, mut lines, mut total) = (Vec::new(), Vec::new(), 0);
    for name in &names {
        let incident = store.load_incident(name).await?;
        let mut findings = store.audit(incident.key).await?;
        if let Some(master) = &master {
            findings.extend(store.audit_sealed(incident.key, master, &|_, frozen| read_request(frozen)).await?.findings);
        }
        let equation = store.equation(incident.key).await?;
        let bad = findings.len() + usize::from(!equation.holds());
        total += bad;
        lines.push(match bad {
            0 => format!("{name}: {}, {}", count(equation.people, "person", "people"), paint.good("everything holds")),
            n => format!("{name}: {}", paint.bad(&count(i64::try_from(n)?, "finding", "findings"))),
        });
        if !equation.holds() {
            lines.push("  equation_does_not_hold: `duly status` shows both sides".to_owned());
        }
        lines.extend(findings.iter().map(|f| format!("  {}: {}\n    {}", f.code, f.place, f.remedy())));
        data.push(json!({
            "incident": name, "holds": bad == 0, "opened": master.is_some(), "equation_holds": equation.holds(), "people": equation.people, "findings": findings,
        }));
    }
    if master.is_none() {
        lines.push("Contacts and requests were not opened: the master key is not on this host.".to_owned());
    }
    if names.is_empty() {
        lines.push("No incidents yet: there is nothing to audit.".to_owned());
    }
    context.print(&json!({"holds": total == 0, "incidents": data}), &lines.join("\n"));
    match total {
        0 => Ok(()),
        n => Err(Refusal::found(
            format!("the audit has {}", count(i64::try_from(n)?, "finding", "findings")),
            "pause the run with `duly plan pause`, keep the database as it is, and look into each finding",
        )),
    }
}
