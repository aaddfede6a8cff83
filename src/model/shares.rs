//! How lanes of one channel share the messages that may go by any of them: each has its part by weight, and who was away
//! does not catch up.
//!
//! What a lane was handed, divided by its weight, is how far it is. Nobody runs ahead of whoever is least far by more than
//! a round, so that the parts hold at any moment, and not only in the end.

use std::collections::BTreeMap;

/// A lane that takes part in a round.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sharer<'a> {
    /// Name.
    pub lane: &'a str,
    /// Its part, in relation to those of the others; above 0.
    pub weight: f64,
    /// Messages that its pace allows in the time of a round.
    pub round: f64,
}

/// Rounds in which a lane may leave its part while others wait for it; then they go on without it.
const PATIENCE: u32 = 2;

/// How far the lanes of one channel are.
#[derive(Debug, Default)]
pub struct Shares {
    had: BTreeMap<String, f64>,
    /// Who took part in the last round.
    took_part: Vec<String>,
    /// Rounds in which a lane left its part to those who waited for it.
    left: BTreeMap<String, u32>,
}

impl Shares {
    /// Begins a round: who may be handed how many, whoever is least far first. A lane alone has no limit.
    pub fn begin<'a>(&mut self, sharers: &[Sharer<'a>]) -> Vec<(&'a str, i64)> {
        self.let_in(sharers);
        let [_, _, ..] = sharers else { return sharers.iter().map(|sharer| (sharer.lane, i64::MAX)).collect() };
        let least = self.least(sharers);
        // Everybody's pace allows so much, and each may be handed one at least.
        let paced = sharers.iter().map(|sharer| sharer.round / sharer.weight).fold(f64::INFINITY, f64::min);
        let one = sharers.iter().map(|sharer| 1.0 / sharer.weight).fold(0.0, f64::max);
        let ahead = paced.max(one);
        let mut turns: Vec<&Sharer<'a>> = sharers.iter().collect();
        turns.sort_by(|a, b| self.of(a.lane).total_cmp(&self.of(b.lane)));
        turns.into_iter().map(|sharer| (sharer.lane, whole((least + ahead - self.of(sharer.lane)) * sharer.weight))).collect()
    }

    /// How far whoever is least far is, of those who take their part.
    fn least(&mut self, sharers: &[Sharer<'_>]) -> f64 {
        let taking = sharers.iter().filter(|sharer| !self.stands_aside(sharer.lane)).map(|sharer| self.of(sharer.lane));
        let least = taking.reduce(f64::min).unwrap_or_else(|| sharers.iter().map(|s| self.of(s.lane)).fold(0.0, f64::max));
        // Who stands aside does not catch up later.
        for sharer in sharers.iter().filter(|sharer| self.stands_aside(sharer.lane)).copied().collect::<Vec<_>>() {
            self.reach(sharer.lane, least);
        }
        least
    }

    /// Who comes, or comes back, begins where whoever is least far stands.
    fn let_in(&mut self, sharers: &[Sharer<'_>]) {
        let stayed = |lane: &str| self.took_part.iter().any(|before| before == lane);
        let least =
            sharers.iter().filter(|s| stayed(s.lane)).map(|sharer| self.of(sharer.lane)).reduce(f64::min).unwrap_or_default();
        let come: Vec<&str> = sharers.iter().map(|sharer| sharer.lane).filter(|lane| !stayed(lane)).collect();
        for lane in come {
            self.left.remove(lane);
            self.reach(lane, least);
        }
        self.took_part = sharers.iter().map(|sharer| sharer.lane.to_owned()).collect();
    }

    fn of(&self, lane: &str) -> f64 {
        self.had.get(lane).copied().unwrap_or_default()
    }

    fn reach(&mut self, lane: &str, least: f64) {
        let had = self.of(lane).max(least);
        self.had.insert(lane.to_owned(), had);
    }

    fn stands_aside(&self, lane: &str) -> bool {
        self.left.get(lane).is_some_and(|rounds| *rounds >= PATIENCE)
    }

    /// Notes what was handed to lanes in this round, in the order of their turns. Who leaves some of its part while others
    /// wait for it cannot take it (its queue is full, or the plan has no such lane): they go on without it.
    pub fn end(&mut self, sharers: &[Sharer<'_>], handed: &[Handed<'_>]) {
        for one in handed {
            let weight = sharers.iter().find(|sharer| sharer.lane == one.lane).map_or(1.0, |sharer| sharer.weight);
            #[expect(clippy::cast_precision_loss, reason = "at most a few thousand")]
            let had = self.of(one.lane) + one.messages as f64 / weight;
            self.had.insert(one.lane.to_owned(), had);
        }
        for (turn, one) in handed.iter().enumerate() {
            let later = handed.get(turn + 1..).unwrap_or_default();
            // What was there for a later one was there for this one too.
            let taken = later.iter().filter(|other| other.messages > 0).map(|other| self.of(other.lane)).reduce(f64::max);
            let waits = later.iter().any(|other| other.limit < 1);
            if one.messages > 0 {
                self.left.remove(one.lane);
            }
            match taken {
                Some(furthest) if one.left_some => self.reach(one.lane, furthest),
                None if one.left_some && waits && one.messages == 0 => {
                    *self.left.entry(one.lane.to_owned()).or_default() += 1;
                }
                _ => {}
            }
        }
    }
}

/// What a lane was handed in a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Handed<'a> {
    /// Name.
    pub lane: &'a str,
    /// How many it might be handed by its part.
    pub limit: i64,
    /// Messages.
    pub messages: usize,
    /// Whether it might have been handed more.
    pub left_some: bool,
}

