//! Each rule has a message that passes and one that fails.

mod abroad;
mod asks;
mod conditions;
mod coverage;
mod cuts;
mod headings;
mod elsewhere;
mod odd;
mod patterns;
mod phones;
mod values;

use super::known::Known;
use super::reading::Reading;
use super::*;
use crate::model::column::{Cell, Column, ColumnType};
use crate::model::contact::PersonRecord;
use crate::model::profile::Profile;
use crate::model::state::{Channel, Content};
use crate::model::texts::{in_language, table};
use crate::render::marked::Marked;
use crate::render::template::{Template, TemplateSet, Want};
use crate::render::variables::Variable;
use duly_letter::LetterError;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

static TEMPLATES: LazyLock<TemplateSet> =
    LazyLock::new(|| TemplateSet::load(&[&Path::new(env!("CARGO_MANIFEST_DIR")).join("templates")]).unwrap());

/// The made-up texts that come with the program, with those of further languages.
static EXAMPLES: LazyLock<toml::Table> = LazyLock::new(|| toml::from_str(include_str!("../../../examples/texts.toml")).unwrap());

fn profile(id: &str) -> Profile {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("config/profiles/{id}.toml"));
    Profile::parse(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// One message, good until a test makes it bad.
#[derive(Clone)]
struct Case {
    template: Template,
    /// Instead of what the template renders.
    text: Option<String>,
    profile: Profile,
    person: PersonRecord,
    controller_name: String,
    sms_sender: String,
    code: String,
    texts: Value,
    check_page: Option<&'static str>,
    font_pt: f64,
}

fn template(profile: &str, channel: Channel, content: Content) -> Template {
    Template::clone(TEMPLATES.find("northmere", Want { profile, channel, content, language: "en", format: "standard" }).unwrap())
}

fn case(id: &str, channel: Channel, content: Content) -> Case {
    Case {
        template: template(id, channel, content),
        text: None,
        profile: profile(id),
        person: PersonRecord {
            external_reference: "PN0042117".into(),
            name: "Zoé O'Brien-Müller".into(),
            phone: Some("+447400123456".into()),
            email: Some("sian.obrien@example.org".into()),
            address: Some(vec!["1 Heol y Bont".into(), "Aberystwyth".into(), "SY23 2AX".into()]),
            language: "en".into(),
            format: "standard".into(),
            jurisdiction: "GB".into(),
            columns: BTreeMap::new(),
        },
        controller_name: "Northmere Police".into(),
        sms_sender: "NORTHMERE".into(),
        code: "KXRB-72WQ".into(),
        texts: texts(id),
        check_page: None,
        font_pt: 10.5,
    }
}

fn texts(id: &str) -> Value {
    let mut texts = json!({
        "nature": "On 9 November 2026 a file with names and pay numbers was copied from a supplier's server.",
        "dates": "It was copied on 9 November 2026, and we learned of it two days later.",
        "discovery_date": "We found out on 11 November 2026.",
        "data_types": "Your name and your pay number. No address, bank detail or password was in it.",
        "consequences": "Somebody could pretend to know you, or to be us.",
        "measures": "The server is closed, the regulator is informed and the police investigate.",
        "measures_investigate": "Two outside experts read the server's records.",
        "measures_mitigate": "We asked the supplier to change every pay number.",
        "measures_prevent": "The supplier keeps no such files any more.",
        "advice": "Be wary of calls and messages that ask for details about you. We will never ask for a password.",
        "dpo_name": "Mary Holt",
        "dpo_contact": "0808 157 0100",
        "contact_phone": "0808 157 0100",
        "published": { "phones": ["0808 157 0100", "0303 123 1113"], "domains": ["ico.org.uk", "northmere.example"],
                       "email_sender": "notice@northmere.example" },
    });
    if id == "us-ca" {
        texts["delayed_by_le"] = json!("No authority asked us to wait with this letter.");
    }
    texts
}

fn rendered(case: &Case) -> String {
    let mut texts = in_language(&case.texts, &case.template.languages[0]);
    for name in crate::model::texts::TEXTS_OPTIONAL {
        texts.as_object_mut().unwrap().entry(*name).or_insert(json!(""));
    }
    let data = json!({
        "incident": texts, "controller": { "name": case.controller_name }, "person": { "name": case.person.name },
        "reference_code": case.code, "date": "25 November 2026",
    });
    let values: Vec<handlebars::Context> = case.template.order.iter().map(|_| data.clone().into()).collect();
    case.template.render(&values).unwrap()
}

fn run(case: &Case) -> Vec<Finding> {
    run_with(case, &Known::of(&table(&case.texts, "published"), &case.profile.id))
}

fn run_with(case: &Case, known: &Known) -> Vec<Finding> {
    let text = case.text.clone().unwrap_or_else(|| rendered(case));
    let message = Marked::read(&format!("{}\n{text}", case.template.title));
    let published = table(&case.texts, "published");
    check(&Subject {
        profile: &case.profile,
        channel: case.template.channel,
        content: case.template.content,
        message: &message,
        reading: &Reading::of(&message.text),
        known,
        variables: &case.template.variables,
        languages: &case.template.languages,
        font_pt: case.font_pt,
        person: &case.person,
        reference_code: &case.code,
        controller_name: &case.controller_name,
        sms_sender: &case.sms_sender,
        texts: &case.texts,
        facts: &table(&case.texts, "facts"),
        published: &published,
        check_page: case.check_page,
    })
}

fn ids(findings: &[Finding]) -> Vec<&'static str> {
    findings.iter().map(|f| f.rule).collect()
}

