//! Looks after every open state whose deadline passed: leases, unknown calls, missing news, receipts that wait.
//!
//! Not knowing is a state. It ends by the provider's answer to our reference, by a receipt, by a repeat that the
//! provider guarantees, or by the plan's rule; never by blindly sending again.

use super::batches::is_older;
use super::draft;
use super::every::Every;
use super::gate::HoldWatch;
use super::matching::{apply_receipts, lay_receipts_aside};
use super::repeat::repeat;
use super::{DispatchError, Office, told};
use crate::model::causes::with_causes;
use crate::model::state::{MessageState, UnknownRule};
use crate::model::step::{Cause, Limit};
use crate::provider::{Account, Frozen, LookUp, LookupStrength, Seen, Sought, StatusAnswer};
use crate::store::claim::RepeatWindow;
use crate::store::due::Due;
use crate::store::leadership::Lead;
use crate::store::outcome::Found;
use crate::store::unit::{IncidentKey, Note};
use futures::StreamExt;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Rows in one sweep.
const SWEEP: i64 = 500;
/// Pause between two looks at receipts that count for nothing.
const LAY_ASIDE_EVERY: Duration = Duration::from_secs(1);
/// Look-ups at once.
const CONCURRENT: usize = 32;
/// How long a provider's "not there" is believed that does not say how long it remembers.
const REMEMBERED: Duration = Duration::from_secs(30 * 86_400);
/// Next look where nothing could be found out, ms: a quarter of the time since the call, between these two.
const LOOK_AGAIN_MS: i64 = 1000;
const LOOK_AGAIN_MS_MAX: i64 = 900_000;
/// Next try to ask for news where the vendor takes no more questions now, ms.
const ASK_AGAIN_MS: i64 = 10_000;

/// Sweeps while this process leads, until `stop`.
pub async fn run(office: Arc<Office>, watch: Arc<HoldWatch>, holder: String, stop: CancellationToken) {
    let mut lead = Lead::beside("sweep", "scheduler", &holder);
    let thin_every = Duration::from_secs(u64::try_from(office.settings.receipts.refusals_every_seconds).unwrap_or(60));
    let (mut thins, mut lays_aside) = (Every::new(thin_every), Every::new(LAY_ASIDE_EVERY));
    while !stop.is_cancelled() {
        if thins.is_due() {
            thin(&office, &mut lead).await;
        }
        let worked = match sweep(&office, &watch, &mut lead, lays_aside.is_due()).await {
            Ok(worked) => worked,
            Err(error) => {
                tracing::warn!(error = with_causes(&error), "a sweep failed and is tried again");
                0
            }
        };
        if worked == 0 {
            tokio::time::sleep(Duration::from_millis(office.settings.dispatch.interval_ms)).await;
        }
    }
}

/// Whoever floods the door with receipts leaves no row for each.
async fn thin(office: &Office, lead: &mut Lead) {
    let thinned = async {
        if lead.is_held(&office.store).await? {
            office.store.thin_receipts().await?;
        }
        Ok::<_, DispatchError>(())
    };
    if let Err(error) = thinned.await {
        tracing::warn!(error = with_causes(&error), "receipts that count for nothing were not thinned out and are tried again");
    }
}

async fn sweep(office: &Arc<Office>, watch: &Arc<HoldWatch>, lead: &mut Lead, lays_aside: bool) -> Result<usize, DispatchError> {
    if !lead.is_held(&office.store).await? {
        return Ok(0);
    }
    // Nobody's chain goes on before the published log is here again.
    if office.store.open_restore().await?.is_some() {
        return Ok(0);
    }
    if lays_aside {
        lay_receipts_aside(office).await;
    }
    // What a receipt says may wait; leases and deadlines may not, whatever is wrong with receipts.
    let receipts = apply_receipts(office).await.unwrap_or_else(|error| {
        tracing::warn!(error = with_causes(&error), "receipts were not applied and are tried again");
        0
    });
    let due = office.store.list_due(SWEEP, office.settings.dispatch.attempts_max).await?;
    let swept = due.len();
    futures::stream::iter(due)
        .for_each_concurrent(CONCURRENT, |row| async move {
            if let Err(error) = look_after(office, watch, &row).await {
                tracing::warn!(message = %row.message_id, error = with_causes(&error), "a message was not looked after and stays due");
            }
        })
        .await;
    Ok(receipts + swept)
}

