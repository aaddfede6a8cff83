//! Certificates of notification, for somebody to sign: of an incident, and of one person. Nothing in them is evidence.

use super::document::{Block, Document, Section, figure};
use super::figures::{anchor, answer, channels, date, lists, people, said, standing, times, when};
use super::obstacles::obstacles;
use super::pack::Audience;
use super::promised::{Promised, laws, named};
use super::rehearsal::with_rehearsal;
use super::replay::Replay;
use super::story::{Entry, Names, Told};
use super::summary::{FOOT, about, check, proves};
use super::tally::{Plan, Tally};
use super::words::{message, noun, otherwise};
use crate::model::person::printed_id;
use crate::model::state::{Channel, MessageState, NoticeState};
use crate::store::anchor::Outside;
use crate::store::incident::Incident;
use duly_ledger::{Checkpoint, Event};
use serde_json::Value;
use std::collections::BTreeMap;
use time::OffsetDateTime;

/// The word of the law that a certificate certifies.
const NOTIFIED: &str = "“Notified” means: a message with the full content that the law demands reached, on a channel that the law accepts, the state that the approved plan's table demands; a letter counts when it was handed to the carrier. It does not mean that anybody opened it.";

fn reader(audience: Audience) -> &'static str {
    match audience {
        Audience::Regulator => "the supervisory authority",
        Audience::Court => "the court",
        Audience::Person => "an affected person",
    }
}

/// `certificate.pdf` of an incident's pack.
pub fn of_incident(incident: &Incident, audience: Audience, replay: &Replay, promised: &[Promised], names: &Names) -> Document {
    let tally = &replay.tally;
    let p = &tally.people;
    let statement = format!(
        "By the log of this incident, as it stood on {}, the frozen lists hold {}: {} notified, {} unreachable, {} exempt, {} told in another way (withdrawn), {} with an open notice.",
        said(replay.as_of),
        people(p.people),
        figure(p.notified),
        figure(p.unreachable),
        figure(p.exempt),
        figure(p.withdrawn),
        figure(p.open)
    );
    Document {
        title: "Certificate of notification".to_owned(),
        lead: format!("For {}. {}", reader(audience), with_rehearsal(answer(tally), tally, promised)),
        date: date(replay.as_of),
        about: about(incident, replay, promised),
        sections: vec![
            Section::new("What is certified").text(with_rehearsal(statement, tally, promised)).text(NOTIFIED),
            standing(tally),
            times(tally),
            channels(tally),
            obstacles(tally),
            lists(tally),
            plans(&tally.plans, names),
            named(&promised.iter().collect::<Vec<_>>(), &tally.lists),
            proves(audience),
            check(),
            signature(),
        ],
        foot: FOOT.to_owned(),
    }
}

/// Who did what with the plans; the log has ids only.
fn plans(plans: &BTreeMap<u64, Plan>, names: &Names) -> Section {
    let mut rows = Vec::new();
    for (number, plan) in plans {
        for (at, what, user) in
            plan.moves.iter().filter(|(_, what, _)| matches!(what.as_str(), "prepared" | "approved" | "started"))
        {
            let who = names.get(user).map_or_else(|| "a user".to_owned(), Clone::clone);
            rows.push(vec![format!("{number} {what}"), when(*at), who, user.clone()]);
        }
    }
    let section = Section::new("Plans").table(
        "Who prepared, approved and started",
        &["plan", "time", "who", "user's id in the log"],
        rows,
        &[],
    );
    match names.is_empty() {
        true => section,
        false => section.text(
            "The log knows users by their ids and keys. The names are those under which the sender's installation keeps these keys; whoever vouched for a name signed for it there.",
        ),
    }
}

fn signature() -> Section {
    Section::new("Signature")
        .text("I have compared this certificate with the verified pack. It is true to the best of my knowledge and belief.")
        .block(Block::Signature { lines: vec!["Name and office".into(), "Signature".into(), "Date".into()] })
}

/// What a person's certificate is made of.
pub struct OfPerson<'a> {
    /// Incident.
    pub incident: &'a Incident,
    /// For whom.
    pub audience: Audience,
    /// The events, and what is known beside them.
    pub told: &'a Told<'a>,
    /// The same as sentences.
    pub entries: &'a [Entry],
    /// The same added up.
    pub tally: &'a Tally,
    /// The plans that cover the person.
    pub promised: &'a [Promised],
    /// The checkpoint that the pack leads to.
    pub checkpoint: &'a Checkpoint,
    /// What somebody outside held of the log.
    pub outside: Option<&'a Outside>,
    /// Values that were opened on request, by field.
    pub opened: &'a BTreeMap<String, String>,
    /// Whether what was sent is in the pack.
    pub has_messages: bool,
}

