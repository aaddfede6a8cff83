//! Whose account a lane is: what a plan's approvers saw, and what may not change under the lane's name. Another account
//! reaches other people, and "not there" at another account proves nothing of a call that went to the first.

use serde_json::{Value, json};
use std::fmt;

/// An account in words that may be printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ground {
    /// The word of its kind.
    pub kind: String,
    /// Whether real people are reached.
    pub is_live: bool,
    /// The provider's own name for it, and its address where the settings have one for a live lane; empty: neither.
    pub at: String,
}

impl Ground {
    /// As a plan's body has it.
    pub fn to_json(&self) -> Value {
        json!({"at": self.at, "kind": self.kind, "live": self.is_live})
    }

    /// What a plan's body says of a lane; `None`: it was made before plans said so.
    pub fn approved(body: &Value, lane: &str) -> Option<Self> {
        let said = body.get("accounts")?.get(lane)?;
        let text = |key| said.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        Some(Self { kind: text("kind"), is_live: said.get("live").and_then(Value::as_bool).unwrap_or(false), at: text("at") })
    }

    /// Whether a plan may go out through this account.
    pub fn is_approved(&self, body: &Value, lane: &str) -> bool {
        Self::approved(body, lane).is_none_or(|approved| approved == *self)
    }
}

impl fmt::Display for Ground {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whom = if self.is_live { "people" } else { "nobody: sandbox" };
        let place = if self.at.is_empty() { String::new() } else { format!(" {}", self.at) };
        write!(f, "{whom}, {}{place}", self.kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_goes_out_through_the_account_that_was_approved_and_no_other() {
        let approved = Ground { kind: "notify".into(), is_live: false, at: "a".into() };
        let body = json!({"accounts": {"texts": approved.to_json()}});
        assert!(approved.is_approved(&body, "texts"));
        for other in [
            Ground { is_live: true, ..approved.clone() },
            Ground { at: "b".into(), ..approved.clone() },
            Ground { kind: "http".into(), ..approved.clone() },
        ] {
            assert!(!other.is_approved(&body, "texts"), "{other}");
        }
        assert!(approved.is_approved(&json!({}), "texts"), "made before plans said so");
    }
}
