//! For whom a pack is changes its words and never its evidence; its charts are the verifier's own counts, and each says what
//! it proves and what not.

use super::{incident_pack, pack_for, pdf_text};
use crate::support::Stage;
use crate::told::{PEOPLE, check, file, files, sequence, told};
use duly::model::state::Route;
use duly::report::pack::Audience;
use duly_ledger::Event;
use duly_ledger::verify::Verdict;
use std::collections::BTreeMap;
use time::OffsetDateTime;

/// What a pack of an incident proves, and what not, as its summary says it; of each sentence its beginning.
const INCIDENT: [&str; 8] = [
    "What this pack proves, and what it does not",
    "It proves every event that the sender recorded up to the checkpoint, in order; nothing was changed, dropped or inserted since.",
    "It proves that the people are those of the lists as they were frozen, and how the notice of each stands.",
    "It proves that by the sender's own record nobody was sent the same message twice, and that only approved words were sent.",
    "It does not prove that anybody opened a message:",
    "It does not prove that the lists were complete when the controller handed them over, and it holds nobody of a list that was not frozen.",
    "It does not prove that nothing was sent outside of this record: compare the counts with the providers' own statements.",
    "It does not prove times more closely than the time stamps and witnesses beside the checkpoint do.",
];

/// The same in its README.
const INCIDENT_README: [&str; 9] = [
    "What it proves, once it is verified with the log's key from elsewhere than this pack:",
    "- every event that the sender recorded up to the checkpoint, in order, with nothing changed, dropped or inserted since;",
    "- that the people are those of the lists as they were frozen, and who of them has been told, as far as is known;",
    "- that nobody was sent the same message twice by the sender's own record, and that only approved words were sent.",
    "What it does not prove:",
    "- that a person has read anything;",
    "- that the list was complete when the controller handed it over;",
    "- when an event happened, more closely than the time stamps and witnesses beside the checkpoint say;",
    "- that nothing was sent without a record: compare the counts with the providers' own statements.",
];

/// What a person's pack proves, and what not, as its certificate says it.
const PERSON: [&str; 5] = [
    "It proves that each event in it stands in the sender's log,",
    "It proves that the person's line stands in the list as it was frozen.",
    "It does not prove that nothing followed, or that nothing was sent twice: for that a reader needs the pack of the whole incident.",
    "It does not prove that anybody opened a message:",
    "It does not prove times more closely than the time stamps and witnesses of the log do.",
];

fn text(pack: &[u8], name: &str) -> String {
    String::from_utf8(file(pack, name)).unwrap()
}

/// Everything but the pages for people, and the word for whom they are.
fn evidence(pack: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let pages = ["README.txt", "summary.html", "certificate.pdf", "story.txt", "pack.json"];
    files(pack).into_iter().filter(|(name, _)| !pages.contains(&name.as_str())).collect()
}

fn says(page: &str, sentences: &[&str]) {
    for sentence in sentences {
        assert!(page.contains(sentence), "{sentence}\n{page}");
    }
}

#[tokio::test]
async fn an_incidents_pack_says_to_each_reader_what_it_proves_and_what_not_and_the_evidence_is_the_same() {
    let stage = told().await;
    let mut all = Vec::new();
    for (audience, reader, title, lead) in [
        (
            Audience::Regulator,
            "for a supervisory authority.",
            "summary for the supervisory authority",
            "Once the pack is verified with a key that did not come with it:",
        ),
        (
            Audience::Court,
            "for a court.",
            "summary for the court",
            "Whether that computer worked properly need not be presumed: the entries can be checked",
        ),
        (
            Audience::Person,
            "for an affected person.",
            "how the affected people were told",
            "You can have this checked by anybody whom you trust.",
        ),
    ] {
        let pack = incident_pack(&stage, audience, false).await;
        let report = check(&stage, &pack);
        assert_eq!(report.verdict, Verdict::Good, "{:?}", report.findings.kept);
        let (page, readme) = (text(&pack, "summary.html"), text(&pack, "README.txt"));
        says(&page, &INCIDENT);
        says(&page, &[title, lead, "How to check it without Duly", "Take the log's key from the controller"]);
        says(&readme, &INCIDENT_README);
        says(&readme, &[reader, "How to check it, without Duly:", "never from here."]);
        assert!(!page.contains("bob"), "{audience:?}: the summary names nobody");
        if let Some(certificate) = pdf_text(&stage, &file(&pack, "certificate.pdf")) {
            says(&certificate, &INCIDENT);
            assert_eq!(certificate.contains("bob"), audience != Audience::Person, "{certificate}");
        }
        all.push(evidence(&pack));
    }
    assert!(all.windows(2).all(|two| two[0] == two[1]), "the evidence differs by its reader");
}

