//! Everyone whom the suite asks, once for each channel. A new provider is added here.

use super::postbird::{self, Postbird};
use duly::config::Lane;
use duly::model::state::Channel;
use duly::provider::described::DescribedProvider;
use duly::provider::file::{self, Folder};
use duly::provider::frozen::Thawed;
use duly::provider::http::HttpProvider;
use duly::provider::lob::Lob;
use duly::provider::notify::Notify;
use duly::provider::sandbox::Sandbox;
use duly::provider::smtp::{self, Smtp};
use duly::provider::stannp::Stannp;
use duly::provider::twilio::Twilio;
use duly::provider::wire::{ReadBack, Wire};
use duly::provider::{Item, Outbound, Provider, Word};
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

pub const REFERENCE: &str = "000102030405060708090a0b0c0d0e0f";
/// Stands in every secret, so that a secret in the wrong place is seen.
pub const SECRET: &str = "3d844edf-8d35-48ac-975b-e847b4f122b0";
const SOON: Duration = Duration::from_secs(2);
const ALL: [Channel; 3] = [Channel::Sms, Channel::Email, Channel::Letter];
/// An address at which nobody is.
const NOBODY: &str = "http://127.0.0.1:1";

/// How a provider is spoken to, and so what of it can be asked in the same way as of all others.
pub enum Speech {
    /// HTTP: its requests and answers are tables of its own.
    Wire(Box<dyn Wire>),
    /// Something else: it has no HTTP requests and answers to ask about.
    Own(Own),
}

/// Why a provider has no wire, and who holds it to what the others are asked here.
pub struct Own {
    pub why: &'static str,
    /// Each is a file with tests of its ends: what was taken, what was not, and what nobody knows.
    pub suites: &'static [&'static str],
}

const FOLDER: Own = Own {
    why: "it sends nothing: it writes files that somebody carries, and the file system answers",
    suites: &["src/provider/file/tests.rs", "tests/it/batches.rs"],
};
const RELAY: Own = Own {
    why: "it speaks SMTP, in which a mail is handed over in five commands, each with an answer of its own",
    suites: &["src/provider/smtp/tests.rs", "tests/it/relays.rs"],
};

pub struct Candidate {
    pub kind: &'static str,
    pub provider: Box<dyn Provider>,
    pub speech: Speech,
    pub channel: Channel,
    /// An id in the form of its ids.
    pub id: &'static str,
    /// Where a letter of its may go.
    address: Vec<String>,
    postage_class: &'static str,
    /// How an example reads its frozen requests back: no setting names it.
    pub example: Option<fn(&Thawed<'_>) -> Option<ReadBack>>,
}

impl Candidate {
    pub fn name(&self) -> String {
        format!("{} {}", self.kind, self.channel)
    }

    /// Its words on the channel.
    pub fn words(&self) -> Vec<&'static Word> {
        self.provider.capabilities().words.iter().filter(|row| row.channel == self.channel).collect()
    }

    /// Its wire, where it has one.
    pub fn wire(&self) -> Option<&dyn Wire> {
        match &self.speech {
            Speech::Wire(wire) => Some(wire.as_ref()),
            Speech::Own(_) => None,
        }
    }

    pub fn item(&self) -> Item<'_> {
        let (lines, postage_class) = (&self.address, self.postage_class);
        match self.channel {
            Channel::Sms => Item::Sms { from: "NORTHMERE", to: "+447700900001", text: "Your data & \"dŵr\"; code ABCD-EFGH" },
            Channel::Email => {
                let (from, from_name) = ("n@example.org", "Northmere");
                Item::Email { from, from_name, to: "ann@example.org", subject: "Your data", text: "Dear Ann,\n\ncode ABCD-EFGH" }
            }
            Channel::Letter => Item::Letter { from: lines, address: lines, pdf: pdf(), pages: 2, postage_class },
        }
    }

    pub fn outbound(&self) -> Outbound<'_> {
        let callback = Some("https://receipts.example/receipts/northmere/lane");
        Outbound { reference: REFERENCE, callback, item: self.item() }
    }
}

/// A letter that can be joined with others.
fn pdf() -> &'static [u8] {
    static PDF: OnceLock<Vec<u8>> = OnceLock::new();
    PDF.get_or_init(|| {
        let source = "#set document(title: \"A letter\", date: datetime(year: 2026, month: 11, day: 26))\n#set page(paper: \"a4\")\n\
                      #set text(font: \"Noto Sans\", size: 11pt, lang: \"en\", fallback: false)\n#heading(level: 1, \"A letter\")\n\nDear Ann";
        duly_letter::document(source, &serde_json::Value::Null, "conformance").unwrap()
    })
}

fn address(last: &str) -> Vec<String> {
    ["Ann Price", "1 High Street", "Northmere", last].map(str::to_owned).into()
}

