//! How often a provider tries to tell what became of a message, and what contents it.

/// When a receipt that found nobody is tried again.
pub(crate) struct Tries {
    /// Waits, ms.
    pub waits_ms: Vec<u64>,
    /// Which answers end the trying.
    pub content_with: ContentWith,
    /// After so many failures within a day none is sent any more, until somebody subscribes again.
    pub pauses_after: Option<usize>,
}

/// Which answers a provider takes for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ContentWith {
    /// 2xx.
    Success,
    /// All but 5xx.
    NoServerError,
    /// All but 5xx and 429.
    NoServerErrorNorLimit,
    /// Any: it tries again only where nobody was there.
    Anything,
}
