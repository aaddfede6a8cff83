//! Reviews of drafts: a named user signs for the very words that they read.

use super::sign::signer;
use super::templates::{find, load};
use super::{Context, Failure, Refusal};
use crate::model::statement::template_review;
use serde_json::json;

/// Digits of a hash that name one template among all.
const HASH_DIGITS_MIN: usize = 12;

/// Signs for a draft.
pub async fn run(context: &Context, name: &str, hash: &str) -> Result<(), Failure> {
    let composer = load(&context.settings()?)?;
    let template = find(&composer, name)?;
    let own = hex::encode(template.hash);
    if hash.len() < HASH_DIGITS_MIN || !own.starts_with(&hash.to_lowercase()) {
        return Err(Refusal::of(
            format!("`{name}` has another hash than the one that you give"),
            "look at it again, `duly template preview`, and give the hash of `duly template list`: it may have changed since you read it",
        ));
    }
    if !template.is_draft {
        return Err(Refusal::of(format!("`{name}` is no draft"), "use it as it is: only what lies under drafts needs a review"));
    }
    let store = context.store().await?;
    let by = signer(context).await?.sign(store, &template_review(name, &template.hash)).await?;
    let is_new = store.insert_review(name, &template.hash, by).await?;
    context.print(&json!({"template": name, "hash": own, "is_new": is_new}), "");
    let says = if is_new { "reviewed: the next plan may use it" } else { "reviewed already; nothing was changed" };
    eprintln!("{name} is {says}.");
    Ok(())
}