fn lane(channel: Channel, url: &str, fields: &str) -> Lane {
    let text = format!(
        "channel = \"{channel}\"\nurl = \"{url}\"\napi_key = \"key-26785a09-ab16-4eb0-8407-a37497a57506-{SECRET}\"\n\
         receipt_secret = \"{SECRET}\"\nlookup = true\n{fields}"
    );
    toml::from_str(&text).unwrap()
}

/// A gateway that only the settings know.
fn gateway(channel: Channel) -> DescribedProvider {
    let (body, content, subject) = match channel {
        Channel::Sms => (r#"{"to": {{json to}}, "text": {{json text}}, "ref": {{json reference}}}"#, "/text", ""),
        Channel::Email => {
            (r#"{"to": {{json to}}, "re": {{json subject}}, "text": {{json text}}, "ref": {{json reference}}}"#, "/text", "/re")
        }
        Channel::Letter => (r#"{"to": {{json address}}, "pdf": {{json pdf}}, "ref": {{json reference}}}"#, "/pdf", ""),
    };
    let fields = format!(
        "[http]\npath = \"/send\"\nbody = '{body}'\ncontent = \"{content}\"\nsubject = \"{subject}\"\ntaken = [202]\n\
         id = \"/message/id\"\nstatus_path = \"/messages/{{id}}\"\nstatus = \"/message/state\"\n\
         [http.words]\nDELIVRD = \"{}\"\n\
         [http.receipt]\nsignature = \"x-signature\"\nid = \"/message/id\"\nword = \"/message/state\"\n",
        if channel == Channel::Sms { "delivered_to_handset" } else { "carrier_delivered" }
    );
    DescribedProvider::new(&lane(channel, NOBODY, &fields), channel).unwrap()
}

/// Who speaks HTTP: asked as a wire, and as the provider that it becomes.
fn by_wire<W: Wire>(make: impl Fn() -> W, channel: Channel, id: &'static str) -> Candidate {
    // Another test of this process may have installed it already.
    drop(rustls::crypto::ring::default_provider().install_default());
    let wire = make();
    Candidate {
        kind: wire.kind(),
        provider: Box::new(HttpProvider::new(make(), NOBODY, SOON).unwrap()),
        speech: Speech::Wire(Box::new(wire)),
        channel,
        id,
        address: address("AB1 2CD"),
        postage_class: "second",
        example: None,
    }
}

fn by_itself(kind: &'static str, provider: impl Provider + 'static, own: Own, channel: Channel) -> Candidate {
    Candidate {
        kind,
        provider: Box::new(provider),
        speech: Speech::Own(own),
        channel,
        id: REFERENCE,
        address: address("AB1 2CD"),
        postage_class: "second",
        example: None,
    }
}

/// Everyone, once for each channel; `folder` is where batches are written.
pub fn candidates(folder: &Path) -> Vec<Candidate> {
    let sms = || lane(Channel::Sms, NOBODY, "account = \"AC00000000000000000000000000000001\"\n");
    let letter = || lane(Channel::Letter, NOBODY, "");
    let mut all = vec![
        by_wire(|| Twilio::new(&sms(), Channel::Sms).unwrap(), Channel::Sms, "SM00000000000000000000000000000002"),
        by_wire(|| Stannp::new(&letter(), Channel::Letter), Channel::Letter, "16818210"),
        Candidate {
            address: address("Portland, OR 97201"),
            postage_class: "first",
            ..by_wire(|| Lob::new(&letter(), Channel::Letter), Channel::Letter, "ltr_4868c3b754655f90")
        },
        Candidate {
            example: Some(postbird::read_back),
            ..by_wire(|| Postbird { api_key: SECRET.into(), receipt_token: SECRET.into() }, Channel::Letter, "pb-1")
        },
        by_itself(smtp::KIND, Smtp::new(&lane(Channel::Email, "smtp://127.0.0.1:1", ""), SOON).unwrap(), RELAY, Channel::Email),
    ];
    for channel in ALL {
        let plain = || Sandbox::new(&lane(channel, NOBODY, ""), channel);
        all.push(by_wire(plain, channel, "sb_00000001"));
        all.push(by_wire(|| gateway(channel), channel, "a-1"));
        let lane_of = |fields: &str| lane(channel, NOBODY, fields);
        let fields = "provider = \"notify\"\ntemplate = \"f33517ff-2a88-4f6e-b855-c550268ce08a\"\n";
        let notify = || Notify::new(&lane_of(fields), channel).unwrap();
        all.push(by_wire(notify, channel, "740e5834-3a29-46b4-9a6f-16142fde533a"));
        let batches = lane_of(&format!("folder = \"{}\"\n", folder.join(channel.as_str()).display()));
        let batches = Folder::new("batches", &batches, channel, SOON).unwrap();
        all.push(by_itself(file::KIND, batches, FOLDER, channel));
    }
    all
}