async fn look_after(office: &Arc<Office>, watch: &Arc<HoldWatch>, row: &Due) -> Result<(), DispatchError> {
    let account = row.lane.as_ref().and_then(|lane| office.accounts.get(lane));
    match (row.state, account) {
        (MessageState::Ready, _) if row.is_expired => apply(office, row, Cause::GaveUp(Limit::Deadline), "deadline").await,
        (MessageState::Ready, _) => {
            office.store.give_up(row, office.settings.dispatch.attempts_max).await?;
            Ok(())
        }
        (MessageState::Sending, _) => apply(office, row, Cause::LeaseExpired { attempt: attempt(row) }, "lease").await,
        (MessageState::Unknown, None) if row.lane.is_none() => apply(office, row, Cause::Ask, "no_reference").await,
        (MessageState::Unknown, Some(account)) => resolve(office, watch, row, account).await,
        (MessageState::Unknown, None) => without_lane(office, row).await,
        (
            MessageState::Accepted
            | MessageState::Sent
            | MessageState::Printed
            | MessageState::HandedToCarrier
            | MessageState::Overdue,
            account,
        ) => match account {
            Some(account) => ask_for_news(office, row, account).await,
            None => no_news(office, row).await,
        },
        (state, _) => Ok(office.store.postpone(row.incident, row.message_id, state, 86_400_000).await?),
    }
}

/// The settings have its lane no more, or as another account, which knows nothing of the call: nobody can be asked. Until
/// news are due the lane may come back.
async fn without_lane(office: &Office, row: &Due) -> Result<(), DispatchError> {
    if is_news_due(office, row) { apply(office, row, Cause::Ask, "no_lane").await } else { look_again(office, row).await }
}

fn attempt(row: &Due) -> u32 {
    u32::try_from(row.attempt).unwrap_or(0)
}

async fn apply(office: &Office, row: &Due, cause: Cause, ground: &str) -> Result<(), DispatchError> {
    let mut note = Note::default();
    note.detail.insert("ground".into(), json!(ground));
    office.store.apply_one(row.incident, row.person_id, row.message_id, cause, note).await?;
    Ok(())
}

async fn resolve(office: &Arc<Office>, watch: &Arc<HoldWatch>, row: &Due, account: &Account) -> Result<(), DispatchError> {
    let plan = office.store.load_plan_of(row.incident, row.message_id).await?;
    if !account.ground().is_approved(&plan, &account.name) {
        return without_lane(office, row).await;
    }
    let rule = rule(&plan, account);
    match account.capabilities().lookup {
        // What a provider has forgotten by now is "not there" all the same.
        LookupStrength::Strong { .. } if is_forgotten(row, account) => {
            return follow(office, row, rule, "no_answer").await;
        }
        LookupStrength::Strong { lag } => return resolve_by_lookup(office, row, account, Absence::ProvesAfter(lag)).await,
        LookupStrength::Weak { patience } => {
            return resolve_by_lookup(office, row, account, Absence::ProvesNothing(patience, rule)).await;
        }
        LookupStrength::None => {}
    }
    // What a restored database forgot has no frozen bytes: only what was claimed here can be repeated.
    if let Some(life) = account.capabilities().idempotent_for
        && row.has_request
    {
        return resolve_by_repeat(office, watch, row, account, life).await;
    }
    follow(office, row, rule, "no_lookup").await
}

/// Whether the first call may lie so far back that its provider has forgotten what became of it.
fn is_forgotten(row: &Due, account: &Account) -> bool {
    let retention = account.capabilities().retention.unwrap_or(REMEMBERED);
    row.since_first_claim_ms.is_none_or(|since| u128::try_from(since).is_ok_and(|since| since >= retention.as_millis()))
}

/// The rule that was approved with the plan for this lane; a plan that was made before plans said so leaves it to the settings.
fn rule(plan: &Value, account: &Account) -> UnknownRule {
    let approved = plan.pointer(&format!("/unknown/{}", account.name)).and_then(Value::as_str).and_then(|word| word.parse().ok());
    approved.unwrap_or(account.unknown_rule)
}

/// Where nothing can be found out.
async fn follow(office: &Office, row: &Due, rule: UnknownRule, ground: &str) -> Result<(), DispatchError> {
    let cause = match rule {
        UnknownRule::NextStep => Cause::NextStep,
        UnknownRule::Ask => Cause::Ask,
    };
    apply(office, row, cause, ground).await
}

/// What "not there" means at a provider.
#[derive(Clone, Copy)]
enum Absence {
    /// Not taken, once asked so long after the call.
    ProvesAfter(Duration),
    /// Nothing; so long after the call this rule is followed.
    ProvesNothing(Duration, UnknownRule),
}

