//! Where the reasons are: a decision or a hold may be for a reason that names somebody, so the log has the signed command's id
//! alone, by which the controller finds it.

use super::document::Section;
use super::figures::{count, when};
use super::regulator::when_rfc3339;
use super::tally::{Decided, Tally, What};
use super::words::otherwise;
use serde_json::{Value, json};

/// Rows that are printed; `--json` has all.
const PRINTED_MAX: usize = 500;

/// Why people are not informed, or were not sooner: each decision that stands and each hold, by the command that holds its reason.
pub fn reasons(tally: &Tally) -> Section {
    let section = Section::new("Decisions and holds: where their reasons are");
    if tally.decided.is_empty() {
        return section.text("Nobody is exempt, nobody was told in another way, and there was no hold.");
    }
    let row = |decided: &Decided| vec![when(decided.at), said(decided.what), decided.command.clone()];
    let rows: Vec<Vec<String>> = tally.decided.iter().take(PRINTED_MAX).map(row).collect();
    let more = tally.decided.len() - rows.len();
    let section = section.table("", &["when", "what", "signed command"], rows, &[]).text(
        "The reason of each stands in the signed command of that id, which the controller has: it may name somebody, and is in no log.",
    );
    match more {
        0 => section,
        more => {
            section.text(format!("{} not printed here: the report as JSON has all.", count(more as u64, "more is", "more are")))
        }
    }
}

/// Whose reasons are asked for.
fn said(what: What) -> String {
    let of = |is_of_all: bool| if is_of_all { "the whole incident" } else { "one person" };
    match what {
        What::Exempt => "no notice is owed to one person".to_owned(),
        What::ToldOtherwise(how) => format!("one person was told {}", how.map_or("in another way", otherwise)),
        What::HoldSet(is_of_all) => format!("a hold on {} was set", of(is_of_all)),
        What::HoldLifted(is_of_all) => format!("a hold on {} was lifted", of(is_of_all)),
    }
}

/// The same for programs.
pub fn data(tally: &Tally) -> Value {
    let word = |what: What| match what {
        What::Exempt => ("exempt", "person"),
        What::ToldOtherwise(_) => ("withdrawn", "person"),
        What::HoldSet(is_of_all) => ("hold_set", if is_of_all { "incident" } else { "person" }),
        What::HoldLifted(is_of_all) => ("hold_lifted", if is_of_all { "incident" } else { "person" }),
    };
    let of = |decided: &Decided| {
        let (what, covers) = word(decided.what);
        json!({"at": when_rfc3339(decided.at), "what": what, "covers": covers, "command": decided.command})
    };
    tally.decided.iter().map(of).collect()
}
