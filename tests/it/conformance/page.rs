//! docs/providers.md says what the adapters promise: its figures are reckoned from theirs, and its tables have the same rows.

use super::{Candidate, all};
use duly::dispatch::harvest::asking;
use duly::model::state::MessageState;
use duly::provider::Account;
use duly::provider::lob::WORDS;
use std::time::Duration;

/// The run that all durations are of.
const LETTERS: u64 = 47_000;

/// The page, its lines joined.
fn page() -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/providers.md");
    std::fs::read_to_string(path).unwrap().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The part of the page under a heading of a provider's.
fn part<'a>(page: &'a str, heading: &str) -> &'a str {
    let (_, rest) = page.split_once(&format!(" ## {heading} ")).unwrap_or_else(|| panic!("there is no part {heading}"));
    rest.split(" ## ").next().unwrap()
}

/// `3 hours 16 minutes`, to the nearest minute.
fn time(seconds: u64) -> String {
    let minutes = (seconds + 30) / 60;
    let (hours, minutes) = (minutes / 60, minutes % 60);
    match hours {
        0 => format!("{minutes} minutes"),
        1 => format!("1 hour {minutes} minutes"),
        _ => format!("{hours} hours {minutes} minutes"),
    }
}

fn of<'a>(candidates: &'a [Candidate], kind: &str) -> &'a Candidate {
    candidates.iter().find(|candidate| candidate.kind == kind).unwrap()
}

/// A lane of letters at this pace.
fn lane(per_second: u32) -> Account {
    drop(rustls::crypto::ring::default_provider().install_default());
    let text = format!("provider = \"sandbox\"\nchannel = \"letter\"\nurl = \"http://127.0.0.1:1\"\nper_second = {per_second}\n");
    Account::new("lane", &toml::from_str(&text).unwrap(), Duration::from_secs(1), false).unwrap()
}

#[test]
fn every_duration_on_the_page_is_reckoned_from_the_pace_at_which_duly_sends_and_asks() {
    let (page, all) = (page(), all());
    for (heading, kind) in [("Stannp", "stannp"), ("Lob", "lob")] {
        let pace = of(&all, kind).provider.capabilities().per_second_max.unwrap();
        let said = format!("Duly sends {pace} letters a second: 47,000 letters take {}.", time(LETTERS / u64::from(pace)));
        assert!(part(&page, heading).contains(&said), "{heading}: {said}");
    }
    let slowest = of(&all, "stannp").provider.capabilities().per_second_max.unwrap();
    let round = |per_second: u32, of_limit: u64| {
        let in_ten_seconds = u64::try_from(asking(&lane(per_second), "lane", Duration::ZERO).limit).unwrap() / of_limit;
        time(LETTERS * 10 / in_ten_seconds)
    };
    let asked = format!(
        "at 50 a second 25, so that one round over 47,000 messages takes {}, and at Stannp's {slowest} a second {}.",
        round(50, 1),
        round(slowest, 1)
    );
    let seen = format!(
        "47,000 letters are seen after {} at 50 a second, and at Stannp's {slowest} a second after {}",
        round(50, 2),
        round(slowest, 2)
    );
    for said in [asked, seen] {
        assert!(page.contains(&said), "{said}");
    }
}

#[test]
fn every_way_out_has_its_questions_says_what_is_not_confirmed_and_where_its_receipts_go() {
    let (page, all) = (page(), all());
    let parts = [
        ("GOV.UK Notify", "notify"),
        ("Twilio", "twilio"),
        ("Stannp", "stannp"),
        ("Lob", "lob"),
        ("A mail relay", "smtp"),
        ("A folder: batches that somebody carries", "file"),
        ("Any other: described in the settings", "http"),
    ];
    let kinds = duly::provider::choose::KINDS.iter().filter(|kind| **kind != "sandbox");
    assert!(kinds.clone().all(|kind| parts.iter().any(|(_, known)| known == kind)), "{kinds:?}");
    for (heading, kind) in parts {
        let part = part(&page, heading);
        for row in ["**Never run ", "| question | answer |", "| Can a message go out twice? |", "| What is not confirmed? |"] {
            assert!(part.contains(row), "{heading}: {row}");
        }
        let row = part.split("| Callback address | ").nth(1).unwrap_or_else(|| panic!("{heading} has no callback address"));
        let is_entered = row.starts_with("As `duly provider list` prints it");
        let candidate = of(&all, kind);
        let (has, names_it) = (has_receipts(candidate), candidate.provider.capabilities().names_callback);
        // Notices of a mail relay are handed in by a filter, and nothing is entered at the relay.
        assert_eq!(is_entered, has && !names_it && kind != "smtp", "{heading}: {row}");
    }
}

fn has_receipts(candidate: &Candidate) -> bool {
    candidate.provider.capabilities().receipts != duly::provider::ReceiptProof::None
}

#[test]
fn the_events_to_be_ordered_at_lob_are_those_that_move_something() {
    let page = page();
    let part = part(&page, "Lob");
    let row = part.split("| Callback address |").nth(1).unwrap().split(" |").next().unwrap();

    let moves = |word: &&duly::provider::Word| word.state.is_some_and(|state| state != MessageState::Accepted);
    let mut wanted: Vec<String> = WORDS.iter().filter(moves).map(|word| format!("letter.{}", word.word)).collect();
    wanted.retain(|event| !event.starts_with("letter.certified."));
    wanted.push("letter.certified".to_owned());
    let mut named: Vec<String> = row.split('`').filter(|word| word.starts_with("letter.")).map(str::to_owned).collect();
    wanted.sort();
    named.sort();
    assert_eq!(named, wanted);
}
