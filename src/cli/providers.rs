//! Providers: what each lane's can do and how it fares, and whether it answers.

use super::output::{count, figure, span, table, when};
use super::{Context, Failure, Refusal};
use crate::dispatch::accounts;
use crate::model::state::MessageState;
use crate::provider::choose::KINDS;
use crate::provider::{Account, CancelWindow, Capabilities, Check, ClaimedBy, LookupStrength, ReceiptProof, Word};
use crate::store::harvest::LaneCost;
use crate::store::metrics::LanePause;
use clap::Subcommand;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

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
        after_help = "Example:\n  duly provider check letters\n\nExit codes: 0 it answers and takes the credentials; 1 it refuses them, or cannot be used as it is set up; 2 it does not answer."
    )]
    Check {
        /// Lane, as in `[lanes.NAME]`
        lane: String,
    },
}

/// Runs a provider command.
pub async fn run(context: &Context, command: ProviderCommand) -> Result<(), Failure> {
    match command {
        ProviderCommand::List { words } => list(context, words).await,
        ProviderCommand::Check { lane } => check(context, &lane).await,
    }
}

async fn list(context: &Context, has_words: bool) -> Result<(), Failure> {
    let accounts = accounts(&context.settings()?)?;
    let store = context.store().await?;
    let (pauses, costs, words) = (store.list_lane_pauses().await?, store.list_costs().await?, store.list_unknown_words().await?);
    let lanes: Vec<Value> = accounts.values().map(|account| as_json(account, pauses.get(&account.name))).collect();
    let heads = ["lane", "provider", "reaches", "channel", "pace", "part", "a day", "state"];
    let mut rows = vec![heads.map(str::to_owned).to_vec()];
    rows.extend(accounts.values().map(|account| row(account, &part(&accounts, account), pauses.get(&account.name))));
    let mut text = if accounts.is_empty() {
        "No lane is set up: add [lanes.NAME] to the settings.".to_owned()
    } else {
        table(&rows, &[4, 5, 6])
    };
    for account in accounts.values() {
        text.push_str(&format!("\n\n{} ({})", account.name, account.capabilities().name));
        for (what, promise) in promises(account) {
            text.push_str(&format!("\n  {what:<10} {promise}"));
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

fn state(pause: Option<&LanePause>) -> String {
    pause.map_or_else(|| "open".to_owned(), |pause| format!("paused until {} (code {})", when(pause.until), pause.code))
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

fn row(account: &Account, part: &str, pause: Option<&LanePause>) -> Vec<String> {
    let capabilities = account.capabilities();
    vec![
        account.name.clone(),
        capabilities.name.to_owned(),
        reaches(account).to_owned(),
        account.channel.to_string(),
        format!("{}/s", account.per_second),
        part.to_owned(),
        account.per_day.map_or_else(|| "no limit".to_owned(), |n| figure(i64::try_from(n).unwrap_or(i64::MAX))),
        state(pause),
    ]
}

fn seconds(time: Duration) -> String {
    span(i64::try_from(time.as_secs()).unwrap_or(i64::MAX))
}

/// What is promised, in words.
fn promises(account: &Account) -> Vec<(&'static str, String)> {
    let Capabilities { idempotent_for, lookup, receipts, cancel_within, retention, cut_off, .. } = account.capabilities();
    let lookup = match lookup {
        LookupStrength::Strong { lag } => format!("finds every message by our reference, {} after it was made", seconds(*lag)),
        LookupStrength::Weak { patience } => {
            format!("may not find what is there: after {} the lane's rule is taken", seconds(*patience))
        }
        LookupStrength::None => "there is none: the lane's rule is taken".to_owned(),
    };
    let receipts = match receipts {
        ReceiptProof::Signed(scheme) => format!("signed ({scheme})"),
        ReceiptProof::Confirmed(scheme) => format!("not signed ({scheme}): nothing moves before the provider was asked"),
        ReceiptProof::None => "it sends none".to_owned(),
    };
    let repeat = idempotent_for.map_or_else(
        || "never: the same request twice may be two messages".to_owned(),
        |life| format!("safe with the same bytes for {}", seconds(life)),
    );
    let cancel = match cancel_within {
        None => "not by request".to_owned(),
        Some(CancelWindow::Stated(time)) => format!("within {}", seconds(*time)),
        Some(CancelWindow::UntilMade) => "until it is made; only the provider knows when".to_owned(),
    };
    let asked = account.poll.map_or_else(|| "when news are due".to_owned(), |every| format!("every {}", seconds(every)));
    vec![
        ("repeat", repeat),
        ("look-up", lookup),
        ("receipts", receipts),
        ("asked", asked),
        ("cancel", cancel),
        ("remembers", retention.map_or_else(|| "not said".to_owned(), seconds)),
        ("cut-off", if cut_off.is_empty() { "not said".to_owned() } else { (*cut_off).to_owned() }),
        ("delivered", account.capabilities().delivered_means.to_owned()),
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

fn as_json(account: &Account, pause: Option<&LanePause>) -> Value {
    let capabilities = account.capabilities();
    json!({
        "lane": account.name,
        "kind": account.kind,
        "provider": capabilities.name,
        "live": account.is_live,
        "channel": account.channel.as_str(),
        "per_second": account.per_second,
        "weight": account.weight,
        "reserve": account.is_reserve,
        "per_day": account.per_day,
        "per_day_max": capabilities.per_day_max,
        "paused_until": pause.map(|pause| pause.until.unix_timestamp()),
        "pause_code": pause.map(|pause| pause.code.clone()),
        "promises": promises(account).into_iter().collect::<BTreeMap<_, _>>(),
        "test_mode": capabilities.test_mode,
        "words": words_on(account).map(|word| json!({
            "word": word.word, "means": word.state.map(MessageState::as_str), "claimed_by": word.claimed_by, "proves": word.proves,
        })).collect::<Vec<_>>(),
    })
}

async fn check(context: &Context, lane: &str) -> Result<(), Failure> {
    let accounts = accounts(&context.settings()?)?;
    let Some(account) = accounts.get(lane) else {
        return Err(Refusal::of(format!("there is no lane `{lane}`"), "`duly provider list` shows the lanes"));
    };
    let found = account.provider.check().await;
    let place = if account.is_live { "" } else { " at the sandbox, not live:" };
    let name = account.capabilities().name;
    let settings = format!("correct `[lanes.{lane}]`; `duly settings` shows where each value comes from");
    match found {
        Check::Good => {
            let text = format!("{lane}: {name}{place} answers and takes the credentials. Nobody was reached.");
            context.print(&json!({ "lane": lane, "live": account.is_live, "good": true }), &text);
            Ok(())
        }
        Check::BadCredentials => {
            Err(Refusal::found(format!("{lane}: {name}{place} answers, and refuses the credentials"), settings))
        }
        Check::Unfit(what) => Err(Refusal::found(format!("{lane}: {name}{place} answers, and {what}"), settings)),
        Check::Unreachable => Err(Refusal::of(
            format!("{lane}: {name}{place} gives no answer that means anything"),
            "check the lane's `url`, the network and the proxy (HTTPS_PROXY), then check again",
        )),
        Check::CannotCheck => Err(Refusal::of(
            format!("{lane}: {name}{place} offers no way to be checked without reaching somebody"),
            "send a message of your own to yourself through a plan of one person",
        )),
    }
}
