//! docs/fault-matrix.md, printed from the tables of the tests.

use super::ends::{Death, FAULTS, LOOK_UPS, Nature, Reason, Row, WORKERS, end, schedulers};
use crate::crash_matrix::{End, Point, points, thawed};
use crate::support::Capability;
use duly_sandbox::FaultKind;
use std::fmt::Write;

/// The classes, the heads of their sections, and who is of them.
const CLASSES: &[(Capability, &str, &str)] = &[
    (
        Capability::Idempotent,
        "The provider honours our key: Stannp",
        "A repeat under the same key is answered again, and not made again.",
    ),
    (
        Capability::StrongLookup,
        "Its look-up sees at once: a folder of ours",
        "What it made is found by our reference; what is not found was not made.",
    ),
    (
        Capability::LaggingLookup,
        "Its look-up lags: GOV.UK Notify, Lob",
        "The same, some time after it was made: only what is not found after that time was not made. Lob honours keys as well, and is asked first.",
    ),
    (
        Capability::WeakLookup,
        "\"Not there\" proves nothing: Twilio",
        "What it made can be found by number and text; what is not found may have been made all the same.",
    ),
    (
        Capability::Nothing,
        "Nothing can be asked: a relay of emails, a provider that is described in settings",
        "It honours no key, and has no look-up.",
    ),
];

const HEAD: &str = "# What becomes of a call that goes wrong\n
Printed from the tables that `tests/it/fault_matrix.rs` and `tests/it/crash_matrix.rs` hold to, with real processes, a real\n\
Postgres, a real RabbitMQ and a provider over HTTP; a test compares this page with them. Each cell is a person of its own. In every\n\
cell the fault is shown to have fired for that person, the sandbox's own record shows one physical message at most, and the audit\n\
finds nothing.\n
How to read it: find the section of what your provider can do, the line of what it does wrong, and the column of where our process\n\
dies (SIGKILL) with the message in its hands; another process goes on. The cell says how the message stands when nobody can do more\n\
by himself: `accepted` 1·2 means that the provider took it, that there is **1** physical message on the provider's own record, and\n\
that we made **2** calls. The first number is never more than 1: nobody is told twice. No cell is without an end: nobody is lost.\n\
`asked` waits for a person, by name (with `unknown_rule = \"next_step\"` the route goes on instead), and its 0 or 1 is what that\n\
person cannot know. `rejected` and `failed` go on with the next step of the route. A letter in brackets stands where a combination cannot be:\n";

/// What the long run leaves to this matrix and to tests of its own.
const SOAK: &str = "\n## What the long run leaves out\n\n\
`make soak` sends 100,000 messages through providers that fail in every way at once, while workers are killed at random. It leaves out,\n\
and why: a redirect, 401, 402, 403 and the day's limit, because each stops its lane for a minute or until midnight, so that the run\n\
would show nothing else there, and its clock cannot be moved while calls are in flight (they stand in every table above); an id that is\n\
given to two messages, because what has it is believed of nobody and waits for ever (`vendors::`); messages taken back, because what must\n\
become of one depends on the moment (`recalls::`, with kills at each); and letters that the provider shows otherwise than it was given\n\
them, which its plain face does not show (`shown::`).\n";