/// Messages a second that a lane of this weight is handed beside lanes of these paces and weights, its own among them: all
/// are as fast as whoever is slowest in relation to its part.
pub fn shared_pace(weight: u32, lanes: impl IntoIterator<Item = (u32, u32)>) -> u32 {
    let paces = lanes.into_iter().map(|(pace, of)| u64::from(pace) * u64::from(weight) / u64::from(of.max(1)));
    paces.min().and_then(|pace| u32::try_from(pace).ok()).unwrap_or(u32::MAX)
}

fn whole(messages: f64) -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "bounded by the pace of a round")]
    let whole = (messages + 1e-6) as i64;
    whole.max(0)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    /// A lane that takes as many as it may in each round, of the `pool` that is left; `cannot`: it takes none.
    fn rounds(
        shares: &mut Shares,
        sharers: &[Sharer<'_>],
        pool: &mut usize,
        n: usize,
        cannot: &[&str],
    ) -> BTreeMap<String, usize> {
        let mut sums = BTreeMap::new();
        for _ in 0..n {
            let mut handed = Vec::new();
            for (lane, limit) in shares.begin(sharers) {
                let round = sharers.iter().find(|sharer| sharer.lane == lane).unwrap().round;
                let allowed = usize::try_from(limit.min(whole(round))).unwrap();
                let messages = if cannot.contains(&lane) { 0 } else { allowed.min(*pool) };
                *pool -= messages;
                *sums.entry(lane.to_owned()).or_insert(0) += messages;
                handed.push(Handed { lane, limit, messages, left_some: messages < allowed });
            }
            shares.end(sharers, &handed);
        }
        sums
    }

    fn sharer(lane: &str, weight: f64, round: f64) -> Sharer<'_> {
        Sharer { lane, weight, round }
    }

    #[test]
    fn lanes_are_handed_their_parts_at_any_moment_and_whatever_their_pace() {
        let (mut shares, mut pool) = (Shares::default(), 4000);
        let lanes = [sharer("a", 3.0, 10.0), sharer("b", 1.0, 10.0)];
        for n in 1..=200 {
            let sums = rounds(&mut shares, &lanes, &mut pool, 1, &[]);
            let b = sums["b"];
            assert!(n < 3 || (1..=6).contains(&b), "round {n}: {sums:?}");
        }
        let sums = rounds(&mut shares, &lanes, &mut 4000, 200, &[]);
        let part = sums["a"] * 100 / (sums["a"] + sums["b"]);
        assert!((73..=77).contains(&part), "{sums:?}");
        // By pace alone nobody is slower than it could be.
        let sums = rounds(&mut Shares::default(), &[sharer("a", 200.0, 10.0), sharer("b", 20.0, 1.0)], &mut 4000, 100, &[]);
        assert_eq!((sums["a"], sums["b"]), (1000, 100));
    }

    #[test]
    fn a_few_messages_at_a_time_are_shared_too() {
        let (mut shares, lanes) = (Shares::default(), [sharer("a", 1.0, 2.0), sharer("b", 1.0, 2.0)]);
        let mut sums = BTreeMap::new();
        for _ in 0..40 {
            for (lane, n) in rounds(&mut shares, &lanes, &mut 1, 1, &[]) {
                *sums.entry(lane).or_insert(0) += n;
            }
        }
        assert!(sums["a"].abs_diff(sums["b"]) <= 4 && sums["a"] + sums["b"] == 40, "{sums:?}");
    }

    #[test]
    fn nobody_waits_for_a_lane_that_cannot_take_its_part() {
        let lanes = [sharer("a", 1.0, 10.0), sharer("b", 1.0, 10.0)];
        for cannot in ["a", "b"] {
            let sums = rounds(&mut Shares::default(), &lanes, &mut 10_000, 100, &[cannot]);
            let other = if cannot == "a" { "b" } else { "a" };
            assert!(sums[other] >= 950, "{sums:?}");
        }
    }

    #[test]
    fn who_was_away_does_not_catch_up() {
        let (mut shares, mut pool) = (Shares::default(), 100_000);
        let (a, b) = (sharer("a", 1.0, 10.0), sharer("b", 1.0, 10.0));
        rounds(&mut shares, &[a, b], &mut pool, 10, &[]);
        assert_eq!(rounds(&mut shares, &[a], &mut pool, 500, &[])["a"], 5000, "alone it has no limit but its pace");
        let sums = rounds(&mut shares, &[a, b], &mut pool, 10, &[]);
        assert!(sums["a"] >= 80 && sums["b"] >= 80, "{sums:?}");
    }

    #[test]
    fn a_small_part_waits_until_it_is_a_whole_message_and_keeps_nobody() {
        let sums = rounds(&mut Shares::default(), &[sharer("a", 1000.0, 10.0), sharer("b", 1.0, 10.0)], &mut 100_000, 1000, &[]);
        assert!(sums["a"] >= 9_900 && (5..=20).contains(&sums["b"]), "{sums:?}");
    }

    #[test]
    fn lanes_with_parts_are_as_fast_as_whoever_is_slowest_for_its_part() {
        let paces = |lanes: [(u32, u32); 2]| lanes.map(|(_, weight)| shared_pace(weight, lanes));
        assert_eq!(paces([(30, 30), (5, 5)]), [30, 5], "by pace");
        assert_eq!(paces([(30, 1), (5, 1)]), [5, 5]);
        assert_eq!(paces([(30, 9), (5, 1)]), [30, 3]);
    }
}
