//! Which provider a lane's settings mean, and whose a frozen request is: the only place that knows their names.

use super::described::{self, DescribedProvider};
use super::file::{self, Folder};
use super::frozen::thaw;
use super::http::HttpProvider;
use super::lob::{self, Lob};
use super::notify::{self, Notify};
use super::reader::Reads;
use super::rotating::Rotating;
use super::sandbox::{self, ReceiptReader, Sandbox};
use super::smtp::{self, Smtp};
use super::stannp::{self, Stannp};
use super::twilio::{self, Twilio};
use super::wire::ReadBack;
use super::{Capabilities, ClaimedBy, Ground, LookupStrength, Provider, RawReceipt, ReceiptProof, ReceiptRefusal};
use crate::config::Lane;
use crate::model::state::{Channel, MessageState, UnknownRule};
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use std::net::IpAddr;
use std::time::Duration;

/// Words that a lane's setting `provider` may be.
pub const KINDS: &[&str] = &["file", "http", "lob", "notify", "sandbox", "smtp", "stannp", "twilio"];

/// How often a provider is asked at which nobody can call us back, where the settings do not say.
const POLL: Duration = Duration::from_secs(300);
/// How often every other provider is asked about what it has not told by itself, before it forgets.
const HARVEST: Duration = Duration::from_secs(86_400);

const TWILIO_ACCOUNT: &str = "must be the SID of an account at Twilio, `AC…`";
const NO_KIND: &str = "names no kind of provider; `duly provider list` shows them";

/// A lane as its roles see it.
pub struct Account {
    /// Lane's name, also the account's name in receipts.
    pub name: String,
    /// Channel.
    pub channel: Channel,
    /// Messages a second, never more than the provider takes.
    pub per_second: u32,
    /// Its part of the messages of its channel, in relation to the other lanes'.
    pub weight: u32,
    /// Messages a day (UTC), never more than the provider takes; `None`: no limit.
    pub per_day: Option<u64>,
    /// What is done with an unknown call of which nothing can be found out.
    pub unknown_rule: UnknownRule,
    /// Whether it is spared for times at which no other lane of its channel can send.
    pub is_reserve: bool,
    /// Whether real people are reached.
    pub is_live: bool,
    /// The word of its kind.
    pub kind: &'static str,
    /// The provider's own name for it, and its address, see [`Ground`].
    at: String,
    /// Whether no receipt of its is ever believed, as it has no secret to prove one by.
    is_deaf: bool,
    /// What lanes of one account at a vendor have in common, where the vendor has one address for the receipts of all of them.
    vendor: Option<[u8; 32]>,
    /// How often its provider is asked about messages of which no last word has come; `None`: only when news are due.
    pub poll: Option<Duration>,
    /// Its provider.
    pub provider: Box<dyn Provider>,
}

impl Account {
    /// The account of a lane; `timeout` is the longest wait for an answer, `is_reachable` whether providers can call us.
    pub fn new(name: &str, lane: &Lane, timeout: Duration, is_reachable: bool) -> Result<Self, AccountError> {
        let (kind, provider) = choose(name, lane, timeout)?;
        let provider = rotating(name, lane, timeout, provider);
        let capabilities = provider.capabilities();
        refuse_unguarded(name, lane, capabilities, is_reachable)?;
        let poll = match lane.poll_seconds {
            0 if !capabilities.polling || kind == "sandbox" => None,
            0 if is_reachable => Some(HARVEST),
            0 => Some(POLL),
            seconds => Some(Duration::from_secs(seconds)),
        };
        let per_second = lane.per_second.clamp(1, capabilities.per_second_max.unwrap_or(u32::MAX).max(1));
        Ok(Self {
            name: name.to_owned(),
            channel: channel_of(lane),
            per_second,
            weight: if lane.weight > 0 { lane.weight } else { per_second },
            per_day: per_day(lane.per_day, capabilities.per_day_max),
            unknown_rule: lane.unknown_rule.parse().unwrap_or_else(|_| UnknownRule::usual(channel_of(lane))),
            is_reserve: lane.reserve,
            is_live: lane.live,
            kind,
            at: place_of(lane),
            is_deaf: lane.live && lane.receipt_secret.expose_secret().is_empty(),
            vendor: vendor_of(lane),
            poll,
            provider,
        })
    }

