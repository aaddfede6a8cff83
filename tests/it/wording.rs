//! Nobody is told what was not checked: the content check stands between the list and the approval.

use crate::cli::desk::{Desk, PERSONAL, TEXTS};
use crate::support::receipt::{Said, apply, keep, receipt_store};
use crate::support::{Setup, Stage, quota, world_under};
use duly::model::state::{Channel, MessageState};
use serde_json::{Value, json};

const PREPARE: &[&str] = &["plan", "prepare", "--incident", "cards", "--route", "sms-then-letter,letter,sms"];

/// A desk with the list imported, whose incident says something of its own.
async fn desk(name: &str, change: impl Fn(&str) -> String) -> Desk {
    let desk = Desk::with_incident(name, "1").await;
    desk.write("own.toml", &change(TEXTS));
    desk.duly("ann", &["incident", "add", "own", "--controller", "northmere", "--texts", "own.toml"]).fine();
    desk.duly("ann", &["list", "import", "affected.csv", "--incident", "own"]).fine();
    desk
}

fn prepare(desk: &Desk, more: &[&str]) -> crate::cli::desk::Ran {
    let args: Vec<&str> = PREPARE.iter().map(|a| if *a == "cards" { "own" } else { a }).chain(more.iter().copied()).collect();
    desk.duly("ann", &args)
}

#[tokio::test]
async fn what_must_be_mended_freezes_nothing_and_is_told_with_its_place_and_its_people() {
    let desk = desk("gate", |texts| texts.replace("0303 123 1113", "0303 123 9999")).await;

    let refused = prepare(&desk, &["--json"]);

    let found: Value = refused.json();
    assert_eq!(refused.code, 2, "{refused:?}");
    let phone = found.as_array().unwrap().iter().find(|f| f["rule"] == "C055").unwrap();
    assert_eq!(
        (&phone["severity"], &phone["element"], &phone["people"]),
        (&json!("error"), &json!("complaint_right"), &json!(3))
    );
    assert!(!PERSONAL.iter().any(|value| refused.out.contains(value) || refused.err.contains(value)), "{refused:?}");
    desk.duly("ann", &["plan", "show", "--incident", "own"]).refused("the incident has no plan", "plan prepare");
    // Nothing was frozen: with the number published, the same list is prepared.
    let lists = desk.duly("ann", &["status", "--incident", "own", "--json"]).fine();
    assert!(lists.out.contains("\"waiting\":4"), "{lists:?}");
}

#[tokio::test]
async fn a_warning_needs_a_written_reason_which_the_approver_sees() {
    let desk = desk("reason", |texts| texts.replace("dates = \"It was copied on 9 November 2026.\"\n", "")).await;
    prepare(&desk, &[]).refused("the content check warns of C004/dates/uk-gdpr/en", "--accept C004/dates/uk-gdpr/en=");
    prepare(&desk, &["--accept", "C004=the date is not known yet"]).refused("the content check warns of C004/dates/", "--accept");

    prepare(&desk, &["--accept", "c004/dates/uk-gdpr/en=the date is not known yet"]).fine();

    let shown = desk.duly("bob", &["plan", "show", "--incident", "own"]).fine().out;
    assert!(shown.contains("C004") && shown.contains("the date is not known yet"), "{shown}");
}

#[tokio::test]
async fn sample_wording_and_unknown_fields_are_refused_with_the_incident() {
    let desk = Desk::with_incident("sample", "1").await;
    let add = ["incident", "add", "own", "--controller", "northmere", "--texts", "own.toml"];
    let tries = [
        (TEXTS.replace("The server is closed", "TBC by legal"), "`measures` is sample wording"),
        (TEXTS.replace("dates =", "dates_ ="), "`dates_`: there is no such text"),
        (TEXTS.replace("phones", "telephones"), "`published`: unknown field `telephones`"),
        (TEXTS.replace("[published]", "[published]\npage = 'https://northmere.example'"), "`published`: unknown field `page`"),
        (TEXTS.replace("nature = \"On", "nature = \"\"\nx = \"On"), "has no text for nature"),
    ];
    for (texts, what) in tries {
        desk.write("own.toml", &texts);
        let refused = desk.duly("ann", &add);
        assert!(refused.code == 2 && refused.err.contains(what), "{what}: {refused:?}");
    }
}

