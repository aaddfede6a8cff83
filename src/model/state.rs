//! States of messages and notices, and the one table of moves between them.
//!
//! A state says what is known, not what is hoped. `migrations/` holds the same table, and a test compares them.

/// Declares an enum whose variants have one word each: in the database, in evidence and on screen.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$doc])* $variant,)+ }

        impl $name {
            /// Every value, in the order of the design.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The word used in the database, in evidence and on screen.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = UnknownWord;
            fn from_str(word: &str) -> Result<Self, UnknownWord> {
                match word {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(UnknownWord { kind: stringify!($name), word: word.to_owned() }),
                }
            }
        }
    };
}

/// A stored or typed word that names no value of its kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{word}` is not a {kind}")]
pub struct UnknownWord {
    /// What was expected.
    pub kind: &'static str,
    /// What stood there.
    pub word: String,
}

words! {
    /// How a message travels.
    Channel {
        /// A text message.
        Sms = "sms",
        /// A letter.
        Letter = "letter",
        /// An email.
        Email = "email",
    }
}

words! {
    /// Why a message exists.
    Reason {
        /// The first message of its channel in a phase.
        First = "first",
        /// The step before it did not reach the person.
        Escalation = "escalation",
        /// Somebody decided to send it again.
        Resend = "resend",
        /// An earlier message was wrong.
        Correction = "correction",
    }
}

words! {
    /// What a message says: all that the law requires, or only that there is something to read.
    Content {
        /// Everything that the profile requires.
        Full = "full",
        /// An alert, which never ends a notice.
        Alert = "alert",
    }
}

words! {
    /// The channels of a notice.
    Route {
        /// A text message that says everything.
        Sms = "sms",
        /// A letter.
        Letter = "letter",
        /// An email.
        Email = "email",
        /// A text message that alerts and a letter that notifies, at once.
        SmsAndLetter = "sms-and-letter",
        /// A text message that says everything; a letter where it does not arrive.
        SmsThenLetter = "sms-then-letter",
        /// An email that says everything; a letter where it does not arrive.
        EmailThenLetter = "email-then-letter",
    }
}

impl Route {
    /// The channels that start at once.
    pub fn first_channels(self) -> &'static [Channel] {
        match self {
            Self::Sms | Self::SmsThenLetter => &[Channel::Sms],
            Self::Letter => &[Channel::Letter],
            Self::Email | Self::EmailThenLetter => &[Channel::Email],
            Self::SmsAndLetter => &[Channel::Sms, Channel::Letter],
        }
    }

    /// Every channel that the route may use, so that all of it is rendered before approval.
    pub fn channels(self) -> &'static [Channel] {
        match self {
            Self::SmsThenLetter => &[Channel::Sms, Channel::Letter],
            Self::EmailThenLetter => &[Channel::Email, Channel::Letter],
            other => other.first_channels(),
        }
    }

    /// The step after `channel`, if that one does not reach the person.
    pub fn next_after(self, channel: Channel) -> Option<Channel> {
        match (self, channel) {
            (Self::SmsThenLetter, Channel::Sms) | (Self::EmailThenLetter, Channel::Email) => Some(Channel::Letter),
            _ => None,
        }
    }
}

words! {
    /// Where the duty to tell one person in one phase stands.
    NoticeState {
        /// Not ended.
        Open = "open",
        /// Told, as the profile counts it.
        Notified = "notified",
        /// No step of the route is left: a substitute or public notice is due.
        Unreachable = "unreachable",
        /// No notice is owed: the law does not require it, or it was never theirs.
        Exempt = "exempt",
        /// Taken out of the sending: told in another way.
        Withdrawn = "withdrawn",
    }
}

impl NoticeState {
    /// The only place that knows which moves exist: what was told may come back, and what was given up may arrive; what
    /// nobody was told yet, somebody may end by a decision, and nothing moves that again but somebody who takes it back.
    pub fn can_become(self, next: Self) -> bool {
        match next {
            Self::Exempt | Self::Withdrawn => matches!(self, Self::Open | Self::Unreachable),
            _ => self != next,
        }
    }

    /// Whether somebody ended it by a decision: nothing is sent any more.
    pub fn is_decided(self) -> bool {
        matches!(self, Self::Exempt | Self::Withdrawn)
    }
}

words! {
    /// How somebody was told outside of Duly.
    TellsOtherwise {
        /// Face to face.
        InPerson = "in_person",
        /// On the telephone.
        ByPhone = "by_phone",
        /// By another organisation, or a letter of its own.
        ByOthers = "by_others",
    }
}

words! {
    /// Where a message stands. `queued` is not stored: it is `ready` with a lease.
    MessageState {
        /// May be sent when due.
        Ready = "ready",
        /// A call is claimed; its lease runs.
        Sending = "sending",
        /// A call ended without an answer that proves anything.
        Unknown = "unknown",
        /// A person must decide about an unknown call.
        Asked = "asked",
        /// The provider took it and named it.
        Accepted = "accepted",
        /// The network has it.
        Sent = "sent",
        /// The letter was made.
        Printed = "printed",
        /// The letter was posted.
        HandedToCarrier = "handed_to_carrier",
        /// The network reported delivery to the handset.
        DeliveredToHandset = "delivered_to_handset",
        /// The carrier reported delivery.
        CarrierDelivered = "carrier_delivered",
        /// It came back.
        Returned = "returned",
        /// The provider gave it up.
        Failed = "failed",
        /// The provider's validity ended.
        Expired = "expired",
        /// The provider will never take it.
        Rejected = "rejected",
        /// Our deadline or attempt limit ended.
        Exhausted = "exhausted",
        /// Accepted, and no news when news was due.
        Overdue = "overdue",
        /// Another step took its place.
        Superseded = "superseded",
        /// Taken back before it left.
        Cancelled = "cancelled",
    }
}

