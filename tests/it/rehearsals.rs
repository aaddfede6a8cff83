//! A lane that is not live tells nobody: whoever reads a report, a pack or a verifier's answer is told so beside every count.

use crate::packs::{incident_pack, pdf_text, person_pack};
use crate::support::Stage;
use crate::told::{check, file, told};
use duly::report::pack::Audience;
use duly::report::promised::{self, Promised};
use duly::report::replay::{Replay, replay};
use duly::report::sample::{paper, sample};
use duly::report::{certificate, document, regulator, witness};
use duly_ledger::verify::Verdict;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use uuid::Uuid;

const SAID: &str = "Plan 1 has a lane that is not live (letters): what goes through it is a rehearsal and tells nobody, also where somebody counts as notified.";
const UNSAID: &str = "Whether all lanes of plan 1 were live, or some a rehearsal's: the text does not say.";

async fn stage() -> (Stage, Replay, Vec<Promised>) {
    let stage = told().await;
    let store = &stage.office.store;
    let replayed = replay(store, stage.incident.incident_id, store.now().await.unwrap()).await.unwrap();
    let plans = promised::load(store, stage.incident.key, &replayed.tally).await.unwrap();
    (stage, replayed, plans)
}

/// The reports as text, and what they say to programs.
async fn pages(stage: &Stage, replayed: &Replay, plans: &[Promised]) -> ([String; 4], [Value; 2]) {
    let programs = witness::Programs::default();
    let names = duly::report::story::Names::new();
    let drawn = sample(&stage.office.store, &stage.incident, replayed, (3, "auditor")).await.unwrap();
    let texts = [
        regulator::regulator(&stage.incident, replayed, plans, "uk-gdpr").unwrap(),
        witness::witness(&stage.incident, replayed, plans, &programs),
        certificate::of_incident(&stage.incident, Audience::Court, replayed, plans, &names),
        paper(&stage.incident, replayed, plans, &drawn),
    ];
    let data = [
        regulator::data(&stage.incident, replayed, plans, "uk-gdpr"),
        witness::data(&stage.incident, replayed, plans, &programs),
    ];
    (texts.map(|page| document::text(&page).split_whitespace().collect::<Vec<_>>().join(" ")), data)
}

#[tokio::test]
async fn no_report_counts_people_of_a_rehearsal_without_saying_that_nobody_was_told() {
    let (stage, replayed, plans) = stage().await;

    let (texts, data) = pages(&stage, &replayed, &plans).await;

    for page in &texts[..3] {
        assert!(page.contains(&format!("on the frozen lists have been notified. {SAID}")), "{page}");
    }
    assert!(texts[0].contains("yes (lanes were not live: see above)"), "{}", texts[0]);
    assert!(texts[2].matches(SAID).count() == 2, "also in what is certified: {}", texts[2]);
    assert!(texts[3].matches(SAID).count() == 2, "also beside the end states of whom an auditor drew: {}", texts[3]);
    for data in &data {
        assert_eq!(data["rehearsal"], json!([SAID]));
    }
}

#[tokio::test]
async fn a_plan_whose_lanes_were_live_is_no_rehearsal_and_one_that_does_not_say_is_called_neither() {
    let (stage, replayed, mut plans) = stage().await;
    let live = json!({"letters": {"at": "", "kind": "sandbox", "live": true}});

    plans[0].body["accounts"] = live;
    let (texts, data) = pages(&stage, &replayed, &plans).await;
    assert!(texts.iter().all(|page| !page.contains("rehearsal") && !page.contains("not live")), "{texts:?}");
    assert!(data.iter().all(|data| data["rehearsal"] == json!([])));

    plans[0].body.as_object_mut().unwrap().remove("accounts");
    let (texts, _) = pages(&stage, &replayed, &plans).await;
    assert!(texts.iter().all(|page| page.contains(UNSAID) && !page.contains("tells nobody")), "{texts:?}");
}

#[tokio::test]
async fn a_pack_of_a_rehearsal_says_so_on_its_pages_and_to_its_verifier() {
    let (stage, ..) = stage().await;
    let person: Uuid = sqlx::query_scalar("select person_id from person limit 1").fetch_one(&stage.owner).await.unwrap();

    let pack = incident_pack(&stage, Audience::Regulator, false).await;
    let own = person_pack(&stage, person, &[], false).await.unwrap();

    let text = |pack: &[u8], name: &str| String::from_utf8(file(pack, name)).unwrap();
    assert!(text(&pack, "summary.html").contains(SAID), "{}", text(&pack, "summary.html"));
    assert!(text(&own, "story.txt").contains(SAID), "{}", text(&own, "story.txt"));
    assert!([&pack, &own].iter().all(|pack| text(pack, "README.txt").contains(&format!("Mind: {SAID}"))));
    let (report, of_person) = (check(&stage, &pack), check(&stage, &own));
    assert_eq!((report.verdict.clone(), of_person.verdict.clone()), (Verdict::Good, Verdict::Good), "it is no fault");
    assert_eq!(report.rehearsal.not_live, BTreeMap::from([(1, vec!["letters".to_owned()])]));
    let (all, one) = (report.to_string(), of_person.to_string());
    assert!(all.contains(&format!("Not live\n  {SAID}")) && report.to_json()["rehearsal"] == json!([SAID]), "{all}");
    assert!(!one.contains(SAID) && one.contains("whether the lanes were live stands in the plan's text"), "{one}");
    let Some(certificate) = pdf_text(&stage, &file(&own, "certificate.pdf")) else { return };
    assert!(certificate.contains("by letter: posted first class") && certificate.matches(SAID).count() == 2, "{certificate}");
}