#[tokio::test]
async fn a_language_without_a_template_is_a_gap_that_is_named_and_blocks() {
    let desk = Desk::with_incident("gap", "1").await;
    let list = "Pay number,First name,Surname,Mobile,Address 1,Town,Postcode,Language\n\
                PN7,Ala,Nowak,07400 123460,1 High Street,Leeds,LS1 4AB,Polish\n";
    desk.write("polish.csv", list);
    desk.duly("ann", &["list", "import", "polish.csv", "--incident", "cards"]).fine();

    let refused = desk.duly("ann", &[PREPARE, &["--json"]].concat());

    let found = refused.json();
    assert_eq!((&found[0]["rule"], &found[0]["people"]), (&json!("C070"), &json!(1)), "{refused:?}");
    assert!(found[0]["what"].as_str().unwrap().contains("`pl`"), "{refused:?}");

    // The Welsh letter is a draft: nobody has reviewed it, and so it is none.
    desk.write("welsh.csv", &list.replace("PN7", "PN8").replace("Polish", "Cymraeg"));
    desk.duly("ann", &["list", "import", "welsh.csv", "--incident", "cards"]).fine();
    let refused = desk.duly("ann", &[PREPARE, &["--json"]].concat());
    assert!(refused.json().as_array().unwrap().iter().any(|f| f["rule"] == "C071"), "{refused:?}");
}

#[tokio::test]
async fn a_template_of_ones_own_goes_before_the_shipped_one_and_is_checked_with_its_line() {
    let mut desk = Desk::empty("own_template").await;
    desk.set("DULY_TEMPLATES__OWN", "own");
    desk.duly("ann", &["template", "new", "uk-gdpr/sms.en"]).fine();
    desk.duly("ann", &["template", "check"]).fine();
    let of_one = ["template", "new", "uk-gdpr/letter.en", "--controller", "northmere"];
    desk.duly("ann", &of_one).fine();
    desk.duly("ann", &["template", "check", "controllers/northmere/"]).fine();
    desk.duly("ann", &of_one).refused("`own/controllers/northmere/uk-gdpr/letter.en.hbs` exists", "written over");
    let copy = std::fs::read_to_string(desk.folder.path().join("own/controllers/northmere/uk-gdpr/letter.en.hbs")).unwrap();
    assert!(copy.contains("{{> check-real.en}}"), "a partial that is mended is mended in the copy: {copy}");
    desk.duly("ann", &["template", "new", "uk-gdpr/letter.en", "--controller", "../x"])
        .refused("`../x` is no short name", "lower-case letters");
    desk.duly("ann", &["template", "new", "uk-gdpr/sms.en"]).refused("`own/uk-gdpr/sms.en.hbs` exists", "written over");
    let own = std::fs::read_to_string(desk.folder.path().join("own/uk-gdpr/sms.en.hbs")).unwrap();

    desk.write("own/uk-gdpr/sms.en.hbs", &own.replace("A letter with the details", "Act now! A letter"));
    let bad = desk.duly("ann", &["template", "check", "uk-gdpr/sms.en", "--json"]);
    let of =
        bad.json().as_array().unwrap().iter().find(|t| t["name"] == "uk-gdpr/sms.en").unwrap()["findings"][0]["rule"].clone();
    assert_eq!((bad.code, of), (1, json!("C054")), "{bad:?}");

    desk.write("own/uk-gdpr/sms.en.hbs", &own.replace("{{controller.name}}", "\n{{{controller.name}}}"));
    desk.duly("ann", &["template", "list"])
        .refused("the template own/uk-gdpr/sms.en.hbs is not valid at line 3, column 1: an unescaped value", "correct");
    desk.write("own/uk-gdpr/sms.en.hbs", &own.replace("{{controller.name}}", "{{person.Pay-number}}"));
    desk.duly("ann", &["template", "list"])
        .refused("the template own/uk-gdpr/sms.en.hbs is not valid at line 2, column 1: there is no field", "correct");
    desk.write("own/uk-gdpr/sms.en.hbs", &own.replace("{{controller.name}}", "{{incident.dates}}"));
    desk.duly("ann", &["template", "list"]).refused(
        "the template own/uk-gdpr/sms.en.hbs is not valid at line 2, column 1: `incident.dates` may be absent",
        "correct",
    );
}

