//! What a report calls checked: a line for each group of rules, and none for a group that was found broken.

use super::report::Code;
use super::world::World;

/// By what the signature was checked, after so many changes of the log's key.
pub fn signature_line(changes: usize) -> String {
    match changes {
        0 => "the checkpoint's signature, by the key that you gave".to_owned(),
        n => format!("the checkpoint's signature, by a key of the line of {} to which the one that you gave belongs", n + 1),
    }
}

/// A line for each group of rules of which none was broken.
pub fn checked_in_incident(world: &World, signature: String, is_continued: bool) -> Vec<String> {
    use Code::*;
    let of = |line: String, codes: &'static [Code]| (line, codes);
    let uncertain = if world.counted.is_certain() { "" } else { "; apart from what is not certain" };
    let mut lines = vec![
        of(
            format!(
                "{} events: bytes, fields, order, and the tree that leads to the checkpoint",
                world.events.values().sum::<u64>()
            ),
            &[Canonical, Kind, Inc, Fields, Opened, Time],
        ),
        of("each person's chain of events, without gap".to_owned(), &[Chain, Stranger, RepeatedId]),
        of(format!("{} list(s): every line of the manifest, count and root", world.frozen.len()), &[Manifest, Rows]),
        of(
            format!("{} plan(s): text, approval by somebody else, contents of every message", world.plans.len()),
            &[Plan, Approval, Contents, Text],
        ),
        of(
            "every call: under a running plan that names the person's list, no hold, to the listed address, with the approved content".to_owned(),
            &[NoPlan, Held, Closed, NoCause, WrongContent, WrongDestination],
        ),
        of(
            format!("no call of a message while one was open, not known or accepted{uncertain}"),
            &[SecondSend, OpenCall],
        ),
        of(
            "every report: of a message that was called or that a restore forgot; every end of a notice: by what the plan says that ends it".to_owned(),
            &[Move, Notice],
        ),
    ];
    lines.extend(world.signed_lists.iter().map(|(_, line)| of(line.clone(), &[ListSignature])));
    if !world.named_approvers.is_empty() {
        lines.push(of("each approval by a key that you named".to_owned(), &[Approval]));
    }
    if is_continued {
        lines.push(of("that this pack continues the checkpoints that you know".to_owned(), &[Rollback]));
    }
    // Leaves that do not lead to the checkpoint are nobody's evidence.
    let found = |codes: &[Code]| codes.iter().any(|code| world.findings.counts.contains_key(code));
    let is_whole = !found(&[Size, Root, Tile]);
    let signature = (!found(&[Signature, Witness])).then_some(signature);
    let holding = lines.into_iter().filter(|(_, codes)| is_whole && !found(codes)).map(|(line, _)| line);
    signature.into_iter().chain(holding).collect()
}
