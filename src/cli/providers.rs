//! Providers: what each lane's can do and how it fares, and whether it answers.

mod callback;
mod health;
mod promises;
mod statement;

use super::output::{count, figure, table};
use super::{Context, Failure, Refusal};
use crate::dispatch::accounts;
use crate::model::state::MessageState;
use crate::provider::choose::KINDS;
use crate::provider::{Account, Check, ClaimedBy, Word};
use crate::store::told::LaneCost;
use callback::Doors;
use clap::Subcommand;
use health::Health;
use promises::{as_json, promises};
use serde_json::{Value, json};
use statement::Statement;
use std::collections::BTreeMap;
use std::sync::Arc;

/// `duly provider`.
#[derive(Subcommand)]
pub enum ProviderCommand {
    /// List the lanes: whose they are, what these promise, and how they fare
    #[command(
        after_help = "Examples:\n  duly provider list\n  duly provider list --words      each word of theirs: what it means here, who says it, what it proves"
    )]
    List {
        /// Their words, too, and what each proves
        #[arg(long)]
        words: bool,
    },
    /// Prove that a lane's provider answers and takes its credentials; nobody is reached
    #[command(
        after_help = "Example:\n  duly provider check letters\n\nExit codes: 0 it answers and takes the credentials; 1 it refuses them, or cannot be used as it is set up; 2 it does not answer, or there is no question that would prove its credentials: what is not proved is said."
    )]
    Check {
        /// Lane, as in `[lanes.NAME]`
        lane: String,
    },
    /// Compare a provider's own statement of what it took with the log; the comparison is signed and becomes an event
    Statement(Statement),
}

/// Runs a provider command.
pub async fn run(context: &Context, command: ProviderCommand) -> Result<(), Failure> {
    match command {
        ProviderCommand::List { words } => list(context, words).await,
        ProviderCommand::Check { lane } => check(context, &lane).await,
        ProviderCommand::Statement(args) => statement::compare(context, &args).await,
    }
}

async fn list(context: &Context, has_words: bool) -> Result<(), Failure> {
    let settings = context.settings()?;
    let accounts = accounts(&settings)?;
    let store = context.store().await?;
    let controllers = store.list_controllers().await?.into_iter().map(|(slug, _)| slug).collect();
    let doors = Doors::new(settings.receipts, controllers);
    let (costs, words) = (store.list_costs().await?, store.list_unknown_words().await?);
    let healths = Health::of_all(store, accounts.keys()).await?;
    let with_health = || accounts.values().zip(&healths);
    let lanes: Vec<Value> = with_health().map(|(account, health)| as_json(account, health, &doors)).collect();
    let heads = ["lane", "provider", "reaches", "channel", "pace", "part", "a day", "state"];
    let mut rows = vec![heads.map(str::to_owned).to_vec()];
    rows.extend(with_health().map(|(account, health)| row(account, &part(&accounts, account), health)));
    let mut text = if accounts.is_empty() {
        "No lane is set up: add [lanes.NAME] to the settings.".to_owned()
    } else {
        table(&rows, &[4, 5, 6])
    };
    for (account, health) in with_health() {
        text.push_str(&format!("\n\n{} ({})", account.name, account.capabilities().name));
        let callbacks = doors.lines(account).into_iter().map(|line| ("callback", line));
        for (what, line) in health.lines().into_iter().chain(promises(account)).chain(callbacks) {
            text.push_str(&format!("\n  {what:<10} {line}"));
        }
        if has_words {
            text.push_str(&format!("\n{}", words_of(account)));
        }
    }
    for cost in &costs {
        text.push_str(&format!("\n\nSpent on {}: {}", cost.incident, spent(cost)));
    }
    for (lane, word, n) in &words {
        text.push_str(&format!(
            "\n\n{lane}: its provider said `{}` {}, a word that Duly does not know; it moved nothing",
            word.escape_debug(),
            count(*n, "time", "times")
        ));
    }
    text.push_str(&format!("\n\nKinds that `provider` may name: {}", KINDS.join(", ")));
    let words: Vec<Value> = words.iter().map(|(lane, word, n)| json!({ "lane": lane, "word": word, "times": n })).collect();
    context.print(&json!({ "kinds": KINDS, "lanes": lanes, "costs": costs, "unknown_words": words }), &text);
    Ok(())
}

/// `12.34 GBP for 500 text messages by sms-a`.
fn spent(cost: &LaneCost) -> String {
    let minor = cost.milli / 1000;
    format!(
        "{}.{:02} {} for {} by {}",
        figure(minor / 100),
        minor % 100,
        cost.currency,
        count(cost.messages, "message", "messages"),
        cost.lane
    )
}