#[tokio::test]
async fn a_preview_shows_what_nobody_has_written_and_says_that_it_cannot_be_sent() {
    let desk = Desk::empty("preview").await;
    let shown = desk.duly("ann", &["template", "preview", "uk-gdpr/letter.en", "--out", "letter.pdf", "--json"]).fine().json();
    assert!(shown["text"].as_str().unwrap().contains("[here stands the incident's text `nature`]"), "{shown}");
    assert!(shown["findings"].as_array().unwrap().iter().any(|f| f["rule"] == "C093"), "{shown}");
    assert!(std::fs::read(desk.folder.path().join("letter.pdf")).unwrap().starts_with(b"%PDF"));
}

/// Texts that both laws of a list of Britons and Californians want.
fn texts_for_two_laws(texts: &str) -> String {
    texts.replace(
        "[published]",
        "contact_phone = \"0808 157 0100\"\ndelayed_by_le = \"No authority asked us to wait.\"\n\n[published]",
    )
}

const TWO_PLACES: &str = "Pay number,Surname,Address 1,Town,Postcode,Country,Jurisdiction\n\
     PN11,Reyes,1 Market Street,San Francisco,CA 94103,US,US-CA\nPN12,Dupont,2 rue Neuve,Lyon,69001,FR,\n";

#[tokio::test]
async fn each_person_is_told_under_the_profile_of_their_jurisdiction_or_nobody_is_told() {
    let desk = desk("laws", texts_for_two_laws).await;
    desk.write("abroad.csv", TWO_PLACES);
    desk.duly("ann", &["list", "import", "abroad.csv", "--incident", "own"]).fine();

    let letters =
        |more: &[&str]| desk.duly("ann", &[&["plan", "prepare", "--incident", "own", "--route", "letter,sms"], more].concat());
    letters(&[])
        .refused("2 people live where none of the plan's profiles (uk-gdpr) governs: FR (1), US-CA (1)", "--under FR=uk-gdpr");
    letters(&["--profile", "uk-gdpr,us-nowhere"]).refused("the legal profile", "name one of the files");
    letters(&["--profile", "uk-gdpr,us-ca"])
        .refused("1 person lives where none of the plan's profiles (uk-gdpr, us-ca) governs: FR (1)", "--under");
    // A text message ends no notice under Californian law, so a plan of text messages alone would tell nobody there.
    desk.duly(
        "ann",
        &["plan", "prepare", "--incident", "own", "--route", "sms", "--profile", "uk-gdpr,us-ca", "--under", "fr=uk-gdpr"],
    )
    .refused("the route `sms` cannot end in `notified` under us-ca", "letter");
    desk.duly("ann", &["plan", "show", "--incident", "own"]).refused("the incident has no plan", "plan prepare");

    let shown = letters(&["--profile", "uk-gdpr,us-ca", "--under", "fr=uk-gdpr", "--json"]);
    assert_eq!(shown.code, 0, "{shown:?}");
    let body = desk.duly("bob", &["plan", "show", "--incident", "own", "--json"]).fine().json()["body"].clone();
    assert_eq!(body["profiles"]["uk-gdpr"]["jurisdictions"], json!({"FR": 1, "GB": 4}), "{body}");
    assert_eq!(body["profiles"]["us-ca"]["jurisdictions"], json!({"US-CA": 1}));
    assert_eq!(body["profiles"]["us-ca"]["closing"].as_array().unwrap().len(), 1);
    let words = desk.duly("bob", &["plan", "show", "--incident", "own"]).fine().out;
    assert!(words.contains("us-ca, version") && words.contains("1 person (US-CA)"), "{words}");
    let owner = sqlx::PgPool::connect(&desk.url).await.unwrap();
    let told: Vec<(String, String)> =
        sqlx::query_as("select p.jurisdiction, n.profile from notice n join person p using (person_id) group by 1, 2 order by 1")
            .fetch_all(&owner)
            .await
            .unwrap();
    let of = |place: &str, profile: &str| (place.to_owned(), profile.to_owned());
    assert_eq!(told, [of("FR", "uk-gdpr"), of("GB", "uk-gdpr"), of("US-CA", "us-ca")]);
}

