//! Letters look as their controller says, in the languages that somebody signed for, and stay as they were approved.

use crate::cli::desk::{Desk, TEXTS};
use crate::support::{Lane, Setup, Stage, eventually};
use duly::model::look::Look;
use duly::model::profile::Profile;
use duly::model::state::Route;
use duly::model::statement::controller_set;
use duly::render::TemplateSet;
use duly::render::check::readability::grade;
use duly::render::message::Composer;
use duly::render::preview::{fill, made_up, preview};
use serde_json::{Value, json};

const BADGE: &str = include_str!("../../examples/badge.svg");

fn look() -> Look {
    Look {
        logo: Some((BADGE.as_bytes().into(), "Badge".to_owned())),
        signature: None,
        check_page: Some("https://northmere.police.uk/check".to_owned()),
    }
}

#[tokio::test]
async fn a_plan_keeps_the_letterhead_that_it_was_approved_with_and_the_next_one_has_the_new() {
    let mut lane = Lane::named("letter");
    lane.provider.channel = "letter".into();
    let stage = Stage::new(Setup { people: 2, routes: vec![Route::Letter], lanes: vec![lane], ..Setup::default() }).await;
    let store = &stage.office.store;
    let controller = stage.incident.key.controller_id;
    let look = Look { signature: Some((BADGE.as_bytes().into(), "Signature of Ruth Amis".to_owned())), ..look() };
    let by = stage.users.ann.sign(store, &controller_set("northmere", &look.hash())).await.unwrap();
    store.insert_letterhead(controller, &look, by).await.unwrap();
    stage.add_people(3..=4, &[Route::Letter]).await;

    let _process = stage.start(&["scheduler", "worker"]);
    eventually("all are accepted", async || stage.states().await == ["accepted"; 4]).await;

    let bodies: Vec<Vec<u8>> =
        sqlx::query_scalar("select body from plan order by plan_no").fetch_all(&stage.owner).await.unwrap();
    let named = |body: &[u8]| serde_json::from_slice::<Value>(body).unwrap()["letterhead"].as_str().unwrap().to_owned();
    assert_eq!(
        bodies.iter().map(|body| named(body)).collect::<Vec<_>>(),
        [hex::encode(Look::default().hash()), hex::encode(look.hash())]
    );
    assert_eq!(
        stage.words("select kind from event where kind = 'controller.letterhead_set'").await,
        ["controller.letterhead_set"]
    );
    stage.audit().await;
}

#[tokio::test]
async fn a_logo_or_a_check_page_that_no_letter_can_print_is_refused_before_anybody_signs() {
    let desk = Desk::with_incident("letterhead", "1").await;
    desk.write("badge.svg", BADGE);
    desk.write("broken.svg", "<svg");
    desk.write("large.svg", &" ".repeat(40_000));
    let set = |more: &[&str]| desk.duly("ann", &[&["controller", "set", "northmere"], more].concat());

    set(&[]).refused("there is nothing to set", "--logo");
    set(&["--logo", "broken.svg", "--logo-alt", "Badge"]).refused("the logo or the signature cannot be read", "SVG");
    set(&["--logo", "large.svg", "--logo-alt", "Badge"]).refused("the logo has 39 kB", "in every letter");
    set(&["--check-page", "https://northmere.police.uk/check?person=7"]).refused("the address of the check page", "public page");

    let first = set(&["--logo", "badge.svg", "--logo-alt", "Badge", "--json"]).fine().json();
    let second = set(&["--check-page", "https://northmere.police.uk/check", "--json"]).fine().json();
    assert_ne!(first["letterhead"], second["letterhead"]);
    assert_eq!(second["letterhead"], hex::encode(look().hash()), "what is not given stays");
}

const WELSH: &str = "
[cy]
nature = \"Ar 9 Tachwedd 2026 cafodd ffeil ei chopïo o weinydd cyflenwr.\"
consequences = \"Gallai rhywun esgus ei fod yn eich adnabod chi.\"
measures = \"Mae'r gweinydd wedi cau ac mae'r heddlu yn gwybod am hyn.\"
advice = \"Byddwch yn ofalus gyda galwadau gan bobl nad ydych yn eu hadnabod.\"
dates = \"Cafodd ei chopïo ar 9 Tachwedd 2026.\"
data_types = \"Eich enw a'ch rhif cyflog.\"
dpo_name = \"Mary Holt\"
dpo_contact = \"0808 157 0100\"
";

