//! Where a lane's provider hands its receipts in, so that somebody can enter that address there.

use crate::config::Receipts;
use crate::provider::Account;
use serde_json::{Value, json};

/// The door of the receipts, and for whom it stands open.
pub struct Doors {
    receipts: Receipts,
    /// Short names; each has an address of its own.
    controllers: Vec<String>,
}

impl Doors {
    /// Of these controllers.
    pub fn new(receipts: Receipts, controllers: Vec<String>) -> Self {
        Self { receipts, controllers }
    }

    /// The controllers for whom somebody must enter an address at the lane's provider.
    fn entered_for(&self, account: &Account) -> &[String] {
        let is_entered = account.scheme().is_some() && !account.capabilities().names_callback;
        if is_entered { &self.controllers } else { &[] }
    }

    /// What is entered at the lane's provider, line by line.
    pub fn lines(&self, account: &Account) -> Vec<String> {
        if account.scheme().is_none() {
            return vec!["none: it sends no receipts".to_owned()];
        }
        let is_open = !self.receipts.url.is_empty();
        match (account.capabilities().names_callback, is_open) {
            (true, true) => return vec!["none to enter: each message names it".to_owned()],
            (true, false) => return vec!["none: `receipts.url` is empty, and so no message names one".to_owned()],
            (false, _) => {}
        }
        let unknown = ["<controller>".to_owned()];
        let controllers = if self.controllers.is_empty() { &unknown } else { self.entered_for(account) };
        let line = |controller: &String| match self.receipts.url_of(controller, &account.name) {
            Some(url) => url,
            None => {
                format!("{}, behind your own https address: set `receipts.url`", Receipts::path_of(controller, &account.name))
            }
        };
        controllers.iter().map(line).collect()
    }

    /// For programs.
    pub fn as_json(&self, account: &Account) -> Value {
        let one = |controller: &String| {
            json!({
                "controller": controller,
                "path": Receipts::path_of(controller, &account.name),
                "url": self.receipts.url_of(controller, &account.name),
            })
        };
        self.entered_for(account).iter().map(one).collect()
    }
}