/// The same of a text whose letters beyond the basic alphabet make a long text message of it.
fn but_long(findings: &[Finding]) -> Vec<&'static str> {
    ids(findings).into_iter().filter(|id| *id != "C057").collect()
}

const LETTER: (Channel, Content) = (Channel::Letter, Content::Full);
const SMS: (Channel, Content) = (Channel::Sms, Content::Full);
const EMAIL: (Channel, Content) = (Channel::Email, Content::Full);

/// A message that fails one rule: which, under which profile and channel, and what makes it bad.
type Bad = (&'static str, &'static str, (Channel, Content), fn(&mut Case));

/// Says one more sentence in the advice.
fn says(case: &mut Case, sentence: &str) {
    let advice = case.texts["advice"].as_str().unwrap().to_owned();
    case.texts["advice"] = json!(format!("{advice} {sentence}"));
}

const BAD: &[Bad] = &[
    ("C001", "us-hipaa", LETTER, |c| c.texts["data_types"] = json!("")),
    ("C002", "uk-gdpr", LETTER, |c| c.texts["nature"] = json!("A breach.")),
    ("C003", "us-ma", LETTER, |c| c.template = template("us-ca", Channel::Letter, Content::Full)),
    ("C004", "uk-gdpr", LETTER, |c| c.texts["data_types"] = json!("")),
    ("C005", "uk-gdpr", LETTER, |c| {
        let text = rendered(c);
        c.text = Some(format!("{text}{text}"));
    }),
    ("C010", "us-ca", LETTER, |c| c.text = Some(rendered(c).replace("What We Are Doing", "What we are doing"))),
    ("C010", "us-ca", LETTER, |c| c.texts["measures"] = json!("")),
    ("C011", "us-ca", LETTER, |c| c.font_pt = 8.5),
    ("C020", "uk-gdpr", SMS, |c| c.text = Some(rendered(c) + " {{person.name}}")),
    ("C021", "uk-gdpr", LETTER, |c| c.person.name = "Se&#39;an O&amp;Brien".into()),
    ("C030", "uk-gdpr", LETTER, |c| {
        says(
            c,
            "Notwithstanding the aforementioned organisational countermeasures, unauthorised individuals subsequently obtained \
             considerable quantities of identifying documentation regarding approximately all contemporaneous personnel, \
             consequently necessitating comprehensive organisational reconsideration of administrative responsibilities \
             concerning confidentiality obligations towards participating individuals and associated representatives.",
        );
    }),
    ("C031", "uk-gdpr", LETTER, |c| c.texts["nature"] = json!("There was a security incident here.")),
    ("C040", "uk-gdpr", LETTER, |c| says(c, "Follow us on social media and get 10% off.")),
    ("C050", "uk-gdpr", SMS, |c| says(c, "See https://ico.org.uk/help.")),
    ("C051", "uk-gdpr", LETTER, |c| says(c, "See northmere-help.co.uk for more.")),
    ("C051", "uk-gdpr", LETTER, |c| c.check_page = Some("https://ico.org.uk.northmere-check.com/check")),
    ("C051", "uk-gdpr", LETTER, |c| c.check_page = Some("https://192.0.2.7/check")),
    ("C052", "uk-gdpr", LETTER, |c| says(c, "See bit.ly/3xyz for more.")),
    ("C053", "uk-gdpr", SMS, |c| says(c, "Please confirm your date of birth.")),
    ("C054", "uk-gdpr", SMS, |c| says(c, "Act now!")),
    ("C055", "uk-gdpr", LETTER, |c| says(c, "Call 0808 157 0199.")),
    ("C056", "uk-gdpr", SMS, |c| c.sms_sender = "INFO".into()),
    ("C056", "uk-gdpr", EMAIL, |c| c.texts["published"]["email_sender"] = json!("")),
    ("C056", "uk-gdpr", EMAIL, |c| c.texts["published"]["email_sender"] = json!("notice@northmere-help.co.uk")),
    ("C056", "uk-gdpr", EMAIL, |c| c.texts["published"]["email_sender"] = json!("Police <notice@northmere.example>")),
    ("C057", "uk-gdpr", SMS, |c| c.person.name = "Siân O'Brien-Ŵyn".into()),
    ("C057", "uk-gdpr", SMS, |c| says(c, &"Be wary of calls. ".repeat(50))),
    ("C060", "uk-gdpr", EMAIL, |c| says(c, "We write to sian.obrien@example.org.")),
    ("C061", "uk-gdpr", EMAIL, |c| c.texts["facts"] = json!({"discreet": true})),
    ("C060", "uk-gdpr", LETTER, |c| says(c, "Your number is PN-004 2117.")),
    ("C061", "uk-gdpr", SMS, |c| c.texts["facts"] = json!({"discreet": true})),
    ("C070", "uk-gdpr", LETTER, |c| c.texts["measures"] = json!("Mae'r gweinydd wedi cau ac mae ein heddlu yn gwybod.")),
    ("C080", "us-hipaa", LETTER, |c| c.profile.closing.clear()),
    ("C080", "uk-gdpr", SMS, |c| c.template = template("uk-gdpr", Channel::Sms, Content::Alert)),
    ("C081", "uk-gdpr", SMS, |c| c.texts["facts"] = json!({"compromised_channels": ["sms"]})),
    ("C090", "uk-gdpr", LETTER, |c| c.texts["dpo_name"] = json!("our office")),
    ("C091", "uk-gdpr", SMS, |c| c.text = Some(rendered(c).replace(&c.code, "the code"))),
    ("C092", "uk-gdpr", LETTER, |c| c.text = Some(rendered(c).replace("complaint_right", "advice.x"))),
    ("C093", "uk-gdpr", LETTER, |c| c.texts["consequences"] = json!("TBC by the legal department of ours.")),
];