/// How the notice ended, by the newest event that says so.
struct End {
    at: i64,
    state: NoticeState,
    phase: u64,
    detail: serde_json::Map<String, Value>,
}

/// `certificate.pdf` of a person's pack.
pub fn of_person(of: &OfPerson<'_>) -> Document {
    let as_of =
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(of.tally.newest) * 1000).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let end = end(of.told);
    let person = printed_id(of.told.card.person_id);
    let answer = with_rehearsal(of.answer(end.as_ref()), of.tally, of.promised);
    let mut about = vec![
        ("Controller".to_owned(), of.incident.controller_name.clone()),
        ("Incident".to_owned(), format!("{}/{}", of.incident.controller_slug, of.incident.slug)),
        ("Person".to_owned(), person),
    ];
    about.extend(laws_without_others(of.promised));
    about.extend([
        ("Newest event".to_owned(), said(as_of)),
        ("Log".to_owned(), of.checkpoint.origin.clone()),
        ("Root".to_owned(), format!("{} of {} leaves", hex::encode(of.checkpoint.root), figure(of.checkpoint.size))),
        ("Last anchor".to_owned(), anchor(of.outside)),
    ]);
    let rows = of.entries.iter().map(|entry| {
        let notice = entry.notice.map_or_else(String::new, |notice| format!(". {notice}"));
        vec![said(entry.at), format!("{}{notice}", entry.text)]
    });
    let recorded =
        Section::new("What was recorded").table("Every event of this pack, oldest first", &["time", "what"], rows.collect(), &[]);
    let own_list: Vec<_> =
        of.tally.lists.iter().filter(|list| i64::try_from(list.list) == Ok(i64::from(of.told.card.list_no))).cloned().collect();
    Document {
        title: "Certificate of notification of one person".to_owned(),
        lead: format!(
            "For {}. {answer}",
            if of.audience == Audience::Person { "the affected person" } else { reader(of.audience) }
        ),
        date: date(as_of),
        about,
        sections: vec![
            Section::new("What is certified")
                .text(format!(
                    "By the log of this incident, up to the checkpoint of {} leaves: {answer}",
                    figure(of.checkpoint.size)
                ))
                .text(NOTIFIED),
            of.whom(),
            recorded,
            plans(&of.tally.plans, of.told.names),
            of.words(),
            named(&of.promised.iter().collect::<Vec<_>>(), &own_list),
            of.proves(),
            check_one(),
            signature(),
        ],
        foot: FOOT.to_owned(),
    }
}

fn end(told: &Told<'_>) -> Option<End> {
    let events = told.of_person.iter().filter_map(|placed| Event::parse(&placed.body).ok());
    let ends = events.filter_map(|event| {
        let state = event.detail.get("notice")?.as_str()?.parse().ok()?;
        let phase = event.detail.get("phase").and_then(Value::as_u64).unwrap_or(1);
        Some(End { at: event.at_micros, state, phase, detail: event.detail })
    });
    // A person counts by the newest phase.
    ends.fold(None, |newest: Option<End>, end| match newest {
        Some(newest) if newest.phase > end.phase => Some(newest),
        _ => Some(end),
    })
}

/// The laws of the plans, without how many others are told under them.
fn laws_without_others(promised: &[Promised]) -> Vec<(String, String)> {
    let laws = laws(&promised.iter().collect::<Vec<_>>());
    laws.into_iter().map(|(name, law)| (name, law.rsplit_once(": ").map_or(law.clone(), |(law, _)| law.to_owned()))).collect()
}