words! {
    /// Why a message cannot leave as it is; it stays `ready` and is tried again.
    Misfit {
        /// A key or sealed value does not open.
        Sealed = "does_not_open",
        /// It does not render any more.
        Render = "does_not_render",
        /// Its bytes are not the ones that were approved.
        NotAsApproved = "not_as_approved",
    }
}

impl MessageState {
    /// How much is known since a provider took the message; the larger stands, whatever the order of receipts.
    ///
    /// `overdue` ranks with `sent`: being under way is no news for a message that should have arrived.
    pub fn report_rank(self) -> Option<u8> {
        match self {
            Self::Accepted => Some(0),
            Self::Sent | Self::Printed | Self::Overdue => Some(1),
            Self::Expired => Some(2),
            Self::Failed => Some(3),
            Self::HandedToCarrier => Some(4),
            Self::DeliveredToHandset | Self::CarrierDelivered => Some(5),
            Self::Returned => Some(6),
            _ => None,
        }
    }

    /// Whether a provider can say it of a message; `overdue` is what we say where none does.
    pub fn is_report(self) -> bool {
        self.report_rank().is_some() && self != Self::Overdue
    }

    /// Whether nothing more is expected by itself; late facts may still move it. `Message::awaits_news` knows the
    /// exception: a posted letter whose delivery alone counts.
    pub fn is_settled(self) -> bool {
        !matches!(
            self,
            Self::Ready
                | Self::Sending
                | Self::Unknown
                | Self::Asked
                | Self::Accepted
                | Self::Sent
                | Self::Printed
                | Self::Overdue
        )
    }

    /// Whether the message will not reach its person, as far as is known.
    pub fn is_dead(self) -> bool {
        matches!(
            self,
            Self::Returned | Self::Failed | Self::Expired | Self::Rejected | Self::Exhausted | Self::Superseded | Self::Cancelled
        )
    }

    /// Whether a call is still to be made, under way, or not known: the person's key is needed for what follows.
    pub fn is_in_hand(self) -> bool {
        matches!(self, Self::Ready | Self::Sending | Self::Unknown | Self::Asked)
    }

    /// Whether the state proves that a provider took the message.
    pub fn is_taken(self) -> bool {
        self.report_rank().is_some()
    }

    /// Whether a message of which no call is on record may have left: only where a restored database forgot the call.
    pub fn may_have_left_uncalled(self) -> bool {
        !matches!(self, Self::Ready | Self::Cancelled | Self::Exhausted)
    }

    /// The only place that knows which moves exist.
    pub fn can_become(self, next: Self) -> bool {
        use MessageState::*;
        match (self, next) {
            (Ready, Sending | Unknown | Exhausted | Cancelled) => true,
            (Sending, Ready | Unknown | Rejected) => true,
            (Unknown, Sending | Ready | Asked | Superseded | Rejected) => true,
            (Asked, Ready | Superseded | Rejected) => true,
            (Cancelled, Ready) => true,
            (from, Overdue) => matches!(from, Accepted | Sent | Printed | HandedToCarrier),
            // Late facts: a report is believed in whatever state the message is.
            (from, to) => match (from.report_rank(), to.report_rank()) {
                (None, Some(_)) => true,
                (Some(before), Some(after)) => before < after,
                (_, None) => false,
            },
        }
    }
}

words! {
    /// What is done with a call of which nothing can be found out, by nobody.
    UnknownRule {
        /// A person decides, who sees what each choice risks.
        Ask = "ask",
        /// The next step of the route is taken.
        NextStep = "next_step",
    }
}

impl UnknownRule {
    /// What follows, in a sentence about a call.
    pub const fn follows(self) -> &'static str {
        match self {
            Self::Ask => "a person is asked",
            Self::NextStep => "the next step of the route is taken",
        }
    }

    /// Where a lane's settings name none: a second text message is cheap to bear, a second letter frightens.
    pub const fn usual(channel: Channel) -> Self {
        match channel {
            Channel::Sms => Self::NextStep,
            Channel::Letter | Channel::Email => Self::Ask,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_reads_back() {
        for &state in MessageState::ALL {
            assert_eq!(state.as_str().parse(), Ok(state));
        }
    }

    #[test]
    fn reports_never_move_down() {
        for &from in MessageState::ALL {
            for &to in MessageState::ALL {
                let ranks = from.report_rank().zip(to.report_rank());
                if let Some((before, after)) = ranks.filter(|_| to != MessageState::Overdue) {
                    assert_eq!(from.can_become(to), before < after, "{from} {to}");
                }
            }
        }
    }
}
