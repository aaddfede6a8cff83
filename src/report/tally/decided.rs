//! Decisions and holds: their reasons may name somebody, so the log has the signed command's id alone.

use crate::model::state::TellsOtherwise;

/// A stop that somebody set.
#[derive(Debug, Clone)]
pub struct Hold {
    /// Whom it covered; `None`: the whole incident.
    pub person: Option<[u8; 16]>,
    /// When it was set, microseconds.
    pub set_at: i64,
    /// When it was lifted.
    pub lifted_at: Option<i64>,
    /// By which signed commands it was set, and lifted; they hold the reasons.
    pub commands: Vec<String>,
}

/// What somebody decided for a reason that the log does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// No notice is owed to a person.
    Exempt,
    /// A person was told in another way.
    ToldOtherwise(Option<TellsOtherwise>),
    /// A stop; `true`: of the whole incident.
    HoldSet(bool),
    /// Its end.
    HoldLifted(bool),
}

/// A decision that stands, or a hold: its reason is in the signed command that it names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Decided {
    /// When, microseconds.
    pub at: i64,
    /// What.
    pub what: What,
    /// Id of the signed command.
    pub command: String,
}

impl Hold {
    pub(super) fn decided(&self) -> impl Iterator<Item = Decided> {
        let is_of_all = self.person.is_none();
        let set = (Some(self.set_at), What::HoldSet(is_of_all));
        let moves = [set, (self.lifted_at, What::HoldLifted(is_of_all))];
        let of =
            |((at, what), command): ((Option<i64>, What), &String)| Some(Decided { at: at?, what, command: command.clone() });
        moves.into_iter().zip(&self.commands).filter_map(of)
    }
}
