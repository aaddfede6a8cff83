//! Which lanes can take a plan's messages: known before anybody approves, and not found when they are claimed.
//!
//! Any lane of a plan may be given any message of its channel, and a message stays on the lane that it was given. So a plan
//! has only lanes that take every one of its messages; the others are left out, which its text says.

use crate::dispatch::Office;
use crate::model::contact::PersonRecord;
use crate::model::state::Channel;
use crate::provider::{Account, Item};
use crate::render::check::{Finding, Severity};
use crate::store::plan::Terms;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use uuid::Uuid;

/// The rule by which a message is told that no lane can take.
const NO_LANE: &str = "Q002";
/// The rule by which a discreet message is told whose outside would name who writes.
const NAMED_OUTSIDE: &str = "C061";
/// Refusals because something outside would name somebody.
const OUTSIDE: &[&str] = &["return_address", "sender_shown"];
/// A refusal of one person's own address.
const ADDRESS: &str = "address";
/// A refusal of a text that the provider would write otherwise.
const REWRITTEN: &str = "text_rewritten";
/// The code of a notice that no lane can carry to its address.
const NOT_SERVED: &str = "address_not_served";
/// The code of a notice with a name that no lane can write as it is.
const NAME_REWRITTEN: &str = "name_rewritten";

/// The lanes of a plan, by channel.
pub struct Lanes(BTreeMap<Channel, Vec<Arc<Account>>>);

/// A lane that cannot take a message which another one takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct No {
    lane: String,
    code: &'static str,
}

/// A message that no lane takes.
pub struct NoLane {
    /// What is told of it.
    pub finding: Finding,
    /// The code of its notice, where it is only about what is the person's own: nobody else waits for that.
    pub problem: Option<&'static str>,
}

impl Lanes {
    /// Those of these names.
    pub fn of(office: &Office, names: &[String]) -> Self {
        let mut lanes: BTreeMap<Channel, Vec<Arc<Account>>> = BTreeMap::new();
        for account in names.iter().filter_map(|name| office.accounts.get(name)) {
            lanes.entry(account.channel).or_default().push(account.clone());
        }
        Self(lanes)
    }