/// Whom a lane reaches.
pub fn reaches(account: &Account) -> &'static str {
    if account.is_live { "people" } else { "nobody: sandbox" }
}

/// Its part of the messages of its channel while all lanes are open.
fn part(accounts: &BTreeMap<String, Arc<Account>>, account: &Account) -> String {
    if account.is_reserve {
        return "reserve".to_owned();
    }
    let share = |other: &&Arc<Account>| other.channel == account.channel && !other.is_reserve;
    let all: u64 = accounts.values().filter(share).map(|other| u64::from(other.weight)).sum();
    format!("{} %", (u64::from(account.weight) * 100 + all / 2) / all.max(1))
}

fn row(account: &Account, part: &str, health: &Health) -> Vec<String> {
    let capabilities = account.capabilities();
    vec![
        account.name.clone(),
        capabilities.name.to_owned(),
        reaches(account).to_owned(),
        account.channel.to_string(),
        format!("{}/s", account.per_second),
        part.to_owned(),
        account.per_day.map_or_else(|| "no limit".to_owned(), |n| figure(i64::try_from(n).unwrap_or(i64::MAX))),
        health.word().to_owned(),
    ]
}

/// Its words on the lane's channel.
fn words_on(account: &Account) -> impl Iterator<Item = &'static Word> {
    let channel = account.channel;
    account.capabilities().words.iter().filter(move |word| word.channel == channel)
}

/// Whose word a status is, for people.
fn says(claimed_by: ClaimedBy) -> &'static str {
    match claimed_by {
        ClaimedBy::Provider => "the provider says",
        ClaimedBy::Network => "a network says",
        ClaimedBy::Carrier => "the carrier says",
        ClaimedBy::Estimate => "the provider reckons",
        ClaimedBy::Person => "somebody signs",
    }
}

fn words_of(account: &Account) -> String {
    let meaning = |word: &Word| word.state.map_or("moves nothing", MessageState::as_str).to_owned();
    let mut rows = vec![["  word", "means", "who", "proves"].map(str::to_owned).to_vec()];
    rows.extend(
        words_on(account).map(|word| {
            vec![format!("  {}", word.word), meaning(word), says(word.claimed_by).to_owned(), word.proves.to_owned()]
        }),
    );
    match rows.as_slice() {
        [_] => "  its words stand in the settings: what they prove is what whoever wrote these says".to_owned(),
        rows => table(rows, &[]),
    }
}

/// Whatever it ends as, a program reads it from stdout, and the exit code says the same.
async fn check(context: &Context, lane: &str) -> Result<(), Failure> {
    let checked = looked_at(context, lane).await;
    match &checked {
        Ok((is_live, text)) => context.print(&json!({ "lane": lane, "live": is_live, "good": true }), text),
        Err(failure) => {
            let (error, remedy) = (failure.what(), failure.remedy());
            context.print(&json!({ "lane": lane, "good": false, "error": error, "remedy": remedy }), "");
        }
    }
    checked.map(drop)
}

/// Whether the lane is live, and what to say of a good end.
async fn looked_at(context: &Context, lane: &str) -> Result<(bool, String), Failure> {
    let accounts = accounts(&context.settings()?)?;
    let Some(account) = accounts.get(lane) else {
        return Err(Refusal::of(format!("there is no lane `{lane}`"), "`duly provider list` shows the lanes"));
    };
    let place = if account.is_live { "" } else { " at the sandbox, not live:" };
    let name = account.capabilities().name;
    let settings = format!("correct `[lanes.{lane}]`; `duly settings` shows where each value comes from");
    match account.provider.check().await {
        Check::Good => {
            let text = format!("{lane}: {name}{place} answers and takes the credentials. Nobody was reached.");
            Ok((account.is_live, text))
        }
        Check::BadCredentials => {
            Err(Refusal::found(format!("{lane}: {name}{place} answers, and refuses the credentials"), settings))
        }
        Check::Unfit(what) => Err(Refusal::found(format!("{lane}: {name}{place} answers, and {what}"), settings)),
        Check::Unreachable => Err(Refusal::of(
            format!("{lane}: {name}{place} gives no answer that means anything"),
            "check the lane's `url`, the network and the proxy (HTTPS_PROXY), then check again",
        )),
        Check::KeyNotAsked => Err(Refusal::of(
            format!("{lane}: {name}{place} answers, also to whoever has no key: whether it takes the credentials is not proved"),
            "set `http.check_path` to a place that it shows to nobody without the key, then check again",
        )),
        Check::CannotCheck(remedy) => Err(Refusal::of(
            format!(
                "{lane}: {name}{place} offers no way to be checked without reaching somebody: neither that it answers nor that it takes the credentials is proved"
            ),
            remedy,
        )),
    }
}
