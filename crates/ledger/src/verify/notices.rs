//! Notices: ended by what the plan says that ends them, by every message's failure, or by somebody's decision, and by
//! nothing else.

use super::people::Message;
use super::plans::PlanFiles;
use super::report::Code;
use super::scan::Fact;
use super::states::{Channel, NoticeState, Reason, State, Word};
use super::world::World;
use serde_json::Value;

impl World {
    /// A message's event moves its notice.
    pub(super) fn check_notice(&mut self, number: usize, before: &Message, state: State, to: NoticeState) {
        let (phase, channel) = (before.key.phase, before.key.channel);
        let from = self.people.notice(number, phase);
        if from == to || from.is_decided() {
            self.find(Code::Notice, format!("a notice that is {} does not become {} by this", from.as_str(), to.as_str()));
        } else if to == NoticeState::Notified && !self.may_end(number, before, state) {
            let text =
                format!("{} of {} does not end a notice by the table of the person's profile", state.as_str(), channel.as_str());
            self.find(Code::Notice, text);
        } else if to == NoticeState::Unreachable && !self.has_failed(number, phase) {
            self.find(Code::Notice, "unreachable, while not every message of the notice has failed");
        }
        self.people.set_notice(number, phase, to);
    }

    /// A message's event leaves its notice as it is: not where a message comes back that ended it.
    pub(super) fn check_kept(&mut self, number: usize, before: &Message, state: State) {
        let phase = before.key.phase;
        let comes_back = state == State::Returned && state != before.state;
        let was_told = comes_back && self.people.notice(number, phase) == NoticeState::Notified;
        if was_told && self.may_end(number, before, before.state) && !self.is_told(number, phase) {
            self.find(Code::Notice, "it takes back what ended the notice, and the notice stays notified");
        }
    }

    /// Somebody's decision ends a notice of which no message may be leaving.
    pub(super) fn decided(&mut self, fact: &Fact, number: usize) {
        let phase = fact.number("phase").and_then(|n| u32::try_from(n).ok()).filter(|n| *n > 0);
        let (Some(phase), Some(to)) = (phase, fact.text("notice").and_then(NoticeState::of)) else {
            return self.find(Code::Fields, "its `phase` is no number from 1 on");
        };
        let from = self.people.notice(number, phase);
        if from == NoticeState::Notified || from.is_decided() {
            self.find(Code::Notice, format!("a notice that is {} is ended by nobody's decision", from.as_str()));
        } else if self.people.is_leaving(number, phase) {
            self.find(Code::Notice, "a notice is ended by a decision, while a message of it may be leaving");
        }
        self.people.set_notice(number, phase, to);
    }

    /// Somebody takes back a decision: the notice stands again as its messages say.
    pub(super) fn taken_back(&mut self, fact: &Fact, number: usize) {
        let phase = fact.number("phase").and_then(|n| u32::try_from(n).ok()).filter(|n| *n > 0);
        let (Some(phase), Some(to)) = (phase, fact.text("notice").and_then(NoticeState::of)) else {
            return self.find(Code::Fields, "its `phase` is no number from 1 on");
        };
        let from = self.people.notice(number, phase);
        if !from.is_decided() {
            self.find(Code::Notice, format!("a notice that is {} was ended by nobody's decision", from.as_str()));
        } else if to == NoticeState::Notified && !self.is_told(number, phase) {
            self.find(Code::Notice, "no message stands where the plan says that it ends the notice");
        }
        self.people.set_notice(number, phase, to);
    }

    /// Whether a message of the notice, as it stands, ends it.
    fn is_told(&self, number: usize, phase: u32) -> bool {
        self.people.messages_of(number).filter(|m| m.key.phase == phase).any(|m| self.may_end(number, m, m.state))
    }

    /// Whether a message of the notice has failed, and none is left that could still end it.
    fn has_failed(&self, number: usize, phase: u32) -> bool {
        let of_notice = || self.people.messages_of(number).filter(|m| m.key.phase == phase);
        let is_first = |m: &Message, channel| m.key.channel == channel && m.key.reason == Reason::First;
        // Where both began at once, the text message only alerts.
        let alerts = of_notice().any(|m| is_first(m, Channel::Letter));
        let is_alert = |m: &Message| alerts && is_first(m, Channel::Sms) && m.plan.is_none_or(|plan| self.may_alert(plan));
        let is_alive =
            |m: &Message| !m.state.is_cause() && m.state != State::Cancelled && !is_alert(m) && self.could_end(number, m);
        of_notice().any(|m| m.state.is_cause()) && !of_notice().any(is_alive)
    }

    /// Whether a message of this state may end its notice, by the table that its plan has for the person's profile; of a
    /// message without a call, by any table that the notice's other calls leave. Where the pack has no plan's text, any
    /// report may, but one that takes back.
    fn may_end(&self, number: usize, message: &Message, state: State) -> bool {
        let Some(rows) = self.closing(number, message) else { return state.rank().is_some() && state != State::Returned };
        rows.into_iter().any(|least| state == least || (state != State::Returned && state.rank() > least.rank()))
    }

    fn could_end(&self, number: usize, message: &Message) -> bool {
        self.closing(number, message).is_none_or(|rows| !rows.is_empty())
    }

    /// The states that end a notice by a message, where what its plan's templates say on its channel may end one; `None`
    /// without any table: a plan without its text, or without that profile, is a finding of its own.
    fn closing(&self, number: usize, message: &Message) -> Option<Vec<State>> {
        let channel = message.key.channel;
        let plan = message.plan.filter(|plan| self.plan_files.contains_key(plan));
        let is_of = |of: u64, files: &PlanFiles| plan.map_or_else(|| self.tells(files, number), |plan| plan == of);
        let of_plan = self.plan_files.iter().filter(|(of, files)| is_of(**of, files)).map(|(_, files)| files);
        let profile = message.profile.or_else(|| self.people.profile(number, message.key.phase));
        let profile = profile.and_then(|known| self.profiles.get(usize::from(known)));
        let (mut found, mut states) = (false, Vec::new());
        for files in of_plan {
            let Some(laws) = files.body.get("profiles").and_then(Value::as_object) else { continue };
            for (_, law) in laws.iter().filter(|(id, _)| profile.is_none_or(|profile| profile == *id)) {
                found = true;
                let rows = law.get("closing").and_then(Value::as_array).into_iter().flatten();
                states.extend(rows.filter_map(|row| {
                    let word = |name: &str| row.get(name).and_then(Value::as_str);
                    let says = files.says.get(channel as usize).is_none_or(|says| says.may_be(word("content")));
                    word("state").and_then(State::of).filter(|_| says && word("channel") == Some(channel.as_str()))
                }));
            }
        }
        found.then_some(states)
    }

    /// Whether a plan says what a person would be told; true where the pack has no contents of it.
    fn tells(&self, files: &PlanFiles, number: usize) -> bool {
        let person = self.people.line(number).and_then(|(lines, at)| lines.people.get(at));
        files.contents.as_ref().zip(person).is_none_or(|(contents, person)| contents.find(person).is_some())
    }
}