    /// Asks each lane of the channel whether it takes a message of this person; answers which do not, or what is told where none
    /// does: a warning where it is only about their own address or name, because the others can be told.
    pub fn ask(&self, item: &Item<'_>, person: &PersonRecord, discreet: bool) -> Result<Vec<No>, Box<NoLane>> {
        let lanes = self.0.get(&item.channel()).map(Vec::as_slice).unwrap_or_default();
        let refusal = |account: &Arc<Account>| Some((account.clone(), account.provider.takes(item).err()?.code));
        let refusals: Vec<(Arc<Account>, &'static str)> = lanes.iter().filter_map(refusal).collect();
        if refusals.len() < lanes.len() || lanes.is_empty() {
            return Ok(refusals.into_iter().map(|(account, code)| No { lane: account.name.clone(), code }).collect());
        }
        let said: Vec<String> = refusals.iter().map(|(account, code)| why(account, code)).collect();
        let what = format!("no lane of the plan can take this {}: {}", noun(item.channel()), said.join(", "));
        let own: Option<Vec<_>> = refusals.iter().map(|(account, code)| problem(account, code, item, &person.name)).collect();
        let problem = own.and_then(|own| own.first().copied());
        let severity = if problem.is_some() { Severity::Warning } else { Severity::Error };
        let code = refusals.iter().map(|(_, code)| *code).find(|code| *code != ADDRESS).unwrap_or(ADDRESS);
        let remedy = if problem == Some(NAME_REWRITTEN) { NAME_REMEDY } else { remedy(code) };
        let finding = match refusals.iter().find(|(_, code)| discreet && OUTSIDE.contains(code)) {
            Some((_, code)) => Finding { rule: NAMED_OUTSIDE, ..finding(Severity::Error, what, discreet_remedy(code)) },
            None => finding(severity, what, remedy),
        };
        Err(Box::new(NoLane { finding, problem }))
    }
}

/// The code of a notice whose message a lane refuses for what is the person's own; `None`: for something else.
fn problem(account: &Account, code: &str, item: &Item<'_>, name: &str) -> Option<&'static str> {
    match (code, item) {
        (ADDRESS, _) => Some(NOT_SERVED),
        (REWRITTEN, Item::Sms { from, to, text }) if !name.is_empty() => {
            let plain = text.replace(name, "N");
            account.provider.takes(&Item::Sms { from, to, text: &plain }).is_ok().then_some(NAME_REWRITTEN)
        }
        _ => None,
    }
}

/// The lanes that refused what others take.
#[derive(Debug, Default)]
pub struct LeftOut(BTreeMap<String, Refused>);

/// What one lane refused.
#[derive(Debug, Default)]
struct Refused {
    messages: BTreeMap<&'static str, u64>,
    people: Vec<Uuid>,
}

impl LeftOut {
    /// Adds the refusals of a person's messages.
    pub fn add(&mut self, person: Uuid, refusals: Vec<No>) {
        for No { lane, code } in refusals {
            let refused = self.0.entry(lane).or_default();
            *refused.messages.entry(code).or_default() += 1;
            refused.people.push(person);
        }
    }

    /// Takes these lanes out of a plan's terms; answers what is told, and of whom, where a channel would be left without.
    pub fn settle(&self, lanes: &Lanes, terms: &mut Terms) -> Vec<(Finding, &[Uuid])> {
        let is_out = |name: &str| self.0.contains_key(name);
        terms.lanes.retain(|lane| !is_out(lane));
        terms.accounts.retain(|lane, _| !is_out(lane));
        terms.unknown_rules.retain(|lane, _| !is_out(lane));
        lanes.0.iter().filter_map(|(channel, lanes)| self.gap(*channel, lanes)).collect()
    }

    /// A reserve waits for as long as another lane of its channel is open, and that one would take nothing of this plan.
    fn gap(&self, channel: Channel, lanes: &[Arc<Account>]) -> Option<(Finding, &[Uuid])> {
        let stay = |account: &&Arc<Account>| !self.0.contains_key(&account.name);
        let is_served = match lanes.iter().all(|account| account.is_reserve) {
            true => lanes.iter().any(|account| stay(&account)),
            false => lanes.iter().any(|account| stay(&account) && !account.is_reserve),
        };
        if is_served {
            return None;
        }
        let refused = lanes.iter().filter_map(|account| Some((account, self.0.get(&account.name)?)));
        let said: Vec<String> = refused.clone().flat_map(|(account, refused)| reasons(account, refused)).collect();
        let least = refused.map(|(_, refused)| refused).min_by_key(|refused| refused.people.len())?;
        let what = format!("no lane takes every {} of the plan: {}", noun(channel), said.join(", "));
        let remedy = "add a lane that takes all of them and is no reserve, or tell these people in an incident of their own";
        Some((finding(Severity::Error, what, remedy), least.people.as_slice()))
    }

    /// As a plan's text has it: messages by lane and refusal.
    pub fn to_json(&self) -> Value {
        json!(self.0.iter().map(|(lane, refused)| (lane, &refused.messages)).collect::<BTreeMap<_, _>>())
    }
}

fn finding(severity: Severity, what: String, remedy: &'static str) -> Finding {
    let source = "what the lanes' providers take, by their own documents: `duly provider list`".to_owned();
    Finding { severity, rule: NO_LANE, element: None, line: 0, what, source, is_confirmed: true, remedy }
}

/// The lane and why it refuses; nothing of the person's.
fn why(account: &Account, code: &str) -> String {
    let capabilities = account.provider.capabilities();
    let number = |n: Option<usize>| n.map_or_else(|| "fewer".to_owned(), |n| n.to_string());
    let says = match code {
        "text_length" => format!("takes at most {} characters", number(capabilities.text_chars_max)),
        "pages" => {
            format!("takes at most {} pages", number(capabilities.letters.map(|l| usize::try_from(l.pages_max).unwrap_or(0))))
        }
        "bytes" => format!("takes at most {} bytes", number(capabilities.letters.map(|l| l.bytes_max))),
        "postage_class" => "has no postage of this class".to_owned(),
        "header" => "takes no such sender, subject or address".to_owned(),
        ADDRESS => "serves no such address".to_owned(),
        "return_address" => "prints a return address, and cannot print this one".to_owned(),
        "sender_shown" => "shows who writes".to_owned(),
        REWRITTEN => "would write signs or spaces of it otherwise".to_owned(),
        "subject_rewritten" => "would write signs or spaces of its subject otherwise".to_owned(),
        code => format!("refuses it ({code})"),
    };
    format!("`{}` ({}) {says}", account.name, capabilities.name)
}

fn reasons(account: &Account, refused: &Refused) -> Vec<String> {
    refused.messages.iter().map(|(code, n)| format!("{} ({n} of them)", why(account, code))).collect()
}

/// What to do about a name that no lane can write.
const NAME_REMEDY: &str =
    "add a lane whose provider writes every letter, or tell these people by letter: no message goes to them otherwise";

fn remedy(code: &str) -> &'static str {
    match code {
        "text_length" | "pages" | "bytes" => {
            "shorten the incident's texts or the template, or add a lane whose provider takes more: `duly provider list` says how much"
        }
        ADDRESS => "correct the address, or add a lane that serves it: no message goes to these people otherwise",
        "return_address" => "give the controller an address that this provider can print, or add a lane that prints none",
        "sender_shown" => "add a lane whose provider shows no name, or tell these people by letter",
        REWRITTEN => {
            "write ' and \" for curly quotes, - for dashes, three dots for an ellipsis and single spaces in the incident's texts, the controller's name and the template, or add a lane whose provider changes nothing: docs/providers.md says which signs stay"
        }
        "subject_rewritten" => {
            "write the template's title without straight quotes and with – for a dash, or add a lane whose provider changes nothing"
        }
        _ => "add a lane that takes it",
    }
}

fn discreet_remedy(code: &str) -> &'static str {
    match code {
        "return_address" => {
            "write a `return_address` under [facts] that the provider can print and that names nobody, or add a lane that prints none"
        }
        _ => remedy(code),
    }
}