impl Absence {
    /// Whether a look-up that leaves now is sent late enough: after `send_by` + timeout + the provider's delay + margin.
    fn counts(self, office: &Office, row: &Due) -> bool {
        let d = &office.settings.dispatch;
        let (Self::ProvesAfter(delay) | Self::ProvesNothing(delay, _)) = self;
        let timeout_ms = i64::try_from(d.request_timeout_ms).unwrap_or(i64::MAX);
        let delay_ms = i64::try_from(delay.as_millis()).unwrap_or(i64::MAX);
        row.since_send_by_ms > timeout_ms.saturating_add(delay_ms).saturating_add(d.network_margin_ms)
    }
}

async fn resolve_by_lookup(office: &Arc<Office>, row: &Due, account: &Account, absence: Absence) -> Result<(), DispatchError> {
    let Some(reference) = &row.reference else { return apply(office, row, Cause::Ask, "no_reference").await };
    if !office.paces.may_ask(&account.name) {
        return look_again(office, row).await;
    }
    // Committed before the look-up leaves: only one that was *sent* late enough may say "not found".
    let lookup_id = office.store.insert_lookup(row.incident, row.message_id, row.attempt).await?;
    let frozen = frozen(office, row).await?;
    let now = time::OffsetDateTime::now_utc();
    let since = row.since_first_claim_ms.map(|ms| now - time::Duration::milliseconds(ms));
    let answer = account.provider.look_up(Sought { reference, frozen: frozen.as_ref(), since }).await;
    crate::failpoint::reach("lookup_sent_not_committed").await;
    if answer == LookUp::Absent {
        // For whoever has to decide: "not there" that proves nothing is more than no answer.
        office.store.record_absent(lookup_id).await?;
    }
    let answer = match answer {
        LookUp::Found(seen) => match own(office, (row.incident, row.message_id), seen).await? {
            seen if seen.is_empty() => LookUp::CannotKnow,
            seen => LookUp::Found(seen),
        },
        other => other,
    };
    match (answer, absence) {
        (LookUp::Found(seen), _) => {
            told::keep(office, account, (row.incident, row.message_id), lookup_id, &seen).await?;
            record_found(office, row, account, lookup_id, &seen, "found").await
        }
        (LookUp::Absent, Absence::ProvesAfter(_)) if absence.counts(office, row) => {
            // What is not in an older copy of a folder may have been carried away.
            if is_older(office, account).await? {
                return look_again(office, row).await;
            }
            apply(office, row, Cause::Absent { attempt: attempt(row) }, "absent").await
        }
        (_, Absence::ProvesNothing(_, rule)) if absence.counts(office, row) => follow(office, row, rule, "no_answer").await,
        // A provider that answers nothing for as long as we would have tried to send: a person decides.
        (LookUp::CannotKnow, _) if row.is_expired => apply(office, row, Cause::Ask, "no_answer").await,
        (LookUp::Absent | LookUp::CannotKnow, _) => look_again(office, row).await,
    }
}

/// The frozen request, which what is found is compared with.
async fn frozen(office: &Office, row: &Due) -> Result<Option<Frozen>, DispatchError> {
    let drafts = office.store.list_drafts(&[row.message_id]).await?;
    Ok(drafts.first().and_then(|found| draft::frozen(office, found)))
}

async fn look_again(office: &Office, row: &Due) -> Result<(), DispatchError> {
    let again_ms = (row.since_send_by_ms / 4).clamp(LOOK_AGAIN_MS, LOOK_AGAIN_MS_MAX);
    Ok(office.store.postpone(row.incident, row.message_id, MessageState::Unknown, again_ms).await?)
}

async fn resolve_by_repeat(
    office: &Arc<Office>,
    watch: &Arc<HoldWatch>,
    row: &Due,
    account: &Account,
    life: Duration,
) -> Result<(), DispatchError> {
    let d = &office.settings.dispatch;
    let timeout_ms = i64::try_from(d.request_timeout_ms).unwrap_or(i64::MAX);
    let span_ms = i64::try_from(d.send_by_ms).unwrap_or(i64::MAX);
    let life_ms = i64::try_from(life.as_millis()).unwrap_or(i64::MAX);
    // Not before the original can no longer arrive, and only well inside the key's life from the first claim. The
    // claim looks at both again.
    let window = RepeatWindow {
        after_send_by_ms: timeout_ms + d.network_margin_ms,
        until_ms: life_ms - span_ms - timeout_ms - d.network_margin_ms,
    };
    if row.since_first_claim_ms.is_none_or(|since| since >= window.until_ms) {
        return apply(office, row, Cause::Ask, "key_expired").await;
    }
    let is_late_enough = row.since_send_by_ms > window.after_send_by_ms;
    if is_late_enough && office.paces.may_ask(&account.name) && repeat(office, watch, row, window).await? {
        return Ok(());
    }
    look_again(office, row).await
}

