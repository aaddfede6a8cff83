//! How many requests a vendor's account is made in a second: sends and questions take from one bucket, since the vendor's limit
//! counts both, over all lanes of the account. Sends go first; a part is set aside for whoever must ask meanwhile.
//!
//! Known to one process: whoever queues also asks (`Lead::beside`). A recall is asked for by a process of its own.

use crate::provider::Account;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Of so many requests one may be a question while more is to be sent than may leave.
const ASKED_WHILE_SENDING: f64 = 8.0;
/// Of so many otherwise: another process may have to take messages back.
const ASKED_OTHERWISE: f64 = 2.0;
/// For how long senders that used all that they had count as having more.
const MORE_FOR: Duration = Duration::from_secs(2);
/// Pause before asking again for leave to ask.
const AGAIN: Duration = Duration::from_millis(50);

/// The paces of all accounts whose vendor states a limit, by lane.
pub struct Paces(BTreeMap<String, Arc<Mutex<Pace>>>);

impl Paces {
    /// Those of these accounts; lanes of one account share one, which is never above what the lanes may send together.
    pub fn of(accounts: &BTreeMap<String, Arc<Account>>) -> Self {
        let mut paces: BTreeMap<String, Arc<Mutex<Pace>>> = BTreeMap::new();
        for (lane, account) in accounts {
            let Some(limit) = account.capabilities().per_second_max else { continue };
            let is_same = |other: &&Arc<Account>| other.name == *lane || account.is_same_account(other);
            let same: Vec<_> = accounts.values().filter(is_same).collect();
            let known = same.iter().find_map(|other| paces.get(&other.name)).cloned();
            let together = same.iter().map(|other| f64::from(other.per_second)).sum::<f64>();
            let pace = known.unwrap_or_else(|| Arc::new(Mutex::new(Pace::new(f64::from(limit).min(together), Instant::now()))));
            paces.insert(lane.clone(), pace);
        }
        Self(paces)
    }

    fn with<T>(&self, lane: &str, f: impl FnOnce(&mut Pace) -> T) -> Option<T> {
        self.0.get(lane).map(|pace| f(&mut pace.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    /// How many sends its vendor takes now on this lane.
    pub fn sends(&self, lane: &str) -> i64 {
        self.with(lane, |pace| pace.sends(Instant::now())).unwrap_or(i64::MAX)
    }

    /// So many were queued; `has_more`: as many as were allowed.
    pub fn sent(&self, lane: &str, many: usize, has_more: bool) {
        self.with(lane, |pace| pace.sent(many, has_more, Instant::now()));
    }

    /// Whether a question may be asked on this lane now; then it counts.
    pub fn may_ask(&self, lane: &str) -> bool {
        self.with(lane, |pace| pace.may_ask(Instant::now())).unwrap_or(true)
    }

    /// How many may be asked in so long, as it stands now; `None`: any number.
    pub fn questions_within(&self, lane: &str, time: Duration) -> Option<i64> {
        let many = self.with(lane, |pace| pace.asked_per_second(Instant::now()) * time.as_secs_f64())?;
        #[expect(clippy::cast_possible_truncation, reason = "bounded by the pace")]
        let whole = many.ceil() as i64;
        Some(whole)
    }

    /// Waits until one may.
    pub async fn ask(&self, lane: &str) {
        while !self.may_ask(lane) {
            tokio::time::sleep(AGAIN).await;
        }
    }
}

/// A bucket of one second of an account's requests, and in it what is set aside for questions.
struct Pace {
    per_second: f64,
    at: Instant,
    tokens: f64,
    aside: f64,
    more_until: Option<Instant>,
}

impl Pace {
    fn new(per_second: f64, now: Instant) -> Self {
        Self { per_second, at: now, tokens: full(per_second), aside: 1.0, more_until: None }
    }

    fn fill(&mut self, now: Instant) {
        let seconds = now.saturating_duration_since(self.at).as_secs_f64();
        let asked = self.asked_per_second(now);
        self.tokens = (self.tokens + seconds * self.per_second).min(full(self.per_second));
        self.aside = (self.aside + seconds * asked).min(asked.max(1.0));
        self.at = now;
    }

    fn asked_per_second(&self, now: Instant) -> f64 {
        let has_more = self.more_until.is_some_and(|until| now < until);
        self.per_second / if has_more { ASKED_WHILE_SENDING } else { ASKED_OTHERWISE }
    }

    fn sends(&mut self, now: Instant) -> i64 {
        self.fill(now);
        #[expect(clippy::cast_possible_truncation, reason = "bounded by the pace")]
        let whole = (self.tokens - self.aside.min(1.0)).floor() as i64;
        whole.max(0)
    }

    fn sent(&mut self, many: usize, has_more: bool, now: Instant) {
        #[expect(clippy::cast_precision_loss, reason = "at most a few thousand")]
        let many = many as f64;
        self.tokens -= many;
        if has_more {
            self.more_until = Some(now + MORE_FOR);
        }
    }

    fn may_ask(&mut self, now: Instant) -> bool {
        self.fill(now);
        let may = self.tokens >= 1.0 && self.aside >= 1.0;
        if may {
            self.tokens -= 1.0;
            self.aside -= 1.0;
        }
        may
    }
}

/// A second's worth, and room for a question beside a send.
fn full(per_second: f64) -> f64 {
    per_second.max(2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rounds of 50 ms, as the scheduler's, over so many seconds: sends, questions, and the most of both within any minute.
    fn run(per_second: f64, seconds: u64, sends: bool, asks: bool) -> (u64, u64, usize) {
        let begun = Instant::now();
        let mut pace = Pace::new(per_second, begun);
        let (mut sent, mut asked, mut at) = (0, 0, Vec::new());
        for round in 0..seconds * 20 {
            let now = begun + Duration::from_millis(round * 50);
            let may = if sends { pace.sends(now) } else { 0 };
            pace.sent(usize::try_from(may).unwrap_or(0), may > 0, now);
            sent += may.unsigned_abs();
            at.extend((0..may).map(|_| now));
            while asks && pace.may_ask(now) {
                asked += 1;
                at.push(now);
            }
        }
        let within = |from: &Instant| at.iter().filter(|at| *at >= from && **at < *from + Duration::from_secs(60)).count();
        (sent, asked, at.iter().map(within).max().unwrap_or(0))
    }

    #[test]
    fn sends_and_questions_together_keep_to_the_limit_and_sends_go_first() {
        let (sent, asked, most) = run(4.0, 600, true, true);
        assert!((2050..=2110).contains(&sent) && (290..=320).contains(&asked), "{sent} {asked}");
        assert!(most <= 244, "{most}");
        let (sent, asked, most) = run(49.0, 120, true, true);
        assert!(sent > 5000 && asked > 700 && most <= 2989, "{sent} {asked} {most}");
    }

    #[test]
    fn whoever_is_alone_has_its_whole_part() {
        let (sent, _, most) = run(4.0, 600, true, false);
        assert!(sent >= 2400 && most <= 244, "{sent} {most}");
        let (_, asked, _) = run(4.0, 600, false, true);
        assert!((1190..=1210).contains(&asked), "{asked}");
        for slow in [1.0, 2.0] {
            let (sent, asked, _) = run(slow, 600, true, true);
            assert!(sent > 0 && asked > 0, "nobody waits for ever: {sent} {asked}");
        }
    }
}
