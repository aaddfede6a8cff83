//! Which provider a lane's settings mean, and whose a frozen request is: the only place that knows their names.

use super::frozen::thaw;
use super::http::HttpProvider;
use super::sandbox::{self, ReceiptReader, Sandbox};
use super::wire::ReadBack;
use super::{Capabilities, LookupStrength, Provider, RawReceipt, ReceiptProof, ReceiptRefusal};
use crate::config::Lane;
use crate::model::state::Channel;
use sha2::{Digest, Sha256};
use std::time::Duration;

/// Words that a lane's setting `provider` may be.
pub const KINDS: &[&str] = &["sandbox"];

/// A lane as its roles see it.
pub struct Account {
    /// Lane's name, also the account's name in receipts.
    pub name: String,
    /// Channel.
    pub channel: Channel,
    /// Messages a second, never more than the provider takes.
    pub per_second: u32,
    /// Whether an unknown call may go on with the next step by itself.
    pub may_skip_unknown: bool,
    /// Whether real people are reached.
    pub is_live: bool,
    /// Its provider.
    pub provider: Box<dyn Provider>,
}

impl Account {
    /// The account of a lane; `timeout` is the longest wait for an answer.
    pub fn new(name: &str, lane: &Lane, timeout: Duration) -> Result<Self, reqwest::Error> {
        let channel = lane.channel.parse().unwrap_or(Channel::Sms);
        let provider: Box<dyn Provider> = Box::new(HttpProvider::new(Sandbox::new(lane, channel), &lane.url, timeout)?);
        let per_second = lane.per_second.clamp(1, provider.capabilities().per_second_max.unwrap_or(u32::MAX).max(1));
        Ok(Self {
            name: name.to_owned(),
            channel,
            per_second,
            may_skip_unknown: lane.unknown_rule == "next_step",
            is_live: lane.live,
            provider,
        })
    }

    /// Whether its provider says how a message stands when it is asked.
    pub fn can_be_asked(&self) -> bool {
        let capabilities = self.capabilities();
        capabilities.polling || matches!(capabilities.lookup, LookupStrength::Strong { .. })
    }

    /// How its receipts prove themselves, as their events name it; `None` where it sends none.
    pub fn scheme(&self) -> Option<&'static str> {
        match self.capabilities().receipts {
            ReceiptProof::Signed(scheme) | ReceiptProof::Confirmed(scheme) => Some(scheme),
            ReceiptProof::None => None,
        }
    }

    /// What its provider promises.
    pub fn capabilities(&self) -> &Capabilities {
        self.provider.capabilities()
    }
}

/// Whoever a receipt for a place that is not there is asked of: believes nothing, with as much work as another.
pub struct Nobody(ReceiptReader);

impl Default for Nobody {
    fn default() -> Self {
        Self(ReceiptReader::of_nobody())
    }
}

impl Nobody {
    /// Says no.
    pub fn refuse(&self, raw: &RawReceipt<'_>) -> ReceiptRefusal {
        self.0.read(raw).err().unwrap_or(ReceiptRefusal::BadSignature)
    }
}

fn read_back(frozen: &[u8]) -> Option<ReadBack> {
    let request = thaw(frozen)?;
    match request.kind {
        "sandbox" => sandbox::read_back(&request),
        _ => None,
    }
}

/// Reads a frozen request back: destination and SHA-256 of the content. For audits only.
pub fn read_request(frozen: &[u8]) -> Option<(String, [u8; 32])> {
    read_back(frozen).map(|read| (read.destination, Sha256::digest(read.content).into()))
}

/// The content of a frozen request, as it was rendered, and the ending of its file's name; `None` where it is no
/// provider's.
pub fn read_content(frozen: &[u8]) -> Option<(Vec<u8>, &'static str)> {
    read_back(frozen).map(|read| (read.content, read.ending))
}
