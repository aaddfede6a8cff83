//! What must become of a message: by the class of its provider, by what goes wrong with its call, its look-up or its repeat,
//! and by where the process that holds it dies.

use crate::crash_matrix::{End, Point};
use crate::support::Capability;
use duly_sandbox::{Fault, FaultKind, Requests};

/// What a fault of a call does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nature {
    /// Taken, and said so in time.
    Taken,
    /// Not made, and said that it never will be.
    Refused,
    /// Not made, and said that it may be made later; some of these stop the lane for a while.
    NotTaken,
    /// Not made, and not said.
    Missing,
    /// Made, and not said.
    Made,
}

/// Every fault of a call, and how long it lasts, ms. A conflict needs a repeat; receipts have their own (`receipts::`).
pub const FAULTS: &[(FaultKind, Nature, u64)] = &[
    (FaultKind::Slow, Nature::Taken, 400),
    (FaultKind::Reject, Nature::Refused, 0),
    (FaultKind::TooMany, Nature::NotTaken, 300),
    (FaultKind::TooManyToday, Nature::NotTaken, 0),
    (FaultKind::Unauthorised, Nature::NotTaken, 0),
    (FaultKind::NoCredit, Nature::NotTaken, 0),
    (FaultKind::Forbidden, Nature::NotTaken, 0),
    (FaultKind::RequestTimeout, Nature::Missing, 0),
    (FaultKind::ErrorBefore, Nature::Missing, 0),
    (FaultKind::Unavailable, Nature::Missing, 0),
    (FaultKind::ErrorInside, Nature::Missing, 0),
    (FaultKind::Redirect, Nature::Missing, 0),
    (FaultKind::CutBefore, Nature::Missing, 0),
    (FaultKind::ErrorAfter, Nature::Made, 0),
    (FaultKind::NotJson, Nature::Made, 0),
    (FaultKind::CutAfter, Nature::Made, 0),
    (FaultKind::Hang, Nature::Made, 0),
    (FaultKind::Late, Nature::Made, 5500),
    (FaultKind::Drip, Nature::Made, 600),
    (FaultKind::HeadDrip, Nature::Made, 600),
    (FaultKind::Gzip, Nature::Made, 0),
    (FaultKind::HugeBody, Nature::Made, 0),
];

/// Faults of a look-up.
pub const LOOK_UPS: &[FaultKind] = &[
    FaultKind::LookUpError,
    FaultKind::LookUpTooMany,
    FaultKind::LookUpNotJson,
    FaultKind::LookUpCut,
    FaultKind::LookUpMoved,
    FaultKind::LookUpTwice,
    FaultKind::LookUpOther,
];

/// What goes wrong with one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Row {
    /// Nothing but the death.
    Clean,
    /// Its first call, so.
    Call(FaultKind, Nature, u64),
    /// Its first call is made and cut, and then its look-up fails so.
    LookUp(FaultKind),
    /// Its first call is made and cut, and then its repeat fails so.
    Repeat(FaultKind, Nature, u64),
}

impl Row {
    /// Every row that a class has.
    pub fn all(capability: Capability) -> Vec<Self> {
        let mut rows = vec![Self::Clean];
        rows.extend(FAULTS.iter().map(|(kind, nature, ms)| Self::Call(*kind, nature_at(capability, *kind, *nature), *ms)));
        if capability.looks_up() {
            rows.extend(LOOK_UPS.iter().map(|kind| Self::LookUp(*kind)));
        }
        if capability == Capability::Idempotent {
            rows.extend(FAULTS.iter().map(|(kind, nature, ms)| Self::Repeat(*kind, *nature, *ms)));
            rows.push(Self::Repeat(FaultKind::Conflict, Nature::Missing, 0));
        }
        rows
    }

    /// Its faults, for the message to this number.
    pub fn faults(self, number: &str) -> Vec<Fault> {
        let cut = Fault::once(FaultKind::CutAfter).on(Requests::First).of(number);
        match self {
            Self::Clean => Vec::new(),
            Self::Call(kind, _, ms) => vec![Fault::once(kind).lasting(ms).on(Requests::First).of(number)],
            Self::LookUp(kind) => vec![cut, Fault::once(kind).lasting(300).of(number)],
            // The simulator counts a kind over all requests of a message.
            Self::Repeat(kind, _, ms) => {
                let repeat = Fault { times: Some(self.fires()), ..Fault::always(kind) };
                vec![cut, repeat.lasting(ms).on(Requests::Repeat).of(number)]
            }
        }
    }

    /// What must have fired at the end.
    pub fn kind(self) -> Option<FaultKind> {
        match self {
            Self::Clean => None,
            Self::Call(kind, ..) | Self::LookUp(kind) | Self::Repeat(kind, ..) => Some(kind),
        }
    }

    /// How often: a repeat may meet what its call met.
    pub fn fires(self) -> u64 {
        if matches!(self, Self::Repeat(FaultKind::CutAfter, ..)) { 2 } else { 1 }
    }