/// Why a combination cannot be, in words.
fn reason_words(reason: Reason) -> (&'static str, &'static str) {
    match reason {
        Reason::NotCalled => (
            "(a)",
            "the process died before its call, and nobody calls again, because nobody can know that: somebody is asked. The fault has no call to strike.",
        ),
        Reason::Known => {
            ("(b)", "the end of the call is known: nobody looks it up, and nothing is repeated that one could die in.")
        }
        Reason::NotRefused => {
            ("(c)", "whoever honours our key answers again what was made under it, and never that it will not be made.")
        }
    }
}

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
        FaultKind::Unavailable => "503, not made",
        FaultKind::ErrorInside => "success with an error inside, not made",
        FaultKind::Redirect => "307, not made; the lane rests",
        FaultKind::CutBefore => "connection cut, not made",
        FaultKind::ErrorAfter => "500, made",
        FaultKind::NotJson => "made, an answer that is no JSON",
        FaultKind::CutAfter => "made, connection cut",
        FaultKind::Hang => "made, never answered",
        FaultKind::Late => "held longer than our timeout, then made",
        FaultKind::Drip => "made, an answer of a byte at a time, longer than our timeout",
        FaultKind::HeadDrip => "made, the head of its answer a byte at a time, longer than our timeout",
        FaultKind::Gzip => "made, an answer compressed unasked",
        FaultKind::HugeBody => "made, an answer of megabytes",
        FaultKind::Conflict => "409, as if made before",
        FaultKind::LookUpError => "500",
        FaultKind::LookUpTooMany => "429",
        FaultKind::LookUpNotJson => "an answer that is no JSON",
        FaultKind::LookUpCut => "connection cut",
        FaultKind::LookUpMoved => "the list moves while it is read: neither page shows it",
        FaultKind::LookUpOther => "another message is shown",
        FaultKind::LookUpTwice => "the list moves while it is read: both pages show it",
        other => panic!("{other:?} is no fault of this matrix"),
    }
}

fn row_words(row: Row) -> String {
    match row {
        Row::Clean => "nothing goes wrong".to_owned(),
        Row::Call(kind, ..) | Row::LookUp(kind) | Row::Repeat(kind, ..) => fault_words(kind).to_owned(),
    }
}

fn death_words(death: Death) -> &'static str {
    match death {
        None => "nobody dies",
        Some(Point::Written) => "request written, not answered",
        Some(Point::LookUp) => "scheduler: look-up answered, verdict not committed",
        Some(Point::Call("before_claim_commit")) => "claim not committed",
        Some(Point::Call("claim_committed")) => "claim committed",
        Some(Point::Call("checked_not_written")) => "checked, nothing written",
        Some(Point::Call("response_read")) => "answer read",
        Some(Point::Call("outcome_committed")) => "outcome committed",
        Some(Point::Call("acknowledged")) => "job acknowledged",
        Some(Point::Repeat("before_claim_commit")) => "scheduler, repeating: claim not committed",
        Some(Point::Repeat("claim_committed")) => "claim committed",
        Some(Point::Repeat("checked_not_written")) => "checked, nothing written",
        Some(Point::RepeatWritten) => "request written, not answered",
        Some(Point::Repeat("response_read")) => "answer read",
        Some(Point::Call(other) | Point::Repeat(other)) => panic!("{other} has no words"),
    }
}

fn cell(end: Result<End, Reason>) -> String {
    match end {
        Ok((state, sent, calls)) => format!("`{state}` {sent}·{calls}"),
        Err(reason) => reason_words(reason).0.to_owned(),
    }
}

fn line(page: &mut String, first: &str, cells: impl Iterator<Item = String>) {
    writeln!(page, "| {first} | {} |", cells.collect::<Vec<_>>().join(" | ")).unwrap();
}

/// A table of these rows, with a column for each death.
fn table(page: &mut String, capability: Capability, title: &str, rows: &[Row], deaths: &[Death]) {
    if rows.is_empty() {
        return;
    }
    write!(page, "\n### {title}\n\n").unwrap();
    line(page, "what goes wrong", deaths.iter().map(|death| death_words(*death).to_owned()));
    line(page, "---", deaths.iter().map(|_| "---".to_owned()));
    for row in rows {
        line(page, &row_words(*row), deaths.iter().map(|death| cell(end(capability, *row, *death))));
    }
}

fn print_class(page: &mut String, capability: Capability) {
    let (all, of_scheduler) = (Row::all(capability), schedulers(capability));
    let some = |is: fn(&Row) -> bool| all.iter().copied().filter(is).collect::<Vec<_>>();
    let deaths: Vec<Death> = [WORKERS, of_scheduler].concat();
    let (worker, further) = if of_scheduler.len() > 1 { (WORKERS, of_scheduler) } else { (&deaths[..], &[][..]) };
    let calls = some(|row| matches!(row, Row::Clean | Row::Call(..)));
    table(page, capability, "The first call goes wrong", &calls, worker);
    table(
        page,
        capability,
        "The first call is made and cut, and its look-up goes wrong",
        &some(|row| matches!(row, Row::LookUp(_))),
        worker,
    );
    let repeats = some(|row| matches!(row, Row::Repeat(..)));
    table(page, capability, "The first call is made and cut, and its repeat goes wrong", &repeats, worker);
    if !further.is_empty() {
        table(page, capability, "The first call goes wrong, and the scheduler dies in its repeat", &calls, further);
        table(
            page,
            capability,
            "The first call is made and cut, its repeat goes wrong, and the scheduler dies in it",
            &repeats,
            further,
        );
    }
}