    /// Whose account it is.
    pub fn ground(&self) -> Ground {
        Ground { kind: self.kind.to_owned(), is_live: self.is_live, at: self.at.clone() }
    }

    /// Whether receipts of the other lane may come to the door of this one: both are one account at a vendor that has one
    /// address for all of them.
    pub fn is_same_account(&self, other: &Self) -> bool {
        self.vendor.is_some() && self.vendor == other.vendor
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

    /// Whose word a status is, see [`Capabilities::claimed_by`].
    pub fn claimed_by(&self, word: &str) -> Option<ClaimedBy> {
        self.capabilities().claimed_by(self.channel, word)
    }

    /// A word that means nothing here, see [`Capabilities::unknown_word`].
    pub fn unknown_word<'a>(&self, word: &'a str, status: Option<MessageState>) -> Option<&'a str> {
        self.capabilities().unknown_word(self.channel, word, status)
    }

    /// Whether it ever says more of a message than that it took it: by receipts that are believed, or where it is asked.
    pub fn tells(&self) -> bool {
        (self.scheme().is_some() && !self.is_deaf) || self.can_be_asked()
    }

    /// What its provider promises.
    pub fn capabilities(&self) -> &Capabilities {
        self.provider.capabilities()
    }
}

/// Refuses a live lane that providers can call and that has no secret for its receipts: they prove themselves by it, and all of
/// them would be turned away. A lane that only asks needs none.
pub(super) fn refuse_unguarded(
    name: &str,
    lane: &Lane,
    capabilities: &Capabilities,
    is_reachable: bool,
) -> Result<(), AccountError> {
    let is_unguarded = lane.receipt_secret.expose_secret().is_empty() && capabilities.receipts != ReceiptProof::None;
    if !(lane.live && is_reachable && is_unguarded) {
        return Ok(());
    }
    let what = "must be set by file or environment, as `receipts.url` is: its receipts prove themselves by it";
    Err(AccountError::Lane { key: format!("lanes.{name}.receipt_secret"), what })
}

/// The provider of a lane, behind the files of its secrets where it has any.
fn rotating(name: &str, lane: &Lane, timeout: Duration, first: Box<dyn Provider>) -> Box<dyn Provider> {
    if lane.secret_files().is_empty() || first.batches().is_some() {
        return first;
    }
    let (owned, place) = (name.to_owned(), place_of(lane));
    // A key of another account would be asked about calls that went to this one, and send anew what it does not find.
    let make = move |lane: &Lane| if place_of(lane) == place { Some(choose(&owned, lane, timeout).ok()?.1) } else { None };
    let promised = first.capabilities().clone();
    Box::new(Rotating::new(name, lane, (first, promised), Box::new(make)))
}

/// The lane's own limit and the provider's: the lower one; 0 in the settings is none of our own.
fn per_day(own: u32, provider: Option<u32>) -> Option<u64> {
    [(own > 0).then_some(own), provider].into_iter().flatten().min().map(u64::from)
}

fn channel_of(lane: &Lane) -> Channel {
    lane.channel.parse().unwrap_or(Channel::Sms)
}

/// The provider's own name for a lane's account, and its address where people could be reached there. No secret.
fn place_of(lane: &Lane) -> String {
    let account = match lane.provider.as_str() {
        "notify" => Notify::service(lane).unwrap_or_default(),
        "twilio" => lane.account.clone(),
        _ => String::new(),
    };
    let url = if lane.live { lane.url.as_str() } else { "" };
    [account.as_str(), url].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" at ")
}