#[tokio::test]
async fn a_persons_pack_says_to_each_reader_what_it_proves_and_what_not_and_the_evidence_is_the_same() {
    let stage = told().await;
    let mut all = Vec::new();
    for (audience, reader, certified, names_users) in [
        (Audience::Regulator, "about one person, for a supervisory authority.", "For the supervisory authority.", true),
        (Audience::Court, "about one person, for a court.", "For the court.", true),
        (Audience::Person, "for the person whom it is about.", "For the affected person.", false),
    ] {
        let pack = pack_for(&stage, audience, &[]).await;
        let report = check(&stage, &pack);
        assert_eq!(report.verdict, Verdict::Good, "{:?}", report.findings.kept);
        let (story, readme) = (text(&pack, "story.txt"), text(&pack, "README.txt"));
        says(
            &readme,
            &[
                reader,
                "It proves what is in it, and that the person's events have no gap from 1 to the last one here.",
                "It does not prove that nothing more followed, that nothing was sent twice, or that anybody opened a message.",
                "For the first two a reader needs the pack of the whole incident.",
            ],
        );
        assert_eq!(story.contains("bob approved plan 1"), names_users, "{story}");
        if let Some(certificate) = pdf_text(&stage, &file(&pack, "certificate.pdf")) {
            says(&certificate, &PERSON);
            says(&certificate, &[certified]);
            assert_eq!(certificate.contains("bob approved plan 1"), names_users, "{certificate}");
        }
        all.push(evidence(&pack));
    }
    assert!(all.windows(2).all(|two| two[0] == two[1]), "the evidence differs by its reader");
}

/// How many were notified on which day, by the log itself: `27 Nov: 7`.
async fn days(stage: &Stage) -> Vec<(String, u64)> {
    let bodies: Vec<Vec<u8>> = sqlx::query_scalar("select body from event where person_id is not null order by ord")
        .fetch_all(&stage.owner)
        .await
        .unwrap();
    let mut days = BTreeMap::new();
    for event in bodies.iter().map(|body| Event::parse(body).unwrap()) {
        if event.detail.get("notice").is_some_and(|notice| notice == "notified") {
            let at = OffsetDateTime::from_unix_timestamp(event.at_micros / 1_000_000).unwrap();
            *days.entry(at.date()).or_insert(0) += 1;
        }
    }
    days.into_iter().map(|(day, n)| (format!("{} {}", day.day(), &day.month().to_string()[..3]), n)).collect()
}

#[tokio::test]
async fn the_charts_of_a_summary_draw_what_the_verifier_counts() {
    let stage = told().await;
    // Three more, to whom nothing is sent yet.
    stage.add_people(PEOPLE + 1..=PEOPLE + 3, &[Route::Letter]).await;
    sequence(&stage).await;

    let pack = incident_pack(&stage, Audience::Regulator, false).await;
    let report = check(&stage, &pack);
    assert_eq!(report.verdict, Verdict::Good, "{:?}", report.findings.kept);
    let counted = &report.equation;
    assert_eq!((counted.people, counted.notified, counted.open), (10, 7, 3));

    let page = text(&pack, "summary.html");
    let (before, after) = page.split_once("<svg class=\"bar\"").unwrap();
    assert!(before.ends_with("<figure><figcaption>10 people, by how their notice stands</figcaption>"), "{before}");
    let bar = after.split_once("</svg>").unwrap().0;
    says(bar, &["viewBox=\"0 0 1000 30\"", "aria-label=\"7 notified, 3 open, 0 unreachable, 0 exempt, 0 told otherwise\""]);
    let told = "<rect class=\"told\" x=\"0\" y=\"0\" width=\"698\" height=\"30\">";
    let open = "<rect class=\"way\" x=\"700\" y=\"0\" width=\"298\" height=\"30\">";
    says(bar, &[told, open]);
    assert_eq!(bar.matches("<rect").count(), 2, "what is nothing is not drawn: {bar}");
    says(&page, &["10 people on the frozen lists = 7 notified + 0 unreachable + 0 exempt + 0 withdrawn + 3 open."]);

    let days = days(&stage).await;
    assert_eq!(days.iter().map(|(_, n)| n).sum::<u64>(), u64::from(PEOPLE));
    let (before, after) = page.split_once("<svg class=\"days\"").unwrap();
    assert!(before.ends_with("<figure><figcaption>People notified, by day (UTC)</figcaption>"), "{before}");
    let chart = after.split_once("</svg>").unwrap().0;
    let label = days.iter().map(|(day, n)| format!("{day}: {n}")).collect::<Vec<_>>().join(", ");
    assert!(chart.contains(&format!("aria-label=\"{label}\"")), "{label}: {chart}");
    assert_eq!(chart.matches("<rect class=\"told\"").count(), days.len());
    let highest = days.iter().map(|(_, n)| *n).max().unwrap();
    for (day, n) in days {
        assert!(
            chart.contains(&format!("height=\"{}\"", n * 130 / highest)) && chart.contains(&format!(">{day}</text>")),
            "{chart}"
        );
    }
}
