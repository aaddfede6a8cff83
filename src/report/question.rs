//! A call of which nobody knows how it ended, for whoever must decide whether to send again: what is on record of it, what
//! its lane can still find out, and what each choice risks.

use super::figures::{count, said, span};
use super::words;
use crate::config::Dispatch;
use crate::model::person::printed_id;
use crate::model::state::MessageState;
use crate::model::step::Decision;
use crate::provider::{Account, LookupStrength};
use crate::store::unknown::{Question, Told};
use serde_json::{Map, Value, json};
use std::time::Duration;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// What a person may decide, and the word of each choice.
pub const CHOICES: [(Decision, &str); 2] = [(Decision::SendAgain, "send-again"), (Decision::NextStep, "next-step")];

/// A question, its lane as the settings have it, and the times that every call keeps to.
pub struct Known<'a> {
    /// What is on record.
    pub question: &'a Question,
    /// The account that the call went to; `None`: not set up here, or another account by now.
    pub account: Option<&'a Account>,
    /// Times of calls.
    pub dispatch: &'a Dispatch,
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

impl Known<'_> {
    /// Until when what the last call wrote may still arrive at its provider.
    pub fn arrives_until(&self) -> Option<OffsetDateTime> {
        let margin = ms(self.dispatch.network_margin_ms.unsigned_abs());
        Some(self.question.begins_until? + ms(self.dispatch.request_timeout_ms) + margin)
    }

    /// The moment before which a second call could cross the first; `None`: it is over.
    pub fn wait_until(&self) -> Option<OffsetDateTime> {
        self.arrives_until().filter(|at| *at > self.question.now)
    }

    /// Until when a call that begins is none beside the first, by its provider's own guarantee.
    pub fn key_until(&self) -> Option<OffsetDateTime> {
        let d = self.dispatch;
        let life = self.account?.capabilities().idempotent_for?;
        let spent = ms(d.send_by_ms) + ms(d.request_timeout_ms) + ms(d.network_margin_ms.unsigned_abs());
        Some(self.question.first_since? + life.checked_sub(spent)?)
    }

    fn has_live_key(&self) -> bool {
        self.key_until().is_some_and(|at| at > self.question.now)
    }

    /// What this choice can do wrong, in a sentence.
    pub fn risk(&self, choice: Decision) -> String {
        let noun = words::noun(self.question.channel);
        let next = self.question.route.next_after(self.question.channel).map(words::noun);
        match (choice, next) {
            (Decision::SendAgain, _) => self.risk_of_again(noun),
            (Decision::NextStep, Some(next)) => format!(
                "this {noun} is not sent again; a {next} goes out. If the provider did take the {noun}, this person gets both"
            ),
            (Decision::NextStep, None) => format!(
                "this {noun} is not sent again and no step is left: unless news of it comes, this person counts as unreachable and a substitute notice is due"
            ),
        }
    }

    fn risk_of_again(&self, noun: &str) -> String {
        let twice = format!("if the provider did take the {noun}, this person gets it twice");
        let mut text = match self.key_until().filter(|_| self.has_live_key()) {
            // It is frozen anew, and its provider knows only equal requests for one.
            Some(until) => {
                format!("until {} the provider makes one of two equal requests, as these should be; else, {twice}", said(until))
            }
            None => twice,
        };
        if self.question.is_expired {
            text.push_str("; its deadline is over, `--hours` gives a new one");
        }
        if let Some(at) = self.wait_until() {
            text.push_str(&format!("; refused before {}, as the first call may still arrive", said(at)));
        }
        text
    }

    /// What is on record, line by line: what, and in words.
    pub fn facts(&self) -> Vec<(&'static str, String)> {
        let mut facts = vec![("last call", self.call())];
        if let (Some(begins), Some(arrives)) = (self.question.begins_until, self.arrives_until()) {
            facts.push(("may have left", format!("until {}; what left may arrive until {}", said(begins), said(arrives))));
        }
        facts.push(("look-ups", self.looks()));
        facts.extend(self.question.reference.as_ref().map(|name| ("reference", format!("{name}  ask the provider by it"))));
        facts.push(("can look up", self.can_look_up()));
        facts.push(("can repeat", self.can_repeat()));
        facts.extend(self.why().map(|why| ("why", why.to_owned())));
        facts
    }

    fn call(&self) -> String {
        let q = self.question;
        let begun = match q.since {
            Some(at) => format!("call {} was claimed {}", q.attempts, said(at)),
            None if q.begins_until.is_some() => "none is on record: it may have left in the time before a restore".to_owned(),
            None => "none is on record".to_owned(),
        };
        match (&q.outcome, q.since) {
            (Some((kind, code, at)), _) => {
                format!("{begun}; {} (code {code}) {}", outcome(kind, code), said(*at))
            }
            (None, Some(_)) => format!("{begun}; no answer is on record: its worker ended first, or was cut off"),
            (None, None) => begun,
        }
    }

    fn looks(&self) -> String {
        let looks = self.question.looks;
        let n = count(looks.count.unsigned_abs(), "was made", "were made");
        match (looks.last, self.question.state) {
            (None, _) => "none was made".to_owned(),
            (Some((at, _)), MessageState::Overdue) => format!("{n} for news, the last {}: nothing new", said(at)),
            (Some((at, told)), _) => format!("{n}, the last {}: {}", said(at), answer(told).1),
        }
    }

    fn can_look_up(&self) -> String {
        let Some(account) = self.account else { return NO_LANE.to_owned() };
        match account.capabilities().lookup {
            LookupStrength::Strong { lag } => {
                format!("yes: \"not there\" proves that it was not taken, {} after it may have arrived", in_words(lag))
            }
            LookupStrength::Weak { .. } => "only that it is there: \"not there\" proves nothing".to_owned(),
            LookupStrength::None => "no: the provider has no look-up".to_owned(),
        }
    }

    fn can_repeat(&self) -> String {
        let Some(account) = self.account else { return NO_LANE.to_owned() };
        match (account.capabilities().idempotent_for, self.key_until()) {
            (None, _) => "no: the same request twice may be two messages".to_owned(),
            (Some(_), None) => "not safely: when the provider's key was used first is not known".to_owned(),
            (Some(_), Some(at)) if at <= self.question.now => {
                format!("not any more: the provider's key is relied on until {}", said(at))
            }
            (Some(_), Some(at)) if !self.question.has_request => {
                format!("not by Duly, which has lost the request's bytes; the key is relied on until {}", said(at))
            }
            (Some(_), Some(at)) => format!("yes, until {}: the provider makes one of both", said(at)),
        }
    }

    /// Why it stands as it does.
    fn why(&self) -> Option<&'static str> {
        Some(match self.question.ground.as_deref()? {
            "no_lookup" => "the provider has neither a look-up nor a repeat that is none",
            "no_answer" => "the provider said nothing that proves anything in the time there was",
            "key_expired" => "the provider may have forgotten its key: a repeat could be a second message",
            "no_lane" => "the lane is not set up, or is another account, which knows nothing of the call",
            "no_reference" => "what it was called at the provider is not known",
            "lease" => "no answer was recorded before the call's lease ended",
            "answer" => "the answer to the call proves nothing",
            "restored" => "this database was restored, and the message may have left meanwhile",
            _ => return None,
        })
    }

    /// The same for programs.
    pub fn to_json(&self) -> Value {
        let q = self.question;
        let time = |at: Option<OffsetDateTime>| at.and_then(|at| at.format(&Rfc3339).ok());
        let choice = |(decision, word): (Decision, &str)| (word.to_owned(), json!(self.risk(decision)));
        let is_asked = q.state == MessageState::Asked;
        let choices: Map<String, Value> = CHOICES.into_iter().filter(|_| is_asked).map(choice).collect();
        let (outcome, code, answered) = match &q.outcome {
            Some((kind, code, at)) => (Some(kind), Some(code), Some(*at)),
            None => (None, None, None),
        };
        json!({
            "message": q.message_id, "person": printed_id(q.person_id), "channel": q.channel.as_str(),
            "state": q.state.as_str(), "lane": q.lane, "attempts": q.attempts, "route": q.route.as_str(),
            "last_call": time(q.since), "outcome": outcome, "code": code, "answered_at": time(answered),
            "may_have_left_until": time(q.begins_until), "may_arrive_until": time(self.arrives_until()),
            "reference": q.reference, "ground": q.ground, "why": self.why(),
            "look_ups": {
                "count": q.looks.count, "last_at": time(q.looks.last.map(|(at, _)| at)),
                "answer": q.looks.last.map(|(_, told)| answer(told).0),
            },
            "can_look_up": self.can_look_up(), "can_repeat": self.can_repeat(), "repeat_until": time(self.key_until()),
            "send_again_refused_until": time(self.wait_until()), "choices": choices,
        })
    }
}

/// What is said of a lane that cannot be asked here.
const NO_LANE: &str = "not known: the lane is not set up here, or is another account";

fn in_words(time: Duration) -> String {
    span(i64::try_from(time.as_micros()).unwrap_or(i64::MAX))
}

/// What a look-up told, as a word and in words.
fn answer(told: Told) -> (&'static str, &'static str) {
    match told {
        Told::Found => ("found", "the provider has it"),
        Told::Nothing => ("nothing", "the provider has nothing under this reference"),
        Told::NoAnswer => ("no_answer", "no answer that means anything is on record"),
    }
}

/// How a call ended, in words.
fn outcome(kind: &str, code: &str) -> &'static str {
    match (kind, code) {
        ("unknown", "timeout") => "no answer came in time",
        ("unknown", "cut") => "the connection was cut before an answer",
        ("unknown", "unreadable") => "an answer that cannot be read",
        ("unknown", _) => "an answer that proves nothing",
        ("accepted", _) => "accepted",
        ("rejected", _) => "refused for good",
        ("lane_stopped", _) => "nothing left, the lane stopped",
        _ => "nothing left",
    }
}
