//! What single settings cannot say: limits and contradictions, refused before anything starts.

use super::{Anchors, Dispatch, Evidence, Lane, Settings, SettingsError, layers};
use crate::model::quiet;
use crate::model::state::UnknownRule;
use figment::Figment;
use secrecy::ExposeSecret;

/// How many receipts that count for nothing are kept of a lane, ground and day, at least: the audit asks for as many.
pub const LAID_ASIDE_LEAST: i64 = 100;

/// Largest weight of a lane.
const WEIGHT_MAX: u32 = 10_000;

fn refuse(key: String, what: &'static str) -> Result<(), SettingsError> {
    Err(SettingsError::Refused { key, origin: None, what })
}

/// Which of the lanes' credentials a process needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Credentials {
    /// Those by which messages are sent, too.
    All,
    /// Those by which receipts prove themselves.
    OfReceipts,
}

/// Refuses settings that cannot work together, and says where the value at fault comes from.
pub(super) fn check(settings: &Settings, figment: &Figment, needed: Credentials) -> Result<(), SettingsError> {
    check_all(settings, needed).map_err(|error| match error {
        SettingsError::Refused { key, what, .. } => {
            SettingsError::Refused { origin: layers::origin_of(figment, &key), key, what }
        }
        other => other,
    })
}

fn check_all(settings: &Settings, needed: Credentials) -> Result<(), SettingsError> {
    check_evidence(&settings.evidence)?;
    check_dispatch(&settings.dispatch)?;
    check_health(settings)?;
    check_anchors(&settings.anchors)?;
    if settings.receipts.in_flight_max == 0 {
        return refuse("receipts.in_flight_max".to_owned(), "must be at least 1, else no receipt is ever taken");
    }
    if quiet::Quiet::parse(&settings.quiet.from, &settings.quiet.until).is_err() {
        return refuse("quiet.from, quiet.until".to_owned(), "must be times of the day, such as 21:00");
    }
    if settings.receipts.laid_aside_per_day_max < LAID_ASIDE_LEAST {
        return refuse("receipts.laid_aside_per_day_max".to_owned(), "must be at least 100");
    }
    let every = settings.receipts.refusals_every_seconds;
    if !(1..=3600).contains(&every) || 86_400 % every != 0 {
        return refuse("receipts.refusals_every_seconds".to_owned(), "must lie between 1 and 3600, and so many must make a day");
    }
    if settings.web.connections_max == 0 {
        return refuse("web.connections_max".to_owned(), "must be at least 1, else nobody is ever answered");
    }
    settings
        .lanes
        .iter()
        .try_for_each(|(name, lane)| check_lane(name, lane).and_then(|()| check_credentials(name, lane, needed)))?;
    check_weights(settings)?;
    settings.lanes.iter().try_for_each(|(name, lane)| check_times(name, lane, settings.dispatch.no_news_after_ms))?;
    if settings.evidence.host == "localhost" && settings.lanes.values().any(|lane| lane.live) {
        return refuse(
            "evidence.host".into(),
            "is `localhost`, which every log, key and certificate would bear for ever: set your host name before a lane is live",
        );
    }
    Ok(())
}

fn check_evidence(evidence: &Evidence) -> Result<(), SettingsError> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'.' || b == b'-';
    if evidence.host.is_empty() || !evidence.host.bytes().all(plain) {
        return refuse("evidence.host".into(), "must be a host name of lower-case letters, digits, dots and hyphens");
    }
    if evidence.outside.is_empty() {
        return refuse("evidence.outside".into(), "must name a folder or `s3://bucket/prefix` outside of the database");
    }
    let at_least_one = [u64::from(evidence.batch_size_max), evidence.interval_ms, evidence.audit_every_minutes];
    if at_least_one.contains(&0) || evidence.audit_sealed_every_hours == 0 {
        return refuse(
            "evidence.interval_ms, batch_size_max, audit_every_minutes, audit_sealed_every_hours".into(),
            "must be at least 1",
        );
    }
    Ok(())
}

fn check_anchors(anchors: &Anchors) -> Result<(), SettingsError> {
    if anchors.interval_minutes == 0 || anchors.request_timeout_ms == 0 || anchors.retry_min_ms == 0 {
        return refuse("anchors.interval_minutes, request_timeout_ms, retry_min_ms".into(), "must be at least 1");
    }
    if anchors.retry_min_ms > anchors.retry_max_ms {
        return refuse("anchors.retry_min_ms".into(), "must not be longer than retry_max_ms");
    }
    Ok(())
}

fn check_dispatch(d: &Dispatch) -> Result<(), SettingsError> {
    let key = |name: &str| format!("dispatch.{name}");
    let send_by_ms = i64::try_from(d.send_by_ms).unwrap_or(i64::MAX);
    let timeout_ms = i64::try_from(d.request_timeout_ms).unwrap_or(i64::MAX);
    if d.lease_ms <= timeout_ms.saturating_add(send_by_ms) {
        return refuse(
            key("lease_ms"),
            "must be longer than request_timeout_ms plus send_by_ms, else a call outlives its lease; raise it",
        );
    }
    if send_by_ms > d.lease_ms / 3 {
        return refuse(key("send_by_ms"), "must be at most a third of lease_ms; lower it or raise the lease");
    }
    for (name, value) in [
        ("batch_size_max", d.batch_size_max as u64),
        ("in_flight_max", d.in_flight_max as u64),
        ("prefetch", u64::from(d.prefetch)),
        ("request_timeout_ms", d.request_timeout_ms),
        ("send_by_ms", d.send_by_ms),
        ("interval_ms", d.interval_ms),
        ("attempts_max", u64::from(d.attempts_max)),
    ] {
        if value == 0 {
            return refuse(key(name), "must be at least 1, else nothing is ever sent");
        }
    }
    if d.backoff_min_ms > d.backoff_max_ms {
        return refuse(key("backoff_min_ms"), "must not be longer than backoff_max_ms");
    }
    Ok(())
}