/// A frozen process, by class.
fn print_freezes(page: &mut String) {
    page.push_str(
        "\n## A process freezes for longer than its lease, and thaws (SIGSTOP, SIGCONT)\n\n\
         Nothing else goes wrong here. Where two ends are named, two processes race for a fact that both may state.\n\n",
    );
    let classes = || CLASSES.iter().filter(|(capability, ..)| *capability != Capability::WeakLookup);
    line(page, "where it stands", classes().map(|(_, head, _)| (*head).to_owned()));
    line(page, "---", classes().map(|_| "---".to_owned()));
    let mut all: Vec<Point> = Vec::new();
    for (capability, ..) in classes() {
        let further: Vec<Point> = points(*capability).into_iter().filter(|point| !all.contains(point)).collect();
        all.extend(further);
    }
    for point in all {
        let of = |(capability, ..): &(Capability, &str, &str)| match points(*capability).contains(&point) {
            true => thawed(point, *capability).iter().map(|end| cell(Ok(*end))).collect::<Vec<_>>().join(" or "),
            false => "–".to_owned(),
        };
        let repeating = if matches!(point, Point::Repeat(_) | Point::RepeatWritten) { "repeat: " } else { "" };
        let words = death_words(Some(point)).trim_start_matches("scheduler, repeating: ");
        line(page, &format!("{repeating}{words}"), classes().map(of));
    }
}

fn print() -> String {
    let mut page = HEAD.to_owned();
    page.push('\n');
    for reason in [Reason::NotCalled, Reason::Known, Reason::NotRefused] {
        let (mark, words) = reason_words(reason);
        writeln!(page, "- {mark} {words}").unwrap();
    }
    for (capability, head, words) in CLASSES {
        write!(page, "\n## {head}\n\n{words}\n").unwrap();
        print_class(&mut page, *capability);
    }
    print_freezes(&mut page);
    page.push_str(SOAK);
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
fn every_fault_of_a_call_a_look_up_and_a_repeat_is_in_the_matrix() {
    let elsewhere = |kind: &FaultKind| {
        let name = format!("{kind:?}");
        // An id that is given twice needs two messages; the rest is about what comes after the answer.
        name.starts_with("Receipt")
            || name.starts_with("Cancel")
            || name.starts_with("Letter")
            || matches!(kind, FaultKind::IdTwice | FaultKind::PrintOutage | FaultKind::Undelivered)
            || matches!(kind, FaultKind::Expired | FaultKind::Suspended)
    };
    let all = [Capability::Idempotent, Capability::StrongLookup].map(Row::all).concat();
    let is_in = |kind: &FaultKind| all.iter().any(|row| row.kind() == Some(*kind));
    let missing: Vec<_> = FaultKind::ALL.iter().filter(|kind| !elsewhere(kind) && !is_in(kind)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert!(FAULTS.iter().any(|(_, nature, _)| *nature == Nature::Made) && LOOK_UPS.len() == 7);
}

#[test]
fn no_combination_of_the_matrix_tells_anybody_twice_or_has_no_end() {
    for (capability, ..) in CLASSES {
        for row in Row::all(*capability) {
            for death in [WORKERS, schedulers(*capability)].concat() {
                let Ok((state, sent, _)) = end(*capability, row, death) else { continue };
                assert!(
                    sent <= 1 && matches!(state, "accepted" | "asked" | "rejected" | "failed"),
                    "{capability:?} {row:?} {death:?}"
                );
            }
        }
    }
}
