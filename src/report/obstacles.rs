//! What stopped or slowed a notification: holds, pauses, calls of which nobody knew how they ended, and what nobody took.

use super::document::{Section, figure};
use super::figures::{count, span, when};
use super::tally::{Quarantine, Refused, Tally, Unknowns};

/// What stopped or slowed the notification, from the log alone.
pub fn obstacles(tally: &Tally) -> Section {
    let mut facts = Vec::new();
    for hold in tally.holds.values() {
        let scope = if hold.person.is_some() { "one person" } else { "the whole incident" };
        let end = hold
            .lifted_at
            .map_or("not lifted yet".to_owned(), |at| format!("lifted {}, after {}", when(at), span(at - hold.set_at)));
        facts.push((hold.set_at, format!("A hold on {scope} was set {}; {end}.", when(hold.set_at))));
    }
    for (number, plan) in &tally.plans {
        for (at, what, _) in plan.moves.iter().filter(|(_, what, _)| matches!(what.as_str(), "paused" | "resumed" | "withdrawn"))
        {
            facts.push((*at, format!("Plan {number} was {what} {}.", when(*at))));
        }
        let never = ["approved", "started"].into_iter().find(|what| plan.first(what).is_none());
        if let Some((never, prepared)) = never.zip(plan.first("prepared")) {
            facts.push((
                prepared,
                format!("Plan {number} was prepared {} and never {never}: nothing was sent under it.", when(prepared)),
            ));
        }
    }
    facts.sort();
    let mut items: Vec<String> = facts.into_iter().map(|(_, text)| text).collect();
    items.extend(refused(&tally.refused));
    items.extend(unknown(&tally.unknowns));
    items.extend(tally.refusals.iter().map(|(code, n)| refusal(code, *n)));
    if tally.possible_duplicates > 0 {
        let times = count(tally.possible_duplicates, "time", "times");
        items.push(format!("The alarm of a possible duplicate was raised {times}."));
    }
    items.extend(quarantine(&tally.quarantine));
    let section = Section::new("Holds, pauses and what was not known");
    if items.is_empty() {
        return section.text("The log has no hold, no pause and no call of which it was not known how it ended.");
    }
    section
        .list(items)
        .text("Why a hold was set is kept outside the log, because a reason may name somebody; the controller has it.")
}

/// Plans that the content check refused: nothing was frozen, and nobody was told anything by them.
fn refused(refused: &Refused) -> Option<String> {
    let (first, last) = (refused.at.first()?, refused.at.last()?);
    let rules: Vec<String> = refused.rules.iter().map(|(rule, n)| format!("{rule} in {}", figure(*n))).collect();
    let plans = count(refused.at.len() as u64, "time", "times");
    let between = if first == last { when(*first) } else { format!("between {} and {}", when(*first), when(*last)) };
    Some(format!("The content check refused a plan {plans}, {between}: {}. Nothing was sent under it.", rules.join(", ")))
}

/// A call that took nothing: what a provider answered, or why none was asked.
fn refusal(code: &str, n: u64) -> String {
    let Some(why) = not_begun(code) else {
        let took = count(n, "answer of a provider did not take a message", "answers of providers did not take a message");
        return format!("{took} (code {code}).");
    };
    format!("{}, and no provider was asked: {why}.", count(n, "call was not begun", "calls were not begun"))
}

/// Why Duly itself did not begin a call; nothing of it left.
fn not_begun(code: &str) -> Option<&'static str> {
    Some(match code {
        "send_by" => "its time was over before the first byte",
        "hold_changed" => "holds and pauses had to be read anew first",
        "no_lane" => "the lane was not there",
        "not_frozen" => "its frozen bytes could not be read",
        "not_written" => "the connection was not there",
        "no_tls" => "the relay offered no TLS that is trusted",
        "not_the_sandbox" => "the lane is not live, and the relay was not the sandbox",
        _ => return None,
    })
}

/// Calls of which nobody knew how they ended, each in exactly one class.
pub(super) fn unknown(u: &Unknowns) -> Option<String> {
    let was = |n: u64, what: &str| (n > 0).then(|| format!("{} {} {what}", figure(n), if n == 1 { "was" } else { "were" }));
    let ends = [
        was(u.found, "found at the provider"),
        was(u.absent, "proven absent and sent again"),
        was(u.repeated, "repeated under a key by which the provider makes one of both"),
        was(u.settled, "settled by a provider's report or late answer"),
        was(u.rule, "left to the plan's rule: on to the next step"),
        was(u.send_again + u.next_step, "decided by a person"),
        (u.open > 0).then(|| format!("{} not known at this moment", count(u.open, "is", "are"))),
    ];
    let ends: Vec<String> = ends.into_iter().flatten().collect();
    let calls = count(u.made, "call", "calls");
    (u.made > 0).then(|| format!("{calls} ended without an answer that proves anything: {}.", ends.join(", ")))
}

/// Rows that could not become people when they came.
fn quarantine(q: &Quarantine) -> Option<String> {
    let rows = count(q.rows, "row of the lists", "rows of the lists");
    let (corrected, discarded, waiting) = (figure(q.corrected()), figure(q.discarded), figure(q.waiting));
    (q.rows > 0).then(|| {
        format!("{rows} could not become people when they came: {corrected} corrected since, {discarded} discarded, {waiting} still waiting.")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::step::UNCOUNTED;

    #[test]
    fn what_duly_refused_itself_is_not_called_a_providers_answer() {
        for code in UNCOUNTED {
            let said = refusal(code, 2);
            assert_eq!(said.contains("no provider was asked"), *code != "429", "{said}");
        }
        assert_eq!(refusal("422", 1), "1 answer of a provider did not take a message (code 422).");
    }
}
