//! What one run of the checker assumes, and what it may find.

/// What a provider can tell of a call whose answer was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// The same key again replays the first answer while the key lives.
    Idempotent,
    /// A message can be found by our reference at once.
    Strong,
    /// A message can be found by our reference, some time after it was made.
    Lagging,
    /// Nothing: a person or the plan's rule decides.
    None,
}

impl Class {
    pub const ALL: [Self; 4] = [Self::Idempotent, Self::Strong, Self::Lagging, Self::None];
}

/// One safeguard each, named after the function that holds it. A run may take one away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Safeguard {
    /// `store::claim` compares the state under the person's lock.
    ClaimCompares,
    /// `step`: a call without an answer that proves anything becomes `unknown` before anything else.
    UnknownBeforeRetry,
    /// `dispatch::gate`: a call does not start after `send_by`.
    SendBy,
    /// `dispatch::resolver::Absence::counts`: not found counts only after the margin.
    Margin,
    /// `dispatch::resolver::Absence::counts`: the margin is judged by when the look-up was sent.
    MarginWhenSent,
    /// `step`: a look-up speaks of the attempt that it asked about.
    AbsenceOfCurrent,
    /// `step`: an answer other than `accepted` counts for the current attempt only.
    OnlyCurrent,
    /// `store::claim`: no repeat after the key's life.
    KeyLife,
    /// `store::claim`: the key's life is counted with the time that the request may take.
    KeyMargin,
    /// `store::claim`: the key's life is looked at in the claim itself, not before.
    KeyInClaim,
    /// `step`: a late `accepted` settles the message in whatever state it is.
    LateAccepted,
    /// `step`: `accepted` settles the message whichever attempt it answers.
    AnyAccepted,
    /// `store::outcome::is_other`: provider ids of one message are compared.
    ComparesIds,
    /// `step`: a repeat that was not taken goes back to `unknown`.
    RepeatStaysUnknown,
    /// `provider`: 409 to a repeat proves nothing.
    ConflictIsUnknown,
    /// `store::claim`: no repeat before the original can no longer arrive.
    RepeatAfterMargin,
    /// `store::claim` reads the holds under the lock that `store::hold` takes.
    HoldInClaim,
    /// `store::claim`: a repeat makes the same claim as a first call.
    HoldInRepeat,
    /// `model::step::escalation_is_due` at the claim, and `Effect::Cancel`.
    EscalationLooksAgain,
    /// `step`: what takes the letter back puts the text message back among the open ones.
    FirstStepTakenBack,
    /// `dispatch::draft`: a job from the road claims what is `ready` and never repeats what is `unknown`.
    RoadNeverRepeats,
}

/// What must hold in every state that can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Property {
    /// No two physical messages for one send-once key.
    P1,
    /// Two physical messages whose provider ids are both known raise the alarm.
    P1a,
    /// Everything open is in the hands of somebody who can move it.
    P2,
    /// From everywhere an end can be reached.
    P3,
    /// No `not_taken` on record for a call that was produced.
    P4,
    /// No message goes back to `ready` though it was produced.
    P4m,
    /// No first call is claimed under a hold.
    P5,
    /// No repeat is claimed under a hold.
    P5r,
    /// No letter is claimed once the text message is not failing any more.
    P6,
    /// No message ends as never sent though it was produced.
    P7,
    /// What a provider says that it took is in a state that says so.
    P8,
    /// An open notice has an open message.
    P9,
    /// No alarm without two physical messages.
    NoFalseAlarm,
}

/// One run.
#[derive(Debug, Clone, Copy)]
pub struct Setup {
    pub class: Class,
    /// Calls for each message, repeats among them.
    pub calls: u8,
    /// Crashes of workers.
    pub crashes: u8,
    /// Whether a hold is set and lifted once.
    pub holds: bool,
    /// Whether a letter follows a text message that fails.
    pub escalates: bool,
    /// Whether a process may freeze between its last check and its first byte.
    pub window: bool,
    /// Whether a request may arrive at any time, however late.
    pub endless_network: bool,
    /// The safeguard that is taken away.
    pub without: Option<Safeguard>,
}

impl Setup {
    pub fn of(class: Class) -> Self {
        Self { class, calls: 2, crashes: 2, holds: false, escalates: false, window: false, endless_network: false, without: None }
    }

    pub fn without(class: Class, safeguard: Safeguard) -> Self {
        Self { crashes: 1, without: Some(safeguard), ..Self::of(class) }
    }

    /// A letter after a failing text message, one call each.
    pub fn escalating(class: Class) -> Self {
        Self { calls: 1, crashes: 1, escalates: true, ..Self::of(class) }
    }

    pub fn keeps(&self, safeguard: Safeguard) -> bool {
        self.without != Some(safeguard)
    }
}