/// A desk whose incident has Welsh texts, and somebody who reads Welsh.
async fn welsh_desk(name: &str) -> Desk {
    let desk = Desk::with_incident(name, "1").await;
    desk.write("own.toml", &format!("{TEXTS}{WELSH}"));
    desk.duly("ann", &["incident", "add", "own", "--controller", "northmere", "--texts", "own.toml"]).fine();
    desk.write(
        "welsh.csv",
        "Pay number,First name,Surname,Mobile,Address 1,Town,Postcode,Language\n\
         PN8,Siân,Wyn-Evans,07400 123460,1 Heol y Bont,Aberystwyth,SY23 2AX,Cymraeg\n",
    );
    desk.duly("ann", &["list", "import", "welsh.csv", "--incident", "own"]).fine();
    desk
}

#[tokio::test]
async fn an_own_copy_of_a_draft_is_a_draft_until_somebody_has_signed_for_its_very_words() {
    let mut desk = welsh_desk("own_draft").await;
    desk.set("DULY_TEMPLATES__OWN", "own");
    let name = "uk-gdpr/letter.en+cy";
    let prepare = || desk.duly("ann", &["plan", "prepare", "--incident", "own", "--route", "letter", "--json"]);
    let is_refused = || prepare().json().as_array().unwrap().iter().any(|found| found["rule"] == "C071");
    let listed = || {
        let templates = desk.duly("ann", &["template", "list", "--json"]).fine().json();
        templates.as_array().unwrap().iter().find(|template| template["name"] == name).unwrap().clone()
    };
    let review = || {
        let hash = listed()["hash"].as_str().unwrap().to_owned();
        desk.duly("bob", &["template", "review", name, "--hash", &hash]).fine()
    };

    let copied = desk.duly("ann", &["template", "new", name, "--json"]).fine().json();

    assert_eq!((&copied["file"], &copied["draft"]), (&Value::from("own/drafts/uk-gdpr/letter.en+cy.hbs"), &Value::from(true)));
    assert!(listed()["draft"] == true && is_refused());
    // Where somebody moves it by hand, it is still what nobody has read.
    let live = desk.path("own/uk-gdpr/letter.en+cy.hbs");
    std::fs::create_dir_all(live.parent().unwrap()).unwrap();
    std::fs::rename(desk.path("own/drafts/uk-gdpr/letter.en+cy.hbs"), &live).unwrap();
    assert!(listed()["draft"] == true && is_refused());
    desk.duly("ann", &["template", "new", name]).refused("`own/uk-gdpr/letter.en+cy.hbs` exists", "written over");
    review();
    // Another word, and the review is gone with it.
    let text = std::fs::read_to_string(&live).unwrap();
    std::fs::write(&live, text.replace("We are sorry that it happened.", "We are sorry for it.")).unwrap();
    assert!(is_refused());
    review();
    prepare().fine();
}

#[tokio::test]
async fn welsh_goes_out_once_a_named_reviewer_has_signed_for_the_very_words() {
    let desk = welsh_desk("review").await;
    let prepare = || desk.duly("ann", &["plan", "prepare", "--incident", "own", "--route", "letter", "--json"]);
    let refused = prepare();
    assert!(refused.json().as_array().unwrap().iter().any(|found| found["rule"] == "C071"), "{refused:?}");

    let templates = desk.duly("ann", &["template", "list", "--json"]).fine().json();
    let is_letter = |template: &&Value| template["name"] == "uk-gdpr/letter.en+cy";
    let hash = templates.as_array().unwrap().iter().find(is_letter).unwrap()["hash"].as_str().unwrap().to_owned();
    let review = |hash: &str| desk.duly("bob", &["template", "review", "uk-gdpr/letter.en+cy", "--hash", hash]);
    review("0123456789ab").refused("`uk-gdpr/letter.en+cy` has another hash", "template list");
    review(&hash[..6]).refused("`uk-gdpr/letter.en+cy` has another hash", "template list");
    desk.duly("bob", &["template", "review", "uk-gdpr/letter.en", "--hash", &hash])
        .refused("`uk-gdpr/letter.en` has", "template");
    review(&hash[..12]).fine();
    assert!(review(&hash).fine().err.contains("reviewed already"));

    prepare().fine();
    let shown = desk.duly("bob", &["plan", "show", "--incident", "own", "--json"]).fine().out;
    assert!(shown.contains(&hash), "{shown}");
    desk.duly("bob", &["plan", "approve", "--incident", "own"]).fine();
    assert_eq!(desk.duly("ann", &["audit", "--json"]).fine().json()["holds"], true);
    // A signature over one hash is no review of another.
    let forged = "insert into template_review select sha256('other'), template, reviewed_by, command_id from template_review";
    let refused = desk.sabotage(forged).await.unwrap_err();
    assert_eq!(refused.into_database_error().unwrap().code().as_deref(), Some("DU005"));
}