fn check_health(settings: &Settings) -> Result<(), SettingsError> {
    let (health, d) = (&settings.health, &settings.dispatch);
    let call_ms = d.request_timeout_ms.saturating_add(d.send_by_ms);
    if health.window_ms < 1 || health.bad_min < 1 || !(1..=100).contains(&health.bad_percent) {
        return refuse("health.window_ms, bad_min, bad_percent".into(), "must be at least 1, and bad_percent at most 100");
    }
    if u64::try_from(health.rest_min_ms).unwrap_or(0) <= call_ms {
        return refuse(
            "health.rest_min_ms".into(),
            "must be longer than request_timeout_ms plus send_by_ms, else calls from before a rest are taken for the one after it",
        );
    }
    if health.rest_max_ms < health.rest_min_ms {
        return refuse("health.rest_max_ms".into(), "must not be shorter than rest_min_ms");
    }
    // The database refuses a longer one: nobody may stop a lane for ever.
    if health.rest_max_ms > 86_400_000 {
        return refuse("health.rest_max_ms".into(), "must not be longer than a day");
    }
    Ok(())
}

fn check_lane(name: &str, lane: &Lane) -> Result<(), SettingsError> {
    let key = |field: &str| format!("lanes.{name}.{field}");
    // The name stands in queue names, paths and send references.
    if name.is_empty() || !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') {
        return refuse(format!("lanes.{name}"), "a lane's name has lower-case letters, digits and hyphens only");
    }
    if !matches!(lane.channel.as_str(), "sms" | "letter" | "email") {
        return refuse(key("channel"), "must be `sms`, `letter` or `email`");
    }
    if !lane.unknown_rule.is_empty() && lane.unknown_rule.parse::<UnknownRule>().is_err() {
        return refuse(key("unknown_rule"), "must be `ask` or `next_step`, or empty for the usual one of its channel");
    }
    if lane.per_second == 0 {
        return refuse(key("per_second"), "must be at least 1; stop a lane with `duly plan pause`");
    }
    if lane.idempotent && lane.key_life_seconds <= 0 {
        return refuse(
            key("key_life_seconds"),
            "must say for how long the provider honours our key, else a repeat could be a second message",
        );
    }
    if lane.price_milli > 0 && !(lane.currency.len() == 3 && lane.currency.bytes().all(|b| b.is_ascii_uppercase())) {
        return refuse(key("currency"), "must be three capital letters, such as GBP, where the lane has a price");
    }
    if lane.lookup_lag_ms < 0 {
        return refuse(key("lookup_lag_ms"), "must not be negative");
    }
    Ok(())
}

/// Weights are parts of one whole: those of lanes that share messages all stand in the settings, or none does.
fn check_weights(settings: &Settings) -> Result<(), SettingsError> {
    for (name, lane) in settings.lanes.iter().filter(|(_, lane)| lane.weight > 0) {
        let key = format!("lanes.{name}.weight");
        if lane.weight > WEIGHT_MAX {
            return refuse(key, "must be at most 10000");
        }
        let shares = |other: &&Lane| other.channel == lane.channel && other.reserve == lane.reserve;
        if settings.lanes.values().filter(shares).any(|other| other.weight == 0) {
            return refuse(
                key,
                "is set, and a lane that shares messages with this one has none: give all of them a weight, or none",
            );
        }
    }
    Ok(())
}

/// A text is given up, and the alarm of a batch comes, before their messages are taken for lost.
fn check_times(name: &str, lane: &Lane, no_news_after_ms: i64) -> Result<(), SettingsError> {
    let validity_ms = i64::try_from(lane.validity_seconds).unwrap_or(i64::MAX).saturating_mul(1000);
    if validity_ms >= no_news_after_ms.max(1) {
        return refuse(
            format!("lanes.{name}.validity_seconds"),
            "must be shorter than dispatch.no_news_after_ms, else a text is delivered after its letter has left",
        );
    }
    let docket_ms = i64::try_from(lane.docket_minutes).unwrap_or(i64::MAX).saturating_mul(60_000);
    if !lane.folder.as_os_str().is_empty() && docket_ms >= no_news_after_ms {
        return refuse(
            format!("lanes.{name}.docket_minutes"),
            "must be shorter than dispatch.no_news_after_ms, else the alarm comes when the messages are overdue already",
        );
    }
    Ok(())
}

fn check_credentials(name: &str, lane: &Lane, needed: Credentials) -> Result<(), SettingsError> {
    if !lane.live {
        return Ok(());
    }
    for (field, secret, demo) in [
        ("api_key", &lane.api_key, "sandbox-key"),
        // Whether its provider needs one, its account knows.
        ("receipt_secret", &lane.receipt_secret, "sandbox-secret"),
    ] {
        let secret = secret.expose_secret();
        // Whoever carries a folder's batches shows no key.
        let is_needed = needed == Credentials::All && field == "api_key" && lane.folder.as_os_str().is_empty();
        if secret.is_empty() && is_needed {
            return refuse(format!("lanes.{name}.{field}"), "a live lane needs credentials; set it by file or environment");
        }
        if secret == demo {
            return refuse(
                format!("lanes.{name}.{field}"),
                "demo keys must not be used outside the sandbox; set real ones or live = false",
            );
        }
    }
    Ok(())
}
