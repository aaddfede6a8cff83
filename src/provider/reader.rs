//! What the receipts' door has of a lane: how its receipts prove themselves, and what their words mean. It is made of the
//! lane's settings and receipt secret, without the key and without a client: whoever takes the door over sends nothing.

use super::choose::{AccountError, reads, refuse_unguarded};
use super::rotating::Rotating;
use super::wire::Wire;
use super::{Capabilities, ClaimedBy, RawReceipt, ReadReceipt, ReceiptProof, ReceiptRefusal};
use crate::config::Lane;
use crate::model::state::{Channel, MessageState};

/// Reads the receipts of a provider's account.
pub trait Reads: Send + Sync {
    /// What the provider promises.
    fn capabilities(&self) -> &Capabilities;

    /// Believes a receipt, or says why not.
    fn parse_receipt(&self, raw: &RawReceipt<'_>) -> Result<Vec<ReadReceipt>, ReceiptRefusal>;

    /// The code by which the lane rests where this word says that nobody's message is taken.
    fn stop_code(&self, _word: &str) -> Option<&'static str> {
        None
    }
}

impl<W: Wire> Reads for W {
    fn capabilities(&self) -> &Capabilities {
        Wire::capabilities(self)
    }

    fn parse_receipt(&self, raw: &RawReceipt<'_>) -> Result<Vec<ReadReceipt>, ReceiptRefusal> {
        Wire::parse_receipt(self, raw)
    }

    fn stop_code(&self, word: &str) -> Option<&'static str> {
        Wire::stop_code(self, word)
    }
}

impl Reads for Rotating<dyn Reads> {
    fn capabilities(&self) -> &Capabilities {
        self.promised()
    }

    fn parse_receipt(&self, raw: &RawReceipt<'_>) -> Result<Vec<ReadReceipt>, ReceiptRefusal> {
        self.read(|reads| reads.parse_receipt(raw))
    }

    fn stop_code(&self, word: &str) -> Option<&'static str> {
        self.current().stop_code(word)
    }
}

/// A lane as the door sees it.
pub struct Reader {
    channel: Channel,
    reads: Box<dyn Reads>,
}

impl Reader {
    /// The reader of a lane; `None` where its provider sends no receipts. `is_reachable`: whether providers can call us.
    pub fn new(name: &str, lane: &Lane, is_reachable: bool) -> Result<Option<Self>, AccountError> {
        let lane = lane.without_key();
        let Some(first) = reads(name, &lane)? else { return Ok(None) };
        refuse_unguarded(name, &lane, first.capabilities(), is_reachable)?;
        let channel = lane.channel.parse().unwrap_or(Channel::Sms);
        if lane.secret_files().is_empty() {
            return Ok(Some(Self { channel, reads: first }));
        }
        let (owned, promised) = (name.to_owned(), first.capabilities().clone());
        let make = move |lane: &Lane| reads(&owned, lane).ok().flatten();
        Ok(Some(Self { channel, reads: Box::new(Rotating::new(name, &lane, (first, promised), Box::new(make))) }))
    }

    /// Believes a receipt, or says why not.
    pub fn read(&self, raw: &RawReceipt<'_>) -> Result<Vec<ReadReceipt>, ReceiptRefusal> {
        self.reads.parse_receipt(raw)
    }

    /// Whether nothing moves by its receipts before the provider was asked.
    pub fn is_confirmed(&self) -> bool {
        matches!(self.reads.capabilities().receipts, ReceiptProof::Confirmed(_))
    }

    /// Whose word a status is.
    pub fn claimed_by(&self, word: &str) -> Option<ClaimedBy> {
        self.reads.capabilities().claimed_by(self.channel, word)
    }

    /// A word that stands in no table of the provider's.
    pub fn unknown_word<'a>(&self, word: &'a str, status: Option<MessageState>) -> Option<&'a str> {
        self.reads.capabilities().unknown_word(self.channel, word, status)
    }

    /// The code by which the lane rests where this word says that nobody's message is taken.
    pub fn stop_code(&self, word: &str) -> Option<&'static str> {
        self.reads.stop_code(word)
    }
}