const GERMAN: &str = "
[de]
nature = \"Am 9. November 2026 wurde eine Datei von einem Server unseres Lieferanten kopiert.\"
consequences = \"Jemand könnte so tun, als würde er Sie kennen.\"
measures = \"Der Server ist abgeschaltet, und wir haben die Polizei informiert.\"
advice = \"Seien Sie vorsichtig bei Anrufen von Leuten, die Sie nicht kennen.\"
dates = \"Das geschah am 9. November 2026.\"
data_types = \"Ihr Name und Ihre Personalnummer.\"
";

#[tokio::test]
async fn german_is_a_draft_until_somebody_signed_and_nobody_claims_to_have_measured_it() {
    let desk = Desk::with_incident("german", "1").await;
    desk.write("own.toml", &format!("{TEXTS}{GERMAN}"));
    desk.duly("ann", &["incident", "add", "own", "--controller", "northmere", "--texts", "own.toml"]).fine();
    desk.write(
        "german.csv",
        "Pay number,First name,Surname,Address 1,Town,Postcode,Country,Language\n\
         PN9,Käthe,Groß-Öztürk,Lindenallee 12,Berlin,10969,DE,German\n",
    );
    desk.duly("ann", &["list", "import", "german.csv", "--incident", "own"]).fine();
    let prepare =
        || desk.duly("ann", &["plan", "prepare", "--incident", "own", "--route", "letter", "--profile", "eu-gdpr", "--json"]);
    let refused = prepare();
    assert_eq!((refused.code, &refused.json()[0]["rule"]), (2, &Value::from("C070")), "{refused:?}");

    let templates = desk.duly("ann", &["template", "list", "--json"]).fine().json();
    let of = |name: &str| templates.as_array().unwrap().iter().find(|t| t["name"] == name).unwrap().clone();
    let letter = of("eu-gdpr/letter.de");
    assert_eq!(letter["draft"], true);
    let hash = |template: &Value| template["hash"].as_str().unwrap().to_owned();
    let review = |name: &str, hash: &str| desk.duly("bob", &["template", "review", name, "--hash", hash]);
    review("eu-gdpr/letter.de", &hash(&of("eu-gdpr/letter.fr"))).refused("`eu-gdpr/letter.de` has another hash", "template list");
    assert_eq!(prepare().code, 2, "nobody has signed for it yet");
    review("eu-gdpr/letter.de", &hash(&letter)).fine();

    prepare().fine();
    let shown = desk.duly("bob", &["plan", "show", "--incident", "own"]).fine().out;
    assert!(shown.contains("eu-gdpr/letter.de") && shown.contains("how hard it is to read in `de` (C030, C031)"), "{shown}");
    desk.duly("bob", &["plan", "approve", "--incident", "own"]).fine();
    let seen = desk.duly("ann", &["template", "preview", "eu-gdpr/letter.de", "--texts", "own.toml", "--json"]).fine().json();
    let text = seen["text"].as_str().unwrap();
    assert!(text.contains("Ihre Personalnummer") && !text.contains("supplier") && text.contains("Mary Holt"), "{text}");
    assert!(seen["not_measured"].as_str().unwrap().contains("`de`"), "{seen}");
}

#[tokio::test]
async fn a_signature_that_no_letter_can_print_is_refused_and_another_takes_part_in_the_looks_name() {
    let desk = Desk::with_incident("signature", "1").await;
    desk.write("amis.svg", BADGE);
    desk.write("broken.svg", "<svg");
    let set = |more: &[&str]| desk.duly("ann", &[&["controller", "set", "northmere"], more].concat());
    set(&["--signature", "broken.svg", "--signature-alt", "Ruth Amis"])
        .refused("the logo or the signature cannot be read", "SVG");
    set(&["--signature", "amis.svg", "--signature-alt", " "])
        .refused("the logo or the signature has no alternative text", "say in a few words");
    let plain = set(&["--check-page", "https://ico.org.uk/check", "--json"]).fine().json();

    let signed = set(&["--signature", "amis.svg", "--signature-alt", "Signature of Ruth Amis", "--json"]).fine().json();
    assert_ne!(signed["letterhead"], plain["letterhead"]);
    set(&["--signature", "amis.svg"]).refused("the logo or the signature has no alternative text", "say in a few words");
    let without = set(&["--signature", "none", "--json"]).fine().json();
    assert_eq!(without["letterhead"], plain["letterhead"], "it is taken away as easily as it was set");
}