/// The shipped English template of a profile, a draft where there is no other.
fn of(id: &str, (channel, content): (Channel, Content)) -> Case {
    let is_it = |case: &Case| {
        let t = &case.template;
        t.profile == id && t.channel == channel && t.content == content && t.languages == ["en"] && t.format == "standard"
    };
    shipped().find(is_it).unwrap()
}

#[test]
fn every_rule_has_a_message_that_passes_and_one_that_fails() {
    for rule in rules().filter(|rule| !matches!(rule.check, Check::Elsewhere)) {
        let bad: Vec<&Bad> = BAD.iter().filter(|(id, ..)| *id == rule.id).collect();
        assert!(!bad.is_empty(), "{} has no failing message", rule.id);
        for (_, id, kind, spoil) in bad {
            let mut case = of(id, *kind);
            assert!(!ids(&run(&case)).contains(&rule.id), "{} finds something in a good message: {:?}", rule.id, run(&case));
            spoil(&mut case);
            assert!(ids(&run(&case)).contains(&rule.id), "{} finds nothing in a bad message: {:?}", rule.id, run(&case));
        }
    }
    for Rule { id, remedy, says, source, .. } in rules() {
        assert!(!remedy.is_empty() && !says.is_empty() && !source.is_empty(), "{id}");
    }
}

