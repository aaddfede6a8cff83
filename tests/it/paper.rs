//! What lies in the envelope, read by programs that others wrote: each shipped letter is a sound PDF to them, and they read
//! in it what was given, in the window and in the text, whatever somebody is called and wherever they live.

mod fuzz;
mod readers;

use duly::model::contact::PersonRecord;
use duly::render::message::Composer;
use duly::render::preview::{Reader, fill, made_up};
use duly::render::{Template, TemplateSet};
use readers::{READERS, is_there};
use std::path::Path;
use std::sync::{Arc, LazyLock};

static COMPOSER: LazyLock<Composer> =
    LazyLock::new(|| Composer::new(TemplateSet::load(&[&Path::new(env!("CARGO_MANIFEST_DIR")).join("templates")]).unwrap()));

/// Whoever reads a template's letter, with each of its texts written.
fn reader(template: &Template) -> Reader {
    let texts: toml::Table = toml::from_str(include_str!("../../examples/texts.toml")).unwrap();
    made_up(template, &fill(&serde_json::json!(texts), template), |_| "made up".to_owned())
}

/// A letter as it would be sent: its PDF and its title.
struct Shipped {
    name: String,
    title: String,
    person: PersonRecord,
    pdf: Vec<u8>,
}

/// Each letter that comes with the program, drafts among them: standard, large and discreet.
fn shipped() -> Vec<Shipped> {
    let letters = COMPOSER.templates().all().iter().filter(|template| template.channel.as_str() == "letter");
    letters.flat_map(|template| ["standard", "large-print", "discreet"].map(|look| letter(template, look))).collect()
}

fn letter(template: &Arc<Template>, look: &str) -> Shipped {
    let Reader { mut setting, mut person, reference_code } = reader(template);
    setting.discreet = look == "discreet";
    if look == "large-print" {
        person.format = look.to_owned();
    }
    let composed = COMPOSER.compose(&setting, &person, &reference_code, template);
    let name = format!("{} {look}", template.name);
    let pdf = composed.unwrap_or_else(|error| panic!("{name}: {error}")).bytes;
    let titles: Vec<&str> = template.titles.iter().map(|(_, title)| title.as_str()).collect();
    Shipped { name, title: titles.join(" / "), person, pdf }
}

#[test]
fn each_shipped_letter_is_a_sound_pdf_to_programs_of_others_and_a_broken_one_is_not() {
    let letters = shipped();
    assert!(letters.len() > 40, "{} letters", letters.len());
    for reader in READERS.iter().filter(|reader| is_there(reader)) {
        for letter in &letters {
            let found = reader.finds(&letter.pdf, &letter.title, &letter.person.name);
            assert_eq!(found, None, "{} of {}", reader.program, letter.name);
        }
        let good = &letters[0];
        let cut = &good.pdf[..good.pdf.len() / 2];
        assert!(reader.finds(cut, &good.title, &good.person.name).is_some(), "{} takes half a file", reader.program);
        let (title, name) = (format!("{}.", good.title), format!("{}x", good.person.name));
        assert!(!reader.reads || reader.finds(&good.pdf, &title, &name).is_some(), "{} reads nothing", reader.program);
    }
}