fn noun(channel: Channel) -> &'static str {
    match channel {
        Channel::Sms => "text message",
        Channel::Letter => "letter",
        Channel::Email => "email",
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use std::time::Duration;

    fn lane(name: &str, is_reserve: bool) -> Arc<Account> {
        // Another test of this process may have installed it already.
        drop(rustls::crypto::ring::default_provider().install_default());
        let settings = format!("channel = \"letter\"\nurl = \"http://127.0.0.1:1\"\nreserve = {is_reserve}");
        Arc::new(Account::new(name, &toml::from_str(&settings).unwrap(), Duration::from_secs(1), false).unwrap())
    }

    /// Who is told as left without a lane, where these people were refused.
    fn told(lanes: &[Arc<Account>], refused: &[(&str, u128)]) -> Option<Vec<Uuid>> {
        let mut left_out = LeftOut::default();
        for (lane, person) in refused {
            left_out.add(Uuid::from_u128(*person), vec![No { lane: (*lane).to_owned(), code: ADDRESS }]);
        }
        left_out.gap(Channel::Letter, lanes).map(|(_, people)| people.to_vec())
    }

    #[test]
    fn a_plan_needs_one_lane_that_takes_everything_and_is_no_reserve() {
        let (two, with_reserve) = ([lane("a", false), lane("b", false)], [lane("a", false), lane("b", true)]);

        assert_eq!(told(&two, &[]), None);
        assert_eq!(told(&two, &[("a", 1), ("a", 2)]), None);
        assert_eq!(told(&two, &[("a", 1), ("a", 2), ("b", 3)]), Some(vec![Uuid::from_u128(3)]), "whom the better lane refuses");
        assert_eq!(told(&with_reserve, &[("b", 1)]), None);
        assert_eq!(told(&with_reserve, &[("a", 1)]), Some(vec![Uuid::from_u128(1)]), "the reserve waits for the other lane");
        assert_eq!(told(&[lane("a", true)], &[]), None);
    }
}
