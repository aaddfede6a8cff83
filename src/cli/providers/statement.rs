//! A provider's own statement of what it took, held against the log. Who compares signs for both figures, so that a report
//! names the comparison from the log alone, and nobody can leave out one that differs.

use super::super::failure::read_text;
use super::super::output::figure;
use super::super::report::{moment, replay_at};
use super::super::sign::signer;
use super::super::{Context, Failure, Refusal};
use crate::dispatch::accounts;
use crate::model::statement::provider_statement;
use crate::report::replay::micros;
use crate::report::{figures, rehearsal, statement, words};
use crate::store::statement::Comparison;
use clap::Args;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::path::PathBuf;
use time::OffsetDateTime;

/// `duly provider statement`.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  duly provider statement counts.csv --incident cards-2026 --lane letters\n  duly provider statement november.csv --incident cards-2026 --lane letters --as-of 2026-12-01T00:00:00Z\n\nThe statement is a CSV file: a first line `channel,count`, then how many messages of this incident the provider took, one line for each of sms, letter, email that the account carries. Keep the file: the log has its SHA-256.\n\nExit codes: 0 both counts are the same; 1 they differ; 2 could not be compared."
)]
pub struct Statement {
    /// What the provider says that it took: CSV with channel,count
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Incident, or controller/incident
    #[arg(long)]
    incident: String,
    /// Lane whose account the statement is of, as in `[lanes.NAME]`
    #[arg(long)]
    lane: String,
    /// Moment up to which the provider counted, RFC 3339. Now without one
    #[arg(long, value_name = "TIME", value_parser = moment)]
    as_of: Option<OffsetDateTime>,
}

/// Compares, says what came of it, and records it under the user's signature.
pub async fn compare(context: &Context, args: &Statement) -> Result<(), Failure> {
    let text = read_text(&args.file)?;
    let counts = statement::read(&text)?;
    let accounts = accounts(&context.settings()?)?;
    let Some(account) = accounts.get(&args.lane) else {
        return Err(Refusal::of(format!("there is no lane `{}`", args.lane), "`duly provider list` shows the lanes"));
    };
    let Some(theirs) = counts.get(&account.channel) else {
        return Err(Refusal::of(
            format!("the statement has no line for `{}`, the channel of the lane `{}`", account.channel, args.lane),
            "name the lane whose account the statement is of, or ask its provider for that count",
        ));
    };
    let signer = signer(context).await?;
    let (incident, replay) = replay_at(context, &args.incident, args.as_of).await?;
    let store = context.store().await?;
    let told = Comparison {
        lane: args.lane.clone(),
        channel: account.channel,
        hash: hex::encode(Sha256::digest(&text)),
        theirs: *theirs,
        ours: statement::ours(store, incident.key, &replay, &args.lane).await?,
        as_of: Comparison::moment(micros(replay.as_of))?,
    };
    let by = signer.sign(store, &provider_statement(incident.incident_id, told.fields())).await?;
    store.record_statement(incident.key, &told, by).await?;
    let agrees = told.ours == told.theirs;
    let mut data = json!(told.fields());
    data["agrees"] = json!(agrees);
    let rehearsal = rehearsal::of_incident(store, incident.key).await?;
    context.print_minding(data, &said(&told, replay.as_of), &rehearsal);
    match agrees {
        true => Ok(()),
        false => Err(Refusal::found(
            format!("the statement of the lane `{}` differs from the log, and the log says so", told.lane),
            "ask the provider for its list of references and compare: more than ours may have been sent past this system, fewer were perhaps never taken",
        )),
    }
}

fn said(told: &Comparison, as_of: OffsetDateTime) -> String {
    let n = |n: u64| figure(i64::try_from(n).unwrap_or(i64::MAX));
    format!(
        "{}, lane {}, until {}: {} accepted by our record, {} by the provider's statement{}\nSHA-256 of the statement {}",
        words::noun(told.channel),
        told.lane,
        figures::said(as_of),
        n(told.ours),
        n(told.theirs),
        if told.ours == told.theirs { ": they agree" } else { ": THEY DIFFER" },
        told.hash
    )
}
