//! Lanes that are not live: whoever moves a plan, or lists what became of its messages, is told that nobody is told by it.

use super::desk::Desk;
use super::undecided::ask;
use serde_json::json;

/// What must be said of the desk's lanes.
pub const SAID: &str = "Plan 1 has lanes that are not live (letters, sms-a): what goes through them is a rehearsal and tells nobody, also where somebody counts as notified.";

#[tokio::test]
async fn whoever_moves_a_plan_or_lists_its_messages_is_told_that_it_is_a_rehearsal() {
    let desk = Desk::with_plan("rehearsed", "1").await;
    let both = |args: &[&str]| {
        let said = desk.duly("bob", args).fine();
        assert_eq!(said.err.matches(&format!("Mind: {SAID}")).count(), 1, "{args:?}: {said:?}");
        desk.duly("bob", &[args, &["--json"]].concat()).fine().json()
    };

    for word in ["approve", "go", "resume"] {
        if word == "resume" {
            desk.duly("bob", &["plan", "pause", "--incident", "cards"]).fine();
        }
        assert_eq!(both(&["plan", word, "--incident", "cards"])["rehearsal"], json!([SAID]), "{word}");
    }
    let (_, person) = ask(&desk).await;
    let person = format!("p_{}", person.simple());
    assert_eq!(both(&["task", "list", "--incident", "cards"])["rehearsal"], json!([SAID]));
    for list in
        [&["message", "list", "--incident", "cards", "--person", &person][..], &["unknown", "list", "--incident", "cards"]]
    {
        let listed = both(list);
        assert!(!listed.as_array().unwrap().is_empty(), "{listed}");
        assert!(listed.as_array().unwrap().iter().all(|one| one["rehearsal"] == json!([SAID])), "{listed}");
    }
}
