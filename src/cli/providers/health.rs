//! How a lane fares: whether it takes calls now, until when it rests, why, and what to do about it.

use crate::cli::output::{count, when};
use crate::provider::stop::stop;
use crate::store::metrics::{LanePause, LaneSigns};
use crate::store::{Store, StoreError};
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;

/// How a lane fares.
pub struct Health {
    /// Why it rests; `None`: it does not.
    pause: Option<LanePause>,
    /// Whether its rest is over, and a single call goes first.
    is_tried: bool,
    /// How its calls ended of late.
    signs: LaneSigns,
}

impl Health {
    /// Of these lanes, in their order.
    pub async fn of_all(store: &Store, lanes: impl Iterator<Item = &String>) -> Result<Vec<Self>, StoreError> {
        let (mut pauses, mut signs) = (store.list_lane_pauses().await?, store.list_lane_signs().await?);
        let closed = store.list_closed_lanes().await?;
        let health = |lane: &String| Self {
            is_tried: closed.contains(lane) && !pauses.contains_key(lane),
            pause: pauses.remove(lane),
            signs: signs.remove(lane).unwrap_or_default(),
        };
        Ok(lanes.map(health).collect())
    }

    /// In a word.
    pub fn word(&self) -> &'static str {
        match (&self.pause, self.is_tried) {
            (Some(_), _) => "paused",
            (None, true) => "tried",
            (None, false) => "open",
        }
    }

    /// Line by line: what, and in words.
    pub fn lines(&self) -> Vec<(&'static str, String)> {
        let LaneSigns { calls, bad } = self.signs;
        match &self.pause {
            Some(pause) => {
                let stop = stop(&pause.code);
                let health = format!("paused until {}: {} (code {})", when(pause.until), stop.why, pause.code);
                vec![("health", health), ("do now", stop.remedy.to_owned())]
            }
            None if self.is_tried => {
                vec![("health", "its rest is over: a single call is made, and opens it if it ends well".to_owned())]
            }
            None if bad == 0 => vec![("health", "open; no call ended badly of late".to_owned())],
            None => {
                let of = count(calls, "call", "calls");
                vec![("health", format!("open; of {of} of late {bad} ended badly or took too long"))]
            }
        }
    }

    /// For programs.
    pub fn to_json(&self) -> Value {
        let why = self.pause.as_ref().map(|pause| stop(&pause.code));
        json!({
            "state": self.word(), "calls": self.signs.calls, "bad": self.signs.bad,
            "paused_until": self.pause.as_ref().and_then(|pause| pause.until.format(&Rfc3339).ok()),
            "code": self.pause.as_ref().map(|pause| &pause.code), "why": why.map(|stop| stop.why), "remedy": why.map(|stop| stop.remedy),
        })
    }
}