/// Drafts are checked where a profile of the same name is there; their texts in other languages are given here.
fn shipped() -> impl Iterator<Item = Case> {
    TEMPLATES.all().iter().map(|template| {
        let mut case = Case { template: Template::clone(template), ..case("uk-gdpr", Channel::Letter, Content::Full) };
        case.profile = profile(&template.profile);
        case.texts = texts(&template.profile);
        case.texts["cy"] = json!({
            "nature": "Ar 9 Tachwedd 2026 cafodd ffeil ac enwau ynddi ei chopïo o weinydd ein cyflenwr.",
            "consequences": "Gallai rhywun esgus ei fod yn eich adnabod chi.",
            "measures": "Mae'r gweinydd wedi ei gau ac mae'r heddlu yn ymchwilio.",
            "advice": "Byddwch yn ofalus os bydd rhywun yn gofyn am eich manylion.",
            "dpo_name": "Mary Holt", "dpo_contact": "0808 157 0100",
        });
        if let Some(own) = EXAMPLES.get(&template.languages[0]) {
            case.texts[&template.languages[0]] = json!(own);
        }
        case
    })
}

#[test]
fn every_shipped_template_passes_under_its_profile() {
    for case in shipped() {
        let errors: Vec<Finding> = run(&case).into_iter().filter(|f| f.severity == Severity::Error).collect();
        assert!(errors.is_empty(), "{}: {errors:#?}", case.template.name);
        // An email under HIPAA or in California ends no notice by itself, and the check says so.
        let ends = case.profile.closes(case.template.channel, case.template.content);
        // Letters beyond the basic alphabet make a text message long in most languages but English.
        let is_long = case.template.channel == Channel::Sms && case.template.languages != ["en"];
        let is_known = |f: &Finding| f.rule == "C080" && !ends || f.rule == "C057" && is_long;
        let warned: Vec<Finding> = run(&case).into_iter().filter(|f| !is_known(f)).collect();
        if !case.template.is_draft || EXAMPLES.contains_key(&case.template.languages[0]) {
            assert!(warned.is_empty(), "{}: {warned:#?}", case.template.name);
        }
    }
}

#[test]
fn a_value_that_holds_markup_or_another_rules_words_is_no_part_and_no_code() {
    let mut case = case("uk-gdpr", Channel::Letter, Content::Full);
    case.person.name = "\u{e000}marketing \u{e001}#panic(\"x\") *b* _i_ $x$ `raw` {{x}}\u{e002}".into();
    let message = Marked::read(&rendered(&case));
    assert!(message.parts_of("marketing").next().is_none());
    assert!(message.text.contains("#panic(\"x\") *b* _i_ $x$ `raw`"));
}

#[test]
fn a_phone_is_known_however_it_is_written_and_a_date_is_none() {
    let mut case = case("uk-gdpr", Channel::Letter, Content::Full);
    says(&mut case, "Call +44 808 157 0100 or 0808-157-0100. It happened on 09.11.2026, between 10.00 and 11.30.");
    assert_eq!(ids(&run(&case)), Vec::<&str>::new());
}

#[test]
fn a_person_may_be_called_null_or_alert() {
    for name in ["Jennifer Null", "Alert {{x}} Discount", "Newsletter TBC"] {
        for kind in [LETTER, SMS] {
            let mut case = case("uk-gdpr", kind.0, kind.1);
            case.person.name = name.into();
            assert_eq!(ids(&run(&case)), Vec::<&str>::new(), "{name}");
            says(&mut case, "undefined TBC");
            assert_eq!(ids(&run(&case)), ["C020", "C093"], "{name}");
        }
    }
}