#[tokio::test]
async fn nobody_is_told_under_a_law_that_is_not_in_force_yet() {
    let mut desk = desk("not_yet", texts_for_two_laws).await;
    std::fs::create_dir(desk.path("laws")).unwrap();
    let law = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/config/profiles/uk-gdpr.toml")).unwrap();
    desk.write("laws/uk-gdpr.toml", &law.replace("effective_from = \"2021-01-01\"", "effective_from = \"2121-01-01\""));
    let laws = desk.path("laws").display().to_string();
    desk.set("DULY_PROFILES__FOLDER", laws);

    desk.duly("ann", &["plan", "prepare", "--incident", "own", "--route", "letter,sms"])
        .refused("the legal profile `uk-gdpr` is in force from 2121-01-01", "name the profile that is in force on that day");
    desk.duly("ann", &["plan", "show", "--incident", "own"]).refused("the incident has no plan", "plan prepare");
}

#[tokio::test]
async fn the_closing_table_of_the_persons_own_profile_ends_their_notice() {
    let world = world_under("two_laws", 2, &[("GB", "uk-gdpr"), ("US-CA", "us-ca")]).await;
    world.store.queue_due("sms-a", Channel::Sms, quota(2)).await.unwrap();
    let intents = [0, 1].map(|i| world.intent(i));
    assert_eq!(world.store.claim(world.incident.key, &intents, 1000).await.unwrap().len(), 2);
    let receipts = receipt_store(&world).await;
    for (i, intent) in intents.iter().enumerate() {
        let (event, provider_id) = (format!("ev_{i}"), format!("sb_{i}"));
        let status = MessageState::DeliveredToHandset;
        let said = Said { lane: "sms-a", reference: &intent.reference, provider_id: &provider_id, event: &event, status };
        keep(&world, &receipts, &said).await;
    }

    apply(&world).await;

    let owner = sqlx::PgPool::connect(&world.url).await.unwrap();
    let ended: Vec<(String, String)> =
        sqlx::query_as("select profile, state from notice order by profile").fetch_all(&owner).await.unwrap();
    assert_eq!(
        ended,
        [("uk-gdpr".to_owned(), "notified".to_owned()), ("us-ca".to_owned(), "unreachable".to_owned())],
        "told by text message is not told"
    );
    let named: Vec<Value> = sqlx::query_scalar(
        "select convert_from(body, 'UTF8')::jsonb -> 'd' -> 'profile' from event where kind = 'message.intent' order by 1",
    )
    .fetch_all(&owner)
    .await
    .unwrap();
    assert_eq!(named, [json!("uk-gdpr"), json!("us-ca")]);
    assert_eq!(world.store.audit(world.incident.key).await.unwrap(), []);
}

/// A list with a column of its own that one person does not have, and one that nobody may read in a message.
const OWN_COLUMNS: &str = "Pay number,Surname,Mobile,Address 1,Town,Postcode,Kind of number,Pay grade\n\
     PN1,Price,07400 123456,1 High Street,Leeds,LS1 4AB,warrant,B7-221\n\
     PN2,Evans,07400 123457,2 High Street,Leeds,LS1 4AB,,C4-118\n";
const MAPS: &[&str] = &["--map", "number_kind=Kind of number", "--sensitive", "pay_grade"];

/// For what everybody's data was opened, in order.
async fn looked(desk: &Desk) -> Vec<String> {
    let query = "select convert_from(body, 'UTF8')::jsonb -> 'd' ->> 'purpose' from event
        where kind = 'contact.viewed' and person_id is null and n is null order by ord";
    sqlx::query_scalar(query).fetch_all(&sqlx::PgPool::connect(&desk.url).await.unwrap()).await.unwrap()
}

/// A desk whose letter is the controller's own, with a sentence more.
async fn desk_with_letter(name: &str, sentence: &str) -> Desk {
    let mut desk = desk(name, str::to_owned).await;
    desk.set("DULY_TEMPLATES__OWN", "own");
    desk.duly("ann", &["template", "new", "uk-gdpr/letter.en"]).fine();
    letter_says(&desk, sentence);
    desk
}

