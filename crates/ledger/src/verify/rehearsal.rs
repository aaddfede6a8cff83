//! Lanes that are not live: what goes through them tells nobody, and a log says the same of it as of people who were told.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What the texts of plans say of their lanes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rehearsal {
    /// Lanes that are not live, by plan.
    pub not_live: BTreeMap<u64, Vec<String>>,
    /// Plans whose text does not say of each of their lanes whether it is live.
    pub unsaid: BTreeSet<u64>,
}

impl Rehearsal {
    /// Takes a plan that somebody approved, by its text.
    pub fn take(&mut self, plan: u64, body: &Value) {
        let none = serde_json::Map::new();
        let accounts = body.get("accounts").and_then(Value::as_object).unwrap_or(&none);
        let said = |lane: &str| accounts.get(lane)?.get("live")?.as_bool().filter(|_| is_lane(lane));
        let named = body.get("lanes").and_then(Value::as_array).into_iter().flatten().map(|lane| lane.as_str().unwrap_or(""));
        let lanes: BTreeSet<&str> = accounts.keys().map(String::as_str).chain(named).collect();
        if lanes.is_empty() || lanes.iter().any(|lane| said(lane).is_none()) {
            self.unsaid.insert(plan);
        }
        let not_live: Vec<String> = lanes.into_iter().filter(|lane| said(lane) == Some(false)).map(str::to_owned).collect();
        if !not_live.is_empty() {
            self.not_live.insert(plan, not_live);
        }
    }

    /// One sentence for each plan with lanes that are not live.
    pub fn lines(&self) -> Vec<String> {
        let line = |(plan, lanes): (&u64, &Vec<String>)| {
            let (has, them) = if lanes.len() == 1 { ("a lane that is", "it") } else { ("lanes that are", "them") };
            format!(
                "Plan {plan} has {has} not live ({}): what goes through {them} is a rehearsal and tells nobody, also where somebody counts as notified.",
                lanes.join(", ")
            )
        };
        self.not_live.iter().map(line).collect()
    }

    /// Of which plans nobody can say it; `None`: of none.
    pub fn unsaid_line(&self) -> Option<String> {
        let plans: Vec<String> = self.unsaid.iter().map(u64::to_string).collect();
        (!plans.is_empty()).then(|| {
            format!("Whether all lanes of plan {} were live, or some a rehearsal's: the text does not say.", plans.join(", "))
        })
    }
}

/// Whether a text can be the name of a lane: nothing else of a stranger's text is shown.
fn is_lane(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_plan_says_which_of_its_lanes_tell_nobody_and_one_that_does_not_say_is_called_neither() {
        let mut said = Rehearsal::default();
        let account = |live: Value| json!({"at": "", "kind": "sandbox", "live": live});
        let texts = [
            json!({"accounts": {"letters": account(json!(true))}, "lanes": ["letters"]}),
            json!({"accounts": {"letters": account(json!(true)), "sms-a": account(json!(false))}, "lanes": ["letters", "sms-a"]}),
            json!({"accounts": {"email-a": account(json!(false)), "sms-a": account(json!(false))}}),
            json!({"lanes": ["letters"]}),
            json!({"accounts": {"sms-a": account(json!("no"))}}),
            json!({"accounts": {"sms-a": account(json!(false))}, "lanes": ["letters", "sms-a"]}),
            json!({"accounts": {"x\u{202e}y": account(json!(false))}}),
            json!({"accounts": {}}),
            json!(null),
        ];
        for (plan, text) in (1..).zip(&texts) {
            said.take(plan, text);
        }

        assert_eq!(said.not_live.keys().collect::<Vec<_>>(), [&2, &3, &6]);
        assert_eq!(said.unsaid.iter().collect::<Vec<_>>(), [&4, &5, &6, &7, &8, &9]);
        let lines = said.lines();
        assert!(lines[0].starts_with("Plan 2 has a lane that is not live (sms-a): what goes through it is a rehearsal"));
        assert!(lines[1].starts_with("Plan 3 has lanes that are not live (email-a, sms-a): what goes through them is"));
        assert!(said.unsaid_line().is_some_and(|line| line.contains("of plan 4, 5, 6, 7, 8, 9 were live")));
        assert_eq!(Rehearsal::default().unsaid_line(), None);
    }
}
