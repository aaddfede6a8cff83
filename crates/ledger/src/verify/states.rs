//! The words of messages and notices, and which move follows which: the section "Moves" of the format.

/// A value with one word.
pub trait Word: Sized + Copy + 'static {
    /// Every value.
    const ALL: &[Self];

    /// The word in a leaf.
    fn as_str(self) -> &'static str;

    /// The value of a word.
    fn of(word: &str) -> Option<Self>;
}

/// Declares an enum whose variants have one word each.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($variant:ident = $word:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name { $($variant,)+ }

        impl $crate::verify::states::Word for $name {
            const ALL: &[Self] = &[$(Self::$variant,)+];

            fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            fn of(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}
pub(crate) use words;

words! {
    /// How a message travels.
    Channel { Sms = "sms", Letter = "letter", Email = "email", }
}

words! {
    /// Why a message exists.
    Reason { First = "first", Escalation = "escalation", Resend = "resend", Correction = "correction", }
}

words! {
    /// Where the duty to tell one person stands.
    NoticeState {
        Open = "open", Notified = "notified", Unreachable = "unreachable", Exempt = "exempt", Withdrawn = "withdrawn",
    }
}

words! {
    /// Where a message stands.
    State {
        Ready = "ready", Sending = "sending", Unknown = "unknown", Asked = "asked", Accepted = "accepted", Sent = "sent",
        Printed = "printed", HandedToCarrier = "handed_to_carrier", DeliveredToHandset = "delivered_to_handset",
        CarrierDelivered = "carrier_delivered", Returned = "returned", Failed = "failed", Expired = "expired",
        Rejected = "rejected", Exhausted = "exhausted", Overdue = "overdue", Superseded = "superseded", Cancelled = "cancelled",
    }
}

impl NoticeState {
    /// Whether somebody's decision ended it.
    pub fn is_decided(self) -> bool {
        matches!(self, Self::Exempt | Self::Withdrawn)
    }
}

impl State {
    /// The rank of a provider's report; `None` for states that no report leads to.
    pub fn rank(self) -> Option<u8> {
        match self {
            Self::Accepted => Some(1),
            Self::Sent | Self::Printed => Some(2),
            Self::Expired => Some(3),
            Self::Failed => Some(4),
            Self::HandedToCarrier => Some(5),
            Self::DeliveredToHandset | Self::CarrierDelivered => Some(6),
            Self::Returned => Some(7),
            _ => None,
        }
    }

    /// What is known in this state, as a rank: `overdue` says no more than `sent`.
    pub fn known(self) -> Option<u8> {
        if self == Self::Overdue { Some(2) } else { self.rank() }
    }

    /// Whether a message may move from here to there.
    pub fn may_become(self, next: Self) -> bool {
        use State::*;
        match (self, next) {
            (Ready, Sending | Exhausted | Cancelled | Unknown) | (Sending, Ready | Rejected | Unknown) | (Cancelled, Ready) => {
                true
            }
            (Unknown, Ready | Sending | Asked | Rejected | Superseded) | (Asked, Ready | Rejected | Superseded) => true,
            (Accepted | Sent | Printed | HandedToCarrier, Overdue) => true,
            // A report is believed in whatever state the message is, and a higher one stands.
            (from, to) => to.rank().is_some_and(|rank| from.known().is_none_or(|known| known < rank)),
        }
    }

    /// Whether the step after this one has its cause: the message will not reach its person, as far as is known.
    pub fn is_cause(self) -> bool {
        use State::*;
        matches!(self, Rejected | Exhausted | Overdue | Superseded | Expired | Failed | Returned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of the published format, read as it is printed there.
    #[test]
    fn the_moves_are_those_of_the_published_format() {
        let format = include_str!("../../../../docs/evidence-format.md");
        let table =
            format.split("## Moves").nth(1).and_then(|rest| rest.split("\nReports and their ranks").next()).unwrap_or_default();
        let words = |cell: &str| cell.split('`').skip(1).step_by(2).filter_map(State::of).collect::<Vec<_>>();
        let mut listed = Vec::new();
        let mut check = |from: State, cell: &str| {
            let least = match cell {
                c if c.contains("any report") => 0,
                c if c.contains("rank 3 or more") => 3,
                c if c.contains("higher rank") => from.known().unwrap_or(0) + 1,
                _ => 9,
            };
            for to in State::ALL {
                let is_said = words(cell).contains(to) || to.rank().is_some_and(|rank| rank >= least);
                assert_eq!(from.may_become(*to), is_said, "{} {}", from.as_str(), to.as_str());
            }
            listed.push(from);
        };
        for row in table.lines().filter(|line| line.starts_with("| `")) {
            let mut cells = row.split('|').skip(1);
            let (from, to) = (cells.next().unwrap_or_default(), cells.next().unwrap_or_default());
            words(from).into_iter().for_each(|from| check(from, to));
        }
        let rest: Vec<State> =
            State::ALL.iter().copied().filter(|s| s.rank() > Some(2) && *s != State::HandedToCarrier).collect();
        rest.into_iter().for_each(|from| check(from, "a report of higher rank"));
        listed.sort();
        assert_eq!(listed.len(), State::ALL.len());
    }
}