fn letter_says(desk: &Desk, sentence: &str) {
    let shipped = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/templates/uk-gdpr/letter.en.hbs")).unwrap();
    let path = desk.folder.path().join("own/uk-gdpr/letter.en.hbs");
    std::fs::write(path, shipped.replace("We are sorry", &format!("{sentence} We are sorry"))).unwrap();
}

#[tokio::test]
async fn a_column_of_the_list_is_printed_where_there_is_one_and_its_gaps_are_told_before_anything_is_frozen() {
    let desk = desk_with_letter("columns", "It names your {{person.number_kind}} number.").await;
    desk.duly("ann", &["incident", "add", "two", "--controller", "northmere", "--texts", "own.toml"]).fine();
    desk.write("columns.csv", OWN_COLUMNS);

    let check = |more: &[&str]| desk.duly("ann", &[&["template", "check", "uk-gdpr/letter.en"], more].concat());
    check(&[]).fine();
    let gap = "line 4: `number_kind` is used but 1 person has none: guard it with `{{#if person.number_kind}}`";
    let by_file = check(&[&["--list", "columns.csv"], MAPS].concat());
    assert!(by_file.code == 1 && by_file.out.contains(gap), "{by_file:?}");
    desk.duly("ann", &[&["list", "import", "columns.csv", "--incident", "two"], MAPS].concat()).fine();
    let by_incident = check(&["--incident", "two"]);
    assert!(by_incident.code == 1 && by_incident.out.contains(gap), "{by_incident:?}");
    assert_eq!(looked(&desk).await, ["check"], "everybody's data was opened");
    desk.duly("ann", &["list", "import", "columns.csv", "--incident", "two"])
        .refused("this file was imported before with the columns number_kind:text, pay_grade:text", "the same `--map`");

    let prepare = || desk.duly("ann", &["plan", "prepare", "--incident", "two", "--route", "letter", "--json"]);
    let refused = prepare();
    assert_eq!(refused.code, 2, "{refused:?}");
    let found = refused.json()[0].clone();
    assert_eq!((&found["rule"], &found["line"], &found["people"]), (&json!("C020"), &json!(4), &json!(1)), "{found}");
    assert!(found["what"].as_str().unwrap().starts_with("`person.number_kind` is used"), "{found}");

    // A sensitive column is refused, even where everybody has one.
    letter_says(&desk, "Your grade is {{person.pay_grade}}.");
    let refused = prepare();
    assert_eq!((&refused.json()[0]["rule"], &refused.json()[0]["people"]), (&json!("C060"), &json!(2)), "{refused:?}");
    assert!(!refused.out.contains("B7-221"), "{refused:?}");

    letter_says(&desk, "{{#if person.number_kind}}It names your {{person.number_kind}} number.{{/if}}");
    check(&["--incident", "two"]).fine();
    prepare().fine();

    // Each look is told by an event, a person's audit among them, and the audit finds each of them signed.
    desk.duly("ann", &["audit", "--incident", "two", "--sealed"]).fine();
    assert_eq!(looked(&desk).await, ["check", "check", "audit"]);
    desk.duly("ann", &["audit", "--incident", "two"]).fine();
    assert_eq!(looked(&desk).await.len(), 3, "nothing sealed was opened");
}

#[tokio::test]
async fn a_real_person_is_previewed_by_signature_and_the_look_stays_in_the_log() {
    let desk = desk("look", str::to_owned).await;
    let owner = sqlx::PgPool::connect(&desk.url).await.unwrap();
    let id: uuid::Uuid = sqlx::query_scalar("select p.person_id from person p join incident i using (incident_no) where i.slug = 'own' and p.has_address order by 1 limit 1")
        .fetch_one(&owner)
        .await
        .unwrap();
    let person = format!("p_{}", id.simple());
    let look = ["template", "preview", "--incident", "own", "--person", &person, "--out", "own.pdf", "--json"];

    let shown = desk.duly("ann", &look).fine().json();

    assert!(PERSONAL.iter().any(|value| shown["text"].as_str().unwrap().contains(value)), "{shown}");
    assert_eq!(shown["findings"], json!([]));
    assert!(std::fs::read(desk.folder.path().join("own.pdf")).unwrap().starts_with(b"%PDF"));
    let viewed: Vec<Value> = sqlx::query_scalar("select convert_from(body, 'UTF8')::jsonb -> 'd' -> 'purpose' from event where kind = 'contact.viewed' and person_id = $1")
        .bind(id)
        .fetch_all(&owner)
        .await
        .unwrap();
    assert_eq!(viewed, [json!("preview")]);
    let story = desk.duly("ann", &["person", "show", "--incident", "own", "--person", &person]).fine().out;
    assert!(story.contains("opened contact data or messages of this person for a preview"), "{story}");
    let nobody = format!("p_{}", "0".repeat(32));
    desk.duly("ann", &["template", "preview", "--incident", "own", "--person", &nobody]).refused("there is no person", "");
}