/// Years of school that a whole message may take, the words of law and authority among them.
const GRADE_MAX: f64 = 9.0;

#[test]
fn every_english_template_reads_as_plainly_as_a_newspaper() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let texts: toml::Table = toml::from_str(&std::fs::read_to_string(root.join("examples/texts.toml")).unwrap()).unwrap();
    let texts = serde_json::json!(texts);
    let composer = Composer::new(TemplateSet::load(&[&root.join("templates")]).unwrap());
    let mut hard = Vec::new();
    for template in composer.templates().all().iter().filter(|template| template.languages == ["en"]) {
        let profile = std::fs::read_to_string(root.join(format!("config/profiles/{}.toml", template.profile))).unwrap();
        let profile = Profile::parse(&profile).unwrap();
        let reader = made_up(template, &fill(&texts, template), |_| String::new());
        let made = preview(&composer, template, &profile, &reader).unwrap();
        hard.extend(
            grade(&made.rendered.marked.text).filter(|grade| *grade > GRADE_MAX).map(|grade| (template.name.clone(), grade)),
        );
    }
    assert!(hard.is_empty(), "{hard:?}");
}

#[tokio::test]
async fn a_letter_that_cannot_be_printed_is_refused_with_its_person_and_its_reason_and_the_others_are_prepared() {
    let desk = Desk::with_incident("unprintable", "1").await;
    let wide = "Щ".repeat(29);
    desk.write(
        "odd.csv",
        &format!(
            "Pay number,Surname,Address 1,Town,Postcode\n\
             PN1,Price,1 High Street,Leeds,LS1 4AB\nPN2,王小明,2 High Street,Leeds,LS1 4AB\n\
             PN3,Ho\u{e000}lt,3 High Street,Leeds,LS1 4AB\nPN4,Hill,{wide},Leeds,LS1 4AB\n"
        ),
    );
    desk.duly("ann", &["list", "import", "odd.csv", "--incident", "cards"]).fine();
    let prepare = |more: &[&str]| {
        desk.duly("ann", &[&["plan", "prepare", "--incident", "cards", "--route", "letter", "--json"], more].concat())
    };

    // An address that does not fit is the person's own, and somebody says what becomes of them.
    let warned = prepare(&[]);
    let found = warned.json();
    assert_eq!((warned.code, found.as_array().unwrap().len()), (2, 1), "{warned:?}");
    assert_eq!(
        (&found[0]["rule"], &found[0]["people"], &found[0]["accept"]),
        (&"C062".into(), &1.into(), &"C062/uk-gdpr/en".into())
    );
    let plan = prepare(&["--accept", "C062/uk-gdpr/en=somebody will call on them"]).fine().json();

    let problems = json!({"address_overflow": 1, "missing_glyph": 1, "unprintable": 1});
    assert_eq!((&plan["problems"], &plan["routes"]), (&problems, &json!({"letter": 4})), "{plan}");
    let refused = plan["refused"].as_array().unwrap();
    let who = |problem: &str| refused.iter().find(|person| person["problem"] == problem).unwrap()["person"].clone();
    assert_eq!(who("address_overflow"), found[0]["person_ids"][0]);
    let tasks = desk.duly("ann", &["task", "list", "--incident", "cards", "--json"]).fine().json();
    let open = tasks["open"].as_array().unwrap();
    assert_eq!(open.len(), 3, "{tasks}");
    assert!(open.iter().all(|task| task["person"] == who(task["problem"].as_str().unwrap())), "{tasks}");
    let letters = sqlx::PgPool::connect(&desk.url).await.unwrap();
    let prepared: Vec<uuid::Uuid> =
        sqlx::query_scalar("select person_id from message where channel = 'letter'").fetch_all(&letters).await.unwrap();
    assert_eq!(prepared.len(), 1, "one letter is fine, and is prepared");
    assert!(refused.iter().all(|person| person["person"] != format!("p_{}", prepared[0].simple())), "{plan}");
}
