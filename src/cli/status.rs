//! What an operator looks at.

use super::{Context, Failure};
use clap::Args;
use serde_json::json;

/// `duly status`.
#[derive(Args)]
pub struct Status {
    /// Incident; all are listed without one
    #[arg(long)]
    incident: Option<String>,
}

/// The words, as `duly words` prints them.
pub const WORDS: &str = "\
person        one affected individual of one incident
notice        the duty to tell one person in one phase; it ends as notified, unreachable, exempt or withdrawn
message       one rendering of a notice for one channel
attempt       one try to hand a message to a provider
receipt       what a provider later says of a message
lane          provider account and channel
unknown       a call ended without an answer that proves anything; never sent again blindly
hold          a stop set by someone who may; the person still counts
plan          what exactly goes to whom: prepared by one, approved by another
quarantined   a row that cannot become a person yet; it waits for a correction and is counted";

/// Prints counts and the equation.
pub async fn run(context: &Context, args: Status) -> Result<(), Failure> {
    let office = context.office().await?;
    let Some(name) = args.incident else {
        let incidents = office.store.list_incidents().await?;
        context.print(&json!(incidents), &incidents.join("\n"));
        return Ok(());
    };
    let incident = office.store.load_incident(&name).await?;
    let equation = office.store.equation(incident.key).await?;
    let messages = office.store.count_messages(incident.key).await?;
    let calls = office.store.count_outcomes(incident.key).await?;
    let (made, left) = office.store.count_unknown(incident.key).await?;
    let data = json!({"equation": equation, "holds": equation.holds(), "messages": messages, "calls": calls, "unknown": {"made": made, "left": left}});
    let mut lines = vec![format!(
        "{} rows = {} people + {} duplicates + {} quarantined + {} decided{}",
        equation.rows, equation.people, equation.duplicates, equation.quarantined, equation.decided,
        if equation.holds() { "" } else { "   DOES NOT ADD UP: run `duly audit`" }
    )];
    lines.extend(equation.person_states.iter().map(|(state, n)| format!("  {n:>8} {state}")));
    lines.push("messages".to_owned());
    lines.extend(messages.iter().map(|(state, n)| format!("  {n:>8} {state}")));
    lines.push("calls".to_owned());
    lines.extend(calls.iter().map(|(kind, n)| format!("  {n:>8} {kind}")));
    lines.push(format!("unknown calls: {made} made, {left} not resolved"));
    context.print(&data, &lines.join("\n"));
    Ok(())
}