/// Codes are drawn with a digit in each half by now; of 47,000 older ones some read so.
#[test]
fn a_code_is_never_taken_for_a_placeholder() {
    for kind in [LETTER, SMS] {
        let mut case = case("uk-gdpr", kind.0, kind.1);
        case.code = "NULL-7KXR".into();
        assert_eq!(ids(&run(&case)), Vec::<&str>::new());
    }
}

/// The columns that a person's list has beside Duly's own.
fn with_cell(case: &mut Case, name: &str, value: &str, sensitive: bool) {
    let column = Column { kind: ColumnType::Text, sensitive };
    case.person.columns.insert(name.to_owned(), Cell { column, value: value.to_owned() });
}

#[test]
fn a_column_marked_sensitive_stands_in_no_message_however_it_is_spaced() {
    for (value, sentence) in [("B7-221", "Your grade was b7 221."), ("Intensive care", "You were in intensive care.")] {
        let mut case = case("uk-gdpr", Channel::Letter, Content::Full);
        says(&mut case, sentence);
        with_cell(&mut case, "pay_grade", value, false);
        assert_eq!(ids(&run(&case)), Vec::<&str>::new(), "{value}");
        with_cell(&mut case, "pay_grade", value, true);
        assert_eq!(ids(&run(&case)), ["C060"], "{value}");
    }
}

#[test]
fn a_template_that_prints_a_sensitive_column_is_refused_whatever_it_holds() {
    let mut case = case("uk-gdpr", Channel::Letter, Content::Full);
    case.template.variables.push(Variable { name: "person.pay_grade".into(), is_guarded: true, line: 3 });
    with_cell(&mut case, "pay_grade", "7", false);
    assert_eq!(ids(&run(&case)), Vec::<&str>::new());
    with_cell(&mut case, "pay_grade", "7", true);
    assert_eq!(ids(&run(&case)), ["C060"]);
}

#[test]
fn in_discreet_mode_the_window_does_not_name_who_writes() {
    let mut case = case("uk-gdpr", Channel::Letter, Content::Full);
    case.person.address = Some(vec!["c/o Northmere Police".into(), "1 Station Road".into(), "NE1 4XF".into()]);
    assert_eq!(ids(&run(&case)), Vec::<&str>::new());
    case.texts["facts"] = json!({"discreet": true});
    assert_eq!(ids(&run(&case)), ["C061"]);
    // A town of the same name is no employer.
    case.person.address = Some(vec!["1 High Street".into(), "Northmere".into(), "NE1 4XF".into()]);
    assert_eq!(ids(&run(&case)), Vec::<&str>::new());
}

#[test]
fn what_a_letter_is_refused_for_is_a_finding_of_its_zones() {
    let place = || duly_letter::Place { page: 1, x: 0.0, y: 0.0 };
    let rule = |error| refused(&error).map(|finding| (finding.rule, finding.severity));
    assert_eq!(rule(LetterError::NotDiscreet(place())), Some(("C061", Severity::Error)));
    assert_eq!(rule(LetterError::InWindow(place())), Some(("C062", Severity::Error)));
    assert_eq!(rule(LetterError::AddressOverflow(place())), Some(("C062", Severity::Warning)));
    assert_eq!(rule(LetterError::TooManyPages(11)), None);
}

#[test]
fn a_column_that_is_printed_unasked_is_missed_by_each_person_who_has_none() {
    let source = "{{!-- content = full; title = T --}}\n{{person.kind}} {{#if person.note}}{{person.note}}{{/if}}";
    let template = Template::kept("uk-gdpr/letter.en", source).unwrap();
    let mut case = case("uk-gdpr", Channel::Letter, Content::Full);
    let mut held = Holdings::default();
    held.add(&case.person);
    assert_eq!(lacking(&template, &case.person)[0].what, "`person.kind` is used, and there are people who have none");
    with_cell(&mut case, "kind", "old", false);
    held.add(&case.person);
    assert_eq!(lacking(&template, &case.person), []);
    let used: Vec<_> =
        held.used(&template).into_iter().map(|u| (u.column.clone(), u.line, u.with, u.without, u.is_gap())).collect();
    assert_eq!(used, [("kind".to_owned(), 2, 1, 1, true), ("note".to_owned(), 2, 0, 2, false)]);
}