async fn ask_for_news(office: &Office, row: &Due, account: &Account) -> Result<(), DispatchError> {
    if !account.can_be_asked() || is_over(row, account) {
        return no_news(office, row).await;
    }
    if !office.paces.may_ask(&account.name) {
        return Ok(office.store.postpone(row.incident, row.message_id, row.state, ASK_AGAIN_MS).await?);
    }
    let known = if row.was_posted { MessageState::HandedToCarrier } else { row.state };
    let lookup_id = office.store.insert_lookup(row.incident, row.message_id, row.attempt).await?;
    let seen = news(account, row.provider_id.as_deref(), row.reference.as_deref()).await;
    let seen = own(office, (row.incident, row.message_id), seen).await?;
    told::keep(office, account, (row.incident, row.message_id), lookup_id, &seen).await?;
    let is_news = |seen: &Seen| seen.status.is_some_and(|report| report.report_rank() > known.report_rank());
    match seen.first().is_some_and(is_news) {
        true => record_found(office, row, account, lookup_id, &seen, "polled").await,
        false => no_news(office, row).await,
    }
}

/// Whether its call lies so far back that no news are asked for any more.
fn is_over(row: &Due, account: &Account) -> bool {
    let asked_for = account.capabilities().asked_for(account.channel);
    u128::try_from(row.since_send_by_ms).is_ok_and(|since| since >= asked_for.as_millis())
}

/// How a message stands by its provider's own account: asked by its id where that is known, else by our reference. Empty
/// where it says nothing.
pub(super) async fn news(account: &Account, provider_id: Option<&str>, reference: Option<&str>) -> Vec<Seen> {
    if let Some(id) = provider_id.filter(|_| account.capabilities().polling) {
        return match account.provider.fetch_status(id).await {
            StatusAnswer::Known(seen) if seen.is_of(id, reference) => vec![seen],
            StatusAnswer::Known(_) | StatusAnswer::NotFound | StatusAnswer::CannotKnow => Vec::new(),
        };
    }
    let Some(reference) = reference else { return Vec::new() };
    match account.provider.look_up(Sought { reference, frozen: None, since: None }).await {
        LookUp::Found(seen) => seen,
        LookUp::Absent | LookUp::CannotKnow => Vec::new(),
    }
}

/// What of this is not another message of ours: where our reference is not shown, a message is told from one of the same number
/// and text by its id alone.
pub(super) async fn own(
    office: &Office,
    (incident, message_id): (IncidentKey, Uuid),
    seen: Vec<Seen>,
) -> Result<Vec<Seen>, DispatchError> {
    let unnamed: Vec<String> = seen.iter().filter(|s| s.reference.is_none()).map(|s| s.provider_id.clone()).collect();
    if unnamed.is_empty() {
        return Ok(seen);
    }
    let others = office.store.take_others_ids(incident, message_id, &unnamed).await?;
    Ok(seen.into_iter().filter(|s| s.reference.is_some() || !others.contains(&s.provider_id)).collect())
}

/// What the event of a status says that we asked for: why it is known, and whose word it is.
pub(super) fn note_of(account: &Account, seen: &[Seen], ground: &str) -> Note {
    let mut note = Note::default();
    note.detail.insert("ground".into(), json!(ground));
    let told = seen.first().filter(|seen| seen.status.is_some());
    let claimed_by = told.and_then(|seen| account.claimed_by(&seen.word));
    note.detail.extend(claimed_by.map(|by| ("claimed_by".to_owned(), json!(by))));
    note
}

async fn record_found(
    office: &Office,
    row: &Due,
    account: &Account,
    lookup_id: Uuid,
    seen: &[Seen],
    ground: &str,
) -> Result<(), DispatchError> {
    let ids: Vec<String> = seen.iter().map(|seen| seen.provider_id.clone()).collect();
    let status = seen.first().and_then(|seen| seen.status);
    let stop_code = seen.first().and_then(|seen| account.provider.stop_code(&seen.word));
    let note = note_of(account, seen, ground);
    let Due { incident, person_id, message_id, .. } = *row;
    let found = Found { incident, person_id, message_id, lookup_id, ids: &ids, status, stop_code };
    office.store.record_found(&found, note).await?;
    Ok(())
}

/// Whether so long after a call that nobody knows the end of, news of a message that was taken would be due.
fn is_news_due(office: &Office, row: &Due) -> bool {
    row.is_expired || row.since_send_by_ms >= office.settings.dispatch.no_news_after_ms
}

async fn no_news(office: &Office, row: &Due) -> Result<(), DispatchError> {
    if row.state == MessageState::Overdue {
        let again_ms = office.settings.dispatch.overdue_again_ms;
        return Ok(office.store.postpone(row.incident, row.message_id, row.state, again_ms).await?);
    }
    apply(office, row, Cause::NoNews, "no_news").await
}
