//! Nobody reads what was written to somebody else.

use super::*;
use crate::render::preview::{Reader, made_up};
use crate::render::{Want, letter};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

const NAMES: [&str; 6] =
    ["Ann Price", "Ann Price-Evans", "Siân O'Brien-Ŵyn", "محمد علي", "Αλέξανδρος Νικολάου", "#panic(\"x\") *b* {{x}}"];
const STREETS: [&str; 2] = ["1 High Street", "11 High Street"];
const CODES: [&str; 2] = ["KXRB-72WQ", "KXRB-72WR"];

/// What tells one person's message from another's: the name, where a letter goes, and the code.
type Told = (&'static str, &'static str, &'static str);

/// Everybody twice.
fn people() -> Vec<Told> {
    let one = || NAMES.into_iter().flat_map(|name| STREETS.map(|street| CODES.map(|code| (name, street, code))));
    one().chain(one()).flatten().collect()
}

fn composer() -> Composer {
    Composer::new(TemplateSet::load(&[&Path::new(env!("CARGO_MANIFEST_DIR")).join("templates")]).unwrap())
}

fn template(composer: &Composer, channel: Channel) -> Arc<Template> {
    let want = Want { profile: "uk-gdpr", channel, content: Content::Full, language: "en", format: "standard" };
    composer.templates().find("northmere", want).unwrap().clone()
}

fn reader(template: &Template, (name, street, _): Told) -> Reader {
    let texts: toml::Table = toml::from_str(include_str!("../../../examples/texts.toml")).unwrap();
    let reader = made_up(template, &json!(texts), |_| String::new());
    let address = Some(vec![street.to_owned(), "Leeds".into(), "LS1 4AP".into()]);
    Reader { person: PersonRecord { name: name.into(), address, ..reader.person }, ..reader }
}

/// Typesetters are kept and used again, by several threads at once.
#[test]
fn two_people_share_no_body_unless_their_data_are_equal() {
    let composer = composer();
    for channel in [Channel::Letter, Channel::Sms, Channel::Email] {
        let template = template(&composer, channel);
        let compose = |told: Told| {
            let reader = reader(&template, told);
            composer.compose(&reader.setting, &reader.person, told.2, &template).unwrap().content_hash
        };
        let mut bodies: BTreeMap<[u8; 32], BTreeSet<Told>> = BTreeMap::new();
        std::thread::scope(|scope| {
            let people = people();
            let threads = people.chunks(12).map(|some| {
                let (some, compose) = (some.to_vec(), &compose);
                scope.spawn(move || some.into_iter().map(|told| (compose(told), told)).collect::<Vec<_>>())
            });
            for thread in threads.collect::<Vec<_>>() {
                for (hash, (name, street, code)) in thread.join().unwrap() {
                    // Where somebody lives stands in letters alone.
                    let street = if channel == Channel::Letter { street } else { "" };
                    bodies.entry(hash).or_default().insert((name, street, code));
                }
            }
        });
        assert!(bodies.values().all(|told| told.len() == 1), "{channel}: a body for several people");
        let streets = if channel == Channel::Letter { STREETS.len() } else { 1 };
        assert_eq!(bodies.len(), NAMES.len() * CODES.len() * streets, "{channel}: equal people, and bodies that differ");
    }
}

#[test]
fn the_name_in_the_body_is_the_name_in_the_window_and_no_other_is_there() {
    let composer = composer();
    let template = template(&composer, Channel::Letter);
    let mut typesetter = Typesetter::new().unwrap();
    let letters = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).collect::<String>();
    // What the layout reorders is compared by src/render/printed.rs.
    let people = people().into_iter().filter(|(name, ..)| !name.contains('م'));
    for told @ (name, street, code) in people {
        let Reader { setting, person, .. } = reader(&template, told);
        let values = values(&setting, &person, code, &template).unwrap();
        let (body, checked) = (template.render_markup(&values).unwrap(), template.render_parts(&values).unwrap());
        let typeset = letter::typeset(&mut typesetter, &setting, &person, code, &template, (&body, &checked)).unwrap();
        let printed = letters(&typeset.printed.text);
        assert!(printed.contains(&letters(&format!("{name} {street} Leeds LS1 4AP"))), "{name}: not in the window");
        assert!(printed.contains(&letters(&format!("Dear {name}, We are writing"))), "{name}: not in the body");
        for other in NAMES.into_iter().filter(|other| *other != name) {
            assert!(!printed.contains(&letters(&format!("Dear {other}, We"))), "{name} reads {other}'s letter");
            assert!(!printed.contains(&letters(&format!("{other} {street}"))), "{other}'s name in the window of {name}");
        }
    }
}

#[test]
fn easy_read_is_set_larger_than_the_same_words_in_standard_print() {
    let composer = composer();
    let easy = composer.templates().all().iter().find(|t| t.name == "uk-gdpr/letter.en.easy-read").unwrap();
    let standard = Template::kept("uk-gdpr/letter.en", &easy.source).unwrap();
    let pages = |template: &Template| {
        let Reader { setting, person, .. } = reader(template, ("Ann Price", STREETS[0], ""));
        composer.compose(&setting, &person, CODES[0], template).unwrap().parts
    };
    assert!(pages(easy) > pages(&standard), "{} pages and {}", pages(easy), pages(&standard));
}
