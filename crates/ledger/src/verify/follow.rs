//! One damage is told once: findings that may be no more than the consequence of another are counted, not told beside it.
//!
//! The section "One cause" of the format has the table. Whoever wants to see all of them asks for it.

use super::report::{Code, Finding, Findings};

/// What a leaf is, whatever it tells.
const OF_LEAVES: &[Code] = &[Code::Canonical, Code::Kind, Code::Inc, Code::Fields, Code::Opened];
/// What leaves tell of anything.
const OF_STORY: &[Code] = &[
    Code::Chain,
    Code::Stranger,
    Code::RepeatedId,
    Code::LogKey,
    Code::Manifest,
    Code::ListSignature,
    Code::Rows,
    Code::Plan,
    Code::Approval,
    Code::Contents,
    Code::Move,
    Code::SecondSend,
    Code::NoPlan,
    Code::Held,
    Code::Closed,
    Code::NoCause,
    Code::WrongContent,
    Code::WrongDestination,
    Code::Notice,
    Code::OpenCall,
    Code::Opening,
    Code::Incomplete,
    Code::OwnList,
    Code::Time,
];
/// What is told of the messages of one person.
const OF_MESSAGES: &[Code] =
    &[Code::Move, Code::SecondSend, Code::Held, Code::NoCause, Code::Notice, Code::OpenCall, Code::Opening];

impl Findings {
    /// Those that stand by themselves, the cause first; the others are counted in `follow`.
    pub(super) fn settled(&self) -> Self {
        let changed_leaf =
            |of: &Finding| self.kept.iter().any(|f| f.code == Code::Tile && f.leaf.is_some() && f.generation == of.generation);
        let follows = |finding: &Finding| {
            self.kept.iter().any(|cause| match cause.code {
                // The tile names the leaf that was changed: nothing is left that the others could tell.
                Code::Root if changed_leaf(cause) => OF_LEAVES.contains(&finding.code) || OF_STORY.contains(&finding.code),
                Code::Root => finding.code != Code::Chain && OF_STORY.contains(&finding.code),
                _ => may_follow(finding, cause),
            })
        };
        let mut settled = Self { counts: self.counts.clone(), ..Self::default() };
        settled.kept = self.kept.iter().filter(|finding| !follows(finding)).cloned().collect();
        settled.kept.sort_by_key(|finding| finding.code);
        for (code, count) in &self.counts {
            let of = |findings: &[Finding]| findings.iter().filter(|finding| finding.code == *code).count() as u64;
            let (kept, told) = (of(&self.kept), of(&settled.kept));
            // Of those that were not kept nobody knows: they go with the kept ones, where none of these stands.
            let hidden = if told == 0 { *count } else { kept - told };
            if hidden > 0 {
                settled.follow.insert(*code, hidden);
                settled.counts.insert(*code, count - hidden);
            }
        }
        settled.counts.retain(|_, count| *count > 0);
        settled
    }
}

/// Whether a finding may be what a cause made of it. A cause is always of a code before it: nothing goes round in circles.
fn may_follow(finding: &Finding, cause: &Finding) -> bool {
    let is = |codes: &[Code]| codes.contains(&finding.code);
    let of_same_person = cause.person.is_some() && finding.person == cause.person;
    match cause.code {
        // Events are missing, or there are more than there may be.
        Code::Size => is(&[Code::Tile, Code::Root, Code::Opened]) || is(OF_STORY),
        // The log begins elsewhere: what came before is not here.
        Code::Opened if cause.leaf == Some(0) => is(&[Code::Inc]) || is(OF_STORY),
        // What could not be read may have told of anybody; in a person's pack, of the person.
        Code::Canonical | Code::Proof => is(OF_STORY),
        // What was not believed told nothing to those after it.
        Code::Kind | Code::Fields if cause.person.is_none() => {
            finding.person.is_none() && is(OF_STORY) || is(&[Code::NoPlan, Code::Held, Code::Closed, Code::WrongContent])
        }
        Code::Kind | Code::Fields => of_same_person && is(OF_STORY),
        Code::Chain => (of_same_person || finding.code == Code::Opening) && is(OF_MESSAGES),
        Code::Manifest => is(&[
            Code::Stranger,
            Code::Contents,
            Code::NoPlan,
            Code::WrongDestination,
            Code::Opening,
            Code::OwnList,
            Code::Incomplete,
        ]),
        Code::Plan => is(&[Code::Text, Code::Approval, Code::Contents, Code::NoPlan, Code::WrongContent]),
        Code::Contents => is(&[Code::WrongContent]),
        _ => false,
    }
}