#[tokio::test]
async fn two_versions_of_a_template_are_compared_as_a_reader_reads_them() {
    let desk = desk_with_letter("diff", "We say so at once.").await;
    let name = "uk-gdpr/letter.en";
    let shipped = format!("{}/templates/uk-gdpr/letter.en.hbs", env!("CARGO_MANIFEST_DIR"));

    let differs = desk.duly("ann", &["template", "diff", &shipped, name, "--json"]);

    assert_eq!(differs.code, 1, "{differs:?}");
    let changes = differs.json();
    assert_eq!(changes.as_array().unwrap().len(), 1, "{changes}");
    assert_eq!((&changes[0]["part"], &changes[0]["change"]), (&json!("around the parts"), &json!("changed")));
    assert!(changes[0]["after"][0].as_str().unwrap().contains("We say so at once."), "{changes}");
    let hash = desk.duly("ann", &["template", "list", "--json"]).fine().json();
    let hash = hash.as_array().unwrap().iter().find(|t| t["name"] == name).unwrap()["hash"].as_str().unwrap().to_owned();
    let same = desk.duly("ann", &["template", "diff", name, &hash[..12]]).fine();
    assert!(same.out.contains("A reader reads the same."), "{same:?}");

    // What a plan was prepared with is kept, though its file says something else now.
    desk.duly("ann", &["plan", "prepare", "--incident", "own", "--route", "letter,sms"]).fine();
    letter_says(&desk, "");
    let kept = desk.duly("ann", &["template", "diff", &hash[..12], name]);
    assert!(kept.code == 1 && kept.out.contains("- ") && kept.out.contains("We say so at once."), "{kept:?}");
    desk.duly("ann", &["template", "diff", name, "00000000"]).refused("there is no version `00000000`", "eight digits");
}

#[tokio::test]
async fn a_template_that_is_changed_does_not_stop_a_plan_that_was_approved_with_it() {
    let stage = Stage::new(Setup { people: 2, own_templates: true, ..Setup::default() }).await;
    let template = stage.folder.path().join("templates/uk-gdpr/sms-full.en.hbs");
    let text = std::fs::read_to_string(&template).unwrap();
    std::fs::write(&template, text.replace("What we have done", "What we did")).unwrap();
    let _process = stage.start(&["scheduler", "worker"]);

    stage.drain().await;

    assert_eq!(stage.states().await, ["accepted"; 2]);
    assert_eq!(stage.produced(), 2);
    stage.audit().await;
}

#[tokio::test]
async fn a_letter_preview_with_unwritten_texts_is_watermarked() {
    let desk = Desk::empty("watermark").await;
    let pdf = |name: &str, more: &[&str]| {
        desk.duly("ann", &[&["template", "preview", "uk-gdpr/letter.en", "--out", name], more].concat()).fine();
        let out = std::process::Command::new("pdftotext")
            .arg("-raw")
            .args([desk.folder.path().join(name).as_os_str(), "-".as_ref()])
            .output();
        String::from_utf8_lossy(&out.unwrap().stdout).into_owned()
    };
    assert!(pdf("empty.pdf", &[]).contains("Preview, not filled in"));
    desk.write("whole.toml", &TEXTS.replace("[published]", "signatory = \"Ruth Amis\"\n\n[published]"));
    let whole = pdf("whole.pdf", &["--texts", "whole.toml"]);
    assert!(whole.contains("Dear") && !whole.contains("Preview"), "{whole}");
}