impl OfPerson<'_> {
    /// How the person stands, in one sentence.
    fn answer(&self, end: Option<&End>) -> String {
        let Some(end) = end else {
            return "This person has not been notified: the duty to tell them is open.".to_owned();
        };
        let at = when(end.at);
        match end.state {
            NoticeState::Notified if self.is_uncalled() => format!(
                "The log says of {at} that this person was told, and has no call to them: they do not count as notified, the duty to tell them is open, and the record needs an explanation."
            ),
            NoticeState::Notified => format!("This person was notified on {at}{}.", self.by(end)),
            NoticeState::Open => {
                format!("This person does not count as notified any more since {at}: the duty to tell them is open.")
            }
            NoticeState::Unreachable => {
                format!(
                    "This person could not be reached: on {at} no step of the route was left. A substitute or public notice is due."
                )
            }
            NoticeState::Exempt => format!("On {at} somebody decided and signed that no notice is owed to this person."),
            NoticeState::Withdrawn => {
                let how = end.detail.get("ground").and_then(Value::as_str).and_then(|how| how.parse().ok());
                let how = how.map_or("in another way", otherwise);
                format!("Somebody said and signed on {at} that this person was told {how}. No message of this log told them.")
            }
        }
    }

    fn is_uncalled(&self) -> bool {
        self.tally.uncalled.contains(self.told.card.person_id.as_bytes())
    }

    /// `, by letter: posted first class`.
    fn by(&self, end: &End) -> String {
        let text = |key: &str| end.detail.get(key).and_then(Value::as_str).unwrap_or_default();
        let (Ok(channel), Ok(state)) = (text("channel").parse::<Channel>(), text("to").parse::<MessageState>()) else {
            return String::new();
        };
        let notice = self.told.notices.iter().find(|notice| u64::try_from(notice.phase) == Ok(end.phase));
        let class = notice.and_then(|notice| self.told.postage.get(&notice.plan_no)).filter(|_| channel == Channel::Letter);
        let known = message(channel, state, class.map(String::as_str));
        let mut letters = known.chars();
        let known: String = letters.next().into_iter().flat_map(char::to_lowercase).chain(letters).collect();
        format!(", by {}: {known}", noun(channel))
    }

    fn whom(&self) -> Section {
        let section = Section::new("Whom it is about");
        if self.told.card.is_erased {
            return section.text("Everything personal of this person was destroyed. The proof stands, and nobody can say any more from this record who it was.");
        }
        if self.opened.is_empty() {
            return section.text("The record names this person by a random id, and holds their data as commitments only. A pack that is made with “--open name,letter” says who it is, and opens the commitments so that a reader can check that.");
        }
        let word = |field: &str| match field {
            "external_reference" => "Reference".to_owned(),
            "sms" => "Number for texts".to_owned(),
            "letter" => "Address".to_owned(),
            other => other.get(..1).unwrap_or_default().to_uppercase() + other.get(1..).unwrap_or_default(),
        };
        let facts = self.opened.iter().map(|(field, value)| (word(field), value.replace('\n', ", ")));
        section.facts(facts.collect()).text("These values were opened on request. “keys.json” shows that they are those of the frozen list, to which messages were sent.")
    }

    fn words(&self) -> Section {
        let mut facts = Vec::new();
        for plan in self.promised {
            if let Some(class) = self.told.postage.get(&i32::try_from(plan.plan).unwrap_or(i32::MAX)) {
                facts.push((format!("Letters of plan {}", plan.plan), format!("{class} class, as its approved text says")));
            }
        }
        let was_called = self.tally.kinds.contains_key("message.intent");
        let section = Section::new("In which words").text(match self.has_messages {
            _ if !was_called => "No call to this person stands in the log: there is nothing that was sent.",
            true => "What was sent stands in “messages/”, byte for byte; its commitment is in the event of the call.",
            false => {
                "A pack that is made with “--messages” holds what was sent, byte for byte. The event of each call commits to it."
            }
        });
        if facts.is_empty() { section } else { section.facts(facts) }
    }

    fn proves(&self) -> Section {
        Section::new("What this pack proves, and what it does not").text("Once it is verified with a key that did not come with it:").list([
            "It proves that each event in it stands in the sender's log, under the checkpoint named above, and that this person's events have no gap from the first to the last one here.",
            "It proves that the person's line stands in the list as it was frozen.",
            "It does not prove that nothing followed, or that nothing was sent twice: for that a reader needs the pack of the whole incident.",
            "It does not prove that anybody opened a message: “posted” and “reported delivered” are what providers and carriers said.",
            "It does not prove times more closely than the time stamps and witnesses of the log do.",
        ])
    }
}

fn check_one() -> Section {
    Section::new("How to check it without Duly").list([
        "duly-verify PACK --key LOG.vkey: one small program, no network, no database.",
        "verify.html: open it in a browser (tried in Chromium), offline, and drop the pack on it. It shares no code with the program.",
        "Any software for C2SP tlog-proof reads the files beside the events.",
        "Take the log's key from the controller or from the sender's published list, never from here.",
    ])
}