/// Which account at its vendor a lane is, as a hash: keys are among what tells it. `None`: each message names the address of its
/// own receipts, or it is not known. Where settings describe the provider, only lanes that read its words alike are one.
fn vendor_of(lane: &Lane) -> Option<[u8; 32]> {
    let key = lane.api_key.expose_secret();
    let account = match lane.provider.as_str() {
        "notify" => Notify::service(lane)?,
        "lob" | "stannp" => key.to_owned(),
        "http" => format!("{}\0{key}\0{}\0{:?}", lane.url, lane.channel, lane.http),
        smtp::KIND if !lane.account.is_empty() => format!("{}\0{}", lane.url, lane.account),
        _ => return None,
    };
    let url = if lane.live { lane.url.as_str() } else { "" };
    Some(Sha256::digest(format!("{}\0{}\0{url}\0{account}", lane.provider, lane.live)).into())
}

/// The one function that knows which word means which provider.
fn choose(name: &str, lane: &Lane, timeout: Duration) -> Result<(&'static str, Box<dyn Provider>), AccountError> {
    let channel = channel_of(lane);
    let wrong = |setting, what| AccountError::Lane { key: format!("lanes.{name}.{setting}"), what };
    match lane.provider.as_str() {
        "sandbox" => {
            let url = address(name, lane, "")?;
            Ok(("sandbox", Box::new(HttpProvider::new(Sandbox::new(lane, channel), &url, timeout)?)))
        }
        "notify" => {
            let url = address(name, lane, notify::LIVE_URL)?;
            let wire = Notify::new(lane, channel).ok_or_else(|| {
                wrong("api_key", "is no API key of GOV.UK Notify: it ends in two UUIDs, the service's and the secret")
            })?;
            if channel != Channel::Letter && lane.template.parse::<uuid::Uuid>().is_err() {
                return Err(wrong("template", "must be the UUID of the template whose whole body is ((body))"));
            }
            Ok(("notify", Box::new(HttpProvider::new(wire, &url, timeout)?)))
        }
        "twilio" => {
            let url = address(name, lane, twilio::LIVE_URL)?;
            let wire = Twilio::new(lane, channel).ok_or_else(|| wrong("account", TWILIO_ACCOUNT))?;
            Ok(("twilio", Box::new(HttpProvider::new(wire, &url, timeout)?)))
        }
        "http" => {
            let url = address(name, lane, "")?;
            let wire = DescribedProvider::new(lane, channel).map_err(|what| wrong("http", what))?;
            Ok(("http", Box::new(HttpProvider::new(wire, &url, timeout)?)))
        }
        file::KIND => {
            let folder = Folder::new(name, lane, channel, timeout).map_err(|(setting, what)| wrong(setting, what))?;
            Ok((file::KIND, Box::new(folder)))
        }
        "lob" => {
            let url = address(name, lane, lob::LIVE_URL)?;
            if lane.live && lob::is_test_key(&lane.api_key) {
                return Err(wrong(
                    "api_key",
                    "is a key of Lob's test mode, by which nothing is printed, and the lane is `live = true`",
                ));
            }
            Ok(("lob", Box::new(HttpProvider::new(Lob::new(lane, channel), &url, timeout)?)))
        }
        smtp::KIND => {
            let relay = Smtp::new(lane, timeout).map_err(|(setting, what)| wrong(setting, what))?;
            Ok((smtp::KIND, Box::new(relay)))
        }
        "stannp" => {
            let url = address(name, lane, stannp::LIVE_URL)?;
            Ok(("stannp", Box::new(HttpProvider::new(Stannp::new(lane, channel), &url, timeout)?)))
        }
        _ => Err(wrong("provider", NO_KIND)),
    }
}

