//! Somebody takes back a decision that ended a person's notice.

use super::ending::{PHASE, Whose};
use crate::cli::sign::signer;
use crate::cli::{Context, Failure, Refusal};
use crate::model::person::printed_id;
use crate::model::statement::person_reopen;
use crate::report::words;
use crate::store::unit::{NotReopened, Reopened};
use clap::Args;
use serde_json::json;
use uuid::Uuid;

/// `duly person reopen`.
#[derive(Args)]
#[command(
    after_help = "Example:\n  duly person reopen --incident cards-2026 --person p_0f6c… --reason 'it was another of the same name'\n\nThe notice stands again as its messages say: what the decision had cancelled waits to be sent, with the plan's time anew; whom no message can reach is `unreachable`, and is to be told by hand (`duly task list`). Whose plan was withdrawn meanwhile is in no plan then, and the next one takes them (`duly plan prepare`)."
)]
pub struct Reopen {
    #[command(flatten)]
    whose: Whose,
}

/// Takes back `person exempt` or `person told`.
pub async fn reopen(context: &Context, args: &Reopen) -> Result<(), Failure> {
    let whose = &args.whose;
    let (store, incident, person) = whose.look_up(context).await?;
    let of = (person, PHASE);
    if let Err(why) = store.check_reopening(incident.key, of).await? {
        return stands(context, why, person);
    }
    let by = signer(context).await?.sign(store, &person_reopen(incident.incident_id, of, &whose.reason)).await?;
    let Reopened { notice, let_go } = match store.reopen_notice(incident.key, of, by).await? {
        Ok(reopened) => reopened,
        Err(why) => return stands(context, why, person),
    };
    let shown = printed_id(person);
    let said =
        json!({"person": shown, "notice": notice.as_str(), "changed": true, "let_go_by_plan": let_go, "command": by.command_id});
    context.print(&said, "");
    eprintln!("{shown}: the decision is taken back. {}", words::notice(notice));
    if let Some(plan) = let_go {
        eprintln!("Plan {plan} was withdrawn, so nothing is sent to them yet: `duly plan prepare` makes one that takes them.");
    }
    Ok(())
}

/// Nothing to take back is no fault; somebody who is erased cannot be sent to again.
fn stands(context: &Context, why: NotReopened, person: Uuid) -> Result<(), Failure> {
    let shown = printed_id(person);
    match why {
        NotReopened::NotDecided(state) => {
            context.print(&json!({"person": shown, "notice": state.as_str(), "changed": false}), "");
            eprintln!("{shown} is {state}, and by nobody's decision; nothing was changed.");
            Ok(())
        }
        NotReopened::NoNotice => Err(Refusal::of(
            format!("no plan covers {shown}, and nobody has decided about them"),
            "make one with `duly plan prepare`: nothing is sent before it goes",
        )),
        NotReopened::Erased => Err(Refusal::of(
            format!("{shown} is erased: nothing of theirs can be sent again"),
            "tell them in another way if you know them from elsewhere; the log keeps the decision as it was",
        )),
        NotReopened::PlanWithdrawn(plan) => Err(Refusal::of(
            format!(
                "plan {plan}, by which {shown} was to be told, is withdrawn, and a message of theirs may have left before the database came back older"
            ),
            "ask their provider what it sent (`duly message list` has our references); where nothing left, have the controller name this person once more, under another reference, on a further list (`duly list import`)",
        )),
    }
}
