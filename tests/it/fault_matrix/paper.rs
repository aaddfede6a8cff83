//! docs/fault-matrix.md, printed from the tables of the tests.

use super::{FAULTS, Nature, end};
use crate::crash_matrix::{Blow, End, Point, ends, points};
use crate::support::Capability;
use duly_sandbox::FaultKind;
use std::fmt::Write;

/// The classes in the order of the columns, and their heads.
const CLASSES: &[(Capability, &str)] = &[
    (Capability::Idempotent, "honours our key"),
    (Capability::StrongLookup, "look-up sees at once"),
    (Capability::LaggingLookup, "look-up lags"),
    (Capability::Nothing, "neither"),
];

const HEAD: &str = "# What becomes of a call that goes wrong\n
Printed from the tables that `tests/it/crash_matrix.rs` and `tests/it/fault_matrix.rs` hold to, with real processes, a real\n\
Postgres, a real RabbitMQ and a provider over HTTP; a test compares this page with them. Each cell is one person. In every cell the\n\
fault is shown to have fired, the sandbox's own record shows one physical message at most, and the audit finds nothing.\n
A cell says: state of the message, *sent* (physical messages on the provider's record), *calls* (attempts and repeats of ours). Where\n\
two are named, two processes race for a fact that both may state. `asked` waits for a person, by name; with `unknown_rule =\n\
\"next_step\"` the route goes on instead. The classes are of what a provider can do about a call whose end is not known.\n";

/// What the provider does, in words.
fn fault_words(kind: FaultKind) -> &'static str {
    match kind {
        FaultKind::Slow => "taken, answered slowly",
        FaultKind::Reject => "refused for good",
        FaultKind::TooMany => "429, `Retry-After`",
        FaultKind::TooManyToday => "the day's limit is reached",
        FaultKind::Unauthorised => "401; the lane rests",
        FaultKind::NoCredit => "402; the lane rests",
        FaultKind::Forbidden => "403; the lane rests",
        FaultKind::RequestTimeout => "408, not made",
        FaultKind::ErrorBefore => "500, not made",
        FaultKind::ErrorInside => "200 with an error inside, not made",
        FaultKind::Redirect => "307, not made; the lane rests",
        FaultKind::CutBefore => "connection cut, not made",
        FaultKind::ErrorAfter => "500, made",
        FaultKind::NotJson => "made, an answer that is no JSON",
        FaultKind::CutAfter => "made, connection cut",
        FaultKind::Hang => "made, never answered",
        FaultKind::Late => "held longer than our timeout, then made",
        FaultKind::Drip => "made, an answer of a byte at a time, longer than our timeout",
        FaultKind::Gzip => "made, an answer compressed unasked",
        FaultKind::HugeBody => "made, an answer of megabytes",
        other => panic!("{other:?} is no fault of a first call"),
    }
}

fn point_words(point: Point) -> &'static str {
    match point {
        Point::Written => "worker: the request is written and made, not answered",
        Point::LookUp => "scheduler: a look-up is answered, its verdict not committed",
        Point::Call("before_claim_commit") => "worker: before the claim commits",
        Point::Call("claim_committed") => "worker: the claim is committed",
        Point::Call("checked_not_written") => "worker: checked, nothing written yet",
        Point::Call("response_read") => "worker: the answer is read",
        Point::Call("outcome_committed") => "worker: the outcome is committed",
        Point::Call("acknowledged") => "worker: the job is acknowledged",
        Point::Repeat("before_claim_commit") => "scheduler, repeating: before the claim commits",
        Point::Repeat("claim_committed") => "scheduler, repeating: the claim is committed",
        Point::Repeat("checked_not_written") => "scheduler, repeating: checked, nothing written yet",
        Point::RepeatWritten => "scheduler, repeating: the request is written, not answered",
        Point::Repeat("response_read") => "scheduler, repeating: the answer is read",
        Point::Call(other) | Point::Repeat(other) => panic!("{other} has no words"),
    }
}

fn cell(ends: &[End]) -> String {
    let words =
        |(state, sent, calls): &End| format!("`{state}`, {sent} sent, {calls} {}", if *calls == 1 { "call" } else { "calls" });
    ends.iter().map(words).collect::<Vec<_>>().join(" or ")
}

fn row(page: &mut String, first: &str, cells: impl Iterator<Item = String>) {
    writeln!(page, "| {first} | {} |", cells.collect::<Vec<_>>().join(" | ")).unwrap();
}

fn table_head(page: &mut String, title: &str, first: &str) {
    write!(page, "\n## {title}\n\n").unwrap();
    row(page, first, CLASSES.iter().map(|(_, head)| (*head).to_owned()));
    row(page, "---", CLASSES.iter().map(|_| "---".to_owned()));
}

fn print() -> String {
    let mut page = HEAD.to_owned();
    let titles = [
        (Blow::Kill, "A process is killed (SIGKILL)"),
        (Blow::Freeze, "A process freezes for longer than its lease, and thaws (SIGSTOP, SIGCONT)"),
    ];
    let mut all: Vec<Point> = Vec::new();
    for (capability, _) in CLASSES {
        all.extend(points(*capability).into_iter().filter(|point| !all.contains(point)).collect::<Vec<_>>());
    }
    for (blow, title) in titles {
        table_head(&mut page, title, "where it stands");
        for point in &all {
            let of = |(capability, _): &(Capability, &str)| match points(*capability).contains(point) {
                true => cell(ends(*point, *capability, blow)),
                false => "–".to_owned(),
            };
            row(&mut page, point_words(*point), CLASSES.iter().map(of));
        }
    }
    let titles = [(false, "The provider fails on a first call"), (true, "The same, and the worker dies with the answer")];
    for (dies, title) in titles {
        table_head(&mut page, title, "what the provider does");
        for (kind, nature, _) in FAULTS {
            let of = |(capability, _): &(Capability, &str)| cell(&[end(*nature, *capability, dies)]);
            row(&mut page, fault_words(*kind), CLASSES.iter().map(of));
        }
    }
    page
}

#[test]
fn the_page_says_what_the_tests_hold_to() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/fault-matrix.md");
    let printed = print();
    if std::env::var_os("MATRIX_WRITE").is_some() {
        std::fs::write(path, &printed).unwrap();
    }
    let page = std::fs::read_to_string(path).unwrap_or_default();
    for (line, (is, was)) in printed.lines().zip(page.lines()).enumerate() {
        assert_eq!(is, was, "line {} of docs/fault-matrix.md differs; if the change is meant, run with MATRIX_WRITE=1", line + 1);
    }
    assert_eq!(printed.len(), page.len(), "docs/fault-matrix.md has another length; if that is meant, run with MATRIX_WRITE=1");
}

#[test]
fn every_fault_of_a_first_call_is_in_the_matrix() {
    let elsewhere = |kind: &FaultKind| {
        let name = format!("{kind:?}");
        // A conflict needs a repeat, an id that is given twice needs two messages; the rest is about what comes after the answer.
        name.starts_with("Receipt")
            || name.starts_with("Cancel")
            || name.starts_with("LookUp")
            || name.starts_with("Letter")
            || matches!(kind, FaultKind::IdTwice | FaultKind::Conflict | FaultKind::PrintOutage)
            || matches!(kind, FaultKind::Undelivered | FaultKind::Expired | FaultKind::Suspended)
    };
    let missing: Vec<_> =
        FaultKind::ALL.iter().filter(|kind| !elsewhere(kind) && !FAULTS.iter().any(|(known, _, _)| known == *kind)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert!(FAULTS.iter().any(|(_, nature, _)| *nature == Nature::Made));
}
