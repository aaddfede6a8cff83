//! A provider of one class, and everything that it ever made.

use duly::model::state::MessageState;
use duly::store::audit::record::Produced;
use rand::RngExt;
use rand::rngs::StdRng;
use std::collections::HashMap;
use uuid::Uuid;

/// How long a key is kept from the first message made under it, ms.
pub const KEY_LIFE_MS: i64 = 600_000;
/// How long a lagging provider hides a message, ms.
pub const LAG_MS: i64 = 60_000;

/// What it can tell of a call whose answer was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    Idempotent,
    Strong,
    Lagging,
    None,
}

/// What a request is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    Accepted(String),
    Rejected,
    TooMany,
    Conflict,
    Refused,
    /// The answer is lost, or proves nothing.
    Nothing,
}

/// One physical message.
#[derive(Debug, Clone)]
pub struct Physical {
    pub message_id: Uuid,
    pub lane: &'static str,
    pub id: String,
    pub at_ms: i64,
    pub next_event: u32,
}

/// Both lanes' provider.
pub struct Provider {
    pub class: Class,
    pub made: Vec<Physical>,
    /// Answers without faults, so that a drain comes to its end.
    pub is_kind: bool,
}

impl Provider {
    pub fn new(class: Class) -> Self {
        Self { class, made: Vec::new(), is_kind: false }
    }

    /// A request arrives.
    pub fn arrive(&mut self, rng: &mut StdRng, message_id: Uuid, lane: &'static str, now_ms: i64) -> Reply {
        let known = self.made.iter().find(|p| p.message_id == message_id && now_ms < p.at_ms + KEY_LIFE_MS).map(|p| p.id.clone());
        let dice = if self.is_kind { 0 } else { rng.random_range(0..100) };
        if let Some(id) = known.filter(|_| self.class == Class::Idempotent) {
            return if dice < 60 {
                Reply::Accepted(id)
            } else if dice < 80 {
                Reply::Conflict
            } else {
                Reply::TooMany
            };
        }
        match dice {
            0..50 => Reply::Accepted(self.make(message_id, lane, now_ms)),
            50..65 => {
                self.make(message_id, lane, now_ms);
                Reply::Nothing
            }
            65..75 => Reply::Nothing,
            75..82 => Reply::Rejected,
            82..84 => Reply::Refused,
            _ => Reply::TooMany,
        }
    }

    fn make(&mut self, message_id: Uuid, lane: &'static str, at_ms: i64) -> String {
        let id = format!("made_{}", self.made.len());
        self.made.push(Physical { message_id, lane, id: id.clone(), at_ms, next_event: 0 });
        id
    }

    /// Ids that a look-up shows at this moment.
    pub fn look_up(&self, message_id: Uuid, now_ms: i64) -> Vec<String> {
        let lag = if self.class == Class::Lagging { LAG_MS } else { 0 };
        self.made.iter().filter(|p| p.message_id == message_id && now_ms >= p.at_ms + lag).map(|p| p.id.clone()).collect()
    }

    /// A random word about a random message; the same event twice now and then.
    pub fn report(&mut self, rng: &mut StdRng) -> Option<(Physical, String, MessageState)> {
        let n = self.made.len();
        let physical = self.made.get_mut(rng.random_range(0..n.max(1)))?;
        physical.next_event += u32::from(rng.random_range(0..4) > 0);
        let words: &[MessageState] = match physical.lane {
            "letters" => &[MessageState::Printed, MessageState::HandedToCarrier, MessageState::Returned],
            _ => &[MessageState::Sent, MessageState::Failed, MessageState::Expired, MessageState::DeliveredToHandset],
        };
        let word = words[rng.random_range(0..words.len())];
        Some((physical.clone(), format!("{}/{}", physical.id, physical.next_event), word))
    }

    /// The most that was ever made for one send-once key.
    pub fn most_for_one_key(&self) -> usize {
        let mut counts: HashMap<Uuid, usize> = HashMap::new();
        for physical in &self.made {
            *counts.entry(physical.message_id).or_default() += 1;
        }
        counts.into_values().max().unwrap_or(0)
    }

    /// Its own record; here a message's destination is its id.
    pub fn record(&self) -> Vec<Produced> {
        let channel = |lane| if lane == "letters" { "letter" } else { "sms" };
        let produced = |p: &Physical| Produced {
            account: p.lane.to_owned(),
            reference: String::new(),
            channel: channel(p.lane).to_owned(),
            destination: p.message_id.to_string(),
            content_sha256: String::new(),
        };
        self.made.iter().map(produced).collect()
    }
}
