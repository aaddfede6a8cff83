//! `duly audit sample`: people drawn by the auditor's seed, each traced end to end as a work paper.

use crate::cli::report::{Of, plans};
use crate::cli::{Context, Failure};
use crate::report::rehearsal;
use crate::report::sample::{paper, sample};
use clap::Args;
use serde_json::json;

/// `duly audit sample`.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  duly audit sample --incident cards-2026 -n 60 --seed 'Grant & Co 2026-11-25'\n  duly audit sample --incident cards-2026 --seed 7 --out paper.html\n\nThe draw: SHA-256(seed, then the person's id); the people with the smallest hashes. The same seed draws the same people."
)]
pub struct Sample {
    /// People to draw
    #[arg(short, default_value_t = 60)]
    n: usize,
    /// The auditor's own seed; whoever sends must not choose it
    #[arg(long)]
    seed: String,
    #[command(flatten)]
    of: Of,
}

/// Draws, traces and gives the work paper.
pub async fn run(context: &Context, args: Sample) -> Result<(), Failure> {
    let (incident, replay) = args.of.replay(context).await?;
    let store = context.store().await?;
    let plans = plans(store, &incident, &replay).await?;
    let sample = sample(store, &incident, &replay, (args.n, &args.seed)).await?;
    let mut data = json!(sample);
    if let Some(fields) = data.as_object_mut() {
        fields.insert("log".to_owned(), json!(replay.standing));
        fields.insert("rehearsal".to_owned(), json!(rehearsal::lines(&replay.tally, &plans)));
    }
    let words = json!({"command": "audit sample", "incident": incident.incident_id, "n": args.n, "seed": args.seed});
    args.of.give(context, &incident, (&words, "auditor"), &paper(&incident, &replay, &plans, &sample), &data).await
}