    /// What the first call does.
    pub fn first(self) -> Nature {
        match self {
            Self::Clean => Nature::Taken,
            Self::Call(_, nature, _) => nature,
            Self::LookUp(_) | Self::Repeat(..) => Nature::Made,
        }
    }
}

/// Twilio says inside that it never sent it, since the account is suspended: the lane rests.
fn nature_at(capability: Capability, kind: FaultKind, nature: Nature) -> Nature {
    match (capability, kind) {
        (Capability::WeakLookup, FaultKind::ErrorInside) => Nature::NotTaken,
        _ => nature,
    }
}

/// Where a process dies; none: nobody dies.
pub type Death = Option<Point>;

/// Deaths of a worker, and that of nobody before them.
pub const WORKERS: &[Death] = &[
    None,
    Some(Point::Call("before_claim_commit")),
    Some(Point::Call("claim_committed")),
    Some(Point::Call("checked_not_written")),
    Some(Point::Written),
    Some(Point::Call("response_read")),
    Some(Point::Call("outcome_committed")),
    Some(Point::Call("acknowledged")),
];

/// Deaths of a scheduler that repeats.
const REPEATS: &[Death] = &[
    Some(Point::Repeat("before_claim_commit")),
    Some(Point::Repeat("claim_committed")),
    Some(Point::Repeat("checked_not_written")),
    Some(Point::RepeatWritten),
    Some(Point::Repeat("response_read")),
];

/// Deaths of a scheduler, as far as one of this class has something to do that it can die at.
pub fn schedulers(capability: Capability) -> &'static [Death] {
    match capability {
        Capability::Idempotent => REPEATS,
        Capability::Nothing => &[],
        _ => &[Some(Point::LookUp)],
    }
}

/// Why a combination cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// Nothing can be found out, or "not there" proves nothing: nobody calls again, somebody is asked.
    NotCalled,
    /// The end of the call is known: nobody asks, and nothing is repeated.
    Known,
    /// What was made under our key is never refused.
    NotRefused,
}

/// The one end of a cell, or why it cannot be.
pub fn end(capability: Capability, row: Row, death: Death) -> Result<End, Reason> {
    if matches!(row, Row::Repeat(_, Nature::Refused, _)) {
        return Err(Reason::NotRefused);
    }
    let undisturbed = undisturbed(capability, row);
    let (state, sent, calls) = undisturbed;
    match death {
        None | Some(Point::Call("before_claim_commit" | "outcome_committed" | "acknowledged")) => Ok(undisturbed),
        Some(Point::Call("claim_committed" | "checked_not_written")) if capability.calls_again() => Ok((state, sent, calls + 1)),
        // The look-up of what never left fails, and finds nothing when it does not.
        Some(Point::Call("claim_committed" | "checked_not_written")) => match row {
            Row::Clean | Row::LookUp(_) => Ok(("asked", 0, 1)),
            _ => Err(Reason::NotCalled),
        },
        Some(Point::Written | Point::Call(_)) => Ok(match row {
            Row::Repeat(..) => undisturbed,
            // Twilio's look-up says what its answer said: it was never sent.
            Row::Call(FaultKind::ErrorInside, ..) if capability == Capability::WeakLookup => ("failed", 0, 1),
            _ => known_by(capability, unsaid(row.first())),
        }),
        Some(_) if !matches!(row.first(), Nature::Missing | Nature::Made) => Err(Reason::Known),
        Some(Point::LookUp | Point::Repeat("before_claim_commit")) => Ok(undisturbed),
        // The first repeat is not known either; one more is made, and where that was the one to fail, a further one.
        Some(Point::Repeat("claim_committed" | "checked_not_written")) => Ok((state, sent, calls + 1)),
        Some(Point::Repeat(_) | Point::RepeatWritten) => Ok((state, sent, 3)),
    }
}

/// The end where nobody dies.
fn undisturbed(capability: Capability, row: Row) -> End {
    let (state, sent, calls) = known_by(capability, row.first());
    match row {
        // A repeat that is answered is the last one; whatever else it is answered speaks of the repeat alone.
        Row::Repeat(_, nature, _) => (state, sent, calls + i64::from(nature != Nature::Taken)),
        _ => (state, sent, calls),
    }
}

/// Whoever dies with the answer makes every answer one that was not said.
fn unsaid(nature: Nature) -> Nature {
    match nature {
        Nature::Taken | Nature::Made => Nature::Made,
        Nature::Refused | Nature::NotTaken | Nature::Missing => Nature::Missing,
    }
}

fn known_by(capability: Capability, nature: Nature) -> End {
    match (nature, capability) {
        (Nature::Taken, _) => ("accepted", 1, 1),
        (Nature::Refused, _) => ("rejected", 0, 1),
        (Nature::NotTaken, _) => ("accepted", 1, 2),
        (Nature::Missing, Capability::Nothing | Capability::WeakLookup) => ("asked", 0, 1),
        (Nature::Made, Capability::Nothing) => ("asked", 1, 1),
        (Nature::Missing, _) | (Nature::Made, Capability::Idempotent) => ("accepted", 1, 2),
        (Nature::Made, _) => ("accepted", 1, 1),
    }
}
