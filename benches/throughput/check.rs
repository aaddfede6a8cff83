//! The content check over a force of 47,000: every text message rendered and read by every rule, on two threads.

use crate::{Entry, scaled};
use duly::config::ProfileFile;
use duly::model::contact::{PersonRecord, RawPerson};
use duly::model::state::{Channel, Content};
use duly::render::check::{Place, Report, Rules};
use duly::render::message::{Composer, Setting};
use duly::render::{Template, TemplateSet, Want};
use std::path::Path;
use std::time::Instant;
use uuid::Uuid;

const PEOPLE: u64 = 47_000;
const THREADS: usize = 2;

struct Ground {
    composer: Composer,
    setting: Setting,
    rules: Rules,
    people: Vec<PersonRecord>,
}

/// Measures.
pub fn run() -> Entry {
    let ground = ground(scaled(PEOPLE));
    let want = Want { profile: "uk-gdpr", channel: Channel::Sms, content: Content::Full, language: "en", format: "standard" };
    let template = ground.composer.templates().find("northmere", want).unwrap();
    let rendered = timed(&ground, template, false);
    let checked = timed(&ground, template, true);
    let people = ground.people.len();
    Entry {
        name: "check_47000_sms_seconds",
        value: checked,
        unit: "s",
        conditions: format!("{people} text messages that say everything, rendered and read by every rule, on {THREADS} threads"),
        baseline: format!("the same rendered and not read: {rendered:.2} s"),
        ratio: rendered / checked,
    }
}

fn timed(ground: &Ground, template: &Template, reads: bool) -> f64 {
    let began = Instant::now();
    std::thread::scope(|scope| {
        for people in ground.people.chunks(ground.people.len().div_ceil(THREADS)) {
            scope.spawn(move || {
                let mut report = Report::default();
                for person in people {
                    let code = "KXRB-72WQ";
                    let message = ground.composer.compose(&ground.setting, person, code, template).unwrap();
                    if reads {
                        let found = ground.rules.check(&ground.setting, person, code, template, &message);
                        report.add(Uuid::nil(), found.into_iter().map(|finding| (Place::of(template), finding)));
                    }
                }
                assert!(!report.has_errors(), "{:?}", report.lines().next());
            });
        }
    });
    began.elapsed().as_secs_f64()
}

fn ground(people: u64) -> Ground {
    let texts: toml::Table = toml::from_str(include_str!("../../examples/texts.toml")).unwrap();
    let texts = serde_json::json!(texts);
    let ProfileFile { profile, .. } = ProfileFile::load(Path::new("config/profiles"), "uk-gdpr").unwrap();
    let person = |i: u64| {
        let raw = RawPerson {
            external_reference: format!("PN{i:07}"),
            first_name: "Siân".into(),
            last_name: format!("Price-{}", ["Evans", "Nguyen", "Adeyemi", "O'Brien"][(i % 4) as usize]),
            phone: format!("07400 {:06}", i % 1_000_000),
            address: vec![format!("{i} High Street")],
            town: "Leeds".into(),
            postcode: "LS1 4AP".into(),
            ..RawPerson::default()
        };
        PersonRecord::check(&raw).unwrap().record
    };
    Ground {
        composer: Composer::new(TemplateSet::load(&[Path::new("templates")]).unwrap()),
        rules: Rules::of(&texts, profile),
        setting: Setting {
            texts,
            controller_name: "Northmere Police".into(),
            sms_sender: "NORTHMERE".into(),
            controller_address: vec!["Northmere Police".into()],
            date: (2026, 11, 9),
            discreet: false,
            watermark: String::new(),
            look: duly::model::look::Look::default(),
        },
        people: (0..people).map(person).collect(),
    }
}