/// Who reads the receipts of a lane; `None` where its provider sends none. Neither the lane's key nor its address is needed.
pub(super) fn reads(name: &str, lane: &Lane) -> Result<Option<Box<dyn Reads>>, AccountError> {
    let channel = channel_of(lane);
    let wrong = |setting, what| AccountError::Lane { key: format!("lanes.{name}.{setting}"), what };
    let reads: Box<dyn Reads> = match lane.provider.as_str() {
        "sandbox" => Box::new(Sandbox::new(lane, channel)),
        "notify" => Box::new(notify::Callbacks::new(lane, channel)),
        "twilio" => Box::new(Twilio::new(lane, channel).ok_or_else(|| wrong("account", TWILIO_ACCOUNT))?),
        "http" => Box::new(DescribedProvider::new(lane, channel).map_err(|what| wrong("http", what))?),
        file::KIND => return Ok(None),
        "lob" => Box::new(Lob::new(lane, channel)),
        smtp::KIND => Box::new(smtp::Notices::new(lane)),
        "stannp" => Box::new(Stannp::new(lane, channel)),
        _ => return Err(wrong("provider", NO_KIND)),
    };
    Ok(Some(reads))
}

/// Where a lane's requests go. What is not live never goes to the provider's own address: people could be reached there.
fn address(name: &str, lane: &Lane, own: &str) -> Result<String, AccountError> {
    let wrong = |what| Err(AccountError::Lane { key: format!("lanes.{name}.url"), what });
    let host = |url: &str| reqwest::Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned));
    // The other hosts of a vendor reach people as well: another region, another version.
    let is_own = |url: &str| {
        let (host, own) = (host(url).unwrap_or_default(), host(own).unwrap_or_default());
        let domain = own.split_once('.').map_or("", |(_, domain)| domain);
        !domain.is_empty() && (host == domain || host.ends_with(&format!(".{domain}")))
    };
    match (lane.url.as_str(), lane.live) {
        ("", true) if !own.is_empty() => Ok(own.to_owned()),
        ("", true) => wrong("must be set: this provider has no address of its own"),
        ("", false) => wrong("must be the sandbox's address as long as the lane is not `live = true`"),
        (url, false) if is_own(url) => {
            wrong("is the provider's own address, and the lane is not `live = true`: set the sandbox's address, or live = true")
        }
        (url, _) if host(url).is_none() => wrong("must be an http or https address"),
        (url, false) if !is_near(url) => wrong(
            "is another machine's address, where people could be reached, and the lane is not `live = true`: set the sandbox's (127.0.0.1, localhost or a name without dots), or live = true",
        ),
        (url, true) if !url.starts_with("https://") => {
            wrong("must begin with https:// as the lane is live: nothing of a person goes where others can read it")
        }
        (url, _) => Ok(url.to_owned()),
    }
}

/// Whether nobody but this machine or a neighbour of its own network answers there, as a sandbox does.
fn is_near(url: &str) -> bool {
    let host = reqwest::Url::parse(url).ok().and_then(|url| Some(url.host_str()?.trim_matches(['[', ']']).to_owned()));
    host.is_some_and(|host| host.parse::<IpAddr>().map_or(!host.contains('.'), |address| address.is_loopback()))
}

/// Why a lane has no account.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// The HTTP client.
    #[error("the HTTP client cannot be made")]
    Http(#[from] reqwest::Error),
    /// A setting of its.
    #[error("`{key}` {what}")]
    Lane {
        /// Setting.
        key: String,
        /// What is wrong.
        what: &'static str,
    },
}

impl AccountError {
    /// One sentence that tells the reader what to do next.
    pub fn remedy(&self) -> String {
        match self {
            Self::Http(_) => "check the certificates of this machine".to_owned(),
            Self::Lane { key, .. } => format!("correct `{key}` in the settings: `duly settings` shows where it comes from"),
        }
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
        file::KIND => file::read_back(&request),
        "http" => described::read_back(&request),
        "lob" => lob::read_back(&request),
        "notify" => notify::read_back(&request),
        "sandbox" => sandbox::read_back(&request),
        smtp::KIND => smtp::read_back(&request),
        "stannp" => stannp::read_back(&request),
        "twilio" => twilio::read_back(&request),
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
